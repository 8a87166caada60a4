//! G.711 sound from the camera to the file, the clip, HLS and the browser: every sample that was sent comes back as it was.

#![expect(clippy::disallowed_methods, reason = "a test looks at files where they are")]

mod support;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hearthwatch::fake_camera::{SOUND_RATE, SoundCodec};
use hearthwatch::record::segment::ClosedSegment;
use hearthwatch::units::UtcMicros;
use serde_json::Value;
use support::browser::Browser;
use support::listed::listed;
use support::{Client, Daemon, FakeCamera, HEARTHWATCH, complaints, have, within};

const PATIENCE: Duration = Duration::from_secs(90);
/// No camera of a test hears for longer.
const LONGEST: u64 = 240;

/// So many samples tell where in what was sent they are.
const BEGINNING: usize = 1500;
/// Cameras with sound, and how each is reached.
const CAMERAS: [(&str, SoundCodec, &str, &str); 3] = [
    ("porch", SoundCodec::Pcma, "tcp", ""),
    ("nursery", SoundCodec::Pcmu, "tcp", ""),
    ("garden", SoundCodec::Pcma, "udp", "loss:5%"),
];

fn start(cameras: &[(&str, SoundCodec, &str, &str)]) -> (Vec<FakeCamera>, String) {
    let mut config = String::new();
    let mut running = Vec::new();
    for (name, codec, transport, fault) in cameras {
        let codec = codec.to_string();
        let camera = FakeCamera::start(&["--size", "320x180", "--fps", "10", "--audio", &codec, "--fault", fault]);
        writeln!(
            config,
            "[cameras.{name}]\nurl = \"{}\"\ntransport = \"{transport}\"\n[cameras.{name}.motion]\nenabled = false",
            camera.url
        )
        .expect("text");
        running.push(camera);
    }
    (running, config)
}

/// What a program makes of that input on its standard output, without a word of complaint.
fn through(arguments: &[&str], input: Vec<u8>) -> Vec<u8> {
    let mut child = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ffmpeg starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || {
        // It may have enough before the end.
        let _ = pipe.write_all(&input);
    });
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("written");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{arguments:?}: {said}");
    output.stdout
}

fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// What the camera sends from its start on, on the linear scale, by somebody else's reading of the standard.
fn sent(codec: SoundCodec) -> Vec<i16> {
    let codes = (0..LONGEST * u64::from(SOUND_RATE)).map(|number| codec.code(number)).collect();
    let law = if codec == SoundCodec::Pcma { "alaw" } else { "mulaw" };
    samples(&through(&["-f", law, "-ar", "8000", "-ac", "1", "-i", "-", "-f", "s16le", "-"], codes))
}

/// The sound of an MP4 file, decoded.
fn heard(file: &Path) -> Vec<i16> {
    let path = file.to_str().expect("a path");
    samples(&through(&["-i", path, "-map", "0:a", "-f", "s16le", "-"], Vec::new()))
}

/// How many samples are not as they were sent from that place on.
fn wrong(heard: &[i16], sent: &[i16], at: usize) -> usize {
    heard.iter().zip(&sent[at..]).filter(|(heard, sent)| heard != sent).count()
        + (at + heard.len()).saturating_sub(sent.len())
}

/// Where in what was sent this begins.
fn place(heard: &[i16], sent: &[i16]) -> usize {
    let beginning = &heard[..BEGINNING];
    let found = sent.windows(beginning.len()).position(|window| window == beginning);
    found.unwrap_or_else(|| panic!("it was never sent: {:?}…", &heard[..20]))
}

fn rows(storage: &Path, camera: &str) -> Vec<ClosedSegment> {
    listed(storage, camera).unwrap_or_default().0
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of this century fit")]
fn seconds(moment: UtcMicros) -> f64 {
    moment.0 as f64 / 1e6
}

fn check(daemon: &Daemon) {
    let output = Command::new(HEARTHWATCH).arg("check").arg("--config").arg(daemon.config()).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn every_sample_that_was_sent_is_in_the_files() {
    if !have("ffmpeg") {
        println!("skipped: ffmpeg is not installed");
        return;
    }
    let (_cameras, config) = start(&CAMERAS);
    let mut daemon = Daemon::start_with("segment_seconds = 5", &config);
    let storage = daemon.storage();
    for (name, ..) in CAMERAS {
        within(PATIENCE, "three segments are recorded", || (rows(&storage, name).len() >= 3).then_some(()));
    }
    // The plug is pulled in the middle of the fourth, and what is whole of it is found again.
    daemon.kill();
    daemon.start_again();
    daemon.serves();
    for (name, ..) in CAMERAS {
        within(PATIENCE, "it goes on", || (rows(&storage, name).len() >= 5).then_some(()));
    }
    daemon.end();
    check(&daemon);
    for (name, codec, _, fault) in CAMERAS {
        let (rows, sent) = (rows(&storage, name), sent(codec));
        for row in &rows {
            assert!(row.codecs.ends_with(",fLaC"), "{row:?}");
            let path = storage.join(&row.path);
            assert!(!fault.is_empty() || complaints(&path).is_empty(), "{}", complaints(&path));
        }
        // Of the first life: whole segments follow each other, and so does their sound.
        let all: Vec<i16> = rows[..3].iter().flat_map(|row| heard(&storage.join(&row.path))).collect();
        // Its beginning is looked for among what was sent, so nothing of that may be lost.
        let is_told = |beginning: &[i16]| fault.is_empty() || !beginning.contains(&0);
        let skipped = all.windows(BEGINNING).step_by(1024).position(is_told).expect("a whole beginning") * 1024;
        let whole = &all[skipped..];
        let begin = place(whole, &sent);
        let (of, other) = (&sent[begin..begin + whole.len()], wrong(whole, &sent, begin));
        println!("{name}: {} samples, {other} not as sent", whole.len());
        assert!(whole.len() > 10 * 8000, "ten seconds at least");
        if fault.is_empty() {
            assert_eq!(other, 0, "{name}: bit for bit");
        } else {
            let silent = whole.iter().zip(of).all(|(heard, sent)| heard == sent || *heard == 0);
            assert!(silent, "{name}: what was lost on the way is silence of its length");
            assert!((whole.len() / 100..whole.len() / 5).contains(&other), "{name}: a twentieth was lost");
        }
    }
}

#[test]
fn clips_and_playlists_have_the_sound_of_their_time() {
    if !have("ffmpeg") {
        println!("skipped: ffmpeg is not installed");
        return;
    }
    let (_cameras, config) = start(&CAMERAS[..1]);
    let daemon = Daemon::start_with("segment_seconds = 5", &config);
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    let storage = daemon.storage();
    within(PATIENCE, "segments are recorded", || (rows(&storage, "porch").len() >= 3).then_some(()));
    let rows = rows(&storage, "porch");
    let (first, sent) = (seconds(rows[0].span.start()), sent(SoundCodec::Pcma));
    let folder = tempfile::tempdir().expect("a folder");
    let clip = |from: f64, to: f64| {
        let (status, bytes) = client.get(&format!("/api/cameras/porch/clip.mp4?start={from:.6}&end={to:.6}"));
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
        let path = folder.path().join(format!("{from}.mp4"));
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(complaints(&path), "");
        heard(&path)
    };
    // A clip that crosses two borders of segments, one that begins in the middle of a group, and one a second later.
    let long = clip(first, first + 12.0);
    let begin = place(&long, &sent);
    assert_eq!(wrong(&long, &sent, begin), 0, "bit for bit");
    assert!(long.len() > 11 * 8000, "{} samples", long.len());
    let places = [3.25, 4.25].map(|from| {
        let cut = clip(first + from, first + from + 4.0);
        let at = place(&cut, &sent);
        assert!(cut.len().abs_diff(4 * 8000) < 2048, "{} samples", cut.len());
        assert_eq!(wrong(&cut, &sent, at), 0, "bit for bit");
        at
    });
    assert!((places[1] - places[0]).abs_diff(8000) < 400, "the start is exact for the sound as well: {places:?}");

    let base = format!("/vod/porch/start/{first:.6}/end/{:.6}", first + 12.0);
    let (status, playlist) = client.get(&format!("{base}/index.m3u8"));
    assert_eq!(status, 200);
    let playlist = String::from_utf8(playlist).expect("text");
    let mut all = Vec::new();
    let mut init = Vec::new();
    for line in playlist.lines() {
        if let Some(name) = line.strip_prefix("#EXT-X-MAP:URI=\"").and_then(|rest| rest.strip_suffix('"')) {
            init = client.get(&format!("{base}/{name}")).1;
        } else if !line.starts_with('#') {
            let path = folder.path().join("piece.mp4");
            std::fs::write(&path, [init.clone(), client.get(&format!("{base}/{line}")).1].concat()).expect("written");
            all.extend(heard(&path));
        }
    }
    let at = place(&all, &sent);
    assert_eq!(wrong(&all, &sent, at), 0, "the playlist's pieces, one behind the other");
    assert!(all.len() > 10 * 8000);
}

/// Whether a script that makes a promise of `true` does so in time.
async fn promised(browser: &Browser, script: &str) -> Value {
    let script =
        format!("const done = arguments[0]; (async () => {{ {script} }})().then(done, why => done(String(why)));");
    browser.client.execute_async(&script, Vec::new()).await.expect("a script that ends")
}

#[tokio::test]
async fn a_browser_lets_the_sound_be_heard() {
    let Some(browser) = Browser::start().await else { return };
    let (_cameras, config) = start(&CAMERAS[..1]);
    let daemon = Daemon::start_with("segment_seconds = 5", &config);
    let storage = daemon.storage();
    within(PATIENCE, "segments are recorded", || (rows(&storage, "porch").len() >= 2).then_some(()));
    let first = seconds(rows(&storage, "porch")[0].span.start());
    browser.client.goto(&daemon.origin).await.expect("the sign-in page opens");
    let (user, password) = daemon.owner();
    let signed_in = promised(
        &browser,
        &format!(
            "const answer = await fetch('/api/login', {{method: 'POST', headers: {{'Content-Type': 'application/json'}},
                 body: JSON.stringify({{user: '{user}', password: '{password}'}})}});
             return answer.status;"
        ),
    )
    .await;
    assert_eq!(signed_in, 204);

    // Live, once somebody wants to hear it.
    browser.client.goto(&daemon.origin).await.expect("the live page opens");
    let playing = "const video = document.querySelector('#theatre video');
         return video.readyState >= 2 && video.currentTime > (window.from ??= video.currentTime) + 1";
    browser
        .until(
            PATIENCE,
            "the picture is large",
            "const tile = document.querySelector('.tile a.picture');
             if (!document.querySelector('#theatre').open) tile.click();
             return document.querySelector('#theatre').open;",
        )
        .await;
    browser
        .until(PATIENCE, "it moves, without sound", &format!("{playing} && video.webkitAudioDecodedByteCount === 0;"))
        .await;
    browser
        .until(
            PATIENCE,
            "its sound can be switched on",
            "const button = document.querySelector('#theatre-sound');
             if (button.hidden) return false;
             if (button.getAttribute('aria-pressed') === 'false') { button.click(); delete window.from; return false; }
             return true;",
        )
        .await;
    browser
        .until(
            PATIENCE,
            "it is heard",
            &format!("{playing} && !video.muted && video.webkitAudioDecodedByteCount > 16000;"),
        )
        .await;

    // Earlier.
    browser.client.goto(&format!("{}/cameras/porch", daemon.origin)).await.expect("the day opens");
    browser
        .until(
            PATIENCE,
            "the day plays with sound",
            "const video = document.querySelector('#video');
             if (document.querySelector('#bar rect') === null) return false;
             if (!window.begun) {
                 window.begun = true;
                 document.getElementById('sound').click();
                 document.getElementById('play').click();
             }
             return video.currentTime > 1 && !video.muted && video.webkitAudioDecodedByteCount > 8000;",
        )
        .await;

    // A clip, by the element and by the browser's own decoder.
    let clip = format!("/api/cameras/porch/clip.mp4?start={:.6}&end={:.6}", first + 1.3, first + 5.3);
    let said = promised(
        &browser,
        &format!(
            "const bytes = await (await fetch('{clip}')).arrayBuffer();
             const sound = await new OfflineAudioContext(1, 8000, 8000).decodeAudioData(bytes);
             const values = sound.getChannelData(0);
             let loudest = 0;
             for (const value of values) loudest = Math.max(loudest, Math.abs(value));
             return [sound.numberOfChannels, sound.duration, loudest * 32768];"
        ),
    )
    .await;
    let numbers: Vec<f64> = serde_json::from_value(said.clone()).unwrap_or_else(|_| panic!("{said}"));
    assert!((numbers[0] - 1.0).abs() < 0.1, "one channel: {numbers:?}");
    assert!((numbers[1] - 4.0).abs() < 0.3, "four seconds: {numbers:?}");
    assert!((8000.0..11_000.0).contains(&numbers[2]), "as loud as it was sent: {numbers:?}");
    browser
        .until(
            PATIENCE,
            "the clip plays to its end with sound",
            &format!(
                "if (!window.clip) {{
                     window.clip = document.createElement('video');
                     window.clip.src = '{clip}';
                     document.body.append(window.clip);
                     window.clip.play();
                 }}
                 return window.clip.ended && window.clip.webkitAudioDecodedByteCount > 8000;"
            ),
        )
        .await;
}
