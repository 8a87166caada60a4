//! What is wrong between the recorder and a camera, and who a camera is or may be, in the reader's language. Pure.

use crate::camera::identity::{Doubt, Mark, Who};
use crate::camera::session::CameraError;
use crate::detect::counters::Blind;
use crate::detect::sps::ParametersError;
use crate::web::texts::{fill, say, say_with};

/// Why there is no stream, in one sentence.
pub(crate) fn of(error: &CameraError) -> String {
    match error {
        CameraError::Unreachable { host, reason } => {
            say_with("The camera cannot be reached at {host}: {reason}.", &[("host", host), ("reason", reason)])
        }
        CameraError::Silent { host, after } => say_with(
            "The camera at {host} did not answer within {seconds} s.",
            &[("host", host), ("seconds", &after.as_secs())],
        ),
        CameraError::NotRtsp { host, speaks } => say_with(
            "What answers at {host} is not a camera: it speaks {speaks} and not RTSP.",
            &[("host", host), ("speaks", speaks)],
        ),
        CameraError::NeedsPassword => {
            say("The camera asks for a user name and password; write them as username = and password_file =.").into()
        }
        CameraError::WrongPassword => say("The camera refused the user name or password.").into(),
        CameraError::OnlyBasic => {
            say("The camera asks for its password unprotected (Basic), so it was not sent; set the camera to digest.")
                .into()
        }
        CameraError::AsksLate => {
            say("The camera asks for its password at an unusual moment, so it was not sent.").into()
        }
        CameraError::NoSuchStream { path } => say_with("The camera has no stream at {path}.", &[("path", path)]),
        CameraError::Busy { status } => say_with(
            "The camera is busy (it answered {status}); perhaps too many viewers are connected to it.",
            &[("status", status)],
        ),
        CameraError::Elsewhere { to } => {
            say_with("The camera points to {to}, which is another machine; this is not followed.", &[("to", to)])
        }
        CameraError::NotTheCamera { expected, found } => say_with(
            "Expected {expected}, but {found} answered. Nothing is recorded from it.",
            &[("expected", &who(expected)), ("found", &who(found))],
        ),
        CameraError::OutsideLan { address } => say_with(
            "{address} is not an address of this household, so nothing was sent there; if that is right, write outside_lan = true.",
            &[("address", address)],
        ),
        CameraError::UnsupportedCodec { codec } => say_with(
            "The camera sends {codec}, which cannot be recorded; set it to H.264 or H.265.",
            &[("codec", codec)],
        ),
        CameraError::NoTransport => say("The camera sends its pictures neither over TCP nor over UDP.").into(),
        CameraError::Stalled { after } => {
            say_with("The camera stopped sending pictures {seconds} s ago.", &[("seconds", &after.as_secs())])
        }
        CameraError::NoKeyFrame { after } => say_with(
            "The camera sent no key frame for {seconds} s, so nothing can be recorded.",
            &[("seconds", &after.as_secs())],
        ),
        CameraError::Ended => say("The camera ended the connection.").into(),
        CameraError::Protocol { detail } => {
            say_with("The camera said something that cannot be understood: {detail}.", &[("detail", detail)])
        }
    }
}

/// Why no motion is looked for, in a sentence or two.
pub(crate) fn blind(blind: &Blind) -> String {
    match blind {
        Blind::Stream(ParametersError::Format { .. }) => say(
            "No motion is looked for: the camera's pictures are of a rare kind. Set it to plain H.264 or H.265. Recording goes on.",
        )
        .into(),
        Blind::Stream(ParametersError::Size { width, height }) => say_with(
            "No motion is looked for in pictures of {width} × {height}: enter the address of the camera's small stream for that. Recording goes on.",
            &[("width", width), ("height", height)],
        ),
        Blind::Stream(ParametersError::None | ParametersError::Unreadable | ParametersError::TooLong) => {
            say("No motion is looked for: what the camera says of its pictures makes no sense. Recording goes on.").into()
        }
        Blind::Decoder(why) => say_with(
            "No motion is looked for until the pictures can be decoded again: {why}. Recording goes on.",
            &[("why", why)],
        ),
    }
}

/// A device, within a sentence.
pub(crate) fn who(who: &Who) -> String {
    match who {
        Who::With(mark, value) => {
            let words = match mark {
                Mark::MacAddress => say("the device with MAC address {value}"),
                Mark::OnvifId => say("the device with ONVIF id {value}"),
                Mark::SerialNumber => say("the device with serial number {value}"),
                Mark::PasswordQuestion => say("the device whose password question is {value}"),
                Mark::AnnouncedId => say("the device that announces itself with {value}"),
                Mark::Stream => say("the device that describes its stream as {value}"),
            };
            fill(words, &[("value", value)])
        }
        Who::Without(mark) => match mark {
            Mark::MacAddress => say("one whose MAC address cannot be seen from here"),
            Mark::OnvifId => say("one whose ONVIF id cannot be seen from here"),
            _ => say("one whose serial number cannot be seen from here"),
        }
        .into(),
        Who::New => say("a camera that is not yet set up").into(),
        Who::SetUpAs(camera) => say_with("the one that is set up as {camera}", &[("camera", camera)]),
    }
}

/// Why it is not certain who a camera is, in one sentence.
pub(crate) fn doubt(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::OtherStreams => {
            say("Its streams are described otherwise than before, and its network card cannot be seen from here.")
        }
        Doubt::LooksAlike => say(
            "It looks like the camera that was set up. Its network card cannot be seen from here, so another camera of the same model could take its place.",
        ),
        Doubt::NothingKnown => say("Nothing is known by which this camera could be told from another."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// The sentences stand twice, here to be translated and there for the log: in English they are the same.
    #[test]
    fn the_page_and_the_log_say_the_same() {
        let text = || "words".to_owned();
        let after = Duration::from_secs(7);
        let card = |last| Who::With(Mark::MacAddress, format!("02:00:00:00:00:{last}"));
        for error in [
            CameraError::Unreachable { host: text(), reason: text() },
            CameraError::Silent { host: text(), after },
            CameraError::NotRtsp { host: text(), speaks: text() },
            CameraError::NeedsPassword,
            CameraError::WrongPassword,
            CameraError::OnlyBasic,
            CameraError::AsksLate,
            CameraError::NoSuchStream { path: text() },
            CameraError::Busy { status: 453 },
            CameraError::Elsewhere { to: text() },
            CameraError::NotTheCamera { expected: card("01"), found: card("02") },
            CameraError::NotTheCamera { expected: card("01"), found: Who::Without(Mark::MacAddress) },
            CameraError::NotTheCamera { expected: Who::New, found: Who::SetUpAs("porch".parse().expect("an id")) },
            CameraError::OutsideLan { address: [192, 0, 2, 1].into() },
            CameraError::UnsupportedCodec { codec: text() },
            CameraError::NoTransport,
            CameraError::Stalled { after },
            CameraError::NoKeyFrame { after },
            CameraError::Ended,
            CameraError::Protocol { detail: text() },
        ] {
            assert_eq!(of(&error), error.to_string());
        }
    }
}
