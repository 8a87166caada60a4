//! The web's socket and its server, in plain HTTP or by the household's own authority.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::{Failure, random};
use crate::config::settings::{Settings, Tls};
use crate::units::Clock;
use crate::web::tls::{self, Names};
use crate::web::{self, Site, SiteParts};

/// The household's authority and the recorder's certificate, within the storage folder.
const TLS_FOLDER: &str = "tls";
/// How long connections may take to end once they were asked to.
const DRAIN: Duration = Duration::from_secs(2);

/// Binds the web's socket; says what to do if it cannot.
pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let mend = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another program uses this port; stop it, or change listen under [web]",
            std::io::ErrorKind::AddrNotAvailable => "this machine has no such address; change listen under [web]",
            std::io::ErrorKind::PermissionDenied => "ports below 1024 need special rights; change listen under [web]",
            _ => "change listen under [web]",
        };
        Failure::Failed(anyhow::anyhow!("cannot listen on {address} ({error}): {mend}"))
    })
}

/// The household's authority, made at the first start; `None` where the owner wants plain HTTP.
pub(crate) async fn authority(
    storage: &Path,
    settings: &Settings,
    clock: &Clock,
) -> Result<Option<tls::Household>, Failure> {
    if settings.web.tls == Tls::Off {
        return Ok(None);
    }
    let (folder, hosts, clock) = (storage.join(TLS_FOLDER), settings.web.hosts.clone(), clock.clone());
    let opened = tokio::task::spawn_blocking(move || {
        let names = Names::of_machine(&hosts).unwrap_or_else(|error| {
            tracing::warn!(%error, "this machine's addresses are not known; the certificate names none of them");
            Names::new(&hosts, [])
        });
        tls::Household::open(&folder, &names, clock.now(), random::bytes)
    })
    .await?;
    Ok(Some(opened?))
}

/// Serves until `stop`; then gives open connections a moment to end.
pub(crate) async fn run(
    site: SiteParts,
    listener: TcpListener,
    authority: Option<tls::Household>,
    stop: CancellationToken,
) {
    let (settings, clock) = (site.settings.clone(), site.clock.clone());
    let service = web::router(Arc::new(Site::new(site))).into_make_service_with_connect_info::<SocketAddr>();
    let asked = stop.clone().cancelled_owned();
    let serving = async {
        match authority {
            None => axum::serve(listener, service).with_graceful_shutdown(asked).await,
            Some(authority) => {
                let renewing = tls::keep_renewed(authority.clone(), settings, clock, stop.clone(), random::bytes);
                let listener = tls::Listener::new(listener, authority).map_err(std::io::Error::other)?;
                // Wrapped because only then does axum hand on the peer's address.
                let serving = axum::serve(listener.tap_io(|_| {}), service).with_graceful_shutdown(asked);
                tokio::join!(renewing, serving).1
            }
        }
    };
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = serving => if let Err(error) = served {
            tracing::error!(%error, "the web stopped serving");
        },
        () = overdue => tracing::debug!("some connections were still open"),
    }
}
