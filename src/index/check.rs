//! The index held against the disk: what a row says, and what its file says of itself.
//!
//! The comparison is pure; [`contents`] only reads. A file is taken at its word where that cannot be a mistake: whose it is,
//! which segment, which time. Its pictures are not looked at, and no sum over them exists: what is damaged within a picture,
//! a player shows.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use rusqlite::{Connection, Transaction};

use crate::camera::packet::Track;
use crate::disk::{EventPicture, Found, FoundKind};
use crate::index::finding::Finding;
use crate::index::garbage::{self, Garbage};
use crate::index::{audit, events, installation, segments};
use crate::record::reader::{ReadError, SegmentFile};
use crate::record::recover;
use crate::record::segment::ClosedSegment;
use crate::units::{ByteLen, CameraId, EventId, InstallationId, UtcMicros, UtcSpan};

/// How far a row's end may be from its file's, in µs. A file counts in ticks of a 90,000th of a second.
const TICK_US: i64 = 1_000;

/// In [`Finding::WrongRow`]: when the footage begins.
pub const START: &str = "start";

/// What the index says is on the disk.
#[derive(Debug, Default)]
pub struct Contents {
    /// Every row, by the path of its file.
    pub rows: HashMap<PathBuf, ClosedSegment>,
    /// Files that wait to be removed: neither missing nor orphans.
    pub garbage: HashSet<PathBuf>,
    /// Every event that should have a thumbnail.
    pub pictures: Vec<(CameraId, EventId, EventPicture)>,
    /// What is wrong with the index itself.
    pub faults: Vec<Finding>,
}

/// Reads the whole index. An error of SQLite that says that the file is damaged is for the caller to tell, see [`is_damage`].
pub fn contents(conn: &Connection, footage: InstallationId) -> rusqlite::Result<Contents> {
    let mut contents = Contents::default();
    if let Some(installation) = installation::get(conn)?.filter(|installation| *installation != footage) {
        contents.faults.push(Finding::ForeignIndex { installation });
    }
    let said: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if said != "ok" {
        contents.faults.push(Finding::DamagedIndex { why: said.replace('\n', " ") });
    }
    if conn.prepare("PRAGMA foreign_key_check")?.exists([])? {
        contents.faults.push(Finding::DamagedIndex { why: "rows refer to others that are not there".to_owned() });
    }
    match audit::verify(conn)? {
        audit::Verdict::Intact(_) => {}
        verdict => contents.faults.push(Finding::BrokenAudit { verdict }),
    }
    segments::each(conn, |row| {
        contents.rows.insert(row.path.clone(), row);
    })?;
    let garbage = garbage::pending(conn, u32::MAX)?.into_iter().filter_map(|row| match row.what {
        Garbage::Segment { path, .. } => Some(path),
        Garbage::Pictures { .. } => None,
    });
    contents.garbage.extend(garbage);
    contents.pictures = events::pictures(conn)?;
    Ok(contents)
}

/// Makes again what SQLite can make again from the tables.
pub fn rebuild(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute_batch("REINDEX")
}

/// Whether the error says that the file itself is broken, and not that it is busy, locked or on a disk that fails.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode as E;
    match error.sqlite_error_code() {
        Some(code) => matches!(code, E::DatabaseCorrupt | E::NotADatabase),
        // A value that no row of this program has.
        None => !matches!(error, rusqlite::Error::InvalidPath(_)),
    }
}

/// What is wrong with one file and its row. `read` is what [`crate::record::reader::read`] made of the whole file.
pub fn file(
    row: Option<&ClosedSegment>,
    found: &Found,
    read: Result<&SegmentFile, &ReadError>,
    footage: InstallationId,
) -> Vec<Finding> {
    let (camera, path) = (found.camera.clone(), found.path.clone());
    let is_part = found.kind == FoundKind::Part;
    let file = match read {
        Ok(file) => file,
        Err(ReadError::Io { source, .. }) => return vec![Finding::UnreadableFile { path, why: source.to_string() }],
        Err(_) if is_part => return vec![Finding::UnfinishedFile { camera, path }],
        Err(error) => return vec![Finding::DamagedFile { camera, path, why: error.to_string() }],
    };
    let Some(provenance) = &file.provenance else { return vec![Finding::UnmarkedFile { camera, path }] };
    if provenance.installation != footage {
        return vec![Finding::ForeignFile { camera, path, installation: provenance.installation }];
    }
    let is_elsewhere = row.is_some_and(|row| row.id != provenance.segment);
    if provenance.camera != camera || is_elsewhere {
        let says = provenance.camera.clone();
        return vec![Finding::SwappedFile { camera, path, says, segment: provenance.segment }];
    }
    if is_part {
        return vec![Finding::UnfinishedFile { camera, path }];
    }
    let mut findings = Vec::new();
    if let Some(why) = unsound(file) {
        findings.push(Finding::DamagedFile { camera: camera.clone(), path: path.clone(), why: why.to_owned() });
    }
    let difference = match row {
        None => Some(Finding::OrphanFile { camera, path }),
        Some(row) => match recover::segment(file, found.clone(), footage) {
            Err(why) => Some(Finding::DamagedFile { camera, path, why }),
            Ok(due) => difference(row, &due).map(|what| {
                // Once the row says how far the file can be played, what lies behind is no surprise any more.
                if file.intact_len < found.size.0 {
                    Finding::TornFile { camera, path, whole: ByteLen(file.intact_len), size: found.size }
                } else {
                    Finding::WrongRow { camera, path, what }
                }
            }),
        },
    };
    // A damaged file with a row that differs is one thing, not two.
    if findings.is_empty() || row.is_none() {
        findings.extend(difference);
    }
    findings
}

/// What one says and the other does not.
fn difference(row: &ClosedSegment, due: &ClosedSegment) -> Option<&'static str> {
    let is_close = |a: UtcMicros, b: UtcMicros| a.offset_from(b).saturating_abs() <= TICK_US;
    match () {
        () if row.camera != due.camera => Some("camera"),
        () if row.span.start() != due.span.start() => Some(START),
        () if row.size != due.size => Some("size"),
        () if !is_close(row.span.end(), due.span.end()) => Some("end"),
        () if row.pictures != due.pictures => Some("number of pictures"),
        () if (row.width, row.height) != (due.width, due.height) => Some("picture size"),
        () if !row.codecs.eq_ignore_ascii_case(&due.codecs) => Some("codecs"),
        () => None,
    }
}

/// What this recorder never writes. Every fragment begins where the one before ends, is filled by its samples and is later
/// than the one before.
fn unsound(file: &SegmentFile) -> Option<&'static str> {
    if file.damaged > 0 {
        return Some("a part in its middle cannot be read");
    }
    let (mut at, mut video, mut audio) = (file.init.end, 0, 0);
    for fragment in &file.fragments {
        if fragment.range.start != at {
            return Some("there is something between its parts");
        }
        at = fragment.range.end;
        let samples: u64 = fragment.runs.iter().flat_map(|run| &run.samples).map(|sample| u64::from(sample.size)).sum();
        let payload = (fragment.range.end - fragment.range.start).saturating_sub(fragment.moof_len);
        if payload != samples + 8 && payload != samples + 16 {
            return Some("a part in its middle is not filled by its pictures");
        }
        for run in &fragment.runs {
            let end = match run.track {
                Track::Video => &mut video,
                Track::Audio => &mut audio,
            };
            if run.base_decode_ticks < *end {
                return Some("its times go back");
            }
            let length: u64 = run.samples.iter().map(|sample| u64::from(sample.duration)).sum();
            *end = run.base_decode_ticks.saturating_add(length);
        }
    }
    None
}

/// What of `span` is in none of `others`, in order.
pub fn uncovered(span: UtcSpan, others: impl IntoIterator<Item = UtcSpan>) -> Vec<UtcSpan> {
    let mut covered: Vec<UtcSpan> = others.into_iter().filter_map(|other| other.intersection(span)).collect();
    covered.sort_unstable_by_key(|span| span.start());
    let (mut at, mut left) = (span.start(), Vec::new());
    for other in covered {
        left.extend(UtcSpan::new(at, other.start()).filter(|span| span.start() < span.end()));
        at = at.max(other.end());
    }
    left.extend(UtcSpan::new(at, span.end()).filter(|span| span.start() < span.end()));
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::index::testing::{camera, database, span};

    #[test]
    fn an_empty_index_has_nothing_wrong_and_a_changed_one_is_noticed() {
        let mut conn = database();
        let footage = InstallationId::from_random([1; 16]);
        assert_eq!(contents(&conn, footage).unwrap().faults, []);
        let tx = conn.transaction().unwrap();
        let other = InstallationId::from_random([2; 16]);
        installation::bind(&tx, other).unwrap();
        tx.execute_batch("UPDATE audit_head SET seq = 3").unwrap();
        let faults = contents(&tx, footage).unwrap().faults;
        let verdict = audit::Verdict::Missing { seq: 1 };
        assert_eq!(faults, [Finding::ForeignIndex { installation: other }, Finding::BrokenAudit { verdict }]);
    }

    #[test]
    fn an_edited_row_is_told_by_its_first_difference() {
        let row = ClosedSegment {
            id: crate::units::SegmentId::from_random([1; 8]),
            camera: camera("porch"),
            span: span(5_000, 60_005_000),
            path: "footage/porch/2023-11-14/22-13-20.000Z.mp4".into(),
            size: ByteLen(1000),
            pictures: 600,
            codecs: "avc1.42c01f".to_owned(),
            width: 320,
            height: 180,
        };
        let same = ClosedSegment { span: span(5_000, 60_005_011), codecs: "avc1.42C01F".to_owned(), ..row.clone() };
        assert_eq!(difference(&row, &same), None, "a tick and a letter's case are no difference");
        let later = ClosedSegment { span: span(5_000, 61_005_000), ..row.clone() };
        assert_eq!(difference(&row, &later), Some("end"));
        let shorter = ClosedSegment { size: ByteLen(900), pictures: 500, ..row.clone() };
        assert_eq!(difference(&row, &shorter), Some("size"));
        let other = ClosedSegment { camera: camera("nursery"), ..row.clone() };
        assert_eq!(difference(&row, &other), Some("camera"));
    }

    proptest! {
        #[test]
        fn what_is_uncovered_is_what_no_other_span_holds(
            start in 0..50_i64, length in 0..50_i64, others in proptest::collection::vec((0..100_i64, 0..30_i64), 0..6)
        ) {
            let whole = span(start, start + length);
            let others: Vec<_> = others.into_iter().map(|(start, length)| span(start, start + length)).collect();
            let left = uncovered(whole, others.clone());
            for at in (0..130).map(UtcMicros) {
                let is_left = left.iter().filter(|span| span.contains(at)).count();
                let due = whole.contains(at) && !others.iter().any(|span| span.contains(at));
                prop_assert_eq!(is_left, usize::from(due), "{:?}", at);
            }
        }
    }
}
