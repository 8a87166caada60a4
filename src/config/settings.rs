//! Checked settings: what the rest of the program is given. Every value here has been found usable.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::units::{ByteLen, CameraId, Secret};

/// The whole configuration file, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where footage goes.
    pub storage: Storage,
    /// How long it stays.
    pub retention: Retention,
    /// The front door.
    pub web: Web,
    /// How cameras are found.
    pub discovery: Discovery,
    /// The cameras, by id.
    pub cameras: BTreeMap<CameraId, Camera>,
}

/// `[storage]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Storage {
    /// The folder.
    pub path: PathBuf,
    /// Free space that recording leaves to others.
    pub keep_free: KeepFree,
    /// How long a segment is, before the key frame that ends it.
    pub segment: Duration,
    /// How much a power cut may cost.
    pub sync: Duration,
}

/// `keep_free`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KeepFree {
    /// A part of the file system, 0 to 1.
    Part(f64),
    /// So many bytes.
    Bytes(ByteLen),
}

impl KeepFree {
    /// In bytes, of a file system of that size.
    pub fn of(self, total: ByteLen) -> ByteLen {
        match self {
            Self::Bytes(bytes) => bytes,
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a part, 0 to 1, of a disk's size; a few bytes do not matter"
            )]
            Self::Part(part) => ByteLen((total.0 as f64 * part) as u64),
        }
    }
}

/// `[retention]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How long footage without motion stays.
    pub continuous: Duration,
    /// How long footage around an event stays.
    pub motion: Duration,
}

/// `[web]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: Tls,
    /// Names it answers to besides its addresses, `hearthwatch.local` and `localhost`; lower case.
    pub hosts: Vec<String>,
    /// Proxies whose word about the caller is believed.
    pub proxies: Vec<IpAddr>,
}

/// `web.tls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// By the household's own authority.
    Auto,
    /// Plain HTTP: on loopback, or because the owner insists.
    Off,
}

impl Tls {
    /// With which an address of the pages begins.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Auto => "https",
            Self::Off => "http",
        }
    }
}

/// `[discovery]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discovery {
    /// Ask by mDNS.
    pub mdns: bool,
    /// Ask by ONVIF's WS-Discovery.
    pub onvif: bool,
    /// Take in what was found without being asked.
    pub auto_add: bool,
}

/// `[cameras.ID]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Camera {
    /// What the household calls it.
    pub name: String,
    /// The main stream.
    pub url: CameraUrl,
    /// The small stream, for motion and the live grid.
    pub detect_url: Option<CameraUrl>,
    /// Who signs in at the camera; never sent before the camera asks by digest.
    pub credentials: Option<Credentials>,
    /// Whether it may be at an address that is none of a household.
    pub outside_lan: bool,
    /// How RTP travels.
    pub transport: Transport,
    /// What is kept.
    pub record: RecordMode,
    /// Whether sound is kept.
    pub audio: bool,
    /// What counts as motion.
    pub motion: Motion,
}

/// An `rtsp://` URL that cannot hold a user name or password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CameraUrl(Url);

/// Why a text is no camera URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CameraUrlError {
    /// Not a URL at all.
    #[error("this is not a URL; write it as \"rtsp://192.168.1.20/main\"")]
    NotAUrl,
    /// Another scheme.
    #[error("a camera's URL begins with rtsp://")]
    Scheme,
    /// A name or password in it.
    #[error("write the user name and password as username = and password_file =, not into the URL")]
    Credentials,
    /// No host.
    #[error("the URL names no host; write it as \"rtsp://192.168.1.20/main\"")]
    Host,
}

impl CameraUrl {
    /// The URL, for the client that connects.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Host as written.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Port; RTSP's own if none was given.
    pub fn port(&self) -> u16 {
        self.0.port().unwrap_or(554)
    }
}

impl std::str::FromStr for CameraUrl {
    type Err = CameraUrlError;

    fn from_str(text: &str) -> Result<Self, CameraUrlError> {
        let url = Url::parse(text).map_err(|_| CameraUrlError::NotAUrl)?;
        if url.scheme() != "rtsp" {
            return Err(CameraUrlError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(CameraUrlError::Credentials);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(CameraUrlError::Host);
        }
        Ok(Self(url))
    }
}

impl std::fmt::Display for CameraUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A camera's user name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// `transport`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Within the RTSP connection; falls back to UDP where the camera answers 461.
    Tcp,
    /// Beside it.
    Udp,
}

/// `record`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordMode {
    /// Everything.
    Continuous,
    /// Only what is around an event.
    Motion,
    /// Nothing.
    Off,
}

impl RecordMode {
    /// The configuration's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Continuous => "continuous",
            Self::Motion => "motion",
            Self::Off => "off",
        }
    }
}

/// `[cameras.ID.motion]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Motion {
    /// Whether motion is looked for.
    pub enabled: bool,
    /// What is decoded to look for it.
    pub decode: Decode,
    /// 0 (hardly ever) to 1 (at everything).
    pub sensitivity: f32,
    /// What moves for a shorter time is no event.
    pub least: Duration,
    /// How much a clip shows before an event.
    pub pre: Duration,
    /// How much a clip shows after it.
    pub post: Duration,
    /// No motion here.
    pub masks: Vec<Polygon>,
    /// Named areas.
    pub zones: BTreeMap<String, Zone>,
}

impl Motion {
    /// Masks of one camera, at most.
    pub const MOST_MASKS: usize = 32;
    /// Zones of one camera, at most.
    pub const MOST_ZONES: usize = 32;
}

impl Default for Motion {
    fn default() -> Self {
        Self {
            enabled: true,
            decode: Decode::All,
            sensitivity: 0.5,
            least: Duration::ZERO,
            pre: Duration::from_secs(5),
            post: Duration::from_secs(10),
            masks: Vec::new(),
            zones: BTreeMap::new(),
        }
    }
}

/// Which pictures are decoded to look for motion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decode {
    /// All of them, as long as this machine keeps up.
    All,
    /// Key frames alone, and all of them only from the key frame before something stirs on.
    KeyFrames,
}

/// At least three corners `[x, y]`, each 0 to 1 of the picture's width and height.
#[derive(Debug, Clone, PartialEq)]
pub struct Polygon(pub Vec<[f32; 2]>);

impl Polygon {
    /// Corners of one, at most.
    pub const MOST_CORNERS: usize = 64;

    /// Whether less than about a pixel of a picture that is 320 wide lies within, by the shoelace formula: a polygon whose
    /// halves cancel out, as a crossed one, counts as nothing.
    #[must_use]
    pub fn encloses_nothing(&self) -> bool {
        const LEAST_AREA: f64 = 1e-5;
        let corners = || self.0.iter().map(|corner| corner.map(f64::from));
        let next = corners().cycle().skip(1);
        let doubled: f64 = corners().zip(next).map(|([x1, y1], [x2, y2])| x1 * y2 - x2 * y1).sum();
        doubled.abs() / 2.0 < LEAST_AREA
    }
}

/// `[cameras.ID.motion.zones.NAME]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// Where it is.
    pub area: Polygon,
    /// Its own, instead of the camera's: 0 (hardly ever) to 1 (at everything).
    pub sensitivity: Option<f32>,
}

impl Zone {
    /// Whether a zone may be called so.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_';
        (1..=40).contains(&name.len()) && name.bytes().all(allowed)
    }
}
