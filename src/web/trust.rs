//! How a phone or a computer is told to trust the household's own authority: a page, and the authority itself.
//!
//! The page is served over TLS, and over plain HTTP on the same port to devices that do not trust it yet; so it stands on its
//! own, without a script and without anything of the household.

use std::fmt::Write as _;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};

use crate::web::assets;
use crate::web::frame::page as answer;
use crate::web::headers;
use crate::web::refusal::Refusal;
use crate::web::site::Site;
use crate::web::texts::filters;

/// Where the page is.
pub(crate) const PAGE: &str = "/trust";
/// The authority's certificate for most systems: the DER encoding, by the type that makes them offer to install it.
const CERTIFICATE: &str = "hearthwatch.crt";
/// The page's only asset.
const SHEET: &str = "site.css";

#[derive(Template)]
#[template(path = "trust.html")]
pub(crate) struct TrustPage {
    pub(crate) fingerprint: String,
}

/// `GET /trust`.
pub(crate) async fn page(State(site): State<Arc<Site>>) -> Result<Response, Refusal> {
    let pem = site.authority.as_deref().ok_or(Refusal::NotFound)?;
    Ok(answer(StatusCode::OK, &TrustPage { fingerprint: fingerprint(pem).ok_or(Refusal::NotFound)? }))
}

/// `GET /trust/{name}`.
pub(crate) async fn file(State(site): State<Arc<Site>>, Path(name): Path<String>) -> Result<Response, Refusal> {
    let pem = site.authority.as_deref().ok_or(Refusal::NotFound)?;
    let (media_type, bytes) = bytes_of(&name, pem).ok_or(Refusal::NotFound)?;
    Ok(([(header::CONTENT_TYPE, media_type)], bytes).into_response())
}

fn bytes_of(name: &str, pem: &str) -> Option<(&'static str, Vec<u8>)> {
    match name {
        CERTIFICATE => {
            let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
            Some(("application/x-x509-ca-cert", der.to_vec()))
        }
        SHEET => Some(("text/css; charset=utf-8", assets::bytes(SHEET)?)),
        _ => None,
    }
}

/// The SHA-256 of the certificate in groups that a person can compare, as browsers and phones show it.
pub fn fingerprint(pem: &str) -> Option<String> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let mut text = String::new();
    for (at, byte) in Sha256::digest(&der).iter().enumerate() {
        let separator = if at == 0 { "" } else { ":" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}{byte:02X}");
    }
    Some(text)
}

/// The whole answer of plain HTTP to one of these addresses; `None` if it is none of them.
pub(crate) fn over_plain_http(path: &str, pem: &str) -> Option<Vec<u8>> {
    let (media_type, body) = match path.strip_prefix(PAGE)? {
        "" | "/" => {
            ("text/html; charset=utf-8", TrustPage { fingerprint: fingerprint(pem)? }.render().ok()?.into_bytes())
        }
        file => bytes_of(file.strip_prefix('/')?, pem)?,
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: {}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        body.len(),
        headers::CONTENT_SECURITY_POLICY,
    );
    Some([head.into_bytes(), body].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem() -> String {
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        let key = rcgen::KeyPair::generate().expect("a key");
        parameters.self_signed(&key).expect("a certificate").pem()
    }

    #[test]
    fn plain_http_hands_out_the_page_the_sheet_and_the_authority_and_nothing_else() {
        let pem = pem();
        let page = over_plain_http("/trust", &pem).expect("a page");
        let page = String::from_utf8(page).expect("text");
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains(&fingerprint(&pem).expect("one")));
        assert!(!page.contains("<script") && !page.contains("/static/"), "it stands on its own");
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
        assert!(over_plain_http("/trust/hearthwatch.crt", &pem).expect("a file").ends_with(&der));
        assert!(over_plain_http("/trust/site.css", &pem).is_some());
        for other in ["/", "/trust/../api/me", "/trusted", "/trust/authority.json", "/trust//", "/api/me"] {
            assert!(over_plain_http(other, &pem).is_none(), "{other}");
        }
    }
    #[test]
    fn plain_http_speaks_the_readers_language_too() {
        let pem = pem();
        for (accepted, language) in [("de-CH, en;q=0.5", "de"), ("tlh", "en")] {
            let head = format!("GET /trust HTTP/1.1\r\nHost: nvr.lan\r\nACCEPT-LANGUAGE: {accepted}\r\n\r\n");
            let page = crate::web::tls::plain::answer(head.as_bytes(), &pem, |name| name == "nvr.lan");
            let page = String::from_utf8(page).expect("text");
            assert!(page.contains(&format!("<html lang=\"{language}\">")), "{page}");
        }
    }
}
