//! What cameras themselves say of motion, and when they were listened to: a second opinion, shown beside our events. It makes
//! none, changes none, and keeps no footage.

use std::time::Duration;

use rusqlite::{Connection, Row, Transaction};

use crate::camera::packet::{CameraMotion, Heard, Turn};
use crate::index::cameras;
use crate::units::{CameraId, UtcMicros, UtcSpan};

/// A camera may see the same a little earlier or later than we do.
const NEAR: Duration = Duration::from_secs(5);

/// Spans around one event.
const MOST: usize = 100;

const BEGIN: &str = "INSERT INTO camera_motion (camera, what, start_us) VALUES (?1, ?2, ?3)";
const END: &str =
    "UPDATE camera_motion SET end_us = max(start_us, ?3) WHERE camera = ?1 AND what = ?2 AND end_us IS NULL";
// As with events: the longest span bounds where one that overlaps may begin. One that goes on has no length yet.
const CLOSED_BETWEEN: &str = "SELECT start_us, end_us FROM camera_motion
    WHERE camera = ?1 AND what = ?2 AND start_us < ?4 AND end_us > ?3
    AND start_us > ?3 - (SELECT max(end_us - start_us) FROM camera_motion WHERE camera = ?1 AND what = ?2)
    ORDER BY start_us";
const OPEN_BETWEEN: &str = "SELECT start_us, end_us FROM camera_motion INDEXED BY camera_motion_open
    WHERE camera = ?1 AND what = ?2 AND end_us IS NULL AND start_us < ?3 ORDER BY start_us";
// Whoever left it open is gone: it was heard at the latest where the camera's footage ends.
macro_rules! end_left_open {
    ($rest:literal) => {
        concat!(
            "UPDATE camera_motion SET end_us = max(start_us, min(?1, coalesce(
                (SELECT segments.end_us FROM segments WHERE segments.camera = camera_motion.camera
                    ORDER BY segments.start_us DESC LIMIT 1), start_us)))
            WHERE end_us IS NULL",
            $rest
        )
    };
}
const END_LEFT_OPEN: &str = end_left_open!("");
const END_LEFT_OPEN_OF: &str = end_left_open!(" AND camera = ?2 AND what = ?3");
const REMOVE_WITHOUT_FOOTAGE: &str = "DELETE FROM camera_motion
    WHERE camera = ?1 AND what = ?2 AND start_us < ?4 AND end_us > ?3
    AND start_us > ?3 - (SELECT max(end_us - start_us) FROM camera_motion WHERE camera = ?1 AND what = ?2)
    AND NOT EXISTS (SELECT 1 FROM segments AS s
        WHERE s.camera = ?1 AND s.start_us < camera_motion.end_us AND s.end_us > camera_motion.start_us
        AND s.start_us > camera_motion.start_us - (SELECT max(end_us - start_us) FROM segments WHERE camera = ?1))";
const ANY_BEFORE: &str =
    "SELECT 1 FROM camera_motion WHERE camera = ?1 AND what = ?2 AND start_us < ?3 AND end_us <= ?3 LIMIT 1";
const REMOVE_BEFORE: &str =
    "DELETE FROM camera_motion WHERE camera = ?1 AND what = ?2 AND start_us < ?3 AND end_us <= ?3";

/// From when to when the camera said that something moves, or was listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// From then on.
    pub start: UtcMicros,
    /// Until then; `None` while it goes on.
    pub end: Option<UtcMicros>,
}

/// Takes in that something begins or ends.
pub fn note(tx: &Transaction<'_>, camera: &CameraId, said: CameraMotion) -> rusqlite::Result<()> {
    match said.turn {
        Turn::Begins => {
            cameras::make(tx, camera)?;
            tx.prepare_cached(END_LEFT_OPEN_OF)?.execute((said.at, camera, said.what))?;
            tx.prepare_cached(BEGIN)?.execute((camera, said.what, said.at)).map(drop)
        }
        Turn::Ends => tx.prepare_cached(END)?.execute((camera, said.what, said.at)).map(drop),
    }
}

/// The camera's spans that have any time in common with that one, those that go on included, by start.
pub fn between(conn: &Connection, camera: &CameraId, what: Heard, span: UtcSpan) -> rusqlite::Result<Vec<Span>> {
    let mut closed = conn.prepare_cached(CLOSED_BETWEEN)?;
    let closed = closed.query_map((camera, what, span.start(), span.end()), from_row)?;
    let mut open = conn.prepare_cached(OPEN_BETWEEN)?;
    let open = open.query_map((camera, what, span.end()), from_row)?;
    let mut spans = closed.chain(open).collect::<Result<Vec<_>, _>>()?;
    spans.sort_by_key(|span| span.start);
    Ok(spans)
}

/// When the camera itself saw motion at the time of an event, give or take five seconds. Empty if it said nothing then; `None` if
/// nobody knows, because it was not listened to all the while. The first hundred at most.
pub fn around(conn: &Connection, camera: &CameraId, event: UtcSpan) -> rusqlite::Result<Option<Vec<Span>>> {
    let Some(near) = UtcSpan::new(event.start().minus(NEAR), event.end().plus(NEAR)) else { return Ok(None) };
    let mut seen = between(conn, camera, Heard::Motion, near)?;
    seen.truncate(MOST);
    if !seen.is_empty() {
        return Ok(Some(seen));
    }
    let listened = between(conn, camera, Heard::Track, near)?;
    let all_the_while = |span: &Span| span.start <= event.start() && span.end.is_none_or(|end| end >= event.end());
    Ok(listened.iter().any(all_the_while).then_some(seen))
}

/// Ends what a crash or a power cut left open: where the footage then ended, never after `now`. For the start, before any camera is
/// heard; says how many.
pub fn end_open(tx: &Transaction<'_>, now: UtcMicros) -> rusqlite::Result<usize> {
    tx.execute(END_LEFT_OPEN, [now])
}

/// Footage of that span went: so does what was said of it, but what reaches into footage that is left.
pub(super) fn remove_without_footage(tx: &Transaction<'_>, camera: &CameraId, gone: UtcSpan) -> rusqlite::Result<()> {
    for what in [Heard::Track, Heard::Motion] {
        tx.prepare_cached(REMOVE_WITHOUT_FOOTAGE)?.execute((camera, what, gone.start(), gone.end()))?;
    }
    Ok(())
}

/// Whether something ended by then.
pub fn any_before(conn: &Connection, camera: &CameraId, moment: UtcMicros) -> rusqlite::Result<bool> {
    let mut statement = conn.prepare_cached(ANY_BEFORE)?;
    Ok(statement.exists((camera, Heard::Track, moment))? || statement.exists((camera, Heard::Motion, moment))?)
}

/// Forgets what ended by then, also where there never was footage; says how many.
pub fn remove_before(tx: &Transaction<'_>, camera: &CameraId, moment: UtcMicros) -> rusqlite::Result<usize> {
    let mut statement = tx.prepare_cached(REMOVE_BEFORE)?;
    Ok(statement.execute((camera, Heard::Track, moment))? + statement.execute((camera, Heard::Motion, moment))?)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Span> {
    Ok(Span { start: row.get(0)?, end: row.get(1)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::segments;
    use crate::index::testing::{self, camera, segment, span};
    use crate::units::SegmentId;
    use Heard::{Motion, Track};
    use Turn::{Begins, Ends};
    use proptest::prelude::*;

    /// In seconds.
    fn say(tx: &Transaction<'_>, whose: &str, what: Heard, turn: Turn, at: i64) {
        note(tx, &camera(whose), CameraMotion { what, turn, at: UtcMicros(at * 1_000_000) }).unwrap();
    }

    fn seconds(from: i64, to: i64) -> UtcSpan {
        span(from * 1_000_000, to * 1_000_000)
    }

    fn said(from: i64, to: Option<i64>) -> Span {
        Span { start: UtcMicros(from * 1_000_000), end: to.map(|to| UtcMicros(to * 1_000_000)) }
    }

    #[test]
    fn an_event_is_told_what_the_camera_said_then_and_only_if_it_was_listened_to() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let porch = camera("porch");
        assert_eq!(around(&tx, &porch, seconds(100, 110)), Ok(None), "nobody listened");
        say(&tx, "porch", Track, Begins, 90);
        assert_eq!(around(&tx, &porch, seconds(100, 110)), Ok(Some(vec![])));
        assert_eq!(around(&tx, &porch, seconds(80, 110)), Ok(None), "not from the beginning");
        say(&tx, "porch", Motion, Begins, 200);
        assert_eq!(around(&tx, &porch, seconds(190, 210)), Ok(Some(vec![said(200, None)])), "while it goes on");
        say(&tx, "porch", Motion, Ends, 220);
        say(&tx, "porch", Motion, Begins, 230);
        say(&tx, "porch", Motion, Ends, 240);
        let both = vec![said(200, Some(220)), said(230, Some(240))];
        assert_eq!(around(&tx, &porch, seconds(210, 228)), Ok(Some(both)), "give or take some seconds");
        assert_eq!(around(&tx, &porch, seconds(246, 250)), Ok(Some(vec![])));
        say(&tx, "porch", Track, Ends, 300);
        assert_eq!(around(&tx, &porch, seconds(290, 310)), Ok(None), "not to the end");
        assert_eq!(around(&tx, &camera("nursery"), seconds(200, 210)), Ok(None));
        assert_eq!(between(&tx, &porch, Track, seconds(0, 1_000)), Ok(vec![said(90, Some(300))]));
    }

    #[test]
    fn what_was_left_open_ends_where_the_footage_does() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        segments::insert(&tx, &segment(1, seconds(0, 60))).unwrap();
        for whose in ["porch", "nursery"] {
            say(&tx, whose, Track, Begins, 5);
            say(&tx, whose, Motion, Begins, 50);
        }
        // A part of this camera's work died and began again.
        say(&tx, "porch", Motion, Begins, 90);
        let all = |whose: &str, what| between(&tx, &camera(whose), what, seconds(0, 1_000)).unwrap();
        assert_eq!(all("porch", Motion), [said(50, Some(60)), said(90, None)]);
        assert_eq!(end_open(&tx, UtcMicros(1_000_000_000)), Ok(4));
        assert_eq!(all("porch", Motion), [said(50, Some(60)), said(90, Some(90))]);
        assert_eq!(all("porch", Track), [said(5, Some(60))]);
        assert_eq!(all("nursery", Motion), [said(50, Some(50))], "it was recorded by nobody");
        assert_eq!(end_open(&tx, UtcMicros(1_000_000_000)), Ok(0));
        // A clock that was set back in between.
        say(&tx, "porch", Motion, Begins, 200);
        say(&tx, "porch", Motion, Ends, 100);
        assert_eq!(all("porch", Motion).last(), Some(&said(200, Some(200))));
    }

    #[test]
    fn what_was_said_goes_with_the_last_footage_of_its_time() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        for (n, from) in [(1, 0), (2, 60), (3, 120)] {
            segments::insert(&tx, &segment(n, seconds(from, from + 60))).unwrap();
        }
        say(&tx, "porch", Track, Begins, 0);
        for (from, to) in [(10, 20), (50, 70), (130, 140), (300, 310)] {
            say(&tx, "porch", Motion, Begins, from);
            say(&tx, "porch", Motion, Ends, to);
        }
        say(&tx, "nursery", Motion, Begins, 10);
        say(&tx, "nursery", Motion, Ends, 20);
        let all = |what| between(&tx, &camera("porch"), what, seconds(0, 1_000)).unwrap();
        let remove = |n: u8| assert_eq!(segments::remove(&tx, SegmentId::from_random([n; 8])), Ok(true));
        remove(1);
        assert_eq!(all(Motion), [said(50, Some(70)), said(130, Some(140)), said(300, Some(310))]);
        remove(2);
        assert_eq!(all(Motion), [said(130, Some(140)), said(300, Some(310))]);
        say(&tx, "porch", Track, Ends, 400);
        remove(3);
        assert_eq!((all(Motion), all(Track)), (vec![said(300, Some(310))], vec![]));
        let moment = |s: i64| UtcMicros(s * 1_000_000);
        assert_eq!(any_before(&tx, &camera("porch"), moment(309)), Ok(false));
        assert_eq!(any_before(&tx, &camera("porch"), moment(310)), Ok(true));
        assert_eq!(remove_before(&tx, &camera("porch"), moment(310)), Ok(1));
        assert_eq!(between(&tx, &camera("nursery"), Motion, seconds(0, 99)), Ok(vec![said(10, Some(20))]));
    }

    #[test]
    fn no_question_about_it_reads_all_that_was_ever_said() {
        testing::assert_no_scan(&[
            BEGIN,
            END,
            END_LEFT_OPEN_OF,
            CLOSED_BETWEEN,
            OPEN_BETWEEN,
            REMOVE_WITHOUT_FOOTAGE,
            ANY_BEFORE,
            REMOVE_BEFORE,
        ]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_span_finds_exactly_what_overlaps_it(
            told in prop::collection::vec((1..40_i64, 1..40_i64, any::<bool>()), 0..20),
            asked in (0..400_i64, 1..80_i64),
        ) {
            let mut conn = testing::database();
            let tx = conn.transaction().unwrap();
            let (mut now, mut all) = (0, Vec::new());
            for (wait, length, porch) in told {
                let whose = if porch { "porch" } else { "nursery" };
                say(&tx, whose, Motion, Begins, now + wait);
                say(&tx, whose, Motion, Ends, now + wait + length);
                all.extend(porch.then_some((now + wait, now + wait + length)));
                now += wait + length;
            }
            let (from, to) = (asked.0, asked.0 + asked.1);
            let expected: Vec<_> = all
                .into_iter()
                .filter(|(start, end)| *start < to && *end > from)
                .map(|(start, end)| said(start, Some(end)))
                .collect();
            prop_assert_eq!(between(&tx, &camera("porch"), Motion, seconds(from, to)).unwrap(), expected);
        }
    }
}
