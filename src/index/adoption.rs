//! Rows for what a crash left on disk without one, and the gaps that went down with it.
//!
//! A recorder lists the time before a new file as missing when it begins the file, and the list gets into the database a moment
//! later. Killed within that moment, the file is there and its gap is not, and nobody would list it any more: the next start
//! goes on from the file's end. So what lies between the footage of before and a file that is entered late is listed then.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, Transaction};

use crate::index::check::uncovered;
use crate::index::{cameras, gaps, segments};
use crate::record::segment::{ClosedSegment, Gap, GapCause};
use crate::units::{CameraId, UtcMicros, UtcSpan};

/// Shorter than this is no gap but the time between two pictures.
pub const LEAST_GAP: Duration = Duration::from_millis(100);

/// Until when each camera was recorded before the files that are entered. A camera without any rows has no past to miss: an
/// index that is made anew from files alone can't know what was removed on purpose between them.
#[derive(Debug, Clone, Default)]
pub struct RecordedUntil(HashMap<CameraId, UtcMicros>);

impl RecordedUntil {
    /// As the index has it, before the first [`enter`].
    pub fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let mut until = HashMap::new();
        for camera in cameras::list(conn)? {
            if let Some(newest) = segments::newest(conn, &camera.id)? {
                until.insert(camera.id, newest.span.end());
            }
        }
        Ok(Self(until))
    }

    /// Until when that camera was recorded; `None` if it has no rows.
    pub fn of(&self, camera: &CameraId) -> Option<UtcMicros> {
        self.0.get(camera).copied()
    }

    /// The time between the footage of before and this segment, and notes that it is recorded until its end.
    pub fn before(&mut self, segment: &ClosedSegment) -> Option<UtcSpan> {
        let until = self.0.get_mut(&segment.camera)?;
        let missing = UtcSpan::new(*until, segment.span.start());
        *until = segment.span.end().max(*until);
        missing
    }
}

/// Takes in a segment, and lists of the time before it what is not listed yet; `false` if it is in already. Segments of one
/// camera come in their order.
pub fn enter(tx: &Transaction<'_>, segment: &ClosedSegment, before: Option<UtcSpan>) -> rusqlite::Result<bool> {
    if !segments::insert(tx, segment)? {
        return Ok(false);
    }
    if let Some(before) = before {
        list(tx, &segment.camera, before, GapCause::Restart)?;
    }
    Ok(true)
}

/// Lists as missing what of the span is neither recorded nor listed.
pub fn list(tx: &Transaction<'_>, camera: &CameraId, span: UtcSpan, cause: GapCause) -> rusqlite::Result<()> {
    let recorded = segments::between(tx, camera, span)?.into_iter().map(|segment| segment.span);
    let listed = gaps::between(tx, camera, span)?.into_iter().map(|gap| gap.span);
    for span in uncovered(span, recorded.chain(listed)) {
        if span.length() >= LEAST_GAP {
            gaps::insert(tx, &Gap { camera: camera.clone(), span, cause })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::testing::{camera, database, span};
    use crate::units::{ByteLen, SegmentId};

    fn segment(n: u8, start_s: i64, end_s: i64) -> ClosedSegment {
        ClosedSegment {
            id: SegmentId::from_random([n; 8]),
            camera: camera("porch"),
            span: span(start_s * 1_000_000, end_s * 1_000_000),
            path: format!("footage/porch/2023-11-14/{n}.mp4").into(),
            size: ByteLen(1),
            pictures: 1,
            codecs: "avc1".to_owned(),
            width: 1,
            height: 1,
        }
    }

    #[test]
    fn a_gap_that_went_down_with_the_recorder_is_listed_when_its_file_is_entered() {
        let mut conn = database();
        let tx = conn.transaction().unwrap();
        let all = span(0, i64::MAX);
        let listed = |tx: &Transaction<'_>| {
            let gaps = gaps::between(tx, &camera("porch"), all).unwrap();
            gaps.into_iter()
                .map(|gap| (gap.span.start().0 / 1_000_000, gap.span.end().0 / 1_000_000))
                .collect::<Vec<_>>()
        };
        // An index made anew: nobody knows what lies between.
        let mut until = RecordedUntil::read(&tx).unwrap();
        for segment in [segment(1, 0, 10), segment(2, 20, 30)] {
            let before = until.before(&segment);
            assert!(enter(&tx, &segment, before).unwrap());
        }
        assert_eq!(listed(&tx), []);
        // Another start: between 30 and 35 a cause is known already.
        let cause = GapCause::CameraUnreachable;
        gaps::insert(&tx, &Gap { camera: camera("porch"), span: span(30_000_000, 35_000_000), cause }).unwrap();
        let mut until = RecordedUntil::read(&tx).unwrap();
        for segment in [segment(3, 40, 50), segment(4, 50, 60), segment(5, 61, 70)] {
            let before = until.before(&segment);
            assert!(enter(&tx, &segment, before).unwrap());
            assert!(!enter(&tx, &segment, before).unwrap(), "once");
        }
        assert_eq!(listed(&tx), [(30, 35), (35, 40), (60, 61)]);
    }
}
