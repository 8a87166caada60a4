//! Small pictures for the finger on a bar.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::access::Viewable;
use crate::media::previews;
use crate::units::{CameraId, UtcSpan};
use crate::web::clips::refused;
use crate::web::day::{date_of, span, span_of};
use crate::web::refusal::Refusal;
use crate::web::site::{Peer, Site};

/// From when to when, and how many.
#[derive(Deserialize)]
pub(crate) struct Window {
    after: f64,
    before: f64,
    #[serde(default = "as_many_as_there_may_be")]
    most: u32,
}

fn as_many_as_there_may_be() -> u32 {
    previews::MOST
}

/// `GET /api/cameras/{id}/previews?after=&before=&most=`: what [`previews::sheet`] says.
pub(crate) async fn sheet(
    State(site): State<Arc<Site>>,
    Extension(camera): Extension<Viewable<CameraId>>,
    Extension(peer): Extension<Peer>,
    Query(window): Query<Window>,
) -> Result<Response, Refusal> {
    let window_span = span(window.after, window.before)?;
    site.note(camera.viewer(), peer, "previews", camera.get(), Some(days_around(window_span))).await?;
    let parts = &site.parts;
    let sheet = previews::sheet(&camera, window_span, window.most, &parts.readers, &parts.footage).await;
    let sheet = sheet.map_err(refused)?;
    // Reading took a while: whoever lost the right meanwhile gets nothing.
    site.blocking(move || camera.still_allowed()).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], sheet).into_response())
}

/// A finger goes over a whole day, which is asked for in pieces: it is written down as one look at that day.
fn days_around(window: UtcSpan) -> UtcSpan {
    let zone = TimeZone::system();
    let day = span_of(date_of(window.start(), &zone), &zone);
    day.and_then(|day| UtcSpan::new(day.start(), day.end().max(window.end()))).unwrap_or(window)
}
