//! Which footage goes: by age, and when space is needed. It only says which; [`crate::index::segments::remove`] and
//! [`crate::index::events::remove`] make it garbage.
//!
//! Nobody asks by age before the clock is known to be right.

use std::time::Duration;

use rusqlite::Connection;

use crate::units::{ByteLen, CameraId, EventId, SegmentId, UtcMicros};

// What overlaps an event, widened by its pre- and post-roll, stays as long as the event does. As elsewhere the longest event
// bounds where one that overlaps may begin. An event that goes on holds everything since it began; without INDEXED BY
// the planner would look through all events for it.
const EXPIRED: &str = "SELECT id FROM segments AS s
    WHERE camera = ?1 AND start_us < ?2 AND end_us <= ?2
    AND NOT EXISTS (SELECT 1 FROM events AS e
        WHERE e.camera = ?1 AND e.start_us < s.end_us + ?4 AND e.end_us > s.start_us - ?4
        AND e.start_us > s.start_us - ?4 - (SELECT max(end_us - start_us) FROM events WHERE camera = ?1)
        AND (e.kept = 1 OR s.end_us > ?3))
    AND NOT EXISTS (SELECT 1 FROM events AS o INDEXED BY events_open
        WHERE o.camera = ?1 AND o.end_us IS NULL AND o.start_us < s.end_us + ?4)
    ORDER BY start_us LIMIT ?5";
const EXPIRED_EVENTS: &str = "SELECT id FROM events
    WHERE camera = ?1 AND start_us < ?2 AND end_us <= ?2 AND kept = 0 ORDER BY start_us LIMIT ?3";
// Walks all footage from its oldest, and the caller stops as soon as there is enough.
const OLDEST: &str = "SELECT id, size_bytes, EXISTS (SELECT 1 FROM events AS e
        WHERE e.camera = s.camera AND e.start_us < s.end_us + ?1 AND e.end_us > s.start_us - ?1
        AND e.start_us > s.start_us - ?1 - (SELECT max(end_us - start_us) FROM events WHERE camera = s.camera)
        AND e.kept = 1)
    OR EXISTS (SELECT 1 FROM events AS o INDEXED BY events_open
        WHERE o.camera = s.camera AND o.end_us IS NULL AND o.kept = 1 AND o.start_us < s.end_us + ?1),
    EXISTS (SELECT 1 FROM events AS o INDEXED BY events_open
        WHERE o.camera = s.camera AND o.end_us IS NULL AND o.start_us < s.end_us + ?1)
    FROM segments AS s ORDER BY start_us";

/// How long what stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Footage without motion.
    pub continuous: Duration,
    /// Footage around an event, and the event itself. Never shorter than `continuous` in effect.
    pub motion: Duration,
    /// How much around an event belongs to it: the longer of its pre- and post-roll.
    pub around: Duration,
}

fn micros(length: Duration) -> i64 {
    // A thousand years at most: sums with a moment then stay whole numbers in SQL.
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX).min(31_557_600_000_000_000)
}

/// The camera's segments that have had their time, oldest first, at most `limit`. Footage of kept events, and of one that goes
/// on, is never among them.
pub fn expired(
    conn: &Connection,
    camera: &CameraId,
    rule: Rule,
    now: UtcMicros,
    limit: u32,
) -> rusqlite::Result<Vec<SegmentId>> {
    let (continuous, motion) = (now.minus(rule.continuous), now.minus(rule.motion.max(rule.continuous)));
    let mut statement = conn.prepare_cached(EXPIRED)?;
    statement.query_map((camera, continuous, motion, micros(rule.around), limit), |row| row.get(0))?.collect()
}

/// The camera's events that have had their time, oldest first, at most `limit`; never kept ones.
pub fn expired_events(
    conn: &Connection,
    camera: &CameraId,
    rule: Rule,
    now: UtcMicros,
    limit: u32,
) -> rusqlite::Result<Vec<EventId>> {
    let motion = now.minus(rule.motion.max(rule.continuous));
    conn.prepare_cached(EXPIRED_EVENTS)?.query_map((camera, motion, limit), |row| row.get(0))?.collect()
}

/// The oldest segments of all cameras that together hold at least `wanted`, oldest first. Those of events that go on come
/// only when nothing else is left; those of kept events never, even if it is not enough then: the household's word stands
/// above the newest minute, and a disk that others filled would take all that was kept, in vain.
pub fn first_to_go(conn: &Connection, wanted: ByteLen, around: Duration) -> rusqlite::Result<Vec<SegmentId>> {
    let mut statement = conn.prepare_cached(OLDEST)?;
    let mut rows = statement.query([micros(around)])?;
    let (mut chosen, mut spared, mut won) = (Vec::new(), Vec::new(), 0_u64);
    while won < wanted.0 {
        let Some(row) = rows.next()? else { break };
        let (id, size): (SegmentId, ByteLen) = (row.get(0)?, row.get(1)?);
        let (is_kept, goes_on): (bool, bool) = (row.get(2)?, row.get(3)?);
        if is_kept {
            continue;
        }
        if goes_on {
            spared.push((id, size));
        } else {
            chosen.push(id);
            won = won.saturating_add(size.0);
        }
    }
    for (id, size) in spared {
        if won >= wanted.0 {
            break;
        }
        chosen.push(id);
        won = won.saturating_add(size.0);
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detect::event::MotionEvent;
    use crate::index::testing::{self, camera, span};
    use crate::index::{events, segments};
    use crate::record::segment::ClosedSegment;

    const NOW: UtcMicros = UtcMicros(1_000);
    const RULE: Rule = Rule {
        continuous: Duration::from_micros(300),
        motion: Duration::from_micros(600),
        around: Duration::from_micros(15),
    };

    #[derive(Debug, Clone)]
    struct Seen {
        porch: bool,
        start: i64,
        end: Option<i64>,
        kept: bool,
    }

    fn whose(porch: bool) -> CameraId {
        camera(if porch { "porch" } else { "nursery" })
    }

    fn filled(footage: &[(bool, i64, i64)], seen: &[Seen]) -> Connection {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        for (n, (porch, start, length)) in (0_u8..).zip(footage) {
            let segment = ClosedSegment {
                id: SegmentId::from_random([n; 8]),
                camera: whose(*porch),
                span: span(*start, start + length),
                path: format!("footage/{n}.mp4").into(),
                size: ByteLen(10),
                pictures: 1,
                codecs: String::new(),
                width: 1,
                height: 1,
            };
            segments::insert(&tx, &segment).unwrap();
        }
        for (n, event) in (0_u8..).zip(seen) {
            let id = EventId::from_random([n; 8]);
            let (start, end) = (UtcMicros(event.start), event.end.map(UtcMicros));
            let motion = MotionEvent {
                id,
                camera: whose(event.porch),
                start,
                end,
                peak: 0.1,
                zones: vec![],
                why: None,
                thumbnail: None,
                preview: None,
            };
            events::upsert(&tx, &motion).unwrap();
            events::set(&tx, id, Some(event.kept), None).unwrap();
        }
        tx.commit().unwrap();
        conn
    }

    fn numbers(ids: Vec<SegmentId>) -> Vec<u8> {
        ids.into_iter().map(|id| id.to_bytes()[0]).collect()
    }

    /// The rule in plain words, for one segment.
    fn is_expired(segment: (bool, i64, i64), seen: &[Seen]) -> bool {
        let (porch, start, end) = (segment.0, segment.1, segment.1 + segment.2);
        let held = seen.iter().filter(|event| event.porch == porch).any(|event| match event.end {
            None => event.start < end + 15,
            Some(last) => event.start < end + 15 && last > start - 15 && (event.kept || end > 1_000 - 600),
        });
        end <= 1_000 - 300 && !held
    }

    #[test]
    fn footage_without_motion_goes_first_and_kept_footage_never() {
        let footage = [(true, 0, 60), (true, 100, 60), (true, 450, 60), (true, 650, 50), (true, 641, 60)];
        let seen = [
            Seen { porch: true, start: 70, end: Some(74), kept: true },
            Seen { porch: true, start: 170, end: Some(180), kept: false },
            Seen { porch: true, start: 520, end: Some(530), kept: false },
            Seen { porch: false, start: 600, end: Some(700), kept: true },
        ];
        let conn = filled(&footage, &seen);
        assert_eq!(numbers(expired(&conn, &whose(true), RULE, NOW, 100).unwrap()), [1, 3]);
        assert_eq!(numbers(expired(&conn, &whose(true), RULE, NOW, 1).unwrap()), [1]);
        assert_eq!(expired_events(&conn, &whose(true), RULE, NOW, 9), Ok(vec![EventId::from_random([1; 8])]));
    }

    #[test]
    fn when_space_is_needed_the_oldest_goes_what_goes_on_last_and_what_is_kept_never() {
        let footage = [(true, 0, 60), (false, 30, 60), (true, 60, 60), (false, 90, 60)];
        let seen = [
            Seen { porch: true, start: 10, end: Some(20), kept: true },
            Seen { porch: false, start: 200, end: None, kept: false },
        ];
        let conn = filled(&footage, &seen);
        let gone = |wanted| numbers(first_to_go(&conn, ByteLen(wanted), RULE.around).unwrap());
        assert_eq!(gone(0), [0; 0]);
        assert_eq!(gone(1), [1]);
        assert_eq!(gone(20), [1, 2]);
        assert_eq!(gone(31), [1, 2, 3]);
        assert_eq!(gone(1_000), [1, 2, 3]);
        let conn = filled(&footage, &[Seen { porch: true, start: 10, end: None, kept: false }]);
        assert_eq!(numbers(first_to_go(&conn, ByteLen(30), RULE.around).unwrap()), [1, 3, 0]);
    }

    #[test]
    fn no_question_about_age_reads_all_footage() {
        testing::assert_no_scan(&[EXPIRED, EXPIRED_EVENTS]);
    }

    prop_compose! {
        fn any_seen()(porch: bool, start in 0..900i64, length in proptest::option::weighted(0.9, 0..200i64), kept: bool) -> Seen {
            Seen { porch, start, end: length.map(|length| start + length), kept }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn exactly_what_the_rule_says_goes(
            footage in proptest::collection::vec((any::<bool>(), 0..900i64, 0..80i64), 0..25),
            seen in proptest::collection::vec(any_seen(), 0..6),
        ) {
            let conn = filled(&footage, &seen);
            let mut found = numbers(expired(&conn, &whose(true), RULE, NOW, 1_000).unwrap());
            found.sort_unstable();
            let expected = (0_u8..).zip(&footage).filter(|(_, each)| each.0 && is_expired(**each, &seen));
            prop_assert_eq!(found, expected.map(|(n, _)| n).collect::<Vec<_>>());
        }

        #[test]
        fn enough_goes_and_not_one_more(
            footage in proptest::collection::vec((any::<bool>(), 0..900i64, 0..80i64), 0..25),
            seen in proptest::collection::vec(any_seen(), 0..6),
            wanted in 0..300u64,
        ) {
            let conn = filled(&footage, &seen);
            let gone = numbers(first_to_go(&conn, ByteLen(wanted), RULE.around).unwrap());
            let is_held = |segment: (bool, i64, i64), kept: bool| {
                let (porch, start, end) = (segment.0, segment.1, segment.1 + segment.2);
                seen.iter().filter(|event| event.porch == porch && (event.kept || !kept)).any(|event| match event.end {
                    None => event.start < end + 15,
                    Some(last) => kept && event.start < end + 15 && last > start - 15,
                })
            };
            let of = |n: u8| footage[usize::from(n)];
            let may_go = (0_u8..).zip(&footage).filter(|(_, segment)| !is_held(**segment, true)).count() as u64;
            prop_assert_eq!(gone.len() as u64, wanted.div_ceil(10).min(may_go));
            prop_assert!(gone.iter().all(|n| !is_held(of(*n), true)), "what is kept stays");
            // In two runs, each oldest first: what goes on only when all else is gone.
            let order: Vec<_> = gone.iter().map(|n| (is_held(of(*n), false), of(*n).1)).collect();
            prop_assert!(order.is_sorted(), "{:?}", order);
            let left = (0_u8..).zip(&footage).filter(|(n, segment)| !gone.contains(n) && !is_held(**segment, true));
            for (_, segment) in left {
                let rank = (is_held(*segment, false), segment.1);
                prop_assert!(order.last().is_none_or(|last| *last <= rank), "an older one stayed: {:?}", rank);
            }
        }
    }
}
