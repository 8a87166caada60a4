//! How a camera is doing, for the pages, the API and the log.

use std::sync::Arc;
use std::time::Duration;

use crate::camera::packet::StreamParameters;
use crate::camera::session::CameraError;
use crate::units::UtcMicros;

/// Where a stream's session stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Not connected; the next attempt is at `until`.
    Waiting {
        /// When it tries again.
        until: UtcMicros,
    },
    /// Asking the camera for its stream.
    Connecting,
    /// The camera answered; who it is and what it sends are being checked.
    Verifying,
    /// Pictures arrive.
    Streaming,
    /// It answered, but is not who or what it should be.
    Refused,
    /// The household switched it off.
    Paused {
        /// The user who did.
        by: String,
    },
}

impl Link {
    /// The name of [`Link::Paused`] in the API.
    pub const PAUSED: &'static str = "paused";

    /// The state's name in the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Connecting => "connecting",
            Self::Verifying => "verifying",
            Self::Streaming => "streaming",
            Self::Refused => "refused",
            Self::Paused { .. } => Self::PAUSED,
        }
    }
}

/// A snapshot of one stream of one camera; published through a `tokio::sync::watch`.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamStatus {
    /// Where the session stands.
    pub link: Link,
    /// Since when it stands there.
    pub since: UtcMicros,
    /// The last failure, kept until pictures arrive again.
    pub error: Option<CameraError>,
    /// What the stream is, once known.
    pub parameters: Option<Arc<StreamParameters>>,
    /// When the newest picture arrived.
    pub last_picture: Option<UtcMicros>,
    /// Pictures a second, over the last seconds.
    pub pictures_per_second: f32,
    /// Thousands of bits a second, over the last seconds.
    pub kbit_s: f32,
    /// The time between the last two key frames.
    pub key_frame_interval: Option<Duration>,
    /// Connections made after the first.
    pub reconnects: u64,
    /// RTP packets lost since the daemon started.
    pub lost_packets: u64,
}

/// A stream that was silent for so long is given up as soon as the camera is seen elsewhere or anew …
const LONGEST_SILENCE: Duration = Duration::from_secs(3);
/// … and one that sends many pictures a second after so long …
const SHORTEST_SILENCE: Duration = Duration::from_secs(1);
/// … which is so many pictures that should have come.
const MISSED_PICTURES: f32 = 4.0;

impl StreamStatus {
    /// How long nothing may come before the camera is looked for.
    pub fn silence(&self) -> Duration {
        let usual = Duration::try_from_secs_f32(MISSED_PICTURES / self.pictures_per_second).unwrap_or(LONGEST_SILENCE);
        usual.clamp(SHORTEST_SILENCE, LONGEST_SILENCE)
    }

    /// As it is before the first attempt.
    pub fn new(now: UtcMicros) -> Self {
        Self {
            link: Link::Connecting,
            since: now,
            error: None,
            parameters: None,
            last_picture: None,
            pictures_per_second: 0.0,
            kbit_s: 0.0,
            key_frame_interval: None,
            reconnects: 0,
            lost_packets: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_stream_may_be_silent_for_longer() {
        let silence = |rate| StreamStatus { pictures_per_second: rate, ..StreamStatus::new(UtcMicros(0)) }.silence();
        let ms = Duration::from_millis;
        assert_eq!([25.0, 2.0, 1.0, 0.0].map(silence), [ms(1000), ms(2000), ms(3000), ms(3000)]);
        assert_eq!([f32::NAN, -1.0].map(silence), [ms(3000); 2]);
    }
}
