//! Everything that yields pictures or sound: recordings, clips, HLS, thumbnails, live.
//!
//! Every public function that hands out a picture takes the gate's proof, and every file opened for one must itself say that
//! it belongs to the proof's camera. Owns no file and no task; holds in memory only the last groups of pictures of each live
//! stream. Never transcodes, and never decides who may see what.

mod assembly;
pub mod clip;
pub mod event_picture;
pub mod hls;
pub mod live;
pub mod previews;
pub mod range;
pub mod recordings;
pub mod samples;
mod source;

use std::io;
use std::path::PathBuf;

pub use crate::media::assembly::Assembly;
pub use crate::media::source::Recording;

use crate::access::{Denied, Right, Viewable};
use crate::index;
use crate::record::reader;
use crate::units::UtcMicros;

/// Why there are no pictures.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// Answer as the gate would.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The caller asked the gate for another right than the one this takes: a mistake in this program. 404.
    #[error("the proof is of the right {0:?}, which does not do for this")]
    WrongRight(Right),
    /// Nothing was recorded then. 404.
    #[error("nothing was recorded in that time")]
    Nothing,
    /// The file was removed meanwhile, as retention does. 404.
    #[error("that footage is not there any more")]
    Gone,
    /// The file says that it belongs to another camera, or does not say. Logged where it was found; 404.
    #[error("that footage is not this camera's")]
    WrongCamera,
    /// The file is no segment. 500.
    #[error("could not read {path}: {source}", path = path.display())]
    Unreadable {
        /// Relative to the storage folder.
        path: PathBuf,
        /// Why.
        source: reader::ReadError,
    },
    /// The disk refused. 500.
    #[error("could not open {path}: {source}", path = path.display())]
    Io {
        /// Relative to the storage folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database could not be asked. 503.
    #[error(transparent)]
    Index(#[from] index::ReadError),
    /// The answer itself broke; its words are in the log. 500.
    #[error("putting the footage together broke off")]
    Broken,
    /// More than one answer can hold; says what it can. 400.
    #[error("{0}")]
    TooLong(&'static str),
    /// The camera's settings were changed within the clip in a way that one track cannot follow. 400.
    #[error("the camera's {what} changed at {at}; ask for a clip before or after that")]
    CodingChanged {
        /// Of what: `video codec`, `audio codec`, …
        what: &'static str,
        /// When.
        at: UtcMicros,
    },
}

impl MediaError {
    /// Whether the answer is 404, the same as for what does not exist.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Denied(denied) => *denied == Denied::NotYours,
            Self::WrongRight(_) | Self::Nothing | Self::Gone | Self::WrongCamera => true,
            Self::Unreadable { .. }
            | Self::Io { .. }
            | Self::Index(_)
            | Self::Broken
            | Self::TooLong(_)
            | Self::CodingChanged { .. } => false,
        }
    }
}

/// Each function takes proofs of certain rights only.
fn needs<T>(proof: &Viewable<T>, rights: &[Right]) -> Result<(), MediaError> {
    if rights.contains(&proof.right()) {
        return Ok(());
    }
    tracing::error!(camera = proof.camera().as_str(), right = ?proof.right(), "footage was asked for with another right");
    Err(MediaError::WrongRight(proof.right()))
}

#[cfg(test)]
mod testing;
