//! What cameras do wrong: each fault costs the seconds it may cost and no more, they are listed with their cause, and what is
//! on disk is whole.

mod support;

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use hearthwatch::index::check::uncovered;
use hearthwatch::record::segment::{ClosedSegment, Gap, GapCause};
use hearthwatch::units::{Clock, UtcMicros, UtcSpan};
use support::listed::listed;
use support::{Client, Daemon, FakeCamera, HEARTHWATCH, complaints, have, within};

/// From one key frame of a fake camera to the next: what is missing ends with one.
const GROUP_S: f64 = 2.0;
/// What a busy machine may add.
const SLACK_S: f64 = 4.0;
/// How long after the cameras' start everything that goes wrong is over.
const END: Duration = Duration::from_secs(44);
/// Less than the time between two pictures.
const NOTHING: Duration = Duration::from_millis(150);

/// One camera with what goes wrong, and what that may cost.
struct Case {
    id: &'static str,
    fault: &'static str,
    /// More settings of the camera.
    settings: &'static str,
    /// Seconds that must and that may be missing.
    missing_s: (f64, f64),
    causes: &'static [GapCause],
    /// Whether every picture that was filed can be decoded.
    is_clean: bool,
}

const NORMAL: Case = Case { id: "", fault: "", settings: "", missing_s: (0.0, 0.0), causes: &[], is_clean: true };

/// A first new attempt comes within a second, the next ones within two, four and eight.
const CASES: [Case; 10] = [
    Case {
        id: "stall",
        fault: "stall@20s:5s",
        missing_s: (4.8, 5.0 + GROUP_S),
        causes: &[GapCause::CameraStalled],
        ..NORMAL
    },
    // After ten seconds without a picture it is connected anew.
    Case {
        id: "long-stall",
        fault: "stall@18s:14s",
        missing_s: (13.8, 14.0 + GROUP_S),
        causes: &[GapCause::CameraStalled],
        ..NORMAL
    },
    Case {
        id: "drop",
        fault: "drop@20s",
        missing_s: (0.3, 1.0 + GROUP_S),
        causes: &[GapCause::CameraUnreachable],
        ..NORMAL
    },
    Case {
        id: "away",
        fault: "drop@18s:6s",
        missing_s: (5.8, 6.0 + 8.0 + GROUP_S),
        causes: &[GapCause::CameraUnreachable],
        ..NORMAL
    },
    // Garbage may look like pictures for a while; up to the next key frame all is of no use.
    Case {
        id: "garbage",
        fault: "garbage@20s:2s",
        missing_s: (0.0, 2.0 + GROUP_S),
        causes: &[GapCause::PacketLoss, GapCause::BadStream, GapCause::CameraStalled, GapCause::CameraUnreachable],
        is_clean: false,
        ..NORMAL
    },
    Case {
        id: "wrong-answer",
        fault: "cseq@20s:2s",
        missing_s: (0.3, 2.0 + 4.0 + GROUP_S),
        causes: &[GapCause::BadStream],
        ..NORMAL
    },
    Case { id: "jump", fault: "jump@16s:+1h,jump@22s:-2h,jump@28s:+1ms", ..NORMAL },
    Case { id: "wrap", fault: "wrap@20s,b-frames,rtcp-silent", ..NORMAL },
    Case { id: "resolution", fault: "resolution@20s:640x360,resolution@30s:320x180", ..NORMAL },
    // Pictures are damaged for a moment, but none is missing for long.
    Case {
        id: "loss",
        fault: "loss:5%",
        settings: "transport = \"udp\"",
        missing_s: (0.0, GROUP_S),
        causes: &[GapCause::PacketLoss],
        is_clean: false,
    },
];

fn rows(daemon: &Daemon, camera: &str) -> (Vec<ClosedSegment>, Vec<Gap>) {
    listed(&daemon.storage(), camera).expect("the index answers")
}

fn seconds(value: &serde_json::Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("seconds, not {value}"))
}

/// What the API tells of the camera's last minutes.
fn told(client: &Client, camera: &str, now: UtcMicros) -> serde_json::Value {
    let now = now.as_unix_seconds();
    client.json(&format!("/api/cameras/{camera}/recordings?after={}&before={}", now - 1000.0, now + 1000.0))
}

/// The seconds that the metrics count as lost for that cause.
fn lost_seconds(client: &Client, camera: &str, cause: &str) -> f64 {
    let (status, text) = client.get("/metrics");
    assert_eq!(status, 200);
    let text = String::from_utf8(text).expect("UTF-8");
    let line = format!("hearthwatch_lost_seconds_total{{camera=\"{camera}\",cause=\"{cause}\"}} ");
    text.lines().find_map(|text| text.strip_prefix(&line)).map_or(0.0, |value| value.parse().expect("a number"))
}

#[test]
fn each_fault_costs_what_it_may_and_says_so() {
    if !have("ffmpeg") {
        println!("skipped: ffmpeg is not installed");
        return;
    }
    let clock = Clock::system();
    let arguments = |fault| ["--size", "320x180", "--fps", "10", "--scene", "empty", "--fault", fault];
    let cameras: Vec<_> = CASES.iter().map(|case| FakeCamera::start(&arguments(case.fault))).collect();
    let locked = FakeCamera::start(&["--size", "320x180", "--fps", "5", "--user", "viewer", "--password", "right"]);
    let over = clock.now().plus(END);
    let mut config = String::new();
    for (case, camera) in CASES.iter().zip(&cameras) {
        let (id, url, settings) = (case.id, &camera.url, case.settings);
        writeln!(config, "[cameras.{id}]\nurl = \"{url}\"\n{settings}\n[cameras.{id}.motion]\nenabled = false")
            .expect("text");
    }
    let url = &locked.url;
    writeln!(config, "[cameras.locked]\nurl = \"{url}\"\nusername = \"viewer\"\npassword = \"wrong\"").expect("text");
    let daemon = Daemon::start_with("segment_seconds = 10", &config);
    let client = Client::by_password(&daemon.origin, &daemon.owner());

    // A camera that is never recorded is listed as missing all the while.
    let mut ends = Vec::new();
    for _ in 0..2 {
        let end = within(Duration::from_secs(40), "what lasts is listed", || {
            let told = told(&client, "locked", clock.now());
            let gap = told["gaps"].as_array().and_then(|gaps| gaps.first()).cloned()?;
            assert_eq!(gap["cause"], "wrong_password", "{told}");
            let (end, now) = (seconds(&gap["end"]), clock.now().as_unix_seconds());
            let is_new = ends.last().is_none_or(|before| end > *before);
            (is_new && now - end < 10.0 + SLACK_S).then_some(end)
        });
        ends.push(end);
    }
    assert!(lost_seconds(&client, "locked", "wrong_password") >= 5.0);
    let (status, page) = client.get("/cameras/locked");
    let page = String::from_utf8_lossy(&page).into_owned();
    assert!(status == 200 && page.contains("the camera refused the password"), "{page}");

    for case in &CASES {
        within(END + Duration::from_secs(60), case.id, || {
            let told = told(&client, case.id, clock.now());
            let last = told["spans"].as_array().and_then(|spans| spans.last()).cloned()?;
            (seconds(&last["end"]) > over.as_unix_seconds()).then_some(())
        });
        let listed: f64 = GapCause::ALL.iter().map(|cause| lost_seconds(&client, case.id, cause.name())).sum();
        let sum: f64 = rows(&daemon, case.id).1.iter().map(|gap| gap.span.length().as_secs_f64()).sum();
        assert!((listed - sum).abs() < 0.1, "{}: {listed} s counted, {sum} s listed", case.id);
    }

    rustix::process::kill_process(daemon.pid(), rustix::process::Signal::TERM).expect("it is running");
    let address = daemon.origin.strip_prefix("http://").expect("an origin");
    within(Duration::from_secs(20), "it ends", || std::net::TcpStream::connect(address).err());
    let check = || {
        let command = Command::new(HEARTHWATCH).arg("check").arg("--config").arg(daemon.config()).output();
        command.expect("it runs")
    };
    let output = check();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    for case in &CASES {
        let (segments, gaps) = rows(&daemon, case.id);
        let id = case.id;
        println!(
            "{id}: {} segments, {} pictures, missing {:?}",
            segments.len(),
            segments.iter().map(|segment| segment.pictures).sum::<u32>(),
            gaps.iter().map(|gap| (gap.span.length(), gap.cause.name())).collect::<Vec<_>>()
        );
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else { panic!("{id}: nothing recorded") };
        let whole = UtcSpan::new(first.span.start(), last.span.end()).expect("in order");
        let missing: f64 =
            gaps.iter().filter_map(|gap| gap.span.intersection(whole)).map(|gap| gap.length().as_secs_f64()).sum();
        let (least, most) = case.missing_s;
        let most = if most > 0.0 { most + SLACK_S } else { 0.0 };
        assert!((least..=most).contains(&missing), "{id}: {missing} s are missing: {gaps:?}");
        for gap in &gaps {
            assert!(case.causes.contains(&gap.cause), "{id}: {gap:?}");
        }
        let told = segments.iter().map(|segment| segment.span).chain(gaps.iter().map(|gap| gap.span));
        for untold in uncovered(whole, told) {
            assert!(untold.length() < NOTHING, "{id}: {untold:?} is neither recorded nor listed");
        }
        for pair in segments.windows(2) {
            let twice = pair[0].span.end().since(pair[1].span.start());
            assert!(twice < Duration::from_millis(1), "{id}: {pair:?} overlap");
        }
        for segment in &segments {
            let path = daemon.storage().join(&segment.path);
            let said = if case.is_clean { complaints(&path) } else { probe(&path) };
            assert_eq!(said, "", "{id}: {}", path.display());
        }
        if id == "resolution" {
            let mut widths: Vec<_> = segments.iter().map(|segment| segment.width).collect();
            widths.dedup();
            assert_eq!(widths, [320, 640, 320]);
        }
    }
}

/// What ffprobe complains about when it reads every packet of a file.
fn probe(path: &std::path::Path) -> String {
    let output = Command::new("ffprobe").args(["-v", "fatal", "-count_packets", "-show_streams"]).arg(path).output();
    let output = output.expect("ffprobe runs");
    String::from_utf8_lossy(&output.stderr).into_owned()
}
