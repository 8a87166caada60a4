//! The daemon records a third party's cameras: nothing is missing, nothing is invented.

#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "interop/gst.rs"]
mod gst;
mod support;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gst::{Camera, make_clip};
use hearthwatch::record::segment::ClosedSegment;
use support::listed::listed;
use support::{Daemon, complaints, within};

/// How long each camera sends.
const SECONDS: u32 = 125;
/// Pictures a second.
const RATE: u32 = 15;
/// How far the recorded span may be from the time that was sent, and segments from each other.
const TOLERANCE: Duration = Duration::from_millis(100);

fn segments_of(storage: &Path, camera: &str) -> Vec<ClosedSegment> {
    listed(storage, camera).expect("the index answers").0
}

/// Pictures in a file, counted by ffprobe.
fn counted(file: &Path) -> u32 {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-count_packets", "-show_entries", "stream=nb_read_packets"])
        .args(["-of", "csv=p=0"])
        .arg(file)
        .output()
        .expect("ffprobe runs");
    String::from_utf8_lossy(&output.stdout).trim().trim_end_matches(',').parse().expect("a number")
}

#[test]
fn two_minutes_of_a_third_party_are_recorded_without_a_gap() {
    let clips = tempfile::tempdir().expect("a temporary folder");
    let (avc, hevc) = (clips.path().join("avc.mp4"), clips.path().join("hevc.mp4"));
    let group = (RATE * 2).to_string();
    let avc_options = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", &group];
    let hevc_options = [
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-g",
        &group,
        "-x265-params",
        "log-level=none:open-gop=0",
        "-tag:v",
        "hvc1",
    ];
    if make_clip(&avc, &avc_options, SECONDS).is_none() || make_clip(&hevc, &hevc_options, SECONDS).is_none() {
        return;
    }
    let cameras = [
        ("live-h264", "h264:live:640x360@15".to_owned()),
        ("live-h265", "h265:live:320x240@15".to_owned()),
        ("file-h264", avc.display().to_string()),
        ("file-h265", hevc.display().to_string()),
    ];
    let frames = (SECONDS * RATE).to_string();
    let mut running = Vec::new();
    let mut config = String::new();
    for (name, source) in &cameras {
        let mount = format!("/{name}={source}");
        let arguments = [
            "--listen",
            "127.0.0.1:0",
            "--frames",
            &frames,
            "--user",
            "viewer",
            "--password",
            "sesame",
            "--mount",
            &mount,
        ];
        let Some(camera) = Camera::start(&arguments) else { return };
        writeln!(
            config,
            "[cameras.{name}]\nname = \"{name}\"\nurl = \"{}\"\nusername = \"viewer\"\npassword = \"sesame\"\nmotion.enabled = false",
            camera.url(&format!("/{name}"))
        )
        .expect("a String takes text");
        running.push(camera);
    }
    let daemon = Daemon::start(&config);

    for ((name, _), camera) in cameras.iter().zip(&mut running) {
        within(Duration::from_secs(u64::from(SECONDS) + 60), "the last picture is sent", || {
            (camera.sent(&format!("/{name}")) == u64::from(SECONDS * RATE)).then_some(())
        });
    }
    let (code, dir) = daemon.stop();
    assert_eq!(code, Some(0));

    let storage = dir.path().join("storage");
    for (name, _) in &cameras {
        let segments = segments_of(&storage, name);
        assert!(segments.len() >= 2, "{name}: two minutes are several segments: {segments:?}");
        let pictures: u32 = segments.iter().map(|segment| segment.pictures).sum();
        assert_eq!(pictures, SECONDS * RATE, "{name}: pictures recorded = pictures sent");
        let in_files: u32 = segments.iter().map(|segment| counted(&storage.join(&segment.path))).sum();
        assert_eq!(in_files, SECONDS * RATE, "{name}: the files hold what the index says");
        for (before, after) in segments.iter().zip(&segments[1..]) {
            let gap = after.span.start().offset_from(before.span.end()).unsigned_abs();
            assert!(Duration::from_micros(gap) <= TOLERANCE, "{name}: {gap} µs between {before:?} and {after:?}");
        }
        let first = segments.first().expect("not empty").span.start();
        let last = segments.last().expect("not empty").span.end();
        let recorded = last.since(first);
        let off = recorded.abs_diff(Duration::from_secs(SECONDS.into()));
        assert!(off <= TOLERANCE, "{name}: {recorded:?} were recorded of {SECONDS} s that were sent");
        for segment in &segments {
            assert_eq!(complaints(&storage.join(&segment.path)), "", "{name}: {}", segment.path.display());
        }
    }
}
