//! Cameras: finding them, talking to them, and the packets they send.
//!
//! Whatever a camera or the network says is checked here; what leaves this module is bounded and plain.

pub mod discovery;
pub mod identity;
pub mod onvif;
pub mod packet;
pub mod session;
mod sound;
pub mod status;
