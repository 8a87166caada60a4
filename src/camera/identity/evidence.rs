//! What can be known of a device: each piece optional, all of it plain and bounded.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::camera::discovery::plain_text;

/// The most streams of one camera whose shape is remembered.
const MOST_STREAMS: usize = 8;

/// The address of a network card, as the kernel sees it on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac([u8; 6]);

impl Mac {
    /// `None` for addresses that no card has: nobody's (all zeros) and everybody's (group addresses).
    pub fn new(bytes: [u8; 6]) -> Option<Self> {
        (bytes != [0; 6] && bytes[0] & 1 == 0).then_some(Self(bytes))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if at == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl FromStr for Mac {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut bytes = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2).ok_or(())?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| ())?;
        }
        if parts.next().is_some() { Err(()) } else { Self::new(bytes).ok_or(()) }
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

impl TryFrom<String> for Mac {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map_err(|()| "not a MAC address")
    }
}

impl Serialize for Mac {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

/// How a device asks for a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asks {
    /// Not at all.
    Nothing,
    /// In clear text.
    Basic,
    /// By digest, in the name of this realm. Many makers write the serial number into it, others one text into all.
    Digest(String),
}

/// What a stream looks like before it plays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamShape {
    /// Its description without what changes from one connection to the next.
    pub sdp: String,
    /// A fingerprint of its parameter sets; empty if the description has none. Changes with each setting of the camera.
    pub sets: String,
}

impl StreamShape {
    /// From an SDP. What is remembered are the session's name and originator and each track's kind, coding and control path.
    pub fn of(sdp: &[u8]) -> Self {
        let text = String::from_utf8_lossy(sdp.get(..sdp.len().min(16 * 1024)).unwrap_or_default());
        let mut shape = Sha256::new();
        let mut sets = Sha256::new();
        let (mut name, mut has_sets) = (String::new(), false);
        for line in text.lines().map(str::trim_end).take(200) {
            if let Some(session) = line.strip_prefix("s=") {
                name = plain_text(session);
                shape.update(session);
            } else if let Some(origin) = line.strip_prefix("o=") {
                // User, session id, version, network, family, address: the user alone does not change by itself.
                shape.update(origin.split(' ').next().unwrap_or_default());
            } else if let Some(track) = line.strip_prefix("m=") {
                let mut words = track.split(' ');
                shape.update(words.next().unwrap_or_default());
                shape.update(words.next_back().unwrap_or_default());
            } else if line.starts_with("a=rtpmap:") || line.starts_with("a=tool:") {
                shape.update(line);
            } else if line.starts_with("a=fmtp:") && line.contains("sprop-") {
                sets.update(line);
                has_sets = true;
            }
        }
        let hex = |hash: Sha256| {
            let start = hash.finalize().first_chunk().map_or(0, |start| u64::from_be_bytes(*start));
            format!("{start:016x}")
        };
        let name = if name.is_empty() { "without a name".to_owned() } else { format!("\"{name}\"") };
        let sets = if has_sets { hex(sets) } else { String::new() };
        Self { sdp: format!("{name} {}", hex(shape)), sets }
    }
}

/// What is known of a device. Empty pieces are unknown ones.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// Its network card: strong. Known of devices on our own network only.
    pub mac: Option<Mac>,
    /// Its ONVIF id, as it gave it itself when asked at its address: strong. Lower case, without `urn:uuid:`.
    pub uuid: Option<String>,
    /// Its serial number, as it gave it itself: strong.
    pub serial: Option<String>,
    /// The name under which it announces itself by mDNS.
    pub instance: Option<String>,
    /// What its announcement says of who it is, as `id=…`, sorted, blank separated.
    pub txt: Option<String>,
    /// How it asks for a password.
    pub asks: Option<Asks>,
    /// What its streams look like, by their path.
    #[serde(default)]
    pub streams: BTreeMap<String, StreamShape>,
}

/// Keys of TXT records that name one device.
const NAMING_KEYS: [&str; 8] = ["id", "mac", "macaddress", "serial", "serialno", "sn", "uuid", "deviceid"];

impl Evidence {
    /// Whether there is anything that names one device.
    pub fn has_strong(&self) -> bool {
        self.mac.is_some() || self.uuid.is_some() || self.serial.is_some()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Everything that `newer` knows, and what only `self` knows.
    #[must_use]
    pub fn merged(mut self, newer: Self) -> Self {
        let Self { mac, uuid, serial, instance, txt, asks, streams } = newer;
        self.mac = mac.or(self.mac);
        self.uuid = uuid.or(self.uuid);
        self.serial = serial.or(self.serial);
        self.instance = instance.or(self.instance);
        self.txt = txt.or(self.txt);
        self.asks = asks.or(self.asks);
        for (path, stream) in streams {
            if self.streams.len() < MOST_STREAMS || self.streams.contains_key(&path) {
                self.streams.insert(path, stream);
            }
        }
        self
    }

    /// What a TXT record says of who sends it.
    pub fn naming_txt(txt: &BTreeMap<String, String>) -> Option<String> {
        let named: Vec<_> = txt
            .iter()
            .filter(|(key, value)| NAMING_KEYS.contains(&key.as_str()) && !value.is_empty())
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        (!named.is_empty()).then(|| named.join(" "))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn mac(last: u8) -> Mac {
        Mac::new([2, 0, 0, 0, 0, last]).expect("a card's address")
    }

    /// Few values each, so that agreement and contradiction are both common.
    pub(crate) fn evidences() -> impl Strategy<Value = Evidence> {
        let word = |prefix: &'static str| prop::option::of((0_u8..3).prop_map(move |n| format!("{prefix}{n}")));
        let asks = prop_oneof![
            Just(Asks::Nothing),
            Just(Asks::Basic),
            (0_u8..3).prop_map(|n| Asks::Digest(format!("realm {n}"))),
        ];
        let shape = (0_u8..3, 0_u8..2)
            .prop_map(|(sdp, sets)| StreamShape { sdp: format!("sdp {sdp}"), sets: format!("sets {sets}") });
        (
            prop::option::of((0_u8..3).prop_map(mac)),
            word("uuid-"),
            word("serial-"),
            word("instance-"),
            word("id="),
            prop::option::of(asks),
            prop::collection::btree_map((0_u8..3).prop_map(|n| format!("/{n}")), shape, 0..3),
        )
            .prop_map(|(mac, uuid, serial, instance, txt, asks, streams)| Evidence {
                mac,
                uuid,
                serial,
                instance,
                txt,
                asks,
                streams,
            })
    }

    #[test]
    fn a_mac_address_is_read_as_it_is_written_and_a_group_is_none() {
        assert_eq!("02:00:00:00:00:0A".parse(), Ok(mac(10)));
        assert_eq!("02-00-00-00-00-0a".parse(), Ok(mac(10)));
        assert_eq!(mac(10).to_string(), "02:00:00:00:00:0a");
        for bad in
            ["", "02:00:00:00:00", "02:00:00:00:00:0a:0b", "00:00:00:00:00:00", "01:00:5e:00:00:fb", "2:0:0:0:0:a"]
        {
            assert_eq!(bad.parse::<Mac>(), Err(()), "{bad}");
        }
    }

    const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=Porch\r\nm=video 0 RTP/AVP 96\r\n\
        a=rtpmap:96 H264/90000\r\na=fmtp:96 sprop-parameter-sets=Zw==,aA==\r\n";

    #[test]
    fn a_shape_stays_when_the_camera_has_another_address_or_session() {
        let shape = StreamShape::of(SDP.as_bytes());
        let moved = SDP.replace("- 1 1 IN IP4 10.0.0.1", "- 99 2 IN IP4 10.0.0.7");
        assert_eq!(StreamShape::of(moved.as_bytes()), shape);
        assert_ne!(StreamShape::of(SDP.replace("Porch", "Nursery").as_bytes()).sdp, shape.sdp);
        let set = StreamShape::of(SDP.replace("Zw==", "Zz==").as_bytes());
        assert_eq!(set.sdp, shape.sdp);
        assert_ne!(set.sets, shape.sets);
    }

    #[test]
    fn only_keys_that_name_a_device_are_evidence() {
        let txt = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let said = Evidence::naming_txt(&txt(&[("model", "X"), ("serial", "1"), ("id", "2"), ("mac", "")]));
        assert_eq!(said.as_deref(), Some("id=2 serial=1"));
        assert_eq!(Evidence::naming_txt(&txt(&[("model", "X")])), None);
    }

    proptest! {
        #[test]
        fn merging_is_associative_and_repeating_changes_nothing(
            a in evidences(), b in evidences(), c in evidences()
        ) {
            let merged = |x: &Evidence, y: &Evidence| x.clone().merged(y.clone());
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(merged(&a, &a), a.clone());
            prop_assert_eq!(merged(&merged(&a, &b), &b), merged(&a, &b));
            prop_assert_eq!(merged(&a, &Evidence::default()), a.clone());
            prop_assert_eq!(merged(&Evidence::default(), &a), a);
        }

        #[test]
        fn evidence_survives_being_written_down(evidence in evidences()) {
            let text = serde_json::to_string(&evidence).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<Evidence>(&text).expect("read back"), evidence);
        }

        #[test]
        fn any_sdp_has_a_bounded_shape(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let shape = StreamShape::of(&bytes);
            prop_assert!(shape.sdp.chars().count() <= 100 && !shape.sdp.chars().any(char::is_control));
        }
    }
}
