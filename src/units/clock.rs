//! The only place that asks what time it is.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::UtcMicros;

/// A reading of the clock that never steps: the length since this process started (since its making, if simulated).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(pub Duration);

impl Monotonic {
    /// How long after `earlier` this is; zero if it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// What time it is, real or simulated. Cheap to clone; passed to whoever needs it, never ambient.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<SimulatedClock>);

impl Clock {
    /// The machine's own clocks.
    pub fn system() -> Self {
        Self(None)
    }

    /// The household's time of day, which may step (a Pi boots in 1970).
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> UtcMicros {
        match &self.0 {
            Some(simulated) => UtcMicros(simulated.0.utc_us.load(Ordering::Relaxed)),
            None => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(since) => UtcMicros::EPOCH.plus(since),
                Err(before) => UtcMicros::EPOCH.minus(before.duration()),
            },
        }
    }

    /// The clock that never steps.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn monotonic(&self) -> Monotonic {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        match &self.0 {
            Some(simulated) => Monotonic(Duration::from_micros(simulated.0.monotonic_us.load(Ordering::Relaxed))),
            None => Monotonic(START.elapsed()),
        }
    }
}

/// A clock that only moves when told to, for tests.
#[derive(Debug, Clone, Default)]
pub struct SimulatedClock(Arc<Hands>);

#[derive(Debug, Default)]
struct Hands {
    utc_us: AtomicI64,
    monotonic_us: AtomicU64,
}

impl SimulatedClock {
    /// Stands at `now` until it is advanced or stepped.
    pub fn new(now: UtcMicros) -> Self {
        let clock = Self::default();
        clock.0.utc_us.store(now.0, Ordering::Relaxed);
        clock
    }

    /// Time goes by on both hands.
    pub fn advance(&self, length: Duration) {
        let micros = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
        self.0.monotonic_us.fetch_add(micros.unsigned_abs(), Ordering::Relaxed);
        self.0.utc_us.fetch_add(micros, Ordering::Relaxed);
    }

    /// The time of day is set; the monotonic hand stays.
    pub fn step_to(&self, now: UtcMicros) {
        self.0.utc_us.store(now.0, Ordering::Relaxed);
    }

    /// As the clock that the product takes.
    pub fn clock(&self) -> Clock {
        Clock(Some(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_moves_the_day_but_not_the_length() {
        let simulated = SimulatedClock::new(UtcMicros(5));
        let clock = simulated.clock();
        simulated.advance(Duration::from_micros(10));
        simulated.step_to(UtcMicros(1));
        assert_eq!((clock.now(), clock.monotonic()), (UtcMicros(1), Monotonic(Duration::from_micros(10))));
    }
}
