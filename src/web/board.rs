//! How each camera is doing, where the stages that know write it and the pages read it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use crate::camera::status::StreamStatus;
use crate::detect;
use crate::record::segment::GapCause;
use crate::units::CameraId;

/// Every camera that the daemon knows now. Cheap to clone; all clones are one board. It says how cameras do, never who may
/// see them.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<watch::Sender<BTreeMap<CameraId, OnBoard>>>);

/// One camera on the board.
#[derive(Debug, Clone)]
pub struct OnBoard {
    /// What the household calls it.
    pub name: String,
    /// How the main stream does.
    pub main: watch::Receiver<StreamStatus>,
    /// How the small stream does, if there is one.
    pub sub: Option<watch::Receiver<StreamStatus>>,
    /// Where to ask for a JPEG of the newest picture; the answer is dropped if there is none.
    pub snapshots: mpsc::Sender<oneshot::Sender<Bytes>>,
    /// Whether footage is kept, in the configuration's word: `continuous`, `motion`, `off`.
    pub record: &'static str,
    /// Whether motion is looked for.
    pub detects_motion: bool,
    /// What detection counted, and what troubles it.
    pub detection: Arc<detect::counters::Counters>,
    /// What was counted since the daemon started.
    pub counters: Arc<CameraCounters>,
}

/// Counted since the daemon started; but for `is_moving` it only ever grows.
#[derive(Debug, Default)]
pub struct CameraCounters {
    /// Footage in closed segments, in microseconds.
    pub recorded_us: AtomicU64,
    lost_us: [AtomicU64; GapCause::ALL.len()],
    /// Motion events that are over.
    pub events: AtomicU64,
    /// How often something that was not the pinned camera answered.
    pub identity_refusals: AtomicU64,
    /// Whether a motion event goes on now.
    pub is_moving: AtomicBool,
}

impl CameraCounters {
    /// Adds footage.
    pub fn add_recorded(&self, length: Duration) {
        self.recorded_us.fetch_add(micros(length), Ordering::Relaxed);
    }

    /// Adds time that is missing.
    pub fn add_lost(&self, cause: GapCause, length: Duration) {
        self.lost_us[place(cause)].fetch_add(micros(length), Ordering::Relaxed);
    }

    /// Time missing for that cause, in microseconds.
    pub fn lost_us(&self, cause: GapCause) -> u64 {
        self.lost_us[place(cause)].load(Ordering::Relaxed)
    }
}

fn place(cause: GapCause) -> usize {
    GapCause::ALL.iter().position(|other| *other == cause).unwrap_or_default()
}

fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}

impl Board {
    /// Puts a camera on the board, in place of what was there under its id.
    pub fn set(&self, camera: CameraId, entry: OnBoard) {
        self.0.send_modify(|board| drop(board.insert(camera, entry)));
    }

    /// Takes a camera off.
    pub fn remove(&self, camera: &CameraId) {
        self.0.send_modify(|board| drop(board.remove(camera)));
    }

    /// One camera.
    pub fn get(&self, camera: &CameraId) -> Option<OnBoard> {
        self.0.borrow().get(camera).cloned()
    }

    /// Waits until a camera is on the board.
    pub async fn until_there(&self, camera: &CameraId) {
        // The sender is ours: it does not end while this waits.
        let _ = self.0.subscribe().wait_for(|board| board.contains_key(camera)).await;
    }

    /// Every camera, by id.
    pub fn all(&self) -> Vec<(CameraId, OnBoard)> {
        let board = self.0.borrow();
        board.iter().map(|(camera, entry)| (camera.clone(), entry.clone())).collect()
    }

    /// What the household calls a camera; its id if it is not on the board any more.
    pub fn name(&self, camera: &CameraId) -> String {
        let board = self.0.borrow();
        board.get(camera).map_or_else(|| camera.to_string(), |entry| entry.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_time_is_counted_by_its_cause() {
        let counters = CameraCounters::default();
        counters.add_lost(GapCause::DiskError, Duration::from_secs(2));
        counters.add_lost(GapCause::Restart, Duration::from_secs(1));
        assert_eq!(counters.lost_us(GapCause::DiskError), 2_000_000);
        assert_eq!(counters.lost_us(GapCause::CameraStalled), 0);
    }
}
