//! The detector: its model on drawn grids, and the whole way through a real decoder process.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hearthwatch::camera::packet::{Packet, StreamParameters, Track, VideoCodec, VideoParameters};
use hearthwatch::config::settings::{Decode, Motion, Polygon, Zone};
use hearthwatch::detect::counters::Counters;
use hearthwatch::detect::event::MotionEvent;
use hearthwatch::detect::model::{Model, Seen};
use hearthwatch::detect::task::{self, Task};
use hearthwatch::detect::{file, sps};
use hearthwatch::units::{MediaTicks, Monotonic, UtcMicros};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

const COLS: usize = 160;
const ROWS: usize = 90;

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    /// −1 to 1.
    fn roll(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        #[expect(clippy::cast_precision_loss, reason = "24 bits")]
        let unit = (self.0 >> 40) as f32 / (1_u32 << 24) as f32;
        2.0 * unit - 1.0
    }
}

/// A drawn scene: a textured background, noise, and whatever `light` and `thing` add at a time in seconds.
struct Scene<'a> {
    noise: f32,
    light: &'a dyn Fn(f32) -> f32,
    /// Left, top, width, height in cells, and luma.
    thing: &'a dyn Fn(f32) -> Option<[f32; 5]>,
}

const STILL: Scene = Scene { noise: 1.0, light: &|_| 1.0, thing: &|_| None };

/// Somebody 5 cells wide and 14 high who crosses the picture from 10 s to 18 s.
fn walker(at_s: f32) -> Option<[f32; 5]> {
    (10.0..18.0).contains(&at_s).then_some([(at_s - 10.0) * 20.0 - 2.0, 40.0, 5.0, 14.0, 60.0])
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a drawing")]
fn draw(scene: &Scene, at_s: f32, dice: &mut Dice) -> Vec<u16> {
    let mut texture = Dice(7);
    let thing = (scene.thing)(at_s);
    let mut cells = Vec::with_capacity(COLS * ROWS);
    for row in 0..ROWS {
        for col in 0..COLS {
            let mut luma = (110.0 + 0.4 * row as f32 + 12.0 * texture.roll()) * (scene.light)(at_s);
            if let Some([left, top, width, height, of_thing]) = thing {
                let within = |at: f32, from: f32, length: f32| {
                    (at - from + 1.0).clamp(0.0, 1.0).min((from + length - at).clamp(0.0, 1.0))
                };
                let part = within(col as f32, left, width) * within(row as f32, top, height);
                luma += part * (of_thing - luma);
            }
            cells.push(((luma + scene.noise * dice.roll()).clamp(0.0, 255.0) * 256.0) as u16);
        }
    }
    cells
}

/// When something moved, and the last of it, in `length_s` seconds at `rate` looks a second.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a drawing")]
fn watch(scene: &Scene, motion: &Motion, rate: f32, length_s: f32) -> Vec<Seen> {
    let mut model = Model::new(COLS, ROWS, motion);
    let mut dice = Dice(1);
    let mut found = Vec::new();
    for look in 0..(length_s * rate) as u32 {
        let at_s = look as f32 / rate;
        let seen = model.look(&draw(scene, at_s, &mut dice), (at_s * 1e6) as i64);
        if !seen.movers.is_empty() {
            found.push(seen);
        }
    }
    found
}

fn left_half() -> Polygon {
    Polygon(vec![[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]])
}

#[test]
fn a_still_picture_never_moves_however_noisy() {
    for noise in [0.0, 2.0, 8.0, 20.0] {
        assert_eq!(watch(&Scene { noise, ..STILL }, &Motion::default(), 5.0, 60.0), [], "noise {noise}");
    }
}

#[test]
fn a_change_of_light_is_no_motion() {
    let ramp = |at_s: f32| 1.0 - 0.5 * ((at_s - 10.0) / 20.0).clamp(0.0, 1.0);
    let step = |at_s: f32| if at_s < 15.0 { 1.0 } else { 0.6 };
    let flicker = |at_s: f32| 1.0 + 0.15 * (at_s * 3.0).sin();
    for (name, light) in [("ramp", &ramp as &dyn Fn(f32) -> f32), ("step", &step), ("flicker", &flicker)] {
        assert_eq!(watch(&Scene { light, ..STILL }, &Motion::default(), 5.0, 60.0), [], "{name}");
    }
}

#[test]
fn a_walker_is_seen_within_a_second_at_any_rate_and_never_after() {
    for rate in [2.0, 3.0, 5.0, 7.5, 10.0, 15.0] {
        let found = watch(&Scene { thing: &walker, ..STILL }, &Motion::default(), rate, 40.0);
        let (first, last) = (found.first().expect("seen"), found.last().expect("seen"));
        let mover = first.movers[0];
        assert!((9_900_000..=11_100_000).contains(&mover.first_us), "at {rate} a second: first at {}", mover.first_us);
        let patience = if rate < 4.0 { 2_600_000 } else { 1_400_000 };
        assert!(first.at_us <= 10_000_000 + patience, "at {rate} a second: confirmed at {}", first.at_us);
        let end = last.movers.iter().map(|mover| mover.last_us).max().expect("a mover");
        assert!((16_000_000..=18_600_000).contains(&end), "at {rate} a second: ended at {end}");
    }
}

#[test]
fn a_masked_walker_is_not_seen() {
    let motion = Motion { masks: vec![left_half()], ..Motion::default() };
    let walker_on_the_left = |at_s: f32| walker(at_s).filter(|thing| thing[0] < 70.0);
    assert_eq!(watch(&Scene { thing: &walker_on_the_left, ..STILL }, &motion, 5.0, 30.0), []);
    assert!(!watch(&Scene { thing: &walker, ..STILL }, &motion, 5.0, 30.0).is_empty(), "the right half is not masked");
}

#[test]
fn the_zones_that_were_touched_are_named() {
    let right = Polygon(vec![[0.9, 0.0], [1.0, 0.0], [1.0, 1.0], [0.9, 1.0]]);
    let above = Polygon(vec![[0.0, 0.0], [1.0, 0.0], [1.0, 0.3], [0.0, 0.3]]);
    let zones = BTreeMap::from(
        [("a", left_half()), ("b", right), ("c", above)]
            .map(|(name, area)| (name.to_owned(), Zone { area, sensitivity: None })),
    );
    let found = watch(&Scene { thing: &walker, ..STILL }, &Motion { zones, ..Motion::default() }, 5.0, 30.0);
    assert_eq!(found.first().map(|seen| seen.movers[0].zones), Some(0b001));
    assert_eq!(found.iter().flat_map(|seen| &seen.movers).fold(0, |all, mover| all | mover.zones), 0b011);
}

#[test]
fn sensitivity_decides_about_a_faint_walker() {
    let faint = |at_s: f32| walker(at_s).map(|[x, y, w, h, _]| [x, y, w, h, 123.0]);
    let seen = |sensitivity| {
        !watch(&Scene { thing: &faint, ..STILL }, &Motion { sensitivity, ..Motion::default() }, 5.0, 30.0).is_empty()
    };
    assert_eq!([0.0, 1.0].map(seen), [false, true]);
}

#[test]
fn the_same_grids_give_the_same_answer() {
    let scene = Scene { thing: &walker, noise: 3.0, ..STILL };
    assert_eq!(watch(&scene, &Motion::default(), 5.0, 20.0), watch(&scene, &Motion::default(), 5.0, 20.0));
}

/// A box that crosses still colour bars from 8 s to 13 s of 20 s, at 10 pictures a second; `None` without ffmpeg.
fn crossing_box(folder: &Path, arguments: &[&str], name: &str) -> Option<PathBuf> {
    crossing_box_at(8, folder, arguments, name)
}

/// The same from that second on, within twelve seconds more.
fn crossing_box_at(from_s: u32, folder: &Path, arguments: &[&str], name: &str) -> Option<PathBuf> {
    let path = folder.join(name);
    let (until_s, length_s) = (from_s + 5, from_s + 12);
    let crosses =
        format!("[0][1]overlay=x='if(between(t,{from_s},{until_s}),(t-{from_s})*138-50,-100)':y=200,format=yuv420p");
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", &format!("smptebars=s=640x360:r=10:d={length_s}")])
        .args(["-f", "lavfi", "-i", &format!("color=c=0x402010:s=50x110:r=10:d={length_s}"), "-filter_complex"])
        .arg(crosses)
        .args(arguments)
        .arg(&path)
        .status();
    match made {
        Ok(status) if status.success() => Some(path),
        Ok(_) => {
            println!("skipped: this ffmpeg cannot encode {name}");
            None
        }
        Err(_) => {
            println!("skipped: ffmpeg is not installed");
            None
        }
    }
}

const X264: [&str; 6] =
    ["-c:v", "libx264", "-preset", "veryfast", "-x264-params", "keyint=20:scenecut=0:bframes=0:aud=1"];

fn job<'a>(path: &'a Path, settings: &'a Motion) -> file::Job<'a> {
    file::Job { path, settings, exe: this_program(), explain: None }
}

#[tokio::test]
async fn a_file_is_looked_through() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["box.mp4", "box.ts"] {
        let Some(path) = crossing_box(folder.path(), &X264, name) else { return };
        let report = file::motion(job(&path, &Motion::default())).await.expect("a report");
        assert_eq!((report.width, report.height, report.frames_total, report.frames_decoded), (640, 360, 200, 200));
        assert!((report.duration_s - 20.0).abs() < 0.3, "{}", report.duration_s);
        let [interval] = report.intervals[..] else { panic!("{name}: {:?}", report.intervals) };
        assert!((7.9..8.8).contains(&interval.start_s) && (12.0..13.6).contains(&interval.end_s), "{interval:?}");
        assert!((0.005..0.1).contains(&interval.peak), "{interval:?}");
        assert!(report.cpu_s > 0.0);
    }
    let nothing = file::motion(job(&folder.path().join("nothing.mp4"), &Motion::default())).await.expect_err("no file");
    assert!(nothing.to_string().contains("nothing.mp4"));
}

#[tokio::test]
async fn what_was_seen_in_a_file_is_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(path) = crossing_box(folder.path(), &X264, "box.mp4") else { return };
    let right = Polygon(vec![[0.4, 0.0], [1.0, 0.0], [1.0, 1.0], [0.4, 1.0]]);
    let settings = Motion { masks: vec![right], ..Motion::default() };
    let explained = folder.path().join("why/here");
    let job = file::Job { explain: Some(explained.clone()), ..job(&path, &settings) };
    let report = file::motion(job).await.expect("a report");
    assert_eq!(report.intervals.len(), 1);
    let names: Vec<String> = std::fs::read_dir(&explained)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    for part in ["-event.jpg", "-masked.jpg"] {
        let name = names.iter().find(|name| name.ends_with(part)).unwrap_or_else(|| panic!("{part} of {names:?}"));
        #[expect(clippy::disallowed_methods, reason = "a test reads what was just made")]
        let jpeg = std::fs::read(explained.join(name)).expect("a picture");
        assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]), "{name}");
    }
    #[expect(clippy::disallowed_methods, reason = "a test reads what was just made")]
    let list = std::fs::read_to_string(explained.join("why.txt")).expect("a list");
    assert!(list.contains("event since") && list.contains("not motion: masked"), "{list}");
}

/// The packets of a raw H.264 or H.265 file with access unit delimiters, as a camera session would yield them.
#[expect(clippy::disallowed_methods, reason = "a test reads what it has just made")]
fn packets(path: &Path, codec: VideoCodec) -> Vec<Packet> {
    let raw = std::fs::read(path).expect("a file that was just made");
    let kind = |unit: &[u8]| match codec {
        VideoCodec::H264 => unit[0] & 0x1f,
        VideoCodec::H265 => unit[0] >> 1 & 0x3f,
        VideoCodec::Jpeg => unreachable!("it has no units"),
    };
    let (delimiter, sets, keys) = match codec {
        VideoCodec::H264 => (9, 7..=8, 5..=5),
        VideoCodec::H265 => (35, 32..=34, 16..=21),
        VideoCodec::Jpeg => unreachable!("it has no units"),
    };
    let mut starts: Vec<usize> = (0..raw.len() - 3).filter(|at| raw[*at..].starts_with(&[0, 0, 1])).collect();
    starts.push(raw.len());
    let units: Vec<&[u8]> = starts
        .windows(2)
        .map(|pair| {
            let unit = &raw[pair[0] + 3..pair[1]];
            &unit[..unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)]
        })
        .collect();
    let mut parameter_sets = BytesMut::new();
    for unit in units.iter().filter(|unit| sets.contains(&kind(unit))).take(sets.clone().count()) {
        parameter_sets.extend_from_slice(&[0, 0, 0, 1]);
        parameter_sets.extend_from_slice(unit);
    }
    let size = sps::check(codec, &parameter_sets).expect("what was just encoded can be read");
    let parameters = Arc::new(StreamParameters {
        video: VideoParameters {
            codec,
            rfc6381: String::new(),
            width: size.width,
            height: size.height,
            sample_entry: Bytes::new(),
            parameter_sets: parameter_sets.freeze(),
        },
        audio: None,
    });
    let mut packets: Vec<Packet> = Vec::new();
    for unit in units {
        if kind(unit) == delimiter {
            packets.push(packet(packets.len(), &parameters));
            continue;
        }
        let packet = packets.last_mut().expect("a delimiter first");
        if !sets.contains(&kind(unit)) {
            let mut data = BytesMut::from(&packet.data[..]);
            data.extend_from_slice(&u32::try_from(unit.len()).expect("short").to_be_bytes());
            data.extend_from_slice(unit);
            packet.data = data.freeze();
            packet.is_key |= keys.contains(&kind(unit));
        }
    }
    packets
}

/// The pictures of a Motion JPEG file, as a camera session would yield them.
#[expect(clippy::disallowed_methods, reason = "a test reads what it has just made")]
fn jpegs(path: &Path) -> Vec<Packet> {
    let raw = std::fs::read(path).expect("a file that was just made");
    let mut starts: Vec<usize> = (0..raw.len()).filter(|at| raw[*at..].starts_with(&[0xff, 0xd8, 0xff])).collect();
    starts.push(raw.len());
    let parameters = Arc::new(StreamParameters {
        video: VideoParameters {
            codec: VideoCodec::Jpeg,
            rfc6381: String::new(),
            width: 640,
            height: 360,
            sample_entry: Bytes::new(),
            parameter_sets: Bytes::new(),
        },
        audio: None,
    });
    let packet =
        |n: usize, data: &[u8]| Packet { data: Bytes::copy_from_slice(data), is_key: true, ..packet(n, &parameters) };
    starts.windows(2).enumerate().map(|(n, pair)| packet(n, &raw[pair[0]..pair[1]])).collect()
}

/// The `n`-th picture at ten a second, with nothing in it yet.
fn packet(n: usize, parameters: &Arc<StreamParameters>) -> Packet {
    let n = i64::try_from(n).expect("few");
    Packet {
        parameters: Arc::clone(parameters),
        session: 1,
        track: Track::Video,
        pts: MediaTicks { ticks: n * 9_000, rate: NonZeroU32::new(90_000).expect("not 0") },
        received: UtcMicros(BEGIN.0 + n * 100_000),
        received_monotonic: Monotonic(Duration::from_millis(5_000 + 100 * n.unsigned_abs())),
        is_key: false,
        lost_before: 0,
        data: Bytes::new(),
    }
}

const BEGIN: UtcMicros = UtcMicros(1_700_000_000_000_000);

/// Runs a camera's detection over packets as fast as it keeps up; returns what it said and counted.
async fn detect(exe: &Path, packets: Vec<Packet>, motion: Motion) -> (Vec<MotionEvent>, Arc<Counters>, Option<Bytes>) {
    let (events, counters, newest, _) = detect_after(None, exe, packets, motion).await;
    (events, counters, newest)
}

/// The same with what was known `before`; returns what is to be kept as well.
async fn detect_after(
    before: Option<Vec<u8>>,
    exe: &Path,
    packets: Vec<Packet>,
    motion: Motion,
) -> (Vec<MotionEvent>, Arc<Counters>, Option<Bytes>, Option<Vec<u8>>) {
    let counters = Arc::new(Counters::default());
    let (feed, fed) = mpsc::channel(1);
    let (ask, asked) = mpsc::channel(1);
    let (keep, mut kept) = mpsc::channel(8);
    // While it catches up it is given no more than it is asked for: each answer takes it a step further.
    let each = if motion.decode == Decode::KeyFrames { 1 } else { 5 };
    let mut events = Vec::new();
    let task = Task {
        camera: "porch".parse().expect("an id"),
        settings: motion,
        exe: exe.to_owned(),
        packets: fed,
        stop: CancellationToken::new(),
        snapshots: asked,
        before,
        keep,
        previews: None,
        counters: Arc::clone(&counters),
    };
    let mut ids = 0_u64;
    let running = task::run(
        task,
        || {
            ids += 1;
            ids.to_be_bytes()
        },
        |event| events.push(event),
    );
    let feeding = async move {
        let mut newest = None;
        for (n, packet) in packets.into_iter().enumerate() {
            feed.send(packet).await.expect("it listens");
            if n % each == each - 1 {
                // The decoder answers in order: once the picture is here, nothing waits any more.
                let (answer, answered) = oneshot::channel();
                ask.send(answer).await.expect("it listens");
                newest = answered.await.ok().or(newest);
            }
        }
        newest
    };
    let ((), newest) = tokio::join!(running, feeding);
    (events, counters, newest, kept.try_recv().ok())
}

fn this_program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_hearthwatch"))
}

/// Width and height, from a JPEG's frame header (ITU-T T.81 section B.2.2).
fn jpeg_size(jpeg: &[u8]) -> Option<(u16, u16)> {
    let at = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0])?;
    let [height, width] = [5, 7].map(|from| jpeg.get(at + from..at + from + 2));
    Some((u16::from_be_bytes(width?.try_into().ok()?), u16::from_be_bytes(height?.try_into().ok()?)))
}

fn assert_one_event(events: &[MotionEvent]) {
    let last = events.last().expect("an event");
    assert!(events.iter().all(|event| event.id == last.id && event.start == last.start), "{events:?}");
    let start = last.start.offset_from(BEGIN);
    let end = last.end.expect("it ended").offset_from(BEGIN);
    assert!((7_800_000..8_800_000).contains(&start) && (12_000_000..13_700_000).contains(&end), "{start} to {end}");
    let thumbnails: Vec<_> = events.iter().filter_map(|event| event.thumbnail.as_ref()).collect();
    assert!(!thumbnails.is_empty() && thumbnails.iter().all(|jpeg| jpeg.starts_with(&[0xff, 0xd8])));
    let told_over = |event: &&MotionEvent| event.end.is_some() && event.thumbnail.is_none() && event.preview.is_none();
    assert_eq!(events.iter().filter(told_over).count(), 1);
    let previews: Vec<_> = events.iter().filter_map(|event| event.preview.as_ref()).collect();
    let [preview] = previews[..] else { panic!("{} previews", previews.len()) };
    // Five seconds make seven small pictures or so, one below the other.
    let (width, height) = jpeg_size(preview).expect("a JPEG");
    assert!(width == 160 && height % 90 == 0 && (4..=9).contains(&(height / 90)), "{width}x{height}");
}

#[tokio::test]
async fn a_moving_box_becomes_one_event_through_a_real_decoder_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(path) = crossing_box(folder.path(), &X264, "box.h264") else { return };
    let packets = packets(&path, VideoCodec::H264);
    assert_eq!(packets.len(), 200);
    let (events, counters, newest) = detect(this_program(), packets, Motion::default()).await;
    assert_one_event(&events);
    // The last answer may still be on its way when the packets end.
    assert!(counters.decoded.load(Ordering::Relaxed) >= 198);
    assert_eq!((counters.skipped.load(Ordering::Relaxed), counters.trouble()), (0, None));
    assert!(newest.expect("a snapshot").ends_with(&[0xff, 0xd9]));
}

/// The box crosses from 8 s to 13 s; the key frame that shows it first is that of 10 s.
#[tokio::test]
async fn with_key_frames_alone_while_nothing_stirs_the_box_is_found_from_where_it_came() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(path) = crossing_box(folder.path(), &X264, "box.h264") else { return };
    let packets = packets(&path, VideoCodec::H264);
    let (.., kept) = detect_after(None, this_program(), packets[..60].to_vec(), Motion::default()).await;
    let thrifty = Motion { decode: Decode::KeyFrames, ..Motion::default() };
    let (events, counters, ..) = detect_after(kept, this_program(), packets[20..].to_vec(), thrifty).await;
    assert_one_event(&events);
    let passed_over = counters.passed_over.load(Ordering::Relaxed);
    assert!(passed_over >= 19, "{passed_over} passed over");
    assert_eq!((counters.skipped.load(Ordering::Relaxed), counters.damaged.load(Ordering::Relaxed)), (0, 0));
}

#[tokio::test]
async fn a_file_is_looked_through_with_key_frames_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let thrifty = Motion { decode: Decode::KeyFrames, ..Motion::default() };
    let mjpeg = ["-c:v", "mjpeg", "-q:v", "5", "-pix_fmt", "yuvj420p"];
    // A decoder holds pictures back where some are coded out of order; not that of a key frame by itself.
    let b_frames = ["-c:v", "libx264", "-x264-params", "keyint=10:min-keyint=10:scenecut=0:bframes=2:b-adapt=0"];
    for (arguments, name) in [(&X264[..], "box.mp4"), (&mjpeg, "box.mkv"), (&b_frames, "b.mp4")] {
        let Some(path) = crossing_box_at(16, folder.path(), arguments, name) else { return };
        let report = file::motion(job(&path, &thrifty)).await.expect("a report");
        let [interval] = report.intervals[..] else { panic!("{name}: {:?}", report.intervals) };
        assert!((15.9..16.8).contains(&interval.start_s) && (20.0..21.6).contains(&interval.end_s), "{interval:?}");
        assert_eq!(report.frames_total, 280, "{name}");
        assert!(report.frames_decoded < 270, "{name}: {} were decoded", report.frames_decoded);
    }
}

#[tokio::test]
async fn without_motion_detection_nothing_is_decoded_but_a_picture_that_somebody_asks_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(path) = crossing_box(folder.path(), &X264, "box.h264") else { return };
    let packets = packets(&path, VideoCodec::H264);
    let counters = Arc::new(Counters::default());
    let (feed, fed) = mpsc::channel(1);
    let (ask, asked) = mpsc::channel(1);
    let task = Task {
        camera: "porch".parse().expect("an id"),
        settings: Motion { enabled: false, ..Motion::default() },
        exe: this_program().to_owned(),
        packets: fed,
        stop: CancellationToken::new(),
        snapshots: asked,
        before: None,
        keep: mpsc::channel(8).0,
        previews: None,
        counters: Arc::clone(&counters),
    };
    let asking = async {
        for packet in packets {
            feed.send(packet).await.expect("it listens");
        }
        assert_eq!(
            (counters.decoded.load(Ordering::Relaxed), counters.confined()),
            (0, None),
            "no process was started"
        );
        for _ in 0..2 {
            let (answer, answered) = oneshot::channel();
            ask.send(answer).await.expect("it listens");
            assert!(answered.await.expect("a picture").ends_with(&[0xff, 0xd9]));
        }
        drop(feed);
    };
    tokio::join!(task::run(task, || [0; 8], |_| panic!("no motion is looked for")), asking);
    assert_eq!((counters.decoded.load(Ordering::Relaxed), counters.skipped.load(Ordering::Relaxed)), (1, 0));
}

#[tokio::test]
async fn h265_is_looked_at_as_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let x265 = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=20:bframes=0:aud=1:log-level=none"];
    let Some(path) = crossing_box(folder.path(), &x265, "box.h265") else { return };
    let (events, ..) = detect(this_program(), packets(&path, VideoCodec::H265), Motion::default()).await;
    assert_one_event(&events);
}

#[tokio::test]
async fn motion_jpeg_is_looked_at_as_well() {
    let folder = tempfile::tempdir().expect("a folder");
    for format in ["yuvj420p", "yuvj422p"] {
        let mjpeg = ["-c:v", "mjpeg", "-q:v", "5", "-pix_fmt", format, "-huffman", "default"];
        let Some(path) = crossing_box(folder.path(), &mjpeg, &format!("{format}.mjpeg")) else { return };
        let packets = jpegs(&path);
        assert_eq!(packets.len(), 200);
        let (events, counters, newest) = detect(this_program(), packets, Motion::default()).await;
        assert_one_event(&events);
        assert_eq!((counters.damaged.load(Ordering::Relaxed), counters.trouble()), (0, None), "{format}");
        assert!(newest.expect("a snapshot").ends_with(&[0xff, 0xd9]));
    }
}

#[tokio::test]
async fn lost_packets_and_garbage_never_count_as_motion() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(path) = crossing_box(folder.path(), &X264, "box.h264") else { return };
    let mut packets = packets(&path, VideoCodec::H264);
    packets.truncate(75);
    for (n, packet) in packets.iter_mut().enumerate() {
        if n % 20 == 7 {
            packet.lost_before = 3;
        } else if n % 20 > 7 && n % 3 == 0 {
            let mut dice = Dice(n as u64);
            let garbage: Vec<u8> = packet.data.iter().map(|byte| byte ^ u8::from(dice.roll() > 0.9)).collect();
            packet.data = garbage.into();
        }
    }
    let (events, counters, _) = detect(this_program(), packets, Motion::default()).await;
    assert_eq!(events, []);
    assert!(counters.damaged.load(Ordering::Relaxed) > 0);
}

#[tokio::test]
async fn a_decoder_that_cannot_start_or_talks_nonsense_holds_nobody_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(path) = crossing_box(folder.path(), &X264, "box.h264") else { return };
    for exe in ["/nonexistent", "/bin/cat", "/usr/bin/yes"] {
        let (events, counters, newest) =
            detect(Path::new(exe), packets(&path, VideoCodec::H264), Motion::default()).await;
        assert_eq!((events, newest), (Vec::new(), None), "{exe}");
        assert!(counters.trouble().is_some() && counters.restarts.load(Ordering::Relaxed) > 0, "{exe}");
    }
}

#[tokio::test]
async fn motion_that_is_switched_off_decodes_key_frames_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(path) = crossing_box(folder.path(), &X264, "box.h264") else { return };
    let off = Motion { enabled: false, ..Motion::default() };
    let (events, counters, newest) = detect(this_program(), packets(&path, VideoCodec::H264), off).await;
    assert_eq!(events, []);
    assert!((9..=10).contains(&counters.decoded.load(Ordering::Relaxed)));
    assert!(newest.is_some());
}

#[tokio::test]
async fn a_stream_that_cannot_be_decoded_is_refused_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(path) = crossing_box(folder.path(), &X264, "box.h264") else { return };
    let mut packets = packets(&path, VideoCodec::H264);
    let mut without = (*packets[0].parameters).clone();
    without.video.parameter_sets = Bytes::new();
    let without = Arc::new(without);
    for packet in &mut packets {
        packet.parameters = Arc::clone(&without);
    }
    let (events, counters, _) = detect(this_program(), packets, Motion::default()).await;
    assert_eq!(events, []);
    assert_eq!(counters.skipped.load(Ordering::Relaxed), 200);
    assert!(counters.trouble().expect("a word").to_string().contains("parameter set"));
}

#[tokio::test(start_paused = true)]
async fn a_decoder_that_hangs_is_given_up() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a folder");
    let Some(path) = crossing_box(folder.path(), &X264, "box.h264") else { return };
    let exe = folder.path().join("hangs");
    std::fs::write(&exe, "#!/bin/sh\nexec /bin/sleep 1000\n").expect("a program");
    std::fs::set_permissions(&exe, std::fs::Permissions::from_mode(0o700)).expect("a program");
    let (events, counters, newest) = detect(&exe, packets(&path, VideoCodec::H264), Motion::default()).await;
    assert_eq!((events, newest), (Vec::new(), None));
    assert!(counters.trouble().expect("a word").to_string().contains("did not answer"), "{:?}", counters.trouble());
    assert_eq!(counters.decoded.load(Ordering::Relaxed), 0);
}

/// The box crosses from 8 s to 13 s; the recorder stops at 9.5 s, and its first picture after the restart is that of 10 s.
#[tokio::test]
async fn a_restart_in_the_middle_misses_nobody_and_invents_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(path) = crossing_box(folder.path(), &X264, "box.h264") else { return };
    let packets = packets(&path, VideoCodec::H264);
    let again = |from: usize, to: usize| -> Vec<Packet> {
        packets[from..to].iter().cloned().map(|packet| Packet { session: 2, ..packet }).collect()
    };
    let motion = Motion::default;
    let (events, _, _, kept) = detect_after(None, this_program(), packets[..95].to_vec(), motion()).await;
    assert!(events.last().is_some_and(|event| event.end.is_some()), "{events:?}");
    let kept = kept.expect("what the garden looks like");
    assert!((20_000..100_000).contains(&kept.len()), "{} bytes", kept.len());

    let (events, ..) = detect_after(Some(kept.clone()), this_program(), again(100, 200), motion()).await;
    let first = events.first().expect("the box is found again");
    let start = first.start.offset_from(BEGIN);
    assert!((10_000_000..13_000_000).contains(&start), "{start}");
    assert!(events.iter().all(|event| event.id == first.id), "{events:?}");
    let end = events.last().and_then(|event| event.end).expect("it ended").offset_from(BEGIN);
    assert!((12_000_000..13_700_000).contains(&end), "{end}");

    let (events, ..) = detect_after(Some(kept), this_program(), again(140, 200), motion()).await;
    assert_eq!(events, [], "the box has gone");
}

#[tokio::test]
async fn what_another_camera_knew_or_what_is_damaged_is_not_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(path) = crossing_box(folder.path(), &X264, "box.h264") else { return };
    let packets = packets(&path, VideoCodec::H264);
    let (.., kept) = detect_after(None, this_program(), packets[..70].to_vec(), Motion::default()).await;
    let mut damaged = kept.expect("what the garden looks like");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    for before in [damaged, b"garbage".to_vec(), Vec::new()] {
        let (events, ..) = detect_after(Some(before), this_program(), packets.clone(), Motion::default()).await;
        assert_one_event(&events);
    }
}
