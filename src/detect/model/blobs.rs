//! Groups of foreground cells that hang together, and what speaks against their being a thing.

use super::background::Background;

/// A group of cells. Positions and sizes in cells.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Blob {
    /// Indices into the grid.
    pub(super) cells: Vec<u32>,
    pub(super) bounds: Bounds,
    /// Centre of mass: column, row.
    pub(super) centre: [f32; 2],
    /// Cells that differ from the look before.
    pub(super) changing: usize,
    /// Cells whose neighbourhood is nearly full.
    pub(super) solid: usize,
}

/// First and last column and row, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
}

#[expect(clippy::cast_precision_loss, reason = "a grid's side is at most 160 cells")]
impl Bounds {
    pub(super) fn width(&self) -> f32 {
        (self.right - self.left + 1) as f32
    }

    pub(super) fn height(&self) -> f32 {
        (self.bottom - self.top + 1) as f32
    }

    /// Whether the two touch or are at most `margin` cells apart.
    pub(super) fn near(&self, other: &Self, margin: usize) -> bool {
        self.left <= other.right + margin
            && other.left <= self.right + margin
            && self.top <= other.bottom + margin
            && other.top <= self.bottom + margin
    }

    pub(super) fn united(&self, other: &Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }
}

/// Buffers kept from look to look.
#[derive(Debug)]
pub(super) struct Finder {
    cols: usize,
    rows: usize,
    /// How many of the nine cells around (and in) each are foreground.
    crowd: Vec<u8>,
    seen: Vec<u8>,
    stack: Vec<u32>,
}

impl Finder {
    pub(super) fn new(cols: usize, rows: usize) -> Self {
        Self { cols, rows, crowd: vec![0; cols * rows], seen: vec![0; cols * rows], stack: Vec::new() }
    }

    /// The groups of at least `least_cells` cells, each cell with at least three foreground cells among its nine.
    pub(super) fn find(&mut self, background: &Background, least_cells: usize) -> Vec<Blob> {
        self.count_crowd(&background.foreground);
        for ((seen, crowd), foreground) in self.seen.iter_mut().zip(&self.crowd).zip(&background.foreground) {
            *seen = u8::from(*crowd < 3 || *foreground == 0);
        }
        let mut blobs = Vec::new();
        for start in 0..self.seen.len() {
            if self.seen[start] == 0 {
                let blob = self.flood(start, background);
                if blob.cells.len() >= least_cells {
                    blobs.push(blob);
                }
            }
        }
        blobs
    }

    fn count_crowd(&mut self, foreground: &[u8]) {
        let (cols, rows) = (self.cols, self.rows);
        let mut sums = vec![0_u8; cols];
        for row in 0..rows {
            sums.fill(0);
            for line in foreground[row.saturating_sub(1) * cols..(row + 2).min(rows) * cols].chunks_exact(cols) {
                for (sum, cell) in sums.iter_mut().zip(line) {
                    *sum += cell;
                }
            }
            let crowd = &mut self.crowd[row * cols..(row + 1) * cols];
            crowd.copy_from_slice(&sums);
            for (crowd, left) in crowd[1..].iter_mut().zip(&sums) {
                *crowd += left;
            }
            for (crowd, right) in crowd.iter_mut().zip(&sums[1..]) {
                *crowd += right;
            }
        }
    }

    fn flood(&mut self, start: usize, background: &Background) -> Blob {
        let (cols, rows) = (self.cols, self.rows);
        let mut blob = Blob {
            cells: Vec::new(),
            bounds: Bounds { left: cols, top: rows, right: 0, bottom: 0 },
            centre: [0.0; 2],
            changing: 0,
            solid: 0,
        };
        let (mut across, mut down) = (0_usize, 0_usize);
        self.seen[start] = 1;
        self.stack.push(index(start));
        while let Some(cell) = self.stack.pop() {
            blob.cells.push(cell);
            let cell = cell as usize;
            let (col, row) = (cell % cols, cell / cols);
            let here = Bounds { left: col, top: row, right: col, bottom: row };
            blob.bounds = blob.bounds.united(&here);
            across += col;
            down += row;
            blob.changing += usize::from(background.changing[cell]);
            blob.solid += usize::from(self.crowd[cell] >= 5);
            for row in row.saturating_sub(1)..=(row + 1).min(rows - 1) {
                for col in col.saturating_sub(1)..=(col + 1).min(cols - 1) {
                    let next = row * cols + col;
                    if self.seen[next] == 0 {
                        self.seen[next] = 1;
                        self.stack.push(index(next));
                    }
                }
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "sums over at most 25,600 cells of at most 160")]
        {
            let count = blob.cells.len() as f32;
            blob.centre = [across as f32 / count, down as f32 / count];
        }
        blob
    }
}

fn index(cell: usize) -> u32 {
    u32::try_from(cell).expect("a grid has at most 25,600 cells")
}

/// Whether the blob is only light on the same things: its edges are soft, or the texture below it shows through.
pub(super) fn is_light(blob: &Blob, background: &Background, cols: usize, rows: usize) -> bool {
    is_soft(blob, background, cols, rows) || texture_shows(blob, background, cols, rows)
}

/// How sharp the step at the edge must be, as a part of the mean difference inside.
const SOFT: f32 = 0.28;
/// What rises by this part of it from the cell before the edge to the one behind has a sharp edge, which only happens to lie
/// within a cell.
const SHARP: f32 = 0.9;
/// Blobs of fewer cells are all edge.
const SOFT_CELLS: usize = 40;

fn is_soft(blob: &Blob, background: &Background, cols: usize, rows: usize) -> bool {
    if blob.cells.len() < SOFT_CELLS {
        return false;
    }
    let rest = &background.rest;
    let (mut steps, mut edges) = (0.0_f32, 0.0_f32);
    let inside =
        blob.cells.iter().map(|cell| rest[*cell as usize].abs()).sum::<f32>() / super::track::size(blob.cells.len());
    for cell in &blob.cells {
        let cell = *cell as usize;
        let (col, row) = (cell % cols, cell / cols);
        let mut step = None::<f32>;
        let mut compare = |other: usize, opposite: usize| {
            if background.foreground[other] == 0 {
                let across = (rest[opposite] - rest[other]).abs();
                let difference = (rest[cell] - rest[other]).abs();
                let difference = if across > SHARP * inside { difference.max(across) } else { difference };
                step = Some(step.map_or(difference, |step| step.max(difference)));
            }
        };
        let (left, right) = (cell - usize::from(col > 0), cell + usize::from(col + 1 < cols));
        let above = if row > 0 { cell - cols } else { cell };
        let below = if row + 1 < rows { cell + cols } else { cell };
        for (other, opposite) in [(left, right), (right, left), (above, below), (below, above)] {
            compare(other, opposite);
        }
        if let Some(step) = step {
            steps += step;
            edges += 1.0;
        }
    }
    edges > 0.0 && steps / edges < SOFT * inside
}

/// Fine texture below this deviation (of the logarithm) proves nothing.
const TEXTURE_LEAST: f32 = 0.03;
const TEXTURE_ALIKE: f32 = 0.6;
/// Fewer cells than that prove nothing either.
const TEXTURE_CELLS: f32 = 6.0;

fn texture_shows(blob: &Blob, background: &Background, cols: usize, rows: usize) -> bool {
    let around = |cell: usize| [cell - 1, cell + 1, cell - cols, cell + cols];
    let is_inside = |cell: usize| {
        let (col, row) = (cell % cols, cell / cols);
        let is_border = col == 0 || row == 0 || col + 1 == cols || row + 1 == rows;
        !is_border && around(cell).iter().all(|cell| background.foreground[*cell] != 0)
    };
    // At a thing's edge its own step is far larger than any texture, and chance decides what it looks like; and where the edge
    // lies within a cell, what is behind shows through, also to the cell's neighbours.
    let is_deep = |cell: usize| is_inside(cell) && around(cell).into_iter().all(is_inside);
    alike(blob, background, cols, rows, is_deep)
        .or_else(|| alike(blob, background, cols, rows, is_inside))
        .or_else(|| alike(blob, background, cols, rows, |_| true))
        .unwrap_or(false)
}

/// Whether the texture of these cells is the usual one; `None` if there are too few of them.
fn alike(
    blob: &Blob,
    background: &Background,
    cols: usize,
    rows: usize,
    counts: impl Fn(usize) -> bool,
) -> Option<bool> {
    let fine = |values: &[f32], cell: usize| {
        values[cell] - 0.25 * (values[cell - 1] + values[cell + 1] + values[cell - cols] + values[cell + cols])
    };
    let (mut products, mut usual_squares, mut now_squares, mut count) = (0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32);
    for cell in &blob.cells {
        let cell = *cell as usize;
        let (col, row) = (cell % cols, cell / cols);
        if col == 0 || row == 0 || col + 1 == cols || row + 1 == rows || !counts(cell) {
            continue;
        }
        let (usual, now) = (fine(&background.usual, cell), fine(&background.now, cell));
        products += usual * now;
        usual_squares += usual * usual;
        now_squares += now * now;
        count += 1.0;
    }
    (count >= TEXTURE_CELLS).then(|| {
        usual_squares > count * TEXTURE_LEAST * TEXTURE_LEAST
            && products > TEXTURE_ALIKE * (usual_squares * now_squares).sqrt()
    })
}
