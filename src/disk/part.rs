//! A segment's file while it is written.

use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::path::{Path, PathBuf};

use crate::disk::Footage;
use crate::disk::folder::Folder;
use crate::disk::layout::{self, Place};
use crate::disk::storage_error::StorageError;
use crate::units::{ByteLen, CameraId, UtcMicros};

/// How many milliseconds a name may be moved by to be free. More than this means that something is wrong.
const NAME_TRIES: i64 = 1000;

/// Why a segment's file cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// The disk has no room.
    #[error(
        "no room left on the disk for {path}: free some, or lower storage.keep_free's footage by removing other files"
    )]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The storage folder lost its marker: this may be another disk by now.
    #[error("{path} is not made: {source}")]
    NoStorage {
        /// The file.
        path: PathBuf,
        /// What to do.
        source: StorageError,
    },
    /// Anything else that a write or a rename met.
    #[error("{path} cannot be {what}: {source}; look at the disk's health and whether it is mounted writable")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: `made`, `written`, `synced`, `renamed`.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A sync failed, so nobody knows what of this file is on the disk, and asking again would say "all" (the kernel forgets).
    #[error("{path} was given up after a failed sync and is left as it is for the next start to recover")]
    GivenUp {
        /// The file.
        path: PathBuf,
    },
}

impl PartError {
    fn new(path: &Path, what: &'static str, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io { path, what, source },
        }
    }
}

/// A segment that is being written. Dropped without [`Self::close`], it stays behind as `.part` for recovery.
#[derive(Debug)]
pub struct PartFile {
    folder: Folder,
    /// The day's folder and the name without suffix.
    place: Place,
    file: File,
    /// What was appended whole.
    length: u64,
    /// Whether bytes may lie behind `length`, from an append that failed half-way.
    is_torn: bool,
    is_dirty: bool,
    given_up: bool,
    /// Folders that hold a name that leads here and is not yet safe.
    unsynced_folders: Vec<Folder>,
}

impl PartFile {
    pub(super) fn create(footage: &Footage, camera: &CameraId, start: UtcMicros) -> Result<Self, PartError> {
        let mut unsynced_folders = Vec::new();
        for moved in 0..NAME_TRIES {
            let place = Place::of(camera, UtcMicros(start.0.saturating_add(moved * 1000)));
            let path = place.folder.join(place.part_name());
            let made = |source| PartError::new(&path, "made", source);
            if !footage.is_marked(footage.folder()).map_err(made)? {
                let source = StorageError::MarkerLost { path: footage.path().to_owned() };
                return Err(PartError::NoStorage { path, source });
            }
            let folder = footage.folder().make(&place.folder, &mut unsynced_folders).map_err(made)?;
            if folder.has(&place.segment_name()).map_err(made)? {
                continue;
            }
            let file = match folder.create(&place.part_name()) {
                // Taken; or the day's folder was removed with its last file just now.
                Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {
                    continue;
                }
                created => created.map_err(made)?,
            };
            unsynced_folders.push(folder.again().map_err(made)?);
            return Ok(Self {
                folder,
                place,
                file,
                length: 0,
                is_torn: false,
                is_dirty: true,
                given_up: false,
                unsynced_folders,
            });
        }
        let path = Place::of(camera, start);
        let taken = io::Error::new(io::ErrorKind::AlreadyExists, "a thousand names are taken");
        Err(PartError::new(&path.folder.join(path.part_name()), "made", taken))
    }

    pub(super) fn reopen(footage: &Footage, relative: &Path, length: ByteLen) -> Result<Self, PartError> {
        let opened = |source| PartError::new(relative, "opened", source);
        let stem = layout::parse_footage(relative).and_then(|(.., name)| name.strip_suffix(layout::PART_SUFFIX));
        let (Some(stem), Some(parent)) = (stem, relative.parent()) else {
            return Err(opened(io::Error::new(io::ErrorKind::InvalidInput, "not a part file of a segment")));
        };
        let folder = footage.folder().folder(parent).map_err(opened)?;
        let file = footage.folder().file_to_mend(relative).map_err(opened)?;
        let size = file.metadata().map_err(opened)?.len();
        if size < length.0 {
            return Err(opened(io::Error::new(io::ErrorKind::InvalidInput, "shorter than what should be kept of it")));
        }
        Ok(Self {
            unsynced_folders: Vec::new(),
            folder,
            place: Place { folder: parent.to_owned(), stem: stem.to_owned() },
            file,
            length: length.0,
            is_torn: size > length.0,
            is_dirty: true,
            given_up: false,
        })
    }

    /// Where it lies now, relative to the storage folder; ends in `.part`.
    pub fn path(&self) -> PathBuf {
        self.place.folder.join(self.place.part_name())
    }

    /// Bytes appended, synced or not.
    pub fn length(&self) -> ByteLen {
        ByteLen(self.length)
    }

    /// Appends all of the bytes, or fails; after a failure only [`Self::close`] is of use, which keeps what was whole.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), PartError> {
        self.append_all([bytes])
    }

    /// The same for bytes that lie in several places, one piece behind the other; either all of them count as written, or none.
    pub fn append_all<'a>(&mut self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(), PartError> {
        if self.given_up || self.is_torn {
            return Err(PartError::GivenUp { path: self.path() });
        }
        self.is_dirty = true;
        let mut pieces: Vec<_> = pieces.into_iter().map(IoSlice::new).collect();
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        match write_all(&mut self.file, &mut pieces) {
            Ok(()) => {
                self.length += length as u64;
                Ok(())
            }
            Err(error) => {
                self.is_torn = true;
                Err(PartError::new(&self.path(), "written", error))
            }
        }
    }

    /// Makes all that was appended, and the name itself, survive a power cut. After a failure the file is given up: a second
    /// sync would succeed and lie.
    pub fn sync(&mut self) -> Result<(), PartError> {
        if self.given_up {
            return Err(PartError::GivenUp { path: self.path() });
        }
        match self.try_sync() {
            Ok(()) => Ok(()),
            Err(error) => {
                self.given_up = true;
                Err(PartError::new(&self.path(), "synced", error))
            }
        }
    }

    fn try_sync(&mut self) -> io::Result<()> {
        if self.is_dirty {
            self.file.sync_data()?;
            self.is_dirty = false;
        }
        for folder in &self.unsynced_folders {
            folder.sync()?;
        }
        self.unsynced_folders.clear();
        Ok(())
    }

    /// Syncs, gives the file its final name and syncs the folder: the path relative to the storage folder, and the size.
    /// Only what this returns may become a row. After a failure the file is left for recovery.
    pub fn close(mut self) -> Result<(PathBuf, ByteLen), PartError> {
        if self.is_torn && !self.given_up {
            self.file
                .set_len(self.length)
                .map_err(|error| PartError::new(&self.path(), "cut at its last whole fragment", error))?;
        }
        self.sync()?;
        let name = self.rename().map_err(|error| PartError::new(&self.path(), "renamed", error))?;
        let path = self.place.folder.join(name);
        self.folder.sync().map_err(|error| PartError::new(&path, "synced", error))?;
        Ok((path, ByteLen(self.length)))
    }

    /// To the first free name from its own on; that was free when the file was made, and still is unless somebody put a
    /// file there by hand.
    fn rename(&self) -> io::Result<String> {
        let part_name = self.place.part_name();
        let mut place = self.place.clone();
        loop {
            let name = place.segment_name();
            match self.folder.rename_new(&part_name, &name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    place = place.next_millisecond().ok_or(error)?;
                }
                done => return done.map(|()| name),
            }
        }
    }
}

/// In as few calls as the system takes: one for up to a thousand pieces.
fn write_all(file: &mut File, mut pieces: &mut [IoSlice<'_>]) -> io::Result<()> {
    // Leaves out empty ones at the front, so that nothing was written only where nothing can be.
    IoSlice::advance_slices(&mut pieces, 0);
    while !pieces.is_empty() {
        match file.write_vectored(pieces) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut pieces, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
