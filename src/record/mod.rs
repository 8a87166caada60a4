//! From packets to files: where a segment ends, fragmented MP4, the recording task.

pub mod fmp4;
mod provenance;
pub mod reader;
pub mod segment;
