//! Time that should have been recorded and was not.

use rusqlite::{Connection, Transaction};

use crate::index::cameras;
use crate::record::segment::Gap;
use crate::units::{CameraId, UtcMicros, UtcSpan};

const BETWEEN: &str = "SELECT camera, start_us, end_us, cause FROM gaps
    WHERE camera = ?1 AND start_us < ?3 AND end_us > ?2
    AND start_us > ?2 - (SELECT max(end_us - start_us) FROM gaps WHERE camera = ?1) ORDER BY start_us";
const REMOVE_BEFORE: &str = "DELETE FROM gaps WHERE camera = ?1 AND start_us < ?2 AND end_us <= ?2";

const NEWEST_PAUSE: &str =
    "SELECT max(end_us) FROM gaps INDEXED BY gaps_by_camera WHERE camera = ?1 AND cause = 'paused'";

/// Notes a gap.
pub fn insert(tx: &Transaction<'_>, gap: &Gap) -> rusqlite::Result<()> {
    cameras::make(tx, &gap.camera)?;
    let row = (&gap.camera, gap.span.start(), gap.span.end(), gap.cause);
    tx.prepare_cached("INSERT INTO gaps (camera, start_us, end_us, cause) VALUES (?1, ?2, ?3, ?4)")?
        .execute(row)
        .map(drop)
}

/// The camera's gaps that have any time in common with the span, by start.
pub fn between(conn: &Connection, camera: &CameraId, span: UtcSpan) -> rusqlite::Result<Vec<Gap>> {
    let mut statement = conn.prepare_cached(BETWEEN)?;
    let gaps = statement.query_map((camera, span.start(), span.end()), |row| {
        let end: UtcMicros = row.get(2)?;
        let span = UtcSpan::new(row.get(1)?, end).ok_or(rusqlite::Error::IntegralValueOutOfRange(2, end.0))?;
        Ok(Gap { camera: row.get(0)?, span, cause: row.get(3)? })
    })?;
    gaps.collect()
}

/// When the camera was last switched on again; `None` if it never was off.
pub fn newest_pause(conn: &Connection, camera: &CameraId) -> rusqlite::Result<Option<UtcMicros>> {
    conn.prepare_cached(NEWEST_PAUSE)?.query_row([camera], |row| row.get(0))
}

/// Forgets gaps that ended by then, because the footage around them is gone too; says how many.
pub fn remove_before(tx: &Transaction<'_>, camera: &CameraId, moment: UtcMicros) -> rusqlite::Result<usize> {
    tx.execute(REMOVE_BEFORE, (camera, moment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::testing::{self, camera, span};
    use crate::record::segment::GapCause;

    #[test]
    fn every_cause_comes_back_as_it_went_in() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let mut gaps = Vec::new();
        for (n, cause) in (0..).zip(GapCause::ALL) {
            gaps.push(Gap { camera: camera("porch"), span: span(n * 10, n * 10 + 5), cause });
            insert(&tx, &gaps[gaps.len() - 1]).unwrap();
        }
        assert_eq!(between(&tx, &camera("porch"), span(0, 1000)).unwrap(), gaps);
        assert_eq!(between(&tx, &camera("porch"), span(14, 21)).unwrap(), gaps[1..3]);
        assert_eq!(between(&tx, &camera("porch"), span(15, 20)).unwrap(), []);
        assert_eq!(between(&tx, &camera("nursery"), span(0, 100)).unwrap(), []);
        assert_eq!(remove_before(&tx, &camera("porch"), UtcMicros(15)), Ok(2));
        assert_eq!(between(&tx, &camera("porch"), span(0, 1000)).unwrap(), gaps[2..]);
    }

    #[test]
    fn no_question_about_gaps_reads_them_all() {
        testing::assert_no_scan(&[BETWEEN, NEWEST_PAUSE, REMOVE_BEFORE]);
    }
}
