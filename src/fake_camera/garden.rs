//! What the camera looks at while nobody is there: a front garden, a driveway or a back garden. Pure.
//!
//! A picture is a function from a place to a colour: `u` from 0 at the left to [`WIDE`] at the right, `v` from 0 at the
//! top to 1 at the bottom. Painted once, so it may take its time.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::suboptimal_flops,
    reason = "a drawing: plain geometry; a fused multiply is slow without its instruction"
)]

use super::picture::{Colour, Picture};
use super::texture::{cloudy, lattice, smooth};

type Rgb = [f32; 3];

/// The width of a picture in its own heights.
const WIDE: f32 = 16.0 / 9.0;

/// Where the walker's feet are, from the top.
pub(crate) const GROUND: f32 = 0.775;

/// What makes one camera's picture another than its neighbour's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    place: Place,
    mirrored: bool,
    wall: usize,
    door: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Front,
    Drive,
    Back,
}

const WALLS: [Rgb; 4] = [[0.90, 0.85, 0.76], [0.80, 0.84, 0.85], [0.72, 0.48, 0.38], [0.88, 0.80, 0.66]];
const DOORS: [Rgb; 5] =
    [[0.16, 0.36, 0.38], [0.55, 0.16, 0.15], [0.20, 0.28, 0.45], [0.34, 0.42, 0.30], [0.86, 0.66, 0.25]];

impl Look {
    /// By the camera's number: neighbours look at different places.
    pub(crate) fn of(number: u16) -> Self {
        let number = usize::from(number);
        Self {
            place: [Place::Front, Place::Drive, Place::Back][number % 3],
            mirrored: number / 3 % 2 == 1,
            wall: number / 2 % WALLS.len(),
            door: number % DOORS.len(),
        }
    }

    /// Paints the whole picture.
    pub(crate) fn paint(self, picture: &mut Picture) {
        let (width, height) = (picture.width(), picture.height());
        let step = (WIDE / width as f32, 1.0 / height as f32);
        let blur = step.1;
        let mut chroma = vec![(0.0, 0.0); picture.planes[1].width];
        for row in 0..height {
            if row % 2 == 0 {
                chroma.fill((0.0, 0.0));
            }
            let v = (row as f32 + 0.5) * step.1;
            for column in 0..width {
                let u = (column as f32 + 0.5) * step.0;
                let u = if self.mirrored { WIDE - u } else { u };
                let colour = Colour::from_rgb(self.colour(At { u, v, blur }));
                picture.planes[0].data[row * width + column] = (colour.y + 0.5) as u8;
                let sum = &mut chroma[column / 2];
                *sum = (sum.0 + colour.u, sum.1 + colour.v);
            }
            if row % 2 == 1 {
                for (column, (u, v)) in chroma.iter().enumerate() {
                    let at = row / 2 * (width / 2) + column;
                    picture.planes[1].data[at] = (u / 4.0 + 0.5) as u8;
                    picture.planes[2].data[at] = (v / 4.0 + 0.5) as u8;
                }
            }
        }
    }

    fn colour(self, at: At) -> Rgb {
        let (wall, door) = (WALLS[self.wall], DOORS[self.door]);
        match self.place {
            Place::Front => front(at, wall, door),
            Place::Drive => drive(at, wall, door),
            Place::Back => back(at, wall, door),
        }
    }
}

/// A place in the picture, and the size of a pixel, over which edges are softened.
#[derive(Clone, Copy)]
struct At {
    u: f32,
    v: f32,
    blur: f32,
}

impl At {
    /// How much of this pixel is on the positive side of an edge `distance` away.
    fn edge(self, distance: f32) -> f32 {
        (distance / self.blur + 0.5).clamp(0.0, 1.0)
    }

    /// Whether this is within a rectangle and a margin around it.
    fn is_near(self, left: f32, top: f32, right: f32, bottom: f32) -> bool {
        const MARGIN: f32 = 0.03;
        (left - MARGIN..right + MARGIN).contains(&self.u) && (top - MARGIN..bottom + MARGIN).contains(&self.v)
    }

    /// How much of this pixel is within a rectangle.
    fn rect(self, left: f32, top: f32, right: f32, bottom: f32) -> f32 {
        self.edge((self.u - left).min(right - self.u).min(self.v - top).min(bottom - self.v))
    }

    /// Within a disc whose edge is ragged, as leaves are.
    fn leaves(self, u: f32, v: f32, radius: f32, ragged: f32) -> f32 {
        let (du, dv) = (self.u - u, self.v - v);
        let rough = cloudy(self.u * 26.0, self.v * 26.0) - 0.5;
        let distance = radius * (1.0 + ragged * rough * 2.0) - (du * du + dv * dv).sqrt();
        (distance / (self.blur * 2.0) + 0.5).clamp(0.0, 1.0)
    }

    /// 1 in the middle of an ellipse, 0 from its edge on.
    fn glow(self, u: f32, v: f32, ru: f32, rv: f32) -> f32 {
        let (du, dv) = ((self.u - u) / ru, (self.v - v) / rv);
        (1.0 - du * du - dv * dv).max(0.0)
    }

    /// Along lines at every multiple of `period` of a coordinate, `width` wide: 1 on the line.
    fn lines(self, coordinate: f32, period: f32, width: f32) -> f32 {
        let off = (coordinate / period - (coordinate / period).round()).abs() * period;
        self.edge(width / 2.0 - off)
    }
}

fn over(below: &mut Rgb, colour: Rgb, cover: f32) {
    if cover > 0.0 {
        for (below, colour) in below.iter_mut().zip(colour) {
            *below += (colour - *below) * cover.min(1.0);
        }
    }
}

/// Darkens what is there, as a shadow does.
fn shade(below: &mut Rgb, by: f32, cover: f32) {
    over(below, lit(*below, by), cover);
}

fn blend(a: Rgb, b: Rgb, part: f32) -> Rgb {
    let mut mixed = a;
    over(&mut mixed, b, part.clamp(0.0, 1.0));
    mixed
}

fn lit(colour: Rgb, by: f32) -> Rgb {
    colour.map(|part| part * by)
}

fn sky(at: At) -> Rgb {
    if at.v > 0.5 {
        return [0.87, 0.91, 0.92];
    }
    let mut sky = blend([0.42, 0.62, 0.82], [0.87, 0.91, 0.92], at.v / 0.42);
    let cloud = cloudy(at.u * 2.2 + 3.0, at.v * 6.0);
    over(&mut sky, [0.96, 0.96, 0.95], ((cloud - 0.52) * 3.2).clamp(0.0, 0.85));
    sky
}

fn far_trees(at: At, below: &mut Rgb, top: f32) {
    if at.v < top - 0.07 || at.v > 0.55 {
        return;
    }
    let edge = top + 0.09 * (0.5 - cloudy(at.u * 3.1, 4.0)) + 0.03 * (0.5 - cloudy(at.u * 17.0, at.v * 9.0));
    let leaf = cloudy(at.u * 22.0, at.v * 26.0);
    let green = blend([0.27, 0.37, 0.27], [0.46, 0.55, 0.38], leaf + (at.v - top) * 0.8);
    over(below, blend(green, [0.72, 0.78, 0.78], 0.22), at.edge(at.v - edge));
}

/// Covers with something that is dear to compute, where it is seen.
fn ground(below: &mut Rgb, cover: f32, colour: impl Fn() -> Rgb) {
    if cover > 0.0 {
        over(below, colour(), cover);
    }
}

/// Grass in perspective: the horizon lies at 0.38.
fn grass(at: At) -> Rgb {
    let depth = 1.0 / (at.v - 0.38).max(0.02);
    let patch = cloudy(at.u * depth * 0.9 + 9.0, depth * 2.2);
    let blade = smooth(at.u * 190.0, at.v * 95.0) - 0.5;
    let near = ((at.v - 0.45) / 0.5).clamp(0.0, 1.0);
    let base = blend([0.56, 0.64, 0.39], [0.35, 0.49, 0.25], near * 0.8 + (patch - 0.5) * 0.5);
    lit(base, 1.0 + blade * (0.06 + 0.12 * near))
}

/// Slabs of stone on the ground, rows growing toward the viewer.
fn slabs(at: At, colour: Rgb) -> Rgb {
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

fn wall(at: At, colour: Rgb, below: &mut Rgb, cover: f32) {
    if cover <= 0.0 {
        return;
    }
    let board = (at.v * 30.0).fract();
    let grain = smooth(at.u * 60.0, at.v * 300.0) - 0.5;
    let lower = ((at.v - 0.1) * 0.22).clamp(0.0, 0.14);
    over(below, lit(colour, 0.97 - lower + 0.05 * board.min(0.6) + 0.03 * grain), cover);
    over(below, lit(colour, 0.74), cover * at.lines(at.v, 1.0 / 30.0, 0.0035) * 0.55);
}

fn roof(at: At, below: &mut Rgb, cover: f32) {
    if cover <= 0.0 {
        return;
    }
    let row = (at.v * 48.0).floor();
    let tile = lattice((at.u * 34.0 + row * 0.5).floor() as i32, row as i32);
    over(below, lit([0.33, 0.32, 0.35], 0.85 + 0.25 * tile), cover);
    over(below, [0.20, 0.20, 0.22], cover * at.lines(at.v, 1.0 / 48.0, 0.003) * 0.7);
}

fn window(at: At, below: &mut Rgb, left: f32, top: f32, right: f32, bottom: f32) {
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

fn door(at: At, colour: Rgb, below: &mut Rgb, left: f32, top: f32, right: f32, bottom: f32) {
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

fn tree(at: At, below: &mut Rgb, u: f32, top: f32, foot: f32, size: f32) {
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

fn bush(at: At, below: &mut Rgb, u: f32, v: f32, radius: f32, bloom: Option<Rgb>) {
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

fn pickets(at: At, below: &mut Rgb, left: f32, right: f32, top: f32, bottom: f32) {
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

fn front(at: At, wall_colour: Rgb, door_colour: Rgb) -> Rgb {
    let mut c = sky(at);
    far_trees(at, &mut c, 0.34);
    ground(&mut c, at.edge(at.v - 0.465), || grass(at));
    pickets(at, &mut c, -1.0, 1.07, 0.405, 0.515);
    // The house, its shadow on the lawn first.
    shade(&mut c, 0.72, at.glow(1.5, 0.60, 0.52, 0.03).min(0.6));
    let house = at.rect(1.06, 0.10, 3.0, 0.60);
    wall(at, wall_colour, &mut c, house);
    over(&mut c, [0.55, 0.53, 0.50], at.rect(1.06, 0.565, 3.0, 0.60) * (0.8 + 0.2 * smooth(at.u * 40.0, at.v * 40.0)));
    shade(&mut c, 0.72, at.rect(1.06, 0.10, 3.0, 0.172) * (1.0 - ((at.v - 0.13) * 22.0).clamp(0.0, 1.0)));
    roof(at, &mut c, at.edge(at.v - 0.13 + (at.u - 1.0) * 0.62).min(at.edge(0.132 - at.v)));
    over(&mut c, [0.93, 0.93, 0.91], at.rect(1.0, 0.125, 3.0, 0.143));
    window(at, &mut c, 1.17, 0.235, 1.37, 0.43);
    door(at, door_colour, &mut c, 1.50, 0.235, 1.64, 0.60);
    over(&mut c, [0.25, 0.24, 0.23], at.rect(1.445, 0.30, 1.462, 0.336));
    over(&mut c, [1.0, 0.90, 0.64], at.rect(1.4485, 0.308, 1.4585, 0.332));
    // The way from the door to the path, and the path.
    let widening = ((at.v - 0.60) / 0.12).clamp(0.0, 1.0);
    let stone = || slabs(at, [0.74, 0.70, 0.64]);
    ground(&mut c, at.rect(1.48 - widening * 0.12, 0.60, 1.66 + widening * 0.05, 0.72), stone);
    let wave = 0.006 * (at.u * 5.0).sin();
    shade(&mut c, 0.75, at.rect(-1.0, 0.697 + wave, 3.0, 0.712 + wave) * 0.6);
    ground(&mut c, at.rect(-1.0, 0.705 + wave, 3.0, 0.822 + wave), stone);
    over(&mut c, [0.84, 0.82, 0.77], at.rect(1.46, 0.592, 1.68, 0.612));
    over(&mut c, [0.60, 0.57, 0.52], at.rect(1.46, 0.612, 1.68, 0.624));
    for (u, v, radius, bloom) in [
        (1.10, 0.555, 0.052, None),
        (1.40, 0.565, 0.045, Some([0.93, 0.80, 0.86])),
        (1.20, 0.575, 0.048, Some([0.95, 0.93, 0.86])),
        (1.30, 0.575, 0.050, Some([0.88, 0.62, 0.70])),
        (1.74, 0.565, 0.055, None),
    ] {
        bush(at, &mut c, u, v, radius, bloom);
    }
    tree(at, &mut c, 0.42, 0.235, 0.655, 1.0);
    bush(at, &mut c, 0.08, 0.93, 0.085, Some([0.86, 0.70, 0.82]));
    bush(at, &mut c, 0.21, 0.955, 0.07, Some([0.95, 0.86, 0.55]));
    bush(at, &mut c, -0.03, 0.90, 0.09, None);
    c
}

fn drive(at: At, wall_colour: Rgb, door_colour: Rgb) -> Rgb {
    let mut c = sky(at);
    far_trees(at, &mut c, 0.26);
    ground(&mut c, at.edge(at.v - 0.50), || grass(at));
    wall(at, wall_colour, &mut c, at.rect(0.34, 0.12, 3.0, 0.58));
    over(&mut c, [0.52, 0.50, 0.48], at.rect(0.34, 0.55, 3.0, 0.58));
    shade(&mut c, 0.72, at.rect(0.34, 0.12, 3.0, 0.21) * (1.0 - ((at.v - 0.16) * 20.0).clamp(0.0, 1.0)));
    roof(at, &mut c, at.edge(at.v - 0.15 + (at.u - 0.27) * 0.55).min(at.edge(0.152 - at.v)));
    over(&mut c, [0.93, 0.93, 0.91], at.rect(0.27, 0.145, 3.0, 0.163));
    // The garage.
    over(&mut c, [0.95, 0.94, 0.92], at.rect(0.50, 0.245, 1.10, 0.58));
    let panel = at.rect(0.52, 0.265, 1.08, 0.58);
    let fold = ((at.v - 0.265) / 0.079).fract();
    over(&mut c, lit([0.80, 0.80, 0.78], 0.95 + 0.08 * (0.5 - fold)), panel);
    over(&mut c, [0.60, 0.60, 0.59], panel * at.lines(at.v - 0.265, 0.079, 0.004));
    over(&mut c, [0.68, 0.68, 0.67], panel * at.lines(at.u - 0.52, 0.14, 0.003) * 0.7);
    for n in 0..4_u8 {
        let left = 0.535 + f32::from(n) * 0.14;
        over(&mut c, [0.33, 0.42, 0.48], at.rect(left, 0.279, left + 0.11, 0.330));
        over(&mut c, [0.58, 0.67, 0.72], at.rect(left, 0.279, left + 0.11, 0.296 + (at.u - left) * 0.2) * 0.6);
    }
    window(at, &mut c, 1.21, 0.26, 1.39, 0.44);
    door(at, door_colour, &mut c, 1.52, 0.25, 1.66, 0.58);
    over(&mut c, [0.25, 0.24, 0.23], at.rect(1.128, 0.31, 1.144, 0.345));
    over(&mut c, [1.0, 0.90, 0.64], at.rect(1.131, 0.317, 1.141, 0.341));
    // The driveway, widening toward the viewer, and the way to the door.
    let near = (at.v - 0.58).max(0.0);
    let paved = at.edge(at.u - 0.48 + near * 0.92).min(at.edge(1.12 + near * 0.62 - at.u)).min(at.edge(at.v - 0.58));
    shade(&mut c, 0.7, at.glow(0.8, 0.585, 0.45, 0.02) * 0.6);
    over(
        &mut c,
        [0.76, 0.73, 0.69],
        at.edge(at.u - 0.465 + near * 0.96).min(at.edge(1.135 + near * 0.66 - at.u).min(at.edge(at.v - 0.58))),
    );
    ground(&mut c, paved, || slabs(at, [0.66, 0.56, 0.50]));
    ground(&mut c, at.rect(1.10, 0.60, 1.70, 0.66), || slabs(at, [0.73, 0.70, 0.65]));
    ground(&mut c, at.rect(1.50, 0.58, 1.68, 0.61), || slabs(at, [0.73, 0.70, 0.65]));
    for (u, v, radius, bloom) in [
        (0.02, 0.42, 0.13, None),
        (0.19, 0.45, 0.12, None),
        (0.33, 0.49, 0.085, None),
        (0.43, 0.545, 0.045, Some([0.92, 0.78, 0.84])),
        (1.18, 0.545, 0.045, Some([0.94, 0.90, 0.80])),
        (1.28, 0.550, 0.048, None),
        (1.39, 0.548, 0.043, Some([0.86, 0.58, 0.66])),
        (1.75, 0.540, 0.060, None),
        (1.70, 0.73, 0.055, Some([0.90, 0.80, 0.50])),
    ] {
        bush(at, &mut c, u, v, radius, bloom);
    }
    bush(at, &mut c, 0.02, 0.90, 0.10, Some([0.90, 0.86, 0.92]));
    c
}

fn back(at: At, wall_colour: Rgb, door_colour: Rgb) -> Rgb {
    let mut c = sky(at);
    far_trees(at, &mut c, 0.24);
    ground(&mut c, at.edge(at.v - 0.50), || grass(at));
    // A fence of boards.
    let board = (at.u / 0.062).floor();
    let tone = 0.86 + 0.22 * lattice(board as i32, 3) + 0.10 * (smooth(at.u * 130.0, at.v * 7.0) - 0.5);
    let top = 0.335 + 0.006 * lattice(board as i32, 8);
    let fence = at.edge((at.v - top).min(0.525 - at.v));
    shade(&mut c, 0.68, at.rect(-1.0, 0.52, 3.0, 0.55) * (1.0 - ((at.v - 0.525) * 40.0).clamp(0.0, 1.0)));
    over(&mut c, lit([0.62, 0.50, 0.38], tone), fence);
    over(&mut c, [0.33, 0.26, 0.20], fence * at.lines(at.u, 0.062, 0.0045) * 0.8);
    over(&mut c, lit([0.60, 0.48, 0.37], 1.06), at.rect(-1.0, 0.365, 3.0, 0.381).min(fence) * 0.8);
    for n in 0..3_u8 {
        let (u, v) = (0.80 + 0.13 * f32::from(n), 0.50 + 0.01 * f32::from(n % 2));
        bush(
            at,
            &mut c,
            u,
            v,
            0.055,
            [Some([0.92, 0.76, 0.84]), Some([0.95, 0.90, 0.70]), Some([0.75, 0.68, 0.88])][usize::from(n)],
        );
    }
    // The shed.
    shade(&mut c, 0.7, at.glow(0.42, 0.60, 0.36, 0.03) * 0.9);
    let shed = at.rect(0.12, 0.26, 0.60, 0.60);
    wall(at, blend(wall_colour, [0.60, 0.66, 0.64], 0.5), &mut c, shed);
    let slope =
        at.edge(at.v - 0.16 - (at.u - 0.36).abs() * 0.40).min(at.edge(0.285 - at.v)).min(at.rect(0.08, 0.0, 0.64, 1.0));
    wall(at, lit(blend(wall_colour, [0.60, 0.66, 0.64], 0.5), 0.94), &mut c, slope);
    let eaves = (at.v - 0.135 - (at.u - 0.36).abs() * 0.42).min(0.045 - (at.v - 0.135 - (at.u - 0.36).abs() * 0.42));
    roof(at, &mut c, at.edge(eaves).min(at.rect(0.06, 0.0, 0.66, 1.0)));
    door(at, door_colour, &mut c, 0.20, 0.335, 0.33, 0.60);
    window(at, &mut c, 0.40, 0.36, 0.54, 0.47);
    // Raised beds, the tree, and the terrace in front.
    for (left, right) in [(0.78, 1.02), (1.06, 1.24)] {
        shade(&mut c, 0.7, at.rect(left, 0.63, right + 0.02, 0.668) * 0.7);
        over(&mut c, [0.25, 0.19, 0.15], at.rect(left, 0.585, right, 0.63));
        let leaf = cloudy(at.u * 50.0, at.v * 50.0);
        over(
            &mut c,
            blend([0.20, 0.34, 0.15], [0.58, 0.68, 0.33], leaf),
            at.rect(left + 0.01, 0.565, right - 0.01, 0.612) * ((leaf - 0.33) * 6.0).clamp(0.0, 1.0),
        );
        over(
            &mut c,
            lit([0.55, 0.42, 0.30], 0.9 + 0.2 * smooth(at.u * 9.0, at.v * 160.0)),
            at.rect(left, 0.612, right, 0.66),
        );
        over(&mut c, [0.36, 0.27, 0.19], at.lines(at.v - 0.612, 0.024, 0.003).min(at.rect(left, 0.612, right, 0.66)));
    }
    tree(at, &mut c, 1.46, 0.235, 0.645, 1.08);
    let wave = 0.004 * (at.u * 4.0 + 1.0).sin();
    shade(&mut c, 0.78, at.rect(-1.0, 0.692 + wave, 3.0, 0.706 + wave) * 0.7);
    ground(&mut c, at.rect(-1.0, 0.70 + wave, 3.0, 2.0), || slabs(at, [0.76, 0.71, 0.64]));
    for (u, pot) in [(0.10, [0.66, 0.38, 0.27]), (0.24, [0.72, 0.46, 0.33])] {
        shade(&mut c, 0.65, at.glow(u + 0.02, 0.955, 0.09, 0.025).min(0.8));
        let taper = 0.052 - ((at.v - 0.86) * 0.16).max(0.0);
        let side = ((at.u - u) / 0.05).clamp(-1.0, 1.0);
        over(
            &mut c,
            lit(pot, 1.0 - side * 0.22),
            at.edge((taper - (at.u - u).abs()).min(at.v - 0.86).min(0.955 - at.v)),
        );
        over(&mut c, lit(pot, 1.12 - side * 0.2), at.rect(u - 0.058, 0.852, u + 0.058, 0.876));
        bush(at, &mut c, u, 0.80, 0.068, Some(if u < 0.2 { [0.93, 0.72, 0.78] } else { [0.95, 0.91, 0.82] }));
    }
    c
}
