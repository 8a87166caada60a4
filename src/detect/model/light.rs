//! What of a difference is only light: as much as the cells of the same brightness have in common.
//!
//! A change of light adds the same to the logarithm of every cell only while the camera answers evenly. In the dark (where the
//! logarithm is damped), near white (where it clips) and where its gamma changes, it adds another amount to dark cells than to
//! bright ones, and without this every edge between the two would seem to be a thing.

use super::background::median;

/// The darkest and the brightest logarithm that a cell can have, and a little more.
const DARKEST: f32 = 2.4;
const BRIGHTEST: f32 = 5.7;
const CLASSES: usize = 16;
/// Steps of the curve.
const STEPS: usize = 256;
/// A class that holds a smaller part of the picture has no say: a thing could fill it.
const LEAST_PART: usize = 40;
/// So far from the whole picture's change a class may be, in parts of that change. While the light is still, there is no
/// curve at all, and a thing that fills a class is not taken for light.
const MOST_APART: f32 = 0.9;
/// Changes smaller than this are the same for all cells.
const EVEN: f32 = 0.02;

#[derive(Debug, Clone)]
pub(super) struct Light {
    /// The whole picture's change since the background, and what it was in the look before.
    whole: f32,
    is_even: bool,
    curve: [f32; STEPS],
    /// How far cells of each brightness are from what the curve says, at the middle of them.
    apart: [f32; STEPS],
    /// The class of each brightness.
    class_of: [u8; STEPS],
    classes: [Vec<f32>; CLASSES],
    usual: [Vec<f32>; CLASSES],
}

impl Default for Light {
    fn default() -> Self {
        Self {
            whole: 0.0,
            is_even: true,
            curve: [0.0; STEPS],
            apart: [0.0; STEPS],
            class_of: [0; STEPS],
            classes: Default::default(),
            usual: Default::default(),
        }
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
        self.sort(usual, sample);
        self.clear_classes();
        for cell in sample {
            let cell = *cell as usize;
            let class = usize::from(self.class_of[step(usual[cell])]);
            self.classes[class].push(difference[cell]);
            self.usual[class].push(usual[cell]);
        }
        let most = MOST_APART * whole.abs();
        let mut knots = Knots::default();
        for (class, usual) in self.classes.iter_mut().zip(&mut self.usual) {
            if class.len() * LEAST_PART >= sample.len() {
                knots.push(median(usual), whole + (median(class) - whole).clamp(-most, most));
            }
        }
        knots.draw(whole, &mut self.curve);
        jump
    }

    /// Divides the brightnesses into classes of about as many cells each.
    fn sort(&mut self, usual: &[f32], sample: &[u32]) {
        let mut counts = [0_usize; STEPS];
        for cell in sample {
            counts[step(usual[*cell as usize])] += 1;
        }
        let mut darker = 0;
        for (class, count) in self.class_of.iter_mut().zip(counts) {
            let middle = darker + count / 2;
            *class = u8::try_from((middle * CLASSES / sample.len().max(1)).min(CLASSES - 1)).unwrap_or(0);
            darker += count;
        }
    }

    fn clear_classes(&mut self) {
        for class in self.classes.iter_mut().chain(&mut self.usual) {
            class.clear();
        }
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

    /// Raises thresholds to `times` what cells of the same brightness differ from each other, now that the light is taken out of
    /// `rest`: where a sensor clips or its curve bends, what is left over is none of a thing's doing.
    pub(super) fn doubt(&mut self, rest: &[f32], usual: &[f32], sample: &[u32], times: f32, thresholds: &mut [f32]) {
        if self.is_even {
            return;
        }
        self.clear_classes();
        for cell in sample {
            let cell = *cell as usize;
            let class = usize::from(self.class_of[step(usual[cell])]);
            self.classes[class].push(rest[cell].abs());
            self.usual[class].push(usual[cell]);
        }
        let mut knots = Knots::default();
        for (class, usual) in self.classes.iter_mut().zip(&mut self.usual) {
            if class.len() * LEAST_PART >= sample.len() {
                knots.push(median(usual), times * median(class));
            }
        }
        knots.draw(0.0, &mut self.apart);
        for (threshold, usual) in thresholds.iter_mut().zip(usual) {
            *threshold = threshold.max(self.apart[step(*usual)]);
        }
    }

    /// This part of it went into the background.
    pub(super) fn absorb(&mut self, part: f32) {
        self.whole -= part * self.whole;
    }
}

/// A curve's value where most cells of each class are, in order; straight from one to the next.
#[derive(Default)]
struct Knots {
    all: [(f32, f32); CLASSES],
    count: usize,
}

impl Knots {
    fn push(&mut self, usual: f32, value: f32) {
        self.all[self.count] = (usual, value);
        self.count += 1;
    }

    /// `value` everywhere if there are no knots.
    fn draw(&self, value: f32, curve: &mut [f32; STEPS]) {
        let knots = &self.all[..self.count];
        let mut next = 0;
        #[expect(clippy::cast_precision_loss, reason = "few")]
        for (n, point) in curve.iter_mut().enumerate() {
            let usual = DARKEST + (n as f32 + 0.5) * (BRIGHTEST - DARKEST) / STEPS as f32;
            while next < knots.len() && knots[next].0 <= usual {
                next += 1;
            }
            *point = match (next.checked_sub(1).map(|before| knots[before]), knots.get(next)) {
                (Some((from, low)), Some((to, high))) => low + (high - low) * (usual - from) / (to - from),
                (Some((_, only)), None) | (None, Some(&(_, only))) => only,
                (None, None) => value,
            };
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "clamped")]
fn step(usual: f32) -> usize {
    ((usual - DARKEST) * (STEPS as f32 / (BRIGHTEST - DARKEST))).clamp(0.0, (STEPS - 1) as f32) as usize
}
