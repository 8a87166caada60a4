//! Which addresses and names a household has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether this address can lie in a household: loopback, private (RFC 1918, RFC 4193) or link-local.
///
/// The same ranges stand in the systemd unit, where the kernel enforces them.
pub fn in_household(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// A URL's host as an address, if it is one; brackets around IPv6 are taken off.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match inner {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// Whether this can be the name of a machine: labels of letters, digits and inner `-`, and not one of the many other
/// spellings of an IPv4 address (`0x7f.1`, `2130706433`), which a resolver would take for one.
pub(super) fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or(name);
    let numeric = last.bytes().all(|c| c.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|c| c.is_ascii_hexdigit()));
    name.len() <= 253 && name.split('.').all(label) && !numeric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_addresses_lie_in_a_household() {
        for inside in
            ["127.0.0.3", "10.1.2.3", "172.31.0.1", "192.168.1.20", "169.254.3.4", "::1", "fe80::1", "fd12::1"]
        {
            assert!(in_household(inside.parse().expect("an address")), "{inside}");
        }
        for outside in [
            "8.8.8.8",
            "172.32.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::",
            "2001:db8::1",
            "::ffff:8.8.8.8",
            "ff02::1",
        ] {
            assert!(!in_household(outside.parse().expect("an address")), "{outside}");
        }
        assert!(in_household("::ffff:192.168.1.1".parse().expect("an address")));
    }

    #[test]
    fn a_name_is_not_an_address_in_disguise() {
        for good in ["porch", "cam-1.home.arpa", "CAM.local", "3com.lan", "1.2.3.x4"] {
            assert!(is_host_name(good), "{good}");
        }
        for bad in ["", ".", "a..b", "-a", "a-", "a_b", "a b", "127.1", "2130706433", "0x7f.0x1", "a.", "%31", "é.lan"]
        {
            assert!(!is_host_name(bad), "{bad}");
        }
    }
}
