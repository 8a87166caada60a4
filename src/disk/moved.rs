//! A closed segment gets another moment: the clock by which it was filed was wrong.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::disk::folder::Folder;
use crate::disk::layout::{self, Place};
use crate::disk::{Footage, StorageError};
use crate::units::{CameraId, UtcMicros};

/// How many milliseconds a name may be moved by to be free.
const NAME_TRIES: i64 = 1000;

impl Footage {
    /// Gives a closed segment the name of another moment; returns its new path. If the name is taken, the next free
    /// millisecond gives it. What the file itself says is [`Self::mend_segment`]'s.
    pub fn rename_segment(&self, relative: &Path, camera: &CameraId, start: UtcMicros) -> io::Result<PathBuf> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "not a segment of that camera");
        let (whose, _, name) = layout::parse_footage(relative).ok_or_else(invalid)?;
        let parent = relative.parent().ok_or_else(invalid)?;
        if whose != *camera || !name.ends_with(layout::SEGMENT_SUFFIX) {
            return Err(invalid());
        }
        let from = self.folder().folder(parent)?;
        for later in 0..NAME_TRIES {
            let place = Place::of(camera, UtcMicros(start.0.saturating_add(later * 1000)));
            let mut made = Vec::new();
            let to = self.make_place(&place, &mut made)?;
            let path = place.folder.join(place.segment_name());
            if path == relative {
                return Ok(path);
            }
            // One that is being written will want its name.
            if to.has(&place.part_name())? {
                continue;
            }
            match from.rename_into(name, &to, &place.segment_name()) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                renamed => renamed?,
            }
            to.sync()?;
            made.iter().try_for_each(Folder::sync)?;
            self.leave(parent)?;
            return Ok(path);
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "a thousand names are taken"))
    }

    /// Writes over bytes that are in a closed segment already, and syncs them.
    pub fn mend_segment(&self, relative: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let file = self.folder().file_to_mend(relative)?;
        if file.metadata()?.len() < offset.saturating_add(bytes.len() as u64) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.write_all_at(bytes, offset)?;
        file.sync_data()
    }

    /// The place's folder, made if need be, unless the storage folder lost its marker.
    fn make_place(&self, place: &Place, made: &mut Vec<Folder>) -> io::Result<Folder> {
        if !self.is_marked(self.folder())? {
            return Err(io::Error::other(StorageError::MarkerLost { path: self.path().to_owned() }));
        }
        self.folder().make(&place.folder, made)
    }

    /// A file was taken out of that day's folder, which goes with its last.
    fn leave(&self, day: &Path) -> io::Result<()> {
        let (Some(camera), Some(name)) = (day.parent(), day.file_name().and_then(|name| name.to_str())) else {
            return Ok(());
        };
        let of_camera = self.folder().folder(camera)?;
        if of_camera.remove_if_empty(name)? { of_camera.sync() } else { self.folder().folder(day)?.sync() }
    }
}
