//! What the cameras see now: the page, and one WebSocket a picture.

use std::pin::pin;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::access::{Right, Viewable, Viewer};
use crate::camera::status::Link;
use crate::media::live::{self, LiveItem, Stream, Subscription, Wanted};
use crate::units::CameraId;
use crate::web::frame::{Frame, Place, page as answer};
use crate::web::pause::PauseInWords;
use crate::web::refusal::Refusal;
use crate::web::site::{Peer, Site};
use crate::web::{gatekeeper, links, pause, words};

#[derive(Template)]
#[template(path = "live.html")]
pub(crate) struct LivePage {
    pub(crate) frame: Frame,
    pub(crate) cameras: Vec<Tile>,
    pub(crate) may_pause: bool,
    pub(crate) some_on: bool,
    pub(crate) some_off: bool,
}

/// One camera in the grid.
pub(crate) struct Tile {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) state: &'static str,
    pub(crate) words: &'static str,
    pub(crate) has_history: bool,
    pub(crate) pause: Option<PauseInWords>,
    /// Markup of our own.
    pub(crate) button: String,
}

/// `GET /`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
) -> Result<Response, Refusal> {
    let rights = site.rights(&viewer).await?;
    let (pauses, now) = (pause::all(&site).await?, site.parts.clock.now());
    let cameras = rights.into_iter().filter(|(_, rights)| rights.has(Right::Live)).filter_map(|(camera, rights)| {
        let entry = site.parts.board.get(&camera)?;
        let link = entry.main.borrow().link.clone();
        let pause = pauses.get(&camera).map(|pause| pause::in_words(pause, now));
        Some(Tile {
            url: links::camera(&camera),
            button: pause::button(&viewer, &camera, &entry.name, pause.is_some()),
            state: if pause.is_some() { Link::Paused.name() } else { link.name() },
            pause,
            id: camera.into(),
            name: entry.name,
            words: words::state(&link),
            has_history: rights.has(Right::History),
        })
    });
    let cameras: Vec<Tile> = cameras.collect();
    let page = LivePage {
        frame: Frame::inside(&site, &viewer, Place::Live, "Live").await?,
        may_pause: pause::lives_here(&viewer),
        some_on: cameras.iter().any(|tile| tile.pause.is_none()),
        some_off: cameras.iter().any(|tile| tile.pause.is_some()),
        cameras,
    };
    Ok(answer(StatusCode::OK, &page))
}

/// What is asked for.
#[derive(Deserialize)]
pub(crate) struct Which {
    stream: Option<String>,
    sound: Option<String>,
}

/// `GET /api/cameras/{id}/live?stream=main|sub&sound=0|1`.
pub(crate) async fn socket(
    State(site): State<Arc<Site>>,
    Extension(camera): Extension<Viewable<CameraId>>,
    Extension(peer): Extension<Peer>,
    Query(which): Query<Which>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    let stream = match which.stream.as_deref() {
        None | Some("main") => Stream::Main,
        Some("sub") => Stream::Sub,
        Some(_) => return Err(Refusal::Bad("stream is main or sub")),
    };
    let wanted = match which.sound.as_deref() {
        None | Some("0") => Wanted::Pictures,
        Some("1") => Wanted::PicturesAndSound,
        Some(_) => return Err(Refusal::Bad("sound is 0 or 1")),
    };
    site.note(camera.viewer(), peer, "live", camera.get(), None).await?;
    let subscribe = |stream| live::subscribe(&camera, &site.parts.rings, stream, wanted);
    let small_or_main = match stream {
        // A camera without a small stream shows its main one in the grid.
        Stream::Sub => subscribe(Stream::Sub).or_else(|| subscribe(Stream::Main)),
        Stream::Main => subscribe(Stream::Main),
    };
    let subscription = small_or_main.ok_or(Refusal::Unavailable("there is no picture of this camera right now"))?;
    Ok(upgrade.max_message_size(1024).on_upgrade(move |socket| show(site, camera, subscription, socket)))
}

/// Sends until the camera, the viewer or the household ends it.
async fn show(site: Arc<Site>, camera: Viewable<CameraId>, mut subscription: Subscription, mut socket: WebSocket) {
    let _counted = site.count_viewer();
    let mut revoked = pin!(gatekeeper::until_revoked(&site, &camera));
    let refusal = loop {
        let item = tokio::select! {
            biased;
            refusal = &mut revoked => break Some(refusal),
            said = socket.recv() => match said {
                // Viewers have nothing to say; pings are answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_))) => continue,
                _ => return,
            },
            item = subscription.next() => item,
        };
        let messages = match item {
            LiveItem::Parameters { codecs, has_sound, width, height, init } => {
                let words = json!({ "codecs": codecs, "sound": has_sound, "width": width, "height": height });
                let words = words.to_string();
                vec![Message::Text(words.into()), Message::Binary(init)]
            }
            LiveItem::Fragment(fragment) => vec![Message::Binary(fragment)],
            LiveItem::Ended => break None,
        };
        for message in messages {
            // A viewer that does not read must not outlive its right either.
            tokio::select! {
                biased;
                _ = &mut revoked => return,
                sent = socket.send(message) => if sent.is_err() { return },
            }
        }
    };
    let (code, reason) = match refusal {
        Some(_) => (close_code::POLICY, "sign in again"),
        None => (close_code::AWAY, "the camera is gone"),
    };
    let farewell = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    let _ = tokio::time::timeout(std::time::Duration::from_millis(500), socket.send(farewell)).await;
}
