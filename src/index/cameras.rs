//! Cameras that were ever seen.

use rusqlite::{Connection, Transaction};

use crate::units::{CameraId, UtcMicros};

const NOTE: &str = "INSERT INTO cameras (id, first_seen_us) VALUES (?1, ?2)
    ON CONFLICT (id) DO UPDATE SET first_seen_us = excluded.first_seen_us
    WHERE first_seen_us IS NULL OR first_seen_us > excluded.first_seen_us";
const MAKE: &str = "INSERT INTO cameras (id) VALUES (?1) ON CONFLICT DO NOTHING";

/// A camera as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraRow {
    /// Its id.
    pub id: CameraId,
    /// When its earliest footage began; `None` before there was any.
    pub first_seen: Option<UtcMicros>,
}

/// Every camera that was ever seen, by id: also those that are configured no more.
pub fn list(conn: &Connection) -> rusqlite::Result<Vec<CameraRow>> {
    let mut statement = conn.prepare_cached("SELECT id, first_seen_us FROM cameras ORDER BY id")?;
    statement.query_map([], |row| Ok(CameraRow { id: row.get(0)?, first_seen: row.get(1)? }))?.collect()
}

/// Something of this camera begins at this moment: there is a row for it, and it is not younger than that.
pub(super) fn seen(tx: &Transaction<'_>, camera: &CameraId, at: UtcMicros) -> rusqlite::Result<()> {
    tx.prepare_cached(NOTE)?.execute((camera, at)).map(drop)
}

/// There is a row for this camera.
pub(super) fn make(tx: &Transaction<'_>, camera: &CameraId) -> rusqlite::Result<()> {
    tx.prepare_cached(MAKE)?.execute([camera]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::testing::{self, camera};

    #[test]
    fn a_camera_is_as_old_as_its_earliest_footage() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        make(&tx, &camera("porch")).unwrap();
        assert_eq!(list(&tx).unwrap(), [CameraRow { id: camera("porch"), first_seen: None }]);
        for at in [5, 9, 3, 4] {
            seen(&tx, &camera("porch"), UtcMicros(at)).unwrap();
        }
        make(&tx, &camera("porch")).unwrap();
        assert_eq!(list(&tx).unwrap(), [CameraRow { id: camera("porch"), first_seen: Some(UtcMicros(3)) }]);
    }
}
