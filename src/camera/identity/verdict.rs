//! Whether whoever answers is who was pinned. Pure.

use crate::camera::identity::evidence::{Asks, Evidence};
use crate::camera::identity::who::{Doubt, Mark, Who};

/// What the evidence says of whoever answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The pinned camera: something that names one device agrees, and nothing of that kind contradicts.
    Same,
    /// Not the pinned camera, or nobody could say that it is.
    Refused {
        /// What was pinned.
        expected: Who,
        /// What answered.
        found: Who,
    },
    /// Nothing contradicts, but nothing proves it either: what is known is shared by many devices.
    Weak {
        /// What the household should know.
        why: Doubt,
    },
}

/// Holds what was found against what was pinned.
///
/// Invariants: a strong contradiction always refuses; without something strong that agrees there is never [`Verdict::Same`];
/// what was pinned by something strong is refused when nothing strong can be seen.
pub fn verdict(pinned: &Evidence, found: &Evidence) -> Verdict {
    let strong = [
        Pair::new(Mark::MacAddress, pinned.mac.map(|mac| mac.to_string()), found.mac.map(|mac| mac.to_string())),
        Pair::new(Mark::OnvifId, pinned.uuid.clone(), found.uuid.clone()),
        Pair::new(Mark::SerialNumber, pinned.serial.clone(), found.serial.clone()),
    ];
    if let Some(refused) = strong.iter().find_map(Pair::contradiction) {
        return refused;
    }
    if strong.iter().any(Pair::agrees) {
        // Another firmware describes its streams otherwise; the same card is the same camera all the same.
        return Verdict::Same;
    }
    if let Some(unseen) = strong.iter().find_map(|pair| pair.pinned.as_ref().map(|pinned| (pair.what, pinned))) {
        let (what, pinned) = unseen;
        return Verdict::Refused { expected: Who::With(what, pinned.clone()), found: Who::Without(what) };
    }
    let weak = [
        Pair::new(Mark::PasswordQuestion, pinned.asks.as_ref().map(in_words), found.asks.as_ref().map(in_words)),
        Pair::new(Mark::AnnouncedId, pinned.txt.clone(), found.txt.clone()),
    ];
    if let Some(refused) = weak.iter().find_map(Pair::contradiction) {
        return refused;
    }
    let shapes: Vec<_> = found
        .streams
        .iter()
        .filter_map(|(path, shape)| {
            let pinned = pinned.streams.get(path)?;
            Some(Pair::new(Mark::Stream, Some(pinned.sdp.clone()), Some(shape.sdp.clone())))
        })
        .collect();
    if let Some(refused) = shapes.iter().find_map(Pair::contradiction) {
        if !weak.iter().any(Pair::agrees) {
            return refused;
        }
        return Verdict::Weak { why: Doubt::OtherStreams };
    }
    // A name is no reason to refuse: two announcers who find the same one rename themselves.
    let is_named = pinned.instance.is_some() && pinned.instance == found.instance;
    let looks_alike = is_named || weak.iter().chain(&shapes).any(Pair::agrees);
    Verdict::Weak { why: if looks_alike { Doubt::LooksAlike } else { Doubt::NothingKnown } }
}

fn in_words(asks: &Asks) -> String {
    match asks {
        Asks::Nothing => "none".to_owned(),
        Asks::Basic => "Basic".to_owned(),
        Asks::Digest(realm) => format!("\"{realm}\""),
    }
}

/// One piece of evidence, as pinned and as found.
struct Pair {
    what: Mark,
    pinned: Option<String>,
    found: Option<String>,
}

impl Pair {
    fn new(what: Mark, pinned: Option<String>, found: Option<String>) -> Self {
        Self { what, pinned, found }
    }

    fn agrees(&self) -> bool {
        self.pinned.is_some() && self.pinned == self.found
    }

    fn contradiction(&self) -> Option<Verdict> {
        let (pinned, found) =
            self.pinned.as_ref().zip(self.found.as_ref()).filter(|(pinned, found)| pinned != found)?;
        Some(Verdict::Refused {
            expected: Who::With(self.what, pinned.clone()),
            found: Who::With(self.what, found.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::identity::evidence::StreamShape;
    use crate::camera::identity::evidence::tests::{evidences, mac};
    use proptest::prelude::*;

    fn with_mac(last: u8) -> Evidence {
        Evidence { mac: Some(mac(last)), ..Evidence::default() }
    }

    fn strong_pieces(evidence: &Evidence) -> [Option<String>; 3] {
        [evidence.mac.map(|mac| mac.to_string()), evidence.uuid.clone(), evidence.serial.clone()]
    }

    fn contradicts(a: &Evidence, b: &Evidence) -> bool {
        strong_pieces(a).iter().zip(strong_pieces(b)).any(|(a, b)| a.is_some() && b.is_some() && *a != b)
    }

    fn is_refused(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Refused { .. })
    }

    #[test]
    fn another_camera_is_refused_with_what_was_expected_and_what_was_found() {
        assert_eq!(
            verdict(&with_mac(1), &with_mac(2)),
            Verdict::Refused {
                expected: Who::With(Mark::MacAddress, "02:00:00:00:00:01".to_owned()),
                found: Who::With(Mark::MacAddress, "02:00:00:00:00:02".to_owned()),
            }
        );
    }

    #[test]
    fn a_camera_that_went_behind_a_router_is_refused_until_somebody_says_otherwise() {
        assert!(is_refused(&verdict(&with_mac(1), &Evidence::default())));
    }

    #[test]
    fn another_realm_is_another_camera_where_nothing_strong_is_known() {
        let asks = |realm: &str| Evidence { asks: Some(Asks::Digest(realm.to_owned())), ..Evidence::default() };
        assert!(is_refused(&verdict(&asks("serial 1"), &asks("serial 2"))));
        assert!(matches!(verdict(&asks("serial 1"), &asks("serial 1")), Verdict::Weak { .. }));
        let basic = Evidence { asks: Some(Asks::Basic), ..Evidence::default() };
        assert!(is_refused(&verdict(&asks("serial 1"), &basic)), "who used digest does not ask in clear text");
    }

    proptest! {
        #[test]
        fn a_strong_contradiction_always_refuses(pinned in evidences(), found in evidences()) {
            if contradicts(&pinned, &found) {
                prop_assert!(is_refused(&verdict(&pinned, &found)));
                prop_assert!(is_refused(&verdict(&found, &pinned)), "whichever of them came first");
            }
        }

        #[test]
        fn another_firmware_is_the_same_camera(pinned in evidences(), shape in "[a-z]{1,9}") {
            let pinned = Evidence { mac: Some(mac(1)), ..pinned };
            let stream = StreamShape { sdp: shape.clone(), sets: shape.clone() };
            let found = Evidence {
                streams: pinned.streams.keys().map(|path| (path.clone(), stream.clone())).collect(),
                asks: Some(Asks::Digest(shape)),
                ..pinned.clone()
            };
            prop_assert_eq!(verdict(&pinned, &found), Verdict::Same);
        }

        #[test]
        fn no_evidence_is_never_the_same_camera(other in evidences()) {
            prop_assert_ne!(verdict(&other, &Evidence::default()), Verdict::Same);
            prop_assert_ne!(verdict(&Evidence::default(), &other), Verdict::Same);
        }

        #[test]
        fn only_strong_agreement_makes_the_same_camera(pinned in evidences(), found in evidences()) {
            let agrees = strong_pieces(&pinned).iter().zip(strong_pieces(&found)).any(|(a, b)| a.is_some() && *a == b);
            prop_assert_eq!(verdict(&pinned, &found) == Verdict::Same, agrees && !contradicts(&pinned, &found));
        }

        #[test]
        fn a_device_is_itself_unless_nothing_names_it(evidence in evidences()) {
            match verdict(&evidence, &evidence) {
                Verdict::Same => prop_assert!(evidence.has_strong()),
                Verdict::Weak { .. } => prop_assert!(!evidence.has_strong()),
                Verdict::Refused { .. } => prop_assert!(false, "refused by itself"),
            }
        }

        #[test]
        fn what_was_the_same_stays_the_same_once_more_is_known(pinned in evidences(), found in evidences()) {
            if verdict(&pinned, &found) == Verdict::Same {
                let learned = pinned.merged(found.clone());
                prop_assert_eq!(verdict(&learned, &found), Verdict::Same);
            }
        }

        #[test]
        fn learning_more_of_a_camera_never_lets_a_refused_one_in(
            pinned in evidences(), own in evidences(), foreign in evidences()
        ) {
            if verdict(&pinned, &own) == Verdict::Same && contradicts(&pinned, &foreign) {
                prop_assert!(is_refused(&verdict(&pinned.merged(own), &foreign)));
            }
        }

        #[test]
        fn what_is_pinned_strongly_is_never_merely_weak(pinned in evidences(), found in evidences()) {
            if pinned.has_strong() {
                let verdict = verdict(&pinned, &found);
                prop_assert!(!matches!(verdict, Verdict::Weak { .. }), "{:?}", verdict);
            }
        }
    }
}
