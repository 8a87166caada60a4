//! The list of events, as a page and as JSON.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::{Right, Viewer};
use crate::index::events::{self, EventFilter, EventRow};
use crate::units::{CameraId, UtcMicros};
use crate::web::activity::moment;
use crate::web::frame::{Frame, Place, page as answer};
use crate::web::links;
use crate::web::refusal::{Refusal, unavailable};
use crate::web::site::Site;
use crate::web::words::{self, Show};

/// Events on a page.
const PAGE: u32 = 60;
/// Events in a list, if the caller does not say.
const DEFAULT_LIMIT: u32 = 100;
/// Events in a list at most.
const LARGEST_LIMIT: u32 = 1000;

#[derive(Template)]
#[template(path = "events.html")]
pub(crate) struct EventsPage {
    pub(crate) frame: Frame,
    pub(crate) choices: Vec<Choice>,
    pub(crate) days: Vec<DayOfEvents>,
    pub(crate) newest: Option<String>,
    pub(crate) older: Option<String>,
}

/// One camera to choose, or all.
pub(crate) struct Choice {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) is_chosen: bool,
}

/// The events of one day. All strings that the template marks `|safe` were rendered by a template of ours.
pub(crate) struct DayOfEvents {
    pub(crate) name: String,
    pub(crate) events: Vec<String>,
}

/// One event in a list.
#[derive(Template)]
#[template(path = "event_card.html")]
pub(crate) struct EventCard {
    pub(crate) url: String,
    pub(crate) start_s: f64,
    pub(crate) thumbnail: Option<String>,
    pub(crate) preview: Option<String>,
    pub(crate) camera_name: String,
    pub(crate) start: String,
    pub(crate) length: String,
    pub(crate) zones: String,
    pub(crate) is_kept: bool,
    pub(crate) is_going_on: bool,
}

/// Which events.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    camera: Option<String>,
    after: Option<f64>,
    before: Option<f64>,
    limit: Option<u32>,
}

/// `GET /events`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let now = site.parts.clock.now();
    let wanted = Wanted { limit: Some(PAGE), ..wanted };
    let (rows, visible) = find(&site, &viewer, &wanted).await?;
    let chosen = wanted.camera.as_deref().and_then(|camera| visible.iter().find(|known| known.as_str() == camera));
    let mut choices =
        vec![Choice { name: "All".into(), url: links::EVENTS.into(), is_chosen: wanted.camera.is_none() }];
    choices.extend(visible.iter().map(|camera| Choice {
        name: site.parts.board.name(camera),
        url: links::events(Some(camera), None),
        is_chosen: chosen == Some(camera),
    }));
    let older = rows.last().filter(|_| rows.len() >= PAGE as usize).map(|row| links::events(chosen, Some(row.start)));
    let newest = wanted.before.map(|_| links::events(chosen, None));
    let mut days: Vec<(String, DayOfEvents)> = Vec::new();
    for row in &rows {
        let date = words::local(row.start, "%Y-%m-%d");
        if days.last().is_none_or(|(last, _)| *last != date) {
            let name = words::time(row.start, Show::Day, now);
            days.push((date, DayOfEvents { name, events: Vec::new() }));
        }
        if let Some((_, day)) = days.last_mut() {
            day.events.push(card(&site, row));
        }
    }
    let days = days.into_iter().map(|(_, day)| day).collect();
    let frame = Frame::inside(&site, &viewer, Place::Events, "Events").await?;
    Ok(answer(StatusCode::OK, &EventsPage { frame, choices, days, newest, older }))
}

/// An event as it stands in lists, rendered.
pub(crate) fn card(site: &Site, row: &EventRow) -> String {
    let now = site.parts.clock.now();
    let card = EventCard {
        url: links::event(row.id),
        start_s: row.start.as_unix_seconds(),
        thumbnail: row.has_thumbnail.then(|| links::thumbnail(row.id)),
        preview: row.has_preview.then(|| links::preview(row.id)),
        camera_name: site.parts.board.name(&row.camera),
        start: words::time(row.start, Show::Clock, now),
        length: length(row, now),
        zones: row.zones.join(", "),
        is_kept: row.kept,
        is_going_on: row.end.is_none(),
    };
    card.render().unwrap_or_else(|error| {
        tracing::error!(%error, "could not render an event");
        String::new()
    })
}

/// How long it lasted, or lasts.
pub(crate) fn length(row: &EventRow, now: UtcMicros) -> String {
    match row.end {
        Some(end) => words::length(end.since(row.start).max(Duration::from_secs(1))),
        None => format!("for {} now", words::length(now.since(row.start))),
    }
}

/// `GET /api/events`.
pub(crate) async fn list(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Refusal> {
    let (rows, _) = find(&site, &viewer, &wanted).await?;
    Ok(Json(rows.iter().map(as_json).collect()))
}

/// An event as programs read it.
pub(crate) fn as_json(row: &EventRow) -> Value {
    json!({
        "id": row.id,
        "camera": row.camera,
        "start": row.start.as_unix_seconds(),
        "end": row.end.map(UtcMicros::as_unix_seconds),
        "peak": row.peak,
        "zones": row.zones,
        "kept": row.kept,
        "note": row.note,
        "why": row.why,
    })
}

/// Newest first, and the cameras whose history the viewer may see. A camera that the viewer may not see has no events, just
/// as one that does not exist.
async fn find(site: &Site, viewer: &Viewer, wanted: &Wanted) -> Result<(Vec<EventRow>, Vec<CameraId>), Refusal> {
    let (gate, asking) = (site.parts.gate.clone(), viewer.clone());
    let proofs = site.blocking(move || gate.cameras(&asking, Right::History)).await?;
    let visible: Vec<CameraId> = proofs.iter().map(|proof| proof.camera().clone()).collect();
    let cameras: Vec<CameraId> = match &wanted.camera {
        Some(camera) => visible.iter().filter(|known| known.as_str() == camera).cloned().collect(),
        None => visible.clone(),
    };
    let filter = EventFilter {
        cameras,
        after: wanted.after.map(moment).transpose()?,
        before: wanted.before.map(moment).transpose()?,
        limit: wanted.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, LARGEST_LIMIT),
    };
    if filter.cameras.is_empty() {
        return Ok((Vec::new(), visible));
    }
    let rows = site.parts.readers.read(move |connection| events::list(connection, &filter)).await;
    let rows = rows.map_err(|error| unavailable("the recorder's database does not answer; try again")(&error))?;
    // The query named the cameras; that each row is of one of them is not left to it alone.
    Ok((rows.into_iter().filter(|row| visible.contains(&row.camera)).collect(), visible))
}
