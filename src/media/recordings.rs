//! What there is of one camera's time: recorded, missing, moving.

use std::time::Duration;

use crate::access::{Denied, Right, Viewable};
use crate::camera::packet::Heard;
use crate::index::{Readers, camera_motion, events, gaps, pauses, segments};
use crate::media::source::Recording;
use crate::media::{MediaError, needs};
use crate::record::open::OpenSegments;
use crate::record::segment::{Gap, GapCause};
use crate::units::{CameraId, SegmentId, UtcMicros, UtcSpan};

/// Segments that follow each other this closely are told as one span.
const SAME_SPAN: Duration = Duration::from_millis(100);
/// The longest time that is told about at once.
pub const MAX_LENGTH: Duration = Duration::from_secs(62 * 24 * 60 * 60);

/// What there is of a span of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// When pictures were recorded, by start, cut to what was asked about.
    pub spans: Vec<UtcSpan>,
    /// Time that should have been recorded and was not, with its cause; by start, cut likewise.
    pub gaps: Vec<Gap>,
    /// Events, by start, whole.
    pub motion: Vec<Motion>,
    /// When the camera itself said that something moves, by start, whole; `None` if it was not listened to in that time.
    pub camera_motion: Option<Vec<camera_motion::Span>>,
}

/// When something moved.
#[derive(Debug, Clone, PartialEq)]
pub struct Motion {
    /// The first look at what moved.
    pub start: UtcMicros,
    /// The last; `None` while it goes on.
    pub end: Option<UtcMicros>,
    /// The largest part of the picture that moved at once, 0 to 1.
    pub peak: f32,
}

/// Tells what there is; takes a proof of [`Right::History`]. The segment that is being written is included, and so is the
/// pause in which the camera is at `now`.
pub async fn overview(
    proof: &Viewable<CameraId>,
    span: UtcSpan,
    now: UtcMicros,
    readers: &Readers,
    open: &OpenSegments,
) -> Result<Overview, MediaError> {
    needs(proof, &[Right::History])?;
    if span.length() > MAX_LENGTH {
        return Err(MediaError::TooLong("at most 62 days are told about at once; ask for a shorter time"));
    }
    // First the open ones, then the rows: whatever is closed in between is seen twice rather than not at all.
    let open: Vec<_> = open.of(proof.get()).into_iter().map(|open| open.span).collect();
    let camera = proof.get().clone();
    let (mut recorded, gaps, motion, camera_motion) = readers
        .read(move |conn| {
            let recorded = segments::times_between(conn, &camera, span)?;
            let mut gaps = gaps::between(conn, &camera, span)?;
            if let Some(pause) = pauses::of(conn, &camera)?
                && let Some(span) = pauses::missing(conn, &pause, now)?
            {
                gaps.push(Gap { camera: camera.clone(), span, cause: GapCause::Paused });
            }
            let said = camera_motion::between(conn, &camera, Heard::Motion, span)?;
            let is_known = !said.is_empty() || !camera_motion::between(conn, &camera, Heard::Track, span)?.is_empty();
            Ok((recorded, gaps, events::between(conn, &camera, span)?, is_known.then_some(said)))
        })
        .await?;
    let cut = |gap: Gap| Some(Gap { span: gap.span.intersection(span)?, ..gap });
    recorded.extend(open);
    recorded.sort_by_key(|span| span.start());
    Ok(Overview {
        spans: merge(recorded.into_iter().filter_map(|recorded| recorded.intersection(span))),
        gaps: gaps.into_iter().filter_map(cut).collect(),
        motion: motion
            .into_iter()
            .map(|event| Motion { start: event.start, end: event.end, peak: event.peak })
            .collect(),
        camera_motion,
    })
}

/// The segments that have any time in common with the span, by start.
pub(crate) async fn find(
    proof: &Viewable<CameraId>,
    span: UtcSpan,
    readers: &Readers,
    open: &OpenSegments,
) -> Result<Vec<Viewable<Recording>>, MediaError> {
    // First the open ones, then the rows: whatever is closed in between is seen twice rather than not at all.
    let open = open.of(proof.get());
    let camera = proof.get().clone();
    let rows = readers.read(move |conn| segments::between(conn, &camera, span)).await?;
    let open: Vec<_> = open
        .into_iter()
        .filter(|open| open.span.intersection(span).is_some() && rows.iter().all(|row| row.id != open.id))
        .collect();
    let open = open.into_iter().map(Recording::from);
    let mut recordings: Vec<_> = rows.into_iter().map(Recording::from).chain(open).collect();
    recordings.sort_by_key(|recording| recording.span.start());
    let narrowed: Result<_, Denied> = recordings.into_iter().map(|recording| proof.narrow(recording)).collect();
    Ok(narrowed?)
}

/// The segment of that id, if it is this camera's.
pub(crate) async fn by_id(
    proof: &Viewable<CameraId>,
    id: SegmentId,
    readers: &Readers,
    open: &OpenSegments,
) -> Result<Viewable<Recording>, MediaError> {
    let open = open.of(proof.get()).into_iter().find(|open| open.id == id);
    let row = readers.read(move |conn| segments::by_id(conn, id)).await?;
    let found = row.map(Recording::from).or(open.map(Recording::from)).ok_or(MediaError::Nothing)?;
    Ok(proof.narrow(found)?)
}

/// Spans by start become as few as possible.
fn merge(spans: impl Iterator<Item = UtcSpan>) -> Vec<UtcSpan> {
    let mut merged: Vec<UtcSpan> = Vec::new();
    for span in spans {
        if let Some(last) = merged.last_mut()
            && span.start() < last.end().plus(SAME_SPAN)
        {
            let end = last.end().max(span.end());
            *last = UtcSpan::new(last.start(), end).unwrap_or(*last);
            continue;
        }
        merged.push(span);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::packet::{CameraMotion, Turn};
    use crate::detect::event::MotionEvent;
    use crate::media::testing::{Storage, id};
    use crate::record::segment::{GapCause, OpenSegment};
    use crate::units::{ByteLen, EventId};

    fn span(start: i64, end: i64) -> UtcSpan {
        UtcSpan::new(UtcMicros(start * 1_000_000), UtcMicros(end * 1_000_000)).expect("ordered")
    }

    fn open_segment(camera: &str, number: u8, span: UtcSpan) -> OpenSegment {
        OpenSegment {
            id: SegmentId::from_random([number; 8]),
            camera: id(camera),
            span,
            path: format!("footage/{camera}/2023-11-14/{number}.mp4").into(),
            synced: ByteLen(10),
            codecs: String::new(),
            width: 0,
            height: 0,
        }
    }

    #[tokio::test]
    async fn an_overview_tells_what_was_recorded_what_is_missing_and_what_moved() {
        let storage = Storage::new();
        for (number, start, end) in [(1, 0, 60), (2, 60, 120), (3, 150, 210)] {
            storage.list(&open_segment("porch", number, span(start, end)).into());
        }
        storage.list(&open_segment("nursery", 4, span(120, 150)).into());
        // One that is a row already, but whose end as an open one is still told: the row wins.
        storage.open.set(open_segment("porch", 3, span(150, 190)));
        let gap = Gap { camera: id("porch"), span: span(120, 150), cause: GapCause::CameraStalled };
        storage.write(|tx| gaps::insert(tx, &gap));
        let event = MotionEvent {
            id: EventId::from_random([1; 8]),
            camera: id("porch"),
            start: UtcMicros(70_000_000),
            end: None,
            peak: 0.25,
            zones: Vec::new(),
            why: None,
            thumbnail: None,
            preview: None,
        };
        storage.write(|tx| events::upsert(tx, &event));
        let says = |what, turn, at: i64| CameraMotion { what, turn, at: UtcMicros(at * 1_000_000) };
        for said in [
            says(Heard::Track, Turn::Begins, 0),
            says(Heard::Motion, Turn::Begins, 20),
            says(Heard::Motion, Turn::Ends, 72),
            says(Heard::Track, Turn::Ends, 199),
        ] {
            storage.write(|tx| camera_motion::note(tx, &id("porch"), said));
        }

        let proof = storage.household.proof("porch", Right::History);
        let told =
            overview(&proof, span(30, 200), UtcMicros(0), &storage.readers, &storage.open).await.expect("an overview");
        assert_eq!(told.spans, [span(30, 120), span(150, 200)]);
        assert_eq!(told.gaps, [gap]);
        assert_eq!(told.motion, [Motion { start: UtcMicros(70_000_000), end: None, peak: 0.25 }]);
        let itself = camera_motion::Span { start: UtcMicros(20_000_000), end: Some(UtcMicros(72_000_000)) };
        assert_eq!(told.camera_motion, Some(vec![itself]));

        storage.open.set(open_segment("porch", 5, span(210, 220)));
        let told =
            overview(&proof, span(200, 300), UtcMicros(0), &storage.readers, &storage.open).await.expect("an overview");
        assert_eq!((told.spans, told.camera_motion), (vec![span(200, 220)], None));
        let live = storage.household.proof("porch", Right::Live);
        let refused = overview(&live, span(0, 1), UtcMicros(0), &storage.readers, &storage.open).await;
        assert!(matches!(refused, Err(MediaError::WrongRight(Right::Live))));
    }

    #[test]
    fn spans_that_nearly_touch_are_one() {
        let ms = |start: i64, end: i64| UtcSpan::new(UtcMicros(start * 1000), UtcMicros(end * 1000)).expect("ordered");
        let spans = [ms(0, 1000), ms(1099, 2000), ms(2100, 3000), ms(2500, 2600), ms(2900, 3500)];
        assert_eq!(merge(spans.into_iter()), [ms(0, 2000), ms(2100, 3500)]);
    }
}
