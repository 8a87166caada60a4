//! One finding: what somebody on the network says of itself, cut to size and made harmless.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use url::Url;

use crate::camera::identity::Evidence;
use crate::camera::onvif::Announcement;
use crate::config::settings::CameraUrl;

/// The longest name, in characters.
const LONGEST_NAME: usize = 64;
/// The longest text in a TXT record, in characters.
const LONGEST_VALUE: usize = 256;
/// The most entries of a TXT record.
const MOST_ENTRIES: usize = 32;

/// How a camera was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum How {
    /// Announced by mDNS.
    Mdns,
    /// By ONVIF's WS-Discovery.
    Onvif,
}

/// What kind of service was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// RTSP itself: port and path are the stream's.
    Rtsp,
    /// An Axis camera: the port is its web server's.
    AxisVideo,
    /// An ONVIF device: the port is its web server's, and it must be asked for its streams.
    Onvif,
}

impl Service {
    pub(crate) const ALL: [Self; 3] = [Self::Rtsp, Self::AxisVideo, Self::Onvif];

    pub(crate) fn mdns_type(self) -> &'static str {
        match self {
            Self::Rtsp => "_rtsp._tcp.local.",
            Self::AxisVideo => "_axis-video._tcp.local.",
            Self::Onvif => "_onvif._tcp.local.",
        }
    }
}

/// Somebody who claims to be a camera. Every text is [`plain_text`] and bounded; none of it is proof of anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Names the announcement: the same in its [`crate::camera::discovery::DiscoveryEvent::Lost`].
    pub instance: String,
    /// What it calls itself, at most 64 characters, never empty.
    pub name: String,
    /// Where it is, within the scope that was browsed.
    pub address: IpAddr,
    /// Where it may be as well, at most four: shortly after it moved, its old address is still said.
    pub others: Vec<IpAddr>,
    /// The announced service's port.
    pub port: u16,
    /// What kind of service it announced.
    pub service: Service,
    /// The main stream's path (TXT `path=`), with its query.
    pub path: Option<String>,
    /// The small stream's path (TXT `sub=`), with its query.
    pub sub_path: Option<String>,
    /// Everything else it says, by lower-case key: evidence of who it is.
    pub txt: BTreeMap<String, String>,
    /// How it was found.
    pub how: How,
}

impl Found {
    /// From an mDNS announcement; `None` if it has no port.
    pub fn from_mdns<'a>(
        service: Service,
        fullname: &str,
        address: IpAddr,
        port: u16,
        txt: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Option<Self> {
        if port == 0 {
            return None;
        }
        let mut txt: BTreeMap<String, String> = txt
            .take(MOST_ENTRIES)
            .map(|(key, value)| (cut(key, LONGEST_NAME).to_lowercase(), cut(value, LONGEST_VALUE)))
            .filter(|(key, _)| !key.is_empty())
            .collect();
        let mut path = |key| txt.remove(key).filter(|path: &String| !path.is_empty());
        let (path, sub_path) = (path("path"), path("sub"));
        let label = fullname.strip_suffix(service.mdns_type()).unwrap_or(fullname).trim_end_matches('.');
        let mut name = plain_text(&unescape(label));
        if name.is_empty() {
            name = address.to_string();
        }
        let instance = instance(service, fullname);
        let others = Vec::new();
        Some(Self { instance, name, address, others, port, service, path, sub_path, txt, how: How::Mdns })
    }

    /// From a WS-Discovery message that came from this address. Its path is that of its web service.
    pub(crate) fn from_onvif(said: Announcement, address: IpAddr) -> Self {
        let Announcement { uuid, name, hardware, mac, service } = said;
        let (port, path) = service.unwrap_or((80, "/onvif/device_service".to_owned()));
        let name = [name, hardware.clone()].into_iter().find(|name| !name.is_empty()).unwrap_or(address.to_string());
        let pairs = [("hardware", hardware), ("mac", mac.map(|mac| mac.to_string()).unwrap_or_default())];
        let mut txt: BTreeMap<_, _> = pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        txt.retain(|_, value| !value.is_empty());
        txt.insert("uuid".to_owned(), uuid.clone());
        Self {
            instance: Self::onvif_instance(&uuid),
            name,
            address,
            others: Vec::new(),
            port,
            service: Service::Onvif,
            path: Some(path),
            sub_path: None,
            txt,
            how: How::Onvif,
        }
    }

    /// As in [`Found::instance`], for a device that announces itself by WS-Discovery.
    pub(crate) fn onvif_instance(uuid: &str) -> String {
        format!("{uuid}.onvif")
    }

    /// Whether what it says of itself fits what is pinned: a reason to look there, never a proof.
    pub fn fits(&self, pinned: &Evidence) -> bool {
        let uuid =
            self.txt.get("uuid").is_some_and(|uuid| pinned.uuid.as_deref() == Some(uuid.to_lowercase().as_str()));
        let mac = self.txt.get("mac").and_then(|mac| mac.parse().ok());
        let named = self.how == How::Mdns && pinned.instance.as_ref() == Some(&self.instance);
        let said = pinned.txt.is_some() && Evidence::naming_txt(&self.txt) == pinned.txt;
        uuid || named || said || (mac.is_some() && mac == pinned.mac)
    }

    /// The main stream, if the announcement tells; ONVIF devices must be asked.
    pub fn url(&self) -> Option<CameraUrl> {
        match self.service {
            Service::Rtsp => self.stream(self.port, self.path.as_deref().unwrap_or("/")),
            Service::AxisVideo => self.stream(554, self.path.as_deref().unwrap_or("/axis-media/media.amp")),
            Service::Onvif => None,
        }
    }

    /// The small stream, if the announcement tells of one.
    pub fn detect_url(&self) -> Option<CameraUrl> {
        match self.service {
            Service::Rtsp => self.stream(self.port, self.sub_path.as_deref()?),
            Service::AxisVideo => self.stream(554, self.sub_path.as_deref()?),
            Service::Onvif => None,
        }
    }

    /// A URL at this address whatever the path says: a path can name neither another host nor a user.
    fn stream(&self, port: u16, path: &str) -> Option<CameraUrl> {
        let mut url = Url::parse(&format!("rtsp://{}/", SocketAddr::new(self.address, port))).ok()?;
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(&format!("/{}", path.trim_start_matches('/')));
        url.set_query(query);
        url.as_str().parse().ok()
    }
}

/// What names an announcement, harmless as everything else.
pub(crate) fn instance(service: Service, fullname: &str) -> String {
    let label = fullname.strip_suffix(service.mdns_type()).unwrap_or(fullname).trim_end_matches('.');
    format!("{}.{}", cut(&unescape(label), LONGEST_VALUE), service.mdns_type().trim_end_matches('.'))
}

/// A stranger's text as it may stand on a page: without control characters and without the invisible ones that turn or hide
/// text, white space as single blanks, at most 64 characters.
pub fn plain_text(text: &str) -> String {
    cut(text, LONGEST_NAME)
}

fn cut(text: &str, longest: usize) -> String {
    let mut plain = String::new();
    let mut length = 0;
    for c in text.chars() {
        let c = if c.is_whitespace() { ' ' } else { c };
        if is_hidden(c) || (c == ' ' && (plain.is_empty() || plain.ends_with(' '))) {
            continue;
        }
        if length == longest {
            break;
        }
        plain.push(c);
        length += 1;
    }
    plain.truncate(plain.trim_end().len());
    plain
}

/// Control characters, and the format characters of Unicode that reorder, join or hide others.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// DNS-SD writes a dot within a label as `\.` (RFC 6763 4.3).
fn unescape(label: &str) -> String {
    let mut plain = String::with_capacity(label.len());
    let mut chars = label.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    plain
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn announced(name: &str, address: &str, path: &str) -> Found {
        let fullname = format!("{name}._rtsp._tcp.local.");
        let address = address.parse().expect("an address");
        let txt = [("Path", path), ("mac", "00:11:22:33:44:55")];
        Found::from_mdns(Service::Rtsp, &fullname, address, 554, txt.into_iter()).expect("a port")
    }

    #[test]
    fn a_path_with_a_query_is_kept_and_stays_at_its_address() {
        let url = |path| announced("Cam", "192.168.1.20", path).url().expect("a URL").to_string();
        assert_eq!(url("/cam?channel=1&subtype=0"), "rtsp://192.168.1.20:554/cam?channel=1&subtype=0");
        assert_eq!(url("main"), "rtsp://192.168.1.20:554/main");
        assert_eq!(url("//evil.example/x"), "rtsp://192.168.1.20:554/evil.example/x");
        assert_eq!(url("@evil.example/"), "rtsp://192.168.1.20:554/@evil.example/");
        assert_eq!(announced("Cam", "fd12::1", "/a").url().map(|u| u.host().to_owned()).as_deref(), Some("[fd12::1]"));
    }

    #[test]
    fn names_lose_what_turns_or_hides_text() {
        let name = |name| announced(name, "10.0.0.1", "/").name;
        assert_eq!(name("Porch\u{202e}gpj\u{0}\u{1b}[31m"), "Porchgpj[31m");
        assert_eq!(name("  Front\t\n door\\. 1 "), "Front door. 1");
        assert_eq!(name("\u{200b}"), "10.0.0.1");
        assert_eq!(name(&"ä".repeat(100)).chars().count(), 64);
    }

    #[test]
    fn an_onvif_announcement_is_evidence_but_no_stream() {
        let address = "10.0.0.1".parse().expect("an address");
        let found = Found::from_mdns(Service::Onvif, "Cam._onvif._tcp.local.", address, 80, std::iter::empty());
        assert_eq!(found.expect("a port").url(), None);
    }

    proptest! {
        #[test]
        fn any_announcement_is_cut_to_size_and_leads_nowhere_else(
            name in ".{0,300}", path in ".{0,300}",
            txt in prop::collection::vec((".{0,80}", ".{0,400}"), 0..60)
        ) {
            let address: IpAddr = "192.168.1.20".parse().expect("an address");
            let pairs = txt.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            let pairs = pairs.chain([("path", path.as_str())]);
            let found = Found::from_mdns(Service::Rtsp, &name, address, 554, pairs).expect("a port");
            prop_assert!((1..=64).contains(&found.name.chars().count()));
            prop_assert!(!found.name.chars().any(is_hidden) && !found.instance.chars().any(is_hidden));
            prop_assert!(found.txt.len() <= MOST_ENTRIES);
            prop_assert!(found.txt.values().all(|value| value.chars().count() <= LONGEST_VALUE));
            if let Some(url) = found.url() {
                prop_assert_eq!((url.host(), url.port()), ("192.168.1.20", 554));
            }
            prop_assert_eq!(plain_text(&found.name), found.name);
        }
    }
}
