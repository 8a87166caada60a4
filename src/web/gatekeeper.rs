//! What stands before every handler: where the call comes from, what it was sent to, and whether the caller may.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, MatchedPath, RawPathParams, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::access::{Pass, Right, Role, SessionKind, Token, Viewable, Viewer};
use crate::index::events;
use crate::units::CameraId;
use crate::web::forwarded::{Call, is_forwarded};
use crate::web::frame::{Frame, page};
use crate::web::hosts::{Acting, OwnAuthority, is_in_the_house, may_act};
use crate::web::message::MessagePage;
use crate::web::refusal::Refusal;
use crate::web::routes::{Audience, Kind};
use crate::web::share::LinkText;
use crate::web::sign_in::SignInPage;
use crate::web::site::{Peer, Site};
use crate::web::texts::say;
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
        Ok((peer, origin)) => {
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(origin);
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
fn judge(site: &Site, request: &Request) -> Result<(Peer, OwnOrigin), Response> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    let web = site.parts.settings.borrow().web.clone();
    let call = peer.and_then(|peer| Call::of(peer, request.headers(), &web.proxies, site.parts.over_tls));
    let Some(call) = call.filter(|call| is_in_the_house(call.from)) else {
        return Err(StatusCode::FORBIDDEN.into_response());
    };
    let Some(authority) = OwnAuthority::of(request.uri(), request.headers(), call.host.as_deref(), &web.hosts) else {
        return Err(StatusCode::MISDIRECTED_REQUEST.into_response());
    };
    let acting = acting(request.method(), request.uri().path(), request.headers());
    let origin = authority.origin(call.over_tls);
    if !may_act(request.headers(), acting, &origin) {
        return Err(Refusal::Forbidden("this must come from the recorder's own pages").into_response());
    }
    Ok((Peer(call.from.to_canonical()), OwnOrigin(origin)))
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

/// What this recorder is called by this request, as an origin; for links that are handed on.
#[derive(Debug, Clone)]
pub(crate) struct OwnOrigin(pub(crate) String);

/// A camera on which the viewer has some right, and lives here; no proof of any, so no pictures come of it.
#[derive(Debug, Clone)]
pub(crate) struct OwnCamera(pub(crate) CameraId);

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
        Err(Refusal::NotSignedIn) if keeper.kind == Kind::Page && is_new(&keeper.site).await => {
            return (StatusCode::SEE_OTHER, [(header::LOCATION, crate::web::links::CLAIM)]).into_response();
        }
        Err(refusal) => refusal.into_response(),
    };
    match (keeper.kind, response.extensions().get::<Refusal>()) {
        (Kind::Page, Some(refusal)) => {
            let outside = Frame::at_the_door(&keeper.site, say("Sign in"));
            refusal_page(refusal, outside, if is_get { &wanted } else { "/" })
        }
        _ => response,
    }
}

/// Whether nobody owns this recorder yet, so that nobody could sign in either.
async fn is_new(site: &Site) -> bool {
    crate::web::claim::is_open(site).await.unwrap_or(false)
}

/// Puts the proof that the audience demands among the request's extensions. Handlers find no other way to one.
async fn prove(keeper: &Gatekeeper, params: &RawPathParams, request: &mut Request) -> Result<(), Refusal> {
    let param = |name: &str| params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    let knock = (request.extensions().get::<Peer>().copied(), request.uri().path().to_owned());
    match keeper.audience {
        Audience::Anyone => {}
        Audience::SignedIn => {
            let viewer = caller(keeper, request.method(), request.headers()).await?;
            request.extensions_mut().insert(viewer);
        }
        Audience::Owner => {
            let viewer = caller(keeper, request.method(), request.headers()).await?;
            if viewer.role() != Role::Owner {
                return Err(Refusal::Forbidden("only an owner may do this"));
            }
            request.extensions_mut().insert(viewer);
        }
        Audience::Camera(right) => {
            let viewer = caller(keeper, request.method(), request.headers()).await?;
            let camera: Option<CameraId> = param("id").and_then(|id| id.parse().ok());
            let proof = match camera.clone() {
                Some(camera) => viewable(&keeper.site, viewer.clone(), camera, right).await,
                None => Err(Refusal::NotFound),
            };
            let proof = told(keeper, &knock, proof, &viewer, camera).await?;
            request.extensions_mut().insert(proof);
        }
        Audience::Event(right) => {
            let viewer = caller(keeper, request.method(), request.headers()).await?;
            let row = match param("event").and_then(|id| id.parse().ok()) {
                Some(id) => keeper.site.read(move |connection| events::by_id(connection, id)).await?,
                None => None,
            };
            // What never was is asked about too, so that it takes as long as what is another's.
            let nowhere = || "no-such-camera".parse().ok();
            let camera = row.as_ref().map(|row| row.camera.clone());
            let proof = match camera.clone().or_else(nowhere) {
                Some(camera) => viewable(&keeper.site, viewer.clone(), camera, right).await,
                None => Err(Refusal::NotFound),
            };
            let (proof, row) = match (proof, row) {
                (Ok(proof), Some(row)) => (Ok(proof), Some(row)),
                (Ok(_), None) => (Err(Refusal::NotFound), None),
                (Err(refusal), row) => (Err(refusal), row),
            };
            let proof = told(keeper, &knock, proof, &viewer, camera).await?;
            let row = row.ok_or(Refusal::NotFound)?;
            let camera_proof = proof.clone();
            request.extensions_mut().insert(proof.narrow(row)?);
            request.extensions_mut().insert(camera_proof);
        }
        Audience::Resident | Audience::OwnerOf => {
            let viewer = caller(keeper, request.method(), request.headers()).await?;
            let camera: Option<CameraId> = param("id").and_then(|id| id.parse().ok());
            let rights = keeper.site.rights(&viewer).await?;
            let own = camera.clone().filter(|camera| rights.iter().any(|(id, rights)| id == camera && rights.any()));
            let own = told(keeper, &knock, own.ok_or(Refusal::NotFound), &viewer, camera).await?;
            if keeper.audience == Audience::OwnerOf && viewer.role() != Role::Owner {
                return Err(Refusal::Forbidden("only an owner may do this"));
            }
            if !crate::web::pause::lives_here(&viewer) {
                return Err(Refusal::Forbidden("only who lives here switches cameras off and on"));
            }
            request.extensions_mut().insert(OwnCamera(own));
            request.extensions_mut().insert(viewer);
        }
        Audience::Link => {
            let text = param("link").unwrap_or_default();
            let link: Token = text.parse().map_err(|_| Refusal::NotFound)?;
            let gate = keeper.site.parts.gate.clone();
            let shared = keeper.site.blocking(move || gate.shared(&link)).await?;
            request.extensions_mut().insert(shared);
            request.extensions_mut().insert(LinkText(text));
        }
        Audience::LoopbackOrToken => {
            let is_loopback = request.extensions().get::<Peer>().is_some_and(|Peer(address)| address.is_loopback())
                && !is_forwarded(request.headers());
            if !is_loopback {
                let token = cookie::bearer(request.headers()).ok_or(Refusal::NotSignedIn)?;
                let viewer = holder(&keeper.site, token, SessionKind::Api).await?;
                if viewer.role() != Role::Owner {
                    return Err(Refusal::Forbidden("only an owner's token may read this"));
                }
            }
        }
    }
    Ok(())
}

/// What was found, after it was written down if it is a refusal of what somebody signed in asked for.
async fn told<T>(
    keeper: &Gatekeeper,
    (peer, path): &(Option<Peer>, String),
    found: Result<T, Refusal>,
    viewer: &Viewer,
    camera: Option<CameraId>,
) -> Result<T, Refusal> {
    if found.as_ref().err() == Some(&Refusal::NotFound) {
        keeper.site.note_refusal(viewer, peer.ok_or(Refusal::NotFound)?, camera, path).await?;
    }
    found
}

/// Who calls this route. What a page changes, only somebody at a browser changes: an access token that got into wrong hands
/// must not make itself another one, let people in, or put another camera in a camera's place.
async fn caller(keeper: &Gatekeeper, method: &Method, headers: &HeaderMap) -> Result<Viewer, Refusal> {
    let viewer = viewer(&keeper.site, headers).await?;
    let acts = !matches!(*method, Method::GET | Method::HEAD);
    if acts && keeper.kind == Kind::Page && viewer.pass() != Pass::Session(SessionKind::Cookie) {
        return Err(Refusal::Forbidden("an access token changes nothing here; sign in with a browser"));
    }
    Ok(viewer)
}

/// Who calls, by cookie or token. A token, if there is one, alone counts; and neither is taken for the other.
pub(crate) async fn viewer(site: &Site, headers: &HeaderMap) -> Result<Viewer, Refusal> {
    let (token, kind) = if headers.contains_key(header::AUTHORIZATION) {
        (cookie::bearer(headers), SessionKind::Api)
    } else {
        (cookie::read(headers, site.parts.over_tls), SessionKind::Cookie)
    };
    holder(site, token.ok_or(Refusal::NotSignedIn)?, kind).await
}

async fn holder(site: &Site, token: &str, kind: SessionKind) -> Result<Viewer, Refusal> {
    let token: Token = token.parse().map_err(|_| Refusal::NotSignedIn)?;
    let gate = site.parts.gate.clone();
    let viewer = site.blocking(move || gate.who(&token)).await?;
    if viewer.pass() == Pass::Session(kind) { Ok(viewer) } else { Err(Refusal::NotSignedIn) }
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
        refusal_page(&Refusal::NotFound, Frame::outside(say("Nothing here")), "/")
    }
}

fn refusal_page(refusal: &Refusal, frame: Frame, wanted: &str) -> Response {
    let (heading, text) = match refusal {
        Refusal::NotSignedIn => {
            let sign_in = SignInPage { frame, next: wanted.to_owned(), user: String::new(), error: None };
            return page(refusal.status(), &sign_in);
        }
        Refusal::NotFound => (say("Nothing here"), say("There is no such page, or it is not for you.").to_owned()),
        Refusal::Unavailable(_) => (say("Not now"), crate::web::words::sentence(&refusal.sentence())),
        _ => (say("That did not work"), crate::web::words::sentence(&refusal.sentence())),
    };
    page(refusal.status(), &MessagePage { frame: Frame::outside(heading), heading, text })
}
