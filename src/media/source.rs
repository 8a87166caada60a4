//! Segments of one camera as this module sees them, closed or still open, and the one way their files are opened.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::access::{OfCamera, Viewable};
use crate::disk::Footage;
use crate::media::MediaError;
use crate::record::fmp4::Provenance;
use crate::record::reader::{self, ReadError, SegmentFile};
use crate::record::segment::{ClosedSegment, OpenSegment};
use crate::units::{ByteLen, CameraId, SegmentId, UtcSpan};

/// A segment that can be read now: a row, or the one that is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    pub(crate) id: SegmentId,
    pub(crate) camera: CameraId,
    /// What of it can be read.
    pub(crate) span: UtcSpan,
    pub(crate) path: PathBuf,
    /// Bytes that can be read; they end at a fragment's border.
    pub(crate) size: ByteLen,
    pub(crate) codecs: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Whether it grows.
    pub(crate) is_open: bool,
}

impl OfCamera for Recording {
    fn camera(&self) -> &CameraId {
        &self.camera
    }
}

impl From<ClosedSegment> for Recording {
    fn from(row: ClosedSegment) -> Self {
        let ClosedSegment { id, camera, span, path, size, codecs, width, height, .. } = row;
        Self { id, camera, span, path, size, codecs, width, height, is_open: false }
    }
}

impl From<OpenSegment> for Recording {
    fn from(open: OpenSegment) -> Self {
        let OpenSegment { id, camera, span, path, synced, codecs, width, height } = open;
        Self { id, camera, span, path, size: synced, codecs, width, height, is_open: true }
    }
}

/// Opens a segment's file and reads what it says about itself. Blocking.
pub(crate) fn open_segment(
    recording: &Viewable<Recording>,
    footage: &Footage,
) -> Result<(File, SegmentFile), MediaError> {
    let file = open_verified(recording, footage)?;
    let limit = recording.get().size.0;
    let path = &recording.get().path;
    let segment = reader::read(&file, limit).map_err(|source| unreadable(path, source))?;
    Ok((file, segment))
}

/// Opens a segment's file, if the file itself says that it belongs to the proof's camera. Blocking.
///
/// Invariant: no byte of footage leaves this module but from a file that was opened here.
pub(crate) fn open_verified(recording: &Viewable<Recording>, footage: &Footage) -> Result<File, MediaError> {
    let path = &recording.get().path;
    let file = open_even_if_just_closed(recording.get(), footage).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => MediaError::Gone,
        _ => MediaError::Io { path: path.clone(), source },
    })?;
    let found = reader::read_provenance(&file, recording.get().size.0).map_err(|source| unreadable(path, source))?;
    let is_right = found.as_ref().is_some_and(|found| {
        found.camera == *recording.camera()
            && found.installation == footage.installation()
            && found.segment == recording.get().id
    });
    if is_right {
        return Ok(file);
    }
    let found = found.map_or_else(
        || "nobody".to_owned(),
        |found| {
            let Provenance { camera, installation, segment, .. } = found;
            format!("{camera}, segment {segment}, installation {installation}")
        },
    );
    tracing::error!(
        path = %path.display(), expected = recording.camera().as_str(), segment = %recording.get().id, found,
        "a footage file belongs elsewhere than where the index has it and is not shown: run `hearthwatch check`"
    );
    Err(MediaError::WrongCamera)
}

/// Between the question and the answer an open segment may have been closed, which renames it.
fn open_even_if_just_closed(recording: &Recording, footage: &Footage) -> io::Result<File> {
    match footage.open_file(&recording.path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && recording.is_open => {
            footage.open_file(&closed_path(&recording.path))
        }
        opened => opened,
    }
}

/// `….mp4.part` becomes `….mp4`.
fn closed_path(path: &Path) -> PathBuf {
    if path.extension().is_some_and(|extension| extension == "part") {
        path.with_extension("")
    } else {
        path.to_owned()
    }
}

fn unreadable(path: &Path, source: ReadError) -> MediaError {
    MediaError::Unreadable { path: path.to_owned(), source }
}
