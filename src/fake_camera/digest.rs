//! Digest authentication as cameras do it: MD5, RFC 2069 and `qop=auth` (RFC 2617, RFC 2326 D.2). Pure.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq as _;

use crate::units::Secret;

/// Who may watch the fake camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name; no `"` and no control characters.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// What an `Authorization` header proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The right password, on this connection's nonce.
    Right,
    /// The right password, on a nonce of the past: may try again at once.
    Stale,
    /// Anything else.
    Wrong,
}

/// The `WWW-Authenticate` header's value.
pub(crate) fn challenge(realm: &str, nonce: &str, verdict: Verdict) -> String {
    let stale = if verdict == Verdict::Stale { ", stale=TRUE" } else { "" };
    format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm=MD5, qop=\"auth\"{stale}")
}

/// Judges an `Authorization` header's value, for a request of this method.
pub(crate) fn judge(header: &str, method: &str, realm: &str, nonce: &str, credentials: &Credentials) -> Verdict {
    let Some(parameters) = header.trim().strip_prefix("Digest ").map(parameters) else { return Verdict::Wrong };
    let get = |name: &str| parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| &**value);
    let (Some(user), Some(theirs), Some(uri), Some(response)) =
        (get("username"), get("nonce"), get("uri"), get("response"))
    else {
        return Verdict::Wrong;
    };
    if user != credentials.user || get("realm") != Some(realm) {
        return Verdict::Wrong;
    }
    let a1 = md5_hex(&format!("{user}:{realm}:{}", credentials.password.expose()));
    let a2 = md5_hex(&format!("{method}:{uri}"));
    let expected = match get("qop") {
        None => md5_hex(&format!("{a1}:{theirs}:{a2}")),
        Some("auth") => {
            let (Some(count), Some(cnonce)) = (get("nc"), get("cnonce")) else { return Verdict::Wrong };
            md5_hex(&format!("{a1}:{theirs}:{count}:{cnonce}:auth:{a2}"))
        }
        Some(_) => return Verdict::Wrong,
    };
    if !bool::from(expected.as_bytes().ct_eq(response.to_ascii_lowercase().as_bytes())) {
        Verdict::Wrong
    } else if theirs == nonce {
        Verdict::Right
    } else {
        Verdict::Stale
    }
}

/// Whose password an `Authorization` header claims to be; for Basic, what was sent.
pub(crate) fn user(header: &str) -> Option<String> {
    let (scheme, rest) = header.trim().split_once(' ')?;
    if scheme.eq_ignore_ascii_case("Basic") {
        return Some(rest.to_owned());
    }
    parameters(rest).into_iter().find(|(key, _)| key.eq_ignore_ascii_case("username")).map(|(_, value)| value)
}

/// `name=value` and `name="value"`, separated by commas; what is torn at the end is left out.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',', '\t']).to_owned();
        let after = after.trim_start();
        let (value, next) = if let Some(quoted) = after.strip_prefix('"') {
            let Some((value, next)) = quoted.split_once('"') else { break };
            (value, next)
        } else {
            after.split_once(',').unwrap_or((after, ""))
        };
        found.push((name, value.trim().to_owned()));
        rest = next;
    }
    found
}

fn md5_hex(text: &str) -> String {
    let mut hex = String::with_capacity(32);
    for byte in Md5::digest(text.as_bytes()) {
        // Writing into a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mufasa() -> Credentials {
        Credentials { user: "Mufasa".to_owned(), password: Secret::new("Circle Of Life") }
    }

    const NONCE: &str = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
    const RFC_2617: &str = "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
        nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", qop=auth, nc=00000001, \
        cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";

    #[test]
    fn the_example_of_rfc_2617_is_right() {
        let judged =
            |method, realm, nonce, credentials: &Credentials| judge(RFC_2617, method, realm, nonce, credentials);
        assert_eq!(judged("GET", "testrealm@host.com", NONCE, &mufasa()), Verdict::Right);
        assert_eq!(judged("PUT", "testrealm@host.com", NONCE, &mufasa()), Verdict::Wrong);
        assert_eq!(judged("GET", "another", NONCE, &mufasa()), Verdict::Wrong);
        assert_eq!(judged("GET", "testrealm@host.com", "newer", &mufasa()), Verdict::Stale);
        let other = Credentials { password: Secret::new("circle of life"), ..mufasa() };
        assert_eq!(judged("GET", "testrealm@host.com", NONCE, &other), Verdict::Wrong);
    }

    #[test]
    fn an_answer_without_qop_is_right_too() {
        let response =
            md5_hex(&format!("{}:{NONCE}:{}", md5_hex("Mufasa:r:Circle Of Life"), md5_hex("DESCRIBE:rtsp://h/main")));
        let header = format!(
            "Digest username=\"Mufasa\",realm=\"r\",nonce=\"{NONCE}\",uri=\"rtsp://h/main\",response=\"{response}\""
        );
        assert_eq!(judge(&header, "DESCRIBE", "r", NONCE, &mufasa()), Verdict::Right);
    }

    proptest! {
        #[test]
        fn no_other_text_is_right(header in "(Digest )?[ -~]{0,200}") {
            prop_assert_eq!(judge(&header, "DESCRIBE", "r", NONCE, &mufasa()), Verdict::Wrong);
        }
    }
}
