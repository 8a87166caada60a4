//! A folder held open, and everything below it reached without following a link.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;

/// Folders and files are for the recorder's user, and readable for its group.
const FOLDER_MODE: Mode = Mode::RWXU.union(Mode::RGRP).union(Mode::XGRP);
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR).union(Mode::RGRP);

/// A folder held open: renaming or replacing what leads to it changes nothing here.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

/// What lies in a folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) is_folder: bool,
}

impl Folder {
    /// The folder at that path; links on the way there are the owner's and are followed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// A folder below this one.
    pub(super) fn folder(&self, relative: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        Ok(Self(self.open_beneath(relative, flags)?))
    }

    /// A regular file below this one, to read.
    pub(super) fn file(&self, relative: &Path) -> io::Result<File> {
        self.regular(relative, OFlags::RDONLY)
    }

    /// A regular file below this one, to write what is in it already.
    pub(super) fn file_to_mend(&self, relative: &Path) -> io::Result<File> {
        self.regular(relative, OFlags::RDWR)
    }

    /// A new file right in this folder; fails if the name is taken.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, name, flags, FILE_MODE)?.into())
    }

    /// The folder below this one, made where it is missing. `made` gets each folder that got a new entry: their names are
    /// only safe once those were synced.
    pub(super) fn make(&self, relative: &Path, made: &mut Vec<Self>) -> io::Result<Self> {
        let mut folder = self.again()?;
        for name in normal_names(relative)? {
            match rustix::fs::mkdirat(&folder.0, name, FOLDER_MODE) {
                Ok(()) => made.push(folder.again()?),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            folder = folder.folder(Path::new(name))?;
        }
        Ok(folder)
    }

    /// The names of folders and files; anything else (links, sockets, names that are not UTF-8) is not ours and left out.
    pub(super) fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => self.kind(name)?,
                kind => kind,
            };
            if kind == FileType::Directory || kind == FileType::RegularFile {
                entries.push(Entry { name: name.to_owned(), is_folder: kind == FileType::Directory });
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Whether that name is taken, by whatever.
    pub(super) fn has(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// A file's size in bytes.
    pub(super) fn size(&self, name: &str) -> io::Result<u64> {
        let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(u64::try_from(stat.st_size).unwrap_or(0))
    }

    /// Renames within this folder; fails with [`io::ErrorKind::AlreadyExists`] if `to` is taken.
    pub(super) fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.rename_into(from, self, to)
    }

    /// Renames from this folder into another; fails with [`io::ErrorKind::AlreadyExists`] if `to` is taken.
    pub(super) fn rename_into(&self, from: &str, other: &Self, to: &str) -> io::Result<()> {
        match rustix::fs::renameat_with(&self.0, from, &other.0, to, RenameFlags::NOREPLACE) {
            // A file system without this flag (NFS, exFAT): nobody else writes here, the lock on the marker sees to that.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if !other.has(to)? => {
                Ok(rustix::fs::renameat(&self.0, from, &other.0, to)?)
            }
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Err(io::ErrorKind::AlreadyExists.into()),
            done => Ok(done?),
        }
    }

    /// Renames within this folder, replacing what was there.
    pub(super) fn rename_over(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
    }

    /// Removes a file; one that is not there is as good as removed.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            done => Ok(done?),
        }
    }

    /// Removes a folder if nothing is in it; says whether it is gone.
    pub(super) fn remove_if_empty(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the names in this folder survive a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    /// Another handle on the same folder.
    pub(super) fn again(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    fn kind(&self, name: &str) -> io::Result<FileType> {
        let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(stat.st_mode))
    }

    fn regular(&self, relative: &Path, access: OFlags) -> io::Result<File> {
        // NONBLOCK: a pipe planted here must not hold the caller up before it is seen to be one.
        let fd = self.open_beneath(relative, access | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode);
        if kind != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} is not a file", relative.display())));
        }
        Ok(fd.into())
    }

    fn open_beneath(&self, relative: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let names = normal_names(relative)?;
        let flags = flags | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&self.0, relative, flags, Mode::empty(), resolve) {
            // Kernels before 5.6, and containers that do not know the call.
            Err(Errno::NOSYS | Errno::PERM) => self.open_step_by_step(&names, flags),
            opened => Ok(opened?),
        }
    }

    fn open_step_by_step(&self, names: &[&OsStr], flags: OFlags) -> io::Result<OwnedFd> {
        let (last, folders) = names.split_last().ok_or(io::ErrorKind::InvalidInput)?;
        let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut at = self.0.try_clone()?;
        for name in folders {
            at = rustix::fs::openat(&at, *name, step, Mode::empty())?;
        }
        Ok(rustix::fs::openat(&at, *last, flags | OFlags::NOFOLLOW, Mode::empty())?)
    }
}

/// The parts of a path that goes only downwards; anything else (`/`, `..`, nothing) is refused.
fn normal_names(relative: &Path) -> io::Result<Vec<&OsStr>> {
    let names: Option<Vec<_>> = relative
        .components()
        .map(|component| match component {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect();
    names.filter(|names| !names.is_empty()).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{} does not lead downwards", relative.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn planted() -> (tempfile::TempDir, Folder) {
        let outside = tempfile::tempdir().expect("a folder");
        let inside = outside.path().join("storage");
        std::fs::create_dir_all(inside.join("a/b")).expect("made");
        std::fs::write(outside.path().join("secret"), "secret").expect("written");
        std::fs::write(inside.join("a/b/file"), "fine").expect("written");
        std::os::unix::fs::symlink(outside.path().join("secret"), inside.join("a/link")).expect("linked");
        std::os::unix::fs::symlink("b", inside.join("a/inner")).expect("linked");
        let folder = Folder::open(&inside).expect("opens");
        (outside, folder)
    }

    #[test]
    fn only_files_below_the_folder_are_opened_and_never_through_a_link() {
        let (outside, folder) = planted();
        let mut text = String::new();
        folder.file(Path::new("a/b/file")).expect("opens").read_to_string(&mut text).expect("reads");
        assert_eq!(text, "fine");
        let absolute = outside.path().join("secret");
        let hostile = ["../secret", "a/../../secret", "a/link", "a/inner/file", "", ".", "a/b", "a//../b", "a/\0b"];
        for path in hostile.iter().map(Path::new).chain([absolute.as_path()]) {
            assert!(folder.file(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn without_openat2_the_same_is_refused() {
        let (_outside, folder) = planted();
        let open = |path: &'static str| {
            folder.open_step_by_step(&normal_names(Path::new(path)).expect("downwards"), OFlags::RDONLY)
        };
        assert!(open("a/b/file").is_ok());
        for path in ["a/link", "a/inner/file"] {
            assert!(open(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_rename_never_replaces_a_file() {
        let (_outside, folder) = planted();
        let folder = folder.folder(Path::new("a/b")).expect("opens");
        folder.create("new").expect("made");
        assert_eq!(folder.rename_new("new", "file").expect_err("taken").kind(), io::ErrorKind::AlreadyExists);
        folder.rename_new("new", "other").expect("free");
        assert!(folder.has("other").expect("asked") && !folder.has("new").expect("asked"));
    }
}
