//! The recording of one camera: packets in, files out. Blocking; it has a thread of its own and waits for nothing but the
//! disk.
//!
//! Files are the truth: a segment is handed on only when it is synced under its final name. What the disk refuses is given
//! up with a word in the log and a gap in the account, and the next key frame gets a new file.

mod account;

use std::sync::Arc;
use std::time::Duration;

use crate::camera::packet::{Packet, StreamParameters, Track};
use crate::disk::{Footage, PartError};
use crate::record::cutter::{Break, Cutter, Verdict};
use crate::record::fragmenter::{Fragment, Fragmenter, Frame};
use crate::record::missing::Missing;
use crate::record::open::OpenSegments;
use crate::record::queue::{Arrival, Packets, Received};
use crate::record::recording::{self, Recording};
use crate::record::segment::{ClosedSegment, GapCause, Recorded};
use crate::record::task::account::cause;
use crate::record::timeline::{Placed, Timeline, apart};
use crate::units::{CameraId, Clock, Monotonic, SegmentId, UtcMicros, UtcSpan};

/// A fragment is not made longer than this, however rarely the disk is synced.
const LONGEST_FRAGMENT: Duration = Duration::from_secs(1);
/// Without a packet for so long, even the frames that are held back are written.
const FLUSH_AFTER: Duration = Duration::from_secs(3);
/// Without a packet for so long, the segment is closed: what it holds is complete.
const CLOSE_AFTER: Duration = Duration::from_secs(30);
/// The pause after a disk error; doubled up to [`LONGEST_PAUSE`] while errors go on.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How a camera is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordSettings {
    /// How long a segment is, before the key frame that ends it.
    pub segment: Duration,
    /// How much a power cut may cost.
    pub sync: Duration,
    /// The end of what was recorded of this camera before, and why it ended; the time from there on is listed as a gap.
    pub recorded_until: Option<(UtcMicros, GapCause)>,
}

/// Records until the packets end, then closes what is open.
///
/// `out` gets segments and gaps in order. A segment that was handed on stays in `open` until whoever made it a row removes
/// it, so that there is no moment at which the newest footage is in neither. `random` gives the bits of segment ids.
#[expect(clippy::too_many_arguments, reason = "everything that a thread is given, once")]
pub fn run(
    camera: CameraId,
    footage: Footage,
    settings: RecordSettings,
    clock: Clock,
    packets: &Packets,
    open: OpenSegments,
    random: impl FnMut() -> [u8; 8],
    out: impl FnMut(Recorded),
) {
    let mut recorder = Recorder::new(camera, footage, settings, clock, open, random, out);
    let tick = (settings.sync / 4).clamp(Duration::from_millis(20), Duration::from_millis(500));
    let mut ticked = Monotonic::default();
    loop {
        match packets.receive(tick.min(recorder.until_sync())) {
            Received::Arrival(arrival) => {
                let moment = (arrival.packet.received, arrival.packet.received_monotonic);
                recorder.take(arrival);
                recorder.tell_so_far(moment);
                // Many come at once: one look at what is complete is enough for all of them.
                if recorder.now().since(ticked) < tick && !recorder.until_sync().is_zero() {
                    continue;
                }
            }
            Received::Absent(absent) => recorder.go_without(absent),
            Received::Nothing => recorder.take_nothing(),
            Received::End => break,
        }
        ticked = recorder.now();
        recorder.tick();
    }
    recorder.end();
}

struct Recorder<R, O> {
    camera: CameraId,
    footage: Footage,
    settings: RecordSettings,
    clock: Clock,
    open: OpenSegments,
    random: R,
    out: O,

    cutter: Cutter,
    timeline: Option<Timeline>,
    fragmenter: Fragmenter,
    recording: Option<Recording>,
    missing: Missing,
    /// A hole that ends where a segment begins.
    hole: Option<(UtcSpan, GapCause)>,
    /// Wall clock minus steady clock, in µs, as everything that was told lies in time.
    clocks_apart_us: i64,
    /// When the oldest frame arrived that was appended and not synced.
    unsynced: Option<Monotonic>,
    /// All packets that arrived until then were taken.
    heard: Monotonic,
    /// When the last packet was taken from the queue: where packets wait for a slow disk, their arrival is long past, and that
    /// is no silence of the camera's.
    last_taken: Option<Monotonic>,
    /// When the last picture arrived that is in a file.
    last_written: Monotonic,
    flushed: bool,
    /// The newest picture, and how long after the one before it was.
    newest: Option<(Placed, Duration)>,
    /// Whether pictures were left out before the last key frame to save memory; said once, not each time.
    was_thinned: bool,
    /// After a disk error: until when nothing is tried, and how long the pause was.
    pause: Option<(Monotonic, Duration)>,
}

impl<R: FnMut() -> [u8; 8], O: FnMut(Recorded)> Recorder<R, O> {
    fn new(
        camera: CameraId,
        footage: Footage,
        settings: RecordSettings,
        clock: Clock,
        open: OpenSegments,
        random: R,
        out: O,
    ) -> Self {
        Self {
            cutter: Cutter::new(settings.segment),
            missing: Missing::new(clock.now(), clock.monotonic(), settings.recorded_until),
            clocks_apart_us: apart(clock.now(), clock.monotonic()),
            hole: None,
            camera,
            footage,
            settings,
            clock,
            open,
            random,
            out,
            timeline: None,
            fragmenter: Fragmenter::default(),
            recording: None,
            unsynced: None,
            heard: Monotonic::default(),
            last_taken: None,
            last_written: Monotonic::default(),
            flushed: false,
            newest: None,
            was_thinned: false,
            pause: None,
        }
    }

    fn now(&self) -> Monotonic {
        self.clock.monotonic().max(self.heard)
    }

    fn take(&mut self, arrival: Arrival) {
        let (packet, thinned) = (arrival.packet, arrival.thinned_before);
        self.heard = packet.received_monotonic.max(self.heard);
        self.last_taken = Some(self.now());
        self.flushed = false;
        if arrival.missed_before || (thinned && !self.was_thinned) {
            tracing::warn!(camera = %self.camera, thinned, "the disk was too slow: pictures up to a key frame were not recorded");
        }
        if packet.track == Track::Video && packet.is_key {
            self.was_thinned = thinned;
        }
        if arrival.missed_before {
            self.finish_segment(None, None);
            self.lost(GapCause::DiskSlow, (packet.received, packet.received_monotonic));
            self.cutter.abandon();
        }
        if self.pause.is_some_and(|(until, _)| self.now() < until) {
            return;
        }
        let (placed, wall, trouble) = match &mut self.timeline {
            Some(timeline) if self.cutter.is_on_timeline(&packet) => {
                let (placed, trouble) = timeline.place(&packet);
                (placed, timeline.wall(placed), trouble)
            }
            _ => (Placed::default(), packet.received, None),
        };
        match self.cutter.decide(&packet, wall, trouble) {
            Verdict::Keep => {
                let hole = self.hole(&packet, placed, thinned);
                self.list(hole);
                self.push(packet, placed, false);
            }
            Verdict::Next => {
                self.hole = self.hole(&packet, placed, thinned).or(self.hole);
                if let Some(timeline) = &mut self.timeline {
                    timeline.turn(&packet);
                }
                self.push(packet, placed, true);
            }
            Verdict::Anew(why) => {
                if let Break::Trouble(trouble) = why {
                    tracing::warn!(camera = %self.camera, ?trouble, "times do not meet: a new segment was begun");
                }
                self.finish_segment(matches!(why, Break::Trouble(_)).then_some(placed), cause(why, &packet));
                self.note_clock((packet.received, packet.received_monotonic));
                let mut timeline = Timeline::new(&packet);
                let (placed, _) = timeline.place(&packet);
                self.timeline = Some(timeline);
                self.newest = None;
                self.push(packet, placed, true);
            }
            Verdict::Drop(why) => self.finish_segment(None, cause(why, &packet)),
        }
    }

    /// No packet waits to be taken.
    fn take_nothing(&mut self) {
        let now = self.clock.monotonic();
        self.heard = now.max(self.heard);
        self.tell_so_far((self.clock.now(), now));
    }

    /// What time brings: fragments that are old enough, syncs that are due, a camera that fell silent.
    fn tick(&mut self) {
        let now = self.now();
        let silence = self.last_taken.map_or(Duration::ZERO, |last| now.since(last));
        if silence >= FLUSH_AFTER && !self.flushed {
            self.flushed = true;
            for fragment in self.fragmenter.flush() {
                self.write(&fragment);
            }
            self.sync();
        }
        if silence >= CLOSE_AFTER && self.recording.is_some() {
            self.finish_segment(None, Some(GapCause::CameraStalled));
            self.cutter.abandon();
        }
        let due = self.until_sync().is_zero();
        // The first one waits as long: how far the stream's pictures are shuffled is only seen by then.
        let pace = if due { Duration::ZERO } else { self.settings.sync.min(LONGEST_FRAGMENT) };
        while let Some(fragment) = self.fragmenter.pop(now, self.heard, pace) {
            self.write(&fragment);
        }
        if due {
            self.sync();
        }
    }

    /// How long what was taken may still stay in memory.
    fn until_sync(&self) -> Duration {
        // A little earlier than promised, for the sync itself takes time.
        let longest = self.settings.sync.mul_f32(0.9);
        let oldest = self.unsynced.into_iter().chain(self.fragmenter.oldest()).min();
        oldest.map_or(longest, |oldest| longest.saturating_sub(self.now().since(oldest)))
    }

    /// The packets ended.
    fn end(&mut self) {
        let steady = self.now();
        let is_silent = self.last_taken.is_some_and(|last| steady.since(last) >= FLUSH_AFTER);
        self.finish_segment(None, is_silent.then_some(GapCause::CameraStalled));
        // What was being lost when recording ended is told now; nobody will know the cause later.
        if self.missing.is_losing() {
            self.report_gaps(self.clock.now(), steady);
        }
    }

    fn push(&mut self, packet: Packet, at: Placed, begins: bool) {
        self.fragmenter.push(Frame {
            track: packet.track,
            at,
            received: packet.received_monotonic,
            is_key: packet.is_key,
            begins: begins.then_some(packet.parameters),
            data: packet.data,
        });
    }

    /// Ends what is open, and says why nothing follows it (if nothing does).
    fn finish_segment(&mut self, end: Option<Placed>, cause: Option<GapCause>) {
        for fragment in self.fragmenter.finish(end) {
            self.write(&fragment);
        }
        self.close();
        self.newest = None;
        if let Some(cause) = cause {
            self.missing.guess(cause);
        }
    }

    /// Appends a fragment, to a new file if it begins a segment.
    fn write(&mut self, fragment: &Fragment) {
        if let Some(parameters) = &fragment.begins {
            self.close();
            let arrived = fragment.arrived.map_or(self.now(), |(first, _)| first);
            self.begin(fragment.start, arrived, Arc::clone(parameters));
        }
        // Without a file, the segment was given up and this is the rest of it.
        let (Some(recording), Some(timeline)) = (&mut self.recording, &self.timeline) else { return };
        if !fragment.video.is_empty() || !fragment.audio.is_empty() {
            if let Err(error) = recording.append(fragment, timeline.wall(fragment.end)) {
                return self.give_up(&error);
            }
            if let Some((first, last)) = fragment.arrived {
                self.unsynced.get_or_insert(first);
                self.last_written = last;
            }
        }
        if fragment.is_last {
            self.close();
        }
    }

    fn begin(&mut self, start: Placed, arrived: Monotonic, parameters: Arc<StreamParameters>) {
        let Some(timeline) = &mut self.timeline else { return };
        let recorded_until = self.missing.recorded_until();
        timeline.fix(start, recorded_until);
        let start = timeline.wall(start);
        self.report_gaps(start, arrived);
        let id = SegmentId::from_random((self.random)());
        match Recording::begin(&self.footage, &self.camera, id, start, parameters) {
            Ok(recording) => self.recording = Some(recording),
            Err(error) => self.give_up(&error),
        }
    }

    fn sync(&mut self) {
        if self.unsynced.take().is_none() {
            return;
        }
        let Some(recording) = &mut self.recording else { return };
        match recording.sync() {
            Ok(segment) => {
                self.pause = None;
                self.open.set(segment);
            }
            Err(error) => self.give_up(&error),
        }
    }

    /// Closes the open file and hands the segment on.
    fn close(&mut self) {
        self.unsynced = None;
        let Some(recording) = self.recording.take() else { return };
        let id = recording.id();
        match recording.close(&self.footage) {
            Ok(Some(segment)) => {
                tracing::debug!(camera = %self.camera, %id, path = %segment.path.display(), "segment closed");
                self.hand_on(segment);
            }
            Ok(None) => self.open.remove(&self.camera, id),
            Err(error) => {
                self.open.remove(&self.camera, id);
                self.give_up(&error);
            }
        }
    }

    /// It stays among the open ones until whoever takes it has made it a row.
    fn hand_on(&mut self, segment: ClosedSegment) {
        self.missing.recorded(segment.span.end(), self.last_written);
        self.open.close(&segment);
        (self.out)(Recorded::Segment(segment));
    }

    /// After a disk error: keeps what is whole, if that still works, and pauses.
    fn give_up(&mut self, error: &PartError) {
        let cause = recording::cause(error);
        // Room is made, or the disk mounted again, by others and within seconds; a disk that fails is not worn out by trying.
        let longest = if cause == GapCause::DiskError { LONGEST_PAUSE } else { PAUSE };
        let pause = self.pause.map_or(PAUSE, |(_, pause)| (pause * 2).min(longest));
        if self.pause.is_none() {
            tracing::error!(camera = %self.camera, %error, "recording stopped; it is tried again until it works");
        }
        if let Some(recording) = self.recording.take() {
            let id = recording.id();
            match recording.close(&self.footage) {
                Ok(Some(segment)) => self.hand_on(segment),
                Ok(None) => self.open.remove(&self.camera, id),
                Err(error) => {
                    self.open.remove(&self.camera, id);
                    tracing::error!(camera = %self.camera, %error, "a segment was given up");
                }
            }
        }
        self.unsynced = None;
        self.newest = None;
        self.pause = Some((Monotonic(self.now().0.saturating_add(pause)), pause));
        self.lost(cause, (self.clock.now(), self.now()));
        self.cutter.abandon();
        drop(self.fragmenter.finish(None));
    }
}

#[cfg(test)]
mod property;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::queue::{Budget, queue};
    use crate::record::reader;
    use crate::record::testing::{packet, video_parameters};
    use crate::units::{InstallationId, SimulatedClock};
    use std::cell::RefCell;

    const START: UtcMicros = UtcMicros(1_700_000_000_000_000);

    /// Feeds one picture after another, each when it is due, and calls `look` after each.
    fn play(
        pictures: &[(i64, bool)],
        end: Duration,
        mut look: impl FnMut(Duration, &Footage, Option<crate::record::segment::OpenSegment>),
    ) -> Vec<Recorded> {
        let folder = tempfile::tempdir().expect("a folder");
        let footage = Footage::open(folder.path(), InstallationId::from_random([1; 16])).expect("opens");
        let camera: CameraId = "porch".parse().expect("an id");
        let (simulated, open, out) = (SimulatedClock::new(START), OpenSegments::default(), RefCell::new(Vec::new()));
        let settings =
            RecordSettings { segment: Duration::from_secs(60), sync: Duration::from_secs(2), recorded_until: None };
        let (mut feed, packets) = queue(&Budget::new(usize::MAX));
        let clock = simulated.clock();
        let mut recorder = Recorder::new(
            camera.clone(),
            footage.clone(),
            settings,
            clock,
            open.clone(),
            || [7; 8],
            |recorded| {
                if let Recorded::Segment(segment) = &recorded {
                    open.remove(&segment.camera, segment.id); // as if it were a row now
                }
                out.borrow_mut().push(recorded);
            },
        );
        let mut due = pictures.iter().peekable();
        let step = Duration::from_millis(20);
        let mut now = Duration::ZERO;
        while now < end {
            while let Some((at_ms, is_key)) =
                due.next_if(|(at_ms, _)| now.as_millis() >= u128::from(at_ms.unsigned_abs()))
            {
                feed.push(packet(&video_parameters(), *at_ms, *is_key));
                if let Received::Arrival(arrival) = packets.receive(Duration::ZERO) {
                    recorder.take(arrival);
                }
            }
            recorder.tick();
            look(now, &footage, open.of(&camera).pop());
            simulated.advance(step);
            now += step;
        }
        recorder.end();
        drop(recorder);
        out.into_inner()
    }

    #[test]
    fn a_power_cut_costs_at_most_the_promised_seconds() {
        let pictures: Vec<_> = (0..200).map(|n| (n * 100, n % 40 == 0)).collect();
        let recorded = play(&pictures, Duration::from_secs(20), |now, footage, open| {
            if now < Duration::from_secs(2) {
                return;
            }
            let open = open.expect("something was synced");
            let lost = START.plus(now).since(open.span.end());
            assert!(lost <= Duration::from_secs(2), "at {now:?} a power cut would cost {lost:?}");
            let file = footage.open_file(&open.path).expect("opens");
            let read = reader::read(&file, open.synced.0).expect("reads");
            assert_eq!(read.intact_len, open.synced.0, "ends at a fragment's border");
        });
        assert!(matches!(&recorded[..], [Recorded::Segment(segment)] if segment.pictures == 200), "{recorded:?}");
    }

    #[test]
    fn a_silent_camera_is_flushed_then_closed_and_its_absence_listed() {
        let pictures: Vec<_> =
            (0..30).map(|n| (n * 100, n % 10 == 0)).chain([(60_000, true), (60_100, false)]).collect();
        let mut closed = None;
        let recorded = play(&pictures, Duration::from_secs(62), |now, _, open| match now.as_secs() {
            8..30 => assert_eq!(open.map(|open| open.span.length()), Some(Duration::from_secs(3)), "at {now:?}"),
            35..60 => closed = Some(open),
            _ => {}
        });
        assert_eq!(closed, Some(None));
        let [Recorded::Segment(first), Recorded::Gap(gap), Recorded::Segment(second)] = &recorded[..] else {
            panic!("{recorded:?}")
        };
        assert_eq!((first.pictures, second.pictures), (30, 2));
        assert_eq!((gap.span.start(), gap.span.end()), (first.span.end(), second.span.start()));
        assert_eq!(gap.cause, GapCause::CameraStalled);
    }

    #[test]
    fn a_pause_within_a_segment_is_listed_and_cuts_nothing() {
        let pictures: Vec<_> =
            (0..30).map(|n| (n * 100, n % 10 == 0)).chain((80..100).map(|n| (n * 100, false))).collect();
        let recorded = play(&pictures, Duration::from_secs(11), |_, _, _| {});
        let [Recorded::Gap(gap), Recorded::Segment(segment)] = &recorded[..] else { panic!("{recorded:?}") };
        assert_eq!((gap.span.length(), gap.cause), (Duration::from_secs(5), GapCause::CameraStalled));
        assert_eq!((segment.pictures, segment.span.length()), (50, Duration::from_secs(10)));
    }
}
