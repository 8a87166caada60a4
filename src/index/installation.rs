//! Which footage folder this database belongs to.

use rusqlite::{Connection, OptionalExtension as _, Transaction};

use crate::units::InstallationId;

const SELECT: &str = "SELECT id FROM installation WHERE one = 1";
const INSERT: &str = "INSERT INTO installation (one, id) VALUES (1, ?1) ON CONFLICT DO NOTHING";

/// The installation, once it is known.
pub fn get(conn: &Connection) -> rusqlite::Result<Option<InstallationId>> {
    conn.query_row(SELECT, [], |row| row.get(0)).optional()
}

/// Ties the database to the folder the first time; afterwards says to which folder it is tied, which the caller compares.
pub fn bind(tx: &Transaction<'_>, id: InstallationId) -> rusqlite::Result<InstallationId> {
    tx.execute(INSERT, [id])?;
    tx.query_row(SELECT, [], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::testing;

    #[test]
    fn a_database_belongs_to_the_first_folder_it_met() {
        let mut conn = testing::database();
        let tx = conn.transaction().unwrap();
        let (first, second) = (InstallationId::from_random([1; 16]), InstallationId::from_random([2; 16]));
        assert_eq!(get(&tx), Ok(None));
        assert_eq!(bind(&tx, first), Ok(first));
        assert_eq!(bind(&tx, second), Ok(first));
        assert_eq!(get(&tx), Ok(Some(first)));
        testing::assert_no_scan(&[SELECT, INSERT]);
    }
}
