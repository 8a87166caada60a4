//! What a steady camera costs in memory that is asked for: so much for each group of pictures, however many pictures it has.
//!
//! Counted is our own part of a packet's way, from the sink that a session calls: the ring for viewers, the queue, the recording
//! thread with its fragments, writes and syncs. What comes before is the RTSP library's, and is not counted: it puts each picture
//! together in one buffer, and `bytes` counts the holders of that buffer in another.

#![expect(unsafe_code, reason = "an allocator that counts is an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hearthwatch::camera::packet::{Packet, StreamParameters, Track, VideoCodec, VideoParameters};
use hearthwatch::disk::Footage;
use hearthwatch::media::live::{Rings, Stream};
use hearthwatch::record::OpenSegments;
use hearthwatch::record::queue::{Budget, queue};
use hearthwatch::record::task::{self, RecordSettings};
use hearthwatch::units::{CameraId, InstallationId, MediaTicks, SimulatedClock, UtcMicros};

/// Asks the system, and counts how often.
struct Counting;

/// By the number of the camera for which a thread works; 0 is nobody's.
static ASKED: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];

thread_local! {
    static CAMERA: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends has no camera any more.
    let camera = CAMERA.try_with(Cell::get).unwrap_or(0);
    ASKED[camera].fetch_add(1, Ordering::Relaxed);
}

// SAFETY: the system's allocator, unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: whoever calls keeps the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static PICTURE: [u8; 4000] = [0; 4000];
/// Groups until every buffer is as large as it gets.
const WARM_UP: usize = 4;
/// Groups that are counted: every other one is synced.
const COUNTED: usize = 6;

fn parameters() -> Arc<StreamParameters> {
    Arc::new(StreamParameters {
        video: VideoParameters {
            codec: VideoCodec::H264,
            rfc6381: "avc1.4d001f".to_owned(),
            width: 320,
            height: 180,
            sample_entry: Bytes::from_static(b"\0\0\0\x08avc1"),
            parameter_sets: Bytes::new(),
        },
        audio: None,
    })
}

/// How often a camera asks for memory while so many groups come, of a second and of so many pictures each.
fn in_groups_of(pictures: u32, number: usize) -> usize {
    let folder = tempfile::tempdir().expect("a folder");
    let footage = Footage::open(folder.path(), InstallationId::from_random([1; 16])).expect("opens");
    let camera: CameraId = "porch".parse().expect("an id");
    let simulated = SimulatedClock::new(UtcMicros(1_700_000_000_000_000));
    let settings =
        RecordSettings { segment: Duration::from_secs(60), sync: Duration::from_secs(2), recorded_until: None };
    let (budget, rings, open) = (Budget::new(64 << 20), Rings::new(), OpenSegments::default());
    let (mut feed, packets) = queue(&budget);
    let (clock, parameters) = (simulated.clock(), parameters());
    std::thread::scope(|scope| {
        let (recorder_clock, id) = (clock.clone(), camera.clone());
        scope.spawn(move || {
            CAMERA.set(number);
            task::run(id, footage, settings, recorder_clock, &packets, open, || [7; 8], drop);
        });
        CAMERA.set(number);
        let (mut ticks, mut before) = (0, 0);
        for group in 0..WARM_UP + COUNTED {
            if group == WARM_UP {
                before = ASKED[number].load(Ordering::Relaxed);
            }
            for n in 0..pictures {
                simulated.advance(Duration::from_secs(1) / pictures);
                ticks += 90_000 / i64::from(pictures);
                let packet = Packet {
                    parameters: Arc::clone(&parameters),
                    session: 0,
                    track: Track::Video,
                    pts: MediaTicks { ticks, rate: NonZeroU32::new(90_000).expect("not 0") },
                    received: clock.now(),
                    received_monotonic: clock.monotonic(),
                    is_key: n == 0,
                    lost_before: 0,
                    data: Bytes::from_static(&PICTURE),
                };
                rings.push(&camera, Stream::Main, &packet);
                assert!(feed.push(packet), "there is room");
            }
            // The recorder looks into its queue now and then and tells nobody.
            while budget.held() > 0 {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        drop(feed);
        ASKED[number].load(Ordering::Relaxed) - before
    })
}

#[test]
fn a_steady_camera_asks_for_memory_by_the_group_and_not_by_the_picture() {
    let counts = std::thread::scope(|scope| {
        let counting = [(1, 15), (2, 30), (3, 60)];
        let threads = counting.map(|(number, pictures)| scope.spawn(move || in_groups_of(pictures, number)));
        threads.map(|thread| thread.join().expect("counted"))
    });
    println!("in {COUNTED} groups of 15, 30 and 60 pictures: {counts:?}");
    let [few, _, many] = counts;
    // The threads that record are not woken at the same moments: one writes some more fragments than another.
    assert!(many <= few + 20 * COUNTED, "45 pictures more in each group cost more than a few times: {counts:?}");
    assert!(few < 60 * COUNTED, "{counts:?}");
}
