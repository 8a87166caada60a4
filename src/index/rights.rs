//! Who may do what with which camera.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};

use crate::access::Rights;
use crate::index::cameras;
use crate::units::{CameraId, UserId, UtcMicros};

const AT: &str = r#"SELECT live, history, export, "delete" FROM rights
    WHERE user = ?1 AND camera = ?2 AND (expires_us IS NULL OR expires_us > ?3)"#;
const ALL_AT: &str = r#"SELECT live, history, export, "delete", camera FROM rights
    WHERE user = ?1 AND (expires_us IS NULL OR expires_us > ?2) ORDER BY camera"#;
const OF_USER: &str = r#"SELECT live, history, export, "delete", camera, expires_us FROM rights
    WHERE user = ?1 ORDER BY camera"#;
const GRANT: &str = r#"INSERT INTO rights (user, camera, live, history, export, "delete", expires_us)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (user, camera) DO UPDATE SET live = excluded.live, history = excluded.history,
        export = excluded.export, "delete" = excluded."delete", expires_us = excluded.expires_us"#;
const REVOKE: &str = "DELETE FROM rights WHERE user = ?1 AND camera = ?2";
const ADOPT: &str = "UPDATE cameras SET adopted = 1 WHERE id = ?1 AND adopted = 0";
const TO_OWNERS: &str = r#"INSERT INTO rights (user, camera, live, history, export, "delete")
    SELECT id, ?1, 1, 1, 1, 1 FROM users WHERE role = 'owner' ON CONFLICT DO NOTHING"#;
// Every camera there is: once in a household's life.
const EVERYTHING: &str = r#"INSERT INTO rights (user, camera, live, history, export, "delete")
    SELECT ?1, id, 1, 1, 1, 1 FROM cameras WHERE true ON CONFLICT DO NOTHING"#;

/// One user's rights on one camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RightsRow {
    /// On which.
    pub camera: CameraId,
    /// What the user may do.
    pub rights: Rights,
    /// From when on the row is worth nothing; `None`: until it is taken away.
    pub expires: Option<UtcMicros>,
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Rights> {
    Ok(Rights { live: row.get(0)?, history: row.get(1)?, export: row.get(2)?, delete: row.get(3)? })
}

/// Sets what the user may do with the camera, until it is changed; [`Rights::NONE`] takes all away.
pub fn grant(tx: &Transaction<'_>, user: UserId, camera: &CameraId, rights: Rights) -> rusqlite::Result<()> {
    set(tx, user, camera, rights, None)
}

/// Sets what the user may do with the camera until just before `expires`.
pub fn grant_until(
    tx: &Transaction<'_>,
    user: UserId,
    camera: &CameraId,
    rights: Rights,
    expires: UtcMicros,
) -> rusqlite::Result<()> {
    set(tx, user, camera, rights, Some(expires))
}

fn set(
    tx: &Transaction<'_>,
    user: UserId,
    camera: &CameraId,
    rights: Rights,
    expires: Option<UtcMicros>,
) -> rusqlite::Result<()> {
    if !rights.any() {
        return revoke(tx, user, camera).map(drop);
    }
    cameras::make(tx, camera)?;
    let Rights { live, history, export, delete } = rights;
    tx.execute(GRANT, (user, camera, live, history, export, delete, expires)).map(drop)
}

/// Takes away all that the user may do with the camera; `false` if that was nothing.
pub fn revoke(tx: &Transaction<'_>, user: UserId, camera: &CameraId) -> rusqlite::Result<bool> {
    Ok(tx.execute(REVOKE, (user, camera))? == 1)
}

/// Every row of the user's, by camera, expired ones included: for showing and editing, not for deciding.
pub fn of_user(conn: &Connection, user: UserId) -> rusqlite::Result<Vec<RightsRow>> {
    let mut statement = conn.prepare_cached(OF_USER)?;
    let rows = statement
        .query_map([user], |row| Ok(RightsRow { rights: from_row(row)?, camera: row.get(4)?, expires: row.get(5)? }))?;
    rows.collect()
}

/// What the user may do with the camera at `now`.
pub fn at(conn: &Connection, user: UserId, camera: &CameraId, now: UtcMicros) -> rusqlite::Result<Rights> {
    Ok(conn.prepare_cached(AT)?.query_row((user, camera, now), from_row).optional()?.unwrap_or_default())
}

/// What the user may do with each camera at `now`, by camera; cameras without a right are left out.
pub fn all_at(conn: &Connection, user: UserId, now: UtcMicros) -> rusqlite::Result<Vec<(CameraId, Rights)>> {
    let mut statement = conn.prepare_cached(ALL_AT)?;
    statement.query_map((user, now), |row| Ok((row.get(4)?, from_row(row)?)))?.collect()
}

/// Called with every configured camera, as often as one likes. The first time, every owner there is gets every right on it,
/// and `true` is returned; later it changes nothing, so what a household took away stays away.
pub fn adopt(tx: &Transaction<'_>, camera: &CameraId) -> rusqlite::Result<bool> {
    cameras::make(tx, camera)?;
    let first_time = tx.execute(ADOPT, [camera])? == 1;
    if first_time {
        tx.execute(TO_OWNERS, [camera])?;
    }
    Ok(first_time)
}

/// Every right on every camera there is, for the first owner.
pub(super) fn grant_everything(tx: &Transaction<'_>, user: UserId) -> rusqlite::Result<()> {
    tx.execute(EVERYTHING, [user]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::index::testing::{self, HASH, camera, name};
    use crate::index::users;

    const NOW: UtcMicros = UtcMicros(100);

    const LIVE: Rights = Rights { live: true, ..Rights::NONE };

    #[test]
    fn no_row_no_right_for_owners_too() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let first = users::insert(&tx, &name("anna"), Role::Owner, HASH).unwrap();
        adopt(&tx, &camera("porch")).unwrap();
        let second = users::insert(&tx, &name("ben"), Role::Owner, HASH).unwrap();
        assert_eq!(at(&tx, first, &camera("porch"), NOW), Ok(Rights::ALL));
        assert_eq!(at(&tx, second, &camera("porch"), NOW), Ok(Rights::NONE));
        assert_eq!(at(&tx, first, &camera("nursery"), NOW), Ok(Rights::NONE));
        assert_eq!(all_at(&tx, second, NOW), Ok(vec![]));
    }

    #[test]
    fn a_camera_is_adopted_once() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let owners = ["anna", "ben"].map(|who| users::insert(&tx, &name(who), Role::Owner, HASH).unwrap());
        let member = users::insert(&tx, &name("cleo"), Role::Member, HASH).unwrap();
        assert_eq!(adopt(&tx, &camera("nursery")), Ok(true));
        for owner in owners {
            assert_eq!(at(&tx, owner, &camera("nursery"), NOW), Ok(Rights::ALL));
        }
        assert_eq!(at(&tx, member, &camera("nursery"), NOW), Ok(Rights::NONE));
        assert_eq!(revoke(&tx, owners[1], &camera("nursery")), Ok(true));
        assert_eq!(adopt(&tx, &camera("nursery")), Ok(false));
        assert_eq!(at(&tx, owners[1], &camera("nursery"), NOW), Ok(Rights::NONE), "taken away stays away");
    }

    #[test]
    fn whoever_claims_a_recorder_gets_the_cameras_it_already_has() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        adopt(&tx, &camera("porch")).unwrap();
        let owner = users::claim(&tx, &name("anna"), HASH).unwrap().unwrap();
        assert_eq!(all_at(&tx, owner, NOW), Ok(vec![(camera("porch"), Rights::ALL)]));
    }

    #[test]
    fn a_guests_right_ends_at_its_moment() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let guest = users::insert(&tx, &name("dora"), Role::Guest, HASH).unwrap();
        grant_until(&tx, guest, &camera("porch"), LIVE, UtcMicros(101)).unwrap();
        assert_eq!(at(&tx, guest, &camera("porch"), NOW), Ok(LIVE));
        assert_eq!(all_at(&tx, guest, NOW), Ok(vec![(camera("porch"), LIVE)]));
        assert_eq!(at(&tx, guest, &camera("porch"), UtcMicros(101)), Ok(Rights::NONE));
        assert_eq!(all_at(&tx, guest, UtcMicros(101)), Ok(vec![]));
        let row = RightsRow { camera: camera("porch"), rights: LIVE, expires: Some(UtcMicros(101)) };
        assert_eq!(of_user(&tx, guest), Ok(vec![row]));
    }

    #[test]
    fn a_grant_replaces_the_one_before() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let user = users::insert(&tx, &name("cleo"), Role::Member, HASH).unwrap();
        grant_until(&tx, user, &camera("porch"), Rights::ALL, NOW).unwrap();
        for some in [Rights { export: true, ..LIVE }, Rights { history: true, delete: true, ..Rights::NONE }] {
            grant(&tx, user, &camera("porch"), some).unwrap();
            assert_eq!(at(&tx, user, &camera("porch"), NOW), Ok(some));
        }
        grant(&tx, user, &camera("porch"), Rights::NONE).unwrap();
        assert_eq!(of_user(&tx, user), Ok(vec![]));
        assert_eq!(revoke(&tx, user, &camera("porch")), Ok(false));
    }

    #[test]
    fn a_right_of_nobody_is_refused() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        assert!(grant(&tx, UserId(5), &camera("porch"), Rights::ALL).is_err());
    }

    #[test]
    fn no_question_about_rights_reads_them_all() {
        testing::assert_no_scan(&[AT, ALL_AT, OF_USER, REVOKE, ADOPT, TO_OWNERS]);
    }
}
