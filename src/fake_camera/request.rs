//! RTSP messages as bytes: requests in, responses out (RFC 2326). Pure and bounded.

use std::fmt::Write as _;

/// The longest request, head and body together, in bytes.
pub(crate) const MAX_REQUEST: usize = 8 * 1024;

/// A request, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) uri: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The first header of that name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// The path of the URI, without query, a leading `/` and trailing ones: `main/trackID=0`.
    pub(crate) fn path(&self) -> &str {
        let after_scheme = self.uri.split_once("://").map_or(&*self.uri, |(_, rest)| rest);
        let path = after_scheme.split_once('/').map_or("", |(_, path)| path);
        path.split(['?', '#']).next().unwrap_or(path).trim_end_matches('/')
    }
}

/// A URL without query and trailing slashes.
pub(crate) fn base_of(uri: &str) -> &str {
    uri.split(['?', '#']).next().unwrap_or(uri).trim_end_matches('/')
}

/// What stands at the beginning of the bytes received so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Not yet a whole message.
    Partial,
    /// A request, and how many bytes it took.
    Request(Request, usize),
    /// A binary frame (`$`, as receiver reports come), and how many bytes it took.
    Interleaved(usize),
}

/// Why bytes are no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("a request of more than {MAX_REQUEST} bytes")]
    TooLong,
    #[error("not an RTSP request")]
    Malformed,
    #[error("not RTSP version 1.0")]
    Version,
}

/// Reads the first message.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, RequestError> {
    if let [b'$', _, high, low, ..] = bytes {
        let length = 4 + usize::from(u16::from_be_bytes([*high, *low]));
        return Ok(if bytes.len() < length { Parsed::Partial } else { Parsed::Interleaved(length) });
    }
    if bytes.first() == Some(&b'$') {
        return Ok(Parsed::Partial);
    }
    // Empty lines before a request are harmless.
    let skipped = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let Some(head_length) = bytes[skipped..].windows(4).position(|window| window == b"\r\n\r\n") else {
        return if bytes.len() > MAX_REQUEST { Err(RequestError::TooLong) } else { Ok(Parsed::Partial) };
    };
    let body_at = skipped + head_length + 4;
    if body_at > MAX_REQUEST {
        return Err(RequestError::TooLong);
    }
    let head = std::str::from_utf8(&bytes[skipped..skipped + head_length]).map_err(|_| RequestError::Malformed)?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(uri), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(RequestError::Malformed);
    };
    if version != "RTSP/1.0" {
        return Err(if version.starts_with("RTSP/") { RequestError::Version } else { RequestError::Malformed });
    }
    if method.is_empty() || uri.is_empty() || !method.bytes().all(|c| c.is_ascii_uppercase() || c == b'_') {
        return Err(RequestError::Malformed);
    }
    let headers = lines
        .map(|line| line.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())))
        .collect::<Option<Vec<_>>>()
        .ok_or(RequestError::Malformed)?;
    let mut request = Request { method: method.to_owned(), uri: uri.to_owned(), headers, body: Vec::new() };
    let length = match request.header("Content-Length") {
        None => 0,
        Some(text) => text.parse::<usize>().map_err(|_| RequestError::Malformed)?,
    };
    let end = body_at.saturating_add(length);
    if end > MAX_REQUEST {
        return Err(RequestError::TooLong);
    }
    let Some(body) = bytes.get(body_at..end) else { return Ok(Parsed::Partial) };
    request.body = body.to_vec();
    Ok(Parsed::Request(request, end))
}

/// An answer to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    status: (u16, &'static str),
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Response {
    pub(crate) fn ok() -> Self {
        Self::of(200, "OK")
    }

    pub(crate) fn of(code: u16, reason: &'static str) -> Self {
        Self { status: (code, reason), headers: Vec::new(), body: String::new() }
    }

    pub(crate) fn not_found() -> Self {
        Self::of(404, "Not Found")
    }

    pub(crate) fn session_not_found() -> Self {
        Self::of(454, "Session Not Found")
    }

    /// Adds a header. Line breaks in its value are taken out.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let value: String = value.into();
        self.headers.push((name, value.chars().filter(|c| !c.is_control()).collect()));
        self
    }

    /// Sets the body and its headers.
    #[must_use]
    pub(crate) fn with_body(mut self, kind: &'static str, body: String) -> Self {
        self.body = body;
        self.with("Content-Type", kind)
    }

    /// As bytes, with the request's sequence number.
    pub(crate) fn to_bytes(&self, cseq: Option<&str>) -> Vec<u8> {
        let mut text = format!("RTSP/1.0 {} {}\r\n", self.status.0, self.status.1);
        let cseq = cseq.filter(|cseq| cseq.len() <= 10 && cseq.bytes().all(|c| c.is_ascii_digit()));
        // Writing into a String cannot fail.
        if let Some(cseq) = cseq {
            let _ = write!(text, "CSeq: {cseq}\r\n");
        }
        text.push_str("Server: Hearthwatch fake camera\r\n");
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        if !self.body.is_empty() {
            let _ = write!(text, "Content-Length: {}\r\n", self.body.len());
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_read_whole_or_not_at_all() {
        let bytes = b"SET_PARAMETER rtsp://h:1/main/?x=/y RTSP/1.0\r\nCSeq: 7\r\ncontent-length: 4\r\n\r\nabcdOPTIONS";
        let Ok(Parsed::Request(request, length)) = parse(bytes) else { panic!("a request") };
        assert_eq!((request.method.as_str(), request.path(), length), ("SET_PARAMETER", "main", bytes.len() - 7));
        assert_eq!((request.header("cseq"), request.body.as_slice()), (Some("7"), &b"abcd"[..]));
        for end in 0..length {
            assert_eq!(parse(&bytes[..end]), Ok(Parsed::Partial), "{end}");
        }
    }

    #[test]
    fn a_binary_frame_is_stepped_over() {
        assert_eq!(parse(b"$\x01\x00\x02abOPTIONS"), Ok(Parsed::Interleaved(6)));
        assert_eq!(parse(b"$\x01\x00\x02a"), Ok(Parsed::Partial));
        assert_eq!(parse(b"$"), Ok(Parsed::Partial));
    }

    #[test]
    fn what_is_too_long_or_no_rtsp_is_refused() {
        assert_eq!(parse(&[b'a'; MAX_REQUEST + 1]), Err(RequestError::TooLong));
        assert_eq!(parse(b"PLAY * RTSP/1.0\r\nContent-Length: 9999\r\n\r\n"), Err(RequestError::TooLong));
        assert_eq!(parse(b"GET / HTTP/1.1\r\n\r\n"), Err(RequestError::Malformed));
        assert_eq!(parse(b"PLAY rtsp://h/ RTSP/2.0\r\n\r\n"), Err(RequestError::Version));
        assert_eq!(parse(b"PLAY  RTSP/1.0\r\n\r\n"), Err(RequestError::Malformed));
    }

    #[test]
    fn a_response_has_no_lines_of_others() {
        let bytes = Response::ok().with("Session", "1\r\nX: y").to_bytes(Some("3\r\nZ: 1"));
        assert_eq!(bytes, b"RTSP/1.0 200 OK\r\nServer: Hearthwatch fake camera\r\nSession: 1X: y\r\n\r\n");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn no_text_makes_the_parser_panic(line in "[A-Z]{0,5} [ -~]{0,20} RTSP/1.0(\r\n[ -~]{0,30}){0,4}\r\n\r\n") {
            if let Ok(Parsed::Request(request, length)) = parse(line.as_bytes()) {
                prop_assert!(length <= line.len() && !request.path().ends_with('/'));
            }
        }
    }
}
