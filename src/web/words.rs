//! Plain words for a family: states, lengths, moments, and what to do. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::access::Role;
use crate::camera::status::{Link, StreamStatus};
use crate::detect::counters::KeyFrames;
use crate::record::segment::GapCause;
use crate::units::UtcMicros;
use crate::web::board::OnBoard;

/// Which part of a moment a reader needs. The names are those that `times.js` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// Hour, minute.
    Clock,
    /// Day of the week, day, month.
    Day,
    /// Hour, minute, second.
    Exact,
    /// All of it.
    Full,
    /// How long ago.
    Ago,
}

/// A moment as a `<time>` element: in the recorder's own time zone, which a script exchanges for the reader's.
pub(crate) fn time(moment: UtcMicros, show: Show, now: UtcMicros) -> String {
    let (name, words) = match show {
        Show::Clock => ("clock", local(moment, "%H:%M")),
        Show::Day => ("day", local(moment, "%A, %-d %B")),
        Show::Exact => ("exact", local(moment, "%H:%M:%S")),
        Show::Full => ("full", local(moment, "%A, %-d %B, %H:%M:%S")),
        Show::Ago => ("ago", format!("{} ago", length(now.since(moment)))),
    };
    // Only digits, ASCII letters of jiff's own and punctuation of ours come together here: nothing to escape.
    format!("<time datetime=\"{moment}\" data-show=\"{name}\">{words}</time>")
}

/// In the recorder's own time zone, by a `strftime` format of ours.
pub(crate) fn local(moment: UtcMicros, format: &str) -> String {
    let timestamp = moment.to_timestamp().unwrap_or(Timestamp::UNIX_EPOCH);
    timestamp.to_zoned(TimeZone::system()).strftime(format).to_string()
}

/// A length, with one or two units: `8 seconds`, `3 minutes`, `2 hours`, `5 days`.
pub(crate) fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    let many = |count: u64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    match seconds {
        0..=99 => many(seconds, "second"),
        100..=5_999 => many((seconds + 30) / 60, "minute"),
        6_000..=172_799 => many((seconds + 1_800) / 3_600, "hour"),
        _ => many(seconds / 86_400, "day"),
    }
}

/// Where a stream stands.
pub(crate) fn state(link: &Link) -> &'static str {
    match link {
        Link::Waiting { .. } => "Not reachable, trying again",
        Link::Connecting => "Connecting",
        Link::Verifying => "Checking that it is the right camera",
        Link::Streaming => "Live",
        Link::Refused { .. } => "Something else answered",
        Link::Paused => "Switched off by the household",
    }
}

/// What went wrong, if the household should know.
pub(crate) fn trouble(status: &StreamStatus) -> Option<String> {
    match (&status.link, &status.error) {
        (Link::Refused { expected, found }, _) => {
            Some(format!("Expected {expected}, but {found} answered. Nothing is recorded from it."))
        }
        (Link::Paused, Some(who)) => Some(sentence(who)),
        (Link::Streaming | Link::Paused, _) => None,
        (_, Some(error)) => Some(sentence(error)),
        (Link::Waiting { .. }, None) => Some("The camera does not answer.".into()),
        _ => None,
    }
}

/// What to do about it.
pub(crate) fn advice(link: &Link) -> &'static str {
    match link {
        Link::Refused { .. } => {
            "If you exchanged or reset the camera yourself, adopt it anew; if not, look at what is connected in its place."
        }
        Link::Paused => {
            "Nothing is recorded or shown, and no motion is looked for, until somebody switches it on again."
        }
        _ => {
            "Look whether it has power and is on the network. If its password or address changed, correct it in the \
             configuration. The recorder keeps trying by itself."
        }
    }
}

/// Whether a stream has been without pictures for long enough that every page should say so.
pub(crate) fn is_alarming(status: &StreamStatus, now: UtcMicros) -> bool {
    match status.link {
        Link::Streaming | Link::Paused => false,
        Link::Refused { .. } => true,
        _ => now.since(status.last_picture.unwrap_or(status.since)) > Duration::from_secs(20),
    }
}

/// A stream in numbers, as `1920 × 1080, 15 pictures a second, 2.1 Mbit/s`.
pub(crate) fn stream(status: &StreamStatus) -> String {
    let Some(parameters) = &status.parameters else { return "not known yet".into() };
    let mut words = format!("{} × {}", parameters.video.width, parameters.video.height);
    if status.pictures_per_second > 0.0 {
        // Writing to a string cannot fail.
        let _ = write!(words, ", {:.0} pictures a second", status.pictures_per_second);
    }
    if status.kbit_s >= 1000.0 {
        let _ = write!(words, ", {:.1} Mbit/s", status.kbit_s / 1000.0);
    } else if status.kbit_s > 0.0 {
        let _ = write!(words, ", {:.0} kbit/s", status.kbit_s);
    }
    let _ = write!(
        words,
        ", {}",
        match parameters.video.codec {
            crate::camera::packet::VideoCodec::H264 => "H.264",
            crate::camera::packet::VideoCodec::H265 => "H.265",
            crate::camera::packet::VideoCodec::Jpeg => "Motion JPEG",
        }
    );
    words
}

/// What a camera's motion detection does without, if anything.
pub(crate) fn decoding(entry: &OnBoard) -> Option<&'static str> {
    Some(match entry.detection.key_frames().filter(|_| entry.detects_motion)? {
        KeyFrames::Chosen => {
            "As its settings say, one picture every few seconds is looked at for motion, and all of them as soon as something \
             changes. Whoever passes in a second or two may be missed."
        }
        KeyFrames::Overload => {
            "This computer is too busy to look at every picture for motion; it looks at one every few seconds, and at all of \
             them as soon as something changes. Recording is not affected."
        }
    })
}

/// Why time is missing.
pub(crate) fn cause(cause: GapCause) -> &'static str {
    match cause {
        GapCause::CameraUnreachable => "the camera could not be reached",
        GapCause::CameraRefused => "another device answered in its place",
        GapCause::WrongPassword => "the camera refused the password",
        GapCause::BadStream => "the camera sent something that cannot be recorded",
        GapCause::CameraStalled => "the camera sent no pictures",
        GapCause::PacketLoss => "pictures were lost on the network",
        GapCause::DiskSlow => "the disk was too slow",
        GapCause::DiskFull => "the disk was full",
        GapCause::DiskError => "the disk refused to write",
        GapCause::StorageMissing => "the disk for the footage was not there",
        GapCause::Restart => "the recorder was not running",
        GapCause::PowerCut => "the power was cut",
        GapCause::Paused => "somebody paused the camera",
    }
}

/// What an audit row's action means, after the name of who did it; the camera's name follows where there is one.
pub(crate) fn action(action: &str) -> &str {
    match action {
        "live" => "watched live",
        "snapshot" => "saw the newest picture of",
        "playback" => "watched footage of",
        "previews" => "looked through a day of",
        "clip" => "saved footage of",
        "event-clip" => "watched an event of",
        "thumbnail" => "saw pictures of events of",
        "preview" => "saw moving pictures of events of",
        "event-changed" => "changed an event of",
        "event-deleted" => "deleted an event of",
        "camera-tried" => "tested a camera",
        "camera-added" => "added the camera",
        "camera-changed" => "changed how motion is looked for at",
        "motion-tried" => "tried other settings for motion on the last day of",
        "retention-changed" => "changed how long footage stays:",
        "camera-exchanged" => "adopted another device as",
        "sign-in" => "signed in",
        "sign-in-failed" => "failed to sign in",
        "sign-out" => "signed out",
        "sign-out-others" => "signed every other device out",
        "session-ended" => "ended the session of",
        "claim" => "became the first owner",
        "password" => "changed the password",
        "password-set" => "set a new password for",
        "token-made" => "made an access token for",
        "user-added" => "added",
        "user-changed" => "changed the account of",
        "user-removed" => "removed",
        "sign-out-user" => "signed out all devices of",
        "rights" => "changed who may see",
        "pause" => "switched off",
        "resume" => "switched on",
        "share" => "handed on a link to",
        "share-ended" => "took back a link to",
        "shared-clip" => "watched shared footage of",
        "refused" => "was refused",
        other => other,
    }
}

/// What somebody is.
pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Member => "lives here",
        Role::Guest => "guest",
    }
}

/// With a capital and a full stop, as a sentence on a page.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut characters = text.chars();
    let mut sentence: String = characters.next().into_iter().flat_map(char::to_uppercase).chain(characters).collect();
    if !sentence.is_empty() && !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_said_as_people_say_them() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (99, "99 seconds"),
            (120, "2 minutes"),
            (7_200, "2 hours"),
            (90_000, "25 hours"),
            (200_000, "2 days"),
        ] {
            assert_eq!(length(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn a_camera_that_was_never_seen_becomes_an_alarm_after_twenty_seconds() {
        let status = StreamStatus::new(UtcMicros(0));
        assert!(!is_alarming(&status, UtcMicros(20_000_000)));
        assert!(is_alarming(&status, UtcMicros(20_000_001)));
        let refused = StreamStatus { link: Link::Refused { expected: "a".into(), found: "b".into() }, ..status };
        assert!(is_alarming(&refused, UtcMicros(0)));
    }

    #[test]
    fn an_error_becomes_a_sentence() {
        assert_eq!(sentence("no route to 192.168.1.20"), "No route to 192.168.1.20.");
        assert_eq!(sentence(""), "");
    }
}
