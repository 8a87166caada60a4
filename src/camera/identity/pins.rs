//! What is pinned of each camera of the household, and how it changes. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::camera::identity::evidence::Evidence;
use crate::camera::identity::verdict::{Verdict, verdict};
use crate::camera::identity::who::{Doubt, Who};
use crate::units::{CameraId, UtcMicros};

/// What is pinned of one camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Who it is.
    pub evidence: Evidence,
    /// Where it was seen last.
    pub address: IpAddr,
    /// Since when it is pinned.
    pub since: UtcMicros,
}

/// Who was refused in a camera's place, so that an owner can adopt exactly that device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was known of it.
    pub evidence: Evidence,
    /// Where it answered.
    pub address: IpAddr,
    /// What was pinned.
    pub expected: Who,
    /// What answered.
    pub found: Who,
}

/// A verdict and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// On whoever answered.
    pub verdict: Verdict,
    /// The pin as it is to be written down, if it changed.
    pub to_save: Option<Pin>,
}

/// The pins of all cameras. Kept in memory so that recording waits for no database; each change is written down by whoever
/// holds this.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    known: BTreeMap<CameraId, Pin>,
    refused: BTreeMap<CameraId, Refusal>,
    doubts: BTreeMap<CameraId, Doubt>,
}

impl Pins {
    /// As they were written down.
    pub fn new(pins: BTreeMap<CameraId, Pin>) -> Self {
        Self { known: pins, refused: BTreeMap::new(), doubts: BTreeMap::new() }
    }

    /// What is pinned of a camera.
    pub fn of(&self, camera: &CameraId) -> Option<&Pin> {
        self.known.get(camera)
    }

    /// Who was refused in its place last, until it was itself again.
    pub fn refused(&self, camera: &CameraId) -> Option<&Refusal> {
        self.refused.get(camera)
    }

    /// Why it is not certain who it is, although it is recorded.
    pub fn doubt(&self, camera: &CameraId) -> Option<Doubt> {
        self.doubts.get(camera).copied()
    }

    /// Another camera, elsewhere, that has the same ONVIF id: it is not used to tell them apart.
    pub fn shared_id(&self, camera: &CameraId) -> Option<&CameraId> {
        let own = self.known.get(camera)?;
        let uuid = own.evidence.uuid.as_ref()?;
        let (other, _) = self.known.iter().find(|(other, pin)| {
            *other != camera && pin.evidence.uuid.as_ref() == Some(uuid) && differ(pin, &own.evidence)
        })?;
        Some(other)
    }

    /// Judges whoever answered for this camera. Nobody pinned yet: whoever answers at the address that the owner wrote is
    /// pinned, unless it is another camera of the household.
    pub fn judge(&mut self, camera: &CameraId, found: &Evidence, address: IpAddr, now: UtcMicros) -> Judged {
        let found = self.without_shared(camera, found);
        let (verdict, pin) = match self.known.get(camera) {
            None => match self.somebody_else(camera, &found, address) {
                Some(refused) => (refused, None),
                None if found.is_empty() => (verdict(&found, &found), None),
                None => {
                    let first = Pin { evidence: found.clone(), address, since: now };
                    (verdict(&found, &found), Some(first))
                }
            },
            Some(pin) => {
                let judged = match verdict(&pin.evidence, &found) {
                    // Who is known for certain to be another camera of the household is not perhaps this one.
                    Verdict::Weak { why } => {
                        self.somebody_else(camera, &found, address).unwrap_or(Verdict::Weak { why })
                    }
                    judged => judged,
                };
                let evidence = match &judged {
                    Verdict::Same => pin.evidence.clone().merged(found.clone()),
                    // Only what was never seen before: nothing that is known may drift towards somebody else. Something
                    // strong is learned too, so that the next one who answers must have it.
                    Verdict::Weak { .. } => found.clone().merged(pin.evidence.clone()),
                    Verdict::Refused { .. } => pin.evidence.clone(),
                };
                let address = if matches!(judged, Verdict::Refused { .. }) { pin.address } else { address };
                (judged, Some(Pin { evidence, address, since: pin.since }))
            }
        };
        match &verdict {
            Verdict::Refused { expected, found: who } => {
                let refusal = Refusal { evidence: found, address, expected: expected.clone(), found: who.clone() };
                self.refused.insert(camera.clone(), refusal);
            }
            Verdict::Same => {
                self.refused.remove(camera);
                self.doubts.remove(camera);
            }
            Verdict::Weak { why } => {
                self.refused.remove(camera);
                self.doubts.insert(camera.clone(), *why);
            }
        }
        let changed = pin.filter(|pin| self.known.get(camera) != Some(pin));
        if let Some(pin) = &changed {
            self.known.insert(camera.clone(), pin.clone());
        }
        Judged { verdict, to_save: changed }
    }

    /// The owner says that whoever was refused is the camera from now on. `None` if nobody was.
    pub fn adopt(&mut self, camera: &CameraId, now: UtcMicros) -> Option<(Refusal, Pin)> {
        let refusal = self.refused.remove(camera)?;
        let pin = Pin { evidence: refusal.evidence.clone(), address: refusal.address, since: now };
        self.known.insert(camera.clone(), pin.clone());
        Some((refusal, pin))
    }

    /// The pin of a camera that an owner has just looked at and wants.
    pub fn set(&mut self, camera: CameraId, pin: Pin) {
        self.refused.remove(&camera);
        self.doubts.remove(&camera);
        self.known.insert(camera, pin);
    }

    /// Which camera of the household this is for certain, other than `but`.
    pub fn who_is(&self, found: &Evidence, but: Option<&CameraId>) -> Option<&CameraId> {
        let others = self.known.iter().filter(|(other, _)| Some(*other) != but);
        others.filter(|(_, pin)| verdict(&pin.evidence, found) == Verdict::Same).map(|(other, _)| other).next()
    }

    /// A recorder of several cameras has one card for all of them, at one address; everybody else is elsewhere.
    fn somebody_else(&self, camera: &CameraId, found: &Evidence, address: IpAddr) -> Option<Verdict> {
        let other = self.who_is(found, Some(camera))?;
        let elsewhere = self.known.get(other).is_some_and(|pin| pin.address != address);
        elsewhere.then(|| Verdict::Refused { expected: Who::New, found: Who::SetUpAs(other.clone()) })
    }

    /// Some makers give one id to all their devices. An id that is pinned of another camera with another card names nobody.
    fn without_shared(&self, camera: &CameraId, found: &Evidence) -> Evidence {
        let mut found = found.clone();
        let others: Vec<_> = self
            .known
            .iter()
            .filter(|(other, pin)| *other != camera && differ(pin, &found))
            .map(|(_, pin)| pin)
            .collect();
        if others.iter().any(|pin| pin.evidence.uuid == found.uuid) && self.has_own_card(camera) {
            found.uuid = None;
        }
        if others.iter().any(|pin| pin.evidence.serial == found.serial) && self.has_own_card(camera) {
            found.serial = None;
        }
        found
    }

    fn has_own_card(&self, camera: &CameraId) -> bool {
        self.known.get(camera).is_none_or(|pin| pin.evidence.mac.is_some())
    }
}

fn differ(pin: &Pin, found: &Evidence) -> bool {
    pin.evidence.mac.zip(found.mac).is_some_and(|(one, other)| one != other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::identity::evidence::tests::{evidences, mac};
    use proptest::prelude::*;

    const NOW: UtcMicros = UtcMicros(7);

    fn camera(id: &str) -> CameraId {
        id.parse().expect("an id")
    }

    fn at(last: u8) -> IpAddr {
        IpAddr::from([192, 168, 1, last])
    }

    fn with_mac(last: u8) -> Evidence {
        Evidence { mac: Some(mac(last)), ..Evidence::default() }
    }

    #[test]
    fn the_first_who_answers_is_pinned_and_stays_so_at_another_address() {
        let mut pins = Pins::default();
        let judged = pins.judge(&camera("porch"), &with_mac(1), at(20), NOW);
        assert_eq!(judged.verdict, Verdict::Same);
        assert_eq!(judged.to_save, Some(Pin { evidence: with_mac(1), address: at(20), since: NOW }));
        let moved = pins.judge(&camera("porch"), &with_mac(1), at(21), UtcMicros(9));
        assert_eq!(moved.to_save.map(|pin| (pin.address, pin.since)), Some((at(21), NOW)));
        let foreign = pins.judge(&camera("porch"), &with_mac(2), at(21), NOW);
        assert!(matches!(foreign.verdict, Verdict::Refused { .. }));
        assert_eq!(foreign.to_save, None);
        assert_eq!(pins.refused(&camera("porch")).map(|refusal| refusal.evidence.clone()), Some(with_mac(2)));
        assert_eq!(pins.judge(&camera("porch"), &with_mac(1), at(21), NOW).verdict, Verdict::Same);
        assert_eq!(pins.refused(&camera("porch")), None);
    }

    #[test]
    fn a_new_camera_is_not_one_that_the_household_has_already() {
        let mut pins = Pins::default();
        pins.judge(&camera("porch"), &with_mac(1), at(20), NOW);
        let refused = pins.judge(&camera("nursery"), &with_mac(1), at(21), NOW);
        assert!(
            matches!(&refused.verdict, Verdict::Refused { found: Who::SetUpAs(other), .. } if *other == camera("porch")),
            "{refused:?}"
        );
        assert_eq!(pins.of(&camera("nursery")), None);
        let second_channel = pins.judge(&camera("garden"), &with_mac(1), at(20), NOW);
        assert_eq!(second_channel.verdict, Verdict::Same, "one recorder with several cameras at one address");
    }

    #[test]
    fn two_cameras_with_one_onvif_id_are_told_apart_by_their_cards() {
        let mut pins = Pins::default();
        let with = |last| Evidence { uuid: Some("aaaa".to_owned()), ..with_mac(last) };
        assert_eq!(pins.judge(&camera("porch"), &with(1), at(20), NOW).verdict, Verdict::Same);
        assert_eq!(pins.judge(&camera("nursery"), &with(2), at(21), NOW).verdict, Verdict::Same);
        assert!(matches!(pins.judge(&camera("nursery"), &with(1), at(21), NOW).verdict, Verdict::Refused { .. }));
        assert!(matches!(pins.judge(&camera("porch"), &with(2), at(20), NOW).verdict, Verdict::Refused { .. }));
        assert_eq!(pins.judge(&camera("porch"), &with(1), at(20), NOW).verdict, Verdict::Same);
    }

    #[test]
    fn an_owner_adopts_exactly_the_device_that_was_refused() {
        let mut pins = Pins::default();
        assert_eq!(pins.adopt(&camera("porch"), NOW), None);
        pins.judge(&camera("porch"), &with_mac(1), at(20), NOW);
        pins.judge(&camera("porch"), &with_mac(2), at(20), NOW);
        let (refusal, pin) = pins.adopt(&camera("porch"), UtcMicros(9)).expect("somebody was refused");
        assert_eq!((refusal.evidence, pin.since), (with_mac(2), UtcMicros(9)));
        assert_eq!(pins.judge(&camera("porch"), &with_mac(2), at(20), NOW).verdict, Verdict::Same);
        assert!(matches!(pins.judge(&camera("porch"), &with_mac(1), at(20), NOW).verdict, Verdict::Refused { .. }));
    }

    proptest! {
        /// Cameras that each have a card of their own, at addresses that change: whatever is let in is the one that was
        /// first at that name.
        #[test]
        fn nobody_is_ever_let_in_for_somebody_else(
            steps in prop::collection::vec((0_u8..4, 0_u8..4, 0_u8..4, evidences()), 1..60)
        ) {
            let mut pins = Pins::default();
            let mut first = BTreeMap::new();
            for (name, device, address, noise) in steps {
                let id = camera(&format!("c{name}"));
                let found = Evidence { mac: Some(mac(device)), uuid: None, serial: None, ..noise };
                let judged = pins.judge(&id, &found, at(address), NOW);
                let is_weak = matches!(judged.verdict, Verdict::Weak { .. });
                prop_assert!(!is_weak);
                if judged.verdict == Verdict::Same {
                    prop_assert_eq!(*first.entry(name).or_insert(device), device);
                }
            }
        }
    }
}
