//! Writing: one thread, one connection, one transaction for everything that waits.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::index::open;

/// Changes that may wait; whoever brings one more waits with it.
const QUEUE: usize = 1024;

/// Changes in one transaction at most, so that the first of them hears soon.
const BATCH: usize = 256;

/// Why a change was not made. In every case nothing of it is in the database.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The change itself: a constraint, a value that fits no column.
    #[error("the database refused a change: {0}")]
    Refused(#[source] rusqlite::Error),
    /// The change was fine, but it did not reach the disk: full, locked, broken. It may be tried again.
    #[error("a change did not reach the disk: {0}")]
    NotSaved(#[source] Arc<rusqlite::Error>),
    /// The change's code panicked; its words are in the log.
    #[error("a change to the database broke off")]
    Broken,
    /// The writer has ended: the program is stopping.
    #[error("the database takes no more changes")]
    Ended,
}

impl WriteError {
    /// Whether a row stands in the way (a name that is taken, an id that exists).
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation))
    }

    /// Whether there was no room on the disk.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::NotSaved(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull))
    }
}

/// What a job tells its caller once it is known whether the transaction is on the disk.
type Answer = Box<dyn FnOnce(Result<(), Arc<rusqlite::Error>>) + Send>;

/// A change that waits: given a transaction it is made, given an error it is refused for that error.
type Job = Box<dyn FnOnce(Result<&Transaction<'_>, Arc<rusqlite::Error>>) -> Ran + Send>;

/// How a job went by itself.
enum Ran {
    /// Its part of the transaction stays.
    Stays(Answer),
    /// Its part is to be undone; the answer says why, whatever becomes of the transaction.
    Undo(Answer),
}

/// Hands changes to the writing thread. Cheap to clone; the thread ends when the last one is dropped.
#[derive(Clone)]
pub struct Writer(mpsc::Sender<Job>);

impl Writer {
    /// Makes a change and returns once it is on the disk. `f` may run in one transaction with other changes, so it must not
    /// commit or roll back; if it fails or panics, only its own part is undone. It should be short: everybody waits for it.
    ///
    /// If the caller is cancelled, the change may still be made.
    pub async fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, WriteError> {
        let (job, answer) = job(f);
        self.0.send(job).await.map_err(|_| WriteError::Ended)?;
        answer.await.unwrap_or(Err(WriteError::Ended))
    }

    /// The same for a thread that may block; panics within an async task.
    pub fn write_blocking<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, WriteError> {
        let (job, answer) = job(f);
        self.0.blocking_send(job).map_err(|_| WriteError::Ended)?;
        answer.blocking_recv().unwrap_or(Err(WriteError::Ended))
    }
}

fn job<T: Send + 'static>(
    f: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
) -> (Job, oneshot::Receiver<Result<T, WriteError>>) {
    let (reply, answer) = oneshot::channel();
    // A caller that no longer listens is none of the writer's business, so what `send` returns is dropped.
    let job = move |tx: Result<&Transaction<'_>, Arc<rusqlite::Error>>| {
        let made = tx.map(|tx| catch_unwind(AssertUnwindSafe(|| f(tx))));
        let failure = match made {
            Ok(Ok(Ok(value))) => {
                return Ran::Stays(Box::new(move |saved: Result<(), Arc<rusqlite::Error>>| {
                    drop(reply.send(saved.map(|()| value).map_err(WriteError::NotSaved)));
                }));
            }
            Ok(Ok(Err(error))) if is_of_the_disk(&error) => WriteError::NotSaved(Arc::new(error)),
            Ok(Ok(Err(error))) => WriteError::Refused(error),
            Ok(Err(_panic)) => WriteError::Broken,
            Err(error) => WriteError::NotSaved(error),
        };
        Ran::Undo(Box::new(move |_| drop(reply.send(Err(failure)))))
    };
    (Box::new(job), answer)
}

/// Whether the failure says something of the disk or of other processes rather than of the change.
fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    use ErrorCode as E;
    matches!(
        error.sqlite_error_code(),
        Some(
            E::DiskFull
                | E::SystemIoFailure
                | E::DatabaseBusy
                | E::DatabaseLocked
                | E::DatabaseCorrupt
                | E::OutOfMemory
                | E::ReadOnly
                | E::CannotOpen
        )
    )
}

/// The writing thread's work, before it runs.
pub struct WriterThread {
    conn: Connection,
    path: PathBuf,
    jobs: mpsc::Receiver<Job>,
}

pub(super) fn pair(conn: Connection, path: PathBuf) -> (WriterThread, Writer) {
    let (sender, jobs) = mpsc::channel(QUEUE);
    (WriterThread { conn, path, jobs }, Writer(sender))
}

impl WriterThread {
    /// Makes changes until every [`Writer`] is dropped, then folds the write-ahead log into the database. Blocking, for a
    /// thread of its own. A full disk or a locked file is told to those whose changes it hit; the thread lives on.
    pub fn run(mut self) {
        let mut batch = VecDeque::new();
        while let Some(first) = self.jobs.blocking_recv() {
            batch.push_back(first);
            while batch.len() < BATCH {
                let Ok(next) = self.jobs.try_recv() else { break };
                batch.push_back(next);
            }
            self.save(&mut batch);
        }
        // Optimising first: what it writes is folded in too.
        if let Err(error) = self.conn.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint (TRUNCATE)") {
            tracing::warn!(%error, "could not fold the write-ahead log into the database; the next start will");
        }
    }

    /// Makes one change at once, for a command that has no thread running.
    pub fn write_here<T>(&mut self, f: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, WriteError> {
        let failed = |error: rusqlite::Error| {
            if is_of_the_disk(&error) { WriteError::NotSaved(Arc::new(error)) } else { WriteError::Refused(error) }
        };
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let value = f(&tx).map_err(failed)?;
        tx.commit().map_err(failed)?;
        Ok(value)
    }

    /// Empties the batch: as a rule in one transaction; in one more each time the disk took a whole one back.
    fn save(&mut self, batch: &mut VecDeque<Job>) {
        while !batch.is_empty() {
            let mut answers = Vec::with_capacity(batch.len());
            let saved = save_together(&mut self.conn, batch, &mut answers).map_err(Arc::new);
            let none_tried = answers.is_empty();
            if let Err(error) = &saved {
                tracing::error!(%error, changes = answers.len(), "changes to the database did not reach the disk");
            }
            for answer in answers {
                answer(saved.clone());
            }
            if let Err(error) = saved {
                if none_tried {
                    // Not even a transaction could begin: nobody is kept waiting for the next attempt to time out.
                    for job in batch.drain(..) {
                        let (Ran::Stays(answer) | Ran::Undo(answer)) = job(Err(error.clone()));
                        answer(Err(error.clone()));
                    }
                }
                self.reopen_after(&error);
            }
        }
    }

    /// After an I/O error the pages in memory may not be those on disk, and a sync that failed once must not be believed when
    /// it succeeds the second time: what is known about the file is forgotten and read anew.
    fn reopen_after(&mut self, error: &rusqlite::Error) {
        // Whatever it was (a log that could not be made, memory that could not be mapped), a connection may stay as it is then
        // for ever; only a file that others hold is known to be well.
        if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) {
            return;
        }
        match open::connect_writer(&self.path) {
            Ok(conn) => self.conn = conn,
            Err(error) => tracing::error!(%error, "could not open the database again after an error of the disk"),
        }
    }
}

/// Takes jobs from the batch, each within a savepoint, and commits. Every job it took has left an answer.
fn save_together(conn: &mut Connection, batch: &mut VecDeque<Job>, answers: &mut Vec<Answer>) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    while !batch.is_empty() {
        tx.execute_batch("SAVEPOINT change")?;
        let Some(job) = batch.pop_front() else { break };
        let end = match job(Ok(&tx)) {
            Ran::Stays(answer) => {
                answers.push(answer);
                "RELEASE change"
            }
            Ran::Undo(answer) => {
                answers.push(answer);
                "ROLLBACK TO change; RELEASE change"
            }
        };
        // A full disk makes SQLite take the whole transaction back, and then those before this job are undone as well.
        if tx.is_autocommit() {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK);
            let why = "the whole transaction was taken back".to_owned();
            return Err(rusqlite::Error::SqliteFailure(code, Some(why)));
        }
        tx.execute_batch(end)?;
    }
    tx.commit()
}

#[cfg(test)]
mod tests;
