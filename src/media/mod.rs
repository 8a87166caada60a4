//! Everything that yields pictures or sound: recordings, clips, HLS, thumbnails, live.
//!
//! Every public function that hands out a picture takes the gate's proof, and every file opened for one must itself say that
//! it belongs to the proof's camera. Owns no file and no task; holds in memory only the last groups of pictures of each live
//! stream. Never transcodes, and never decides who may see what.

pub mod live;
pub mod range;

#[cfg(test)]
mod testing;
