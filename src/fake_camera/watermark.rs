//! A number that survives coding and scaling: which camera is this picture from? Pure.
//!
//! In the lower right corner, in blocks of a fortieth of the picture's width: a border, white at the top and the left,
//! black at the bottom and the right, and in it 3 rows of 8 blocks: the number's high byte, its low byte, and a checksum
//! that finds every change of up to three blocks. White is 1.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "pixel positions: small numbers, kept within the picture"
)]

use super::picture::Picture;

const COLUMNS: usize = 8;
const ROWS: usize = 3;
/// Blocks in the picture's width.
const BLOCKS_ACROSS: f32 = 40.0;
/// Of the border, in blocks.
const BORDER: f32 = 0.5;
/// From the picture's corner to the border, in blocks.
const MARGIN: f32 = 0.25;
const WHITE: u8 = 225;
const BLACK: u8 = 24;
/// A reading's black and white must be this far apart, in levels of luma.
const LEAST_CONTRAST: f32 = 70.0;

/// The narrowest picture from which [`read`] promises to read, in pixels.
pub const LEAST_WIDTH: usize = 320;

/// Where the blocks are, in pixels of a picture.
#[derive(Debug, Clone, Copy)]
struct Layout {
    block: f32,
    left: f32,
    top: f32,
}

impl Layout {
    /// `None` where the picture has no room for it.
    fn of(width: usize, height: usize) -> Option<Self> {
        let block = width as f32 / BLOCKS_ACROSS;
        let left = width as f32 - block * (MARGIN + BORDER + COLUMNS as f32);
        let top = height as f32 - block * (MARGIN + BORDER + ROWS as f32);
        (block >= 2.0 && top >= block * BORDER).then_some(Self { block, left, top })
    }

    /// A position in blocks, from the upper left one, as a pixel.
    fn at(self, column: f32, row: f32) -> (usize, usize) {
        let pixel = |from: f32, blocks: f32| (from + blocks * self.block).round().max(0.0) as usize;
        (pixel(self.left, column), pixel(self.top, row))
    }
}

/// Paints the number. A picture too flat for it (lower than an eighth of its width) stays as it is.
pub fn paint(picture: &mut Picture, number: u16) {
    let Some(layout) = Layout::of(picture.width(), picture.height()) else { return };
    let mut fill = |from: (f32, f32), to: (f32, f32), luma| {
        let ((left, top), (right, bottom)) = (layout.at(from.0, from.1), layout.at(to.0, to.1));
        picture.fill(left, top, right - left, bottom - top, luma);
    };
    let (columns, rows) = (COLUMNS as f32, ROWS as f32);
    fill((-BORDER, -BORDER), (columns + BORDER, rows + BORDER), BLACK);
    fill((-BORDER, -BORDER), (columns, 0.0), WHITE);
    fill((-BORDER, -BORDER), (0.0, rows), WHITE);
    for (row, byte) in code(number).into_iter().enumerate() {
        for column in (0..COLUMNS).filter(|column| byte >> (COLUMNS - 1 - column) & 1 == 1) {
            let (x, y) = (column as f32, row as f32);
            fill((x, y), (x + 1.0, y + 1.0), WHITE);
        }
    }
}

/// Reads the number from a picture's luma: rows × columns, row-major, `stride` bytes from row to row.
///
/// Scaled pictures are read as long as width and height were scaled alike. `None` where there is no number, where it is
/// damaged, or where the slice is too short for the size.
pub fn read(luma: &[u8], width: usize, height: usize, stride: usize) -> Option<u16> {
    if stride < width || luma.len() < stride.checked_mul(height.checked_sub(1)?)?.checked_add(width)? {
        return None;
    }
    let layout = Layout::of(width, height)?;
    // The mean of a block's inner half, in one or the other direction less for the border.
    let mean = |x: f32, y: f32, half: f32| {
        let ((left, top), (right, bottom)) = (layout.at(x - half, y - half), layout.at(x + half, y + half));
        let (right, bottom) = (right.max(left + 1).min(width), bottom.max(top + 1).min(height));
        let samples = (top..bottom).flat_map(|row| &luma[row * stride..][left..right]);
        let (sum, count) = samples.fold((0.0, 0.0), |(sum, count), level| (sum + f32::from(*level), count + 1.0));
        sum / f32::max(count, 1.0)
    };
    let (columns, rows) = (COLUMNS as f32, ROWS as f32);
    let middle = BORDER / 2.0;
    let along = |length: usize| (0..length).map(|index| index as f32 + 0.5);
    let whites = along(COLUMNS).map(|x| mean(x, -middle, 0.1)).chain(along(ROWS).map(|y| mean(-middle, y, 0.1)));
    let blacks =
        along(COLUMNS).map(|x| mean(x, rows + middle, 0.1)).chain(along(ROWS).map(|y| mean(columns + middle, y, 0.1)));
    let (white, black) = (whites.fold(f32::MAX, f32::min), blacks.fold(f32::MIN, f32::max));
    if white - black < LEAST_CONTRAST {
        return None;
    }
    let (threshold, doubtful) = (f32::midpoint(white, black), (white - black) * 0.15);
    let mut bytes = [0_u8; ROWS];
    for (row, byte) in bytes.iter_mut().enumerate() {
        for column in 0..COLUMNS {
            let level = mean(column as f32 + 0.5, row as f32 + 0.5, 0.25);
            if (level - threshold).abs() < doubtful {
                return None;
            }
            *byte = *byte << 1 | u8::from(level > threshold);
        }
    }
    let number = u16::from_be_bytes([bytes[0], bytes[1]]);
    (code(number) == bytes).then_some(number)
}

/// The number and its CRC-8 (polynomial 0x07, begun with 0xA5 so that nothing is not a number).
fn code(number: u16) -> [u8; ROWS] {
    let [high, low] = number.to_be_bytes();
    let mut crc = 0xa5_u8;
    for byte in [high, low] {
        crc ^= byte;
        for _ in 0..8 {
            crc = if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x07 };
        }
    }
    [high, low, crc]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_picture(picture: &Picture) -> Option<u16> {
        let luma = &picture.planes[0];
        read(&luma.data, luma.width, luma.height, luma.width)
    }

    #[test]
    fn an_empty_picture_has_no_number() {
        for level in [0, 16, 128, 255] {
            assert_eq!(read(&vec![level; 640 * 360], 640, 360, 640), None);
        }
        assert_eq!(read(&[], 0, 0, 0), None);
        assert_eq!(read(&[0; 10], 640, 360, 640), None);
    }

    #[test]
    fn another_half_of_a_picture_is_noticed() {
        let (mut ours, mut theirs) = (Picture::new(640, 360), Picture::new(640, 360));
        paint(&mut ours, 0x1234);
        paint(&mut theirs, 0x1299);
        // A row of blocks lies at 16 pixels each; the lowest is the checksum.
        let cut = (360 - 32) * 640;
        ours.planes[0].data[cut..].copy_from_slice(&theirs.planes[0].data[cut..]);
        assert_eq!(read_picture(&ours), None);
    }

    proptest! {
        #[test]
        fn what_was_painted_is_read(number: u16, width in 160_usize..=1000) {
            let mut picture = Picture::new(width * 2, width * 9 / 8);
            paint(&mut picture, number);
            prop_assert_eq!(read_picture(&picture), Some(number));
        }

        #[test]
        fn a_changed_block_is_noticed(number: u16, flips in prop::collection::hash_set((0_usize..8, 0_usize..3), 1..=3)) {
            let mut picture = Picture::new(640, 360);
            paint(&mut picture, number);
            let layout = Layout::of(640, 360).expect("room");
            for (column, row) in flips {
                let (left, top) = layout.at(column as f32, row as f32);
                let level = picture.planes[0].data[(top + 8) * 640 + left + 8];
                picture.fill(left, top, 16, 16, if level > 128 { BLACK } else { WHITE });
            }
            prop_assert_eq!(read_picture(&picture), None);
        }

        #[test]
        fn a_noisy_picture_is_read_right_or_not_at_all(number: u16, seed: u32, strength in 0_u32..400) {
            let mut picture = Picture::new(640, 360);
            paint(&mut picture, number);
            let mut state = seed | 1;
            for level in &mut picture.planes[0].data {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                let noise = (state % (strength + 1)).cast_signed() - (strength / 2).cast_signed();
                *level = (i32::from(*level) + noise).clamp(0, 255) as u8;
            }
            let read = read_picture(&picture);
            prop_assert!(read.is_none() || read == Some(number), "{:?}", read);
        }
    }
}
