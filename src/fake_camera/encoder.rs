//! Pictures in, coded pictures out: libx264 and libx265 as a camera's chip codes (no B-frames unless told, then no delay;
//! one thread).

use bytes::Bytes;
use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::threading;
use ffmpeg_next::util::{color, format, frame};

use super::nal::{AccessUnit, Codec, split_annex_b};
use super::picture::Picture;

/// What is to be coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Coding {
    pub(crate) codec: Codec,
    /// Even numbers of pixels.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Pictures a second, not 0.
    pub(crate) fps: u32,
    /// From one key frame to the next, in pictures.
    pub(crate) group: u32,
    pub(crate) bits_per_second: u32,
    /// Two of three pictures are shown before one that was sent before them; each comes two pictures late.
    pub(crate) b_frames: bool,
}

/// Why pictures cannot be coded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The FFmpeg on this machine was built without it.
    #[error("this machine's FFmpeg has no {0}; install one that has, or choose the other codec")]
    NoEncoder(&'static str),
    /// The library said no.
    #[error("{doing}: {source}")]
    Library {
        /// What was tried.
        doing: &'static str,
        /// What the library said.
        source: ffmpeg::Error,
    },
}

fn failed(doing: &'static str) -> impl FnOnce(ffmpeg::Error) -> EncodeError {
    move |source| EncodeError::Library { doing, source }
}

/// One stream's encoder.
pub(crate) struct Encoder {
    coding: Coding,
    library: ffmpeg::encoder::video::Encoder,
    frame: frame::Video,
}

impl Encoder {
    pub(crate) fn open(coding: Coding) -> Result<Self, EncodeError> {
        ffmpeg::log::set_level(ffmpeg::log::Level::Error);
        let name = match coding.codec {
            Codec::H264 => "libx264",
            Codec::H265 => "libx265",
        };
        let codec = ffmpeg::encoder::find_by_name(name).ok_or(EncodeError::NoEncoder(name))?;
        let mut context = ffmpeg::codec::Context::new_with_codec(codec);
        context.set_threading(threading::Config::count(1));
        let mut video = context.encoder().video().map_err(failed("making an encoder"))?;
        video.set_width(coding.width);
        video.set_height(coding.height);
        video.set_format(format::Pixel::YUV420P);
        video.set_colorspace(color::Space::BT709);
        video.set_color_range(color::Range::MPEG);
        video.set_color_primaries(color::Primaries::BT709);
        video.set_color_transfer_characteristic(color::TransferCharacteristic::BT709);
        let fps = i32::try_from(coding.fps).unwrap_or(i32::MAX);
        video.set_time_base((1, fps));
        video.set_frame_rate(Some((fps, 1)));
        video.set_gop(coding.group);
        let b_frames = if coding.b_frames { 2 } else { 0 };
        video.set_max_b_frames(b_frames);
        let bits = usize::try_from(coding.bits_per_second).unwrap_or(usize::MAX);
        video.set_bit_rate(bits);
        video.set_max_bit_rate(bits);
        let group = coding.group;
        let buffer = coding.bits_per_second / 1000;
        let own = match coding.codec {
            Codec::H264 => {
                format!(
                    "annexb=1:repeat-headers=1:scenecut=0:keyint={group}:min-keyint={group}:bframes={b_frames}:b-adapt=0:\
                     vbv-bufsize={buffer}"
                )
            }
            Codec::H265 => format!(
                "log-level=none:annexb=1:repeat-headers=1:scenecut=0:open-gop=0:keyint={group}:min-keyint={group}:\
                 bframes={b_frames}:b-adapt=0:pools=none:frame-threads=1:vbv-bufsize={buffer}:vbv-maxrate={buffer}"
            ),
        };
        let parameters = match coding.codec {
            Codec::H264 => "x264-params",
            Codec::H265 => "x265-params",
        };
        let mut options = vec![("preset", "ultrafast"), (parameters, own.as_str())];
        if !coding.b_frames {
            options.push(("tune", "zerolatency"));
        }
        let library = video.open_with(options.into_iter().collect()).map_err(failed("opening the encoder"))?;
        let frame = frame::Video::new(format::Pixel::YUV420P, coding.width, coding.height);
        Ok(Self { coding, library, frame })
    }

    /// Codes the picture that stands at `index` in the stream (counted in frames, rising); it must have the coding's size.
    pub(crate) fn encode(&mut self, picture: &Picture, index: i64) -> Result<Vec<AccessUnit>, EncodeError> {
        for (number, plane) in picture.planes.iter().enumerate() {
            let stride = self.frame.stride(number);
            let to = self.frame.data_mut(number);
            for (to, from) in to.chunks_mut(stride).zip(plane.data.chunks_exact(plane.width)) {
                to[..from.len()].copy_from_slice(from);
            }
        }
        self.frame.set_pts(Some(index));
        self.library.send_frame(&self.frame).map_err(failed("coding a picture"))?;
        let mut units = Vec::new();
        let mut packet = ffmpeg::Packet::empty();
        // Until it asks for the next picture (EAGAIN).
        while self.library.receive_packet(&mut packet).is_ok() {
            let Some(data) = packet.data() else { continue };
            let nals = split_annex_b(&Bytes::copy_from_slice(data));
            let index = packet.pts().unwrap_or(index);
            units.push(AccessUnit::new(self.coding.codec, nals, index * 90_000 / i64::from(self.coding.fps)));
        }
        Ok(units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_camera::nal::ParameterSets;

    #[test]
    fn every_group_begins_with_parameter_sets_and_a_key_frame() {
        for codec in [Codec::H264, Codec::H265] {
            let coding =
                Coding { codec, width: 320, height: 180, fps: 5, group: 4, bits_per_second: 100_000, b_frames: false };
            let mut encoder = Encoder::open(coding).expect("an encoder");
            let picture = Picture::new(320, 180);
            for index in 0..9 {
                let units = encoder.encode(&picture, index).expect("coded");
                assert_eq!(units.len(), 1, "no delay");
                assert_eq!(units[0].is_key, index % 4 == 0, "{codec} {index}");
                assert_eq!(units[0].pts, index * 18_000);
                assert_eq!(ParameterSets::found_in(codec, &units[0].nals).is_some(), units[0].is_key);
            }
        }
    }

    #[test]
    fn b_frames_come_after_what_is_shown_later() {
        for codec in [Codec::H264, Codec::H265] {
            let coding =
                Coding { codec, width: 320, height: 180, fps: 10, group: 10, bits_per_second: 100_000, b_frames: true };
            let mut encoder = Encoder::open(coding).expect("an encoder");
            let picture = Picture::new(320, 180);
            let mut units = Vec::new();
            for index in 0..40 {
                units.extend(encoder.encode(&picture, index).expect("coded"));
            }
            assert!(units.len() > 20 && units[0].is_key, "{codec}: {}", units.len());
            assert!(units.windows(2).any(|pair| pair[1].pts < pair[0].pts), "{codec}");
        }
    }
}
