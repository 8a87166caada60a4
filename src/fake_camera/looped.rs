//! A video file, over and over, as a stream: demultiplexed, never decoded.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use ffmpeg_next as ffmpeg;
use ffmpeg_next::{codec, media};

use super::nal::{AccessUnit, Codec, Kind, ParameterSets, split_annex_b, split_lengths};

/// Why a file cannot be looped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoopError {
    /// Missing, or nothing that FFmpeg knows.
    #[error("opening {path}: {source}; name a video file that ffprobe can read")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the library said.
        source: ffmpeg::Error,
    },
    /// No H.264 or H.265 in it.
    #[error("{0} has no H.264 or H.265 video track; convert it with ffmpeg first")]
    NoVideo(PathBuf),
    /// The track has no parameter sets or no key frame.
    #[error("{0} has no key frame with parameter sets, so no player could begin to play it")]
    NoKeyFrame(PathBuf),
}

/// One pass through a file's video track.
pub(crate) struct Pass {
    input: ffmpeg::format::context::Input,
    track: usize,
    codec: Codec,
    framing: Framing,
    parameters: ParameterSets,
    /// Seconds a tick, as a fraction.
    time_base: (i64, i64),
    /// Decoding time of the first sample, in 90 kHz ticks.
    begin: Option<i64>,
    last: i64,
    /// Of one picture, in 90 kHz ticks.
    usual: i64,
}

#[derive(Debug, Clone, Copy)]
enum Framing {
    AnnexB,
    /// Bytes in each length.
    Lengths(usize),
}

/// A sample, with its times since the pass's begin.
pub(crate) struct Sample {
    pub(crate) unit: AccessUnit,
    /// When it is to be sent.
    pub(crate) decode: Duration,
}

impl Pass {
    pub(crate) fn open(path: &Path) -> Result<Self, LoopError> {
        ffmpeg::log::set_level(ffmpeg::log::Level::Error);
        let failed = |source| LoopError::Open { path: path.to_owned(), source };
        let mut input = ffmpeg::format::input(path).map_err(failed)?;
        let no_video = || LoopError::NoVideo(path.to_owned());
        let stream = input.streams().best(media::Type::Video).ok_or_else(no_video)?;
        let codec = match stream.parameters().id() {
            codec::Id::H264 => Codec::H264,
            codec::Id::HEVC => Codec::H265,
            _ => return Err(no_video()),
        };
        let extra = extradata(&stream.parameters());
        let base = stream.time_base();
        let rate = stream.avg_frame_rate();
        let track = stream.index();
        let (framing, nals) = configuration(codec, &extra);
        let usual = match (i64::from(rate.numerator()), i64::from(rate.denominator())) {
            (number @ 1.., per @ 1..) => 90_000 * per / number,
            _ => 3_600,
        };
        let no_key = || LoopError::NoKeyFrame(path.to_owned());
        let parameters = if let Some(parameters) = ParameterSets::found_in(codec, &nals) {
            parameters
        } else {
            // Files with in-band parameter sets (`hev1`, transport streams).
            let first = input
                .packets()
                .filter(|(stream, _)| stream.index() == track)
                .take(300)
                .find_map(|(_, packet)| ParameterSets::found_in(codec, &split(framing, packet.data()?)));
            input.seek(0, ..).map_err(failed)?;
            first.ok_or_else(no_key)?
        };
        let time_base = (i64::from(base.numerator()), i64::from(base.denominator()).max(1));
        Ok(Self { input, track, codec, framing, parameters, time_base, begin: None, last: 0, usual })
    }

    pub(crate) fn parameters(&self) -> &ParameterSets {
        &self.parameters
    }

    /// From the first picture to one picture after the last one read, in 90 kHz ticks.
    pub(crate) fn length(&self) -> i64 {
        self.last.saturating_add(self.usual)
    }

    /// The next picture in decode order; `None` at the file's end. What comes before the first key frame is left out.
    pub(crate) fn read(&mut self) -> Option<Sample> {
        loop {
            let (stream, packet) = self.input.packets().next()?;
            if stream.index() != self.track {
                continue;
            }
            let Some(mut nals) = packet.data().map(|data| split(self.framing, data)) else { continue };
            let (number, per) = self.time_base;
            let ticks = |time: i64| {
                let ticks = i128::from(time) * 90_000 * i128::from(number) / i128::from(per);
                i64::try_from(ticks).unwrap_or(i64::MAX)
            };
            let (pts, dts) = match (packet.pts(), packet.dts()) {
                (Some(pts), Some(dts)) => (ticks(pts), ticks(dts)),
                (Some(time), None) | (None, Some(time)) => (ticks(time), ticks(time)),
                (None, None) => continue,
            };
            let is_key = nals.iter().any(|nal| self.codec.kind(nal) == Kind::KeySlice);
            if self.begin.is_none() && !is_key {
                continue;
            }
            if is_key && ParameterSets::found_in(self.codec, &nals).is_none() {
                nals.retain(|nal| matches!(self.codec.kind(nal), Kind::KeySlice | Kind::Other));
                nals.splice(0..0, self.parameters.nals());
            }
            let begin = *self.begin.get_or_insert(dts);
            self.last = self.last.max(dts - begin);
            let decode = Duration::from_micros(u64::try_from((dts - begin) * 100 / 9).unwrap_or(0));
            return Some(Sample { unit: AccessUnit::new(self.codec, nals, pts - begin), decode });
        }
    }
}

fn split(framing: Framing, data: &[u8]) -> Vec<Bytes> {
    let data = Bytes::copy_from_slice(data);
    match framing {
        Framing::AnnexB => split_annex_b(&data),
        Framing::Lengths(size) => split_lengths(&data, size),
    }
}

/// How samples are framed, and the parameter sets, by the codec configuration record (ISO/IEC 14496-15: `avcC`, `hvcC`).
fn configuration(codec: Codec, extra: &Bytes) -> (Framing, Vec<Bytes>) {
    if extra.first() != Some(&1) {
        return (Framing::AnnexB, split_annex_b(extra));
    }
    let mut nals = Vec::new();
    let size_at = match codec {
        Codec::H264 => 4,
        Codec::H265 => 21,
    };
    let size = extra.get(size_at).map_or(4, |byte| usize::from(byte & 3) + 1);
    let mut reader = Reader { rest: extra.clone() };
    // Runs of NAL units, each behind its length in two bytes, until something is missing.
    let mut fill = || -> Option<()> {
        match codec {
            Codec::H264 => {
                reader.skip(5)?;
                for mask in [0x1f, 0xff] {
                    for _ in 0..reader.byte()? & mask {
                        nals.push(reader.nal()?);
                    }
                }
            }
            Codec::H265 => {
                reader.skip(22)?;
                for _ in 0..reader.byte()? {
                    reader.skip(1)?;
                    for _ in 0..reader.short()? {
                        nals.push(reader.nal()?);
                    }
                }
            }
        }
        Some(())
    };
    // A torn record yields what stands before the tear; missing sets are searched for in the samples.
    let _ = fill();
    (Framing::Lengths(size), nals)
}

struct Reader {
    rest: Bytes,
}

impl Reader {
    fn skip(&mut self, count: usize) -> Option<Bytes> {
        (count <= self.rest.len()).then(|| self.rest.split_to(count))
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.skip(1)?[0])
    }

    fn short(&mut self) -> Option<usize> {
        let bytes = self.skip(2)?;
        Some(usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
    }

    fn nal(&mut self) -> Option<Bytes> {
        let length = self.short()?;
        self.skip(length)
    }
}

#[expect(unsafe_code, reason = "the bindings have no accessor for a track's codec configuration")]
fn extradata(parameters: &codec::Parameters) -> Bytes {
    // SAFETY: the pointer is valid while `parameters` is borrowed, and FFmpeg promises `extradata_size` readable bytes
    // at `extradata` unless it is null. They are copied before the borrow ends.
    unsafe {
        let raw = parameters.as_ptr();
        let (data, size) = ((*raw).extradata, (*raw).extradata_size);
        match usize::try_from(size) {
            Ok(size) if !data.is_null() => Bytes::copy_from_slice(std::slice::from_raw_parts(data, size)),
            _ => Bytes::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_avcc_record_yields_its_parameter_sets() {
        let record = [1, 0x42, 0xc0, 0x1f, 0xff, 0xe1, 0, 4, 0x67, 0x42, 0xc0, 0x1f, 1, 0, 2, 0x68, 0xce];
        let (framing, nals) = configuration(Codec::H264, &Bytes::copy_from_slice(&record));
        assert!(matches!(framing, Framing::Lengths(4)));
        assert!(ParameterSets::found_in(Codec::H264, &nals).is_some());
    }

    proptest! {
        #[test]
        fn no_record_makes_the_reader_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..80), is_h265: bool) {
            if let Some(first) = bytes.first_mut() {
                *first &= 1;
            }
            configuration(if is_h265 { Codec::H265 } else { Codec::H264 }, &Bytes::from(bytes));
        }
    }
}
