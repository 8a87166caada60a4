//! What every answer carries, whatever its route.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Nothing but what this recorder itself serves; each line has a reason.
pub(crate) const CONTENT_SECURITY_POLICY: &str = concat!(
    "default-src 'none'; ",
    "script-src 'self'; ",      // modules are files; nothing inline, so injected markup cannot run
    "style-src 'self'; ",       // one stylesheet; style attributes do not count
    "img-src 'self' blob:; ",   // thumbnails and snapshots, polled ones as blobs
    "media-src 'self' blob:; ", // clips, and Media Source
    "connect-src 'self'; ",     // the API and the live WebSocket
    "manifest-src 'self'; ",    // the name and icon on a phone's home screen
    "form-action 'self'; ",     // signing in goes nowhere else
    "base-uri 'none'; ",
    "frame-ancestors 'none'"
);

const ALWAYS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), \
         magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=(), xr-spatial-tracking=()",
    ),
];

/// Adds them. What is not said to be cacheable must not be kept by anybody: it is somebody's home.
pub(crate) fn add(headers: &mut HeaderMap) {
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, private"));
        headers.insert(header::VARY, HeaderValue::from_static("Cookie, Authorization"));
    }
}

/// `Content-Disposition: attachment` with a name that any system can store (RFC 6266).
pub(crate) fn attachment(file_name: &str) -> HeaderValue {
    let plain: String = file_name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '-' | '_') { c } else { '_' })
        .collect();
    let mut encoded = String::new();
    for byte in file_name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for digit in [byte >> 4, byte & 15] {
                encoded.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    HeaderValue::from_str(&format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"))
        .unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_is_kept_unless_it_says_so() {
        let mut headers = HeaderMap::new();
        add(&mut headers);
        assert_eq!(headers[header::CACHE_CONTROL], "no-store, private");
        let mut headers = HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static("public"))]);
        add(&mut headers);
        assert_eq!(headers[header::CACHE_CONTROL], "public");
    }

    proptest! {
        #[test]
        fn any_name_makes_a_header_of_one_line(name in any::<String>()) {
            let value = attachment(&name);
            let text = value.to_str().expect("ASCII");
            prop_assert!(text.starts_with("attachment; filename=\"") && !text.contains(['\r', '\n']));
            prop_assert_eq!(text.matches('"').count(), 2);
        }
    }
}
