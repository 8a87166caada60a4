//! What recording and detection report on its way into the index.
//!
//! Neither may wait for the database, so the queue has no bound; what lies in it is small (a row a minute and camera, a few
//! a motion event), and after a crash the files tell the same again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::app::clock_set;
use crate::detect::event::MotionEvent;
use crate::disk::EventPicture;
use crate::index;
use crate::record::segment::Recorded;
use crate::web::SiteParts;

/// How long a busy database is given before it is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Something for the index.
#[derive(Debug)]
pub(crate) enum Report {
    Recorded(Recorded),
    Motion(MotionEvent),
}

/// Where reports go in. Never blocks.
#[derive(Debug, Clone)]
pub(crate) struct Feed(mpsc::UnboundedSender<Report>);

impl Feed {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Report>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    pub(crate) fn report(&self, report: Report) {
        // The receiver outlives every camera; if it is gone the process is ending and the files tell the rest.
        let _ = self.0.send(report);
    }
}

/// Writes reports in their order until every [`Feed`] is dropped; a report that cannot be written waits until it can, but one that
/// contradicts a row is left out.
pub(crate) async fn run(mut reports: mpsc::UnboundedReceiver<Report>, site: SiteParts) {
    while let Some(report) = reports.recv().await {
        let mut said = false;
        loop {
            let done = match &report {
                Report::Recorded(recorded) => write_recorded(&site, recorded).await,
                Report::Motion(event) => write_motion(&site, event).await,
            };
            match done {
                Ok(()) => break,
                // It would be refused for ever, and everything behind it would wait with it.
                Err(error) if error.is_conflict() => {
                    tracing::error!(%error, "the index refuses a row; `hearthwatch check` says what is wrong");
                    break;
                }
                Err(error) => {
                    if !said {
                        tracing::error!(error = %error, "the index takes no rows; recording goes on, and they wait");
                        said = true;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        if said {
            tracing::info!("the index takes rows again");
        }
    }
}

async fn write_recorded(site: &SiteParts, recorded: &Recorded) -> Result<(), index::WriteError> {
    match recorded.clone() {
        Recorded::Segment(segment) => {
            let (camera, id, length) = (segment.camera.clone(), segment.id, segment.span.length());
            site.writer.write(move |tx| index::segments::insert(tx, &segment)).await?;
            site.open.remove(&camera, id); // only now: until there is a row, the open segment is how it is found
            if let Some(on_board) = site.board.get(&camera) {
                on_board.counters.add_recorded(length);
            }
            Ok(())
        }
        Recorded::Gap(gap) => {
            let (camera, cause, length) = (gap.camera.clone(), gap.cause, gap.span.length());
            site.writer.write(move |tx| index::gaps::insert(tx, &gap)).await?;
            if let Some(on_board) = site.board.get(&camera) {
                on_board.counters.add_lost(cause, length);
            }
            Ok(())
        }
        Recorded::ClockSet(set) => clock_set::put_right(site, &set).await,
    }
}

async fn write_motion(site: &SiteParts, event: &MotionEvent) -> Result<(), index::WriteError> {
    let mut event = event.clone();
    // The event itself matters more than its pictures.
    if !write_picture(site, &event, EventPicture::Thumbnail, event.thumbnail.clone()).await {
        event.thumbnail = None;
    }
    if !write_picture(site, &event, EventPicture::Preview, event.preview.clone()).await {
        event.preview = None;
    }
    let (camera, is_over) = (event.camera.clone(), event.end.is_some());
    site.writer.write(move |tx| index::events::upsert(tx, &event)).await?;
    if let Some(on_board) = site.board.get(&camera).filter(|_| is_over) {
        on_board.counters.events.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Whether that picture of the event is on the disk now.
async fn write_picture(site: &SiteParts, event: &MotionEvent, picture: EventPicture, jpeg: Option<Bytes>) -> bool {
    let Some(jpeg) = jpeg else { return false };
    let (footage, camera, id) = (site.footage.clone(), event.camera.clone(), event.id);
    let written = tokio::task::spawn_blocking(move || footage.write_picture(&camera, id, picture, &jpeg)).await;
    let written = written.map_err(std::io::Error::other).and_then(|written| written);
    if let Err(error) = &written {
        let picture = picture.name();
        tracing::warn!(camera = %event.camera, event = %id, picture, %error, "a picture of an event could not be written");
    }
    written.is_ok()
}
