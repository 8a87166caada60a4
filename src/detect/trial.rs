//! A decoder process that is started only to see that it can be: for `hearthwatch doctor`.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use crate::camera::packet::VideoCodec;
use crate::detect::process::{Process, Step};
use crate::detect::protocol::{Reply, Request};
use crate::detect::sandbox::Level;

/// Loading libav from a slow card takes seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// How far it is confined.
    pub level: Level,
    /// What it cannot do, in words; `None` if it decodes all that cameras send.
    pub missing: Option<String>,
}

/// Starts `exe decoder`, has it set up each kind of stream, and ends it. The error says what it did instead, to go behind "the
/// decoder process". May be cancelled: the process is killed then. Must be polled by a thread that stays.
pub async fn run(exe: &Path) -> Result<Trial, String> {
    let mut process = Process::start(exe).map_err(|error| format!("does not start: {error}"))?;
    for codec in [VideoCodec::H264, VideoCodec::H265, VideoCodec::Jpeg] {
        process.ask(&Request::Parameters { codec, sets: Bytes::new() });
    }
    // Answered only once all before it went well: with no picture, as there is none.
    process.ask(&Request::EndFilm { tag: 0 });
    let asked = tokio::time::timeout(PATIENCE, answer(&mut process)).await;
    let trial = asked.map_err(|_| "does not answer".to_owned())??;
    // How it ends says nothing more.
    let _ = tokio::time::timeout(PATIENCE, process.finish()).await;
    Ok(trial)
}

async fn answer(process: &mut Process) -> Result<Trial, String> {
    let mut level = None;
    loop {
        match (process.reply().map_err(|error| format!("cannot be understood: {error}"))?, level) {
            (Some(Reply::Ready(reached)), _) => level = Some(reached),
            (Some(Reply::Jpeg { .. }), Some(level)) => return Ok(Trial { level, missing: None }),
            (Some(Reply::Failed(why)), Some(level)) => return Ok(Trial { level, missing: Some(why) }),
            (Some(_), _) => return Err("answers what it was not asked".to_owned()),
            (None, _) => match process.step().await {
                Ok(Step::Moved) => {}
                Ok(Step::Complaint(words)) => tracing::warn!("the decoder process says: {words}"),
                Err(error) => return Err(format!("broke off: {error}")),
            },
        }
    }
}
