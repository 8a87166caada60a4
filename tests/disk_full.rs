//! Somebody else fills the disk to its last block: our footage makes room as far as it can, what is kept stays, and recording
//! goes on by itself as soon as there is room.

mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hearthwatch::detect::event::MotionEvent;
use hearthwatch::index::{self, events};
use hearthwatch::record::segment::{ClosedSegment, GapCause};
use hearthwatch::units::{CameraId, EventId};
use support::listed::listed;
use support::volume::{mount_privately, run};
use support::{Daemon, FakeCamera, HEARTHWATCH, within};

const PATIENCE: Duration = Duration::from_secs(90);

fn porch() -> CameraId {
    "porch".parse().expect("an id")
}

fn rows(storage: &Path) -> Vec<ClosedSegment> {
    listed(storage, "porch").unwrap_or_default().0
}

/// As a person does on the page: the event's footage stays for ever.
fn keep(storage: &Path, segment: &ClosedSegment) {
    let (mut writer, ..) = index::open(&storage.join("hearthwatch.db")).expect("the index opens");
    let (id, start) = (EventId::from_random([7; 8]), segment.span.start().plus(Duration::from_secs(1)));
    let event = MotionEvent {
        id,
        camera: porch(),
        start,
        end: Some(start.plus(Duration::from_secs(1))),
        peak: 0.1,
        zones: vec![],
        why: None,
        thumbnail: None,
        preview: None,
    };
    let kept = writer.write_here(|tx| {
        events::upsert(tx, &event)?;
        events::set(tx, id, Some(true), None)
    });
    assert!(kept.expect("kept"));
}

/// Until not one byte more goes in.
fn fill(path: &Path) {
    let mut file = fs::File::options().create(true).append(true).open(path).expect("made");
    for size in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
}

#[test]
fn a_disk_that_others_fill_stops_the_recording_only_while_it_is_full() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("disk");
    fs::create_dir(&at).expect("made");
    let name = at.to_str().expect("UTF-8");
    let mounted = mount_privately().and_then(|()| run("mount", &["-t", "tmpfs", "-o", "size=24m", "tmpfs", name]));
    if let Err(why) = mounted {
        return println!("skipped: this machine allows no file system of our own ({why})");
    }
    let camera = FakeCamera::start(&["--size", "320x180", "--fps", "10"]);
    let cameras = format!("[cameras.porch]\nurl = \"{}\"\n[cameras.porch.motion]\nenabled = false", camera.url);
    let daemon =
        Daemon::start_in(tempfile::tempdir().expect("a folder"), &at.join("storage"), "segment_seconds = 5", &cameras);
    let storage = daemon.storage();
    let old = within(PATIENCE, "segments", || Some(rows(&storage)).filter(|rows| rows.len() >= 8));
    keep(&storage, &old[0]);

    // Again and again, as something does that writes as fast as it can: what we give back is taken at once.
    let foreign = at.join("somebody's film");
    within(PATIENCE, "all that is not kept makes room", || {
        fill(&foreign);
        let left = rows(&storage);
        // The first few are so near to the event that they are kept with it.
        old[4..].iter().all(|row| !left.contains(row)).then_some(())
    });
    let kept = rows(&storage).into_iter().find(|row| row.id == old[0].id).expect("what is kept stays");
    let size = fs::metadata(storage.join(&kept.path)).expect("its file as well").len();
    assert_eq!(size, kept.size.0);

    fs::remove_file(&foreign).expect("removed");
    let freed = rows(&storage).len();
    within(PATIENCE, "recording goes on by itself", || (rows(&storage).len() >= freed + 2).then_some(()));
    let (_, missing) = listed(&storage, "porch").expect("the index answers");
    assert!(missing.iter().any(|gap| gap.cause == GapCause::DiskFull), "{missing:?}");
    let output = Command::new(HEARTHWATCH).args(["check", "--config"]).arg(daemon.config()).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
