//! From packets to events: the decoder process, the background model, the trigger.

pub(crate) mod decoder;
pub mod event;
pub mod file;
pub mod grid;
pub mod model;
pub mod sps;
pub mod trigger;
