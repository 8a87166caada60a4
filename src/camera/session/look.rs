//! The first question: who answers there, and how would it have our password?
//!
//! Asked on a connection of its own and without credentials, because the RTSP library answers a challenge by itself and does
//! not show it. It has no answer to Basic (`.cargo/http-auth`): who asks by digest here and by Basic a moment later gets none.

use std::net::SocketAddr;
use std::time::Duration;

use http_auth::{ChallengeParser, PasswordClient};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use url::Url;

use crate::camera::discovery::plain_text;
use crate::camera::identity::Asks;
use crate::camera::session::error::{CameraError, first_line, of_status};

/// How long a machine on the same network may take to open a connection: it needs milliseconds.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

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

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// What it can do: costs it nothing, and says nothing of passwords.
    Options,
    /// What its stream is.
    Describe,
}

/// What came back, and the connection it came on.
pub(crate) struct Answer {
    head: Vec<u8>,
    host: String,
    path: String,
    /// Since the connection was begun.
    pub(crate) connected_for: Duration,
    /// To be kept until another one stands: a server that has just begun to prepare its stream for us would stop that, and
    /// refuse the next who asks meanwhile (GStreamer does).
    pub(crate) connection: TcpStream,
}

impl Answer {
    /// How it would have our password.
    pub(crate) fn challenge(&self) -> Result<Challenge, CameraError> {
        read_answer(&self.head, &self.host, &self.path).map(|(challenge, _)| challenge)
    }

    /// The same as evidence of who it is; `None` if it did not come to that.
    pub(crate) fn asks(&self) -> Option<Asks> {
        match read_answer(&self.head, &self.host, &self.path) {
            Ok((_, asks)) => Some(asks),
            Err(CameraError::OnlyBasic) => Some(Asks::Basic),
            Err(_) => None,
        }
    }
}

/// Asks the camera at `address` about `url`, without credentials. May be cancelled.
pub(crate) async fn ask(url: &Url, address: SocketAddr, question: Question) -> Result<Answer, CameraError> {
    let (host, begun) = (address.to_string(), Instant::now());
    let unreachable = |error: std::io::Error| CameraError::Unreachable { host: host.clone(), reason: reason(&error) };
    // A kernel that remembers who had this address before knocks there for many seconds; another attempt asks anew.
    let silent = |_| CameraError::Silent { host: host.clone(), after: CONNECT_LIMIT };
    let connecting = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(address));
    let mut connection = connecting.await.map_err(silent)?.map_err(unreachable)?;
    let mut target = url.clone();
    target.set_fragment(None);
    let method = match question {
        Question::Options => "OPTIONS",
        Question::Describe => "DESCRIBE",
    };
    let request = format!(
        "{method} {target} RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: {}\r\nAccept: application/sdp\r\n\r\n",
        crate::camera::session::USER_AGENT
    );
    // A peer that hangs up at once may have answered before; only what can be read counts.
    let _ = connection.write_all(request.as_bytes()).await;
    let mut head = Vec::new();
    let mut chunk = [0; 2048];
    loop {
        match connection.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(length) => head.extend_from_slice(&chunk[..length]),
        }
        if end_of_head(&head).is_some() || head.len() >= LONGEST_HEAD || !could_be_rtsp(&head) {
            break;
        }
    }
    Ok(Answer { head, host, path: url.path().to_owned(), connected_for: begun.elapsed(), connection })
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

fn offers_basic(challenges: &str) -> bool {
    ChallengeParser::new(challenges).map_while(Result::ok).any(|offer| offer.scheme.eq_ignore_ascii_case("basic"))
}

/// Judges the answer's head. Pure.
fn read_answer(bytes: &[u8], host: &str, path: &str) -> Result<(Challenge, Asks), CameraError> {
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
        200..=299 => Ok((Challenge::None, Asks::Nothing)),
        300..=399 => Err(CameraError::Elsewhere { to: first_line(&header("location")) }),
        // Read by the same code as the RTSP library's, so that it cannot choose another answer than is expected here.
        401 => match PasswordClient::try_from(header("www-authenticate").as_str()) {
            Ok(PasswordClient::Digest(digest)) => Ok((Challenge::Digest, Asks::Digest(plain_text(digest.realm())))),
            _ if offers_basic(&header("www-authenticate")) => Err(CameraError::OnlyBasic),
            _ => Err(not_understood("it asks for a password, but not in which way")),
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
        read_answer(answer.as_bytes(), "192.168.1.20:554", "/main").map(|(challenge, _)| challenge)
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
    fn nothing_in_this_program_answers_to_basic() {
        // The RTSP library asks the same crate.
        assert!(PasswordClient::try_from("Basic realm=\"camera\"").is_err());
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
