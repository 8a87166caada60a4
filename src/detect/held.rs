//! Pictures on their way to the decoder that nobody will look at: they wait for the next one that somebody will.
//!
//! Then the decoder is woken once for all of them, and answers once. To wake a process costs about as much as to decode a
//! small picture, and a camera may send thirty of them a second, of which five are looked at. None of those comes later.

use std::time::Duration;

use tokio::time::Instant;

use crate::camera::packet::Packet;
use crate::detect::decoder::Pace;

/// Far more pictures than come between two looks.
const MOST: usize = 32;
/// Longer than the time between two looks: the camera stalls.
const LONGEST: Duration = Duration::from_millis(500);

#[derive(Default)]
pub(super) struct Held {
    packets: Vec<(Packet, i64)>,
    /// As the decoder process has it, so that the last picture of those handed on is the one that it looks at.
    pace: Pace,
    deadline: Option<Instant>,
}

impl Held {
    /// Takes the picture of that time in; whether all of them are to be handed on now.
    pub(super) fn take(&mut self, packet: Packet, at_us: i64, now: Instant) -> bool {
        let is_looked_at = self.pace.takes(at_us);
        self.packets.push((packet, at_us));
        self.deadline.get_or_insert(now + LONGEST);
        is_looked_at || self.packets.len() >= MOST
    }

    /// When they are to be handed on, whatever comes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// All of them, in order, each with its time.
    pub(super) fn release(&mut self) -> Vec<(Packet, i64)> {
        self.deadline = None;
        // The next batch is likely as large as this.
        let next = Vec::with_capacity(self.packets.len());
        std::mem::replace(&mut self.packets, next)
    }
}
