//! libavcodec, kept short: access units in, pictures with an honest word about damage out.
//!
//! One thread, every frame, loop filter on (without it, blocking hides night animals and twitches at each key frame).
//! Runs in the decoder process, and in `hearthwatch motion`; never in the process that records.

use std::collections::VecDeque;

use ffmpeg_next::codec::{self, Id};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::util::error::ENOMEM;
use ffmpeg_next::{Dictionary, Packet, Rational, frame, threading};

use crate::camera::packet::VideoCodec;
use crate::detect::jpeg;
use crate::detect::sps::MAX_PIXELS;

/// Why a stream cannot be decoded or a picture not be made.
#[derive(Debug, thiserror::Error)]
pub enum DecoderError {
    /// This libavcodec lacks something.
    #[error("the installed libavcodec cannot {0}; install one that can, as Debian's libavcodec is")]
    Missing(&'static str),
    /// libavcodec refused.
    #[error("libavcodec could not {action}: {source}")]
    Refused {
        /// What was tried.
        action: &'static str,
        /// What it said.
        source: ffmpeg_next::Error,
    },
    /// Not what cameras send.
    #[error("pictures are {0:?}, but only 8-bit 4:2:0 is decoded; set the camera to 8-bit H.264 or H.265")]
    Format(Pixel),
}

pub(crate) fn refused(action: &'static str) -> impl FnOnce(ffmpeg_next::Error) -> DecoderError {
    move |source| DecoderError::Refused { action, source }
}

/// Looks up and sets up all that libavcodec does once in a process, while the process may still do what it likes.
/// What is missing will be said when it is asked for.
pub(crate) fn prepare() {
    ffmpeg_next::log::set_level(ffmpeg_next::log::Level::Quiet);
    // Without it its errors have no words.
    ffmpeg_next::util::error::register_all();
    drop([VideoCodec::H264, VideoCodec::H265, VideoCodec::Jpeg].map(Decoder::new));
    let mut grey = frame::Video::new(Pixel::YUV420P, 64, 64);
    for plane in 0..grey.planes() {
        grey.data_mut(plane).fill(128);
    }
    drop(jpeg::jpeg(&Picture { frame: grey, pts_us: 0, corrupt: false }, 32));
}

/// What is known of an access unit before it is decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit {
    /// Presentation time in microseconds.
    pub(crate) pts_us: i64,
    /// Whether decoding can begin here.
    pub(crate) is_key: bool,
    /// Whether parts of it are known to be lost.
    pub(crate) damaged: bool,
}

/// A decoded picture in the decoder's own memory.
pub(crate) struct Picture {
    frame: frame::Video,
    /// Presentation time in microseconds.
    pub(crate) pts_us: i64,
    /// Damaged, or made from a damaged one: nothing may be concluded from it.
    pub(crate) corrupt: bool,
}

impl Picture {
    /// A picture that was not decoded but drawn.
    pub(crate) fn drawn(frame: frame::Video) -> Self {
        Self { frame, pts_us: 0, corrupt: false }
    }

    pub(crate) fn width(&self) -> u32 {
        self.frame.width()
    }

    pub(crate) fn height(&self) -> u32 {
        self.frame.height()
    }

    pub(crate) fn format(&self) -> Pixel {
        self.frame.format()
    }

    pub(crate) fn frame(&self) -> &frame::Video {
        &self.frame
    }

    /// The luma plane and its stride.
    pub(crate) fn luma(&self) -> (&[u8], usize) {
        (self.frame.data(0), self.frame.stride(0))
    }
}

/// A decoder for one stream.
pub(crate) struct Decoder {
    inner: codec::decoder::Video,
    /// Presentation times that are not out yet, and whether each may be believed.
    pending: VecDeque<(i64, bool)>,
    broken: bool,
    frame: frame::Video,
}

/// More than any decoder holds back.
const MAX_PENDING: usize = 64;

impl Decoder {
    /// For Annex B access units whose parameter sets come with them, or whole JPEGs.
    pub(crate) fn new(codec: VideoCodec) -> Result<Self, DecoderError> {
        let (id, action) = match codec {
            VideoCodec::H264 => (Id::H264, "decode H.264"),
            VideoCodec::H265 => (Id::HEVC, "decode H.265"),
            VideoCodec::Jpeg => (Id::MJPEG, "decode Motion JPEG"),
        };
        let codec = codec::decoder::find(id).ok_or(DecoderError::Missing(action))?;
        Self::open(codec::Context::new_with_codec(codec), codec)
    }

    fn open(mut context: codec::Context, codec: ffmpeg_next::Codec) -> Result<Self, DecoderError> {
        context.set_threading(threading::Config { kind: threading::Type::None, count: 1, ..Default::default() });
        context.set_time_base(Rational(1, 1_000_000));
        let mut decoder = context.decoder();
        decoder.set_packet_time_base(Rational(1, 1_000_000));
        let mut options = Dictionary::new();
        options.set("max_pixels", &MAX_PIXELS.to_string());
        let inner = decoder
            .open_as_with(codec, options)
            .and_then(codec::decoder::Opened::video)
            .map_err(refused("open a decoder"))?;
        // Until the first key frame there is nothing to believe.
        Ok(Self { inner, pending: VecDeque::new(), broken: true, frame: frame::Video::empty() })
    }

    /// Hands an access unit in. Damage is noted, not returned: a broken unit is a normal case. Want of memory is returned:
    /// it would last, and each unit after it would seem broken.
    pub(crate) fn send(&mut self, packet: &mut Packet, unit: Unit) -> Result<(), DecoderError> {
        self.broken = unit.damaged || (self.broken && !unit.is_key);
        packet.set_pts(Some(unit.pts_us));
        packet.set_dts(None);
        if self.pending.len() == MAX_PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back((unit.pts_us, !self.broken));
        if let Err(error) = self.inner.send_packet(packet) {
            if is_want_of_memory(error) {
                return Err(refused("find memory for a picture")(error));
            }
            self.mistrust();
        }
        Ok(())
    }

    /// Hands a key frame in whose picture is to come out at once, whatever else the stream might hold back. Once it was received,
    /// [`Self::flush`] must be called.
    pub(crate) fn send_alone(&mut self, packet: &mut Packet, unit: Unit) -> Result<(), DecoderError> {
        self.flush();
        self.send(packet, unit)?;
        // It fails where there is nothing to bring to an end, which changes nothing.
        let _ = self.inner.send_eof();
        Ok(())
    }

    /// Forgets all pictures: the next unit must be a key frame.
    pub(crate) fn flush(&mut self) {
        self.inner.flush();
        self.pending.clear();
        self.broken = true;
    }

    /// The next picture in order of presentation, if one is ready.
    pub(crate) fn receive(&mut self) -> Result<Option<Picture>, DecoderError> {
        if let Err(error) = self.inner.receive_frame(&mut self.frame) {
            return if is_want_of_memory(error) { Err(refused("find memory for a picture")(error)) } else { Ok(None) };
        }
        let format = self.frame.format();
        // JPEG's two ways of RFC 2435; the luma is the same in each.
        if !matches!(format, Pixel::YUV420P | Pixel::YUVJ420P | Pixel::YUVJ422P) {
            return Err(DecoderError::Format(format));
        }
        let pts_us = self.frame.pts().or_else(|| self.frame.timestamp()).unwrap_or(i64::MIN);
        let place = self.pending.iter().position(|(pts, _)| *pts == pts_us);
        let believed = place.and_then(|place| self.pending.remove(place)).is_some_and(|(_, believed)| believed);
        if self.frame.is_corrupt() || self.frame.has_decode_errors() {
            self.mistrust();
            return Ok(Some(self.picture(pts_us, true)));
        }
        Ok(Some(self.picture(pts_us, !believed)))
    }

    fn picture(&mut self, pts_us: i64, corrupt: bool) -> Picture {
        let frame = std::mem::replace(&mut self.frame, frame::Video::empty());
        Picture { frame, pts_us, corrupt }
    }

    /// Nothing is believed until the next clean key frame.
    fn mistrust(&mut self) {
        self.broken = true;
        for (_, believed) in &mut self.pending {
            *believed = false;
        }
    }
}

fn is_want_of_memory(error: ffmpeg_next::Error) -> bool {
    error == ffmpeg_next::Error::Other { errno: ENOMEM }
}

/// Which pictures are looked at: about five a second, by their own time.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    due_us: Option<i64>,
}

/// The time between looks.
pub(crate) const LOOK_US: i64 = 200_000;

impl Pace {
    /// Whether the picture of this time is to be looked at.
    pub(crate) fn takes(&mut self, pts_us: i64) -> bool {
        // A camera's frame that comes a little early is the one that was due.
        let early = LOOK_US / 20;
        match self.due_us {
            Some(due) if pts_us < due.saturating_sub(early) && pts_us > due.saturating_sub(5 * LOOK_US) => false,
            Some(due) => {
                // On the beat where there is one, from here after a pause or a jump.
                let next = due.saturating_add(LOOK_US);
                let on_beat = next > pts_us && next <= pts_us.saturating_add(2 * LOOK_US);
                self.due_us = Some(if on_beat { next } else { pts_us.saturating_add(LOOK_US) });
                true
            }
            None => {
                self.due_us = Some(pts_us.saturating_add(LOOK_US));
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_five_times_a_second_whatever_the_rate() {
        for rate in [5_i64, 6, 7, 10, 12, 15, 25, 30] {
            let mut pace = Pace::default();
            let looks = (0..rate * 10).filter(|n| pace.takes(n * 1_000_000 / rate)).count();
            assert!((45..=51).contains(&looks), "{looks} looks in 10 s at {rate} pictures a second");
        }
        let mut pace = Pace::default();
        assert_eq!((0..20).filter(|n| pace.takes(n * 500_000)).count(), 20);
    }
}
