//! What cameras themselves say of motion, over real RTSP: kept with its times, shown beside our events, and never worth a
//! picture of the recording.

#![expect(
    clippy::disallowed_methods,
    reason = "a test of real processes looks at the clock and at files where they are"
)]

mod support;

use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hearthwatch::camera::packet::Heard;
use hearthwatch::fake_camera::{Scene, walks};
use hearthwatch::index::Readers;
use hearthwatch::index::camera_motion::{self, Span};
use hearthwatch::units::{CameraId, UtcMicros, UtcSpan};
use serde_json::Value;
use support::listed::listed;
use support::{Client, Daemon, FakeCamera, HEARTHWATCH, closed_segments, complaints, have, within};

/// Generous: the machine may be busy.
const SOON: Duration = Duration::from_secs(120);

/// A camera, and between which moments it began, in Unix seconds.
struct Walked {
    camera: FakeCamera,
    began: (f64, f64),
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

fn start(more: &[&str]) -> Walked {
    let before = now();
    let camera = FakeCamera::start(&[&["--size", "320x180", "--fps", "5", "--watermark", "0"], more].concat());
    Walked { camera, began: (before, now()) }
}

fn configure(cameras: &[(&str, &Walked, &str)]) -> String {
    let mut config = String::new();
    for (name, walked, more) in cameras {
        writeln!(config, "[cameras.{name}]\nurl = \"{}\"\n{more}", walked.camera.url).expect("text");
    }
    config
}

fn spans(daemon: &Daemon, camera: &str, what: Heard) -> Vec<Span> {
    let camera: CameraId = camera.parse().expect("an id");
    let ever = UtcSpan::new(UtcMicros(0), UtcMicros(i64::MAX)).expect("in order");
    let readers = Readers::open(&daemon.storage().join("hearthwatch.db")).expect("the index opens");
    readers.read_blocking(|conn| camera_motion::between(conn, &camera, what, ever)).expect("the index answers")
}

/// Its walks that it said from their beginning to their end.
fn whole_walks(said: &[Value]) -> Vec<(f64, f64)> {
    let times = said.iter().filter_map(|said| Some((said["start"].as_f64()?, said["end"].as_f64()?)));
    times.filter(|(start, end)| (4.0..=6.0).contains(&(end - start))).collect()
}

/// Whether somebody came at that moment and went at that one, give or take a second.
fn is_a_walk(walked: &Walked, (start, end): (f64, f64)) -> bool {
    let (first, last) = walked.began;
    let mut walks = walks(Scene::Walker, 0).take(100);
    let fits = |said: f64, at: Duration| (first - 1.0..=last + 1.0).contains(&(said - at.as_secs_f64()));
    walks.any(|walk| fits(start, walk.start) && fits(end, walk.end))
}

fn today(client: &Client, camera: &str) -> Value {
    let now = now();
    client.json(&format!("/api/cameras/{camera}/recordings?after={}&before={}", now - 3_600.0, now + 60.0))
}

/// The camera's oldest event that is over.
fn event(client: &Client, camera: &str) -> Option<Value> {
    let events = client.json(&format!("/api/events?camera={camera}"));
    events.as_array()?.iter().rev().find(|event| !event["end"].is_null()).cloned()
}

fn page(client: &Client, path: &str) -> String {
    let (status, body) = client.get(path);
    assert_eq!(status, 200, "{path}");
    String::from_utf8(body).expect("UTF-8")
}

#[test]
fn what_a_camera_says_of_motion_is_kept_with_its_times_and_shown_beside_ours() {
    let speaking = start(&["--metadata", "--audio", "pcma"]);
    let over_udp = start(&["--metadata"]);
    let silent = start(&[]);
    let unintelligible = start(&["--metadata", "--fault", "mumble@0s:10h"]);
    let config = configure(&[
        ("porch", &speaking, ""),
        ("garden", &over_udp, "transport = \"udp\""),
        ("nursery", &silent, ""),
        ("shed", &unintelligible, ""),
    ]);
    let mut daemon = Daemon::start_with("segment_seconds = 10", &config);
    let owner = daemon.owner();
    let client = Client::by_password(&daemon.origin, &owner);

    for (name, walked) in [("porch", &speaking), ("garden", &over_udp)] {
        let said = within(SOON, "a whole walk was said", || {
            let said = whole_walks(today(&client, name)["camera_motion"].as_array()?);
            (!said.is_empty()).then_some(said)
        });
        println!("{name}: {said:?}, began within {:?}", walked.began);
        assert!(said.iter().all(|said| is_a_walk(walked, *said)), "{name}: {said:?}, began {:?}", walked.began);
    }
    // Its own word stands with the event, in JSON and on the page, and only where it was listened to.
    for (name, known, words) in [
        ("porch", Some(true), Some("The camera itself saw motion too, ")),
        ("garden", Some(true), Some("The camera itself saw motion too, ")),
        ("nursery", None, None),
        ("shed", Some(false), Some("The camera itself said nothing here.")),
    ] {
        let event = within(SOON, "somebody is seen", || event(&client, name));
        let said = event["camera_motion"].as_array().map(|said| !said.is_empty());
        assert_eq!(said, known, "{name}: {event}");
        let alone = client.json(&format!("/api/events/{}", event["id"].as_str().expect("an id")));
        assert_eq!(alone["camera_motion"].is_null(), known.is_none(), "{name}: {alone}");
        let shown = page(&client, &format!("/events/{}", event["id"].as_str().expect("an id")));
        assert_eq!(shown.contains("The camera itself"), words.is_some(), "{name}");
        assert!(words.is_none_or(|words| shown.contains(words)), "{name}: {shown}");
        let day = page(&client, &format!("/cameras/{name}"));
        assert_eq!(day.contains("class=\"bar-camera-motion\""), known == Some(true), "{name}");
        assert_eq!(day.contains("key-camera-motion"), known.is_some(), "{name}");
        assert_eq!(day.contains("It said nothing on this day."), known == Some(false), "{name}");
        assert_eq!(today(&client, name)["camera_motion"].is_null(), known.is_none(), "{name}");
    }
    assert!(page(&client, "/timeline").contains("class=\"bar-camera-motion\""));

    // The plug is pulled while somebody walks: what was left open ends, and the next life begins anew.
    within(SOON, "somebody walks", || spans(&daemon, "porch", Heard::Motion).last()?.end.is_none().then_some(()));
    daemon.kill();
    let killed = now();
    daemon.start_again();
    daemon.serves();
    let before = |span: &Span| span.start.as_unix_seconds() < killed;
    for (name, what) in [("porch", Heard::Motion), ("porch", Heard::Track), ("garden", Heard::Track)] {
        let left: Vec<_> = spans(&daemon, name, what).into_iter().filter(before).collect();
        assert!(!left.is_empty(), "{name}");
        for span in left {
            let end = span.end.unwrap_or_else(|| panic!("{name}: {span:?} goes on for ever"));
            assert!(end.as_unix_seconds() <= killed, "{name}: {span:?} ends after {killed}");
        }
    }
    within(SOON, "it is listened to again", || {
        spans(&daemon, "porch", Heard::Track).last()?.end.is_none().then_some(())
    });
    // In order, what goes on ends then.
    daemon.end();
    let ended = now();
    for span in [spans(&daemon, "porch", Heard::Track), spans(&daemon, "porch", Heard::Motion)].concat() {
        assert!(span.end.is_some_and(|end| end.as_unix_seconds() <= ended), "{span:?} and {ended}");
    }

    // The files know nothing of it.
    let check = Command::new(HEARTHWATCH).arg("check").arg("--config").arg(daemon.config()).output().expect("it runs");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    for (name, codecs) in [("porch", 2), ("garden", 1)] {
        let (rows, _) = listed(&daemon.storage(), name).expect("an index");
        assert!(rows.iter().all(|row| row.codecs.split(',').count() == codecs), "{rows:?}");
    }
    if have("ffmpeg") {
        for file in closed_segments(&daemon.storage().join("footage/porch")) {
            assert_eq!(complaints(&file), "", "{}", file.display());
        }
    }
}

/// What the process holds in memory, in MiB.
fn resident(daemon: &Daemon) -> u64 {
    let path = format!("/proc/{}/status", daemon.pid().as_raw_nonzero());
    let status = std::fs::read_to_string(path).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a size");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}

#[test]
fn whatever_a_camera_says_of_motion_its_pictures_are_recorded() {
    let cameras = ["mute", "sulk", "mumble@5s:10h", "shout@15s", "drone@15s:10h"]
        .map(|fault| (fault.split('@').next().expect("a name"), start(&["--metadata", "--fault", fault])));
    let all: Vec<_> = cameras.iter().map(|(name, walked)| (*name, walked, "")).collect();
    let daemon = Daemon::start_with("segment_seconds = 5", &configure(&all));
    for (name, walked) in &cameras {
        // Long enough after the beginning of what goes wrong.
        let enough = walked.began.1 + 45.0;
        let (rows, gaps) = within(SOON, "it is recorded until then", || {
            let (rows, gaps) = listed(&daemon.storage(), name)?;
            (rows.last()?.span.end().as_unix_seconds() > enough).then_some((rows, gaps))
        });
        let first = rows[0].span.start();
        let recorded: Duration = rows.iter().map(|row| row.span.length()).sum();
        let lost = rows[rows.len() - 1].span.end().since(first).saturating_sub(recorded);
        println!("{name}: {:.1} s recorded, {:.1} s lost", recorded.as_secs_f64(), lost.as_secs_f64());
        let gaps: Vec<_> = gaps.into_iter().filter(|gap| gap.span.start() > first).collect();
        if *name == "drone" {
            // Its connection was ended once, so that what it says does not fill all memory; then it is not listened to.
            assert!(gaps.len() == 1 && lost < Duration::from_secs(15), "{gaps:?}");
            assert!(spans(&daemon, name, Heard::Track).iter().all(|span| span.end.is_some()));
        } else {
            assert!(gaps.is_empty() && lost < Duration::from_millis(500), "{name}: {gaps:?}");
        }
        let listens = !spans(&daemon, name, Heard::Track).is_empty();
        assert_eq!(listens, !["mute", "sulk"].contains(name), "{name}");
    }
    let mib = resident(&daemon);
    println!("{mib} MiB at most");
    assert!(mib < 400, "{mib} MiB");
}
