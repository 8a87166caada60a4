//! One event: its page, its picture, and changing it.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use rusqlite::Connection;
use serde::Deserialize;
use serde_json::Value;

use crate::access::{Right, Viewable};
use crate::disk::EventPicture;
use crate::index::audit::{self, Entry};
use crate::index::camera_motion;
use crate::index::events::{self, EventFilter, EventRow};
use crate::media::event_picture;
use crate::units::{CameraId, UtcMicros, UtcSpan};
use crate::web::camera_motion::sentence;
use crate::web::events::{as_json, length, time_of};
use crate::web::frame::{Frame, Place, page as answer};
use crate::web::refusal::{Refusal, unavailable};
use crate::web::sign_in::require_json;
use crate::web::site::{Peer, Site};
use crate::web::texts::filters;
use crate::web::watched::{self, Watched};
use crate::web::words::{self, Show};
use crate::web::{clips, links, why};

/// The longest note, in characters; the database holds the same.
const LONGEST_NOTE: usize = 2000;

#[derive(Template)]
#[template(path = "event.html")]
pub(crate) struct EventPage {
    pub(crate) frame: Frame,
    pub(crate) id: String,
    pub(crate) camera_name: String,
    pub(crate) start: String,
    pub(crate) length: String,
    pub(crate) zones: String,
    pub(crate) peak: String,
    pub(crate) why: Option<String>,
    /// What the camera itself said then, if that is known: text of ours with `<time>` elements.
    pub(crate) camera_motion: Option<String>,
    pub(crate) is_kept: bool,
    pub(crate) note: String,
    pub(crate) clip: String,
    pub(crate) file_name: String,
    pub(crate) thumbnail: Option<String>,
    pub(crate) day: String,
    pub(crate) newer: Option<String>,
    pub(crate) older: Option<String>,
    pub(crate) watched: Vec<Watched>,
    pub(crate) camera: String,
    /// From when to when a link would show it, for those who may make one.
    pub(crate) share: Option<(f64, f64)>,
    pub(crate) may_change: bool,
    pub(crate) may_delete: bool,
}

/// `GET /events/{event}`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Extension(event): Extension<Viewable<EventRow>>,
    Extension(camera): Extension<Viewable<CameraId>>,
) -> Result<Response, Refusal> {
    let now = site.parts.clock.now();
    let row = event.get();
    let rights = site.rights(event.viewer()).await?;
    let may_share = rights.iter().any(|(camera, rights)| camera == event.camera() && rights.has(Right::Export));
    let span = clips::of_event_with_roll(&site, row, now);
    let may_change = rights.iter().any(|(camera, rights)| camera == event.camera() && rights.has(Right::Delete));
    let (gate, viewer) = (site.parts.gate.clone(), event.viewer().clone());
    let visible = site.blocking(move || gate.cameras(&viewer, Right::History)).await?;
    let cameras: Vec<_> = visible.iter().map(|proof| proof.camera().clone()).collect();
    let (start, id, own) = (row.start, row.camera.clone(), time_of(row, now));
    let around = site.parts.readers.read(move |connection| {
        let newer = newer_than(connection, &cameras, start)?;
        let filter = EventFilter { cameras, after: None, before: Some(start), limit: 1 };
        let older = events::list(connection, &filter)?.into_iter().next();
        Ok((newer, older, camera_motion::around(connection, &id, own)?))
    });
    let (newer, older, said) =
        around.await.map_err(|error| unavailable("the recorder's database does not answer; try again")(&error))?;
    let name = site.parts.board.name(event.camera());
    let frame = Frame::inside(&site, event.viewer(), Place::Events, &name).await?;
    let page = EventPage {
        frame,
        id: row.id.to_string(),
        start: words::time(row.start, Show::Full, now),
        length: length(row, now),
        zones: words::zones(&row.zones, ", "),
        peak: format!("{:.1} %", row.peak * 100.0),
        why: row.why.as_ref().map(|why| why::event(why, &row.zones)),
        camera_motion: sentence(said.as_deref(), now),
        is_kept: row.kept,
        note: row.note.clone(),
        clip: links::event_clip(row.id),
        file_name: clips::file_name(&name, row.start),
        thumbnail: row.has_thumbnail.then(|| links::thumbnail(row.id)),
        day: links::moment(&row.camera, &words::local(row.start, "%Y-%m-%d"), row.start),
        newer: newer.map(|row| links::event(row.id)),
        older: older.map(|row| links::event(row.id)),
        watched: watched::of(&site, &camera, span, now).await?,
        camera: row.camera.to_string(),
        share: may_share.then(|| (span.start().as_unix_seconds(), span.end().as_unix_seconds())),
        camera_name: name,
        may_change,
        may_delete: may_change,
    };
    Ok(answer(StatusCode::OK, &page))
}

/// `GET /api/events/{event}`.
pub(crate) async fn get(
    State(site): State<Arc<Site>>,
    Extension(event): Extension<Viewable<EventRow>>,
) -> Result<Json<Value>, Refusal> {
    let (camera, span) = (event.camera().clone(), time_of(event.get(), site.parts.clock.now()));
    let said = site.read(move |connection| camera_motion::around(connection, &camera, span)).await?;
    Ok(Json(as_json(event.get(), said.as_deref())))
}

/// What may be changed of an event.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    kept: Option<bool>,
    note: Option<String>,
}

/// `PUT /api/events/{event}`.
pub(crate) async fn put(
    State(site): State<Arc<Site>>,
    Extension(event): Extension<Viewable<EventRow>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    require_json(&headers)?;
    let Change { kept, note } = serde_json::from_slice(&body)
        .map_err(|_| Refusal::Bad("send {\"kept\": true, \"note\": \"…\"} or one of them"))?;
    if note.as_ref().is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
        return Err(Refusal::Bad("a note has at most 2000 characters"));
    }
    let id = event.get().id;
    let entry = entry(&site, &event, peer, "event-changed");
    let written = site.parts.writer.write(move |tx| {
        events::set(tx, id, kept, note)?;
        audit::append(tx, &entry)
    });
    written.await.map_err(|error| unavailable("the change could not be saved; try again")(&error))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE /api/events/{event}`.
pub(crate) async fn delete(
    State(site): State<Arc<Site>>,
    Extension(event): Extension<Viewable<EventRow>>,
    Extension(peer): Extension<Peer>,
) -> Result<Response, Refusal> {
    let id = event.get().id;
    let entry = entry(&site, &event, peer, "event-deleted");
    let written = site.parts.writer.write(move |tx| {
        events::remove(tx, id)?;
        audit::append(tx, &entry)
    });
    written.await.map_err(|error| unavailable("the event could not be deleted; try again")(&error))?;
    remove_pictures(&site, &event).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The row is gone, so nobody can ask for the pictures any more; their files follow, or are swept up at the next start.
pub(crate) async fn remove_pictures(site: &Site, event: &Viewable<EventRow>) {
    let (footage, camera, id) = (site.parts.footage.clone(), event.camera().clone(), event.get().id);
    let removed = tokio::task::spawn_blocking(move || footage.remove_pictures(&camera, id)).await;
    if let Ok(Err(error)) = removed {
        tracing::debug!(%error, "an event that was deleted had no picture to remove");
    }
}

/// What is written down of a change to an event.
pub(crate) fn entry(site: &Site, event: &Viewable<EventRow>, Peer(address): Peer, action: &str) -> Entry {
    Entry {
        at: site.parts.clock.now(),
        user: Some(event.viewer().user()),
        user_name: event.viewer().name().to_owned(),
        action: action.into(),
        camera: Some(event.camera().clone()),
        span: UtcSpan::new(event.get().start, event.get().end.unwrap_or(event.get().start)),
        address: Some(address),
        detail: event.get().id.to_string(),
    }
}

/// `GET /api/events/{event}/thumbnail.jpg`.
pub(crate) async fn thumbnail(
    State(site): State<Arc<Site>>,
    Extension(event): Extension<Viewable<EventRow>>,
    Extension(peer): Extension<Peer>,
) -> Result<Response, Refusal> {
    if event.get().has_thumbnail {
        picture(&site, &event, peer, EventPicture::Thumbnail).await
    } else {
        Err(Refusal::NotFound)
    }
}

/// `GET /api/events/{event}/preview.jpg`: a few small pictures of its course, one below the other.
pub(crate) async fn preview(
    State(site): State<Arc<Site>>,
    Extension(event): Extension<Viewable<EventRow>>,
    Extension(peer): Extension<Peer>,
) -> Result<Response, Refusal> {
    if event.get().has_preview {
        picture(&site, &event, peer, EventPicture::Preview).await
    } else {
        Err(Refusal::NotFound)
    }
}

async fn picture(
    site: &Site,
    event: &Viewable<EventRow>,
    peer: Peer,
    picture: EventPicture,
) -> Result<Response, Refusal> {
    site.note(event.viewer(), peer, picture.name(), event.camera(), None).await?;
    let jpeg = event_picture::read(event, picture, &site.parts.footage).await.map_err(clips::refused)?;
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], jpeg).into_response())
}

/// The event that began next after a moment. Lists are newest first, so ever longer windows are asked until one holds some.
fn newer_than(connection: &Connection, cameras: &[CameraId], start: UtcMicros) -> rusqlite::Result<Option<EventRow>> {
    let after = Some(start.plus(Duration::from_micros(1)));
    for window in [Some(3_600), Some(86_400), Some(30 * 86_400), None] {
        let before = window.map(|seconds| start.plus(Duration::from_secs(seconds)));
        let filter = EventFilter { cameras: cameras.to_vec(), after, before, limit: events::LIST_LIMIT };
        if let Some(next) = events::list(connection, &filter)?.pop() {
            return Ok(Some(next));
        }
    }
    Ok(None)
}
