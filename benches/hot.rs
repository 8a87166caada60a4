//! The functions in which a recorder spends its days: `cargo bench --bench hot`, with `-- NAME` for some of them.
//!
//! What they cost together, beside other programs, is `script/bench`'s to say; this is for whoever changes one of them.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use divan::Bencher;
use futures_util::TryStreamExt as _;
use hearthwatch::access::{
    Gate, Records, RecordsError, Right, Rights, Role, SessionKind, SessionRow, ShareRow, Token, TokenHash, Viewable,
};
use hearthwatch::camera::packet::{StreamParameters, Track, VideoCodec, VideoParameters};
use hearthwatch::config::settings::Motion;
use hearthwatch::detect::grid::Shape;
use hearthwatch::detect::model::Model;
use hearthwatch::disk::Footage;
use hearthwatch::index::{self, Readers, events, segments};
use hearthwatch::media::clip;
use hearthwatch::record::fmp4::{self, Provenance, Sample, TrackRun};
use hearthwatch::record::fragmenter::{Fragmenter, Frame};
use hearthwatch::record::segment::ClosedSegment;
use hearthwatch::record::timeline::Placed;
use hearthwatch::record::{OpenSegments, reader};
use hearthwatch::units::{CameraId, Clock, InstallationId, Monotonic, SegmentId, UserId, UtcMicros, UtcSpan};

fn main() {
    divan::main();
}

const START: UtcMicros = UtcMicros(1_767_225_600_000_000);
const MINUTE: Duration = Duration::from_secs(60);
/// Of 1080p at 4 Mbit/s and 15 pictures a second.
static PICTURE: [u8; 33_000] = [7; 33_000];

fn camera() -> CameraId {
    "porch".parse().expect("an id")
}

fn parameters() -> Arc<StreamParameters> {
    // As large as an `avc1` box is, and read by nobody here.
    let mut entry = [[0, 0, 0, 128], *b"avc1"].concat();
    entry.resize(128, 0);
    Arc::new(StreamParameters {
        video: VideoParameters {
            codec: VideoCodec::H264,
            rfc6381: "avc1.640028".to_owned(),
            width: 1920,
            height: 1080,
            sample_entry: entry.into(),
            parameter_sets: Bytes::new(),
        },
        audio: None,
    })
}

/// A group of pictures.
fn samples() -> Vec<Sample> {
    let sample =
        |n| Sample { duration: 6000, composition_offset: 0, is_key: n == 0, data: Bytes::from_static(&PICTURE) };
    (0..30).map(sample).collect()
}

/// A minute of footage, as it is in a file.
fn minute(provenance: Option<&Provenance>) -> Vec<u8> {
    let (mut bytes, samples) = (fmp4::init_segment(&parameters(), provenance), samples());
    for n in 0..30 {
        let run = TrackRun { track: Track::Video, base_decode_ticks: u64::from(n) * 180_000, samples: &samples };
        bytes.extend(fmp4::fragment(n + 1, &[run]));
    }
    bytes
}

/// From two groups of pictures to what is handed to the disk.
#[divan::bench]
fn fragments_of_two_groups(bencher: Bencher<'_, '_>) {
    let parameters = parameters();
    bencher.bench_local(|| {
        let mut fragmenter = Fragmenter::default();
        let mut heads = Vec::new();
        for n in 0..60_u32 {
            let at = Duration::from_micros(66_667) * n;
            fragmenter.push(Frame {
                track: Track::Video,
                at: Placed(i64::from(n) * 66_667),
                received: Monotonic(at),
                is_key: n.is_multiple_of(30),
                begins: (n == 0).then(|| Arc::clone(&parameters)),
                data: Bytes::from_static(&PICTURE),
            });
            // As often as the recording thread looks.
            if n.is_multiple_of(8) {
                heads.extend(
                    fragmenter
                        .pop(Monotonic(at), Monotonic(at), Duration::from_secs(1))
                        .map(|fragment| fragment.head()),
                );
            }
        }
        heads
    });
}

/// One picture for a viewer.
#[divan::bench]
fn live_fragment(bencher: Bencher<'_, '_>) {
    let samples = samples();
    let run = TrackRun { track: Track::Video, base_decode_ticks: 1 << 33, samples: &samples[..1] };
    bencher.bench_local(|| fmp4::fragment(black_box(7), &[run]));
}

/// Finding all pictures of a minute of footage.
#[divan::bench]
fn reading_a_file(bencher: Bencher<'_, '_>) {
    let bytes = minute(None);
    bencher.bench_local(|| reader::read(black_box(&bytes[..]), bytes.len() as u64).expect("readable"));
}

/// From a picture's luma to the grid.
#[divan::bench(args = [(640, 360), (704, 576), (1280, 720), (1920, 1080)])]
fn block_means(bencher: Bencher<'_, '_>, (width, height): (u32, u32)) {
    let shape = Shape::of(width, height).expect("large enough");
    let stride = width as usize + 32;
    let luma: Vec<u8> = (0..stride * height as usize).map(|n| (n * 31 % 249).to_le_bytes()[0]).collect();
    let mut means = Vec::new();
    bencher.bench_local(|| shape.block_means(black_box(&luma), stride, &mut means).expect("enough luma"));
}

/// A grid with texture and noise, and something that walks through it.
fn grid(shape: Shape, look: usize) -> Vec<u16> {
    let cell = |n: usize| {
        let (col, row) = (n % shape.cols(), n / shape.cols());
        let walks = (40..60).contains(&row) && (look % 150..look % 150 + 8).contains(&col);
        let texture = 20_000 + (col * 31 + row * 17) % 64 * 300;
        let noise = (n * 7919 + look * 104_729) % 97 * 4;
        u16::try_from(if walks { 60_000 } else { texture } + noise).expect("16 bits")
    };
    (0..shape.cells()).map(cell).collect()
}

/// One look of the model, five of which a camera gets each second.
#[divan::bench]
fn a_look(bencher: Bencher<'_, '_>) {
    let shape = Shape::of(640, 360).expect("large enough");
    let grids: Vec<_> = (0..150).map(|look| grid(shape, look)).collect();
    let mut model = Model::new(shape.cols(), shape.rows(), &Motion::default());
    let mut at_us = 0;
    bencher.bench_local(|| {
        at_us += 200_000;
        let look = usize::try_from(at_us / 200_000).expect("small") % grids.len();
        model.look(black_box(&grids[look]), at_us)
    });
}

/// Two days of one camera.
fn small_index(folder: &std::path::Path, size: u64) -> Readers {
    let (mut thread, _, readers) = index::open(&folder.join("index.db")).expect("a database");
    let filled = thread.write_here(|tx| {
        for n in 0..2880_u32 {
            let start = START.plus(MINUTE * n);
            let segment = ClosedSegment {
                id: SegmentId::from_random(u64::from(n).to_be_bytes()),
                camera: camera(),
                span: UtcSpan::starting_at(start, MINUTE),
                path: format!("footage/porch/{n}.mp4").into(),
                size: hearthwatch::units::ByteLen(size),
                pictures: 900,
                codecs: "avc1.640028".to_owned(),
                width: 1920,
                height: 1080,
            };
            segments::insert(tx, &segment)?;
        }
        Ok(())
    });
    filled.expect("filled");
    readers
}

fn a_day() -> UtcSpan {
    UtcSpan::starting_at(START, MINUTE * 1440)
}

#[divan::bench]
fn segments_of_a_day(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (readers, camera) = (small_index(folder.path(), 1), camera());
    bencher.bench_local(|| readers.read_blocking(|conn| segments::between(conn, &camera, a_day())).expect("read"));
}

#[divan::bench]
fn segments_of_ten_seconds(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (readers, camera) = (small_index(folder.path(), 1), camera());
    let span = UtcSpan::starting_at(START.plus(MINUTE * 700), Duration::from_secs(10));
    bencher.bench_local(|| readers.read_blocking(|conn| segments::between(conn, &camera, span)).expect("read"));
}

#[divan::bench]
fn events_of_a_day_without_any(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (readers, camera) = (small_index(folder.path(), 1), camera());
    bencher.bench_local(|| readers.read_blocking(|conn| events::between(conn, &camera, a_day())).expect("read"));
}

/// Lets one user do everything, so that the clip alone is measured.
struct Everything;

impl Records for Everything {
    fn session(&self, _: &TokenHash, _: UtcMicros) -> Result<Option<SessionRow>, RecordsError> {
        Ok(Some(SessionRow {
            user: UserId(1),
            name: "anna".to_owned(),
            role: Role::Member,
            expires: UtcMicros(i64::MAX),
            kind: SessionKind::Cookie,
        }))
    }

    fn rights(&self, _: UserId, _: &CameraId, _: UtcMicros) -> Result<Rights, RecordsError> {
        Ok(Rights { live: true, history: true, export: true, delete: true })
    }

    fn cameras(&self, _: UserId, _: UtcMicros) -> Result<Vec<(CameraId, Rights)>, RecordsError> {
        Ok(Vec::new())
    }

    fn share(&self, _: &TokenHash, _: UtcMicros) -> Result<Option<ShareRow>, RecordsError> {
        Ok(None)
    }

    fn is_paused(&self, _: &CameraId) -> Result<bool, RecordsError> {
        Ok(false)
    }
}

fn proof() -> Viewable<CameraId> {
    let gate = Gate::new(Arc::new(Everything), Clock::system());
    let viewer = gate.who(&Token::from_random([1; 32])).expect("signed in");
    gate.viewable(&viewer, &camera(), Right::Export).expect("permitted")
}

/// Ten minutes of footage as one MP4, to the last byte.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn a_clip_of_ten_minutes(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let footage = Footage::open(folder.path(), InstallationId::from_random([7; 16])).expect("a storage folder");
    let (mut thread, _, readers) = index::open(&folder.path().join("index.db")).expect("a database");
    for n in 0..10_u32 {
        let (start, id) = (START.plus(MINUTE * n), SegmentId::from_random(u64::from(n).to_be_bytes()));
        let provenance = Provenance { camera: camera(), installation: footage.installation(), segment: id, start };
        let mut part = footage.create_part(&camera(), start).expect("a file");
        part.append(&minute(Some(&provenance))).expect("appended");
        let (path, size) = part.close().expect("closed");
        let (codecs, span) = ("avc1.640028".to_owned(), UtcSpan::starting_at(start, MINUTE));
        let row =
            ClosedSegment { id, camera: camera(), span, path, size, pictures: 900, codecs, width: 1920, height: 1080 };
        assert!(thread.write_here(|tx| segments::insert(tx, &row)).expect("written"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (proof, open, span) = (proof(), OpenSegments::default(), UtcSpan::starting_at(START, MINUTE * 10));
    bencher.bench_local(|| {
        runtime.block_on(async {
            let clip = clip::open(&proof, span, &readers, &footage, &open).await.expect("a clip");
            let stream = std::pin::pin!(clip.stream(0..clip.len()));
            stream.try_fold(0, async |length, bytes| Ok(length + bytes.len())).await.expect("read")
        })
    });
}
