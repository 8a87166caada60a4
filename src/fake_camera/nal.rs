//! NAL units of H.264 and H.265: splitting a byte stream, telling kinds apart. Pure.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

/// How pictures are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// H.264 / AVC.
    H264,
    /// H.265 / HEVC.
    H265,
}

/// A text that names no codec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a codec is h264 or h265, not {0:?}")]
pub struct ParseCodecError(String);

impl FromStr for Codec {
    type Err = ParseCodecError;

    fn from_str(text: &str) -> Result<Self, ParseCodecError> {
        match text {
            "h264" => Ok(Self::H264),
            "h265" => Ok(Self::H265),
            other => Err(ParseCodecError(other.to_owned())),
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
        })
    }
}

/// What a NAL unit is, as far as a sender cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// H.265 only.
    VideoParameters,
    SequenceParameters,
    PictureParameters,
    /// A slice of a picture at which decoding can begin.
    KeySlice,
    Other,
}

impl Codec {
    /// The kind of one NAL unit; an empty one is [`Kind::Other`].
    pub(crate) fn kind(self, nal: &[u8]) -> Kind {
        let Some(first) = nal.first() else { return Kind::Other };
        match (self, first & 0x1f, first >> 1 & 0x3f) {
            (Self::H264, 7, _) | (Self::H265, _, 33) => Kind::SequenceParameters,
            (Self::H264, 8, _) | (Self::H265, _, 34) => Kind::PictureParameters,
            (Self::H265, _, 32) => Kind::VideoParameters,
            (Self::H264, 5, _) | (Self::H265, _, 16..=23) => Kind::KeySlice,
            _ => Kind::Other,
        }
    }
}

/// The parameter sets of a stream, one of each kind, without start codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParameterSets {
    pub(crate) codec: Codec,
    /// Empty for H.264.
    pub(crate) video: Bytes,
    pub(crate) sequence: Bytes,
    pub(crate) picture: Bytes,
}

impl ParameterSets {
    /// Those found among the NAL units; `None` unless every kind that the codec needs is there.
    pub(crate) fn found_in(codec: Codec, nals: &[Bytes]) -> Option<Self> {
        let first = |kind| nals.iter().find(|nal| codec.kind(nal) == kind).cloned();
        Some(Self {
            codec,
            video: match codec {
                Codec::H264 => Bytes::new(),
                Codec::H265 => first(Kind::VideoParameters)?,
            },
            sequence: first(Kind::SequenceParameters).filter(|nal| nal.len() >= 4)?,
            picture: first(Kind::PictureParameters)?,
        })
    }

    /// In the order in which they are sent.
    pub(crate) fn nals(&self) -> Vec<Bytes> {
        let mut nals = vec![self.video.clone(), self.sequence.clone(), self.picture.clone()];
        nals.retain(|nal| !nal.is_empty());
        nals
    }
}

/// One picture as it is sent: everything that shares a timestamp, in decode order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessUnit {
    /// Without start codes, none of them empty.
    pub(crate) nals: Vec<Bytes>,
    pub(crate) is_key: bool,
    /// Presentation time in 90 kHz ticks of the stream's media clock.
    pub(crate) pts: i64,
}

impl AccessUnit {
    /// Takes one picture's NAL units; sets `is_key` from them.
    pub(crate) fn new(codec: Codec, nals: Vec<Bytes>, pts: i64) -> Self {
        let is_key = nals.iter().any(|nal| codec.kind(nal) == Kind::KeySlice);
        Self { nals, is_key, pts }
    }
}

/// The NAL units of a byte stream (H.264 annex B), without start codes and trailing zeros.
pub(crate) fn split_annex_b(stream: &Bytes) -> Vec<Bytes> {
    let mut nals = Vec::new();
    let mut begin = None;
    let mut at = 0;
    while at < stream.len() {
        if stream[at..].starts_with(&[0, 0, 1]) {
            push_trimmed(&mut nals, stream, begin, at);
            at += 3;
            begin = Some(at);
        } else {
            at += 1;
        }
    }
    push_trimmed(&mut nals, stream, begin, stream.len());
    nals
}

fn push_trimmed(nals: &mut Vec<Bytes>, stream: &Bytes, begin: Option<usize>, end: usize) {
    let Some(begin) = begin else { return };
    let trimmed = stream[begin..end].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if trimmed > 0 {
        nals.push(stream.slice(begin..begin + trimmed));
    }
}

/// The NAL units of an MP4 sample, each behind its length in `length_size` bytes (1 to 4); a torn last one is left out.
pub(crate) fn split_lengths(sample: &Bytes, length_size: usize) -> Vec<Bytes> {
    let mut nals = Vec::new();
    let mut rest = sample.clone();
    while rest.len() > length_size {
        let length = rest.split_to(length_size).iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
        if length > rest.len() {
            break;
        }
        let nal = rest.split_to(length);
        if !nal.is_empty() {
            nals.push(nal);
        }
    }
    nals
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kinds_are_told_apart_by_codec() {
        assert_eq!(Codec::H264.kind(&[0x67]), Kind::SequenceParameters);
        assert_eq!(Codec::H264.kind(&[0x65]), Kind::KeySlice);
        assert_eq!(Codec::H265.kind(&[0x40, 1]), Kind::VideoParameters);
        assert_eq!(Codec::H265.kind(&[19 << 1, 1]), Kind::KeySlice);
        assert_eq!(Codec::H265.kind(&[]), Kind::Other);
    }

    #[test]
    fn parameter_sets_are_whole_or_none() {
        let sps = Bytes::from_static(&[0x67, 1, 2, 3]);
        let pps = Bytes::from_static(&[0x68, 1]);
        assert_eq!(ParameterSets::found_in(Codec::H264, std::slice::from_ref(&sps)), None);
        let sets = ParameterSets::found_in(Codec::H264, &[sps.clone(), pps.clone()]).expect("both");
        assert_eq!(sets.nals(), vec![sps, pps]);
    }

    proptest! {
        #[test]
        fn a_byte_stream_splits_into_what_was_joined(
            bodies in prop::collection::vec(prop::collection::vec(1_u8..=255, 1..40), 0..6),
            long in any::<bool>(),
        ) {
            let mut stream = Vec::new();
            for body in &bodies {
                stream.extend_from_slice(if long { &[0, 0, 0, 1] } else { &[0, 0, 1] });
                stream.extend_from_slice(body);
            }
            let split = split_annex_b(&Bytes::from(stream));
            prop_assert_eq!(split.iter().map(|nal| nal.to_vec()).collect::<Vec<_>>(), bodies);
        }

        #[test]
        fn any_bytes_split_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), size in 1_usize..=4) {
            let bytes = Bytes::from(bytes);
            for nal in split_annex_b(&bytes).into_iter().chain(split_lengths(&bytes, size)) {
                prop_assert!(!nal.is_empty());
            }
        }
    }
}
