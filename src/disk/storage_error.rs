//! Why the storage folder is not used.

use std::io;
use std::path::PathBuf;

use crate::disk::marker;
use crate::units::InstallationId;

/// Why a storage folder is not used.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Not there, or not a folder.
    #[error("the storage folder {path} cannot be opened: {source}; is its disk mounted?")]
    Missing {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There, but closed to us.
    #[error("the storage folder {path} cannot be written: {source}; give it to the user that runs hearthwatch")]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Footage without its marker, or a marker that is needed and not there.
    #[error(
        "the storage folder {path} has no file {}, so it may be the wrong folder or a disk that is not mounted: mount the \
         disk, or put the file back from a copy",
        marker::NAME
    )]
    MarkerLost {
        /// The folder.
        path: PathBuf,
    },
    /// A marker without an id.
    #[error("the file {} in {path} does not name one installation: put it back from a copy", marker::NAME)]
    MarkerDamaged {
        /// The folder.
        path: PathBuf,
    },
    /// The marker of another installation.
    #[error(
        "the storage folder {path} is of the installation {found}, and {expected} was recorded there before: mount the right \
         disk"
    )]
    Another {
        /// The folder.
        path: PathBuf,
        /// What its marker says.
        found: InstallationId,
        /// What it should say.
        expected: InstallationId,
    },
    /// Another daemon has it.
    #[error("another hearthwatch writes to the storage folder {path}: stop it first, or give this one its own folder")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// Anything else.
    #[error("the storage folder {path} cannot be used: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
