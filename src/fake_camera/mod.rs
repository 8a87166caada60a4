//! A simulated camera: RTSP with digest authentication, H.264 or H.265, G.711 and ONVIF metadata over TCP and UDP, mDNS.
//!
//! It draws its own scene, or loops a file. What it shows carries the time, the camera's name and a number that programs
//! read ([`watermark`]), so that a test knows from which camera, and from when, any picture is. The scene knows at which
//! times somebody walks through ([`walks`]).

mod announce;
mod connection;
mod digest;
mod encoder;
mod fault;
mod figure;
mod font;
mod garden;
mod looped;
mod metadata;
mod nal;
mod onvif;
mod picture;
mod request;
mod rtp;
mod scene;
mod scenery;
mod sdp;
mod session;
mod sound;
mod stream;
mod texture;
mod transport;
pub mod watermark;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::units::Clock;

pub use announce::{SERVICE, daemon as mdns_daemon};
pub use digest::Credentials;
pub use encoder::EncodeError;
pub use fault::{Faults, ParseFaultError};
pub use looped::LoopError;
pub use nal::{Codec, ParseCodecError};
pub use picture::{Area, Colour, Picture, Plane};
pub use scene::{Drawing, ParseSceneError, Scene, Walk, walks};
pub use sound::{ParseSoundError, RATE as SOUND_RATE, SoundCodec};

use connection::Connection;
use encoder::Coding;
use stream::{Source, Stream};

/// Connections at the same time.
const MOST_CLIENTS: usize = 64;

/// What a fake camera is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Its name: in the picture, in the SDP and in the announcement. Not empty.
    pub name: String,
    /// What happens before it, unless it loops a file.
    pub scene: Scene,
    /// A video file to loop as both streams.
    pub file: Option<PathBuf>,
    /// How the scene is coded.
    pub codec: Codec,
    /// How the sub stream is coded, if unlike the main stream.
    pub sub_codec: Option<Codec>,
    /// How it codes what it hears; it is deaf, if `None`.
    pub audio: Option<SoundCodec>,
    /// Whether it says itself when somebody walks through its scene, on a track of ONVIF metadata.
    pub metadata: bool,
    /// The number in its pictures; also chooses what it looks at and when somebody walks.
    pub watermark: u16,
    /// Who may watch; everybody, if `None`.
    pub credentials: Option<Credentials>,
    /// Whether it announces itself by mDNS.
    pub mdns: bool,
    /// Whether it is an ONVIF device; it needs an IPv4 address of its own then.
    pub onvif: bool,
    /// Width and height of the main stream, in pixels: even numbers, 320×180 to 3840×2160.
    pub size: (u32, u32),
    /// Pictures a second of the main stream, 1 to 60; the sub stream has at most 8.
    pub fps: u32,
    /// What goes wrong.
    pub faults: Faults,
}

impl Default for Options {
    /// A camera with 1280×720 pixels at 15 pictures a second, on port 8554 of this machine, for everybody.
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8554).into(),
            name: "Fake camera".to_owned(),
            scene: Scene::Walker,
            file: None,
            codec: Codec::H264,
            sub_codec: None,
            audio: None,
            metadata: false,
            watermark: 0,
            credentials: None,
            mdns: false,
            onvif: false,
            size: (1280, 720),
            fps: 15,
            faults: Faults::default(),
        }
    }
}

/// What is known once the camera listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyInfo {
    /// Where it listens, with the port it got.
    pub address: SocketAddr,
    /// The main stream's URL, without credentials.
    pub main_url: String,
    /// The sub stream's URL, without credentials.
    pub sub_url: String,
    /// Its serial number: 12 hexadecimal digits, also `id=` in the announcement and in the digest realm.
    pub serial: String,
}

/// Why a fake camera cannot be, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum FakeCameraError {
    /// The address is taken or not this machine's.
    #[error("listening on {address}: {source}; choose a free address of this machine with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Out of range or odd.
    #[error("a picture of {0}×{1} pixels is not possible: both even, from 320×180 to 3840×2160")]
    Size(u32, u32),
    /// Out of range.
    #[error("{0} pictures a second are not possible: 1 to 60")]
    Fps(u32),
    /// Empty, or too long for an announcement.
    #[error("a camera's name has 1 to 60 bytes and no control characters, unlike {0:?}")]
    Name(String),
    /// It cannot be sent in a header.
    #[error("a user's name has no quotation marks and no control characters, unlike {0:?}")]
    User(String),
    /// ONVIF devices are asked at their own address.
    #[error("an ONVIF device needs an IPv4 address of its own, unlike {0}; choose one with --listen")]
    OnvifAddress(std::net::IpAddr),
    /// Pictures cannot be coded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The file cannot be looped.
    #[error(transparent)]
    Loop(#[from] LoopError),
    /// mDNS does not work here.
    #[error("announcing the camera by mDNS: {0}; leave --mdns away if this machine has no multicast")]
    Announce(#[from] mdns_sd::Error),
    /// A bug: the task panicked.
    #[error("the stream's task panicked")]
    Stream,
}

/// Who the camera is: the same for the same name and number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    serial: String,
    number: u64,
}

impl Identity {
    fn of(name: &str, watermark: u16) -> Self {
        let hash = Sha256::digest(format!("hearthwatch fake camera\n{watermark}\n{name}"));
        let number = hash[..6].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        Self { serial: format!("{number:012x}"), number }
    }

    fn serial(&self) -> &str {
        &self.serial
    }

    fn number(&self) -> u64 {
        self.number
    }
}

/// What all connections share.
struct Camera {
    name: String,
    realm: String,
    identity: Identity,
    credentials: Option<Credentials>,
    /// Connections that were asked for a password.
    asked: AtomicUsize,
    main: Arc<Stream>,
    sub: Arc<Stream>,
    sound: Option<SoundCodec>,
    /// What it speaks of, if it speaks: its scene, and its number.
    metadata: Option<(Scene, u16)>,
    faults: Faults,
    clock: Clock,
}

impl Options {
    fn check(&self) -> Result<(), FakeCameraError> {
        let (width, height) = self.size;
        if !is_possible(self.size) {
            return Err(FakeCameraError::Size(width, height));
        }
        if !(1..=60).contains(&self.fps) {
            return Err(FakeCameraError::Fps(self.fps));
        }
        // A DNS label holds 63 bytes.
        if self.name.is_empty() || self.name.len() > 60 || self.name.chars().any(char::is_control) {
            return Err(FakeCameraError::Name(self.name.clone()));
        }
        match &self.credentials {
            Some(Credentials { user, .. }) if user.chars().any(|c| c == '"' || c.is_control()) => {
                Err(FakeCameraError::User(user.clone()))
            }
            _ => Ok(()),
        }
    }

    fn main_coding(&self, (width, height): (u32, u32)) -> Coding {
        Coding {
            codec: self.codec,
            width,
            height,
            fps: self.fps,
            group: self.fps * 2,
            bits_per_second: bits(width, height, self.fps, 11),
            b_frames: self.faults.b_frames(),
        }
    }

    fn sub_coding(&self) -> Coding {
        let (width, height) = self.size;
        let sub_width = if width > 640 { 640 } else { (width / 4 * 2).max(320) };
        let sub_height = (height * sub_width / width).next_multiple_of(2);
        let fps = self.fps.min(8);
        Coding {
            codec: self.sub_codec.unwrap_or(self.codec),
            width: sub_width,
            height: sub_height,
            fps,
            group: fps * 2,
            bits_per_second: bits(sub_width, sub_height, fps, 14),
            b_frames: self.faults.b_frames(),
        }
    }

    fn device(&self, camera: &Camera, rtsp: SocketAddr) -> onvif::Device {
        onvif::Device {
            name: self.name.clone(),
            serial: camera.identity.serial().to_owned(),
            rtsp,
            credentials: self.credentials.clone(),
            streams: [self.main_coding(self.size), self.sub_coding()],
        }
    }

    /// `changes`: how it is coded later, from when on.
    fn source(&self, coding: Coding, changes: Vec<(Duration, Coding)>) -> Source {
        match &self.file {
            Some(path) => Source::File(path.clone()),
            None => {
                Source::Drawn { scene: self.scene, number: self.watermark, name: self.name.clone(), coding, changes }
            }
        }
    }
}

/// Whether there can be pictures of so many pixels.
fn is_possible((width, height): (u32, u32)) -> bool {
    let fits = (320..=3840).contains(&width) && (180..=2160).contains(&height);
    fits && width.is_multiple_of(2) && height.is_multiple_of(2)
}

/// A usual rate for pictures of that size, from hundredths of a bit for each pixel.
fn bits(width: u32, height: u32, fps: u32, hundredths: u32) -> u32 {
    (width * height / 100).saturating_mul(fps).saturating_mul(hundredths).clamp(100_000, 12_000_000)
}

/// Runs a fake camera until `stop`; `on_ready` is called once, as soon as clients can connect.
///
/// The scene begins when this is called. `clock` must be the real one: pictures are made as time goes by. Not to be cancelled by dropping: `stop` takes the announcement back.
pub async fn run(
    options: Options,
    clock: Clock,
    stop: CancellationToken,
    on_ready: impl FnOnce(ReadyInfo),
) -> Result<(), FakeCameraError> {
    options.check()?;
    if let Some(path) = options.file.clone() {
        // Complaints belong to the start, not to the first client.
        let opened = tokio::task::spawn_blocking(move || looped::Pass::open(&path).map(drop)).await;
        opened.map_err(|_| FakeCameraError::Stream)??;
    }
    let failed = |source| FakeCameraError::Listen { address: options.listen, source };
    let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let epoch = clock.monotonic();
    let identity = Identity::of(&options.name, options.watermark);
    let stream = |coding, changes| Arc::new(Stream::new(options.source(coding, changes), clock.clone(), epoch));
    let sizes = options.faults.sizes().into_iter();
    let changes = sizes.map(|(at, size)| (at, options.main_coding(size))).collect();
    let (main, sub) = (stream(options.main_coding(options.size), changes), stream(options.sub_coding(), Vec::new()));
    let camera = Arc::new(Camera {
        realm: format!("Hearthwatch camera {}", identity.serial()),
        name: options.name.clone(),
        credentials: options.credentials.clone(),
        asked: AtomicUsize::new(0),
        main: Arc::clone(&main),
        sub: Arc::clone(&sub),
        identity,
        sound: options.audio,
        metadata: options.metadata.then_some((options.scene, options.watermark)),
        faults: options.faults.clone(),
        clock,
    });
    let announcement =
        if options.mdns { Some(announce::Announcement::new(&camera.name, &camera.identity, address)?) } else { None };

    let onvif = if options.onvif { Some(onvif::Server::new(options.device(&camera, address)).await?) } else { None };

    let within = stop.child_token();
    let mut streams = JoinSet::new();
    streams.spawn(main.serve(within.clone()));
    streams.spawn(sub.serve(within.clone()));
    let mut clients = JoinSet::new();
    let mut devices = JoinSet::new();
    if let Some(server) = onvif {
        devices.spawn(server.serve(within.clone()));
    }
    on_ready(ReadyInfo {
        address,
        main_url: format!("rtsp://{address}/main"),
        sub_url: format!("rtsp://{address}/sub"),
        serial: camera.identity.serial().to_owned(),
    });
    let outcome = loop {
        tokio::select! {
            () = stop.cancelled() => break Ok(()),
            accepted = listener.accept(), if clients.len() < MOST_CLIENTS => match accepted {
                Ok((socket, peer)) => {
                    let (camera, stop) = (Arc::clone(&camera), within.clone());
                    clients.spawn(async move {
                        info!(%peer, "a client connected");
                        let served = match Connection::new(camera, socket, peer) {
                            Ok(connection) => connection.serve(stop).await,
                            Err(error) => Err(error),
                        };
                        match served {
                            Ok(()) => info!(%peer, "a client left"),
                            Err(error) => info!(%peer, %error, "a client was dropped"),
                        }
                    });
                }
                Err(error) => debug!(%error, "a connection failed before it was taken"),
            },
            Some(_) = clients.join_next() => {}
            Some(ended) = streams.join_next() => match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => break Err(error),
                Err(_) => break Err(FakeCameraError::Stream),
            },
        }
    };
    within.cancel();
    if let Some(announcement) = announcement {
        announcement.withdraw().await;
    }
    while clients.join_next().await.is_some() {}
    while devices.join_next().await.is_some() {}
    while streams.join_next().await.is_some() {}
    outcome
}

/// Random bytes from the system.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("Linux gives random bytes once it has booted");
    bytes
}
