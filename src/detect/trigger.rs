//! From what each look found to events: pure, with hysteresis, one event at a time per camera.

use std::time::Duration;

use crate::detect::model::{Mover, Seen};
use crate::detect::why::Why;
use crate::units::EventId;

/// A peak must grow by this factor before it is worth another message.
const WORTH: f32 = 1.25;

/// An event as it is known now; times in microseconds on the looks' own clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Which event.
    pub id: EventId,
    /// The first look at what moved.
    pub start_us: i64,
    /// The last look at what moved; `None` while it goes on.
    pub end_us: Option<i64>,
    /// The largest part of the picture that moved at once, 0 to 1.
    pub peak: f32,
    /// The zones touched: bit n is the zone with the n-th name.
    pub zones: u64,
    /// Whether the picture of this very look is the best so far to show for it.
    pub is_peak: bool,
    /// Why it is an event, as it is known now.
    pub why: Why,
}

/// The state between looks.
#[derive(Debug, Default)]
pub struct Trigger {
    /// What moves for a shorter time is no event.
    least_us: i64,
    open: Option<Open>,
    /// Where the newest event ended: the next may not begin before.
    ended_us: Option<i64>,
}

#[derive(Debug)]
struct Open {
    id: EventId,
    start_us: i64,
    last_us: i64,
    peak: f32,
    sent_peak: f32,
    zones: u64,
    why: Why,
}

impl Trigger {
    /// Nothing moves; what moves for less than `least` will be no event.
    pub fn new(least: Duration) -> Self {
        Self { least_us: i64::try_from(least.as_micros()).unwrap_or(i64::MAX), ..Self::default() }
    }

    /// Whether an event goes on.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes a look's findings; `random` brings a new event's id. Looks come in order of time.
    pub fn see(&mut self, seen: &Seen, random: impl FnOnce() -> [u8; 8]) -> Option<Update> {
        if seen.movers.is_empty() {
            return self.end();
        }
        let area: f32 = seen.movers.iter().map(|mover| mover.area).sum::<f32>().clamp(0.0, 1.0);
        let zones = seen.movers.iter().fold(0, |zones, mover| zones | mover.zones);
        let last_us = seen.movers.iter().map(|mover| mover.last_us).fold(i64::MIN, i64::max).min(seen.at_us);
        let largest = seen.movers.iter().max_by(|a, b| a.area.total_cmp(&b.area));
        let speed = seen.movers.iter().map(|mover| mover.speed).fold(0.0, f32::max);
        let Some(open) = &mut self.open else {
            let is_long = |mover: &Mover| mover.last_us.saturating_sub(mover.first_us) >= self.least_us;
            let largest = largest.filter(|_| seen.movers.iter().any(is_long))?;
            let first_us = seen.movers.iter().map(|mover| mover.first_us).fold(i64::MAX, i64::min);
            let start_us = first_us.min(seen.at_us).max(self.ended_us.unwrap_or(i64::MIN));
            let open = Open {
                id: EventId::from_random(random()),
                start_us,
                last_us: last_us.max(start_us),
                peak: area,
                sent_peak: area,
                zones,
                why: Why { how: largest.how, place: largest.place, speed },
            };
            return Some(self.open.insert(open).update(true));
        };
        open.last_us = open.last_us.max(last_us);
        if let Some(largest) = largest.filter(|_| area > open.peak) {
            open.why.place = largest.place;
        }
        open.why.speed = open.why.speed.max(speed);
        open.peak = open.peak.max(area);
        let new_zones = zones & !open.zones != 0;
        open.zones |= zones;
        let is_peak = open.peak > WORTH * open.sent_peak;
        if is_peak {
            open.sent_peak = open.peak;
        }
        (is_peak || new_zones).then(|| open.update(is_peak))
    }

    /// Nothing more will be seen, or nothing can be: what goes on ends where it was last seen.
    pub fn end(&mut self) -> Option<Update> {
        let open = self.open.take()?;
        self.ended_us = Some(open.last_us);
        Some(Update { end_us: Some(open.last_us), ..open.update(false) })
    }
}

impl Open {
    fn update(&self, is_peak: bool) -> Update {
        Update {
            id: self.id,
            start_us: self.start_us,
            end_us: None,
            peak: self.peak,
            zones: self.zones,
            is_peak,
            why: self.why,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detect::why::{How, Place};

    fn mover(first_us: i64, last_us: i64, area: f32) -> Mover {
        Mover { first_us, last_us, area, zones: 1, place: Place([area, 0.0, 0.1, 0.1]), speed: area, how: How::Moved }
    }

    fn seen(at_us: i64, movers: Vec<Mover>) -> Seen {
        Seen { at_us, movers, rejected: Vec::new(), stirs: false }
    }

    #[test]
    fn an_event_reaches_from_the_first_hit_to_the_last_change() {
        let mut trigger = Trigger::new(Duration::ZERO);
        assert_eq!(trigger.see(&seen(10, vec![]), || [0; 8]), None);
        let begun = trigger.see(&seen(20, vec![mover(12, 20, 0.1)]), || [7; 8]).expect("begun");
        assert_eq!((begun.start_us, begun.end_us, begun.is_peak), (12, None, true));
        assert_eq!(trigger.see(&seen(30, vec![mover(12, 28, 0.1)]), || [8; 8]), None);
        let grown = trigger.see(&seen(40, vec![mover(12, 40, 0.3)]), || [8; 8]).expect("grown");
        assert!(grown.is_peak && grown.id == begun.id);
        let ended = trigger.see(&seen(50, vec![]), || [8; 8]).expect("ended");
        assert_eq!((ended.end_us, ended.start_us, ended.peak), (Some(40), 12, 0.3));
        assert_eq!(trigger.end(), None);
    }

    #[test]
    fn what_moves_for_too_short_a_time_is_no_event() {
        let mut trigger = Trigger::new(Duration::from_micros(100));
        assert_eq!(trigger.see(&seen(50, vec![mover(0, 50, 0.1)]), || [0; 8]), None);
        assert_eq!(trigger.see(&seen(99, vec![mover(0, 99, 0.1)]), || [0; 8]), None);
        let begun = trigger.see(&seen(100, vec![mover(0, 100, 0.1)]), || [0; 8]).expect("begun");
        assert_eq!(begun.start_us, 0);
    }

    #[test]
    fn an_event_tells_where_the_largest_of_it_was_and_how_fast_it_went() {
        let mut trigger = Trigger::new(Duration::ZERO);
        trigger.see(&seen(20, vec![mover(12, 20, 0.1), mover(12, 20, 0.2)]), || [7; 8]).expect("begun");
        trigger.see(&seen(40, vec![mover(12, 40, 0.4)]), || [7; 8]).expect("grown");
        trigger.see(&seen(60, vec![mover(12, 60, 0.3)]), || [7; 8]);
        let why = trigger.end().expect("ended").why;
        assert_eq!((why.how, why.place, why.speed), (How::Moved, Place([0.4, 0.0, 0.1, 0.1]), 0.4));
    }

    proptest! {
        #[test]
        fn events_never_overlap_and_each_ends_once(
            looks in prop::collection::vec((1_i64..2_000_000, prop::collection::vec((0_i64..9_000_000, 0_i64..6_000_000, 0.0_f32..1.0), 0..3)), 0..60)
        ) {
            let (mut trigger, mut now, mut counter) = (Trigger::new(Duration::ZERO), 0_i64, 0_u64);
            let mut updates = Vec::new();
            for (step, movers) in looks {
                now += step;
                let movers = movers.into_iter().map(|(age, still, area)| mover(now - age.max(still), now - still, area)).collect();
                updates.extend(trigger.see(&seen(now, movers), || { counter += 1; counter.to_be_bytes() }));
            }
            updates.extend(trigger.end());
            let mut border = i64::MIN;
            let mut open: Option<Update> = None;
            for update in updates {
                if let Some(open) = &open {
                    prop_assert_eq!((open.id, open.start_us), (update.id, update.start_us));
                    prop_assert!(open.peak <= update.peak && open.zones & !update.zones == 0);
                } else {
                    prop_assert!(update.start_us >= border && update.end_us.is_none());
                }
                open = match update.end_us {
                    Some(end) => {
                        prop_assert!(update.start_us <= end);
                        border = end;
                        None
                    }
                    None => Some(update),
                };
            }
            prop_assert!(open.is_none());
        }
    }
}
