//! A stretch of one camera's footage as one MP4 that any player can seek in, without transcoding.
//!
//! The file is never made: its tables are, and its data are slices of segment files read when they are sent. Data begin at
//! the key frame before the wanted start, and an edit list lets playing begin exactly at it.

mod plan;
mod table;

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::access::{Right, ShareRow, Viewable};
use crate::disk::Footage;
use crate::index::Readers;
use crate::media::assembly::{Assembly, STAY_OPEN};
use crate::media::clip::plan::Plan;
pub(in crate::media) use crate::media::clip::table::rescale;
use crate::media::recordings::find;
use crate::media::source::{self, Recording};
use crate::media::{MediaError, needs};
use crate::record::open::OpenSegments;
use crate::units::{CameraId, UtcSpan};

/// The longest clip.
pub const MAX_LENGTH: Duration = Duration::from_secs(24 * 60 * 60);
/// What is said to whoever asks for more.
pub(crate) const TOO_LONG: &str = "a clip has at most 24 hours; ask for a shorter time";

/// A clip of the camera's footage of that span, at most 24 hours; takes a proof of [`Right::Export`] (to take it away) or of
/// [`Right::History`] (to play it in the page).
///
/// It shows what was recorded of the span, from the picture that stood at its start on. Holes of less than two seconds are
/// a standing picture; over longer ones the clip closes up, and the picture before keeps its own length. It begins and ends
/// with the footage where the span reaches further; the segment that is being written is included up to its last sync.
pub async fn open(
    proof: &Viewable<CameraId>,
    span: UtcSpan,
    readers: &Readers,
    footage: &Footage,
    open: &OpenSegments,
) -> Result<Assembly, MediaError> {
    check(proof, span)?;
    let recordings = find(proof, span, readers, open).await?;
    let (proof, footage) = (proof.clone(), footage.clone());
    let assemble = move || assemble(&proof, span, recordings, &footage);
    tokio::task::spawn_blocking(assemble).await.unwrap_or(Err(MediaError::Broken))
}

/// What a link shows, and nothing before or after it.
pub async fn open_shared(
    proof: &Viewable<ShareRow>,
    readers: &Readers,
    footage: &Footage,
    segments: &OpenSegments,
) -> Result<Assembly, MediaError> {
    let ShareRow { camera, span, .. } = proof.get();
    open(&proof.narrow(camera.clone())?, *span, readers, footage, segments).await
}

fn check(proof: &Viewable<CameraId>, span: UtcSpan) -> Result<(), MediaError> {
    needs(proof, &[Right::Export, Right::History])?;
    if span.length() > MAX_LENGTH {
        return Err(MediaError::TooLong(TOO_LONG));
    }
    Ok(())
}

/// Puts a clip together from these recordings, oldest first. Blocking.
fn assemble(
    proof: &Viewable<CameraId>,
    span: UtcSpan,
    recordings: Vec<Viewable<Recording>>,
    footage: &Footage,
) -> Result<Assembly, MediaError> {
    let mut plan = Plan::new(span);
    let mut files = Vec::new();
    let mut content = Sha256::new();
    content.update(span.start().0.to_be_bytes());
    content.update(span.end().0.to_be_bytes());
    for recording in recordings {
        let (file, segment) = match source::open_segment(&recording, footage) {
            // Retention takes the oldest; what is left is still wanted.
            Err(MediaError::Gone) => continue,
            opened => opened?,
        };
        content.update(recording.get().id.to_bytes());
        content.update(segment.intact_len.to_be_bytes());
        plan.add(files.len(), recording.get().span, &segment)?;
        files.push((recording, (files.len() < STAY_OPEN).then_some(file)));
    }
    let mut digest = [0; 8];
    digest.copy_from_slice(&content.finalize()[..8]);
    let etag = format!("\"{:016x}\"", u64::from_be_bytes(digest));
    Ok(Assembly::new(proof, footage, files, plan.finish()?, etag))
}

#[cfg(test)]
mod tests;
