//! The code by which a new recorder gets its first owner.

use rusqlite::{Connection, OptionalExtension as _, Transaction};

use crate::access::{TokenHash, UserName};
use crate::index::users;
use crate::units::UserId;

const SET: &str = "INSERT INTO claim (one, hash) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET hash = excluded.hash";
const CODE: &str = "SELECT hash FROM claim WHERE one = 1";
const FORGET: &str = "DELETE FROM claim";

/// Makes this the code; one printed before is worth nothing from now on. `false`, and no code, if there is an owner.
pub fn offer(tx: &Transaction<'_>, code: &TokenHash) -> rusqlite::Result<bool> {
    if users::owners(tx)?.is_empty() {
        tx.execute(SET, [code])?;
        return Ok(true);
    }
    tx.execute(FORGET, [])?;
    Ok(false)
}

/// Whether somebody may become the first owner by the code: there is one, and no owner.
pub fn is_open(conn: &Connection) -> rusqlite::Result<bool> {
    Ok(code(conn)?.is_some() && users::owners(conn)?.is_empty())
}

/// Whether this is the code.
pub fn fits(conn: &Connection, typed: &TokenHash) -> rusqlite::Result<bool> {
    Ok(is_open(conn)? && code(conn)?.is_some_and(|code| code == *typed))
}

/// Makes the first owner; `None` if the code is wrong or somebody was faster. The code is gone afterwards.
pub fn take(
    tx: &Transaction<'_>,
    typed: &TokenHash,
    name: &UserName,
    password_hash: &str,
) -> rusqlite::Result<Option<UserId>> {
    if !fits(tx, typed)? {
        return Ok(None);
    }
    let owner = users::claim(tx, name, password_hash)?;
    tx.execute(FORGET, [])?;
    Ok(owner)
}

fn code(conn: &Connection) -> rusqlite::Result<Option<TokenHash>> {
    conn.prepare_cached(CODE)?.query_row([], |row| row.get(0)).optional()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::index::testing::{self, HASH, name};

    #[test]
    fn the_newest_code_makes_one_owner_and_then_there_is_none() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let [old, new] = [1, 2].map(|byte| TokenHash::from_bytes([byte; 32]));
        assert_eq!(is_open(&tx), Ok(false), "without a code nobody can");
        assert_eq!((offer(&tx, &old), offer(&tx, &new)), (Ok(true), Ok(true)));
        assert_eq!(take(&tx, &old, &name("mallory"), HASH), Ok(None));
        assert_eq!(is_open(&tx), Ok(true));
        assert!(take(&tx, &new, &name("anna"), HASH).unwrap().is_some());
        assert_eq!(take(&tx, &new, &name("mallory"), HASH), Ok(None));
        assert_eq!((is_open(&tx), offer(&tx, &old), is_open(&tx)), (Ok(false), Ok(false), Ok(false)));
    }

    #[test]
    fn an_owner_made_elsewhere_closes_it_too() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let code = TokenHash::from_bytes([1; 32]);
        offer(&tx, &code).unwrap();
        users::insert(&tx, &name("ben"), Role::Member, HASH).unwrap();
        assert_eq!(is_open(&tx), Ok(true), "a member is no owner");
        users::insert(&tx, &name("anna"), Role::Owner, HASH).unwrap();
        assert_eq!((is_open(&tx), fits(&tx, &code)), (Ok(false), Ok(false)));
    }

    #[test]
    fn no_question_about_the_claim_reads_much() {
        testing::assert_no_scan(&[CODE]);
    }
}
