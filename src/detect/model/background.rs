//! What each cell of the picture usually looks like, and how much it usually wavers.

use std::sync::LazyLock;

use crate::detect::grid::LUMA_ONE;

use super::light::Light;

/// After this much time with pictures the background is known well enough.
const LEARN_S: f32 = 2.5;
/// How long the background is learnt fast after the scene changed.
const RELEARN_S: f32 = 1.4;
/// The slow mean of a cell's wavering.
const NOISE_S: f32 = 12.0;
const BACKGROUND_S: f32 = 15.0;
const FOREGROUND_S: f32 = 12.0;
const STILL_S: f32 = 5.0;
const TRACKED_S: f32 = 90.0;
/// What differs and does not change for so long is there to stay, for a while at least.
const STAYS_S: f32 = 3.0;
/// Of what differs otherwise, no more is learnt than if it differed by so many thresholds.
const PASSING: f32 = 4.0;
/// What part of a change of light is taken into the background in a fifth of a second.
const LIGHT_PART: f32 = 0.2;
const SCENE_PART: f32 = 0.45;
const SCENE_JUMP: f32 = 0.30;
const PICTURE_NOISE: f32 = 3.5;
/// A difference of the logarithm below this is nothing, however quiet the cell.
const FLOOR: f32 = 0.05;
const TIMES_NOISE: f32 = 5.0;
/// What part of its threshold a cell must differ from the look before, to count as changing.
const CHANGING: f32 = 0.6;
/// ln(mean + 12) makes a change of light an addition, and keeps the dark from being all noise.
const DARK: f32 = 12.0;
/// Below this mean, in ln, the picture is black.
const BLACK: f32 = 2.85;

/// ln(mean + 12) by the mean in sixteenths of a luma unit.
static LOGARITHMS: LazyLock<[f32; 4096]> = LazyLock::new(|| {
    let mut sixteenths = 0.0_f32;
    [(); 4096].map(|()| {
        let logarithm = (sixteenths / 16.0 + DARK).ln();
        sixteenths += 1.0;
        logarithm
    })
});

/// What one look at the whole picture says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Too early to say anything.
    Learning,
    /// The whole picture is another: infrared switched, lamp, lens covered.
    Scene,
    /// Cells may be judged.
    Settled,
}

#[derive(Debug, Clone)]
pub(super) struct Background {
    /// L: logarithms of this look.
    pub(super) now: Vec<f32>,
    /// B: logarithms as they usually are.
    pub(super) usual: Vec<f32>,
    /// V: slow mean of |R|.
    noise: Vec<f32>,
    /// R: what is left of L − B when the light is taken out.
    pub(super) rest: Vec<f32>,
    before: Vec<f32>,
    pub(super) threshold: Vec<f32>,
    /// 1 where |R| is above the threshold.
    pub(super) foreground: Vec<u8>,
    /// 1 where R differs from the look before.
    pub(super) changing: Vec<u8>,
    /// What of L − B is only light.
    shift: Vec<f32>,
    /// For how long each cell has differed without changing.
    still_s: Vec<f32>,
    /// What part of R is learnt from this look.
    rates: Vec<f32>,
    light: Light,
    /// Cells by which the whole picture is judged: every third one that is not masked.
    sample: Vec<u32>,
    /// How much duller than usual each cell is by its owner's wish.
    dull: Vec<f32>,
    scratch: Vec<f32>,
    picture_noise: f32,
    age_s: f32,
    looks: f32,
    relearn_s: f32,
    black: bool,
}

/// What was learnt, each value as 16 bits.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) age_s: f32,
    /// From [`DARK_END`] on, in steps of [`STEP`].
    pub(super) usual: Vec<u16>,
    /// In steps of [`NOISE_STEP`].
    pub(super) noise: Vec<u16>,
}

const DARK_END: f32 = 2.0;
const STEP: f32 = 1.0 / 16_384.0;
const NOISE_STEP: f32 = 1.0 / 65_536.0;

impl Background {
    /// What is worth keeping over a restart; `None` while there is nothing yet, or the picture has just become another.
    pub(super) fn known(&self) -> Option<Known> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let steps = |value: f32, step: f32| (value / step).round() as u16;
        (self.age_s >= 2.0 * LEARN_S && self.relearn_s <= 0.0).then(|| Known {
            age_s: self.age_s,
            usual: self.usual.iter().map(|usual| steps(usual - DARK_END, STEP)).collect(),
            noise: self.noise.iter().map(|noise| steps(*noise, NOISE_STEP)).collect(),
        })
    }

    /// Takes up what was known before; both lists have as many values as there are cells.
    pub(super) fn restore(&mut self, known: &Known) {
        self.age_s = known.age_s.max(2.0 * LEARN_S);
        // As many as there would have been by now.
        self.looks = 5.0 * self.age_s;
        for (usual, saved) in self.usual.iter_mut().zip(&known.usual) {
            *usual = DARK_END + STEP * f32::from(*saved);
        }
        for (noise, saved) in self.noise.iter_mut().zip(&known.noise) {
            *noise = NOISE_STEP * f32::from(*saved);
        }
        self.black = self.is_black(&self.usual);
    }

    /// 1 where something differed.
    pub(super) fn foreground(&self) -> &[u8] {
        &self.foreground
    }

    /// How long pictures were seen.
    pub(super) fn age_s(&self) -> f32 {
        self.age_s
    }

    /// `sample`: the cells by which the whole picture is judged; `dull`: of each cell, times its thresholds.
    pub(super) fn new(sample: Vec<u32>, dull: Vec<f32>) -> Self {
        let cells = dull.len();
        Self {
            now: vec![0.0; cells],
            usual: vec![0.0; cells],
            noise: vec![0.01; cells],
            rest: vec![0.0; cells],
            before: vec![0.0; cells],
            threshold: vec![0.0; cells],
            foreground: vec![0; cells],
            changing: vec![0; cells],
            shift: vec![0.0; cells],
            still_s: vec![0.0; cells],
            rates: vec![0.0; cells],
            light: Light::default(),
            scratch: Vec::with_capacity(sample.len()),
            sample,
            dull,
            picture_noise: 0.0,
            age_s: 0.0,
            looks: 0.0,
            relearn_s: 0.0,
            black: false,
        }
    }

    /// Takes a look in: `means` as [`crate::detect::grid`] makes them, `step_s` since the look before.
    pub(super) fn look(&mut self, means: &[u16], step_s: f32) -> Verdict {
        let logarithms: &[f32; 4096] = &LOGARITHMS;
        std::mem::swap(&mut self.before, &mut self.rest);
        for ((now, rest), (usual, mean)) in
            self.now.iter_mut().zip(&mut self.rest).zip(self.usual.iter_mut().zip(means))
        {
            *now = logarithms[usize::from(mean / (LUMA_ONE / 16))];
            *rest = *now - *usual;
        }
        if self.looks == 0.0 {
            self.usual.copy_from_slice(&self.now);
            self.rest.fill(0.0);
        }
        let jump = self.light.measure(&self.rest, &self.usual, &self.sample, &mut self.scratch);
        self.light.spread(&self.usual, &mut self.shift);
        for (rest, shift) in self.rest.iter_mut().zip(&self.shift) {
            *rest -= shift;
        }
        self.picture_noise = 1.48 * median_of(&self.rest, &self.sample, f32::abs, &mut self.scratch);
        let least = PICTURE_NOISE * self.picture_noise;
        // Loops over one row of equal lengths each, and without branches: they become vector instructions.
        for ((threshold, noise), dull) in self.threshold.iter_mut().zip(&self.noise).zip(&self.dull) {
            *threshold = least.max(dull * FLOOR.max(TIMES_NOISE * noise));
        }
        let times = 1.48 * PICTURE_NOISE;
        self.light.doubt(&self.rest, &self.usual, &self.sample, times, &mut self.threshold);
        for ((foreground, rest), threshold) in self.foreground.iter_mut().zip(&self.rest).zip(&self.threshold) {
            *foreground = u8::from(rest.abs() > *threshold);
        }
        for (((changing, rest), before), threshold) in
            self.changing.iter_mut().zip(&self.rest).zip(&self.before).zip(&self.threshold)
        {
            *changing = u8::from((rest - before).abs() > CHANGING * threshold);
        }
        let foreground: u32 = self.sample.iter().map(|cell| u32::from(self.foreground[*cell as usize])).sum();
        #[expect(clippy::cast_precision_loss, reason = "a grid has at most 25,600 cells")]
        let part = foreground as f32 / self.sample.len() as f32;
        let is_black = self.is_black(&self.now);
        let was_black = std::mem::replace(&mut self.black, is_black);
        self.age_s += step_s;
        self.looks += 1.0;
        if self.age_s < LEARN_S {
            return Verdict::Learning;
        }
        if part > SCENE_PART || jump.abs() > SCENE_JUMP || self.black != was_black {
            self.relearn_s = RELEARN_S;
        }
        if self.relearn_s > 0.0 {
            self.relearn_s -= step_s;
            return Verdict::Scene;
        }
        Verdict::Settled
    }

    /// Whether at least half of the picture is black.
    fn is_black(&self, logarithms: &[f32]) -> bool {
        let black: usize = self.sample.iter().map(|cell| usize::from(logarithms[*cell as usize] < BLACK)).sum();
        2 * black > self.sample.len()
    }

    /// Learns from the look that was taken in; `tracked` is not 0 where something confirmed moves.
    pub(super) fn learn(&mut self, verdict: Verdict, step_s: f32, tracked: &[u8]) {
        match verdict {
            Verdict::Learning => {
                let part = 1.0 / self.looks;
                for (((usual, noise), rest), shift) in
                    self.usual.iter_mut().zip(&mut self.noise).zip(&self.rest).zip(&self.shift)
                {
                    *usual += part * (rest + shift);
                    *noise += part.max(0.1) * (rest.abs().min(0.1) - *noise);
                }
            }
            Verdict::Scene => {
                let (part, noise_part) = (gain(step_s, 0.3), gain(step_s, 2.0));
                for (((usual, noise), rest), shift) in
                    self.usual.iter_mut().zip(&mut self.noise).zip(&self.rest).zip(&self.shift)
                {
                    *usual += part * (rest + shift);
                    *noise += noise_part * (rest.abs().min(3.0 * *noise + 0.01) - *noise);
                }
            }
            Verdict::Settled => {
                let [background, foreground, still, tracked_rate] =
                    [BACKGROUND_S, FOREGROUND_S, STILL_S, TRACKED_S].map(|constant| gain(step_s, constant));
                // The younger the model, the faster it learns how much each cell wavers.
                let noise_rate = gain(step_s, NOISE_S.min(self.age_s));
                let light_part = 1.0 - (1.0 - LIGHT_PART).powf(step_s / 0.2);
                for ((still_s, foreground), changing) in
                    self.still_s.iter_mut().zip(&self.foreground).zip(&self.changing)
                {
                    *still_s = if *foreground > *changing { *still_s + step_s } else { 0.0 };
                }
                let marks = tracked.iter().zip(&self.foreground).zip(&self.changing);
                for (rate, ((tracked, is_foreground), is_changing)) in self.rates.iter_mut().zip(marks) {
                    let of_foreground = if *is_changing == 0 { still } else { foreground };
                    let untracked = if *is_foreground == 0 { background } else { of_foreground };
                    *rate = if *tracked == 0 { untracked } else { tracked_rate };
                }
                // What passes must not leave a trail that differs from what is usual, however black or white it is: only what
                // stays is learnt as it is.
                for (((rate, rest), still_s), threshold) in
                    self.rates.iter_mut().zip(&self.rest).zip(&self.still_s).zip(&self.threshold)
                {
                    let most = PASSING * threshold / rest.abs().max(f32::MIN_POSITIVE);
                    *rate *= if *still_s >= STAYS_S { 1.0 } else { most.min(1.0) };
                }
                let rests = self.rest.iter().zip(&self.shift).zip(&self.rates);
                for (usual, ((rest, shift), rate)) in self.usual.iter_mut().zip(rests) {
                    *usual += light_part * shift + rate * rest;
                }
                for ((noise, rest), tracked) in self.noise.iter_mut().zip(&self.rest).zip(tracked) {
                    let rate = if *tracked == 0 { noise_rate } else { 0.0 };
                    *noise += rate * (rest.abs().min(3.0 * *noise + 0.01) - *noise);
                }
                self.light.absorb(light_part);
            }
        }
        if verdict == Verdict::Learning || verdict == Verdict::Scene {
            // What was light is now background, so a jump is measured from here.
            self.light.absorb(1.0);
        }
    }
}

/// The part of a difference that is taken over in `step_s` with this time constant.
// Else it is moved to where its result is used, which is within loops over all cells.
#[inline(never)]
fn gain(step_s: f32, time_constant_s: f32) -> f32 {
    1.0 - (-step_s / time_constant_s).exp()
}

/// The median over some of the cells.
pub(super) fn median_of(values: &[f32], cells: &[u32], of: impl Fn(f32) -> f32, scratch: &mut Vec<f32>) -> f32 {
    scratch.clear();
    scratch.extend(cells.iter().map(|cell| of(values[*cell as usize])));
    median(scratch)
}

/// Between minus this and this a median is first looked for: most differences are small.
const NEAR: f32 = 0.5;
/// So often that stretch is halved before what lies in it is put in order.
const HALVINGS: usize = 12;

/// The middle one of them; 0 of none. Leaves a few of them in `values`.
///
/// To count those below a bound is a loop of vector instructions, many times faster than to put them in order.
pub(super) fn median(values: &mut Vec<f32>) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    let count = |bound: f32| values.iter().map(|value| u32::from(*value < bound)).sum::<u32>() as usize;
    let (mut low, mut high, mut below) = (-NEAR, NEAR, count(-NEAR));
    // Invariant: as many as `below` are less than `low`, and the middle one is between `low` and `high`.
    let middle = if below <= middle && count(high) > middle {
        for _ in 0..HALVINGS {
            let half = f32::midpoint(low, high);
            let below_half = count(half);
            if below_half > middle {
                high = half;
            } else {
                (low, below) = (half, below_half);
            }
        }
        // As `retain`, but without a branch that the processor would guess wrong half of the time.
        let mut kept = 0;
        for n in 0..values.len() {
            let value = values[n];
            values[kept] = value;
            kept += usize::from((low..high).contains(&value));
        }
        values.truncate(kept);
        middle - below
    } else {
        middle
    };
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_median_is_the_middle_one(mut values in prop::collection::vec(-1.0_f32..1.0, 1..400)) {
            let mut sorted = values.clone();
            sorted.sort_by(f32::total_cmp);
            prop_assert_eq!(median(&mut values).to_bits(), sorted[sorted.len() / 2].to_bits());
        }
    }
}
