//! One camera's day: what was recorded, what moved, what is missing, and a player for any moment of it.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::{Right, Viewable};
use crate::index::events;
use crate::media::recordings::{self, Motion, Overview};
use crate::record::segment::Gap;
use crate::units::{CameraId, UtcMicros, UtcSpan};
use crate::web::activity::moment;
use crate::web::camera_motion::{self, SaidOnDay};
use crate::web::clips::refused;
use crate::web::events::{Choice, card};
use crate::web::frame::{Frame, Place, page as answer};
use crate::web::refusal::{Refusal, unavailable};
use crate::web::site::Site;
use crate::web::texts::{filters, say_with};
use crate::web::watched::{self, Watched};
use crate::web::words::{self, Show};
use crate::web::{calendar, links};

#[derive(Template)]
#[template(path = "day.html")]
pub(crate) struct DayPage {
    pub(crate) frame: Frame,
    pub(crate) camera: String,
    pub(crate) name: String,
    pub(crate) others: Vec<Choice>,
    pub(crate) days: Days,
    /// A month of links, rendered.
    pub(crate) calendar: String,
    pub(crate) marks: Vec<Mark>,
    pub(crate) events: Vec<String>,
    pub(crate) gaps: Vec<GapInWords>,
    /// What the camera itself said, if it was listened to.
    pub(crate) camera_motion: Option<SaidOnDay>,
    pub(crate) has_camera_motion: bool,
    pub(crate) watched: Vec<Watched>,
    pub(crate) may_export: bool,
    pub(crate) save_start: f64,
    pub(crate) save_end: f64,
}

/// Which day is shown, and the ones around it.
pub(crate) struct Days {
    pub(crate) span: UtcSpan,
    /// As `2026-11-21`.
    pub(crate) date: String,
    pub(crate) words: String,
    pub(crate) before: Option<Neighbour>,
    /// `None` if that is still to come.
    pub(crate) after: Option<Neighbour>,
    pub(crate) start: f64,
    pub(crate) end: f64,
    /// The moment that was asked for, in Unix seconds; empty if none was.
    pub(crate) at: String,
}

/// A day beside the one that is shown.
pub(crate) struct Neighbour {
    pub(crate) url: String,
    /// As `2026-11-21`.
    pub(crate) date: String,
    pub(crate) words: String,
}

impl Days {
    /// The day that was asked for, else that of the moment that was, else today; `address` is where a day is shown.
    pub(crate) fn of(
        wanted: &Wanted,
        now: UtcMicros,
        address: impl Fn(Date) -> String,
    ) -> Result<(Date, Self), Refusal> {
        let zone = TimeZone::system();
        let at = wanted.t.map(moment).transpose()?;
        let date: Date = match &wanted.day {
            Some(day) => day.parse().map_err(|_| Refusal::Bad("a day is written as 2026-11-21"))?,
            None => date_of(at.unwrap_or(now), &zone),
        };
        let span = span_of(date, &zone).ok_or(Refusal::Bad("there is no such day"))?;
        let neighbour =
            |date: Date| Neighbour { url: address(date), date: date.to_string(), words: words::short_day(date) };
        let days = Self {
            span,
            date: date.to_string(),
            words: words::day_of_year(date),
            before: date.yesterday().ok().map(neighbour),
            after: date.tomorrow().ok().filter(|_| span.end() <= now).map(neighbour),
            start: span.start().as_unix_seconds(),
            end: span.end().as_unix_seconds(),
            at: at.map(|at| at.as_unix_seconds().to_string()).unwrap_or_default(),
        };
        Ok((date, days))
    }
}

/// One rectangle on the bar, in seconds since the day's start and in sixtieths of the bar's height.
pub(crate) struct Mark {
    pub(crate) class: &'static str,
    pub(crate) x: f64,
    pub(crate) width: f64,
    pub(crate) y: u8,
    pub(crate) height: u8,
    pub(crate) words: String,
}

/// Missing time; `from` and `to` are `<time>` elements of our own.
pub(crate) struct GapInWords {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) why: &'static str,
}

/// Which day and moment.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    day: Option<String>,
    t: Option<f64>,
}

/// `GET /cameras/{id}`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Extension(camera): Extension<Viewable<CameraId>>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let now = site.parts.clock.now();
    let address = |date: Date| links::day(camera.get(), &date.to_string());
    let (date, days) = Days::of(&wanted, now, address)?;
    let day = days.span;
    let parts = &site.parts;
    let known = recordings::overview(&camera, day, now, &parts.readers, &parts.open).await.map_err(refused)?;
    let id = camera.get().clone();
    let events = parts.readers.read(move |connection| events::between(connection, &id, day)).await;
    let events = events.map_err(|error| unavailable("the recorder's database does not answer; try again")(&error))?;
    let name = site.parts.board.name(camera.get());
    let rights = site.rights(camera.viewer()).await?;
    let others = rights.iter().filter(|(_, rights)| rights.has(Right::History)).map(|(other, _)| Choice {
        name: site.parts.board.name(other),
        url: links::day(other, &days.date),
        is_chosen: other == camera.get(),
    });
    let saved = wanted.t.map(moment).transpose()?.unwrap_or(day.start());
    let page = DayPage {
        others: others.collect(),
        camera: camera.get().to_string(),
        calendar: calendar::of(&site, vec![camera.get().clone()], date, address).await?,
        days,
        marks: marks(&known, day, now),
        events: events.iter().rev().map(|row| card(&site, row, false)).collect(),
        gaps: known.gaps.iter().map(|gap| gap_in_words(gap, now)).collect(),
        camera_motion: SaidOnDay::of(known.camera_motion.as_deref(), now),
        has_camera_motion: known.camera_motion.is_some(),
        watched: watched::of(&site, &camera, day, now).await?,
        may_export: rights.iter().any(|(other, rights)| other == camera.get() && rights.has(Right::Export)),
        save_start: saved.as_unix_seconds(),
        save_end: saved.plus(Duration::from_secs(60)).as_unix_seconds(),
        frame: Frame::inside(&site, camera.viewer(), Place::Cameras, &name).await?,
        name,
    };
    Ok(answer(StatusCode::OK, &page))
}

/// What `recordings` is asked.
#[derive(Deserialize)]
pub(crate) struct Window {
    after: f64,
    before: f64,
}

/// `GET /api/cameras/{id}/recordings?after=&before=`.
pub(crate) async fn recordings(
    State(site): State<Arc<Site>>,
    Extension(camera): Extension<Viewable<CameraId>>,
    Query(window): Query<Window>,
) -> Result<Json<Value>, Refusal> {
    let window = span(window.after, window.before)?;
    let now = site.parts.clock.now();
    let parts = &site.parts;
    let known = recordings::overview(&camera, window, now, &parts.readers, &parts.open).await.map_err(refused)?;
    let seconds =
        |span: &UtcSpan| json!({ "start": span.start().as_unix_seconds(), "end": span.end().as_unix_seconds() });
    let gap = |gap: &Gap| {
        json!({
            "start": gap.span.start().as_unix_seconds(),
            "end": gap.span.end().as_unix_seconds(),
            "cause": gap.cause.name(),
        })
    };
    let motion = |row: &Motion| {
        json!({
            "start": row.start.as_unix_seconds(),
            "end": row.end.unwrap_or(now).as_unix_seconds(),
            "peak": row.peak,
        })
    };
    Ok(Json(json!({
        "spans": known.spans.iter().map(seconds).collect::<Vec<_>>(),
        "gaps": known.gaps.iter().map(gap).collect::<Vec<_>>(),
        "motion": known.motion.iter().map(motion).collect::<Vec<_>>(),
        "camera_motion": camera_motion::as_json(known.camera_motion.as_deref()),
    })))
}

/// The span of two Unix times of a query.
pub(crate) fn span(start: f64, end: f64) -> Result<UtcSpan, Refusal> {
    UtcSpan::new(moment(start)?, moment(end)?).ok_or(Refusal::Bad("the end is before the start"))
}

pub(crate) fn marks(known: &Overview, day: UtcSpan, now: UtcMicros) -> Vec<Mark> {
    let mark = |class, span: UtcSpan, y, height, words| {
        let span = span.intersection(day)?;
        let x = span.start().since(day.start()).as_secs_f64();
        Some(Mark { class, x, width: span.length().as_secs_f64(), y, height, words })
    };
    let clock = |span: UtcSpan| [span.start(), span.end()].map(|moment| words::local(moment, "%H:%M"));
    let footage = known.spans.iter().filter_map(|span| {
        let [from, to] = clock(*span);
        let words = say_with("recorded {from} to {to}", &[("from", &from), ("to", &to)]);
        mark("bar-footage", *span, 22, 38, words)
    });
    let gaps = known.gaps.iter().filter_map(|gap| {
        let [from, to] = clock(gap.span);
        let places: [(&str, &dyn Display); 3] = [("from", &from), ("to", &to), ("cause", &words::cause(gap.cause))];
        mark("bar-gap", gap.span, 54, 6, say_with("missing {from} to {to}: {cause}", &places))
    });
    let motion = known.motion.iter().filter_map(|row| {
        // What is shorter than a hair of the bar is drawn as one.
        let shown = row.start.plus(Duration::from_secs(90)).max(row.end.unwrap_or(now));
        let span = UtcSpan::new(row.start, shown)?;
        mark(
            "bar-motion",
            span,
            24,
            36,
            say_with("motion at {time}", &[("time", &words::local(row.start, "%H:%M:%S"))]),
        )
    });
    let said = known.camera_motion.iter().flatten().filter_map(|said| {
        let shown = said.start.plus(Duration::from_secs(90)).max(said.end.unwrap_or(now));
        let span = UtcSpan::new(said.start, shown)?;
        let time = words::local(said.start, "%H:%M:%S");
        let words = say_with("the camera itself saw motion at {time}", &[("time", &time)]);
        mark("bar-camera-motion", span, 3, 6, words)
    });
    footage.chain(gaps).chain(motion).chain(said).collect()
}

fn gap_in_words(gap: &Gap, now: UtcMicros) -> GapInWords {
    GapInWords {
        from: words::time(gap.span.start(), Show::Full, now),
        to: words::time(gap.span.end(), Show::Full, now),
        why: words::cause(gap.cause),
    }
}

pub(crate) fn date_of(moment: UtcMicros, zone: &TimeZone) -> Date {
    moment.to_timestamp().unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone()).date()
}

/// From midnight to midnight, which is 23 to 25 hours.
pub(crate) fn span_of(date: Date, zone: &TimeZone) -> Option<UtcSpan> {
    let midnight = |date: Date| {
        let start = date.to_zoned(zone.clone()).ok()?;
        Some(UtcMicros(start.timestamp().as_microsecond()))
    };
    UtcSpan::new(midnight(date)?, midnight(date.checked_add(1.day()).ok()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_the_time_change_has_23_or_25_hours() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a rule");
        for (date, hours) in [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 11, 21), 24)] {
            let date = Date::new(date.0, date.1, date.2).expect("a date");
            assert_eq!(span_of(date, &zone).expect("a span").length(), Duration::from_secs(hours * 3600));
        }
    }

    #[test]
    fn every_quarter_of_an_hour_of_two_years_is_on_the_page_of_its_day_and_days_meet() {
        for rule in ["CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0", "LHST-10:30LHDT-11,M10.1.0,M4.1.0", "UTC0"]
        {
            let zone = TimeZone::posix(rule).expect("a rule");
            let mut before: Option<UtcSpan> = None;
            for quarter in 0..2 * 365 * 96 {
                let moment = UtcMicros(1_767_225_600_000_000 + quarter * 900_000_000);
                let day = span_of(date_of(moment, &zone), &zone).expect("a span");
                assert!(day.contains(moment), "{moment} in {rule}");
                let meets = before.is_none_or(|before| before == day || before.end() == day.start());
                assert!(meets, "{before:?} and {day:?} in {rule}");
                before = Some(day);
            }
        }
    }
}
