//! Bringing a database up to this program's schema.

use rusqlite::{Connection, TransactionBehavior};

/// Every migration, oldest first: its file's name and its SQL. The database's `user_version` counts those that ran. One that
/// landed is never edited again.
pub const MIGRATIONS: [(&str, &str); 1] = [("0001_begin.sql", include_str!("migrations/0001_begin.sql"))];

/// The `user_version` of a database that all of them ran on.
pub const NEWEST: i64 = MIGRATIONS.len() as i64;

/// How many migrations ran on this database: its `user_version`.
pub fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Runs what has not run yet, each migration in a transaction of its own, marking the database as this program's. Another
/// process may be at it too: the version is read again within each transaction.
pub(crate) fn run(conn: &mut Connection, application_id: i32) -> rusqlite::Result<()> {
    // A migration may have to rebuild a table that others refer to; whether all still fits is checked before it commits.
    conn.pragma_update(None, "foreign_keys", false)?;
    for (at, (_name, sql)) in (0_i64..).zip(MIGRATIONS) {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if version(&tx)? != at {
            continue;
        }
        tx.execute_batch(sql)?;
        let dangling = tx.prepare("PRAGMA foreign_key_check")?.exists([])?;
        if dangling {
            return Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY),
                Some(format!("migration {} would leave rows that refer to nothing", at + 1)),
            ));
        }
        tx.pragma_update(None, "application_id", application_id)?;
        tx.pragma_update(None, "user_version", at + 1)?;
        tx.commit()?;
    }
    conn.pragma_update(None, "foreign_keys", true)
}
