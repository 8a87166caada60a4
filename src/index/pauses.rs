//! Cameras that the household switched off for a while.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};

use crate::index::{cameras, gaps, segments};
use crate::record::segment::{Gap, GapCause};
use crate::units::{CameraId, UserId, UtcMicros, UtcSpan};

const OF: &str = "SELECT camera, since_us, until_us, user, user_name FROM pauses WHERE camera = ?1";
// As many rows as there are cameras.
const ALL: &str = "SELECT camera, since_us, until_us, user, user_name FROM pauses ORDER BY camera";
const BEGIN: &str = "INSERT INTO pauses (camera, since_us, until_us, user, user_name) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (camera) DO UPDATE SET until_us = excluded.until_us, user = excluded.user, user_name = excluded.user_name";
const END: &str = "DELETE FROM pauses WHERE camera = ?1";

/// One paused camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseRow {
    /// Which.
    pub camera: CameraId,
    /// From when.
    pub since: UtcMicros,
    /// When it ends by itself; `None`: when somebody ends it.
    pub until: Option<UtcMicros>,
    /// Who did it.
    pub user: Option<UserId>,
    /// Who did it, in words.
    pub user_name: String,
}

impl PauseRow {
    /// Whether its time is over.
    pub fn is_over(&self, now: UtcMicros) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<PauseRow> {
    Ok(PauseRow {
        camera: row.get(0)?,
        since: row.get(1)?,
        until: row.get(2)?,
        user: row.get(3)?,
        user_name: row.get(4)?,
    })
}

/// The camera's pause; one whose time is over counts until it was ended.
pub fn of(conn: &Connection, camera: &CameraId) -> rusqlite::Result<Option<PauseRow>> {
    conn.prepare_cached(OF)?.query_row([camera], from_row).optional()
}

/// Every pause, by camera.
pub fn all(conn: &Connection) -> rusqlite::Result<Vec<PauseRow>> {
    conn.prepare_cached(ALL)?.query_map([], from_row)?.collect()
}

/// Pauses a camera. One that is paused already stays paused since then, by whoever said so last.
pub fn begin(tx: &Transaction<'_>, pause: &PauseRow) -> rusqlite::Result<()> {
    cameras::make(tx, &pause.camera)?;
    let row = (&pause.camera, pause.since, pause.until, pause.user, &pause.user_name);
    tx.execute(BEGIN, row).map(drop)
}

/// Ends a pause and lists its time as missing, from where the footage ended on; `false` if the camera was not paused.
pub fn end(tx: &Transaction<'_>, camera: &CameraId, now: UtcMicros) -> rusqlite::Result<bool> {
    let Some(pause) = of(tx, camera)? else { return Ok(false) };
    tx.execute(END, [camera])?;
    if let Some(span) = missing(tx, &pause, now)? {
        gaps::insert(tx, &Gap { camera: camera.clone(), span, cause: GapCause::Paused })?;
    }
    Ok(true)
}

/// The time that a pause has cost up to `now`; `None` if it cost none.
pub fn missing(conn: &Connection, pause: &PauseRow, now: UtcMicros) -> rusqlite::Result<Option<UtcSpan>> {
    let recorded = segments::newest(conn, &pause.camera)?.map(|segment| segment.span.end());
    // The last pictures arrive a moment after somebody said stop; a clock that was set back makes nothing missing.
    let start = recorded.filter(|end| *end <= now).map_or(pause.since, |end| end.max(pause.since));
    Ok(UtcSpan::new(start, now).filter(|span| span.start() < span.end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::testing::{self, camera, span};

    fn pause(until: Option<i64>) -> PauseRow {
        PauseRow {
            camera: camera("porch"),
            since: UtcMicros(100),
            until: until.map(UtcMicros),
            user: Some(UserId(1)),
            user_name: "anna".into(),
        }
    }

    #[test]
    fn a_pause_is_listed_as_missing_time_when_it_ends() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        assert_eq!(end(&tx, &camera("porch"), UtcMicros(200)), Ok(false));
        begin(&tx, &pause(None)).unwrap();
        assert_eq!(of(&tx, &camera("porch")), Ok(Some(pause(None))));
        assert_eq!((of(&tx, &camera("nursery")), all(&tx)), (Ok(None), Ok(vec![pause(None)])));
        assert_eq!(end(&tx, &camera("porch"), UtcMicros(200)), Ok(true));
        assert_eq!(all(&tx), Ok(vec![]));
        let gap = Gap { camera: camera("porch"), span: span(100, 200), cause: GapCause::Paused };
        assert_eq!(gaps::between(&tx, &camera("porch"), span(0, 1_000)), Ok(vec![gap]));
    }

    #[test]
    fn whoever_pauses_again_is_named_and_the_time_stays() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        begin(&tx, &pause(Some(150))).unwrap();
        assert!(pause(Some(150)).is_over(UtcMicros(150)) && !pause(Some(150)).is_over(UtcMicros(149)));
        begin(&tx, &PauseRow { since: UtcMicros(120), user_name: "ben".into(), ..pause(None) }).unwrap();
        assert_eq!(all(&tx), Ok(vec![PauseRow { user_name: "ben".into(), ..pause(None) }]));
        assert_eq!(end(&tx, &camera("porch"), UtcMicros(50)), Ok(true), "the clock was set back");
        assert_eq!(gaps::between(&tx, &camera("porch"), span(0, 1_000)), Ok(vec![]));
    }

    #[test]
    fn no_question_about_a_pause_reads_them_all() {
        testing::assert_no_scan(&[OF, END]);
    }
}
