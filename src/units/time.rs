//! Moments, spans and the clocks of media streams. A length of time is a [`std::time::Duration`].

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment: microseconds since 1970-01-01T00:00:00Z, leap seconds ignored (as in `time_t`).
///
/// Arithmetic saturates: a hostile or broken clock yields a far moment, never a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcMicros(pub i64);

impl UtcMicros {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// From Unix seconds as they stand in queries and JSON; `None` unless finite and within ± 300,000 years.
    pub fn from_unix_seconds(seconds: f64) -> Option<Self> {
        let micros = (seconds * 1e6).round();
        #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
        (micros.abs() < 9.2e18).then_some(Self(micros as i64))
    }

    /// Unix seconds with fractions, for JSON.
    #[expect(clippy::cast_precision_loss, reason = "exact to a microsecond until the year 2255")]
    pub fn as_unix_seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// This moment plus a length.
    #[must_use]
    pub fn plus(self, length: Duration) -> Self {
        Self(self.0.saturating_add(micros(length)))
    }

    /// This moment minus a length.
    #[must_use]
    pub fn minus(self, length: Duration) -> Self {
        Self(self.0.saturating_sub(micros(length)))
    }

    /// How long after `earlier` this moment is; zero if it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `self - other` in microseconds, negative if `self` is earlier.
    pub fn offset_from(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }

    /// As a calendar time; `None` outside the years −9999 to 9999.
    pub fn to_timestamp(self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::from_microsecond(self.0).ok()
    }
}

/// RFC 3339 with milliseconds, as `2026-11-21T22:42:55.123Z`; what lies outside the calendar is printed as microseconds.
impl fmt::Display for UtcMicros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_timestamp() {
            Some(timestamp) => write!(f, "{timestamp:.3}"),
            None => write!(f, "{} µs", self.0),
        }
    }
}

fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

/// From `start` (included) to `end` (excluded). Invariant: `start <= end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UtcSpan {
    start: UtcMicros,
    end: UtcMicros,
}

impl UtcSpan {
    /// `None` if the end is before the start.
    pub fn new(start: UtcMicros, end: UtcMicros) -> Option<Self> {
        (start <= end).then_some(Self { start, end })
    }

    /// A span of this length.
    pub fn starting_at(start: UtcMicros, length: Duration) -> Self {
        Self { start, end: start.plus(length) }
    }

    /// Included.
    pub fn start(self) -> UtcMicros {
        self.start
    }

    /// Excluded.
    pub fn end(self) -> UtcMicros {
        self.end
    }

    /// End minus start.
    pub fn length(self) -> Duration {
        self.end.since(self.start)
    }

    /// Whether the moment lies within.
    pub fn contains(self, moment: UtcMicros) -> bool {
        self.start <= moment && moment < self.end
    }

    /// What both have in common; `None` if that is nothing or a single moment.
    pub fn intersection(self, other: Self) -> Option<Self> {
        let (start, end) = (self.start.max(other.start), self.end.min(other.end));
        (start < end).then_some(Self { start, end })
    }
}

/// A moment or a length on a media stream's own clock: `ticks` at `rate` a second. Only compared within one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MediaTicks {
    /// Ticks since the stream's own zero; negative before it.
    pub ticks: i64,
    /// Ticks a second, never 0: 90,000 for video, the sample rate for audio.
    pub rate: std::num::NonZeroU32,
}

impl MediaTicks {
    /// In microseconds, rounded down; saturates.
    pub fn as_micros(self) -> i64 {
        let micros = i128::from(self.ticks) * 1_000_000 / i128::from(self.rate.get());
        i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_printed_as_rfc_3339() {
        assert_eq!(UtcMicros(1_700_000_000_123_456).to_string(), "2023-11-14T22:13:20.123Z");
        assert_eq!(UtcMicros(i64::MAX).to_string(), format!("{} µs", i64::MAX));
    }

    #[test]
    fn seconds_that_are_no_moment_are_refused() {
        for bad in [f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(UtcMicros::from_unix_seconds(bad), None);
        }
        assert_eq!(UtcMicros::from_unix_seconds(1.5), Some(UtcMicros(1_500_000)));
    }

    #[test]
    fn spans_intersect_in_what_both_hold() {
        let span = |a, b| UtcSpan::new(UtcMicros(a), UtcMicros(b)).expect("ordered");
        assert_eq!(span(0, 10).intersection(span(5, 20)), Some(span(5, 10)));
        assert_eq!(span(0, 10).intersection(span(10, 20)), None);
        assert_eq!(UtcSpan::new(UtcMicros(1), UtcMicros(0)), None);
    }
}
