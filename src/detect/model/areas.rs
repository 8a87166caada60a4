//! Masks and zones, drawn onto the grid once.

use crate::config::settings::{Motion, Polygon};

/// How many zones are told apart; more are ignored.
pub const MAX_ZONES: usize = 64;

/// Which cells are masked, and which zones each lies in.
#[derive(Debug)]
pub(super) struct Areas {
    masked: Vec<bool>,
    /// Bit n: the cell's middle lies in zone n, counted in the order of names.
    zones: Vec<u64>,
    /// Of each cell: 1 at the sensitivity 0.5, 2 at 0, a half at 1.
    pub(super) dull: Vec<f32>,
    /// Blobs of fewer cells are not worth a look anywhere.
    pub(super) least_cells: usize,
}

/// At a sensitivity of 0.5.
const LEAST_CELLS: f32 = 6.0;

impl Areas {
    pub(super) fn new(motion: &Motion, cols: usize, rows: usize) -> Self {
        let mut masked = Vec::with_capacity(cols * rows);
        let mut zones = Vec::with_capacity(cols * rows);
        let mut dull = Vec::with_capacity(cols * rows);
        for row in 0..rows {
            for col in 0..cols {
                #[expect(clippy::cast_precision_loss, reason = "a grid's side is at most 160 cells")]
                let middle = [(col as f32 + 0.5) / cols as f32, (row as f32 + 0.5) / rows as f32];
                masked.push(motion.masks.iter().any(|mask| contains(mask, middle)));
                let inside = || {
                    motion.zones.values().take(MAX_ZONES).enumerate().filter(|(_, zone)| contains(&zone.area, middle))
                };
                zones.push(inside().fold(0, |bits, (n, _)| bits | 1 << n));
                // Where zones overlap, the keenest counts.
                let of_zones = inside().filter_map(|(_, zone)| zone.sensitivity).reduce(f32::max);
                // One knob: at 0.5 the measured best, at 0 twice as dull, at 1 twice as keen.
                let sensitivity = of_zones.unwrap_or(motion.sensitivity).clamp(0.0, 1.0);
                dull.push(2.0_f32.powf(1.0 - 2.0 * sensitivity));
            }
        }
        // Half as many are looked at as well, to be able to say that something was too small.
        let least_cells = cells(dull.iter().copied().fold(f32::INFINITY, f32::min)).div_ceil(2);
        Self { masked, zones, dull, least_cells }
    }

    /// The cells by which the whole picture is judged: what is masked has no say in that either, unless all is.
    pub(super) fn sample(&self) -> Vec<u32> {
        let of = |wanted: &dyn Fn(&bool) -> bool| -> Vec<u32> {
            let cells = (0_u32..).zip(&self.masked).filter(|(_, masked)| wanted(masked)).map(|(cell, _)| cell);
            cells.step_by(3).collect()
        };
        let open = of(&|masked| !masked);
        if open.is_empty() { of(&|_| true) } else { open }
    }

    /// Of how many cells a thing must consist that covers these.
    pub(super) fn least_cells_of(&self, covered: &[u32]) -> usize {
        #[expect(clippy::cast_precision_loss, reason = "a grid has at most 25,600 cells")]
        let mean = covered.iter().map(|cell| self.dull[*cell as usize]).sum::<f32>() / covered.len().max(1) as f32;
        cells(mean)
    }

    /// Whether at least half of these cells are masked.
    pub(super) fn mostly_masked(&self, cells: &[u32]) -> bool {
        2 * cells.iter().filter(|cell| self.masked[**cell as usize]).count() >= cells.len()
    }

    /// The zones in which an eighth of these cells lie.
    pub(super) fn touched(&self, cells: &[u32]) -> u64 {
        let any = cells.iter().fold(0, |bits, cell| bits | self.zones[*cell as usize]);
        if any == 0 {
            return 0;
        }
        (0..MAX_ZONES)
            .filter(|n| any >> n & 1 != 0)
            .filter(|n| {
                8 * cells.iter().filter(|cell| self.zones[**cell as usize] >> n & 1 != 0).count() >= cells.len()
            })
            .fold(0, |bits, n| bits | 1 << n)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "3 to 12")]
fn cells(dull: f32) -> usize {
    (LEAST_CELLS * dull).round() as usize
}

/// Even-odd rule.
fn contains(polygon: &Polygon, [x, y]: [f32; 2]) -> bool {
    let corners = &polygon.0;
    let mut inside = false;
    for (n, [x1, y1]) in corners.iter().enumerate() {
        let [x0, y0] = corners[(n + corners.len() - 1) % corners.len()];
        if (*y1 > y) != (y0 > y) && x < (x0 - x1) * (y - y1) / (y0 - y1) + x1 {
            inside = !inside;
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polygon_contains_what_lies_within_its_corners() {
        let triangle = Polygon(vec![[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]);
        assert!(contains(&triangle, [0.2, 0.2]));
        assert!(!contains(&triangle, [0.8, 0.8]));
        assert!(!contains(&Polygon(Vec::new()), [0.5, 0.5]));
    }

    #[test]
    fn half_of_the_cells_decide_about_a_mask() {
        let left = Polygon(vec![[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]);
        let motion = Motion { masks: vec![left], ..Motion::default() };
        let areas = Areas::new(&motion, 4, 1);
        assert!(areas.mostly_masked(&[0, 1, 2]));
        assert!(areas.mostly_masked(&[1, 2]));
        assert!(!areas.mostly_masked(&[1, 2, 3]));
    }
}
