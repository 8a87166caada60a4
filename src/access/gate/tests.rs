use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::units::SimulatedClock;

const NOW: UtcMicros = UtcMicros(1_000_000_000);

/// Rows in memory that can be changed and broken under a gate.
#[derive(Default)]
struct Household {
    sessions: Mutex<Vec<(TokenHash, SessionRow)>>,
    rights: Mutex<BTreeMap<(UserId, CameraId), Rights>>,
    shares: Mutex<Vec<(TokenHash, ShareRow)>>,
    paused: Mutex<Vec<CameraId>>,
    /// The calls, counted from now, that fail.
    failing: Mutex<Vec<bool>>,
}

impl Household {
    fn answers(&self) -> Result<(), RecordsError> {
        let mut failing = self.failing.lock().expect("no panic");
        let fails = !failing.is_empty() && failing.remove(0);
        if fails { Err(RecordsError::new("the disk is gone")) } else { Ok(()) }
    }

    fn break_from_call(&self, call: usize) {
        *self.failing.lock().expect("no panic") = (0..call + 8).map(|n| n >= call).collect();
    }
}

impl Records for Household {
    fn session(&self, token: &TokenHash, now: UtcMicros) -> Result<Option<SessionRow>, RecordsError> {
        self.answers()?;
        let sessions = self.sessions.lock().expect("no panic");
        Ok(sessions.iter().find(|(hash, row)| hash == token && row.expires > now).map(|(_, row)| row.clone()))
    }

    fn rights(&self, user: UserId, camera: &CameraId, _now: UtcMicros) -> Result<Rights, RecordsError> {
        self.answers()?;
        Ok(self.rights.lock().expect("no panic").get(&(user, camera.clone())).copied().unwrap_or_default())
    }

    fn cameras(&self, user: UserId, _now: UtcMicros) -> Result<Vec<(CameraId, Rights)>, RecordsError> {
        self.answers()?;
        let rights = self.rights.lock().expect("no panic");
        Ok(rights.iter().filter(|((whose, _), _)| *whose == user).map(|((_, id), r)| (id.clone(), *r)).collect())
    }

    fn share(&self, link: &TokenHash, now: UtcMicros) -> Result<Option<ShareRow>, RecordsError> {
        self.answers()?;
        let shares = self.shares.lock().expect("no panic");
        Ok(shares.iter().find(|(hash, row)| hash == link && row.expires > now).map(|(_, row)| row.clone()))
    }

    fn is_paused(&self, camera: &CameraId) -> Result<bool, RecordsError> {
        self.answers()?;
        Ok(self.paused.lock().expect("no panic").contains(camera))
    }
}

fn camera(id: &str) -> CameraId {
    id.parse().unwrap()
}

fn token(n: u8) -> Token {
    Token::from_random([n; 32])
}

struct House {
    household: Arc<Household>,
    clock: SimulatedClock,
    gate: Gate,
}

/// Anna (token 1) may see the porch live and its history; Ben (token 2) may do everything with the nursery.
fn house() -> House {
    let household = Arc::new(Household::default());
    for (n, name, role) in [(1, "anna", Role::Guest), (2, "ben", Role::Owner)] {
        let row = SessionRow {
            user: UserId(n),
            name: name.to_owned(),
            role,
            expires: NOW.plus(Duration::from_secs(60)),
            kind: SessionKind::Cookie,
        };
        household.sessions.lock().expect("no panic").push((token(u8::try_from(n).unwrap()).hash(), row));
    }
    let porch = Rights { live: true, history: true, ..Rights::NONE };
    household.rights.lock().expect("no panic").insert((UserId(1), camera("porch")), porch);
    household.rights.lock().expect("no panic").insert((UserId(2), camera("nursery")), Rights::ALL);
    let clock = SimulatedClock::new(NOW);
    let records: Arc<dyn Records> = household.clone();
    House { household, gate: Gate::new(records, clock.clock()), clock }
}

#[derive(Debug, Clone, PartialEq)]
struct Thumbnail(CameraId);

impl OfCamera for Thumbnail {
    fn camera(&self) -> &CameraId {
        &self.0
    }
}

#[test]
fn a_viewer_never_sees_another_camera() {
    let House { gate, .. } = house();
    let anna = gate.who(&token(1)).unwrap();
    assert_eq!((anna.user(), anna.name(), anna.role()), (UserId(1), "anna", Role::Guest));
    let proof = gate.viewable(&anna, &camera("porch"), Right::Live).unwrap();
    assert_eq!((proof.get(), proof.camera(), proof.right()), (&camera("porch"), &camera("porch"), Right::Live));
    assert_eq!(proof.viewer().user(), UserId(1));
    for unseen in ["nursery", "never-existed"] {
        assert_eq!(gate.viewable(&anna, &camera(unseen), Right::Live).unwrap_err(), Denied::NotYours);
    }
    assert_eq!(gate.viewable(&anna, &camera("porch"), Right::Export).unwrap_err(), Denied::NotYours);
}

#[test]
fn an_owner_too_sees_only_what_a_row_says() {
    let House { gate, .. } = house();
    let ben = gate.who(&token(2)).unwrap();
    assert_eq!(gate.viewable(&ben, &camera("porch"), Right::Live).unwrap_err(), Denied::NotYours);
}

#[test]
fn a_proof_is_never_carried_to_another_camera() {
    let House { gate, .. } = house();
    let anna = gate.who(&token(1)).unwrap();
    let porch = gate.viewable(&anna, &camera("porch"), Right::History).unwrap();
    assert_eq!(porch.narrow(camera("nursery")).unwrap_err(), Denied::NotYours);
    assert_eq!(porch.narrow(Thumbnail(camera("nursery"))).unwrap_err(), Denied::NotYours);
    let thumbnail = porch.narrow(Thumbnail(camera("porch"))).unwrap();
    assert_eq!(thumbnail.get(), &Thumbnail(camera("porch")));
    assert_eq!((thumbnail.camera(), thumbnail.right()), (&camera("porch"), Right::History));
    assert_eq!(thumbnail.narrow(Thumbnail(camera("nursery"))).unwrap_err(), Denied::NotYours);
}

#[test]
fn only_the_cameras_with_that_right_are_listed() {
    let House { gate, .. } = house();
    let anna = gate.who(&token(1)).unwrap();
    let listed = |right| gate.cameras(&anna, right).unwrap().iter().map(|v| v.get().to_string()).collect::<Vec<_>>();
    assert_eq!(listed(Right::Live), ["porch"]);
    assert_eq!(listed(Right::Delete), [""; 0]);
}

#[test]
fn a_stranger_is_not_let_in() {
    let House { gate, .. } = house();
    assert_eq!(gate.who(&token(9)).unwrap_err(), Denied::NotSignedIn);
}

#[test]
fn a_session_ends_at_its_moment() {
    let House { gate, clock, .. } = house();
    let anna = gate.who(&token(1)).unwrap();
    let proof = gate.viewable(&anna, &camera("porch"), Right::Live).unwrap();
    clock.advance(Duration::from_micros(59_999_999));
    assert_eq!(proof.still_allowed(), Ok(()));
    clock.advance(Duration::from_micros(1));
    assert_eq!(proof.still_allowed(), Err(Denied::NotSignedIn));
    assert_eq!(gate.viewable(&anna, &camera("porch"), Right::Live).unwrap_err(), Denied::NotSignedIn);
    assert_eq!(gate.cameras(&anna, Right::Live).unwrap_err(), Denied::NotSignedIn);
    assert_eq!(gate.who(&token(1)).unwrap_err(), Denied::NotSignedIn);
}

#[test]
fn a_right_taken_away_ends_what_it_began() {
    let House { gate, household, .. } = house();
    let anna = gate.who(&token(1)).unwrap();
    let proof = gate.viewable(&anna, &camera("porch"), Right::Live).unwrap();
    let thumbnail = proof.narrow(Thumbnail(camera("porch"))).unwrap();
    household.rights.lock().expect("no panic").clear();
    assert_eq!(proof.still_allowed(), Err(Denied::NotYours));
    assert_eq!(thumbnail.still_allowed(), Err(Denied::NotYours));
}

#[test]
fn a_sign_out_ends_what_it_began() {
    let House { gate, household, .. } = house();
    let anna = gate.who(&token(1)).unwrap();
    let proof = gate.viewable(&anna, &camera("porch"), Right::Live).unwrap();
    household.sessions.lock().expect("no panic").clear();
    assert_eq!(proof.still_allowed(), Err(Denied::NotSignedIn));
}

#[test]
fn a_token_that_means_somebody_else_now_is_nobody() {
    let House { gate, household, .. } = house();
    let anna = gate.who(&token(1)).unwrap();
    household.sessions.lock().expect("no panic")[0].1.user = UserId(2);
    assert_eq!(gate.viewable(&anna, &camera("nursery"), Right::Live).unwrap_err(), Denied::NotSignedIn);
    assert_eq!(gate.viewable(&anna, &camera("porch"), Right::Live).unwrap_err(), Denied::NotSignedIn);
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let House { gate, household, .. } = house();
    let anna = gate.who(&token(1)).unwrap();
    let proof = gate.viewable(&anna, &camera("porch"), Right::Live).unwrap();
    let unavailable = Denied::Unavailable(RecordsError::new("the disk is gone"));
    household.break_from_call(0);
    assert_eq!(gate.who(&token(1)).unwrap_err(), unavailable);
    // The first question (the session) or the second (the right) may be the one that fails.
    for call in [0, 1] {
        household.break_from_call(call);
        assert_eq!(gate.viewable(&anna, &camera("porch"), Right::Live).unwrap_err(), unavailable);
        household.break_from_call(call);
        assert_eq!(gate.cameras(&anna, Right::Live).unwrap_err(), unavailable);
        household.break_from_call(call);
        assert_eq!(gate.rights(&anna).unwrap_err(), unavailable);
        household.break_from_call(call);
        assert_eq!(proof.still_allowed(), Err(unavailable.clone()));
    }
}

#[test]
fn every_proof_is_of_the_camera_it_names() {
    let House { gate, household, .. } = house();
    household.rights.lock().expect("no panic").insert((UserId(1), camera("garden")), Rights::ALL);
    let anna = gate.who(&token(1)).unwrap();
    for proof in gate.cameras(&anna, Right::History).unwrap() {
        assert_eq!(proof.get(), proof.camera());
    }
}

proptest! {
    /// However rights, sessions and faults change between two looks, a proof exists only where a row says so.
    #[test]
    fn a_proof_implies_a_row(
        rows in proptest::collection::vec((0..3i64, 0..3usize, any::<[bool; 4]>()), 0..12),
        faults in proptest::collection::vec(any::<bool>(), 0..6),
        asked in (0..3u8, 0..3usize, 0..4usize),
    ) {
        let names = ["porch", "nursery", "garden"];
        let House { gate, household, .. } = house();
        let viewer = gate.who(&token(1 + asked.0 % 2)).unwrap();
        household.rights.lock().expect("no panic").clear();
        for (user, which, [live, history, export, delete]) in rows {
            let rights = Rights { live, history, export, delete };
            household.rights.lock().expect("no panic").insert((UserId(user), camera(names[which])), rights);
        }
        let (id, right) = (camera(names[asked.1]), Right::ALL[asked.2]);
        let row = household.rights.lock().expect("no panic").get(&(viewer.user(), id.clone())).copied().unwrap_or_default();
        // The session, the right, and for live pictures whether the camera is paused.
        let questions = if right == Right::Live && row.has(right) { 3 } else { 2 };
        let faulty = faults.iter().take(questions).any(|fails| *fails);
        *household.failing.lock().expect("no panic") = faults;
        match gate.viewable(&viewer, &id, right) {
            Ok(proof) => prop_assert!(!faulty && row.has(right) && proof.camera() == &id),
            Err(Denied::NotYours) => prop_assert!(!row.has(right)),
            Err(denied) => prop_assert!(faulty, "{denied:?}"),
        }
    }
}
