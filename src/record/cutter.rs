//! Where a segment ends. Pure.
//!
//! Segments start at the first key frame of a whole minute of the wall clock (of a whole multiple of `segment_seconds`): so
//! files of all cameras line up, a name says the minute, and a clip of a minute comes from one file. Only the first one of a
//! session is shorter, or up to a quarter longer. The other choice, Moonfire's, staggers cameras so that their files are not
//! closed at once; here key frames stagger them, and closing costs a sync that happens every few seconds anyway.

use std::sync::Arc;
use std::time::Duration;

use crate::camera::packet::{Packet, StreamParameters, Track};
use crate::record::timeline::Trouble;
use crate::units::UtcMicros;

/// A segment is cut for trouble only when it is this long, so that garbage timestamps do not make a file of every picture.
const LEAST_US: i64 = 2_000_000;
/// A camera that sends no key frame for so many segments' time is not gone on with.
const MOST_SEGMENTS: i64 = 10;
/// A file that would grow past this is ended, whatever the time.
const MOST_BYTES: u64 = 2 << 30;

/// What happens with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes into the open segment.
    Keep,
    /// What is open ends before it, and a segment starts with it on the same timeline.
    Next,
    /// What is open ends, and a segment starts with it on a timeline of its own.
    Anew(Break),
    /// What is open ends, and it is dropped: no segment can start with it.
    Drop(Break),
}

/// Why a segment does not go on in the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// There was none before, or it was given up.
    Nothing,
    /// Another connection.
    Session,
    /// Another codec, size or parameter set.
    Parameters,
    /// Times before and after do not meet.
    Trouble(Trouble),
    /// No key frame for too long.
    NoKeyFrame,
}

/// Decides packet by packet; remembers the open segment.
#[derive(Debug)]
pub struct Cutter {
    segment_us: i64,
    /// Of the newest timeline.
    session: Option<u64>,
    open: Option<Open>,
    /// Why packets are being dropped, while nothing is open.
    why: Break,
}

#[derive(Debug)]
struct Open {
    parameters: Arc<StreamParameters>,
    start: UtcMicros,
    due: UtcMicros,
    bytes: u64,
    trouble: Option<Trouble>,
}

impl Cutter {
    /// For segments of that length; less than a second is a second.
    pub fn new(segment: Duration) -> Self {
        let segment_us = i64::try_from(segment.as_micros()).unwrap_or(i64::MAX / MOST_SEGMENTS);
        let segment_us = segment_us.clamp(1_000_000, i64::MAX / MOST_SEGMENTS);
        Self { segment_us, session: None, open: None, why: Break::Nothing }
    }

    /// Whether the packet is of the newest timeline's session, so that it has a place there.
    pub fn is_on_timeline(&self, packet: &Packet) -> bool {
        self.session == Some(packet.session)
    }

    /// What happens with the packet, which lies at `wall` on the timeline (without meaning if it is not on it).
    /// `trouble` is what the timeline noticed.
    pub fn decide(&mut self, packet: &Packet, wall: UtcMicros, trouble: Option<Trouble>) -> Verdict {
        if !self.is_on_timeline(packet) {
            let why = if self.session.is_some() { Break::Session } else { Break::Nothing };
            return self.begin(packet, wall, why);
        }
        let Some(open) = &mut self.open else { return self.begin(packet, wall, self.why) };
        if !Arc::ptr_eq(&open.parameters, &packet.parameters) && open.parameters != packet.parameters {
            return self.begin(packet, wall, Break::Parameters);
        }
        open.bytes = open.bytes.saturating_add(packet.data.len() as u64);
        open.trouble = trouble.or(open.trouble);
        let length_us = wall.offset_from(open.start);
        if is_start(packet) {
            match open.trouble {
                Some(trouble) if length_us >= LEAST_US => self.begin(packet, wall, Break::Trouble(trouble)),
                _ if wall >= open.due || open.bytes > MOST_BYTES => self.begin(packet, wall, Break::Nothing),
                _ => Verdict::Keep,
            }
        } else if length_us > self.segment_us * MOST_SEGMENTS || open.bytes > MOST_BYTES {
            self.begin(packet, wall, Break::NoKeyFrame)
        } else {
            Verdict::Keep
        }
    }

    /// The open segment is no more: the next one starts with the next key frame.
    pub fn abandon(&mut self) {
        self.open = None;
        self.why = Break::Nothing;
    }

    fn begin(&mut self, packet: &Packet, wall: UtcMicros, why: Break) -> Verdict {
        if !is_start(packet) {
            self.open = None;
            self.why = why;
            return Verdict::Drop(why);
        }
        // After a jump of its timestamps the camera's frames were made even again, so they go on where they were.
        let goes_on = !matches!(why, Break::Trouble(Trouble::ClockStep | Trouble::Disagreement));
        if self.session.replace(packet.session) == Some(packet.session) && goes_on {
            self.open = Some(self.opened(packet, wall));
            Verdict::Next
        } else {
            self.open = Some(self.opened(packet, packet.received));
            Verdict::Anew(why)
        }
    }

    fn opened(&self, packet: &Packet, start: UtcMicros) -> Open {
        let into_us = start.0.rem_euclid(self.segment_us);
        let mut length_us = self.segment_us - into_us;
        if length_us < self.segment_us / 4 {
            length_us += self.segment_us;
        }
        Open {
            parameters: Arc::clone(&packet.parameters),
            start,
            due: UtcMicros(start.0.saturating_add(length_us)),
            bytes: packet.data.len() as u64,
            trouble: None,
        }
    }
}

fn is_start(packet: &Packet) -> bool {
    packet.track == Track::Video && packet.is_key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::{packet, video_parameters};
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000_000;

    fn at(seconds: i64) -> UtcMicros {
        UtcMicros(seconds * 1_000_000)
    }

    struct Feed {
        cutter: Cutter,
        packet: Packet,
    }

    impl Feed {
        fn new() -> Self {
            Self { cutter: Cutter::new(Duration::from_secs(60)), packet: packet(&video_parameters(), 0, true) }
        }

        fn video(&mut self, seconds: i64, is_key: bool, trouble: Option<Trouble>) -> Verdict {
            self.packet.is_key = is_key;
            self.packet.received = at(seconds);
            self.cutter.decide(&self.packet, at(seconds), trouble)
        }
    }

    #[test]
    fn segments_start_with_the_first_key_frame_of_a_whole_minute() {
        let mut feed = Feed::new();
        assert_eq!(feed.video(19, false, None), Verdict::Drop(Break::Nothing));
        assert_eq!(feed.video(20, true, None), Verdict::Anew(Break::Nothing));
        assert_eq!(feed.video(59, true, None), Verdict::Keep);
        assert_eq!(feed.video(60, false, None), Verdict::Keep);
        assert_eq!(feed.video(61, true, None), Verdict::Next);
        assert_eq!(feed.video(119, true, None), Verdict::Keep);
        assert_eq!(feed.video(120, true, None), Verdict::Next);
    }

    #[test]
    fn a_start_just_before_the_minute_makes_no_tiny_file() {
        let mut feed = Feed::new();
        assert_eq!(feed.video(50, true, None), Verdict::Anew(Break::Nothing));
        assert_eq!(feed.video(60, true, None), Verdict::Keep);
        assert_eq!(feed.video(120, true, None), Verdict::Next);
    }

    #[test]
    fn another_session_or_other_parameters_end_a_segment_at_once() {
        let mut feed = Feed::new();
        feed.video(0, true, None);
        feed.packet.session = 1;
        assert_eq!(feed.video(1, false, None), Verdict::Drop(Break::Session));
        assert_eq!(feed.video(2, false, None), Verdict::Drop(Break::Session));
        assert_eq!(feed.video(3, true, None), Verdict::Anew(Break::Session));
        let mut other = (*feed.packet.parameters).clone();
        other.video.width += 16;
        feed.packet.parameters = Arc::new(other.clone());
        assert_eq!(feed.video(4, true, None), Verdict::Next);
        feed.packet.parameters = Arc::new(other);
        assert_eq!(feed.video(5, true, None), Verdict::Keep, "equal parameters are no change");
    }

    #[test]
    fn trouble_waits_for_a_key_frame_and_for_a_little_length() {
        let mut feed = Feed::new();
        feed.video(0, true, None);
        assert_eq!(feed.video(1, true, Some(Trouble::TimestampJump)), Verdict::Keep);
        assert_eq!(feed.video(3, false, None), Verdict::Keep);
        assert_eq!(feed.video(4, true, None), Verdict::Next);
        assert_eq!(feed.video(7, false, Some(Trouble::ClockStep)), Verdict::Keep);
        feed.packet.is_key = true;
        feed.packet.received = at(1_700_000_000);
        assert_eq!(feed.cutter.decide(&feed.packet, at(8), None), Verdict::Anew(Break::Trouble(Trouble::ClockStep)));
        assert_eq!(feed.video(1_700_000_001, false, None), Verdict::Keep, "lengths count from the new time");
    }

    #[test]
    fn without_key_frames_a_segment_ends_all_the_same() {
        let mut feed = Feed::new();
        feed.video(0, true, None);
        assert_eq!(feed.video(600, false, None), Verdict::Keep);
        assert_eq!(feed.video(601, false, None), Verdict::Drop(Break::NoKeyFrame));
        assert_eq!(feed.video(602, true, None), Verdict::Next);
        feed.cutter.abandon();
        assert_eq!(feed.video(603, false, None), Verdict::Drop(Break::Nothing));
    }

    #[test]
    fn sound_never_starts_a_segment() {
        let mut feed = Feed::new();
        feed.packet.track = Track::Audio;
        assert_eq!(feed.video(0, true, None), Verdict::Drop(Break::Nothing));
    }

    proptest! {
        #[test]
        fn every_segment_starts_with_a_key_frame_and_none_is_too_long(
            frames in proptest::collection::vec((1i64..5_000_000, any::<bool>(), 0..100u8), 1..400),
        ) {
            let mut feed = Feed::new();
            let (mut now, mut start): (i64, Option<i64>) = (0, None);
            for (step, is_key, odd) in frames {
                now += step;
                feed.packet.is_key = is_key;
                feed.packet.received = UtcMicros(now);
                feed.packet.session += u64::from(odd == 0);
                let trouble = (odd == 1).then_some(Trouble::TimestampJump);
                match feed.cutter.decide(&feed.packet, UtcMicros(now), trouble) {
                    Verdict::Keep => prop_assert!(start.is_some_and(|start| now - start <= 10 * MINUTE || is_key)),
                    Verdict::Next => {
                        prop_assert!(is_key && start.is_none_or(|start| now - start >= LEAST_US));
                        start = Some(now);
                    }
                    Verdict::Anew(_) => {
                        prop_assert!(is_key);
                        start = Some(now);
                    }
                    Verdict::Drop(_) => {
                        prop_assert!(!is_key);
                        start = None;
                    }
                }
            }
        }

        #[test]
        fn extreme_moments_never_panic(moments in proptest::collection::vec(any::<i64>(), 1..20), segment in any::<u64>()) {
            let mut cutter = Cutter::new(Duration::from_micros(segment));
            let mut packet = packet(&video_parameters(), 0, true);
            for moment in moments {
                packet.received = UtcMicros(moment);
                cutter.decide(&packet, UtcMicros(moment), None);
            }
        }
    }
}
