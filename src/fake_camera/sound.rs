//! What the camera hears: a tone that is another each second, and a hiss that never repeats, so that a test knows which samples
//! it got. Coded by ITU-T G.711, as telephones and most cheap cameras do. Pure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::rtp::Sender;

/// Samples a second.
pub const RATE: u32 = 8_000;

/// Samples in a packet: 20 ms.
const PACKET: u64 = 160;

/// Loud, but not at the end of the scale.
const AMPLITUDE: f64 = 9_000.0;

/// How the camera codes what it hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SoundCodec {
    /// G.711 A-law.
    Pcma,
    /// G.711 µ-law.
    Pcmu,
}

/// A text that names no codec for sound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sound is pcma or pcmu, not {0:?}")]
pub struct ParseSoundError(String);

impl FromStr for SoundCodec {
    type Err = ParseSoundError;

    fn from_str(text: &str) -> Result<Self, ParseSoundError> {
        match text {
            "pcma" => Ok(Self::Pcma),
            "pcmu" => Ok(Self::Pcmu),
            other => Err(ParseSoundError(other.to_owned())),
        }
    }
}

impl fmt::Display for SoundCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pcma => "pcma",
            Self::Pcmu => "pcmu",
        })
    }
}

impl SoundCodec {
    /// The static payload type (RFC 3551, 6).
    pub(crate) fn payload_type(self) -> u8 {
        match self {
            Self::Pcma => 8,
            Self::Pcmu => 0,
        }
    }

    /// As an SDP names it.
    pub(crate) fn encoding_name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
        }
    }

    /// The code of the sample of that number, counted from the camera's start.
    pub fn code(self, number: u64) -> u8 {
        match self {
            Self::Pcma => a_law(tone(number)),
            Self::Pcmu => mu_law(tone(number)),
        }
    }
}

/// The sample of that number on a linear scale of 16 bits.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "small whole numbers; the amplitude fits"
)]
fn tone(number: u64) -> i16 {
    let (second, within) = (number / u64::from(RATE), number % u64::from(RATE));
    // Whole oscillations a second, so that seconds meet without a click.
    let hertz = 200 + second % 101 * 7;
    let phase = (hertz * within % u64::from(RATE)) as f64 / f64::from(RATE);
    let hiss = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55;
    ((phase * std::f64::consts::TAU).sin() * AMPLITUDE + hiss as f64 - 256.0).round() as i16
}

fn a_law(value: i16) -> u8 {
    let (mask, magnitude) = if value >= 0 { (0xd5, value >> 3) } else { (0x55, !(value >> 3)) };
    let exponent = exponent(magnitude, 0x1f);
    let mantissa = magnitude >> exponent.max(1) & 15;
    (exponent << 4 | mantissa).to_be_bytes()[1] ^ mask
}

fn mu_law(value: i16) -> u8 {
    let (mask, magnitude) = if value >= 0 { (0xff, value >> 2) } else { (0x7f, -(value >> 2)) };
    let magnitude = magnitude.min(8158) + 33;
    let exponent = exponent(magnitude, 0x3f);
    let mantissa = magnitude >> (exponent + 1) & 15;
    (exponent << 4 | mantissa).to_be_bytes()[1] ^ mask
}

/// How often the first limit must be doubled for the magnitude to be within.
fn exponent(magnitude: i16, first: i16) -> i16 {
    (0..7).find(|n| magnitude < (first + 1) << n).unwrap_or(7)
}

/// The sound of one client's session, cut into RTP packets.
pub(crate) struct Voice {
    codec: SoundCodec,
    sender: Sender,
    /// The sample that is sent next; none before the first look.
    next: Option<u64>,
}

impl Voice {
    /// `random` as for [`Sender::new`].
    pub(crate) fn new(codec: SoundCodec, random: [u8; 10]) -> Self {
        Self { codec, sender: Sender::new(codec.payload_type(), random), next: None }
    }

    pub(crate) fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The packets that are complete at that time of the camera's, each sample of which was heard before. `stamp`: from a time
    /// in 90 kHz ticks to the one that is sent.
    pub(crate) fn due(&mut self, now: Duration, stamp: impl Fn(i64) -> i64) -> Vec<Vec<u8>> {
        let heard = u64::try_from(now.as_micros() * u128::from(RATE) / 1_000_000).unwrap_or(u64::MAX);
        let mut next = self.next.unwrap_or(heard / PACKET * PACKET);
        let mut packets = Vec::new();
        while next.saturating_add(PACKET) <= heard {
            let codes: Vec<u8> = (next..next + PACKET).map(|number| self.codec.code(number)).collect();
            let timestamp = samples(stamp(i64::try_from(next).unwrap_or(i64::MAX).saturating_mul(45) / 4));
            packets.push(self.sender.packet(timestamp, &codes));
            next += PACKET;
        }
        self.next = Some(next);
        packets
    }

    /// The RTP timestamp of a time in 90 kHz ticks.
    pub(crate) fn timestamp(&self, media: i64) -> u32 {
        self.sender.timestamp(samples(media))
    }
}

/// From 90 kHz ticks.
fn samples(media: i64) -> i64 {
    media.wrapping_mul(4) / 45
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_camera::rtp;

    #[test]
    fn values_are_coded_as_the_standard_says() {
        for (value, code) in
            [(0, 0xd5), (-1, 0x55), (8, 0xd5), (264, 0xc5), (32_256, 0xaa), (-32_768, 0x2a), (5504, 0x80)]
        {
            assert_eq!(a_law(value), code, "A-law {value}");
        }
        for (value, code) in [(0, 0xff), (8, 0xfe), (132, 0xef), (32_124, 0x80), (i16::MAX, 0x80), (i16::MIN, 0x00)] {
            assert_eq!(mu_law(value), code, "µ-law {value}");
        }
    }

    #[test]
    fn packets_follow_each_other_and_none_is_of_the_future() {
        let mut voice = Voice::new(SoundCodec::Pcma, [3; 10]);
        assert_eq!(voice.due(Duration::from_millis(1_005), |ticks| ticks), Vec::<Vec<u8>>::new());
        let packets = voice.due(Duration::from_millis(1_059), |ticks| ticks);
        assert_eq!(packets.len(), 2);
        let stamp = |packet: &[u8]| u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        assert_eq!(stamp(&packets[1]).wrapping_sub(stamp(&packets[0])), 160);
        assert_eq!(stamp(&packets[0]), voice.timestamp(90_000));
        let codes: Vec<_> = (8_000..8_160).map(|number| SoundCodec::Pcma.code(number)).collect();
        assert_eq!((&packets[0][1], rtp::payload(&mut packets[0].clone())), (&8, &mut codes.clone()[..]));
    }
}
