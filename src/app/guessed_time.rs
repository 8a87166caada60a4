//! A machine without a clock of its own that is started again before its clock was set: what the lives before this one recorded
//! by a guessed time is put right together with what this one does.
//!
//! Within one run of the machine that is exact, for the kernel counts the time since its start. Nobody knows how long a machine
//! was off; then the lives stay as close behind each other as they were guessed to be.

use std::time::Duration;

use crate::app::clock_set;
use crate::disk;
use crate::index::guessed_time::{self, Guess};
use crate::index::{self, cameras};
use crate::record::segment::ClockSet;
use crate::units::{UtcMicros, UtcSpan};
use crate::web::SiteParts;

/// Less is no wrong clock.
const LEAST_US: u64 = 2_000_000;

/// What a start comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Start {
    /// The time is known, and was.
    Known,
    /// The time is guessed, and that is to be remembered.
    Guessed(Guess),
    /// It is guessed as in the life before, and goes on from there: it is that time now.
    GoesOn(UtcMicros),
    /// It is known now: what was recorded in that span is moved by so much.
    Settled(UtcSpan, i64),
    /// It is known now, but not how wrong the guess was.
    Unknowable,
}

/// `now` by the daemon's clock, which is believed or not; `boot` and `up`: which run of the machine this is, and for how long.
fn decide(before: Option<Guess>, now: UtcMicros, is_believed: bool, boot: &str, up: Duration) -> Start {
    let up_us = i64::try_from(up.as_micros()).unwrap_or(i64::MAX);
    let guessed_now = before
        .as_ref()
        .filter(|guess| !boot.is_empty() && guess.boot == boot)
        .map(|guess| UtcMicros(guess.apart_us).plus(up));
    let began = |since| Guess { boot: boot.to_owned(), apart_us: now.0.saturating_sub(up_us), since };
    match (before, is_believed, guessed_now) {
        (None, true, _) => Start::Known,
        (None, false, _) => Start::Guessed(began(now)),
        (Some(_), false, Some(then)) => Start::GoesOn(then),
        (Some(guess), false, None) => Start::Guessed(began(guess.since)),
        (Some(guess), true, Some(then)) => match UtcSpan::new(guess.since, then) {
            Some(span) => Start::Settled(span, now.offset_from(then)),
            None => Start::Unknowable,
        },
        (Some(_), true, None) => Start::Unknowable,
    }
}

/// At the start, before the first camera is looked at; the clock knows up to when footage reaches.
pub(crate) async fn begin(site: &SiteParts) -> Result<(), index::WriteError> {
    let clock = &site.clock;
    let before = site.writer.write(|tx| guessed_time::read(tx)).await?;
    let (boot, up) = (disk::boot_id(), disk::since_boot());
    match decide(before, clock.now(), clock.is_believed(), &boot, up) {
        Start::Known => {}
        Start::Guessed(guess) => site.writer.write(move |tx| guessed_time::keep(tx, &guess)).await?,
        Start::GoesOn(now) => clock.is_after(now.minus(clock.monotonic().0)),
        Start::Settled(span, by_us) => put_right(site, span, by_us).await?,
        Start::Unknowable => {
            tracing::warn!("what was recorded before the clock was set keeps the time that was guessed");
            site.writer.write(guessed_time::forget).await?;
        }
    }
    Ok(())
}

/// The clock was set in this life, which moves what it told since `began` by `by_us`: what was guessed before goes along.
pub(crate) async fn settle(site: &SiteParts, began: UtcMicros, by_us: i64) -> Result<(), index::WriteError> {
    let Some(guess) = site.writer.write(|tx| guessed_time::read(tx)).await? else { return Ok(()) };
    match UtcSpan::new(guess.since, began) {
        Some(span) => put_right(site, span, by_us).await,
        // The first such life is this one.
        None => site.writer.write(guessed_time::forget).await,
    }
}

async fn put_right(site: &SiteParts, span: UtcSpan, by_us: i64) -> Result<(), index::WriteError> {
    if by_us.unsigned_abs() > LEAST_US {
        tracing::warn!(by_s = by_us / 1_000_000, "the clock was set; what was recorded in lives before moves");
        for row in site.writer.write(|tx| cameras::list(tx)).await? {
            clock_set::move_told(site, &ClockSet { camera: row.id, span, by_us }).await?;
        }
    }
    // Last: whoever is interrupted moves the rest next time.
    site.writer.write(guessed_time::forget).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> UtcMicros {
        UtcMicros(seconds * 1_000_000)
    }

    fn guess(boot: &str, apart: i64, since: i64) -> Guess {
        Guess { boot: boot.to_owned(), apart_us: at(apart).0, since: at(since) }
    }

    #[test]
    fn lives_that_follow_each_other_before_the_clock_is_set_are_put_right_together() {
        let up = |seconds| Duration::from_secs(seconds);
        assert_eq!(decide(None, at(9_000), true, "a", up(5)), Start::Known);
        let first = guess("a", 995, 1000);
        assert_eq!(decide(None, at(1000), false, "a", up(5)), Start::Guessed(first.clone()));
        // Again within the same run of the machine: the time since the guess is known.
        assert_eq!(decide(Some(first.clone()), at(1000), false, "a", up(60)), Start::GoesOn(at(1055)));
        let span = UtcSpan::new(at(1000), at(1060)).expect("in order");
        let settled = Start::Settled(span, at(8_000).0);
        assert_eq!(decide(Some(first.clone()), at(9_060), true, "a", up(65)), settled);
        // In another one it is not.
        let second = guess("b", 1060, 1000);
        assert_eq!(decide(Some(first.clone()), at(1070), false, "b", up(10)), Start::Guessed(second));
        assert_eq!(decide(Some(first.clone()), at(9_000), true, "b", up(10)), Start::Unknowable);
        assert_eq!(
            decide(Some(Guess { boot: String::new(), ..first }), at(9_000), true, "", up(65)),
            Start::Unknowable
        );
    }
}
