//! Where a person finds the pages: addresses to type into a browser.

use std::net::IpAddr;

use crate::config::in_household;
use crate::config::settings::Settings;

/// Every place at which the pages can be opened in the household, the best first; at least one.
pub(crate) fn all(settings: &Settings) -> Vec<String> {
    let cards = if_addrs::get_if_addrs().unwrap_or_default();
    places(settings, cards.into_iter().map(|card| card.ip()))
}

/// The best; `origin` if the recorder listens at one address only.
pub(crate) fn first(settings: &Settings, origin: &str) -> String {
    let is_any = settings.web.listen.ip().is_unspecified();
    all(settings).into_iter().next().filter(|_| is_any).unwrap_or_else(|| origin.to_owned())
}

fn places(settings: &Settings, own: impl Iterator<Item = IpAddr>) -> Vec<String> {
    let listen = settings.web.listen;
    let (scheme, port) = (settings.web.tls.scheme(), listen.port());
    if !listen.ip().is_unspecified() {
        return vec![format!("{scheme}://{listen}")];
    }
    let by_name = settings.discovery.mdns.then(|| "hearthwatch.local".to_owned());
    // IPv6 addresses change by the day, and nobody types them.
    let addresses = own.filter(|address| address.is_ipv4() && in_household(*address) && !address.is_loopback());
    let mut hosts: Vec<_> = by_name.into_iter().chain(addresses.map(|address| address.to_string())).collect();
    if hosts.is_empty() {
        hosts.push("localhost".to_owned());
    }
    hosts.into_iter().map(|host| format!("{scheme}://{host}:{port}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn of(text: &str, own: &[&str]) -> Vec<String> {
        let checked = config::check(text, |_| Err(std::io::ErrorKind::NotFound.into())).expect("a configuration");
        places(&checked.settings, own.iter().map(|address| address.parse().expect("an address")))
    }

    #[test]
    fn the_name_comes_first_and_no_address_that_nobody_can_use() {
        let own = ["127.0.0.1", "192.168.1.5", "203.0.113.7", "fd00::1"];
        let listen = "[web]\nlisten = \"0.0.0.0:8443\"\n";
        assert_eq!(of(listen, &own), ["https://hearthwatch.local:8443", "https://192.168.1.5:8443"]);
        let silent = format!("{listen}[discovery]\nmdns = false\n");
        assert_eq!(of(&silent, &own), ["https://192.168.1.5:8443"]);
        assert_eq!(of(&silent, &[]), ["https://localhost:8443"]);
        assert_eq!(of("[web]\nlisten = \"127.0.0.1:80\"\ntls = \"off\"\n", &own), ["http://127.0.0.1:80"]);
    }
}
