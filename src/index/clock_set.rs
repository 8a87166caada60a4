//! The clock was set: what was told of one camera by the clock as it was lies elsewhere in time.

use std::path::Path;

use rusqlite::{Transaction, params};

use crate::camera::packet::Heard;
use crate::record::segment::{ClockSet, ClosedSegment};
use crate::units::{UtcMicros, UtcSpan};

const MOVE_SEGMENT: &str = "UPDATE segments SET start_us = ?2, end_us = ?3, path = ?4 WHERE id = ?1";
// The time in which the recorder was not running ends where its life begins, so it is as much longer.
const STRETCH_GAP: &str = "UPDATE gaps SET end_us = max(start_us, end_us + ?3)
    WHERE camera = ?1 AND start_us <= ?2 AND end_us > ?2
    AND start_us > ?2 - (SELECT max(end_us - start_us) FROM gaps WHERE camera = ?1) - 1";
const MOVE_GAPS: &str = "UPDATE gaps SET start_us = start_us + ?4, end_us = end_us + ?4
    WHERE camera = ?1 AND start_us > ?2 AND start_us < ?3";
const MOVE_EVENTS: &str = "UPDATE events SET start_us = start_us + ?4, end_us = end_us + ?4
    WHERE camera = ?1 AND start_us >= ?2 AND start_us < ?3";
const MOVE_CAMERA_MOTION: &str = "UPDATE camera_motion SET start_us = start_us + ?5, end_us = end_us + ?5
    WHERE camera = ?1 AND what = ?2 AND start_us >= ?3 AND start_us < ?4";

/// A moment as it is after the clock was set.
fn moved(moment: UtcMicros, by_us: i64) -> UtcMicros {
    UtcMicros(moment.0.saturating_add(by_us))
}

/// Which of these began within what was told, in an order in which each finds its new place free: those that move furthest
/// ahead first.
pub fn in_order(set: &ClockSet, segments: Vec<ClosedSegment>) -> Vec<ClosedSegment> {
    let mut segments: Vec<_> = segments.into_iter().filter(|segment| set.span.contains(segment.span.start())).collect();
    segments.sort_by_key(|segment| segment.span.start());
    if set.by_us > 0 {
        segments.reverse();
    }
    segments
}

/// Where a segment lies after the clock was set.
pub fn span(set: &ClockSet, segment: &ClosedSegment) -> UtcSpan {
    UtcSpan::starting_at(moved(segment.span.start(), set.by_us), segment.span.length())
}

/// A segment's file has this path now, and says this span.
pub fn move_segment(tx: &Transaction<'_>, segment: &ClosedSegment, span: UtcSpan, path: &Path) -> rusqlite::Result<()> {
    let path = path.to_string_lossy();
    tx.prepare_cached(MOVE_SEGMENT)?.execute((segment.id, span.start(), span.end(), path)).map(drop)
}

/// Moves the camera's gaps and events, and what it said itself.
pub fn move_the_rest(tx: &Transaction<'_>, set: &ClockSet) -> rusqlite::Result<()> {
    let (begin, end) = (set.span.start(), set.span.end());
    tx.prepare_cached(STRETCH_GAP)?.execute(params![&set.camera, begin, set.by_us])?;
    tx.prepare_cached(MOVE_GAPS)?.execute(params![&set.camera, begin, end, set.by_us])?;
    tx.prepare_cached(MOVE_EVENTS)?.execute(params![&set.camera, begin, end, set.by_us])?;
    for what in [Heard::Track, Heard::Motion] {
        tx.prepare_cached(MOVE_CAMERA_MOTION)?.execute(params![&set.camera, what, begin, end, set.by_us])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::packet::{CameraMotion, Turn};
    use crate::index::testing::{self, camera, span as between};
    use crate::index::{camera_motion, gaps, segments};
    use crate::record::segment::{Gap, GapCause};
    use crate::units::SegmentId;

    fn segment(n: u8, start: i64, end: i64) -> ClosedSegment {
        testing::segment(n, between(start, end))
    }

    #[test]
    fn what_this_life_told_moves_and_what_was_before_stays() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let gap = |start, end, cause| Gap { camera: camera("porch"), span: between(start, end), cause };
        let (restart, stalled) = (GapCause::Restart, GapCause::CameraStalled);
        for each in [segment(1, 0, 100), segment(2, 110, 120), segment(3, 120, 130), segment(4, 140, 150)] {
            segments::insert(&tx, &each).unwrap();
        }
        for each in [gap(50, 51, stalled), gap(100, 110, restart), gap(130, 140, stalled)] {
            gaps::insert(&tx, &each).unwrap();
        }
        // The program started at 105.
        let mut set = ClockSet { camera: camera("porch"), span: between(105, 150), by_us: 1000 };
        for (by_us, restart_ends) in [(1000, 1110), (-1000, 110), (-4, 106)] {
            set.by_us = by_us;
            let rows = segments::between(&tx, &camera("porch"), set.span).unwrap();
            let order: Vec<_> = in_order(&set, rows).into_iter().collect();
            assert_eq!(order.len(), 3);
            assert_eq!(order[0].id, SegmentId::from_random([if by_us > 0 { 4 } else { 2 }; 8]));
            for each in order {
                move_segment(&tx, &each, span(&set, &each), &each.path).unwrap();
            }
            move_the_rest(&tx, &set).unwrap();
            set.span = UtcSpan::new(moved(set.span.start(), by_us), moved(set.span.end(), by_us)).unwrap();
            let gaps = gaps::between(&tx, &camera("porch"), between(0, 10_000)).unwrap();
            let off = restart_ends - 110;
            let expected = [gap(50, 51, stalled), gap(100, restart_ends, restart), gap(130 + off, 140 + off, stalled)];
            assert_eq!(gaps, expected);
            let spans = segments::between(&tx, &camera("porch"), between(0, 10_000)).unwrap();
            let spans: Vec<_> = spans.into_iter().map(|segment| segment.span).collect();
            let off = restart_ends - 110;
            let expected = [(0, 100), (110 + off, 120 + off), (120 + off, 130 + off), (140 + off, 150 + off)];
            assert_eq!(spans, expected.map(|(start, end)| between(start, end)));
        }
    }

    #[test]
    fn what_the_camera_said_itself_moves_and_what_goes_on_goes_on() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let porch = camera("porch");
        let say = |what, turn, at| {
            camera_motion::note(&tx, &porch, CameraMotion { what, turn, at: UtcMicros(at) }).unwrap();
        };
        say(Heard::Motion, Turn::Begins, 50);
        say(Heard::Motion, Turn::Ends, 60);
        say(Heard::Track, Turn::Begins, 105);
        say(Heard::Motion, Turn::Begins, 120);
        say(Heard::Motion, Turn::Ends, 125);
        move_the_rest(&tx, &ClockSet { camera: porch.clone(), span: between(105, 150), by_us: 1000 }).unwrap();
        say(Heard::Track, Turn::Ends, 1200);
        let all = |what| -> Vec<_> {
            let spans = camera_motion::between(&tx, &porch, what, between(0, 10_000)).unwrap();
            spans.into_iter().map(|span| (span.start.0, span.end.map(|end| end.0))).collect()
        };
        assert_eq!(all(Heard::Motion), [(50, Some(60)), (1120, Some(1125))]);
        assert_eq!(all(Heard::Track), [(1105, Some(1200))]);
    }

    #[test]
    fn moving_reads_no_whole_table() {
        testing::assert_no_scan(&[MOVE_SEGMENT, STRETCH_GAP, MOVE_GAPS, MOVE_EVENTS, MOVE_CAMERA_MOTION]);
    }
}
