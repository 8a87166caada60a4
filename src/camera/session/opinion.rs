//! What a camera says of motion, made into spans: one detector's word after the other goes in, begins and ends come out. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::camera::onvif::{Moves, Said};
use crate::camera::packet::{CameraMotion, Heard, Turn};
use crate::units::{Monotonic, UtcMicros};

/// Motion that begins again so soon is the same. It is also what bounds how many rows a camera can make by saying yes and no.
const SAME: Duration = Duration::from_secs(5);
/// The most detectors that are told apart; what others say is left out.
const MOST_DETECTORS: usize = 32;

/// What one session's camera says.
#[derive(Debug, Default)]
pub(crate) struct Opinion {
    /// Detectors by which something moves.
    moving: BTreeSet<String>,
    /// Motion began and has not been told to have ended.
    is_open: bool,
    /// Since when no detector says so, by both clocks.
    still: Option<(UtcMicros, Monotonic)>,
}

impl Opinion {
    /// Takes what one message says, which arrived now.
    pub(crate) fn hear(&mut self, said: &[Said], now: (UtcMicros, Monotonic)) -> Option<CameraMotion> {
        for Said { who, moves } in said {
            match moves {
                Moves::Something if self.moving.len() < MOST_DETECTORS => drop(self.moving.insert(who.clone())),
                Moves::Something => {}
                Moves::Nothing => drop(self.moving.remove(who)),
            }
        }
        self.judge(now)
    }

    /// A message was lost: whoever was said to see motion may have ended it.
    pub(crate) fn mishear(&mut self, now: (UtcMicros, Monotonic)) -> Option<CameraMotion> {
        self.moving.clear();
        self.judge(now)
    }

    fn judge(&mut self, now: (UtcMicros, Monotonic)) -> Option<CameraMotion> {
        if self.moving.is_empty() {
            if self.is_open {
                self.still.get_or_insert(now);
            }
            return None;
        }
        self.still = None;
        if self.is_open {
            return None;
        }
        self.is_open = true;
        Some(CameraMotion { what: Heard::Motion, turn: Turn::Begins, at: now.0 })
    }

    /// Whether motion has been over for long enough; to be asked every second or so.
    pub(crate) fn look(&mut self, now: Monotonic) -> Option<CameraMotion> {
        let (at, since) = self.still?;
        if now.since(since) < SAME { None } else { self.close(at) }
    }

    /// The session ends.
    pub(crate) fn end(&mut self, now: UtcMicros) -> Option<CameraMotion> {
        let at = self.still.map_or(now, |(at, _)| at);
        self.moving.clear();
        self.close(at)
    }

    fn close(&mut self, at: UtcMicros) -> Option<CameraMotion> {
        self.still = None;
        std::mem::take(&mut self.is_open).then_some(CameraMotion { what: Heard::Motion, turn: Turn::Ends, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> (UtcMicros, Monotonic) {
        (UtcMicros(0).plus(Duration::from_millis(ms)), Monotonic(Duration::from_millis(ms)))
    }

    fn said(who: &str, moves: Moves) -> Vec<Said> {
        vec![Said { who: who.to_owned(), moves }]
    }

    #[test]
    fn motion_ends_when_no_detector_sees_it_any_more() {
        let mut opinion = Opinion::default();
        let (yes, no) = (Moves::Something, Moves::Nothing);
        let motion = |turn, ms| Some(CameraMotion { what: Heard::Motion, turn, at: at(ms).0 });
        assert_eq!(opinion.hear(&said("a", no), at(0)), None);
        assert_eq!(opinion.hear(&said("a", yes), at(1_000)), motion(Turn::Begins, 1_000));
        assert_eq!(opinion.hear(&said("b", yes), at(2_000)), None);
        assert_eq!(opinion.hear(&said("a", no), at(3_000)), None);
        assert_eq!(opinion.look(at(90_000).1), None, "b still sees it");
        assert_eq!(opinion.hear(&said("b", no), at(91_000)), None);
        assert_eq!(opinion.look(at(95_999).1), None);
        assert_eq!(opinion.look(at(96_000).1), motion(Turn::Ends, 91_000));
        assert_eq!((opinion.look(at(99_000).1), opinion.end(at(99_000).0)), (None, None));
        // A session that ends while it is quiet for a moment.
        opinion.hear(&said("a", yes), at(100_000));
        opinion.hear(&said("a", no), at(101_000));
        assert_eq!(opinion.end(at(102_000).0), motion(Turn::Ends, 101_000));
        assert_eq!(opinion.end(at(103_000).0), None);
    }

    #[test]
    fn a_camera_with_many_detectors_fills_no_memory() {
        let mut opinion = Opinion::default();
        for n in 0..10_000 {
            opinion.hear(&said(&n.to_string(), Moves::Something), at(n));
        }
        assert_eq!(opinion.moving.len(), MOST_DETECTORS);
        assert_eq!(opinion.mishear(at(10_000)), None);
        assert!(opinion.look(at(15_000).1).is_some(), "what was missed is not believed for ever");
    }

    proptest! {
        #[test]
        fn begins_and_ends_alternate_and_are_never_close_together(
            steps in prop::collection::vec((0..4_u8, 0..3_u8, 0..4_000_u64), 0..200)
        ) {
            let (mut opinion, mut now, mut told) = (Opinion::default(), 0, Vec::new());
            for (kind, who, passed) in steps {
                // Asked about every second, as a session does.
                for second in (now / 1_000 + 1)..=((now + passed) / 1_000) {
                    told.extend(opinion.look(at(second * 1_000).1));
                }
                now += passed;
                told.extend(match kind {
                    0 => opinion.hear(&said(&who.to_string(), Moves::Something), at(now)),
                    1 => opinion.hear(&said(&who.to_string(), Moves::Nothing), at(now)),
                    2 => opinion.mishear(at(now)),
                    _ => opinion.look(at(now).1),
                });
            }
            told.extend(opinion.end(at(now).0));
            for (n, each) in told.iter().enumerate() {
                prop_assert_eq!(each.turn, if n % 2 == 0 { Turn::Begins } else { Turn::Ends });
            }
            prop_assert!(told.len().is_multiple_of(2) && told.is_sorted_by_key(|each| each.at));
            for pair in told[1.min(told.len())..].chunks_exact(2) {
                prop_assert!(pair[1].at.since(pair[0].at) >= SAME, "{:?}", told);
            }
        }
    }
}
