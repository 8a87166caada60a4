//! Every address of a page or file, made in one place.

use crate::units::{CameraId, EventId, UserId, UtcMicros};

/// The live grid.
pub(crate) const LIVE: &str = "/";
/// The list of events.
pub(crate) const EVENTS: &str = "/events";
/// The cameras and how they do.
pub(crate) const CAMERAS: &str = "/cameras";
/// Who looked.
pub(crate) const ACTIVITY: &str = "/activity";

/// Where a new recorder gets its first owner.
pub(crate) const CLAIM: &str = "/claim";
/// One's own account.
pub(crate) const ACCOUNT: &str = "/account";
/// Everybody who may sign in.
pub(crate) const PEOPLE: &str = "/people";

/// One person's page.
pub(crate) fn person(user: UserId) -> String {
    format!("{PEOPLE}/{}", user.0)
}

/// What a link shows.
pub(crate) fn shared(token: &str) -> String {
    format!("/shared/{token}")
}

/// A camera's day: today.
pub(crate) fn camera(camera: &CameraId) -> String {
    format!("/cameras/{camera}")
}

/// A camera's day.
pub(crate) fn day(camera: &CameraId, day: &str) -> String {
    format!("/cameras/{camera}?day={day}")
}

/// One day of all cameras.
pub(crate) const TIMELINE: &str = "/timeline";

/// That day of all cameras.
pub(crate) fn timeline(day: &str) -> String {
    format!("{TIMELINE}?day={day}")
}

/// A camera's day at a moment.
pub(crate) fn moment(camera: &CameraId, day: &str, at: UtcMicros) -> String {
    format!("/cameras/{camera}?day={day}&t={:.3}", at.as_unix_seconds())
}

/// An event's page.
pub(crate) fn event(event: EventId) -> String {
    format!("/events/{event}")
}

/// An event's picture.
pub(crate) fn thumbnail(event: EventId) -> String {
    format!("/api/events/{event}/thumbnail.jpg")
}

/// An event's moving preview.
pub(crate) fn preview(event: EventId) -> String {
    format!("/api/events/{event}/preview.jpg")
}

/// An event's clip.
pub(crate) fn event_clip(event: EventId) -> String {
    format!("/api/events/{event}/clip.mp4")
}

/// Where to go after signing in: only an address of this site.
pub(crate) fn own_or_live(next: &str) -> &str {
    let is_own = next.starts_with('/')
        && !next[1..].starts_with(['/', '\\'])
        && next.bytes().all(|c| c.is_ascii_graphic() && c != b'\\');
    if is_own { next } else { LIVE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_nowhere_else() {
        for foreign in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil",
            "/a\nb",
            "javascript:alert(1)",
            "/a b",
        ] {
            assert_eq!(own_or_live(foreign), LIVE, "{foreign:?}");
        }
        assert_eq!(own_or_live("/events?before=1"), "/events?before=1");
    }
}
