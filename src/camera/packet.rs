//! What a camera session yields: access units in decode order, each with what a decoder needs to know.

use std::sync::Arc;

use bytes::Bytes;

use crate::units::{MediaTicks, Monotonic, UtcMicros};

/// How a video track is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// H.264 / AVC.
    H264,
    /// H.265 / HEVC.
    H265,
    /// Motion JPEG: each picture a whole JPEG, its own key frame. It is watched for motion, but no browser plays it.
    Jpeg,
}

/// What must be known to decode or to file a video track. Equal parameters mean: the same init segment serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoParameters {
    /// How it is coded.
    pub codec: VideoCodec,
    /// For `codecs=` in a MIME type (RFC 6381), as `avc1.4d401f`.
    pub rfc6381: String,
    /// Picture width in pixels, after cropping.
    pub width: u32,
    /// Picture height in pixels, after cropping.
    pub height: u32,
    /// A whole ISO BMFF sample entry box (`avc1`, `hvc1`), header included.
    pub sample_entry: Bytes,
    /// The parameter sets (VPS, SPS, PPS) in Annex B form, each behind a four-byte start code; none with JPEG.
    pub parameter_sets: Bytes,
}

/// What must be known to decode or to file an audio track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioParameters {
    /// For `codecs=` in a MIME type (RFC 6381), as `mp4a.40.2`.
    pub rfc6381: String,
    /// Samples a second, and the rate of the track's [`MediaTicks`].
    pub sample_rate: u32,
    /// Samples in each packet.
    pub packet_samples: u32,
    /// A whole ISO BMFF sample entry box (`mp4a`, `fLaC`), header included. Tracks that have none are not recorded.
    pub sample_entry: Bytes,
}

/// All tracks of one stream, as they are from some packet on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamParameters {
    /// Every stream has pictures.
    pub video: VideoParameters,
    /// Sound, if the camera sends any that can be filed and the owner wants it.
    pub audio: Option<AudioParameters>,
}

/// Which track of its stream a packet belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Track {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// One access unit, in decode order.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Valid for this packet; the same `Arc` as the packet before unless something changed.
    pub parameters: Arc<StreamParameters>,
    /// Counts connections of this stream; `pts` of different sessions do not compare.
    pub session: u64,
    /// Pictures or sound.
    pub track: Track,
    /// Presentation time on the track's own clock, zero near the session's start; not monotonic where there are B-frames.
    pub pts: MediaTicks,
    /// When its last byte arrived, by the clock on the wall.
    pub received: UtcMicros,
    /// The same moment by the clock that never steps.
    pub received_monotonic: Monotonic,
    /// Whether decoding can begin here (H.264 IDR, H.265 IRAP); always true for sound.
    pub is_key: bool,
    /// RTP packets known to be lost since the previous packet of this track: this picture may be damaged if it is not 0.
    pub lost_before: u32,
    /// MP4 form: for video each NAL unit behind its length in four bytes, parameter sets left out or in, as the camera sent; or
    /// one JPEG.
    pub data: Bytes,
}

/// What a session hands on, in order.
#[derive(Debug, Clone)]
pub enum Delivery {
    /// An access unit.
    Packet(Packet),
    /// None comes: the session failed, or an attempt to begin one. Told each time, until packets come again.
    Absent(Absent),
    /// What the camera itself says of motion, beside its pictures.
    CameraMotion(CameraMotion),
}

/// What a camera itself says of motion begins or ends. In each session begins and ends of a kind alternate, and what began ends
/// with the session at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CameraMotion {
    /// What it is about.
    pub what: Heard,
    /// Whether it begins or ends.
    pub turn: Turn,
    /// When it arrived, by the clock on the wall; never the camera's own word on the time.
    pub at: UtcMicros,
}

/// What is heard of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Heard {
    /// It is listened to: it has a track on which it would say when something moves.
    Track,
    /// It says that something moves.
    Motion,
}

/// A begin or an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Turn {
    /// From then on.
    Begins,
    /// Until then.
    Ends,
}

/// That nothing comes from a camera, and since when that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absent {
    /// Why.
    pub why: Absence,
    /// When it was noticed, by the clock on the wall.
    pub noticed: UtcMicros,
    /// The same moment by the clock that never steps.
    pub noticed_monotonic: Monotonic,
}

/// Why nothing comes from a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Absence {
    /// It is not there, takes no connection, or ended it.
    Unreachable,
    /// The connection stood, but no picture came.
    Stalled,
    /// It will not let us in.
    WrongPassword,
    /// What it sends or says is of no use.
    BadStream,
    /// What answers is not that camera.
    Refused,
}
