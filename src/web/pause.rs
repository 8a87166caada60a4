//! The privacy switch: somebody who lives here switches a camera off for a while, or all of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};

use crate::access::{Role, Viewer};
use crate::index::audit::{self, Entry};
use crate::index::pauses::{self, PauseRow};
use crate::media::live::Stream;
use crate::units::{CameraId, UtcMicros};
use crate::web::form::Form;
use crate::web::gatekeeper::OwnCamera;
use crate::web::refusal::{Refusal, unavailable};
use crate::web::site::{Peer, Site};
use crate::web::texts::filters;
use crate::web::words::{self, Show};

/// The longest pause that ends by itself, in minutes: a week.
const LONGEST: u64 = 7 * 24 * 60;

/// The button at one camera, or what stands there while it is paused.
#[derive(Template)]
#[template(path = "pause_button.html")]
pub(crate) struct PauseButton {
    pub(crate) camera: String,
    pub(crate) name: String,
    pub(crate) is_paused: bool,
    pub(crate) may: bool,
}

/// Whether this person lives here: guests see that a camera is paused, and by whom, but switch nothing.
pub(crate) fn lives_here(viewer: &Viewer) -> bool {
    viewer.role() != Role::Guest
}

/// The button for one camera as markup of our own; empty where there is nothing to press.
pub(crate) fn button(viewer: &Viewer, camera: &CameraId, name: &str, is_paused: bool) -> String {
    let (camera, name) = (camera.to_string(), name.to_owned());
    PauseButton { camera, name, is_paused, may: lives_here(viewer) }.render().unwrap_or_default()
}

/// Every pause, by camera.
pub(crate) async fn all(site: &Site) -> Result<BTreeMap<CameraId, PauseRow>, Refusal> {
    let rows = site.read(pauses::all).await?;
    Ok(rows.into_iter().map(|row| (row.camera.clone(), row)).collect())
}

/// Who switched a camera off, and when; the moments are `<time>` elements of our own.
pub(crate) struct PauseInWords {
    pub(crate) who: String,
    pub(crate) since: String,
    pub(crate) until: Option<String>,
}

/// One pause for a page.
pub(crate) fn in_words(pause: &PauseRow, now: UtcMicros) -> PauseInWords {
    PauseInWords {
        who: pause.user_name.clone(),
        since: words::time(pause.since, Show::Full, now),
        until: pause.until.map(|until| words::time(until, Show::Full, now)),
    }
}

/// `POST /cameras/{id}/pause`.
pub(crate) async fn one(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(OwnCamera(camera)): Extension<OwnCamera>,
    Extension(peer): Extension<Peer>,
    form: Form,
) -> Result<Response, Refusal> {
    pause(&site, &viewer, peer, vec![camera], &form).await
}

/// `POST /cameras/{id}/resume`.
pub(crate) async fn resume_one(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(OwnCamera(camera)): Extension<OwnCamera>,
    Extension(peer): Extension<Peer>,
) -> Result<Response, Refusal> {
    resume(&site, &viewer, peer, vec![camera]).await
}

/// `POST /pause`: every camera on which one has a right.
pub(crate) async fn everything(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    form: Form,
) -> Result<Response, Refusal> {
    let cameras = own(&site, &viewer).await?;
    pause(&site, &viewer, peer, cameras, &form).await
}

/// `POST /resume`.
pub(crate) async fn resume_everything(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
) -> Result<Response, Refusal> {
    let cameras = own(&site, &viewer).await?;
    resume(&site, &viewer, peer, cameras).await
}

async fn own(site: &Site, viewer: &Viewer) -> Result<Vec<CameraId>, Refusal> {
    if !lives_here(viewer) {
        return Err(Refusal::Forbidden("only who lives here switches cameras off and on"));
    }
    Ok(site.rights(viewer).await?.into_iter().map(|(camera, _)| camera).collect())
}

async fn pause(
    site: &Site,
    viewer: &Viewer,
    peer: Peer,
    cameras: Vec<CameraId>,
    form: &Form,
) -> Result<Response, Refusal> {
    let minutes = match form.get("minutes") {
        "" => None,
        minutes => Some(minutes.parse::<u64>().ok().filter(|minutes| (1..=LONGEST).contains(minutes)).ok_or(
            Refusal::Bad("for how many minutes? from 1 to 10080, or nothing for: until somebody switches it on"),
        )?),
    };
    let entry = site.entry(viewer, peer, "pause", String::new());
    let until = minutes.map(|minutes| entry.at.plus(Duration::from_secs(minutes * 60)));
    let (user, user_name) = (Some(viewer.user()), viewer.name().to_owned());
    let paused = cameras.clone();
    written(site, move |tx| {
        for camera in paused {
            let pause = PauseRow { camera: camera.clone(), since: entry.at, until, user, user_name: user_name.clone() };
            pauses::begin(tx, &pause)?;
            audit::append(tx, &Entry { camera: Some(camera), ..entry.clone() })?;
        }
        Ok(())
    })
    .await?;
    // Whoever watches is shown nothing more from here on; the sessions with the cameras end a moment later.
    for camera in &cameras {
        site.parts.rings.end(camera, Stream::Main);
        site.parts.rings.end(camera, Stream::Sub);
    }
    site.parts.pauses.touch();
    Ok(back())
}

async fn resume(site: &Site, viewer: &Viewer, peer: Peer, cameras: Vec<CameraId>) -> Result<Response, Refusal> {
    let entry = site.entry(viewer, peer, "resume", String::new());
    written(site, move |tx| {
        for camera in cameras {
            if pauses::end(tx, &camera, entry.at)? {
                audit::append(tx, &Entry { camera: Some(camera), ..entry.clone() })?;
            }
        }
        Ok(())
    })
    .await?;
    site.parts.pauses.touch();
    Ok(back())
}

async fn written(
    site: &Site,
    change: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<()> + Send + 'static,
) -> Result<(), Refusal> {
    let written = site.parts.writer.write(change).await;
    written.map_err(|error| unavailable("the change could not be saved; try again")(&error))
}

fn back() -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, crate::web::links::LIVE)]).into_response()
}
