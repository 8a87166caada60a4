//! The words everything else is written in: ids, moments, lengths, secrets and the clock.
//!
//! Owns no state and does no I/O but reading the clock. Everything here is parsed at the border and cannot be mixed up
//! afterwards: a [`CameraId`] is not a string, a moment is not a length, a camera's ticks are not microseconds.

mod bytes;
mod clock;
mod id;
mod secret;
mod time;

pub use bytes::{ByteLen, ParseByteLenError};
pub use clock::{Clock, Monotonic, SimulatedClock};
pub use id::{CameraId, EventId, InstallationId, ParseIdError, SegmentId, UserId};
pub use secret::Secret;
pub use time::{MediaTicks, UtcMicros, UtcSpan};
