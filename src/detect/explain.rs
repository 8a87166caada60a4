//! What the detector saw in a file and why it did or did not count: a picture for each decision, and a list of all.
//!
//! A picture is the grid as the model has it, one square a cell: grey what is usual, orange what stood out from it. A green
//! frame is around what counted, a blue one around what did not.

use std::fmt::Write as _;
use std::path::PathBuf;

use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame;

use crate::detect::decoder::{DecoderError, Picture};
use crate::detect::file::{FileError, seconds};
use crate::detect::grid::{LUMA_ONE, Shape};
use crate::detect::jpeg;
use crate::detect::model::Seen;
use crate::detect::trigger::Update;
use crate::detect::why::{Place, Reason};
use crate::disk::Gallery;

/// Pixels of a cell's side. Even: a colour covers two by two.
const CELL: usize = 4;
/// More pictures than anybody looks at.
const MOST: usize = 500;
/// Blue and red difference, from grey.
type Colour = (u8, u8);
const ORANGE: Colour = (70, 180);
const GREEN: Colour = (60, 60);
const BLUE: Colour = (220, 100);

pub(super) struct Explanation {
    path: PathBuf,
    gallery: Gallery,
    list: String,
    pictures: usize,
}

impl Explanation {
    /// Makes the folder if it is not there.
    pub(super) fn begin(path: PathBuf) -> Result<Self, FileError> {
        let gallery = Gallery::open(&path).map_err(|error| (path.as_path(), error))?;
        Ok(Self { path, gallery, list: String::new(), pictures: 0 })
    }

    /// Takes a look and what became of it.
    pub(super) fn look(
        &mut self,
        shape: Shape,
        cells: &[u16],
        foreground: &[u8],
        seen: &Seen,
        update: Option<&Update>,
    ) -> Result<(), FileError> {
        let view = View { shape, cells, foreground };
        for rejected in &seen.rejected {
            let words = reason(rejected.reason);
            self.picture(&view, rejected.at_us, words, &[(rejected.place, BLUE)])?;
            let [left, top, width, height] = rejected.place.0;
            self.say(format_args!(
                "{:9.1} s  not motion: {words}; at {left:.2} {top:.2}, {width:.2} by {height:.2} of the picture",
                seconds(rejected.at_us)
            ));
        }
        let Some(update) = update else { return Ok(()) };
        if update.end_us.is_some() {
            self.say_end(update);
        } else if update.is_peak {
            let frames: Vec<_> = seen.movers.iter().map(|mover| (mover.place, GREEN)).collect();
            self.picture(&view, seen.at_us, "event", &frames)?;
            let [left, top, width, height] = update.why.place.0;
            self.say(format_args!(
                "{:9.1} s  event since {:.1} s: {:?} at {:.2} widths a second; largest at {left:.2} {top:.2}, {width:.2} by {height:.2} of the picture",
                seconds(seen.at_us),
                seconds(update.start_us),
                update.why.how,
                update.why.speed,
            ));
        }
        Ok(())
    }

    /// Writes the list.
    pub(super) fn end(mut self, last: Option<&Update>) -> Result<(), FileError> {
        if let Some(last) = last {
            self.say_end(last);
        }
        self.gallery.write("why.txt", self.list.as_bytes()).map_err(|error| (self.path.as_path(), error))?;
        Ok(())
    }

    fn say(&mut self, line: std::fmt::Arguments<'_>) {
        // Into a string, nothing can fail.
        let _ = writeln!(self.list, "{line}");
    }

    fn say_end(&mut self, update: &Update) {
        let end = update.end_us.unwrap_or(update.start_us);
        self.say(format_args!(
            "{:9.1} s  the event that began at {:.1} s is over",
            seconds(end),
            seconds(update.start_us)
        ));
    }

    fn picture(&mut self, view: &View, at_us: i64, words: &str, frames: &[(Place, Colour)]) -> Result<(), FileError> {
        if self.pictures == MOST {
            return Ok(());
        }
        self.pictures += 1;
        let jpeg = view.drawn(frames).map_err(|error| (self.path.as_path(), error))?;
        let name = format!("{:08.1}s-{}.jpg", seconds(at_us), words.replace(' ', "-"));
        self.gallery.write(&name, &jpeg).map_err(|error| (self.path.as_path(), error))?;
        Ok(())
    }
}

fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Light => "light",
        Reason::Scene => "whole picture",
        Reason::Masked => "masked",
        Reason::Clutter => "rain or leaves",
        Reason::Wavering => "went nowhere",
        Reason::Small => "too small",
        Reason::Damaged => "damaged",
    }
}

struct View<'a> {
    shape: Shape,
    cells: &'a [u16],
    foreground: &'a [u8],
}

impl View<'_> {
    fn drawn(&self, frames: &[(Place, Colour)]) -> Result<Vec<u8>, DecoderError> {
        let (cols, rows) = (self.shape.cols(), self.shape.rows());
        let side = |cells: usize| u32::try_from(cells * CELL).unwrap_or(u32::MAX);
        let mut picture = frame::Video::new(Pixel::YUVJ420P, side(cols), side(rows));
        let strides = [0, 1, 2].map(|plane| picture.stride(plane));
        for row in 0..rows {
            for col in 0..cols {
                let cell = row * cols + col;
                let luma = u8::try_from(self.cells[cell] / LUMA_ONE).unwrap_or(u8::MAX);
                let (blue, red) = if self.foreground[cell] != 0 { ORANGE } else { (128, 128) };
                for (plane, value, size) in [(0, luma, CELL), (1, blue, CELL / 2), (2, red, CELL / 2)] {
                    for y in row * size..(row + 1) * size {
                        let start = y * strides[plane] + col * size;
                        picture.data_mut(plane)[start..start + size].fill(value);
                    }
                }
            }
        }
        for (place, colour) in frames {
            outline(&mut picture, strides, place, *colour);
        }
        jpeg::jpeg(&Picture::drawn(picture), side(cols))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "within the picture"
)]
fn outline(picture: &mut frame::Video, strides: [usize; 3], place: &Place, (blue, red): Colour) {
    let [left, top, width, height] = place.0;
    // In units of two pixels, which one colour covers.
    let (cols, rows) = (picture.width() as usize / 2, picture.height() as usize / 2);
    let at = |part: f32, of: usize| ((part.clamp(0.0, 1.0) * of as f32) as usize).min(of - 1);
    let (x0, x1, y0, y1) = (at(left, cols), at(left + width, cols), at(top, rows), at(top + height, rows));
    for y in y0..=y1 {
        for x in x0..=x1 {
            if y != y0 && y != y1 && x != x0 && x != x1 {
                continue;
            }
            picture.data_mut(1)[y * strides[1] + x] = blue;
            picture.data_mut(2)[y * strides[2] + x] = red;
            for line in 0..2 {
                let start = (2 * y + line) * strides[0] + 2 * x;
                picture.data_mut(0)[start..start + 2].fill(200);
            }
        }
    }
}
