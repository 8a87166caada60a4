//! From a decoded picture to a JPEG: smaller, and alone or several one below the other.

use ffmpeg_next::codec::{self, Id};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::software::scaling;
use ffmpeg_next::{Packet, Rational, color, frame, threading};

use crate::detect::decoder::{DecoderError, Picture, refused};

/// A picture as a baseline JPEG, at most `max_width` pixels wide, never enlarged.
pub(crate) fn jpeg(picture: &Picture, max_width: u32) -> Result<Vec<u8>, DecoderError> {
    // A stamp is looked at for a moment, and there are thousands a day of them.
    let quality = if max_width <= STAMP { 7 } else { 4 };
    encode(&scaled(picture, max_width)?, quality)
}

/// No wider, a picture is made with fewer bits.
const STAMP: u32 = 240;

/// At most `max_width` pixels wide, in JPEG's own colours; both sides even.
fn scaled(picture: &Picture, max_width: u32) -> Result<frame::Video, DecoderError> {
    let (width, height) = (picture.width(), picture.height());
    let out_width = (width.min(max_width).max(16)) & !1;
    let out_height =
        (u32::try_from(u64::from(height) * u64::from(out_width) / u64::from(width.max(1))).unwrap_or(height).max(16))
            & !1;
    let mut scaler = scaling::Context::get(
        picture.format(),
        width,
        height,
        Pixel::YUVJ420P,
        out_width,
        out_height,
        scaling::Flags::AREA,
    )
    .map_err(refused("prepare a smaller picture"))?;
    let mut scaled = frame::Video::empty();
    scaler.run(picture.frame(), &mut scaled).map_err(refused("make a smaller picture"))?;
    Ok(scaled)
}

fn encode(picture: &frame::Video, quality: i32) -> Result<Vec<u8>, DecoderError> {
    let mut picture = picture.clone();
    picture.set_color_range(color::Range::JPEG);
    picture.set_pts(Some(0));
    let codec = codec::encoder::find(Id::MJPEG).ok_or(DecoderError::Missing("make a JPEG"))?;
    let mut context = codec::Context::new_with_codec(codec);
    context.set_threading(threading::Config { kind: threading::Type::None, count: 1, ..Default::default() });
    let mut encoder = context.encoder().video().map_err(refused("open a JPEG encoder"))?;
    encoder.set_width(picture.width());
    encoder.set_height(picture.height());
    encoder.set_format(Pixel::YUVJ420P);
    encoder.set_color_range(color::Range::JPEG);
    encoder.set_time_base(Rational(1, 25));
    // Of 2 to 31: with 4 about 30 kB for a small picture.
    encoder.set_qmin(quality);
    encoder.set_qmax(quality);
    let mut encoder = encoder.open_as(codec).map_err(refused("open a JPEG encoder"))?;
    encoder.send_frame(&picture).map_err(refused("make a JPEG"))?;
    let mut packet = Packet::empty();
    encoder.receive_packet(&mut packet).map_err(refused("make a JPEG"))?;
    packet.data().map(<[u8]>::to_vec).ok_or(DecoderError::Missing("make a JPEG"))
}

/// A film's pictures are so wide, in pixels.
const FILM_WIDTH: u32 = 160;
/// The most pictures of a film; with more, every second one goes and from then on only every second one is taken.
const FILM_LENGTH: usize = 12;

/// A few small pictures, evenly over however long it goes on.
#[derive(Default)]
pub(crate) struct Film {
    pictures: Vec<frame::Video>,
    offered: usize,
    /// One in so many is taken, as a power of two.
    thinning: u32,
}

impl Film {
    /// Offers the next picture.
    pub(crate) fn offer(&mut self, picture: &Picture) -> Result<(), DecoderError> {
        let is_wanted = self.offered.is_multiple_of(1 << self.thinning);
        self.offered += 1;
        if !is_wanted {
            return Ok(());
        }
        let small = scaled(picture, FILM_WIDTH)?;
        // A stream that changes its size begins a new decoder, so this is a decoder's trick, not a camera's.
        if self.pictures.first().is_some_and(|first| first.height() != small.height() || first.width() != small.width())
        {
            return Ok(());
        }
        self.pictures.push(small);
        if self.pictures.len() > FILM_LENGTH {
            let mut at = 0;
            self.pictures.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.thinning += 1;
        }
        Ok(())
    }

    /// One JPEG of all pictures, one below the other; `None` of fewer than two, which would not move.
    pub(crate) fn end(self) -> Result<Option<Vec<u8>>, DecoderError> {
        let (Some(first), 2..) = (self.pictures.first(), self.pictures.len()) else { return Ok(None) };
        let height = first.height();
        let count = u32::try_from(self.pictures.len()).unwrap_or(1);
        let mut strip = frame::Video::new(Pixel::YUVJ420P, first.width(), height * count);
        for plane in 0..strip.planes() {
            let stride = strip.stride(plane);
            let rows = strip.plane_height(plane) as usize / self.pictures.len();
            let target = strip.data_mut(plane).chunks_exact_mut(stride);
            let source = self
                .pictures
                .iter()
                .flat_map(|picture| picture.data(plane).chunks_exact(picture.stride(plane)).take(rows));
            for (target, source) in target.zip(source) {
                let width = target.len().min(source.len());
                target[..width].copy_from_slice(&source[..width]);
            }
        }
        encode(&strip, 4).map(Some)
    }
}
