//! `hearthwatch motion FILE`: the detector over a video file, as the daemon runs it over a camera: decoded in the same confined
//! process, looked at by the same model. Only the file itself is taken apart here ([`crate::detect::demux`]).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::config::settings::{Decode, Motion};
use crate::detect::decoder::DecoderError;
use crate::detect::demux::Demuxer;
use crate::detect::explain::Explanation;
use crate::detect::foreign;
use crate::detect::grid::Shape;
use crate::detect::looking::{Answer, Coding, Feed, FeedError, Looked, Sight, Unit};
use crate::detect::model::HeldBack;
use crate::detect::protocol::ProtocolError;
use crate::detect::thrift::{About, Order, Thrift};
use crate::detect::trigger::Update;

/// Why a file could not be looked through.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Not there, or not a video.
    #[error("could not open {path} as a video: {source}; give the path of an .mp4, .mkv or .ts file")]
    Open {
        /// As given.
        path: String,
        /// What libavformat said.
        source: ffmpeg_next::Error,
    },
    /// Only sound, or nothing.
    #[error("{path} has no pictures; give the path of a video file")]
    NoPictures {
        /// As given.
        path: String,
    },
    /// Not what cameras send.
    #[error("{path} is coded as {codec}, but only H.264, H.265 and Motion JPEG are looked at, as cameras send them")]
    Codec {
        /// As given.
        path: String,
        /// What it is.
        codec: String,
    },
    /// Its head makes no sense.
    #[error("{path} is damaged: what it says about its pictures cannot be read")]
    Damaged {
        /// As given.
        path: String,
    },
    /// Its pictures cannot be decoded.
    #[error("could not decode {path}: {why}")]
    Decode {
        /// As given.
        path: String,
        /// Why.
        why: String,
    },
    /// The decoder process did not do what it should.
    #[error("the decoder process broke off: {0}")]
    Process(#[from] io::Error),
    /// It said what it should not.
    #[error("the decoder process broke off: {0}")]
    Protocol(#[from] ProtocolError),
    /// A picture could not be made or written.
    #[error("could not write what was seen to {path}: {why}")]
    Explain {
        /// The folder.
        path: String,
        /// Why.
        why: String,
    },
}

/// What was found in a file; serialises as the contract of `hearthwatch motion --json` says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The path as given.
    pub file: String,
    /// Its length.
    pub duration_s: f64,
    /// Picture width in pixels.
    pub width: u32,
    /// Picture height in pixels.
    pub height: u32,
    /// Pictures in the file.
    pub frames_total: u64,
    /// Pictures that were decoded.
    pub frames_decoded: u64,
    /// User and system time of this process and of the decoder process.
    pub cpu_s: f64,
    /// When something moved.
    pub intervals: Vec<Interval>,
    /// What was seen but not taken for motion.
    #[serde(skip)]
    pub held_back: HeldBack,
}

/// One event, in seconds of the file's own time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The first look at what moved.
    pub start_s: f64,
    /// The last look at what moved.
    pub end_s: f64,
    /// The largest part of the picture that moved at once, 0 to 1.
    pub peak: f32,
}

/// What to look through, and how.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// The video.
    pub path: &'a Path,
    /// What counts as motion.
    pub settings: &'a Motion,
    /// This program's own file, which is started as `exe decoder`.
    pub exe: &'a Path,
    /// Where to put pictures of what was seen and why it did or did not count.
    pub explain: Option<PathBuf>,
}

/// Runs the detector over a file as the daemon would over a camera. Reads the file in between, so it is for a command, not
/// for the daemon's threads; and these must stay: the kernel kills the decoder when the thread that started it ends.
pub async fn motion(job: Job<'_>) -> Result<Report, FileError> {
    let broken = |error: FeedError| FileError::from((job.path, error));
    let mut demuxer = Demuxer::open(job.path)?;
    let mut looking = Looking::new(&job)?;
    let mut feed = Feed::start(job.exe)?;
    let coding = Arc::new(Coding { codec: demuxer.codec, sets: demuxer.sets.clone() });
    while let Some(unit) = demuxer.next() {
        looking.report.frames_total += 1;
        if unit.is_key && !looking.thrift.is_idle() {
            // Whether it is enough by itself depends on all that was seen before it.
            looking.take(feed.rest().await.map_err(broken)?)?;
        }
        let about = About { at_us: unit.at_us, bytes: unit.data.len(), is_key: unit.is_key };
        looking.thrift.take(unit, about);
        while let Some(order) = looking.thrift.next() {
            match order {
                Order::Decode(unit, _) => looking.take(feed.give(&coding, unit).await.map_err(broken)?)?,
                Order::Glance(unit, _) => {
                    looking.take(feed.give_alone(&coding, unit).await.map_err(broken)?)?;
                    looking.thrift.unjudged();
                }
            }
        }
    }
    looking.take(feed.rest().await.map_err(broken)?)?;
    feed.finish().await?;
    let mut report = looking.end()?;
    report.duration_s = seconds(demuxer.length_us());
    report.cpu_s = (own_cpu() + foreign::children_cpu()).as_secs_f64();
    Ok(report)
}

struct Looking {
    sight: Sight,
    thrift: Thrift<Unit>,
    report: Report,
    explanation: Option<Explanation>,
}

impl Looking {
    fn new(job: &Job<'_>) -> Result<Self, FileError> {
        let explanation = job.explain.clone().map(Explanation::begin).transpose()?;
        let mut thrift = Thrift::new();
        thrift.want(job.settings.decode == Decode::KeyFrames);
        Ok(Self {
            thrift,
            sight: Sight::new(job.settings.clone()),
            report: Report {
                file: job.path.display().to_string(),
                duration_s: 0.0,
                width: 0,
                height: 0,
                frames_total: 0,
                frames_decoded: 0,
                cpu_s: 0.0,
                intervals: Vec::new(),
                held_back: HeldBack::default(),
            },
            explanation,
        })
    }

    fn take(&mut self, answers: Vec<Answer>) -> Result<(), FileError> {
        for answer in answers {
            match answer {
                Answer::Decoded(pictures) => self.report.frames_decoded += u64::from(pictures),
                Answer::Damaged => self.sight.hold(),
                Answer::Look { at_us, shape, cells } => {
                    if self.thrift.learns(at_us, || self.sight.glance(shape, &cells)) {
                        self.look(shape, &cells, at_us)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn look(&mut self, shape: Shape, cells: &[u16], at_us: i64) -> Result<(), FileError> {
        (self.report.width, self.report.height) = (shape.width, shape.height);
        let Looked { ended, seen, update } = self.sight.look(shape, cells, at_us);
        self.thrift.looked(at_us, seen.stirs);
        self.note(ended.as_ref());
        if let Some(explanation) = &mut self.explanation {
            explanation.look(shape, cells, self.sight.foreground(), &seen, update.as_ref())?;
        }
        self.note(update.as_ref());
        Ok(())
    }

    fn end(mut self) -> Result<Report, FileError> {
        let ended = self.sight.end();
        self.note(ended.as_ref());
        if let Some(explanation) = self.explanation {
            explanation.end(ended.as_ref())?;
        }
        self.report.held_back = self.sight.held_back();
        Ok(self.report)
    }

    fn note(&mut self, update: Option<&Update>) {
        if let Some(&Update { start_us, end_us: Some(end_us), peak, .. }) = update {
            self.report.intervals.push(Interval { start_s: seconds(start_us), end_s: seconds(end_us), peak });
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a length of a file")]
pub(super) fn seconds(length_us: i64) -> f64 {
    (length_us as f64 / 1e6 * 1e3).round() / 1e3
}

fn own_cpu() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}

impl From<(&Path, FeedError)> for FileError {
    fn from((path, error): (&Path, FeedError)) -> Self {
        match error {
            FeedError::Decode(why) => Self::Decode { path: path.display().to_string(), why },
            FeedError::Process(error) => Self::Process(error),
            FeedError::Protocol(error) => Self::Protocol(error),
        }
    }
}

impl From<(&Path, DecoderError)> for FileError {
    fn from((path, error): (&Path, DecoderError)) -> Self {
        Self::Explain { path: path.display().to_string(), why: error.to_string() }
    }
}

impl From<(&Path, io::Error)> for FileError {
    fn from((path, error): (&Path, io::Error)) -> Self {
        Self::Explain { path: path.display().to_string(), why: error.to_string() }
    }
}
