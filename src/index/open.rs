//! Opening the database file, and what every connection is told.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::index::{Readers, Writer, WriterThread, migration, writer};

/// In the file's header, so that `file` and this program know it: `HrWa`.
pub const APPLICATION_ID: i32 = 0x4872_5761;

/// How long a connection waits for another process (a `hearthwatch user add`) to finish its transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer program wrote it.
    #[error(
        "{path} was written by a newer Hearthwatch (schema {found}, this one knows {known}); install that version again, or \
         go back to the copy {path}.before-{found} if there is one",
        path = path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// An older program wrote it, and this command may not change it.
    #[error("{path} has schema {found} and this program needs {known}; start the daemon once to bring it up", path = path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The schema needed.
        known: i64,
    },
    /// Somebody else's.
    #[error("{path} is not a database of Hearthwatch; move it away", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be made.
    #[error("could not make {path}: {source}", path = path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The copy before a migration could not be made.
    #[error("could not copy the database to {path} before changing its schema, so it was left as it is: {source}", path = path.display())]
    Copy {
        /// The copy.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// SQLite says no.
    #[error("could not open the database {path}: {source}", path = path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// Opens the database for the daemon or for a command that changes it: makes it if there is none, brings an older one up to
/// this program's schema (leaving a copy beside it, `<path>.before-<schema>`), refuses a newer one. Blocking.
///
/// Nothing is written before the returned thread runs.
pub fn open(path: &Path) -> Result<(WriterThread, Writer, Readers), OpenError> {
    let conn = writable(path)?;
    let readers = Readers::open(path)?;
    let (thread, writer) = writer::pair(conn, path.to_owned());
    Ok((thread, writer, readers))
}

fn writable(path: &Path) -> Result<Connection, OpenError> {
    create_private(path)?;
    let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let mut conn = connect_writer(path).map_err(sqlite)?;
    let found = ours(&conn, path)?;
    if (1..migration::NEWEST).contains(&found) {
        copy(&conn, path, found)?;
    }
    migration::run(&mut conn, APPLICATION_ID).map_err(sqlite)?;
    Ok(conn)
}

/// The writing connection, without a look at what is in the file.
pub(super) fn connect_writer(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    // FULL: each commit is on the disk before its caller hears of it. A right that was taken away, a password that was
    // changed or a look that was noted must not come back to life with the power. Rows of footage alone could be found again
    // after NORMAL, but they share the transactions, and a few commits a second cost a disk little.
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "journal_size_limit", 16 << 20)?;
    Ok(conn)
}

/// A connection that cannot write.
pub(super) fn connect_reader(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

/// The schema's number, if this program may use the file.
pub(super) fn ours(conn: &Connection, path: &Path) -> Result<i64, OpenError> {
    let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let marked: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(sqlite)?;
    let found = migration::version(conn).map_err(sqlite)?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(sqlite)?;
    let empty = marked == 0 && found == 0 && tables == 0;
    if !empty && (marked != APPLICATION_ID || found < 1) {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    if found > migration::NEWEST {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: migration::NEWEST });
    }
    Ok(found)
}

/// An empty file that only its owner reads, if there is none: it will hold password hashes. SQLite gives the files beside it
/// the same mode.
fn create_private(path: &Path) -> Result<(), OpenError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            Err(OpenError::Create { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// A complete, synced copy beside the database, in place only once it is complete.
fn copy(conn: &Connection, path: &Path, found: i64) -> Result<(), OpenError> {
    let beside = |suffix: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let (copy, unfinished) = (beside(format!(".before-{found}")), beside(format!(".before-{found}.unfinished")));
    let failed = |source| OpenError::Copy { path: copy.clone(), source };
    copy_to(conn, &unfinished).map_err(failed)?;
    fs::rename(&unfinished, &copy).map_err(|error| failed(error.into()))?;
    sync_folder(path).map_err(|error| failed(error.into()))
}

fn copy_to(conn: &Connection, to: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // VACUUM INTO takes an empty file as it takes none, and an empty file can be made private first.
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    let name = to.to_str().ok_or("the path is not UTF-8")?;
    conn.execute("VACUUM INTO ?1", [name])?;
    Ok(file.sync_all()?)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    OpenOptions::new().read(true).open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn set(path: &Path, pragma: &str) {
        Connection::open(path).unwrap().execute_batch(pragma).unwrap();
    }

    #[test]
    fn what_holds_password_hashes_is_read_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hearthwatch.db");
        let (mut thread, _writer, _readers) = open(&path).unwrap();
        thread.write_here(|tx| tx.execute("INSERT INTO cameras (id) VALUES ('porch')", [])).unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
        }
    }

    #[test]
    fn a_second_start_finds_what_the_first_one_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hearthwatch.db");
        let (mut thread, ..) = open(&path).unwrap();
        thread.write_here(|tx| tx.execute("INSERT INTO cameras (id) VALUES ('porch')", [])).unwrap();
        // Another process while this one has it open, as `hearthwatch user add` is.
        let (mut other, _writer, readers) = open(&path).unwrap();
        other.write_here(|tx| tx.execute("INSERT INTO cameras (id) VALUES ('nursery')", [])).unwrap();
        let count = readers
            .read_blocking(|conn| conn.query_row("SELECT count(*) FROM cameras", [], |row| row.get::<_, i64>(0)));
        assert_eq!(count.unwrap(), 2_i64);
    }

    #[test]
    fn every_commit_is_synced_and_nothing_dangles() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hearthwatch.db");
        open(&path).unwrap();
        let conn = connect_writer(&path).unwrap();
        let pragma = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!((pragma("synchronous"), pragma("foreign_keys"), pragma("trusted_schema")), (2, 1, 0));
        assert_eq!(conn.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0)).unwrap(), "wal");
    }

    #[test]
    fn a_newer_database_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hearthwatch.db");
        open(&path).unwrap();
        set(&path, "PRAGMA user_version = 99");
        let error = open(&path).err().expect("it is refused");
        assert!(matches!(error, OpenError::Newer { found: 99, .. }));
        assert!(error.to_string().contains("newer Hearthwatch"), "{error}");
        assert!(matches!(Readers::open(&path).err(), Some(OpenError::Newer { .. })));
    }

    #[test]
    fn somebody_elses_database_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photos.db");
        set(&path, "CREATE TABLE photos (name)");
        assert!(matches!(open(&path).err(), Some(OpenError::Foreign { .. })));
        fs::write(&path, "these are no pages of a database, but something else altogether").unwrap();
        assert!(matches!(open(&path).err(), Some(OpenError::Sqlite { .. })));
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = open(&folder.path().join("nowhere/hearthwatch.db")).err().expect("it fails");
        assert!(matches!(&error, OpenError::Create { .. }) && error.to_string().contains("nowhere"), "{error}");
    }

    #[test]
    fn a_command_that_only_reads_makes_no_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hearthwatch.db");
        assert!(matches!(Readers::open(&path).err(), Some(OpenError::Sqlite { .. })));
        assert!(!path.exists());
        fs::write(&path, "").unwrap();
        assert!(matches!(Readers::open(&path).err(), Some(OpenError::Older { found: 0, .. })));
    }

    #[test]
    fn a_filled_database_of_every_older_schema_is_brought_up_and_a_copy_is_left() {
        for old in 1..migration::NEWEST {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("hearthwatch.db");
            let conn = Connection::open(&path).unwrap();
            for (_, sql) in &migration::MIGRATIONS[..usize::try_from(old).unwrap()] {
                conn.execute_batch(sql).unwrap();
            }
            conn.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
            conn.pragma_update(None, "user_version", old).unwrap();
            conn.execute_batch(
                "INSERT INTO cameras (id) VALUES ('porch');
                 INSERT INTO users (name, role, password_hash) VALUES ('anna', 'owner', '$argon2id$');
                 INSERT INTO rights (user, camera, live, history, export, [delete]) VALUES (1, 'porch', 1, 1, 1, 1);
                 INSERT INTO events (id, camera, start_us, peak, zones, has_thumbnail)
                     VALUES (x'0102030405060708', 'porch', 5, 0.5, '[]', 0);",
            )
            .unwrap();
            drop(conn);
            assert!(matches!(Readers::open(&path).err(), Some(OpenError::Older { .. })), "a reader changes nothing");
            let (_thread, _writer, readers) = open(&path).unwrap();
            let rows = |conn: &Connection| {
                conn.query_row("SELECT count(*) FROM rights, events, users, cameras", [], |row| row.get::<_, i64>(0))
            };
            assert_eq!(readers.read_blocking(rows).unwrap(), 1);
            assert_eq!(readers.read_blocking(migration::version).unwrap(), migration::NEWEST);
            let copy = Connection::open(folder.path().join(format!("hearthwatch.db.before-{old}"))).unwrap();
            assert_eq!((rows(&copy), migration::version(&copy)), (Ok(1), Ok(old)));
        }
    }

    #[test]
    fn the_copy_before_a_migration_is_complete_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hearthwatch.db");
        let (mut thread, ..) = open(&path).unwrap();
        let conn = connect_writer(&path).unwrap();
        for camera in ["porch", "nursery"] {
            thread.write_here(|tx| tx.execute("INSERT INTO cameras (id) VALUES (?1)", [camera])).unwrap();
            // The second time it replaces the first copy, as a start after a failed migration does.
            copy(&conn, &path, 1).unwrap();
        }
        let beside = folder.path().join("hearthwatch.db.before-1");
        assert_eq!(fs::metadata(&beside).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!folder.path().join("hearthwatch.db.before-1.unfinished").exists());
        let readers = Readers::open(&beside).unwrap();
        let count = readers
            .read_blocking(|conn| conn.query_row("SELECT count(*) FROM cameras", [], |row| row.get::<_, i64>(0)));
        assert_eq!(count.unwrap(), 2_i64);
    }
}
