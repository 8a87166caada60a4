//! How motion is looked for at a camera, written into the file's text: only what changed, and every comment stays. Pure.

use toml_edit::{Array, Value};

use crate::config::edit::{EditError, remove, set};
use crate::config::settings::{Motion, Polygon};
use crate::units::CameraId;

/// The text with `after` where it says `before` now: whether motion is looked for, how keenly, for how long at
/// least, where not, and the zones.
/// Lengths before and after events are left as they are.
///
/// # Errors
/// [`EditError`] as of [`set`] and [`remove`], where the file is written in a way that only a person can edit.
pub fn set_motion(text: &str, id: &CameraId, before: &Motion, after: &Motion) -> Result<String, EditError> {
    let mut text = text.to_owned();
    let section = ["cameras", id.as_str(), "motion"];
    let key = |rest: &[&'static str]| section.iter().copied().chain(rest.iter().copied()).collect::<Vec<_>>();
    if before.enabled != after.enabled {
        text = set(&text, &key(&["enabled"]), after.enabled)?;
    }
    if differ(before.sensitivity, after.sensitivity) {
        text = set(&text, &key(&["sensitivity"]), number(after.sensitivity))?;
    }
    if before.least != after.least {
        text = set(&text, &key(&["min_seconds"]), (after.least.as_secs_f64() * 1000.0).round() / 1000.0)?;
    }
    if before.masks != after.masks {
        let masks: Array = after.masks.iter().map(area).collect();
        text = if masks.is_empty() { remove(&text, &key(&["masks"]))? } else { set(&text, &key(&["masks"]), masks)? };
    }
    for name in before.zones.keys().filter(|name| !after.zones.contains_key(*name)) {
        text = remove(&text, &["cameras", id.as_str(), "motion", "zones", name])?;
    }
    for (name, zone) in &after.zones {
        let old = before.zones.get(name);
        let zone_key = |leaf: &'static str| ["cameras", id.as_str(), "motion", "zones", name.as_str(), leaf];
        if old.is_none_or(|old| old.area != zone.area) {
            text = set(&text, &zone_key("area"), area(&zone.area))?;
        }
        match (old.and_then(|old| old.sensitivity), zone.sensitivity) {
            (Some(_), None) => text = remove(&text, &zone_key("sensitivity"))?,
            (None, Some(new)) => text = set(&text, &zone_key("sensitivity"), number(new))?,
            (Some(old), Some(new)) if differ(old, new) => {
                text = set(&text, &zone_key("sensitivity"), number(new))?;
            }
            _ => {}
        }
    }
    Ok(text)
}

fn differ(a: f32, b: f32) -> bool {
    (a - b).abs() > 0.0005
}

/// In thousandths: a finer place in a picture nobody means, and `0.1` is not written as 0.10000000149.
fn number(value: f32) -> f64 {
    (f64::from(value) * 1000.0).round() / 1000.0
}

fn area(polygon: &Polygon) -> Value {
    let corner = |corner: &[f32; 2]| Value::from(corner.iter().map(|part| number(*part)).collect::<Array>());
    Value::from(polygon.0.iter().map(corner).collect::<Array>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io;
    use std::time::Duration;

    use super::*;
    use crate::config::check;
    use crate::config::settings::Zone;

    const FILE: &str = "# The house.
[cameras.porch]
url = \"rtsp://192.168.1.20/main\" # by the door

[cameras.porch.motion]
sensitivity = 0.3 # the tree!
pre_seconds = 7
[cameras.porch.motion.zones.path]
area = [[0.2, 0.5], [0.8, 0.5], [0.8, 1.0]] # up to the gate

[cameras.nursery]
url = \"rtsp://192.168.1.21/main\"
";

    fn motion(text: &str, id: &str) -> Motion {
        let checked = check(text, |_| Err(io::ErrorKind::NotFound.into())).expect("a good file");
        checked.settings.cameras[&id.parse::<CameraId>().expect("an id")].motion.clone()
    }

    fn square(at: f32) -> Polygon {
        Polygon(vec![[at, at], [at + 0.1, at], [at + 0.1, at + 0.1], [at, at + 0.1]])
    }

    #[test]
    fn what_is_drawn_is_what_the_file_says_and_no_comment_is_lost() {
        let id: CameraId = "porch".parse().expect("an id");
        let before = motion(FILE, "porch");
        let after = Motion {
            enabled: false,
            sensitivity: 0.7,
            least: Duration::from_millis(1500),
            masks: vec![square(0.0), square(0.333)],
            zones: BTreeMap::from([
                ("path".to_owned(), Zone { area: square(0.5), sensitivity: Some(0.9) }),
                ("gate".to_owned(), Zone { area: square(0.1), sensitivity: None }),
            ]),
            ..before.clone()
        };
        let text = set_motion(FILE, &id, &before, &after).expect("edited");
        assert_eq!(motion(&text, "porch"), after);
        assert_eq!(motion(&text, "nursery"), Motion::default());
        for comment in ["# The house.", "# by the door", "# the tree!", "# up to the gate"] {
            assert!(text.contains(comment), "{comment} is gone:\n{text}");
        }
        assert!(text.contains("[0.333, 0.333]"), "{text}");

        let back = set_motion(&text, &id, &after, &before).expect("edited");
        // A part that was written out stays so, with the value that it had by itself.
        assert_eq!(motion(&back, "porch"), before);
        assert!(!back.contains("masks") && !back.contains("gate]"), "{back}");
    }

    #[test]
    fn nothing_changed_leaves_every_byte() {
        let id: CameraId = "porch".parse().expect("an id");
        let as_is = motion(FILE, "porch");
        assert_eq!(set_motion(FILE, &id, &as_is, &as_is).as_deref(), Ok(FILE));
        let plain: CameraId = "nursery".parse().expect("an id");
        let with = Motion {
            zones: BTreeMap::from([("bed".to_owned(), Zone { area: square(0.2), sensitivity: None })]),
            ..Motion::default()
        };
        let text = set_motion(FILE, &plain, &Motion::default(), &with).expect("edited");
        assert_eq!(motion(&text, "nursery"), with);
    }
}
