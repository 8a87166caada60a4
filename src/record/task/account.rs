//! The recorder's account: what is missing and why, and that the clock was set.

use std::time::Duration;

use crate::camera::packet::{Absent, Packet, Track};
use crate::record::cutter::Break;
use crate::record::missing::Moment;
use crate::record::segment::{ClockSet, Gap, GapCause, Recorded};
use crate::record::task::Recorder;
use crate::record::timeline::{CLOCK_STEP_US, Placed, apart};
use crate::units::{Monotonic, UtcMicros, UtcSpan};

/// A picture that comes so much later than the one before, and three times as late as usual, is a gap.
const HOLE: Duration = Duration::from_secs(1);

impl<R: FnMut() -> [u8; 8], O: FnMut(Recorded)> Recorder<R, O> {
    /// What is missing before this picture: for a while there was none, on the same timeline. `thinned`: all but key frames were
    /// left out before it.
    pub(super) fn hole(&mut self, packet: &Packet, placed: Placed, thinned: bool) -> Option<(UtcSpan, GapCause)> {
        if packet.track != Track::Video {
            return None;
        }
        let Some((newest, usual)) = self.newest.filter(|(newest, _)| placed > *newest) else {
            self.newest.get_or_insert((placed, Duration::ZERO));
            return None;
        };
        let step = placed.since(newest);
        // How far apart key frames are says nothing of how far apart pictures usually are.
        self.newest = Some((placed, if thinned { usual } else { step }));
        // Where all but key frames were left out, that is known and not guessed, however often those come.
        if usual.is_zero() || step < usual * 3 || (step < HOLE && !thinned) {
            return None;
        }
        let timeline = self.timeline.as_ref()?;
        let cause = match packet.lost_before {
            _ if thinned => GapCause::DiskSlow,
            0 => GapCause::CameraStalled,
            _ => GapCause::PacketLoss,
        };
        Some((UtcSpan::new(timeline.wall(newest.plus(usual)), timeline.wall(placed))?, cause))
    }

    /// The camera is gone, so what is open is complete: whatever comes next is another session's.
    pub(super) fn go_without(&mut self, absent: Absent) {
        self.finish_segment(None, None);
        self.cutter.abandon();
        let noticed = (absent.noticed, absent.noticed_monotonic);
        self.note_clock(noticed);
        self.lost(absent.why.into(), noticed);
    }

    pub(super) fn lost(&mut self, cause: GapCause, noticed: Moment) {
        let listed = self.missing.lost(cause, noticed);
        self.list(listed);
    }

    /// Lists what is missing while it is. `now` is not later than what waits in the queue.
    pub(super) fn tell_so_far(&mut self, now: Moment) {
        if self.recording.is_none() && self.fragmenter.oldest().is_none() {
            self.note_clock(now);
            let listed = self.missing.so_far(now);
            self.list(listed);
        }
    }

    /// Lists what is missing before footage that starts then.
    pub(super) fn report_gaps(&mut self, start: UtcMicros, steady: Monotonic) {
        let hole = self.hole.take();
        if let Some((_, cause)) = hole {
            self.missing.guess(cause);
        }
        // The last picture of a segment may have been given the whole time up to the next.
        self.list(self.missing.up_to(start, steady).or(hole));
        // Told once, even if the file that was to follow comes to nothing.
        self.missing.told(start, steady);
    }

    /// Whether the clock was set since the last look; nothing may be open. Has everything moved that was told in this life.
    pub(super) fn note_clock(&mut self, (wall, steady): Moment) {
        let now_us = apart(wall, steady);
        let by_us = now_us.saturating_sub(self.clocks_apart_us);
        if by_us.saturating_abs() <= CLOCK_STEP_US {
            return;
        }
        tracing::warn!(camera = %self.camera, by_s = by_us / 1_000_000, "the clock was set; what was recorded before moves");
        // Where the steady clock had its zero.
        let begin = UtcMicros(std::mem::replace(&mut self.clocks_apart_us, now_us));
        let told = self.missing.accounted_until().and_then(|until| UtcSpan::new(begin, until));
        if let Some(span) = told.filter(|span| !span.length().is_zero()) {
            (self.out)(Recorded::ClockSet(ClockSet { camera: self.camera.clone(), span, by_us }));
        }
        self.missing.shift(by_us);
    }

    pub(super) fn list(&mut self, gaps: impl IntoIterator<Item = (UtcSpan, GapCause)>) {
        for (span, cause) in gaps {
            (self.out)(Recorded::Gap(Gap { camera: self.camera.clone(), span, cause }));
        }
    }
}

/// Why nothing is recorded after a break; `None` if that was said before.
pub(super) fn cause(why: Break, packet: &Packet) -> Option<GapCause> {
    match why {
        Break::Nothing => None,
        Break::Session => Some(GapCause::CameraUnreachable),
        Break::Trouble(_) if packet.lost_before == 0 => Some(GapCause::CameraStalled),
        Break::Parameters | Break::NoKeyFrame | Break::Trouble(_) => Some(GapCause::PacketLoss),
    }
}
