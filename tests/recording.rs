//! The recorder with what real encoders make: the files must play everywhere, hold every picture, and meet in time.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hearthwatch::camera::packet::{AudioParameters, Packet, StreamParameters, Track, VideoCodec, VideoParameters};
use hearthwatch::disk::Footage;
use hearthwatch::record::OpenSegments;
use hearthwatch::record::queue::{Budget, queue};
use hearthwatch::record::reader;
use hearthwatch::record::segment::{ClockSet, ClosedSegment, Gap, GapCause, Recorded};
use hearthwatch::record::task::{self, RecordSettings};
use hearthwatch::units::{CameraId, InstallationId, MediaTicks, Monotonic, SimulatedClock, UtcMicros};

/// 2023-11-14T22:13:20Z.
const START: UtcMicros = UtcMicros(1_700_000_000_000_000);
/// Cameras that shuffle pictures send each after all that are shown before it were taken.
const REORDER: Duration = Duration::from_millis(200);
/// With B-frames, a group of pictures of two seconds.
const H264: &str = "-c:v libx264 -preset ultrafast -bf 2 -g 20 -pix_fmt yuv420p";
const H265: &str =
    "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=20:bframes=3:open-gop=1 -tag:v hvc1";

/// Whether a program is there; says so if not, and the test is skipped.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("-version").output().is_ok();
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

/// What a camera would send of so many seconds of a test picture, 10 a second, in the order in which it would.
fn film(size: &str, seconds: u32, encoder: &str, sound: bool) -> Vec<Packet> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film.mp4");
    let picture = format!("testsrc2=size={size}:rate=10:duration={seconds}");
    let tone = format!("sine=frequency=440:sample_rate=16000:duration={seconds}");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-f", "lavfi", "-i", &picture]);
    if sound {
        command.args(["-f", "lavfi", "-i", &tone, "-c:a", "aac", "-b:a", "24k"]);
    }
    let made = command
        .args(encoder.split(' '))
        .args(["-video_track_timescale", "90000", "-movflags"])
        .arg("frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets")
        .arg(&path)
        .status();
    assert!(made.expect("started").success(), "ffmpeg made no film");
    let bytes = Bytes::from(read(&path));
    let file = reader::read(&*bytes, bytes.len() as u64).expect("a segment file");
    let parameters = Arc::new(StreamParameters {
        video: VideoParameters {
            codec: if encoder.contains("265") { VideoCodec::H265 } else { VideoCodec::H264 },
            rfc6381: "avc1.42c00a".to_owned(),
            width: file.video.width,
            height: file.video.height,
            sample_entry: file.video.sample_entry.clone(),
            parameter_sets: Bytes::new(),
        },
        audio: file.audio.as_ref().map(|audio| AudioParameters {
            rfc6381: "mp4a.40.2".to_owned(),
            packet_samples: 1024,
            sample_rate: audio.timescale,
            sample_entry: audio.sample_entry.clone(),
        }),
    });
    let mut packets = Vec::new();
    for track in [Track::Video, Track::Audio] {
        let Some(rate) = file.track(track).and_then(|info| NonZeroU32::new(info.timescale)) else { continue };
        for run in file.runs(track) {
            let mut decode = i64::try_from(run.base_decode_ticks).expect("small");
            for sample in &run.samples {
                let from = usize::try_from(sample.offset).expect("small");
                let arrival = UtcMicros(MediaTicks { ticks: decode, rate }.as_micros()).plus(REORDER).0;
                packets.push(Packet {
                    parameters: Arc::clone(&parameters),
                    session: 1,
                    track,
                    pts: MediaTicks { ticks: decode + i64::from(sample.composition_offset), rate },
                    received: UtcMicros(START.0 + arrival),
                    received_monotonic: Monotonic(Duration::from_micros(arrival.unsigned_abs())),
                    is_key: sample.is_key,
                    lost_before: 0,
                    data: bytes.slice(from..from + sample.size as usize),
                });
                decode += i64::from(sample.duration);
            }
        }
    }
    packets.sort_by_key(|packet| packet.received);
    packets
}

/// The same packets, sent so much later, in another session if told.
fn later(mut packets: Vec<Packet>, by: Duration, session: u64) -> Vec<Packet> {
    for packet in &mut packets {
        packet.session = session;
        packet.received = packet.received.plus(by);
        packet.received_monotonic.0 += by;
    }
    packets
}

struct Recorder {
    folder: tempfile::TempDir,
    segments: Vec<ClosedSegment>,
    gaps: Vec<Gap>,
    clock_set: Vec<ClockSet>,
}

fn record(packets: Vec<Packet>) -> Recorder {
    let folder = tempfile::tempdir().expect("a folder");
    let footage = Footage::open(folder.path(), InstallationId::from_random([1; 16])).expect("opens");
    let (segments, gaps, clock_set) = record_into(footage, packets);
    Recorder { folder, segments, gaps, clock_set }
}

fn record_into(footage: Footage, packets: Vec<Packet>) -> (Vec<ClosedSegment>, Vec<Gap>, Vec<ClockSet>) {
    let (mut feed, waiting) = queue(&Budget::new(usize::MAX));
    let count = packets.len();
    let taken = packets.into_iter().filter(|packet| feed.push(packet.clone())).count();
    assert_eq!(taken, count, "the queue took everything");
    drop(feed);
    let camera: CameraId = "porch".parse().expect("an id");
    let settings =
        RecordSettings { segment: Duration::from_secs(60), sync: Duration::from_secs(2), recorded_until: None };
    let (open, mut id) = (OpenSegments::default(), [0; 8]);
    let (mut segments, mut gaps, mut clock_set) = (Vec::new(), Vec::new(), Vec::new());
    let clock = SimulatedClock::new(START).clock();
    let random = || {
        id[7] += 1;
        id
    };
    task::run(camera.clone(), footage, settings, clock, &waiting, open.clone(), random, |recorded| match recorded {
        Recorded::Segment(segment) => segments.push(segment),
        Recorded::Gap(gap) => gaps.push(gap),
        Recorded::ClockSet(set) => clock_set.push(set),
    });
    let waiting: BTreeSet<_> = open.of(&camera).iter().map(|segment| segment.id).collect();
    let handed_on: BTreeSet<_> = segments.iter().map(|segment| segment.id).collect();
    assert_eq!(waiting, handed_on, "what was handed on waits for its row, and nothing else stays open");
    (segments, gaps, clock_set)
}

impl Recorder {
    /// Every file plays without a word of complaint and holds the pictures it claims.
    fn assert_playable(&self) {
        for segment in &self.segments {
            let path = self.folder.path().join(&segment.path);
            let probe = run(
                "ffprobe",
                &[
                    "-v",
                    "error",
                    "-count_frames",
                    "-select_streams",
                    "v",
                    "-show_entries",
                    "stream=nb_read_frames",
                    "-of",
                    "csv=p=0",
                ],
                &path,
            );
            assert_eq!(probe.trim(), segment.pictures.to_string(), "{}", path.display());
            let decoded =
                Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(&path).args(["-f", "null", "-"]).output();
            let decoded = decoded.expect("started");
            assert!(
                decoded.status.success() && decoded.stderr.is_empty(),
                "{}",
                String::from_utf8_lossy(&decoded.stderr)
            );
            assert_eq!(segment.size.0, path.metadata().expect("there").len());
        }
    }

    /// Each segment starts where the one before ended, and lasts as long as its pictures.
    fn assert_gapless(&self) {
        for pair in self.segments.windows(2) {
            assert_eq!(pair[0].span.end(), pair[1].span.start());
        }
        for segment in &self.segments {
            let bytes = read(&self.folder.path().join(&segment.path));
            let file = reader::read(&*bytes, bytes.len() as u64).expect("reads");
            assert_eq!((file.intact_len, file.damaged), (bytes.len() as u64, 0));
            let provenance = file.provenance.as_ref().expect("says whose it is");
            assert_eq!((provenance.segment, provenance.start), (segment.id, segment.span.start()));
            let ticks: u64 = file.runs(Track::Video).flat_map(|run| &run.samples).map(|s| u64::from(s.duration)).sum();
            let length = u64::try_from(segment.span.length().as_micros()).expect("small");
            assert!((ticks * 100 / 9).abs_diff(length) <= 12, "{ticks} ticks are not {length} µs");
        }
        assert_eq!(self.gaps, []);
    }

    fn pictures(&self) -> u32 {
        self.segments.iter().map(|segment| segment.pictures).sum()
    }
}

#[expect(clippy::disallowed_methods, reason = "a test looks at its own files")]
fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("reads")
}

fn run(program: &str, arguments: &[&str], path: &Path) -> String {
    let output = Command::new(program).args(arguments).arg(path).output().expect("started");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn h264_with_b_frames_and_sound_becomes_whole_minutes_that_play_and_meet() {
    if !has("ffmpeg") {
        return;
    }
    let packets = film("160x90", 130, H264, true);
    assert!(packets.windows(2).any(|pair| pair[1].pts.as_micros() < pair[0].pts.as_micros()), "B-frames");
    let recorded = record(packets.clone());
    recorded.assert_playable();
    recorded.assert_gapless();
    assert_eq!(recorded.pictures(), 1300);
    let starts: Vec<_> = recorded.segments.iter().map(|segment| segment.span.start().to_string()).collect();
    assert_eq!(starts, ["2023-11-14T22:13:20.000Z", "2023-11-14T22:14:00.000Z", "2023-11-14T22:15:00.000Z"]);
    assert_eq!(recorded.segments[0].path, Path::new("footage/porch/2023-11-14/22-13-20.000Z.mp4"));
    let sent: usize =
        packets.iter().filter(|packet| packet.track == Track::Audio).map(|packet| packet.data.len()).sum();
    let filed = recorded.segments.iter().map(|segment| {
        let bytes = read(&recorded.folder.path().join(&segment.path));
        let file = reader::read(&*bytes, bytes.len() as u64).expect("reads");
        file.runs(Track::Audio).flat_map(|run| &run.samples).map(|sample| sample.size as usize).sum::<usize>()
    });
    let filed: usize = filed.sum();
    assert!(sent - filed <= 1000, "at most the frames at the very ends of {sent} bytes of sound are missing: {filed}");
}

#[test]
fn h265_with_open_groups_plays() {
    if !has("ffmpeg") {
        return;
    }
    let recorded = record(film("160x90", 50, H265, false));
    recorded.assert_gapless();
    assert_eq!((recorded.pictures(), recorded.segments.len()), (500, 2));
    // The leading pictures of an open group cannot be decoded without the file before; players leave them out in silence.
    for segment in &recorded.segments {
        let path = recorded.folder.path().join(&segment.path);
        run("ffprobe", &["-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames"], &path);
    }
}

#[test]
fn another_size_gets_another_file_without_a_gap() {
    if !has("ffmpeg") {
        return;
    }
    let mut packets = film("160x90", 10, H264, false);
    let mut second = later(film("192x108", 10, H264, false), Duration::from_secs(10), 1);
    for packet in &mut second {
        packet.pts.ticks += 10 * 90_000;
    }
    packets.extend(second);
    let recorded = record(packets);
    recorded.assert_playable();
    recorded.assert_gapless();
    assert_eq!(recorded.segments.iter().map(|segment| segment.width).collect::<Vec<_>>(), [160, 192]);
    assert_eq!(recorded.pictures(), 200);
}

#[test]
fn another_connection_leaves_a_gap_with_its_cause() {
    if !has("ffmpeg") {
        return;
    }
    let film = film("160x90", 10, H264, false);
    let packets = [film.clone(), later(film, Duration::from_secs(25), 2)].concat();
    let recorded = record(packets);
    recorded.assert_playable();
    let [first, second] = &recorded.segments[..] else { panic!("{:?}", recorded.segments) };
    let [gap] = &recorded.gaps[..] else { panic!("{:?}", recorded.gaps) };
    assert_eq!((gap.span.start(), gap.span.end()), (first.span.end(), second.span.start()));
    assert_eq!(gap.cause, GapCause::CameraUnreachable);
    assert_eq!((gap.span.length().as_secs(), recorded.pictures()), (15, 200));
}

#[test]
fn a_timestamp_jump_cuts_and_loses_nothing() {
    if !has("ffmpeg") {
        return;
    }
    let mut packets = film("160x90", 30, "-c:v libx264 -preset ultrafast -bf 0 -g 20 -pix_fmt yuv420p", false);
    for packet in packets.iter_mut().skip(105) {
        packet.pts.ticks -= 4_000_000_000;
    }
    let recorded = record(packets);
    recorded.assert_playable();
    recorded.assert_gapless();
    assert_eq!(recorded.segments.iter().map(|segment| segment.pictures).collect::<Vec<_>>(), [120, 180]);
}

#[test]
fn a_clock_that_is_set_cuts_and_what_was_before_moves_so_that_all_meets() {
    const HOUR: i64 = 3_600_000_000;
    if !has("ffmpeg") {
        return;
    }
    let film = film("160x90", 30, H264, false);
    for by_us in [-START.0, HOUR, -HOUR, 87_660 * HOUR, -87_660 * HOUR] {
        let mut packets = film.clone();
        for packet in packets.iter_mut().filter(|packet| packet.received_monotonic.0 >= Duration::from_secs(15)) {
            packet.received.0 = packet.received.0.saturating_add(by_us);
        }
        let recorded = record(packets);
        recorded.assert_playable();
        assert_eq!(recorded.pictures(), 300);
        let [first, second] = &recorded.segments[..] else { panic!("{:?}", recorded.segments) };
        let [set] = &recorded.clock_set[..] else { panic!("{by_us}: {:?}", recorded.clock_set) };
        assert_eq!((set.by_us, set.span.start(), set.span.end()), (by_us, START, first.span.end()));
        assert_eq!(first.span.end().0 + by_us, second.span.start().0, "moved, the first ends where the second starts");
        assert_eq!(recorded.gaps, []);
    }
}

#[test]
fn a_stream_that_starts_within_a_group_waits_for_its_first_key_frame() {
    if !has("ffmpeg") {
        return;
    }
    let packets = film("160x90", 10, H264, false).split_off(5);
    let recorded = record(packets);
    recorded.assert_playable();
    assert_eq!(recorded.pictures(), 80);
}

#[test]
fn a_storage_folder_that_is_taken_away_costs_a_gap_and_no_panic() {
    if !has("ffmpeg") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let footage = Footage::open(folder.path(), InstallationId::from_random([1; 16])).expect("opens");
    std::fs::rename(folder.path().join("hearthwatch-storage"), folder.path().join("elsewhere")).expect("renamed");
    let (segments, gaps, _) = record_into(footage.clone(), film("160x90", 20, H264, false));
    assert_eq!(segments, []);
    assert!(gaps.iter().all(|gap| gap.cause == GapCause::StorageMissing) && !gaps.is_empty(), "{gaps:?}");
    std::fs::rename(folder.path().join("elsewhere"), folder.path().join("hearthwatch-storage")).expect("renamed");
    let (segments, gaps, _) = record_into(footage, film("160x90", 10, H264, false));
    assert_eq!((segments.len(), gaps.len()), (1, 0));
}
