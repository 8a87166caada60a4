//! Links that show one stretch of one camera to whoever has them.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};

use crate::access::{ShareRow, TokenHash};
use crate::units::{CameraId, UserId, UtcMicros, UtcSpan};

const AT: &str = "SELECT shares.camera, shares.start_us, shares.end_us, shares.expires_us, shares.user, users.name
    FROM shares JOIN users ON users.id = shares.user
    WHERE shares.hash = ?1 AND shares.expires_us > ?2 AND (users.expires_us IS NULL OR users.expires_us > ?2)";
const OF_USER: &str =
    "SELECT shares.camera, shares.start_us, shares.end_us, shares.expires_us, shares.user, users.name,
    shares.hash FROM shares JOIN users ON users.id = shares.user WHERE shares.user = ?1 AND shares.expires_us > ?2";
const REMOVE: &str = "DELETE FROM shares WHERE hash = ?1 AND user = ?2";
const REMOVE_EXPIRED: &str = "DELETE FROM shares WHERE expires_us <= ?1";

fn from_row(row: &Row<'_>) -> rusqlite::Result<ShareRow> {
    let end: UtcMicros = row.get(2)?;
    let span = UtcSpan::new(row.get(1)?, end).ok_or(rusqlite::Error::IntegralValueOutOfRange(2, end.0))?;
    Ok(ShareRow { camera: row.get(0)?, span, expires: row.get(3)?, by: row.get(4)?, by_name: row.get(5)? })
}

/// Makes a link good until just before `expires`, which is after `now`.
pub fn insert(
    tx: &Transaction<'_>,
    link: &TokenHash,
    user: UserId,
    camera: &CameraId,
    span: UtcSpan,
    (now, expires): (UtcMicros, UtcMicros),
) -> rusqlite::Result<()> {
    tx.execute(
        "INSERT INTO shares (hash, user, camera, start_us, end_us, created_us, expires_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        (link, user, camera, span.start(), span.end(), now, expires),
    )
    .map(drop)
}

/// What the link shows at `now`.
pub fn at(conn: &Connection, link: &TokenHash, now: UtcMicros) -> rusqlite::Result<Option<ShareRow>> {
    conn.prepare_cached(AT)?.query_row((link, now), from_row).optional()
}

/// The links that the user made and that still show something.
pub fn of_user(conn: &Connection, user: UserId, now: UtcMicros) -> rusqlite::Result<Vec<(TokenHash, ShareRow)>> {
    let mut statement = conn.prepare_cached(OF_USER)?;
    statement.query_map((user, now), |row| Ok((row.get(6)?, from_row(row)?)))?.collect()
}

/// Takes one of the user's links back; `false` if there is none.
pub fn remove(tx: &Transaction<'_>, link: &TokenHash, user: UserId) -> rusqlite::Result<bool> {
    Ok(tx.execute(REMOVE, (link, user))? == 1)
}

/// Sweeps out what is worth nothing at `now`; says how many.
pub fn remove_expired(tx: &Transaction<'_>, now: UtcMicros) -> rusqlite::Result<usize> {
    tx.execute(REMOVE_EXPIRED, [now])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::index::testing::{self, HASH, camera, name, span};
    use crate::index::{cameras, users};

    #[test]
    fn a_link_shows_its_span_until_its_end_or_its_makers() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let [anna, ben] = ["anna", "ben"].map(|who| users::insert(&tx, &name(who), Role::Member, HASH).unwrap());
        cameras::make(&tx, &camera("porch")).unwrap();
        let link = TokenHash::from_bytes([1; 32]);
        insert(&tx, &link, anna, &camera("porch"), span(10, 20), (UtcMicros(50), UtcMicros(100))).unwrap();
        let row = ShareRow {
            camera: camera("porch"),
            span: span(10, 20),
            expires: UtcMicros(100),
            by: anna,
            by_name: "anna".into(),
        };
        assert_eq!(at(&tx, &link, UtcMicros(99)), Ok(Some(row.clone())));
        assert_eq!(of_user(&tx, anna, UtcMicros(99)), Ok(vec![(link, row)]));
        assert_eq!((at(&tx, &link, UtcMicros(100)), of_user(&tx, anna, UtcMicros(100))), (Ok(None), Ok(vec![])));
        assert_eq!((remove(&tx, &link, ben), remove(&tx, &link, anna)), (Ok(false), Ok(true)), "only its maker");
        insert(&tx, &link, ben, &camera("porch"), span(10, 20), (UtcMicros(50), UtcMicros(100))).unwrap();
        users::insert(&tx, &name("cleo"), Role::Owner, HASH).unwrap();
        let _ = users::remove(&tx, ben).unwrap();
        assert_eq!(at(&tx, &link, UtcMicros(60)), Ok(None), "with a user go the links");
        assert_eq!(remove_expired(&tx, UtcMicros(100)), Ok(0));
    }

    #[test]
    fn no_question_about_links_reads_them_all() {
        testing::assert_no_scan(&[AT, OF_USER, REMOVE, REMOVE_EXPIRED]);
    }
}
