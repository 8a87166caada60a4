//! A month, with the days of which there is footage.

use askama::Template;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::index::segments;
use crate::units::{CameraId, UtcSpan};
use crate::web::day::{date_of, span_of};
use crate::web::refusal::Refusal;
use crate::web::site::Site;
use crate::web::texts::filters;
use crate::web::words;

#[derive(Template)]
#[template(path = "calendar.html")]
pub(crate) struct Calendar {
    pub(crate) month: String,
    pub(crate) before: String,
    /// The month after, unless it is still to come.
    pub(crate) after: Option<String>,
    /// From Monday to Sunday; a place that is another month's is empty.
    pub(crate) weeks: Vec<Vec<Option<DayOfMonth>>>,
}

/// One day of the month.
pub(crate) struct DayOfMonth {
    pub(crate) number: i8,
    pub(crate) words: String,
    /// Where it is shown; `None` for days without footage.
    pub(crate) url: Option<String>,
    pub(crate) is_here: bool,
}

/// The month of a day, rendered: what any of these cameras recorded.
pub(crate) async fn of(
    site: &Site,
    cameras: Vec<CameraId>,
    here: Date,
    address: impl Fn(Date) -> String,
) -> Result<String, Refusal> {
    let zone = TimeZone::system();
    let dates: Vec<Date> = here.first_of_month().series(jiff::Span::new().days(1)).take(days_in(here)).collect();
    let spans: Vec<Option<UtcSpan>> = dates.iter().map(|date| span_of(*date, &zone)).collect();
    let now = site.parts.clock.now();
    let open = cameras.iter().flat_map(|camera| site.parts.open.of(camera)).map(|open| open.span).collect::<Vec<_>>();
    let has_footage = site.read(move |conn| {
        let any = |span: Option<UtcSpan>| -> rusqlite::Result<bool> {
            let Some(span) = span.filter(|span| span.start() <= now) else { return Ok(false) };
            if open.iter().any(|open| open.intersection(span).is_some()) {
                return Ok(true);
            }
            for camera in &cameras {
                if segments::any_between(conn, camera, span)? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        spans.into_iter().map(any).collect::<rusqlite::Result<Vec<_>>>()
    });
    let days = dates.into_iter().zip(has_footage.await?);
    let days = days.map(|(date, has_footage)| DayOfMonth {
        number: date.day(),
        words: words::day_of_year(date),
        url: has_footage.then(|| address(date)),
        is_here: date == here,
    });
    let after = here.last_of_month().tomorrow().ok().filter(|date| *date <= date_of(now, &zone));
    let calendar = Calendar {
        month: words::month_of_year(here),
        before: here.first_of_month().yesterday().map(&address).unwrap_or_default(),
        after: after.map(&address),
        weeks: weeks(here.first_of_month().weekday(), days),
    };
    Ok(calendar.render().unwrap_or_else(|error| {
        tracing::error!(%error, "could not render a month");
        String::new()
    }))
}

fn days_in(month: Date) -> usize {
    usize::try_from(month.days_in_month()).unwrap_or(31)
}

/// In rows of seven that begin on Mondays.
fn weeks<T>(first: Weekday, days: impl Iterator<Item = T>) -> Vec<Vec<Option<T>>> {
    let before = usize::try_from(first.to_monday_zero_offset()).unwrap_or(0);
    let mut places: Vec<Option<T>> = std::iter::repeat_with(|| None).take(before).chain(days.map(Some)).collect();
    places.resize_with(places.len().next_multiple_of(7), || None);
    let mut weeks = Vec::new();
    while !places.is_empty() {
        let rest = places.split_off(7);
        weeks.push(std::mem::replace(&mut places, rest));
    }
    weeks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_stands_in_weeks_that_begin_on_monday() {
        for (year, month, rows, before) in [(2026, 11, 6, 6), (2026, 2, 5, 6), (2027, 2, 4, 0), (2024, 2, 5, 3)] {
            let first = Date::new(year, month, 1).expect("a date");
            let weeks = weeks(first.weekday(), 1..=days_in(first));
            assert_eq!(weeks.len(), rows, "{year}-{month}");
            assert!(weeks.iter().all(|week| week.len() == 7));
            assert_eq!(weeks[0].iter().take_while(|place| place.is_none()).count(), before, "{year}-{month}");
            assert_eq!(
                weeks.iter().flatten().flatten().copied().collect::<Vec<_>>(),
                (1..=days_in(first)).collect::<Vec<_>>()
            );
        }
    }
}
