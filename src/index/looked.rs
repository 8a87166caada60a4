//! What each person has seen of what moved: everything up to a moment, and single events after it.

use rusqlite::{Connection, OptionalExtension as _, Transaction};

use crate::units::{CameraId, EventId, UserId, UtcMicros};

const UNTIL: &str = "SELECT until_us FROM looked WHERE user = ?1";
const HAS_SEEN: &str = "SELECT 1 FROM seen WHERE user = ?1 AND event = ?2";
const NEWS: &str = "SELECT 1 FROM events WHERE camera = ?1 AND start_us > ?2
    AND NOT EXISTS (SELECT 1 FROM seen WHERE user = ?3 AND event = events.id) LIMIT ?4";
const SEE: &str = "INSERT INTO seen (user, event) SELECT ?1, id FROM events
    WHERE id = ?2 AND start_us > coalesce((SELECT until_us FROM looked WHERE user = ?1), -9223372036854775808)
    ON CONFLICT DO NOTHING";
const SEE_UNTIL: &str = "INSERT INTO looked (user, until_us) VALUES (?1, ?2)
    ON CONFLICT (user) DO UPDATE SET until_us = max(until_us, excluded.until_us)";
const FORGET_EARLIER: &str =
    "DELETE FROM seen WHERE user = ?1 AND EXISTS (SELECT 1 FROM events WHERE id = seen.event AND start_us <= ?2)";

/// Up to when the user has seen everything; the beginning of time if that was never said.
pub fn until(conn: &Connection, user: UserId) -> rusqlite::Result<UtcMicros> {
    let until = conn.prepare_cached(UNTIL)?.query_row([user], |row| row.get(0)).optional()?;
    Ok(until.unwrap_or(UtcMicros(i64::MIN)))
}

/// Whether an event that began at `start` is news to the user, who has seen everything up to `until`.
pub fn is_new(
    conn: &Connection,
    user: UserId,
    until: UtcMicros,
    (event, start): (EventId, UtcMicros),
) -> rusqlite::Result<bool> {
    Ok(start > until && !conn.prepare_cached(HAS_SEEN)?.exists((user, event))?)
}

/// How many events of these cameras are news to the user; not counted further than `most`.
pub fn news(conn: &Connection, user: UserId, cameras: &[CameraId], most: u32) -> rusqlite::Result<u32> {
    let until = until(conn, user)?;
    let mut statement = conn.prepare_cached(NEWS)?;
    let mut count = 0;
    for camera in cameras {
        let mut rows = statement.query((camera, until, user, most.saturating_sub(count)))?;
        while rows.next()?.is_some() {
            count += 1;
        }
    }
    Ok(count)
}

/// The user saw this event.
pub fn see(tx: &Transaction<'_>, user: UserId, event: EventId) -> rusqlite::Result<()> {
    tx.prepare_cached(SEE)?.execute((user, event)).map(drop)
}

/// The user has seen every event that began until then.
pub fn see_until(tx: &Transaction<'_>, user: UserId, until: UtcMicros) -> rusqlite::Result<()> {
    tx.execute(SEE_UNTIL, (user, until))?;
    tx.execute(FORGET_EARLIER, (user, until)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::detect::event::MotionEvent;
    use crate::index::testing::{self, HASH, camera, name};
    use crate::index::{events, users};

    fn id(n: u8) -> EventId {
        EventId::from_random([n; 8])
    }

    fn happen(tx: &Transaction<'_>, n: u8, whose: &str) {
        let start = UtcMicros(i64::from(n) * 10);
        let event = MotionEvent {
            id: id(n),
            camera: camera(whose),
            start,
            end: Some(UtcMicros(start.0 + 5)),
            peak: 0.1,
            zones: Vec::new(),
            why: None,
            thumbnail: None,
            preview: None,
        };
        assert_eq!(events::upsert(tx, &event), Ok(true));
    }

    #[test]
    fn what_one_has_seen_is_news_to_the_other_still() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let anna = users::insert(&tx, &name("anna"), Role::Owner, HASH).unwrap();
        let ben = users::insert(&tx, &name("ben"), Role::Member, HASH).unwrap();
        for (n, whose) in [(1, "porch"), (2, "porch"), (3, "nursery"), (4, "porch")] {
            happen(&tx, n, whose);
        }
        let both = [camera("porch"), camera("nursery")];
        let count = |user, cameras: &[CameraId], most| news(&tx, user, cameras, most).unwrap();
        assert_eq!((count(anna, &both, 99), count(anna, &both[..1], 99), count(anna, &both, 2)), (4, 3, 2));

        see(&tx, anna, id(3)).unwrap();
        see(&tx, anna, id(3)).unwrap();
        assert_eq!((count(anna, &both, 99), count(ben, &both, 99)), (3, 4));
        see_until(&tx, anna, UtcMicros(20)).unwrap();
        assert_eq!(count(anna, &both, 99), 1, "the fourth; the third was seen by itself");
        see_until(&tx, anna, UtcMicros(5)).unwrap();
        assert_eq!(count(anna, &both, 99), 1, "it never goes back");
        let is_new_to = |user, n: u8| {
            let event = (id(n), UtcMicros(i64::from(n) * 10));
            is_new(&tx, user, until(&tx, user).unwrap(), event).unwrap()
        };
        assert_eq!([1, 2, 3, 4].map(|n| is_new_to(anna, n)), [false, false, false, true]);
        assert!(is_new_to(ben, 1));
    }

    #[test]
    fn single_events_are_remembered_no_longer_than_needed() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let anna = users::insert(&tx, &name("anna"), Role::Owner, HASH).unwrap();
        for n in 1..=5 {
            happen(&tx, n, "porch");
            see(&tx, anna, id(n)).unwrap();
        }
        let remembered = || tx.query_row("SELECT count(*) FROM seen", [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(remembered(), 5);
        events::remove(&tx, id(5)).unwrap();
        assert_eq!(remembered(), 4, "with the event goes who saw it");
        see_until(&tx, anna, UtcMicros(30)).unwrap();
        assert_eq!(remembered(), 1);
        see(&tx, anna, id(1)).unwrap();
        assert_eq!(remembered(), 1, "that one is known anyway");
    }

    #[test]
    fn no_question_about_news_reads_all_events() {
        testing::assert_no_scan(&[UNTIL, HAS_SEEN, NEWS, SEE, FORGET_EARLIER]);
    }
}
