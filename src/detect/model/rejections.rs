//! What was not taken for motion, said once each time and not at every look.

use crate::detect::why::{Place, Reason, Rejected};

use super::track::seconds;

/// What speaks against a single blob must do so for this long before it is worth a word: noise is not.
const LASTED_S: f32 = 0.9;
const LEAST_NOTES: u32 = 4;
/// What was not noted for this long is over; the next time it is told again.
const OVER_S: f32 = 10.0;
const MOST: usize = 48;

#[derive(Debug, Default)]
pub(super) struct Rejections {
    open: Vec<Candidate>,
    told: Vec<Rejected>,
}

#[derive(Debug)]
struct Candidate {
    reason: Reason,
    place: Place,
    first_us: i64,
    last_us: i64,
    notes: u32,
    is_told: bool,
}

impl Rejections {
    /// Something was held back in this look.
    pub(super) fn note(&mut self, reason: Reason, place: Place, at_us: i64) {
        let is_known =
            |known: &Candidate| known.reason == reason && (is_of_the_whole(reason) || known.place.overlaps(&place));
        let Some(n) = self.open.iter().position(is_known).or_else(|| {
            let new = Candidate { reason, place, first_us: at_us, last_us: at_us, notes: 0, is_told: false };
            (self.open.len() < MOST).then(|| {
                self.open.push(new);
                self.open.len() - 1
            })
        }) else {
            return;
        };
        let candidate = &mut self.open[n];
        candidate.notes += u32::from(candidate.notes == 0 || candidate.last_us != at_us);
        (candidate.last_us, candidate.place) = (at_us, place);
        let lasted = seconds(at_us.saturating_sub(candidate.first_us));
        let is_enough = match reason {
            Reason::Light | Reason::Masked | Reason::Small => lasted >= LASTED_S && candidate.notes >= LEAST_NOTES,
            Reason::Scene | Reason::Clutter | Reason::Wavering | Reason::Damaged => true,
        };
        if is_enough && !candidate.is_told {
            candidate.is_told = true;
            self.told.push(Rejected { at_us, reason, place });
        }
    }

    /// What is to be told after this look.
    pub(super) fn tell(&mut self, at_us: i64) -> Vec<Rejected> {
        self.open.retain(|candidate| {
            let patience_s = if candidate.is_told { OVER_S } else { LASTED_S };
            seconds(at_us.saturating_sub(candidate.last_us)) <= patience_s
        });
        std::mem::take(&mut self.told)
    }
}

/// Rain is everywhere: wherever it was seen last, it is the same.
fn is_of_the_whole(reason: Reason) -> bool {
    matches!(reason, Reason::Scene | Reason::Clutter | Reason::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = Place([0.1, 0.1, 0.2, 0.2]);
    const THERE: Place = Place([0.7, 0.7, 0.1, 0.1]);

    #[test]
    fn a_mask_is_told_once_and_noise_never() {
        let mut rejections = Rejections::default();
        let mut told = Vec::new();
        for look in 0..50 {
            let at_us = look * 200_000;
            rejections.note(Reason::Masked, HERE, at_us);
            if look % 20 == 0 {
                rejections.note(Reason::Small, THERE, at_us);
            }
            told.extend(rejections.tell(at_us));
        }
        assert_eq!(told.iter().map(|rejected| rejected.reason).collect::<Vec<_>>(), [Reason::Masked]);
        rejections.tell(60_000_000);
        rejections.note(Reason::Scene, Place::WHOLE, 61_000_000);
        rejections.note(Reason::Clutter, THERE, 61_000_000);
        rejections.note(Reason::Clutter, HERE, 61_200_000);
        assert_eq!(rejections.tell(61_200_000).len(), 2);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut rejections = Rejections::default();
        for n in 0..1_000_u16 {
            let place = Place([f32::from(n), 0.0, 0.0, 0.0]);
            rejections.note(Reason::Wavering, place, i64::from(n));
        }
        assert_eq!((rejections.open.len(), rejections.tell(0).len()), (MOST, MOST));
    }
}
