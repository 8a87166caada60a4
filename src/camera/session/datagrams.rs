//! How many tracks come as datagrams now. What their sockets have no room for is lost, so nobody may let them wait.

use std::sync::atomic::{AtomicUsize, Ordering};

static TRACKS: AtomicUsize = AtomicUsize::new(0);

/// Whether pictures or sound come as datagrams now, from any camera.
pub fn any_datagrams() -> bool {
    TRACKS.load(Ordering::Relaxed) > 0
}

/// A track that comes as datagrams, as long as this is held.
#[derive(Debug)]
pub(super) struct Datagrams(());

impl Datagrams {
    pub(super) fn begin() -> Self {
        TRACKS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        TRACKS.fetch_sub(1, Ordering::Relaxed);
    }
}
