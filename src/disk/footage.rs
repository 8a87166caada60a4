//! The storage folder, held open.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FlockOperation};

use crate::disk::folder::Folder;
use crate::disk::layout;
use crate::disk::marker;
use crate::disk::part::{PartError, PartFile};
use crate::disk::storage_error::StorageError;
use crate::units::{ByteLen, CameraId, InstallationId, UtcMicros};

/// How full the disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// The whole file system.
    pub total: ByteLen,
    /// What is left for this user.
    pub free: ByteLen,
}

/// A file that lies where footage lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whose folder it is in; the file itself says whose it is.
    pub camera: CameraId,
    /// Relative to the storage folder.
    pub path: PathBuf,
    /// In bytes.
    pub size: ByteLen,
    /// By its name.
    pub kind: FoundKind,
}

/// What a file's name says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundKind {
    /// Closed.
    Segment,
    /// Was being written, or is.
    Part,
}

/// The storage folder. Cheap to clone; whoever holds one keeps the folder open and locked.
///
/// All of its functions block on the disk.
#[derive(Debug, Clone)]
pub struct Footage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    folder: Folder,
    installation: InstallationId,
    /// Holds the lock, if this is the daemon's.
    marker: File,
}

impl Footage {
    /// Opens the folder to record into it, and locks out every other daemon. A new or empty folder becomes a storage folder
    /// of the installation `fresh`; one that holds footage and has no marker is refused.
    pub fn open(path: &Path, fresh: InstallationId) -> Result<Self, StorageError> {
        let unwritable = |source| StorageError::Unwritable { path: path.to_owned(), source };
        let io = |source| StorageError::Io { path: path.to_owned(), source };
        let folder = match Folder::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(path).map_err(unwritable)?;
                Folder::open(path).map_err(unwritable)?
            }
            opened => opened.map_err(|source| StorageError::Missing { path: path.to_owned(), source })?,
        };
        if !folder.has(marker::NAME).map_err(io)? {
            for used in [layout::FOOTAGE, layout::THUMBNAILS, layout::DATABASE] {
                if folder.has(used).map_err(io)? {
                    return Err(StorageError::MarkerLost { path: path.to_owned() });
                }
            }
            make_marker(&folder, fresh).map_err(unwritable)?;
        }
        Self::with_marker(path, folder)?.locked()
    }

    /// Opens a folder that was recorded into before, and makes nothing: what lacks the marker of `expected` is not it.
    pub fn open_again(path: &Path, expected: InstallationId) -> Result<Self, StorageError> {
        let missing = |source| StorageError::Missing { path: path.to_owned(), source };
        let footage = Self::with_marker(path, Folder::open(path).map_err(missing)?)?;
        let found = footage.installation();
        if found != expected {
            return Err(StorageError::Another { path: path.to_owned(), found, expected });
        }
        footage.locked()
    }

    /// With every other daemon locked out, and found to take writes: the owner hears it now and not from the first camera.
    fn locked(self) -> Result<Self, StorageError> {
        let path = || self.0.path.clone();
        let unwritable = |source| StorageError::Unwritable { path: path(), source };
        match rustix::fs::flock(&self.0.marker, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(StorageError::InUse { path: path() }),
            Err(error) => return Err(StorageError::Io { path: path(), source: error.into() }),
        }
        let mut made = Vec::new();
        for name in [layout::FOOTAGE, layout::THUMBNAILS] {
            self.0.folder.make(Path::new(name), &mut made).map_err(unwritable)?;
        }
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        rustix::fs::accessat(self.0.folder.as_fd(), layout::FOOTAGE, access, AtFlags::EACCESS)
            .map_err(|error| unwritable(error.into()))?;
        self.takes_writes().map_err(unwritable)?;
        Ok(self)
    }

    /// Opens a folder that a daemon may be recording into, without the lock: for commands that look. The folder must have
    /// its marker. Whoever opens it so must not write.
    pub fn open_beside(path: &Path) -> Result<Self, StorageError> {
        let missing = |source| StorageError::Missing { path: path.to_owned(), source };
        Self::with_marker(path, Folder::open(path).map_err(missing)?)
    }

    /// Whether a daemon records into that folder now: asks for its lock, shared, and gives it back at once.
    pub fn is_in_use(path: &Path) -> Result<bool, StorageError> {
        let beside = Self::open_beside(path)?;
        match rustix::fs::flock(&beside.0.marker, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false), // given back when `beside` closes the file
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
            Err(error) => Err(StorageError::Io { path: path.to_owned(), source: error.into() }),
        }
    }

    fn with_marker(path: &Path, folder: Folder) -> Result<Self, StorageError> {
        let io = |source| StorageError::Io { path: path.to_owned(), source };
        let marker = folder.file(Path::new(marker::NAME)).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => StorageError::MarkerLost { path: path.to_owned() },
            _ => io(source),
        })?;
        let mut text = String::new();
        let read = (&marker).take(marker::MAX_LEN).read_to_string(&mut text);
        let installation = match read {
            Ok(_) => marker::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => None,
            Err(error) => return Err(io(error)),
        };
        let installation = installation.ok_or_else(|| StorageError::MarkerDamaged { path: path.to_owned() })?;
        Ok(Self(Arc::new(Inner { path: path.to_owned(), folder, installation, marker })))
    }

    /// Whose folder this is.
    pub fn installation(&self) -> InstallationId {
        self.0.installation
    }

    /// The folder as it was named to [`Self::open`]; for the database beside the footage and for messages.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// How full the disk is, now.
    pub fn space(&self) -> io::Result<Space> {
        let stat = rustix::fs::fstatvfs(self.0.folder.as_fd())?;
        let bytes = |blocks: u64| ByteLen(blocks.saturating_mul(stat.f_frsize));
        Ok(Space { total: bytes(stat.f_blocks), free: bytes(stat.f_bavail) })
    }

    /// A file below the folder, to read; never through a link, and nothing but a regular file.
    pub fn open_file(&self, relative: &Path) -> io::Result<File> {
        self.0.folder.file(relative)
    }

    /// A new file for a segment of that camera that starts then. If the name is taken, the next free millisecond gives it.
    pub fn create_part(&self, camera: &CameraId, start: UtcMicros) -> Result<PartFile, PartError> {
        PartFile::create(self, camera, start)
    }

    /// Takes up a `.part` file that was left behind, cut to `length`: the rest was never whole.
    pub fn reopen_part(&self, relative: &Path, length: ByteLen) -> Result<PartFile, PartError> {
        PartFile::reopen(self, relative, length)
    }

    /// Removes a closed segment, for good: when this returns, a power cut does not bring it back. One that is not there is
    /// as good as removed. The day's folder goes with its last file.
    pub fn remove_segment(&self, relative: &Path) -> io::Result<()> {
        self.remove_footage(relative, layout::SEGMENT_SUFFIX)
    }

    /// Removes what was left of a segment that never got a picture.
    pub fn remove_part(&self, relative: &Path) -> io::Result<()> {
        self.remove_footage(relative, layout::PART_SUFFIX)
    }

    fn remove_footage(&self, relative: &Path, suffix: &str) -> io::Result<()> {
        let not_footage =
            || io::Error::new(io::ErrorKind::InvalidInput, format!("{} is not a footage file", relative.display()));
        let (camera, day, name) = layout::parse_footage(relative).ok_or_else(not_footage)?;
        if !name.ends_with(suffix) {
            return Err(not_footage());
        }
        let of_camera = match self.0.folder.folder(&Path::new(layout::FOOTAGE).join(camera.as_str())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        let of_day = match of_camera.folder(Path::new(day)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        of_day.remove(name)?;
        if of_camera.remove_if_empty(day)? { of_camera.sync() } else { of_day.sync() }
    }

    /// Every segment and part file, by camera, then day, then time. One day of one camera is in memory at a time; what can't
    /// be read comes as an error, and the walk goes on behind it.
    pub fn walk(&self) -> impl Iterator<Item = io::Result<Found>> + use<> {
        let footage = self.clone();
        let cameras = match footage.folders(Path::new(layout::FOOTAGE)) {
            Ok(names) => names.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        let of_cameras = footage.clone();
        cameras
            .into_iter()
            .flat_map(move |camera| match camera.and_then(|camera| of_cameras.folders(&camera)) {
                Ok(days) => days.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            })
            .flat_map(move |day| match day.and_then(|day| footage.files(&day)) {
                Ok(files) => files,
                Err(error) => vec![Err(error)],
            })
    }

    fn folders(&self, relative: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = match self.0.folder.folder(relative) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened?.entries()?,
        };
        Ok(entries.iter().filter(|entry| entry.is_folder).map(|entry| relative.join(&entry.name)).collect())
    }

    fn files(&self, day: &Path) -> io::Result<Vec<io::Result<Found>>> {
        let folder = self.0.folder.folder(day)?;
        let mut files = Vec::new();
        for entry in folder.entries()?.into_iter().filter(|entry| !entry.is_folder) {
            let kind = if entry.name.ends_with(layout::SEGMENT_SUFFIX) {
                FoundKind::Segment
            } else if entry.name.ends_with(layout::PART_SUFFIX) {
                FoundKind::Part
            } else {
                continue;
            };
            let path = day.join(&entry.name);
            let Some((camera, ..)) = layout::parse_footage(&path) else { continue };
            match folder.size(&entry.name) {
                Ok(size) => files.push(Ok(Found { camera, path, size: ByteLen(size), kind })),
                // Removed or renamed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => files.push(Err(error)),
            }
        }
        Ok(files)
    }

    /// Whether that folder, this one or what its path leads to by now, is the one whose marker was read.
    pub(super) fn is_marked(&self, folder: &Folder) -> io::Result<bool> {
        let here = rustix::fs::fstat(&self.0.marker)?;
        match rustix::fs::statat(folder.as_fd(), marker::NAME, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => Ok((here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)),
            Err(rustix::io::Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn folder(&self) -> &Folder {
        &self.0.folder
    }
}

/// Whole or not at all: a marker that a power cut left empty would lock the owner out.
fn make_marker(folder: &Folder, installation: InstallationId) -> io::Result<()> {
    let temporary = format!("{}.new", marker::NAME);
    folder.remove(&temporary)?;
    let mut file = folder.create(&temporary)?;
    file.write_all(marker::text(installation).as_bytes())?;
    file.sync_all()?;
    match folder.rename_new(&temporary, marker::NAME) {
        // Another daemon was quicker; who of the two goes on is decided by the lock.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => folder.remove(&temporary)?,
        renamed => renamed?,
    }
    folder.sync()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> InstallationId {
        InstallationId::from_random([n; 16])
    }

    fn camera(name: &str) -> CameraId {
        name.parse().expect("an id")
    }

    const START: UtcMicros = UtcMicros(1_700_000_000_123_000);

    fn storage() -> (tempfile::TempDir, Footage) {
        let folder = tempfile::tempdir().expect("a folder");
        let footage = Footage::open(folder.path(), id(1)).expect("an empty folder is fine");
        (folder, footage)
    }

    fn closed(footage: &Footage, name: &str, bytes: &[u8]) -> PathBuf {
        let mut part = footage.create_part(&camera(name), START).expect("made");
        part.append(bytes).expect("appended");
        let (path, size) = part.close().expect("closed");
        assert_eq!(size, ByteLen(bytes.len() as u64));
        path
    }

    #[test]
    fn an_empty_folder_becomes_a_storage_folder_and_stays_the_same_installation() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("deeper/storage");
        assert_eq!(Footage::open(&path, id(1)).expect("made").installation(), id(1));
        assert_eq!(Footage::open(&path, id(2)).expect("opened").installation(), id(1));
        let mut text = String::new();
        let footage = Footage::open(&path, id(1)).expect("opened");
        let mut marker = footage.open_file(Path::new("hearthwatch-storage")).expect("a marker");
        marker.read_to_string(&mut text).expect("reads");
        assert!(text.contains("Leave this file where it is"), "{text}");
    }

    #[test]
    fn a_folder_with_footage_and_without_marker_is_refused() {
        let (folder, footage) = storage();
        drop(footage);
        std::fs::remove_file(folder.path().join("hearthwatch-storage")).expect("removed");
        let error = Footage::open(folder.path(), id(1)).expect_err("refused");
        assert!(matches!(error, StorageError::MarkerLost { .. }), "{error}");
        std::fs::write(folder.path().join("hearthwatch-storage"), b"\xff nothing").expect("written");
        let error = Footage::open(folder.path(), id(1)).expect_err("refused");
        assert!(matches!(error, StorageError::MarkerDamaged { .. }), "{error}");
    }

    #[test]
    fn a_folder_that_loses_its_marker_takes_no_more_footage() {
        let (folder, footage) = storage();
        std::fs::remove_file(folder.path().join("hearthwatch-storage")).expect("removed");
        let error = footage.create_part(&camera("porch"), START).expect_err("refused");
        assert!(error.to_string().contains("has no file hearthwatch-storage"), "{error}");
    }

    #[test]
    fn two_daemons_cannot_write_one_folder_but_others_may_look() {
        let (folder, footage) = storage();
        let error = Footage::open(folder.path(), id(1)).expect_err("in use");
        assert!(matches!(error, StorageError::InUse { .. }), "{error}");
        assert_eq!(Footage::open_beside(folder.path()).expect("looks").installation(), id(1));
        drop(footage);
        Footage::open(folder.path(), id(1)).expect("free again");
    }

    #[test]
    fn a_folder_that_is_none_or_cannot_be_written_is_named_so() {
        let parent = tempfile::tempdir().expect("a folder");
        let file = parent.path().join("file");
        std::fs::write(&file, "x").expect("written");
        assert!(matches!(Footage::open(&file, id(1)), Err(StorageError::Missing { .. })));
        assert!(matches!(Footage::open(&file.join("below"), id(1)), Err(StorageError::Missing { .. })));
        if Path::new("/proc/self").exists() {
            // Not even root can write there.
            let error = Footage::open(Path::new("/proc/hearthwatch"), id(1)).expect_err("refused");
            assert!(matches!(error, StorageError::Unwritable { .. }), "{error}");
            assert!(error.to_string().contains("give it to the user that runs hearthwatch"), "{error}");
        }
    }

    #[test]
    fn a_part_file_becomes_a_segment_under_its_name_and_never_replaces_one() {
        let (folder, footage) = storage();
        let first = closed(&footage, "porch", b"first");
        let second = closed(&footage, "porch", b"second");
        assert_eq!(first, Path::new("footage/porch/2023-11-14/22-13-20.123Z.mp4"));
        assert_eq!(second, Path::new("footage/porch/2023-11-14/22-13-20.124Z.mp4"));
        let part = footage.create_part(&camera("porch"), START).expect("made");
        std::fs::write(folder.path().join("footage/porch/2023-11-14/22-13-20.125Z.mp4"), "by hand").expect("written");
        let (third, _) = part.close().expect("closed");
        assert_eq!(third, Path::new("footage/porch/2023-11-14/22-13-20.126Z.mp4"));
        let mut text = String::new();
        footage.open_file(&first).expect("opens").read_to_string(&mut text).expect("reads");
        assert_eq!(text, "first");
    }

    #[test]
    fn a_part_file_that_was_left_is_cut_and_closed() {
        let (_folder, footage) = storage();
        let mut part = footage.create_part(&camera("porch"), START).expect("made");
        part.append(b"whole, torn").expect("appended");
        let path = part.path();
        drop(part);
        assert!(footage.reopen_part(&path, ByteLen(100)).is_err(), "longer than it is");
        let (path, size) = footage.reopen_part(&path, ByteLen(5)).expect("opens").close().expect("closed");
        assert_eq!(size, ByteLen(5));
        let found: Vec<_> = footage.walk().map(|found| found.expect("reads")).collect();
        assert_eq!(found, [Found { camera: camera("porch"), path, size, kind: FoundKind::Segment }]);
    }

    #[test]
    fn the_walk_finds_segments_and_parts_and_nothing_else() {
        let (folder, footage) = storage();
        let segment = closed(&footage, "porch", b"abc");
        let part = footage.create_part(&camera("garage"), START).expect("made");
        std::fs::write(folder.path().join("footage/porch/2023-11-14/notes.txt"), "x").expect("written");
        std::fs::create_dir_all(folder.path().join("footage/NOT A CAMERA/day")).expect("made");
        std::fs::write(folder.path().join("footage/NOT A CAMERA/day/x.mp4"), "x").expect("written");
        std::os::unix::fs::symlink("/etc", folder.path().join("footage/porch/link")).expect("linked");
        let found: Vec<_> = footage.walk().map(|found| found.expect("reads")).map(|f| (f.path, f.kind)).collect();
        assert_eq!(found, [(part.path(), FoundKind::Part), (segment, FoundKind::Segment)]);
    }

    #[test]
    fn removing_takes_only_segments_and_the_empty_day_with_the_last() {
        let (folder, footage) = storage();
        let (first, second) = (closed(&footage, "porch", b"1"), closed(&footage, "porch", b"2"));
        for hostile in ["hearthwatch-storage", "footage/porch", "/etc/passwd", "footage/porch/../x/y.mp4", "../x.mp4"] {
            assert!(footage.remove_segment(Path::new(hostile)).is_err(), "{hostile}");
        }
        footage.remove_segment(&first).expect("removed");
        footage.remove_segment(&first).expect("gone is gone");
        assert!(folder.path().join(&second).exists());
        footage.remove_segment(&second).expect("removed");
        assert!(!folder.path().join("footage/porch/2023-11-14").exists());
        closed(&footage, "porch", b"again");
    }

    #[test]
    fn space_is_told() {
        let (_folder, footage) = storage();
        let space = footage.space().expect("asked");
        assert!(space.free <= space.total && space.total > ByteLen(0), "{space:?}");
    }
}
