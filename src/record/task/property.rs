//! Whatever a camera sends: no picture is lost or doubled, files do not overlap, and each can be decoded from its beginning.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use crate::camera::packet::{Packet, StreamParameters, Track};
use crate::disk::Footage;
use crate::record::OpenSegments;
use crate::record::queue::{Budget, Received, queue};
use crate::record::reader;
use crate::record::segment::{ClockSet, ClosedSegment, Gap, Recorded};
use crate::record::task::{RecordSettings, Recorder, run};
use crate::record::testing::{packet, video_parameters};
use crate::units::{InstallationId, SimulatedClock, UtcMicros, UtcSpan};

const START: UtcMicros = UtcMicros(1_700_000_000_000_000);
/// Between two pictures.
const STEP: Duration = Duration::from_millis(500);

/// What happens with a picture, other than that it follows the one before.
#[derive(Debug, Clone, Copy)]
enum Odd {
    Nothing,
    /// It is shown before the two pictures sent before it.
    Early,
    /// It has the timestamp of the one before.
    Repeated,
    /// Timestamps jump by so many ms, and go on from there.
    Jump(i64),
    /// It comes so much later.
    Late(u64),
    /// Pictures are of another size.
    Parameters,
    /// It is another connection's.
    Session,
    /// The clock on the wall is set by so many seconds.
    ClockSet(i64),
}

fn odds() -> impl Strategy<Value = Odd> {
    prop_oneof![
        30 => Just(Odd::Nothing),
        8 => Just(Odd::Early),
        2 => Just(Odd::Repeated),
        1 => prop_oneof![-50_000_000_000..-2_001i64, 20_000..50_000_000_000i64, -2_000..-1i64].prop_map(Odd::Jump),
        1 => (1..29_000u64).prop_map(Odd::Late),
        1 => Just(Odd::Parameters),
        1 => Just(Odd::Session),
        1 => prop_oneof![-90_000..-3i64, 3..90_000i64, Just(-315_360_000), Just(315_360_000)].prop_map(Odd::ClockSet),
    ]
}

/// What came out, with everything moved as it was told.
#[derive(Default)]
struct Out {
    segments: Vec<ClosedSegment>,
    gaps: Vec<Gap>,
}

impl Out {
    fn take(&mut self, recorded: Recorded) {
        match recorded {
            Recorded::Segment(segment) => self.segments.push(segment),
            Recorded::Gap(gap) => self.gaps.push(gap),
            Recorded::ClockSet(ClockSet { span: told, by_us, .. }) => {
                let spans = self.segments.iter_mut().map(|segment| &mut segment.span);
                for span in spans.chain(self.gaps.iter_mut().map(|gap| &mut gap.span)) {
                    assert!(told.contains(span.start()), "{span:?} is of this life, {told:?}");
                    *span = UtcSpan::starting_at(UtcMicros(span.start().0 + by_us), span.length());
                }
            }
        }
    }
}

/// One camera's pictures in simulated time, and where they went.
struct Film {
    folder: tempfile::TempDir,
    simulated: SimulatedClock,
    sent: Vec<Packet>,
    parameters: Arc<StreamParameters>,
    session: u64,
    pts_ms: i64,
}

impl Film {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let simulated = SimulatedClock::new(START);
        simulated.advance(Duration::from_secs(3600));
        Self { folder, simulated, sent: Vec::new(), parameters: video_parameters(), session: 0, pts_ms: 0 }
    }

    /// The next picture. What begins something is a key frame, as a session sees to.
    fn next(&mut self, odd: Odd, is_key: bool) -> Packet {
        let step_ms = 500;
        self.simulated.advance(STEP);
        let mut shown_ms = self.pts_ms + step_ms;
        let mut is_key = is_key || self.sent.is_empty();
        match odd {
            Odd::Early if !is_key => shown_ms -= 2 * step_ms + 1,
            Odd::Nothing | Odd::Early => {}
            Odd::Repeated => shown_ms -= step_ms,
            Odd::Jump(by_ms) => shown_ms += by_ms,
            Odd::Late(by_ms) => {
                self.simulated.advance(Duration::from_millis(by_ms));
                shown_ms += i64::try_from(by_ms).expect("small");
            }
            Odd::Parameters => {
                let mut other = (*self.parameters).clone();
                other.video.width ^= 16;
                (self.parameters, is_key) = (Arc::new(other), true);
            }
            Odd::Session => (self.session, is_key) = (self.session + 1, true),
            Odd::ClockSet(by_s) => {
                let now = self.simulated.clock().now();
                // The kernel takes no time before 1970.
                self.simulated.step_to(UtcMicros(now.0 + by_s * 1_000_000).max(UtcMicros::EPOCH));
            }
        }
        self.pts_ms = if matches!(odd, Odd::Early) { self.pts_ms + step_ms } else { shown_ms };
        let clock = self.simulated.clock();
        let number = u32::try_from(self.sent.len()).expect("few");
        let mut packet = packet(&self.parameters, 0, is_key);
        packet.pts.ticks = shown_ms * 90;
        (packet.received, packet.received_monotonic) = (clock.now(), clock.monotonic());
        packet.session = self.session;
        packet.data = Bytes::copy_from_slice(&number.to_be_bytes());
        self.sent.push(packet.clone());
        packet
    }

    /// Records so many pictures; each says what is odd about it and whether it is a key frame.
    fn record(&mut self, sync: Duration, pictures: impl Iterator<Item = (Odd, bool)>) -> Out {
        let footage = Footage::open(self.folder.path(), InstallationId::from_random([1; 16])).expect("opens");
        let settings = RecordSettings { segment: Duration::from_secs(60), sync, recorded_until: None };
        let (mut feed, packets) = queue(&Budget::new(usize::MAX));
        let camera = "porch".parse().expect("an id");
        let (mut out, mut id) = (Out::default(), 0_u64);
        let random = || {
            id += 1;
            id.to_be_bytes()
        };
        let clock = self.simulated.clock();
        let open = OpenSegments::default();
        let mut recorder =
            Recorder::new(camera, footage, settings, clock, open.clone(), random, |recorded| out.take(recorded));
        for (odd, is_key) in pictures {
            assert!(feed.push(self.next(odd, is_key)));
            if let Received::Arrival(arrival) = packets.receive(Duration::ZERO) {
                recorder.take(arrival);
            }
            recorder.tick();
        }
        recorder.end();
        out
    }

    /// Every file read back: each begins with a key frame, and all pictures are there, once, in the order in which they came.
    fn assert_whole(&self, out: &Out) {
        let mut filed = Vec::new();
        // Files lie where the clock of their time put them, so the order is that of closing.
        for segment in &out.segments {
            let path = self.folder.path().join(&segment.path);
            let bytes = Bytes::from(read(&path));
            let file = reader::read(&*bytes, bytes.len() as u64).expect("reads");
            assert_eq!((file.intact_len, file.damaged), (bytes.len() as u64, 0));
            let samples: Vec<_> = file.runs(Track::Video).flat_map(|run| &run.samples).collect();
            assert!(samples[0].is_key, "{}", path.display());
            assert_eq!(u32::try_from(samples.len()).expect("few"), segment.pictures);
            for sample in samples {
                let at = usize::try_from(sample.offset).expect("small");
                let number: [u8; 4] = bytes[at..at + sample.size as usize].try_into().expect("four bytes");
                filed.push(u32::from_be_bytes(number));
            }
        }
        let sent: Vec<_> = (0..u32::try_from(self.sent.len()).expect("few")).collect();
        assert_eq!(filed, sent, "lost, doubled or shuffled");
    }
}

#[expect(clippy::disallowed_methods, reason = "a test looks at its own files")]
fn read(path: &std::path::Path) -> Vec<u8> {
    std::fs::read(path).expect("reads")
}

fn is_slow() -> bool {
    std::env::var_os("HEARTHWATCH_SLOW").is_some_and(|value| value == "1")
}

fn assert_no_overlap(out: &Out) {
    for pair in out.segments.windows(2) {
        let twice = pair[0].span.end().since(pair[1].span.start());
        assert!(twice < Duration::from_millis(1), "{pair:?} overlap");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if is_slow() { 500 } else { 64 }))]

    #[test]
    fn no_picture_is_lost_or_doubled_and_no_files_overlap(
        pictures in prop::collection::vec((odds(), prop::bool::weighted(0.2)), 1..250),
    ) {
        let mut film = Film::new();
        let out = film.record(Duration::from_secs(60), pictures.into_iter());
        film.assert_whole(&out);
        assert_no_overlap(&out);
    }
}

#[test]
fn what_waited_long_for_a_slow_disk_is_no_silence() {
    let folder = tempfile::tempdir().expect("a folder");
    let footage = Footage::open(folder.path(), InstallationId::from_random([1; 16])).expect("opens");
    let (mut feed, packets) = queue(&Budget::new(usize::MAX));
    for n in 0..200 {
        assert!(feed.push(packet(&video_parameters(), n * 100, n % 40 == 0)));
    }
    drop(feed);
    let simulated = SimulatedClock::new(START);
    simulated.advance(Duration::from_secs(100));
    let (minute, sync) = (Duration::from_secs(60), Duration::from_secs(2));
    let settings = RecordSettings { segment: minute, sync, recorded_until: None };
    let (camera, mut recorded) = ("porch".parse().expect("an id"), Vec::new());
    let (open, clock) = (OpenSegments::default(), simulated.clock());
    run(camera, footage, settings, clock, &packets, open, || [7; 8], |each| recorded.push(each));
    assert!(matches!(&recorded[..], [Recorded::Segment(segment)] if segment.pictures == 200), "{recorded:?}");
}

/// Two pictures a second, a key frame each four seconds, over a day in which the 90 kHz clock passes 2³².
#[test]
fn a_day_is_recorded_without_a_hole() {
    let hours = if is_slow() { 24 } else { 2 };
    let mut film = Film::new();
    // So that two hours pass it as well.
    film.pts_ms = if is_slow() { 0 } else { (1 << 32) / 90 - 3_600_000 };
    let begin = film.pts_ms;
    let out = film.record(Duration::from_secs(60), (0..hours * 7200).map(|n| (Odd::Nothing, n % 8 == 0)));
    film.assert_whole(&out);
    assert!(film.pts_ms * 90 > 1 << 32 && begin * 90 < 1 << 32);
    assert_eq!(out.gaps, []);
    for pair in out.segments.windows(2) {
        assert_eq!(pair[0].span.end(), pair[1].span.start());
    }
    let (Some(first), Some(last)) = (out.segments.first(), out.segments.last()) else { panic!("nothing") };
    let length = last.span.end().since(first.span.start());
    assert_eq!(length, Duration::from_secs(hours * 3600));
    assert_eq!(out.segments.len() as u64, hours * 60 + 1);
}
