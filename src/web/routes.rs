//! The table of routes: each row says who may knock at it, and nobody else gets as far as its handler.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::access::Right;
use crate::web::site::Site;
use crate::web::{
    account, activity, adopt, assets, cameras, claim, clips, day, event, events, gatekeeper, health, keeping, live, me,
    metrics, motion, pause, people, person, previews, several, share, sign_in, texts, timeline, trust, tuner,
};

/// Who a route is for. There is no default: a row without one does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everybody in the house, signed in or not: only what says nothing about it.
    Anyone,
    /// Everybody who is signed in.
    SignedIn,
    /// Who has this right on the camera `{id}`. Anybody else: 404.
    Camera(Right),
    /// Who has this right on the camera of the event `{event}`. Anybody else: 404.
    Event(Right),
    /// Who lives here and has any right on the camera `{id}`. Guests who have one: 403; anybody else: 404.
    Resident,
    /// Owners who have any right on the camera `{id}`. Others who have one: 403; anybody else: 404.
    OwnerOf,
    /// Who has the link `{link}`, signed in or not.
    Link,
    /// Owners.
    Owner,
    /// This machine itself, or an owner's token.
    LoopbackOrToken,
}

/// What a route answers with, which decides how a refusal is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// HTML for people, and their forms: what changes something is for browsers, never for a program's token.
    Page,
    /// JSON, pictures and everything else for programs.
    Data,
}

/// One row.
#[derive(Clone)]
pub struct Route {
    /// By which method; `GET` includes `HEAD`.
    pub method: Method,
    /// The path, with `{id}` for a camera and `{event}` for an event.
    pub path: &'static str,
    /// For whom.
    pub audience: Audience,
    /// How a refusal is put.
    pub kind: Kind,
    handler: MethodRouter<Arc<Site>>,
}

impl Route {
    fn new<T: 'static>(
        method: Method,
        path: &'static str,
        audience: Audience,
        kind: Kind,
        handler: impl Handler<T, Arc<Site>>,
    ) -> Self {
        let filter = MethodFilter::try_from(method.clone()).expect("the table holds methods of HTTP/1.1 only");
        Self { method, path, audience, kind, handler: on(filter, handler) }
    }
}

/// Every route there is.
pub fn table() -> Vec<Route> {
    use Audience::{Anyone, Camera, Event, Link, LoopbackOrToken, Owner, OwnerOf, Resident, SignedIn};
    use Kind::{Data, Page};
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    vec![
        // Before anybody is signed in.
        Route::new(get.clone(), "/static/{hash}/{name}", Anyone, Data, assets::file),
        Route::new(get.clone(), "/sign-in", Anyone, Page, sign_in::page),
        Route::new(post.clone(), "/sign-in", Anyone, Page, sign_in::by_form),
        Route::new(get.clone(), "/sign-in/{token}", Anyone, Page, sign_in::link_page),
        Route::new(post.clone(), "/sign-in/{token}", Anyone, Page, sign_in::by_link),
        Route::new(post.clone(), "/api/login", Anyone, Data, sign_in::by_json),
        Route::new(get.clone(), "/claim", Anyone, Page, claim::page),
        Route::new(post.clone(), "/claim", Anyone, Page, claim::by_form),
        Route::new(get.clone(), "/trust", Anyone, Page, trust::page),
        Route::new(get.clone(), "/trust/{name}", Anyone, Data, trust::file),
        Route::new(get.clone(), "/shared/{link}", Link, Page, share::page),
        Route::new(get.clone(), "/shared/{link}/clip.mp4", Link, Data, share::play),
        Route::new(get.clone(), "/api/health", Anyone, Data, health::health),
        Route::new(get.clone(), "/metrics", LoopbackOrToken, Data, metrics::metrics),
        // Oneself.
        Route::new(post.clone(), "/sign-out", SignedIn, Page, sign_in::sign_out),
        Route::new(post.clone(), "/api/logout", SignedIn, Data, sign_in::logout),
        Route::new(get.clone(), "/api/me", SignedIn, Data, me::me),
        Route::new(get.clone(), "/account", SignedIn, Page, account::page),
        Route::new(post.clone(), "/account/password", SignedIn, Page, account::password),
        Route::new(post.clone(), "/account/sessions", SignedIn, Page, account::end_session),
        Route::new(post.clone(), "/account/tokens", SignedIn, Page, account::make_token),
        Route::new(post.clone(), "/account/links", SignedIn, Page, account::take_back),
        // Others.
        Route::new(get.clone(), "/people", Owner, Page, people::page),
        Route::new(post.clone(), "/people", Owner, Page, people::add),
        Route::new(get.clone(), "/people/{user}", Owner, Page, person::page),
        Route::new(post.clone(), "/people/{user}", Owner, Page, person::save),
        Route::new(post.clone(), "/people/{user}/password", Owner, Page, person::password),
        Route::new(post.clone(), "/people/{user}/sign-out", Owner, Page, person::sign_out),
        Route::new(post.clone(), "/people/{user}/remove", Owner, Page, person::remove),
        // Switching cameras off and on, and handing a stretch of one on.
        Route::new(post.clone(), "/pause", SignedIn, Page, pause::everything),
        Route::new(post.clone(), "/resume", SignedIn, Page, pause::resume_everything),
        Route::new(post.clone(), "/cameras/{id}/pause", Resident, Page, pause::one),
        Route::new(post.clone(), "/cameras/{id}/resume", Resident, Page, pause::resume_one),
        Route::new(get.clone(), "/cameras/{id}/motion", OwnerOf, Page, motion::page),
        Route::new(post.clone(), "/cameras/{id}/motion", OwnerOf, Page, motion::save),
        Route::new(post.clone(), "/cameras/{id}/motion/trial", OwnerOf, Data, tuner::run),
        Route::new(post.clone(), "/cameras/{id}/share", Camera(Right::Export), Page, share::make),
        // Pages; what they list is only what the viewer may see.
        Route::new(get.clone(), "/", SignedIn, Page, live::page),
        Route::new(get.clone(), "/timeline", SignedIn, Page, timeline::page),
        Route::new(get.clone(), "/cameras", SignedIn, Page, cameras::page),
        Route::new(get.clone(), "/cameras/{id}", Camera(Right::History), Page, day::page),
        Route::new(get.clone(), "/events", SignedIn, Page, events::page),
        Route::new(post.clone(), "/events", SignedIn, Page, several::change),
        Route::new(get.clone(), "/events/{event}", Event(Right::History), Page, event::page),
        Route::new(get.clone(), "/activity", SignedIn, Page, activity::page),
        Route::new(get.clone(), "/storage", Owner, Page, keeping::page),
        Route::new(post.clone(), "/storage", Owner, Page, keeping::save),
        // Taking cameras in.
        Route::new(get.clone(), "/adopt", Owner, Page, adopt::page),
        Route::new(post.clone(), "/adopt", Owner, Page, adopt::try_out),
        Route::new(post.clone(), "/adopt/again", Owner, Page, adopt::again),
        Route::new(post, "/adopt/{trial}", Owner, Page, adopt::add),
        Route::new(get.clone(), "/adopt/{trial}/picture.jpg", Owner, Data, adopt::picture),
        // Cameras.
        Route::new(get.clone(), "/api/cameras", SignedIn, Data, cameras::list),
        Route::new(get.clone(), "/api/cameras/{id}/snapshot.jpg", Camera(Right::Live), Data, cameras::snapshot),
        Route::new(get.clone(), "/api/cameras/{id}/live", Camera(Right::Live), Data, live::socket),
        Route::new(get.clone(), "/api/cameras/{id}/recordings", Camera(Right::History), Data, day::recordings),
        Route::new(get.clone(), "/api/cameras/{id}/clip.mp4", Camera(Right::Export), Data, clips::of_span),
        Route::new(get.clone(), "/api/cameras/{id}/moment.mp4", Camera(Right::History), Data, clips::of_moment),
        Route::new(get.clone(), "/api/cameras/{id}/previews", Camera(Right::History), Data, previews::sheet),
        Route::new(get.clone(), "/vod/{id}/start/{a}/end/{b}/{file}", Camera(Right::History), Data, clips::vod),
        // Events.
        Route::new(get.clone(), "/api/events", SignedIn, Data, events::list),
        Route::new(get.clone(), "/api/events/{event}", Event(Right::History), Data, event::get),
        Route::new(put.clone(), "/api/events/{event}", Event(Right::Delete), Data, event::put),
        Route::new(put, "/api/events/{event}/seen", Event(Right::History), Data, several::seen),
        Route::new(delete, "/api/events/{event}", Event(Right::Delete), Data, event::delete),
        Route::new(get.clone(), "/api/events/{event}/thumbnail.jpg", Event(Right::History), Data, event::thumbnail),
        Route::new(get.clone(), "/api/events/{event}/preview.jpg", Event(Right::History), Data, event::preview),
        Route::new(get.clone(), "/api/events/{event}/clip.mp4", Event(Right::History), Data, clips::of_event),
        // Who looked.
        Route::new(get, "/api/audit", SignedIn, Data, activity::list),
    ]
}

/// The site's router. Serve it with `into_make_service_with_connect_info::<SocketAddr>()`: a request whose peer is unknown
/// is refused.
pub fn router(site: Arc<Site>) -> Router {
    let mut router = Router::new();
    for route in table() {
        let gate = gatekeeper::Gatekeeper { site: Arc::clone(&site), audience: route.audience, kind: route.kind };
        let handler = route.handler.route_layer(axum::middleware::from_fn_with_state(gate, gatekeeper::admit));
        router = router.route(route.path, handler);
    }
    router
        .fallback(gatekeeper::nothing_here)
        .layer(axum::extract::DefaultBodyLimit::max(gatekeeper::LARGEST_BODY))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&site), gatekeeper::guard))
        .layer(axum::middleware::from_fn(texts::in_the_readers_language))
        .with_state(site)
}
