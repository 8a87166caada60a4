//! What a client has set up, and what it is being sent.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::units::Monotonic;

use super::Camera;
use super::metadata::Words;
use super::nal::AccessUnit;
use super::request::Request;
use super::rtp::{PAYLOAD_TYPE, Packetizer, Sender};
use super::sdp::{METADATA_TRACK, SOUND_TRACK};
use super::sound::Voice;
use super::stream::Stream;
use super::transport::Transport;

/// From SETUP to TEARDOWN.
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) stream: Arc<Stream>,
    pub(crate) transport: Transport,
    /// The sound, if it was set up as well, and its own way.
    pub(crate) sound: Option<(Voice, Transport)>,
    /// What the camera says itself, likewise.
    pub(crate) words: Option<(Words, Transport)>,
    /// From PLAY on.
    pub(crate) player: Option<Player>,
    /// When the client last sent anything.
    pub(crate) heard: Monotonic,
    /// The packetizer begins with these.
    pub(crate) random: [u8; 10],
}

impl Session {
    pub(crate) fn new(stream: Arc<Stream>, transport: Transport, now: Monotonic) -> Self {
        let id = format!("{:016X}", u64::from_be_bytes(super::random()));
        Self { id, stream, transport, sound: None, words: None, player: None, heard: now, random: super::random() }
    }

    /// Whether the request's `Session` header means this one.
    pub(crate) fn is_named(&self, request: &Request) -> bool {
        request.header("Session").is_some_and(|id| id.split(';').next() == Some(self.id.as_str()))
    }

    /// The source id of its packets.
    pub(crate) fn ssrc(&self) -> u32 {
        Sender::new(PAYLOAD_TYPE, self.random).ssrc()
    }
}

/// A track beside the pictures, as it is set up.
pub(crate) enum Beside {
    Sound(Voice),
    Words(Words),
}

impl Beside {
    /// `None` if the path is none of such a track of that camera.
    pub(crate) fn of(path: &str, camera: &Camera) -> Option<Self> {
        if path.ends_with(SOUND_TRACK) {
            camera.sound.map(|codec| Self::Sound(Voice::new(codec, super::random())))
        } else if path.ends_with(METADATA_TRACK) {
            camera.metadata.map(|(scene, number)| Self::Words(Words::new(scene, number, super::random())))
        } else {
            None
        }
    }

    pub(crate) fn track(&self) -> &'static str {
        match self {
            Self::Sound(_) => SOUND_TRACK,
            Self::Words(_) => METADATA_TRACK,
        }
    }

    /// Those that it gets if the client leaves the choice.
    pub(crate) fn channels(&self) -> (u8, u8) {
        match self {
            Self::Sound(_) => (2, 3),
            Self::Words(_) => (4, 5),
        }
    }

    pub(crate) fn ssrc(&self) -> u32 {
        match self {
            Self::Sound(voice) => voice.sender().ssrc(),
            Self::Words(words) => words.sender().ssrc(),
        }
    }
}

/// From PLAY on.
pub(crate) struct Player {
    pub(crate) pictures: broadcast::Receiver<Arc<AccessUnit>>,
    pub(crate) packetizer: Packetizer,
    has_begun: bool,
    /// For what happens by chance.
    chance: u64,
}

impl Player {
    pub(crate) fn new(pictures: broadcast::Receiver<Arc<AccessUnit>>, packetizer: Packetizer) -> Self {
        // Any number but 0; which one does not matter.
        let chance = u64::from(packetizer.sender().ssrc()) << 1 | 1;
        Self { pictures, packetizer, has_begun: false, chance }
    }

    /// Whether pictures are being sent; sound goes with them.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// The next picture that is sent will be a key frame.
    pub(crate) fn begin_anew(&mut self) {
        self.has_begun = false;
    }

    /// 16 bits by chance (xorshift64).
    pub(crate) fn chance(&mut self) -> u16 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        u16::try_from(self.chance >> 48).unwrap_or_default()
    }

    /// Whether a picture is to be sent: the first one must be a key frame.
    pub(crate) fn begins_or_goes_on(&mut self, unit: &AccessUnit) -> bool {
        self.has_begun |= unit.is_key;
        self.has_begun
    }
}
