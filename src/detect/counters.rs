//! What one camera's detection counts, and what it has to say besides its events.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use crate::detect::sandbox::Level;
use crate::detect::why::{Place, Reason};
use crate::units::UtcMicros;

/// What a camera's detection did since the daemon started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Pictures decoded.
    pub decoded: AtomicU64,
    /// Pictures not decoded because the decoder was behind, was not running, or had nothing to build on.
    pub skipped: AtomicU64,
    /// Looks that were damaged and so not judged.
    pub damaged: AtomicU64,
    /// Decoder processes that had to be started again after a failure.
    pub restarts: AtomicU64,
    trouble: Mutex<Option<String>>,
    confined: Mutex<Option<Level>>,
    dismissed: Mutex<VecDeque<Dismissed>>,
}

/// Something that was seen and not taken for motion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dismissed {
    /// When.
    pub at: UtcMicros,
    /// Why not.
    pub reason: Reason,
    /// Where.
    pub place: Place,
}

/// So many are remembered for each camera.
const DISMISSED: usize = 20;

impl Counters {
    /// How far the decoder process is confined; `None` before the first has started.
    pub fn confined(&self) -> Option<Level> {
        *self.confined.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how far the newest decoder process is confined; gives what was known before.
    pub(super) fn set_confined(&self, level: Level) -> Option<Level> {
        self.confined.lock().unwrap_or_else(PoisonError::into_inner).replace(level)
    }

    /// Why nothing is looked at, in words for the household; `None` while all is well.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The newest that was seen and not taken for motion, newest last.
    pub fn dismissed(&self) -> Vec<Dismissed> {
        self.dismissed.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    pub(super) fn dismiss(&self, dismissed: Dismissed) {
        let mut all = self.dismissed.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == DISMISSED {
            all.pop_front();
        }
        all.push_back(dismissed);
    }

    pub(super) fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}
