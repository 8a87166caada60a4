//! Since when the time is a guess, because the machine's clock was never set since then: one row, or none.

use rusqlite::{Connection, OptionalExtension as _, Transaction};

use crate::units::UtcMicros;

const SELECT: &str = "SELECT boot, apart_us, since_us FROM guessed_time WHERE one = 1";
const SET: &str = "INSERT INTO guessed_time (one, boot, apart_us, since_us) VALUES (1, ?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET boot = excluded.boot, apart_us = excluded.apart_us, since_us = excluded.since_us";
const CLEAR: &str = "DELETE FROM guessed_time WHERE one = 1";

/// What was guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// The run of the machine in which it was; empty if the kernel did not tell.
    pub boot: String,
    /// The guessed time minus the time since the machine's start, in µs.
    pub apart_us: i64,
    /// What was recorded from then on, by the guessed time, has a guessed time.
    pub since: UtcMicros,
}

/// The row, if there is one.
pub fn read(conn: &Connection) -> rusqlite::Result<Option<Guess>> {
    let from_row = |row: &rusqlite::Row<'_>| Ok(Guess { boot: row.get(0)?, apart_us: row.get(1)?, since: row.get(2)? });
    conn.prepare_cached(SELECT)?.query_row([], from_row).optional()
}

/// Instead of what stood there.
pub fn keep(tx: &Transaction<'_>, guess: &Guess) -> rusqlite::Result<()> {
    tx.execute(SET, (&guess.boot, guess.apart_us, guess.since)).map(drop)
}

/// The time is known, and what was recorded before is put right or never will be.
pub fn forget(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute(CLEAR, []).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::testing;

    #[test]
    fn the_newest_guess_is_kept_until_it_is_forgotten() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        assert_eq!(read(&tx), Ok(None));
        for boot in ["a", "b"] {
            let guess = Guess { boot: boot.to_owned(), apart_us: -5, since: UtcMicros(7) };
            keep(&tx, &guess).unwrap();
            assert_eq!(read(&tx), Ok(Some(guess)));
        }
        forget(&tx).unwrap();
        assert_eq!(read(&tx), Ok(None));
        testing::assert_no_scan(&[SELECT, SET, CLEAR]);
    }
}
