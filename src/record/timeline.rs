//! Where a session's frames lie in the household's time. Pure.
//!
//! A camera's timestamps are even but say nothing about the time of day, and its crystal drifts; arrival times say the time
//! of day but jitter. So: frames are placed by the camera's timestamps, the whole is anchored by arrival, and what the two
//! drift apart is slewed away, at most [`SLEW_PPM`] while they are close. Because the *placed* times are what goes into the
//! file, a segment lasts exactly as long as its pictures, and the next one starts exactly where it ends.

use std::time::Duration;

use crate::camera::packet::{Packet, Track};
use crate::units::{MediaTicks, Monotonic, UtcMicros};

/// How far frames may go back in presentation time without the timestamps being broken: B-frames of a slow stream.
const REORDER_US: i128 = 2_000_000;
/// How far timestamps may run ahead of arrival in one step.
const LEAP_US: i128 = 10_000_000;
/// The time in which a disagreement should be gone.
const SLEW_OVER_US: i64 = 60_000_000;
/// As fast as a camera's clock is corrected unnoticed: 30 ms a minute, more than any crystal drifts.
const SLEW_PPM: i64 = 500;
/// Beyond this disagreement the timestamps run at a wrong rate (a camera that stamps 25 pictures a second and sends 24).
const FAST_SLEW_BEYOND_US: i64 = 1_000_000;
/// As fast as that is corrected.
const FAST_SLEW_PPM: i64 = 50_000;
/// Beyond this nothing is slewed: the segment is cut and the next one anchored anew.
const CUT_BEYOND_US: i64 = 10_000_000;
/// As far ahead of arrival footage begins so that it does not overlap what was recorded before; then it is slewed back.
const MOST_AHEAD_US: i64 = 60_000_000;
/// How far the clock on the wall may step, against the one that never does.
pub(super) const CLOCK_STEP_US: i64 = 2_000_000;

/// A time on a [`Timeline`]: microseconds since the session's first frame, at the wall clock's pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Placed(pub i64);

impl Placed {
    /// How long after `earlier` this is; zero if it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This time plus a length.
    #[must_use]
    pub fn plus(self, length: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(length.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// What was noticed while a frame was placed: each is a reason to begin a new segment at the next key frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The camera's timestamps went back, or ran ahead of arrival; the frame was placed by its arrival, and later ones with it.
    TimestampJump,
    /// The clock on the wall was set.
    ClockStep,
    /// Timestamps and arrival are further apart than can be slewed away.
    Disagreement,
}

/// The times of one session of one camera.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// Wall clock minus placed time, in µs; found out by the first frames, then fixed.
    anchor: Anchor,
    /// Placed time runs on from here, by `1 + ppm / 1,000,000`.
    knot: Knot,
    video: Newest,
    audio: Newest,
    /// How far ahead of arrival the first file was put.
    ahead_us: i64,
    /// The smallest arrival minus placed time since the last knot, in µs: the frame that was delayed the least.
    least_delay_us: Option<i64>,
    /// Wall clock minus steady clock at the session's start, in µs.
    clocks_apart_us: i64,
}

#[derive(Debug, Clone, Copy)]
enum Anchor {
    Open(i64),
    Fixed(i64),
}

#[derive(Debug, Clone, Copy)]
struct Knot {
    pts_us: i128,
    placed_us: i64,
    ppm: i64,
}

/// The frame of a track that is presented last, of those so far.
#[derive(Debug, Clone, Copy, Default)]
struct Newest {
    /// What makes the camera's times go on evenly after a jump.
    shift_us: i128,
    at: Option<(i128, Monotonic)>,
}

impl Timeline {
    /// Begins with the session's first key frame, which is placed at 0.
    pub fn new(first: &Packet) -> Self {
        Self {
            anchor: Anchor::Open(first.received.0),
            knot: Knot { pts_us: i128::from(first.pts.as_micros()), placed_us: 0, ppm: 0 },
            video: Newest::default(),
            audio: Newest::default(),
            ahead_us: 0,
            least_delay_us: None,
            clocks_apart_us: apart(first.received, first.received_monotonic),
        }
    }

    /// Where the frame lies, and what was noticed.
    pub fn place(&mut self, packet: &Packet) -> (Placed, Option<Trouble>) {
        let (pts_us, jumped) = self.track(packet.track).even(packet.pts, packet.received_monotonic);
        let placed = self.knot.place(pts_us);
        let step_us = apart(packet.received, packet.received_monotonic).saturating_sub(self.clocks_apart_us);
        let stepped = step_us.saturating_abs() > CLOCK_STEP_US;
        if packet.track == Track::Video && !stepped {
            let delay_us = packet.received.0.saturating_sub(placed.0);
            let least = self.least_delay_us.get_or_insert(delay_us);
            *least = delay_us.min(*least);
            if let Anchor::Open(anchor) = &mut self.anchor {
                *anchor = delay_us.min(*anchor);
            }
        }
        let trouble = if stepped {
            Some(Trouble::ClockStep)
        } else if !(-CUT_BEYOND_US - self.ahead_us..=CUT_BEYOND_US).contains(&self.disagreement_us()) {
            Some(Trouble::Disagreement)
        } else {
            jumped.then_some(Trouble::TimestampJump)
        };
        (placed, trouble)
    }

    /// The time of day of a placed time.
    pub fn wall(&self, placed: Placed) -> UtcMicros {
        let (Anchor::Open(anchor) | Anchor::Fixed(anchor)) = self.anchor;
        UtcMicros(placed.0.saturating_add(anchor))
    }

    /// From now on the anchor stays where it is. Called when the first file gets its start, which is the first picture's to be
    /// shown: not always the first that came.
    ///
    /// The frame that was delayed the least decides: a camera that begins with a burst of pictures it had kept is anchored
    /// by its newest. Footage does not begin before `recorded_until`, unless that lies further ahead than any burst or jump:
    /// then the clock was wrong in the life before, and the truth goes.
    pub fn fix(&mut self, start: Placed, recorded_until: Option<UtcMicros>) {
        if let Anchor::Open(anchor) = self.anchor {
            let overlap_us = recorded_until.map_or(0, |until| until.offset_from(self.wall(start)));
            self.ahead_us = if (0..=MOST_AHEAD_US).contains(&overlap_us) { overlap_us } else { 0 };
            self.anchor = Anchor::Fixed(anchor.saturating_add(self.ahead_us));
            self.least_delay_us = None;
        }
    }

    /// From this frame on runs at the pace that lets placed times meet arrival times. Called where a segment starts.
    pub fn turn(&mut self, at: &Packet) {
        let pts_us = i128::from(at.pts.as_micros()) + self.track(at.track).shift_us;
        let disagreement_us = self.disagreement_us();
        let most = if disagreement_us.saturating_abs() > FAST_SLEW_BEYOND_US { FAST_SLEW_PPM } else { SLEW_PPM };
        let placed_us = self.knot.place(pts_us).0;
        let ppm = (disagreement_us.saturating_mul(1_000_000) / SLEW_OVER_US).clamp(-most, most);
        self.knot = Knot { pts_us, placed_us, ppm };
        self.least_delay_us = None;
    }

    /// By how much placed times lag behind arrival, in µs, since the last turn; negative if they are ahead.
    pub fn disagreement_us(&self) -> i64 {
        match (self.anchor, self.least_delay_us) {
            (Anchor::Fixed(anchor), Some(least)) => least.saturating_sub(anchor),
            _ => 0,
        }
    }

    fn track(&mut self, track: Track) -> &mut Newest {
        match track {
            Track::Video => &mut self.video,
            Track::Audio => &mut self.audio,
        }
    }
}

impl Knot {
    fn place(self, pts_us: i128) -> Placed {
        let run = (pts_us - self.pts_us) * i128::from(1_000_000 + self.ppm) / 1_000_000;
        let placed = (i128::from(self.placed_us) + run).clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Placed(i64::try_from(placed).unwrap_or_default())
    }
}

impl Newest {
    /// The camera's time made even, and whether it had to be.
    fn even(&mut self, pts: MediaTicks, received: Monotonic) -> (i128, bool) {
        let pts_us = i128::from(pts.as_micros()) + self.shift_us;
        let Some((newest_us, newest_received)) = self.at else {
            self.at = Some((pts_us, received));
            return (pts_us, false);
        };
        let arrival_us = i128::try_from(received.since(newest_received).as_micros()).unwrap_or(i128::MAX / 2);
        let step_us = pts_us - newest_us;
        let jumped = step_us < -REORDER_US || step_us - arrival_us > LEAP_US;
        let even_us = if jumped { newest_us + arrival_us.max(1000) } else { pts_us };
        self.shift_us += even_us - pts_us;
        if even_us > newest_us {
            self.at = Some((even_us, received));
        }
        (even_us, jumped)
    }
}

/// Wall clock minus steady clock, in µs.
pub(super) fn apart(received: UtcMicros, steady: Monotonic) -> i64 {
    received.0.saturating_sub(i64::try_from(steady.0.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::{packet, video_parameters};
    use proptest::prelude::*;

    const START: i64 = 1_700_000_000_000_000;

    /// A frame that says `pts_us` and arrives `arrival_us` after the start, by a wall clock that is `wall_ahead_us` off.
    fn frame(pts_us: i64, arrival_us: i64, wall_ahead_us: i64) -> Packet {
        let mut packet = packet(&video_parameters(), 0, true);
        packet.pts = MediaTicks { ticks: pts_us, rate: std::num::NonZeroU32::new(1_000_000).expect("not 0") };
        packet.received = UtcMicros(START + arrival_us + wall_ahead_us);
        packet.received_monotonic = Monotonic(Duration::from_micros(arrival_us.unsigned_abs()));
        packet
    }

    #[test]
    fn a_burst_at_the_start_is_anchored_by_its_newest_frame() {
        let mut timeline = Timeline::new(&frame(0, 0, 0));
        for pts_us in (0..=2_000_000).step_by(100_000) {
            timeline.place(&frame(pts_us, 0, 0));
        }
        assert_eq!(timeline.wall(Placed(2_000_000)), UtcMicros(START));
        let mut after_other_footage = timeline.clone();
        timeline.fix(Placed(0), None);
        assert_eq!(timeline.wall(Placed(0)), UtcMicros(START - 2_000_000));
        after_other_footage.fix(Placed(0), Some(UtcMicros(START - 500_000)));
        assert_eq!(after_other_footage.wall(Placed(0)), UtcMicros(START - 500_000));
    }

    #[test]
    fn a_jump_of_the_cameras_timestamps_loses_no_time() {
        for jump in [-3_000_000_000, 3_000_000_000, i64::MAX / 2, i64::MIN / 2] {
            let mut timeline = Timeline::new(&frame(0, 0, 0));
            assert_eq!(timeline.place(&frame(0, 0, 0)), (Placed(0), None));
            assert_eq!(timeline.place(&frame(40_000, 41_000, 0)), (Placed(40_000), None));
            let jumped = timeline.place(&frame(jump, 80_000, 0));
            assert_eq!(jumped, (Placed(79_000), Some(Trouble::TimestampJump)));
            assert_eq!(timeline.place(&frame(jump + 40_000, 120_000, 0)), (Placed(119_000), None));
        }
    }

    #[test]
    fn b_frames_and_real_pauses_are_no_jump() {
        let mut timeline = Timeline::new(&frame(0, 0, 0));
        for (pts_us, arrival_us) in [(0, 0), (120_000, 40_000), (40_000, 80_000), (30_000_000, 30_000_000)] {
            assert_eq!(timeline.place(&frame(pts_us, arrival_us, 0)), (Placed(pts_us), None));
        }
    }

    #[test]
    fn a_step_of_the_wall_clock_is_noticed_and_does_not_move_frames() {
        let mut timeline = Timeline::new(&frame(0, 0, 0));
        timeline.fix(Placed(0), None);
        assert_eq!(timeline.place(&frame(40_000, 40_000, 1_900_000)).1, None);
        let stepped = timeline.place(&frame(80_000, 80_000, -3_600_000_000));
        assert_eq!(stepped, (Placed(80_000), Some(Trouble::ClockStep)));
    }

    /// What a camera with a clock that runs `ppm` fast is off by after so many minutes, in µs, with jitter of 0 to 80 ms.
    fn off_after(ppm: i64, minutes: i64) -> i64 {
        let mut timeline = Timeline::new(&frame(0, 0, 0));
        timeline.fix(Placed(0), None);
        let mut last = Placed(-1);
        for second in 0..minutes * 60 {
            let arrival_us = second * 1_000_000;
            let pts_us = arrival_us * (1_000_000 + ppm) / 1_000_000;
            let frame = frame(pts_us, arrival_us + (second * 7919) % 80_000, 0);
            let (placed, trouble) = timeline.place(&frame);
            assert_eq!(trouble, None, "second {second}");
            assert!(placed > last, "time goes on");
            last = placed;
            if second % 60 == 0 {
                timeline.turn(&frame);
            }
        }
        let arrival_us = (minutes * 60 - 1) * 1_000_000;
        timeline.wall(last).offset_from(UtcMicros(START + arrival_us))
    }

    #[test]
    fn drift_is_slewed_away() {
        for ppm in [-400, -100, 0, 100, 400, -40_000, 40_000] {
            let off_us = off_after(ppm, 120);
            let bound = if ppm.abs() > 500 { 5_000_000 } else { 100_000 };
            assert!(off_us.abs() < bound, "{ppm} ppm: off by {off_us} µs");
        }
    }

    #[test]
    fn footage_that_begins_ahead_of_arrival_is_slewed_back() {
        let mut timeline = Timeline::new(&frame(0, 0, 0));
        timeline.place(&frame(0, 0, 0));
        timeline.fix(Placed(0), Some(UtcMicros(START + 30_000_000)));
        assert_eq!(timeline.wall(Placed(0)), UtcMicros(START + 30_000_000));
        let mut last = Placed(0);
        for second in 1..=1200 {
            let frame = frame(second * 1_000_000, second * 1_000_000, 0);
            let (placed, trouble) = timeline.place(&frame);
            assert!(trouble.is_none() && placed > last, "second {second}: {trouble:?}");
            last = placed;
            if second % 60 == 0 {
                timeline.turn(&frame);
            }
        }
        let off_us = timeline.wall(last).offset_from(UtcMicros(START + 1_200_000_000));
        assert!(off_us.abs() < 2_000_000, "still {off_us} µs ahead");
    }

    #[test]
    fn what_cannot_be_slewed_is_a_disagreement() {
        let mut timeline = Timeline::new(&frame(0, 0, 0));
        timeline.place(&frame(0, 0, 0));
        timeline.fix(Placed(0), None);
        // Timestamps stand still while fifteen seconds go by.
        assert_eq!(timeline.place(&frame(40_000, 15_000_000, 0)).1, Some(Trouble::Disagreement));
    }

    proptest! {
        #[test]
        fn hostile_times_never_panic(frames in proptest::collection::vec((any::<i64>(), any::<i64>(), any::<u64>(), any::<bool>()), 1..50)) {
            let packets: Vec<_> = frames.into_iter().map(|(pts, received, steady, turn)| {
                let mut packet = frame(pts, 0, 0);
                packet.received = UtcMicros(received);
                packet.received_monotonic = Monotonic(Duration::from_micros(steady));
                (packet, turn)
            }).collect();
            let mut timeline = Timeline::new(&packets[0].0);
            for (packet, turn) in &packets {
                let (placed, _) = timeline.place(packet);
                let _ = timeline.wall(placed);
                if *turn {
                    timeline.turn(packet);
                    timeline.fix(Placed(0), Some(packet.received));
                }
            }
        }

        #[test]
        fn frames_in_order_stay_in_order(steps in proptest::collection::vec(1_000..3_000_000i64, 1..200), ppm in -60_000..60_000i64) {
            let mut timeline = Timeline::new(&frame(0, 0, 0));
            timeline.fix(Placed(0), None);
            let (mut arrival_us, mut last) = (0, Placed(i64::MIN));
            for (n, step) in steps.iter().enumerate() {
                arrival_us += step;
                let frame = frame(arrival_us * (1_000_000 + ppm) / 1_000_000, arrival_us, 0);
                let (placed, _) = timeline.place(&frame);
                prop_assert!(placed > last);
                last = placed;
                if n % 10 == 0 {
                    timeline.turn(&frame);
                }
            }
        }
    }
}
