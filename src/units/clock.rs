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
///
/// A machine whose clock is plainly wrong (a Pi boots in 1970) is not believed: time goes on from the last moment that is
/// known, at the pace of the clock that never steps, until the machine's clock can be believed.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    simulated: Option<SimulatedClock>,
    belief: Option<Arc<Belief>>,
}

/// A clock before this moment (2026-01-01) is one that was never set: this program is younger.
const PROGRAM_IS_YOUNGER: UtcMicros = UtcMicros(1_767_225_600_000_000);

/// A clock that was saved when the machine went down is behind by less.
const SAVED_CLOCK_IS_BEHIND: Duration = Duration::from_secs(24 * 3600);

/// What is known of the time without the machine's clock.
#[derive(Debug)]
struct Belief {
    /// Up to here it went on before this program started.
    floor_us: AtomicI64,
    /// The last time that was believed minus the steady clock.
    apart_us: AtomicI64,
}

impl Clock {
    /// The machine's own clocks.
    pub fn system() -> Self {
        Self { simulated: None, belief: Some(Arc::new(Belief::new())) }
    }

    /// The household's time of day, which may step.
    pub fn now(&self) -> UtcMicros {
        let says = self.machine_says();
        match &self.belief {
            Some(belief) => belief.time(says, self.monotonic()),
            None => says,
        }
    }

    /// Whether the machine's clock is believed; until then the time is a guess that will be put right.
    pub fn is_believed(&self) -> bool {
        self.belief.as_ref().is_none_or(|belief| belief.believes(self.machine_says()))
    }

    /// Time went on at least until then before this program started.
    pub fn is_after(&self, known: UtcMicros) {
        let Some(belief) = &self.belief else { return };
        belief.floor_us.fetch_max(known.0, Ordering::Relaxed);
        if !belief.believes(self.machine_says()) {
            // At the program's start, so that no moment of this life lies before it.
            belief.apart_us.fetch_max(known.0, Ordering::Relaxed);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn machine_says(&self) -> UtcMicros {
        match &self.simulated {
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
        match &self.simulated {
            Some(simulated) => Monotonic(Duration::from_micros(simulated.0.monotonic_us.load(Ordering::Relaxed))),
            None => Monotonic(START.elapsed()),
        }
    }
}

impl Belief {
    fn new() -> Self {
        let apart_us = PROGRAM_IS_YOUNGER.0.into();
        Self { floor_us: AtomicI64::new(i64::MIN), apart_us }
    }

    fn believes(&self, says: UtcMicros) -> bool {
        let floor = UtcMicros(self.floor_us.load(Ordering::Relaxed));
        says >= PROGRAM_IS_YOUNGER && !(floor.minus(SAVED_CLOCK_IS_BEHIND) <= says && says < floor)
    }

    fn time(&self, says: UtcMicros, steady: Monotonic) -> UtcMicros {
        if self.believes(says) {
            self.apart_us.store(says.minus(steady.0).0, Ordering::Relaxed);
            says
        } else {
            UtcMicros(self.apart_us.load(Ordering::Relaxed)).plus(steady.0)
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

    /// As the clock that the product takes; whatever it says is the time.
    pub fn clock(&self) -> Clock {
        Clock { simulated: Some(self.clone()), belief: None }
    }

    /// As a machine's clock, which is believed or not.
    pub fn of_a_machine(&self) -> Clock {
        Clock { simulated: Some(self.clone()), belief: Some(Arc::new(Belief::new())) }
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

    #[test]
    fn a_clock_that_was_never_set_is_not_believed_and_time_goes_on_from_what_is_known() {
        const HOUR: Duration = Duration::from_secs(3600);
        let known = UtcMicros(1_800_000_000_000_000);
        let simulated = SimulatedClock::new(UtcMicros(30_000_000));
        let clock = simulated.of_a_machine();
        assert_eq!(clock.now(), PROGRAM_IS_YOUNGER);
        simulated.advance(HOUR);
        clock.is_after(known);
        assert!(!clock.is_believed());
        assert_eq!(clock.now(), known.plus(HOUR), "the program started when the time was known last");
        simulated.step_to(known.plus(HOUR * 5));
        assert!(clock.is_believed());
        assert_eq!(clock.now(), known.plus(HOUR * 5));
        // Ten years back, before the program was written: the last time that was believed goes on.
        simulated.step_to(known.minus(HOUR * 24 * 3650));
        simulated.advance(HOUR);
        assert!(!clock.is_believed());
        assert_eq!(clock.now(), known.plus(HOUR * 6));
        simulated.step_to(known.plus(HOUR * 5));
        assert_eq!(clock.now(), known.plus(HOUR * 5), "an hour back is a correction");
    }

    #[test]
    fn a_clock_that_was_saved_at_shutdown_waits_and_one_of_years_before_is_believed() {
        let known = UtcMicros(1_900_000_000_000_000);
        let simulated = SimulatedClock::new(known.minus(Duration::from_secs(1800)));
        let clock = simulated.of_a_machine();
        clock.is_after(known);
        assert!(!clock.is_believed());
        assert!(clock.now() >= known);
        // The footage of before was made by a clock that was years ahead.
        simulated.step_to(UtcMicros(1_800_000_000_000_000));
        assert!(clock.is_believed());
    }
}
