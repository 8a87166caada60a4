//! What a proxy in front says about a call, and when that is believed. Pure.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, header};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Where a call comes from and how it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// The caller's address.
    pub(crate) from: IpAddr,
    /// What the caller's `Host` was, if a proxy says so; still to be judged.
    pub(crate) host: Option<String>,
    /// Whether the caller spoke TLS.
    pub(crate) over_tls: bool,
}

impl Call {
    /// Believes `X-Forwarded-*` from configured proxies alone; anybody else can write what they like into it. `None`: a proxy
    /// said something that makes no sense, and then nobody is let in by it.
    pub(crate) fn of(peer: IpAddr, headers: &HeaderMap, proxies: &[IpAddr], over_tls: bool) -> Option<Self> {
        let peer = peer.to_canonical();
        if !proxies.contains(&peer) {
            return Some(Self { from: peer, host: None, over_tls });
        }
        // Each proxy adds at the end whom it was called by; what stands before the last unknown one was written by the caller.
        let mut from = peer;
        let mut chain = Vec::new();
        for value in headers.get_all(&FOR) {
            chain.extend(value.to_str().ok()?.split(',').map(str::trim));
        }
        for text in chain.iter().rev() {
            from = text.parse::<IpAddr>().ok()?.to_canonical();
            if !proxies.contains(&from) {
                break;
            }
        }
        let host = one(headers, &HOST)?.map(str::to_owned);
        let over_tls = match one(headers, &PROTO)? {
            None => over_tls,
            Some("https") => true,
            Some("http") => false,
            Some(_) => return None,
        };
        Some(Self { from, host, over_tls })
    }
}

/// The one value; `None` if there are several or it is no text.
#[expect(clippy::option_option, reason = "none, and a contradiction, are different things")]
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Option<&'h str>> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Some(None) };
    let value = value.to_str().ok()?.trim();
    (values.next().is_none() && !value.contains(',')).then_some(Some(value))
}

/// Whether somebody says that this call was passed on: then a loopback address does not mean this machine itself.
pub(crate) fn is_forwarded(headers: &HeaderMap) -> bool {
    [FOR, HOST, PROTO, header::FORWARDED, header::VIA].iter().any(|name| headers.contains_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn call(peer: &str, pairs: &[(&'static str, &'static str)]) -> Option<Call> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let proxies = ["192.168.1.2", "192.168.1.3"].map(|address| address.parse().expect("an address"));
        Call::of(peer.parse().expect("an address"), &headers, &proxies, false)
    }

    fn from(peer: &str, chain: &'static str) -> Option<String> {
        call(peer, &[("x-forwarded-for", chain)]).map(|call| call.from.to_string())
    }

    #[test]
    fn only_a_configured_proxy_is_believed() {
        assert_eq!(from("192.168.1.9", "10.0.0.1").as_deref(), Some("192.168.1.9"));
        assert_eq!(from("192.168.1.2", "10.0.0.1").as_deref(), Some("10.0.0.1"));
        assert_eq!(from("::ffff:192.168.1.2", "10.0.0.1").as_deref(), Some("10.0.0.1"));
        let liar = call("192.168.1.9", &[("x-forwarded-host", "localhost"), ("x-forwarded-proto", "https")]);
        assert_eq!(liar.map(|call| (call.host, call.over_tls)), Some((None, false)));
    }

    #[test]
    fn what_the_caller_wrote_before_the_proxies_counts_for_nothing() {
        assert_eq!(from("192.168.1.2", "127.0.0.1, 8.8.8.8").as_deref(), Some("8.8.8.8"), "a stranger says loopback");
        assert_eq!(from("192.168.1.2", "127.0.0.1, 10.0.0.7, 192.168.1.3").as_deref(), Some("10.0.0.7"));
        assert_eq!(from("192.168.1.2", "nonsense"), None);
        assert_eq!(call("192.168.1.2", &[]).map(|call| call.from.to_string()).as_deref(), Some("192.168.1.2"));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let proxy = "192.168.1.2";
        let fine = call(proxy, &[("x-forwarded-host", "nvr.lan"), ("x-forwarded-proto", "https")]).expect("believed");
        assert_eq!((fine.host.as_deref(), fine.over_tls), (Some("nvr.lan"), true));
        assert_eq!(call(proxy, &[("x-forwarded-host", "a"), ("x-forwarded-host", "b")]), None);
        assert_eq!(call(proxy, &[("x-forwarded-host", "a, b")]), None);
        assert_eq!(call(proxy, &[("x-forwarded-proto", "gopher")]), None);
    }
}
