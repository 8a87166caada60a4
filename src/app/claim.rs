//! A recorder without an owner prints the code that makes somebody one.

use anyhow::anyhow;

use crate::app::daemon::Ready;
use crate::app::{Failure, cli, places, random, user};
use crate::config;
use crate::disk::Footage;
use crate::index::claim;
use crate::web::claim::code;

/// Prints a new code at each start until there is an owner; one printed before is worth nothing then.
pub(crate) async fn offer(ready: &Ready) -> anyhow::Result<()> {
    let (text, hash) = code(random::bytes());
    if ready.site.writer.write(move |tx| claim::offer(tx, &hash)).await? {
        // Meant for whoever can read the journal of this machine, and for nobody else.
        let place = places::first(&ready.site.settings.borrow(), &ready.origin);
        tracing::warn!("nobody owns this recorder yet: open {place}/claim and type the code {text}");
    }
    Ok(())
}

/// `hearthwatch claim-code`: a new code, for whoever may write to the index and so could make an owner anyhow.
///
/// The code is kept nowhere: only its hash goes into the index, as with the one in the log.
pub(crate) fn print(options: &cli::ConfigFile) -> Result<(), Failure> {
    let settings = config::load(&options.config).map_err(|error| Failure::Usage(error.to_string()))?;
    if !Footage::is_in_use(&settings.storage.path)? {
        // It makes a code of its own when it starts.
        return Err(anyhow!("the recorder does not run; start it first: systemctl start hearthwatch").into());
    }
    let (mut writer, _, settings) = user::open(options)?;
    let (text, hash) = code(random::bytes());
    if !writer.write_here(|tx| claim::offer(tx, &hash))? {
        return Err(
            anyhow!("this recorder has an owner already; whoever it is lets others in on the page \"People\"").into()
        );
    }
    println!("Open one of these in a browser, and type the code {text}:");
    for place in places::all(&settings) {
        println!("  {place}/claim");
    }
    Ok(())
}
