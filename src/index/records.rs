//! What the gate asks, answered straight from the rows.

use crate::access::{Records, RecordsError, Rights, SessionRow, ShareRow, TokenHash};
use crate::index::{Readers, pauses, rights, sessions, shares};
use crate::units::{CameraId, UserId, UtcMicros};

impl Records for Readers {
    fn session(&self, token: &TokenHash, now: UtcMicros) -> Result<Option<SessionRow>, RecordsError> {
        self.read_blocking(|conn| sessions::holder(conn, token, now)).map_err(RecordsError::new)
    }

    fn rights(&self, user: UserId, camera: &CameraId, now: UtcMicros) -> Result<Rights, RecordsError> {
        self.read_blocking(|conn| rights::at(conn, user, camera, now)).map_err(RecordsError::new)
    }

    fn cameras(&self, user: UserId, now: UtcMicros) -> Result<Vec<(CameraId, Rights)>, RecordsError> {
        self.read_blocking(|conn| rights::all_at(conn, user, now)).map_err(RecordsError::new)
    }

    fn share(&self, link: &TokenHash, now: UtcMicros) -> Result<Option<ShareRow>, RecordsError> {
        self.read_blocking(|conn| shares::at(conn, link, now)).map_err(RecordsError::new)
    }

    fn is_paused(&self, camera: &CameraId) -> Result<bool, RecordsError> {
        self.read_blocking(|conn| Ok(pauses::of(conn, camera)?.is_some())).map_err(RecordsError::new)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::access::{Denied, Gate, Right, Role, Token};
    use crate::index::sessions::SessionKind;
    use crate::index::testing::{HASH, camera, name};
    use crate::index::{open, users};
    use crate::units::SimulatedClock;

    #[test]
    fn a_right_taken_away_is_gone_at_the_next_question() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hearthwatch.db");
        let (mut thread, _writer, readers) = open(&path).unwrap();
        let clock = SimulatedClock::new(UtcMicros(1_000));
        let gate = Gate::new(Arc::new(readers), clock.clock());
        let token = Token::from_random([3; 32]);
        assert_eq!(gate.who(&token).unwrap_err(), Denied::NotSignedIn);
        let hash = token.hash();
        let guest = thread
            .write_here(|tx| {
                let guest = users::insert(tx, &name("dora"), Role::Guest, HASH)?;
                sessions::insert(tx, &hash, guest, UtcMicros(0), UtcMicros(9_000), SessionKind::Cookie)?;
                rights::grant_until(tx, guest, &camera("porch"), Rights::ALL, UtcMicros(2_000))?;
                rights::adopt(tx, &camera("nursery"))?;
                Ok(guest)
            })
            .unwrap();
        let viewer = gate.who(&token).unwrap();
        assert_eq!((viewer.user(), viewer.name(), viewer.role()), (guest, "dora", Role::Guest));
        let proof = gate.viewable(&viewer, &camera("porch"), Right::Live).unwrap();
        assert_eq!(gate.viewable(&viewer, &camera("nursery"), Right::Live).unwrap_err(), Denied::NotYours);
        assert_eq!(proof.still_allowed(), Ok(()));

        thread.write_here(|tx| rights::revoke(tx, guest, &camera("porch"))).unwrap();
        assert_eq!(proof.still_allowed(), Err(Denied::NotYours));
        thread
            .write_here(|tx| rights::grant_until(tx, guest, &camera("porch"), Rights::ALL, UtcMicros(2_000)))
            .unwrap();
        assert_eq!(proof.still_allowed(), Ok(()));
        clock.advance(Duration::from_millis(1));
        assert_eq!(proof.still_allowed(), Err(Denied::NotYours), "it expired");
        thread.write_here(|tx| sessions::remove(tx, &hash)).unwrap();
        assert_eq!(proof.still_allowed(), Err(Denied::NotSignedIn));
    }

    #[test]
    fn under_load_every_answer_is_the_newest_and_nobody_gets_anothers() {
        let folder = tempfile::tempdir().unwrap();
        let (thread, writer, readers) = open(&folder.path().join("hearthwatch.db")).unwrap();
        let gate = Gate::new(Arc::new(readers), SimulatedClock::new(UtcMicros(1)).clock());
        let token = |n: u8| Token::from_random([n; 32]);
        std::thread::scope(|scope| {
            scope.spawn(|| thread.run());
            let users: Vec<_> = (0..8_u8)
                .map(|n| {
                    let (hash, name) = (token(n).hash(), name(&format!("user {n}")));
                    let made = writer.write_blocking(move |tx| {
                        let user = users::insert(tx, &name, Role::Member, HASH)?;
                        let own = camera(&format!("camera-{n}"));
                        rights::grant(tx, user, &own, Rights { live: true, ..Rights::NONE })?;
                        sessions::insert(tx, &hash, user, UtcMicros(0), UtcMicros(9), SessionKind::Cookie)?;
                        Ok(user)
                    });
                    made.unwrap()
                })
                .collect();
            for n in 0..8_u8 {
                let (gate, token, user) = (gate.clone(), token(n), users[usize::from(n)]);
                scope.spawn(move || {
                    let viewer = gate.who(&token).unwrap();
                    assert_eq!(viewer.user(), user);
                    for _ in 0..200 {
                        let listed = gate.cameras(&viewer, Right::Live).unwrap();
                        assert!(listed.iter().any(|proof| proof.get() == &camera(&format!("camera-{n}"))));
                        assert!(
                            listed
                                .iter()
                                .all(|proof| ["shared", &format!("camera-{n}")].contains(&proof.get().as_str()))
                        );
                        let anothers = camera(&format!("camera-{}", (n + 1) % 8));
                        assert_eq!(gate.viewable(&viewer, &anothers, Right::Live).unwrap_err(), Denied::NotYours);
                    }
                });
            }
            let viewer = gate.who(&token(3)).unwrap();
            let user = users[3];
            for round in 0..100 {
                let rights = if round % 2 == 0 { Rights::ALL } else { Rights::NONE };
                writer.write_blocking(move |tx| rights::grant(tx, user, &camera("shared"), rights)).unwrap();
                // What was answered yes is what the very next question sees.
                let seen = gate.viewable(&viewer, &camera("shared"), Right::Delete).map(drop);
                assert_eq!(seen.is_ok(), round % 2 == 0, "{seen:?}");
            }
            drop(writer);
        });
    }

    #[test]
    fn a_database_that_cannot_be_read_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let (mut thread, _writer, readers) = open(&folder.path().join("hearthwatch.db")).unwrap();
        let gate = Gate::new(Arc::new(readers), SimulatedClock::new(UtcMicros(1)).clock());
        let token = Token::from_random([3; 32]);
        thread
            .write_here(|tx| {
                let user = users::insert(tx, &name("anna"), Role::Owner, HASH)?;
                sessions::insert(tx, &token.hash(), user, UtcMicros(0), UtcMicros(9), SessionKind::Cookie)?;
                rights::adopt(tx, &camera("porch"))
            })
            .unwrap();
        let viewer = gate.who(&token).unwrap();
        let proof = gate.viewable(&viewer, &camera("porch"), Right::Live).unwrap();
        thread.write_here(|tx| tx.execute_batch("ALTER TABLE rights RENAME TO elsewhere")).unwrap();
        assert!(matches!(gate.viewable(&viewer, &camera("porch"), Right::Live), Err(Denied::Unavailable(_))));
        assert!(matches!(gate.cameras(&viewer, Right::Live), Err(Denied::Unavailable(_))));
        assert!(matches!(proof.still_allowed(), Err(Denied::Unavailable(_))));
        thread.write_here(|tx| tx.execute_batch("ALTER TABLE sessions RENAME TO nowhere")).unwrap();
        assert!(matches!(gate.who(&token), Err(Denied::Unavailable(_))));
    }
}
