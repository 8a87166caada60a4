//! A house full of people who all watch at once: recording loses nothing by it, and the recorder's memory does not grow.
//!
//! Twenty viewers of four cameras, for ten minutes with `HEARTHWATCH_SLOW=1`, for a quarter of a minute else.

#![expect(clippy::disallowed_methods, reason = "a test of a real process waits in real time")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde_json::Value;
use support::{Client, Daemon, FakeCamera, within};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const CAMERAS: usize = 4;
const VIEWERS: usize = 20;

/// How long they watch, and what the cameras send.
fn extent() -> (Duration, [&'static str; 4]) {
    let is_slow = std::env::var_os("HEARTHWATCH_SLOW").is_some_and(|value| value == "1");
    if is_slow {
        (Duration::from_secs(600), ["--size", "640x360", "--fps", "15"])
    } else {
        (Duration::from_secs(15), ["--size", "320x180", "--fps", "10"])
    }
}

/// Resident memory of a process, in bytes.
fn memory(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1024
}

/// What one viewer got.
#[derive(Default)]
struct Got {
    fragments: AtomicU64,
    bytes: AtomicU64,
}

/// Watches a camera until the connection ends; each message must be whole boxes, the init segment first.
async fn watch(origin: String, cookie: String, camera: String, got: Arc<Got>) {
    let address = format!("{}/api/cameras/{camera}/live?stream=main", origin.replace("http", "ws"));
    let mut request = address.into_client_request().expect("a request");
    request.headers_mut().insert("cookie", cookie.parse().expect("a cookie"));
    request.headers_mut().insert("origin", origin.parse().expect("an origin"));
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("let in");
    let mut is_first = true;
    while let Some(Ok(message)) = socket.next().await {
        let Message::Binary(bytes) = message else { continue };
        assert_eq!(&bytes[4..8], if is_first { b"ftyp" } else { b"moof" }, "a whole message");
        is_first = false;
        got.fragments.fetch_add(bytes.windows(4).filter(|name| name == b"moof").count() as u64, Ordering::Relaxed);
        got.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
}

fn median(sizes: &[u64]) -> u64 {
    let mut sizes = sizes.to_vec();
    sizes.sort_unstable();
    sizes[sizes.len() / 2]
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn twenty_viewers_cost_the_recording_nothing_and_no_memory() {
    let (length, sends) = extent();
    let cameras: Vec<_> = (1..=CAMERAS)
        .map(|n| FakeCamera::start(&[&["--scene", "empty", "--watermark", &n.to_string()], &sends[..]].concat()))
        .collect();
    let id = |n: usize| format!("camera-{}", n % CAMERAS + 1);
    let sections: Vec<_> = cameras
        .iter()
        .enumerate()
        .map(|(n, camera)| format!("[cameras.{}]\nurl = \"{}\"\n", id(n), camera.url))
        .collect();
    let daemon = Daemon::start_with("segment_seconds = 10", &sections.concat());
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    within(Duration::from_secs(60), "all cameras stream", || {
        let all = client.json("/api/cameras");
        let streaming = all.as_array()?.iter().filter(|camera| camera["state"] == "streaming").count();
        (streaming == CAMERAS).then_some(())
    });
    // What comes with the first seconds of each camera is there before anybody looks.
    let now = || std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs_f64();
    let recorded = |n: usize| {
        let path = format!("/api/cameras/{}/recordings?after={}&before={}", id(n), now() - 3600.0, now());
        let known = client.json(&path);
        let length = |span: &Value| span["end"].as_f64().unwrap_or(0.0) - span["start"].as_f64().unwrap_or(0.0);
        (known["spans"].as_array().expect("a list").iter().map(length).sum::<f64>(), known)
    };
    within(Duration::from_secs(60), "all cameras are recorded", || {
        (0..CAMERAS).all(|n| recorded(n).0 > 4.0).then_some(())
    });

    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let got: Vec<_> = (0..VIEWERS).map(|_| Arc::new(Got::default())).collect();
    let began = Instant::now();
    let watching: Vec<_> = got
        .iter()
        .enumerate()
        .map(|(n, got)| runtime.spawn(watch(daemon.origin.clone(), client.cookie().to_owned(), id(n), got.clone())))
        .collect();
    let before: Vec<_> = (0..CAMERAS).map(|n| recorded(n).0).collect();
    let pid = daemon.pid().as_raw_nonzero().get();
    let mut sizes = Vec::new();
    while began.elapsed() < length {
        std::thread::sleep(Duration::from_secs(1).min(length));
        sizes.push(memory(pid));
    }
    let watched = began.elapsed().as_secs_f64();
    assert!(watching.iter().all(|viewer| !viewer.is_finished()), "nobody was sent away");
    for (n, before) in before.iter().enumerate() {
        let (after, known) = recorded(n);
        assert_eq!(known["gaps"].as_array().map(Vec::len), Some(0), "{}: {known}", id(n));
        assert_eq!(known["spans"].as_array().map(Vec::len), Some(1), "{}: {known}", id(n));
        assert!(after - before > watched - 8.0, "{}: {before} s, then {after} s after {watched} s", id(n));
    }
    let fps: f64 = sends[3].parse().expect("a number");
    let fragments: Vec<_> = got.iter().map(|got| got.fragments.load(Ordering::Relaxed)).collect();
    let least = fragments.iter().min().copied().unwrap_or(0) as f64;
    let bytes: u64 = got.iter().map(|got| got.bytes.load(Ordering::Relaxed)).sum();
    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    // Once everybody is there, the first third of the time against the last.
    let third = sizes.len() / 3;
    let (early, late) =
        (median(&sizes[third / 2..third.max(third / 2 + 1)]), median(&sizes[sizes.len() - third.max(1)..]));
    println!(
        "{VIEWERS} viewers of {CAMERAS} cameras for {watched:.0} s: {:.1} pictures a second each at least (of {fps}), {:.1} MiB sent in all; \
         memory {:.1} MiB early, {:.1} MiB late, {:.1} MiB at most; recorded without a gap",
        least / watched,
        mib(bytes),
        mib(early),
        mib(late),
        mib(sizes.iter().max().copied().unwrap_or(0))
    );
    assert!(least / watched > fps * 0.7, "{fragments:?}");
    assert!(late < early + (12 << 20), "memory grew from {early} to {late}: {sizes:?}");
    drop(runtime);
}
