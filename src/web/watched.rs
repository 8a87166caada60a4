//! Who saw this footage before: said next to it.

use crate::access::Viewable;
use crate::index::audit::{self, AuditFilter, AuditRow};
use crate::units::{CameraId, UtcMicros, UtcSpan};
use crate::web::refusal::Refusal;
use crate::web::site::Site;
use crate::web::words::{self, Show};

/// What in the log means that somebody saw footage, rather than that it was listed.
const LOOKS: [&str; 5] = ["playback", "previews", "clip", "event-clip", "shared-clip"];
/// People that a page names.
const MOST: usize = 8;

/// Somebody who saw it, and when last; `at` is a `<time>` element of our own.
pub(crate) struct Watched {
    pub(crate) who: String,
    pub(crate) at: String,
}

/// Who saw footage of this span, the newest first; among the newest thousand entries about the camera.
pub(crate) async fn of(
    site: &Site,
    camera: &Viewable<CameraId>,
    span: UtcSpan,
    now: UtcMicros,
) -> Result<Vec<Watched>, Refusal> {
    let filter = AuditFilter {
        cameras: Some(vec![camera.get().clone()]),
        after: Some(span.start()),
        before: None,
        limit: audit::LIST_LIMIT,
    };
    let rows = site.read(move |conn| audit::list(conn, &filter)).await?;
    Ok(looks(&rows, span).into_iter().map(|(who, at)| Watched { who, at: words::time(at, Show::Full, now) }).collect())
}

/// Each name once, with the newest look; `rows` are newest first.
fn looks(rows: &[AuditRow], span: UtcSpan) -> Vec<(String, UtcMicros)> {
    let mut seen: Vec<(String, UtcMicros)> = Vec::new();
    for entry in rows.iter().map(|row| &row.entry) {
        let is_look = LOOKS.contains(&entry.action.as_str())
            && entry.span.is_some_and(|looked| looked.start() < span.end() && span.start() < looked.end());
        if is_look && seen.iter().all(|(who, _)| *who != entry.user_name) && seen.len() < MOST {
            seen.push((entry.user_name.clone(), entry.at));
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::audit::Entry;

    fn row(seq: u64, who: &str, action: &str, span: Option<(i64, i64)>) -> AuditRow {
        let entry = Entry {
            at: UtcMicros(1_000 - i64::try_from(seq).expect("small")),
            user: None,
            user_name: who.into(),
            action: action.into(),
            camera: Some("porch".parse().expect("an id")),
            span: span.and_then(|(start, end)| UtcSpan::new(UtcMicros(start), UtcMicros(end))),
            address: None,
            detail: String::new(),
        };
        AuditRow { seq, entry, hash: [0; 32] }
    }

    #[test]
    fn each_is_named_once_and_only_for_what_they_saw() {
        let rows = [
            row(1, "anna", "event-clip", Some((10, 20))),
            row(2, "gus", "clip", Some((90, 99))),
            row(3, "gus", "thumbnail", None),
            row(4, "anna", "playback", Some((0, 100))),
            row(5, "ben", "playback", Some((19, 30))),
        ];
        let span = UtcSpan::new(UtcMicros(15), UtcMicros(25)).expect("a span");
        assert_eq!(looks(&rows, span), [("anna".to_owned(), UtcMicros(999)), ("ben".to_owned(), UtcMicros(995))]);
    }
}
