//! The cameras and how they do: the page, the list, the newest picture.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::access::{Role, Viewable, Viewer};
use crate::camera::packet::VideoCodec;
use crate::camera::status::{Link, StreamStatus};
use crate::detect::counters::KeyFrames;
use crate::index::pins;
use crate::units::CameraId;
use crate::web::board::OnBoard;
use crate::web::frame::{Frame, Place, page as answer};
use crate::web::keeper::Stranger;
use crate::web::refusal::Refusal;
use crate::web::site::{Peer, Site};
use crate::web::texts::{filters, say};
use crate::web::tips::tips;
use crate::web::trouble;
use crate::web::vitals::{Vital, known_by, vitals};
use crate::web::why::{self, DismissedInWords};
use crate::web::words::{self, Show};
use crate::web::{health, links};

/// How long a snapshot may take to be decoded.
const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(4);

#[derive(Template)]
#[template(path = "cameras.html")]
pub(crate) struct CamerasPage {
    pub(crate) frame: Frame,
    pub(crate) storage: String,
    pub(crate) lan_only: &'static str,
    pub(crate) cameras: Vec<CameraInWords>,
    pub(crate) may_add: bool,
    /// The recorder's time, for a device to hold its own against.
    pub(crate) now_s: f64,
}

/// One camera as the page says it. What ends in `|safe` in the template is a `<time>` element of our own.
pub(crate) struct CameraInWords {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) state: &'static str,
    pub(crate) words: &'static str,
    pub(crate) error: Option<String>,
    pub(crate) advice: &'static str,
    pub(crate) since: Option<String>,
    pub(crate) newest: Option<String>,
    pub(crate) notices: Vec<String>,
    /// Who was refused in its place, for owners.
    pub(crate) stranger: Option<Stranger>,
    pub(crate) id: String,
    pub(crate) streams: Vec<StreamInWords>,
    pub(crate) vitals: Vec<Vital>,
    /// By what it is told from other devices.
    pub(crate) known_by: Option<String>,
    pub(crate) recording: &'static str,
    pub(crate) motion: &'static str,
    /// Why no motion is looked for, although it should be.
    pub(crate) blind: Option<String>,
    /// What looking for motion does without, if anything.
    pub(crate) decoding: Option<&'static str>,
    pub(crate) tips: Vec<String>,
    pub(crate) dismissed: Vec<DismissedInWords>,
}

/// One stream of a camera.
pub(crate) struct StreamInWords {
    pub(crate) name: &'static str,
    pub(crate) words: String,
}

/// `GET /cameras`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
) -> Result<Response, Refusal> {
    let may_add = viewer.role() == Role::Owner;
    let cameras = seen_by(&site, &viewer).await?.into_iter();
    let pins = site.read(pins::all).await?;
    let cameras = cameras.map(|(camera, entry)| {
        let words = in_words(&site, &camera, &entry);
        let known_by = pins.get(&camera).map(|pin| known_by(&pin.evidence));
        CameraInWords { stranger: words.stranger.filter(|_| may_add), known_by, ..words }
    });
    let cameras: Vec<_> = cameras.collect();
    let storage = health::storage_in_words(&site).await;
    let now_s = site.parts.clock.now().as_unix_seconds();
    let frame = Frame::inside(&site, &viewer, Place::Cameras, say("Cameras")).await?;
    let lan_only = site.parts.lan_only.in_words();
    Ok(answer(StatusCode::OK, &CamerasPage { frame, storage, lan_only, cameras, may_add, now_s }))
}

/// The cameras on the board on which the viewer has any right.
async fn seen_by(site: &Site, viewer: &Viewer) -> Result<Vec<(CameraId, OnBoard)>, Refusal> {
    let rights = site.rights(viewer).await?;
    let known = rights.into_iter().filter(|(_, rights)| rights.any());
    Ok(known.filter_map(|(camera, _)| site.parts.board.get(&camera).map(|entry| (camera, entry))).collect())
}

fn in_words(site: &Site, camera: &CameraId, entry: &OnBoard) -> CameraInWords {
    let now = site.parts.clock.now();
    let status = entry.main.borrow().clone();
    let mut streams = vec![StreamInWords { name: say("Main stream"), words: words::stream(&status) }];
    let sub = entry.sub.as_ref().map(|sub| sub.borrow().clone());
    if let Some(sub) = &sub {
        let words = match sub.link {
            Link::Streaming => words::stream(sub),
            ref link => words::state(link).into(),
        };
        streams.push(StreamInWords { name: say("Small stream"), words });
    }
    CameraInWords {
        name: entry.name.clone(),
        url: links::camera(camera),
        state: status.link.name(),
        words: words::state(&status.link),
        error: words::trouble(&status),
        advice: words::advice(&status.link),
        since: Some(words::time(status.since, Show::Full, now)),
        newest: status.last_picture.map(|newest| words::time(newest, Show::Ago, now)),
        notices: site.parts.keeper.notices(camera),
        stranger: site.parts.keeper.stranger(camera).filter(|_| status.link == Link::Refused),
        id: camera.to_string(),
        streams,
        vitals: vitals(&status, &entry.counters),
        known_by: None,
        recording: match entry.record {
            "continuous" => say("everything"),
            "motion" => say("around motion"),
            _ => say("off"),
        },
        motion: if entry.detects_motion { say("is looked for") } else { say("is not looked for") },
        blind: blind(entry),
        decoding: words::decoding(entry),
        tips: tips(&status, sub.as_ref(), entry.detects_motion),
        dismissed: why::dismissed(&entry.detection.dismissed(), now),
    }
}

fn blind(entry: &OnBoard) -> Option<String> {
    entry.detection.trouble().filter(|_| entry.detects_motion).as_ref().map(trouble::blind)
}

/// `GET /api/cameras`.
pub(crate) async fn list(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
) -> Result<Json<Value>, Refusal> {
    let cameras = seen_by(&site, &viewer).await?;
    Ok(Json(cameras.iter().map(|(camera, entry)| as_json(&site, camera, entry)).collect()))
}

fn as_json(site: &Site, camera: &CameraId, entry: &OnBoard) -> Value {
    let status = entry.main.borrow().clone();
    let age = status.last_picture.map(|newest| site.parts.clock.now().since(newest).as_secs_f64());
    json!({
        "id": camera,
        "name": entry.name,
        "state": status.link.name(),
        "since": status.since.as_unix_seconds(),
        "error": words::trouble(&status),
        "main": stream_as_json(&status),
        "sub": entry.sub.as_ref().map(|sub| stream_as_json(&sub.borrow())),
        "last_frame_age_s": age,
        "recording": entry.record != "off" && status.link == Link::Streaming,
        "motion": entry.detects_motion,
        "blind": blind(entry),
        "decode": entry.detects_motion.then(|| entry.detection.key_frames().map_or("all", KeyFrames::name)),
        "moving": entry.counters.is_moving.load(Ordering::Relaxed),
    })
}

fn stream_as_json(status: &StreamStatus) -> Value {
    let video = status.parameters.as_ref().map(|parameters| &parameters.video);
    json!({
        "codec": video.map(|video| match video.codec { VideoCodec::H264 => "h264", VideoCodec::H265 => "h265", VideoCodec::Jpeg => "jpeg" }),
        "width": video.map(|video| video.width),
        "height": video.map(|video| video.height),
        "fps": status.pictures_per_second,
        "kbit_s": status.kbit_s,
        "key_frame_interval_s": status.key_frame_interval.map(|interval| interval.as_secs_f64()),
        "lost_packets": status.lost_packets,
        "reconnects": status.reconnects,
    })
}

/// `GET /api/cameras/{id}/snapshot.jpg`: the newest picture, decoded for this request.
pub(crate) async fn snapshot(
    State(site): State<Arc<Site>>,
    Extension(camera): Extension<Viewable<CameraId>>,
    Extension(peer): Extension<Peer>,
) -> Result<Response, Refusal> {
    site.note(camera.viewer(), peer, "snapshot", camera.get(), None).await?;
    let entry = site.parts.board.get(camera.get()).ok_or(Refusal::NotFound)?;
    let (ask, answer) = oneshot::channel();
    let picture = async {
        entry.snapshots.send(ask).await.ok()?;
        answer.await.ok()
    };
    let none = Refusal::Unavailable("there is no picture of this camera right now");
    let jpeg = tokio::time::timeout(SNAPSHOT_PATIENCE, picture).await.ok().flatten().ok_or(none)?;
    // The decoder took its time: whoever lost the right meanwhile gets nothing.
    site.blocking(move || camera.still_allowed()).await?;
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], jpeg).into_response())
}
