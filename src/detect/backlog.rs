//! Which access units go to the decoder: pure. Skip, never queue: what waits is bounded in time and in bytes.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// What may wait for the decoder, by the pictures' own time.
const MOST_US: i64 = 2_000_000;
/// A decoder that lets a unit wait for so long does not keep up; soon units will have to be skipped.
const BEHIND: Duration = Duration::from_secs(1);
/// And in bytes, unless it is a single unit.
const MOST_BYTES: usize = 4 << 20;
/// And in number, for streams whose times say nothing.
const MOST_UNITS: usize = 120;

/// What was handed to the decoder and not answered yet.
#[derive(Debug)]
pub(super) struct Backlog {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// After a unit was skipped, those that build on it are of no use.
    needs_key: bool,
    newest_us: i64,
}

#[derive(Debug)]
struct Waiting {
    at_us: i64,
    bytes: usize,
    since: Instant,
}

impl Backlog {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), bytes: 0, needs_key: true, newest_us: i64::MIN }
    }

    /// Whether this unit is to be decoded; if not, neither is any before the next key frame.
    pub(super) fn takes(&mut self, at_us: i64, bytes: usize, is_key: bool, now: Instant) -> bool {
        let oldest_us = self.waiting.front().map_or(at_us, |oldest| oldest.at_us);
        let is_full = !self.waiting.is_empty()
            && (at_us.saturating_sub(oldest_us) > MOST_US
                || self.bytes + bytes > MOST_BYTES
                || self.waiting.len() >= MOST_UNITS);
        if is_full || (self.needs_key && !is_key) {
            self.needs_key = true;
            return false;
        }
        self.needs_key = false;
        self.waiting.push_back(Waiting { at_us, bytes, since: now });
        self.bytes += bytes;
        self.newest_us = self.newest_us.max(at_us);
        true
    }

    /// The stream has a hole: begin again at a key frame.
    pub(super) fn interrupt(&mut self) {
        self.needs_key = true;
    }

    /// The newest unit was not handed in after all.
    pub(super) fn retract(&mut self) {
        if let Some(newest) = self.waiting.pop_back() {
            self.bytes -= newest.bytes;
        }
        self.needs_key = true;
    }

    /// The oldest unit was answered; its time, `None` if there was none.
    pub(super) fn answered(&mut self) -> Option<i64> {
        let oldest = self.waiting.pop_front()?;
        self.bytes -= oldest.bytes;
        Some(oldest.at_us)
    }

    /// Whether the decoder does not keep up. Not by the pictures' own time: a camera may send many at once.
    pub(super) fn is_behind(&self, now: Instant) -> bool {
        self.waiting.front().is_some_and(|oldest| now.saturating_duration_since(oldest.since) > BEHIND)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether a picture of this time can have come out of what was handed in.
    pub(super) fn may_show(&self, at_us: i64) -> bool {
        at_us <= self.newest_us && at_us >= self.newest_us.saturating_sub(10 * MOST_US)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_decoder_that_is_behind_is_next_given_a_key_frame() {
        let (mut backlog, now) = (Backlog::new(), Instant::now());
        let after = |at_us: u64| now + Duration::from_micros(at_us);
        assert!(!backlog.takes(0, 10, false, now), "there is nothing to build on yet");
        assert!(backlog.takes(100_000, 10, true, after(100_000)));
        assert!(!backlog.is_behind(after(1_000_000)));
        assert!(backlog.is_behind(after(1_200_000)), "before anything is skipped");
        assert!(backlog.takes(2_000_000, 10, false, after(2_000_000)));
        assert!(!backlog.takes(2_200_000, 10, false, after(2_200_000)), "more than two seconds would wait");
        assert_eq!(backlog.answered(), Some(100_000));
        assert!(!backlog.is_behind(after(2_200_000)));
        assert!(!backlog.takes(2_300_000, 10, false, after(2_300_000)), "it builds on one that was skipped");
        assert!(backlog.takes(2_400_000, 10, true, after(2_400_000)));
    }

    #[test]
    fn one_large_unit_is_taken_and_nothing_beside_it() {
        let mut backlog = Backlog::new();
        assert!(backlog.takes(0, MOST_BYTES * 2, true, Instant::now()));
        assert!(!backlog.takes(1, 1, true, Instant::now()));
    }

    proptest! {
        #[test]
        fn what_waits_is_always_bounded(units in prop::collection::vec((any::<i64>(), 0_usize..3_000_000, any::<bool>(), any::<bool>()), 0..200)) {
            let mut backlog = Backlog::new();
            for (at_us, bytes, is_key, answer) in units {
                backlog.takes(at_us, bytes, is_key, Instant::now());
                if answer {
                    backlog.answered();
                }
                prop_assert!(backlog.bytes <= MOST_BYTES.max(3_000_000) && backlog.waiting.len() <= MOST_UNITS);
                prop_assert_eq!(backlog.bytes, backlog.waiting.iter().map(|waiting| waiting.bytes).sum::<usize>());
            }
        }
    }
}
