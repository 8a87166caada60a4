//! Links that sign somebody in once.

use rusqlite::{OptionalExtension as _, Transaction};

use crate::access::TokenHash;
use crate::units::{UserId, UtcMicros};

const TAKE: &str = "DELETE FROM sign_in_links WHERE hash = ?1 RETURNING user, expires_us";
const REMOVE_EXPIRED: &str = "DELETE FROM sign_in_links WHERE expires_us <= ?1";

/// Makes a link good until just before `expires`.
pub fn insert(tx: &Transaction<'_>, token: &TokenHash, user: UserId, expires: UtcMicros) -> rusqlite::Result<()> {
    tx.execute("INSERT INTO sign_in_links (hash, user, expires_us) VALUES (?1, ?2, ?3)", (token, user, expires))
        .map(drop)
}

/// Whom the link signs in. It is gone afterwards, whether it was still good or not; the writer takes one after the other, so
/// nobody else gets it too.
pub fn take(tx: &Transaction<'_>, token: &TokenHash, now: UtcMicros) -> rusqlite::Result<Option<UserId>> {
    let taken: Option<(UserId, UtcMicros)> =
        tx.query_row(TAKE, [token], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(taken.filter(|(_, expires)| now < *expires).map(|(user, _)| user))
}

/// Sweeps out what is worth nothing at `now`; says how many.
pub fn remove_expired(tx: &Transaction<'_>, now: UtcMicros) -> rusqlite::Result<usize> {
    tx.execute(REMOVE_EXPIRED, [now])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::index::testing::{self, HASH, name};
    use crate::index::users;

    #[test]
    fn a_link_works_once_and_in_time() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let anna = users::insert(&tx, &name("anna"), Role::Owner, HASH).unwrap();
        let (good, late) = (TokenHash::from_bytes([1; 32]), TokenHash::from_bytes([2; 32]));
        insert(&tx, &good, anna, UtcMicros(10)).unwrap();
        insert(&tx, &late, anna, UtcMicros(10)).unwrap();
        assert_eq!(take(&tx, &good, UtcMicros(9)), Ok(Some(anna)));
        assert_eq!(take(&tx, &good, UtcMicros(9)), Ok(None));
        assert_eq!(take(&tx, &late, UtcMicros(10)), Ok(None));
        assert_eq!(take(&tx, &late, UtcMicros(9)), Ok(None), "a second look at the clock does not revive it");
        insert(&tx, &late, anna, UtcMicros(10)).unwrap();
        assert_eq!(remove_expired(&tx, UtcMicros(10)), Ok(1));
        testing::assert_no_scan(&[TAKE, REMOVE_EXPIRED]);
    }
}
