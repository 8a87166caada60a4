//! Who may do what with which camera.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};

use crate::access::{Hours, Rights};
use crate::index::cameras;
use crate::units::{CameraId, UserId, UtcMicros};

const AT: &str = r#"SELECT live, history, export, "delete", from_minute, to_minute FROM rights
    WHERE user = ?1 AND camera = ?2 AND (expires_us IS NULL OR expires_us > ?3)"#;
const ALL_AT: &str = r#"SELECT live, history, export, "delete", from_minute, to_minute, camera FROM rights
    WHERE user = ?1 AND (expires_us IS NULL OR expires_us > ?2) ORDER BY camera"#;
const OF_USER: &str = r#"SELECT live, history, export, "delete", from_minute, to_minute, camera, expires_us FROM rights
    WHERE user = ?1 ORDER BY camera"#;
const GRANT: &str = r#"INSERT INTO rights (user, camera, live, history, export, "delete", expires_us, from_minute, to_minute)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (user, camera) DO UPDATE SET live = excluded.live, history = excluded.history,
        export = excluded.export, "delete" = excluded."delete", expires_us = excluded.expires_us, from_minute = excluded.from_minute,
        to_minute = excluded.to_minute"#;
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
    /// When on each day it counts; `None`: all day.
    pub hours: Option<Hours>,
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Rights> {
    Ok(Rights { live: row.get(0)?, history: row.get(1)?, export: row.get(2)?, delete: row.get(3)? })
}

fn hours(row: &Row<'_>) -> rusqlite::Result<Option<Hours>> {
    let minutes: (Option<u16>, Option<u16>) = (row.get(4)?, row.get(5)?);
    let (Some(from), Some(to)) = minutes else { return Ok(None) };
    // What is no time of day must not come out as "all day".
    Hours::new(from, to).map(Some).ok_or(rusqlite::Error::IntegralValueOutOfRange(5, to.into()))
}

/// The rights of a row that counts at `now`.
fn counting(row: &Row<'_>, now: UtcMicros) -> rusqlite::Result<Rights> {
    let counts = hours(row)?.is_none_or(|hours| hours.contain_moment(now));
    if counts { from_row(row) } else { Ok(Rights::NONE) }
}

/// Sets what the user may do with the camera, until it is changed; [`Rights::NONE`] takes all away.
pub fn grant(tx: &Transaction<'_>, user: UserId, camera: &CameraId, rights: Rights) -> rusqlite::Result<()> {
    put(tx, user, &RightsRow { camera: camera.clone(), rights, expires: None, hours: None })
}

/// Sets what the user may do with the camera until just before `expires`.
pub fn grant_until(
    tx: &Transaction<'_>,
    user: UserId,
    camera: &CameraId,
    rights: Rights,
    expires: UtcMicros,
) -> rusqlite::Result<()> {
    put(tx, user, &RightsRow { camera: camera.clone(), rights, expires: Some(expires), hours: None })
}

/// Sets the user's row of that camera; one without any right takes all away.
pub fn put(tx: &Transaction<'_>, user: UserId, row: &RightsRow) -> rusqlite::Result<()> {
    let RightsRow { camera, rights, expires, hours } = row;
    if !rights.any() {
        return revoke(tx, user, camera).map(drop);
    }
    cameras::make(tx, camera)?;
    let Rights { live, history, export, delete } = rights;
    let (from, to) = (hours.map(Hours::from), hours.map(Hours::to));
    tx.execute(GRANT, (user, camera, live, history, export, delete, expires, from, to)).map(drop)
}

/// Takes away all that the user may do with the camera; `false` if that was nothing.
pub fn revoke(tx: &Transaction<'_>, user: UserId, camera: &CameraId) -> rusqlite::Result<bool> {
    Ok(tx.execute(REVOKE, (user, camera))? == 1)
}

/// Every row of the user's, by camera, expired ones included: for showing and editing, not for deciding.
pub fn of_user(conn: &Connection, user: UserId) -> rusqlite::Result<Vec<RightsRow>> {
    let mut statement = conn.prepare_cached(OF_USER)?;
    let rows = statement.query_map([user], |row| {
        Ok(RightsRow { rights: from_row(row)?, hours: hours(row)?, camera: row.get(6)?, expires: row.get(7)? })
    })?;
    rows.collect()
}

/// What the user may do with the camera at `now`.
pub fn at(conn: &Connection, user: UserId, camera: &CameraId, now: UtcMicros) -> rusqlite::Result<Rights> {
    Ok(conn
        .prepare_cached(AT)?
        .query_row((user, camera, now), |row| counting(row, now))
        .optional()?
        .unwrap_or_default())
}

/// What the user may do with each camera at `now`, by camera; cameras without a right are left out.
pub fn all_at(conn: &Connection, user: UserId, now: UtcMicros) -> rusqlite::Result<Vec<(CameraId, Rights)>> {
    let mut statement = conn.prepare_cached(ALL_AT)?;
    let rows = statement.query_map((user, now), |row| Ok((row.get(6)?, counting(row, now)?)))?;
    rows.filter(|row| row.as_ref().map_or(true, |(_, rights): &(CameraId, Rights)| rights.any())).collect()
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
        let row = RightsRow { camera: camera("porch"), rights: LIVE, expires: Some(UtcMicros(101)), hours: None };
        assert_eq!(of_user(&tx, guest), Ok(vec![row]));
    }

    #[test]
    fn outside_its_hours_a_right_is_none() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let sitter = users::insert(&tx, &name("dora"), Role::Guest, HASH).unwrap();
        let day = UtcMicros(1_782_648_000_000_000);
        for minute in [0_u16, 1, 719, 720, 1439] {
            let hours = Hours::new(minute, (minute + 60) % 1440);
            let row = RightsRow { camera: camera("porch"), rights: LIVE, expires: None, hours };
            put(&tx, sitter, &row).unwrap();
            assert_eq!(of_user(&tx, sitter), Ok(vec![row]));
            let counting = (0..1440_i64).filter(|n| {
                let now = UtcMicros(day.0 + n * 60_000_000);
                let rights = at(&tx, sitter, &camera("porch"), now).unwrap();
                assert_eq!(all_at(&tx, sitter, now).unwrap().is_empty(), !rights.any());
                rights == LIVE
            });
            assert_eq!(counting.count(), 60, "an hour of each day, whatever the time zone");
        }
        tx.execute("UPDATE rights SET to_minute = from_minute", []).unwrap();
        assert!(at(&tx, sitter, &camera("porch"), day).is_err(), "no time of day is not all day");
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
