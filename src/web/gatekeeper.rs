//! What stands before every handler: where the call comes from, what it was sent to, and whether the caller may.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, MatchedPath, RawPathParams, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::access::{Right, Role, Token, Viewable, Viewer};
use crate::index::events;
use crate::units::CameraId;
use crate::web::frame::{Frame, page};
use crate::web::hosts::{Acting, OwnAuthority, is_in_the_house, may_act};
use crate::web::message::MessagePage;
use crate::web::refusal::Refusal;
use crate::web::routes::{Audience, Kind};
use crate::web::sign_in::SignInPage;
use crate::web::site::{Peer, Site};
use crate::web::{cookie, headers};

/// The largest request body, in bytes.
pub(crate) const LARGEST_BODY: usize = 64 * 1024;

/// How long a handler may take until its answer begins, the caller's sending of the body included.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The outermost layer: for each request, of whatever route or none.
pub(crate) async fn guard(State(site): State<Arc<Site>>, mut request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("none".into(), |path| path.as_str().to_owned());
    let mut response = match judge(&site, &request) {
        Ok(peer) => {
            request.extensions_mut().insert(peer);
            match tokio::time::timeout(LONGEST_WAIT, next.run(request)).await {
                Ok(response) => response,
                Err(_) => Refusal::Unavailable("this took too long; try again").into_response(),
            }
        }
        Err(refused) => refused,
    };
    headers::add(response.headers_mut());
    site.requests.count(&route, response.status());
    tracing::debug!(%method, route, status = response.status().as_u16(), "answered");
    response
}

/// Whether this call is from the house, to this recorder, and not made by a page elsewhere.
#[expect(clippy::result_large_err, reason = "a refusal is an answer, made once a request")]
fn judge(site: &Site, request: &Request) -> Result<Peer, Response> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    let Some(peer) = peer.filter(|address| is_in_the_house(*address)) else {
        return Err(StatusCode::FORBIDDEN.into_response());
    };
    let hosts = site.parts.settings.borrow().web.hosts.clone();
    let Some(authority) = OwnAuthority::of(request.uri(), request.headers(), &hosts) else {
        return Err(StatusCode::MISDIRECTED_REQUEST.into_response());
    };
    let acting = acting(request.method(), request.uri().path(), request.headers());
    if !may_act(request.headers(), acting, &authority.origin(site.parts.over_tls)) {
        return Err(Refusal::Forbidden("this must come from the recorder's own pages").into_response());
    }
    Ok(Peer(peer.to_canonical()))
}

fn acting(method: &Method, path: &str, headers: &HeaderMap) -> Acting {
    let opens_socket = headers.contains_key(header::UPGRADE) || headers.contains_key("sec-websocket-key");
    if matches!(*method, Method::GET | Method::HEAD) && !opens_socket {
        Acting::No
    } else if headers.contains_key(header::AUTHORIZATION) {
        Acting::WithToken
    } else if *method == Method::POST && path == "/api/login" {
        Acting::ByJsonSignIn
    } else {
        Acting::WithCookie
    }
}

/// One route's gate.
#[derive(Clone)]
pub(crate) struct Gatekeeper {
    pub(crate) site: Arc<Site>,
    pub(crate) audience: Audience,
    pub(crate) kind: Kind,
}

/// Asks the gate, hands the proof to the handler, and puts refusals in the words that the route's kind needs.
pub(crate) async fn admit(
    State(keeper): State<Gatekeeper>,
    params: RawPathParams,
    mut request: Request,
    next: Next,
) -> Response {
    let wanted = request.uri().path_and_query().map_or("/", |wanted| wanted.as_str()).to_owned();
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    let response = match prove(&keeper, &params, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    match (keeper.kind, response.extensions().get::<Refusal>()) {
        (Kind::Page, Some(refusal)) => refusal_page(refusal, if is_get { &wanted } else { "/" }),
        _ => response,
    }
}

/// Puts the proof that the audience demands among the request's extensions. Handlers find no other way to one.
async fn prove(keeper: &Gatekeeper, params: &RawPathParams, request: &mut Request) -> Result<(), Refusal> {
    let param = |name: &str| params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    match keeper.audience {
        Audience::Anyone => {}
        Audience::SignedIn => {
            let viewer = viewer(&keeper.site, request.headers()).await?;
            request.extensions_mut().insert(viewer);
        }
        Audience::Owner => {
            let viewer = viewer(&keeper.site, request.headers()).await?;
            if viewer.role() != Role::Owner {
                return Err(Refusal::Forbidden("only an owner may do this"));
            }
            request.extensions_mut().insert(viewer);
        }
        Audience::Camera(right) => {
            let viewer = viewer(&keeper.site, request.headers()).await?;
            let camera = param("id").and_then(|id| id.parse().ok()).ok_or(Refusal::NotFound)?;
            let proof = viewable(&keeper.site, viewer, camera, right).await?;
            request.extensions_mut().insert(proof);
        }
        Audience::Event(right) => {
            let viewer = viewer(&keeper.site, request.headers()).await?;
            let id = param("event").and_then(|id| id.parse().ok()).ok_or(Refusal::NotFound)?;
            let row = keeper.site.parts.readers.read(move |connection| events::by_id(connection, id)).await;
            let row = row.map_err(|error| {
                tracing::error!(%error, "could not look up an event");
                Refusal::Unavailable("the recorder's database does not answer; try again in a moment")
            })?;
            let row = row.ok_or(Refusal::NotFound)?;
            let proof = viewable(&keeper.site, viewer, row.camera.clone(), right).await?;
            let camera_proof = proof.clone();
            request.extensions_mut().insert(proof.narrow(row)?);
            request.extensions_mut().insert(camera_proof);
        }
        Audience::LoopbackOrToken => {
            let is_loopback = request.extensions().get::<Peer>().is_some_and(|Peer(address)| address.is_loopback());
            if !is_loopback {
                let token = cookie::bearer(request.headers()).ok_or(Refusal::NotSignedIn)?;
                let viewer = holder(&keeper.site, token).await?;
                if viewer.role() != Role::Owner {
                    return Err(Refusal::Forbidden("only an owner's token may read this"));
                }
            }
        }
    }
    Ok(())
}

/// Who calls, by cookie or token. A token, if there is one, alone counts.
pub(crate) async fn viewer(site: &Site, headers: &HeaderMap) -> Result<Viewer, Refusal> {
    let token = if headers.contains_key(header::AUTHORIZATION) {
        cookie::bearer(headers)
    } else {
        cookie::read(headers, site.parts.over_tls)
    };
    holder(site, token.ok_or(Refusal::NotSignedIn)?).await
}

async fn holder(site: &Site, token: &str) -> Result<Viewer, Refusal> {
    let token: Token = token.parse().map_err(|_| Refusal::NotSignedIn)?;
    let gate = site.parts.gate.clone();
    site.blocking(move || gate.who(&token)).await
}

async fn viewable(site: &Site, viewer: Viewer, camera: CameraId, right: Right) -> Result<Viewable<CameraId>, Refusal> {
    let gate = site.parts.gate.clone();
    site.blocking(move || gate.viewable(&viewer, &camera, right)).await
}

/// Ends when the proof no longer holds: the session ended, the right was taken, or nobody can say.
pub(crate) async fn until_revoked(site: &Site, proof: &Viewable<CameraId>) -> Refusal {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let proof = proof.clone();
        if let Err(refusal) = site.blocking(move || proof.still_allowed()).await {
            return refusal;
        }
    }
}

/// For paths that no row has.
pub(crate) async fn nothing_here(request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/api/") || path.starts_with("/vod/") || path.starts_with("/static/") {
        Refusal::NotFound.into_response()
    } else {
        refusal_page(&Refusal::NotFound, "/")
    }
}

fn refusal_page(refusal: &Refusal, wanted: &str) -> Response {
    let (heading, text) = match refusal {
        Refusal::NotSignedIn => {
            let sign_in = SignInPage {
                frame: Frame::outside("Sign in"),
                next: wanted.to_owned(),
                user: String::new(),
                error: None,
            };
            return page(refusal.status(), &sign_in);
        }
        Refusal::NotFound => ("Nothing here", "There is no such page, or it is not for you.".to_owned()),
        Refusal::Unavailable(_) => ("Not now", crate::web::words::sentence(&refusal.sentence())),
        _ => ("That did not work", crate::web::words::sentence(&refusal.sentence())),
    };
    page(refusal.status(), &MessagePage { frame: Frame::outside(heading), heading, text })
}
