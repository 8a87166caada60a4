//! `[cameras.ID]` as written, checked into [`Camera`].

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use toml_edit::Value;

use crate::config::address::{in_household, is_host_name, literal};
use crate::config::complaint::quoted;
use crate::config::section::{Fault, Secrets, Section, flag, number, one_of, text};
use crate::config::settings::{
    Camera, CameraUrl, CameraUrlError, Credentials, Decode, Motion, RecordMode, Transport, Zone,
};
use crate::config::shape::{polygon, polygons};
use crate::units::{CameraId, Secret};

const MOST_ZONES: usize = Motion::MOST_ZONES;
const LONGEST_NAME: usize = 64;
const LONGEST_SECRET: usize = 256;
const MOTION_KEYS: [(&str, &str); 10] = [
    ("enabled", ".motion"),
    ("decode", ".motion"),
    ("sensitivity", ".motion"),
    ("min_seconds", ".motion"),
    ("pre_seconds", ".motion"),
    ("post_seconds", ".motion"),
    ("masks", ".motion"),
    ("zones", ".motion"),
    ("auto_add", "discovery"),
    ("keep_free", "storage"),
];

/// Reads one camera; `None` if it has no usable address, which was complained about.
pub(super) fn camera(id: &CameraId, section: &mut Section<'_>, secrets: Secrets<'_>) -> Option<Camera> {
    let name = section.value("name", name).unwrap_or_else(|| id.to_string());
    let outside_lan = section.value("outside_lan", flag).unwrap_or(false);
    let url = section.value("url", |value| address(value, outside_lan));
    if !section.has("url") {
        section.complain("url", "a camera needs its address; write url = \"rtsp://192.168.1.20/main\"");
    }
    let detect_url = section.value("detect_url", |value| address(value, outside_lan));
    if detect_url.is_some() && detect_url == url {
        section.note("detect_url", "this is the same stream as url; leave it out or name the camera's small stream");
    }
    let credentials = credentials(section, secrets);
    let transport =
        section.value("transport", |value| one_of(value, &[("tcp", Transport::Tcp), ("udp", Transport::Udp)]));
    let record = section.value("record", |value| {
        let words = [("continuous", RecordMode::Continuous), ("motion", RecordMode::Motion), ("off", RecordMode::Off)];
        one_of(value, &words)
    });
    let record = record.unwrap_or(RecordMode::Continuous);
    let audio = section.value("audio", flag).unwrap_or(true);
    let motion = motion(section.section("motion"));
    if record == RecordMode::Motion && !motion.enabled {
        section.note("record", "nothing will be recorded: record = \"motion\", but motion.enabled = false");
    }
    section.end(&MOTION_KEYS);
    Some(Camera {
        name,
        url: url?,
        detect_url,
        credentials,
        outside_lan,
        transport: transport.unwrap_or(Transport::Tcp),
        record,
        audio,
        motion,
    })
}

fn name(value: &Value) -> Result<String, Fault> {
    let name = text(value, "\"Front door\"")?.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(format!("a camera's name has 1 to {LONGEST_NAME} characters").into());
    }
    if name.chars().any(is_invisible) {
        return Err("this name holds an invisible character; type it anew".into());
    }
    Ok(name.to_owned())
}

/// Marks that turn or hide text: they would let one name look like another.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// What can be shown of a name, however hostile; `None` if nothing is left.
pub(super) fn presentable_name(name: &str) -> Option<String> {
    let shown = name.chars().filter(|c| !c.is_control() && !is_invisible(*c));
    let shown: String = shown.skip_while(|c| c.is_whitespace()).take(LONGEST_NAME).collect();
    let shown = shown.trim();
    (!shown.is_empty()).then(|| shown.to_owned())
}

fn address(value: &Value, outside_lan: bool) -> Result<CameraUrl, Fault> {
    let text = text(value, "\"rtsp://192.168.1.20/main\"")?;
    let url: CameraUrl = text.parse().map_err(|error: CameraUrlError| error.to_string())?;
    match literal(url.host()) {
        Some(address) if !outside_lan && !in_household(address) => Err(format!(
            "{address} is not an address of a household (192.168.x.x, 10.x.x.x, 172.16.x.x to 172.31.x.x, 169.254.x.x, \
             fd…, fe80…), and nothing leaves the house; reach such a camera through a tunnel that ends in the house, or \
             write outside_lan = true for it"
        )
        .into()),
        Some(_) => Ok(url),
        // Routers hand out names with an underscore, though DNS has none.
        None if is_host_name(&url.host().replace('_', "x")) => Ok(url),
        None => Err(format!("{} is neither an IP address nor a name of a machine", quoted(url.host())).into()),
    }
}

/// A user name and exactly one of the two ways to give a password, or none of the three.
fn credentials(section: &mut Section<'_>, secrets: Secrets<'_>) -> Option<Credentials> {
    let username = section.value("username", |value| {
        let username = text(value, "\"viewer\"")?;
        if username.is_empty() || username.len() > LONGEST_SECRET || username.contains(':') {
            return Err(format!("a user name has 1 to {LONGEST_SECRET} characters and no colon").into());
        }
        Ok(username.to_owned())
    });
    let written = section.value("password", |value| secret(text(value, "\"…\"")?));
    let filed = section.value("password_file", |value| {
        let file = text(value, "\"/etc/hearthwatch/secrets/front-door\"")?;
        if file.is_empty() {
            return Err("name the file that holds the password".into());
        }
        read_secret(Path::new(file), secrets)
    });
    let both = [section.has("username"), section.has("password"), section.has("password_file")];
    match both {
        [_, true, true] => {
            section.complain("password", "there are two passwords; keep either password or password_file");
        }
        [true, false, false] => section.complain(
            "username",
            "there is a user name without a password; add password_file = \"/etc/hearthwatch/secrets/…\" or password = \"…\"",
        ),
        [false, true, _] => section.complain("password", "there is a password without a user name; add username = \"…\""),
        [false, false, true] => {
            section.complain("password_file", "there is a password without a user name; add username = \"…\"");
        }
        _ => {}
    }
    username.zip(written.or(filed)).map(|(username, password)| Credentials { username, password })
}

fn read_secret(file: &Path, secrets: Secrets<'_>) -> Result<Secret, Fault> {
    let content = secrets(file).map_err(|error| {
        format!(
            "the file {} cannot be read ({error}); make it, readable for the user that runs hearthwatch",
            file.display()
        )
    })?;
    let line = content.strip_suffix('\n').unwrap_or(&content);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || line.chars().any(char::is_control) {
        return Err(format!("the file {} must hold the password alone, on one line", file.display()).into());
    }
    secret(line)
}

fn secret(text: &str) -> Result<Secret, Fault> {
    if text.is_empty() || text.len() > LONGEST_SECRET {
        return Err(format!("a password has 1 to {LONGEST_SECRET} characters").into());
    }
    Ok(Secret::new(text))
}

fn motion(mut section: Section<'_>) -> Motion {
    let default = Motion::default();
    let enabled = section.value("enabled", flag).unwrap_or(default.enabled);
    let decode =
        section.value("decode", |value| one_of(value, &[("all", Decode::All), ("key_frames", Decode::KeyFrames)]));
    let sensitivity = section.value("sensitivity", |value| number(value, 0.0..=1.0, ""));
    let least = section.value("min_seconds", |value| number(value, 0.0..=60.0, " seconds"));
    let pre = section.value("pre_seconds", |value| number(value, 0.0..=60.0, " seconds"));
    let post = section.value("post_seconds", |value| number(value, 0.0..=600.0, " seconds"));
    let masks = section.value("masks", polygons).unwrap_or_default();
    let zones = zones(&mut section);
    section.end(&[("area", ".zones.NAME")]);
    #[expect(clippy::cast_possible_truncation, reason = "from 0 to 1")]
    Motion {
        enabled,
        decode: decode.unwrap_or(default.decode),
        sensitivity: sensitivity.map_or(default.sensitivity, |number| number as f32),
        least: least.map_or(default.least, Duration::from_secs_f64),
        pre: pre.map_or(default.pre, Duration::from_secs_f64),
        post: post.map_or(default.post, Duration::from_secs_f64),
        masks,
        zones,
    }
}

fn zones(motion: &mut Section<'_>) -> BTreeMap<String, Zone> {
    let mut zones = BTreeMap::new();
    let written = motion.named_sections("zones");
    if written.len() > MOST_ZONES {
        motion.complain("zones", format!("these are {} zones; at most {MOST_ZONES} are allowed", written.len()));
    }
    for (key, mut section) in written {
        let name = key.get();
        if !Zone::is_name(name) {
            section.complain_of_all("a zone's name is 1 to 40 of the characters a-z, 0-9, - and _");
        }
        let area = section.value("area", polygon);
        if !section.has("area") {
            section.complain("area", "a zone needs its corners; write area = [[0.2, 0.5], [0.8, 0.5], [0.5, 1.0]]");
        }
        let sensitivity = section.value("sensitivity", |value| number(value, 0.0..=1.0, ""));
        section.end(&[]);
        #[expect(clippy::cast_possible_truncation, reason = "from 0 to 1")]
        let sensitivity = sensitivity.map(|number| number as f32);
        zones.extend(area.map(|area| (name.to_owned(), Zone { area, sensitivity })));
    }
    zones
}
