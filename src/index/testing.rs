//! A database in memory, and a look at how SQLite means to answer.

use rusqlite::Connection;

use crate::access::UserName;
use crate::index::{APPLICATION_ID, migration};
use crate::record::segment::ClosedSegment;
use crate::units::{ByteLen, CameraId, SegmentId, UtcMicros, UtcSpan};

/// Empty, with every migration run.
pub(crate) fn database() -> Connection {
    let mut conn = Connection::open_in_memory().unwrap();
    conn.pragma_update(None, "trusted_schema", false).unwrap();
    migration::run(&mut conn, APPLICATION_ID).unwrap();
    conn
}

/// The plan of each query touches only rows it needs: no scan, no sorting on the side.
pub(crate) fn assert_no_scan(queries: &[&str]) {
    let conn = database();
    for sql in queries {
        let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut rows = plan.raw_query();
        let mut steps = 0;
        while let Some(row) = rows.next().unwrap() {
            let step: String = row.get("detail").unwrap();
            let harmless = !step.contains("SCAN") || step == "SCAN CONSTANT ROW";
            assert!(harmless && !step.contains("TEMP B-TREE"), "{step}\n{sql}");
            steps += 1;
        }
        assert!(steps > 0 || sql.starts_with("INSERT"), "no plan for {sql}");
    }
}

pub(crate) fn camera(id: &str) -> CameraId {
    id.parse().unwrap()
}

/// The porch's segment of that number, as the index has it.
pub(crate) fn segment(n: u8, span: UtcSpan) -> ClosedSegment {
    ClosedSegment {
        id: SegmentId::from_random([n; 8]),
        camera: camera("porch"),
        span,
        path: format!("footage/porch/2026-01-01/{n}.mp4").into(),
        size: ByteLen(1),
        pictures: 1,
        codecs: String::new(),
        width: 1,
        height: 1,
    }
}

pub(crate) fn name(name: &str) -> UserName {
    name.parse().unwrap()
}

pub(crate) fn span(start: i64, end: i64) -> UtcSpan {
    UtcSpan::new(UtcMicros(start), UtcMicros(end)).unwrap()
}

/// A hash that no password fits.
pub(crate) const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA";
