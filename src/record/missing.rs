//! The account of time that was not recorded. Pure.

use std::time::Duration;

use crate::record::segment::GapCause;
use crate::record::timeline::CLOCK_STEP_US;
use crate::units::{Monotonic, UtcMicros, UtcSpan};

/// Shorter than this is no gap but the time between two pictures.
const LEAST: Duration = Duration::from_millis(100);
/// The same where only arrivals tell.
const LEAST_BY_STEADY: Duration = Duration::from_secs(1);
/// A gap that lasts is told in pieces of about that length, so that it is seen while it lasts.
const PIECE: Duration = Duration::from_secs(5);
/// Pieces end so long ago: a camera that comes back often begins with a few seconds that it had kept.
const KEPT: Duration = Duration::from_secs(5);

/// A moment by both clocks.
pub type Moment = (UtcMicros, Monotonic);

/// Up to where everything is recorded, and why it is not from there on.
#[derive(Debug)]
pub struct Missing {
    until: Moment,
    cause: Option<GapCause>,
    /// When the recorder started, until it recorded something.
    started: Option<Moment>,
    /// Why nothing was recorded from the account of before to that start; `None` if there is none, or it was listed.
    before: Option<GapCause>,
}

impl Missing {
    /// At the start of the recorder; `recorded_until` is where the account of before ends, and why.
    pub fn new(now: UtcMicros, steady: Monotonic, recorded_until: Option<(UtcMicros, GapCause)>) -> Self {
        let before = recorded_until.filter(|(until, _)| *until < now);
        let cause = before.map(|(_, cause)| cause);
        let until = (before.map_or(now, |(until, _)| until), steady);
        Self { until, cause, started: Some((now, steady)), before: cause }
    }

    /// The end of this recorder's footage, or of the one's before; `None` if there is none.
    pub fn recorded_until(&self) -> Option<UtcMicros> {
        (self.started.is_none() || self.before.is_some()).then_some(self.until.0)
    }

    /// Where the account of this recorder ends; `None` while it has none of its own.
    pub fn accounted_until(&self) -> Option<UtcMicros> {
        self.before.is_none().then_some(self.until.0)
    }

    /// The clock was set by so many µs: what was in this life is moved by that.
    pub fn shift(&mut self, by_us: i64) {
        let shift = |moment: &mut UtcMicros| moment.0 = moment.0.saturating_add(by_us);
        if let Some((started, _)) = &mut self.started {
            shift(started);
        }
        if self.before.is_none() {
            shift(&mut self.until.0);
        }
    }

    /// What was missing up to then has been listed.
    pub fn told(&mut self, until: UtcMicros, steady: Monotonic) {
        self.recorded(until, steady);
    }

    /// Everything up to then is in a file.
    pub fn recorded(&mut self, end: UtcMicros, steady: Monotonic) {
        self.until = (end, steady);
        (self.cause, self.started, self.before) = (None, None, None);
    }

    /// Why nothing is recorded, if nothing better is known.
    pub fn guess(&mut self, cause: GapCause) {
        self.cause.get_or_insert(cause);
    }

    /// Why nothing is recorded, as it was noticed at that moment: the time since the last picture, or since another cause was
    /// noticed. Returns what of the time before is now to be listed.
    #[must_use]
    pub fn lost(&mut self, cause: GapCause, noticed: Moment) -> Vec<(UtcSpan, GapCause)> {
        let before = self.cause.replace(cause);
        if let (Some(cause), Some(started)) = (self.before.take(), self.started) {
            // The recorder was there again, so from its start on it is something else.
            let listed = gap(self.until.0, started.0, cause);
            self.until = started;
            return listed.into_iter().collect();
        }
        match before {
            Some(before) if before != cause => self.piece(before, noticed),
            _ => Vec::new(),
        }
    }

    /// What is to be listed now of a gap that lasts. Nothing of the last seconds, and nothing before a cause was noticed.
    #[must_use]
    pub fn so_far(&mut self, now: Moment) -> Vec<(UtcSpan, GapCause)> {
        let Some(cause) = self.cause.filter(|_| self.before.is_none()) else { return Vec::new() };
        if now.1.since(self.until.1) < PIECE + KEPT {
            return Vec::new();
        }
        self.piece(cause, (now.0.minus(KEPT), Monotonic(now.1.0.saturating_sub(KEPT))))
    }

    /// Lists the time up to then, unless it is too short to be told apart.
    fn piece(&mut self, cause: GapCause, end: Moment) -> Vec<(UtcSpan, GapCause)> {
        let listed: Vec<_> = self.gap_up_to(end, cause).into_iter().collect();
        if !listed.is_empty() {
            self.until = end;
            self.started = None;
        }
        listed
    }

    /// Whether something was lost that is not yet accounted for.
    pub fn is_losing(&self) -> bool {
        self.cause.is_some() || self.started.is_some()
    }

    /// What is missing when recording goes on at `start`, which is `steady` by the other clock.
    pub fn up_to(&self, start: UtcMicros, steady: Monotonic) -> Option<(UtcSpan, GapCause)> {
        if self.started.is_some() && self.cause.is_none() {
            // A camera that is new, and has no past to miss.
            return None;
        }
        self.gap_up_to((start, steady), self.cause.unwrap_or(GapCause::CameraUnreachable))
    }

    fn gap_up_to(&self, (end, steady): Moment, cause: GapCause) -> Option<(UtcSpan, GapCause)> {
        let passed = steady.since(self.until.1);
        let was_set = end.minus(passed).offset_from(self.until.0).saturating_abs() > CLOCK_STEP_US;
        // Between two lives of the recorder nothing is known of the steady clock.
        if was_set && self.before.is_none() {
            // The years between 1970 and now are not missing: only what went by is, and that is not known to the picture.
            return gap(end.minus(passed), end, cause).filter(|_| passed >= LEAST_BY_STEADY);
        }
        gap(self.until.0, end, cause)
    }
}

fn gap(from: UtcMicros, to: UtcMicros, cause: GapCause) -> Option<(UtcSpan, GapCause)> {
    let span = UtcSpan::new(from, to)?;
    (span.length() >= LEAST).then_some((span, cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> UtcMicros {
        UtcMicros(seconds * 1_000_000)
    }

    fn steady(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    /// A moment of a life that began at 0 by both clocks.
    fn moment(seconds: u32) -> Moment {
        (at(seconds.into()), steady(seconds.into()))
    }

    fn span(from: i64, to: i64, cause: GapCause) -> (UtcSpan, GapCause) {
        (UtcSpan::new(at(from), at(to)).expect("in order"), cause)
    }

    #[test]
    fn a_restart_and_a_camera_that_stays_away_are_told_apart() {
        let mut missing = Missing::new(at(100), steady(0), Some((at(90), GapCause::Restart)));
        assert_eq!(missing.up_to(at(102), steady(2)), Some(span(90, 102, GapCause::Restart)));
        assert_eq!(missing.so_far((at(190), steady(90))), [], "not yet known to be the camera");
        let restart = missing.lost(GapCause::CameraUnreachable, (at(110), steady(10)));
        assert_eq!(restart, [span(90, 100, GapCause::Restart)]);
        assert_eq!(missing.up_to(at(200), steady(100)), Some(span(100, 200, GapCause::CameraUnreachable)));
        let mut first = Missing::new(at(100), steady(0), None);
        assert_eq!(first.up_to(at(103), steady(3)), None, "a camera that is new has no past to miss");
        assert_eq!(first.lost(GapCause::WrongPassword, (at(101), steady(1))), []);
        assert_eq!(first.up_to(at(130), steady(30)), Some(span(100, 130, GapCause::WrongPassword)));
    }

    #[test]
    fn each_cause_counts_from_when_it_was_noticed() {
        let mut missing = Missing::new(at(0), steady(0), None);
        missing.recorded(at(10), steady(10));
        assert!(!missing.is_losing());
        assert_eq!(missing.up_to(at(10), steady(11)), None, "contiguous footage");
        assert_eq!(missing.lost(GapCause::CameraStalled, moment(20)), []);
        missing.guess(GapCause::PacketLoss);
        let stalled = missing.lost(GapCause::CameraUnreachable, moment(21));
        assert_eq!(stalled, [span(10, 21, GapCause::CameraStalled)]);
        assert_eq!(missing.lost(GapCause::CameraUnreachable, moment(50)), []);
        assert_eq!(missing.up_to(at(60), steady(60)), Some(span(21, 60, GapCause::CameraUnreachable)));
    }

    #[test]
    fn a_gap_that_lasts_is_told_in_pieces() {
        let mut missing = Missing::new(at(0), steady(0), None);
        missing.recorded(at(10), steady(10));
        assert_eq!(missing.so_far(moment(60)), [], "nothing is known to be lost");
        assert_eq!(missing.lost(GapCause::CameraUnreachable, moment(11)), []);
        let mut told = Vec::new();
        for second in 11..=60 {
            told.extend(missing.so_far(moment(second)));
        }
        assert_eq!(told.first(), Some(&span(10, 15, GapCause::CameraUnreachable)));
        assert_eq!(told.last(), Some(&span(50, 55, GapCause::CameraUnreachable)));
        assert!(told.windows(2).all(|pair| pair[0].0.end() == pair[1].0.start()), "{told:?}");
        assert_eq!(missing.recorded_until(), Some(at(55)));
        assert_eq!(missing.up_to(at(61), steady(61)), Some(span(55, 61, GapCause::CameraUnreachable)));
    }

    #[test]
    fn what_was_in_this_life_moves_with_the_clock() {
        let mut missing = Missing::new(at(100), steady(0), Some((at(90), GapCause::PowerCut)));
        missing.shift(50_000_000);
        assert_eq!(missing.accounted_until(), None);
        assert_eq!(missing.up_to(at(152), steady(2)), Some(span(90, 152, GapCause::PowerCut)));
        missing.recorded(at(160), steady(10));
        missing.shift(-50_000_000);
        assert_eq!(missing.accounted_until(), Some(at(110)));
        assert_eq!(missing.lost(GapCause::CameraStalled, (at(111), steady(11))), []);
        assert_eq!(missing.up_to(at(113), steady(13)), Some(span(110, 113, GapCause::CameraStalled)));
    }

    #[test]
    fn a_clock_that_was_set_makes_no_gap_of_years() {
        let mut missing = Missing::new(at(0), steady(0), None);
        missing.recorded(at(10), steady(10));
        let set = at(1_700_000_000);
        let gap = missing.up_to(set, steady(13));
        assert_eq!(gap, Some(span(1_699_999_997, 1_700_000_000, GapCause::CameraUnreachable)));
        assert_eq!(missing.up_to(at(-5), steady(13)), Some(span(-8, -5, GapCause::CameraUnreachable)));
    }
}
