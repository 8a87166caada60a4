//! `kill -9` at random moments: nothing that was synced is missing, and index and disk agree after every start.
//!
//! Eight times as a rule; 300 times with `HEARTHWATCH_SLOW=1`. `HEARTHWATCH_SEED` chooses other moments.

#![expect(clippy::disallowed_methods, reason = "a test looks at files where they are, in real time")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hearthwatch::index::check::uncovered;
use hearthwatch::record::segment::{ClosedSegment, Gap};
use hearthwatch::units::{Clock, UtcMicros, UtcSpan};
use support::listed::listed;
use support::{Daemon, FakeCamera, HEARTHWATCH, within};

const CAMERAS: [&str; 4] = ["porch", "nursery", "garden", "garage"];
/// As in the configuration below; segments are short so that many are cut.
const SYNC: Duration = Duration::from_secs(2);
const SEGMENT_SECONDS: u64 = 5;
/// The longest life, in milliseconds.
const LONGEST_LIFE: u64 = 8000;
/// What may be lost: what was not due for a sync, and the second a sync may take.
const MAY_BE_LOST: Duration = SYNC.saturating_add(Duration::from_secs(1));
/// Less than the time between two pictures.
const NOTHING: Duration = Duration::from_millis(100);
/// `SplitMix64`: the same moments for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// What was seen of the daemon from one start to its end.
struct Life {
    /// When each camera was first seen to have a file: its pictures from then on are recorded.
    recording: BTreeMap<&'static str, UtcMicros>,
    killed: UtcMicros,
}

/// Cameras that have a file which is being written and was not there before the start.
fn being_recorded(storage: &Path, left: &BTreeSet<PathBuf>) -> Vec<&'static str> {
    let parts = parts(storage);
    let is_recorded = |name: &&str| {
        let folder = storage.join("footage").join(name);
        parts.iter().any(|path| path.starts_with(&folder) && !left.contains(path))
    };
    CAMERAS.into_iter().filter(is_recorded).collect()
}

/// Every `.part` with something in it.
fn parts(storage: &Path) -> BTreeSet<PathBuf> {
    let folders = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let days = folders(&storage.join("footage")).flat_map(|camera| folders(&camera).collect::<Vec<_>>());
    let files = days.flat_map(|day| folders(&day).collect::<Vec<_>>());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "part"))
        .filter(|path| path.metadata().is_ok_and(|metadata| metadata.len() > 0))
        .collect()
}

/// Fails with all that it says unless nothing is wrong.
fn check(daemon: &Daemon, arguments: &[&str], when: &str) {
    let output = Command::new(HEARTHWATCH)
        .arg("check")
        .args(arguments)
        .arg("--config")
        .arg(daemon.config())
        .env_remove("RUST_LOG")
        .output()
        .expect("it runs");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{when}: {said}");
}

fn rows(storage: &Path, camera: &str) -> (Vec<ClosedSegment>, Vec<Gap>) {
    listed(storage, camera).expect("the index answers")
}

#[test]
fn killing_the_daemon_costs_at_most_what_was_not_yet_synced() {
    let is_slow = std::env::var_os("HEARTHWATCH_SLOW").is_some_and(|value| value == "1");
    let rounds = if is_slow { 300 } else { 8 };
    let seed = std::env::var("HEARTHWATCH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(2026);
    println!("seed {seed}, {rounds} rounds");
    let mut random = Random(seed);
    let clock = Clock::system();

    let cameras: Vec<_> = CAMERAS.iter().map(|_| FakeCamera::start(&["--size", "320x180", "--fps", "10"])).collect();
    let mut config = String::new();
    for (name, camera) in CAMERAS.iter().zip(&cameras) {
        let motion = *name == CAMERAS[0];
        let id = format!("[cameras.{name}]");
        writeln!(config, "{id}\nurl = \"{}\"\n[cameras.{name}.motion]\nenabled = {motion}", camera.url).expect("text");
    }
    let storage = format!("segment_seconds = {SEGMENT_SECONDS}\nsync_seconds = {}", SYNC.as_secs());
    let mut daemon = Daemon::start_with(&storage, &config);
    let folder = daemon.storage();

    let mut lives = Vec::new();
    for round in 0..rounds {
        let left = if round == 0 { BTreeSet::new() } else { parts(&folder) };
        if round > 0 {
            daemon.start_again();
        }
        // One in four dies while it starts, one as soon as a file appears, the others at any moment.
        let (wait, how) = if round == 0 {
            (random.below(LONGEST_LIFE), 3)
        } else {
            let how = random.below(4);
            (random.below(if how == 0 { 1000 } else { LONGEST_LIFE }), how)
        };
        if how != 0 {
            daemon.serves();
            check(&daemon, &[], &format!("after start {round}"));
        }
        let enough = 1 + usize::try_from(random.below(CAMERAS.len() as u64)).expect("small");
        let (from, mut recording) = (Instant::now(), BTreeMap::new());
        while from.elapsed() < Duration::from_millis(wait) {
            for name in being_recorded(&folder, &left) {
                recording.entry(name).or_insert_with(|| clock.now());
            }
            if how == 1 && recording.len() >= enough {
                break;
            }
            std::thread::sleep(Duration::from_millis(if how == 1 { 1 } else { 50 }));
        }
        let killed = clock.now();
        daemon.kill();
        lives.push(Life { recording, killed });
        if random.below(4) == 0 {
            check(&daemon, &["--repair"], &format!("after a repair in place of start {}", round + 1));
        }
    }

    daemon.start_again();
    daemon.serves();
    let left = BTreeSet::new();
    within(Duration::from_secs(30), "all cameras are recorded", || {
        (being_recorded(&folder, &left).len() == CAMERAS.len()).then_some(())
    });
    check(&daemon, &[], "after the last start");
    daemon.kill();
    check(&daemon, &["--repair"], "after the last repair");

    let (mut lost, mut required) = (Vec::new(), Duration::ZERO);
    let mut before = BTreeMap::new();
    for name in CAMERAS {
        let (segments, gaps) = rows(&folder, name);
        let spans: Vec<_> = segments.iter().map(|segment| segment.span).collect();
        for life in &lives {
            let Some(since) = life.recording.get(name) else { continue };
            let due = UtcSpan::new(*since, life.killed.minus(MAY_BE_LOST));
            for missing in due.into_iter().flat_map(|due| uncovered(due, spans.iter().copied())) {
                assert!(missing.length() < NOTHING, "{name}: {missing:?} of {due:?} is lost, killed {}", life.killed);
            }
            required += due.map(UtcSpan::length).unwrap_or_default();
            let until = spans.iter().map(|span| span.end()).filter(|end| *end < life.killed).max();
            lost.extend(until.filter(|until| until >= since).map(|until| life.killed.since(until)));
        }
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else { panic!("{name}: nothing was recorded") };
        let whole = UtcSpan::new(first.start(), last.end()).expect("in order");
        let told = spans.iter().copied().chain(gaps.iter().map(|gap| gap.span));
        for untold in uncovered(whole, told) {
            let kills: Vec<_> = lives.iter().map(|life| life.killed.0).collect();
            assert!(
                untold.length() < NOTHING,
                "{name}: {untold:?} is neither recorded nor listed as missing; kills {kills:?}, segments {spans:?}, gaps {gaps:?}"
            );
        }
        for pair in spans.windows(2) {
            let twice = pair[0].end().since(pair[1].start());
            assert!(twice < Duration::from_millis(1), "{name}: {pair:?} overlap");
        }
        before.insert(name, segments);
    }
    let worst = lost.iter().max().copied().unwrap_or_default();
    let mean = lost.iter().sum::<Duration>() / u32::try_from(lost.len().max(1)).expect("a few");
    println!(
        "{rounds} kills; {required:?} due and there; {} lives ended with {mean:?} lost on average, {worst:?} at most",
        lost.len()
    );

    // The real recorder's rows come back from its files alone.
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(folder.join(format!("hearthwatch.db{suffix}")));
    }
    check(&daemon, &["--repair"], "re-indexed");
    for (name, before) in before {
        let (after, _) = rows(&folder, name);
        assert_eq!(after.len(), before.len(), "{name}");
        for (after, before) in after.iter().zip(&before) {
            let end = after.span.end().offset_from(before.span.end());
            assert!(end.abs() < 1000, "{name}: ends {end} µs apart");
            let codecs = before.codecs.to_ascii_lowercase();
            assert_eq!(after.codecs.to_ascii_lowercase(), codecs);
            let span = UtcSpan::new(after.span.start(), before.span.end()).expect("in order");
            assert_eq!(ClosedSegment { span, codecs: before.codecs.clone(), ..after.clone() }, *before);
        }
    }
}
