//! How fast pictures come: rates over the last seconds, without a clock of its own.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::{MediaTicks, Monotonic};

/// How far back the rates look.
const WINDOW: Duration = Duration::from_secs(5);
/// More pictures than that within the window are counted no more: nothing a camera sends may fill memory.
const MOST: usize = 4096;

/// Watches one stream's packets go by.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pictures: VecDeque<(Monotonic, usize)>,
    first: Option<Monotonic>,
    last_key: Option<MediaTicks>,
    key_frame_interval: Option<Duration>,
}

impl Meter {
    /// A picture of `len` bytes came.
    pub(crate) fn picture(&mut self, now: Monotonic, len: usize, key: Option<MediaTicks>) {
        self.first.get_or_insert(now);
        self.forget(now);
        if self.pictures.len() < MOST {
            self.pictures.push_back((now, len));
        }
        if let Some(key) = key {
            if let Some(last) = self.last_key.filter(|last| last.rate == key.rate) {
                let micros = key.as_micros().saturating_sub(last.as_micros());
                // A clock that jumps back tells no interval.
                self.key_frame_interval = u64::try_from(micros).ok().map(Duration::from_micros);
            }
            self.last_key = Some(key);
        }
    }

    fn forget(&mut self, now: Monotonic) {
        while self.pictures.front().is_some_and(|(then, _)| now.since(*then) >= WINDOW) {
            self.pictures.pop_front();
        }
    }

    /// Pictures a second and thousands of bits a second.
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    pub(crate) fn rates(&mut self, now: Monotonic) -> (f32, f32) {
        self.forget(now);
        let Some(first) = self.first else { return (0.0, 0.0) };
        let seconds = now.since(first).clamp(Duration::from_secs(1), WINDOW).as_secs_f32();
        let bytes: usize = self.pictures.iter().map(|(_, len)| len).sum();
        (self.pictures.len() as f32 / seconds, bytes as f32 * 8.0 / 1000.0 / seconds)
    }

    /// The time between the last two key frames, by the camera's clock.
    pub(crate) fn key_frame_interval(&self) -> Option<Duration> {
        self.key_frame_interval
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Monotonic {
        Monotonic(Duration::from_millis(ms))
    }

    fn ticks(ticks: i64) -> MediaTicks {
        MediaTicks { ticks, rate: std::num::NonZeroU32::new(90_000).expect("not 0") }
    }

    #[test]
    fn rates_look_back_five_seconds_and_fall_to_zero() {
        let mut meter = Meter::default();
        for n in 0..200 {
            meter.picture(at(n * 100), 125, None);
        }
        assert_eq!(meter.rates(at(19_950)), (10.0, 10.0));
        assert_eq!(meter.rates(at(30_000)), (0.0, 0.0));
    }

    #[test]
    fn the_key_frame_interval_is_that_of_the_camera_s_clock() {
        let mut meter = Meter::default();
        meter.picture(at(0), 1, Some(ticks(0)));
        assert_eq!(meter.key_frame_interval(), None);
        meter.picture(at(1), 1, Some(ticks(180_000)));
        assert_eq!(meter.key_frame_interval(), Some(Duration::from_secs(2)));
        meter.picture(at(2), 1, Some(ticks(0)));
        assert_eq!(meter.key_frame_interval(), None);
    }
}
