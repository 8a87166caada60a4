//! The disk for the footage.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, StatVfsMountFlags};

use crate::app::doctor::Finding;
use crate::config::settings::Settings;
use crate::disk::{Footage, Seen, Space, StorageError};
use crate::units::{ByteLen, InstallationId};

const ABOUT: &str = "storage";
/// The kernel's number for the drivers of SD cards and eMMC.
const MMC: u32 = 179;

/// How far the folder can be got at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Nowhere,
    /// On a disk that is mounted read-only.
    ReadOnly,
    /// By others.
    Closed,
    Open,
}

/// What was seen.
pub(super) struct Storage {
    path: PathBuf,
    /// The installation that was recorded there before, if any.
    expected: Option<InstallationId>,
    /// What its marker says, or why it cannot be used.
    opened: Result<InstallationId, StorageError>,
    /// A daemon has it now.
    pub(super) is_in_use: bool,
    reach: Reach,
    is_card: bool,
    space: Option<Space>,
    keep_free: Option<ByteLen>,
    sync_seconds: u64,
}

/// Looks, and writes nothing.
pub(super) fn look(settings: &Settings, config: &Path) -> Storage {
    let path = settings.storage.path.clone();
    let opened = Footage::open_beside(&path);
    let space = opened.as_ref().ok().and_then(|footage| footage.space().ok());
    Storage {
        expected: Seen::beside(config).installation(&path).ok().flatten(),
        is_in_use: Footage::is_in_use(&path).unwrap_or(false),
        reach: reach(&path),
        is_card: std::fs::metadata(&path).is_ok_and(|folder| rustix::fs::major(folder.dev()) == MMC),
        space,
        keep_free: space.map(|space| settings.storage.keep_free.of(space.total)),
        sync_seconds: settings.storage.sync.as_secs(),
        opened: opened.map(|footage| footage.installation()),
        path,
    }
}

fn reach(path: &Path) -> Reach {
    let Ok(stat) = rustix::fs::statvfs(path) else { return Reach::Nowhere };
    if stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Reach::ReadOnly;
    }
    match rustix::fs::accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
        Ok(()) => Reach::Open,
        Err(_) => Reach::Closed,
    }
}

/// What that means.
pub(super) fn judge(storage: &Storage) -> Vec<Finding> {
    let path = storage.path.display();
    let mut findings = vec![match (&storage.opened, storage.expected) {
        (Ok(found), Some(expected)) if *found != expected => Finding::wrong(
            ABOUT,
            format!("{path} is another recorder's: mount the right disk; nothing is recorded until then"),
        ),
        (Ok(_), _) => Finding::fine(ABOUT, format!("{path} carries its marker")),
        (Err(_), None) if matches!(storage.reach, Reach::Nowhere | Reach::Open) => {
            Finding::note(ABOUT, format!("nothing was ever recorded to {path}; the first start makes it ready"))
        }
        (Err(error), _) => Finding::wrong(ABOUT, error.to_string()),
    }];
    if storage.reach == Reach::ReadOnly {
        let why = "is mounted read-only, as Linux does with a disk that fails: look at `dmesg`, and exchange the disk";
        findings.push(Finding::wrong(ABOUT, format!("{path} {why}")));
    } else if storage.reach == Reach::Closed {
        let how =
            "cannot be written by this user; if it is not by the recorder either, give it to the user hearthwatch";
        findings.push(Finding::note(ABOUT, format!("{path} {how}")));
    }
    if let (Some(space), Some(keep_free)) = (storage.space, storage.keep_free) {
        let words = format!("{} of {} are free, and {keep_free} of it is left to others", space.free, space.total);
        findings.push(if space.free.0 < (keep_free.0 / 2).max(64 << 20) {
            let more = "something else fills the disk; the oldest footage goes until there is room";
            Finding::wrong(ABOUT, format!("{words}: {more}"))
        } else {
            Finding::fine(ABOUT, words)
        });
    }
    if storage.is_card {
        let every = storage.sync_seconds;
        findings.push(Finding::note(
            ABOUT,
            format!(
                "{path} is on an SD card, which wears out by being written; a USB disk lasts longer (footage is made safe \
                 every {every} s: sync_seconds)"
            ),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Weight;

    fn id(byte: u8) -> InstallationId {
        InstallationId::from_random([byte; 16])
    }

    fn good() -> Storage {
        Storage {
            path: "/mnt/disk".into(),
            expected: Some(id(1)),
            opened: Ok(id(1)),
            is_in_use: true,
            reach: Reach::Open,
            is_card: false,
            space: Some(Space { total: ByteLen(100 << 30), free: ByteLen(50 << 30) }),
            keep_free: Some(ByteLen(10 << 30)),
            sync_seconds: 2,
        }
    }

    fn wrong(storage: &Storage) -> Vec<String> {
        let findings = judge(storage).into_iter();
        findings.filter(|finding| finding.weight == Weight::Wrong).map(|finding| finding.words).collect()
    }

    fn lost() -> Result<InstallationId, StorageError> {
        Err(StorageError::MarkerLost { path: "/mnt/disk".into() })
    }

    #[test]
    fn a_disk_in_order_is_fine() {
        assert!(judge(&good()).iter().all(|finding| finding.weight == Weight::Fine), "{:?}", judge(&good()));
    }

    #[test]
    fn what_stops_recording_is_wrong_and_says_what_to_do() {
        let exchanged = wrong(&Storage { opened: Ok(id(2)), ..good() });
        assert!(exchanged.len() == 1 && exchanged[0].contains("mount the right disk"), "{exchanged:?}");
        let away = wrong(&Storage { opened: lost(), space: None, ..good() });
        assert!(away.len() == 1 && away[0].contains("mount the disk"), "{away:?}");
        let failing = wrong(&Storage { reach: Reach::ReadOnly, ..good() });
        assert!(failing.len() == 1 && failing[0].contains("read-only"), "{failing:?}");
        let full = Space { total: ByteLen(100 << 30), free: ByteLen(1 << 30) };
        let full = wrong(&Storage { space: Some(full), ..good() });
        assert!(full.len() == 1 && full[0].contains("something else fills the disk"), "{full:?}");
    }

    #[test]
    fn before_the_first_start_nothing_is_wrong_and_a_card_is_worth_a_word() {
        let fresh = Storage { expected: None, opened: lost(), space: None, is_in_use: false, ..good() };
        assert_eq!(wrong(&fresh), Vec::<String>::new());
        assert!(judge(&fresh)[0].words.contains("first start"));
        let card = judge(&Storage { is_card: true, ..good() });
        assert!(card.iter().any(|finding| finding.weight == Weight::Note && finding.words.contains("SD card")));
    }
}
