//! The clock was set: what a camera's recorder told before is moved, file by file, in the order of the index feed.

use std::io;

use crate::app::guessed_time;
use crate::index::{self, clock_set, segments};
use crate::record::moved;
use crate::record::segment::{ClockSet, ClosedSegment};
use crate::web::SiteParts;

/// Moves what this life told of the camera, and with the first one what lives before told of all.
pub(crate) async fn put_right(site: &SiteParts, set: &ClockSet) -> Result<(), index::WriteError> {
    guessed_time::settle(site, set.span.start(), set.by_us).await?;
    move_told(site, set).await
}

/// Moves footage, gaps and events. A file that can't be moved stays where it is, and its row with it.
pub(crate) async fn move_told(site: &SiteParts, set: &ClockSet) -> Result<(), index::WriteError> {
    let of = set.clone();
    let rows = site.writer.write(move |tx| segments::between(tx, &of.camera, of.span)).await?;
    for segment in clock_set::in_order(set, rows) {
        let span = clock_set::span(set, &segment);
        let (footage, of) = (site.footage.clone(), segment.clone());
        let done = tokio::task::spawn_blocking(move || {
            let path = moved::file_to(&footage, &of, span.start())?;
            if let Err(error) = footage.rename_previews(&of.path, &path) {
                tracing::warn!(path = %path.display(), %error, "small pictures could not be moved with their footage");
            }
            Ok(path)
        })
        .await;
        match done.map_err(io::Error::other).flatten() {
            Ok(path) => site.writer.write(move |tx| clock_set::move_segment(tx, &segment, span, &path)).await?,
            Err(error) => tracing::warn!(path = %segment.path.display(), %error, "keeps the time of a wrong clock"),
        }
    }
    let of = set.clone();
    site.writer.write(move |tx| clock_set::move_the_rest(tx, &of)).await
}

/// Whether a file that the index knows by another path was moved there, by an earlier life that ended before it told the index.
pub(crate) fn was_moved(
    row: &ClosedSegment,
    found: &ClosedSegment,
    open: impl Fn(&std::path::Path) -> io::Result<()>,
) -> bool {
    row.path != found.path && open(&row.path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}
