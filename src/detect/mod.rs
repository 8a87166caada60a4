//! From packets to events: the decoder process, the background model, the trigger.

pub mod event;
