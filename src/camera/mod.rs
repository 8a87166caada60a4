//! Cameras: finding them, talking to them, and the packets they send.

pub mod packet;
pub mod status;
