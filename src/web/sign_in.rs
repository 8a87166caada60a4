//! Signing in and out: by form, by JSON, by a one-time link.

use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::access::throttle::Throttle;
use crate::access::{Token, Viewer};
use crate::index::audit::Entry;
use crate::index::sessions::{self, SessionKind};
use crate::index::{shares, sign_in_links, users};
use crate::units::{Clock, Secret, UserId};
use crate::web::cookie::{self, SESSION_LENGTH};
use crate::web::form::Form;
use crate::web::frame::{Frame, page as answer};
use crate::web::refusal::{Refusal, unavailable};
use crate::web::site::{Peer, Site};
use crate::web::texts::{filters, say};
use crate::web::{claim, device, hashing, links};

/// Who has to wait before the next attempt.
#[derive(Default)]
pub(crate) struct Throttles(Mutex<Throttle>);

impl Throttles {
    /// Leave to verify a password; counts as failed until [`Throttles::succeeded`].
    pub(crate) fn begin(&self, account: &str, Peer(address): Peer, clock: &Clock) -> Result<(), Refusal> {
        let mut throttle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let leave = throttle.begin(account, address, clock.monotonic());
        leave.map_err(|wait| Refusal::TooMany(wait.as_secs().saturating_add(1)))
    }

    pub(crate) fn succeeded(&self, account: &str, Peer(address): Peer) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).succeeded(account, address);
    }
}

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    pub(crate) frame: Frame,
    pub(crate) next: String,
    pub(crate) user: String,
    pub(crate) error: Option<String>,
}

/// From where somebody signs in, and with what.
pub(crate) struct Caller {
    pub(crate) peer: Peer,
    pub(crate) device: String,
    /// The hash that the password fitted; `None` if there was no password. If the user has another by the time the session
    /// begins, it does not: somebody changed the password to keep this caller out.
    pub(crate) fitted: Option<String>,
}

#[derive(Template)]
#[template(path = "sign_in_link.html")]
pub(crate) struct SignInLinkPage {
    pub(crate) frame: Frame,
    pub(crate) token: String,
}

/// Where to go afterwards.
#[derive(Deserialize)]
pub(crate) struct Next {
    next: Option<String>,
}

/// `GET /sign-in`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Query(Next { next }): Query<Next>,
) -> Result<Response, Refusal> {
    if claim::is_open(&site).await? {
        return Ok((StatusCode::SEE_OTHER, [(LOCATION, links::CLAIM)]).into_response());
    }
    let next = links::own_or_live(next.as_deref().unwrap_or_default()).to_owned();
    let sign_in =
        SignInPage { frame: Frame::at_the_door(&site, say("Sign in")), next, user: String::new(), error: None };
    Ok(answer(StatusCode::OK, &sign_in))
}

/// `POST /sign-in`, from the page's form.
pub(crate) async fn by_form(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    form: Form,
) -> Response {
    let (user, next) = (form.get("user").to_owned(), links::own_or_live(form.get("next")).to_owned());
    let caller = Caller { peer, device: device::label(&headers), fitted: None };
    match sign_in(&site, &caller, &user, form.secret("password")).await {
        Ok(token) => welcome(&site, &token, &next),
        Err(refusal) => {
            let error = Some(crate::web::words::sentence(&refusal.sentence()));
            answer(
                refusal.status(),
                &SignInPage { frame: Frame::at_the_door(&site, say("Sign in")), next, user, error },
            )
        }
    }
}

/// What a program sends to sign in.
#[derive(Deserialize)]
struct Login {
    user: String,
    password: String,
}

/// `POST /api/login`. Only JSON: a page elsewhere cannot send that without asking first.
pub(crate) async fn by_json(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    require_json(&headers)?;
    let Login { user, password } =
        serde_json::from_slice(&body).map_err(|_| Refusal::Bad("send {\"user\": \"…\", \"password\": \"…\"}"))?;
    let caller = Caller { peer, device: device::label(&headers), fitted: None };
    let token = sign_in(&site, &caller, &user, Secret::new(password)).await?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie::set(&token, site.parts.over_tls))]).into_response())
}

/// Refuses bodies that a form on any page could have sent.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Refusal::Bad("send application/json"))
    }
}

/// `GET /sign-in/{token}`: a page with a button, so that what merely fetches the link ahead does not use it up.
///
/// A browser gets a page that asks by POST, so that looking ahead at a link does not use it up. A program that opens the link
/// and does not ask for a page (`curl -c jar LINK`) is signed in at once.
pub(crate) async fn link_page(
    site: State<Arc<Site>>,
    peer: Extension<Peer>,
    method: Method,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Result<Response, Refusal> {
    let wants_page = headers.get_all(ACCEPT).iter().any(|accept| accept.as_bytes().starts_with(b"text/html"));
    if method == Method::GET && !wants_page {
        return by_link(site, peer, headers, Path(token)).await;
    }
    let token: Token = token.parse().map_err(|_| Refusal::NotFound)?;
    let page = SignInLinkPage { frame: Frame::outside(say("Welcome")), token: token.expose() };
    Ok(answer(StatusCode::OK, &page))
}

/// `POST /sign-in/{token}`.
pub(crate) async fn by_link(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Result<Response, Refusal> {
    let link = token.parse::<Token>().map_err(|_| Refusal::NotFound)?.hash();
    let now = site.parts.clock.now();
    let taken = site.parts.writer.write(move |tx| {
        let Some(user) = sign_in_links::take(tx, &link, now)? else { return Ok(None) };
        // A guest whose time is over is as good as gone.
        Ok(users::by_id(tx, user)?.filter(|user| user.expires.is_none_or(|expires| now < expires)))
    });
    let taken = taken.await.map_err(|error| unavailable("the recorder could not sign you in; try again")(&error))?;
    let Some(user) = taken else {
        let error = Some(say("This link was used already or is too old. Sign in with name and password.").to_owned());
        let next = links::LIVE.to_owned();
        let page = SignInPage { frame: Frame::at_the_door(&site, say("Sign in")), next, user: String::new(), error };
        return Ok(answer(StatusCode::UNAUTHORIZED, &page));
    };
    let caller = Caller { peer, device: device::label(&headers), fitted: None };
    let token = open_session(&site, &caller, user.id, &user.name, "by a one-time link").await?;
    Ok(welcome(&site, &token, links::LIVE))
}

/// `POST /sign-out`, from the button on every page.
pub(crate) async fn sign_out(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
) -> Result<Response, Refusal> {
    close_session(&site, &viewer, peer).await?;
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, "/sign-in")]).into_response();
    forget(&site, response.headers_mut());
    Ok(response)
}

/// `POST /api/logout`.
pub(crate) async fn logout(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
) -> Result<Response, Refusal> {
    close_session(&site, &viewer, peer).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    forget(&site, response.headers_mut());
    Ok(response)
}

pub(crate) fn welcome(site: &Site, token: &str, next: &str) -> Response {
    let headers = [(LOCATION, next.to_owned()), (SET_COOKIE, cookie::set(token, site.parts.over_tls))];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// The browser drops the cookie, and what it may have kept.
fn forget(site: &Site, headers: &mut HeaderMap) {
    if let Ok(cookie) = cookie::clear(site.parts.over_tls).parse() {
        headers.insert(SET_COOKIE, cookie);
    }
    if let Ok(all) = "\"cache\", \"storage\"".parse() {
        headers.insert("clear-site-data", all);
    }
}

/// Checks name and password. A name that does not exist takes as long and is answered with the same words.
async fn sign_in(site: &Site, caller: &Caller, name: &str, password: Secret) -> Result<String, Refusal> {
    let peer = caller.peer;
    site.throttles.begin(name, peer, &site.parts.clock)?;
    let wanted = name.to_owned();
    let found = site.parts.readers.read(move |connection| users::by_name(connection, &wanted)).await;
    let found = found.map_err(|error| unavailable("the recorder's database does not answer; try again")(&error))?;
    let now = site.parts.clock.now();
    let found = found.filter(|user| user.expires.is_none_or(|expires| now < expires));
    let verified = hashing::verify(site, found.as_ref(), password).await?;
    match (found, verified) {
        (Some(user), Some(verified)) => {
            site.throttles.succeeded(name, peer);
            let (id, old) = (user.id, user.password_hash);
            let fitted = verified.better_hash.unwrap_or_else(|| old.clone());
            if fitted != old {
                let better = fitted.clone();
                let saved = site.parts.writer.write(move |tx| {
                    let is_still_it = users::by_id(tx, id)?.is_some_and(|user| user.password_hash == old);
                    if is_still_it { users::refresh_hash(tx, id, &better) } else { Ok(()) }
                });
                saved.await.map_err(|error| unavailable("the recorder could not sign you in; try again")(&error))?;
            }
            let caller = Caller { peer, device: caller.device.clone(), fitted: Some(fitted) };
            open_session(site, &caller, id, &user.name, "").await
        }
        (found, _) => {
            tracing::warn!(address = %peer.0, "somebody failed to sign in");
            site.append(Entry {
                at: site.parts.clock.now(),
                user: found.as_ref().map(|user| user.id),
                // What was typed is written down only if it is a user: people type passwords into the wrong field.
                user_name: found.map_or_else(|| "somebody".into(), |user| user.name),
                action: "sign-in-failed".into(),
                camera: None,
                span: None,
                address: Some(peer.0),
                detail: String::new(),
            })
            .await?;
            Err(Refusal::WrongPassword)
        }
    }
}

/// Begins a session in the caller's browser and writes it down; what has expired is swept out by the way.
pub(crate) async fn open_session(
    site: &Site,
    caller: &Caller,
    user: UserId,
    name: &str,
    how: &str,
) -> Result<String, Refusal> {
    let random = hashing::random()?;
    let (peer, device, fitted) = (caller.peer, caller.device.clone(), caller.fitted.clone());
    let token = Token::from_random(random);
    let hash = token.hash();
    let now = site.parts.clock.now();
    let entry = Entry {
        at: now,
        user: Some(user),
        user_name: name.to_owned(),
        action: "sign-in".into(),
        camera: None,
        span: None,
        address: Some(peer.0),
        detail: how.to_owned(),
    };
    let written = site.parts.writer.write(move |tx| {
        let holds = |row: users::UserRow| fitted.is_none_or(|fitted| fitted == row.password_hash);
        if !users::by_id(tx, user)?.is_some_and(holds) {
            return Ok(false);
        }
        sessions::remove_expired(tx, now)?;
        sign_in_links::remove_expired(tx, now)?;
        shares::remove_expired(tx, now)?;
        sessions::insert(tx, &hash, user, now, now.plus(SESSION_LENGTH), SessionKind::Cookie)?;
        sessions::describe(tx, &hash, &device, Some(peer.0))?;
        crate::index::audit::append(tx, &entry)?;
        Ok(true)
    });
    let begun = written.await;
    if !begun.map_err(|error| unavailable("the recorder could not sign you in; try again")(&error))? {
        return Err(Refusal::WrongPassword);
    }
    tracing::info!(address = %peer.0, "somebody signed in");
    Ok(token.expose())
}

async fn close_session(site: &Site, viewer: &Viewer, peer: Peer) -> Result<(), Refusal> {
    let hash = *viewer.session();
    let entry = Entry {
        at: site.parts.clock.now(),
        user: Some(viewer.user()),
        user_name: viewer.name().to_owned(),
        action: "sign-out".into(),
        camera: None,
        span: None,
        address: Some(peer.0),
        detail: String::new(),
    };
    let written = site.parts.writer.write(move |tx| {
        sessions::remove(tx, &hash)?;
        crate::index::audit::append(tx, &entry)
    });
    written.await.map(drop).map_err(|error| unavailable("the recorder could not sign you out; try again")(&error))
}
