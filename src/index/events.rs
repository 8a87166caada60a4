//! Motion: what was seen where, when, and what the household made of it.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};

use crate::access::OfCamera;
use crate::detect::event::MotionEvent;
use crate::detect::why::Why;
use crate::disk::EventPicture;
use crate::index::cameras;
use crate::units::{CameraId, EventId, UtcMicros, UtcSpan};

/// The longest note, in characters.
pub const NOTE_CHARS: usize = 2_000;

/// The most events that one list holds.
pub const LIST_LIMIT: u32 = 1_000;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, camera, start_us, end_us, peak, zones, kept, note, has_thumbnail, has_preview, why FROM events ",
            $rest
        )
    };
}

// What the household wrote stays, a picture that was there stays, and an event never moves to another camera.
const UPSERT: &str = "INSERT INTO events (id, camera, start_us, end_us, peak, zones, has_thumbnail, has_preview, why)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (id) DO UPDATE SET start_us = excluded.start_us, end_us = excluded.end_us, peak = excluded.peak,
        zones = excluded.zones, has_thumbnail = max(has_thumbnail, excluded.has_thumbnail),
        has_preview = max(has_preview, excluded.has_preview), why = coalesce(excluded.why, why)
    WHERE camera = excluded.camera";
const BY_ID: &str = select!("WHERE id = ?1");
const NEWEST: &str = select!("WHERE camera = ?1 AND start_us >= ?2 AND start_us < ?3 ORDER BY start_us DESC LIMIT ?4");
// As with segments: the longest event bounds where one that overlaps may begin. One that goes on has no length yet.
const CLOSED_BETWEEN: &str = select!(
    "WHERE camera = ?1 AND start_us < ?3 AND end_us > ?2
    AND start_us > ?2 - (SELECT max(end_us - start_us) FROM events WHERE camera = ?1) ORDER BY start_us"
);
const OPEN_BETWEEN: &str =
    select!("INDEXED BY events_open WHERE camera = ?1 AND end_us IS NULL AND start_us < ?2 ORDER BY start_us");
const SET: &str = "UPDATE events SET kept = coalesce(?2, kept), note = coalesce(?3, note) WHERE id = ?1";
const IS_REMOVED: &str = "SELECT 1 FROM removed_events WHERE id = ?1";
const NOTE_REMOVED: &str = "INSERT INTO removed_events (id) SELECT id FROM events WHERE id = ?1 AND end_us IS NULL";
const LATE_PICTURE: &str = "INSERT INTO garbage (camera, event, size_bytes) VALUES (?2, ?1, 0) ON CONFLICT DO NOTHING";
const TO_GARBAGE: &str = "INSERT INTO garbage (camera, event, size_bytes)
    SELECT camera, id, 0 FROM events WHERE id = ?1 AND (has_thumbnail = 1 OR has_preview = 1)";
const REMOVE: &str = "DELETE FROM events WHERE id = ?1";
// At the start, when nothing is being seen: an event that is open was cut off, at the latest where its camera's footage was.
const END_OPEN: &str = "UPDATE events SET end_us = max(start_us, min(?1, coalesce(
        (SELECT segments.end_us FROM segments WHERE segments.camera = events.camera
            ORDER BY segments.start_us DESC LIMIT 1), start_us)))
    WHERE end_us IS NULL";

const WITH_PICTURES: &str = "SELECT camera, id, has_thumbnail, has_preview FROM events
    WHERE has_thumbnail = 1 OR has_preview = 1 ORDER BY id";
const FORGET_THUMBNAIL: &str = "UPDATE events SET has_thumbnail = 0 WHERE id = ?1";
const FORGET_PREVIEW: &str = "UPDATE events SET has_preview = 0 WHERE id = ?1";

/// An event, with what the household made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// Random.
    pub id: EventId,
    /// Where it was seen.
    pub camera: CameraId,
    /// The first look at what moved.
    pub start: UtcMicros,
    /// The last look at what moved; `None` while it goes on.
    pub end: Option<UtcMicros>,
    /// The largest part of the picture that moved at once, 0 to 1.
    pub peak: f32,
    /// Names of the zones it touched, sorted.
    pub zones: Vec<String>,
    /// Its footage stays for ever.
    pub kept: bool,
    /// What the household wrote to it; at most [`NOTE_CHARS`].
    pub note: String,
    /// Whether there is a thumbnail file.
    pub has_thumbnail: bool,
    /// Whether there is a preview file.
    pub has_preview: bool,
    /// Why it is one; `None` if that is not known.
    pub why: Option<Why>,
}

impl OfCamera for EventRow {
    fn camera(&self) -> &CameraId {
        &self.camera
    }
}

/// Which events to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilter {
    /// Of these cameras: the ones the viewer may see. Of none, nothing is listed.
    pub cameras: Vec<CameraId>,
    /// That began at that moment or later.
    pub after: Option<UtcMicros>,
    /// That began before that moment: the start of the last one on the page before.
    pub before: Option<UtcMicros>,
    /// At most so many, and never more than [`LIST_LIMIT`].
    pub limit: u32,
}

/// A JSON array of strings.
struct Zones(Vec<String>);

impl FromSql for Zones {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        id: row.get(0)?,
        camera: row.get(1)?,
        start: row.get(2)?,
        end: row.get(3)?,
        peak: row.get(4)?,
        zones: row.get::<_, Zones>(5)?.0,
        kept: row.get(6)?,
        note: row.get(7)?,
        has_thumbnail: row.get(8)?,
        has_preview: row.get(9)?,
        // What a later version wrote is no reason not to show the event.
        why: row.get::<_, Option<String>>(10)?.and_then(|why| serde_json::from_str(&why).ok()),
    })
}

/// Takes in what is known of an event now; what the household made of it stays. The pictures it brings are on the disk
/// by then. An event that is known as another camera's is refused.
///
/// `false` if the household removed the event while it went on: then it stays removed, and a picture that came too late
/// becomes garbage.
pub fn upsert(tx: &Transaction<'_>, event: &MotionEvent) -> rusqlite::Result<bool> {
    if tx.prepare_cached(IS_REMOVED)?.exists([event.id])? {
        if event.thumbnail.is_some() || event.preview.is_some() {
            tx.execute(LATE_PICTURE, (event.id, &event.camera))?;
        }
        return Ok(false);
    }
    cameras::make(tx, &event.camera)?;
    let zones =
        serde_json::to_string(&event.zones).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    // A clock that was set back, or a sum that is not a number, is no reason to lose an event.
    let end = event.end.map(|end| end.max(event.start));
    let peak = if event.peak.is_nan() { 0.0 } else { event.peak.clamp(0.0, 1.0) };
    let pictures = (event.thumbnail.is_some(), event.preview.is_some());
    // A number that is none is written as null, and read as not known.
    let why = event.why.and_then(|why| serde_json::to_string(&why).ok());
    let row = (event.id, &event.camera, event.start, end, peak, zones, pictures.0, pictures.1, why);
    match tx.prepare_cached(UPSERT)?.execute(row)? {
        1 => Ok(true),
        changed => Err(rusqlite::Error::StatementChangedRows(changed)),
    }
}

/// Newest first; of events that began at the same moment, the one with the greater id first.
pub fn list(conn: &Connection, filter: &EventFilter) -> rusqlite::Result<Vec<EventRow>> {
    let limit = filter.limit.min(LIST_LIMIT);
    let after = filter.after.unwrap_or(UtcMicros(i64::MIN));
    let before = filter.before.unwrap_or(UtcMicros(i64::MAX));
    // Each camera's newest from the index, then merged: one statement over all cameras would read and sort all their events.
    let mut statement = conn.prepare_cached(NEWEST)?;
    let mut cameras: Vec<_> = filter.cameras.iter().collect();
    cameras.sort_unstable();
    cameras.dedup();
    let mut events = Vec::new();
    for camera in cameras {
        for event in statement.query_map((camera, after, before, limit), from_row)? {
            events.push(event?);
        }
    }
    events.sort_by_key(|event| std::cmp::Reverse((event.start, event.id)));
    events.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(events)
}

/// The camera's events that have any time in common with the span, those that go on included, by start.
pub fn between(conn: &Connection, camera: &CameraId, span: UtcSpan) -> rusqlite::Result<Vec<EventRow>> {
    let mut closed = conn.prepare_cached(CLOSED_BETWEEN)?;
    let closed = closed.query_map((camera, span.start(), span.end()), from_row)?;
    let mut open = conn.prepare_cached(OPEN_BETWEEN)?;
    let open = open.query_map((camera, span.end()), from_row)?;
    let mut events = closed.chain(open).collect::<Result<Vec<_>, _>>()?;
    events.sort_by_key(|event| (event.start, event.id));
    Ok(events)
}

/// The event of that id, whosever it is.
pub fn by_id(conn: &Connection, id: EventId) -> rusqlite::Result<Option<EventRow>> {
    conn.prepare_cached(BY_ID)?.query_row([id], from_row).optional()
}

/// Changes what is given; a note longer than [`NOTE_CHARS`] fails. `false` if there is no such event.
pub fn set(tx: &Transaction<'_>, id: EventId, kept: Option<bool>, note: Option<String>) -> rusqlite::Result<bool> {
    Ok(tx.execute(SET, (id, kept, note))? == 1)
}

/// Forgets an event, also one that goes on; its pictures become garbage. `false` if there is no such event.
pub fn remove(tx: &Transaction<'_>, id: EventId) -> rusqlite::Result<bool> {
    tx.execute(NOTE_REMOVED, [id])?;
    tx.execute(TO_GARBAGE, [id])?;
    Ok(tx.execute(REMOVE, [id])? == 1)
}

/// Ends what a crash or a power cut left open: where the footage then ended, never after `now`. For the start, before anything
/// is seen; says how many.
pub fn end_open(tx: &Transaction<'_>, now: UtcMicros) -> rusqlite::Result<usize> {
    tx.execute("DELETE FROM removed_events", [])?;
    tx.execute(END_OPEN, [now])
}

/// Every picture file that there should be; for checking the index against the disk.
pub fn pictures(conn: &Connection) -> rusqlite::Result<Vec<(CameraId, EventId, EventPicture)>> {
    let mut statement = conn.prepare(WITH_PICTURES)?;
    let mut rows = statement.query([])?;
    let mut pictures = Vec::new();
    while let Some(row) = rows.next()? {
        for (column, picture) in [(2, EventPicture::Thumbnail), (3, EventPicture::Preview)] {
            if row.get(column)? {
                pictures.push((row.get(0)?, row.get(1)?, picture));
            }
        }
    }
    Ok(pictures)
}

/// That picture's file is gone.
pub fn forget_picture(tx: &Transaction<'_>, id: EventId, picture: EventPicture) -> rusqlite::Result<()> {
    let forget = match picture {
        EventPicture::Thumbnail => FORGET_THUMBNAIL,
        EventPicture::Preview => FORGET_PREVIEW,
    };
    tx.execute(forget, [id]).map(drop)
}

#[cfg(test)]
mod tests;
