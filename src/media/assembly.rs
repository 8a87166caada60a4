//! Files that exist only while they are sent: some bytes made for the occasion and slices of segment files.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;

use crate::access::Viewable;
use crate::disk::Footage;
use crate::media::source::{self, Recording};
use crate::record::reader::ReadAt as _;
use crate::units::CameraId;

/// What is read and sent at once, in bytes. Before each such piece the viewer's right is asked for again.
const CHUNK: u64 = 256 << 10;
/// Files of one assembly that stay open; others are opened anew for each chunk. A day has 1,440, which is more than a
/// process may hold.
pub(crate) const STAY_OPEN: usize = 16;

/// A part of an assembly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// These bytes.
    Made(Bytes),
    /// Bytes of the file of that number.
    Slice { file: usize, range: Range<u64> },
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Self::Made(bytes) => bytes.len() as u64,
            Self::Slice { range, .. } => range.end - range.start,
        }
    }
}

/// Puts pieces together; slices that follow each other in their file become one.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pieces: Vec<Piece>,
    len: u64,
}

impl Pieces {
    /// Where the next piece will begin.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn push(&mut self, piece: Piece) {
        self.len += piece.len();
        match (self.pieces.last_mut(), &piece) {
            (Some(Piece::Slice { file, range }), Piece::Slice { file: next_file, range: next })
                if file == next_file && range.end == next.start =>
            {
                range.end = next.end;
            }
            _ if piece.len() > 0 => self.pieces.push(piece),
            _ => {}
        }
    }

    #[cfg(test)]
    pub(crate) fn first_made(&self) -> Option<&Bytes> {
        self.pieces.iter().find_map(|piece| if let Piece::Made(bytes) = piece { Some(bytes) } else { None })
    }

    pub(crate) fn append(&mut self, other: Self) {
        for piece in other.pieces {
            self.push(piece);
        }
    }
}

/// A file made of pieces, for one viewer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Assembly(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    proof: Viewable<CameraId>,
    footage: Footage,
    files: Vec<(Viewable<Recording>, Option<File>)>,
    /// Each with where it ends.
    pieces: Vec<(u64, Piece)>,
    len: u64,
    etag: String,
}

impl Assembly {
    /// `files` in the order of the slices' numbers, those that stay open with their file; `etag` names the content.
    pub(crate) fn new(
        proof: &Viewable<CameraId>,
        footage: &Footage,
        files: Vec<(Viewable<Recording>, Option<File>)>,
        pieces: Pieces,
        etag: String,
    ) -> Self {
        let mut end = 0;
        let pieces = pieces.pieces.into_iter().map(|piece| {
            end += piece.len();
            (end, piece)
        });
        let pieces = pieces.collect();
        Self(Arc::new(Inner { proof: proof.clone(), footage: footage.clone(), files, pieces, len: end, etag }))
    }

    /// The whole size in bytes.
    #[expect(clippy::len_without_is_empty, reason = "never empty: every assembly has boxes of its own")]
    pub fn len(&self) -> u64 {
        self.0.len
    }

    /// Names exactly these bytes, quotes included, for `ETag` and `If-Range`.
    pub fn etag(&self) -> &str {
        &self.0.etag
    }

    /// The bytes of that range (cut to the file), in pieces of at most 256 KiB, each read when it is asked for.
    ///
    /// Before each piece the gate is asked again: once the viewer may no longer, the stream ends with
    /// [`io::ErrorKind::PermissionDenied`]. Call within a Tokio runtime; dropping it stops the reading.
    pub fn stream(&self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let end = range.end.min(self.len());
        let assembly = self.clone();
        futures_util::stream::try_unfold(range.start, move |at| {
            let assembly = assembly.clone();
            async move {
                if at >= end {
                    return Ok(None);
                }
                let next = end.min(at.saturating_add(CHUNK));
                let read = move || assembly.0.read(at..next);
                let bytes = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)??;
                Ok(Some((bytes, next)))
            }
        })
    }
}

impl Inner {
    /// Exactly these bytes. Blocking.
    fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        self.proof.still_allowed().map_err(|denied| io::Error::new(io::ErrorKind::PermissionDenied, denied))?;
        let mut at = range.start;
        let mut bytes = BytesMut::new();
        let first = self.pieces.partition_point(|(end, _)| *end <= at);
        let mut reopened: Option<(usize, File)> = None;
        for (end, piece) in &self.pieces[first..] {
            if at >= range.end {
                break;
            }
            let begin = end - piece.len();
            let part = at - begin..range.end.min(*end) - begin;
            at = begin + part.end;
            match piece {
                Piece::Made(made) => bytes.extend_from_slice(&made[to_index(part.start)..to_index(part.end)]),
                Piece::Slice { file, range } => {
                    let (recording, kept) = &self.files[*file];
                    let open = match (kept, &reopened) {
                        (Some(kept), _) => kept,
                        (None, Some((number, open))) if number == file => open,
                        (None, _) => {
                            let open = source::open_verified(recording, &self.footage).map_err(io::Error::other)?;
                            &reopened.insert((*file, open)).1
                        }
                    };
                    let old = bytes.len();
                    bytes.resize(old + to_index(part.end - part.start), 0);
                    open.read_exact_at(&mut bytes[old..], range.start + part.start)?;
                }
            }
        }
        Ok(bytes.freeze())
    }
}

/// Of something that is in memory.
fn to_index(at: u64) -> usize {
    usize::try_from(at).expect("within a chunk or a buffer")
}
