//! Links that show one stretch of one camera to whoever has them: made, opened, played.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::access::{ShareRow, Token, Viewable};
use crate::index::audit::Entry;
use crate::index::shares;
use crate::media::clip;
use crate::units::CameraId;
use crate::web::account::ShownOnce;
use crate::web::clips::{self, refused};
use crate::web::day::span;
use crate::web::form::Form;
use crate::web::frame::{Frame, Place, page as answer};
use crate::web::gatekeeper::OwnOrigin;
use crate::web::refusal::Refusal;
use crate::web::site::{Peer, Site};
use crate::web::texts::{filters, say, say_with};
use crate::web::words::{self, Show};
use crate::web::{hashing, links};

/// How long a link may hold, in hours.
const LENGTHS: [u64; 3] = [24, 7 * 24, 30 * 24];
/// Links of one person that hold at the same time.
const MOST: usize = 100;

#[derive(Template)]
#[template(path = "shared.html")]
pub(crate) struct SharedPage {
    pub(crate) frame: Frame,
    pub(crate) camera: String,
    pub(crate) start: String,
    pub(crate) length: String,
    pub(crate) by: String,
    pub(crate) until: String,
    pub(crate) clip: String,
}

/// `POST /cameras/{id}/share`: makes a link and shows it once.
pub(crate) async fn make(
    State(site): State<Arc<Site>>,
    Extension(camera): Extension<Viewable<CameraId>>,
    Extension(peer): Extension<Peer>,
    Extension(OwnOrigin(origin)): Extension<OwnOrigin>,
    form: Form,
) -> Result<Response, Refusal> {
    let viewer = camera.viewer();
    let number = |name: &str| form.get(name).parse::<f64>().map_err(|_| Refusal::Bad("from when to when?"));
    let span = span(number("start")?, number("end")?)?;
    if span.length() > clip::MAX_LENGTH || span.length() < Duration::from_secs(1) {
        return Err(Refusal::Bad("a link shows from one second to 24 hours"));
    }
    let hours = form.get("hours").parse().ok().filter(|hours| LENGTHS.contains(hours)).unwrap_or(LENGTHS[0]);
    let (user, now) = (viewer.user(), site.parts.clock.now());
    if site.read(move |conn| shares::of_user(conn, user, now)).await?.len() >= MOST {
        return Err(Refusal::Bad("you have 100 links that still hold; take one back on your account's page first"));
    }
    let token = Token::from_random(hashing::random()?);
    let (hash, id) = (token.hash(), camera.get().clone());
    let entry = site.entry(viewer, peer, "share", String::new());
    let (now, expires) = (entry.at, entry.at.plus(Duration::from_secs(hours * 3600)));
    let entry = Entry { camera: Some(id.clone()), span: Some(span), ..entry };
    site.change(entry, move |tx| shares::insert(tx, &hash, user, &id, span, (now, expires))).await?;
    let name = site.parts.board.name(camera.get());
    let page = ShownOnce {
        frame: Frame::inside(&site, viewer, Place::Events, say("A new link")).await?,
        heading: say("A new link"),
        lead: say_with(
            "It shows {length} of {camera} to whoever opens it within your home network, for {holds}. Copy it now: it is \
             not shown again. You can take it back on your account's page.",
            &[
                ("length", &words::length(span.length())),
                ("camera", &name),
                ("holds", &words::length(Duration::from_secs(hours * 3600))),
            ],
        ),
        text: format!("{origin}{}", links::shared(&token.expose())),
        back: links::ACCOUNT.to_owned(),
    };
    Ok(answer(StatusCode::OK, &page))
}

/// `GET /shared/{link}`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Extension(shared): Extension<Viewable<ShareRow>>,
    Extension(LinkText(link)): Extension<LinkText>,
) -> Response {
    let (row, now) = (shared.get(), site.parts.clock.now());
    let page = SharedPage {
        frame: Frame::outside(say("Shared with you")),
        camera: site.parts.board.name(&row.camera),
        start: words::time(row.span.start(), Show::Full, now),
        length: words::length(row.span.length()),
        by: row.by_name.clone(),
        until: words::time(row.expires, Show::Full, now),
        clip: format!("{}/clip.mp4", links::shared(&link)),
    };
    answer(StatusCode::OK, &page)
}

/// The link as it was opened, for the page's own addresses; the gate knew it a moment ago.
#[derive(Clone)]
pub(crate) struct LinkText(pub(crate) String);

/// `GET /shared/{link}/clip.mp4`.
pub(crate) async fn play(
    State(site): State<Arc<Site>>,
    Extension(shared): Extension<Viewable<ShareRow>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let row = shared.get();
    site.note(shared.viewer(), peer, "shared-clip", &row.camera, Some(row.span)).await?;
    let parts = &site.parts;
    let file = clip::open_shared(&shared, &parts.readers, &parts.footage, &parts.open).await.map_err(refused)?;
    Ok(clips::answer(&file, "video/mp4", &headers))
}
