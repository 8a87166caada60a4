//! HTTP Live Streaming (RFC 8216) of recorded footage: a playlist of segment files, each with its own init section.
//!
//! Media segments are the bytes of segment files with one change: each fragment's decode time is moved by where the segment
//! lies in the playlist, which its address says, so that every request is answered without looking at the others. Each
//! segment names its own init section, because two segments of one codec and size may still differ in their parameter sets.
//! A playlist is a snapshot: whoever wants what came since asks again.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;

use crate::access::{Right, Viewable};
use crate::camera::packet::Track;
use crate::disk::Footage;
use crate::index::Readers;
use crate::media::assembly::{Assembly, Piece, Pieces};
use crate::media::recordings::{self, find};
use crate::media::source::{self, Recording};
use crate::media::{MediaError, clip, needs};
use crate::record::open::OpenSegments;
use crate::record::reader::{Fragment, ReadAt as _, SegmentFile};
use crate::units::{ByteLen, CameraId, SegmentId, UtcSpan};

/// Segments further apart than this, either way, do not follow each other.
const SEAM: Duration = Duration::from_millis(100);

/// What lies below `/vod/{camera}/start/{a}/end/{b}/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VodFile {
    /// `index.m3u8`
    Playlist,
    /// `init-<segment>.mp4`
    Init(SegmentId),
    /// `<segment>.m4s`
    Segment(SegmentId),
}

impl VodFile {
    /// What a path's last part names.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "index.m3u8" {
            return Some(Self::Playlist);
        }
        if let Some(id) = name.strip_prefix("init-").and_then(|name| name.strip_suffix(".mp4")) {
            return id.parse().ok().map(Self::Init);
        }
        name.strip_suffix(".m4s")?.parse().ok().map(Self::Segment)
    }

    /// For `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Playlist => "application/vnd.apple.mpegurl",
            Self::Init(_) => "video/mp4",
            Self::Segment(_) => "video/iso.segment",
        }
    }
}

/// What a segment's address says behind the question mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
pub struct SegmentQuery {
    /// Where the segment begins in the playlist, in microseconds. Whatever it says only moves times.
    #[serde(default)]
    pub at_us: u64,
    /// For a segment that was being written: how many bytes of its file the playlist was made of.
    #[serde(default)]
    pub until: Option<u64>,
}

/// The playlist of a span of at most 24 hours; takes a proof of [`Right::History`].
pub async fn playlist(
    proof: &Viewable<CameraId>,
    span: UtcSpan,
    readers: &Readers,
    open: &OpenSegments,
) -> Result<String, MediaError> {
    needs(proof, &[Right::History])?;
    if span.length() > clip::MAX_LENGTH {
        return Err(MediaError::TooLong(clip::TOO_LONG));
    }
    let recordings = find(proof, span, readers, open).await?;
    let recordings: Vec<_> = recordings.iter().map(Viewable::get).collect();
    write_playlist(&recordings, span).ok_or(MediaError::Nothing)
}

/// The init section of one segment; takes a proof of [`Right::History`].
pub async fn init(
    proof: &Viewable<CameraId>,
    id: SegmentId,
    readers: &Readers,
    footage: &Footage,
    open: &OpenSegments,
) -> Result<Bytes, MediaError> {
    needs(proof, &[Right::History])?;
    let recording = recordings::by_id(proof, id, readers, open).await?;
    let footage = footage.clone();
    blocking(move || {
        let (file, segment) = source::open_segment(&recording, &footage)?;
        // At most `reader::MAX_INIT`.
        let mut bytes = vec![0; usize::try_from(segment.init.end).map_err(|_| MediaError::Broken)?];
        let path = recording.get().path.clone();
        file.read_exact_at(&mut bytes, 0).map_err(|source| MediaError::Io { path, source })?;
        Ok(bytes.into())
    })
    .await
}

/// One segment; takes a proof of [`Right::History`].
pub async fn segment(
    proof: &Viewable<CameraId>,
    id: SegmentId,
    query: SegmentQuery,
    readers: &Readers,
    footage: &Footage,
    open: &OpenSegments,
) -> Result<Assembly, MediaError> {
    needs(proof, &[Right::History])?;
    let mut recording = recordings::by_id(proof, id, readers, open).await?.get().clone();
    recording.size = ByteLen(query.until.map_or(recording.size.0, |until| until.min(recording.size.0)));
    let recording = proof.narrow(recording)?;
    let (proof, footage) = (proof.clone(), footage.clone());
    blocking(move || assemble(&proof, recording, query, &footage)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MediaError> + Send + 'static,
) -> Result<T, MediaError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(MediaError::Broken))
}

fn assemble(
    proof: &Viewable<CameraId>,
    recording: Viewable<Recording>,
    query: SegmentQuery,
    footage: &Footage,
) -> Result<Assembly, MediaError> {
    let (file, segment) = source::open_segment(&recording, footage)?;
    let mut pieces = Pieces::default();
    for fragment in &segment.fragments {
        push_moved(&mut pieces, fragment, &segment, query.at_us);
    }
    let etag = format!("\"{}-{:x}-{:x}\"", recording.get().id, segment.intact_len, query.at_us);
    Ok(Assembly::new(proof, footage, vec![(recording, Some(file))], pieces, etag))
}

/// The fragment's bytes with every track's decode time moved.
fn push_moved(pieces: &mut Pieces, fragment: &Fragment, segment: &SegmentFile, by_us: u64) {
    let mut from = fragment.range.start;
    let mut runs: Vec<_> = fragment.runs.iter().collect();
    runs.sort_by_key(|run| run.base_decode_at.start);
    for run in runs {
        let timescale = match run.track {
            Track::Video => segment.video.timescale,
            Track::Audio => segment.audio.as_ref().map_or(1, |audio| audio.timescale),
        };
        let by = u128::from(by_us) * u128::from(timescale) / 1_000_000;
        let moved = u64::try_from(u128::from(run.base_decode_ticks).saturating_add(by)).unwrap_or(u64::MAX);
        let bytes = moved.to_be_bytes();
        // A foreign file may have short times: the low half is all that fits.
        let short = usize::try_from(run.base_decode_at.end - run.base_decode_at.start).unwrap_or(8).min(8);
        pieces.push(Piece::Slice { file: 0, range: from..run.base_decode_at.start });
        pieces.push(Piece::Made(Bytes::copy_from_slice(&bytes[8 - short..])));
        from = run.base_decode_at.end;
    }
    pieces.push(Piece::Slice { file: 0, range: from..fragment.range.end });
}

/// `None` if there is nothing to list. Pure.
fn write_playlist(recordings: &[&Recording], span: UtcSpan) -> Option<String> {
    let zero = recordings.first()?.span.start();
    let longest = recordings.iter().map(|recording| recording.span.length()).max()?;
    let target = longest.as_micros().div_ceil(1_000_000).max(1);
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n"
    );
    let skipped = span.start().since(zero);
    if !skipped.is_zero() {
        push_line(&mut text, format_args!("#EXT-X-START:TIME-OFFSET={},PRECISE=YES", seconds(skipped)));
    }
    let mut before: Option<&Recording> = None;
    for recording in recordings {
        if before.is_some_and(|before| !follows(before, recording)) {
            push_line(&mut text, format_args!("#EXT-X-DISCONTINUITY"));
        }
        let id = recording.id;
        push_line(&mut text, format_args!("#EXT-X-MAP:URI=\"init-{id}.mp4\""));
        push_line(&mut text, format_args!("#EXT-X-PROGRAM-DATE-TIME:{}", recording.span.start()));
        push_line(&mut text, format_args!("#EXTINF:{},", seconds(recording.span.length())));
        let at_us = recording.span.start().since(zero).as_micros();
        let until = if recording.is_open { format!("&until={}", recording.size.0) } else { String::new() };
        push_line(&mut text, format_args!("{id}.m4s?at_us={at_us}{until}"));
        before = Some(recording);
    }
    text.push_str("#EXT-X-ENDLIST\n");
    Some(text)
}

/// Whether a player may run on without starting its decoder and clock anew.
fn follows(before: &Recording, next: &Recording) -> bool {
    let seam = Duration::from_micros(next.span.start().offset_from(before.span.end()).unsigned_abs());
    seam < SEAM && (&before.codecs, before.width, before.height) == (&next.codecs, next.width, next.height)
}

fn push_line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes all text");
}

/// With six decimals.
fn seconds(length: Duration) -> String {
    format!("{}.{:06}", length.as_secs(), length.subsec_micros())
}

#[cfg(test)]
mod tests;
