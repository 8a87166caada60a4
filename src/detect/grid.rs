//! From a decoded picture's luma plane to a small grid of block means, summed where the decoder left it: no scaler.

/// How a picture is divided into cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Picture width in pixels.
    pub width: u32,
    /// Picture height in pixels.
    pub height: u32,
    /// The side of a cell in pixels.
    pub cell: u32,
}

/// One unit of luma in a grid's cells, which are fixed-point.
pub const LUMA_ONE: u16 = 256;

impl Shape {
    /// Most columns and most rows of a grid.
    pub const MAX_SIDE: u32 = 160;
    /// The largest picture side that is taken.
    const MAX_PIXELS: u32 = 8192;

    /// Cells of 4×4 at 640×360 and 12×12 at 1080p; `None` for a picture too small to see anything in, or absurdly large.
    pub fn of(width: u32, height: u32) -> Option<Self> {
        if !(32..=Self::MAX_PIXELS).contains(&width) || !(32..=Self::MAX_PIXELS).contains(&height) {
            return None;
        }
        let cell = width.div_ceil(Self::MAX_SIDE).max(height.div_ceil(Self::MAX_SIDE)).max(1);
        (width / cell >= 16 && height / cell >= 16).then_some(Self { width, height, cell })
    }

    /// Whole cells across; a last part of a cell is left out.
    pub fn cols(&self) -> usize {
        (self.width / self.cell) as usize
    }

    /// Whole cells down.
    pub fn rows(&self) -> usize {
        (self.height / self.cell) as usize
    }

    /// Cells in all.
    pub fn cells(&self) -> usize {
        self.cols() * self.rows()
    }

    /// Writes the mean of each cell, in units of 1/[`LUMA_ONE`], row by row into `means`.
    ///
    /// `luma`: one byte a pixel, rows `stride` bytes apart. `None` if that is less than the shape says.
    pub fn block_means(&self, luma: &[u8], stride: usize, means: &mut Vec<u16>) -> Option<()> {
        // Where the compiler knows how wide a cell is, as in the usual sizes, it adds its columns up and divides several times
        // faster than where it does not.
        match self.cell {
            2 => self.means_of(2, luma, stride, means),
            3 => self.means_of(3, luma, stride, means),
            4 => self.means_of(4, luma, stride, means),
            5 => self.means_of(5, luma, stride, means),
            8 => self.means_of(8, luma, stride, means),
            12 => self.means_of(12, luma, stride, means),
            cell => self.means_of(cell, luma, stride, means),
        }
    }

    #[expect(clippy::inline_always, reason = "only then is the side of a cell known where it is used")]
    #[inline(always)]
    fn means_of(&self, cell: u32, luma: &[u8], stride: usize, means: &mut Vec<u16>) -> Option<()> {
        let area = cell * cell;
        let (cols, rows, cell) = (self.cols(), self.rows(), cell as usize);
        let used = cols * cell;
        if stride < used || luma.len() < stride.checked_mul(rows * cell - 1)?.checked_add(used)? {
            return None;
        }
        means.clear();
        means.reserve(self.cells());
        // Column sums of one row of cells: at most 52 × 255, and the loops below are plain enough to be vectorised.
        let mut sums = vec![0_u16; used];
        for row in 0..rows {
            sums.fill(0);
            for y in row * cell..(row + 1) * cell {
                let line = luma.get(y * stride..y * stride + used)?;
                for (sum, pixel) in sums.iter_mut().zip(line) {
                    *sum += u16::from(*pixel);
                }
            }
            means.extend(sums.chunks_exact(cell).map(|column_sums| {
                let total: u32 = column_sums.iter().map(|sum| u32::from(*sum)).sum();
                u16::try_from(total * u32::from(LUMA_ONE) / area).unwrap_or(u16::MAX)
            }));
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_grow_with_the_picture() {
        let cell = |w, h| Shape::of(w, h).map(|shape| (shape.cell, shape.cols(), shape.rows()));
        assert_eq!(cell(640, 360), Some((4, 160, 90)));
        assert_eq!(cell(1920, 1080), Some((12, 160, 90)));
        assert_eq!(cell(704, 576), Some((5, 140, 115)));
        assert_eq!(cell(360, 640), Some((4, 90, 160)));
        assert_eq!(cell(16, 16), None);
        assert_eq!(cell(8192, 32), None);
        assert_eq!(cell(100_000, 100), None);
    }

    #[test]
    fn a_mean_is_that_of_its_own_pixels_whatever_the_stride() {
        let shape = Shape::of(64, 64).expect("large enough");
        let stride = 80;
        let mut luma = vec![99_u8; stride * 64];
        for (y, line) in luma.chunks_mut(stride).enumerate() {
            for (x, pixel) in line.iter_mut().take(64).enumerate() {
                *pixel = u8::try_from((x + 2 * y) % 200).expect("below 200");
            }
        }
        let mut means = Vec::new();
        shape.block_means(&luma, stride, &mut means).expect("enough luma");
        assert_eq!(means.len(), 64 * 64);
        assert_eq!(means[3 * 64 + 5], 11 * LUMA_ONE);
        assert_eq!(shape.block_means(&luma[..100], stride, &mut means), None);
        assert_eq!(shape.block_means(&luma, 63, &mut means), None);
    }

    #[test]
    fn every_side_of_a_cell_gives_the_same_means() {
        for cell in [1_u32, 2, 3, 4, 5, 6, 8, 12, 13] {
            let shape = Shape { width: 20 * cell + cell / 2, height: 16 * cell, cell };
            let (side, stride) = (cell as usize, (20 * cell + 3) as usize);
            let luma: Vec<u8> = (0..stride * 16 * side).map(|n| (n * 37 % 251).to_le_bytes()[0]).collect();
            let mut means = Vec::new();
            shape.block_means(&luma, stride, &mut means).expect("enough luma");
            let expected: Vec<_> = (0..16 * 20)
                .map(|n| {
                    let (row, col) = (n / 20 * side, n % 20 * side);
                    let line = |y: usize| &luma[(row + y) * stride + col..][..side];
                    let total: u32 = (0..side).flat_map(line).map(|pixel| u32::from(*pixel)).sum();
                    total * u32::from(LUMA_ONE) / (cell * cell)
                })
                .collect();
            assert_eq!(means.iter().copied().map(u32::from).collect::<Vec<_>>(), expected, "cells of {cell}");
        }
    }

    #[test]
    fn a_white_picture_does_not_overflow() {
        let shape = Shape::of(3840, 2160).expect("large enough");
        let mut means = Vec::new();
        shape.block_means(&vec![255; 3840 * 2160], 3840, &mut means).expect("enough luma");
        assert!(means.iter().all(|mean| *mean == 255 * LUMA_ONE));
    }
}
