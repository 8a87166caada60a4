//! Time that should have been recorded and was not.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};

use crate::index::cameras;
use crate::record::segment::Gap;
use crate::units::{CameraId, UtcMicros, UtcSpan};

const BETWEEN: &str = "SELECT camera, start_us, end_us, cause FROM gaps
    WHERE camera = ?1 AND start_us < ?3 AND end_us > ?2
    AND start_us > ?2 - (SELECT max(end_us - start_us) FROM gaps WHERE camera = ?1) ORDER BY start_us";
const NEWEST: &str =
    "SELECT camera, start_us, end_us, cause FROM gaps WHERE camera = ?1 ORDER BY start_us DESC, end_us DESC LIMIT 1";
const LENGTHEN: &str = "UPDATE gaps SET end_us = ?4 WHERE camera = ?1 AND start_us = ?2 AND end_us = ?3 AND cause = ?5";
const ANY_BEFORE: &str = "SELECT 1 FROM gaps WHERE camera = ?1 AND start_us < ?2 AND end_us <= ?2";
const REMOVE_BEFORE: &str = "DELETE FROM gaps WHERE camera = ?1 AND start_us < ?2 AND end_us <= ?2";

/// Notes a gap. One that goes on for the same cause where the newest ends makes that longer: a gap that lasts is told in pieces.
pub fn insert(tx: &Transaction<'_>, gap: &Gap) -> rusqlite::Result<()> {
    cameras::make(tx, &gap.camera)?;
    if let Some(newest) = newest(tx, &gap.camera)?
        && (newest.span.end(), newest.cause) == (gap.span.start(), gap.cause)
    {
        let row = (&gap.camera, newest.span.start(), newest.span.end(), gap.span.end(), gap.cause);
        return tx.prepare_cached(LENGTHEN)?.execute(row).map(drop);
    }
    let row = (&gap.camera, gap.span.start(), gap.span.end(), gap.cause);
    tx.prepare_cached("INSERT INTO gaps (camera, start_us, end_us, cause) VALUES (?1, ?2, ?3, ?4)")?
        .execute(row)
        .map(drop)
}

/// The camera's gaps that have any time in common with the span, by start.
pub fn between(conn: &Connection, camera: &CameraId, span: UtcSpan) -> rusqlite::Result<Vec<Gap>> {
    let mut statement = conn.prepare_cached(BETWEEN)?;
    let gaps = statement.query_map((camera, span.start(), span.end()), from_row)?;
    gaps.collect()
}

/// The camera's gap that began last.
pub fn newest(conn: &Connection, camera: &CameraId) -> rusqlite::Result<Option<Gap>> {
    conn.prepare_cached(NEWEST)?.query_row([camera], from_row).optional()
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Gap> {
    let end: UtcMicros = row.get(2)?;
    let span = UtcSpan::new(row.get(1)?, end).ok_or(rusqlite::Error::IntegralValueOutOfRange(2, end.0))?;
    Ok(Gap { camera: row.get(0)?, span, cause: row.get(3)? })
}

/// Whether a gap ended by then.
pub fn any_before(conn: &Connection, camera: &CameraId, moment: UtcMicros) -> rusqlite::Result<bool> {
    conn.prepare_cached(ANY_BEFORE)?.exists((camera, moment))
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
        assert_eq!(any_before(&tx, &camera("porch"), UtcMicros(15)), Ok(true));
        assert_eq!(remove_before(&tx, &camera("porch"), UtcMicros(15)), Ok(2));
        assert_eq!(any_before(&tx, &camera("porch"), UtcMicros(15)), Ok(false));
        assert_eq!(between(&tx, &camera("porch"), span(0, 1000)).unwrap(), gaps[2..]);
    }

    #[test]
    fn a_gap_that_is_told_in_pieces_is_one() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let porch = camera("porch");
        let gap = |from, to, cause| Gap { camera: porch.clone(), span: span(from, to), cause };
        let (stalled, away) = (GapCause::CameraStalled, GapCause::CameraUnreachable);
        for piece in [gap(0, 5, stalled), gap(5, 9, away), gap(9, 20, away), gap(21, 22, away)] {
            insert(&tx, &piece).unwrap();
        }
        insert(&tx, &Gap { camera: camera("nursery"), ..gap(20, 21, away) }).unwrap();
        let told = [gap(0, 5, stalled), gap(5, 20, away), gap(21, 22, away)];
        assert_eq!(between(&tx, &porch, span(0, 100)).unwrap(), told);
        assert_eq!(newest(&tx, &porch).unwrap(), Some(gap(21, 22, away)));
        assert_eq!(newest(&tx, &camera("garden")).unwrap(), None);
    }

    #[test]
    fn no_question_about_gaps_reads_them_all() {
        testing::assert_no_scan(&[BETWEEN, NEWEST, LENGTHEN, REMOVE_BEFORE]);
    }
}
