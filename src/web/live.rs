//! What the cameras see now: the page, and one WebSocket a picture.

use std::pin::pin;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt as _;
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
use crate::web::texts::{filters, say};
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
            state: if pause.is_some() { Link::PAUSED } else { link.name() },
            pause,
            id: camera.into(),
            name: entry.name,
            words: words::state(&link),
            has_history: rights.has(Right::History),
        })
    });
    let cameras: Vec<Tile> = cameras.collect();
    let page = LivePage {
        frame: Frame::inside(&site, &viewer, Place::Live, say("Live")).await?,
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

/// The most that goes out in one piece, in bytes.
const LARGEST_PIECE: usize = 1 << 20;

/// What waits already goes out in one piece with the first: a player shows the newest picture of a group sooner than if it had
/// to take in one after the other. Also the first item that is no picture.
fn with_what_waits(first: Bytes, subscription: &mut Subscription) -> (Bytes, Option<LiveItem>) {
    let mut pieces = vec![first];
    let mut size = pieces[0].len();
    let mut further = None;
    while size < LARGEST_PIECE {
        match subscription.next().now_or_never() {
            Some(LiveItem::Fragment(fragment)) => {
                size += fragment.len();
                pieces.push(fragment);
            }
            other => {
                further = other;
                break;
            }
        }
    }
    // One alone, as a rule: it is shared among all viewers and not copied.
    let joined = if pieces.len() == 1 { pieces.swap_remove(0) } else { pieces.concat().into() };
    (joined, further)
}

/// Sends until the camera, the viewer or the household ends it.
async fn show(site: Arc<Site>, camera: Viewable<CameraId>, mut subscription: Subscription, mut socket: WebSocket) {
    let _counted = site.count_viewer();
    let mut revoked = pin!(gatekeeper::until_revoked(&site, &camera));
    let mut waiting = None;
    let refusal = loop {
        let item = tokio::select! {
            biased;
            refusal = &mut revoked => break Some(refusal),
            said = socket.recv() => match said {
                // Viewers have nothing to say; pings are answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_))) => continue,
                _ => return,
            },
            item = async { match waiting.take() { Some(item) => item, None => subscription.next().await } } => item,
        };
        let messages = match item {
            LiveItem::Parameters { codecs, has_sound, width, height, init } => {
                let words = json!({ "codecs": codecs, "sound": has_sound, "width": width, "height": height });
                let words = words.to_string();
                vec![Message::Text(words.into()), Message::Binary(init)]
            }
            LiveItem::Fragment(first) => {
                let (joined, next) = with_what_waits(first, &mut subscription);
                waiting = next;
                vec![Message::Binary(joined)]
            }
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
