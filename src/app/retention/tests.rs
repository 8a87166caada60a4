use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::*;
use crate::app::testing;
use crate::camera::packet::{CameraMotion, Heard, Turn};
use crate::config::settings::KeepFree;
use crate::detect::event::MotionEvent;
use crate::record::queue::{Budget, queue};
use crate::record::segment::{Gap, Recorded};
use crate::record::task::{self, RecordSettings};
use crate::record::testing::{packet, video_parameters};
use crate::units::{EventId, Monotonic, SimulatedClock, UtcMicros, UtcSpan};

/// 2026-11-22T00:00:00Z.
const START: UtcMicros = UtcMicros(1_795_305_600_000_000);

#[test]
fn room_is_short_by_what_is_missing_to_the_mark() {
    let mut settings = crate::config::check("", |_| Err(std::io::ErrorKind::NotFound.into())).expect("valid").settings;
    let space = Space { total: ByteLen(1000), free: ByteLen(60) };
    settings.storage.keep_free = KeepFree::Part(0.1);
    assert_eq!(short_of(&settings, space), ByteLen(40));
    settings.storage.keep_free = KeepFree::Bytes(ByteLen(50));
    assert_eq!(short_of(&settings, space), ByteLen(0));
}

fn segment(n: u8) -> ClosedSegment {
    let start = START.plus(Duration::from_secs(60) * u32::from(n));
    ClosedSegment {
        id: SegmentId::from_random([n; 8]),
        camera: "porch".parse().expect("an id"),
        span: UtcSpan::starting_at(start, Duration::from_secs(60)),
        path: format!("footage/porch/2026-11-22/{n:02}.mp4").into(),
        size: ByteLen(1),
        pictures: 1,
        codecs: "avc1".to_owned(),
        width: 1,
        height: 1,
    }
}

#[tokio::test]
async fn a_row_whose_file_is_gone_is_taken_out_and_its_time_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = testing::site(folder.path(), "", SimulatedClock::new(START).clock());
    std::fs::create_dir_all(folder.path().join("footage/porch/2026-11-22")).expect("made");
    let all: Vec<_> = (1..=60).map(segment).collect();
    for segment in &all {
        let gone = [7, 30].contains(&segment.id.to_bytes()[0]);
        if !gone {
            std::fs::write(folder.path().join(&segment.path), "x").expect("written");
        }
        let segment = segment.clone();
        site.writer.write(move |tx| segments::insert(tx, &segment)).await.expect("entered");
    }
    sweep(&site).await.expect("swept");
    let camera: CameraId = "porch".parse().expect("an id");
    let ever = UtcSpan::new(UtcMicros(0), UtcMicros(i64::MAX)).expect("in order");
    let left = site.readers.read_blocking(|conn| segments::between(conn, &camera, ever)).expect("reads");
    assert_eq!(left.len(), 58);
    let listed = site.readers.read_blocking(|conn| index::gaps::between(conn, &camera, ever)).expect("reads");
    assert_eq!(listed.iter().map(|gap| gap.span).collect::<Vec<_>>(), [all[6].span, all[29].span]);

    // A folder that was moved away is no reason to forget it.
    std::fs::rename(folder.path().join("footage"), folder.path().join("elsewhere")).expect("renamed");
    assert!(sweep(&site).await.is_err());
    let left = site.readers.read_blocking(|conn| segments::between(conn, &camera, ever)).expect("reads");
    assert_eq!(left.len(), 58);
}

#[tokio::test]
async fn small_pictures_go_with_their_footage_and_never_hold_it_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = testing::site(folder.path(), "", SimulatedClock::new(START).clock());
    std::fs::create_dir_all(folder.path().join("footage/porch/2026-11-22")).expect("made");
    let all: Vec<_> = (1..=3).map(segment).collect();
    for segment in &all {
        std::fs::write(folder.path().join(&segment.path), "x").expect("written");
        site.footage.write_previews(&segment.path, b"small").expect("written");
        let segment = segment.clone();
        site.writer.write(move |tx| segments::insert(tx, &segment)).await.expect("entered");
    }
    let lies = |segment: &ClosedSegment| {
        (site.footage.open_file(&segment.path).is_ok(), site.footage.open_previews(&segment.path).is_ok())
    };
    make_garbage(&site, &[all[0].id]).await.expect("removed");
    remove_garbage(&site).await.expect("removed");
    assert_eq!(all.iter().map(lies).collect::<Vec<_>>(), [(false, false), (true, true), (true, true)]);
    // Somebody put a file where the folder was.
    std::fs::rename(folder.path().join("previews"), folder.path().join("elsewhere")).expect("renamed");
    std::fs::write(folder.path().join("previews"), "x").expect("written");
    make_garbage(&site, &[all[1].id]).await.expect("removed");
    remove_garbage(&site).await.expect("the footage goes");
    assert!(site.footage.open_file(&all[1].path).is_err());
    std::fs::remove_file(folder.path().join("previews")).expect("removed");
    std::fs::rename(folder.path().join("elsewhere"), folder.path().join("previews")).expect("renamed");
    // A file that somebody took away takes its pictures along.
    std::fs::remove_file(folder.path().join(&all[2].path)).expect("removed");
    sweep(&site).await.expect("swept");
    assert!(site.footage.open_previews(&all[2].path).is_err());
}

#[tokio::test]
async fn what_a_camera_said_itself_and_what_was_missing_goes_after_its_days_also_where_nothing_was_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = testing::site(folder.path(), "", SimulatedClock::new(START).clock());
    let porch: CameraId = "porch".parse().expect("an id");
    for days in [40, 29] {
        let at = START.minus(Duration::from_secs(86_400 * days));
        for (turn, at) in [(Turn::Begins, at), (Turn::Ends, at.plus(Duration::from_secs(10)))] {
            let (camera, said) = (porch.clone(), CameraMotion { what: Heard::Motion, turn, at });
            site.writer.write(move |tx| camera_motion::note(tx, &camera, said)).await.expect("noted");
        }
        let span = UtcSpan::starting_at(at, Duration::from_secs(60));
        let gap = Gap { camera: porch.clone(), span, cause: GapCause::PowerCut };
        site.writer.write(move |tx| gaps::insert(tx, &gap)).await.expect("noted");
    }
    by_age(&site).await.expect("looked");
    let ever = UtcSpan::new(UtcMicros(0), UtcMicros(i64::MAX)).expect("in order");
    let left = site.readers.read_blocking(|conn| camera_motion::between(conn, &porch, Heard::Motion, ever));
    assert_eq!(left.expect("reads").len(), 1);
    let left = site.readers.read_blocking(|conn| gaps::between(conn, &porch, ever));
    assert_eq!(left.expect("reads").len(), 1);
}

/// Mounts a file system in memory that nobody else sees and that ends with this thread; an error says why that is not allowed.
fn mount(folder: &Path, size: &str) -> Result<(), String> {
    #[expect(
        unsafe_code,
        reason = "no safe function gives a thread its own mounts; nothing else of the process is changed"
    )]
    let alone = unsafe { libc::unshare(libc::CLONE_NEWNS) };
    if alone != 0 {
        return Err(std::io::Error::last_os_error().to_string());
    }
    let options = format!("size={size}");
    let folder = folder.to_str().expect("UTF-8");
    for arguments in [&["--make-rprivate", "/"][..], &["-t", "tmpfs", "-o", &options, "tmpfs", folder]] {
        let output = Command::new("mount").args(arguments).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    Ok(())
}

/// Ten times what a usual camera sends.
const PICTURE_BYTES: usize = 250_000;
const PICTURES_A_SECOND: i64 = 10;
const SEGMENT: Duration = Duration::from_secs(10);

/// One camera of the story below: its queue, its recorder's thread, and what came out.
struct Camera {
    feed: crate::record::queue::Feed,
    thread: std::thread::JoinHandle<()>,
    told: Arc<Mutex<Vec<Recorded>>>,
}

fn start(site: &SiteParts, camera: &'static str, budget: &Budget) -> Camera {
    let (feed, packets) = queue(budget);
    let told = Arc::new(Mutex::new(Vec::new()));
    let (site, out) = (site.clone(), told.clone());
    let record = move || {
        let settings = RecordSettings { segment: SEGMENT, sync: Duration::from_secs(2), recorded_until: None };
        let SiteParts { footage, open, clock, writer, .. } = site;
        let mut n = u64::from(camera.as_bytes()[0]) << 32;
        let id = || {
            n += 1;
            n.to_be_bytes()
        };
        let out = |recorded: Recorded| {
            if let Recorded::Segment(segment) = recorded.clone() {
                writer.write_blocking(move |tx| segments::insert(tx, &segment)).expect("entered");
            }
            out.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
        };
        task::run(camera.parse().expect("an id"), footage, settings, clock, &packets, open, id, out);
    };
    let thread = std::thread::Builder::new().spawn(record).expect("a thread");
    Camera { feed, thread, told }
}

/// A disk of 256 MiB under two cameras with ten times the usual rate: half an hour is 9 GB. Three minutes as a rule, all of it
/// with `HEARTHWATCH_SLOW=1`.
#[tokio::test]
async fn a_small_disk_that_is_filled_many_times_over_never_stops_the_recording() {
    let folder = tempfile::tempdir().expect("a folder");
    if let Err(why) = mount(folder.path(), "256m") {
        return println!("skipped: this machine allows no file system of our own ({why})");
    }
    let is_slow = std::env::var_os("HEARTHWATCH_SLOW").is_some_and(|value| value == "1");
    let seconds = if is_slow { 1800 } else { 180 };
    let clock = SimulatedClock::new(START);
    let site = testing::site(folder.path(), "[storage]\nkeep_free = \"20%\"\n", clock.clock());
    let budget = Budget::new(usize::MAX);
    let mut cameras: Vec<_> = ["porch", "nursery"].into_iter().map(|camera| start(&site, camera, &budget)).collect();
    let kept = MotionEvent {
        id: EventId::from_random([9; 8]),
        camera: "porch".parse().expect("an id"),
        start: START.plus(Duration::from_secs(13)),
        end: Some(START.plus(Duration::from_secs(14))),
        peak: 0.1,
        zones: vec![],
        why: None,
        thumbnail: None,
        preview: None,
    };
    let id = kept.id;
    let keep = move |tx: &rusqlite::Transaction<'_>| {
        events::upsert(tx, &kept)?;
        events::set(tx, id, Some(true), None)
    };
    site.writer.write(keep).await.expect("kept");

    let mark = site.settings.borrow().storage.keep_free.of(site.footage.space().expect("asked").total).0;
    let segment_bytes = PICTURE_BYTES as u64 * PICTURES_A_SECOND.unsigned_abs() * SEGMENT.as_secs() + (1 << 20);
    let least = mark.saturating_sub(2 * segment_bytes);
    let (parameters, picture) = (video_parameters(), Bytes::from(vec![0x55; PICTURE_BYTES]));
    let (mut lowest, foreign) = (u64::MAX, folder.path().join("somebody's film"));
    for second in 0..seconds {
        for n in 0..PICTURES_A_SECOND {
            let at_ms = second * 1000 + n * 1000 / PICTURES_A_SECOND;
            for camera in &mut cameras {
                let mut packet = packet(&parameters, at_ms, n == 0);
                packet.received = START.plus(Duration::from_millis(at_ms.unsigned_abs()));
                packet.received_monotonic = Monotonic(Duration::from_millis(at_ms.unsigned_abs()));
                packet.data = picture.clone();
                assert!(camera.feed.push(packet));
            }
        }
        while budget.held() > 0 {
            std::thread::yield_now();
        }
        clock.advance(Duration::from_secs(1));
        if second == 60 {
            std::fs::write(&foreign, vec![0; 40 << 20]).expect("written");
            by_need(&site).await.expect("looks");
        } else if second == 90 {
            std::fs::remove_file(&foreign).expect("removed");
        }
        let free = site.footage.space().expect("asked").free.0;
        lowest = lowest.min(free);
        assert!(free >= least, "after {second} s only {free} bytes are free, {least} should be");
        if second.rem_euclid(2) == 0 {
            by_need(&site).await.expect("looks");
        }
    }
    let mut written = 0;
    for camera in cameras {
        drop(camera.feed);
        camera.thread.join().expect("it lives");
        let mut recorded = Duration::ZERO;
        for told in camera.told.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let Recorded::Segment(segment) = told else { panic!("recording stopped: {told:?}") };
            recorded += segment.span.length();
            written += segment.size.0;
        }
        let due = Duration::from_secs(seconds.unsigned_abs());
        assert!(recorded + Duration::from_secs(1) >= due, "{recorded:?} of {due:?}");
    }
    let porch: CameraId = "porch".parse().expect("an id");
    let around = UtcSpan::starting_at(START.plus(Duration::from_secs(10)), Duration::from_secs(8));
    let left = site.readers.read_blocking(|conn| segments::between(conn, &porch, around)).expect("reads");
    assert!(!left.is_empty(), "what is kept stays");
    for segment in left {
        let size = std::fs::metadata(folder.path().join(&segment.path)).expect("what is kept stays").len();
        assert_eq!(ByteLen(size), segment.size);
    }
    println!(
        "{} written to 256 MiB; the mark is {}, at the lowest {} were free",
        ByteLen(written),
        ByteLen(mark),
        ByteLen(lowest)
    );
}
