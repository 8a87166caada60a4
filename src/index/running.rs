//! How the daemon's life before this one ended: in order, by a crash, or with the machine.
//!
//! A row stands here while a daemon runs, with the kernel's number for this run of the machine. Who ends in order takes it
//! away; so a row that is found at the start tells of one that did not, and whether the machine went down with it.

use rusqlite::{OptionalExtension as _, Transaction};

use crate::record::segment::GapCause;

const SELECT: &str = "SELECT boot FROM running WHERE one = 1";
const SET: &str = "INSERT INTO running (one, boot) VALUES (1, ?1) ON CONFLICT DO UPDATE SET boot = excluded.boot";
const CLEAR: &str = "DELETE FROM running WHERE one = 1";

/// At the start: says why nothing was recorded since the life before. `boot` is empty where the kernel does not tell it; then
/// a power cut cannot be told from a crash.
pub fn begin(tx: &Transaction<'_>, boot: &str) -> rusqlite::Result<GapCause> {
    let before: Option<String> = tx.query_row(SELECT, [], |row| row.get(0)).optional()?;
    tx.execute(SET, [boot])?;
    Ok(match before {
        Some(before) if !before.is_empty() && !boot.is_empty() && before != boot => GapCause::PowerCut,
        _ => GapCause::Restart,
    })
}

/// At the end, after everything else.
pub fn end(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute(CLEAR, []).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::testing;

    #[test]
    fn only_another_run_of_the_machine_after_no_orderly_end_is_a_power_cut() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        assert_eq!(begin(&tx, "a"), Ok(GapCause::Restart), "the first start ever");
        assert_eq!(begin(&tx, "a"), Ok(GapCause::Restart), "killed");
        assert_eq!(begin(&tx, "b"), Ok(GapCause::PowerCut));
        end(&tx).unwrap();
        assert_eq!(begin(&tx, "c"), Ok(GapCause::Restart), "shut down in order");
        assert_eq!(begin(&tx, ""), Ok(GapCause::Restart), "nobody knows");
        assert_eq!(begin(&tx, "d"), Ok(GapCause::Restart), "nobody knew");
        testing::assert_no_scan(&[SELECT, SET, CLEAR]);
    }
}
