//! What can go wrong between us and a camera, as far as it is acted on differently.

use std::time::Duration;

use crate::camera::identity::Who;
use crate::camera::packet::Absence;

/// Why there is no stream. Each message is one sentence, for logs; the household reads it in its own language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CameraError {
    /// Nothing there takes connections.
    #[error("The camera cannot be reached at {host}: {reason}.")]
    Unreachable {
        /// Host as configured.
        host: String,
        /// What the network said.
        reason: String,
    },
    /// Nobody refused the connection, but nobody said anything either.
    #[error("The camera at {host} did not answer within {} s.", .after.as_secs())]
    Silent {
        /// Host as configured.
        host: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// It speaks something else.
    #[error("What answers at {host} is not a camera: it speaks {speaks} and not RTSP.")]
    NotRtsp {
        /// Host as configured.
        host: String,
        /// What it speaks, as "HTTP".
        speaks: String,
    },
    /// It wants a password and none is configured.
    #[error("The camera asks for a user name and password; write them as username = and password_file =.")]
    NeedsPassword,
    /// It wants another password. Asking again soon could lock the account.
    #[error("The camera refused the user name or password.")]
    WrongPassword,
    /// It would have the password in clear text.
    #[error("The camera asks for its password unprotected (Basic), so it was not sent; set the camera to digest.")]
    OnlyBasic,
    /// It asked for a password where it had not asked before, so it is not known how that would travel.
    #[error("The camera asks for its password at an unusual moment, so it was not sent.")]
    AsksLate,
    /// It has no stream by this name.
    #[error("The camera has no stream at {path}.")]
    NoSuchStream {
        /// The URL's path.
        path: String,
    },
    /// It serves as many viewers as it can.
    #[error("The camera is busy (it answered {status}); perhaps too many viewers are connected to it.")]
    Busy {
        /// RTSP's status.
        status: u16,
    },
    /// It points at another host, where the household did not send us.
    #[error("The camera points to {to}, which is another machine; this is not followed.")]
    Elsewhere {
        /// Where it points.
        to: String,
    },
    /// Whoever answered is not the camera that was set up, or nobody can tell that it is.
    #[error("Expected {expected}, but {found} answered. Nothing is recorded from it.")]
    NotTheCamera {
        /// What was pinned.
        expected: Who,
        /// What answered.
        found: Who,
    },
    /// Its address is none of a household.
    #[error(
        "{address} is not an address of this household, so nothing was sent there; if that is right, write outside_lan = true."
    )]
    OutsideLan {
        /// Where its name leads.
        address: std::net::IpAddr,
    },
    /// It sends what cannot be recorded.
    #[error("The camera sends {codec}, which cannot be recorded; set it to H.264 or H.265.")]
    UnsupportedCodec {
        /// What it sends.
        codec: String,
    },
    /// It offers neither TCP nor UDP.
    #[error("The camera sends its pictures neither over TCP nor over UDP.")]
    NoTransport,
    /// The connection stood, but no picture came.
    #[error("The camera stopped sending pictures {} s ago.", .after.as_secs())]
    Stalled {
        /// How long it was waited for.
        after: Duration,
    },
    /// Pictures came, but none that can be decoded on its own.
    #[error("The camera sent no key frame for {} s, so nothing can be recorded.", .after.as_secs())]
    NoKeyFrame {
        /// How long it was waited for.
        after: Duration,
    },
    /// The camera closed the connection, or the network did.
    #[error("The camera ended the connection.")]
    Ended,
    /// It said something that cannot be understood.
    #[error("The camera said something that cannot be understood: {detail}.")]
    Protocol {
        /// For the person with Wireshark.
        detail: String,
    },
}

impl CameraError {
    /// Whether asking again soon could do harm: cameras lock accounts after a few wrong passwords.
    pub(crate) fn needs_patience(&self) -> bool {
        matches!(self, Self::WrongPassword)
    }

    /// Whether somebody who sees the camera makes another attempt worth while.
    pub(crate) fn is_worth_hurrying(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Silent { .. }
                | Self::Stalled { .. }
                | Self::Ended
                | Self::NotTheCamera { .. }
        )
    }

    /// What it is to the account of missing footage.
    pub(crate) fn absence(&self) -> Absence {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } | Self::Busy { .. } | Self::Ended => Absence::Unreachable,
            Self::Stalled { .. } => Absence::Stalled,
            Self::NeedsPassword | Self::WrongPassword | Self::OnlyBasic | Self::AsksLate => Absence::WrongPassword,
            Self::NoSuchStream { .. }
            | Self::UnsupportedCodec { .. }
            | Self::NoTransport
            | Self::NoKeyFrame { .. }
            | Self::Protocol { .. } => Absence::BadStream,
            Self::NotRtsp { .. } | Self::Elsewhere { .. } | Self::NotTheCamera { .. } | Self::OutsideLan { .. } => {
                Absence::Refused
            }
        }
    }
}

/// What an error of retina means for the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A packet was of no use; the session goes on.
    Skipped(String),
    /// The session is over.
    Lost(CameraError),
}

/// How retina says that it was asked in a way that it cannot answer.
const NO_ANSWER: &str = "Can't understand WWW-Authenticate header: Unsupported scheme \"Basic\"";

/// Reads what a retina error is. It tells its kind only by its name and its status, so this works on those.
///
/// `kind` is the first word of the error's `Debug`, `text` its `Display`.
pub(crate) fn classify(kind: &str, text: &str, status: Option<u16>, path: &str) -> Trouble {
    let protocol = || CameraError::Protocol { detail: first_line(text) };
    Trouble::Lost(match (status, kind) {
        // It had asked by digest a moment before, else the library would have no password.
        (Some(401), _) if text.contains(NO_ANSWER) => CameraError::OnlyBasic,
        (Some(status), _) => of_status(status, path).unwrap_or_else(protocol),
        (None, "PacketError" | "RtpPacketError") => return Trouble::Skipped(first_line(text)),
        (None, "RtspReadError" | "WriteError" | "UdpRecvError" | "ConnectError" | "Timeout") => CameraError::Ended,
        (None, _) => protocol(),
    })
}

/// As [`classify`], from the error itself.
pub(crate) fn of_retina(error: &retina::Error, path: &str) -> Trouble {
    let debug = format!("{error:?}");
    let kind = debug.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    classify(kind, &error.to_string(), error.status_code(), path)
}

/// Which track's packet an error of retina is about, if it is about one. It tells that only by its `Debug`; what stands before
/// the number there are addresses and counts, never words of a camera.
pub(crate) fn track_of(error: &retina::Error) -> Option<usize> {
    track_in(&format!("{error:?}"))
}

fn track_in(debug: &str) -> Option<usize> {
    let (_, rest) = debug.split_once(" stream_id: ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// What an RTSP status says; `None` for success, and for what only a programmer can act on.
pub(crate) fn of_status(status: u16, path: &str) -> Option<CameraError> {
    Some(match status {
        301..=308 => CameraError::Elsewhere { to: "another address".to_owned() },
        401 | 403 => CameraError::WrongPassword,
        404 | 410 => CameraError::NoSuchStream { path: path.to_owned() },
        453 | 503 => CameraError::Busy { status },
        461 => CameraError::NoTransport,
        _ => return None,
    })
}

/// The first line, bounded and without control characters: the rest is for Wireshark, and may be the camera's own words.
pub(crate) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_useless_packet_does_not_end_the_session() {
        assert_eq!(
            classify("RtpPacketError", "bad FU-A\n\nconn: …", None, "/main"),
            Trouble::Skipped("bad FU-A".to_owned())
        );
    }

    #[test]
    fn each_status_is_told_as_what_the_household_can_do() {
        for (status, expected) in [
            (401, CameraError::WrongPassword),
            (404, CameraError::NoSuchStream { path: "/main".to_owned() }),
            (453, CameraError::Busy { status: 453 }),
            (461, CameraError::NoTransport),
            (302, CameraError::Elsewhere { to: "another address".to_owned() }),
            (551, CameraError::Protocol { detail: "551 response".to_owned() }),
            (200, CameraError::Protocol { detail: "551 response".to_owned() }),
        ] {
            assert_eq!(classify("RtspResponseError", "551 response", Some(status), "/main"), Trouble::Lost(expected));
        }
    }

    #[test]
    fn who_asks_in_clear_text_where_nobody_answers_is_told_apart_from_a_wrong_password() {
        let text = "401 response: Can't understand WWW-Authenticate header: Unsupported scheme \"Basic\"\n\nconn: …";
        assert_eq!(classify("RtspResponseError", text, Some(401), "/"), Trouble::Lost(CameraError::OnlyBasic));
    }

    #[test]
    fn a_broken_connection_is_an_end_and_broken_framing_is_not_understood() {
        assert_eq!(classify("RtspReadError", "reset", None, "/"), Trouble::Lost(CameraError::Ended));
        assert_eq!(
            classify("RtspFramingError", "RTSP framing error: x", None, "/"),
            Trouble::Lost(CameraError::Protocol { detail: "RTSP framing error: x".to_owned() })
        );
    }

    #[test]
    fn the_track_of_a_useless_packet_is_known() {
        let debug = "RtpPacketError { conn_ctx: ConnectionContext { local_addr: 127.0.0.1:1 }, stream_id: 12, ssrc: 7, \
                     description: \", stream_id: 3,\" }";
        assert_eq!((track_in(debug), track_in("Timeout")), (Some(12), None));
    }

    #[tokio::test]
    async fn the_library_s_error_still_begins_with_its_kind() {
        let url = url::Url::parse("rtsp://user:secret@127.0.0.1/").expect("a URL");
        let options = retina::client::SessionOptions::default();
        let error =
            retina::client::Session::describe(url, options).await.err().expect("credentials in a URL are refused");
        assert!(format!("{error:?}").starts_with("InvalidArgument"), "{error:?}");
        let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
        let url = url::Url::parse(&format!("rtsp://{closed}/")).expect("a URL");
        let options = retina::client::SessionOptions::default();
        let error = retina::client::Session::describe(url, options).await.err().expect("nobody listens");
        assert_eq!(of_retina(&error, "/"), Trouble::Lost(CameraError::Ended));
    }

    #[test]
    fn a_camera_cannot_write_control_characters_into_our_messages() {
        assert_eq!(first_line("a\u{1b}[31mb\nc"), "a[31mb");
        assert_eq!(first_line(&"x".repeat(1000)).len(), 200);
    }
}
