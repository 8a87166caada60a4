//! Footage: which file holds which time of which camera.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};

use crate::index::{camera_motion, cameras};
use crate::record::segment::ClosedSegment;
use crate::units::{ByteLen, CameraId, SegmentId, UtcMicros, UtcSpan};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, camera, start_us, end_us, path, size_bytes, pictures, codecs, width, height FROM segments ",
            $rest
        )
    };
}

const INSERT: &str = "INSERT INTO segments
    (id, camera, start_us, end_us, path, size_bytes, pictures, codecs, width, height)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING";
// Whatever overlaps the span began at most one longest segment before it: that bound is what lets the index find it even
// where a stepping clock made segments overlap.
const BETWEEN: &str = select!(
    "WHERE camera = ?1 AND start_us < ?3 AND end_us > ?2
    AND start_us > ?2 - (SELECT max(end_us - start_us) FROM segments WHERE camera = ?1) ORDER BY start_us"
);
const TIMES_BETWEEN: &str = "SELECT start_us, end_us FROM segments
    WHERE camera = ?1 AND start_us < ?3 AND end_us > ?2
    AND start_us > ?2 - (SELECT max(end_us - start_us) FROM segments WHERE camera = ?1) ORDER BY start_us";
const ANY_BETWEEN: &str = "SELECT 1 FROM segments
    WHERE camera = ?1 AND start_us < ?3 AND end_us > ?2
    AND start_us > ?2 - (SELECT max(end_us - start_us) FROM segments WHERE camera = ?1) LIMIT 1";
const BY_ID: &str = select!("WHERE id = ?1");
const BY_PATH: &str = select!("WHERE path = ?1");
const EVERY: &str = select!("ORDER BY id");
const AFTER_PATH: &str = select!("WHERE path > ?1 ORDER BY path LIMIT ?2");
const OLDEST: &str = select!("WHERE start_us >= ?1 ORDER BY start_us LIMIT ?2");
const NEWEST: &str = select!("WHERE camera = ?1 ORDER BY start_us DESC LIMIT 1");
const OLDEST_OF: &str = "SELECT min(start_us) FROM segments WHERE camera = ?1";
const TOTALS: &str =
    "SELECT count(*), coalesce(sum(size_bytes), 0), min(start_us), max(end_us) FROM segments WHERE camera = ?1";
const SINCE: &str =
    "SELECT min(start_us), coalesce(sum(size_bytes), 0) FROM segments WHERE camera = ?1 AND start_us >= ?2";
const TO_GARBAGE: &str = "INSERT INTO garbage (camera, path, size_bytes)
    SELECT camera, path, size_bytes FROM segments WHERE id = ?1";
const REMOVE: &str = "DELETE FROM segments WHERE id = ?1";

/// What is on disk of one camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Files.
    pub segments: u64,
    /// Their sizes together.
    pub size: ByteLen,
    /// From the first picture to the last; `None` without any.
    pub span: Option<UtcSpan>,
}

/// How much of a UTC day is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// Midnight.
    pub start: UtcMicros,
    /// The recorded time within the day, overlaps counted once.
    pub recorded: Duration,
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<ClosedSegment> {
    let (start, end): (UtcMicros, UtcMicros) = (row.get(2)?, row.get(3)?);
    let span = UtcSpan::new(start, end).ok_or(rusqlite::Error::IntegralValueOutOfRange(3, end.0))?;
    Ok(ClosedSegment {
        id: row.get(0)?,
        camera: row.get(1)?,
        span,
        path: PathBuf::from(row.get::<_, String>(4)?),
        size: row.get(5)?,
        pictures: row.get(6)?,
        codecs: row.get(7)?,
        width: row.get(8)?,
        height: row.get(9)?,
    })
}

/// Takes a segment in, once its file is complete; `false` if it is in already. A constraint fails if its path is another's.
pub fn insert(tx: &Transaction<'_>, segment: &ClosedSegment) -> rusqlite::Result<bool> {
    let path = segment.path.to_str().ok_or_else(|| {
        rusqlite::Error::ToSqlConversionFailure(format!("{} is not UTF-8", segment.path.display()).into())
    })?;
    cameras::seen(tx, &segment.camera, segment.span.start())?;
    let inserted = tx.prepare_cached(INSERT)?.execute((
        segment.id,
        &segment.camera,
        segment.span.start(),
        segment.span.end(),
        path,
        segment.size,
        segment.pictures,
        &segment.codecs,
        segment.width,
        segment.height,
    ))?;
    Ok(inserted == 1)
}

/// The camera's segments that have any time in common with the span, by start.
pub fn between(conn: &Connection, camera: &CameraId, span: UtcSpan) -> rusqlite::Result<Vec<ClosedSegment>> {
    conn.prepare_cached(BETWEEN)?.query_map((camera, span.start(), span.end()), from_row)?.collect()
}

/// Whether the camera has any footage of the span.
pub fn any_between(conn: &Connection, camera: &CameraId, span: UtcSpan) -> rusqlite::Result<bool> {
    conn.prepare_cached(ANY_BETWEEN)?.exists((camera, span.start(), span.end()))
}

/// When the camera's segments that have any time in common with the span began and ended, by start. Cheaper than
/// [`between`]: it reads an index alone.
pub fn times_between(conn: &Connection, camera: &CameraId, span: UtcSpan) -> rusqlite::Result<Vec<UtcSpan>> {
    let mut statement = conn.prepare_cached(TIMES_BETWEEN)?;
    let mut rows = statement.query((camera, span.start(), span.end()))?;
    let mut times = Vec::new();
    while let Some(row) = rows.next()? {
        times.extend(UtcSpan::new(row.get(0)?, row.get(1)?));
    }
    Ok(times)
}

/// The segment of that id, whosever it is.
pub fn by_id(conn: &Connection, id: SegmentId) -> rusqlite::Result<Option<ClosedSegment>> {
    conn.prepare_cached(BY_ID)?.query_row([id], from_row).optional()
}

/// The segment whose file that is; `path` is relative to the storage folder.
pub fn by_path(conn: &Connection, path: &Path) -> rusqlite::Result<Option<ClosedSegment>> {
    let Some(path) = path.to_str() else { return Ok(None) };
    conn.prepare_cached(BY_PATH)?.query_row([path], from_row).optional()
}

/// Segments by path from behind that one on, at most `limit`: for going through all of them, some at a time.
pub fn after_path(conn: &Connection, path: &Path, limit: u32) -> rusqlite::Result<Vec<ClosedSegment>> {
    let Some(path) = path.to_str() else { return Ok(Vec::new()) };
    conn.prepare_cached(AFTER_PATH)?.query_map((path, limit), from_row)?.collect()
}

/// Hands every segment to `f`, in no useful order; for checking the index against the disk.
pub fn each(conn: &Connection, mut f: impl FnMut(ClosedSegment)) -> rusqlite::Result<()> {
    let mut statement = conn.prepare(EVERY)?;
    for segment in statement.query_map([], from_row)? {
        f(segment?);
    }
    Ok(())
}

/// The camera's newest segment.
pub fn newest(conn: &Connection, camera: &CameraId) -> rusqlite::Result<Option<ClosedSegment>> {
    conn.prepare_cached(NEWEST)?.query_row([camera], from_row).optional()
}

/// Where the footage of all cameras ends.
pub fn newest_end(conn: &Connection) -> rusqlite::Result<Option<UtcMicros>> {
    let mut newest = None;
    for camera in cameras::list(conn)? {
        newest = newest.max(self::newest(conn, &camera.id)?.map(|segment| segment.span.end()));
    }
    Ok(newest)
}

/// The oldest segments of all cameras that began at `from` or later, oldest first: what goes first when space is needed.
pub fn oldest(conn: &Connection, from: UtcMicros, limit: u32) -> rusqlite::Result<Vec<ClosedSegment>> {
    conn.prepare_cached(OLDEST)?.query_map((from, limit), from_row)?.collect()
}

/// When the camera's oldest segment begins.
pub fn oldest_of(conn: &Connection, camera: &CameraId) -> rusqlite::Result<Option<UtcMicros>> {
    conn.prepare_cached(OLDEST_OF)?.query_row([camera], |row| row.get(0))
}

/// What is on disk of the camera.
pub fn totals(conn: &Connection, camera: &CameraId) -> rusqlite::Result<Totals> {
    conn.prepare_cached(TOTALS)?.query_row([camera], |row| {
        let segments = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
        let (start, end): (Option<UtcMicros>, Option<UtcMicros>) = (row.get(2)?, row.get(3)?);
        let span = start.zip(end).and_then(|(start, end)| UtcSpan::new(start, end));
        Ok(Totals { segments, size: row.get(1)?, span })
    })
}

/// What was filed of the camera from segments that began at that moment or later: since when in fact, and how much.
pub fn filed_since(
    conn: &Connection,
    camera: &CameraId,
    moment: UtcMicros,
) -> rusqlite::Result<(Option<UtcMicros>, ByteLen)> {
    conn.prepare_cached(SINCE)?.query_row((camera, moment), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The UTC days within the span of which the camera recorded something, by day.
pub fn days(conn: &Connection, camera: &CameraId, span: UtcSpan) -> rusqlite::Result<Vec<Day>> {
    let mut statement = conn.prepare_cached(TIMES_BETWEEN)?;
    let times = statement.query_map((camera, span.start(), span.end()), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let times: Vec<(UtcMicros, UtcMicros)> = times.collect::<Result<_, _>>()?;
    Ok(by_day(times.into_iter().filter_map(|(start, end)| UtcSpan::new(start, end)?.intersection(span))))
}

/// Spans by start → days by start.
fn by_day(spans: impl Iterator<Item = UtcSpan>) -> Vec<Day> {
    const DAY_US: i64 = 86_400_000_000;
    let mut days: Vec<Day> = Vec::new();
    // Everything before it is counted.
    let mut counted = UtcMicros(i64::MIN);
    for span in spans {
        let mut at = span.start().max(counted);
        while at < span.end() {
            let midnight = UtcMicros(at.0.div_euclid(DAY_US).saturating_mul(DAY_US));
            let until = span.end().min(UtcMicros(midnight.0.saturating_add(DAY_US)));
            let recorded = until.since(at);
            match days.last_mut() {
                Some(day) if day.start == midnight => day.recorded += recorded,
                _ => days.push(Day { start: midnight, recorded }),
            }
            at = until;
        }
        counted = counted.max(span.end());
    }
    days
}

/// Takes a row out and leaves its file alone, unlike [`remove`]: for a row that its file contradicts. `false` if there is none.
pub fn forget(tx: &Transaction<'_>, id: SegmentId) -> rusqlite::Result<bool> {
    Ok(tx.prepare_cached(REMOVE)?.execute([id])? == 1)
}

/// Makes a segment's file garbage: its row goes, and its path waits in [`crate::index::garbage`] to be unlinked. `false` if
/// there is no such segment.
///
/// What its camera said itself of that time goes as well, where no other footage is left of it.
pub fn remove(tx: &Transaction<'_>, id: SegmentId) -> rusqlite::Result<bool> {
    let Some(segment) = by_id(tx, id)? else { return Ok(false) };
    tx.prepare_cached(TO_GARBAGE)?.execute([id])?;
    tx.prepare_cached(REMOVE)?.execute([id])?;
    camera_motion::remove_without_footage(tx, &segment.camera, segment.span)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::garbage;
    use crate::index::testing::{self, camera, span};
    use proptest::prelude::*;

    fn segment(n: u8, whose: &str, start: i64, end: i64) -> ClosedSegment {
        ClosedSegment {
            id: SegmentId::from_random([n, 0, 0, 0, 0, 0, 0, 0xff]),
            camera: camera(whose),
            span: span(start, end),
            path: format!("footage/{whose}/2026-11-21/{n}.mp4").into(),
            size: ByteLen(1_000 + u64::from(n)),
            pictures: 25,
            codecs: "avc1.4d401f,mp4a.40.2".to_owned(),
            width: 640,
            height: 360,
        }
    }

    #[test]
    fn a_segment_comes_back_as_it_went_in() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let porch = segment(1, "porch", 5, 65);
        assert_eq!(insert(&tx, &porch), Ok(true));
        assert_eq!(insert(&tx, &porch), Ok(false), "adopting a file twice is harmless");
        assert_eq!(by_id(&tx, porch.id), Ok(Some(porch.clone())));
        assert_eq!(newest(&tx, &camera("porch")), Ok(Some(porch.clone())));
        assert_eq!(by_path(&tx, &porch.path), Ok(Some(porch.clone())));
        assert_eq!(by_path(&tx, Path::new("footage/porch")), Ok(None));
        assert_eq!(after_path(&tx, Path::new(""), 9), Ok(vec![porch.clone()]));
        assert_eq!(after_path(&tx, &porch.path, 9), Ok(vec![]));
        assert_eq!(filed_since(&tx, &camera("porch"), UtcMicros(5)), Ok((Some(UtcMicros(5)), porch.size)));
        assert_eq!(filed_since(&tx, &camera("porch"), UtcMicros(6)), Ok((None, ByteLen(0))));
        let mut every = Vec::new();
        each(&tx, |segment| every.push(segment)).unwrap();
        assert_eq!(every, std::slice::from_ref(&porch));
        assert_eq!(by_id(&tx, SegmentId::from_random([9; 8])), Ok(None));
        assert_eq!(between(&tx, &camera("porch"), span(64, 70)), Ok(vec![porch]));
        assert_eq!(times_between(&tx, &camera("porch"), span(64, 70)), Ok(vec![span(5, 65)]));
        let any = |from, to| any_between(&tx, &camera("porch"), span(from, to)).unwrap();
        assert_eq!([any(64, 70), any(65, 70), any(0, 5), any(0, 6)], [true, false, false, true]);
        assert_eq!(between(&tx, &camera("porch"), span(65, 70)), Ok(vec![]));
        assert_eq!(between(&tx, &camera("nursery"), span(0, 100)), Ok(vec![]));
    }

    #[test]
    fn two_segments_never_share_a_file() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        insert(&tx, &segment(1, "porch", 0, 1)).unwrap();
        let thief = ClosedSegment { path: segment(1, "porch", 0, 1).path, ..segment(2, "nursery", 0, 1) };
        assert!(insert(&tx, &thief).is_err());
        for path in ["/etc/passwd", "footage/../users", "hearthwatch.db"] {
            assert!(insert(&tx, &ClosedSegment { path: path.into(), ..segment(3, "porch", 0, 1) }).is_err(), "{path}");
        }
    }

    #[test]
    fn a_removed_segment_waits_as_garbage_until_its_file_is_gone() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let porch = segment(1, "porch", 0, 60);
        insert(&tx, &porch).unwrap();
        assert_eq!((remove(&tx, porch.id), remove(&tx, porch.id)), (Ok(true), Ok(false)));
        assert_eq!(by_id(&tx, porch.id), Ok(None));
        let pending = garbage::pending(&tx, 10).unwrap();
        assert_eq!(pending.len(), 1);
        assert_eq!(pending[0].what, garbage::Garbage::Segment { path: porch.path, size: porch.size });
    }

    #[test]
    fn totals_are_of_one_camera() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        for each in [segment(1, "porch", 5, 65), segment(2, "porch", 65, 70), segment(3, "nursery", 0, 999)] {
            insert(&tx, &each).unwrap();
        }
        let porch = Totals { segments: 2, size: ByteLen(2_003), span: Some(span(5, 70)) };
        assert_eq!(totals(&tx, &camera("porch")), Ok(porch));
        assert_eq!(totals(&tx, &camera("garden")), Ok(Totals::default()));
        let first = ["porch", "garden"].map(|whose| oldest_of(&tx, &camera(whose)).unwrap());
        assert_eq!(first, [Some(UtcMicros(5)), None]);
        let oldest: Vec<_> =
            oldest(&tx, UtcMicros(1), 9).unwrap().into_iter().map(|each| each.span.start().0).collect();
        assert_eq!(oldest, [5, 65]);
    }

    #[test]
    fn a_day_counts_what_was_recorded_within_it() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let (day, hour) = (86_400_000_000, 3_600_000_000);
        // Over midnight; then the same hour twice, because the clock was set back.
        let spans = [(1, day - hour, day + hour), (2, day + hour, day + 2 * hour), (3, day + hour, day + 2 * hour)];
        for (n, start, end) in spans {
            insert(&tx, &segment(n, "porch", start, end)).unwrap();
        }
        let of = |n: i64, hours: u64| Day { start: UtcMicros(n * day), recorded: Duration::from_secs(hours * 3_600) };
        assert_eq!(days(&tx, &camera("porch"), span(0, 9 * day)), Ok(vec![of(0, 1), of(1, 2)]));
        assert_eq!(days(&tx, &camera("porch"), span(day + hour, 9 * day)), Ok(vec![of(1, 1)]));
    }

    #[test]
    fn no_question_about_segments_reads_them_all() {
        testing::assert_no_scan(&[
            BETWEEN,
            TIMES_BETWEEN,
            ANY_BETWEEN,
            BY_ID,
            BY_PATH,
            AFTER_PATH,
            OLDEST,
            NEWEST,
            TOTALS,
            SINCE,
        ]);
        testing::assert_no_scan(&[TO_GARBAGE, REMOVE, OLDEST_OF]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_span_finds_exactly_what_overlaps_it(
            segments in proptest::collection::vec((0..200i64, 0..60i64, any::<bool>()), 0..20),
            asked in (0..200i64, 1..80i64),
        ) {
            let mut conn = testing::database();
            let tx = conn.transaction().unwrap();
            let asked = span(asked.0, asked.0 + asked.1);
            let mut expected = Vec::new();
            for (n, (start, length, porch)) in (0..).zip(segments) {
                let each = segment(n, if porch { "porch" } else { "nursery" }, start, start + length);
                insert(&tx, &each).unwrap();
                if porch && each.span.start() < asked.end() && each.span.end() > asked.start() {
                    expected.push(each);
                }
            }
            let mut found = between(&tx, &camera("porch"), asked).unwrap();
            prop_assert!(found.is_sorted_by_key(|each| each.span.start()));
            expected.sort_by_key(|each| each.id);
            found.sort_by_key(|each| each.id);
            prop_assert_eq!(found, expected);
        }
    }
}
