//! Makes room: every minute the oldest footage is looked at, and what is over goes, row first, file second.

use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::config::settings::{KeepFree, Settings};
use crate::disk::Space;
use crate::index::garbage::{self, Garbage};
use crate::index::{retention, segments};
use crate::units::{ByteLen, UtcMicros};
use crate::web::SiteParts;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(60);
/// A clock before this moment (2026-01-01) is one that was never set: this program is younger.
const PROGRAM_IS_YOUNGER: UtcMicros = UtcMicros(1_767_225_600_000_000);
/// Files removed before the next look at the list.
const AT_ONCE: u32 = 100;

/// Looks until `stop`. A failure is logged, and the next look tries again.
pub(crate) async fn run(site: SiteParts, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        if let Err(error) = look(&site).await {
            tracing::error!("no room could be made on the disk: {error:#}");
        }
    }
}

async fn look(site: &SiteParts) -> anyhow::Result<()> {
    remove_garbage(site).await?; // what an earlier life left
    let now = site.clock.now();
    let mut from = UtcMicros(i64::MIN);
    loop {
        let settings = site.settings.borrow().clone();
        let footage = site.footage.clone();
        let space = tokio::task::spawn_blocking(move || footage.space()).await?.context("the free space is not known")?;
        let short = short_of(&settings, space);
        let trust_clock = now > PROGRAM_IS_YOUNGER;
        let look = site
            .readers
            .read(move |conn| retention::look(conn, &settings, from, now, short, trust_clock))
            .await?;
        if !look.over.is_empty() {
            tracing::debug!(segments = look.over.len(), size = %look.size, short = %short, "removing old footage");
            let over = look.over;
            site.writer.write(move |tx| over.iter().try_for_each(|id| segments::remove(tx, *id).map(drop))).await?;
            remove_garbage(site).await?;
        }
        match look.next {
            Some(next) => from = next,
            None => return Ok(()),
        }
    }
}

/// How much must go so that `keep_free` stays free.
fn short_of(settings: &Settings, space: Space) -> ByteLen {
    let keep = match settings.storage.keep_free {
        KeepFree::Bytes(bytes) => bytes.0,
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part, 0 to 1, of a disk's size; a few bytes do not matter")]
        KeepFree::Part(part) => (space.total.0 as f64 * part) as u64,
    };
    ByteLen(keep.saturating_sub(space.free.0))
}

/// Unlinks what has no row any more, then forgets it; interrupted, it is finished by the next look.
async fn remove_garbage(site: &SiteParts) -> anyhow::Result<()> {
    loop {
        let rows = site.readers.read(|conn| garbage::pending(conn, AT_ONCE)).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let footage = site.footage.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut done = Vec::new();
            for row in rows {
                let removed = match &row.what {
                    Garbage::Segment { path, .. } => footage.remove_segment(path),
                    Garbage::Thumbnail { event } => footage.remove_thumbnail(&row.camera, *event),
                };
                match removed {
                    Ok(()) => done.push(row.id),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => done.push(row.id),
                    Err(error) => return (done, Some(error)),
                }
            }
            (done, None)
        })
        .await?;
        let (ids, failed) = done;
        site.writer.write(move |tx| ids.iter().try_for_each(|id| garbage::done(tx, *id).map(drop))).await?;
        if let Some(error) = failed {
            return Err(error).context("a file could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_short_by_what_is_missing_to_the_mark() {
        let mut settings = crate::config::check("", |_| Err(std::io::ErrorKind::NotFound.into())).expect("valid").settings;
        let space = Space { total: ByteLen(1000), free: ByteLen(60) };
        settings.storage.keep_free = KeepFree::Part(0.1);
        assert_eq!(short_of(&settings, space), ByteLen(40));
        settings.storage.keep_free = KeepFree::Bytes(ByteLen(50));
        assert_eq!(short_of(&settings, space), ByteLen(0));
    }
}
