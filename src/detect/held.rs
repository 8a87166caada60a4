//! Pictures on their way to the decoder that nobody will look at: they wait for the next one that somebody will.
//!
//! Then the decoder is woken once for all of them, and answers once. To wake a process costs about as much as to decode a
//! small picture, and a camera may send thirty of them a second, of which five are looked at. None of those comes later.

use std::time::Duration;

use tokio::time::Instant;

use crate::camera::packet::Packet;
use crate::detect::decoder::Pace;

/// Far more pictures than come between two looks.
const MOST: usize = 32;
/// Longer than the time between two looks: the camera stalls.
const LONGEST: Duration = Duration::from_millis(500);

#[derive(Default)]
pub(super) struct Held {
    packets: Vec<(Packet, i64)>,
    /// As the decoder process has it, so that the last picture of those handed on is the one that it looks at.
    pace: Pace,
    deadline: Option<Instant>,
}

impl Held {
    /// Takes the picture of that time in; whether all of them are to be handed on now.
    pub(super) fn take(&mut self, packet: Packet, at_us: i64, now: Instant) -> bool {
        let is_looked_at = self.pace.takes(at_us);
        self.packets.push((packet, at_us));
        self.deadline.get_or_insert(now + LONGEST);
        is_looked_at || self.packets.len() >= MOST
    }

    /// The decoder begins anew, and so does its pace.
    pub(super) fn restart(&mut self) {
        self.pace = Pace::default();
    }

    /// When they are to be handed on, whatever comes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// All of them, in order, each with its time.
    pub(super) fn release(&mut self) -> Vec<(Packet, i64)> {
        self.deadline = None;
        // The next batch is likely as large as this.
        let next = Vec::with_capacity(self.packets.len());
        std::mem::replace(&mut self.packets, next)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::camera::packet::{StreamParameters, Track};
    use crate::record::testing;
    use crate::units::{MediaTicks, Monotonic, UtcMicros};

    fn packet(parameters: &Arc<StreamParameters>) -> Packet {
        Packet {
            parameters: Arc::clone(parameters),
            session: 1,
            track: Track::Video,
            pts: MediaTicks { ticks: 0, rate: NonZeroU32::new(90_000).expect("not 0") },
            received: UtcMicros(0),
            received_monotonic: Monotonic(Duration::ZERO),
            is_key: false,
            lost_before: 0,
            data: Bytes::new(),
        }
    }

    /// How many came together each time, of pictures that come so far apart.
    fn batches(step_us: i64, pictures: i64) -> Vec<usize> {
        let parameters = testing::video_parameters();
        let (mut held, now, mut batches) = (Held::default(), Instant::now(), Vec::new());
        let mut next_us = 0;
        for n in 0..pictures {
            if held.take(packet(&parameters), n * step_us, now) {
                let batch = held.release();
                for (_, at_us) in &batch {
                    assert_eq!(*at_us, next_us, "in order, and none is left out");
                    next_us += step_us;
                }
                assert!(held.deadline().is_none());
                batches.push(batch.len());
            }
        }
        batches
    }

    #[test]
    fn pictures_that_nobody_looks_at_wait_for_the_next_that_somebody_does() {
        assert_eq!(batches(200_000, 5), [1; 5]);
        assert_eq!(batches(100_000, 9), [1, 2, 2, 2, 2]);
        assert_eq!(batches(50_000, 13), [1, 4, 4, 4]);
    }

    #[test]
    fn a_stream_whose_times_stand_still_is_handed_on_all_the_same() {
        assert_eq!(batches(0, 1 + 2 * 32), [1, MOST, MOST]);
    }

    #[test]
    fn a_camera_that_stalls_is_waited_for_only_so_long() {
        let parameters = testing::video_parameters();
        let (mut held, now) = (Held::default(), Instant::now());
        assert!(held.take(packet(&parameters), 0, now));
        held.release();
        assert!(!held.take(packet(&parameters), 50_000, now));
        assert!(!held.take(packet(&parameters), 100_000, now + LONGEST));
        assert_eq!(held.deadline(), Some(now + LONGEST), "of the oldest");
        assert_eq!(held.release().len(), 2);
    }

    #[test]
    fn with_the_decoder_the_pace_begins_anew() {
        let parameters = testing::video_parameters();
        let (mut held, now) = (Held::default(), Instant::now());
        assert!(held.take(packet(&parameters), 500_000, now));
        assert!(!held.take(packet(&parameters), 300_000, now), "too soon");
        held.restart();
        assert!(held.take(packet(&parameters), 300_000, now));
    }
}
