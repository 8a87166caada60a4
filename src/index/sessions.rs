//! Who is signed in: cookies of browsers and tokens of scripts.

use std::net::IpAddr;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Transaction};

pub use crate::access::SessionKind;
use crate::access::{SessionRow, TokenHash};
use crate::units::{UserId, UtcMicros};

const HOLDER: &str = "SELECT users.id, users.name, users.role, sessions.expires_us, sessions.kind
    FROM sessions JOIN users ON users.id = sessions.user
    WHERE sessions.hash = ?1 AND sessions.expires_us > ?2 AND (users.expires_us IS NULL OR users.expires_us > ?2)";
const REMOVE: &str = "DELETE FROM sessions WHERE hash = ?1";
const REMOVE_EXPIRED: &str = "DELETE FROM sessions WHERE expires_us <= ?1";
const REMOVE_ALL: &str = "DELETE FROM sessions WHERE user = ?1";
const REMOVE_OTHERS: &str = "DELETE FROM sessions WHERE user = ?1 AND hash <> ?2";
const OF_USER: &str = "SELECT hash, kind, created_us, expires_us, label, address FROM sessions WHERE user = ?1";
const DESCRIBE: &str = "UPDATE sessions SET label = ?2, address = ?3 WHERE hash = ?1";

const fn name(kind: SessionKind) -> &'static str {
    match kind {
        SessionKind::Cookie => "cookie",
        SessionKind::Api => "api",
    }
}

impl FromSql for SessionKind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "cookie" => Ok(Self::Cookie),
            "api" => Ok(Self::Api),
            other => Err(FromSqlError::Other(format!("\"{other}\" is no kind of session").into())),
        }
    }
}

/// A session as its user sees it in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// For ending it.
    pub hash: TokenHash,
    /// What holds the token.
    pub kind: SessionKind,
    /// When it began.
    pub created: UtcMicros,
    /// When it ends by itself.
    pub expires: UtcMicros,
    /// What holds it, in words.
    pub label: String,
    /// From which address it was made.
    pub address: Option<String>,
}

/// Begins a session, good until just before `expires`, which is after `created`.
pub fn insert(
    tx: &Transaction<'_>,
    token: &TokenHash,
    user: UserId,
    created: UtcMicros,
    expires: UtcMicros,
    kind: SessionKind,
) -> rusqlite::Result<()> {
    tx.execute(
        "INSERT INTO sessions (hash, user, kind, created_us, expires_us) VALUES (?1, ?2, ?3, ?4, ?5)",
        (token, user, name(kind), created, expires),
    )
    .map(drop)
}

/// Notes what holds the session and from where it was made, for its user's list; at most 64 characters of the label are kept.
pub fn describe(tx: &Transaction<'_>, token: &TokenHash, label: &str, address: Option<IpAddr>) -> rusqlite::Result<()> {
    let label: String = label.chars().take(64).collect();
    tx.execute(DESCRIBE, (token, label, address.map(|address| address.to_string()))).map(drop)
}

/// Who holds this token at `now`.
pub fn holder(conn: &Connection, token: &TokenHash, now: UtcMicros) -> rusqlite::Result<Option<SessionRow>> {
    let row = conn.prepare_cached(HOLDER)?.query_row((token, now), |row| {
        Ok(SessionRow {
            user: row.get(0)?,
            name: row.get(1)?,
            role: row.get(2)?,
            expires: row.get(3)?,
            kind: row.get(4)?,
        })
    });
    row.optional()
}

/// The user's sessions, expired ones that were not swept yet included.
pub fn of_user(conn: &Connection, user: UserId) -> rusqlite::Result<Vec<Listed>> {
    let mut statement = conn.prepare_cached(OF_USER)?;
    let listed = statement.query_map([user], |row| {
        Ok(Listed {
            hash: row.get(0)?,
            kind: row.get(1)?,
            created: row.get(2)?,
            expires: row.get(3)?,
            label: row.get(4)?,
            address: row.get(5)?,
        })
    })?;
    listed.collect()
}

/// Ends one; `false` if there is none.
pub fn remove(tx: &Transaction<'_>, token: &TokenHash) -> rusqlite::Result<bool> {
    Ok(tx.execute(REMOVE, [token])? == 1)
}

/// Ends all of a user's; says how many.
pub fn remove_all(tx: &Transaction<'_>, user: UserId) -> rusqlite::Result<usize> {
    tx.execute(REMOVE_ALL, [user])
}

/// Ends all of a user's but this one; says how many.
pub fn remove_others(tx: &Transaction<'_>, user: UserId, but: &TokenHash) -> rusqlite::Result<usize> {
    tx.execute(REMOVE_OTHERS, (user, but))
}

/// Sweeps out what is worth nothing at `now`; says how many.
pub fn remove_expired(tx: &Transaction<'_>, now: UtcMicros) -> rusqlite::Result<usize> {
    tx.execute(REMOVE_EXPIRED, [now])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::index::testing::{self, HASH, name as user_name};
    use crate::index::users;

    #[test]
    fn a_session_holds_until_its_end_or_its_users_wish() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let anna = users::insert(&tx, &user_name("anna"), Role::Guest, HASH).unwrap();
        let token = TokenHash::from_bytes([1; 32]);
        insert(&tx, &token, anna, UtcMicros(10), UtcMicros(20), SessionKind::Api).unwrap();
        let row = SessionRow {
            user: anna,
            name: "anna".to_owned(),
            role: Role::Guest,
            expires: UtcMicros(20),
            kind: SessionKind::Api,
        };
        assert_eq!(holder(&tx, &token, UtcMicros(19)), Ok(Some(row)));
        assert_eq!(holder(&tx, &token, UtcMicros(20)), Ok(None));
        assert_eq!(holder(&tx, &TokenHash::from_bytes([2; 32]), UtcMicros(19)), Ok(None));
        describe(&tx, &token, &"Kitchen ".repeat(20), Some("192.168.1.7".parse().unwrap())).unwrap();
        let listed = Listed {
            hash: token,
            kind: SessionKind::Api,
            created: UtcMicros(10),
            expires: UtcMicros(20),
            label: "Kitchen ".repeat(8),
            address: Some("192.168.1.7".to_owned()),
        };
        assert_eq!(of_user(&tx, anna), Ok(vec![listed]));
        assert_eq!((remove(&tx, &token), remove(&tx, &token)), (Ok(true), Ok(false)));
        assert_eq!(holder(&tx, &token, UtcMicros(19)), Ok(None));
    }

    #[test]
    fn with_the_users_time_every_session_is_over() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let guest = users::insert(&tx, &user_name("dora"), Role::Guest, HASH).unwrap();
        let [one, other] = [1, 2].map(|byte| TokenHash::from_bytes([byte; 32]));
        for token in [&one, &other] {
            insert(&tx, token, guest, UtcMicros(0), UtcMicros(1_000), SessionKind::Cookie).unwrap();
        }
        users::set_expiry(&tx, guest, Some(UtcMicros(50))).unwrap();
        assert!(holder(&tx, &one, UtcMicros(49)).unwrap().is_some());
        assert_eq!(holder(&tx, &one, UtcMicros(50)), Ok(None));
        users::set_expiry(&tx, guest, None).unwrap();
        assert_eq!(remove_others(&tx, guest, &one), Ok(1));
        assert!(holder(&tx, &one, UtcMicros(50)).unwrap().is_some());
        assert_eq!(holder(&tx, &other, UtcMicros(50)), Ok(None));
    }

    #[test]
    fn only_what_is_expired_is_swept() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let anna = users::insert(&tx, &user_name("anna"), Role::Guest, HASH).unwrap();
        for n in 1..=3 {
            let (token, expires) = (TokenHash::from_bytes([n; 32]), UtcMicros(i64::from(n) * 10));
            insert(&tx, &token, anna, UtcMicros(0), expires, SessionKind::Cookie).unwrap();
        }
        assert_eq!(remove_expired(&tx, UtcMicros(20)), Ok(2));
        assert_eq!(remove_all(&tx, anna), Ok(1));
    }

    #[test]
    fn a_session_of_nobody_or_without_an_end_is_refused() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let token = TokenHash::from_bytes([1; 32]);
        assert!(insert(&tx, &token, UserId(7), UtcMicros(0), UtcMicros(1), SessionKind::Api).is_err());
        let anna = users::insert(&tx, &user_name("anna"), Role::Guest, HASH).unwrap();
        assert!(insert(&tx, &token, anna, UtcMicros(5), UtcMicros(5), SessionKind::Api).is_err());
    }

    #[test]
    fn no_question_about_sessions_reads_them_all() {
        testing::assert_no_scan(&[HOLDER, REMOVE, REMOVE_ALL, REMOVE_OTHERS, REMOVE_EXPIRED, OF_USER, DESCRIBE]);
    }
}
