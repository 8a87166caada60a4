//! What recording and detection report on its way into the index.
//!
//! Neither may wait for the database, so the queue has no bound; what lies in it is small (a row a minute and camera, a few
//! a motion event), and after a crash the files tell the same again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::app::clock_set;
use crate::camera::packet::CameraMotion;
use crate::detect::event::MotionEvent;
use crate::disk::EventPicture;
use crate::index;
use crate::record::segment::Recorded;
use crate::units::CameraId;
use crate::web::SiteParts;

/// How long a busy database is given before it is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Something for the index.
#[derive(Debug)]
pub(crate) enum Report {
    Recorded(Recorded),
    Motion(MotionEvent),
    CameraMotion(CameraId, CameraMotion),
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
/// contradicts a row is left out. Once `last_try` is cancelled nothing waits any more: after the first report that cannot be
/// written, all are left to the next start, which finds the files.
pub(crate) async fn run(mut reports: mpsc::UnboundedReceiver<Report>, site: SiteParts, last_try: CancellationToken) {
    while let Some(report) = reports.recv().await {
        let mut said = false;
        loop {
            let done = match &report {
                Report::Recorded(recorded) => write_recorded(&site, recorded).await,
                Report::Motion(event) => write_motion(&site, event).await,
                Report::CameraMotion(camera, said) => {
                    let (camera, said) = (camera.clone(), *said);
                    site.writer.write(move |tx| index::camera_motion::note(tx, &camera, said)).await
                }
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
                    if last_try.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
                        tracing::error!("the last rows are left to the next start, which finds the files");
                        return;
                    }
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
    if let Some(on_board) = site.board.get(&event.camera) {
        on_board.counters.is_moving.store(event.end.is_none(), Ordering::Relaxed);
    }
    let mut event = event.clone();
    // The event itself matters more than its pictures.
    if !write_picture(site, &event, EventPicture::Thumbnail, event.thumbnail.clone()).await {
        event.thumbnail = None;
    }
    if !write_picture(site, &event, EventPicture::Preview, event.preview.clone()).await {
        event.preview = None;
    }
    let camera = event.camera.clone();
    let ended = move |tx: &rusqlite::Transaction<'_>| {
        // Its picture may come after its end: that is no second event.
        let was_over = index::events::by_id(tx, event.id)?.is_some_and(|row| row.end.is_some());
        Ok(index::events::upsert(tx, &event)? && event.end.is_some() && !was_over)
    };
    let is_new = site.writer.write(ended).await?;
    if let Some(on_board) = site.board.get(&camera).filter(|_| is_new) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing;
    use crate::detect::event::MotionEvent;
    use crate::index::{events, segments};
    use crate::record::segment::{ClosedSegment, Gap, GapCause};
    use crate::units::{ByteLen, Clock, EventId, SegmentId, UtcMicros, UtcSpan};

    fn porch() -> CameraId {
        "porch".parse().expect("an id")
    }

    fn span(from: i64, to: i64) -> UtcSpan {
        UtcSpan::new(UtcMicros(from), UtcMicros(to)).expect("in order")
    }

    fn segment(n: u8, path: &str) -> Report {
        Report::Recorded(Recorded::Segment(ClosedSegment {
            id: SegmentId::from_random([n; 8]),
            camera: porch(),
            span: span(n.into(), i64::from(n) + 1),
            path: format!("footage/porch/2026-11-22/{path}.mp4").into(),
            size: ByteLen(1),
            pictures: 1,
            codecs: "avc1".to_owned(),
            width: 1,
            height: 1,
        }))
    }

    #[tokio::test]
    async fn a_row_that_is_refused_holds_up_none_behind_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let site = testing::site(folder.path(), "", Clock::system());
        let (feed, reports) = Feed::new();
        feed.report(segment(1, "one"));
        feed.report(segment(2, "one")); // another segment's file
        feed.report(Report::Recorded(Recorded::Gap(Gap {
            camera: porch(),
            span: span(5, 9),
            cause: GapCause::DiskFull,
        })));
        feed.report(segment(3, "three"));
        drop(feed);
        run(reports, site.clone(), CancellationToken::new()).await;
        let rows = site.readers.read_blocking(|conn| segments::between(conn, &porch(), span(0, 100))).expect("reads");
        assert_eq!(rows.iter().map(|row| row.id.to_bytes()[0]).collect::<Vec<_>>(), [1, 3]);
        let gaps = site.readers.read_blocking(|conn| index::gaps::between(conn, &porch(), span(0, 100)));
        assert_eq!(gaps.expect("reads").len(), 1);
    }

    #[tokio::test]
    async fn an_index_that_takes_nothing_does_not_hold_up_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let site = testing::site(folder.path(), "", Clock::system());
        // Another program that never ends its transaction.
        let other = rusqlite::Connection::open(folder.path().join("hearthwatch.db")).expect("opens");
        other.execute_batch("BEGIN IMMEDIATE").expect("locked");
        let (feed, reports) = Feed::new();
        (1..9).for_each(|n| feed.report(segment(n, &n.to_string())));
        let last_try = CancellationToken::new();
        last_try.cancel();
        drop(feed);
        run(reports, site.clone(), last_try).await;
        let rows = site.readers.read_blocking(|conn| segments::between(conn, &porch(), span(0, 100))).expect("reads");
        assert_eq!(rows, []);
    }

    #[tokio::test]
    async fn an_event_whose_picture_comes_late_is_one_event() {
        let folder = tempfile::tempdir().expect("a folder");
        let site = testing::site(folder.path(), "", Clock::system());
        let counted = std::sync::Arc::new(crate::web::CameraCounters::default());
        testing::on_board(&site, &porch(), counted.clone());
        let event = |end: Option<i64>, thumbnail: Option<&'static [u8]>| {
            Report::Motion(MotionEvent {
                id: EventId::from_random([1; 8]),
                camera: porch(),
                start: UtcMicros(1),
                end: end.map(UtcMicros),
                peak: 0.1,
                zones: vec![],
                why: None,
                thumbnail: thumbnail.map(bytes::Bytes::from_static),
                preview: None,
            })
        };
        let (feed, reports) = Feed::new();
        feed.report(event(None, None));
        feed.report(event(Some(9), None));
        feed.report(event(Some(9), Some(&[0xff, 0xd8, 0xff, 0xd9])));
        drop(feed);
        run(reports, site.clone(), CancellationToken::new()).await;
        let row = site.readers.read_blocking(|conn| events::by_id(conn, EventId::from_random([1; 8])));
        assert!(row.expect("reads").expect("there").has_thumbnail);
        assert_eq!(counted.events.load(Ordering::Relaxed), 1);
    }
}
