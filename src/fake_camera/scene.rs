//! What a fake camera sees, as a function of time: the garden, its light, its noise, and who walks through. Pure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::figure::{Clothes, Figure};
use super::font;
use super::garden::{self, Look};
use super::picture::{Colour, Picture};
use super::texture::{mix, sensor};
use super::watermark;
use crate::units::UtcMicros;

/// What happens before the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scene {
    /// A day on which somebody walks through now and then.
    #[default]
    Walker,
    /// A day on which nobody ever comes.
    Empty,
    /// The same as `walker`, in the infrared light of the camera: grey, dark at the edges, noisy.
    Night,
    /// Nobody comes, but the light changes: clouds, a lamp, the infrared switch. Repeats each minute.
    Lights,
    /// Nobody comes, and the number in the corner is the time: what a picture shows can be held against when it is seen.
    Clock,
}

impl Scene {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Walker, Self::Empty, Self::Night, Self::Lights, Self::Clock];

    /// As it is written on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Walker => "walker",
            Self::Empty => "empty",
            Self::Night => "night",
            Self::Lights => "lights",
            Self::Clock => "clock",
        }
    }

    /// The light at a time since the scene's start.
    fn light(self, at: Duration) -> Light {
        const DAY: Light = Light { gain: 64, infrared: false };
        let lamp = |gain| Light { gain, infrared: false };
        match self {
            Self::Walker | Self::Empty | Self::Clock => DAY,
            Self::Night => Light { gain: 64, infrared: true },
            Self::Lights => match at.as_secs_f32() % 60.0 {
                // A cloud comes and goes, each within two seconds.
                s if (12.0..14.0).contains(&s) => lamp(ramp(64, 44, (s - 12.0) / 2.0)),
                s if (14.0..20.0).contains(&s) => lamp(44),
                s if (20.0..22.0).contains(&s) => lamp(ramp(44, 64, (s - 20.0) / 2.0)),
                // A lamp goes out and on again, at once.
                s if (28.0..34.0).contains(&s) => lamp(36),
                s if (42.0..52.0).contains(&s) => Light { gain: 64, infrared: true },
                _ => DAY,
            },
        }
    }

    fn has_walkers(self) -> bool {
        matches!(self, Self::Walker | Self::Night)
    }
}

/// From one gain to another, in eight steps.
#[expect(clippy::cast_possible_truncation, reason = "0 to 8")]
fn ramp(from: i32, to: i32, part: f32) -> i32 {
    from + (to - from) * (part.clamp(0.0, 1.0) * 8.0) as i32 / 8
}

/// A text that names no scene.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a scene is walker, empty, night, lights or clock, not {0:?}")]
pub struct ParseSceneError(String);

impl FromStr for Scene {
    type Err = ParseSceneError;

    fn from_str(text: &str) -> Result<Self, ParseSceneError> {
        Self::ALL.into_iter().find(|scene| scene.name() == text).ok_or_else(|| ParseSceneError(text.to_owned()))
    }
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Somebody walking through, as times since the scene's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// The first moment at which something of the person may be seen.
    pub start: Duration,
    /// From here on nothing is seen.
    pub end: Duration,
    /// Counts from 0.
    pub index: u32,
}

/// Who walks when, for a camera of that number; ends only by overflow, or at once where nobody walks.
///
/// The first walk begins 8 to 10 s after the start and is over by 16 s. The next ones come every 20 to 24 s, at another
/// pace for each camera, so that the cameras of a household do not all see somebody at once.
pub fn walks(scene: Scene, number: u16) -> impl Iterator<Item = Walk> {
    let first = Duration::from_millis(8_000 + u64::from(number % 5) * 450);
    let period = Duration::from_millis(20_000 + u64::from(number % 4) * 1_300);
    let length = Duration::from_millis(5_000 + u64::from(number % 3) * 400);
    (0_u32..).take_while(move |_| scene.has_walkers()).map_while(move |index| {
        let start = first.checked_add(period.checked_mul(index)?)?;
        Some(Walk { start, end: start.checked_add(length)?, index })
    })
}

/// Brightness of what is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Light {
    /// In 64ths of a bright day.
    gain: i32,
    /// Lit by the camera itself, without colour.
    infrared: bool,
}

/// How many pictures of the same background with other noise are mixed, row by row.
const NOISES: usize = 4;

/// A scene with everything that need not be drawn anew for each picture.
#[derive(Debug)]
pub struct Drawing {
    scene: Scene,
    number: u16,
    /// What is painted into the corner.
    told: u16,
    name: String,
    garden: Picture,
    lit: Option<Lit>,
}

#[derive(Debug)]
struct Lit {
    light: Light,
    backgrounds: [Picture; NOISES],
}

impl Drawing {
    /// Paints the garden of the camera `number` (the watermark), once; sizes in pixels, rounded up to even ones.
    pub fn new(scene: Scene, number: u16, name: &str, width: usize, height: usize) -> Self {
        let mut garden = Picture::new(width, height);
        Look::of(number).paint(&mut garden);
        // As many letters as fit beside the clock's line.
        let name = name.chars().filter(|c| !c.is_control()).take(24).collect();
        Self { scene, number, told: number, name, garden, lit: None }
    }

    /// The size of its pictures, in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.garden.width(), self.garden.height())
    }

    /// In the scene that tells the time, the corner tells this moment from now on: hundredths of a second, from 0 again after 65535.
    pub fn tell(&mut self, now: UtcMicros) {
        if self.scene == Scene::Clock {
            self.told = u16::try_from(now.0.div_euclid(10_000).rem_euclid(1 << 16)).unwrap_or(0);
        }
    }

    /// Draws the picture at a time since the scene's start; `clock` is printed as it is. The same times, the same picture.
    ///
    /// `picture` is overwritten.
    ///
    /// # Panics
    /// If `picture` has not the drawing's size.
    pub fn draw(&mut self, picture: &mut Picture, at: Duration, clock: &str) {
        let light = self.scene.light(at);
        if self.lit.as_ref().is_none_or(|lit| lit.light != light) {
            self.lit = Some(Lit::new(&self.garden, light, u64::from(self.number)));
        }
        if let Some(lit) = &self.lit {
            lit.copy(picture, mix(u64::from(self.number) ^ u64::from(at.subsec_nanos()) ^ at.as_secs() << 30));
        }
        if let Some(walk) = self.walk(at) {
            self.walker(&walk, at, light).draw(picture);
        }
        let dot = (picture.width() + 200) / 400;
        let dot = dot.max(1);
        font::write(picture, 4 * dot, 4 * dot, dot, clock);
        font::write(picture, 4 * dot, (font::HEIGHT + 9) * dot, dot, &self.name);
        watermark::paint(picture, self.told);
    }

    fn walk(&self, at: Duration) -> Option<Walk> {
        walks(self.scene, self.number).take_while(|walk| walk.start <= at).last().filter(|walk| at < walk.end)
    }

    #[expect(clippy::cast_precision_loss, reason = "sizes of pictures")]
    fn walker(&self, walk: &Walk, at: Duration, light: Light) -> Figure {
        let (width, picture_height) = (self.garden.width() as f32, self.garden.height() as f32);
        let odd = mix(u64::from(self.number) << 32 | u64::from(walk.index));
        let height = picture_height * if odd & 1 == 0 { 0.36 } else { 0.335 };
        let reach = Figure::reach(height);
        let part = at.saturating_sub(walk.start).as_secs_f32() / walk.end.saturating_sub(walk.start).as_secs_f32();
        let way = (width + 2.0 * reach) * part;
        let to_the_right = (walk.index + u32::from(self.number)).is_multiple_of(2);
        let clothes = if light.infrared { in_infrared() } else { by_day(odd.to_be_bytes()[0], light) };
        Figure {
            x: if to_the_right { way - reach } else { width + reach - way },
            ground: picture_height * garden::GROUND,
            height,
            stride: way / (height * 0.42),
            facing: if to_the_right { 1.0 } else { -1.0 },
            clothes,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gain is a small number")]
fn by_day(odd: u8, light: Light) -> Clothes {
    let coats = [[0.13, 0.17, 0.27], [0.42, 0.11, 0.12], [0.12, 0.25, 0.20], [0.20, 0.18, 0.17]];
    let coat = coats[usize::from(odd) % coats.len()];
    let gain = light.gain as f32 / 64.0;
    let colour = |rgb: [f32; 3]| Colour::from_rgb(rgb.map(|part| part * gain));
    Clothes {
        coat: colour(coat),
        trousers: colour([0.16, 0.17, 0.20]),
        shoes: colour([0.10, 0.08, 0.07]),
        skin: colour([0.82, 0.62, 0.50]),
        hair: colour([0.17, 0.12, 0.09]),
    }
}

/// Cloth and skin throw infrared light back.
fn in_infrared() -> Clothes {
    Clothes {
        coat: Colour::grey(168.0),
        trousers: Colour::grey(140.0),
        shoes: Colour::grey(66.0),
        skin: Colour::grey(206.0),
        hair: Colour::grey(96.0),
    }
}

impl Lit {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "levels are clamped to 16 to 235")]
    fn new(garden: &Picture, light: Light, seed: u64) -> Self {
        const TILE: usize = 1 << 15;
        let noise = sensor(seed, TILE + garden.width(), if light.infrared { 9 } else { 3 });
        let mut plain = garden.clone();
        if light.infrared {
            plain.planes[1].data.fill(128);
            plain.planes[2].data.fill(128);
            in_spotlight(&mut plain);
        } else if light.gain != 64 {
            for level in &mut plain.planes[0].data {
                *level = (16 + (i32::from(*level) - 16) * light.gain / 64) as u8;
            }
            for level in plain.planes[1..].iter_mut().flat_map(|plane| &mut plane.data) {
                *level = (128 + (i32::from(*level) - 128) * light.gain / 64) as u8;
            }
        }
        let backgrounds = std::array::from_fn(|variant| {
            let mut noisy = plain.clone();
            let luma = &mut noisy.planes[0];
            for (row, line) in luma.data.chunks_exact_mut(luma.width).enumerate() {
                let from = mix(seed ^ (variant << 32 | row) as u64) as usize % TILE;
                for (level, noise) in line.iter_mut().zip(&noise[from..]) {
                    *level = level.saturating_add_signed(*noise).clamp(16, 235);
                }
            }
            noisy
        });
        Self { light, backgrounds }
    }

    /// Row by row from one of the noisy backgrounds, so that the noise is another in each picture.
    fn copy(&self, picture: &mut Picture, seed: u64) {
        for plane in [1, 2] {
            picture.planes[plane].data.copy_from_slice(&self.backgrounds[0].planes[plane].data);
        }
        let luma = &mut picture.planes[0];
        let width = luma.width;
        let mut bits = 0;
        for (row, line) in luma.data.chunks_exact_mut(width).enumerate() {
            if row % 16 == 0 {
                bits = mix(seed ^ row as u64);
            }
            let variant = (bits & 3) as usize % NOISES;
            bits >>= 2;
            line.copy_from_slice(&self.backgrounds[variant].planes[0].data[row * width..(row + 1) * width]);
        }
    }
}

/// The camera's own lamp: bright in the lower middle, dark at the edges and in the sky.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in a picture and levels from 16 to 235"
)]
fn in_spotlight(picture: &mut Picture) {
    let luma = &mut picture.planes[0];
    let (width, height) = (luma.width, luma.height);
    for (row, line) in luma.data.chunks_exact_mut(width).enumerate() {
        let y = row as f32 / height as f32 - 0.66;
        for (column, level) in line.iter_mut().enumerate() {
            let x = column as f32 / width as f32 - 0.5;
            let lamp = (1.0 - x * x * 2.6 - y * y * 2.2).max(0.0);
            *level = (22.0 + (f32::from(*level) - 16.0) * (0.12 + 0.46 * lamp * lamp)) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn difference(a: &Picture, b: &Picture) -> usize {
        let pairs = a.planes[0].data.iter().zip(&b.planes[0].data);
        pairs.filter(|(a, b)| a.abs_diff(**b) > 24).count()
    }

    #[test]
    fn the_first_walk_is_soon_and_short() {
        for number in 0..200 {
            let mut walks = walks(Scene::Walker, number);
            let (first, second) = (walks.next().expect("one"), walks.next().expect("two"));
            assert!((8..=10).contains(&first.start.as_secs()) && first.end <= Duration::from_secs(16), "{first:?}");
            assert!(second.start >= first.end + Duration::from_secs(12));
        }
        assert_eq!(walks(Scene::Empty, 0).next(), None);
        assert_eq!(walks(Scene::Lights, 0).next(), None);
    }

    #[test]
    fn somebody_is_seen_during_a_walk_and_nobody_otherwise() {
        for scene in [Scene::Walker, Scene::Night] {
            for number in 0..3 {
                let mut drawing = Drawing::new(scene, number, "garden", 640, 360);
                let mut picture = |at| {
                    let mut picture = Picture::new(640, 360);
                    drawing.draw(&mut picture, at, "12:00");
                    picture
                };
                let walk = walks(scene, number).nth(1).expect("a second walk");
                let nobody = picture(walk.start.saturating_sub(Duration::from_millis(100)));
                let somebody = picture((walk.start + walk.end) / 2);
                let gone = picture(walk.end);
                let seen = difference(&nobody, &somebody);
                assert!(seen > 640 * 360 / 140, "{scene} {number}: {seen} pixels");
                assert_eq!(difference(&nobody, &gone), 0, "{scene} {number}");
            }
        }
    }

    #[test]
    fn the_same_time_is_the_same_picture() {
        let at = Duration::from_millis(9_876);
        let draw = || {
            let mut picture = Picture::new(320, 180);
            Drawing::new(Scene::Walker, 3, "a", 320, 180).draw(&mut picture, at, "x");
            picture
        };
        assert_eq!(draw(), draw());
    }

    #[test]
    fn light_changes_are_seen_in_lights_only() {
        let pictures = |scene| {
            let mut drawing = Drawing::new(scene, 1, "a", 320, 180);
            [5, 16, 30, 45].map(|second| {
                let mut picture = Picture::new(320, 180);
                drawing.draw(&mut picture, Duration::from_secs(second), "x");
                picture
            })
        };
        let [day, cloud, dark, infrared] = pictures(Scene::Lights);
        for other in [cloud, dark, infrared] {
            assert!(difference(&day, &other) > 320 * 180 / 4);
        }
        let [first, .., last] = pictures(Scene::Empty);
        assert_eq!(difference(&first, &last), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn every_picture_of_every_scene_carries_its_number(
            scene in prop::sample::select(Scene::ALL.to_vec()),
            number: u16,
            millis in 0_u64..100_000,
        ) {
            let mut drawing = Drawing::new(scene, number, "A camera", 320, 180);
            let mut picture = Picture::new(320, 180);
            drawing.draw(&mut picture, Duration::from_millis(millis), "2026-11-21 22:42:55.123Z");
            prop_assert_eq!(watermark::read(&picture.planes[0].data, 320, 180, 320), Some(number));
        }
    }
}
