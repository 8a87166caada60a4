//! Whether the disk with the footage is still there.
//!
//! Footage and index are written through handles on the folder that was opened, so what lies at its path after the disk is gone
//! (an empty mount point) never gets a byte. It is only looked at here.

use std::io::{self, Write as _};

use crate::disk::folder::Folder;
use crate::disk::footage::Footage;

/// Written, synced and removed, to see whether the disk takes anything.
const PROBE: &str = "hearthwatch-probe";

/// Why the storage folder can't be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum Gone {
    /// Its path leads elsewhere or nowhere by now.
    #[error("the disk for the footage is not at {0} any more")]
    Elsewhere(String),
    /// It is there and takes nothing.
    #[error("the disk for the footage takes no writes any more: {0}")]
    Dead(#[source] io::Error),
}

impl Footage {
    /// Whether the path still leads to the folder that was opened, with its marker in it. Blocking; writes nothing.
    pub fn is_at_its_path(&self) -> Result<(), Gone> {
        let there = Folder::open(self.path()).and_then(|folder| self.is_marked(&folder));
        match there {
            Ok(true) => Ok(()),
            // Too many open files, say: that tells nothing of the disk.
            Err(error) if is_of_the_process(&error) => Ok(()),
            Ok(false) | Err(_) => Err(Gone::Elsewhere(self.path().display().to_string())),
        }
    }

    /// Whether the disk takes writes: one byte, synced, removed. A full disk does. Blocking.
    pub fn answers(&self) -> Result<(), Gone> {
        match self.takes_writes() {
            Err(error) if !is_of_the_process(&error) => Err(Gone::Dead(error)),
            _ => Ok(()),
        }
    }

    pub(super) fn takes_writes(&self) -> io::Result<()> {
        match self.write_probe() {
            Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => Ok(()),
            done => done,
        }
    }

    fn write_probe(&self) -> io::Result<()> {
        let folder = self.folder();
        folder.remove(PROBE)?;
        let mut file = folder.create(PROBE)?;
        let written = file.write_all(&[0]).and_then(|()| file.sync_all());
        // Removed whatever came of it; what counts is the first error.
        let removed = folder.remove(PROBE);
        written.and(removed)
    }
}

fn is_of_the_process(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let code = error.raw_os_error();
    [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::INTR].into_iter().any(|errno| code == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::InstallationId;

    #[test]
    fn a_folder_that_was_exchanged_is_noticed_and_one_that_came_back_is_fine() {
        let parent = tempfile::tempdir().expect("a folder");
        let (path, away) = (parent.path().join("storage"), parent.path().join("away"));
        let footage = Footage::open(&path, InstallationId::from_random([1; 16])).expect("made");
        assert!(footage.is_at_its_path().is_ok() && footage.answers().is_ok());
        assert!(!path.join(PROBE).exists());
        std::fs::rename(&path, &away).expect("renamed");
        assert!(matches!(footage.is_at_its_path(), Err(Gone::Elsewhere(_))), "nothing there");
        std::fs::create_dir(&path).expect("made");
        assert!(matches!(footage.is_at_its_path(), Err(Gone::Elsewhere(_))), "an empty mount point");
        std::fs::remove_dir(&path).expect("removed");
        std::fs::rename(&away, &path).expect("renamed");
        assert!(footage.is_at_its_path().is_ok());
        std::fs::remove_file(path.join("hearthwatch-storage")).expect("removed");
        assert!(matches!(footage.is_at_its_path(), Err(Gone::Elsewhere(_))), "no marker");
    }
}
