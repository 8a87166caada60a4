//! The web's socket and its server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::Failure;
use crate::web::{self, Site, SiteParts};

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

/// Serves until `stop`; then gives open connections [`DRAIN`] to end.
pub(crate) async fn run(site: SiteParts, listener: TcpListener, stop: CancellationToken) {
    let router = web::router(Arc::new(Site::new(site)));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let asked = stop.clone();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move { asked.cancelled().await });
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = server => if let Err(error) = served {
            tracing::error!(%error, "the web stopped serving");
        },
        () = overdue => tracing::debug!("some connections were still open"),
    }
}
