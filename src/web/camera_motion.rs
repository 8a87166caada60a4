//! What a camera itself says of motion, beside ours: in words and as JSON.

use serde_json::{Value, json};

use crate::index::camera_motion::Span;
use crate::units::UtcMicros;
use crate::web::texts::{many, say, say_with};
use crate::web::words::{self, Show};

/// Spans that a sentence names.
const NAMED: usize = 3;
/// Spans that a page lists.
const LISTED: usize = 200;

/// What stands on an event's page: text of ours with `<time>` elements. Nothing if nobody knows.
pub(crate) fn sentence(said: Option<&[Span]>, now: UtcMicros) -> Option<String> {
    let said = said?;
    if said.is_empty() {
        return Some(say("The camera itself said nothing here.").to_owned());
    }
    let mut parts: Vec<_> = said.iter().take(NAMED).map(|span| from_to(span, now)).collect();
    let more = said.len().saturating_sub(NAMED);
    if more > 0 {
        parts.push(many(more as u64, "once more", "{count} times more"));
    }
    let last = parts.pop()?;
    let when = if parts.is_empty() {
        last
    } else {
        say_with("{some} and {last}", &[("some", &parts.join(", ")), ("last", &last)])
    };
    Some(say_with("The camera itself saw motion too, {when}.", &[("when", &when)]))
}

/// With `<time>` elements.
fn from_to(span: &Span, now: UtcMicros) -> String {
    let time = |moment| words::time(moment, Show::Exact, now);
    match span.end {
        Some(end) => say_with("from {from} to {to}", &[("from", &time(span.start)), ("to", &time(end))]),
        None => say_with("since {from}", &[("from", &time(span.start))]),
    }
}

/// A day's list for a page.
pub(crate) struct SaidOnDay {
    /// From when to when each was: text of ours with `<time>` elements.
    pub(crate) spans: Vec<String>,
    /// Those that are not listed.
    pub(crate) more: usize,
}

impl SaidOnDay {
    /// `None` if the camera was not listened to.
    pub(crate) fn of(said: Option<&[Span]>, now: UtcMicros) -> Option<Self> {
        let said = said?;
        let spans = said.iter().take(LISTED).map(|span| from_to(span, now)).collect();
        Some(Self { spans, more: said.len().saturating_sub(LISTED) })
    }
}

/// Null if nobody knows; `end` is null while it goes on.
pub(crate) fn as_json(said: Option<&[Span]>) -> Value {
    let span =
        |span: &Span| json!({ "start": span.start.as_unix_seconds(), "end": span.end.map(UtcMicros::as_unix_seconds) });
    said.map(|said| said.iter().map(span).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: i64, end: Option<i64>) -> Span {
        Span { start: UtcMicros(start * 1_000_000), end: end.map(|end| UtcMicros(end * 1_000_000)) }
    }

    /// Without the elements around the times, and with seconds alone.
    fn plain(said: Option<&[Span]>) -> Option<String> {
        let text = sentence(said, UtcMicros(0))?;
        let mut plain = String::new();
        for piece in text.split('<') {
            let (tag, rest) = piece.split_once('>').unwrap_or(("", piece));
            plain.push_str(if tag.starts_with("time") { &rest[rest.len() - 2..] } else { rest });
        }
        Some(plain)
    }

    #[test]
    fn a_family_reads_when_the_camera_itself_saw_something() {
        let said = |spans: &[Span]| plain(Some(spans)).expect("known");
        assert_eq!(plain(None), None);
        assert_eq!(said(&[]), "The camera itself said nothing here.");
        let (one, two) = (span(3, Some(20)), span(30, Some(31)));
        assert_eq!(said(&[one]), "The camera itself saw motion too, from 03 to 20.");
        assert_eq!(said(&[one, span(40, None)]), "The camera itself saw motion too, from 03 to 20 and since 40.");
        let all = said(&[one, two, one, two]);
        assert_eq!(all, "The camera itself saw motion too, from 03 to 20, from 30 to 31, from 03 to 20 and once more.");
        assert!(said(&[one; 9]).ends_with(" and 6 times more."));
    }

    #[test]
    fn a_day_s_list_has_an_end() {
        assert!(SaidOnDay::of(None, UtcMicros(0)).is_none());
        let day = SaidOnDay::of(Some(&vec![span(1, None); 777]), UtcMicros(0)).expect("known");
        assert_eq!((day.spans.len(), day.more, day.spans[0].starts_with("since ")), (200, 577, true));
    }

    #[test]
    fn programs_tell_silence_from_not_knowing() {
        assert_eq!(as_json(None), Value::Null);
        assert_eq!(as_json(Some(&[])), json!([]));
        let said = [span(3, Some(20)), span(40, None)];
        assert_eq!(as_json(Some(&said)), json!([{"start": 3.0, "end": 20.0}, {"start": 40.0, "end": null}]));
    }
}
