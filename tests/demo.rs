//! The main job: `hearthwatch demo` finds cameras, records them, watches them and serves what it saw.

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hearthwatch::fake_camera::watermark;
use serde_json::Value;
use support::{Client, Demo, closed_segments, complaints, have, within};

/// The number painted into a JPEG, decoded by an independent decoder.
fn watermark_of(jpeg: &Path) -> Option<u16> {
    let (width, height) = (640, 360);
    let grey = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(jpeg)
        .args(["-vf", &format!("scale={width}:{height}"), "-f", "rawvideo", "-pix_fmt", "gray", "-"])
        .stderr(Stdio::inherit())
        .output()
        .expect("ffmpeg runs");
    watermark::read(&grey.stdout, width, height, width)
}

fn events_of<'a>(events: &'a Value, camera: &str) -> Vec<&'a Value> {
    events.as_array().expect("a list").iter().filter(|event| event["camera"] == camera).collect()
}

#[test]
fn the_demo_finds_records_watches_and_serves() {
    if !have("ffmpeg") || !have("ffprobe") {
        println!("skipped: ffmpeg is not installed, so nothing independent can judge the recordings");
        return;
    }
    let demo = Demo::start(3);
    let client = Client::by_link(&demo.origin, &demo.link);

    let cameras = within(Duration::from_secs(30), "three cameras streaming", || {
        let cameras = client.json("/api/cameras");
        let list = cameras.as_array().expect("a list").clone();
        (list.len() == 3 && list.iter().all(|camera| camera["state"] == "streaming")).then_some(list)
    });
    let id = |camera: &Value| camera["id"].as_str().expect("an id").to_owned();
    let (empty, walked): (Vec<_>, Vec<_>) = cameras.iter().map(id).partition(|id| id == "garage");
    assert_eq!((empty.len(), walked.len()), (1, 2), "one scene without a walker: {cameras:?}");

    let events = within(Duration::from_secs(30), "an event with a thumbnail for each camera with a walker", || {
        let events = client.json("/api/events");
        walked
            .iter()
            .all(|camera| {
                events_of(&events, camera).iter().any(|event| {
                    let id = event["id"].as_str().expect("an id");
                    client.get(&format!("/api/events/{id}/thumbnail.jpg")).0 == 200
                })
            })
            .then_some(events)
    });

    // Each picture shows the number that its own camera paints, and no other.
    let mut numbers = Vec::new();
    for camera in &walked {
        for event in events_of(&events, camera) {
            let event = event["id"].as_str().expect("an id");
            let (status, jpeg) = client.get(&format!("/api/events/{event}/thumbnail.jpg"));
            if status == 404 {
                continue; // an event that has just begun
            }
            let file = demo.dir.path().join(format!("{event}.jpg"));
            std::fs::write(&file, jpeg).expect("a written file");
            let thumbnail = watermark_of(&file).expect("a readable watermark in the thumbnail");
            let (status, jpeg) = client.get(&format!("/api/cameras/{camera}/snapshot.jpg"));
            assert_eq!(status, 200, "a snapshot of {camera}");
            std::fs::write(&file, jpeg).expect("a written file");
            assert_eq!(watermark_of(&file), Some(thumbnail), "snapshot and thumbnail of {camera} are of one camera");
            numbers.push((camera.clone(), thumbnail));
        }
    }
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), walked.len(), "each camera has one number of its own: {numbers:?}");

    // The first segments close within a minute and a few seconds.
    let storage = demo.dir.path().to_owned();
    within(Duration::from_secs(100), "a closed segment for each camera", || {
        (closed_segments(&storage).len() >= 3).then_some(())
    });
    let events = client.json("/api/events?limit=1000");
    assert!(events_of(&events, "garage").is_empty(), "nobody walks in the garage: {events}");

    let (code, dir) = demo.stop();
    assert_eq!(code, Some(0), "Ctrl-C is a clean end");
    let segments = closed_segments(dir.path());
    assert!(segments.len() >= 6, "what was open is closed at the end: {segments:?}");
    for segment in segments {
        assert_eq!(complaints(&segment), "", "{}", segment.display());
    }
}
