use std::path::Path;

use super::*;
use crate::index::open;

/// A writer whose thread runs, on a new database.
fn running() -> (tempfile::TempDir, Writer, std::thread::JoinHandle<()>, crate::index::Readers) {
    let folder = tempfile::tempdir().unwrap();
    let (thread, writer, readers) = open(&folder.path().join("hearthwatch.db")).unwrap();
    let handle = std::thread::Builder::new().spawn(|| thread.run()).unwrap();
    (folder, writer, handle, readers)
}

fn camera(n: usize) -> impl FnOnce(&Transaction<'_>) -> rusqlite::Result<usize> + Send + 'static {
    move |tx| tx.execute("INSERT INTO cameras (id) VALUES (?1)", [format!("camera-{n}")])
}

fn cameras(path: &Path) -> i64 {
    let conn = Connection::open(path.join("hearthwatch.db")).unwrap();
    conn.query_row("SELECT count(*) FROM cameras", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_change_is_on_the_disk_when_its_caller_hears_of_it() {
    let (folder, writer, handle, readers) = running();
    assert_eq!(writer.write_blocking(camera(1)).unwrap(), 1);
    assert_eq!(cameras(folder.path()), 1);
    let count =
        readers.read_blocking(|conn| conn.query_row("SELECT count(*) FROM cameras", [], |row| row.get::<_, i64>(0)));
    assert_eq!(count.unwrap(), 1_i64);
    drop(writer);
    handle.join().unwrap();
}

#[test]
fn what_waits_goes_into_one_transaction_and_each_failure_undoes_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (mut thread, _writer, _readers) = open(&folder.path().join("hearthwatch.db")).unwrap();
    let (mut jobs, mut answers) = (VecDeque::new(), Vec::new());
    for n in 0..10 {
        let (job, answer) = job(move |tx: &Transaction<'_>| {
            camera(n)(tx)?;
            match n {
                3 => tx.execute("INSERT INTO cameras (id) VALUES ('../etc')", []),
                5 => panic!("a bug in a change (this is a test)"),
                7 => tx.execute("INSERT INTO nowhere VALUES (1)", []),
                _ => Ok(n),
            }
        });
        jobs.push_back(job);
        answers.push(answer);
    }
    let commits = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counter = commits.clone();
    thread
        .conn
        .commit_hook(Some(move || {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            false
        }))
        .unwrap();
    thread.save(&mut jobs);
    for (n, answer) in answers.into_iter().enumerate() {
        match (n, answer.blocking_recv().unwrap()) {
            (3, Err(error)) => assert!(error.is_conflict(), "{error}"),
            (5, Err(WriteError::Broken)) | (7, Err(WriteError::Refused(_))) => {}
            (_, Ok(value)) => assert_eq!(value, n),
            (_, answer) => panic!("{n}: {answer:?}"),
        }
    }
    assert_eq!(cameras(folder.path()), 7);
    assert_eq!(commits.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn a_commit_that_fails_is_told_to_everyone_in_it_and_the_thread_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let (mut thread, writer, _readers) = open(&folder.path().join("hearthwatch.db")).unwrap();
    thread.conn.commit_hook(Some(|| true)).unwrap();
    let (first, answer) = job(camera(1));
    thread.save(&mut VecDeque::from([first]));
    assert!(matches!(answer.blocking_recv().unwrap(), Err(WriteError::NotSaved(_))));
    thread.conn.commit_hook(None::<fn() -> bool>).unwrap();
    let (second, answer) = job(camera(2));
    thread.save(&mut VecDeque::from([second]));
    assert_eq!(answer.blocking_recv().unwrap().unwrap(), 1);
    drop(writer);
    assert_eq!(cameras(folder.path()), 1);
}

#[test]
fn a_full_disk_is_told_to_everyone_it_hit_and_the_thread_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let (mut thread, _writer, _readers) = open(&folder.path().join("hearthwatch.db")).unwrap();
    let pages: i64 = thread.conn.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let limit = |conn: &Connection, pages: i64| {
        conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get::<_, i64>(0)).unwrap();
    };
    limit(&thread.conn, pages + 2);
    let big = |tx: &Transaction<'_>| {
        tx.execute(
            "INSERT INTO users (name, role, password_hash) VALUES ('a', 'guest', '$argon2id$' || hex (randomblob (50000)))",
            [],
        )
    };
    let (jobs, answers): (VecDeque<_>, Vec<_>) = [job(camera(1)), job(big), job(camera(2))].into_iter().unzip();
    let mut jobs = jobs;
    thread.save(&mut jobs);
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.blocking_recv().unwrap()).collect();
    assert!(matches!(answers[1], Err(WriteError::NotSaved(_))), "{answers:?}");
    // Whoever was told yes is in the database, and nobody else.
    let yes = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(cameras(folder.path()), i64::try_from(yes).unwrap());
    limit(&thread.conn, 1 << 30);
    assert_eq!(thread.write_here(camera(3)).unwrap(), 1);
}

#[test]
fn a_change_that_ends_the_transaction_itself_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let (mut thread, _writer, _readers) = open(&folder.path().join("hearthwatch.db")).unwrap();
    let (before, first) = job(camera(1));
    let (rogue, second) = job(|tx: &Transaction<'_>| tx.execute_batch("ROLLBACK"));
    let (after, third) = job(camera(2));
    thread.save(&mut VecDeque::from([before, rogue, after]));
    assert!(matches!(first.blocking_recv().unwrap(), Err(WriteError::NotSaved(_))));
    assert!(matches!(second.blocking_recv().unwrap(), Err(WriteError::NotSaved(_))));
    assert_eq!(third.blocking_recv().unwrap().unwrap(), 1);
    assert_eq!(cameras(folder.path()), 1);
}

#[test]
fn the_thread_ends_with_its_last_writer_and_leaves_no_log_behind() {
    let (folder, writer, handle, readers) = running();
    let second = writer.clone();
    drop(writer);
    assert_eq!(second.write_blocking(camera(1)).unwrap(), 1);
    drop((second, readers));
    handle.join().unwrap();
    let log = folder.path().join("hearthwatch.db-wal");
    assert!(!log.exists() || log.metadata().unwrap().len() == 0);
    assert_eq!(cameras(folder.path()), 1);
}

#[test]
fn a_change_after_the_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (thread, writer, _readers) = open(&folder.path().join("hearthwatch.db")).unwrap();
    drop(thread);
    assert!(matches!(writer.write_blocking(camera(1)), Err(WriteError::Ended)));
}

#[tokio::test]
async fn an_async_caller_hears_too() {
    let (_folder, writer, _handle, readers) = running();
    assert_eq!(writer.write(camera(1)).await.unwrap(), 1);
    let count =
        readers.read(|conn| conn.query_row("SELECT count(*) FROM cameras", [], |row| row.get::<_, i64>(0))).await;
    assert_eq!(count.unwrap(), 1_i64);
}
