//! The disk for the footage goes away and comes back: nothing is written to the bare mount point, the time is listed as such,
//! and recording goes on by itself.

#![expect(clippy::disallowed_methods, reason = "a test looks at files where they are, in real time")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hearthwatch::record::segment::{ClosedSegment, Gap, GapCause};
use support::listed::listed;
use support::volume::{Volume, folder_for_images, mount_privately, run};
use support::{Daemon, FakeCamera, HEARTHWATCH, within};

/// Longer than a machine that does four things at once needs for any of this.
const PATIENCE: Duration = Duration::from_secs(90);

fn rows(storage: &Path) -> Vec<ClosedSegment> {
    listed(storage, "porch").unwrap_or_default().0
}

fn times_missing(storage: &Path) -> Vec<Gap> {
    let (_, missing) = listed(storage, "porch").unwrap_or_default();
    missing.into_iter().filter(|gap: &Gap| gap.cause == GapCause::StorageMissing).collect()
}

fn recorded_more(storage: &Path, than: usize) {
    within(PATIENCE, "another segment is recorded", || (rows(storage).len() > than).then_some(()));
}

fn is_bare(mount_point: &Path) {
    let there: Vec<_> =
        fs::read_dir(mount_point).expect("a folder").map(|entry| entry.expect("reads").path()).collect();
    assert!(there.is_empty(), "written to the bare mount point: {there:?}");
}

fn check(daemon: &Daemon) {
    let output = Command::new(HEARTHWATCH).args(["check", "--config"]).arg(daemon.config()).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Takes a mounted disk away, as when it is pulled: open files stay with whoever has them.
fn take_away(volume: Volume, image: &Path) {
    drop(volume);
    let name = image.to_str().expect("UTF-8");
    within(PATIENCE, "the daemon lets go of the disk", || run("losetup", &["-j", name]).ok().filter(String::is_empty));
}

/// What a disk does that was pulled without being unmounted: every access fails.
fn kill_disk(mount_point: &Path) {
    let folder = fs::File::open(mount_point).expect("it opens");
    // EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32), without flushing the log.
    let how: u32 = 2;
    #[expect(unsafe_code, reason = "no safe function shuts a file system down")]
    let done = unsafe { libc::ioctl(std::os::fd::AsRawFd::as_raw_fd(&folder), 0x8004_587d, &raw const how) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn a_disk_that_is_away_gets_nothing_and_is_taken_up_again() {
    let folder = folder_for_images();
    let (image, at) = (folder.path().join("disk.img"), folder.path().join("disk"));
    let volume = mount_privately().and_then(|()| Volume::make("ext4", &image, "64M", &at));
    let volume = match volume {
        Ok(volume) => volume,
        Err(why) => return println!("skipped: this machine allows no file systems in files ({why})"),
    };
    assert!(volume.is_mounted());
    let camera = FakeCamera::start(&["--size", "320x180", "--fps", "10"]);
    let cameras = format!("[cameras.porch]\nurl = \"{}\"\n[cameras.porch.motion]\nenabled = false", camera.url);
    let beside = tempfile::tempdir().expect("a folder");
    let mut daemon = Daemon::start_in(beside, &at, "segment_seconds = 5", &cameras);
    recorded_more(&at, 1);

    println!("away at the start: an empty folder is no new disk");
    let (code, beside) = daemon.stop();
    assert_eq!(code, Some(0));
    let before = rows(&at);
    take_away(volume, &image);
    is_bare(&at);
    daemon = Daemon::start_in(beside, &at, "segment_seconds = 5", &cameras);
    // It says so at its first look; a command that would make a folder refuses it too.
    let mut command = Command::new(HEARTHWATCH);
    command.args(["user", "list", "--config"]).arg(daemon.config());
    let refused = command.output().expect("it runs");
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("has no file hearthwatch-storage"), "{said}");
    std::thread::sleep(Duration::from_secs(3)); // longer than it took to make a folder, before there was this test
    is_bare(&at);
    let volume = Volume::mount(&image, &at).expect("mounts");
    recorded_more(&at, before.len());
    let listed = times_missing(&at);
    let until = before.iter().map(|row| row.span.end()).max();
    assert!(listed.iter().any(|gap| Some(gap.span.start()) == until), "{listed:?} {until:?}");

    println!("unmounted while it records");
    take_away(volume, &image);
    is_bare(&at);
    let volume = Volume::mount(&image, &at).expect("mounts");
    let before = rows(&at);
    recorded_more(&at, before.len());
    assert_eq!(times_missing(&at).len(), listed.len() + 1);
    check(&daemon);

    println!("dead while it records");
    kill_disk(&at);
    let address = daemon.origin.strip_prefix("http://").expect("an origin");
    within(PATIENCE, "the daemon notices by itself", || std::net::TcpStream::connect(address).err());
    take_away(volume, &image);
    is_bare(&at);
    let volume = Volume::mount(&image, &at).expect("mounts");
    let before = rows(&at);
    recorded_more(&at, before.len());
    let (code, _beside) = daemon.stop();
    assert_eq!(code, Some(0));
    let all = rows(&at);
    for pair in all.windows(2) {
        assert!(pair[0].span.end().0 <= pair[1].span.start().0 + 1000, "{pair:?} overlap");
    }
    drop(volume);
}

#[test]
fn another_disk_in_its_place_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (storage, config) = (folder.path().join("storage"), folder.path().join("config.toml"));
    fs::write(&config, format!("[storage]\npath = \"{}\"\n", storage.display())).expect("written");
    fs::write(
        folder.path().join("config.toml.storage"),
        format!("00000000000000000000000000000001 {}\n", storage.display()),
    )
    .expect("written");
    let list = || Command::new(HEARTHWATCH).args(["user", "list", "--config"]).arg(&config).output().expect("it runs");
    assert!(!list().status.success(), "nothing is made");
    assert!(!storage.exists());
    fs::create_dir(&storage).expect("made");
    fs::write(storage.join("hearthwatch-storage"), "installation = 00000000000000000000000000000002\n")
        .expect("written");
    let said = String::from_utf8_lossy(&list().stderr).into_owned();
    assert!(said.contains("mount the right disk"), "{said}");
}
