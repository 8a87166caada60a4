//! What one camera's detection counts, and what it has to say besides its events.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::detect::sandbox::Level;
use crate::detect::sps::ParametersError;
use crate::detect::why::{Place, Reason};
use crate::units::UtcMicros;

/// What a camera's detection did since the daemon started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Pictures decoded.
    pub decoded: AtomicU64,
    /// Pictures not decoded because the decoder was behind, was not running, or had nothing to build on.
    pub skipped: AtomicU64,
    /// Pictures not decoded because the key frames around them show that nothing moves.
    pub passed_over: AtomicU64,
    /// Looks that were damaged and so not judged.
    pub damaged: AtomicU64,
    /// Decoder processes that had to be started again after a failure.
    pub restarts: AtomicU64,
    /// How often a picture came while the decoder had not dealt with those of more than a second; read and set back by whoever
    /// divides this machine's time among the cameras.
    pub late: AtomicU64,
    /// Set by the same: key frames are to be enough for this camera while nothing moves.
    pub is_shed: AtomicBool,
    chooses_key_frames: AtomicBool,
    trouble: Mutex<Option<Blind>>,
    confined: Mutex<Option<Level>>,
    dismissed: Mutex<VecDeque<Dismissed>>,
}

/// Why only key frames are decoded while nothing moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFrames {
    /// The camera's settings say so.
    Chosen,
    /// This machine has no time for more.
    Overload,
}

impl KeyFrames {
    /// As programs read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chosen => "key_frames",
            Self::Overload => "overload",
        }
    }
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

/// Why nothing is looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Blind {
    /// The stream is not one that is decoded.
    #[error(transparent)]
    Stream(#[from] ParametersError),
    /// The decoder process is not there, for now.
    #[error("{0}")]
    Decoder(String),
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

    /// Why nothing is looked at; `None` while all is well.
    pub fn trouble(&self) -> Option<Blind> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why only key frames are decoded while nothing moves; `None` if all pictures are.
    pub fn key_frames(&self) -> Option<KeyFrames> {
        let is_set = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let chosen = is_set(&self.chooses_key_frames).then_some(KeyFrames::Chosen);
        chosen.or(is_set(&self.is_shed).then_some(KeyFrames::Overload))
    }

    pub(super) fn choose_key_frames(&self) {
        self.chooses_key_frames.store(true, Ordering::Relaxed);
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

    pub(super) fn set_trouble(&self, trouble: Option<Blind>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}
