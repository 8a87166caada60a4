//! Hot reload: tells when the file, or a password file it names, says something else.
//!
//! Folders are watched, not files: editors replace files, and mounted volumes swap symbolic links. Where the kernel does not
//! tell (network file systems, too many watches), looking each second does. Owns no settings and judges no difference.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::load::{LoadError, folder_of, read_noting_secrets};
use crate::config::settings::Settings;

/// How often the files are looked at, told or not.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The least time between two looks.
const BREATH: Duration = Duration::from_millis(50);
/// So often in a row others may write in the folder before the kernel is not asked for a while …
const MOST_FOREIGN: u32 = 8;
/// … of this length: each write would wake a thread, and a program that writes without pause would keep it running.
const REST: Duration = Duration::from_millis(500);
/// How long nothing may change before the file is read: an editor may write in several steps.
const QUIET: Duration = Duration::from_millis(200);
/// A file that never comes to rest is read after so many waits. Together with [`LOOK_EVERY`] below two seconds.
const MOST_WAITS: u32 = 4;

/// Watches the configuration at `path` until `stop`.
///
/// Calls `on_change` once at the start, so that nothing is lost between an earlier reading and this one, and then whenever
/// there is something else to say, at most two seconds after the change: new settings, or why there are none; after an error
/// the caller keeps what it has. A file that was touched but says the same is not reported.
///
/// May be dropped at any await.
pub async fn watch(path: &Path, stop: CancellationToken, on_change: impl FnMut(Result<Settings, LoadError>) + Send) {
    stop.run_until_cancelled(watch_for_ever(path, on_change)).await;
}

async fn watch_for_ever(path: &Path, mut on_change: impl FnMut(Result<Settings, LoadError>) + Send) {
    let told = Arc::new(Notify::new());
    let mut folders = Folders::new(&told);
    let mut files = BTreeSet::from([path.to_owned()]);
    let mut taken = None;
    let (mut last, mut foreign) = (None, 0);
    loop {
        let seen = look(&files).await;
        foreign += 1;
        if taken.as_ref() != Some(&seen) {
            // Nothing was read before the first look, so there is nothing half written to wait for.
            let seen = if taken.is_some() { at_rest(&files, seen).await } else { seen };
            foreign = 0;
            let (result, secrets) = read(path).await;
            // A file that is no TOML names no password files; those of before still count then.
            if !secrets.is_empty() || result.is_ok() {
                files = BTreeSet::from([path.to_owned()]);
                files.extend(secrets);
                folders.follow(&files);
            }
            // What was seen before the reading: a change during it, or a file that is new to us, leads to another reading.
            taken = Some(seen);
            let said = result.as_ref().map(Clone::clone).map_err(ToString::to_string);
            if last.as_ref() != Some(&said) {
                last = Some(said);
                on_change(result);
            }
        }
        // A look each second, or soon when told; other files in the folder may change all the time.
        if tokio::time::timeout(LOOK_EVERY, told.notified()).await.is_err() {
            foreign = 0;
        } else if foreign < MOST_FOREIGN {
            tokio::time::sleep(BREATH).await;
        } else {
            folders.follow(&BTreeSet::new());
            tokio::time::sleep(REST).await;
            // Before the look, so that nothing is missed between the two.
            folders.follow(&files);
        }
    }
}

/// What is known of each file without opening it.
type Seen = Vec<(PathBuf, Option<State>)>;

/// Tells one content of a file from another, whether it was written anew or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    device: u64,
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<Metadata> for State {
    fn from(of: Metadata) -> Self {
        Self {
            device: of.dev(),
            inode: of.ino(),
            len: of.len(),
            modified: (of.mtime(), of.mtime_nsec()),
            changed: (of.ctime(), of.ctime_nsec()),
        }
    }
}

async fn look(files: &BTreeSet<PathBuf>) -> Seen {
    let files = files.clone();
    let look = move || {
        let state = |file: PathBuf| {
            let state = std::fs::metadata(&file).ok().map(State::from);
            (file, state)
        };
        files.into_iter().map(state).collect()
    };
    blocking(look).await
}

async fn at_rest(files: &BTreeSet<PathBuf>, mut seen: Seen) -> Seen {
    for _ in 0..MOST_WAITS {
        tokio::time::sleep(QUIET).await;
        let now = look(files).await;
        if now == seen {
            break;
        }
        seen = now;
    }
    seen
}

async fn read(path: &Path) -> (Result<Settings, LoadError>, BTreeSet<PathBuf>) {
    let path = path.to_owned();
    blocking(move || {
        let asked = RefCell::default();
        let result = read_noting_secrets(&path, &asked).map(|checked| checked.settings);
        (result, asked.into_inner())
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down; whoever waits here is dropped with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// The folders that the kernel is asked to tell about.
struct Folders {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

impl Folders {
    fn new(told: &Arc<Notify>) -> Self {
        let told = Arc::clone(told);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_a_change(event.kind)) {
                told.notify_one();
            }
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(%error, "the kernel tells no changes of the configuration; it is looked at each second"))
            .ok();
        Self { watcher, watched: BTreeSet::new() }
    }

    /// Watches the folders of these files, and those where their symbolic links lead; no others any more.
    fn follow(&mut self, files: &BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        let targets = files.iter().filter_map(|file| file.canonicalize().ok());
        let wanted: BTreeSet<_> =
            files.iter().cloned().chain(targets).map(|file| folder_of(&file).to_owned()).collect();
        for folder in self.watched.difference(&wanted) {
            // It may be gone, and its watch with it.
            let _ = watcher.unwatch(folder);
        }
        for folder in wanted.difference(&self.watched) {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::debug!(folder = %folder.display(), %error, "this folder is only looked at each second");
            }
        }
        self.watched = wanted;
    }
}

/// Reading is told as well, and our own reading must not wake us.
fn is_a_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
    use tokio::time::Instant;

    type Told = Result<Settings, String>;

    fn days(days: u32) -> String {
        format!("[retention]\ncontinuous_days = {days}\n")
    }

    async fn next(told: &mut UnboundedReceiver<Told>) -> Told {
        tokio::time::timeout(Duration::from_secs(30), told.recv()).await.expect("told in time").expect("still watching")
    }

    async fn next_days(told: &mut UnboundedReceiver<Told>) -> u64 {
        next(told).await.expect("settings").retention.continuous.as_secs() / 86_400
    }

    /// Runs `story` while `path` is being watched.
    async fn while_watching(path: &Path, story: impl AsyncFnOnce(UnboundedReceiver<Told>)) {
        let (sink, told) = unbounded_channel();
        let stop = CancellationToken::new();
        let watching = watch(path, stop.clone(), |result| {
            sink.send(result.map_err(|error| error.to_string())).expect("a listening test");
        });
        let story = async {
            story(told).await;
            stop.cancel();
        };
        tokio::join!(watching, story);
    }

    #[tokio::test]
    async fn a_replaced_or_rewritten_file_is_taken_up_and_a_bad_one_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        fs::write(&path, days(1)).expect("a file");
        while_watching(&path, async |mut told| {
            assert_eq!(next_days(&mut told).await, 1);
            let new = folder.path().join("config.toml.new");
            fs::write(&new, days(2)).expect("a file");
            fs::rename(&new, &path).expect("a rename");
            assert_eq!(next_days(&mut told).await, 2);
            fs::write(&path, days(3)).expect("a file");
            assert_eq!(next_days(&mut told).await, 3);
            fs::write(&path, "[retention").expect("a file");
            assert!(next(&mut told).await.expect_err("a bad file").contains("config.toml:1:11: this is not TOML"));
            fs::remove_file(&path).expect("a removal");
            assert!(next(&mut told).await.expect_err("no file").starts_with("there is no configuration at"));
            fs::write(&path, days(3)).expect("a file");
            assert_eq!(next_days(&mut told).await, 3);
        })
        .await;
    }

    #[tokio::test]
    async fn a_swapped_link_is_taken_up() {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 1..=2 {
            fs::create_dir(folder.path().join(format!("v{number}"))).expect("a folder");
            fs::write(folder.path().join(format!("v{number}/config.toml")), days(number)).expect("a file");
        }
        symlink("v1", folder.path().join("data")).expect("a link");
        let path = folder.path().join("config.toml");
        symlink("data/config.toml", &path).expect("a link");
        while_watching(&path, async |mut told| {
            assert_eq!(next_days(&mut told).await, 1);
            symlink("v2", folder.path().join("data.new")).expect("a link");
            fs::rename(folder.path().join("data.new"), folder.path().join("data")).expect("a rename");
            assert_eq!(next_days(&mut told).await, 2);
        })
        .await;
    }

    #[tokio::test]
    async fn a_password_file_is_watched_too_even_before_it_exists() {
        let folder = tempfile::tempdir().expect("a folder");
        let secrets = folder.path().join("secrets");
        fs::create_dir(&secrets).expect("a folder");
        let path = folder.path().join("config.toml");
        let camera = "[cameras.a]\nurl = \"rtsp://10.0.0.2/\"\nusername = \"u\"\npassword_file = \"secrets/a\"\n";
        fs::write(&path, camera).expect("a file");
        let password = |settings: Settings| {
            let camera = settings.cameras.into_values().next().expect("a camera");
            camera.credentials.expect("credentials").password.expose().to_owned()
        };
        while_watching(&path, async |mut told| {
            assert!(next(&mut told).await.expect_err("no password").contains("the file secrets/a cannot be read"));
            fs::write(secrets.join("a"), "one\n").expect("a file");
            assert_eq!(password(next(&mut told).await.expect("settings")), "one");
            fs::write(secrets.join("a"), "two\n").expect("a file");
            assert_eq!(password(next(&mut told).await.expect("settings")), "two");
        })
        .await;
    }

    /// Processor time of the threads that the watcher runs.
    #[expect(clippy::disallowed_methods, reason = "a test looks at its own process")]
    fn watching_took() -> Duration {
        let threads = fs::read_dir("/proc/self/task").expect("threads").flatten().map(|entry| entry.path());
        let times = threads.filter_map(|thread| {
            let stat = fs::read_to_string(thread.join("stat")).ok().filter(|stat| stat.contains("(notify"))?;
            let fields: Vec<u32> =
                stat.rsplit_once(')')?.1.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(0)).collect();
            Some(fields.get(10)? + fields.get(11)?)
        });
        Duration::from_millis(10) * times.sum::<u32>()
    }

    #[tokio::test]
    async fn somebody_who_writes_beside_the_file_without_pause_wakes_nobody_without_pause() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        fs::write(&path, days(1)).expect("a file");
        while_watching(&path, async |mut told| {
            assert_eq!(next_days(&mut told).await, 1);
            let (beside, stop) = (folder.path().join("log"), CancellationToken::new());
            let (ended, writing) = (stop.clone(), beside.clone());
            let flood = tokio::task::spawn_blocking(move || {
                let mut writes = 0_u64;
                while !ended.is_cancelled() {
                    fs::write(&writing, "x").expect("a file");
                    writes += 1;
                }
                writes
            });
            tokio::time::sleep(Duration::from_secs(1)).await; // until it was noticed that only others write
            let (from, before) = (Instant::now(), watching_took());
            tokio::time::sleep(Duration::from_secs(3)).await;
            let (took, passed) = (watching_took().saturating_sub(before), from.elapsed());
            fs::write(&path, days(2)).expect("a file");
            assert_eq!(next_days(&mut told).await, 2, "a change is still taken up");
            stop.cancel();
            let writes = flood.await.expect("it ends");
            assert!(took * 10 < passed, "{writes} writes cost {took:?} of {passed:?}");
        })
        .await;
    }

    /// The paused clock runs ahead of anything the kernel tells, so this is the looking alone.
    #[tokio::test(start_paused = true)]
    async fn a_change_is_taken_up_within_two_seconds_without_being_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        fs::write(&path, days(1)).expect("a file");
        while_watching(&path, async |mut told| {
            assert_eq!(next_days(&mut told).await, 1);
            for day in 2..10 {
                fs::write(&path, days(day)).expect("a file");
                let written = Instant::now();
                assert_eq!(next_days(&mut told).await, u64::from(day));
                assert!(written.elapsed() <= Duration::from_secs(2), "{:?}", written.elapsed());
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_touched_file_that_says_the_same_is_not_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        fs::write(&path, days(1)).expect("a file");
        while_watching(&path, async |mut told| {
            assert_eq!(next_days(&mut told).await, 1);
            fs::write(&path, format!("# a comment\n{}", days(1))).expect("a file");
            let waited = tokio::time::timeout(Duration::from_secs(5), told.recv()).await;
            assert!(waited.is_err(), "nothing new was said");
        })
        .await;
    }
}
