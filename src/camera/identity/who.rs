//! A device as a sentence names it. Pure.

use std::fmt;

use crate::units::CameraId;

/// Which device is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The one that has this.
    With(Mark, String),
    /// One of which this cannot be seen from here.
    Without(Mark),
    /// A camera that the household does not have yet.
    New,
    /// A camera of the household.
    SetUpAs(CameraId),
}

/// What a device is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Of its network card.
    MacAddress,
    /// The endpoint reference of WS-Discovery.
    OnvifId,
    /// As it says itself.
    SerialNumber,
    /// How it asks for a password.
    PasswordQuestion,
    /// What it announces besides its name.
    AnnouncedId,
    /// How it describes what it sends.
    Stream,
}

/// Why it is not certain who answers, although nothing contradicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// Another firmware, or another camera.
    #[error("its streams are described otherwise than before, and its network card cannot be seen from here")]
    OtherStreams,
    /// What is known fits many devices.
    #[error("it looks like the camera that was set up, and so would another one of the same model")]
    LooksAlike,
    /// Nothing is.
    #[error("nothing is known by which it could be told from another camera")]
    NothingKnown,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::With(mark, value) => write!(f, "the device with {mark} {value}"),
            Self::Without(mark) => write!(f, "one whose {mark} cannot be seen from here"),
            Self::New => f.write_str("a camera that is not yet set up"),
            Self::SetUpAs(camera) => write!(f, "the one that is set up as {camera}"),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MacAddress => "MAC address",
            Self::OnvifId => "ONVIF id",
            Self::SerialNumber => "serial number",
            Self::PasswordQuestion => "password question",
            Self::AnnouncedId => "announced id",
            Self::Stream => "stream",
        })
    }
}
