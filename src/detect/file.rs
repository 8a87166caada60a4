//! `hearthwatch motion FILE`: the detector over a video file.
//!
//! Unlike the daemon, it decodes in its own process: the file is its owner's, who calls the command as themselves, and
//! there is no recorder and no other camera here to protect; a pipe to a child would only cost time.

use std::path::Path;

use ffmpeg_next::{Rational, media};
use serde::Serialize;

use crate::config::settings::Motion;
use crate::detect::decoder::{Decoder, DecoderError, Pace, Unit};
use crate::detect::grid::Shape;
use crate::detect::model::{HeldBack, Model};
use crate::detect::trigger::{Trigger, Update};

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
    /// Its pictures cannot be decoded.
    #[error("could not decode {path}: {source}")]
    Decode {
        /// As given.
        path: String,
        /// Why.
        source: DecoderError,
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
    /// User and system time of this process.
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

/// Runs the detector over a file as the daemon would over a camera. Blocks until the file ends.
pub fn motion(path: &Path, settings: &Motion) -> Result<Report, FileError> {
    let name = path.display().to_string();
    ffmpeg_next::log::set_level(ffmpeg_next::log::Level::Quiet);
    let mut input =
        ffmpeg_next::format::input(path).map_err(|source| FileError::Open { path: name.clone(), source })?;
    let length_us = input.duration();
    let stream =
        input.streams().best(media::Type::Video).ok_or_else(|| FileError::NoPictures { path: name.clone() })?;
    let (track, ticks) = (stream.index(), stream.time_base());
    let mut looking = Looking {
        decoder: Decoder::from_parameters(stream.parameters())
            .map_err(|source| FileError::Decode { path: name.clone(), source })?,
        pace: Pace::default(),
        settings,
        model: None,
        trigger: Trigger::new(),
        means: Vec::new(),
        report: Report {
            file: name.clone(),
            duration_s: 0.0,
            width: 0,
            height: 0,
            frames_total: 0,
            frames_decoded: 0,
            cpu_s: 0.0,
            intervals: Vec::new(),
            held_back: HeldBack::default(),
        },
        events: 0,
    };
    let (mut first_us, mut last_us) = (None, 0);
    for (stream, mut packet) in input.packets() {
        if stream.index() != track {
            continue;
        }
        packet.rescale_ts(ticks, Rational(1, 1_000_000));
        let Some(pts_us) = packet.pts().or_else(|| packet.dts()) else { continue };
        let pts_us = pts_us.saturating_sub(*first_us.get_or_insert(pts_us));
        last_us = pts_us.saturating_add(packet.duration().max(0)).max(last_us);
        let unit = Unit { pts_us, is_key: packet.is_key(), damaged: packet.is_corrupt() };
        looking.report.frames_total += 1;
        let sent = looking.decoder.send(&mut packet, unit);
        sent.and_then(|()| looking.drain()).map_err(|source| FileError::Decode { path: name.clone(), source })?;
    }
    looking.decoder.finish();
    looking.drain().map_err(|source| FileError::Decode { path: name, source })?;
    let ended = looking.trigger.end();
    looking.note(ended.as_ref());
    let mut report = looking.report;
    report.held_back = looking.model.map_or_else(HeldBack::default, |(_, model)| model.held_back());
    report.duration_s = seconds(if length_us > 0 { length_us } else { last_us });
    report.cpu_s = cpu_seconds();
    Ok(report)
}

struct Looking<'a> {
    decoder: Decoder,
    pace: Pace,
    settings: &'a Motion,
    model: Option<(Shape, Model)>,
    trigger: Trigger,
    means: Vec<u16>,
    report: Report,
    events: u64,
}

impl Looking<'_> {
    fn drain(&mut self) -> Result<(), DecoderError> {
        while let Some(picture) = self.decoder.receive()? {
            self.report.frames_decoded += 1;
            if !self.pace.takes(picture.pts_us) {
                continue;
            }
            let Some(shape) = Shape::of(picture.width(), picture.height()) else { continue };
            if self.model.as_ref().is_none_or(|(known, _)| *known != shape) {
                let ended = self.trigger.end();
                self.note(ended.as_ref());
                (self.report.width, self.report.height) = (shape.width, shape.height);
                self.model = Some((shape, Model::new(shape.cols(), shape.rows(), self.settings)));
            }
            let Some((_, model)) = &mut self.model else { continue };
            if picture.corrupt {
                model.hold();
                continue;
            }
            let (luma, stride) = picture.luma();
            if shape.block_means(luma, stride, &mut self.means).is_none() {
                continue;
            }
            let seen = model.look(&self.means, picture.pts_us);
            let events = &mut self.events;
            let update = self.trigger.see(&seen, || {
                *events += 1;
                events.to_be_bytes()
            });
            self.note(update.as_ref());
        }
        Ok(())
    }

    fn note(&mut self, update: Option<&Update>) {
        if let Some(&Update { start_us, end_us: Some(end_us), peak, .. }) = update {
            self.report.intervals.push(Interval { start_s: seconds(start_us), end_s: seconds(end_us), peak });
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a length of a file")]
fn seconds(length_us: i64) -> f64 {
    (length_us as f64 / 1e6 * 1e3).round() / 1e3
}

fn cpu_seconds() -> f64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "seconds of work")]
    {
        spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
    }
}
