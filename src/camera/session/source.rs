//! Where a session's pictures come from: behind traits, so that the session is tested without a network.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;

use crate::camera::onvif::Said;
use crate::camera::packet::{StreamParameters, Track};
use crate::camera::session::error::{CameraError, Trouble};
use crate::units::MediaTicks;

/// A camera that can be asked for its stream, again and again.
pub(crate) trait Source: Send {
    /// What it plays.
    type Frames: Frames;

    /// Asks who is there, without telling who we are. May be cancelled.
    fn ask(&mut self) -> impl Future<Output = Result<(), CameraError>> + Send;

    /// Sets the stream up and starts it. May be cancelled.
    fn play(&mut self) -> impl Future<Output = Result<Self::Frames, CameraError>> + Send;
}

/// A stream that plays.
pub(crate) trait Frames: Send {
    /// What comes next; access units in decode order. May be cancelled without losing one. Not called again after
    /// [`Trouble::Lost`].
    fn next(&mut self) -> impl Future<Output = Result<Item, Trouble>> + Send;

    /// Whether the camera would say when something moves.
    fn tells_motion(&self) -> bool {
        false
    }

    /// Takes leave of the camera, within a bound of its own.
    fn end(self) -> impl Future<Output = ()> + Send;
}

/// What comes of a stream.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// An access unit.
    Frame(Frame),
    /// What the camera itself says of motion.
    Said(Vec<Said>),
    /// Some of what it said was lost on the way: what it said before may be true no more.
    Misheard,
}

/// One access unit as it came; [`crate::camera::packet::Packet`] without what only the session knows.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// Pictures or sound.
    pub(crate) track: Track,
    /// What the stream is, from this unit on; `None` while the camera has not said.
    pub(crate) parameters: Option<Arc<StreamParameters>>,
    /// On the track's own clock.
    pub(crate) pts: MediaTicks,
    /// Whether decoding can begin here.
    pub(crate) is_key: bool,
    /// RTP packets lost before it.
    pub(crate) lost: u32,
    /// In MP4 form.
    pub(crate) data: Bytes,
}
