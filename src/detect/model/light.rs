//! What of a difference is only light: as much as the cells of the same brightness have in common.
//!
//! A change of light adds the same to the logarithm of every cell only while the camera answers evenly. In the dark (where the
//! logarithm is damped), near white (where it clips) and where its gamma changes, it adds another amount to dark cells than to
//! bright ones, and without this every edge between the two would seem to be a thing.

use super::background::median;

/// The darkest and the brightest logarithm that a cell can have, and a little more.
const DARKEST: f32 = 2.4;
const BRIGHTEST: f32 = 5.7;
const CLASSES: usize = 8;
/// Steps of the curve.
const STEPS: usize = 256;
/// A class that holds a smaller part of the picture has no say: a thing could fill it.
const LEAST_PART: usize = 16;
/// So far from the whole picture's change a class may be, in parts of that change. While the light is still, there is no
/// curve at all, and a thing that fills a class is not taken for light.
const MOST_APART: f32 = 0.9;
/// Changes smaller than this are the same for all cells.
const EVEN: f32 = 0.02;

#[derive(Debug)]
pub(super) struct Light {
    /// The whole picture's change since the background, and what it was in the look before.
    whole: f32,
    is_even: bool,
    curve: [f32; STEPS],
    classes: [Vec<f32>; CLASSES],
}

impl Default for Light {
    fn default() -> Self {
        Self { whole: 0.0, is_even: true, curve: [0.0; STEPS], classes: Default::default() }
    }
}

impl Light {
    /// Measures it over the `sample` of cells. Returns how much the whole picture changed since the look before.
    pub(super) fn measure(&mut self, difference: &[f32], usual: &[f32], sample: &[u32], scratch: &mut Vec<f32>) -> f32 {
        let whole = super::background::median_of(difference, sample, |value| value, scratch);
        let jump = whole - self.whole;
        self.whole = whole;
        self.is_even = whole.abs() < EVEN;
        if self.is_even {
            return jump;
        }
        for class in &mut self.classes {
            class.clear();
        }
        for cell in sample {
            let cell = *cell as usize;
            self.classes[step(usual[cell]) * CLASSES / STEPS].push(difference[cell]);
        }
        let most = MOST_APART * whole.abs();
        let mut of_classes = [whole; CLASSES];
        for (of_class, class) in of_classes.iter_mut().zip(&mut self.classes) {
            if class.len() * LEAST_PART >= sample.len() {
                *of_class = whole + (median(class) - whole).clamp(-most, most);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "few")]
        for (n, value) in self.curve.iter_mut().enumerate() {
            // From the middle of one class to that of the next.
            let at = ((n as f32 + 0.5) * CLASSES as f32 / STEPS as f32 - 0.5).clamp(0.0, (CLASSES - 1) as f32);
            let part = at.fract();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 7")]
            let low = at as usize;
            *value = of_classes[low] + part * (of_classes[(low + 1).min(CLASSES - 1)] - of_classes[low]);
        }
        jump
    }

    /// Writes for each cell what it owes to the light.
    pub(super) fn spread(&self, usual: &[f32], shift: &mut [f32]) {
        if self.is_even {
            shift.fill(self.whole);
            return;
        }
        for (shift, usual) in shift.iter_mut().zip(usual) {
            *shift = self.curve[step(*usual)];
        }
    }

    /// This part of it went into the background.
    pub(super) fn absorb(&mut self, part: f32) {
        self.whole -= part * self.whole;
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "clamped")]
fn step(usual: f32) -> usize {
    ((usual - DARKEST) * (STEPS as f32 / (BRIGHTEST - DARKEST))).clamp(0.0, (STEPS - 1) as f32) as usize
}
