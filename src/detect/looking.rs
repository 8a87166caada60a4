//! Pictures that were kept, looked through as a camera's are: the same decoder process, the same model, the same trigger.
//!
//! What a camera sends now is in [`crate::detect::task`]: there, what the decoder cannot keep up with is skipped. Here nothing
//! is in a hurry, and nothing is skipped.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::camera::packet::VideoCodec;
use crate::config::settings::Motion;
use crate::detect::grid::Shape;
use crate::detect::model::{HeldBack, Model, Seen};
use crate::detect::process::Process;
use crate::detect::protocol::{MAX_SETS, MAX_UNIT, ProtocolError, Reply, Request};
use crate::detect::sps;
use crate::detect::trigger::{Trigger, Update};

/// Units that the decoder has and has not answered: enough that neither side waits for the other.
const MOST_WAITING: usize = 16;
/// How long the decoder may owe an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How pictures are coded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coding {
    /// By which codec.
    pub codec: VideoCodec,
    /// The parameter sets, with start codes; empty if they come only with the key frames, and with JPEG.
    pub sets: Bytes,
}

/// One coded picture.
#[derive(Debug, Clone)]
pub struct Unit {
    /// When it is shown, in microseconds on any steady clock.
    pub at_us: i64,
    /// Whether decoding can begin here.
    pub is_key: bool,
    /// Whether parts of it are known to be lost.
    pub damaged: bool,
    /// With start codes, and on key frames with the parameter sets in front; or one JPEG.
    pub data: Bytes,
}

/// Why pictures could not be looked through.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// They cannot be decoded; why, in words.
    #[error("{0}")]
    Decode(String),
    /// The decoder process did not do what it should.
    #[error("the decoder process broke off: {0}")]
    Process(#[from] io::Error),
    /// It said what it should not.
    #[error("the decoder process broke off: {0}")]
    Protocol(#[from] ProtocolError),
}

/// What came of the pictures.
#[derive(Debug)]
pub(super) enum Answer {
    /// So many were decoded.
    Decoded(u8),
    /// One to look at.
    Look { at_us: i64, shape: Shape, cells: Vec<u16> },
    /// One to look at, but it is damaged.
    Damaged,
}

/// A decoder process that is given one picture after the other, in their order of decoding.
#[derive(Debug)]
pub(super) struct Feed {
    process: Process,
    coding: Option<Arc<Coding>>,
    waiting: usize,
}

impl Feed {
    /// Starts `exe decoder`. The thread that calls this must stay: the kernel kills the decoder when it ends.
    pub(super) fn start(exe: &Path) -> io::Result<Self> {
        Ok(Self { process: Process::start(exe)?, coding: None, waiting: 0 })
    }

    /// Everything else on this machine goes first.
    pub(super) fn yield_to_others(&self) {
        self.process.yield_to_others();
    }

    /// The next picture follows none that was given before.
    pub(super) fn interrupt(&mut self) {
        self.coding = None;
    }

    /// Hands a picture over, once there is room for it, and returns what came of those before. One that is too large is left
    /// out. Not to be called again once it was cancelled or failed.
    pub(super) async fn give(&mut self, coding: &Arc<Coding>, unit: Unit) -> Result<Vec<Answer>, FeedError> {
        self.ask(coding, unit, false)?;
        self.until_only(MOST_WAITING - 1).await
    }

    /// Has a key frame decoded by itself, and returns what came of it and of all before. The next unit must be a key frame.
    pub(super) async fn give_alone(&mut self, coding: &Arc<Coding>, unit: Unit) -> Result<Vec<Answer>, FeedError> {
        self.ask(coding, unit, true)?;
        self.until_only(0).await
    }

    /// What comes of the last ones.
    pub(super) async fn rest(&mut self) -> Result<Vec<Answer>, FeedError> {
        self.until_only(0).await
    }

    /// Lets the process end, and waits for that.
    pub(super) async fn finish(self) -> io::Result<()> {
        self.process.finish().await
    }

    fn ask(&mut self, coding: &Arc<Coding>, unit: Unit, alone: bool) -> Result<(), FeedError> {
        if self.coding.as_ref() != Some(coding) {
            self.begin(coding)?;
        }
        if unit.data.len() <= MAX_UNIT {
            let Unit { at_us: pts_us, is_key, damaged, data } = unit;
            self.process.ask(&Request::Unit { pts_us, is_key, damaged, alone, data });
            self.waiting += 1;
        }
        Ok(())
    }

    fn begin(&mut self, coding: &Arc<Coding>) -> Result<(), FeedError> {
        let Coding { codec, sets } = &**coding;
        if sets.len() > MAX_SETS {
            return Err(FeedError::Decode("its parameter sets are too long".to_owned()));
        }
        if !sets.is_empty() {
            sps::check(*codec, sets).map_err(|error| FeedError::Decode(error.to_string()))?;
        }
        self.process.ask(&Request::Parameters { codec: *codec, sets: sets.clone() });
        self.coding = Some(Arc::clone(coding));
        Ok(())
    }

    /// Waits until no more than so many are not answered.
    async fn until_only(&mut self, most: usize) -> Result<Vec<Answer>, FeedError> {
        let mut answers = Vec::new();
        loop {
            while let Some(reply) = self.process.reply()? {
                match reply {
                    Reply::Done { pictures } => {
                        self.waiting = self.waiting.saturating_sub(1);
                        answers.push(Answer::Decoded(pictures));
                    }
                    Reply::Look { corrupt: true, .. } => answers.push(Answer::Damaged),
                    Reply::Look { pts_us: at_us, shape, cells, .. } => {
                        answers.push(Answer::Look { at_us, shape, cells });
                    }
                    Reply::Failed(why) => return Err(FeedError::Decode(why)),
                    Reply::Ready(_) | Reply::Jpeg { .. } => {}
                }
            }
            if self.waiting <= most {
                return Ok(answers);
            }
            let step = tokio::time::timeout(PATIENCE, self.process.step()).await;
            let silent = |_| FeedError::Decode(format!("the decoder process did not answer for {PATIENCE:?}"));
            drop(step.map_err(silent)??);
        }
    }
}

/// What looks mean by one camera's settings.
#[derive(Debug)]
pub(super) struct Sight {
    settings: Motion,
    model: Option<(Shape, Model)>,
    trigger: Trigger,
    events: u64,
}

/// What came of one look.
#[derive(Debug)]
pub(super) struct Looked {
    /// An event that was cut off, because the picture has another size now.
    pub(super) ended: Option<Update>,
    pub(super) seen: Seen,
    pub(super) update: Option<Update>,
}

impl Sight {
    /// Nothing was seen yet.
    pub(super) fn new(settings: Motion) -> Self {
        Self { trigger: Trigger::new(settings.least), settings, model: None, events: 0 }
    }

    /// Everything that was learnt is of no use for what comes.
    pub(super) fn forget(&mut self) -> Option<Update> {
        self.model = None;
        let ended = self.trigger.end();
        self.trigger = Trigger::new(self.settings.least);
        ended
    }

    pub(super) fn hold(&mut self) {
        if let Some((_, model)) = &mut self.model {
            model.hold();
        }
    }

    pub(super) fn look(&mut self, shape: Shape, cells: &[u16], at_us: i64) -> Looked {
        let is_same = self.model.as_ref().is_some_and(|(known, _)| *known == shape);
        let ended = if is_same { None } else { self.trigger.end() };
        let (_, model) = match &mut self.model {
            Some(model) if is_same => model,
            other => other.insert((shape, Model::new(shape.cols(), shape.rows(), &self.settings))),
        };
        let seen = model.look(cells, at_us);
        let events = &mut self.events;
        let update = self.trigger.see(&seen, || {
            *events += 1;
            events.to_be_bytes()
        });
        Looked { ended, seen, update }
    }

    /// Whether anything in a look may be a thing, or cannot be judged yet; nothing is learnt from it.
    pub(super) fn glance(&mut self, shape: Shape, cells: &[u16]) -> bool {
        let model = self.model.as_mut().filter(|(known, _)| *known == shape);
        model.is_none_or(|(_, model)| model.glance(cells))
    }

    /// Of each cell of the newest look: 1 if it differed from what is usual there.
    pub(super) fn foreground(&self) -> &[u8] {
        self.model.as_ref().map_or(&[], |(_, model)| model.foreground())
    }

    pub(super) fn held_back(&self) -> HeldBack {
        self.model.as_ref().map_or_else(HeldBack::default, |(_, model)| model.held_back())
    }

    /// Nothing more comes: what goes on ends where it was last seen.
    pub(super) fn end(&mut self) -> Option<Update> {
        self.trigger.end()
    }
}
