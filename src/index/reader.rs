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
        let conn = lease.conn.as_ref().expect("a lease holds its connection until it is dropped");
        // A deferred transaction: the first read fixes the snapshot, the drop lets it go.
        let snapshot = conn.unchecked_transaction()?;
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
