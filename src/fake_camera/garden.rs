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
use super::scenery::{
    At, Rgb, WIDE, blend, bush, door, far_trees, grass, ground, lit, over, pickets, roof, shade, sky, slabs, tree,
    wall, window,
};
use super::texture::{cloudy, lattice, smooth};

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
    ground(&mut c, at.rect(1.185, 0.60, 1.70, 0.655), || slabs(at, [0.73, 0.70, 0.65]));
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
