//! A recorder without an owner prints the code that makes somebody one.

use crate::app::daemon::Ready;
use crate::app::random;
use crate::index::claim;
use crate::web::claim::code;

/// Prints a new code at each start until there is an owner; one printed before is worth nothing then.
pub(crate) async fn offer(ready: &Ready) -> anyhow::Result<()> {
    let (text, hash) = code(random::bytes());
    if ready.site.writer.write(move |tx| claim::offer(tx, &hash)).await? {
        // Meant for whoever can read the journal of this machine, and for nobody else.
        tracing::warn!("nobody owns this recorder yet: open {}/claim and type the code {text}", ready.origin);
    }
    Ok(())
}
