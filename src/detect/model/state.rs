//! The model's knowledge as bytes, so that a restart does not cost the time to learn it again. Pure.
//!
//! Only what was learnt goes along: what each cell looks like and how much it wavers, and how much it rains. What was being
//! followed does not; whoever moves on is found again.

use bytes::{Buf as _, BufMut as _};

use super::Model;
use super::background::Known;

/// Columns, rows, age, blobs in a look, count of newborn blobs.
const HEAD: usize = 16;
/// Newborn blobs that go along.
const MOST_NEWBORN: usize = 1_024;
const NEWBORN: usize = 6;

impl Model {
    /// What was learnt; `None` as long as it is not worth keeping.
    pub fn save(&self) -> Option<Vec<u8>> {
        let known = self.background.known()?;
        let newborn = self.tracks.newborn(self.last_us?);
        let newborn = &newborn[newborn.len().saturating_sub(MOST_NEWBORN)..];
        let mut out = Vec::with_capacity(HEAD + 4 * known.usual.len() + NEWBORN * newborn.len());
        out.put_u16_le(u16::try_from(self.cols).ok()?);
        out.put_u16_le(u16::try_from(self.rows).ok()?);
        out.put_f32_le(known.age_s);
        out.put_f32_le(self.tracks.crowd());
        out.put_u32_le(u32::try_from(newborn.len()).ok()?);
        for cell in known.usual.iter().chain(&known.noise) {
            out.put_u16_le(*cell);
        }
        for (age_ms, cells) in newborn {
            out.put_u32_le(*age_ms);
            out.put_u16_le(*cells);
        }
        Some(out)
    }

    /// Takes up what [`Self::save`] gave, before the first look at `at_us`. `false`, and nothing is changed, if it is of another grid or no such
    /// thing at all.
    #[must_use]
    pub fn restore(&mut self, mut saved: &[u8], at_us: i64) -> bool {
        let cells = self.cols * self.rows;
        if saved.len() < HEAD {
            return false;
        }
        let size = (usize::from(saved.get_u16_le()), usize::from(saved.get_u16_le()));
        let (age_s, crowd, newborn) = (saved.get_f32_le(), saved.get_f32_le(), saved.get_u32_le() as usize);
        let is_sane = size == self.size()
            && (0.0..=f32::MAX).contains(&age_s)
            && (0.0..=25_600.0).contains(&crowd)
            && newborn <= MOST_NEWBORN
            && saved.len() == 4 * cells + NEWBORN * newborn;
        if !is_sane {
            return false;
        }
        let mut take = || (0..cells).map(|_| saved.get_u16_le()).collect::<Vec<u16>>();
        let (usual, noise) = (take(), take());
        self.background.restore(&Known { age_s, usual, noise });
        let newborn: Vec<(u32, u16)> = (0..newborn).map(|_| (saved.get_u32_le(), saved.get_u16_le())).collect();
        self.tracks.restore(&newborn, crowd, at_us);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::settings::Motion;

    const COLS: usize = 32;
    const ROWS: usize = 20;

    fn grid(brightness: u16) -> Vec<u16> {
        (0..COLS * ROWS).map(|cell| brightness * 256 + u16::try_from(cell * 97 % 5_000).expect("small")).collect()
    }

    fn taught() -> Model {
        let mut model = Model::new(COLS, ROWS, &Motion::default());
        for look in 0..60 {
            model.look(&grid(90), look * 200_000);
        }
        model
    }

    #[test]
    fn what_was_learnt_survives_a_restart() {
        let saved = taught().save().expect("learnt");
        let mut model = Model::new(COLS, ROWS, &Motion::default());
        assert!(model.restore(&saved, 1_000_000));
        assert_eq!(model.look(&grid(90), 1_000_000).movers, []);
        assert_eq!(model.held_back(), crate::detect::model::HeldBack::default());
        let again = model.save().expect("still known");
        assert_eq!(again.len(), saved.len());
        let off = saved.iter().zip(&again).skip(HEAD).step_by(2).filter(|(a, b)| a.abs_diff(**b) > 40).count();
        assert!(off < COLS * ROWS / 10, "{off} cells are others");
    }

    #[test]
    fn a_model_that_knows_nothing_yet_keeps_nothing() {
        let mut model = Model::new(COLS, ROWS, &Motion::default());
        assert_eq!(model.save(), None);
        model.look(&grid(90), 0);
        assert_eq!(model.save(), None);
    }

    #[test]
    fn another_grid_is_refused() {
        let saved = taught().save().expect("learnt");
        assert!(!Model::new(ROWS, COLS, &Motion::default()).restore(&saved, 0));
        assert!(!Model::new(COLS, ROWS, &Motion::default()).restore(&saved[..saved.len() - 1], 0));
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic_and_never_fire(
            mut bytes in prop::collection::vec(any::<u8>(), 4 * COLS * ROWS..4 * COLS * ROWS + 60),
            newborn in 0_usize..10,
            age in any::<f32>(),
        ) {
            let mut saved = Vec::new();
            saved.put_u16_le(u16::try_from(COLS).expect("small"));
            saved.put_u16_le(u16::try_from(ROWS).expect("small"));
            saved.put_f32_le(age);
            saved.put_f32_le(0.5);
            saved.put_u32_le(u32::try_from(newborn).expect("small"));
            bytes.resize(4 * COLS * ROWS + NEWBORN * newborn, 7);
            saved.extend(bytes);
            let mut model = Model::new(COLS, ROWS, &Motion::default());
            let taken = model.restore(&saved, 0);
            prop_assert_eq!(taken, age >= 0.0 && age.is_finite());
            for look in 0..20 {
                prop_assert_eq!(model.look(&grid(90), look * 200_000).movers, []);
            }
        }
    }
}
