//! Being asked to stop: once means soft, twice means at once.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::units::{Clock, Monotonic};

/// Signals within so short a time are one.
const TOGETHER: Duration = Duration::from_secs(1);

/// Cancels `stop` on the first SIGINT or SIGTERM; the second one ends the process.
///
/// Cancel-safe; runs for ever, so it is to be raced or dropped.
pub(crate) async fn stop_on_signal(stop: CancellationToken, clock: Clock) -> anyhow::Result<std::convert::Infallible> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // Some send a signal to the process and to its group: two at once are one.
    let mut impatient_from = None;
    loop {
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        };
        let now = clock.monotonic();
        if impatient_from.is_some_and(|from| now > from) {
            tracing::warn!("{name} again: ending at once");
            std::process::exit(1);
        }
        if impatient_from.is_none() {
            tracing::info!("{name}: stopping");
            impatient_from = Some(Monotonic(now.0 + TOGETHER));
            stop.cancel();
        }
    }
}
