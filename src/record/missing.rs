//! The account of time that was not recorded. Pure.

use std::time::Duration;

use crate::record::segment::GapCause;
use crate::units::{Monotonic, UtcMicros, UtcSpan};

/// Shorter than this is no gap but the time between two pictures.
const LEAST: Duration = Duration::from_millis(100);
/// The same where only arrivals tell.
const LEAST_BY_STEADY: Duration = Duration::from_secs(1);
/// A camera that takes longer than this to send after a start is unreachable; up to here it is the start that took the time.
const START_UP: Duration = Duration::from_secs(15);
/// How far the wall clock may disagree with the steady one before it was set.
const CLOCK_STEP_US: i64 = 2_000_000;

/// Up to where everything is recorded, and why it is not from there on.
#[derive(Debug)]
pub struct Missing {
    /// By both clocks.
    until: (UtcMicros, Monotonic),
    cause: Option<GapCause>,
    /// When the recorder started, until it recorded something.
    started: Option<UtcMicros>,
    /// Why nothing was recorded from the footage of before to that start; `None` if there is none.
    before: Option<GapCause>,
}

impl Missing {
    /// At the start of the recorder; `recorded_until` is where the footage of before ends, and why.
    pub fn new(now: UtcMicros, steady: Monotonic, recorded_until: Option<(UtcMicros, GapCause)>) -> Self {
        let before = recorded_until.filter(|(until, _)| *until < now);
        let cause = before.map(|(_, cause)| cause);
        Self { until: (before.map_or(now, |(until, _)| until), steady), cause, started: Some(now), before: cause }
    }

    /// The end of this recorder's footage, or of the one's before; `None` if there is none.
    pub fn recorded_until(&self) -> Option<UtcMicros> {
        (self.started.is_none() || self.before.is_some()).then_some(self.until.0)
    }

    /// What was missing up to then has been listed.
    pub fn told(&mut self, until: UtcMicros, steady: Monotonic) {
        self.recorded(until, steady);
    }

    /// Everything up to then is in a file.
    pub fn recorded(&mut self, end: UtcMicros, steady: Monotonic) {
        self.until = (end, steady);
        self.cause = None;
        self.started = None;
    }

    /// Why nothing is recorded from now on; the first cause stands until something is recorded.
    pub fn lost(&mut self, cause: GapCause) {
        self.cause.get_or_insert(cause);
    }

    /// Whether something was lost that is not yet accounted for.
    pub fn is_losing(&self) -> bool {
        self.cause.is_some() || self.started.is_some()
    }

    /// What is missing when recording goes on at `start`, which is `steady` by the other clock.
    pub fn up_to(&self, start: UtcMicros, steady: Monotonic) -> Vec<(UtcSpan, GapCause)> {
        if let (Some(started), Some(before)) = (self.started, self.before) {
            if start.since(started) < START_UP {
                return gap(self.until.0, start, before).into_iter().collect();
            }
            let unreachable = gap(started, start, GapCause::CameraUnreachable);
            return gap(self.until.0, started, before).into_iter().chain(unreachable).collect();
        }
        let cause = self.cause.unwrap_or(GapCause::CameraUnreachable);
        if self.started.is_some_and(|started| start.since(started) < START_UP) {
            return Vec::new();
        }
        let passed = steady.since(self.until.1);
        let was_set = start.minus(passed).offset_from(self.until.0).saturating_abs() > CLOCK_STEP_US;
        if was_set && self.started.is_none() {
            // The years between 1970 and now are not missing: only what went by is, and that is not known to the picture.
            let from = start.minus(passed);
            return gap(from, start, cause).filter(|_| passed >= LEAST_BY_STEADY).into_iter().collect();
        }
        gap(self.until.0, start, cause).into_iter().collect()
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

    fn span(from: i64, to: i64, cause: GapCause) -> (UtcSpan, GapCause) {
        (UtcSpan::new(at(from), at(to)).expect("in order"), cause)
    }

    #[test]
    fn a_restart_and_a_camera_that_stays_away_are_told_apart() {
        let missing = Missing::new(at(100), steady(0), Some((at(90), GapCause::PowerCut)));
        assert_eq!(missing.up_to(at(102), steady(2)), [span(90, 102, GapCause::PowerCut)]);
        let both = [span(90, 100, GapCause::PowerCut), span(100, 200, GapCause::CameraUnreachable)];
        assert_eq!(missing.up_to(at(200), steady(100)), both);
        let first = Missing::new(at(100), steady(0), None);
        assert_eq!(first.up_to(at(130), steady(30)), [span(100, 130, GapCause::CameraUnreachable)]);
        assert!(first.up_to(at(103), steady(3)).is_empty(), "a camera that is new has no past to miss");
    }

    #[test]
    fn the_first_cause_stands_and_contiguous_footage_has_no_gap() {
        let mut missing = Missing::new(at(0), steady(0), None);
        missing.recorded(at(10), steady(10));
        assert!(!missing.is_losing());
        assert!(missing.up_to(at(10), steady(11)).is_empty());
        missing.lost(GapCause::DiskError);
        missing.lost(GapCause::CameraUnreachable);
        assert_eq!(missing.up_to(at(20), steady(20)), [span(10, 20, GapCause::DiskError)]);
    }

    #[test]
    fn a_clock_that_was_set_makes_no_gap_of_years() {
        let mut missing = Missing::new(at(0), steady(0), None);
        missing.recorded(at(10), steady(10));
        let set = at(1_700_000_000);
        let gap = missing.up_to(set, steady(13));
        assert_eq!(gap, [span(1_699_999_997, 1_700_000_000, GapCause::CameraUnreachable)]);
        assert_eq!(missing.up_to(at(-5), steady(13)), [span(-8, -5, GapCause::CameraUnreachable)]);
    }
}
