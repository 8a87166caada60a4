//! The list of events, as a page and as JSON.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::access::{Right, Viewer};
use crate::index::events::{EventFilter, EventRow};
use crate::index::{camera_motion, looked, search};
use crate::units::{CameraId, EventId, UtcMicros, UtcSpan};
use crate::web::activity::moment;
use crate::web::camera_motion::as_json as in_json;
use crate::web::frame::{Frame, Place, page as answer};
use crate::web::links;
use crate::web::refusal::Refusal;
use crate::web::site::Site;
use crate::web::texts::{filters, say, say_with};
use crate::web::wanted::{Field, Wanted};
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
    /// The camera that was chosen; empty for all.
    pub(crate) camera: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) is_sifted: bool,
    /// Where all events are listed again.
    pub(crate) unsifted: String,
    pub(crate) days: Vec<DayOfEvents>,
    /// The newest of what is shown, in microseconds: up to then everything can be called seen.
    pub(crate) until_us: Option<i64>,
    /// This list, to come back to.
    pub(crate) here: String,
    pub(crate) newest: Option<String>,
    pub(crate) older: Option<String>,
    /// Whether the search stopped before it had looked at everything.
    pub(crate) is_cut_short: bool,
    pub(crate) may_change: bool,
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
    pub(crate) events: Vec<Listed>,
}

/// One event of the list, to be chosen among others.
pub(crate) struct Listed {
    pub(crate) id: String,
    /// What a screen reader calls it.
    pub(crate) words: String,
    pub(crate) card: String,
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
    /// News to who reads the list.
    pub(crate) is_new: bool,
}

/// `GET /events`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Query(mut wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let now = site.parts.clock.now();
    wanted.limit = Some(PAGE);
    let (found, visible) = find(&site, &viewer, &wanted).await?;
    let rows = found.events;
    let chosen = wanted.camera().filter(|camera| visible.iter().any(|known| known.as_str() == *camera));
    let mut choices =
        vec![Choice { name: say("All").into(), url: wanted.address(None, None), is_chosen: wanted.camera().is_none() }];
    choices.extend(visible.iter().map(|camera| Choice {
        name: site.parts.board.name(camera),
        url: wanted.address(Some(camera.as_str()), None),
        is_chosen: chosen == Some(camera.as_str()),
    }));
    let next = rows.last().filter(|_| rows.len() >= PAGE as usize).map(|row| row.start).or(found.reached);
    let rights = site.rights(&viewer).await?;
    let mut days: Vec<(String, DayOfEvents)> = Vec::new();
    for row in &rows {
        let date = words::local(row.start, "%Y-%m-%d");
        if days.last().is_none_or(|(last, _)| *last != date) {
            let name = words::time(row.start, Show::Day, now);
            days.push((date, DayOfEvents { name, events: Vec::new() }));
        }
        if let Some((_, day)) = days.last_mut() {
            let words = format!("{}, {}", site.parts.board.name(&row.camera), words::local(row.start, "%H:%M:%S"));
            let is_new = found.new.contains(&row.id);
            day.events.push(Listed { id: row.id.to_string(), words, card: card(&site, row, is_new) });
        }
    }
    let page = EventsPage {
        frame: Frame::inside(&site, &viewer, Place::Events, say("Events")).await?,
        camera: chosen.unwrap_or_default().to_owned(),
        fields: wanted.fields(zones(&site, &visible)),
        is_sifted: wanted.is_sifted(),
        unsifted: Wanted::default().address(chosen, None),
        days: days.into_iter().map(|(_, day)| day).collect(),
        until_us: rows.first().filter(|_| wanted.begins_with_all_news()).map(|row| row.start.0),
        here: wanted.address(chosen, wanted.before.and_then(UtcMicros::from_unix_seconds)),
        newest: wanted.before.map(|_| wanted.address(chosen, None)),
        older: next.map(|next| wanted.address(chosen, Some(next))),
        is_cut_short: found.reached.is_some(),
        may_change: rights.iter().any(|(_, rights)| rights.has(Right::Delete)),
        choices,
    };
    Ok(answer(StatusCode::OK, &page))
}

/// The names of the zones of these cameras, each once.
fn zones(site: &Site, cameras: &[CameraId]) -> BTreeSet<String> {
    let settings = site.parts.settings.borrow().clone();
    let known = cameras.iter().filter_map(|camera| settings.cameras.get(camera));
    known.flat_map(|camera| camera.motion.zones.keys().cloned()).collect()
}

/// An event as it stands in lists, rendered.
pub(crate) fn card(site: &Site, row: &EventRow, is_new: bool) -> String {
    let now = site.parts.clock.now();
    let card = EventCard {
        url: links::event(row.id),
        start_s: row.start.as_unix_seconds(),
        thumbnail: row.has_thumbnail.then(|| links::thumbnail(row.id)),
        preview: row.has_preview.then(|| links::preview(row.id)),
        camera_name: site.parts.board.name(&row.camera),
        start: words::time(row.start, Show::Clock, now),
        length: length(row, now),
        zones: words::zones(&row.zones, ", "),
        is_kept: row.kept,
        is_going_on: row.end.is_none(),
        is_new,
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
        None => say_with("for {length} now", &[("length", &words::length(now.since(row.start)))]),
    }
}

/// `GET /api/events`.
pub(crate) async fn list(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Refusal> {
    let (found, _) = find(&site, &viewer, &wanted).await?;
    let (rows, now) = (found.events, site.parts.clock.now());
    let said = site.read(move |conn| {
        let said = |row: EventRow| Ok((camera_motion::around(conn, &row.camera, time_of(&row, now))?, row));
        rows.into_iter().map(said).collect::<rusqlite::Result<Vec<_>>>()
    });
    Ok(Json(said.await?.iter().map(|(said, row)| as_json(row, said.as_deref())).collect()))
}

/// From its start to its end, or to now.
pub(crate) fn time_of(row: &EventRow, now: UtcMicros) -> UtcSpan {
    UtcSpan::starting_at(row.start, row.end.unwrap_or(now).since(row.start))
}

/// An event as programs read it, with what its camera itself said then.
pub(crate) fn as_json(row: &EventRow, said: Option<&[camera_motion::Span]>) -> Value {
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
        "camera_motion": in_json(said),
    })
}

/// What a search found, and which of it is news to the viewer.
struct News {
    events: Vec<EventRow>,
    new: HashSet<EventId>,
    /// As in [`search::Found`].
    reached: Option<UtcMicros>,
}

/// Newest first, and the cameras whose history the viewer may see. A camera that the viewer may not see has no events, just
/// as one that does not exist.
async fn find(site: &Site, viewer: &Viewer, wanted: &Wanted) -> Result<(News, Vec<CameraId>), Refusal> {
    let (gate, asking) = (site.parts.gate.clone(), viewer.clone());
    let proofs = site.blocking(move || gate.cameras(&asking, Right::History)).await?;
    let visible: Vec<CameraId> = proofs.iter().map(|proof| proof.camera().clone()).collect();
    let cameras: Vec<CameraId> = match wanted.camera() {
        Some(camera) => visible.iter().filter(|known| known.as_str() == camera).cloned().collect(),
        None => visible.clone(),
    };
    let filter = EventFilter {
        cameras,
        after: wanted.after.map(moment).transpose()?,
        before: wanted.before.map(moment).transpose()?,
        limit: wanted.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, LARGEST_LIMIT),
    };
    let (sieve, user) = (wanted.sieve(viewer)?, viewer.user());
    let found = site.read(move |conn| {
        let found = search::search(conn, &filter, &sieve)?;
        let until = looked::until(conn, user)?;
        let mut new = HashSet::new();
        for event in &found.events {
            if looked::is_new(conn, user, until, (event.id, event.start))? {
                new.insert(event.id);
            }
        }
        Ok(News { events: found.events, new, reached: found.reached })
    });
    let found = found.await?;
    // The query named the cameras; that each row is of one of them is not left to it alone.
    let events = found.events.into_iter().filter(|row| visible.contains(&row.camera)).collect();
    Ok((News { events, ..found }, visible))
}
