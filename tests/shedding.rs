//! Looking for motion with less time than it takes: key frames alone while nothing moves, by choice or because the machine is too
//! busy. Whoever walks through is found all the same, cameras share what time there is, and recording loses nothing.
//!
//! The machine is made busy by a program that stands before each decoder, and lets each picture take its time of a single core.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hearthwatch::index::check::uncovered;
use hearthwatch::units::UtcSpan;
use serde_json::Value;
use support::listed::listed;
use support::{Client, Daemon, FakeCamera, HEARTHWATCH, have, within};

const PATIENCE: Duration = Duration::from_secs(180);
/// Less than the time between two pictures.
const NOTHING: Duration = Duration::from_millis(200);

fn is_slow() -> bool {
    std::env::var_os("HEARTHWATCH_SLOW").is_some_and(|value| value == "1")
}

/// What the metrics say of each camera under that name.
fn metric(client: &Client, name: &str) -> BTreeMap<String, f64> {
    let (status, text) = client.get("/metrics");
    assert_eq!(status, 200);
    let text = String::from_utf8(text).expect("UTF-8");
    let prefix = format!("hearthwatch_{name}{{camera=\"");
    let samples = text.lines().filter_map(|line| line.strip_prefix(&prefix)?.split_once("\"} "));
    samples.map(|(camera, value)| (camera.to_owned(), value.parse().expect("a number"))).collect()
}

/// When the events of that camera began, oldest first.
fn starts(client: &Client, camera: &str) -> Vec<f64> {
    let events = client.json(&format!("/api/events?camera={camera}"));
    let mut starts: Vec<f64> =
        events.as_array().expect("a list").iter().filter_map(|event| event["start"].as_f64()).collect();
    starts.sort_by(f64::total_cmp);
    starts
}

#[test]
fn a_camera_of_whom_only_key_frames_are_decoded_tells_when_somebody_came_as_one_of_whom_all_are() {
    let camera = FakeCamera::start(&["--size", "320x180", "--fps", "10", "--scene", "walker"]);
    let url = &camera.url;
    let daemon = Daemon::start(&format!(
        "[cameras.all]\nurl = \"{url}\"\n[cameras.keys]\nurl = \"{url}\"\nmotion.decode = \"key_frames\"\n"
    ));
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    // At first all pictures are decoded, to learn what is usual; then somebody comes who finds key frames alone decoded.
    let known = within(PATIENCE, "calm", || {
        let passed_over = metric(&client, "frames_passed_over_total");
        (passed_over["keys"] >= 10.0).then(|| starts(&client, "all").len())
    });
    let (all, keys) = within(PATIENCE, "somebody walks through", || {
        let (all, keys) = (starts(&client, "all"), starts(&client, "keys"));
        let newest = *all.get(known)?;
        Some((newest, keys.into_iter().min_by(|a, b| (a - newest).abs().total_cmp(&(b - newest).abs()))?))
            .filter(|(all, keys)| (all - keys).abs() < 5.0)
    });
    assert!((all - keys).abs() < 1.0, "began at {all}, by the key frames at {keys}");

    assert!(metric(&client, "frames_passed_over_total")["all"] < 1.0);
    assert_eq!(metric(&client, "key_frames_only"), BTreeMap::from([("all".to_owned(), 0.0), ("keys".to_owned(), 1.0)]));
    assert_eq!(decode(&client), BTreeMap::from([("all".into(), "all".into()), ("keys".into(), "key_frames".into())]));
    let (_, page) = client.get("/cameras");
    assert_eq!(
        String::from_utf8(page).expect("UTF-8").matches("As its settings say, one picture every few").count(),
        1
    );

    // The setting counts from now on.
    daemon.change("motion.decode = \"key_frames\"", "");
    within(PATIENCE, "all are decoded again", || decode(&client).values().all(|decode| decode == "all").then_some(()));
}

/// What is decoded of each camera.
fn decode(client: &Client) -> BTreeMap<String, String> {
    let cameras = client.json("/api/cameras");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    cameras.as_array().expect("a list").iter().map(|camera| (text(&camera["id"]), text(&camera["decode"]))).collect()
}

/// Stands before the decoder, hands on what it is asked, and lets each picture take as many milliseconds as the file says, of a
/// time that all decoders share.
const BUSY: &str = r#"#!/usr/bin/python3 -IS
import fcntl, struct, subprocess, sys, time
if sys.argv[1:] != ["decoder"]:
    sys.exit("only for decoders")
decoder = subprocess.Popen(["HEARTHWATCH", "decoder"], stdin=subprocess.PIPE)
shared = open("SHARED", "a")
while len(head := sys.stdin.buffer.read(8)) == 8:
    body = sys.stdin.buffer.read(struct.unpack("<I", head[4:])[0])
    if head[3] == 2:
        fcntl.flock(shared, fcntl.LOCK_EX)
        time.sleep(float(open("SLOWNESS").read()) / 1000)
        fcntl.flock(shared, fcntl.LOCK_UN)
    decoder.stdin.write(head + body)
    decoder.stdin.flush()
"#;

/// Lets whoever asks for this program's own file get the name of another.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
ssize_t readlink(const char *path, char *into, size_t size) {
    static ssize_t (*real)(const char *, char *, size_t);
    if (!real) real = (ssize_t (*)(const char *, char *, size_t))dlsym(RTLD_NEXT, "readlink");
    const char *other = getenv("OTHER_SELF");
    if (!other || strcmp(path, "/proc/self/exe")) return real(path, into, size);
    size_t length = strlen(other) < size ? strlen(other) : size;
    memcpy(into, other, length);
    return (ssize_t)length;
}
"#;

/// The variables with which a daemon's decoders are slow.
fn busy(folder: &Path, slowness: &Path) -> Vec<(String, String)> {
    let (source, library, program) = (folder.join("self.c"), folder.join("self.so"), folder.join("busy"));
    std::fs::write(&source, SHIM).expect("written");
    let made =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).arg("-ldl").status();
    assert!(made.expect("cc runs").success(), "the library is made");
    let shared = folder.join("shared");
    let text = BUSY
        .replace("HEARTHWATCH", HEARTHWATCH)
        .replace("SHARED", &shared.display().to_string())
        .replace("SLOWNESS", &slowness.display().to_string());
    std::fs::write(&program, text).expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("a program");
    let path = |path: PathBuf| path.display().to_string();
    vec![("LD_PRELOAD".to_owned(), path(library)), ("OTHER_SELF".to_owned(), path(program))]
}

/// Nothing is missing between the first and the last segment.
fn assert_whole(storage: &Path, camera: &str) {
    let (rows, gaps) = listed(storage, camera).expect("the index answers");
    let spans: Vec<UtcSpan> = rows.iter().map(|row| row.span).collect();
    let whole = UtcSpan::new(spans[0].start(), spans[spans.len() - 1].end()).expect("in order");
    for missing in uncovered(whole, spans.iter().copied()) {
        assert!(missing.length() < NOTHING, "{camera}: {missing:?} is missing of {spans:?}, listed {gaps:?}");
    }
}

#[test]
fn a_machine_that_is_too_busy_looks_at_key_frames_of_some_in_turns_and_records_everything_of_all() {
    if !have("cc") || !Path::new("/usr/bin/python3").exists() {
        println!("skipped: there is no C compiler or no Python to make decoders slow");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let slowness = folder.path().join("slowness");
    let takes = |ms: u32| std::fs::write(&slowness, ms.to_string()).expect("written");
    takes(0);
    let ids = ["attic", "cellar", "garden", "porch"];
    let arguments = ["--size", "320x180", "--fps", "10", "--scene", "empty"];
    let cameras: Vec<_> = ids.iter().map(|_| FakeCamera::start(&arguments)).collect();
    let mut config = String::new();
    for (id, camera) in ids.iter().zip(&cameras) {
        writeln!(config, "[cameras.{id}]\nurl = \"{}\"", camera.url).expect("text");
    }
    let daemon = Daemon::start_among(busy(folder.path(), &slowness), "segment_seconds = 5", &config);
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    within(PATIENCE, "all are looked at, and known", || {
        metric(&client, "frames_decoded_total").values().all(|decoded| *decoded >= 120.0).then_some(())
    });
    let shed = || -> Vec<String> {
        metric(&client, "key_frames_only").into_iter().filter(|(_, is_shed)| *is_shed > 0.0).map(|(id, _)| id).collect()
    };
    // For forty pictures a second there is half of the time that they take.
    takes(50);
    let some = within(PATIENCE, "some are shed, and not all", || {
        let shed = shed();
        let passed_over = metric(&client, "frames_passed_over_total");
        let is_so = (1..ids.len()).contains(&shed.len()) && shed.iter().all(|id| passed_over[id] >= 20.0);
        is_so.then_some(shed)
    });
    let said = client.json("/api/health")["cameras"][&some[0]]["decoding"].as_str().map(str::to_owned);
    assert!(said.as_ref().is_some_and(|said| said.contains("too busy")), "{said:?}");
    assert_eq!(decode(&client)[&some[0]], "overload");
    let before = metric(&client, "frames_decoded_total");
    if is_slow() {
        let mut had: BTreeMap<String, u32> = BTreeMap::new();
        within(Duration::from_secs(600), "everybody has a turn", || {
            let shed = shed();
            for id in ids.iter().filter(|id| !shed.contains(&(**id).to_owned())) {
                *had.entry((*id).to_owned()).or_default() += 1;
            }
            (had.len() == ids.len() && had.values().all(|had| *had > 100)).then_some(())
        });
        takes(0);
        within(Duration::from_secs(1_800), "all is well again", || shed().is_empty().then_some(()));
    } else {
        // It goes on for everybody, if only with key frames.
        within(PATIENCE, "each is looked at", || {
            let now = metric(&client, "frames_decoded_total");
            ids.iter().all(|id| now[*id] >= before[*id] + 2.0).then_some(())
        });
    }
    let recorded = metric(&client, "recorded_seconds_total");
    within(PATIENCE, "recording goes on", || {
        let now = metric(&client, "recorded_seconds_total");
        ids.iter().all(|id| now[*id] >= recorded[*id] + 5.0).then_some(())
    });
    for id in ids {
        assert_whole(&daemon.storage(), id);
    }
}
