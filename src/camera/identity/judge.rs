//! Whom a session asks before it trusts whoever answered.

use std::fmt;
use std::net::IpAddr;

use tokio::sync::watch;

use crate::camera::identity::evidence::Evidence;
use crate::camera::identity::verdict::{Verdict, verdict};

/// Speaks for one camera of the household. Answers at once: recording waits for no database.
pub trait Judge: Send + Sync + fmt::Debug {
    /// Whether the household lets its recorder speak to this address at all.
    fn allows(&self, address: IpAddr) -> bool;

    /// Whether the ONVIF id of whoever answers would help to know it.
    fn wants_uuid(&self) -> bool;

    /// The verdict on whoever answered at this address.
    fn judge(&self, found: &Evidence, address: IpAddr) -> Verdict;

    /// Changes when somebody saw the camera: there is no need to wait longer before the next attempt.
    fn hurry(&self) -> watch::Receiver<u64>;
}

/// Knows nobody and lets everybody in: for a look at a camera that is not set up yet, and for tests.
#[derive(Debug, Clone, Copy)]
pub struct Anybody;

impl Judge for Anybody {
    fn allows(&self, address: IpAddr) -> bool {
        crate::config::in_household(address)
    }

    fn wants_uuid(&self) -> bool {
        false
    }

    fn judge(&self, found: &Evidence, _: IpAddr) -> Verdict {
        verdict(found, found)
    }

    fn hurry(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }
}
