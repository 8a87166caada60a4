//! Who did and who looked at what, in a chain of hashes.
//!
//! Row `n`'s hash is SHA-256 of row `n − 1`'s hash and of row `n` in one unambiguous spelling; the end of the chain stands
//! apart in `audit_head`. So a row that is changed, removed, moved or put in is found by [`verify`]. Whoever may write the
//! whole file could make a new chain; against that, [`head`] can be noted elsewhere (the journal) and compared.

use std::net::IpAddr;

use rusqlite::{Connection, Row, Transaction};
use sha2::{Digest as _, Sha256};

use crate::units::{CameraId, UserId, UtcMicros, UtcSpan};

/// The most entries that one list holds.
pub const LIST_LIMIT: u32 = 1_000;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT seq, at_us, user, user_name, action, camera, span_start_us, span_end_us, address, detail, hash
            FROM audit ",
            $rest
        )
    };
}

const HEAD: &str = "SELECT seq, hash FROM audit_head WHERE one = 1";
const SET_HEAD: &str = "UPDATE audit_head SET seq = ?1, hash = ?2 WHERE one = 1";
const INSERT: &str = "INSERT INTO audit
    (seq, at_us, user, user_name, action, camera, span_start_us, span_end_us, address, detail, hash)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const NEWEST: &str = select!("WHERE at_us >= ?1 AND at_us < ?2 ORDER BY at_us DESC, seq DESC LIMIT ?3");
const NEWEST_OF_CAMERA: &str =
    select!("WHERE camera = ?4 AND at_us >= ?1 AND at_us < ?2 ORDER BY at_us DESC, seq DESC LIMIT ?3");
const EVERY: &str = select!("ORDER BY seq");

/// One thing that somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: UtcMicros,
    /// Who, if somebody was signed in.
    pub user: Option<UserId>,
    /// Who, in words: the user's name then, or the name that was tried; empty for the recorder itself.
    pub user_name: String,
    /// What, as `sign_in` or `clip`; not empty.
    pub action: String,
    /// Whose pictures.
    pub camera: Option<CameraId>,
    /// Of which time.
    pub span: Option<UtcSpan>,
    /// From where.
    pub address: Option<IpAddr>,
    /// Anything else, in words. Never a password or a token.
    pub detail: String,
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// 1, 2, 3 …
    pub seq: u64,
    /// What happened.
    pub entry: Entry,
    /// Covers this row and all before it.
    pub hash: [u8; 32],
}

/// Where the chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The newest row; 0 before there is one.
    pub seq: u64,
    /// Its hash; zeros before there is one.
    pub hash: [u8; 32],
}

/// Which entries to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only those about these cameras (what a member may see); `None`: all (what an owner may see).
    pub cameras: Option<Vec<CameraId>>,
    /// At that moment or later.
    pub after: Option<UtcMicros>,
    /// Before that moment.
    pub before: Option<UtcMicros>,
    /// At most so many, and never more than [`LIST_LIMIT`].
    pub limit: u32,
}

/// What [`verify`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was touched.
    Intact(Head),
    /// The first row that is not what it was.
    Changed {
        /// Its place.
        seq: u64,
    },
    /// The first place without its row.
    Missing {
        /// The place.
        seq: u64,
    },
    /// Rows after the noted end of the chain, or a noted end that is not the last row's.
    WrongEnd {
        /// The last row there is.
        seq: u64,
    },
}

impl Entry {
    /// Each field behind a mark of its presence and its length, so that no two entries share a spelling. Never to be changed:
    /// every chain that exists was made with it.
    fn hash(&self, before: &[u8; 32], seq: u64) -> [u8; 32] {
        let mut sha = Sha256::new();
        sha.update(before);
        let mut field = |bytes: Option<&[u8]>| {
            sha.update([u8::from(bytes.is_some())]);
            let bytes = bytes.unwrap_or_default();
            sha.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            sha.update(bytes);
        };
        let address = self.address.map(|address| address.to_string());
        field(Some(&seq.to_be_bytes()));
        field(Some(&self.at.0.to_be_bytes()));
        field(self.user.map(|user| user.0.to_be_bytes()).as_ref().map(<[u8; 8]>::as_slice));
        field(Some(self.user_name.as_bytes()));
        field(Some(self.action.as_bytes()));
        field(self.camera.as_ref().map(|camera| camera.as_str().as_bytes()));
        field(self.span.map(|span| span.start().0.to_be_bytes()).as_ref().map(<[u8; 8]>::as_slice));
        field(self.span.map(|span| span.end().0.to_be_bytes()).as_ref().map(<[u8; 8]>::as_slice));
        field(address.as_deref().map(str::as_bytes));
        field(Some(self.detail.as_bytes()));
        sha.finalize().into()
    }
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

fn signed(value: u64) -> rusqlite::Result<i64> {
    i64::try_from(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    let (start, end): (Option<UtcMicros>, Option<UtcMicros>) = (row.get(6)?, row.get(7)?);
    let address: Option<String> = row.get(8)?;
    let address = address
        .map(|text| text.parse::<IpAddr>())
        .transpose()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(8, rusqlite::types::Type::Text, Box::new(error)))?;
    let entry = Entry {
        at: row.get(1)?,
        user: row.get(2)?,
        user_name: row.get(3)?,
        action: row.get(4)?,
        camera: row.get(5)?,
        span: start.zip(end).and_then(|(start, end)| UtcSpan::new(start, end)),
        address,
        detail: row.get(9)?,
    };
    Ok(AuditRow { seq: unsigned(row, 0)?, entry, hash: row.get(10)? })
}

/// Where the chain ends.
pub fn head(conn: &Connection) -> rusqlite::Result<Head> {
    conn.prepare_cached(HEAD)?.query_row([], |row| Ok(Head { seq: unsigned(row, 0)?, hash: row.get(1)? }))
}

/// Adds an entry at the end of the chain and returns its place.
pub fn append(tx: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<u64> {
    let before = head(tx)?;
    let seq = before.seq + 1;
    let hash = entry.hash(&before.hash, seq);
    tx.prepare_cached(INSERT)?.execute((
        signed(seq)?,
        entry.at,
        entry.user,
        &entry.user_name,
        &entry.action,
        &entry.camera,
        entry.span.map(UtcSpan::start),
        entry.span.map(UtcSpan::end),
        entry.address.map(|address| address.to_string()),
        &entry.detail,
        hash,
    ))?;
    tx.prepare_cached(SET_HEAD)?.execute((signed(seq)?, hash))?;
    Ok(seq)
}

/// Newest first, by the time that the clock showed.
pub fn list(conn: &Connection, filter: &AuditFilter) -> rusqlite::Result<Vec<AuditRow>> {
    let limit = filter.limit.min(LIST_LIMIT);
    let after = filter.after.unwrap_or(UtcMicros(i64::MIN));
    let before = filter.before.unwrap_or(UtcMicros(i64::MAX));
    let Some(cameras) = &filter.cameras else {
        return conn.prepare_cached(NEWEST)?.query_map((after, before, limit), from_row)?.collect();
    };
    let mut cameras: Vec<_> = cameras.iter().collect();
    cameras.sort_unstable();
    cameras.dedup();
    let mut statement = conn.prepare_cached(NEWEST_OF_CAMERA)?;
    let mut rows = Vec::new();
    for camera in cameras {
        for row in statement.query_map((after, before, limit, camera), from_row)? {
            rows.push(row?);
        }
    }
    rows.sort_by_key(|row| std::cmp::Reverse((row.entry.at, row.seq)));
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(rows)
}

/// Walks the whole chain. A row that cannot even be read as one is a changed one.
pub fn verify(conn: &Connection) -> rusqlite::Result<Verdict> {
    let noted = head(conn)?;
    let mut end = Head { seq: 0, hash: [0; 32] };
    let mut statement = conn.prepare(EVERY)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let seq = end.seq + 1;
        if unsigned(row, 0)? != seq {
            return Ok(Verdict::Missing { seq });
        }
        match from_row(row) {
            Ok(row) if row.hash == row.entry.hash(&end.hash, seq) => end = Head { seq, hash: row.hash },
            _ => return Ok(Verdict::Changed { seq }),
        }
    }
    Ok(match () {
        () if end == noted => Verdict::Intact(end),
        () if end.seq < noted.seq => Verdict::Missing { seq: end.seq + 1 },
        () => Verdict::WrongEnd { seq: end.seq },
    })
}

#[cfg(test)]
mod tests;
