//! The first question: who answers there, and how would it have our password?
//!
//! Asked on a connection of its own and without credentials, because the RTSP library answers any challenge by itself, Basic
//! included, and does not show it. A camera that asks by digest here and by Basic a moment later would still get the
//! password in clear text; it would have to be made for that.

use http_auth::PasswordClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

use crate::camera::session::error::{CameraError, first_line, of_status};

/// The longest answer that is read, headers only.
const LONGEST_HEAD: usize = 16 * 1024;

/// What a camera would know of us before it tells of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// Nothing.
    None,
    /// That we know the password, without learning it.
    Digest,
}

/// Asks the camera at `url` for its stream, without credentials. Has no time limit of its own; may be cancelled.
///
/// The connection comes back with the answer, to be kept until another one stands: a server that has just begun to
/// prepare its stream for us would stop that, and refuse the next who asks meanwhile (GStreamer does).
pub(crate) async fn ask(url: &Url) -> Result<(Challenge, TcpStream), CameraError> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().unwrap_or(554);
    let unreachable =
        |error: std::io::Error| CameraError::Unreachable { host: format!("{host}:{port}"), reason: reason(&error) };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut stream = TcpStream::connect((bare, port)).await.map_err(unreachable)?;
    let mut target = url.clone();
    target.set_fragment(None);
    let request = format!(
        "DESCRIBE {target} RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: {}\r\nAccept: application/sdp\r\n\r\n",
        crate::camera::session::USER_AGENT
    );
    // A peer that hangs up at once may have answered before; only what can be read counts.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut head = Vec::new();
    let mut chunk = [0; 2048];
    loop {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(length) => head.extend_from_slice(&chunk[..length]),
        }
        if end_of_head(&head).is_some() || head.len() >= LONGEST_HEAD || !could_be_rtsp(&head) {
            break;
        }
    }
    Ok((read_answer(&head, &format!("{host}:{port}"), url.path())?, stream))
}

/// What an I/O error means to somebody who has never heard of errno.
fn reason(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => "the machine there takes no connections on this port".to_owned(),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::TimedOut => {
            "there is no machine at this address, or it is off".to_owned()
        }
        _ if error.raw_os_error().is_none() => "no address is known for this name".to_owned(),
        _ => first_line(&error.to_string()),
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n")
}

fn could_be_rtsp(bytes: &[u8]) -> bool {
    bytes.iter().zip(b"RTSP/1.0 ").all(|(byte, expected)| byte == expected)
}

/// Judges the answer's head. Pure.
fn read_answer(bytes: &[u8], host: &str, path: &str) -> Result<Challenge, CameraError> {
    if bytes.is_empty() {
        return Err(CameraError::Ended);
    }
    if !could_be_rtsp(bytes) {
        let speaks = if bytes.starts_with(b"HTTP/") {
            "HTTP"
        } else if bytes.starts_with(b"SSH-") {
            "SSH"
        } else if bytes.starts_with(&[0x15, 3]) {
            "TLS"
        } else {
            "something else"
        };
        return Err(CameraError::NotRtsp { host: host.to_owned(), speaks: speaks.to_owned() });
    }
    let not_understood = |detail: &str| CameraError::Protocol { detail: detail.to_owned() };
    let end = end_of_head(bytes).ok_or_else(|| not_understood("an answer without an end"))?;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let status: u16 = lines
        .next()
        .and_then(|line| line.get(9..12)?.parse().ok())
        .ok_or_else(|| not_understood("an answer without a status"))?;
    let header = |name: &str| {
        let values: Vec<_> = head
            .split("\r\n")
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .filter(|(key, _)| key.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect();
        values.join(", ")
    };
    match status {
        200..=299 => Ok(Challenge::None),
        300..=399 => Err(CameraError::Elsewhere { to: first_line(&header("location")) }),
        // Read by the same code as the RTSP library's, so that it cannot choose another answer than is expected here.
        401 => match PasswordClient::try_from(header("www-authenticate").as_str()) {
            Ok(PasswordClient::Digest(_)) => Ok(Challenge::Digest),
            Ok(_) => Err(CameraError::OnlyBasic),
            Err(_) => Err(not_understood("it asks for a password, but not in which way")),
        },
        _ => Err(of_status(status, path)
            .unwrap_or_else(|| not_understood(&format!("the status {status} when asked for its stream")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(answer: &str) -> Result<Challenge, CameraError> {
        read_answer(answer.as_bytes(), "192.168.1.20:554", "/main")
    }

    #[test]
    fn only_a_digest_challenge_gets_an_answer() {
        let digest = "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n";
        let basic = "WWW-Authenticate: Basic realm=\"r, Digest realm=x\"\r\n";
        assert_eq!(read(&format!("{digest}\r\n")), Ok(Challenge::Digest));
        assert_eq!(read(&format!("{digest}{basic}\r\n")), Ok(Challenge::Digest));
        assert_eq!(read(&format!("RTSP/1.0 401 No\r\n{basic}\r\n")), Err(CameraError::OnlyBasic));
        assert_eq!(read("RTSP/1.0 200 OK\r\n\r\n"), Ok(Challenge::None));
        assert!(matches!(read("RTSP/1.0 401 No\r\n\r\n"), Err(CameraError::Protocol { .. })));
        assert!(matches!(
            read("RTSP/1.0 401 No\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=ROT13\r\n\r\n"),
            Err(CameraError::Protocol { .. })
        ));
    }

    #[test]
    fn what_is_no_camera_is_named() {
        let speaks = |answer: &[u8]| match read_answer(answer, "h", "/") {
            Err(CameraError::NotRtsp { speaks, .. }) => speaks,
            other => panic!("{other:?}"),
        };
        assert_eq!(speaks(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "HTTP");
        assert_eq!(speaks(b"SSH-2.0-OpenSSH"), "SSH");
        assert_eq!(speaks(&[0x15, 3, 1, 0, 2, 2, 70]), "TLS");
        assert_eq!(speaks(b"\0"), "something else");
    }

    #[test]
    fn a_redirect_is_told_and_not_followed() {
        assert_eq!(
            read("RTSP/1.0 302 Moved\r\nLocation: rtsp://8.8.8.8/\r\n\r\n"),
            Err(CameraError::Elsewhere { to: "rtsp://8.8.8.8/".to_owned() })
        );
    }

    #[test]
    fn a_missing_stream_is_named_by_its_path() {
        assert_eq!(read("RTSP/1.0 404 Not Found\r\n\r\n"), Err(CameraError::NoSuchStream { path: "/main".to_owned() }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), rtsp: bool) {
            let mut answer = if rtsp { b"RTSP/1.0 401 x\r\nWWW-Authenticate: ".to_vec() } else { Vec::new() };
            answer.extend(bytes);
            answer.extend(b"\r\n\r\n");
            let _ = read_answer(&answer, "h", "/");
        }
    }
}
