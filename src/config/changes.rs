//! What differs between two configurations, and what has to be started anew for it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::settings::{Camera, Settings};
use crate::units::CameraId;

/// What one configuration has that another has not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Cameras that were not there before.
    pub added: BTreeSet<CameraId>,
    /// Cameras that are no longer there.
    pub removed: BTreeSet<CameraId>,
    /// Cameras that were and are there, with what is to be done; a camera whose own settings are the same is not among them.
    pub changed: BTreeMap<CameraId, BTreeSet<Part>>,
    /// Everything that is no camera's.
    pub elsewhere: Vec<Elsewhere>,
}

/// A part of a camera's pipeline that takes up changed settings. Nothing but its own streams interrupts a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Its name: shown from now on, nothing is started anew.
    Name,
    /// The connection to its main stream.
    MainStream,
    /// The connection to its small stream.
    SubStream,
    /// What is kept.
    Recording,
    /// Its decoder and motion detector.
    Detection,
}

/// A key outside the cameras.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elsewhere {
    /// As `storage.path`.
    pub key: &'static str,
    /// From when on it counts.
    pub when: When,
}

/// From when on a changed key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// From now on.
    AtOnce,
    /// For each camera from its next connection on: a running recording is not interrupted for it.
    NextConnection,
    /// When the daemon is started anew.
    NextStart,
}

impl Changes {
    /// What `new` has that `old` has not.
    pub fn between(old: &Settings, new: &Settings) -> Self {
        let ids = |from: &Settings, other: &Settings| {
            from.cameras.keys().filter(|id| !other.cameras.contains_key(*id)).cloned().collect()
        };
        let changed = new.cameras.iter().filter_map(|(id, camera)| {
            let parts = parts(old.cameras.get(id)?, camera);
            (!parts.is_empty()).then(|| (id.clone(), parts))
        });
        Self {
            added: ids(new, old),
            removed: ids(old, new),
            changed: changed.collect(),
            elsewhere: elsewhere(old, new),
        }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The keys that do not count before the daemon is started anew.
    pub fn waiting_for_start(&self) -> impl Iterator<Item = &'static str> {
        self.elsewhere.iter().filter(|change| change.when == When::NextStart).map(|change| change.key)
    }
}

fn parts(old: &Camera, new: &Camera) -> BTreeSet<Part> {
    // Named one by one, so that a new setting cannot be forgotten here.
    let Camera { name, url, detect_url, credentials, outside_lan, transport, record, audio, motion } = new;
    let reached = *credentials != old.credentials || *transport != old.transport || *outside_lan != old.outside_lan;
    let sub = *detect_url != old.detect_url;
    let main = *url != old.url || *audio != old.audio || reached;
    let differs = [
        (*name != old.name, Part::Name),
        (main, Part::MainStream),
        (sub || (reached && detect_url.is_some()), Part::SubStream),
        (*record != old.record, Part::Recording),
        // Where there is no small stream, motion is looked for in the main one.
        (*motion != old.motion || sub || (detect_url.is_none() && *url != old.url), Part::Detection),
    ];
    differs.into_iter().filter(|(differs, _)| *differs).map(|(_, part)| part).collect()
}

fn elsewhere(old: &Settings, new: &Settings) -> Vec<Elsewhere> {
    let Settings { storage, retention, web, discovery, cameras: _ } = new;
    let differs = [
        (storage.path != old.storage.path, "storage.path", When::NextStart),
        (storage.keep_free != old.storage.keep_free, "storage.keep_free", When::AtOnce),
        (storage.segment != old.storage.segment, "storage.segment_seconds", When::NextConnection),
        (storage.sync != old.storage.sync, "storage.sync_seconds", When::NextConnection),
        (retention.continuous != old.retention.continuous, "retention.continuous_days", When::AtOnce),
        (retention.motion != old.retention.motion, "retention.motion_days", When::AtOnce),
        (web.listen != old.web.listen, "web.listen", When::NextStart),
        (web.tls != old.web.tls, "web.tls", When::NextStart),
        (web.hosts != old.web.hosts, "web.hosts", When::AtOnce),
        (web.proxies != old.web.proxies, "web.proxies", When::AtOnce),
        (discovery.mdns != old.discovery.mdns, "discovery.mdns", When::AtOnce),
        (discovery.onvif != old.discovery.onvif, "discovery.onvif", When::AtOnce),
        (discovery.auto_add != old.discovery.auto_add, "discovery.auto_add", When::AtOnce),
    ];
    differs.into_iter().filter(|(differs, ..)| *differs).map(|(_, key, when)| Elsewhere { key, when }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check;
    use proptest::prelude::*;

    fn settings(text: &str) -> Settings {
        check(text, |_| Ok("hunter2".to_owned())).expect("a good configuration").settings
    }

    const PORCH: &str = "[cameras.porch]\nurl = \"rtsp://10.0.0.2/main\"\n";

    fn of_porch(more: &str) -> BTreeSet<Part> {
        let mut changes = Changes::between(&settings(PORCH), &settings(&format!("{PORCH}{more}")));
        assert!(changes.added.is_empty() && changes.removed.is_empty() && changes.elsewhere.is_empty());
        changes.changed.pop_first().map(|(_, parts)| parts).unwrap_or_default()
    }

    #[test]
    fn each_setting_of_a_camera_disturbs_only_its_own_part() {
        for (more, parts) in [
            ("name = \"Porch\"", &[Part::Name][..]),
            ("transport = \"udp\"", &[Part::MainStream]),
            ("audio = false", &[Part::MainStream]),
            ("username = \"a\"\npassword = \"b\"", &[Part::MainStream]),
            ("detect_url = \"rtsp://10.0.0.2/sub\"", &[Part::SubStream, Part::Detection]),
            ("record = \"motion\"", &[Part::Recording]),
            ("motion.sensitivity = 0.7", &[Part::Detection]),
            ("motion.decode = \"key_frames\"", &[Part::Detection]),
            ("record = \"continuous\"", &[]),
        ] {
            assert_eq!(of_porch(more), parts.iter().copied().collect(), "{more}");
        }
    }

    #[test]
    fn only_a_new_place_or_a_new_front_door_waits_for_a_start() {
        let old = settings("");
        let new = settings(
            "[storage]\npath = \"/mnt/footage\"\nkeep_free = \"5%\"\nsync_seconds = 5\n\
             [web]\nlisten = \"127.0.0.1:1\"\ntls = \"off\"\nhosts = [\"nvr.lan\"]",
        );
        let changes = Changes::between(&old, &new);
        assert_eq!(changes.waiting_for_start().collect::<Vec<_>>(), ["storage.path", "web.listen", "web.tls"]);
        assert!(changes.elsewhere.contains(&Elsewhere { key: "storage.sync_seconds", when: When::NextConnection }));
        assert!(changes.elsewhere.contains(&Elsewhere { key: "web.hosts", when: When::AtOnce }));
    }

    /// Cameras by number, each with a setting that may differ.
    fn house() -> impl Strategy<Value = BTreeMap<u8, u8>> {
        proptest::collection::btree_map(0u8..6, 0u8..3, 0..6)
    }

    fn as_settings(house: &BTreeMap<u8, u8>) -> Settings {
        let cameras =
            house.iter().map(|(camera, path)| format!("[cameras.c{camera}]\nurl = \"rtsp://10.0.0.2/{path}\"\n"));
        settings(&cameras.collect::<Vec<_>>().concat())
    }

    proptest! {
        #[test]
        fn only_cameras_whose_own_settings_changed_are_touched(old in house(), new in house()) {
            let changes = Changes::between(&as_settings(&old), &as_settings(&new));
            let id = |camera: &u8| format!("c{camera}").parse::<CameraId>().expect("an id");
            for camera in old.keys().chain(new.keys()) {
                let id = id(camera);
                prop_assert_eq!(changes.added.contains(&id), !old.contains_key(camera));
                prop_assert_eq!(changes.removed.contains(&id), !new.contains_key(camera));
                let both = old.get(camera).zip(new.get(camera));
                prop_assert_eq!(changes.changed.contains_key(&id), both.is_some_and(|(old, new)| old != new));
            }
            prop_assert_eq!(changes.is_empty(), old == new);
        }
    }
}
