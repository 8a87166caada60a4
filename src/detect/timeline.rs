//! A stream's presentation times on one steady clock, and that clock's times on the household's.

use crate::camera::packet::Packet;
use crate::units::UtcMicros;

/// Presentation times this far from arrival are a jump of the camera's clock.
const JUMP_US: i64 = 2_000_000;
/// A step of the household's clock larger than this is taken over at once.
const STEP_US: i64 = 2_000_000;
/// So many packets the estimate of the delay is spread over.
const SMOOTHED: i64 = 500;

/// Times are microseconds since the process started, from each session's first packet on by the camera's own clock.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    session: Option<u64>,
    /// Steady time minus presentation time.
    shift_us: i64,
    /// Wall-clock time minus steady time.
    wall_us: i64,
    packets: i64,
}

impl Timeline {
    /// The packet's time; notes when it arrived.
    pub(super) fn place(&mut self, packet: &Packet) -> i64 {
        let pts_us = packet.pts.as_micros();
        let arrived_us = i64::try_from(packet.received_monotonic.0.as_micros()).unwrap_or(i64::MAX);
        let is_new = self.session != Some(packet.session);
        if is_new || pts_us.saturating_add(self.shift_us).abs_diff(arrived_us) > JUMP_US.unsigned_abs() {
            self.session = Some(packet.session);
            self.shift_us = arrived_us.saturating_sub(pts_us);
            self.packets = 0;
        }
        let at_us = pts_us.saturating_add(self.shift_us);
        let wall_us = packet.received.0.saturating_sub(at_us);
        let off = wall_us.saturating_sub(self.wall_us);
        if self.packets == 0 || off.saturating_abs() > STEP_US {
            self.wall_us = wall_us;
            self.packets = 0;
        } else {
            self.wall_us += off / (self.packets + 1).min(SMOOTHED);
        }
        self.packets += 1;
        at_us
    }

    /// The household's time of a moment on this timeline.
    pub(super) fn wall(&self, at_us: i64) -> UtcMicros {
        UtcMicros(at_us.saturating_add(self.wall_us))
    }
}
