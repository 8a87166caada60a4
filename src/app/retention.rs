//! Makes room: when the disk is short of it, and every minute by age, the oldest footage goes, row first, file second.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio_util::sync::CancellationToken;

use crate::app::clock_trust;
use crate::config::settings::{RecordMode, Settings};
use crate::disk::Space;
use crate::index::garbage::{self, Garbage};
use crate::index::retention::{self, Rule};
use crate::index::{self, adoption, camera_motion, cameras, events, gaps, segments};
use crate::record::segment::{ClosedSegment, GapCause};
use crate::units::{ByteLen, CameraId, SegmentId};
use crate::web::SiteParts;

/// Between two looks at the free space: asking costs microseconds, and what is written between two looks is how far the mark
/// can be missed.
const EVERY: Duration = Duration::from_secs(2);
/// Every so many looks, what has stayed for its days goes as well.
const BY_AGE_EVERY: u32 = 30;
/// How long footage of a camera that keeps motion only stays until it is judged: an event that concerns it may still begin.
const MOTION_ONLY_GRACE: Duration = Duration::from_secs(10 * 60);
/// Files removed before the next look at the list.
const AT_ONCE: u32 = 100;
/// Files removed before their rows where the disk has no room even for that.
const IN_NEED: u32 = 4;
/// Rows held against the disk at once, at the start.
const SWEEP_AT_ONCE: u32 = 500;

/// So many files may be gone without asking where the others are.
const A_FEW: usize = 20;

/// Looks until `stop`. A failure is logged, and the next look tries again.
pub(crate) async fn run(site: SiteParts, stop: CancellationToken) {
    let mut swept = Some(sweep(&site));
    let (mut looks, mut said) = (0_u32, false);
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        if let Some(swept) = swept.take()
            && let Some(Err(error)) = stop.run_until_cancelled(swept).await
        {
            tracing::error!("the index could not be held against the disk: {error:#}");
        }
        let done = if looks.is_multiple_of(BY_AGE_EVERY) { look(&site).await } else { by_need(&site).await };
        looks = looks.wrapping_add(1);
        match done {
            Ok(()) => said = false,
            Err(error) if said => tracing::debug!("still no room on the disk: {error:#}"),
            Err(error) => {
                tracing::error!("no room could be made on the disk: {error:#}");
                said = true;
            }
        }
    }
}

/// Once, at the start: takes out rows whose file is gone, and lists their time as missing.
async fn sweep(site: &SiteParts) -> anyhow::Result<()> {
    let mut path = PathBuf::new();
    loop {
        let (from, footage) = (path.clone(), site.footage.clone());
        let rows = site.readers.read(move |conn| segments::after_path(conn, &from, SWEEP_AT_ONCE)).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        path.clone_from(&last.path);
        let count = rows.len();
        let gone = tokio::task::spawn_blocking(move || {
            let is_gone = |row: &ClosedSegment| {
                footage.open_file(&row.path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
            };
            rows.into_iter().filter(is_gone).collect::<Vec<_>>()
        })
        .await?;
        if gone.len() > A_FEW && gone.len() * 2 > count {
            // A folder that was moved away, or a disk of its own that is not mounted, may come back.
            return Err(anyhow!(
                "{} of {count} files are not there, the first is {}; put them back, or let `hearthwatch check --repair` forget \
                 them",
                gone.len(),
                gone[0].path.display()
            ));
        }
        for row in gone {
            tracing::warn!(camera = %row.camera, path = %row.path.display(), "the file of this footage is gone");
            let (footage, path) = (site.footage.clone(), row.path.clone());
            if let Err(error) = tokio::task::spawn_blocking(move || footage.remove_previews(&path)).await? {
                tracing::warn!(%error, "its small pictures could not be removed");
            }
            let taken_out = move |tx: &rusqlite::Transaction<'_>| {
                // Not if it was made garbage meanwhile: then it is gone on purpose.
                if segments::forget(tx, row.id)? {
                    adoption::list(tx, &row.camera, row.span, GapCause::DiskError)?;
                }
                Ok(())
            };
            site.writer.write(taken_out).await?;
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
            let longest = rule.motion.max(rule.continuous);
            let before = now.minus(longest);
            let (segments, events, oldest, has_more) = site
                .readers
                .read(move |conn| {
                    let segments = retention::expired(conn, &camera, rule, now, limit)?;
                    let oldest = segments.first().map(|id| segments::by_id(conn, *id)).transpose()?.flatten();
                    let events = retention::expired_events(conn, &camera, rule, now, limit)?;
                    let has_more =
                        camera_motion::any_before(conn, &camera, before)? || gaps::any_before(conn, &camera, before)?;
                    Ok((segments, events, oldest, has_more))
                })
                .await?;
            if oldest.is_some_and(|oldest| !clock_trust::is_trusted_with(now, oldest.span.end().plus(longest))) {
                tracing::warn!(camera = %whose, "footage is old by a clock that may be wrong; it stays until space is needed");
                break;
            }
            if segments.is_empty() && events.is_empty() && !has_more {
                break;
            }
            tracing::debug!(camera = %whose, segments = segments.len(), events = events.len(), "their time is over");
            let camera = whose.clone();
            site.writer
                .write(move |tx| {
                    camera_motion::remove_before(tx, &camera, before)?;
                    gaps::remove_before(tx, &camera, before)?;
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
        if let Err(error) = make_garbage(site, some).await {
            if !error.is_disk_full() {
                return Err(error.into());
            }
            in_need(site, some).await?;
            make_garbage(site, some).await?;
        }
        remove_garbage(site).await?;
    }
    Ok(())
}

async fn make_garbage(site: &SiteParts, segments: &[SegmentId]) -> Result<(), index::WriteError> {
    let segments = segments.to_vec();
    site.writer.write(move |tx| segments.iter().try_for_each(|id| segments::remove(tx, *id).map(drop))).await
}

/// Others filled the disk to its last block, and without a block no row can be written: the first files go before their rows.
/// If the power is cut just then, the next start finds rows without files and takes them out.
async fn in_need(site: &SiteParts, segments: &[SegmentId]) -> anyhow::Result<()> {
    tracing::warn!("the disk is full to the last block; the oldest footage goes at once");
    let (footage, readers) = (site.footage.clone(), site.readers.clone());
    let oldest = segments.to_vec();
    let unlink = move || -> anyhow::Result<()> {
        let mut removed = 0;
        for id in oldest {
            let Some(segment) = readers.read_blocking(|conn| segments::by_id(conn, id))? else { continue };
            // Gone already: what that won the last time, somebody else took.
            if footage.open_file(&segment.path).is_err() {
                continue;
            }
            footage.remove_segment(&segment.path).context("a file could not be removed")?;
            removed += 1;
            if removed == IN_NEED {
                break;
            }
        }
        Ok(())
    };
    tokio::task::spawn_blocking(unlink).await?
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
    ByteLen(settings.storage.keep_free.of(space.total).0.saturating_sub(space.free.0))
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
                    Garbage::Segment { path, .. } => {
                        // Small pictures that cannot be removed must not keep the footage from making room.
                        if let Err(error) = footage.remove_previews(path) {
                            tracing::warn!(path = %path.display(), %error, "small pictures could not be removed");
                        }
                        footage.remove_segment(path)
                    }
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
mod tests;
