//! The session cookie: what it is called, how it is written and read.

use std::time::Duration;

use axum::http::{HeaderMap, header};

/// How long a sign-in lasts.
pub(crate) const SESSION_LENGTH: Duration = Duration::from_secs(30 * 24 * 3600);

/// Over TLS the browser itself guarantees by the prefix that nobody else set it; over plain HTTP that prefix is not
/// allowed, and the other name keeps a cookie that travelled in clear text from counting over TLS.
fn name(over_tls: bool) -> &'static str {
    if over_tls { "__Host-hearthwatch" } else { "hearthwatch" }
}

/// `Set-Cookie` that signs in.
pub(crate) fn set(token: &str, over_tls: bool) -> String {
    let secure = if over_tls { "; Secure" } else { "" };
    format!("{}={token}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", name(over_tls), SESSION_LENGTH.as_secs())
}

/// `Set-Cookie` that signs out.
pub(crate) fn clear(over_tls: bool) -> String {
    let secure = if over_tls { "; Secure" } else { "" };
    format!("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}", name(over_tls))
}

/// The one value of the session cookie. `None` if there is none, or several: then somebody else planted one.
pub(crate) fn read(headers: &HeaderMap, over_tls: bool) -> Option<&str> {
    let name = name(over_tls);
    let mut values = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// The token of `Authorization: Bearer …`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (values.next().is_none() && scheme.eq_ignore_ascii_case("bearer")).then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn with(cookie: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(cookie))])
    }

    #[test]
    fn a_cookie_of_plain_http_does_not_count_over_tls() {
        assert_eq!(read(&with("a=1; hearthwatch=abc"), false), Some("abc"));
        assert_eq!(read(&with("a=1; hearthwatch=abc"), true), None);
        assert_eq!(read(&with("__Host-hearthwatch=abc"), true), Some("abc"));
        assert_eq!(read(&with("hearthwatch=abc; hearthwatch=def"), false), None);
    }

    #[test]
    fn over_tls_the_cookie_is_bound_to_the_host_and_secure() {
        assert_eq!(set("t", true), "__Host-hearthwatch=t; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(set("t", false), "hearthwatch=t; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax");
        assert!(clear(true).contains("Max-Age=0"));
    }

    #[test]
    fn a_bearer_token_is_read_from_its_header_only() {
        let with = |value| HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
        assert_eq!(bearer(&with("Bearer abc")), Some("abc"));
        assert_eq!(bearer(&with("Basic abc")), None);
        assert_eq!(bearer(&with("Bearer")), None);
    }
}
