//! A command that root runs acts as the user whose footage it is.
//!
//! What root made in the storage folder the daemon could not open; and root has no need to read what cameras and strangers
//! wrote with all its rights.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Context as _;
use rustix::process::{Gid, Uid};

use crate::app::Failure;
use crate::config;

/// Gives up root for the owner of the storage folder. Does nothing for anybody else, nor where there is no folder yet or it is
/// root's own. To be called before any thread is started: it holds for the one that calls it and for those that it starts.
pub(crate) fn become_owner(config: &Path) -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    // A configuration that is wrong is told by the command itself.
    let Ok(settings) = config::load(config) else { return Ok(()) };
    let Ok(folder) = std::fs::metadata(&settings.storage.path) else { return Ok(()) };
    if folder.uid() == 0 {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(folder.uid()), Gid::from_raw(folder.gid()));
    let done = rustix::thread::set_thread_groups(&[])
        .and_then(|()| rustix::thread::set_thread_gid(gid))
        .and_then(|()| rustix::thread::set_thread_uid(uid));
    done.with_context(|| format!("root could not become the owner of {}", settings.storage.path.display()))?;
    Ok(())
}
