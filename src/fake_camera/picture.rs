//! A picture in memory (YUV 4:2:0, 8 bits, limited range, BT.709) and painting on it. Pure.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "pixels and colours: small numbers, clamped before they are narrowed"
)]

/// One plane: rows × columns, row-major, one byte a sample, no padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plane {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` samples.
    pub data: Vec<u8>,
}

impl Plane {
    fn filled(width: usize, height: usize, value: u8) -> Self {
        Self { width, height, data: vec![value; width * height] }
    }

    /// Blends a level over part of the plane; `coverage` (0 to 1) is asked at the middle of each sample, in luma pixels.
    fn blend(&mut self, area: Area, scale: f32, level: f32, coverage: &impl Fn(f32, f32) -> f32) {
        let (columns, rows) = area.samples(self.width, self.height, scale);
        for row in rows {
            let y = (row as f32 + 0.5) * scale;
            let line = &mut self.data[row * self.width..(row + 1) * self.width];
            for column in columns.clone() {
                let alpha = coverage((column as f32 + 0.5) * scale, y);
                if alpha > 0.0 {
                    let old = f32::from(line[column]);
                    line[column] = (old + (level - old) * alpha.min(1.0) + 0.5) as u8;
                }
            }
        }
    }
}

/// A colour as it stands in the planes, in levels of 0 to 255.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Colour {
    /// Luma, 16 (black) to 235 (white).
    pub y: f32,
    /// Blue difference, 128 is none.
    pub u: f32,
    /// Red difference, 128 is none.
    pub v: f32,
}

impl Colour {
    /// From red, green and blue, 0 to 1 each (clamped).
    pub fn from_rgb(rgb: [f32; 3]) -> Self {
        let [r, g, b] = rgb.map(|part| part.clamp(0.0, 1.0));
        let luma = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        Self { y: 16.0 + 219.0 * luma, u: 128.0 + 224.0 * (b - luma) / 1.8556, v: 128.0 + 224.0 * (r - luma) / 1.5748 }
    }

    /// Without colour, at this luma.
    pub const fn grey(y: f32) -> Self {
        Self { y, u: 128.0, v: 128.0 }
    }
}

/// A rectangle in luma pixels; may reach beyond the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Left, included.
    pub left: f32,
    /// Top, included.
    pub top: f32,
    /// Right, excluded.
    pub right: f32,
    /// Bottom, excluded.
    pub bottom: f32,
}

impl Area {
    fn samples(self, width: usize, height: usize, scale: f32) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let range = |from: f32, to: f32, end: usize| {
            let begin = ((from / scale).floor().max(0.0) as usize).min(end);
            begin..((to / scale).ceil().max(0.0) as usize).clamp(begin, end)
        };
        (range(self.left, self.right, width), range(self.top, self.bottom, height))
    }
}

/// A picture: luma, and both chroma planes at half the size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Y, then U, then V.
    pub planes: [Plane; 3],
}

impl Picture {
    /// Black. An odd width or height is rounded up.
    pub fn new(width: usize, height: usize) -> Self {
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        Self {
            planes: [
                Plane::filled(half_width * 2, half_height * 2, 16),
                Plane::filled(half_width, half_height, 128),
                Plane::filled(half_width, half_height, 128),
            ],
        }
    }

    /// In pixels.
    pub fn width(&self) -> usize {
        self.planes[0].width
    }

    /// In pixels.
    pub fn height(&self) -> usize {
        self.planes[0].height
    }

    /// Paints a shape within `area`; `coverage` tells 0 to 1 for a point in luma pixels.
    pub fn paint(&mut self, area: Area, colour: Colour, coverage: impl Fn(f32, f32) -> f32) {
        let [luma, blue, red] = &mut self.planes;
        luma.blend(area, 1.0, colour.y, &coverage);
        blue.blend(area, 2.0, colour.u, &coverage);
        red.blend(area, 2.0, colour.v, &coverage);
    }

    /// Fills whole pixels with one level of grey, cut at the edges.
    pub fn fill(&mut self, left: usize, top: usize, width: usize, height: usize, luma: u8) {
        for (plane, half, level) in [(0, 1, luma), (1, 2, 128), (2, 2, 128)] {
            let plane = &mut self.planes[plane];
            let right = ((left + width) / half).min(plane.width);
            let left = (left / half).min(right);
            for row in top / half..((top + height) / half).min(plane.height) {
                plane.data[row * plane.width..][left..right].fill(level);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_and_black_have_no_colour() {
        let near = |a: f32, b: f32| (a - b).abs() < 0.01;
        let white = Colour::from_rgb([1.0; 3]);
        assert!(near(white.y, 235.0) && near(white.u, 128.0) && near(white.v, 128.0), "{white:?}");
        let red = Colour::from_rgb([1.0, 0.0, 0.0]);
        assert!(near(red.v, 240.0), "{red:?}");
    }

    #[test]
    fn painting_beyond_the_edge_is_cut() {
        let mut picture = Picture::new(8, 4);
        let area = Area { left: -5.0, top: 2.0, right: 99.0, bottom: 99.0 };
        picture.paint(area, Colour::grey(200.0), |_, _| 1.0);
        picture.fill(7, 0, 9, 1, 100);
        assert_eq!(picture.planes[0].data[..8], [16, 16, 16, 16, 16, 16, 16, 100]);
        assert!(picture.planes[0].data[16..].iter().all(|level| *level == 200));
    }
}
