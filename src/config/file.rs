//! The file as written, checked into [`Settings`] or all complaints at once. Pure: text in, verdict out.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use toml_edit::{Document, Value};

use crate::config::address::is_host_name;
use crate::config::camera;
use crate::config::complaint::{Complaint, Log, quoted};
use crate::config::section::{Fault, Secrets, Section, flag, number, one_of, text, wrong_kind};
use crate::config::settings::{Camera, CameraUrl, Discovery, KeepFree, Retention, Settings, Storage, Tls, Web};
use crate::units::{ByteLen, CameraId};

/// The largest file that is read, in bytes.
pub const LARGEST_FILE: usize = 1 << 20;
const MOST_CAMERAS: usize = 64;
const MOST_HOSTS: usize = 32;
const DAY: f64 = 86_400.0;

/// A usable configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// What the program is given.
    pub settings: Settings,
    /// What is likely a mistake, but no reason not to start; in the order of the file.
    pub notes: Vec<Complaint>,
}

/// Checks a whole configuration. `secrets` reads a password file, whose path may be relative to the configuration's folder.
///
/// # Errors
/// All complaints, in the order of the file; a text that is not TOML yields one.
pub fn check(text: &str, secrets: impl Fn(&Path) -> io::Result<String>) -> Result<Checked, Vec<Complaint>> {
    let log = Log::new(text);
    if text.len() > LARGEST_FILE {
        log.complain(
            None,
            String::new(),
            format!("the file has {}; at most 1 MiB is read", ByteLen(text.len() as u64)),
        );
        return Err(log.into_both().0);
    }
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            log.complain(
                error.span(),
                String::new(),
                format!("this is not TOML: {}", error.message().replace('\n', ", ")),
            );
            return Err(log.into_both().0);
        }
    };
    let settings = settings(Section::root(&log, document.as_table()), &secrets);
    let (complaints, notes) = log.into_both();
    if complaints.is_empty() { Ok(Checked { settings, notes }) } else { Err(complaints) }
}

fn settings(mut root: Section<'_>, secrets: Secrets<'_>) -> Settings {
    let settings = Settings {
        storage: storage(root.section("storage")),
        retention: retention(root.section("retention")),
        web: web(root.section("web")),
        discovery: discovery(root.section("discovery")),
        cameras: cameras(&mut root, secrets),
    };
    root.end(&[
        ("path", "storage"),
        ("keep_free", "storage"),
        ("listen", "web"),
        ("hosts", "web"),
        ("proxies", "web"),
        ("tls", "web"),
        ("mdns", "discovery"),
        ("onvif", "discovery"),
        ("auto_add", "discovery"),
    ]);
    settings
}

fn storage(mut section: Section<'_>) -> Storage {
    let path = section.value("path", folder);
    let keep_free = section.value("keep_free", keep_free);
    let segment = section.value("segment_seconds", |value| number(value, 5.0..=3600.0, " seconds"));
    let sync = section.value("sync_seconds", |value| number(value, 1.0..=60.0, " seconds"));
    if let (Some(segment), Some(sync)) = (segment, sync)
        && sync > segment
    {
        section
            .complain("sync_seconds", "a segment must be synced before it ends; make this less than segment_seconds");
    }
    section.end(&[("continuous_days", "retention"), ("motion_days", "retention")]);
    Storage {
        path: path.unwrap_or_else(|| PathBuf::from("/var/lib/hearthwatch")),
        keep_free: keep_free.unwrap_or(KeepFree::Part(0.1)),
        segment: Duration::from_secs_f64(segment.unwrap_or(60.0)),
        sync: Duration::from_secs_f64(sync.unwrap_or(2.0)),
    }
}

fn folder(value: &Value) -> Result<PathBuf, Fault> {
    let path = Path::new(text(value, "\"/var/lib/hearthwatch\"")?);
    let mut inside = path.components();
    let plain = inside.next() == Some(Component::RootDir) && inside.all(|part| matches!(part, Component::Normal(_)));
    if !plain || path.parent().is_none() {
        return Err("this must be the full path of a folder, without .. in it, as \"/var/lib/hearthwatch\"".into());
    }
    Ok(path.to_owned())
}

fn keep_free(value: &Value) -> Result<KeepFree, Fault> {
    const EXAMPLES: &str = "\"10%\" or \"20GiB\"";
    let text = value.as_str().ok_or_else(|| wrong_kind(value, "a text in quotation marks", EXAMPLES))?;
    if let Some(percent) = text.strip_suffix('%') {
        let percent = percent.trim().parse::<f64>().ok().filter(|percent| (0.0..=90.0).contains(percent));
        return percent
            .map(|percent| KeepFree::Part(percent / 100.0))
            .ok_or_else(|| format!("the part to keep free is 0% to 90%; {} is not", quoted(text)).into());
    }
    text.parse().map(KeepFree::Bytes).map_err(|_| {
        format!("this must be a part of the disk or a size, as {EXAMPLES}; {} is neither", quoted(text)).into()
    })
}

fn retention(mut section: Section<'_>) -> Retention {
    let days = |value: &Value| number(value, 0.0..=36_500.0, " days");
    let continuous = section.value("continuous_days", days).unwrap_or(7.0);
    let motion = section.value("motion_days", days).unwrap_or(30.0);
    if motion < continuous {
        let key = if section.has("motion_days") { "motion_days" } else { "continuous_days" };
        section
            .note(key, "footage around an event would go before the rest; make motion_days at least continuous_days");
    }
    section.end(&[("keep_free", "storage"), ("segment_seconds", "storage")]);
    Retention { continuous: Duration::from_secs_f64(continuous * DAY), motion: Duration::from_secs_f64(motion * DAY) }
}

fn web(mut section: Section<'_>) -> Web {
    let default_listen = SocketAddr::from(([0, 0, 0, 0], 8443));
    let listen = section.value("listen", listen).unwrap_or(default_listen);
    let tls = section.value("tls", |value| one_of(value, &[("auto", Tls::Auto), ("off", Tls::Off)]));
    let tls = tls.unwrap_or(Tls::Auto);
    let insecure = section.value("insecure_http", flag).unwrap_or(false);
    if tls == Tls::Off && !listen.ip().to_canonical().is_loopback() && !insecure {
        section.complain(
            "tls",
            format!(
                "without TLS anybody in the house could read along at {listen}; write tls = \"auto\", \
                 or listen = \"127.0.0.1:8443\", or insecure_http = true if you accept that"
            ),
        );
    }
    if tls == Tls::Auto && insecure {
        section.note("insecure_http", "this has no effect while tls = \"auto\"; take it out");
    }
    let hosts = section.value("hosts", hosts).unwrap_or_default();
    let proxies = section.value("proxies", proxies).unwrap_or_default();
    section.end(&[]);
    Web { listen, tls, hosts, proxies }
}

fn proxies(value: &Value) -> Result<Vec<IpAddr>, Fault> {
    const EXAMPLE: &str = "[\"192.168.1.2\"]";
    let list = value.as_array().ok_or_else(|| wrong_kind(value, "a list of addresses", EXAMPLE))?;
    let address = |item: &Value| {
        let fault = |sentence: String| Fault { at: item.span(), sentence };
        let text = item.as_str().ok_or_else(|| fault(wrong_kind(item, "an address", "\"192.168.1.2\"").sentence))?;
        let wrong = format!("{} is not the IP address of a machine, as {EXAMPLE}", quoted(text));
        Ok(text.parse::<IpAddr>().map_err(|_| fault(wrong))?.to_canonical())
    };
    list.iter().map(address).collect()
}

fn listen(value: &Value) -> Result<SocketAddr, Fault> {
    const EXAMPLE: &str = "\"0.0.0.0:8443\"";
    let text = text(value, EXAMPLE)?;
    text.parse().map_err(|_| {
        let hint = if text.parse::<IpAddr>().is_ok() {
            "; add the port"
        } else if text.trim_start_matches(':').parse::<u16>().is_ok() {
            "; put the address before the port, 0.0.0.0 for all"
        } else {
            ""
        };
        format!("this must be an IP address with a port, as {EXAMPLE}; {} is not{hint}", quoted(text)).into()
    })
}

fn hosts(value: &Value) -> Result<Vec<String>, Fault> {
    const EXAMPLE: &str = "[\"nvr.home.arpa\"]";
    let list = value.as_array().ok_or_else(|| wrong_kind(value, "a list of names", EXAMPLE))?;
    if list.len() > MOST_HOSTS {
        return Err(format!("these are {} names; at most {MOST_HOSTS} are allowed", list.len()).into());
    }
    let mut hosts = Vec::new();
    for item in list {
        let fault = |sentence: String| Fault { at: item.span(), sentence };
        let name = item.as_str().ok_or_else(|| fault(wrong_kind(item, "a name", "\"nvr.home.arpa\"").sentence))?;
        if name.parse::<IpAddr>().is_ok() {
            return Err(fault(format!("{name} is an address; those are answered anyway, so take it out")));
        }
        if !is_host_name(name) {
            let hint = if name.contains([':', '/']) { "; write it without http:// and without a port" } else { "" };
            return Err(fault(format!("{} is not the name of a machine, as {EXAMPLE}{hint}", quoted(name))));
        }
        let name = name.to_ascii_lowercase();
        if !hosts.contains(&name) {
            hosts.push(name);
        }
    }
    Ok(hosts)
}

fn discovery(mut section: Section<'_>) -> Discovery {
    let mdns = section.value("mdns", flag).unwrap_or(true);
    let onvif = section.value("onvif", flag).unwrap_or(true);
    let auto_add = section.value("auto_add", flag).unwrap_or(false);
    if auto_add && !mdns && !onvif {
        section.note("auto_add", "no camera will be found: both mdns and onvif are false");
    }
    section.end(&[]);
    Discovery { mdns, onvif, auto_add }
}

fn cameras(root: &mut Section<'_>, secrets: Secrets<'_>) -> BTreeMap<CameraId, Camera> {
    let written = root.named_sections("cameras");
    if written.len() > MOST_CAMERAS {
        root.complain("cameras", format!("these are {} cameras; at most {MOST_CAMERAS} are allowed", written.len()));
        return BTreeMap::new();
    }
    let mut cameras: BTreeMap<CameraId, Camera> = BTreeMap::new();
    let mut streams: HashMap<CameraUrl, CameraId> = HashMap::new();
    for (key, mut section) in written {
        let id = match key.get().parse::<CameraId>() {
            Ok(id) => id,
            Err(error) => {
                let suggestion = CameraId::from_name(key.get()).map(|id| format!("; [cameras.{id}] would do"));
                section.complain_of_all(format!("{error}{}", suggestion.unwrap_or_default()));
                continue;
            }
        };
        let Some(camera) = camera::camera(&id, &mut section, secrets) else { continue };
        if let Some(other) = streams.insert(camera.url.clone(), id.clone()) {
            section.note("url", format!("the camera {other} has the same stream; it will be recorded twice"));
        }
        cameras.insert(id, camera);
    }
    cameras
}
