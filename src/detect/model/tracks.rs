//! Blobs followed from look to look, until one has moved like a thing.

use std::collections::VecDeque;

use crate::detect::why::Reason;

use super::blobs::{Blob, Bounds};
use super::track::{Judged, Sum, Track, distance, seconds, size};

/// A track that was not confirmed ends when nothing of it was seen for this long.
const LOST_S: f32 = 0.75;
/// Before the background is so old, what wavers is not known well: things are followed, but none is believed.
pub(super) const SEASONED_S: f32 = 6.0;
/// A track is live while something inside changed within this time.
pub(super) const LIVE_S: f32 = 6.0;
const MOVING_US: i64 = 2_000_000;
/// Newborn blobs are counted over this time; more than so many are clutter: rain, snow, leaves.
const CLUTTER_S: f32 = 20.0;
const CLUTTER_COUNT: usize = 28;
const CLUTTER_PART: f32 = 0.99;
const CLUTTER_LARGER: f32 = 1.5;
/// So far a blob may be from where it is expected, in cells a second.
const REACH_PER_S: f32 = 130.0;
/// From one look to the next, where the camera sends pictures often enough.
const USUAL_LOOK_S: f32 = 0.2;
/// And so far from there once its speed is known, besides half of that.
const HASTE_PER_S: f32 = 30.0;
const MAX_TRACKS: usize = 64;
/// Blobs so close, in cells, are pieces of one thing.
const PIECES: usize = 2;
const PIECE_CELLS: usize = 60;
const PIECES_FILL: f32 = 0.35;
/// How many blobs a look shows is averaged over this time.
const CROWD_S: f32 = 5.0;

#[derive(Debug, Default)]
pub(super) struct Tracks {
    pub(super) all: Vec<Track>,
    /// When, and of how many cells.
    newborn: VecDeque<(i64, usize)>,
    looks: u64,
    age_s: f32,
    last_us: i64,
    /// Blobs in a look that belong to nothing confirmed, averaged.
    crowd: f32,
}

impl Tracks {
    /// Whether so many blobs are born that only what stands out counts.
    pub(super) fn in_clutter(&self) -> bool {
        // Early on there was less time to count.
        let part = (self.age_s / CLUTTER_S).clamp(0.25, 1.0);
        size(self.newborn.len()) > size(CLUTTER_COUNT) * part
    }

    /// Blobs in a look that belong to nothing confirmed.
    pub(super) fn crowd(&self) -> f32 {
        self.crowd
    }

    /// How long before `at_us` newborn blobs were seen, in milliseconds, and of how many cells, oldest first.
    pub(super) fn newborn(&self, at_us: i64) -> Vec<(u32, u16)> {
        let age_ms = |born: i64| u32::try_from(at_us.saturating_sub(born) / 1_000).unwrap_or(u32::MAX);
        let newborn =
            self.newborn.iter().map(|(born, cells)| (age_ms(*born), u16::try_from(*cells).unwrap_or(u16::MAX)));
        newborn.collect()
    }

    /// Takes up what was seen before a restart as if it had been just before `at_us`.
    pub(super) fn restore(&mut self, newborn: &[(u32, u16)], crowd: f32, at_us: i64) {
        self.crowd = crowd;
        self.last_us = at_us;
        let born = |(age_ms, cells): &(u32, u16)| {
            (at_us.saturating_sub(i64::from(*age_ms).saturating_mul(1_000)), usize::from(*cells).max(1))
        };
        self.newborn = newborn.iter().map(born).collect();
    }

    /// Forgets everything that is followed: the picture is another.
    pub(super) fn clear(&mut self) {
        self.all.clear();
    }

    /// Follows the blobs of one look; `zones` is that of each blob. Returns what was kept back, and where.
    pub(super) fn follow(
        &mut self,
        blobs: &[Blob],
        zones: &[u64],
        at_us: i64,
        age_s: f32,
        cells: usize,
    ) -> Vec<(Reason, Bounds)> {
        self.looks += 1;
        self.age_s = age_s;
        while self.newborn.front().is_some_and(|(born, _)| seconds(at_us - born) > CLUTTER_S) {
            self.newborn.pop_front();
        }
        let step_s = seconds(at_us - self.last_us).clamp(0.02, 1.0);
        let taken = self.match_up(blobs, at_us, step_s);
        let strays = taken.iter().filter(|track| track.is_none_or(|track| !self.all[track].confirmed)).count();
        self.last_us = at_us;
        self.crowd += (1.0 - (-step_s / CROWD_S.min(age_s)).exp()) * (size(strays) - self.crowd);
        let density = self.crowd / size(cells);
        let newborn: Vec<usize> = self.newborn.iter().map(|(_, cells)| *cells).collect();
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
                track.see(&Sum::of(blobs, zones, group), at_us, self.looks, larger, density, &newborn);
            }
        }
        let mut kept_back = Vec::new();
        for track in &mut self.all {
            if age_s >= SEASONED_S && !track.confirmed && track.present {
                match track.judge(at_us, larger) {
                    Judged::Confirmed(how) => {
                        track.confirmed = true;
                        track.how = how;
                        // It may have lain there before; what counts is since when it moves.
                        let moving_us = at_us.saturating_sub(MOVING_US);
                        track.first_us = track.chain(larger).since_us.max(moving_us);
                    }
                    Judged::KeptBackByClutter => kept_back.push((Reason::Clutter, track.bounds)),
                    Judged::NotYet if track.wavers(at_us) => kept_back.push((Reason::Wavering, track.bounds)),
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

    /// For each blob the track that it continues; this look is so long after the one before. Nearest pairs first; then what lies
    /// in a confirmed track belongs to it.
    fn match_up(&self, blobs: &[Blob], at_us: i64, look_s: f32) -> Vec<Option<usize>> {
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
                    let near = (3.0 + 1.2 * side) * (look_s / USUAL_LOOK_S).max(1.0);
                    (REACH_PER_S * step_s.min(0.5)).min(near) + 0.4 * side
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
        // A thing may be seen in two pieces where its colour is that of what is behind it.
        for (b, blob) in blobs.iter().enumerate() {
            if taken[b].is_none() && is_all_new(blob) {
                let other = blobs
                    .iter()
                    .zip(&taken)
                    .find(|(other, track)| track.is_some() && is_all_new(other) && is_compact(other, blob));
                taken[b] = other.and_then(|(_, track)| *track);
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

/// Whether a large blob is where nothing was in the look before: it is fast.
fn is_all_new(blob: &Blob) -> bool {
    blob.cells.len() >= PIECE_CELLS && 10 * blob.changing >= 9 * blob.cells.len()
}

/// Whether two blobs are close and together fill the space that they span.
fn is_compact(one: &Blob, other: &Blob) -> bool {
    let whole = one.bounds.united(&other.bounds);
    let filled = size(one.cells.len() + other.cells.len());
    one.bounds.near(&other.bounds, PIECES) && filled >= PIECES_FILL * whole.width() * whole.height()
}
