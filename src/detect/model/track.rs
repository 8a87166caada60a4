//! One thing that is followed: where it was, how it changed, and whether it has moved like a thing.

use std::collections::VecDeque;

use crate::detect::why::How;

use super::blobs::{Blob, Bounds};

/// The part of the looks in which a thing must have been seen.
const STEADY: f32 = 0.76;
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
const GROWN_S: f32 = 1.2;
/// Where it was is remembered for this long, to judge how straight it moves.
const PATH_S: f32 = 4.0;
const SPEED_S: f32 = 0.8;
const WAVERS_S: f32 = 3.0;
/// A chain of blobs is believed when chance would make it rarer than e to the minus this, and that for each link:
/// at a few blobs a look, once in some hours.
const BEYOND_CHANCE: f32 = 12.0;
const BEYOND_CHANCE_A_LINK: f32 = 2.0;
/// In clutter, what is no larger than what rains must hang together for longer, at each link, and come further in cells.
const FAR_BEYOND_CHANCE: f32 = 30.0;
const FAR_BEYOND_CHANCE_A_LINK: f32 = 4.2;
const FAR_CELLS: f32 = 10.0;
/// No single link proves more than this.
const MOST_A_LINK: f32 = 7.0;

#[derive(Debug)]
pub(super) struct Track {
    pub(super) first_us: i64,
    pub(super) last_us: i64,
    pub(super) last_change_us: i64,
    first_change_us: Option<i64>,
    changes: usize,
    pub(super) path: VecDeque<Place>,
    pub(super) velocity: [f32; 2],
    pub(super) most_cells: usize,
    pub(super) cells: usize,
    pub(super) bounds: Bounds,
    /// Of the largest blob alone: what lies near it belongs to the track.
    pub(super) core: Bounds,
    pub(super) zones: u64,
    pub(super) confirmed: bool,
    /// What confirmed it.
    pub(super) how: How,
    /// Seen in the newest look.
    pub(super) present: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) at_us: i64,
    pub(super) centre: [f32; 2],
    pub(super) cells: usize,
    bounds: Bounds,
    look: u64,
    /// How unlikely it is that chance laid a blob where this one was expected: minus the logarithm.
    surprise: f32,
}

/// Blobs that hang together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain {
    pub(super) since_us: i64,
    /// How much rarer chance would make it than is needed for a link, summed over its links.
    beyond: f32,
    links: f32,
    /// How far it came, in cells.
    net: f32,
}

impl Chain {
    fn is_a_long_way(&self) -> bool {
        self.beyond >= FAR_BEYOND_CHANCE.max(FAR_BEYOND_CHANCE_A_LINK * self.links) && self.net >= FAR_CELLS
    }
}

/// What belongs to one track in one look.
pub(super) struct Sum {
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
    pub(super) fn of(blobs: &[Blob], zones: &[u64], group: &[usize]) -> Self {
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

    pub(super) fn changed(&self) -> bool {
        self.changing >= 3.max(self.cells / 50)
    }
}

pub(super) enum Judged {
    Confirmed(How),
    NotYet,
    KeptBackByClutter,
}

impl Track {
    pub(super) fn new(sum: &Sum, at_us: i64, look: u64) -> Self {
        let changed = sum.changed();
        Self {
            first_us: at_us,
            last_us: at_us,
            last_change_us: at_us,
            first_change_us: changed.then_some(at_us),
            changes: usize::from(changed),
            path: VecDeque::from([Place {
                at_us,
                look,
                centre: sum.centre,
                cells: sum.cells,
                bounds: sum.bounds,
                surprise: 0.0,
            }]),
            velocity: [0.0; 2],
            most_cells: sum.cells,
            cells: sum.cells,
            bounds: sum.bounds,
            core: sum.core,
            zones: sum.zones,
            confirmed: false,
            how: How::Moved,
            present: true,
        }
    }

    pub(super) fn see(
        &mut self,
        sum: &Sum,
        at_us: i64,
        look: u64,
        larger: Option<usize>,
        density: f32,
        newborn: &[usize],
    ) {
        let step_s = seconds(at_us - self.last_us).max(0.02);
        let mut surprise = 0.0;
        if let Some(last) = self.path.back() {
            let expected = [0, 1].map(|axis| last.centre[axis] + self.velocity[axis] * step_s.min(1.0));
            let away = distance(expected, sum.centre) + 0.5;
            let alike = (size(sum.cells) / size(last.cells)).ln().abs().clamp(0.1, 1.0);
            let as_large = newborn.iter().filter(|cells| 2 * **cells >= sum.cells).count();
            let density = density * size(1 + as_large) / size(1 + newborn.len());
            let by_chance = (1.0 - (-density * std::f32::consts::PI * away * away).exp()).max(1e-9) * alike;
            surprise = (-by_chance.ln()).min(MOST_A_LINK);
            for axis in 0..2 {
                let speed = (sum.centre[axis] - last.centre[axis]) / step_s;
                self.velocity[axis] += 0.5 * (speed - self.velocity[axis]);
            }
        }
        self.path.push_back(Place { at_us, look, centre: sum.centre, cells: sum.cells, bounds: sum.bounds, surprise });
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

    pub(super) fn judge(&self, at_us: i64, larger: Option<usize>) -> Judged {
        let (looks, straight) = match larger {
            Some(_) => (CONFIRM_LOOKS + 1, STRAIGHT_IN_CLUTTER),
            None => (CONFIRM_LOOKS, STRAIGHT),
        };
        let long_enough = self.first_change_us.is_some_and(|first| seconds(at_us - first) >= CONFIRM_S - 0.05);
        if self.changes < looks || !long_enough {
            return Judged::NotYet;
        }
        let how = if self.moved(straight) {
            How::Moved
        } else if self.grew() {
            How::Grew
        } else {
            return Judged::NotYet;
        };
        let chain = self.chain(larger);
        let is_small = larger.is_some_and(|larger| self.most_cells <= larger);
        if chain.beyond < BEYOND_CHANCE || (is_small && !chain.is_a_long_way()) {
            return Judged::KeptBackByClutter;
        }
        Judged::Confirmed(how)
    }

    /// The newest of its blobs that hang together better than chance could make them.
    ///
    /// In clutter, what suddenly grows or shrinks to a quarter is another thing.
    pub(super) fn chain(&self, larger: Option<usize>) -> Chain {
        let mut chain = Chain { since_us: self.last_us, beyond: 0.0, links: 0.0, net: 0.0 };
        let mut later = self.path.iter().rev();
        let Some(now) = later.next() else { return chain };
        let (mut link, mut sum, mut links) = (now, 0.0, 0.0);
        for place in later {
            if larger.is_some() && (link.cells > 4 * place.cells || place.cells > 4 * link.cells) {
                break;
            }
            sum += link.surprise - BEYOND_CHANCE_A_LINK;
            links += 1.0;
            if sum >= chain.beyond {
                let net = distance(place.centre, now.centre);
                chain = Chain { since_us: place.at_us, beyond: sum, links, net };
            }
            link = place;
        }
        chain
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

    /// In cells a second, over about the last second.
    pub(super) fn speed(&self) -> f32 {
        let Some(now) = self.path.back() else { return 0.0 };
        let long_ago = |place: &&Place| seconds(now.at_us - place.at_us) >= SPEED_S;
        let Some(before) = self.path.iter().rev().find(long_ago).or(self.path.front()) else { return 0.0 };
        let lasted_s = seconds(now.at_us - before.at_us);
        if lasted_s < 0.1 { 0.0 } else { distance(before.centre, now.centre) / lasted_s }
    }

    /// Whether it has moved long enough for a thing, and gone nowhere.
    pub(super) fn wavers(&self, at_us: i64) -> bool {
        self.changes > 2 * CONFIRM_LOOKS && self.first_change_us.is_some_and(|first| seconds(at_us - first) > WAVERS_S)
    }

    /// Whether it doubled steadily: something comes straight at the camera.
    fn grew(&self) -> bool {
        let third = self.path.len() / 3;
        let (Some(first), Some(last)) = (self.path.front(), self.path.back()) else { return false };
        if third == 0 || seconds(last.at_us - first.at_us) < GROWN_S {
            return false;
        }
        #[expect(clippy::cast_precision_loss, reason = "a few looks")]
        let looks = (last.look - first.look + 1) as f32;
        if size(self.path.len()) < STEADY * looks {
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
pub(super) fn size(cells: usize) -> f32 {
    cells as f32
}

pub(super) fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}
