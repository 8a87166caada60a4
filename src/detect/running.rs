//! A decoder process of one camera while it runs, and what it owes.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::camera::packet::VideoParameters;
use crate::detect::process::{Process, Step};
use crate::units::{EventId, UtcMicros};

/// From a decoder's start to its first word: mostly the loading of libav from a card that may be slow.
const START_PATIENCE: Duration = Duration::from_secs(10);
/// From a decoder's start until it has dealt with what came while it started, even on a small machine.
const SETTLE: Duration = Duration::from_secs(5);
/// A decoder that is at work answers within this, however busy the machine is.
const ANSWERING: Duration = Duration::from_secs(1);

/// What a JPEG was asked for.
pub(super) enum Asked {
    Snapshot(oneshot::Sender<Bytes>),
    Thumbnail(EventId),
    Film(EventId),
    Preview(UtcMicros),
}

pub(super) struct Running {
    pub(super) process: Process,
    pub(super) parameters: VideoParameters,
    /// Whether it has said its first word.
    pub(super) is_ready: bool,
    pub(super) since: Instant,
    /// When it last answered, or began to owe an answer.
    pub(super) heard: Instant,
    pub(super) asked: VecDeque<(u32, Asked)>,
    next_tag: u32,
    /// Looks since the last unit was answered.
    pub(super) looks: u32,
    /// The event that is being filmed, and the time of its newest picture.
    pub(super) film: Option<(EventId, i64)>,
}

impl Running {
    /// A process that has just been started for such a stream.
    pub(super) fn new(process: Process, parameters: VideoParameters) -> Self {
        let now = Instant::now();
        Self {
            process,
            parameters,
            is_ready: false,
            since: now,
            heard: now,
            asked: VecDeque::new(),
            next_tag: 0,
            looks: 0,
            film: None,
        }
    }

    /// How long it may owe an answer, if one that runs may for so long.
    pub(super) fn patience(&self, usual: Duration) -> Duration {
        if self.is_ready { usual } else { START_PATIENCE }
    }

    /// Whether it does not keep up, though it had time to begin. One that hangs is another matter.
    pub(super) fn is_late(&self) -> bool {
        let now = Instant::now();
        let is_at_work = self.is_ready && now - self.heard < ANSWERING && now - self.since >= SETTLE;
        is_at_work && self.process.backlog.is_behind(now)
    }

    pub(super) async fn step(running: &mut Option<Self>) -> std::io::Result<Step> {
        match running {
            Some(running) => running.process.step().await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn owes(&self) -> bool {
        !self.process.backlog.is_empty() || !self.asked.is_empty()
    }

    pub(super) fn owe(&mut self) {
        if !self.owes() {
            self.heard = Instant::now();
        }
    }

    /// The tag under which the answer will come.
    pub(super) fn promise(&mut self, asked: Asked) -> u32 {
        self.owe();
        let tag = self.next_tag;
        self.next_tag = tag.wrapping_add(1);
        self.asked.push_back((tag, asked));
        tag
    }
}
