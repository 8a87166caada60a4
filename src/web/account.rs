//! One's own account: password, devices, access tokens, links.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::access::{Role, SessionKind, Token, TokenHash, Viewer};
use crate::index::sessions::{self, Listed};
use crate::index::{shares, users};
use crate::units::UtcMicros;
use crate::web::form::Form;
use crate::web::frame::{Frame, Place, page as answer};
use crate::web::refusal::Refusal;
use crate::web::site::{Peer, Site};
use crate::web::texts::{filters, key, say, say_with};
use crate::web::words::{self, Show};
use crate::web::{cookie, device, hashing, links};

/// How long an access token may hold, in days, with the words for it.
const TOKEN_LENGTHS: [(u64, &str); 3] = [(30, key("a month")), (365, key("a year")), (3650, key("ten years"))];
/// Access tokens that one person may have: more are a script gone wild.
const MOST_TOKENS: usize = 50;

#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct AccountPage {
    pub(crate) frame: Frame,
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) is_owner: bool,
    pub(crate) error: Option<String>,
    pub(crate) said: Option<&'static str>,
    pub(crate) devices: Vec<Device>,
    pub(crate) tokens: Vec<Device>,
    pub(crate) links: Vec<SharedLink>,
    pub(crate) lengths: [(u64, &'static str); 3],
}

/// A browser that is signed in, or a program's token. What ends in `|safe` in the template is a `<time>` element of our own.
pub(crate) struct Device {
    pub(crate) handle: String,
    pub(crate) label: String,
    pub(crate) since: String,
    pub(crate) until: String,
    pub(crate) address: Option<String>,
    pub(crate) is_this: bool,
}

/// A link that was handed on.
pub(crate) struct SharedLink {
    pub(crate) handle: String,
    pub(crate) camera: String,
    pub(crate) from: String,
    pub(crate) until: String,
}

/// The page that shows a new secret, once.
#[derive(Template)]
#[template(path = "shown_once.html")]
pub(crate) struct ShownOnce {
    pub(crate) frame: Frame,
    pub(crate) heading: &'static str,
    pub(crate) lead: String,
    pub(crate) text: String,
    pub(crate) back: String,
}

/// `GET /account`.
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
    error: Option<&Refusal>,
    said: Option<&'static str>,
) -> Result<Response, Refusal> {
    let (user, now) = (viewer.user(), site.parts.clock.now());
    let (sessions, shared) =
        site.read(move |conn| Ok((sessions::of_user(conn, user)?, shares::of_user(conn, user, now)?))).await?;
    let of_kind = |kind| {
        let mut listed: Vec<_> = sessions.iter().filter(|one| one.kind == kind && one.expires > now).collect();
        listed.sort_by_key(|one| std::cmp::Reverse(one.created));
        listed.into_iter().map(|one| in_words(one, viewer.session(), now)).collect()
    };
    let links = shared.iter().map(|(hash, row)| SharedLink {
        handle: hash.handle(),
        camera: site.parts.board.name(&row.camera),
        from: words::time(row.span.start(), Show::Full, now),
        until: words::time(row.expires, Show::Full, now),
    });
    let page = AccountPage {
        frame: Frame::inside(site, viewer, Place::Account, say("Your account")).await?,
        name: viewer.name().to_owned(),
        role: words::role(viewer.role()),
        is_owner: viewer.role() == Role::Owner,
        error: error.map(|error| words::sentence(&error.sentence())),
        said,
        devices: of_kind(SessionKind::Cookie),
        tokens: of_kind(SessionKind::Api),
        links: links.collect(),
        lengths: TOKEN_LENGTHS.map(|(days, words)| (days, say(words))),
    };
    Ok(answer(status, &page))
}

/// One session as its user's list says it.
pub(crate) fn in_words(one: &Listed, own: &TokenHash, now: UtcMicros) -> Device {
    Device {
        handle: one.hash.handle(),
        // A program's token is called what its owner wrote.
        label: if one.kind == SessionKind::Cookie { device::translated(&one.label) } else { one.label.clone() },
        since: words::time(one.created, Show::Full, now),
        until: words::time(one.expires, Show::Day, now),
        address: one.address.clone(),
        is_this: one.hash == *own,
    }
}

/// `POST /account/password`: ends every other session, token and link of this user.
pub(crate) async fn password(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Refusal> {
    match change_password(&site, &viewer, peer, &form, &device::label(&headers)).await {
        Ok(token) => {
            // Only this browser goes on, with a new session: what the old cookie opened is closed.
            let cookie = [(SET_COOKIE, cookie::set(&token, site.parts.over_tls))];
            Ok((StatusCode::SEE_OTHER, [(LOCATION, links::ACCOUNT)], cookie).into_response())
        }
        Err(refusal @ (Refusal::Bad(_) | Refusal::WrongPassword | Refusal::TooMany(_))) => {
            let refusal = match refusal {
                Refusal::WrongPassword => Refusal::Bad("the password you have now was typed wrong"),
                other => other,
            };
            show(&site, &viewer, refusal.status(), Some(&refusal), None).await
        }
        Err(refusal) => Err(refusal),
    }
}

async fn change_password(
    site: &Site,
    viewer: &Viewer,
    peer: Peer,
    form: &Form,
    label: &str,
) -> Result<String, Refusal> {
    let user = viewer.user();
    site.throttles.begin(viewer.name(), peer, &site.parts.clock)?;
    let row = site.read(move |conn| users::by_id(conn, user)).await?;
    if hashing::verify(site, row.as_ref(), form.secret("current")).await?.is_none() {
        return Err(Refusal::WrongPassword);
    }
    site.throttles.succeeded(viewer.name(), peer);
    let hash = hashing::hash(site, form.secret("new")).await?;
    let token = Token::from_random(hashing::random()?);
    let (session, label) = (token.hash(), label.to_owned());
    let entry = site.entry(viewer, peer, "password", String::new());
    let now = entry.at;
    site.change(entry, move |tx| {
        users::set_password(tx, user, &hash)?;
        let expires = now.plus(cookie::SESSION_LENGTH);
        sessions::insert(tx, &session, user, now, expires, SessionKind::Cookie)?;
        sessions::describe(tx, &session, &label, Some(peer.0))
    })
    .await?;
    Ok(token.expose())
}

/// `POST /account/sessions`: signs one of one's own devices out, takes a token back, or ends everything but this.
pub(crate) async fn end_session(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    form: Form,
) -> Result<Response, Refusal> {
    let (user, own) = (viewer.user(), *viewer.session());
    if form.has("others") {
        let entry = site.entry(&viewer, peer, "sign-out-others", String::new());
        site.change(entry, move |tx| sessions::remove_others(tx, user, &own)).await?;
    } else {
        let handle = form.get("handle").to_owned();
        let listed = site.read(move |conn| sessions::of_user(conn, user)).await?;
        // Looked for among one's own only: nobody ends another's by a handle.
        let found = listed.into_iter().find(|one| one.hash.handle() == handle).ok_or(Refusal::NotFound)?;
        let entry = site.entry(&viewer, peer, "session-ended", found.label.clone());
        site.change(entry, move |tx| sessions::remove(tx, &found.hash)).await?;
    }
    Ok((StatusCode::SEE_OTHER, [(LOCATION, links::ACCOUNT)]).into_response())
}

/// `POST /account/tokens`: makes an access token and shows it once.
pub(crate) async fn make_token(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    form: Form,
) -> Result<Response, Refusal> {
    let label = form.get("label").trim().to_owned();
    let days = form.get("days").parse::<u64>().ok().filter(|days| TOKEN_LENGTHS.iter().any(|(known, _)| known == days));
    let user = viewer.user();
    let has = site.read(move |conn| sessions::of_user(conn, user)).await?;
    let refused = if label.is_empty() || label.chars().count() > 64 || label.chars().any(char::is_control) {
        Some(Refusal::Bad("name the program that will use the token, in at most 64 characters"))
    } else if has.iter().filter(|one| one.kind == SessionKind::Api).count() >= MOST_TOKENS {
        Some(Refusal::Bad("you have 50 tokens already; take one back first"))
    } else {
        None
    };
    if let Some(refusal) = refused {
        return show(&site, &viewer, refusal.status(), Some(&refusal), None).await;
    }
    let token = Token::from_random(hashing::random()?);
    let hash = token.hash();
    let lead = say_with(
        "For {program}. Copy it now: it is not shown again. Whoever has it may do what you may do.",
        &[("program", &label)],
    );
    let entry = site.entry(&viewer, peer, "token-made", label.clone());
    let (now, length) = (entry.at, Duration::from_secs(days.unwrap_or(365) * 86_400));
    site.change(entry, move |tx| {
        sessions::insert(tx, &hash, user, now, now.plus(length), SessionKind::Api)?;
        sessions::describe(tx, &hash, &label, Some(peer.0))
    })
    .await?;
    let page = ShownOnce {
        frame: Frame::inside(&site, &viewer, Place::Account, say("A new access token")).await?,
        heading: say("A new access token"),
        lead,
        text: token.expose(),
        back: links::ACCOUNT.to_owned(),
    };
    Ok(answer(StatusCode::OK, &page))
}

/// `POST /account/links`: takes a link back.
pub(crate) async fn take_back(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    form: Form,
) -> Result<Response, Refusal> {
    let handle = form.get("handle").to_owned();
    let (user, now) = (viewer.user(), site.parts.clock.now());
    let listed = site.read(move |conn| shares::of_user(conn, user, now)).await?;
    let found = listed.into_iter().find(|(hash, _)| hash.handle() == handle).ok_or(Refusal::NotFound)?;
    let (hash, row) = found;
    let entry = site.entry(&viewer, peer, "share-ended", String::new());
    let entry = crate::index::audit::Entry { camera: Some(row.camera), span: Some(row.span), ..entry };
    site.change(entry, move |tx| shares::remove(tx, &hash, user)).await?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, links::ACCOUNT)]).into_response())
}
