//! The motion detector: grids of luma go in, what moves comes out. Pure and deterministic: the same grids at the same times give the same answer.
//!
//! Constants are in seconds and parts of the picture, never in frames, so that a camera's rate does not change the
//! verdict. What was seen but held back is counted with its reason, so that an owner can be told why.

mod areas;
mod background;
mod blobs;
mod light;
mod rejections;
mod state;
mod track;
mod tracks;

use crate::config::settings::Motion;
use crate::detect::why::{How, Place, Reason, Rejected};

use areas::Areas;
pub use areas::MAX_ZONES;
use background::{Background, Verdict};
use blobs::{Blob, Bounds, Finder};
use rejections::Rejections;
use tracks::{SEASONED_S, Tracks};

/// A pause between looks counts as no more than this, in seconds.
const LONGEST_STEP_S: f32 = 1.0;

/// The state kept for one camera: under a megabyte.
#[derive(Debug)]
pub struct Model {
    cols: usize,
    rows: usize,
    areas: Areas,
    background: Background,
    finder: Finder,
    tracks: Tracks,
    tracked: Vec<u8>,
    last_us: Option<i64>,
    held_back: HeldBack,
    rejections: Rejections,
}

/// What one look found.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// When, on the caller's clock, in microseconds.
    pub at_us: i64,
    /// What moves like a thing.
    pub movers: Vec<Mover>,
    /// What was not taken for motion; each is told once, not at every look.
    pub rejected: Vec<Rejected>,
    /// Whether anything in it may yet turn out to be a thing, or cannot be judged yet.
    pub stirs: bool,
}

/// A thing that moves, as it stands in this look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mover {
    /// When it was first seen, on the caller's clock.
    pub first_us: i64,
    /// When something inside it last changed.
    pub last_us: i64,
    /// The part of the picture that it covers, 0 to 1; 0 if this look did not see it.
    pub area: f32,
    /// The zones it touched so far: bit n is the zone with the n-th name.
    pub zones: u64,
    /// Where it is, or was last seen.
    pub place: Place,
    /// How fast it goes, in widths of the picture a second.
    pub speed: f32,
    /// What showed that it is a thing.
    pub how: How,
}

/// How often something was not taken for motion, since the start, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeldBack {
    /// Looks at a damaged picture.
    pub damaged: u64,
    /// Looks during a change of the whole picture.
    pub scene: u64,
    /// Blobs that were only light.
    pub light: u64,
    /// Blobs that were mostly masked.
    pub masked: u64,
    /// Tracks that did not stand out from rain or leaves.
    pub clutter: u64,
}

impl Model {
    /// For grids of `cols` × `rows` cells; both at least 16 and at most 160.
    pub fn new(cols: usize, rows: usize, motion: &Motion) -> Self {
        let areas = Areas::new(motion, cols, rows);
        Self {
            cols,
            rows,
            background: Background::new(areas.sample(), areas.dull.clone()),
            areas,
            finder: Finder::new(cols, rows),
            tracks: Tracks::default(),
            tracked: vec![0; cols * rows],
            last_us: None,
            held_back: HeldBack::default(),
            rejections: Rejections::default(),
        }
    }

    /// Columns and rows of the grids that it takes.
    pub fn size(&self) -> (usize, usize) {
        (self.cols, self.rows)
    }

    /// Of each cell of the newest look, row by row: 1 if it differed from what is usual there.
    pub fn foreground(&self) -> &[u8] {
        self.background.foreground()
    }

    /// When the newest look was, on the caller's clock.
    pub fn last_us(&self) -> Option<i64> {
        self.last_us
    }

    /// What was seen but not taken for motion.
    pub fn held_back(&self) -> HeldBack {
        self.held_back
    }

    /// A picture came that is damaged: nothing is learnt from it.
    pub fn hold(&mut self) {
        self.held_back.damaged += 1;
        if let Some(last_us) = self.last_us {
            self.rejections.note(Reason::Damaged, Place::WHOLE, last_us);
        }
    }

    /// Looks at a picture: `means` as [`crate::detect::grid::Shape::block_means`] makes them, `at_us` on any steady clock.
    /// A grid of another size changes nothing and finds nothing.
    pub fn look(&mut self, means: &[u16], at_us: i64) -> Seen {
        let mut seen = Seen { at_us, movers: Vec::new(), rejected: Vec::new(), stirs: true };
        if means.len() != self.cols * self.rows {
            return seen;
        }
        let step_s = match self.last_us {
            Some(last) => track::seconds(at_us.saturating_sub(last)).clamp(0.001, LONGEST_STEP_S),
            None => 0.2,
        };
        self.last_us = Some(at_us);
        let verdict = self.background.look(means, step_s);
        match verdict {
            Verdict::Learning => {}
            Verdict::Scene => {
                self.held_back.scene += 1;
                self.rejections.note(Reason::Scene, Place::WHOLE, at_us);
                self.tracks.clear();
            }
            Verdict::Settled => seen.stirs = self.follow(at_us) || self.background.age_s() < SEASONED_S,
        }
        self.mark_tracked();
        self.background.learn(verdict, step_s, &self.tracked);
        #[expect(clippy::cast_precision_loss, reason = "a grid has at most 25,600 cells")]
        let (whole, cols) = ((self.cols * self.rows) as f32, self.cols as f32);
        seen.movers.extend(self.tracks.all.iter().filter(|track| track.confirmed).map(|track| {
            #[expect(clippy::cast_precision_loss, reason = "a grid has at most 25,600 cells")]
            let area = if track.present { track.cells as f32 / whole } else { 0.0 };
            Mover {
                first_us: track.first_us,
                last_us: track.last_change_us,
                area,
                zones: track.zones,
                place: place(&track.bounds, self.cols, self.rows),
                speed: track.speed() / cols,
                how: track.how,
            }
        }));
        seen.stirs |= !seen.movers.is_empty();
        seen.rejected = self.rejections.tell(at_us);
        seen
    }

    /// Whether anything in a picture may be a thing, or cannot be judged yet. Nothing is learnt from it, and nothing changes.
    pub fn glance(&mut self, means: &[u16]) -> bool {
        if means.len() != self.cols * self.rows {
            return true;
        }
        let mut background = self.background.clone();
        if background.look(means, LONGEST_STEP_S) != Verdict::Settled {
            return true;
        }
        let in_clutter = self.tracks.in_clutter();
        let found = self.finder.find(&background, self.areas.least_cells);
        found.iter().any(|blob| {
            self.objection(&background, blob).is_none()
                && (!in_clutter || blob.solid >= self.areas.least_cells_of(&blob.cells))
        })
    }

    /// Why a blob is no thing, if it is none.
    fn objection(&self, background: &Background, blob: &Blob) -> Option<Reason> {
        if self.areas.mostly_masked(&blob.cells) {
            Some(Reason::Masked)
        } else if blobs::is_light(blob, background, self.cols, self.rows) {
            Some(Reason::Light)
        } else {
            (blob.cells.len() < self.areas.least_cells_of(&blob.cells)).then_some(Reason::Small)
        }
    }

    /// Whether there is anything to follow.
    fn follow(&mut self, at_us: i64) -> bool {
        let mut found = self.finder.find(&self.background, self.areas.least_cells);
        let in_clutter = self.tracks.in_clutter();
        found.retain(|blob| match self.objection(&self.background, blob) {
            None => !in_clutter || blob.solid >= self.areas.least_cells_of(&blob.cells),
            Some(reason) => {
                self.held_back.masked += u64::from(reason == Reason::Masked);
                self.held_back.light += u64::from(reason == Reason::Light);
                self.rejections.note(reason, place(&blob.bounds, self.cols, self.rows), at_us);
                false
            }
        });
        let zones: Vec<u64> = found.iter().map(|blob| self.areas.touched(&blob.cells)).collect();
        let kept_back = self.tracks.follow(&found, &zones, at_us, self.background.age_s(), self.cols * self.rows);
        for (reason, bounds) in kept_back {
            self.held_back.clutter += u64::from(reason == Reason::Clutter);
            self.rejections.note(reason, place(&bounds, self.cols, self.rows), at_us);
        }
        !found.is_empty()
    }

    /// Around each confirmed track, so that what stands there is not learnt away.
    fn mark_tracked(&mut self) {
        self.tracked.fill(0);
        for track in self.tracks.all.iter().filter(|track| track.confirmed) {
            let (left, right) = (track.bounds.left.saturating_sub(1), (track.bounds.right + 1).min(self.cols - 1));
            for row in track.bounds.top.saturating_sub(1)..=(track.bounds.bottom + 1).min(self.rows - 1) {
                self.tracked[row * self.cols + left..=row * self.cols + right].fill(1);
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a grid's side is at most 160 cells")]
fn place(bounds: &Bounds, cols: usize, rows: usize) -> Place {
    let (cols, rows) = (cols as f32, rows as f32);
    Place([bounds.left as f32 / cols, bounds.top as f32 / rows, bounds.width() / cols, bounds.height() / rows])
}
