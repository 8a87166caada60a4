//! What can be wrong between the index and the disk: each kind with a fixed name, and a sentence for people.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::disk::EventPicture;
use crate::index::audit::Verdict;
use crate::record::segment::ClosedSegment;
use crate::units::{ByteLen, CameraId, EventId, InstallationId, SegmentId};

/// One thing that is wrong. Prints one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A row whose file is gone.
    DanglingRow {
        /// As the index has it.
        row: Box<ClosedSegment>,
    },
    /// A closed file that no row leads to.
    OrphanFile {
        /// In whose folder it lies.
        camera: CameraId,
        /// Relative to the storage folder, here and below.
        path: PathBuf,
    },
    /// A file that was being written when recording broke off, and that nobody writes now.
    UnfinishedFile {
        /// In whose folder it lies.
        camera: CameraId,
        /// Ends in `.part`.
        path: PathBuf,
    },
    /// A closed file that breaks off in the middle, and the index knows it longer.
    TornFile {
        /// In whose folder it lies.
        camera: CameraId,
        /// The file.
        path: PathBuf,
        /// What plays of it.
        whole: ByteLen,
        /// Its size.
        size: ByteLen,
    },
    /// A file that says things that cannot be, or says nothing that could be played.
    DamagedFile {
        /// In whose folder it lies.
        camera: CameraId,
        /// The file.
        path: PathBuf,
        /// In words.
        why: String,
    },
    /// A file or folder that the disk does not give out.
    UnreadableFile {
        /// Empty if the walk could not say where.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// A file that says it is another camera's, or another segment, than its place says.
    SwappedFile {
        /// In whose folder it lies.
        camera: CameraId,
        /// The file.
        path: PathBuf,
        /// Whose it says it is.
        says: CameraId,
        /// Which segment it says it is.
        segment: SegmentId,
    },
    /// A file of another installation.
    ForeignFile {
        /// In whose folder it lies.
        camera: CameraId,
        /// The file.
        path: PathBuf,
        /// Whose it says it is.
        installation: InstallationId,
    },
    /// A file that does not say whose it is.
    UnmarkedFile {
        /// In whose folder it lies.
        camera: CameraId,
        /// The file.
        path: PathBuf,
    },
    /// A row that its sound file contradicts.
    WrongRow {
        /// In whose folder the file lies.
        camera: CameraId,
        /// The file.
        path: PathBuf,
        /// The first thing that differs.
        what: &'static str,
    },
    /// An event should have a picture, and there is none.
    MissingPicture {
        /// Whose.
        camera: CameraId,
        /// The event.
        event: EventId,
        /// Which of its pictures.
        picture: EventPicture,
    },
    /// An event's picture does not say that it is this camera's and this event's.
    SwappedPicture {
        /// Whose it should be.
        camera: CameraId,
        /// The event.
        event: EventId,
        /// Which of its pictures.
        picture: EventPicture,
    },
    /// The audit log is not what it was.
    BrokenAudit {
        /// Where.
        verdict: Verdict,
    },
    /// There is no database.
    MissingIndex {
        /// Where it should be.
        path: PathBuf,
    },
    /// What lies there is no database of this program, or a broken one.
    UnreadableIndex {
        /// The file.
        path: PathBuf,
        /// In words.
        why: String,
    },
    /// The database opens, and parts of it contradict each other.
    DamagedIndex {
        /// In words.
        why: String,
    },
    /// The database belongs to another footage folder.
    ForeignIndex {
        /// Whose it says it is.
        installation: InstallationId,
    },
}

impl Finding {
    /// The fixed name of its kind, as `dangling_row`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::DanglingRow { .. } => "dangling_row",
            Self::OrphanFile { .. } => "orphan_file",
            Self::UnfinishedFile { .. } => "unfinished_file",
            Self::TornFile { .. } => "torn_file",
            Self::DamagedFile { .. } => "damaged_file",
            Self::UnreadableFile { .. } => "unreadable_file",
            Self::SwappedFile { .. } => "swapped_file",
            Self::ForeignFile { .. } => "foreign_file",
            Self::UnmarkedFile { .. } => "unmarked_file",
            Self::WrongRow { .. } => "wrong_row",
            Self::MissingPicture { picture: EventPicture::Thumbnail, .. } => "missing_thumbnail",
            Self::MissingPicture { picture: EventPicture::Preview, .. } => "missing_preview",
            Self::SwappedPicture { picture: EventPicture::Thumbnail, .. } => "swapped_thumbnail",
            Self::SwappedPicture { picture: EventPicture::Preview, .. } => "swapped_preview",
            Self::BrokenAudit { .. } => "broken_audit",
            Self::MissingIndex { .. } => "missing_index",
            Self::UnreadableIndex { .. } => "unreadable_index",
            Self::DamagedIndex { .. } => "damaged_index",
            Self::ForeignIndex { .. } => "foreign_index",
        }
    }

    /// Whose pictures it concerns: the camera of the place, not the one that a file may claim.
    pub fn camera(&self) -> Option<&CameraId> {
        match self {
            Self::DanglingRow { row } => Some(&row.camera),
            Self::OrphanFile { camera, .. }
            | Self::UnfinishedFile { camera, .. }
            | Self::TornFile { camera, .. }
            | Self::DamagedFile { camera, .. }
            | Self::SwappedFile { camera, .. }
            | Self::ForeignFile { camera, .. }
            | Self::UnmarkedFile { camera, .. }
            | Self::WrongRow { camera, .. }
            | Self::MissingPicture { camera, .. }
            | Self::SwappedPicture { camera, .. } => Some(camera),
            Self::UnreadableFile { .. }
            | Self::BrokenAudit { .. }
            | Self::MissingIndex { .. }
            | Self::UnreadableIndex { .. }
            | Self::DamagedIndex { .. }
            | Self::ForeignIndex { .. } => None,
        }
    }

    /// The file it concerns; relative to the storage folder, but for the database.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::DanglingRow { row } => Some(&row.path),
            Self::OrphanFile { path, .. }
            | Self::UnfinishedFile { path, .. }
            | Self::TornFile { path, .. }
            | Self::DamagedFile { path, .. }
            | Self::UnreadableFile { path, .. }
            | Self::SwappedFile { path, .. }
            | Self::ForeignFile { path, .. }
            | Self::UnmarkedFile { path, .. }
            | Self::WrongRow { path, .. }
            | Self::MissingIndex { path }
            | Self::UnreadableIndex { path, .. } => Some(path),
            Self::MissingPicture { .. }
            | Self::SwappedPicture { .. }
            | Self::BrokenAudit { .. }
            | Self::DamagedIndex { .. }
            | Self::ForeignIndex { .. } => None,
        }
    }
}

fn words(picture: EventPicture) -> &'static str {
    match picture {
        EventPicture::Thumbnail => "picture",
        EventPicture::Preview => "moving picture",
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DanglingRow { row } => {
                let (path, start, end) = (row.path.display(), row.span.start(), row.span.end());
                write!(f, "{path} is gone: {start} to {end} of {} is in the index and not on the disk", row.camera)
            }
            Self::OrphanFile { path, .. } => write!(f, "{} is on the disk and not in the index", path.display()),
            Self::UnfinishedFile { path, .. } => {
                write!(f, "{} was being written when recording broke off", path.display())
            }
            Self::TornFile { path, whole, size, .. } => {
                let path = path.display();
                write!(f, "{path} breaks off: only the first {} of its {} bytes can be played", whole.0, size.0)
            }
            Self::DamagedFile { path, why, .. } => write!(f, "{} is damaged: {why}", path.display()),
            Self::UnreadableFile { path, why } => write!(f, "{} cannot be read: {why}", path.display()),
            Self::SwappedFile { camera, path, says, segment } if camera == says => {
                write!(f, "{} is not what the index has there: it says that it is segment {segment}", path.display())
            }
            Self::SwappedFile { camera, path, says, segment } => {
                let path = path.display();
                write!(
                    f,
                    "{path} lies with {camera} and says that it is segment {segment} of {says}: put it where it belongs"
                )
            }
            Self::ForeignFile { path, installation, .. } => {
                write!(f, "{} was recorded by another installation, {installation}", path.display())
            }
            Self::UnmarkedFile { path, .. } => write!(f, "{} does not say whose pictures it holds", path.display()),
            Self::WrongRow { path, what, .. } => {
                write!(f, "{} does not have the {what} that the index says", path.display())
            }
            Self::MissingPicture { camera, event, picture } => {
                write!(f, "the {} of event {event} of {camera} is gone", words(*picture))
            }
            Self::SwappedPicture { camera, event, picture } => {
                write!(
                    f,
                    "the {} of event {event} of {camera} does not say that it is, so it is not shown",
                    words(*picture)
                )
            }
            Self::BrokenAudit { verdict } => match verdict {
                Verdict::Intact(_) => write!(f, "the audit log is whole"),
                Verdict::Changed { seq } => write!(f, "entry {seq} of the audit log was changed after it was written"),
                Verdict::Missing { seq } => write!(f, "entry {seq} of the audit log was taken out"),
                Verdict::WrongEnd { seq } => write!(f, "the audit log does not end where it says, at entry {seq}"),
            },
            Self::MissingIndex { path } => write!(f, "there is no index at {}", path.display()),
            Self::UnreadableIndex { path, why } => write!(f, "the index {} cannot be read: {why}", path.display()),
            Self::DamagedIndex { why } => write!(f, "the index is damaged: {why}"),
            Self::ForeignIndex { installation } => {
                write!(f, "the index belongs to the footage of another installation, {installation}")
            }
        }
    }
}
