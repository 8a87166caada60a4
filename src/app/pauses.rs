//! Cameras that the household switched off: what the rows say, told to whoever starts and stops cameras.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Transaction;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::camera::status::{Link, StreamStatus};
use crate::config::settings::Camera;
use crate::detect;
use crate::index::audit::{self, Entry};
use crate::index::pauses::{self, PauseRow};
use crate::units::{CameraId, UtcMicros};
use crate::web::{OnBoard, SiteParts};

/// The paused cameras.
pub(crate) type Paused = BTreeMap<CameraId, PauseRow>;

/// How long it may take until a pause whose time is over ends, even if the clock was set meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What the rows say now; pauses whose time went by while the recorder was off are ended first.
pub(crate) async fn read(site: &SiteParts) -> anyhow::Result<Paused> {
    let now = site.clock.now();
    let rows = site.writer.write(move |tx| {
        end_overdue(tx, now)?;
        pauses::all(tx)
    });
    Ok(rows.await?.into_iter().map(|row| (row.camera.clone(), row)).collect())
}

/// Tells each change until `stop`. What cannot be read stays as it was: a paused camera stays paused.
pub(crate) async fn run(site: SiteParts, paused: watch::Sender<Paused>, stop: CancellationToken) {
    loop {
        let now = site.clock.now();
        let next = paused.borrow().values().filter_map(|pause| pause.until).min();
        let wait = next.map_or(LOOK_EVERY, |until| until.since(now).min(LOOK_EVERY));
        tokio::select! {
            () = stop.cancelled() => return,
            () = site.pauses.touched() => {}
            () = tokio::time::sleep(wait) => if next.is_none_or(|until| until > site.clock.now()) { continue },
        }
        match read(&site).await {
            Ok(rows) => {
                paused.send_if_modified(|before| {
                    let changed = *before != rows;
                    *before = rows;
                    changed
                });
            }
            Err(error) => {
                tracing::error!(%error, "it is not known which cameras are switched off; what was off stays off");
                tokio::time::sleep(Duration::from_secs(1)).await;
                site.pauses.touch();
            }
        }
    }
}

fn end_overdue(tx: &Transaction<'_>, now: UtcMicros) -> rusqlite::Result<()> {
    for pause in pauses::all(tx)?.into_iter().filter(|pause| pause.is_over(now)) {
        pauses::end(tx, &pause.camera, now)?;
        let entry = Entry {
            at: now,
            user: None,
            user_name: String::new(),
            action: "resume".into(),
            camera: Some(pause.camera),
            span: None,
            address: None,
            detail: format!("the time that {} had set was over", pause.user_name),
        };
        audit::append(tx, &entry)?;
    }
    Ok(())
}

/// Puts a paused camera on the board: its name, and who switched it off.
pub(crate) fn show(site: &SiteParts, id: &CameraId, camera: &Camera, pause: &PauseRow) {
    let status = StreamStatus {
        link: Link::Paused { by: pause.user_name.clone() },
        since: pause.since,
        ..StreamStatus::new(pause.since)
    };
    // Their other ends are gone: nothing changes until the camera is started again, and nobody makes a picture.
    let (_, main) = watch::channel(status.clone());
    let (_, sub) = watch::channel(status);
    let (snapshots, _) = mpsc::channel(1);
    let counters = site.board.get(id).map(|before| before.counters).unwrap_or_default();
    site.board.set(
        id.clone(),
        OnBoard {
            name: camera.name.clone(),
            main,
            sub: camera.detect_url.as_ref().map(|_| sub),
            snapshots,
            record: camera.record.name(),
            detects_motion: camera.motion.enabled,
            detection: Arc::new(detect::counters::Counters::default()),
            counters,
        },
    );
}
