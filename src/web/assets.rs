//! The stylesheet, the modules and the icons, embedded in the binary and served under a hash of all their bytes.
//!
//! One hash for the whole set: files name each other by relative addresses, and every address changes when any file does,
//! so a browser may keep them for ever and never mixes two versions.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// Kept for ever: the address changes with the bytes.
pub(crate) const CACHE_FOR_EVER: &str = "public, max-age=31536000, immutable";

static BASE: LazyLock<String> = LazyLock::new(|| {
    let mut names: Vec<_> = Files::iter().collect();
    names.sort_unstable();
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name.as_bytes());
        hash.update([0]);
        if let Some(file) = Files::get(&name) {
            hash.update(file.metadata.sha256_hash());
        }
    }
    let mut base = String::from("/static/");
    for byte in &hash.finalize()[..8] {
        // Writing to a string cannot fail.
        let _ = write!(base, "{byte:02x}");
    }
    base
});

/// The address below which this version's files are, without a slash at the end.
pub(crate) fn base() -> &'static str {
    &BASE
}

/// One file.
pub(crate) fn bytes(name: &str) -> Option<Vec<u8>> {
    Files::get(name).map(|file| file.data.into_owned())
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

/// `GET /static/{hash}/{name}`.
pub(crate) async fn file(Path((hash, name)): Path<(String, String)>) -> Response {
    let is_current = BASE.strip_prefix("/static/") == Some(hash.as_str());
    match Files::get(&name) {
        Some(file) if is_current => (
            [(header::CONTENT_TYPE, media_type(&name)), (header::CACHE_CONTROL, CACHE_FOR_EVER)],
            file.data.into_owned(),
        )
            .into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_file_has_a_media_type_and_is_served_below_the_hash_only() {
        let hash = base().trim_start_matches("/static/").to_owned();
        for name in Files::iter() {
            assert_ne!(media_type(&name), "application/octet-stream", "{name}");
            assert_eq!(file(Path((hash.clone(), name.to_string()))).await.status(), StatusCode::OK, "{name}");
            assert_eq!(file(Path(("0".into(), name.to_string()))).await.status(), StatusCode::NOT_FOUND, "{name}");
        }
        assert_eq!(file(Path((hash, "../Cargo.toml".into()))).await.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn script_and_style_together_weigh_little() {
        let is_counted = |name: &str| media_type(name).starts_with("text/");
        let weight: usize = Files::iter()
            .filter(|name| is_counted(name))
            .filter_map(|name| Files::get(&name))
            .map(|file| file.data.len())
            .sum();
        assert!(weight <= 150 * 1024, "{weight} bytes, uncompressed");
    }

    #[test]
    fn modules_stay_short_and_carry_no_markup_from_data() {
        for name in Files::iter().filter(|name| name.ends_with(".js")) {
            let data = Files::get(&name).expect("listed").data;
            let text = std::str::from_utf8(&data).expect("UTF-8");
            assert!(text.lines().count() < 300, "{name} is too long");
            assert!(text.starts_with("// @ts-check"), "{name}");
            for banned in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http://", "https://"]
            {
                assert!(!text.replace("http://www.w3.org/2000/svg", "").contains(banned), "{name} uses {banned}");
            }
        }
    }
}
