//! When a live picture is decoded and how long it stands, said the moment it arrives. Pure.
//!
//! A picture's true duration is known only when the next one comes; waiting for that would cost a frame of delay. So each
//! picture is given the length of the step *before* it, and decode times are the running sum of what was given: gapless by
//! construction, which is what Media Source wants (a hole in decode time makes it drop pictures up to the next key frame).
//! What the guess got wrong stands in the signed composition offset, so presentation times are exact. Sound is put where the
//! pictures' clock says, packet behind packet.

use crate::units::MediaTicks;

/// Ticks a second of what comes out.
const RATE: i64 = 90_000;
/// Where a session begins: one second in, so that a presentation time before its decode time is still positive.
const ORIGIN: i64 = RATE;
/// Assumed until two pictures came: 25 a second.
const FIRST_STEP: i64 = RATE / 25;
/// A presentation time that leaps further than this is a broken clock, not a pause.
const MAX_LEAP: i64 = 10 * RATE;
/// Neither do B-frames reach back further than this.
const MAX_RETURN: i64 = 2 * RATE;

/// A picture's place, at 90,000 ticks a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    /// Decode time: the last picture's plus its duration.
    pub(crate) decode_ticks: u64,
    /// Given length; at least 1.
    pub(crate) duration: u32,
    /// Presentation time minus decode time.
    pub(crate) composition_offset: i32,
}

/// Sound that is off by less, in parts of a second, follows the packet before without a hole.
const SOUND_OFF: i64 = 10;

/// The clock of one session's pictures.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// Added to the camera's times.
    shift: Option<i64>,
    /// Presentation time of the picture before.
    last: i64,
    /// The latest presentation time so far.
    latest: i64,
    next_decode: i64,
    /// Length given to the next picture.
    step: i64,
    /// Once a picture came that is shown before the one sent before it: the session has B-frames.
    reorders: bool,
    group: Group,
}

/// Since the last key frame.
#[derive(Debug, Default)]
struct Group {
    start: i64,
    pictures: i64,
    smallest_step: Option<i64>,
}

impl Timeline {
    pub(crate) fn new() -> Self {
        Self {
            shift: None,
            last: ORIGIN,
            latest: ORIGIN,
            next_decode: ORIGIN,
            step: FIRST_STEP,
            reorders: false,
            group: Group { start: ORIGIN, ..Group::default() },
        }
    }

    /// Pictures in decode order.
    pub(crate) fn place(&mut self, pts: MediaTicks, is_key: bool) -> Times {
        let pts = i128::from(pts.ticks) * i128::from(RATE) / i128::from(pts.rate.get());
        let pts = i64::try_from(pts.clamp(-(1 << 62), 1 << 62)).expect("clamped");
        let is_first = self.shift.is_none();
        let shift = *self.shift.get_or_insert(ORIGIN - pts);
        let mut at = pts.saturating_add(shift);
        if at.saturating_sub(self.last) > MAX_LEAP || self.last.saturating_sub(at) > MAX_RETURN {
            // The camera's clock leapt: go on as if this were simply the next picture.
            at = self.latest.saturating_add(self.step);
            self.shift = Some(at.saturating_sub(pts));
        }
        if !is_first {
            self.learn(at - self.last, at, is_key);
        }
        (self.last, self.latest) = (at, self.latest.max(at));
        let decode = self.next_decode;
        self.next_decode += self.step;
        Times {
            decode_ticks: decode.unsigned_abs(),
            duration: u32::try_from(self.step).unwrap_or(1),
            composition_offset: i32::try_from(at - decode).unwrap_or(0),
        }
    }

    fn learn(&mut self, step: i64, at: i64, is_key: bool) {
        self.reorders |= step < 0;
        self.group.pictures += 1;
        let size = step.abs().max(1);
        let smallest = self.group.smallest_step.map_or(size, |smallest| smallest.min(size));
        self.group.smallest_step = Some(smallest);
        if !self.reorders {
            self.step = step.max(1);
        } else if is_key {
            // The true mean of the group behind, leaning so that decode time meets presentation time one group later.
            let count = self.group.pictures;
            let behind = at - self.next_decode;
            self.step = ((at - self.group.start + behind) / count).clamp(1, RATE);
        } else if self.group.start == ORIGIN {
            // No mean is known yet.
            self.step = smallest.min(RATE);
        }
        if is_key {
            self.group = Group { start: at, ..Group::default() };
        }
    }
}

/// The clock of one session's sound. Times are in the sound's own ticks.
#[derive(Debug, Default)]
pub(crate) struct SoundTimeline {
    next: Option<i64>,
}

impl SoundTimeline {
    /// Where a packet of so many samples lies, as `pictures` place theirs; nowhere before the first picture was placed, and not
    /// before the session's beginning.
    pub(crate) fn place(&mut self, pts: MediaTicks, samples: u32, pictures: &Timeline) -> Option<Times> {
        let rate = i64::from(pts.rate.get());
        let shift = i128::from(pictures.shift?) * i128::from(rate) / i128::from(RATE);
        let at = i64::try_from(i128::from(pts.ticks) + shift).ok().filter(|at| (0..1 << 62).contains(at))?;
        let next = self.next.filter(|next| at.saturating_sub(*next) <= rate / SOUND_OFF).unwrap_or(at);
        self.next = Some(next + i64::from(samples.max(1)));
        Some(Times { decode_ticks: next.unsigned_abs(), duration: samples.max(1), composition_offset: 0 })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    fn place(times: &[i64], key_every: usize) -> Vec<(i64, Times)> {
        let mut timeline = Timeline::new();
        let rate = NonZeroU32::new(90_000).expect("not zero");
        let place = |(at, ticks): (usize, &i64)| {
            (*ticks, timeline.place(MediaTicks { ticks: *ticks, rate }, at % key_every == 0))
        };
        times.iter().enumerate().map(place).collect()
    }

    fn shown(times: &Times) -> i64 {
        i64::try_from(times.decode_ticks).expect("small") + i64::from(times.composition_offset)
    }

    #[test]
    fn a_steady_stream_is_placed_as_it_came() {
        let placed = place(&[7, 6007, 12_007, 18_007, 24_007], 4);
        assert_eq!(
            placed.iter().map(|(_, times)| shown(times)).collect::<Vec<_>>(),
            [90_000, 96_000, 102_000, 108_000, 114_000]
        );
        assert!(placed[1..].iter().all(|(_, times)| times.duration == 6000));
    }

    #[test]
    fn a_leap_of_the_cameras_clock_does_not_leap_for_the_viewer() {
        let placed = place(&[0, 3000, 6000, 90_000_000_000, 90_000_003_000, 0, 3000], 100);
        let shown: Vec<_> = placed.iter().map(|(_, times)| shown(times) - 90_000).collect();
        assert_eq!(shown, [0, 3000, 6000, 9000, 12_000, 15_000, 18_000]);
    }

    #[test]
    fn sound_lies_where_the_pictures_clock_says_and_follows_without_holes() {
        let (mut pictures, mut sound) = (Timeline::new(), SoundTimeline::default());
        let at = |ticks, rate| MediaTicks { ticks, rate: NonZeroU32::new(rate).expect("not zero") };
        assert_eq!(sound.place(at(0, 8000), 1024, &pictures), None, "there is no picture yet");
        pictures.place(at(9000, 90_000), true); // a tenth of a second, shown at one second
        let mut place = |ticks| sound.place(at(ticks, 8000), 1024, &pictures).map(|times| times.decode_ticks);
        assert_eq!(place(800), Some(8000));
        assert_eq!(place(800 + 1024 + 30), Some(9024), "a little late");
        assert_eq!(place(800 + 2048 - 30), Some(10_048), "a little early");
        assert_eq!(place(80_800), Some(88_000), "after a hole");
        assert_eq!(place(0), Some(89_024), "time does not go back");
        assert_eq!(place(i64::MAX), None);
    }

    #[test]
    fn decode_time_stays_with_pictures_that_are_reordered() {
        // I B B P …: sent as 0 3 1 2 6 4 5 …, a key frame each 12 pictures, for ten minutes at 30 a second.
        let group = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 11, 10];
        let times: Vec<_> = (0..1500).flat_map(|group_at| group.map(|at| (group_at * 12 + at) * 3003)).collect();
        let placed = place(&times, 12);
        for (pts, times) in &placed {
            assert_eq!(shown(times), pts + 90_000);
            assert!(times.composition_offset.abs() < 90_000, "{times:?}");
        }
    }

    proptest! {
        #[test]
        fn decode_times_have_no_hole_and_presentation_times_are_kept(
            steps in proptest::collection::vec(0..200_000_i64, 1..300), key_every in 1..50_usize,
        ) {
            let mut at = 0;
            let times: Vec<_> = steps.iter().map(|step| { at += step; at }).collect();
            let placed = place(&times, key_every);
            for pair in placed.windows(2) {
                prop_assert_eq!(pair[0].1.decode_ticks + u64::from(pair[0].1.duration), pair[1].1.decode_ticks);
            }
            for (pts, times) in &placed {
                prop_assert_eq!(shown(times) - ORIGIN, pts - placed[0].0);
            }
        }

        #[test]
        fn no_time_of_a_camera_makes_it_panic(times in proptest::collection::vec(any::<i64>(), 1..100)) {
            for pair in place(&times, 10).windows(2) {
                prop_assert!(pair[0].1.decode_ticks < pair[1].1.decode_ticks);
            }
        }
    }
}
