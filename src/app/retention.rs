//! Makes room: every minute the oldest footage is looked at, and what is over goes, row first, file second.

use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::app::clock_trust;
use crate::config::settings::{KeepFree, RecordMode, Settings};
use crate::disk::Space;
use crate::index::garbage::{self, Garbage};
use crate::index::retention::{self, Rule};
use crate::index::{cameras, events, segments};
use crate::units::{ByteLen, CameraId};
use crate::web::SiteParts;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(60);
/// How long footage of a camera that keeps motion only stays until it is judged: an event that concerns it may still begin.
const MOTION_ONLY_GRACE: Duration = Duration::from_secs(10 * 60);
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
    if site.clock.is_believed() {
        by_age(site).await?;
    }
    by_need(site).await
}

/// What has stayed for its days. A camera that left the configuration keeps its footage as long as others do.
async fn by_age(site: &SiteParts) -> anyhow::Result<()> {
    let now = site.clock.now();
    let settings = site.settings.borrow().clone();
    for camera in site.readers.read(cameras::list).await? {
        let rule = rule(&settings, &camera.id);
        let (whose, limit) = (camera.id.clone(), AT_ONCE);
        loop {
            let camera = whose.clone();
            let (segments, events, oldest) = site
                .readers
                .read(move |conn| {
                    let segments = retention::expired(conn, &camera, rule, now, limit)?;
                    let oldest = segments.first().map(|id| segments::by_id(conn, *id)).transpose()?.flatten();
                    Ok((segments, retention::expired_events(conn, &camera, rule, now, limit)?, oldest))
                })
                .await?;
            let longest = rule.motion.max(rule.continuous);
            if oldest.is_some_and(|oldest| !clock_trust::is_trusted_with(now, oldest.span.end().plus(longest))) {
                tracing::warn!(camera = %whose, "footage is old by a clock that may be wrong; it stays until space is needed");
                break;
            }
            if segments.is_empty() && events.is_empty() {
                break;
            }
            tracing::debug!(camera = %whose, segments = segments.len(), events = events.len(), "their time is over");
            site.writer
                .write(move |tx| {
                    segments.iter().try_for_each(|id| segments::remove(tx, *id).map(drop))?;
                    events.iter().try_for_each(|id| events::remove(tx, *id).map(drop))
                })
                .await?;
            remove_garbage(site).await?;
        }
    }
    Ok(())
}

/// What must go so that `keep_free` stays free.
async fn by_need(site: &SiteParts) -> anyhow::Result<()> {
    let settings = site.settings.borrow().clone();
    let footage = site.footage.clone();
    let space = tokio::task::spawn_blocking(move || footage.space()).await?.context("the free space is not known")?;
    let short = short_of(&settings, space);
    if short == ByteLen(0) {
        return Ok(());
    }
    let around = settings.cameras.values().map(|camera| camera.motion.pre.max(camera.motion.post)).max();
    let around = around.unwrap_or_default();
    let segments = site.readers.read(move |conn| retention::first_to_go(conn, short, around)).await?;
    tracing::info!(segments = segments.len(), short = %short, "the disk is short of space; the oldest footage goes");
    for some in segments.chunks(AT_ONCE as usize) {
        let some = some.to_vec();
        site.writer.write(move |tx| some.iter().try_for_each(|id| segments::remove(tx, *id).map(drop))).await?;
        remove_garbage(site).await?;
    }
    Ok(())
}

/// How long footage of that camera stays.
fn rule(settings: &Settings, camera: &CameraId) -> Rule {
    let configured = settings.cameras.get(camera);
    let motion = configured.map(|camera| camera.motion.clone()).unwrap_or_default();
    let continuous = match configured.map(|camera| camera.record) {
        Some(RecordMode::Motion) => MOTION_ONLY_GRACE,
        _ => settings.retention.continuous,
    };
    Rule { continuous, motion: settings.retention.motion, around: motion.pre.max(motion.post) }
}

/// How much must go so that `keep_free` stays free.
fn short_of(settings: &Settings, space: Space) -> ByteLen {
    let keep = match settings.storage.keep_free {
        KeepFree::Bytes(bytes) => bytes.0,
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part, 0 to 1, of a disk's size; a few bytes do not matter"
        )]
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
                    Garbage::Pictures { event } => footage.remove_pictures(&row.camera, *event),
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
        let mut settings =
            crate::config::check("", |_| Err(std::io::ErrorKind::NotFound.into())).expect("valid").settings;
        let space = Space { total: ByteLen(1000), free: ByteLen(60) };
        settings.storage.keep_free = KeepFree::Part(0.1);
        assert_eq!(short_of(&settings, space), ByteLen(40));
        settings.storage.keep_free = KeepFree::Bytes(ByteLen(50));
        assert_eq!(short_of(&settings, space), ByteLen(0));
    }
}
