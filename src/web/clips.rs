//! Footage as files: a span of a camera, an event with what came before and after it, and HLS for the player.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::access::Viewable;
use crate::config::settings::{Camera, Motion};
use crate::index::events::EventRow;
use crate::media::hls::{SegmentQuery, VodFile};
use crate::media::{Assembly, MediaError, clip, hls, range};
use crate::units::{CameraId, UtcMicros, UtcSpan};
use crate::web::day::span;
use crate::web::headers::attachment;
use crate::web::refusal::Refusal;
use crate::web::site::{Peer, Site};
use crate::web::words;

/// How long the film of a moment is, in seconds: one picture at least.
const MOMENT: f64 = 0.3;

/// From when to when.
#[derive(Deserialize)]
pub(crate) struct Window {
    start: f64,
    end: f64,
}

/// `GET /api/cameras/{id}/clip.mp4?start=&end=`.
pub(crate) async fn of_span(
    State(site): State<Arc<Site>>,
    Extension(camera): Extension<Viewable<CameraId>>,
    Extension(peer): Extension<Peer>,
    Query(window): Query<Window>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let span = span(window.start, window.end)?;
    site.note(camera.viewer(), peer, "clip", camera.get(), Some(span)).await?;
    let name = file_name(&site.parts.board.name(camera.get()), span.start());
    let mut response = clip(&site, camera, span, &headers).await?;
    response.headers_mut().insert(header::CONTENT_DISPOSITION, attachment(&name));
    Ok(response)
}

/// Which moment.
#[derive(Deserialize)]
pub(crate) struct At {
    t: f64,
}

/// `GET /api/cameras/{id}/moment.mp4?t=`: a film of hardly more than the picture of that moment, for the finger on a bar.
pub(crate) async fn of_moment(
    State(site): State<Arc<Site>>,
    Extension(camera): Extension<Viewable<CameraId>>,
    Extension(peer): Extension<Peer>,
    Query(At { t }): Query<At>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let moment = span(t, t + MOMENT)?;
    // A finger goes over many: they are written down as the hours that it saw some of.
    let hour = (t / 3600.0).floor() * 3600.0;
    site.note(camera.viewer(), peer, "playback", camera.get(), Some(span(hour, hour + 3600.0)?)).await?;
    clip(&site, camera, moment, &headers).await
}

/// `GET /api/events/{event}/clip.mp4`.
pub(crate) async fn of_event(
    State(site): State<Arc<Site>>,
    Extension(event): Extension<Viewable<EventRow>>,
    Extension(camera): Extension<Viewable<CameraId>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let span = of_event_with_roll(&site, event.get(), site.parts.clock.now());
    site.note(event.viewer(), peer, "event-clip", event.camera(), Some(span)).await?;
    clip(&site, camera, span, &headers).await
}

/// The span of an event's clip, as the camera's settings are now.
pub(crate) fn of_event_with_roll(site: &Site, event: &EventRow, now: UtcMicros) -> UtcSpan {
    let motion = site.parts.settings.borrow().cameras.get(&event.camera).map(|Camera { motion, .. }| motion.clone());
    with_roll(event, &motion.unwrap_or_default(), now)
}

/// An event with what came before and after it, as far as that is recorded.
fn with_roll(event: &EventRow, motion: &Motion, now: UtcMicros) -> UtcSpan {
    let start = event.start.minus(motion.pre);
    let end = event.end.unwrap_or(now).plus(motion.post).min(now).max(event.start);
    UtcSpan::new(start, end).unwrap_or(UtcSpan::starting_at(start, motion.pre))
}

/// What a clip is called where it is saved: the camera and the local time.
pub(crate) fn file_name(camera: &str, start: UtcMicros) -> String {
    format!("{camera} {}.mp4", words::local(start, "%Y-%m-%d %H.%M.%S"))
}

async fn clip(
    site: &Site,
    camera: Viewable<CameraId>,
    span: UtcSpan,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let parts = &site.parts;
    let file = clip::open(&camera, span, &parts.readers, &parts.footage, &parts.open).await.map_err(refused)?;
    Ok(answer(&file, "video/mp4", headers))
}

/// Which file of which window.
#[derive(Deserialize)]
pub(crate) struct Vod {
    a: String,
    b: String,
    file: String,
}

/// `GET /vod/{id}/start/{a}/end/{b}/…`: the playlist, init sections and segments.
pub(crate) async fn vod(
    State(site): State<Arc<Site>>,
    Extension(camera): Extension<Viewable<CameraId>>,
    Extension(peer): Extension<Peer>,
    Path(Vod { a, b, file }): Path<Vod>,
    Query(query): Query<SegmentQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let number = |text: &str| text.parse::<f64>().map_err(|_| Refusal::NotFound);
    let window = span(number(&a)?, number(&b)?)?;
    let file = VodFile::from_name(&file).ok_or(Refusal::NotFound)?;
    site.note(camera.viewer(), peer, "playback", camera.get(), Some(window)).await?;
    let parts = &site.parts;
    let media_type = [(header::CONTENT_TYPE, file.content_type())];
    match file {
        VodFile::Playlist => {
            let text = hls::playlist(&camera, window, &parts.readers, &parts.open).await.map_err(refused)?;
            Ok((media_type, text).into_response())
        }
        VodFile::Init(id) => {
            let bytes = hls::init(&camera, id, &parts.readers, &parts.footage, &parts.open).await.map_err(refused)?;
            Ok((media_type, bytes).into_response())
        }
        VodFile::Segment(id) => {
            let segment = hls::segment(&camera, id, query, &parts.readers, &parts.footage, &parts.open).await;
            Ok(answer(&segment.map_err(refused)?, file.content_type(), &headers))
        }
    }
}

/// A file or the part of it that was asked for.
pub(crate) fn answer(file: &Assembly, media_type: &'static str, headers: &HeaderMap) -> Response {
    let len = file.len();
    let wanted = headers.get(header::RANGE).and_then(|wanted| wanted.to_str().ok());
    let is_same = headers.get(header::IF_RANGE).is_none_or(|etag| etag.as_bytes() == file.etag().as_bytes());
    let wanted = wanted.filter(|_| is_same);
    let (status, part) = match wanted.map(|wanted| range::parse(wanted, len)) {
        None | Some(Ok(None)) => (StatusCode::OK, 0..len),
        Some(Ok(Some(part))) => (StatusCode::PARTIAL_CONTENT, part),
        Some(Err(range::Unsatisfiable)) => {
            let content_range = [(header::CONTENT_RANGE, format!("bytes */{len}"))];
            return (StatusCode::RANGE_NOT_SATISFIABLE, content_range).into_response();
        }
    };
    let content_range = format!("bytes {}-{}/{len}", part.start, part.end.saturating_sub(1));
    let length = part.end - part.start;
    let mut response = (status, Body::from_stream(file.stream(part))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if let Ok(etag) = HeaderValue::from_str(file.etag()) {
        headers.insert(header::ETAG, etag);
    }
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(content_range) = HeaderValue::from_str(&content_range)
    {
        headers.insert(header::CONTENT_RANGE, content_range);
    }
    response
}

/// Why there are no pictures, as an answer.
pub(crate) fn refused(error: MediaError) -> Refusal {
    match error {
        error if error.is_not_found() => Refusal::NotFound,
        MediaError::Denied(denied) => denied.into(),
        MediaError::TooLong(why) => Refusal::Bad(why),
        MediaError::CodingChanged { .. } => {
            Refusal::Bad("the camera's settings changed within this time; ask for a clip before or after that")
        }
        error => {
            tracing::error!(%error, "could not read footage");
            Refusal::Unavailable("this footage cannot be read; the recorder's log says why")
        }
    }
}
