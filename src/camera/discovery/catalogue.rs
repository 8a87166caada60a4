//! Who is there now: a bounded list, fed with events, without a network.

use std::collections::BTreeMap;

use crate::camera::discovery::{DiscoveryEvent, Found};

/// No house has more; a flood of made-up cameras ends here.
pub const MOST_KEPT: usize = 256;
/// No device announces more; one that does cannot fill the list alone.
pub const MOST_PER_ADDRESS: usize = 8;

/// The findings of the moment, by instance. Those that came first stay when the list is full.
#[derive(Debug, Clone, Default)]
pub struct Catalogue(BTreeMap<String, Found>);

impl Catalogue {
    /// Takes an event in; gives it back if it changed anything.
    pub fn apply(&mut self, event: DiscoveryEvent) -> Option<DiscoveryEvent> {
        match event {
            DiscoveryEvent::Lost { instance } => {
                self.0.remove(&instance)?;
                Some(DiscoveryEvent::Lost { instance })
            }
            DiscoveryEvent::Found(found) => {
                let known = self.0.get(&found.instance);
                if known == Some(&found) {
                    return None;
                }
                let here = |other: &&Found| other.address == found.address && other.instance != found.instance;
                if self.0.values().filter(here).count() >= MOST_PER_ADDRESS
                    || (known.is_none() && self.0.len() >= MOST_KEPT)
                {
                    return None;
                }
                self.0.insert(found.instance.clone(), found.clone());
                Some(DiscoveryEvent::Found(found))
            }
        }
    }

    /// Everybody who is there, by instance.
    pub fn list(&self) -> impl Iterator<Item = &Found> {
        self.0.values()
    }

    /// How many are there.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::discovery::found::tests::announced;
    use proptest::prelude::*;

    #[test]
    fn ten_thousand_announcements_fill_a_bounded_list() {
        let mut catalogue = Catalogue::default();
        let real = announced("Porch", "192.168.1.20", "/main");
        catalogue.apply(DiscoveryEvent::Found(real.clone()));
        for n in 0..10_000 {
            let address = format!("10.0.{}.{}", n / 250, n % 250);
            catalogue.apply(DiscoveryEvent::Found(announced(&format!("<b>{n}"), &address, "/")));
        }
        assert_eq!(catalogue.len(), MOST_KEPT);
        assert!(catalogue.list().any(|found| *found == real), "whoever was there first stays");
    }

    #[test]
    fn one_address_cannot_fill_the_list() {
        let mut catalogue = Catalogue::default();
        for n in 0..100 {
            catalogue.apply(DiscoveryEvent::Found(announced(&n.to_string(), "10.0.0.1", "/")));
        }
        assert_eq!(catalogue.len(), MOST_PER_ADDRESS);
    }

    #[test]
    fn a_repetition_changes_nothing_and_news_do() {
        let mut catalogue = Catalogue::default();
        let found = |path| DiscoveryEvent::Found(announced("Porch", "10.0.0.1", path));
        assert!(catalogue.apply(found("/a")).is_some());
        assert_eq!(catalogue.apply(found("/a")), None);
        assert_eq!(catalogue.apply(found("/b")), Some(found("/b")));
        assert_eq!(catalogue.apply(DiscoveryEvent::Lost { instance: "nobody".to_owned() }), None);
        assert!(!catalogue.is_empty());
    }

    proptest! {
        #[test]
        fn the_list_is_what_the_told_events_say(
            steps in prop::collection::vec((0_u8..40, 0_u8..4, any::<bool>()), 0..300)
        ) {
            let mut catalogue = Catalogue::default();
            let mut told = BTreeMap::new();
            for (name, address, lost) in steps {
                let found = announced(&name.to_string(), &format!("10.0.0.{address}"), "/");
                let event = if lost {
                    DiscoveryEvent::Lost { instance: found.instance.clone() }
                } else {
                    DiscoveryEvent::Found(found)
                };
                match catalogue.apply(event) {
                    Some(DiscoveryEvent::Found(found)) => drop(told.insert(found.instance.clone(), found)),
                    Some(DiscoveryEvent::Lost { instance }) => prop_assert!(told.remove(&instance).is_some()),
                    None => {}
                }
                for address in 0..4 {
                    let address = format!("10.0.0.{address}");
                    let there = catalogue.list().filter(|found| found.address.to_string() == address).count();
                    prop_assert!(there <= MOST_PER_ADDRESS);
                }
            }
            prop_assert_eq!(catalogue.list().collect::<Vec<_>>(), told.values().collect::<Vec<_>>());
        }
    }
}
