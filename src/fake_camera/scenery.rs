//! What gardens are made of: sky, grass, stones, walls, windows, plants. Pure.
//!
//! Each part is a function of a place in the picture that paints over what is there; edges are soft over one pixel.

#![expect(
    clippy::cast_possible_truncation,
    clippy::suboptimal_flops,
    reason = "a drawing: plain geometry; a fused multiply is slow without its instruction"
)]

use super::texture::{cloudy, lattice, smooth};

/// Red, green and blue, 0 to 1 each; may lie beyond until they are painted.
pub(crate) type Rgb = [f32; 3];

/// The width of a picture in its own heights.
pub(crate) const WIDE: f32 = 16.0 / 9.0;

/// A place in the picture, and the size of a pixel, over which edges are softened.
#[derive(Clone, Copy)]
pub(crate) struct At {
    pub(crate) u: f32,
    pub(crate) v: f32,
    pub(crate) blur: f32,
}

impl At {
    /// How much of this pixel is on the positive side of an edge `distance` away.
    pub(crate) fn edge(self, distance: f32) -> f32 {
        (distance / self.blur + 0.5).clamp(0.0, 1.0)
    }

    /// Whether this is within a rectangle and a margin around it.
    pub(crate) fn is_near(self, left: f32, top: f32, right: f32, bottom: f32) -> bool {
        const MARGIN: f32 = 0.03;
        (left - MARGIN..right + MARGIN).contains(&self.u) && (top - MARGIN..bottom + MARGIN).contains(&self.v)
    }

    /// How much of this pixel is within a rectangle.
    pub(crate) fn rect(self, left: f32, top: f32, right: f32, bottom: f32) -> f32 {
        self.edge((self.u - left).min(right - self.u).min(self.v - top).min(bottom - self.v))
    }

    /// Within a disc whose edge is ragged, as leaves are.
    pub(crate) fn leaves(self, u: f32, v: f32, radius: f32, ragged: f32) -> f32 {
        let (du, dv) = (self.u - u, self.v - v);
        let rough = cloudy(self.u * 26.0, self.v * 26.0) - 0.5;
        let distance = radius * (1.0 + ragged * rough * 2.0) - (du * du + dv * dv).sqrt();
        (distance / (self.blur * 2.0) + 0.5).clamp(0.0, 1.0)
    }

    /// 1 in the middle of an ellipse, 0 from its edge on.
    pub(crate) fn glow(self, u: f32, v: f32, ru: f32, rv: f32) -> f32 {
        let (du, dv) = ((self.u - u) / ru, (self.v - v) / rv);
        (1.0 - du * du - dv * dv).max(0.0)
    }

    /// Along lines at every multiple of `period` of a coordinate, `width` wide: 1 on the line.
    pub(crate) fn lines(self, coordinate: f32, period: f32, width: f32) -> f32 {
        let off = (coordinate / period - (coordinate / period).round()).abs() * period;
        self.edge(width / 2.0 - off)
    }
}

pub(crate) fn over(below: &mut Rgb, colour: Rgb, cover: f32) {
    if cover > 0.0 {
        for (below, colour) in below.iter_mut().zip(colour) {
            *below += (colour - *below) * cover.min(1.0);
        }
    }
}

/// Darkens what is there, as a shadow does.
pub(crate) fn shade(below: &mut Rgb, by: f32, cover: f32) {
    over(below, lit(*below, by), cover);
}

pub(crate) fn blend(a: Rgb, b: Rgb, part: f32) -> Rgb {
    let mut mixed = a;
    over(&mut mixed, b, part.clamp(0.0, 1.0));
    mixed
}

pub(crate) fn lit(colour: Rgb, by: f32) -> Rgb {
    colour.map(|part| part * by)
}

pub(crate) fn sky(at: At) -> Rgb {
    if at.v > 0.5 {
        return [0.87, 0.91, 0.92];
    }
    let mut sky = blend([0.42, 0.62, 0.82], [0.87, 0.91, 0.92], at.v / 0.42);
    let cloud = cloudy(at.u * 2.2 + 3.0, at.v * 6.0);
    over(&mut sky, [0.96, 0.96, 0.95], ((cloud - 0.52) * 3.2).clamp(0.0, 0.85));
    sky
}

pub(crate) fn far_trees(at: At, below: &mut Rgb, top: f32) {
    if at.v < top - 0.07 || at.v > 0.55 {
        return;
    }
    let edge = top + 0.09 * (0.5 - cloudy(at.u * 3.1, 4.0)) + 0.03 * (0.5 - cloudy(at.u * 17.0, at.v * 9.0));
    let leaf = cloudy(at.u * 22.0, at.v * 26.0);
    let green = blend([0.27, 0.37, 0.27], [0.46, 0.55, 0.38], leaf + (at.v - top) * 0.8);
    over(below, blend(green, [0.72, 0.78, 0.78], 0.22), at.edge(at.v - edge));
}

/// Covers with something that is dear to compute, where it is seen.
pub(crate) fn ground(below: &mut Rgb, cover: f32, colour: impl Fn() -> Rgb) {
    if cover > 0.0 {
        over(below, colour(), cover);
    }
}

/// Grass in perspective: the horizon lies at 0.38.
pub(crate) fn grass(at: At) -> Rgb {
    let depth = 1.0 / (at.v - 0.38).max(0.02);
    let patch = cloudy(at.u * depth * 0.9 + 9.0, depth * 2.2);
    let blade = smooth(at.u * 190.0, at.v * 95.0) - 0.5;
    let near = ((at.v - 0.45) / 0.5).clamp(0.0, 1.0);
    let base = blend([0.56, 0.64, 0.39], [0.35, 0.49, 0.25], near * 0.8 + (patch - 0.5) * 0.5);
    lit(base, 1.0 + blade * (0.06 + 0.12 * near))
}

/// Slabs of stone on the ground, rows growing toward the viewer.
pub(crate) fn slabs(at: At, colour: Rgb) -> Rgb {
    let depth = 1.0 / (at.v - 0.38).max(0.05);
    let (across, along) = ((at.u - WIDE / 2.0) * depth * 1.3, depth * 5.2);
    let row = along.floor();
    let shifted = across + if (row as i32) % 2 == 0 { 0.5 } else { 0.0 };
    let stone = lattice(shifted.floor() as i32, row as i32);
    let grain = smooth(at.u * 240.0, at.v * 240.0);
    let mut slab = lit(colour, 0.90 + 0.12 * stone + 0.07 * (grain - 0.5));
    let scale = At { blur: at.blur * depth * 1.6, ..at };
    let joint = scale.lines(shifted - 0.5, 1.0, 0.035).max(scale.lines(along, 1.0, 0.10));
    over(&mut slab, lit(colour, 0.66), joint * 0.75);
    slab
}

pub(crate) fn wall(at: At, colour: Rgb, below: &mut Rgb, cover: f32) {
    if cover <= 0.0 {
        return;
    }
    let board = (at.v * 30.0).fract();
    let grain = smooth(at.u * 60.0, at.v * 300.0) - 0.5;
    let lower = ((at.v - 0.1) * 0.22).clamp(0.0, 0.14);
    over(below, lit(colour, 0.97 - lower + 0.05 * board.min(0.6) + 0.03 * grain), cover);
    over(below, lit(colour, 0.74), cover * at.lines(at.v, 1.0 / 30.0, 0.0035) * 0.55);
}

pub(crate) fn roof(at: At, below: &mut Rgb, cover: f32) {
    if cover <= 0.0 {
        return;
    }
    let row = (at.v * 48.0).floor();
    let tile = lattice((at.u * 34.0 + row * 0.5).floor() as i32, row as i32);
    over(below, lit([0.33, 0.32, 0.35], 0.85 + 0.25 * tile), cover);
    over(below, [0.20, 0.20, 0.22], cover * at.lines(at.v, 1.0 / 48.0, 0.003) * 0.7);
}

pub(crate) fn window(at: At, below: &mut Rgb, left: f32, top: f32, right: f32, bottom: f32) {
    if !at.is_near(left, top, right, bottom) {
        return;
    }
    let frame = 0.012;
    over(below, [0.30, 0.29, 0.27], at.rect(left - 0.004, top - 0.004, right + 0.012, bottom + 0.016) * 0.35);
    over(below, [0.96, 0.96, 0.94], at.rect(left, top, right, bottom));
    let (l, t, r, b) = (left + frame, top + frame, right - frame, bottom - frame);
    let pane = at.rect(l, t, r, b);
    let sheen = ((at.u - left) * 1.4 - (at.v - top) + 0.1).clamp(0.0, 0.5);
    over(below, blend([0.20, 0.26, 0.31], [0.62, 0.72, 0.79], sheen * 1.7), pane);
    for side in [at.rect(l, t, l + (r - l) * 0.2, b), at.rect(r - (r - l) * 0.2, t, r, b)] {
        over(below, [0.83, 0.80, 0.75], side * (0.45 + 0.2 * (at.u * 420.0).sin()));
    }
    let (cross_u, cross_v) = (f32::midpoint(l, r), t + (b - t) * 0.42);
    over(below, [0.95, 0.95, 0.93], at.edge(0.004 - (at.u - cross_u).abs()).min(pane));
    over(below, [0.95, 0.95, 0.93], at.edge(0.004 - (at.v - cross_v).abs()).min(pane));
    over(below, [0.90, 0.89, 0.86], at.rect(left - 0.012, bottom, right + 0.012, bottom + 0.012));
}

pub(crate) fn door(at: At, colour: Rgb, below: &mut Rgb, left: f32, top: f32, right: f32, bottom: f32) {
    if !at.is_near(left, top, right, bottom) {
        return;
    }
    over(below, [0.95, 0.94, 0.91], at.rect(left - 0.016, top - 0.018, right + 0.016, bottom));
    over(below, colour, at.rect(left, top, right, bottom));
    let (width, height) = (right - left, bottom - top);
    for (x, y, w, h) in [(0.14, 0.46, 0.30, 0.44), (0.56, 0.46, 0.30, 0.44)] {
        let (l, t) = (left + x * width, top + y * height);
        let panel = at.rect(l, t, l + w * width, t + h * height);
        let inner = at.rect(l + 0.004, t + 0.004, l + w * width - 0.004, t + h * height - 0.004);
        over(below, lit(colour, 0.72), panel);
        over(below, lit(colour, 1.10), inner);
    }
    let (l, t) = (left + 0.14 * width, top + 0.09 * height);
    over(below, [0.55, 0.66, 0.70], at.rect(l, t, l + 0.72 * width, t + 0.26 * height));
    over(
        below,
        lit(colour, 0.9),
        at.edge(0.003 - (at.u - f32::midpoint(left, right)).abs()).min(at.rect(
            l,
            t,
            l + 0.72 * width,
            t + 0.26 * height,
        )),
    );
    over(below, [0.86, 0.74, 0.42], at.glow(right - 0.018, top + 0.55 * height, 0.008, 0.008).sqrt());
}

pub(crate) fn tree(at: At, below: &mut Rgb, u: f32, top: f32, foot: f32, size: f32) {
    shade(below, 0.62, at.glow(u + 0.10 * size, foot + 0.01, 0.36 * size, 0.042 * size).min(0.8));
    let half = (0.021 + 0.022 * ((at.v - top) / (foot - top)).clamp(0.0, 1.0).powi(3)) * size;
    let bark = smooth(at.u * 130.0, at.v * 22.0);
    let side = ((at.u - u) / half * 0.5 + 0.5).clamp(0.0, 1.0);
    let trunk = lit(blend([0.45, 0.36, 0.28], [0.24, 0.19, 0.15], side), 0.8 + 0.4 * bark);
    over(below, trunk, at.edge(half - (at.u - u).abs()) * at.edge(at.v - top) * at.edge(foot - at.v));
    // From the back to the front, lower ones darker; light comes from the upper left.
    let crown = [
        (0.10, 0.05, 0.20, 0.70),
        (-0.14, 0.06, 0.18, 0.80),
        (0.0, -0.06, 0.20, 0.95),
        (0.13, -0.05, 0.15, 0.90),
        (-0.09, -0.12, 0.15, 1.10),
        (-0.02, 0.04, 0.14, 1.00),
    ];
    for (du, dv, radius, light) in crown {
        let (cu, cv, radius) = (u + du * size, top + dv * size, radius * size);
        let reach = radius * 1.35;
        if !at.is_near(cu - reach, cv - reach, cu + reach, cv + reach) {
            continue;
        }
        let cover = at.leaves(cu, cv, radius, 0.30);
        if cover > 0.0 {
            let leaf = cloudy(at.u * 30.0 + du * 90.0, at.v * 30.0);
            let lean = ((cu - at.u) + (cv - at.v)) / radius;
            let green = blend([0.17, 0.28, 0.13], [0.55, 0.66, 0.31], 0.18 + 0.9 * (leaf - 0.22) + 0.22 * lean);
            over(below, lit(green, light * 0.94), cover);
        }
    }
}

pub(crate) fn bush(at: At, below: &mut Rgb, u: f32, v: f32, radius: f32, bloom: Option<Rgb>) {
    if !at.is_near(u - radius * 1.3, v - radius * 1.3, u + radius * 1.3, v + radius * 1.3) {
        return;
    }
    shade(below, 0.7, at.glow(u + 0.01, v + radius * 0.85, radius * 1.2, radius * 0.25).min(0.7));
    let cover = at.leaves(u, v, radius, 0.24);
    if cover > 0.0 {
        let leaf = cloudy(at.u * 44.0, at.v * 44.0);
        let lean = ((u - at.u) * 0.6 + (v - at.v)) / radius;
        over(below, blend([0.15, 0.25, 0.13], [0.45, 0.57, 0.29], 0.3 + 0.8 * (leaf - 0.3) + 0.3 * lean), cover);
        if let Some(bloom) = bloom {
            let (cu, cv) = ((at.u * 74.0).floor(), (at.v * 74.0).floor());
            let (iu, iv) = (cu as i32, cv as i32);
            let (du, dv) = (0.3 + 0.4 * lattice(iu + 91, iv), 0.3 + 0.4 * lattice(iu, iv + 57));
            let (au, av) = (at.u * 74.0 - cu - du, at.v * 74.0 - cv - dv);
            let here = lattice(iu, iv) > 0.62;
            let petal = (0.22 + 0.14 * lattice(iv, iu) - (au * au + av * av).sqrt()) * 6.0;
            if here {
                over(below, bloom, petal.clamp(0.0, 1.0) * cover);
            }
        }
    }
}

pub(crate) fn pickets(at: At, below: &mut Rgb, left: f32, right: f32, top: f32, bottom: f32) {
    if !at.is_near(left, top, right, bottom) {
        return;
    }
    let span = at.edge((at.u - left).min(right - at.u));
    shade(below, 0.8, at.rect(left, bottom - 0.004, right, bottom + 0.012) * 0.8);
    let rail = |v: f32| at.edge(0.006 - (at.v - v).abs());
    let white = [0.93, 0.93, 0.90];
    over(below, lit(white, 0.86), span * rail(top + 0.03).max(rail(bottom - 0.025)));
    let period = 0.034;
    let off = ((at.u / period).fract() - 0.5).abs() * period;
    let picket = at.edge(0.0105 - off) * at.edge(at.v - top - off * 1.1) * at.edge(bottom - at.v);
    over(below, lit(white, 1.0 - off * 9.0), span * picket);
}
