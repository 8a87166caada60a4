//! Which names this recorder answers to, whose calls it takes, and which pages may make it act. Pure.
//!
//! A web page elsewhere can point its own name at this recorder (DNS rebinding) and is then same-origin with it as far as
//! the browser can tell; only the name in the request gives it away. A page elsewhere can also make a browser send
//! requests here with the household's cookie; only `Origin` and `Sec-Fetch-Site` tell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, HeaderValue, Uri, header};

/// Names that are always its own, besides IP literals.
const OWN_NAMES: [&str; 2] = ["localhost", "hearthwatch.local"];

/// The authority that a request was sent to, lower case, with its port if it named one; found to be one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnAuthority(String);

impl OwnAuthority {
    /// Reads the one `Host` header. `None`: it is missing, there are several, it contradicts the request line, it is
    /// malformed, or it is a name we do not answer to. Forwarded headers are not looked at: anybody can write them. `told` is
    /// what a configured proxy said the caller's `Host` was; it is judged like the `Host` itself.
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap, told: Option<&str>, configured: &[String]) -> Option<Self> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next()?.to_str().ok()?.to_ascii_lowercase();
        if hosts.next().is_some() {
            return None;
        }
        if uri.authority().is_some_and(|authority| !authority.as_str().eq_ignore_ascii_case(&host)) {
            return None;
        }
        let host = told.map_or(host, str::to_ascii_lowercase);
        let name = name_of(&host)?;
        let is_own = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(literal) => literal.parse::<Ipv6Addr>().is_ok(),
            None => {
                name.parse::<Ipv4Addr>().is_ok()
                    || OWN_NAMES.contains(&name)
                    || configured.iter().any(|own| own == name)
            }
        };
        is_own.then_some(Self(host))
    }

    /// As an origin, the way a browser writes it.
    pub(crate) fn origin(&self, over_tls: bool) -> String {
        format!("{}://{}", if over_tls { "https" } else { "http" }, self.0)
    }
}

/// The host of `host[:port]`; `None` if that is not what it is.
fn name_of(host: &str) -> Option<&str> {
    let (name, port) = match host.rfind(']') {
        Some(end) => {
            let (name, rest) = host.split_at(end + 1);
            (name, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let port_is_fine = port.is_none_or(|port| {
        !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    let name_is_fine = !name.is_empty()
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_' | b'[' | b']' | b':'));
    (port_is_fine && name_is_fine).then_some(name)
}

/// Whether an address is within the house: this machine, private, link-local or unique local.
pub(crate) fn is_in_the_house(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unique_local(),
    }
}

/// What kind of request asks to be judged by [`may_act`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acting {
    /// Reads only.
    No,
    /// Changes something, or opens a WebSocket, on the strength of the browser's cookie.
    WithCookie,
    /// The same, but with a token in `Authorization`, which no page elsewhere can make a browser send.
    WithToken,
    /// Signs in by JSON, which no page elsewhere can send without asking first; no cookie counts.
    ByJsonSignIn,
}

/// Whether the page behind a request may make it: never from elsewhere, except to follow a link here.
pub(crate) fn may_act(headers: &HeaderMap, acting: Acting, own_origin: &str) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let origin = origins.next();
    if origins.next().is_some() {
        return false;
    }
    let origin_is_own = origin.map(|origin| origin.as_bytes() == own_origin.as_bytes());
    let site_is_own = site.map(|site| site == b"same-origin");
    match acting {
        // A page elsewhere may link here, but not embed, fetch or script what is here.
        Acting::No => {
            let follows_a_link = headers.get("sec-fetch-mode").is_some_and(|mode| mode.as_bytes() == b"navigate")
                && headers.get("sec-fetch-dest").is_none_or(|to| to.as_bytes() == b"document");
            site_is_own != Some(false) || site == Some(b"none") || follows_a_link
        }
        Acting::WithCookie => origin_is_own.or(site_is_own).unwrap_or(false) && site_is_own != Some(false),
        Acting::WithToken | Acting::ByJsonSignIn => origin_is_own != Some(false) && site_is_own != Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;
    use proptest::prelude::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                HeaderValue::from_str(value).expect("a value"),
            );
        }
        map
    }

    fn answers_to(host: &str) -> bool {
        let configured = ["nvr.home.arpa".to_owned()];
        OwnAuthority::of(&Uri::from_static("/"), &headers(&[("host", host)]), None, &configured).is_some()
    }

    #[test]
    fn it_answers_to_its_own_names_and_to_addresses() {
        for own in [
            "localhost",
            "LOCALHOST:8443",
            "hearthwatch.local",
            "hearthwatch.local:8443",
            "nvr.home.arpa",
            "192.168.1.5:8443",
            "127.0.0.1",
            "[::1]",
            "[fd00::1]:8443",
        ] {
            assert!(answers_to(own), "{own}");
        }
    }

    #[test]
    fn it_answers_to_no_other_name() {
        for other in [
            "",
            "evil.example",
            "localhost.evil.example",
            "localhost.",
            "nvr.home.arpa.",
            "user@localhost",
            "localhost:",
            "localhost:0",
            "localhost:99999",
            "localhost:80:80",
            "localhost:8a",
            "127.0.0.1.evil.example",
            "127.1",
            "0x7f000001",
            "[::1",
            "[::1]x",
            "[::1]:",
            "[localhost]",
            "localhost, localhost",
            "localhost/",
        ] {
            assert!(!answers_to(other), "{other:?}");
        }
    }

    #[test]
    fn two_hosts_or_a_request_line_that_contradicts_are_refused() {
        let twice = headers(&[("host", "localhost"), ("host", "localhost")]);
        assert_eq!(OwnAuthority::of(&Uri::from_static("/"), &twice, None, &[]), None);
        assert_eq!(OwnAuthority::of(&Uri::from_static("/"), &HeaderMap::new(), None, &[]), None);
        let one = headers(&[("host", "localhost")]);
        assert_eq!(OwnAuthority::of(&Uri::from_static("http://evil.example/"), &one, None, &[]), None);
        assert!(OwnAuthority::of(&Uri::from_static("http://localhost/"), &one, None, &[]).is_some());
        let forwarded =
            headers(&[("host", "evil.example"), ("x-forwarded-host", "localhost"), ("forwarded", "host=localhost")]);
        assert_eq!(OwnAuthority::of(&Uri::from_static("/"), &forwarded, None, &[]), None);
    }

    #[test]
    fn only_addresses_of_a_house_are_in_the_house() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.1.1",
            "::1",
            "fe80::1",
            "fd12::1",
            "::ffff:192.168.1.1",
        ] {
            assert!(is_in_the_house(inside.parse().expect("an address")), "{inside}");
        }
        for outside in
            ["8.8.8.8", "172.32.0.1", "100.64.0.1", "0.0.0.0", "2001:db8::1", "::ffff:8.8.8.8", "224.0.0.251"]
        {
            assert!(!is_in_the_house(outside.parse().expect("an address")), "{outside}");
        }
    }

    #[test]
    fn a_page_elsewhere_cannot_act() {
        let own = "https://192.168.1.5:8443";
        let acts = |pairs: &[(&str, &str)], acting| may_act(&headers(pairs), acting, own);
        assert!(acts(&[("origin", own)], Acting::WithCookie));
        assert!(acts(&[("sec-fetch-site", "same-origin")], Acting::WithCookie));
        assert!(!acts(&[], Acting::WithCookie), "a browser always says");
        for foreign in ["null", "https://evil.example", "http://192.168.1.5:8443", "https://192.168.1.5", ""] {
            for acting in [Acting::WithCookie, Acting::WithToken, Acting::ByJsonSignIn] {
                assert!(!acts(&[("origin", foreign)], acting), "{foreign} {acting:?}");
                assert!(!acts(&[("origin", own), ("origin", foreign)], acting), "{foreign} {acting:?}");
            }
        }
        assert!(!acts(&[("origin", own), ("sec-fetch-site", "cross-site")], Acting::WithCookie));
        assert!(acts(&[], Acting::WithToken) && acts(&[], Acting::ByJsonSignIn), "no browser at all");
    }

    #[test]
    fn a_page_elsewhere_may_link_but_not_embed() {
        let reads = |pairs: &[(&str, &str)]| may_act(&headers(pairs), Acting::No, "http://localhost");
        assert!(reads(&[]) && reads(&[("sec-fetch-site", "none")]) && reads(&[("sec-fetch-site", "same-origin")]));
        assert!(reads(&[
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document")
        ]));
        assert!(!reads(&[
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "no-cors"),
            ("sec-fetch-dest", "image")
        ]));
        assert!(!reads(&[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "cors")]), "another port of this machine");
        assert!(!reads(&[
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "iframe")
        ]));
    }

    proptest! {
        #[test]
        fn no_name_but_ours_is_answered_to(host in "[a-z0-9.:@\\[\\]-]{0,30}") {
            if answers_to(&host) {
                let name = name_of(&host).expect("a name");
                let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
                prop_assert!(address || OWN_NAMES.contains(&name) || name == "nvr.home.arpa");
            }
        }
    }
}
