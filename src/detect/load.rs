//! Which cameras have all their pictures decoded when there is no time for those of all: pure, and even.
//!
//! What can be decoded is a budget, in pixels a second. It is found as networks find theirs: at a sign that decoding falls behind
//! it shrinks by a part; after a pause it grows by a step on trial, and if that goes wrong the pause doubles. Cameras take
//! turns at it. The others make do with key frames (see the module `thrift`), and one that costs more than the whole budget
//! always does. While all is well there is no budget, and everybody has everything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::units::CameraId;

/// So long one turn lasts.
const TURN: Duration = Duration::from_secs(60);
/// After a change, nothing is concluded for so long: a camera goes over to key frames at its next one.
const SETTLE: Duration = Duration::from_secs(8);
/// A larger budget that goes well for so long, through two whole turns at least, is the budget.
const TRIAL: Duration = Duration::from_secs(130);
/// Before the first trial, and between trials; doubles with each that goes wrong, and halves with each that goes well.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// What is left of the budget when decoding falls behind.
const DECREASE: f64 = 0.7;
/// What was spent when it did was more than can be had, by a little at least.
const TOO_MUCH: f64 = 0.95;
/// In so many steps it would grow from nothing to everything.
const STEPS: f64 = 8.0;

/// What one camera asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Pixels a second, if all its pictures are decoded; 0 while that is not known.
    pub pixels_per_s: f64,
    /// Whether its decoder fell behind since it was last asked.
    pub is_late: bool,
}

/// The state from one moment to the next.
#[derive(Debug, Default)]
pub struct Load {
    budget: Option<Budget>,
    /// Everybody, whose turn it is first.
    queue: Vec<CameraId>,
    /// Those of whom only key frames are decoded.
    shed: BTreeSet<CameraId>,
}

#[derive(Debug, Clone, Copy)]
struct Budget {
    pixels_per_s: f64,
    /// What it was before the trial that goes on, and until when that goes.
    trial: Option<(f64, Duration)>,
    pause: Duration,
    grows_at: Duration,
    settled_at: Duration,
    turn_ends: Duration,
}

impl Load {
    /// Nobody is shed.
    pub fn new() -> Self {
        Self::default()
    }

    /// To be called about once a second, with `now` on a steady clock; says of whom only key frames are to be decoded.
    pub fn share(&mut self, now: Duration, cameras: &BTreeMap<CameraId, Demand>) -> &BTreeSet<CameraId> {
        self.queue.retain(|camera| cameras.contains_key(camera));
        for camera in cameras.keys() {
            if !self.queue.contains(camera) {
                self.queue.push(camera.clone());
            }
        }
        let all: f64 = cameras.values().map(|demand| demand.pixels_per_s).sum();
        // Of those who make do with key frames already nothing more can be taken.
        let is_late = cameras.iter().any(|(camera, demand)| demand.is_late && !self.shed.contains(camera));
        if let Some(budget) = &mut self.budget {
            if is_late {
                budget.shrink(now, self.queue.iter().filter(|camera| !self.shed.contains(*camera)), cameras);
            } else {
                let least = cameras.values().map(|demand| demand.pixels_per_s).filter(|cost| *cost > 0.0);
                budget.grow(now, (all / STEPS).max(least.fold(f64::INFINITY, f64::min).min(all)));
            }
        } else if is_late {
            self.budget = Some(Budget::first(now, all));
        }
        if self.budget.is_some_and(|budget| budget.trial.is_none() && budget.pixels_per_s >= all) {
            self.budget = None;
        }
        let Some(budget) = &mut self.budget else {
            self.shed.clear();
            return &self.shed;
        };
        if now >= budget.turn_ends {
            budget.turn_ends = now + TURN;
            // Whoever had a turn is last now.
            self.queue.sort_by_key(|camera| !self.shed.contains(camera));
        }
        let mut left = budget.pixels_per_s;
        self.shed.clear();
        for camera in &self.queue {
            let cost = cameras[camera].pixels_per_s;
            if cost <= left {
                left -= cost;
            } else {
                self.shed.insert(camera.clone());
            }
        }
        &self.shed
    }
}

impl Budget {
    fn first(now: Duration, all: f64) -> Self {
        Self {
            pixels_per_s: DECREASE * all,
            trial: None,
            pause: FIRST_PAUSE,
            grows_at: now + FIRST_PAUSE,
            settled_at: now + SETTLE,
            turn_ends: now + TURN,
        }
    }

    /// `full`: those of whom everything is decoded now.
    fn shrink<'a>(
        &mut self,
        now: Duration,
        full: impl Iterator<Item = &'a CameraId>,
        cameras: &BTreeMap<CameraId, Demand>,
    ) {
        if now < self.settled_at {
            return;
        }
        let spent: f64 = full.map(|camera| cameras[camera].pixels_per_s).sum();
        if let Some((before, _)) = self.trial.take() {
            // With other cameras' turn it may be spent to the last, and that be too much.
            self.pixels_per_s = before.min(TOO_MUCH * spent);
            self.pause = (2 * self.pause).min(LONGEST_PAUSE);
        } else {
            self.pixels_per_s = DECREASE * spent.min(self.pixels_per_s);
        }
        self.settled_at = now + SETTLE;
        self.grows_at = now + self.pause;
    }

    fn grow(&mut self, now: Duration, step: f64) {
        match self.trial {
            Some((_, until)) if now >= until => {
                self.trial = None;
                self.pause = (self.pause / 2).max(FIRST_PAUSE);
                self.grows_at = now + self.pause;
            }
            None if now >= self.grows_at => {
                self.trial = Some((self.pixels_per_s, now + TRIAL));
                self.pixels_per_s += step;
                self.settled_at = now;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn camera(n: usize) -> CameraId {
        format!("camera-{n:02}").parse().expect("an id")
    }

    /// A machine that decodes so much: whoever is not shed is late when that is not enough. Says of each camera in how many
    /// seconds it had everything, when somebody was late, how much was decoded in the end, and what the budget fell to.
    fn run(costs: &[f64], seconds: std::ops::Range<u64>, load: &mut Load, capacity: impl Fn(u64) -> f64) -> Run {
        let mut done = Run { had: vec![0; costs.len()], late: Vec::new(), spent: 0.0, least_budget: f64::INFINITY };
        let mut shed = load.shed.clone();
        for second in seconds {
            let full = |n: usize| !shed.contains(&camera(n));
            done.spent = (0..costs.len()).filter(|n| full(*n)).map(|n| costs[n]).sum();
            let is_late = done.spent > capacity(second);
            let demand = |n: usize| Demand { pixels_per_s: costs[n], is_late: is_late && full(n) };
            let cameras: BTreeMap<_, _> = (0..costs.len()).map(|n| (camera(n), demand(n))).collect();
            for (n, had) in done.had.iter_mut().enumerate() {
                *had += u64::from(full(n));
            }
            done.late.extend(is_late.then_some(second));
            shed = load.share(Duration::from_secs(second), &cameras).clone();
            let budget = load.budget.map_or(f64::INFINITY, |budget| budget.pixels_per_s);
            done.least_budget = done.least_budget.min(budget);
        }
        done
    }

    #[derive(Debug)]
    struct Run {
        had: Vec<u64>,
        late: Vec<u64>,
        spent: f64,
        least_budget: f64,
    }

    #[test]
    fn while_all_is_well_everybody_has_everything() {
        let done = run(&[1.0, 5.0, 20.0], 0..1_000, &mut Load::new(), |_| 26.0);
        assert_eq!(done.had, [1_000; 3]);
    }

    #[test]
    fn cameras_take_turns_where_there_is_not_enough_for_all() {
        let done = run(&[1.0; 4], 0..4 * 3_600, &mut Load::new(), |_| 2.5);
        let (least, most) = (done.had.iter().min().expect("four"), done.had.iter().max().expect("four"));
        assert!(most - least <= 2 * TURN.as_secs(), "{:?}", done.had);
        assert!(*least > 4 * 3_600 * 2 / 4 * 9 / 10, "two of four at a time: {:?}", done.had);
    }

    #[test]
    fn what_goes_wrong_is_tried_ever_more_seldom() {
        let done = run(&[1.0; 4], 0..4 * 3_600, &mut Load::new(), |_| 2.5);
        let in_the_last_hours = done.late.iter().filter(|second| **second > 3_600).count();
        assert!(in_the_last_hours <= 3 * 6 + 1, "{in_the_last_hours} times behind in three hours");
    }

    #[test]
    fn whoever_costs_more_than_everything_makes_do_with_key_frames_and_harms_nobody() {
        let mut load = Load::new();
        run(&[1.0, 100.0, 1.0], 0..60, &mut load, |_| 50.0);
        let done = run(&[1.0, 100.0, 1.0], 60..600, &mut load, |_| 50.0);
        assert!(done.had[0] == 540 && done.had[2] == 540 && done.had[1] < 60, "{done:?}");
    }

    #[test]
    fn when_the_load_is_gone_everybody_has_everything_again() {
        let mut load = Load::new();
        run(&[1.0; 8], 0..3_600, &mut load, |_| 3.0);
        let done = run(&[1.0; 8], 3_600..7_200, &mut load, |_| 100.0);
        assert!(done.spent >= 8.0 && load.budget.is_none(), "{done:?}");
    }

    #[test]
    fn cameras_come_and_go() {
        let mut load = Load::new();
        run(&[1.0; 4], 0..100, &mut load, |_| 2.5);
        let done = run(&[1.0; 6], 100..600, &mut load, |_| 2.5);
        assert!(done.had.iter().all(|had| *had > 60), "{done:?}");
        run(&[1.0; 2], 600..2_000, &mut load, |_| 2.5);
        assert!(load.shed.is_empty() && load.budget.is_none());
    }

    proptest! {
        #[test]
        fn the_budget_is_kept_and_nobody_who_fits_into_it_is_forgotten(
            costs in prop::collection::vec(0.1_f64..10.0, 1..10),
            part in 0.0_f64..1.5,
        ) {
            let capacity = part * costs.iter().sum::<f64>();
            let mut load = Load::new();
            run(&costs, 0..3_600, &mut load, |_| capacity);
            let cameras = u64::try_from(costs.len()).expect("few");
            let seconds = 4 * cameras * TURN.as_secs() + 1_200;
            let done = run(&costs, 3_600..3_600 + seconds, &mut load, |_| capacity);
            prop_assert!(done.late.len() <= usize::try_from(seconds / 50).expect("few"), "{:?}", done.late);
            for (cost, had) in costs.iter().zip(&done.had) {
                let fits = *cost <= done.least_budget;
                prop_assert!(!fits || *had > 0, "{cost} of {} was never had: {:?}", done.least_budget, done.had);
            }
        }
    }
}
