//! How many connections there may be, altogether and from one network, so that no device keeps the others out and no crowd
//! takes the file descriptors that recording needs. Pure but for the counts.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::access::throttle::Network;

/// Connections altogether.
const MOST: usize = 400;
/// From one network; a grid of sixteen cameras in three windows takes about sixty.
const MOST_FROM_ONE: usize = 100;

/// The connections that are open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Crowd(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    from: HashMap<Network, usize>,
}

/// One place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    crowd: Crowd,
    network: Network,
}

impl Crowd {
    /// A place for a connection from there; `None` if there is none. A configured proxy stands for many callers.
    pub(crate) fn enter(&self, from: IpAddr, is_proxy: bool) -> Option<Place> {
        let network = Network::of(from);
        let mut counts = self.counts();
        let of_one = counts.from.get(&network).copied().unwrap_or_default();
        if counts.all >= MOST || (of_one >= MOST_FROM_ONE && !is_proxy) {
            return None;
        }
        counts.all += 1;
        *counts.from.entry(network).or_default() += 1;
        Some(Place { crowd: self.clone(), network })
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts();
        counts.all -= 1;
        if let Some(of_one) = counts.from.get_mut(&self.network) {
            *of_one -= 1;
            if *of_one == 0 {
                counts.from.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_never_takes_every_place_and_gives_its_own_back() {
        let crowd = Crowd::default();
        let address = |n: u8| IpAddr::from([192, 168, 1, n]);
        let places: Vec<_> = (0..10_000).filter_map(|_| crowd.enter(address(66), false)).collect();
        assert_eq!(places.len(), MOST_FROM_ONE);
        assert!(crowd.enter(address(7), false).is_some());
        assert!(crowd.enter(address(66), true).is_some(), "a proxy stands for many");
        let more: Vec<_> = (0..10_000_u16).filter_map(|n| crowd.enter(address(n.to_be_bytes()[1]), false)).collect();
        assert_eq!(places.len() + more.len(), MOST);
        drop((places, more));
        assert!(crowd.enter(address(66), false).is_some());
        assert!(crowd.counts().from.is_empty() && crowd.counts().all == 0);
    }
}
