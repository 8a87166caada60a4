//! One day of all cameras together: what each recorded, and a player that shows all of them at the same moment.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::civil::Date;

use crate::access::{Right, Viewer};
use crate::media::recordings;
use crate::web::clips::refused;
use crate::web::day::{Days, Mark, Wanted, marks};
use crate::web::frame::{Frame, Place, page as answer};
use crate::web::refusal::Refusal;
use crate::web::site::Site;
use crate::web::texts::{filters, say};
use crate::web::{calendar, links};

#[derive(Template)]
#[template(path = "timeline.html")]
pub(crate) struct TimelinePage {
    pub(crate) frame: Frame,
    pub(crate) days: Days,
    pub(crate) cameras: Vec<CameraOfDay>,
    /// A month of links, rendered.
    pub(crate) calendar: String,
    /// Whether anything may be saved as a file.
    pub(crate) may_export: bool,
    /// Whether one of the cameras was listened to when it says itself that something moves.
    pub(crate) has_camera_motion: bool,
}

/// One camera and what it recorded that day.
pub(crate) struct CameraOfDay {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) marks: Vec<Mark>,
    pub(crate) may_export: bool,
}

/// `GET /timeline`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let now = site.parts.clock.now();
    let address = |date: Date| links::timeline(&date.to_string());
    let (date, days) = Days::of(&wanted, now, address)?;
    let (gate, asking) = (site.parts.gate.clone(), viewer.clone());
    let proofs = site.blocking(move || gate.cameras(&asking, Right::History)).await?;
    let rights = site.rights(&viewer).await?;
    let parts = &site.parts;
    let (mut cameras, mut has_camera_motion) = (Vec::new(), false);
    // All at once: there are several readers, and the page waits for the slowest camera alone.
    let asked = proofs.iter().map(|proof| recordings::overview(proof, days.span, now, &parts.readers, &parts.open));
    let known = futures_util::future::try_join_all(asked).await.map_err(refused)?;
    for (proof, known) in proofs.iter().zip(known) {
        let id = proof.camera();
        has_camera_motion |= known.camera_motion.is_some();
        cameras.push(CameraOfDay {
            id: id.to_string(),
            name: parts.board.name(id),
            url: links::day(id, &days.date),
            marks: marks(&known, days.span, now),
            may_export: rights.iter().any(|(other, rights)| other == id && rights.has(Right::Export)),
        });
    }
    let visible = proofs.iter().map(|proof| proof.camera().clone()).collect();
    let page = TimelinePage {
        frame: Frame::inside(&site, &viewer, Place::Timeline, say("Timeline")).await?,
        calendar: calendar::of(&site, visible, date, address).await?,
        may_export: cameras.iter().any(|camera| camera.may_export),
        days,
        cameras,
        has_camera_motion,
    };
    Ok(answer(StatusCode::OK, &page))
}
