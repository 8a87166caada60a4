//! Blobs followed from look to look, until one has moved like a thing.

use std::collections::VecDeque;

use super::blobs::{Blob, Bounds};

/// A track that was not confirmed ends when nothing of it was seen for this long.
const LOST_S: f32 = 0.75;
/// Before the background is so old, what wavers is not known well: things are followed, but none is believed.
const SEASONED_S: f32 = 3.5;
/// The part of the looks in which a thing must have been seen.
const STEADY: f32 = 0.76;
/// A track is live while something inside changed within this time.
pub(super) const LIVE_S: f32 = 6.0;
const CONFIRM_LOOKS: usize = 3;
const CONFIRM_S: f32 = 0.6;
/// It must come far enough within this time.
const MOVING_S: f32 = 2.0;
const CONFIRM_CELLS: f32 = 2.5;
const CONFIRM_PART: f32 = 0.3;
const STRAIGHT: f32 = 0.5;
const STRAIGHT_IN_CLUTTER: f32 = 0.7;
/// No single step may be more than this part of the way: that would be two things taken for one.
const ONE_STEP: f32 = 0.62;
/// Faster than this, in cells a second, only a straight and even way counts: a runner's, not an insect's.
const FAST_PER_S: f32 = 60.0;
/// Unless it is large, and so near: in sides a second.
const FAST_SIDES: f32 = 2.5;
/// Each edge must come this part of the way.
const SHIFTED: f32 = 0.4;
/// Growing counts over at least this time.
const GROWN_S: f32 = 0.8;
/// Where it was is remembered for this long, to judge how straight it moves.
const PATH_S: f32 = 4.0;
/// Newborn blobs are counted over this time; more than so many are clutter: rain, snow, leaves.
const CLUTTER_S: f32 = 20.0;
const CLUTTER_COUNT: usize = 28;
const CLUTTER_PART: f32 = 0.99;
const CLUTTER_LARGER: f32 = 1.5;
/// So far a blob may be from where it is expected, in cells a second.
const REACH_PER_S: f32 = 130.0;
/// And so far from there once its speed is known, besides half of that.
const HASTE_PER_S: f32 = 30.0;
const MAX_TRACKS: usize = 64;

#[derive(Debug)]
pub(super) struct Track {
    pub(super) first_us: i64,
    last_us: i64,
    pub(super) last_change_us: i64,
    first_change_us: Option<i64>,
    changes: usize,
    path: VecDeque<Place>,
    velocity: [f32; 2],
    most_cells: usize,
    pub(super) cells: usize,
    pub(super) bounds: Bounds,
    /// Of the largest blob alone: what lies near it belongs to the track.
    core: Bounds,
    pub(super) zones: u64,
    pub(super) confirmed: bool,
    /// Seen in the newest look.
    pub(super) present: bool,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    at_us: i64,
    centre: [f32; 2],
    cells: usize,
    bounds: Bounds,
    look: u64,
}

#[derive(Debug, Default)]
pub(super) struct Tracks {
    pub(super) all: Vec<Track>,
    /// When, and of how many cells.
    newborn: VecDeque<(i64, usize)>,
    looks: u64,
    age_s: f32,
}

impl Tracks {
    /// Whether so many blobs are born that only what stands out counts.
    pub(super) fn in_clutter(&self) -> bool {
        // Early on there was less time to count.
        let part = (self.age_s / CLUTTER_S).clamp(0.25, 1.0);
        size(self.newborn.len()) > size(CLUTTER_COUNT) * part
    }

    /// Forgets everything that is followed: the picture is another.
    pub(super) fn clear(&mut self) {
        self.all.clear();
    }

    /// Follows the blobs of one look; `zones` is that of each blob. Returns how many are kept back by clutter alone.
    pub(super) fn follow(&mut self, blobs: &[Blob], zones: &[u64], at_us: i64, age_s: f32) -> usize {
        self.looks += 1;
        self.age_s = age_s;
        while self.newborn.front().is_some_and(|(born, _)| seconds(at_us - born) > CLUTTER_S) {
            self.newborn.pop_front();
        }
        let taken = self.match_up(blobs, at_us);
        let mut groups: Vec<Vec<usize>> = vec![Vec::new(); self.all.len()];
        let mut free = Vec::new();
        for (blob, track) in taken.iter().enumerate() {
            match track {
                Some(track) => groups[*track].push(blob),
                None => free.push(blob),
            }
        }
        let larger = self.clutter_size();
        for (track, group) in self.all.iter_mut().zip(&groups) {
            track.present = !group.is_empty();
            if track.present {
                track.see(&Sum::of(blobs, zones, group), at_us, self.looks, larger);
            }
        }
        let mut kept_back = 0;
        for track in &mut self.all {
            if age_s >= SEASONED_S && !track.confirmed && track.present {
                match track.judge(at_us, larger) {
                    Judged::Confirmed => {
                        track.confirmed = true;
                        track.first_us = track.path.front().map_or(track.first_us, |place| place.at_us);
                    }
                    Judged::KeptBackByClutter => kept_back += 1,
                    Judged::NotYet => {}
                }
            }
        }
        self.all.retain(|track| {
            if track.confirmed {
                seconds(at_us - track.last_change_us) <= LIVE_S
            } else {
                seconds(at_us - track.last_us) <= LOST_S
            }
        });
        for blob in free {
            self.newborn.push_back((at_us, blobs[blob].cells.len()));
            if self.newborn.len() > 4096 {
                self.newborn.pop_front();
            }
            if self.all.len() < MAX_TRACKS {
                self.all.push(Track::new(&Sum::of(blobs, zones, &[blob]), at_us, self.looks));
            }
        }
        kept_back
    }

    /// For each blob the track that it continues. Nearest pairs first; then what lies in a confirmed track belongs to it.
    fn match_up(&self, blobs: &[Blob], at_us: i64) -> Vec<Option<usize>> {
        let mut pairs = Vec::new();
        for (t, track) in self.all.iter().enumerate() {
            let step_s = seconds(at_us - track.last_us).clamp(0.02, 1.0);
            let centre = track.path.back().map_or([0.0; 2], |place| place.centre);
            let expected = [centre[0] + track.velocity[0] * step_s, centre[1] + track.velocity[1] * step_s];
            for (b, blob) in blobs.iter().enumerate() {
                let ratio = size(blob.cells.len()) / size(track.cells);
                if !(0.125..=8.0).contains(&ratio) {
                    continue;
                }
                let away = distance(expected, blob.centre);
                let side = track.bounds.width().max(track.bounds.height()).min(40.0);
                let reach = if track.path.len() < 3 {
                    // It may be a runner: nothing is known of its speed yet.
                    (REACH_PER_S * step_s.min(0.5)).min(3.0 + 1.2 * side) + 0.4 * side
                } else {
                    let speed = track.velocity[0].hypot(track.velocity[1]);
                    3.0 + 0.5 * side + (HASTE_PER_S + 0.5 * speed) * step_s.min(0.5)
                };
                if away <= reach {
                    let strength = if track.confirmed { 0.7 } else { 1.0 };
                    pairs.push((strength * away + 4.0 * ratio.ln().abs(), t, b));
                }
            }
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut taken = vec![None; blobs.len()];
        let mut matched = vec![false; self.all.len()];
        for (_, track, blob) in pairs {
            if !matched[track] && taken[blob].is_none() {
                matched[track] = true;
                taken[blob] = Some(track);
            }
        }
        for (blob, taken) in blobs.iter().zip(&mut taken) {
            if taken.is_none() {
                *taken = self.all.iter().position(|track| track.confirmed && track.core.near(&blob.bounds, 2));
            }
        }
        taken
    }

    /// In clutter: what a blob must be larger than.
    fn clutter_size(&self) -> Option<usize> {
        if !self.in_clutter() {
            return None;
        }
        let mut sizes: Vec<usize> = self.newborn.iter().map(|(_, cells)| *cells).collect();
        sizes.sort_unstable();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small"
        )]
        let place = ((sizes.len() - 1) as f32 * CLUTTER_PART) as usize;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 25,600 cells")]
        Some((size(sizes[place]) * CLUTTER_LARGER) as usize)
    }
}

/// What belongs to one track in one look.
struct Sum {
    cells: usize,
    largest: usize,
    changing: usize,
    solid: usize,
    centre: [f32; 2],
    bounds: Bounds,
    core: Bounds,
    zones: u64,
}

impl Sum {
    fn of(blobs: &[Blob], zones: &[u64], group: &[usize]) -> Self {
        let first =
            group.iter().map(|blob| &blobs[*blob]).max_by_key(|blob| blob.cells.len()).unwrap_or(&blobs[group[0]]);
        let mut sum = Self {
            cells: 0,
            largest: first.cells.len(),
            changing: 0,
            solid: 0,
            centre: [0.0; 2],
            bounds: first.bounds,
            core: first.bounds,
            zones: 0,
        };
        for blob in group {
            let (blob, zones) = (&blobs[*blob], zones[*blob]);
            let count = size(blob.cells.len());
            sum.centre[0] += blob.centre[0] * count;
            sum.centre[1] += blob.centre[1] * count;
            sum.cells += blob.cells.len();
            sum.changing += blob.changing;
            sum.solid += blob.solid;
            sum.bounds = sum.bounds.united(&blob.bounds);
            sum.zones |= zones;
        }
        sum.centre = [sum.centre[0] / size(sum.cells), sum.centre[1] / size(sum.cells)];
        sum
    }

    fn changed(&self) -> bool {
        self.changing >= 3.max(self.cells / 50)
    }
}

enum Judged {
    Confirmed,
    NotYet,
    KeptBackByClutter,
}

impl Track {
    fn new(sum: &Sum, at_us: i64, look: u64) -> Self {
        let changed = sum.changed();
        Self {
            first_us: at_us,
            last_us: at_us,
            last_change_us: at_us,
            first_change_us: changed.then_some(at_us),
            changes: usize::from(changed),
            path: VecDeque::from([Place { at_us, look, centre: sum.centre, cells: sum.cells, bounds: sum.bounds }]),
            velocity: [0.0; 2],
            most_cells: sum.cells,
            cells: sum.cells,
            bounds: sum.bounds,
            core: sum.core,
            zones: sum.zones,
            confirmed: false,
            present: true,
        }
    }

    fn see(&mut self, sum: &Sum, at_us: i64, look: u64, larger: Option<usize>) {
        let step_s = seconds(at_us - self.last_us).max(0.02);
        if let Some(last) = self.path.back() {
            for axis in 0..2 {
                let speed = (sum.centre[axis] - last.centre[axis]) / step_s;
                self.velocity[axis] += 0.5 * (speed - self.velocity[axis]);
            }
        }
        self.path.push_back(Place { at_us, look, centre: sum.centre, cells: sum.cells, bounds: sum.bounds });
        while self.path.front().is_some_and(|place| seconds(at_us - place.at_us) > PATH_S) {
            self.path.pop_front();
        }
        self.last_us = at_us;
        self.cells = sum.cells;
        self.most_cells = self.most_cells.max(sum.solid);
        self.bounds = sum.bounds;
        self.core = sum.core;
        self.zones |= sum.zones;
        // What rains through a thing's place does not keep it alive.
        let stands_out = larger.is_none_or(|larger| !self.confirmed || 3 * sum.largest >= 2 * larger);
        if sum.changed() && stands_out {
            self.last_change_us = at_us;
            self.first_change_us.get_or_insert(at_us);
            self.changes += 1;
        }
    }

    fn judge(&self, at_us: i64, larger: Option<usize>) -> Judged {
        let (looks, straight) = match larger {
            Some(_) => (CONFIRM_LOOKS + 1, STRAIGHT_IN_CLUTTER),
            None => (CONFIRM_LOOKS, STRAIGHT),
        };
        let long_enough = self.first_change_us.is_some_and(|first| seconds(at_us - first) >= CONFIRM_S - 0.05);
        if self.changes < looks || !long_enough || !(self.moved(straight) || self.grew()) {
            return Judged::NotYet;
        }
        if larger.is_some_and(|larger| self.most_cells <= larger) {
            return Judged::KeptBackByClutter;
        }
        Judged::Confirmed
    }

    /// Whether it came far enough, straight enough, from any place within the last seconds.
    fn moved(&self, straight: f32) -> bool {
        let Some(now) = self.path.back() else { return false };
        let need = CONFIRM_CELLS.max(CONFIRM_PART * self.bounds.width().min(self.bounds.height()));
        let side = self.bounds.width().max(self.bounds.height());
        let (mut length, mut longest, mut shortest) = (0.0, 0.0_f32, f32::INFINITY);
        let (mut most, mut least) = (now.cells, now.cells);
        let (mut after, mut seen) = (now.centre, 1_u16);
        for place in self.path.iter().rev().skip(1) {
            let step = distance(place.centre, after);
            length += step;
            longest = longest.max(step);
            shortest = shortest.min(step);
            most = most.max(place.cells);
            least = least.min(place.cells);
            after = place.centre;
            seen += 1;
            let net = distance(place.centre, now.centre);
            #[expect(clippy::cast_precision_loss, reason = "a few looks")]
            let looks = (now.look - place.look + 1) as f32;
            let lasted_s = seconds(now.at_us - place.at_us);
            let is_fast = length > FAST_PER_S.max(FAST_SIDES * side) * lasted_s;
            let flies_straight = net >= 0.9 * length && longest <= 2.0 * shortest && size(most) <= 2.5 * size(least);
            if (CONFIRM_S - 0.05..=MOVING_S).contains(&lasted_s)
                && net >= need
                && net >= straight * length
                && longest <= ONE_STEP * length
                && f32::from(seen) >= STEADY * looks
                && (!is_fast || flies_straight)
                && shifted(place, now)
            {
                return true;
            }
        }
        false
    }

    /// Whether it doubled steadily: something comes straight at the camera.
    fn grew(&self) -> bool {
        let third = self.path.len() / 3;
        let (Some(first), Some(last)) = (self.path.front(), self.path.back()) else { return false };
        if third == 0 || seconds(last.at_us - first.at_us) < GROWN_S {
            return false;
        }
        let cells = || self.path.iter().map(|place| place.cells);
        let early: usize = cells().take(third).sum();
        let late: usize = cells().rev().take(third).sum();
        let (most_early, least_late) = (cells().take(third).max(), cells().rev().take(third).min());
        late >= 24 * third && late >= 2 * early && least_late > most_early
    }
}

/// Whether both edges moved along the way that the centre took: leaves that waver only grow and shrink.
fn shifted(from: &Place, to: &Place) -> bool {
    let moved = |axis: usize| to.centre[axis] - from.centre[axis];
    let axis = usize::from(moved(1).abs() > moved(0).abs());
    let edges = |place: &Place| {
        let bounds = place.bounds;
        let (first, last) = if axis == 0 { (bounds.left, bounds.right) } else { (bounds.top, bounds.bottom) };
        [size(first), size(last)]
    };
    let (from_edges, to_edges, least) = (edges(from), edges(to), (SHIFTED * moved(axis).abs()).max(1.0));
    (0..2).all(|edge| (to_edges[edge] - from_edges[edge]) * moved(axis).signum() >= least)
}

#[expect(clippy::cast_precision_loss, reason = "a length of seconds")]
pub(super) fn seconds(length_us: i64) -> f32 {
    length_us as f32 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "a grid has at most 25,600 cells")]
fn size(cells: usize) -> f32 {
    cells as f32
}

fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}
