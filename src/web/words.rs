//! Plain words for a family: states, lengths, moments, and what to do. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::access::Role;
use crate::camera::status::{Link, StreamStatus};
use crate::detect::counters::KeyFrames;
use crate::record::segment::GapCause;
use crate::units::UtcMicros;
use crate::web::board::OnBoard;
use crate::web::texts::{fill, many, say, say_with};
use crate::web::trouble;

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
        Show::Day => ("day", day(date(moment))),
        Show::Exact => ("exact", local(moment, "%H:%M:%S")),
        Show::Full => ("full", format!("{}, {}", day(date(moment)), local(moment, "%H:%M:%S"))),
        Show::Ago => ("ago", say_with("{length} ago", &[("length", &length(now.since(moment)))])),
    };
    // Only digits and texts of ours come together here, which have no markup: nothing to escape.
    format!("<time datetime=\"{moment}\" data-show=\"{name}\">{words}</time>")
}

/// In the recorder's own time zone, by a `strftime` format of ours.
pub(crate) fn local(moment: UtcMicros, format: &str) -> String {
    let timestamp = moment.to_timestamp().unwrap_or(Timestamp::UNIX_EPOCH);
    timestamp.to_zoned(TimeZone::system()).strftime(format).to_string()
}

fn date(moment: UtcMicros) -> Date {
    moment.to_timestamp().unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::system()).date()
}

/// As `Saturday, 21 November`.
fn day(date: Date) -> String {
    let (weekday, month) = (weekday(date.weekday()), month(date.month()));
    say_with("{weekday}, {day} {month}", &[("weekday", &weekday), ("day", &date.day()), ("month", &month)])
}

/// As `Saturday, 21 November 2026`.
pub(crate) fn day_of_year(date: Date) -> String {
    say_with("{day} {year}", &[("day", &day(date)), ("year", &date.year())])
}

/// As `November 2026`.
pub(crate) fn month_of_year(date: Date) -> String {
    say_with("{month} {year}", &[("month", &month(date.month())), ("year", &date.year())])
}

/// As `Sat 21 Nov`.
pub(crate) fn short_day(date: Date) -> String {
    let weekday = match date.weekday() {
        Weekday::Monday => say("Mon"),
        Weekday::Tuesday => say("Tue"),
        Weekday::Wednesday => say("Wed"),
        Weekday::Thursday => say("Thu"),
        Weekday::Friday => say("Fri"),
        Weekday::Saturday => say("Sat"),
        Weekday::Sunday => say("Sun"),
    };
    let month = match date.month() {
        1 => say("Jan"),
        2 => say("Feb"),
        3 => say("Mar"),
        4 => say("Apr"),
        5 => say("May"),
        6 => say("Jun"),
        7 => say("Jul"),
        8 => say("Aug"),
        9 => say("Sep"),
        10 => say("Oct"),
        11 => say("Nov"),
        _ => say("Dec"),
    };
    say_with("{weekday} {day} {month}", &[("weekday", &weekday), ("day", &date.day()), ("month", &month)])
}

fn weekday(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Monday => say("Monday"),
        Weekday::Tuesday => say("Tuesday"),
        Weekday::Wednesday => say("Wednesday"),
        Weekday::Thursday => say("Thursday"),
        Weekday::Friday => say("Friday"),
        Weekday::Saturday => say("Saturday"),
        Weekday::Sunday => say("Sunday"),
    }
}

fn month(month: i8) -> &'static str {
    match month {
        1 => say("January"),
        2 => say("February"),
        3 => say("March"),
        4 => say("April"),
        5 => say("May"),
        6 => say("June"),
        7 => say("July"),
        8 => say("August"),
        9 => say("September"),
        10 => say("October"),
        11 => say("November"),
        _ => say("December"),
    }
}

/// A length, with one or two units: `8 seconds`, `3 minutes`, `2 hours`, `5 days`.
pub(crate) fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0..=99 => many(seconds, "{count} second", "{count} seconds"),
        100..=5_999 => many((seconds + 30) / 60, "{count} minute", "{count} minutes"),
        6_000..=172_799 => many((seconds + 1_800) / 3_600, "{count} hour", "{count} hours"),
        _ => many(seconds / 86_400, "{count} day", "{count} days"),
    }
}

/// Where a stream stands.
pub(crate) fn state(link: &Link) -> &'static str {
    match link {
        Link::Waiting { .. } => say("Not reachable, trying again"),
        Link::Connecting => say("Connecting"),
        Link::Verifying => say("Checking that it is the right camera"),
        Link::Streaming => say("Live"),
        Link::Refused => say("Something else answered"),
        Link::Paused { .. } => say("Switched off by the household"),
    }
}

/// What went wrong, if the household should know.
pub(crate) fn trouble(status: &StreamStatus) -> Option<String> {
    match (&status.link, &status.error) {
        (Link::Paused { by }, _) => Some(say_with("Switched off by {name}.", &[("name", by)])),
        (Link::Streaming, _) => None,
        (_, Some(error)) => Some(trouble::of(error)),
        (Link::Waiting { .. }, None) => Some(say("The camera does not answer.").into()),
        _ => None,
    }
}

/// What to do about it.
pub(crate) fn advice(link: &Link) -> &'static str {
    match link {
        Link::Refused => say(
            "If you exchanged or reset the camera yourself, adopt it anew; if not, look at what is connected in its place.",
        ),
        Link::Paused { .. } => {
            say("Nothing is recorded or shown, and no motion is looked for, until somebody switches it on again.")
        }
        _ => say(
            "Look whether it has power and is on the network. If its password or address changed, correct it in the \
             configuration. The recorder keeps trying by itself.",
        ),
    }
}

/// Whether a stream has been without pictures for long enough that every page should say so.
pub(crate) fn is_alarming(status: &StreamStatus, now: UtcMicros) -> bool {
    match status.link {
        Link::Streaming | Link::Paused { .. } => false,
        Link::Refused => true,
        _ => now.since(status.last_picture.unwrap_or(status.since)) > Duration::from_secs(20),
    }
}

/// A stream in numbers, as `1920 × 1080, 15 pictures a second, 2.1 Mbit/s`.
pub(crate) fn stream(status: &StreamStatus) -> String {
    let Some(parameters) = &status.parameters else { return say("not known yet").into() };
    let mut words = format!("{} × {}, ", parameters.video.width, parameters.video.height);
    if status.pictures_per_second > 0.0 {
        words += &say_with("{count} pictures a second", &[("count", &format!("{:.0}", status.pictures_per_second))]);
        words += ", ";
    }
    if status.kbit_s >= 1000.0 {
        // Writing to a string cannot fail.
        let _ = write!(words, "{:.1} Mbit/s, ", status.kbit_s / 1000.0);
    } else if status.kbit_s > 0.0 {
        let _ = write!(words, "{:.0} kbit/s, ", status.kbit_s);
    }
    words
        + match parameters.video.codec {
            crate::camera::packet::VideoCodec::H264 => "H.264",
            crate::camera::packet::VideoCodec::H265 => "H.265",
            crate::camera::packet::VideoCodec::Jpeg => "Motion JPEG",
        }
}

/// Zones as a sentence names them: in the file their names have no spaces.
pub(crate) fn zones<'a>(names: impl IntoIterator<Item = &'a String>, between: &str) -> String {
    names.into_iter().map(|name| name.replace(['-', '_'], " ")).collect::<Vec<_>>().join(between)
}

/// What a camera's motion detection does without, if anything.
pub(crate) fn decoding(entry: &OnBoard) -> Option<&'static str> {
    Some(match entry.detection.key_frames().filter(|_| entry.detects_motion)? {
        KeyFrames::Chosen => say(
            "As its settings say, one picture every few seconds is looked at for motion, and all of them as soon as something \
             changes. Whoever passes in a second or two may be missed.",
        ),
        KeyFrames::Overload => say(
            "This computer is too busy to look at every picture for motion; it looks at one every few seconds, and at all of \
             them as soon as something changes. Recording is not affected.",
        ),
    })
}

/// Why time is missing.
pub(crate) fn cause(cause: GapCause) -> &'static str {
    match cause {
        GapCause::CameraUnreachable => say("the camera could not be reached"),
        GapCause::CameraRefused => say("another device answered in its place"),
        GapCause::WrongPassword => say("the camera refused the password"),
        GapCause::BadStream => say("the camera sent something that cannot be recorded"),
        GapCause::CameraStalled => say("the camera sent no pictures"),
        GapCause::PacketLoss => say("pictures were lost on the network"),
        GapCause::DiskSlow => say("the disk was too slow"),
        GapCause::DiskFull => say("the disk was full"),
        GapCause::DiskError => say("the disk refused to write"),
        GapCause::StorageMissing => say("the disk for the footage was not there"),
        GapCause::Restart => say("the recorder was not running"),
        GapCause::PowerCut => say("the power was cut"),
        GapCause::Paused => say("somebody paused the camera"),
    }
}

/// What an audit row's action means, after the name of who did it. `thing` is the camera's name where there is one, else what
/// else is known of it, which may be nothing.
pub(crate) fn action(action: &str, thing: &str) -> String {
    let words = match action {
        "live" => say("watched live {thing}"),
        "snapshot" => say("saw the newest picture of {thing}"),
        "playback" => say("watched footage of {thing}"),
        "previews" => say("looked through a day of {thing}"),
        "clip" => say("saved footage of {thing}"),
        "event-clip" => say("watched an event of {thing}"),
        "thumbnail" => say("saw pictures of events of {thing}"),
        "preview" => say("saw moving pictures of events of {thing}"),
        "event-changed" => say("changed an event of {thing}"),
        "event-deleted" => say("deleted an event of {thing}"),
        "camera-tried" => say("tested a camera {thing}"),
        "camera-added" => say("added the camera {thing}"),
        "camera-changed" => say("changed how motion is looked for at {thing}"),
        "motion-tried" => say("tried other settings for motion on the last day of {thing}"),
        "retention-changed" => say("changed how long footage stays: {thing}"),
        "camera-exchanged" => say("adopted another device as {thing}"),
        "sign-in" => say("signed in {thing}"),
        "sign-in-failed" => say("failed to sign in {thing}"),
        "sign-out" => say("signed out {thing}"),
        "sign-out-others" => say("signed every other device out {thing}"),
        "session-ended" => say("ended the session of {thing}"),
        "claim" => say("became the first owner {thing}"),
        "password" => say("changed the password {thing}"),
        "password-set" => say("set a new password for {thing}"),
        "token-made" => say("made an access token for {thing}"),
        "user-added" => say("added {thing}"),
        "user-changed" => say("changed the account of {thing}"),
        "user-removed" => say("removed {thing}"),
        "sign-out-user" => say("signed out all devices of {thing}"),
        "rights" => say("changed who may see {thing}"),
        "pause" => say("switched off {thing}"),
        "resume" => say("switched on {thing}"),
        "share" => say("handed on a link to {thing}"),
        "share-ended" => say("took back a link to {thing}"),
        "shared-clip" => say("watched shared footage of {thing}"),
        "refused" => say("was refused {thing}"),
        other => return format!("{other} {thing}").trim_end().to_owned(),
    };
    // Where there is no thing, its place leaves no gap.
    fill(words, &[("thing", &thing)]).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What else an audit row tells. The log keeps it as it was written; the few sentences of ours among it are translated.
pub(crate) fn detail(detail: &str) -> &str {
    match detail {
        "by a one-time link" => say("by a one-time link"),
        "as the first owner" => say("as the first owner"),
        other => other,
    }
}

/// What somebody is.
pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Owner => say("owner"),
        Role::Member => say("lives here"),
        Role::Guest => say("guest"),
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
        let refused = StreamStatus { link: Link::Refused, ..status };
        assert!(is_alarming(&refused, UtcMicros(0)));
    }

    #[test]
    fn an_error_becomes_a_sentence() {
        assert_eq!(sentence("no route to 192.168.1.20"), "No route to 192.168.1.20.");
        assert_eq!(sentence(""), "");
    }
}
