//! From packets to events: the decoder process, the background model, the trigger.
//!
//! libavcodec runs in a child process per camera ([`child`]), which can do nothing but decode ([`sandbox`]). The daemon's
//! side ([`task`]) feeds it over a bounded pipe and restarts it when it dies. Grids of block means come back; what they
//! mean is decided here, in pure Rust ([`model`], [`trigger`]). Recording never waits for any of this.

pub mod annex_b;
mod backlog;
pub mod child;
pub mod counters;
pub(crate) mod decoder;
mod demux;
pub mod event;
mod explain;
pub mod file;
mod foreign;
pub mod grid;
mod held;
mod jpeg;
pub mod load;
pub mod looking;
pub mod model;
mod preview;
mod process;
pub mod protocol;
pub mod replay;
mod running;
pub mod sandbox;
mod saved;
pub mod sps;
pub mod task;
mod thrift;
mod timeline;
pub mod trial;
pub mod trigger;
mod watcher;
pub mod why;
