//! From packets to files: where a segment ends, fragmented MP4, the recording task.

pub mod cutter;
pub mod fmp4;
pub mod fragmenter;
mod provenance;
pub mod reader;
pub mod segment;
#[cfg(test)]
mod testing;
pub mod timeline;
