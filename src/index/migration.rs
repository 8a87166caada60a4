//! Bringing a database up to this program's schema.

use rusqlite::{Connection, TransactionBehavior};

/// Every migration, oldest first: its file's name and its SQL. The database's `user_version` counts those that ran. One that
/// landed is never edited again.
pub const MIGRATIONS: [(&str, &str); 11] = [
    ("0001_begin.sql", include_str!("migrations/0001_begin.sql")),
    ("0002_removed_events.sql", include_str!("migrations/0002_removed_events.sql")),
    ("0003_causes_of_gaps.sql", include_str!("migrations/0003_causes_of_gaps.sql")),
    ("0004_previews.sql", include_str!("migrations/0004_previews.sql")),
    ("0005_pins.sql", include_str!("migrations/0005_pins.sql")),
    ("0006_accounts.sql", include_str!("migrations/0006_accounts.sql")),
    ("0007_how_it_ended.sql", include_str!("migrations/0007_how_it_ended.sql")),
    ("0008_why_events.sql", include_str!("migrations/0008_why_events.sql")),
    ("0009_guessed_time.sql", include_str!("migrations/0009_guessed_time.sql")),
    ("0010_seen_events.sql", include_str!("migrations/0010_seen_events.sql")),
    ("0011_camera_motion.sql", include_str!("migrations/0011_camera_motion.sql")),
];

/// The `user_version` of a database that all of them ran on.
#[expect(clippy::cast_possible_wrap, reason = "a handful")]
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
        if version(conn)? > at {
            continue;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{APPLICATION_ID, testing};

    /// Every table, index and trigger with its SQL, without comments and spacing.
    fn shape(conn: &Connection) -> Vec<(String, String)> {
        let mut statement = conn.prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
        let bare = |sql: String| {
            let lines: Vec<_> = sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
            lines.join(" ").split_whitespace().collect::<String>()
        };
        rows.map(Result::unwrap).map(|(name, sql)| (name, bare(sql))).collect()
    }

    #[test]
    fn all_migrations_together_make_what_schema_sql_says() {
        let manual = Connection::open_in_memory().unwrap();
        manual.execute_batch(include_str!("schema.sql")).unwrap();
        let grown = testing::database();
        assert_eq!(shape(&grown), shape(&manual));
        let heads = |conn: &Connection| {
            conn.query_row("SELECT one, seq FROM audit_head", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })
        };
        assert_eq!(heads(&grown), heads(&manual));
    }

    #[test]
    fn running_them_again_changes_nothing() {
        let mut conn = testing::database();
        let before = shape(&conn);
        run(&mut conn, APPLICATION_ID).unwrap();
        assert_eq!((version(&conn), shape(&conn)), (Ok(NEWEST), before));
        assert_eq!(conn.pragma_query_value(None, "foreign_keys", |row| row.get::<_, bool>(0)), Ok(true));
    }

    #[test]
    fn they_are_numbered_without_a_hole() {
        for (at, (name, _)) in (1..).zip(MIGRATIONS) {
            assert!(name.starts_with(&format!("{at:04}_")), "{name}");
        }
    }

    #[test]
    fn every_table_is_strict_and_every_column_is_explained() {
        let schema = include_str!("schema.sql");
        let conn = testing::database();
        let mut tables = conn
            .prepare("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'")
            .unwrap();
        let tables: Vec<(String, bool)> =
            tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
        assert!(tables.len() > 10);
        for (table, strict) in tables {
            assert!(strict, "{table} is not strict");
            let start = schema.find(&format!("CREATE TABLE {table} (")).expect("a table of that name");
            let lines: Vec<_> = schema[start..].lines().skip(1).take_while(|line| !line.starts_with(')')).collect();
            let mut columns = conn.prepare("SELECT name FROM pragma_table_info (?1)").unwrap();
            let columns = columns.query_map([&table], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
            for column in columns {
                let is_it = |line: &&str| line.trim_start().trim_start_matches('"').starts_with(&column);
                let at = lines.iter().position(is_it).expect("a line for the column");
                // The comment is on the column's line or, where that is long, on one that continues it.
                let until = lines[at..]
                    .iter()
                    .skip(1)
                    .position(|line| !line.starts_with("    "))
                    .map_or(lines.len(), |n| at + 1 + n);
                assert!(lines[at..until].iter().any(|line| line.contains("-- ")), "{table}.{column} has no comment");
            }
        }
    }
}
