//! Everybody who may sign in: the list, and adding somebody. For owners.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};

use crate::access::{Rights, Role, UserName, Viewer};
use crate::index::{rights, users};
use crate::units::{CameraId, UserId, UtcMicros};
use crate::web::claim::NAME;
use crate::web::form::Form;
use crate::web::frame::{Frame, Place, page as answer};
use crate::web::person::{moment_of, until_field};
use crate::web::refusal::{Refusal, unavailable};
use crate::web::site::{Peer, Site};
use crate::web::texts::{filters, say};
use crate::web::words::{self, Show};
use crate::web::{hashing, links};

#[derive(Template)]
#[template(path = "people.html")]
pub(crate) struct PeoplePage {
    pub(crate) frame: Frame,
    pub(crate) people: Vec<Somebody>,
    pub(crate) cameras: Vec<CameraChoice>,
    pub(crate) error: Option<String>,
    pub(crate) name: String,
    pub(crate) until: String,
}

/// One person in the list. What ends in `|safe` in the template is a `<time>` element of our own.
pub(crate) struct Somebody {
    pub(crate) url: String,
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) cameras: String,
    pub(crate) until: Option<String>,
    pub(crate) is_over: bool,
}

/// A camera that somebody may be let see.
pub(crate) struct CameraChoice {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// `GET /people`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
) -> Result<Response, Refusal> {
    show(&site, &viewer, StatusCode::OK, None).await
}

async fn show(
    site: &Site,
    viewer: &Viewer,
    status: StatusCode,
    wrong: Option<(&Refusal, &Form)>,
) -> Result<Response, Refusal> {
    let now = site.parts.clock.now();
    let everybody = site.read(|conn| {
        let rights_of = |row: users::UserRow| Ok((rights::of_user(conn, row.id)?, row));
        users::list(conn)?.into_iter().map(rights_of).collect::<rusqlite::Result<Vec<_>>>()
    });
    let in_words = |(rights, user): (Vec<rights::RightsRow>, users::UserRow)| {
        let names = rights.iter().map(|row| site.parts.board.name(&row.camera)).collect::<Vec<_>>().join(", ");
        Somebody {
            url: links::person(user.id),
            name: user.name,
            role: words::role(user.role),
            cameras: if names.is_empty() { say("no camera").into() } else { names },
            until: user.expires.map(|expires| words::time(expires, Show::Full, now)),
            is_over: user.expires.is_some_and(|expires| expires <= now),
        }
    };
    let cameras = site.parts.board.all().into_iter();
    let page = PeoplePage {
        frame: Frame::inside(site, viewer, Place::Account, say("People")).await?,
        people: everybody.await?.into_iter().map(in_words).collect(),
        cameras: cameras.map(|(id, entry)| CameraChoice { id: id.into(), name: entry.name }).collect(),
        error: wrong.map(|(error, _)| words::sentence(&error.sentence())),
        name: wrong.map_or_else(String::new, |(_, form)| form.get("name").to_owned()),
        until: wrong.map_or_else(|| until_field(None), |(_, form)| form.get("until").to_owned()),
    };
    Ok(answer(status, &page))
}

/// `POST /people`.
pub(crate) async fn add(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    form: Form,
) -> Result<Response, Refusal> {
    match make(&site, &viewer, peer, &form).await {
        Ok(user) => Ok((StatusCode::SEE_OTHER, [(LOCATION, links::person(user))]).into_response()),
        Err(refusal @ Refusal::Bad(_)) => show(&site, &viewer, refusal.status(), Some((&refusal, &form))).await,
        Err(refusal) => Err(refusal),
    }
}

async fn make(site: &Site, viewer: &Viewer, peer: Peer, form: &Form) -> Result<UserId, Refusal> {
    let name: UserName = form.get("name").parse().map_err(|_| Refusal::Bad(NAME))?;
    let role: Role = form.get("role").parse().map_err(|_| Refusal::Bad("choose what this person is"))?;
    let expires = expiry(form.get("until"), role, site.parts.clock.now())?;
    let cameras: Vec<CameraId> = site.parts.board.all().into_iter().map(|(id, _)| id).collect();
    let seen: Vec<CameraId> = cameras.into_iter().filter(|id| form.has(&format!("camera-{id}"))).collect();
    let hash = hashing::hash(site, form.secret("password")).await?;
    let entry = site.entry(viewer, peer, "user-added", format!("{name}, {}", words::role(role)));
    let made = site.parts.writer.write(move |tx| {
        let user = users::insert(tx, &name, role, &hash)?;
        users::set_expiry(tx, user, expires)?;
        for camera in &seen {
            rights::grant(tx, user, camera, usual(role))?;
        }
        crate::index::audit::append(tx, &entry)?;
        Ok(user)
    });
    made.await.map_err(|error| {
        if error.is_conflict() {
            Refusal::Bad("somebody has this name already; choose another")
        } else {
            unavailable("the change could not be saved; try again")(&error)
        }
    })
}

/// What somebody of that role may do with a camera at first.
fn usual(role: Role) -> Rights {
    match role {
        Role::Owner => Rights::ALL,
        Role::Member => Rights { delete: false, ..Rights::ALL },
        Role::Guest => Rights { live: true, ..Rights::NONE },
    }
}

/// When somebody's time is over, from a form's field; an owner's never is.
pub(crate) fn expiry(field: &str, role: Role, now: UtcMicros) -> Result<Option<UtcMicros>, Refusal> {
    if field.is_empty() {
        return Ok(None);
    }
    let until = moment_of(field).ok_or(Refusal::Bad("until when? write a day and a time, or leave it empty"))?;
    match role {
        Role::Owner => Err(Refusal::Bad("an owner's time is never over; leave that field empty")),
        _ if until <= now => Err(Refusal::Bad("that time is over already")),
        _ => Ok(Some(until)),
    }
}
