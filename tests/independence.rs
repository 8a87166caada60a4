//! Recording waits for nothing: not for the database, not for viewers, not for a change of the settings. And it ends when asked.

#![expect(clippy::disallowed_methods, reason = "a test looks at files where they are, in real time")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hearthwatch::index::check::uncovered;
use hearthwatch::record::segment::{Gap, GapCause};
use hearthwatch::units::UtcSpan;
use support::listed::listed;
use support::{Client, Daemon, FakeCamera, HEARTHWATCH, within};

const PATIENCE: Duration = Duration::from_secs(60);
/// Less than the time between two pictures.
const NOTHING: Duration = Duration::from_millis(200);

fn is_slow() -> bool {
    std::env::var_os("HEARTHWATCH_SLOW").is_some_and(|value| value == "1")
}

/// Cameras by their ids, without motion, and their part of a configuration.
fn cameras(ids: &[&str]) -> (Vec<FakeCamera>, String) {
    let cameras: Vec<_> = ids.iter().map(|_| FakeCamera::start(&["--size", "320x180", "--fps", "10"])).collect();
    let mut config = String::new();
    for (id, camera) in ids.iter().zip(&cameras) {
        let url = &camera.url;
        writeln!(config, "[cameras.{id}]\nname = \"{id}\"\nurl = \"{url}\"\n[cameras.{id}.motion]\nenabled = false")
            .expect("text");
    }
    (cameras, config)
}

/// When that camera was recorded, and when it was listed as missing.
fn times(storage: &Path, camera: &str) -> (Vec<UtcSpan>, Vec<UtcSpan>) {
    let (rows, gaps) = listed(storage, camera).unwrap_or_default();
    (rows.iter().map(|row| row.span).collect(), gaps.iter().map(|gap| gap.span).collect())
}

fn gaps_of(storage: &Path, camera: &str) -> Vec<Gap> {
    listed(storage, camera).expect("the index answers").1
}

fn recorded(storage: &Path, camera: &str, at_least: usize) -> Vec<UtcSpan> {
    within(PATIENCE, "segments", || Some(times(storage, camera).0).filter(|spans| spans.len() >= at_least))
}

/// Nothing is missing between the first and the last segment.
fn assert_whole(storage: &Path, camera: &str) {
    let (spans, gaps) = times(storage, camera);
    let whole = UtcSpan::new(spans[0].start(), spans[spans.len() - 1].end()).expect("in order");
    for missing in uncovered(whole, spans.iter().copied()) {
        assert!(missing.length() < NOTHING, "{camera}: {missing:?} is missing of {spans:?}, listed {gaps:?}");
    }
}

#[test]
fn a_locked_database_and_a_hundred_stalled_viewers_cost_no_second() {
    let (_cameras, config) = cameras(&["porch"]);
    let daemon = Daemon::start_with("segment_seconds = 5", &config);
    let storage = daemon.storage();
    recorded(&storage, "porch", 1);
    let client = Client::by_password(&daemon.origin, &daemon.owner());

    // Each asks for live pictures and never reads a byte of them.
    let address = daemon.origin.strip_prefix("http://").expect("an origin");
    let mut stalled = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(address).expect("connects");
        write!(
            stream,
            "GET /api/cameras/porch/live?stream=main HTTP/1.1\r\nHost: {address}\r\nOrigin: {}\r\nCookie: {}\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            daemon.origin,
            client.cookie()
        )
        .expect("asks");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 101");
        stalled.push(stream);
    }

    let locked = rusqlite::Connection::open(storage.join("hearthwatch.db")).expect("opens");
    locked.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let files = || support::closed_segments(&storage.join("footage")).len();
    let (from, before) = (Instant::now(), files());
    // The daemon's own patience with other writers is 5 s.
    let seconds = if is_slow() { 60 } else { 12 };
    within(PATIENCE * 2, "files are closed while the database is locked", || {
        (files() >= before + seconds / 5 - 1 && from.elapsed() >= Duration::from_secs(seconds as u64)).then_some(())
    });
    locked.execute_batch("ROLLBACK").expect("unlocked");
    drop(locked);
    let closed = files();
    recorded(&storage, "porch", closed);
    assert_whole(&storage, "porch");
    drop(stalled);
}

#[test]
fn a_change_of_one_camera_costs_the_others_no_second() {
    let (_cameras, config) = cameras(&["porch", "nursery"]);
    let daemon = Daemon::start_with("segment_seconds = 5", &config);
    let storage = daemon.storage();
    let mut before = BTreeMap::new();
    for camera in ["porch", "nursery"] {
        before.insert(camera, recorded(&storage, camera, 1).len());
    }
    let text = fs::read_to_string(daemon.config()).expect("a configuration");
    fs::write(daemon.config(), text.replace("name = \"nursery\"", "name = \"Nursery\"\naudio = false"))
        .expect("written");
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    within(PATIENCE, "the changed camera is started anew", || {
        let cameras = client.json("/api/cameras");
        cameras.as_array()?.iter().any(|camera| camera["name"] == "Nursery").then_some(())
    });
    for camera in ["porch", "nursery"] {
        recorded(&storage, camera, before[camera] + 2);
    }
    assert_whole(&storage, "porch");
    let (_, missing) = times(&storage, "porch");
    assert_eq!(missing, []);
}

#[test]
fn a_pause_lasts_until_the_first_picture_after_it() {
    let (_cameras, config) = cameras(&["porch"]);
    let daemon = Daemon::start_with("segment_seconds = 5", &config);
    let storage = daemon.storage();
    recorded(&storage, "porch", 1);
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    assert_eq!(client.post("/cameras/porch/pause", "").0, 303);
    let state = |state: &str| {
        within(PATIENCE, state, || (client.json("/api/cameras")[0]["state"] == *state).then_some(()));
    };
    state("paused");
    let before = times(&storage, "porch").0.len();
    assert_eq!(client.post("/cameras/porch/resume", "").0, 303);
    let spans = recorded(&storage, "porch", before + 2);
    let listed = gaps_of(&storage, "porch");
    assert!(listed.iter().all(|gap| gap.cause == GapCause::Paused), "{listed:?}");
    let whole = UtcSpan::new(spans[0].start(), spans[spans.len() - 1].end()).expect("in order");
    for untold in uncovered(whole, spans.into_iter().chain(listed.iter().map(|gap| gap.span))) {
        assert!(untold.length() < NOTHING, "{untold:?} is neither recorded nor listed: {listed:?}");
    }
}

#[test]
fn it_ends_within_five_seconds_with_every_segment_closed_and_tells_systemd() {
    let ids = ["porch", "nursery", "garden", "garage"];
    let (_cameras, config) = cameras(&ids);
    let folder = tempfile::tempdir().expect("a folder");
    let systemd = UnixDatagram::bind(folder.path().join("notify")).expect("bound");
    systemd.set_read_timeout(Some(PATIENCE)).expect("set");
    let hears = |what: &str| {
        let mut text = [0; 4096];
        loop {
            let length = systemd.recv(&mut text).unwrap_or_else(|error| panic!("no {what} came: {error}"));
            if String::from_utf8_lossy(&text[..length]).lines().any(|line| line == what) {
                return;
            }
        }
    };
    let storage = folder.path().join("storage");
    let path = folder.path().join("config.toml");
    let text = format!(
        "[storage]\npath = \"{}\"\nkeep_free = \"1%\"\n[web]\nlisten = \"127.0.0.1:0\"\ntls = \"off\"\n\
         [discovery]\nmdns = false\nonvif = false\n{config}",
        storage.display()
    );
    fs::write(&path, text).expect("written");
    let mut daemon = Command::new(HEARTHWATCH)
        .args(["run", "--config"])
        .arg(&path)
        .env("NOTIFY_SOCKET", folder.path().join("notify"))
        .env("WATCHDOG_USEC", "2000000")
        .env_remove("WATCHDOG_PID")
        .stdin(Stdio::null())
        .spawn()
        .expect("it starts");
    hears("READY=1");
    hears("WATCHDOG=1");
    within(PATIENCE, "every camera is being recorded", || {
        let parts = ids.iter().filter(|id| {
            let days = fs::read_dir(storage.join("footage").join(id)).into_iter().flatten().flatten();
            let mut files = days.flat_map(|day| fs::read_dir(day.path()).into_iter().flatten().flatten());
            files.any(|file| file.metadata().is_ok_and(|metadata| metadata.len() > 10_000))
        });
        (parts.count() == ids.len()).then_some(())
    });
    let asked = Instant::now();
    rustix::process::kill_process(rustix::process::Pid::from_child(&daemon), rustix::process::Signal::TERM)
        .expect("it runs");
    hears("STOPPING=1");
    within(PATIENCE, "every segment is closed", || {
        (support::closed_segments(&storage.join("footage")).len() == ids.len()).then_some(())
    });
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(5), "closing took {took:?}");
    assert!(daemon.wait().expect("it ends").success());
    for id in ids {
        assert_eq!(times(&storage, id).0.len(), 1, "{id} has its row");
    }
    let output = Command::new(HEARTHWATCH).args(["check", "--config"]).arg(&path).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
