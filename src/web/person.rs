//! One person: what they are, what they may see and when, until when. For owners.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::access::hours::clock;
use crate::access::{Hours, Rights, Role, Viewer};
use crate::index::rights::{self, RightsRow};
use crate::index::users::{self, Removal, UserRow};
use crate::index::{audit, sessions};
use crate::units::{CameraId, UserId, UtcMicros};
use crate::web::form::Form;
use crate::web::frame::{Frame, Place, page as answer};
use crate::web::people::expiry;
use crate::web::refusal::Refusal;
use crate::web::site::{Peer, Site};
use crate::web::texts::{filters, say};
use crate::web::{hashing, links, words};

#[derive(Template)]
#[template(path = "person.html")]
pub(crate) struct PersonPage {
    pub(crate) frame: Frame,
    pub(crate) url: String,
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) until: String,
    pub(crate) cameras: Vec<CameraRights>,
    pub(crate) devices: usize,
    pub(crate) is_self: bool,
    pub(crate) error: Option<String>,
    pub(crate) said: Option<&'static str>,
}

/// What this person may do with one camera.
pub(crate) struct CameraRights {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) rights: Rights,
    pub(crate) from: String,
    pub(crate) to: String,
}

/// `GET /people/{user}`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Path(user): Path<String>,
) -> Result<Response, Refusal> {
    let row = known(&site, &user).await?;
    show(&site, &viewer, row, StatusCode::OK, None, None).await
}

async fn known(site: &Site, user: &str) -> Result<UserRow, Refusal> {
    let user = UserId(user.parse().map_err(|_| Refusal::NotFound)?);
    site.read(move |conn| users::by_id(conn, user)).await?.ok_or(Refusal::NotFound)
}

async fn show(
    site: &Site,
    viewer: &Viewer,
    row: UserRow,
    status: StatusCode,
    error: Option<&Refusal>,
    said: Option<&'static str>,
) -> Result<Response, Refusal> {
    let (id, now) = (row.id, site.parts.clock.now());
    let (rights, listed) =
        site.read(move |conn| Ok((rights::of_user(conn, id)?, sessions::of_user(conn, id)?))).await?;
    let cameras = cameras(site, &rights).into_iter().map(|camera| {
        let row = rights.iter().find(|row| row.camera == camera);
        let hours = row.and_then(|row| row.hours);
        CameraRights {
            name: site.parts.board.name(&camera),
            id: camera.into(),
            rights: row.map_or(Rights::NONE, |row| row.rights),
            from: hours.map_or_else(String::new, |hours| clock(hours.from())),
            to: hours.map_or_else(String::new, |hours| clock(hours.to())),
        }
    });
    let page = PersonPage {
        frame: Frame::inside(site, viewer, Place::Account, &row.name).await?,
        url: links::person(row.id),
        role: row.role.name(),
        until: until_field(row.expires),
        cameras: cameras.collect(),
        devices: listed.iter().filter(|one| one.expires > now).count(),
        is_self: row.id == viewer.user(),
        error: error.map(|error| words::sentence(&error.sentence())),
        said,
        name: row.name,
    };
    Ok(answer(status, &page))
}

/// Every camera on the board, and those of which the person still has a row.
fn cameras(site: &Site, rights: &[RightsRow]) -> Vec<CameraId> {
    let mut cameras: Vec<_> = site.parts.board.all().into_iter().map(|(id, _)| id).collect();
    cameras.extend(rights.iter().map(|row| row.camera.clone()));
    cameras.sort();
    cameras.dedup();
    cameras
}

/// `POST /people/{user}`: what they are, until when, and each camera.
pub(crate) async fn save(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    Path(user): Path<String>,
    form: Form,
) -> Result<Response, Refusal> {
    let row = known(&site, &user).await?;
    match store(&site, &viewer, peer, &row, &form).await {
        Ok(()) => {
            let row = known(&site, &user).await?;
            show(&site, &viewer, row, StatusCode::OK, None, Some(say("Saved. It counts from now on."))).await
        }
        Err(refusal @ Refusal::Bad(_)) => show(&site, &viewer, row, refusal.status(), Some(&refusal), None).await,
        Err(refusal) => Err(refusal),
    }
}

async fn store(site: &Site, viewer: &Viewer, peer: Peer, row: &UserRow, form: &Form) -> Result<(), Refusal> {
    let id = row.id;
    let role: Role = form.get("role").parse().map_err(|_| Refusal::Bad("choose what this person is"))?;
    // A time that is over already may stand as it stands.
    let unchanged = form.get("until") == until_field(row.expires) && role != Role::Owner;
    let expires = if unchanged { row.expires } else { expiry(form.get("until"), role, site.parts.clock.now())? };
    let before = site.read(move |conn| rights::of_user(conn, id)).await?;
    let mut wanted = Vec::new();
    for camera in cameras(site, &before) {
        let has = |right: &str| form.has(&format!("{camera}.{right}"));
        let rights =
            Rights { live: has("live"), history: has("history"), export: has("export"), delete: has("delete") };
        let (from, to) = (form.get(&format!("{camera}.from")), form.get(&format!("{camera}.to")));
        let hours = match (from, to) {
            ("", "") => None,
            _ => Some(Hours::parse(from, to).ok_or(Refusal::Bad(
                "hours of the day need a beginning and another end, as 08:00 and 18:00; leave both empty for all day",
            ))?),
        };
        let expires = before.iter().find(|row| row.camera == camera).and_then(|row| row.expires);
        wanted.push(RightsRow { camera, rights, expires, hours });
    }
    let mut entries = vec![site.entry(viewer, peer, "user-changed", row.name.clone())];
    for row in wanted.iter().filter(|row| changed(&before, row)) {
        let entry = site.entry(viewer, peer, "rights", format!("{}: {}", entries[0].detail, in_words(row)));
        entries.push(audit::Entry { camera: Some(row.camera.clone()), ..entry });
    }
    let written = site.parts.writer.write(move |tx| {
        if !users::set_role(tx, id, role)? {
            return Ok(false);
        }
        users::set_expiry(tx, id, expires)?;
        for row in &wanted {
            rights::put(tx, id, row)?;
        }
        for entry in &entries {
            audit::append(tx, entry)?;
        }
        Ok(true)
    });
    match written.await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Refusal::Bad("the only owner stays an owner; make somebody else one first")),
        Err(error) => Err(crate::web::refusal::unavailable("the change could not be saved; try again")(&error)),
    }
}

fn changed(before: &[RightsRow], row: &RightsRow) -> bool {
    match before.iter().find(|old| old.camera == row.camera) {
        Some(old) => (old.rights, old.hours) != (row.rights, row.hours),
        None => row.rights.any(),
    }
}

/// For the log: `live, history from 08:00 to 18:00`.
fn in_words(row: &RightsRow) -> String {
    let names = crate::access::Right::ALL.into_iter().filter(|right| row.rights.has(*right));
    let names = names.map(crate::access::Right::name).collect::<Vec<_>>().join(", ");
    let hours = row.hours.map(|hours| format!(" from {} to {}", clock(hours.from()), clock(hours.to())));
    if names.is_empty() { "nothing".into() } else { names + &hours.unwrap_or_default() }
}

/// `POST /people/{user}/password`: for somebody who forgot it; ends all their sessions.
pub(crate) async fn password(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    Path(user): Path<String>,
    form: Form,
) -> Result<Response, Refusal> {
    let row = known(&site, &user).await?;
    if row.id == viewer.user() {
        return Err(Refusal::Bad("your own password is changed on your account's page"));
    }
    let hash = match hashing::hash(&site, form.secret("new")).await {
        Ok(hash) => hash,
        Err(refusal) => return show(&site, &viewer, row, refusal.status(), Some(&refusal), None).await,
    };
    let entry = site.entry(&viewer, peer, "password-set", row.name.clone());
    let id = row.id;
    site.change(entry, move |tx| users::set_password(tx, id, &hash)).await?;
    let said = say("The new password counts. Every device of this person has to sign in again.");
    show(&site, &viewer, row, StatusCode::OK, None, Some(said)).await
}

/// `POST /people/{user}/sign-out`: ends all their sessions and tokens.
pub(crate) async fn sign_out(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    Path(user): Path<String>,
) -> Result<Response, Refusal> {
    let row = known(&site, &user).await?;
    let entry = site.entry(&viewer, peer, "sign-out-user", row.name.clone());
    let id = row.id;
    site.change(entry, move |tx| sessions::remove_all(tx, id)).await?;
    show(&site, &viewer, row, StatusCode::OK, None, Some(say("Signed out everywhere."))).await
}

/// `POST /people/{user}/remove`.
pub(crate) async fn remove(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    Path(user): Path<String>,
) -> Result<Response, Refusal> {
    let row = known(&site, &user).await?;
    let (id, entry) = (row.id, site.entry(&viewer, peer, "user-removed", row.name.clone()));
    let removed = site.parts.writer.write(move |tx| {
        let removal = users::remove(tx, id)?;
        if removal == Removal::Removed {
            audit::append(tx, &entry)?;
        }
        Ok(removal)
    });
    match removed.await {
        Ok(Removal::Removed) => Ok((StatusCode::SEE_OTHER, [(LOCATION, links::PEOPLE)]).into_response()),
        Ok(Removal::NoSuchUser) => Err(Refusal::NotFound),
        Ok(Removal::LastOwner) => {
            let refusal = Refusal::Bad("the only owner stays; make somebody else one first");
            show(&site, &viewer, row, refusal.status(), Some(&refusal), None).await
        }
        Err(error) => Err(crate::web::refusal::unavailable("the change could not be saved; try again")(&error)),
    }
}

/// A moment as a form's field holds it, by the recorder's clock on the wall; empty for none.
pub(crate) fn until_field(moment: Option<UtcMicros>) -> String {
    moment.map_or_else(String::new, |moment| words::local(moment, "%Y-%m-%dT%H:%M"))
}

/// The moment that a form's field holds.
pub(crate) fn moment_of(field: &str) -> Option<UtcMicros> {
    let at: DateTime = field.parse().ok()?;
    let at = at.to_zoned(TimeZone::system()).ok()?;
    Some(UtcMicros(at.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_in_a_field_comes_back_as_it_was() {
        for field in ["2026-12-24T18:00", "2026-06-01T00:00"] {
            assert_eq!(until_field(moment_of(field)), field);
        }
        assert_eq!((moment_of(""), moment_of("soon"), until_field(None)), (None, None, String::new()));
    }

    #[test]
    fn rights_are_written_down_in_words() {
        let rights = Rights { live: true, history: true, ..Rights::NONE };
        let row =
            RightsRow { camera: "porch".parse().expect("an id"), rights, expires: None, hours: Hours::new(480, 60) };
        assert_eq!(in_words(&row), "live, history from 08:00 to 01:00");
        assert_eq!(in_words(&RightsRow { rights: Rights::NONE, ..row }), "nothing");
    }
}
