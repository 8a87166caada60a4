//! What detection hands on.

use bytes::Bytes;

use crate::detect::why::Why;
use crate::units::{CameraId, EventId, UtcMicros};

/// A motion event as it is known now. Sent when it begins, when its peak or zones change, and when it ends; the newest
/// one with the same id replaces those before.
#[derive(Debug, Clone, PartialEq)]
pub struct MotionEvent {
    /// Random.
    pub id: EventId,
    /// Where it was seen.
    pub camera: CameraId,
    /// The first look at what moved.
    pub start: UtcMicros,
    /// The last look at what moved; `None` while it goes on.
    pub end: Option<UtcMicros>,
    /// The largest part of the picture that moved at once, 0 to 1.
    pub peak: f32,
    /// Names of the zones it touched, sorted.
    pub zones: Vec<String>,
    /// Why it is one; `None` if that is not known.
    pub why: Option<Why>,
    /// A JPEG made from the decoded picture at the peak so far, if it is better than the one sent before.
    pub thumbnail: Option<Bytes>,
    /// A JPEG of a few small pictures of its course, one below the other; comes after the end, if at all.
    pub preview: Option<Bytes>,
}
