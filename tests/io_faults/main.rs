//! Every writing call of a recording fails in turn, once with "no space left", once with "input/output error", once half done:
//! nothing is said to be saved that is not, recording goes on, and index and disk agree after the next start.
//!
//! Some of the calls as a rule; every one with `HEARTHWATCH_SLOW=1`, and then also several in a row.

#![expect(clippy::disallowed_methods, reason = "a test looks at files where they are, and starts its own threads")]

mod calls;

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use calls::{Call, Fault, answer, ask_before_writing};
use hearthwatch::camera::packet::{Packet, StreamParameters, Track, VideoCodec, VideoParameters};
use hearthwatch::disk::Footage;
use hearthwatch::index::check::uncovered;
use hearthwatch::index::{self, Readers, WriteError, Writer, gaps, segments};
use hearthwatch::record::queue::{Budget, queue};
use hearthwatch::record::segment::{ClosedSegment, Recorded};
use hearthwatch::record::task::{self, RecordSettings};
use hearthwatch::record::{OpenSegments, reader};
use hearthwatch::units::{
    CameraId, InstallationId, MediaTicks, Monotonic, SegmentId, SimulatedClock, UtcMicros, UtcSpan,
};
use mp4_atom::{Avc1, Avcc, Encode as _, Visual};
use serde_json::Value;

const START: UtcMicros = UtcMicros(1_700_000_000_000_000);
/// Of the film: so many pictures, each so long, and a key frame every second.
const PICTURES: i64 = 5 * 18;
const PICTURE: Duration = Duration::from_millis(200);
/// What a fault may cost: what was not synced, the pause, and the wait for a key frame.
const MAY_BE_LOST: Duration = Duration::from_secs(5);
const LEFT_BEHIND: [&str; 2] = ["unfinished_file", "orphan_file"];

fn film() -> Vec<Packet> {
    let mut avc1 = Vec::new();
    Avc1 {
        visual: Visual { width: 320, height: 180, ..Visual::default() },
        avcc: Avcc::new(&[0x67, 77, 0, 31], &[0x68, 1]).expect("long enough"),
        ..Avc1::default()
    }
    .encode(&mut avc1)
    .expect("encodes");
    let video = VideoParameters {
        codec: VideoCodec::H264,
        rfc6381: "avc1.4d001f".to_owned(),
        width: 320,
        height: 180,
        sample_entry: avc1.into(),
        parameter_sets: Bytes::new(),
    };
    let parameters = Arc::new(StreamParameters { video, audio: None });
    let picture = |n: i64| {
        let at = PICTURE * u32::try_from(n).expect("small");
        Packet {
            parameters: Arc::clone(&parameters),
            session: 0,
            track: Track::Video,
            pts: MediaTicks { ticks: n * 18_000, rate: NonZeroU32::new(90_000).expect("not 0") },
            received: START.plus(at),
            received_monotonic: Monotonic(at),
            is_key: n % 5 == 0,
            lost_before: 0,
            data: Bytes::from(vec![u8::try_from(n % 251).expect("small"); 2000]),
        }
    };
    (0..PICTURES).map(picture).collect()
}

/// As the daemon's feed of the index does: what did not reach the disk is tried again, what a row contradicts is not.
fn insist(
    writer: &Writer,
    change: impl Fn(&rusqlite::Transaction<'_>) -> rusqlite::Result<()> + Clone + Send + 'static,
) {
    for _ in 0..100 {
        match writer.write_blocking(change.clone()) {
            Ok(()) => return,
            Err(error @ WriteError::NotSaved(_)) => drop(error),
            Err(error) => panic!("the index refuses: {error}"),
        }
    }
    panic!("the index never takes a row");
}

/// A recorder and an index on that folder, on a thread of their own whose calls are asked for. Says what was told to be saved.
fn record(folder: &Path, faulty: std::ops::Range<usize>, fault: Fault) -> (Vec<ClosedSegment>, Vec<Call>) {
    let footage = Footage::open(folder, InstallationId::from_random([1; 16])).expect("opens");
    let (writer_thread, writer, readers) = index::open(&folder.join("hearthwatch.db")).expect("opens");
    let installation = footage.installation();
    let mut writer_thread = writer_thread;
    writer_thread.write_here(|tx| index::installation::bind(tx, installation)).expect("bound");
    let (sender, listener) = mpsc::channel();
    let recording = std::thread::spawn(move || {
        let mut saved = Vec::new();
        sender.send(ask_before_writing()).expect("somebody listens");
        let writing = std::thread::spawn(move || writer_thread.run());
        let (mut feed, packets) = queue(&Budget::new(usize::MAX));
        for packet in film() {
            assert!(feed.push(packet));
        }
        drop(feed);
        let settings =
            RecordSettings { segment: Duration::from_secs(6), sync: Duration::from_secs(2), recorded_until: None };
        let (open, mut id) = (OpenSegments::default(), 0_u64);
        let random = || {
            id += 1;
            id.to_be_bytes()
        };
        let clock = SimulatedClock::new(START).clock();
        let camera: CameraId = "porch".parse().expect("an id");
        task::run(camera, footage, settings, clock, &packets, open, random, |recorded| match recorded {
            Recorded::Segment(segment) => {
                saved.push(segment.clone());
                insist(&writer, move |tx| segments::insert(tx, &segment).map(drop));
            }
            Recorded::Gap(gap) => insist(&writer, move |tx| gaps::insert(tx, &gap)),
            Recorded::ClockSet(set) => panic!("nobody sets this clock: {set:?}"),
        });
        drop(writer);
        writing.join().expect("the index's thread lives");
        saved
    });
    let listener = listener.recv().expect("it says").expect("this kernel has filters with listeners");
    let calls = answer(&listener, folder, faulty, fault);
    drop(readers);
    (recording.join().expect("the recorder lives"), calls)
}

/// What must be true whatever failed.
fn judge(folder: &Path, config: &Path, saved: &[ClosedSegment], calls: &[Call], what: &str) {
    for segment in saved {
        let bytes = std::fs::read(folder.join(&segment.path)).unwrap_or_else(|error| panic!("{what}: {error}"));
        let file = reader::read(&*bytes, bytes.len() as u64).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((file.intact_len, file.damaged), (segment.size.0, 0), "{what}: {segment:?}");
        let pictures: usize = file.runs(Track::Video).map(|run| run.samples.len()).sum();
        assert_eq!(pictures, segment.pictures as usize, "{what}: {segment:?}");
    }
    // The kernel forgets what a failed sync could not write, so a second one says "all is well" and lies.
    let mut given_up = HashSet::new();
    for call in calls.iter().filter(|call| call.is_sync() && call.path.extension().is_some_and(|it| it == "part")) {
        assert!(!given_up.contains(&call.path), "{what}: {} was synced again after that failed", call.path.display());
        if call.failed {
            given_up.insert(call.path.clone());
        }
    }
    let output = Command::new(env!("CARGO_BIN_EXE_hearthwatch"))
        .args(["check", "--repair", "--json", "--config"])
        .arg(config)
        .env_remove("RUST_LOG")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let look: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{what}: {error} {said}"));
    let findings = look["findings"].as_array().expect("a list");
    assert!(output.status.success(), "{what}: {findings:?} {said}");
    for finding in findings {
        assert!(LEFT_BEHIND.contains(&finding["kind"].as_str().expect("a name")), "{what}: {finding}");
    }
    let readers = Readers::open(&folder.join("hearthwatch.db")).expect("the index opens");
    let (camera, ever) = ("porch".parse().expect("an id"), UtcSpan::new(UtcMicros(0), UtcMicros(i64::MAX)));
    let ever = ever.expect("in order");
    let (rows, listed) = readers
        .read_blocking(|conn| Ok((segments::between(conn, &camera, ever)?, gaps::between(conn, &camera, ever)?)))
        .expect("the index answers");
    let ids: HashSet<SegmentId> = rows.iter().map(|row| row.id).collect();
    assert!(saved.iter().all(|segment| ids.contains(&segment.id)), "{what}: a saved segment has no row");
    let film = UtcSpan::starting_at(START, PICTURE * u32::try_from(PICTURES).expect("small"));
    let spans: Vec<_> = rows.iter().map(|row| row.span).collect();
    let lost: Duration = uncovered(film, spans.iter().copied()).into_iter().map(UtcSpan::length).sum();
    assert!(lost <= MAY_BE_LOST, "{what}: {lost:?} lost of {spans:?}");
    let until = spans.iter().map(|span| span.end()).max().expect("something is recorded");
    let told = spans.iter().copied().chain(listed.iter().map(|gap| gap.span));
    for untold in uncovered(UtcSpan::new(START, until).expect("in order"), told) {
        assert!(untold.length() < PICTURE, "{what}: {untold:?} is neither recorded nor listed: {spans:?} {listed:?}");
    }
}

fn attempt(faulty: std::ops::Range<usize>, fault: Fault) -> Vec<Call> {
    // In memory where that is possible: what a sync costs is no matter here.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    let folder = folder.path().canonicalize().expect("a path");
    let (storage, config) = (folder.join("storage"), folder.join("config.toml"));
    std::fs::write(&config, format!("[storage]\npath = \"{}\"\n", storage.display())).expect("written");
    let what = format!("{fault:?} at call {faulty:?}");
    let (saved, calls) = record(&storage, faulty.clone(), fault);
    let failed: Vec<_> = calls.iter().filter(|call| call.failed).collect();
    let what = format!("{what}, {:?}", failed.iter().map(|call| (call.name, &call.path)).collect::<Vec<_>>());
    judge(&storage, &config, &saved, &calls, &what);
    calls
}

#[test]
fn whatever_call_fails_nothing_is_falsely_saved_and_recording_goes_on() {
    let tried = std::thread::spawn(|| ask_before_writing().map(drop)).join().expect("it ends");
    if let Err(error) = tried {
        return println!("skipped: this kernel has no filters with listeners ({error})");
    }
    let is_slow = std::env::var_os("HEARTHWATCH_SLOW").is_some_and(|value| value == "1");
    let calls = attempt(0..0, Fault::Short);
    let (mut runs, mut failed) = (1, 0);
    let mut one = |faulty: std::ops::Range<usize>, fault| {
        runs += 1;
        failed += attempt(faulty, fault).iter().filter(|call| call.failed).count();
    };
    let step = if is_slow { 1 } else { 7 };
    for (turn, fault) in [Fault::Error(libc::ENOSPC), Fault::Error(libc::EIO), Fault::Short].into_iter().enumerate() {
        for n in (turn % step..calls.len()).step_by(step) {
            if fault != Fault::Short || matches!(calls[n].name, "write" | "pwrite") {
                one(n..n + 1, fault);
            }
            if is_slow && fault != Fault::Short {
                one(n..n + 5, fault);
            }
        }
    }
    println!("{} calls write; {runs} recordings, {failed} calls failed", calls.len());
}
