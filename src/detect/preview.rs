//! The small pictures for the finger on a bar: when the next one is due, and where it goes. They are made of what is decoded
//! anyway, so a camera whose motion detection is off has none.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::units::UtcMicros;

/// Pixels across: what is seen under a finger is no larger. 2 to 5 kB, so 15 to 45 MB a camera and day.
pub(super) const PREVIEW_WIDTH: u16 = 240;
/// From one to the next, in microseconds.
const PREVIEW_US: i64 = 10_000_000;

/// Where small pictures go, if anywhere. Never waits: one that finds no room is left out.
#[derive(Debug)]
pub(super) struct Previews {
    to: Option<mpsc::Sender<(UtcMicros, Bytes)>>,
    newest_us: Option<i64>,
}

impl Previews {
    pub(super) fn new(to: Option<mpsc::Sender<(UtcMicros, Bytes)>>) -> Self {
        Self { to, newest_us: None }
    }

    /// Whether the look at that time is to be kept small.
    pub(super) fn takes(&mut self, at_us: i64) -> bool {
        // A time before the newest one is another clock's.
        let is_early = |newest: i64| (0..PREVIEW_US).contains(&at_us.saturating_sub(newest));
        let takes = self.to.is_some() && !self.newest_us.is_some_and(is_early);
        if takes {
            self.newest_us = Some(at_us);
        }
        takes
    }

    pub(super) fn give(&self, at: UtcMicros, jpeg: Bytes) {
        if let Some(to) = &self.to {
            // Whoever keeps them may be behind, or have gone.
            let _ = to.try_send((at, jpeg));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_due_every_ten_seconds_and_after_a_leap_and_none_where_nobody_keeps_them() {
        let (to, _kept) = mpsc::channel(1);
        let mut previews = Previews::new(Some(to));
        let due = (0..300).filter(|n| previews.takes(n * 200_000)).count();
        assert_eq!(due, 6);
        assert!(previews.takes(-5) && !previews.takes(10) && previews.takes(i64::MAX) && previews.takes(i64::MIN));
        assert!(!Previews::new(None).takes(0));
    }
}
