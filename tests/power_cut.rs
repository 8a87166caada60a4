//! The power is cut at random moments: nothing that was synced is missing, what was committed is there to the byte, and index
//! and disk agree after every start.
//!
//! The recorder writes to an ext4 of its own, by direct I/O into an image that lies on an XFS; a reflink of that image is
//! exactly what the disk would hold if the plug were pulled in that moment. Each copy is mounted, mended and looked through,
//! while the recorder goes on. Twelve copies as a rule; 220 with `HEARTHWATCH_SLOW=1`.

#![expect(clippy::disallowed_methods, reason = "a test looks at files where they are, in real time")]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hearthwatch::index::Readers;
use hearthwatch::index::check::uncovered;
use hearthwatch::record::segment::{ClosedSegment, Gap, GapCause};
use hearthwatch::units::{Clock, UtcMicros, UtcSpan};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use support::listed::listed;
use support::volume::{Volume, folder_for_images, mount_privately, run};
use support::{Daemon, FakeCamera, HEARTHWATCH, within};

const CAMERAS: [&str; 3] = ["porch", "nursery", "garden"];
const SYNC: Duration = Duration::from_secs(2);
/// What was not due for a sync, and the second a sync may take.
const MAY_BE_LOST: Duration = SYNC.saturating_add(Duration::from_secs(1));
/// Less than the time between two pictures.
const NOTHING: Duration = Duration::from_millis(100);
/// What a cut of the power leaves, by the names of `check`: files that had no row yet, and the picture of an event.
const LEFT_BEHIND: [&str; 3] = ["unfinished_file", "orphan_file", "missing_thumbnail"];

/// `SplitMix64`: the same waits for the same seed.
fn random(state: &mut u64, limit: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % limit
}

/// The recorder's disk, and the file system that its image lies on.
struct Rig {
    live: Volume,
    host: Volume,
    folder: tempfile::TempDir,
}

impl Rig {
    fn make() -> Result<Self, String> {
        mount_privately()?;
        let folder = folder_for_images();
        let at = |name: &str| folder.path().join(name);
        let host = Volume::make("xfs", &at("host.img"), "1G", &at("host"))?;
        let live = Volume::make("ext4", &host.path.join("disk.img"), "96M", &at("live"))?;
        Ok(Self { live, host, folder })
    }

    /// The disk as it is in this moment.
    fn cut(&self) -> PathBuf {
        let copy = self.host.path.join("cut.img");
        let disk = self.host.path.join("disk.img");
        let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        run("cp", &["--reflink=always", &text(&disk), &text(&copy)]).expect("an exact copy");
        copy
    }
}

fn rows(storage: &Path, camera: &str) -> Vec<ClosedSegment> {
    listed(storage, camera).expect("the index answers").0
}

fn missing(storage: &Path, camera: &str) -> Vec<Gap> {
    listed(storage, camera).expect("the index answers").1
}

/// What `check` says of a storage folder.
fn check(config: &Path, repair: bool, when: &str) -> Vec<Value> {
    let mut command = Command::new(HEARTHWATCH);
    command.args(["check", "--json", "--config"]).arg(config).env_remove("RUST_LOG");
    if repair {
        command.arg("--repair");
    }
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{when}: {said}{}", String::from_utf8_lossy(&output.stdout));
    let look: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    look["findings"].as_array().expect("a list").clone()
}

/// What must be on the disk whatever happens from now on.
#[derive(Default)]
struct Committed {
    /// SHA-256 of every file that has a row.
    files: HashMap<PathBuf, [u8; 32]>,
    rows: Vec<ClosedSegment>,
}

impl Committed {
    fn look(&mut self, storage: &Path) {
        self.rows = CAMERAS.iter().flat_map(|camera| rows(storage, camera)).collect();
        for row in &self.rows {
            let hash = || Sha256::digest(fs::read(storage.join(&row.path)).expect("a committed file reads")).into();
            self.files.entry(row.path.clone()).or_insert_with(hash);
        }
    }
}

#[test]
fn a_power_cut_costs_at_most_what_was_not_yet_synced() {
    let rig = match Rig::make() {
        Ok(rig) => rig,
        Err(why) => return println!("skipped: this machine allows no file systems in files ({why})"),
    };
    let is_slow = std::env::var_os("HEARTHWATCH_SLOW").is_some_and(|value| value == "1");
    let cuts = if is_slow { 220 } else { 12 };
    let mut seed = std::env::var("HEARTHWATCH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(2026);
    println!("seed {seed}, {cuts} cuts");
    let clock = Clock::system();

    let cameras: Vec<_> = CAMERAS.iter().map(|_| FakeCamera::start(&["--size", "320x180", "--fps", "10"])).collect();
    let mut config = String::new();
    for (name, camera) in CAMERAS.iter().zip(&cameras) {
        let motion = *name == CAMERAS[0];
        let id = format!("[cameras.{name}]");
        writeln!(config, "{id}\nurl = \"{}\"\n[cameras.{name}.motion]\nenabled = {motion}", camera.url).expect("text");
    }
    let storage = format!("segment_seconds = 5\nsync_seconds = {}", SYNC.as_secs());
    let folder = rig.live.path.join("storage");
    let daemon = Daemon::start_in(tempfile::tempdir().expect("a folder"), &folder, &storage, &config);
    let index = folder.join("hearthwatch.db");
    within(Duration::from_secs(30), "there is an index", || Readers::open(&index).ok());
    let mut since: BTreeMap<&str, UtcMicros> = BTreeMap::new();
    within(Duration::from_secs(60), "every camera has a closed segment", || {
        for camera in CAMERAS {
            if let Some(first) = rows(&folder, camera).first() {
                since.entry(camera).or_insert(first.span.start());
            }
        }
        (since.len() == CAMERAS.len()).then_some(())
    });

    // The same configuration on the copy's mount, for `check` and for a daemon.
    let (cut, beside) = (rig.folder.path().join("cut"), tempfile::tempdir().expect("a folder"));
    let text = fs::read_to_string(daemon.config()).expect("a configuration");
    let on_copy = beside.path().join("config.toml");
    fs::write(&on_copy, text.replace(folder.to_str().expect("UTF-8"), cut.join("storage").to_str().expect("UTF-8")))
        .expect("written");

    let (mut committed, mut lost, mut left_behind) = (Committed::default(), Vec::new(), BTreeMap::new());
    for n in 0..cuts {
        let when = format!("after cut {n}");
        std::thread::sleep(Duration::from_millis(random(&mut seed, if is_slow { 1000 } else { 3000 })));
        committed.look(&folder);
        let moment = clock.now();
        let image = rig.cut();
        let copy = Volume::mount(&image, &cut).unwrap_or_else(|why| panic!("{when} the disk does not mount: {why}"));
        let storage = copy.path.join("storage");

        for finding in check(&on_copy, true, &when) {
            let kind = finding["kind"].as_str().expect("a name").to_owned();
            assert!(LEFT_BEHIND.contains(&kind.as_str()), "{when}: {finding}");
            *left_behind.entry(kind).or_insert(0) += 1;
        }
        let all: Vec<_> = CAMERAS.iter().flat_map(|camera| rows(&storage, camera)).collect();
        for row in &committed.rows {
            assert!(all.contains(row), "{when}: a committed row is gone: {row:?}");
            let file = fs::read(storage.join(&row.path)).unwrap_or_else(|error| panic!("{when}: {row:?}: {error}"));
            let hash: [u8; 32] = Sha256::digest(file).into();
            assert_eq!(hash, committed.files[&row.path], "{when}: {row:?}");
        }
        for (camera, since) in &since {
            let of_camera = all.iter().filter(|row| row.camera.as_str() == *camera).map(|row| row.span);
            let spans: Vec<_> = of_camera.collect();
            let due = UtcSpan::new(*since, moment.minus(MAY_BE_LOST)).expect("in order");
            for missing in uncovered(due, spans.iter().copied()) {
                assert!(missing.length() < NOTHING, "{when}: {camera}: {missing:?} of {due:?} is lost");
            }
            lost.extend(spans.iter().map(|span| span.end()).max().map(|until| moment.since(until)));
        }
        assert_eq!(check(&on_copy, false, &when), [] as [Value; 0], "{when}");
        if n + 1 == cuts {
            the_next_life_knows(&on_copy, &storage, &since);
        }
        drop(copy);
        within(Duration::from_secs(10), "the copy is unmounted", || fs::remove_file(&image).ok());
    }
    let worst = lost.iter().max().copied().unwrap_or_default();
    let mean = lost.iter().sum::<Duration>() / u32::try_from(lost.len().max(1)).expect("a few");
    println!(
        "{cuts} cuts; {} committed files to the byte; {mean:?} lost on average, {worst:?} at most; left behind: {left_behind:?}",
        committed.files.len()
    );
    drop(daemon);
}

/// A machine that was started again: the daemon's next life lists the time between as a power cut.
fn the_next_life_knows(config: &Path, storage: &Path, cameras: &BTreeMap<&str, UtcMicros>) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
    let text = fs::read_to_string(config).expect("a configuration");
    let line = text.lines().find(|line| line.starts_with("listen")).expect("a port");
    fs::write(config, text.replace(line, &format!("listen = \"127.0.0.1:{port}\""))).expect("written");
    let boot = config.with_file_name("boot_id");
    fs::write(&boot, "11111111-2222-3333-4444-555555555555\n").expect("written");
    let script = format!(
        "mount --bind {} /proc/sys/kernel/random/boot_id && exec {HEARTHWATCH} run --config {}",
        boot.display(),
        config.display()
    );
    let mut daemon = Command::new("unshare").args(["-m", "sh", "-c", &script]).spawn().expect("it starts");
    within(Duration::from_secs(60), "the power cut is listed for every camera", || {
        let told = |camera: &&str| missing(storage, camera).iter().any(|gap| gap.cause == GapCause::PowerCut);
        cameras.keys().all(told).then_some(())
    });
    daemon.kill().expect("it runs");
    daemon.wait().expect("it ends");
}
