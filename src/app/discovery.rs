//! What the network announces, and, where the owner wants that, new cameras written into the configuration file.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::app::identities::Identities;
use crate::camera::discovery::{self, DiscoveryEvent, Found, Scope, Ways};
use crate::camera::session;
use crate::config;
use crate::config::edit::{self, NewCamera, SignIn};
use crate::config::settings::Settings;
use crate::units::CameraId;
use crate::web::SiteParts;

/// Announcements that may wait for the disk; what comes on top is announced again.
const QUEUE: usize = 64;

/// Whose announcements count.
#[derive(Debug, Clone)]
pub(crate) enum Among {
    /// Everybody's on the home network.
    Lan,
    /// Everybody's on this machine: for tests.
    Loopback,
    /// These, on this machine: the demo's own cameras, and not those of another demo beside it.
    Only(Vec<SocketAddr>),
}

impl Among {
    fn scope(&self) -> Scope {
        match self {
            Self::Lan => Scope::Lan,
            Self::Loopback | Self::Only(_) => Scope::Loopback,
        }
    }

    fn has(&self, address: IpAddr, port: u16) -> bool {
        match self {
            Self::Lan | Self::Loopback => true,
            Self::Only(addresses) => addresses.contains(&SocketAddr::new(address, port)),
        }
    }
}

/// Browses until `stop`. Without discovery the daemon goes on: its cameras are in the configuration.
pub(crate) async fn run(
    config: PathBuf,
    among: Among,
    identities: Arc<Identities>,
    site: SiteParts,
    stop: CancellationToken,
) {
    let (sender, found) = mpsc::channel(QUEUE);
    tokio::select! {
        () = look(&among, &identities, &site, &stop, sender) => {}
        () = take_in(&config, &identities, &site, found) => {}
    }
}

/// Browses in the ways that the settings want, anew with each change of them.
async fn look(
    among: &Among,
    identities: &Identities,
    site: &SiteParts,
    stop: &CancellationToken,
    sender: mpsc::Sender<Found>,
) {
    let mut settings = site.settings.clone();
    loop {
        let wanted = settings.borrow_and_update().discovery;
        let until = stop.child_token();
        let browsing = async {
            if wanted.mdns || wanted.onvif {
                let ways = Ways { mdns: wanted.mdns, onvif: wanted.onvif, again: Arc::clone(&identities.ask_again) };
                let browsing = discovery::browse(among.scope(), ways, until.clone(), |event| {
                    if matches!(&event, DiscoveryEvent::Found(camera) if !among.has(camera.address, camera.port)) {
                        return;
                    }
                    if let Some(DiscoveryEvent::Found(camera)) = identities.hear(event)
                        && sender.try_send(camera).is_err()
                    {
                        tracing::debug!("cameras are announced faster than they can be looked at");
                    }
                });
                if let Err(error) = browsing.await {
                    tracing::error!("cameras are not looked for: {error}");
                }
            }
            until.cancelled().await;
        };
        tokio::select! {
            () = browsing => return,
            changed = settings.wait_for(|settings| settings.discovery != wanted) => if changed.is_err() {
                return; // nobody reads the configuration any more: the daemon ends
            },
        }
        // Whoever was heard in a way that is off now counts no longer; whoever is there says so again, and is taken in where
        // that is wanted now.
        identities.forget_found();
        tracing::info!("the network is looked through anew, for its settings changed");
    }
}

/// Writes those who were found into the configuration, where the owner wants that.
async fn take_in(config: &Path, identities: &Identities, site: &SiteParts, mut found: mpsc::Receiver<Found>) {
    while let Some(found) = found.recv().await {
        tracing::info!(name = found.name, address = %found.address, "a camera announces itself");
        if !site.settings.borrow().discovery.auto_add || is_ours(site, identities, &found).await {
            continue;
        }
        let config = config.to_owned();
        match tokio::task::spawn_blocking(move || add(&config, &found)).await {
            Ok(Ok(Some(id))) => tracing::info!(camera = %id, "added to the configuration"),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::warn!("a camera could not be added: {error:#}"),
            Err(error) => tracing::error!(%error, "adding a camera failed"),
        }
    }
}

/// Whether this is a camera of the household already, at another address than before: it is followed, not added.
async fn is_ours(site: &SiteParts, identities: &Identities, found: &Found) -> bool {
    let Some(url) = found.url() else { return false };
    let pinned: Vec<_> = site.settings.borrow().cameras.keys().filter_map(|id| identities.pin(id)).collect();
    if !pinned.iter().any(|pin| pin.evidence.has_strong()) {
        return false;
    }
    let look = session::recognise(&url, (found.address, url.port()).into(), true).await;
    look.is_ok_and(|evidence| identities.who_is(&evidence).is_some())
}

/// Writes the camera into the file, unless one with its address is there already, or it did not say where its stream is.
fn add(config: &Path, found: &Found) -> anyhow::Result<Option<CameraId>> {
    let Some(url) = found.url() else { return Ok(None) };
    config::revise(config, |settings, text| {
        let is_known =
            settings.cameras.values().any(|camera| camera.url.host() == url.host() && camera.url.port() == url.port());
        if is_known {
            return Ok(None);
        }
        let id = free_id(settings, &found.name);
        let detect_url = found.detect_url();
        let camera = NewCamera { name: &found.name, url: &url, detect_url: detect_url.as_ref(), sign_in: SignIn::None };
        let text = edit::add_camera(&text, &id, &camera)?;
        Ok(Some((text, id)))
    })
}

/// An id made from the name; with a number behind it if that one is taken.
pub(crate) fn free_id(settings: &Settings, name: &str) -> CameraId {
    let base = CameraId::from_name(name);
    let base = base.as_ref().map_or("camera", CameraId::as_str);
    let short = base.get(..CameraId::MAX_LEN - 4).unwrap_or(base).trim_end_matches('-');
    std::iter::once(base.to_owned())
        .chain((2..=settings.cameras.len() + 2).map(|number| format!("{short}-{number}")))
        .filter_map(|id| id.parse::<CameraId>().ok())
        .find(|id| !settings.cameras.contains_key(id))
        .expect("there are fewer cameras than numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let text = "[cameras.porch]\nname = \"Porch\"\nurl = \"rtsp://192.168.1.2/\"\n";
        let settings = config::check(text, |_| Err(std::io::ErrorKind::NotFound.into())).expect("valid").settings;
        assert_eq!(free_id(&settings, "Porch").as_str(), "porch-2");
        assert_eq!(free_id(&settings, "Front door").as_str(), "front-door");
        assert_eq!(free_id(&settings, "<b>").as_str(), "b");
        assert_eq!(free_id(&settings, "…").as_str(), "camera");
    }
}
