//! The web's socket and its server, in plain HTTP or by the household's own authority.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::crowd::{Crowd, Place};
use crate::app::{Failure, random};
use crate::config::settings::{Settings, Tls};
use crate::units::Clock;
use crate::web::tls::{self, Names};
use crate::web::{self, Site, SiteParts};

/// The household's authority and the recorder's certificate, within the storage folder.
const TLS_FOLDER: &str = "tls";
/// How long connections may take to end once they were asked to.
const DRAIN: Duration = Duration::from_secs(2);

/// How long a request's head may take to arrive, from the end of the answer before on.
const HEAD: Duration = Duration::from_secs(20);
/// Header lines of a request.
const MOST_HEADERS: usize = 64;
/// Bytes of a request's head.
const LARGEST_HEAD: usize = 32 * 1024;

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
    // Each connection inherits it.
    if let Err(error) = rustix::net::sockopt::set_socket_send_buffer_size(&listener, web::SEND_BUFFER) {
        tracing::warn!(%error, "what is sent to slow readers cannot be kept short");
    }
    let (settings, clock) = (site.settings.clone(), site.clock.clone());
    let pem = authority.as_ref().map(|authority| authority.authority_pem().to_owned());
    let door = Door {
        router: web::router(Arc::new(Site::new(site).with_authority(pem))),
        crowd: Crowd::default(),
        settings: settings.clone(),
        stop: stop.clone(),
    };
    match authority {
        None => door.serve(listener).await,
        Some(authority) => {
            if let (Some(print), Ok(at)) = (web::fingerprint(authority.authority_pem()), listener.local_addr()) {
                let port = at.port();
                tracing::info!(
                    "a new phone or computer learns to trust this recorder at http://hearthwatch.local:{port}/trust (or by its \
                     address); the page must show {print}"
                );
            }
            let renewing = tls::keep_renewed(authority.clone(), settings, clock, stop, random::bytes);
            match tls::Listener::new(listener, authority) {
                Ok(listener) => {
                    tokio::join!(renewing, door.serve(listener));
                }
                Err(error) => tracing::error!(%error, "the web cannot serve over TLS"),
            }
        }
    }
}

/// What each connection is served from.
struct Door {
    router: axum::Router,
    crowd: Crowd,
    settings: watch::Receiver<Arc<Settings>>,
    stop: CancellationToken,
}

impl Door {
    async fn serve<L>(self, mut listener: L)
    where
        L: Listener<Addr = SocketAddr>,
    {
        let mut connections = JoinSet::new();
        loop {
            let (stream, peer) = tokio::select! {
                () = self.stop.cancelled() => break,
                accepted = listener.accept() => accepted,
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection's task failed");
                    }
                    continue;
                }
            };
            let is_proxy = self.settings.borrow().web.proxies.contains(&peer.ip().to_canonical());
            let Some(place) = self.crowd.enter(peer.ip(), is_proxy) else {
                tracing::debug!(%peer, "too many connections; this one is closed");
                continue;
            };
            connections.spawn(attend(stream, peer, self.router.clone(), self.stop.clone(), place));
        }
        drop(listener);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::debug!("some connections were still open");
        }
    }
}

/// One connection to its end. A head that does not come in time ends it, and so does a pause between two requests.
async fn attend(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: axum::Router,
    stop: CancellationToken,
    _place: Place,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection broke off");
    }
}
