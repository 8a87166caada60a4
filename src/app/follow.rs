//! Following cameras: one that is missing is looked for by who it is, and its new address is written into the configuration.
//!
//! Nothing that is announced is believed. An announcement is a place to look at; whoever is there is recognised without a
//! password, and only what names the camera for certain moves it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::app::identities::Identities;
use crate::camera::discovery::{Found, Service};
use crate::camera::identity::{Evidence, Verdict, neighbour, verdict};
use crate::camera::session;
use crate::camera::status::{Link, StreamStatus};
use crate::config::settings::{Camera, CameraUrl};
use crate::config::{self, edit, in_household};
use crate::units::{CameraId, UtcMicros};
use crate::web::SiteParts;

/// Between two looks around.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The network is asked who is there at every so many looks.
const ASK_EVERY: u32 = 3;
/// The most places where one camera is looked for at a time.
const MOST_PLACES: usize = 8;
/// The longest wait between two attempts that a camera's sessions are hurried to.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A look elsewhere takes so much longer than one at the camera's own address, where it is expected first.
const HOME_FIRST: Duration = Duration::from_millis(300);

/// Where it is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where the configuration says.
    Home,
    /// Where somebody was heard who may be it.
    Elsewhere,
}

/// What a look found.
struct Seen {
    camera: CameraId,
    url: CameraUrl,
    address: SocketAddr,
    place: Place,
    /// `None` if nobody answered.
    evidence: Option<Evidence>,
}

/// How often a camera was hurried since it was last there.
struct Hurried {
    until: Instant,
    pause: Duration,
}

/// Looks after the missing until `stop`.
pub(crate) async fn run(config: PathBuf, identities: Arc<Identities>, site: SiteParts, stop: CancellationToken) {
    let mut looks: FuturesUnordered<BoxFuture<'static, Seen>> = FuturesUnordered::new();
    let mut busy = BTreeSet::new();
    let mut hurried: BTreeMap<CameraId, Hurried> = BTreeMap::new();
    let mut home = BTreeMap::new();
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ticks = 0_u32;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            Some(seen) = looks.next(), if !looks.is_empty() => {
                busy.remove(&(seen.camera.clone(), seen.address));
                judge(&config, &identities, &seen, &mut hurried, &mut home).await;
                continue;
            }
            () = identities.heard.notified() => {}
            _ = tick.tick() => ticks = ticks.wrapping_add(1),
        }
        let missing = missing(&site);
        hurried.retain(|id, _| missing.iter().any(|(missing, _)| missing == id));
        if missing.is_empty() {
            continue;
        }
        if ticks.is_multiple_of(ASK_EVERY) {
            identities.ask_again.notify_one();
        }
        let found = identities.found();
        for (id, camera) in missing {
            for (address, place) in places(&identities, &id, &camera, &found) {
                if busy.insert((id.clone(), address)) {
                    looks.push(Box::pin(look(id.clone(), camera.url.clone(), address, place)));
                }
            }
        }
    }
}

/// The cameras that show nothing.
fn missing(site: &SiteParts) -> Vec<(CameraId, Camera)> {
    let now = site.clock.now();
    let settings = site.settings.borrow().clone();
    let is_missing = |id: &CameraId| site.board.get(id).is_some_and(|entry| is_missing(&entry.main.borrow(), now));
    settings.cameras.iter().filter(|(id, _)| is_missing(id)).map(|(id, camera)| (id.clone(), camera.clone())).collect()
}

fn is_missing(status: &StreamStatus, now: UtcMicros) -> bool {
    match status.link {
        Link::Waiting { .. } | Link::Refused => true,
        Link::Connecting => now.since(status.since) > LOOK_EVERY,
        Link::Streaming => status.last_picture.is_some_and(|newest| now.since(newest) >= status.silence()),
        Link::Verifying | Link::Paused { .. } => false,
    }
}

/// Where a camera may be: at home, where somebody announces itself who fits, and where the kernel saw its card.
fn places(identities: &Identities, id: &CameraId, camera: &Camera, found: &[Found]) -> Vec<(SocketAddr, Place)> {
    let Some(home) = literal(&camera.url) else { return Vec::new() }; // whoever is known by a name is looked up anew each time
    let port = camera.url.port();
    let mut places = vec![(SocketAddr::new(home, port), Place::Home)];
    let Some(pin) = identities.pin(id).filter(|pin| pin.evidence.has_strong()) else { return places };
    let announced = |found: &Found| {
        let port = if found.service == Service::Rtsp { found.port } else { port };
        let addresses = std::iter::once(found.address).chain(found.others.iter().copied());
        addresses.map(move |address| SocketAddr::new(address, port)).collect::<Vec<_>>()
    };
    let mut elsewhere: Vec<SocketAddr> =
        found.iter().filter(|found| found.fits(&pin.evidence)).flat_map(announced).collect();
    if let Some(mac) = pin.evidence.mac {
        elsewhere.extend(neighbour::addresses_of(mac).into_iter().map(|address| SocketAddr::new(address, port)));
    }
    if elsewhere.iter().all(|address| address.ip() == home) {
        // Nobody says that it is the camera: look at everybody.
        elsewhere.extend(found.iter().flat_map(announced));
    }
    let mut known = BTreeSet::from([home]);
    elsewhere.retain(|address| known.insert(address.ip()) && may_be_at(camera, address.ip()));
    elsewhere.truncate(MOST_PLACES);
    places.extend(elsewhere.into_iter().map(|address| (address, Place::Elsewhere)));
    places
}

fn may_be_at(camera: &Camera, address: IpAddr) -> bool {
    camera.outside_lan || in_household(address)
}

fn literal(url: &CameraUrl) -> Option<IpAddr> {
    url.host().trim_start_matches('[').trim_end_matches(']').parse().ok()
}

async fn look(camera: CameraId, url: CameraUrl, address: SocketAddr, place: Place) -> Seen {
    let evidence = session::recognise(&url, address, true).await.ok();
    if place == Place::Elsewhere && evidence.is_some() {
        tokio::time::sleep(HOME_FIRST).await;
    }
    Seen { camera, url, address, place, evidence }
}

async fn judge(
    config: &Path,
    identities: &Arc<Identities>,
    seen: &Seen,
    hurried: &mut BTreeMap<CameraId, Hurried>,
    home: &mut BTreeMap<CameraId, Instant>,
) {
    let Some(evidence) = &seen.evidence else { return };
    let pin = identities.pin(&seen.camera);
    let judged = pin.as_ref().map(|pin| verdict(&pin.evidence, evidence));
    match (seen.place, judged) {
        (_, Some(Verdict::Refused { .. })) | (Place::Elsewhere, None | Some(Verdict::Weak { .. })) => {}
        (Place::Home, _) => {
            home.insert(seen.camera.clone(), Instant::now());
            let first = Hurried { until: Instant::now(), pause: LOOK_EVERY };
            let hurry = hurried.entry(seen.camera.clone()).or_insert(first);
            if Instant::now() >= hurry.until {
                hurry.pause = (hurry.pause * 2).min(LONGEST_PAUSE);
                hurry.until = Instant::now() + hurry.pause;
                identities.hurry(&seen.camera);
            }
        }
        (Place::Elsewhere, Some(Verdict::Same)) => {
            if home.get(&seen.camera).is_some_and(|at| at.elapsed() < LONGEST_PAUSE / 6) {
                return; // it has two addresses, and answers at its own
            }
            let (path, id, old, to) = (config.to_owned(), seen.camera.clone(), seen.url.clone(), seen.address);
            match tokio::task::spawn_blocking(move || move_to(&path, &id, &old, to)).await {
                Ok(Ok(true)) => {
                    let (from, to) = (seen.url.host().to_owned(), seen.address.ip().to_string());
                    tracing::info!(camera = %seen.camera, from, to, "the camera moved to another address; the configuration says so now");
                    identities.has_moved(&seen.camera, from, to);
                }
                Ok(Ok(false)) => {}
                Ok(Err(error)) => {
                    tracing::error!(camera = %seen.camera, to = %seen.address, "the camera moved, but that could not be written: {error:#}");
                }
                Err(error) => tracing::error!(%error, "following a camera failed"),
            }
        }
    }
}

/// Writes the camera's new address into the file, unless it says something else than before already.
fn move_to(config: &Path, id: &CameraId, old: &CameraUrl, to: SocketAddr) -> anyhow::Result<bool> {
    let moved = config::revise(config, |settings, mut text| {
        let Some(camera) = settings.cameras.get(id).filter(|camera| camera.url == *old) else { return Ok(None) };
        let moved = at(&camera.url, to)?;
        text = edit::set(&text, &["cameras", id.as_str(), "url"], moved.as_str())?;
        if let Some(small) = camera.detect_url.as_ref().filter(|small| small.host() == old.host()) {
            let port = if small.port() == old.port() { to.port() } else { small.port() };
            let moved = at(small, SocketAddr::new(to.ip(), port))?;
            text = edit::set(&text, &["cameras", id.as_str(), "detect_url"], moved.as_str())?;
        }
        anyhow::Ok(Some((text, ())))
    })?;
    Ok(moved.is_some())
}

fn at(url: &CameraUrl, to: SocketAddr) -> anyhow::Result<String> {
    let mut moved = url.as_url().clone();
    let set = moved
        .set_ip_host(to.ip())
        .and_then(|()| if url.port() == to.port() { Ok(()) } else { moved.set_port(Some(to.port())) });
    set.map_err(|()| anyhow::anyhow!("{url} cannot be changed to {to}"))?;
    Ok(moved.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_address_changes_in_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config.toml");
        let text = "# mine\n[cameras.porch]\nurl = \"rtsp://192.168.1.20/main?x=1\" # front\n\
                    detect_url = \"rtsp://192.168.1.20:8554/sub\"\nrecord = \"off\"\n";
        std::fs::write(&file, text).expect("written");
        let (id, old) = ("porch".parse().expect("an id"), "rtsp://192.168.1.20/main?x=1".parse().expect("a URL"));
        assert!(move_to(&file, &id, &old, ([192, 168, 1, 33], 554).into()).expect("moved"));
        assert_eq!(config::text(&file).expect("a text"), text.replace("1.20", "1.33"));
        assert!(!move_to(&file, &id, &old, ([192, 168, 1, 34], 554).into()).expect("read"), "it is there no more");
    }

    #[test]
    fn a_camera_that_is_silent_while_it_streams_is_looked_for() {
        let second = 1_000_000;
        let status = |link, newest| StreamStatus { link, last_picture: newest, ..StreamStatus::new(UtcMicros(0)) };
        let now = UtcMicros(10 * second);
        let age = |seconds: i64| Some(UtcMicros((10 - seconds) * second));
        assert!(!is_missing(&status(Link::Streaming, age(1)), now));
        assert!(is_missing(&status(Link::Streaming, age(3)), now));
        let quick = StreamStatus { pictures_per_second: 15.0, ..status(Link::Streaming, age(1)) };
        assert!(is_missing(&quick, now), "fifteen pictures are missing");
        assert!(is_missing(&status(Link::Waiting { until: now }, age(0)), now));
        assert!(is_missing(&status(Link::Refused, None), now));
        assert!(!is_missing(&status(Link::Paused { by: "anna".to_owned() }, None), now));
    }
}
