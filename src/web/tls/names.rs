//! Which names and addresses this recorder has.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::config::in_household;

/// Names and addresses that the recorder answers to. Names are lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Names {
    names: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
}

impl Names {
    /// The configured names and these addresses, besides `hearthwatch.local`, `localhost` and the loopback addresses.
    ///
    /// Addresses outside a household are left out, and so are link-local IPv6 ones, which no browser can be pointed at.
    pub fn new(hosts: &[String], addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let own = ["hearthwatch.local", "localhost"].map(str::to_owned);
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let usable = |address: &IpAddr| {
            in_household(*address) && !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
        };
        Self {
            names: hosts.iter().map(|host| host.to_ascii_lowercase()).chain(own).collect(),
            addresses: addresses
                .into_iter()
                .map(|address| address.to_canonical())
                .filter(usable)
                .chain(loopback)
                .collect(),
        }
    }

    /// The configured names and what this machine's network cards have now.
    ///
    /// # Errors
    /// If the kernel does not list them.
    pub fn of_machine(hosts: &[String]) -> io::Result<Self> {
        let cards = if_addrs::get_if_addrs()?;
        Ok(Self::new(hosts, cards.into_iter().map(|card| card.ip())))
    }

    /// Whether a URL's host, without its port, is this recorder.
    pub fn answers_to(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match bare.parse::<IpAddr>() {
            Ok(address) => self.addresses.contains(&address.to_canonical()),
            Err(_) => self.names.contains(&host.to_ascii_lowercase()),
        }
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The addresses, in order.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().copied()
    }

    /// These without the names that `keep` does not hold for, and those names.
    pub(super) fn split(self, keep: impl Fn(&str) -> bool) -> (Self, Vec<String>) {
        let (names, left_out): (BTreeSet<_>, BTreeSet<_>) = self.names.into_iter().partition(|name| keep(name));
        (Self { names, addresses: self.addresses }, left_out.into_iter().collect())
    }

    /// Whether somebody who uses one of `wanted` would miss it here. IPv6 addresses do not count: they change by the day for
    /// privacy's sake, and nobody types them.
    pub(super) fn misses(&self, wanted: &Self) -> bool {
        let address_missing = wanted.addresses.difference(&self.addresses).any(IpAddr::is_ipv4);
        address_missing || !wanted.names.is_subset(&self.names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(hosts: &[&str], addresses: &[&str]) -> Names {
        let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        Names::new(&hosts, addresses.iter().map(|address| address.parse().expect("an address")))
    }

    #[test]
    fn it_answers_to_its_own_names_and_household_addresses() {
        let names = names(&["NVR.home.arpa"], &["192.168.1.5", "8.8.8.8", "fd00::5", "fe80::1"]);
        for own in ["hearthwatch.local", "LOCALHOST", "127.0.0.1", "[::1]", "nvr.home.arpa", "192.168.1.5", "[fd00::5]"]
        {
            assert!(names.answers_to(own), "{own}");
        }
        for foreign in ["", "evil.example", "8.8.8.8", "192.168.1.6", "[fe80::1]", "nvr.home.arpa.", "localhost:80"] {
            assert!(!names.answers_to(foreign), "{foreign}");
        }
    }

    #[test]
    fn a_new_name_or_ipv4_address_is_missed_and_a_gone_one_is_not() {
        let old = names(&["nvr"], &["192.168.1.5", "fd00::5"]);
        assert!(old.misses(&names(&["nvr", "other"], &[])));
        assert!(old.misses(&names(&[], &["192.168.1.6"])));
        assert!(!old.misses(&names(&[], &["fd00::6"])));
        assert!(!old.misses(&old) && !old.misses(&names(&[], &[])));
    }
}
