//! Looking through events for what no index knows: zones, lengths, times of day, what is news to somebody.

use std::time::Duration;

use rusqlite::{Connection, Rows};

use crate::access::Hours;
use crate::index::events::{self, EventFilter, EventRow};
use crate::index::looked;
use crate::units::{EventId, UserId, UtcMicros};

/// Events that one search looks at, at most: then it says how far it came, and nobody waits for a year to be read.
pub const REACH: u32 = 5_000;

// Of each camera's events, newest first, only what the sieve needs; each stops when enough was found.
const HEADS: &str = "SELECT id, start_us, end_us, zones FROM events
    WHERE camera = ?1 AND start_us >= ?2 AND start_us < ?3 ORDER BY start_us DESC";
const KEPT_HEADS: &str = "SELECT id, start_us, end_us, zones FROM events
    WHERE camera = ?1 AND start_us >= ?2 AND start_us < ?3 AND kept = 1 ORDER BY start_us DESC";

/// What must be true of an event beyond where and when it began. The default lets everything through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sieve {
    /// It touched this zone.
    pub zone: Option<String>,
    /// It lasted at least so long, or goes on.
    pub at_least: Option<Duration>,
    /// It began at this time of the day.
    pub hours: Option<Hours>,
    /// The household keeps it.
    pub kept: bool,
    /// It is news to this user.
    pub new_to: Option<UserId>,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Newest first, as in [`events::list`].
    pub events: Vec<EventRow>,
    /// If it stopped before it had enough: what began before this moment was not looked at.
    pub reached: Option<UtcMicros>,
}

/// The part of an event that decides.
struct Head {
    start: UtcMicros,
    id: EventId,
    end: Option<UtcMicros>,
    zones: String,
}

fn next(rows: &mut Rows<'_>) -> rusqlite::Result<Option<Head>> {
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Head { id: row.get(0)?, start: row.get(1)?, end: row.get(2)?, zones: row.get(3)? }))
}

impl Sieve {
    fn lets_through(&self, head: &Head) -> bool {
        let is_long = |least| head.end.is_none_or(|end| end.since(head.start) >= least);
        let is_in =
            |zone: &String| serde_json::from_str::<Vec<String>>(&head.zones).is_ok_and(|zones| zones.contains(zone));
        self.at_least.is_none_or(is_long)
            && self.zone.as_ref().is_none_or(is_in)
            && self.hours.is_none_or(|hours| hours.contain_moment(head.start))
    }
}

/// Newest first, at most `filter.limit`, looking at no more than [`REACH`] events.
pub fn search(conn: &Connection, filter: &EventFilter, sieve: &Sieve) -> rusqlite::Result<Found> {
    let limit = usize::try_from(filter.limit.min(events::LIST_LIMIT)).unwrap_or(usize::MAX);
    let (mut after, before) =
        (filter.after.unwrap_or(UtcMicros(i64::MIN)), filter.before.unwrap_or(UtcMicros(i64::MAX)));
    let seen_until = sieve.new_to.map(|user| looked::until(conn, user)).transpose()?;
    if let Some(until) = seen_until {
        after = after.max(UtcMicros(until.0.saturating_add(1)));
    }
    let mut cameras: Vec<_> = filter.cameras.iter().collect();
    cameras.sort_unstable();
    cameras.dedup();
    let sql = if sieve.kept { KEPT_HEADS } else { HEADS };
    let mut statements = cameras.iter().map(|_| conn.prepare_cached(sql)).collect::<Result<Vec<_>, _>>()?;
    let mut streams = Vec::new();
    for (statement, camera) in statements.iter_mut().zip(cameras) {
        let mut rows = statement.query((camera, after, before))?;
        let head = next(&mut rows)?;
        streams.push((rows, head));
    }
    let mut found = Found { events: Vec::new(), reached: None };
    let mut looked_at = 0;
    while found.events.len() < limit {
        let newest = streams.iter_mut().max_by_key(|(_, head)| head.as_ref().map(|head| (head.start, head.id)));
        let Some((rows, head)) = newest else { break };
        let Some(here) = head.take() else { break };
        looked_at += 1;
        if looked_at > REACH {
            found.reached = Some(UtcMicros(here.start.0.saturating_add(1)));
            break;
        }
        *head = next(rows)?;
        let is_wanted = sieve.lets_through(&here)
            && match (sieve.new_to, seen_until) {
                (Some(user), Some(until)) => looked::is_new(conn, user, until, (here.id, here.start))?,
                _ => true,
            };
        if is_wanted && let Some(event) = events::by_id(conn, here.id)? {
            found.events.push(event);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::access::Role;
    use crate::detect::event::MotionEvent;
    use crate::index::testing::{self, HASH, camera, name};
    use crate::index::users;
    use crate::units::CameraId;

    const HOUR: i64 = 3_600_000_000;

    fn happen(conn: &mut Connection, n: u32, whose: &str, start: i64, seconds: i64, zones: &[&str]) -> EventId {
        let mut random = [0; 8];
        random[..4].copy_from_slice(&n.to_be_bytes());
        let id = EventId::from_random(random);
        let event = MotionEvent {
            id,
            camera: camera(whose),
            start: UtcMicros(start),
            end: Some(UtcMicros(start + seconds * 1_000_000)),
            peak: 0.1,
            zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
            why: None,
            thumbnail: None,
            preview: None,
        };
        let tx = conn.transaction().unwrap();
        events::upsert(&tx, &event).unwrap();
        tx.commit().unwrap();
        id
    }

    fn all(cameras: &[&str], limit: u32) -> EventFilter {
        let cameras: Vec<CameraId> = cameras.iter().map(|id| camera(id)).collect();
        EventFilter { cameras, after: None, before: None, limit }
    }

    fn ids(found: &Found) -> Vec<EventId> {
        found.events.iter().map(|event| event.id).collect()
    }

    #[test]
    fn each_mesh_of_the_sieve_holds_back_what_it_should() {
        let mut conn = testing::database();
        let short = happen(&mut conn, 1, "porch", 2 * HOUR, 3, &["path"]);
        let long = happen(&mut conn, 2, "porch", 14 * HOUR, 80, &["path", "gate \"a\""]);
        let other = happen(&mut conn, 3, "nursery", 23 * HOUR, 20, &[]);
        let tx = conn.transaction().unwrap();
        let anna = users::insert(&tx, &name("anna"), Role::Owner, HASH).unwrap();
        events::set(&tx, other, Some(true), None).unwrap();
        looked::see_until(&tx, anna, UtcMicros(2 * HOUR)).unwrap();
        looked::see(&tx, anna, other).unwrap();
        tx.commit().unwrap();
        let both = all(&["porch", "nursery"], 10);
        let through = |sieve: Sieve| ids(&search(&conn, &both, &sieve).unwrap());
        assert_eq!(through(Sieve::default()), [other, long, short]);
        assert_eq!(through(Sieve { zone: Some("path".into()), ..Sieve::default() }), [long, short]);
        assert_eq!(through(Sieve { zone: Some("gate \"a\"".into()), ..Sieve::default() }), [long]);
        assert_eq!(through(Sieve { zone: Some("pat".into()), ..Sieve::default() }), []);
        assert_eq!(through(Sieve { at_least: Some(Duration::from_secs(20)), ..Sieve::default() }), [other, long]);
        assert_eq!(through(Sieve { kept: true, ..Sieve::default() }), [other]);
        assert_eq!(through(Sieve { new_to: Some(anna), ..Sieve::default() }), [long]);
        assert_eq!(ids(&search(&conn, &all(&["porch"], 1), &Sieve::default()).unwrap()), [long]);
        assert_eq!(ids(&search(&conn, &all(&[], 1), &Sieve::default()).unwrap()), []);
        // Whatever the time zone of this machine is, an hour of the day and all others share nothing.
        let hours = Hours::new(60, 180).unwrap();
        let others = Hours::new(180, 60).unwrap();
        let (some, rest) =
            [hours, others].map(|hours| through(Sieve { hours: Some(hours), ..Sieve::default() })).into();
        assert_eq!(some.len() + rest.len(), 3);
    }

    #[test]
    fn a_search_that_finds_little_says_how_far_it_came_and_goes_on_from_there() {
        let mut conn = testing::database();
        let rare = happen(&mut conn, 0, "porch", 5, 99, &[]);
        let tx = conn.transaction().unwrap();
        for n in 1..=REACH + 10 {
            let mut id = [0xff; 8];
            id[..4].copy_from_slice(&n.to_be_bytes());
            tx.execute(
                "INSERT INTO events (id, camera, start_us, end_us, peak, zones, has_thumbnail) VALUES (?1, 'porch', ?2, ?2, 0.1, '[]', 0)",
                (EventId::from_random(id), i64::from(n) * 10),
            )
            .unwrap();
        }
        tx.commit().unwrap();
        let sieve = Sieve { at_least: Some(Duration::from_secs(60)), ..Sieve::default() };
        let first = search(&conn, &all(&["porch"], 10), &sieve).unwrap();
        assert_eq!((ids(&first), first.reached), (vec![], Some(UtcMicros(101))));
        let rest = search(&conn, &EventFilter { before: first.reached, ..all(&["porch"], 10) }, &sieve).unwrap();
        assert_eq!((ids(&rest), rest.reached), (vec![rare], None));
    }

    #[test]
    fn no_search_sorts_or_scans() {
        testing::assert_no_scan(&[HEADS, KEPT_HEADS]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn without_a_sieve_it_finds_what_the_list_holds(
            happened in proptest::collection::vec((0..3_usize, 0..50_i64), 0..30),
            asked in (0..50_i64, 0..50_i64, 1..12_u32, 0..4_usize),
        ) {
            let mut conn = testing::database();
            let names = ["porch", "nursery", "garden"];
            for (n, (whose, start)) in (0..).zip(happened) {
                happen(&mut conn, n, names[whose], start, 1, &[]);
            }
            let (after, before, limit, cameras) = asked;
            let filter = EventFilter {
                after: Some(UtcMicros(after)),
                before: Some(UtcMicros(before)),
                ..all(&names[..cameras.min(3)], limit)
            };
            let found = search(&conn, &filter, &Sieve::default()).unwrap();
            // Of events that began at the same moment a camera's stream may bring either first.
            let moments = |events: &[EventRow]| events.iter().map(|event| event.start).collect::<Vec<_>>();
            prop_assert_eq!(moments(&found.events), moments(&events::list(&conn, &filter).unwrap()));
        }
    }
}
