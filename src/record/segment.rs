//! What recording hands on: segments, open and closed.

use std::path::PathBuf;

use crate::access::OfCamera;
use crate::camera::packet::Absence;
use crate::units::{ByteLen, CameraId, SegmentId, UtcSpan};

/// A segment whose file is complete, synced, renamed, and its folder synced: the only thing that may become a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedSegment {
    /// Random; written into the file.
    pub id: SegmentId,
    /// Whose pictures these are; written into the file.
    pub camera: CameraId,
    /// Wall-clock span of its pictures. Gapless recording: the next segment starts at this one's end.
    pub span: UtcSpan,
    /// Relative to the storage folder: `footage/<camera>/<day>/<time>Z.mp4`.
    pub path: PathBuf,
    /// The file's size.
    pub size: ByteLen,
    /// Pictures in it.
    pub pictures: u32,
    /// RFC 6381 codecs, comma separated, as `avc1.4d401f,mp4a.40.2`.
    pub codecs: String,
    /// Picture width in pixels.
    pub width: u32,
    /// Picture height in pixels.
    pub height: u32,
}

impl OfCamera for ClosedSegment {
    fn camera(&self) -> &CameraId {
        &self.camera
    }
}

/// The segment that is being written: readable up to `synced` bytes, at a fragment's border.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSegment {
    /// The id that the closed segment will have.
    pub id: SegmentId,
    /// Whose pictures these are.
    pub camera: CameraId,
    /// Wall-clock span of the pictures within `synced`.
    pub span: UtcSpan,
    /// Relative to the storage folder; ends in `.part`.
    pub path: PathBuf,
    /// Bytes on disk that end at a fragment's border.
    pub synced: ByteLen,
    /// RFC 6381 codecs.
    pub codecs: String,
    /// Picture width in pixels.
    pub width: u32,
    /// Picture height in pixels.
    pub height: u32,
}

impl OfCamera for OpenSegment {
    fn camera(&self) -> &CameraId {
        &self.camera
    }
}

/// Time that should have been recorded and was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Whose pictures are missing.
    pub camera: CameraId,
    /// From when to when.
    pub span: UtcSpan,
    /// Why.
    pub cause: GapCause,
}

/// Why time is missing. Each has one fixed name in the database, the API and the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GapCause {
    /// The camera could not be reached, or ended the connection.
    CameraUnreachable,
    /// Whatever answered at the camera's address was not that camera.
    CameraRefused,
    /// The camera refused the name or the password.
    WrongPassword,
    /// The camera sent what cannot be recorded.
    BadStream,
    /// The connection stood but no picture came.
    CameraStalled,
    /// RTP packets were lost, so pictures up to the next key frame were of no use.
    PacketLoss,
    /// The disk took no writes in time.
    DiskSlow,
    /// The disk was full.
    DiskFull,
    /// The disk refused a write.
    DiskError,
    /// The disk for the footage was not there.
    StorageMissing,
    /// The recorder itself was not running.
    Restart,
    /// The machine went down without warning.
    PowerCut,
    /// Somebody of the household paused the camera.
    Paused,
}

impl GapCause {
    /// Every cause.
    pub const ALL: [Self; 13] = [
        Self::CameraUnreachable,
        Self::CameraRefused,
        Self::WrongPassword,
        Self::BadStream,
        Self::CameraStalled,
        Self::PacketLoss,
        Self::DiskSlow,
        Self::DiskFull,
        Self::DiskError,
        Self::StorageMissing,
        Self::Restart,
        Self::PowerCut,
        Self::Paused,
    ];

    /// The fixed name, as `camera_unreachable`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CameraUnreachable => "camera_unreachable",
            Self::CameraRefused => "camera_refused",
            Self::WrongPassword => "wrong_password",
            Self::BadStream => "bad_stream",
            Self::CameraStalled => "camera_stalled",
            Self::PacketLoss => "packet_loss",
            Self::DiskSlow => "disk_slow",
            Self::DiskFull => "disk_full",
            Self::DiskError => "disk_error",
            Self::StorageMissing => "storage_missing",
            Self::Restart => "restart",
            Self::PowerCut => "power_cut",
            Self::Paused => "paused",
        }
    }

    /// The cause of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.name() == name)
    }
}

impl From<Absence> for GapCause {
    fn from(why: Absence) -> Self {
        match why {
            Absence::Unreachable => Self::CameraUnreachable,
            Absence::Stalled => Self::CameraStalled,
            Absence::WrongPassword => Self::WrongPassword,
            Absence::BadStream => Self::BadStream,
            Absence::Refused => Self::CameraRefused,
        }
    }
}

/// What the recording task tells the index, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// A file is complete.
    Segment(ClosedSegment),
    /// Time was lost.
    Gap(Gap),
    /// What was told before lies elsewhere in time.
    ClockSet(ClockSet),
}

/// The clock was set while a camera was recorded. The newer setting is believed, and lengths were never wrong, so what this
/// life of the recorder has told is put right by moving it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockSet {
    /// Whose footage and gaps.
    pub camera: CameraId,
    /// From this program's start to the end of the account, by the clock as it was.
    pub span: UtcSpan,
    /// By how much it is moved, in µs; negative: back.
    pub by_us: i64,
}
