//! Users.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};

use crate::access::{Role, UserName};
use crate::index::rights;
use crate::units::{UserId, UtcMicros};

const COLUMNS: &str = "SELECT id, name, role, password_hash, expires_us FROM users";
const BY_NAME: &str = "SELECT id, name, role, password_hash, expires_us FROM users WHERE name = ?1";
const BY_ID: &str = "SELECT id, name, role, password_hash, expires_us FROM users WHERE id = ?1";
const OWNERS: &str = "SELECT id FROM users WHERE role = 'owner' ORDER BY id";
const CLAIM: &str = "INSERT INTO users (name, role, password_hash)
    SELECT ?1, 'owner', ?2 WHERE NOT EXISTS (SELECT 1 FROM users WHERE role = 'owner') RETURNING id";
const SET_PASSWORD: &str = "UPDATE users SET password_hash = ?2 WHERE id = ?1";
const SET_ROLE: &str = "UPDATE users SET role = ?2 WHERE id = ?1";
const SET_EXPIRY: &str = "UPDATE users SET expires_us = ?2 WHERE id = ?1";
const END_SESSIONS: &str = "DELETE FROM sessions WHERE user = ?1";
const END_LINKS: &str = "DELETE FROM sign_in_links WHERE user = ?1";

/// A user.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRow {
    /// Never reused.
    pub id: UserId,
    /// As it was typed when the user was made; compared without regard to ASCII case.
    pub name: String,
    /// What the user may do to the installation.
    pub role: Role,
    /// PHC string of the password.
    pub password_hash: String,
    /// From then on nobody signs in as this user; `None`: until it is removed.
    pub expires: Option<UtcMicros>,
}

/// Without the hash: this may end in a log.
impl std::fmt::Debug for UserRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRow")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<UserRow> {
    Ok(UserRow {
        id: row.get(0)?,
        name: row.get(1)?,
        role: row.get(2)?,
        password_hash: row.get(3)?,
        expires: row.get(4)?,
    })
}

/// Makes a user without any right; a constraint fails if the name is taken ([`crate::index::WriteError::is_conflict`]).
///
/// The first owner of all gets every right on every camera, as with [`claim`].
pub fn insert(tx: &Transaction<'_>, name: &UserName, role: Role, password_hash: &str) -> rusqlite::Result<UserId> {
    if role == Role::Owner
        && let Some(first) = claim(tx, name, password_hash)?
    {
        return Ok(first);
    }
    tx.query_row(
        "INSERT INTO users (name, role, password_hash) VALUES (?1, ?2, ?3) RETURNING id",
        (name.as_str(), role, password_hash),
        |row| row.get(0),
    )
}

/// Makes the first owner, with every right on every camera there is; `None` if there is an owner already. One statement
/// decides, so however many claim at once, one succeeds.
pub fn claim(tx: &Transaction<'_>, name: &UserName, password_hash: &str) -> rusqlite::Result<Option<UserId>> {
    let id: Option<UserId> = tx.query_row(CLAIM, (name.as_str(), password_hash), |row| row.get(0)).optional()?;
    if let Some(id) = id {
        // Cameras that recorded before anybody lived here were adopted by nobody.
        rights::grant_everything(tx, id)?;
    }
    Ok(id)
}

/// The user of that name.
pub fn by_name(conn: &Connection, name: &str) -> rusqlite::Result<Option<UserRow>> {
    conn.prepare_cached(BY_NAME)?.query_row([name], from_row).optional()
}

/// The user of that number.
pub fn by_id(conn: &Connection, id: UserId) -> rusqlite::Result<Option<UserRow>> {
    conn.prepare_cached(BY_ID)?.query_row([id], from_row).optional()
}

/// Every user, by number.
pub fn list(conn: &Connection) -> rusqlite::Result<Vec<UserRow>> {
    conn.prepare(&format!("{COLUMNS} ORDER BY id"))?.query_map([], from_row)?.collect()
}

/// Every owner's number.
pub fn owners(conn: &Connection) -> rusqlite::Result<Vec<UserId>> {
    conn.prepare_cached(OWNERS)?.query_map([], |row| row.get(0))?.collect()
}

/// Sets the password, and ends every session, token and link of the user: whoever knew the old one is out. `false` if there is
/// no such user.
pub fn set_password(tx: &Transaction<'_>, id: UserId, password_hash: &str) -> rusqlite::Result<bool> {
    tx.execute(END_SESSIONS, [id])?;
    tx.execute(END_LINKS, [id])?;
    Ok(tx.execute(SET_PASSWORD, (id, password_hash))? == 1)
}

/// Replaces a hash by a better one of the same password; sessions stay.
pub fn refresh_hash(tx: &Transaction<'_>, id: UserId, password_hash: &str) -> rusqlite::Result<()> {
    tx.execute(SET_PASSWORD, (id, password_hash)).map(drop)
}

/// Says when the user's time is over; `None`: never.
pub fn set_expiry(tx: &Transaction<'_>, id: UserId, expires: Option<UtcMicros>) -> rusqlite::Result<()> {
    tx.execute(SET_EXPIRY, (id, expires)).map(drop)
}

/// Makes the user something else; `false`, and nothing is changed, if that would leave no owner. Whoever is looking at
/// something by the old role's word is asked to sign in anew by the next look at the rows.
pub fn set_role(tx: &Transaction<'_>, id: UserId, role: Role) -> rusqlite::Result<bool> {
    if role != Role::Owner && owners(tx)? == [id] {
        return Ok(false);
    }
    tx.execute(SET_ROLE, (id, role)).map(|changed| changed == 1)
}

/// What became of a wish to remove a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Removal {
    /// Gone, with sessions, links and rights.
    Removed,
    /// There was none.
    NoSuchUser,
    /// The last owner stays: without one, anybody could claim the recorder.
    LastOwner,
}

/// Removes a user with all sessions, links and rights; the audit log keeps the name.
pub fn remove(tx: &Transaction<'_>, id: UserId) -> rusqlite::Result<Removal> {
    if owners(tx)? == [id] {
        return Ok(Removal::LastOwner);
    }
    let gone = tx.execute("DELETE FROM users WHERE id = ?1", [id])? == 1;
    Ok(if gone { Removal::Removed } else { Removal::NoSuchUser })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Rights, TokenHash};
    use crate::index::sessions::{self, SessionKind};
    use crate::index::testing::{self, HASH, camera, name};
    use crate::index::{open, sign_in_links};
    use crate::units::UtcMicros;

    #[test]
    fn of_a_hundred_who_claim_at_once_one_becomes_the_owner() {
        let folder = tempfile::tempdir().unwrap();
        let (thread, writer, readers) = open(&folder.path().join("hearthwatch.db")).unwrap();
        let claimed: Vec<_> = std::thread::scope(|scope| {
            scope.spawn(|| thread.run());
            let writer = writer;
            let claims: Vec<_> = (0..100)
                .map(|n| {
                    let writer = writer.clone();
                    let name = name(&format!("claimant {n}"));
                    scope.spawn(move || writer.write_blocking(move |tx| claim(tx, &name, HASH)))
                })
                .collect();
            claims.into_iter().filter_map(|claim| claim.join().unwrap().unwrap()).collect()
        });
        assert_eq!(claimed.len(), 1);
        assert_eq!(readers.read_blocking(owners).unwrap(), claimed);
        assert_eq!(readers.read_blocking(list).unwrap().len(), 1);
    }

    #[test]
    fn a_removed_users_number_is_never_given_again() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let anna = insert(&tx, &name("anna"), Role::Member, HASH).unwrap();
        assert_eq!(remove(&tx, anna), Ok(Removal::Removed));
        assert_eq!(remove(&tx, anna), Ok(Removal::NoSuchUser));
        assert!(insert(&tx, &name("anna"), Role::Member, HASH).unwrap() > anna);
    }

    #[test]
    fn a_name_is_taken_in_any_case() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let anna = insert(&tx, &name("Anna"), Role::Member, HASH).unwrap();
        assert_eq!(by_name(&tx, "anna").unwrap().map(|row| (row.id, row.name)), Some((anna, "Anna".to_owned())));
        assert_eq!(by_id(&tx, anna).unwrap().map(|row| row.role), Some(Role::Member));
        let error = insert(&tx, &name("ANNA"), Role::Guest, HASH).unwrap_err();
        assert!(crate::index::WriteError::Refused(error).is_conflict());
        assert_eq!(by_name(&tx, "ann_"), Ok(None));
    }

    #[test]
    fn the_last_owner_stays() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let anna = claim(&tx, &name("anna"), HASH).unwrap().unwrap();
        assert_eq!(remove(&tx, anna), Ok(Removal::LastOwner));
        assert_eq!(set_role(&tx, anna, Role::Guest), Ok(false));
        let ben = insert(&tx, &name("ben"), Role::Owner, HASH).unwrap();
        assert_eq!(set_role(&tx, anna, Role::Guest), Ok(true));
        assert_eq!(set_role(&tx, anna, Role::Owner), Ok(true));
        assert_eq!(remove(&tx, anna), Ok(Removal::Removed));
        assert_eq!(remove(&tx, ben), Ok(Removal::LastOwner));
    }

    #[test]
    fn a_new_password_ends_every_session() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let anna = insert(&tx, &name("anna"), Role::Member, HASH).unwrap();
        let (session, link) = (TokenHash::from_bytes([1; 32]), TokenHash::from_bytes([2; 32]));
        sessions::insert(&tx, &session, anna, UtcMicros(0), UtcMicros(9), SessionKind::Api).unwrap();
        sign_in_links::insert(&tx, &link, anna, UtcMicros(9)).unwrap();
        assert_eq!(set_password(&tx, anna, HASH), Ok(true));
        assert_eq!(sessions::holder(&tx, &session, UtcMicros(1)), Ok(None));
        assert_eq!(sign_in_links::take(&tx, &link, UtcMicros(1)), Ok(None));
        assert_eq!(set_password(&tx, UserId(99), HASH), Ok(false));
    }

    #[test]
    fn with_a_user_go_rights_and_sessions() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let anna = insert(&tx, &name("anna"), Role::Member, HASH).unwrap();
        let session = TokenHash::from_bytes([1; 32]);
        sessions::insert(&tx, &session, anna, UtcMicros(0), UtcMicros(9), SessionKind::Cookie).unwrap();
        rights::grant(&tx, anna, &camera("porch"), Rights::ALL).unwrap();
        assert_eq!(remove(&tx, anna), Ok(Removal::Removed));
        assert_eq!(sessions::holder(&tx, &session, UtcMicros(1)), Ok(None));
        assert_eq!(rights::of_user(&tx, anna), Ok(vec![]));
    }

    #[test]
    fn a_password_that_is_no_hash_is_refused() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        assert!(insert(&tx, &name("anna"), Role::Member, "hunter22").is_err());
    }

    #[test]
    fn a_users_hash_is_not_printed() {
        let row =
            UserRow { id: UserId(1), name: "a".into(), role: Role::Guest, password_hash: HASH.into(), expires: None };
        assert!(!format!("{row:?}").contains("argon2"));
    }

    #[test]
    fn no_question_about_users_reads_them_all() {
        testing::assert_no_scan(&[
            BY_NAME,
            BY_ID,
            OWNERS,
            CLAIM,
            SET_PASSWORD,
            SET_ROLE,
            SET_EXPIRY,
            END_SESSIONS,
            END_LINKS,
        ]);
    }
}
