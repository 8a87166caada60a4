//! The command line as it is typed: raw arguments, nothing decided.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::detect::sandbox::{Layer, Probe};
use crate::fake_camera;
use crate::units::Secret;

/// A home video recorder that keeps the household's footage in the house.
#[derive(Debug, Parser)]
#[command(name = "hearthwatch", version, about, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Record, watch and serve, in the foreground
    Run(Run),
    /// Try everything without a camera: simulated cameras, found, recorded, watched and served on this machine
    Demo(Demo),
    /// Be one simulated RTSP camera
    FakeCamera(Box<FakeCamera>),
    /// List the cameras that the network announces
    Discover(Discover),
    /// Run the motion detector over a video file
    Motion(Motion),
    /// Say everything that is wrong with a configuration file
    CheckConfig(CheckConfig),
    /// Hold the index against the disk and say what is wrong
    Check(Check),
    /// Manage who may sign in
    #[command(subcommand)]
    User(User),
    /// Print a code by which a recorder without an owner gets one; codes printed before are worth nothing then
    ClaimCode(ConfigFile),
    /// Say what is wrong with this installation, and what to do about it
    Doctor(ConfigFile),
    /// Write the manual pages and the shells' completions; for the package
    #[command(hide = true)]
    Manual {
        /// Where to
        folder: PathBuf,
    },
    /// The decoder process of one camera; started by `run`, not by hand
    #[command(hide = true)]
    Decoder(Decoder),
}

#[derive(Debug, Args)]
pub(crate) struct Decoder {
    /// Decode nothing; try once to do what a hijacked decoder would do, and say whether it could be done
    #[arg(long, value_name = "WHAT")]
    pub(crate) probe: Option<Probe>,
    /// … behind this layer of the sandbox alone
    #[arg(long, value_name = "LAYER", requires = "probe")]
    pub(crate) only: Option<Layer>,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/hearthwatch/config.toml")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// Look for cameras on this machine itself instead of the network
    #[arg(long, hide = true)]
    pub(crate) loopback: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// How many cameras, 1 to 16
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) cameras: u8,
    /// Where footage goes and stays; without it a temporary folder, removed at the end
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Where the pages are served; without it 127.0.0.1:8080, or any free port if that one is taken
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
#[derive(Debug, Args)]
pub(crate) struct FakeCamera {
    /// Where it listens
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8554")]
    pub(crate) listen: SocketAddr,
    /// What it is called
    #[arg(long, default_value = "Fake camera")]
    pub(crate) name: String,
    /// What it sees: walker, empty, night or lights
    #[arg(long, default_value = "walker")]
    pub(crate) scene: fake_camera::Scene,
    /// Loop this file instead of drawing a scene
    #[arg(long, value_name = "CLIP.mp4")]
    pub(crate) file: Option<PathBuf>,
    /// How it codes what it draws: h264 or h265
    #[arg(long, default_value = "h264")]
    pub(crate) codec: fake_camera::Codec,
    /// How it codes its sub stream, if otherwise
    #[arg(long, value_name = "CODEC")]
    pub(crate) sub_codec: Option<fake_camera::Codec>,
    /// Send a tone, too: pcma or pcmu (G.711)
    #[arg(long, value_name = "CODEC")]
    pub(crate) audio: Option<fake_camera::SoundCodec>,
    /// Say when somebody walks through the scene, too (ONVIF metadata)
    #[arg(long)]
    pub(crate) metadata: bool,
    /// The number painted into the picture for machines to read
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) watermark: u16,
    /// Picture size of the main stream
    #[arg(long, value_name = "WxH", default_value = "1280x720", value_parser = size)]
    pub(crate) size: (u32, u32),
    /// Pictures a second of the main stream
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) fps: u32,
    /// Ask for this user name, by digest
    #[arg(long, requires = "password")]
    pub(crate) user: Option<String>,
    /// … and this password
    #[arg(long, requires = "user")]
    pub(crate) password: Option<String>,
    /// Announce it by mDNS
    #[arg(long)]
    pub(crate) mdns: bool,
    /// Be an ONVIF device: WS-Discovery and SOAP
    #[arg(long)]
    pub(crate) onvif: bool,
    /// What goes wrong, comma separated: stall@20s:5s, drop@20s:10s, garbage@20s:2s, cseq@20s:2s, jump@20s:-1h, wrap@20s,
    /// b-frames, resolution@20s:640x360, loss:5%, rtcp-silent, basic; with --metadata: mute, sulk, mumble@20s:5s, shout@20s,
    /// drone@20s:5s
    #[arg(long, value_name = "FAULTS", default_value = "", hide_default_value = true)]
    pub(crate) fault: fake_camera::Faults,
    /// End with the process that started it
    #[arg(long, hide = true)]
    pub(crate) with_parent: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Discover {
    /// How long to listen
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) seconds: u32,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Look on this machine itself instead of the network
    #[arg(long)]
    pub(crate) loopback: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Motion {
    /// The video
    pub(crate) file: PathBuf,
    /// One JSON object instead of a line an interval
    #[arg(long)]
    pub(crate) json: bool,
    /// Take masks, zones and sensitivity from this configuration …
    #[arg(long, value_name = "FILE", requires = "camera")]
    pub(crate) config: Option<PathBuf>,
    /// … of this camera
    #[arg(long, value_name = "NAME", requires = "config")]
    pub(crate) camera: Option<String>,
    /// Decode only key frames while nothing moves, as for a camera whose settings say so, or when the recorder is too busy
    #[arg(long)]
    pub(crate) key_frames: bool,
    /// Put pictures of what was seen, and why it did or did not count, into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) explain: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckConfig {
    /// The configuration file
    #[arg(value_name = "FILE", default_value = "/etc/hearthwatch/config.toml")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Mend what can be mended; the daemon must be stopped, and no footage is removed
    #[arg(long)]
    pub(crate) repair: bool,
    /// One JSON object instead of a line a finding
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigFile,
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Add a person; the password is read from standard input
    Add {
        /// The name to sign in with
        name: String,
        /// owner, member or guest
        #[arg(long)]
        role: String,
        /// The cameras that person may see, by id, comma separated; an owner sees all without it
        #[arg(long, value_delimiter = ',')]
        cameras: Vec<String>,
        /// When that person's time is over: a length from now, as 12h or 7d, or a local time, as 2026-12-24T18:00
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// List everybody
    List {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Set a password, read from standard input; ends that person's sessions
    Passwd {
        /// The name
        name: String,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Make an access token for a program and print it, once; it may do what that person may do
    Token {
        /// The name
        name: String,
        /// Which program it is for, as that person's list will say it
        #[arg(long, default_value = "A program")]
        label: String,
        /// How long it holds
        #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: u32,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Remove a person
    Remove {
        /// The name
        name: String,
        #[command(flatten)]
        config: ConfigFile,
    },
}

impl Command {
    /// What is logged unless `RUST_LOG` says otherwise. Whoever looks at the demo looks for its link: it and its cameras say
    /// what is wrong and nothing else.
    pub(crate) fn usual_log(&self) -> &'static str {
        match self {
            Self::Demo(_) => "warn",
            Self::FakeCamera(camera) if camera.with_parent => "warn",
            _ => "warn,hearthwatch=info",
        }
    }
}

impl User {
    /// The installation that it is about.
    pub(crate) fn config(&self) -> &ConfigFile {
        match self {
            Self::Add { config, .. }
            | Self::List { config }
            | Self::Passwd { config, .. }
            | Self::Token { config, .. }
            | Self::Remove { config, .. } => config,
        }
    }
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    parsed.ok_or_else(|| "a size is written as 1280x720".to_owned())
}

impl From<FakeCamera> for fake_camera::Options {
    fn from(typed: FakeCamera) -> Self {
        let credentials = typed
            .user
            .zip(typed.password)
            .map(|(user, password)| fake_camera::Credentials { user, password: Secret::new(password) });
        Self {
            listen: typed.listen,
            name: typed.name,
            scene: typed.scene,
            file: typed.file,
            codec: typed.codec,
            sub_codec: typed.sub_codec,
            audio: typed.audio,
            metadata: typed.metadata,
            watermark: typed.watermark,
            credentials,
            mdns: typed.mdns,
            onvif: typed.onvif,
            size: typed.size,
            fps: typed.fps,
            faults: typed.fault,
        }
    }
}
