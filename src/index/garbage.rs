//! Files whose row is gone: unlinked and synced first, forgotten then. A start finishes what a power cut interrupted.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction};

use crate::units::{ByteLen, CameraId, EventId};

const PENDING: &str = "SELECT id, camera, path, event, size_bytes FROM garbage ORDER BY id LIMIT ?1";
const HOLDS: &str = "SELECT 1 FROM garbage WHERE path = ?1";
const DONE: &str = "DELETE FROM garbage WHERE id = ?1";

/// A file to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Garbage {
    /// A segment's file.
    Segment {
        /// Relative to the storage folder.
        path: PathBuf,
        /// What is won by removing it.
        size: ByteLen,
    },
    /// An event's pictures.
    Pictures {
        /// The event that was.
        event: EventId,
    },
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GarbageRow {
    /// For [`done`].
    pub id: i64,
    /// Whose it was.
    pub camera: CameraId,
    /// Which file.
    pub what: Garbage,
}

/// What waits longest, at most `limit` of it.
pub fn pending(conn: &Connection, limit: u32) -> rusqlite::Result<Vec<GarbageRow>> {
    let mut statement = conn.prepare_cached(PENDING)?;
    let rows = statement.query_map([limit], |row| {
        let (path, event): (Option<String>, Option<EventId>) = (row.get(2)?, row.get(3)?);
        let what = match (path, event) {
            (Some(path), _) => Garbage::Segment { path: path.into(), size: row.get(4)? },
            (None, Some(event)) => Garbage::Pictures { event },
            (None, None) => {
                return Err(rusqlite::Error::InvalidColumnType(2, "path".into(), rusqlite::types::Type::Null));
            }
        };
        Ok(GarbageRow { id: row.get(0)?, camera: row.get(1)?, what })
    })?;
    rows.collect()
}

/// Whether that file waits to be removed: what has no row because of that must not get one again.
pub fn holds(conn: &Connection, path: &Path) -> rusqlite::Result<bool> {
    let Some(path) = path.to_str() else { return Ok(false) };
    conn.prepare_cached(HOLDS)?.exists([path])
}

/// The file is gone and its folder synced; `false` if the row was gone already.
pub fn done(tx: &Transaction<'_>, id: i64) -> rusqlite::Result<bool> {
    Ok(tx.prepare_cached(DONE)?.execute([id])? == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::testing;

    #[test]
    fn garbage_goes_in_the_order_it_came() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        tx.execute_batch(
            "INSERT INTO garbage (camera, path, size_bytes) VALUES ('porch', 'footage/porch/a.mp4', 5);
             INSERT INTO garbage (camera, event, size_bytes) VALUES ('porch', x'0102030405060708', 0);",
        )
        .unwrap();
        let rows = pending(&tx, 10).unwrap();
        assert_eq!(rows[0].what, Garbage::Segment { path: "footage/porch/a.mp4".into(), size: ByteLen(5) });
        assert_eq!(rows[1].what, Garbage::Pictures { event: EventId::from_random([1, 2, 3, 4, 5, 6, 7, 8]) });
        let is_held = ["footage/porch/a.mp4", "footage/porch/b.mp4"].map(|path| holds(&tx, Path::new(path)).unwrap());
        assert_eq!(is_held, [true, false]);
        assert_eq!((done(&tx, rows[0].id), done(&tx, rows[0].id)), (Ok(true), Ok(false)));
        assert_eq!(pending(&tx, 10).unwrap(), rows[1..]);
        testing::assert_no_scan(&[DONE, HOLDS]);
    }
}
