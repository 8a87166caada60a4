//! Being asked to stop: once means soft, twice means at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels `stop` on the first SIGINT or SIGTERM; the second one ends the process.
///
/// Cancel-safe; runs for ever, so it is to be raced or dropped.
pub(crate) async fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<std::convert::Infallible> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        };
        if stop.is_cancelled() {
            tracing::warn!("{name} again: ending at once");
            std::process::exit(1);
        }
        tracing::info!("{name}: stopping");
        stop.cancel();
    }
}

