//! A video file's pictures as a camera would send them: access units with start codes, and the parameter sets; or JPEGs.
//!
//! libavformat takes the file apart, in this process: it is its owner's file, who runs the command as themselves. What is
//! coded inside is not touched here; that is decoded where a camera's pictures are.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use ffmpeg_next::codec::Id;
use ffmpeg_next::{Rational, media};

use crate::camera::packet::VideoCodec;
use crate::detect::file::FileError;
use crate::detect::foreign;
use crate::detect::looking::Unit;

const START: [u8; 4] = [0, 0, 0, 1];

/// An open file.
pub(super) struct Demuxer {
    input: ffmpeg_next::format::context::Input,
    track: usize,
    ticks: Rational,
    first_us: Option<i64>,
    last_us: i64,
    pub(super) codec: VideoCodec,
    /// With start codes; empty if they come only with the key frames.
    pub(super) sets: Bytes,
    /// Bytes of the length before each unit; `None` where there are start codes.
    length_size: Option<usize>,
}

impl Demuxer {
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        let name = || path.display().to_string();
        ffmpeg_next::log::set_level(ffmpeg_next::log::Level::Quiet);
        let input = ffmpeg_next::format::input(path).map_err(|source| FileError::Open { path: name(), source })?;
        let stream = input.streams().best(media::Type::Video).ok_or_else(|| FileError::NoPictures { path: name() })?;
        let parameters = stream.parameters();
        let codec = match parameters.id() {
            Id::H264 => VideoCodec::H264,
            Id::HEVC => VideoCodec::H265,
            Id::MJPEG => VideoCodec::Jpeg,
            other => return Err(FileError::Codec { path: name(), codec: format!("{other:?}") }),
        };
        let extradata = foreign::extradata(&parameters);
        let (sets, length_size) = match codec {
            VideoCodec::Jpeg => (Some(Bytes::new()), None),
            _ if extradata.first() != Some(&1) => (Some(Bytes::from(extradata)), None),
            VideoCodec::H264 => (avc_sets(&extradata), extradata.get(4).map(|byte| usize::from(byte & 3) + 1)),
            VideoCodec::H265 => (hevc_sets(&extradata), extradata.get(21).map(|byte| usize::from(byte & 3) + 1)),
        };
        let sets = sets.ok_or_else(|| FileError::Damaged { path: name() })?;
        let (track, ticks) = (stream.index(), stream.time_base());
        Ok(Self { track, ticks, first_us: None, last_us: 0, codec, sets, length_size, input })
    }

    /// As the file says, or else as long as its pictures went so far; in microseconds.
    pub(super) fn length_us(&self) -> i64 {
        let said = self.input.duration();
        if said > 0 { said } else { self.last_us }
    }

    /// The next picture in order of decoding, with its time from the file's first one on; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Option<Unit> {
        loop {
            // What libavformat cannot read on is as good as the end.
            let (stream, mut packet) = self.input.packets().next()?;
            if stream.index() != self.track {
                continue;
            }
            packet.rescale_ts(self.ticks, Rational(1, 1_000_000));
            let Some(pts_us) = packet.pts().or_else(|| packet.dts()) else { continue };
            let at_us = pts_us.saturating_sub(*self.first_us.get_or_insert(pts_us));
            self.last_us = at_us.saturating_add(packet.duration().max(0)).max(self.last_us);
            let coded = packet.data().unwrap_or_default();
            let sets: &[u8] = if packet.is_key() { &self.sets } else { &[] };
            let whole = match self.length_size {
                Some(length_size) => with_start_codes(sets, coded, length_size),
                None => Some([sets, coded].concat().into()),
            };
            // A unit whose lengths do not add up is still one that should have been there.
            let damaged = packet.is_corrupt() || whole.is_none();
            let data = whole.unwrap_or_else(|| Bytes::from_static(&START));
            return Some(Unit { at_us, is_key: packet.is_key(), damaged, data });
        }
    }
}

/// Puts start codes in the place of lengths.
fn with_start_codes(sets: &[u8], mut coded: &[u8], length_size: usize) -> Option<Bytes> {
    let mut out = BytesMut::with_capacity(sets.len() + coded.len() + 64);
    out.extend_from_slice(sets);
    while !coded.is_empty() {
        let length = coded.split_off(..length_size)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        out.extend_from_slice(&START);
        out.extend_from_slice(coded.split_off(..length)?);
    }
    Some(out.freeze())
}

/// The parameter sets in an `avcC` box (ISO/IEC 14496-15 § 5.3.3.1).
fn avc_sets(mut avcc: &[u8]) -> Option<Bytes> {
    let mut out = BytesMut::new();
    avcc.split_off(..5)?;
    for mask in [0x1f, 0xff] {
        for _ in 0..avcc.split_off_first()? & mask {
            put_set(&mut avcc, &mut out)?;
        }
    }
    Some(out.freeze())
}

/// The parameter sets in an `hvcC` box (ISO/IEC 14496-15 § 8.3.3.1).
fn hevc_sets(mut hvcc: &[u8]) -> Option<Bytes> {
    let mut out = BytesMut::new();
    hvcc.split_off(..22)?;
    for _ in 0..*hvcc.split_off_first()? {
        hvcc.split_off_first()?;
        for _ in 0..u16::from_be_bytes(*hvcc.split_off(..2)?.first_chunk()?) {
            put_set(&mut hvcc, &mut out)?;
        }
    }
    Some(out.freeze())
}

fn put_set(from: &mut &[u8], out: &mut BytesMut) -> Option<()> {
    let length = u16::from_be_bytes(*from.split_off(..2)?.first_chunk()?);
    out.extend_from_slice(&START);
    out.extend_from_slice(from.split_off(..usize::from(length))?);
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameter_sets_come_out_of_their_boxes() {
        let avcc = [1, 66, 0, 30, 0xff, 0xe1, 0, 2, 0x67, 9, 1, 0, 1, 0x68];
        assert_eq!(avc_sets(&avcc).as_deref(), Some(&[0, 0, 0, 1, 0x67, 9, 0, 0, 0, 1, 0x68][..]));
        let hvcc = [&[1_u8; 22][..], &[2, 32, 0, 1, 0, 1, 7, 33, 0, 1, 0, 2, 8, 9]].concat();
        assert_eq!(hevc_sets(&hvcc).as_deref(), Some(&[0, 0, 0, 1, 7, 0, 0, 0, 1, 8, 9][..]));
        assert_eq!(avc_sets(&avcc[..9]), None);
    }

    #[test]
    fn lengths_become_start_codes() {
        let coded = with_start_codes(b"S", &[0, 1, 5, 0, 2, 6, 7], 2);
        assert_eq!(coded.as_deref(), Some(&[b'S', 0, 0, 0, 1, 5, 0, 0, 0, 1, 6, 7][..]));
        assert_eq!(with_start_codes(b"", &[0, 9, 5], 2), None);
    }

    proptest! {
        #[test]
        fn hostile_boxes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), length_size in 1_usize..5) {
            let _ = (avc_sets(&bytes), hevc_sets(&bytes), with_start_codes(&[], &bytes, length_size));
        }
    }
}
