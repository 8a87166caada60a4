//! The small pictures beside each closed segment, `previews/<camera>/<day>/<time>Z.pictures`: as many folders and names as the
//! footage has, so that they go with it, file by file. What is in a file says itself whose it is; here it is only bytes.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::disk::{Footage, StorageError, layout};

const SUFFIX: &str = ".pictures";

/// The folders and the name for a segment's pictures; `None` for a path that is no closed segment's.
fn place(segment: &Path) -> Option<(PathBuf, String, String)> {
    let (camera, day, name) = layout::parse_footage(segment)?;
    let stem = name.strip_suffix(layout::SEGMENT_SUFFIX)?;
    Some((Path::new(layout::PREVIEWS).join(camera.as_str()), day.to_owned(), format!("{stem}{SUFFIX}")))
}

fn checked(segment: &Path) -> io::Result<(PathBuf, String, String)> {
    let no_segment =
        || io::Error::new(io::ErrorKind::InvalidInput, format!("{} is not a closed segment", segment.display()));
    place(segment).ok_or_else(no_segment)
}

impl Footage {
    /// Keeps the pictures of a closed segment; replaces those before. Syncs nothing: the kernel writes them when it likes, and
    /// what a power cut takes was only ever a help.
    pub fn write_previews(&self, segment: &Path, content: &[u8]) -> io::Result<()> {
        let (of_camera, day, name) = checked(segment)?;
        if !self.is_marked(self.folder())? {
            return Err(io::Error::other(StorageError::MarkerLost { path: self.path().to_owned() }));
        }
        let folder = self.folder().make(&of_camera.join(day), &mut Vec::new())?;
        folder.remove(&name)?;
        folder.create(&name)?.write_all(content)
    }

    /// The pictures of a closed segment, to read.
    pub fn open_previews(&self, segment: &Path) -> io::Result<File> {
        let (of_camera, day, name) = checked(segment)?;
        self.open_file(&of_camera.join(day).join(name))
    }

    /// Removes the pictures of a segment; those that are not there are as good as removed. The day's folder goes with its last
    /// file.
    pub fn remove_previews(&self, segment: &Path) -> io::Result<()> {
        let (of_camera, day, name) = checked(segment)?;
        let removed = self.folder().folder(&of_camera).and_then(|of_camera| {
            of_camera.folder(Path::new(&day))?.remove(&name)?;
            of_camera.remove_if_empty(&day).map(drop)
        });
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// A segment got another name: its pictures get it too, in place of any that were there.
    pub fn rename_previews(&self, from: &Path, to: &Path) -> io::Result<()> {
        if from == to {
            return Ok(());
        }
        let mut content = Vec::new();
        match self.open_previews(from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => io::Read::read_to_end(&mut opened?, &mut content)?,
        };
        self.write_previews(to, &content)?;
        self.remove_previews(from)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::units::InstallationId;

    fn storage() -> (tempfile::TempDir, Footage) {
        let folder = tempfile::tempdir().expect("a folder");
        let footage = Footage::open(folder.path(), InstallationId::from_random([1; 16])).expect("opened");
        (folder, footage)
    }

    #[test]
    fn pictures_lie_beside_their_segment_move_with_it_and_go_with_it() {
        let (folder, footage) = storage();
        let segment = Path::new("footage/porch/2023-11-14/22-13-20.123Z.mp4");
        let moved = Path::new("footage/porch/2023-11-15/00-13-20.123Z.mp4");
        let read = |segment: &Path| {
            let mut content = String::new();
            footage.open_previews(segment).and_then(|mut file| file.read_to_string(&mut content)).map(|_| content)
        };
        footage.remove_previews(segment).expect("none is as good as removed");
        footage.write_previews(segment, b"one").expect("written");
        footage.write_previews(segment, b"two").expect("written over");
        assert_eq!(read(segment).expect("read"), "two");
        assert!(folder.path().join("previews/porch/2023-11-14/22-13-20.123Z.pictures").exists());
        footage.rename_previews(segment, moved).expect("renamed");
        assert_eq!(read(moved).expect("read"), "two");
        assert_eq!(read(segment).expect_err("moved").kind(), io::ErrorKind::NotFound);
        assert!(!folder.path().join("previews/porch/2023-11-14").exists());
        footage.remove_previews(moved).expect("removed");
        assert!(!folder.path().join("previews/porch/2023-11-15").exists());
        footage.rename_previews(moved, segment).expect("nothing to rename");
    }

    #[test]
    fn only_a_closed_segment_has_pictures_and_only_where_the_marker_is() {
        let (folder, footage) = storage();
        for hostile in
            ["footage/porch/2023-11-14/x.mp4.part", "footage/porch/../x.mp4", "/etc/passwd", "previews/a/b/c.mp4"]
        {
            assert!(footage.write_previews(Path::new(hostile), b"x").is_err(), "{hostile}");
            assert!(footage.open_previews(Path::new(hostile)).is_err(), "{hostile}");
            assert!(footage.remove_previews(Path::new(hostile)).is_err(), "{hostile}");
        }
        std::fs::remove_file(folder.path().join("hearthwatch-storage")).expect("removed");
        let written = footage.write_previews(Path::new("footage/porch/2023-11-14/x.mp4"), b"x");
        assert!(written.expect_err("no storage folder").to_string().contains("hearthwatch-storage"));
        assert!(!folder.path().join("previews").exists());
    }
}
