//! A folder of pictures that somebody asked for, anywhere they may write.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Made if it was not there; files of the same name are replaced.
#[derive(Debug)]
pub struct Gallery(PathBuf);

impl Gallery {
    /// Makes the folder, and those above it.
    pub fn open(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        Ok(Self(path.to_owned()))
    }

    /// Writes a file. `name` is one of ours, without a folder in it.
    pub fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        File::create(self.0.join(name))?.write_all(content)
    }
}
