//! Taking cameras in: who was found, a look at one of them, and its adoption; and adopting anew who was refused.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse, Response};

use crate::access::Viewer;
use crate::index::audit::Entry;
use crate::units::CameraId;
use crate::web::form::Form;
use crate::web::frame::{Frame, Place, page as answer};
use crate::web::keeper::{Candidate, Trial, Wish};
use crate::web::links;
use crate::web::refusal::Refusal;
use crate::web::site::{Peer, Site};
use crate::web::texts::{filters, say};

/// A change of the configuration is noticed within two seconds, and then the index is asked.
const TAKEN_UP: Duration = Duration::from_secs(5);

#[derive(Template)]
#[template(path = "adopt.html")]
pub(crate) struct AdoptPage {
    pub(crate) frame: Frame,
    pub(crate) found: Vec<Candidate>,
    pub(crate) error: Option<String>,
    pub(crate) trial: Option<Trial>,
}

/// `GET /adopt`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
) -> Result<Response, Refusal> {
    show(&site, &viewer, StatusCode::OK, None, None).await
}

async fn show(
    site: &Site,
    viewer: &Viewer,
    status: StatusCode,
    error: Option<String>,
    trial: Option<Trial>,
) -> Result<Response, Refusal> {
    let frame = Frame::inside(site, viewer, Place::Cameras, say("Add a camera")).await?;
    let found = if trial.is_some() { Vec::new() } else { site.parts.keeper.found() };
    Ok(answer(status, &AdoptPage { frame, found, error, trial }))
}

/// `POST /adopt`: a look at a candidate.
pub(crate) async fn try_out(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    form: Form,
) -> Result<Response, Refusal> {
    let wish = Wish {
        key: form.get("key").to_owned(),
        url: form.get("url").trim().to_owned(),
        user: form.get("user").to_owned(),
        password: form.secret("password"),
    };
    // A picture of somewhere will be shown: that is a look like any other.
    let at = if wish.key.is_empty() { &wish.url } else { &wish.key };
    let tried: String = at.chars().take(100).collect();
    let tried = tried.rsplit('@').next().unwrap_or_default().to_owned();
    site.append(site.entry(&viewer, peer, "camera-tried", tried)).await?;
    match site.parts.keeper.try_out(wish).await {
        Ok(trial) => show(&site, &viewer, StatusCode::OK, None, Some(trial)).await,
        Err(why) => show(&site, &viewer, StatusCode::UNPROCESSABLE_ENTITY, Some(why), None).await,
    }
}

/// `GET /adopt/{trial}/picture.jpg`.
pub(crate) async fn picture(State(site): State<Arc<Site>>, Path(trial): Path<String>) -> Result<Response, Refusal> {
    let jpeg = site.parts.keeper.picture(&trial).ok_or(Refusal::NotFound)?;
    Ok(([(CONTENT_TYPE, "image/jpeg")], jpeg).into_response())
}

/// `POST /adopt/{trial}`: takes the camera in.
pub(crate) async fn add(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    Path(trial): Path<String>,
    form: Form,
) -> Result<Response, Refusal> {
    match site.parts.keeper.add(trial, form.get("name").to_owned()).await {
        Ok(camera) => {
            let entry = site.entry(&viewer, peer, "camera-added", String::new());
            site.append(Entry { camera: Some(camera.clone()), ..entry }).await?;
            // The page that follows is to show it; should the file not be taken up in time, it shows the others.
            let _ = tokio::time::timeout(TAKEN_UP, site.parts.board.until_there(&camera)).await;
            Ok((StatusCode::SEE_OTHER, [(LOCATION, links::CAMERAS)]).into_response())
        }
        Err(why) => show(&site, &viewer, StatusCode::UNPROCESSABLE_ENTITY, Some(why), None).await,
    }
}

/// `POST /adopt/again`: whoever was refused in a camera's place is that camera from now on.
pub(crate) async fn again(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    form: Form,
) -> Result<Response, Refusal> {
    let camera: CameraId = form.get("camera").parse().map_err(|_| Refusal::NotFound)?;
    let rights = site.rights(&viewer).await?;
    if !rights.iter().any(|(seen, rights)| *seen == camera && rights.any()) {
        return Err(Refusal::NotFound);
    }
    // Written down first: an exchange that nobody can read about later does not happen.
    let stranger =
        site.parts.keeper.stranger(&camera).ok_or(Refusal::Bad("nobody was refused in this camera's place"))?;
    let detail = format!("{} at {} instead of {}", stranger.found, stranger.address, stranger.expected);
    let entry = site.entry(&viewer, peer, "camera-exchanged", detail);
    site.append(Entry { camera: Some(camera.clone()), ..entry }).await?;
    site.parts.keeper.adopt_again(&camera);
    Ok((StatusCode::SEE_OTHER, [(LOCATION, links::CAMERAS)]).into_response())
}
