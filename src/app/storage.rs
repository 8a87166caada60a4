//! The disk for the footage: opened at the start, looked at while it is used, and waited for while it is not there.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::app::{Failure, daemon, random};
use crate::disk::{Footage, Gone, Seen, StorageError};
use crate::units::InstallationId;

/// Between two looks for a disk that is away, and at one that is there.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Every so many looks the disk is asked to take a write; a dead one still shows what the kernel remembers of it.
const WRITE_EVERY: u32 = 10;
/// Between two words in the log about a disk that stays away, in looks.
const SAY_EVERY: u32 = 300;
/// How much longer systemd is asked to wait for the start while the disk is away, in microseconds; at each look anew.
const PATIENCE_US: u32 = 30_000_000;

/// Opens the storage folder to record into it. One that was recorded into before must be the same again; a new one is made.
pub(crate) fn open(path: &Path, seen: &Seen) -> Result<Footage, Failure> {
    match known(path, seen)? {
        Some(expected) => Ok(Footage::open_again(path, expected)?),
        None => Ok(Footage::open(path, InstallationId::from_random(random::bytes()))?),
    }
}

/// A folder that could be opened, and whether that took time.
pub(crate) struct Opened {
    pub(crate) footage: Footage,
    pub(crate) was_away: bool,
}

/// The same for the daemon: a disk that was there before is waited for, loudly; `None` if `stop` came first.
pub(crate) async fn wait(path: &Path, seen: &Seen, stop: &CancellationToken) -> Result<Option<Opened>, Failure> {
    let mut looks = 0_u32;
    loop {
        let (folder, before) = (path.to_owned(), seen.clone());
        let opened = tokio::task::spawn_blocking(move || -> Result<_, Failure> {
            let expected = known(&folder, &before)?;
            Ok((
                expected,
                match expected {
                    Some(expected) => Footage::open_again(&folder, expected),
                    None => Footage::open(&folder, InstallationId::from_random(random::bytes())),
                },
            ))
        });
        match opened.await?? {
            (_, Ok(footage)) => {
                if looks > 0 {
                    tracing::info!("the disk for the footage is back at {}", path.display());
                }
                note(&footage, seen);
                return Ok(Some(Opened { footage, was_away: looks > 0 }));
            }
            // Another daemon is no disk to wait for; and a folder that was never recorded into is wrong, not away.
            (None, Err(error)) | (_, Err(error @ StorageError::InUse { .. })) => return Err(error.into()),
            (Some(_), Err(error)) => {
                if looks.is_multiple_of(SAY_EVERY) {
                    tracing::error!(
                        "nothing is recorded: {error}. It was recorded into before and is waited for; if you exchanged the \
                         disk on purpose, remove its line from {} and start again",
                        seen.path().display()
                    );
                }
                daemon::notify(&[
                    sd_notify::NotifyState::ExtendTimeoutUsec(PATIENCE_US),
                    sd_notify::NotifyState::Watchdog,
                    sd_notify::NotifyState::Status("Nothing is recorded: the disk for the footage is not there"),
                ]);
            }
        }
        looks = looks.saturating_add(1);
        if stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_none() {
            return Ok(None);
        }
    }
}

/// Looks until the disk is gone, and says how it is gone.
pub(crate) async fn watch(footage: Footage) -> Gone {
    loop {
        // One thread that sleeps in between: a timer, and a thread for each look, would wake three of them each second. It ends
        // with this function, however that ends.
        let (_stays, ended) = mpsc::channel::<()>();
        let footage = footage.clone();
        let look = move || {
            for looks in 1_u32.. {
                if ended.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
                let writes = looks.is_multiple_of(WRITE_EVERY);
                let looked = footage.is_at_its_path().and_then(|()| if writes { footage.answers() } else { Ok(()) });
                if let Err(gone) = looked {
                    return Some(gone);
                }
            }
            None
        };
        // A look that panicked or was cancelled saw nothing.
        if let Ok(Some(gone)) = tokio::task::spawn_blocking(look).await {
            return gone;
        }
    }
}

fn known(path: &Path, seen: &Seen) -> Result<Option<InstallationId>, Failure> {
    let installation = seen.installation(path);
    Ok(installation.with_context(|| format!("{} cannot be read", seen.path().display()))?)
}

/// Best effort: where the folder of the configuration can't be written, an empty mount point is not told from a new folder.
fn note(footage: &Footage, seen: &Seen) {
    if let Err(error) = seen.note(footage.path(), footage.installation()) {
        tracing::warn!(
            %error,
            "{} cannot be written: a disk that is not mounted at the next start would be taken for a new one",
            seen.path().display()
        );
    }
}
