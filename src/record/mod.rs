//! From packets to files: where a segment ends, fragmented MP4, the recording task.
//!
//! Owns the files that are being written and nothing else: knows no database, no decoder and no viewer, and waits for none of
//! them. [`cutter`], [`timeline`], [`fragmenter`], [`missing`] and [`fmp4`] decide and are pure; [`task`] does. Closed files are
//! touched by [`moved`] alone, when the clock turns out to have been wrong.

mod codecs;
pub mod cutter;
pub mod fmp4;
pub mod fragmenter;
pub mod missing;
pub mod moved;
pub mod open;
pub mod previews;
mod provenance;
pub mod queue;
pub mod reader;
mod recording;
pub mod recover;
pub mod segment;
pub mod task;
#[cfg(test)]
pub(crate) mod testing;
pub mod timeline;

pub use open::OpenSegments;
