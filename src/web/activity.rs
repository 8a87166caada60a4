//! Who looked: the audit log, as a page and as JSON.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::{Role, Viewer};
use crate::index::audit::{self, AuditFilter, AuditRow};
use crate::units::UtcMicros;
use crate::web::frame::{Frame, Place, page as answer};
use crate::web::links;
use crate::web::refusal::{Refusal, unavailable};
use crate::web::site::Site;
use crate::web::texts::{filters, say};
use crate::web::words::{self, Show};

/// Rows on a page.
const PAGE: u32 = 100;

#[derive(Template)]
#[template(path = "activity.html")]
pub(crate) struct ActivityPage {
    pub(crate) frame: Frame,
    pub(crate) rows: Vec<RowInWords>,
    pub(crate) older: Option<String>,
}

/// One row, said in a sentence.
pub(crate) struct RowInWords {
    pub(crate) who: String,
    pub(crate) what: String,
    pub(crate) at: String,
    pub(crate) address: Option<String>,
}

/// Which rows.
#[derive(Deserialize)]
pub(crate) struct Window {
    after: Option<f64>,
    before: Option<f64>,
    limit: Option<u32>,
}

/// `GET /activity`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Query(window): Query<Window>,
) -> Result<Response, Refusal> {
    let now = site.parts.clock.now();
    let rows = rows(&site, &viewer, &Window { limit: Some(PAGE), ..window }).await?;
    let older = rows.last().filter(|_| rows.len() >= PAGE as usize);
    let older = older.map(|row| format!("{}?before={:.6}", links::ACTIVITY, row.entry.at.as_unix_seconds()));
    let in_words = |row: &AuditRow| {
        let camera = row.entry.camera.as_ref().map(|camera| site.parts.board.name(camera));
        let (action, detail) = (&row.entry.action, words::detail(&row.entry.detail));
        RowInWords {
            who: if row.entry.user_name.is_empty() { say("The recorder").into() } else { row.entry.user_name.clone() },
            what: match camera {
                Some(camera) if action == "rights" => words::action(action, &format!("{camera} ({detail})")),
                Some(camera) => words::action(action, &camera),
                None => words::action(action, detail),
            },
            at: words::time(row.entry.at, Show::Full, now),
            address: row.entry.address.map(|address| address.to_string()),
        }
    };
    let rows = rows.iter().map(in_words).collect();
    let frame = Frame::inside(&site, &viewer, Place::Activity, say("Who looked")).await?;
    Ok(answer(StatusCode::OK, &ActivityPage { frame, rows, older }))
}

/// `GET /api/audit?after=&before=`.
pub(crate) async fn list(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Query(window): Query<Window>,
) -> Result<Json<Value>, Refusal> {
    let rows = rows(&site, &viewer, &window).await?;
    let as_json = |row: &AuditRow| {
        let entry = &row.entry;
        json!({
            "at": entry.at.as_unix_seconds(),
            "user": entry.user_name,
            "action": entry.action,
            "camera": entry.camera,
            "start": entry.span.map(|span| span.start().as_unix_seconds()),
            "end": entry.span.map(|span| span.end().as_unix_seconds()),
            "address": entry.address,
            "detail": entry.detail,
        })
    };
    Ok(Json(rows.iter().map(as_json).collect()))
}

/// Newest first. Owners see all, others what concerns cameras they may see.
async fn rows(site: &Site, viewer: &Viewer, window: &Window) -> Result<Vec<AuditRow>, Refusal> {
    let moment = |seconds: Option<f64>| seconds.map(self::moment).transpose();
    let (after, before) = (moment(window.after)?, moment(window.before)?);
    let limit = window.limit.unwrap_or(PAGE).clamp(1, 1000);
    let cameras = if viewer.role() == Role::Owner {
        None
    } else {
        let rights = site.rights(viewer).await?;
        Some(rights.into_iter().filter(|(_, rights)| rights.any()).map(|(camera, _)| camera).collect())
    };
    let filter = AuditFilter { cameras, after, before, limit };
    let rows = site.parts.readers.read(move |connection| audit::list(connection, &filter)).await;
    rows.map_err(|error| unavailable("the recorder's database does not answer; try again in a moment")(&error))
}

/// A moment of a query.
pub(crate) fn moment(seconds: f64) -> Result<UtcMicros, Refusal> {
    UtcMicros::from_unix_seconds(seconds).ok_or(Refusal::Bad("a time is a number of Unix seconds"))
}
