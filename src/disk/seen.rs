//! Which storage folders were recorded into before, noted outside of them.
//!
//! A disk that is not mounted leaves an empty folder, and so does a machine on which nothing was ever recorded. Nothing within
//! the folder can tell the two apart, the index least of all, for it lies there too; so a note is kept beside the configuration
//! file, the one place that the recorder is certain to be given and that names the folder. A look into `fstab` was weighed and
//! left: it knows nothing of disks that a desktop or a unit of systemd mounts.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::config::replace_file;
use crate::units::InstallationId;

/// More than any note has.
const MAX_LEN: u64 = 64 << 10;
const EXPLANATION: &str = "# Storage folders that this recorder has recorded into, and the installation in each one's marker file. A folder that is\n\
    # listed here and has not that marker is taken for a disk that is not mounted. If you exchanged a disk on purpose, remove\n\
    # its line.\n";

/// The note.
#[derive(Debug, Clone)]
pub struct Seen(PathBuf);

impl Seen {
    /// The note that belongs to the configuration in that file: `config.toml.storage` beside `config.toml`.
    pub fn beside(config: &Path) -> Self {
        let mut name = config.as_os_str().to_owned();
        name.push(".storage");
        Self(name.into())
    }

    /// Where it is, for messages.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The installation that was recorded into that folder before; `None` if none was, or if the note was never made.
    pub fn installation(&self, storage: &Path) -> io::Result<Option<InstallationId>> {
        Ok(lines(&self.read()?).find(|(_, path)| *path == storage).map(|(id, _)| id))
    }

    /// Notes it. Writes only what is new.
    pub fn note(&self, storage: &Path, installation: InstallationId) -> io::Result<()> {
        let text = self.read()?;
        if lines(&text).any(|line| line == (installation, storage)) {
            return Ok(());
        }
        let Some(named) = storage.to_str().filter(|path| !path.contains('\n')) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the storage folder's name is not one line of text",
            ));
        };
        let mut new = EXPLANATION.to_owned();
        let others = lines(&text).filter(|(_, path)| *path != storage);
        new.extend(others.map(|(id, path)| format!("{id} {}\n", path.display())));
        new.extend([format!("{installation} {named}\n")]);
        replace_file(&self.0, &new)
    }

    fn read(&self) -> io::Result<String> {
        let opened = rustix::fs::open(&self.0, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let file = match opened {
            Err(rustix::io::Errno::NOENT) => return Ok(String::new()),
            opened => std::fs::File::from(opened?),
        };
        let mut text = String::new();
        file.take(MAX_LEN).read_to_string(&mut text)?;
        Ok(text)
    }
}

fn lines(text: &str) -> impl Iterator<Item = (InstallationId, &Path)> {
    text.lines().filter_map(|line| {
        let (id, path) = line.split_once(' ')?;
        Some((id.parse().ok()?, Path::new(path)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_into_is_known_again_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let seen = Seen::beside(&folder.path().join("config.toml"));
        let (one, two) = (InstallationId::from_random([1; 16]), InstallationId::from_random([2; 16]));
        let (disk, usb) = (Path::new("/mnt/disk"), Path::new("/media/my disk"));
        assert_eq!(seen.installation(disk).expect("reads"), None);
        seen.note(disk, one).expect("written");
        seen.note(usb, two).expect("written");
        assert_eq!(seen.installation(usb).expect("reads"), Some(two));
        seen.note(disk, two).expect("written");
        seen.note(disk, two).expect("nothing to do");
        assert_eq!(seen.installation(Path::new("/mnt/disk/")).expect("reads"), Some(two), "the same folder");
        assert_eq!(seen.installation(Path::new("/mnt")).expect("reads"), None);
        let text = seen.read().expect("reads");
        assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 2, "{text}");
    }
}
