//! Reading: a few connections that cannot write, off the async threads.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use crate::index::{OpenError, migration, open};

/// Connections at most: four cores' worth and a few that wait for the disk.
const CONNECTIONS: usize = 8;

/// How long a question waits for a connection before it is refused: rather no answer than a queue without end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// SQLite says no.
    #[error("could not read the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// All connections were busy for five seconds.
    #[error("the database is busy; try again")]
    Busy,
    /// The question itself broke; its words are in the log.
    #[error("a question to the database broke off")]
    Broken,
}

/// Asks the database. Cheap to clone. Holds connections and nothing they said.
#[derive(Clone)]
pub struct Readers(Arc<Pool>);

struct Pool {
    path: PathBuf,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    /// Idle ones included.
    open: usize,
}

impl Readers {
    /// Readers alone, for a command that changes nothing; refuses a database that is not of this program's schema. Blocking.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
        let first = open::connect_reader(path).map_err(sqlite)?;
        let (found, known) = (open::ours(&first, path)?, migration::NEWEST);
        if found < known {
            return Err(OpenError::Older { path: path.to_owned(), found, known });
        }
        let state = Mutex::new(State { idle: vec![first], open: 1 });
        Ok(Self(Arc::new(Pool { path: path.to_owned(), state, returned: Condvar::new() })))
    }

    /// Asks within one snapshot: everything `f` reads is from the same moment. Runs on a blocking thread; if the caller is
    /// cancelled, `f` still runs to its end.
    pub async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        let readers = self.clone();
        match tokio::task::spawn_blocking(move || readers.read_blocking(f)).await {
            Ok(answer) => answer,
            Err(_) => Err(ReadError::Broken),
        }
    }

    /// The same for a thread that may block. Not to be nested: `f` already has its connection.
    pub fn read_blocking<T>(&self, f: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, ReadError> {
        let lease = self.lease()?;
        // A deferred transaction: the first read fixes the snapshot, the drop lets it go.
        let snapshot = lease.connection().unchecked_transaction()?;
        Ok(f(&snapshot)?)
    }

    fn lease(&self) -> Result<Lease<'_>, ReadError> {
        let pool = &*self.0;
        let state = pool.lock();
        let none_free = |state: &mut State| state.idle.is_empty() && state.open >= CONNECTIONS;
        let (mut state, waited) =
            pool.returned.wait_timeout_while(state, PATIENCE, none_free).unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() && none_free(&mut state) {
            return Err(ReadError::Busy);
        }
        if let Some(conn) = state.idle.pop() {
            return Ok(Lease { pool, conn: Some(conn) });
        }
        state.open += 1;
        drop(state);
        // The lease is there first, so that a failure to connect gives the place back.
        let mut lease = Lease { pool, conn: None };
        lease.conn = Some(open::connect_reader(&pool.path)?);
        Ok(lease)
    }
}

impl Pool {
    /// A panic while it was held leaves the list itself whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection on loan.
struct Lease<'a> {
    pool: &'a Pool,
    conn: Option<Connection>,
}

impl Lease<'_> {
    fn connection(&self) -> &Connection {
        self.conn.as_ref().expect("a lease that was handed out holds its connection until it is dropped")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // A connection that is still within a transaction (a question broke off) is not lent again.
        let whole = self.conn.take().filter(|conn| conn.is_autocommit() && !std::thread::panicking());
        let mut state = self.pool.lock();
        match whole {
            Some(conn) => state.idle.push(conn),
            None => state.open -= 1,
        }
        drop(state);
        self.pool.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::open;

    fn database() -> (tempfile::TempDir, crate::index::WriterThread, Readers) {
        let folder = tempfile::tempdir().unwrap();
        let (thread, _writer, readers) = open(&folder.path().join("hearthwatch.db")).unwrap();
        (folder, thread, readers)
    }

    fn cameras(conn: &Connection) -> rusqlite::Result<i64> {
        conn.query_row("SELECT count(*) FROM cameras", [], |row| row.get(0))
    }

    #[test]
    fn a_reader_cannot_write() {
        let (_folder, _thread, readers) = database();
        for sql in ["INSERT INTO cameras (id) VALUES ('porch')", "PRAGMA user_version = 9", "CREATE TABLE x (y)"] {
            assert!(readers.read_blocking(|conn| conn.execute_batch(sql)).is_err(), "{sql}");
        }
        let loosened = readers.read_blocking(|conn| {
            conn.execute_batch("PRAGMA query_only = off")?;
            conn.execute("INSERT INTO cameras (id) VALUES ('porch')", [])
        });
        assert!(loosened.is_err(), "the file itself is open for reading only");
    }

    #[test]
    fn a_question_sees_one_moment_and_the_next_sees_the_present() {
        let (_folder, mut thread, readers) = database();
        let seen = readers.read_blocking(|conn| {
            let before = cameras(conn)?;
            thread.write_here(|tx| tx.execute("INSERT INTO cameras (id) VALUES ('porch')", [])).unwrap();
            Ok((before, cameras(conn)?))
        });
        assert_eq!(seen.unwrap(), (0, 0));
        assert_eq!(readers.read_blocking(cameras).unwrap(), 1);
    }

    #[test]
    fn a_question_that_breaks_off_costs_no_connection() {
        let (_folder, _thread, readers) = database();
        for _ in 0..CONNECTIONS * 2 {
            let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                readers.read_blocking(|_| -> rusqlite::Result<()> { panic!("a bug in a question (this is a test)") })
            }));
            assert!(broken.is_err());
            assert!(readers.read_blocking(|conn| conn.execute_batch("no SQL")).is_err());
        }
        assert_eq!(readers.read_blocking(cameras).unwrap(), 0);
        assert!(readers.0.lock().open <= 1);
    }

    #[test]
    fn many_may_ask_at_once_and_few_connections_answer() {
        let (_folder, _thread, readers) = database();
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| assert_eq!(readers.read_blocking(cameras).unwrap(), 0));
            }
        });
        let state = readers.0.lock();
        assert!(state.open <= CONNECTIONS && state.idle.len() == state.open);
    }

    #[tokio::test]
    async fn a_panic_in_a_question_is_an_error_to_its_caller() {
        let (_folder, _thread, readers) = database();
        let broken = readers.read(|_| -> rusqlite::Result<()> { panic!("a bug in a question (this is a test)") }).await;
        assert!(matches!(broken, Err(ReadError::Broken)));
    }
}
