//! Listening to what a camera itself says of motion: its track of ONVIF metadata, set up beside pictures and sound in the session
//! that there is anyway. No session is opened for it alone: cameras serve only a few, and recording must get one.
//!
//! It is never worth a picture: whatever goes wrong with this track ends with its being left out.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use retina::client::Stream;
use tokio::time::Instant;

use crate::camera::session::error::{CameraError, Trouble};

/// Sessions without this track after one that went wrong with it.
const REST: u32 = 5;
/// Between two looks at how much of an unfinished message is held.
const LOOK: Duration = Duration::from_secs(1);
/// Written out, no more may be held of an unfinished message; the longest that is read is half as long.
const MOST_HELD: usize = 512 * 1024;
/// Looks one after the other at which it was too much.
const PATIENCE: u32 = 3;

/// One camera's ear, shared by its streams: many cameras say the same on each, and it is heard on the first that has the track.
#[derive(Debug, Clone, Default)]
pub struct Ear(Arc<AtomicBool>);

impl Ear {
    fn claim(&self) -> Option<Claim> {
        let was_claimed = self.0.swap(true, Ordering::AcqRel);
        (!was_claimed).then(|| Claim(Arc::clone(&self.0)))
    }
}

/// The stream that listens, until it is dropped.
struct Claim(Arc<AtomicBool>);

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// How many sessions are still to go without the track; outlives them.
#[derive(Debug, Default)]
pub(crate) struct Rest(AtomicU32);

impl Rest {
    /// Whether this session may try. If so, it is taken to have gone wrong until a picture came.
    fn is_over(&self) -> bool {
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(left.checked_sub(1).unwrap_or(REST), Ordering::Relaxed);
        left == 0
    }

    fn begin(&self) {
        self.0.store(REST, Ordering::Relaxed);
    }

    fn end(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// The track of one session.
pub(crate) struct Listener {
    track: usize,
    rest: Arc<Rest>,
    looked: Instant,
    too_much: u32,
    _claim: Claim,
}

impl Listener {
    /// `None` if the camera has no such track, another stream listens already, or it went wrong lately.
    pub(crate) fn of(ear: &Ear, streams: &[Stream], rest: &Arc<Rest>) -> Option<Self> {
        // Compressed kinds (gzip, EXI) exist on paper, and are left out.
        let is_it = |stream: &Stream| {
            stream.media() == "application"
                && stream.encoding_name() == "vnd.onvif.metadata"
                && stream.clock_rate_hz() > 0
        };
        let track = streams.iter().position(is_it)?;
        let claim = ear.claim()?;
        rest.is_over().then(|| Self {
            track,
            rest: Arc::clone(rest),
            looked: Instant::now(),
            too_much: 0,
            _claim: claim,
        })
    }

    pub(crate) fn track(&self) -> usize {
        self.track
    }

    /// A picture came, so this camera can do both.
    pub(crate) fn goes_well(&self) {
        if self.too_much == 0 {
            self.rest.end();
        }
    }

    /// Ends the session where the camera sends a message without an end: the library holds all of it, and has no bound of its
    /// own. To be asked often; looks every second.
    pub(crate) fn check(&mut self, stream: &Stream) -> Result<(), Trouble> {
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        self.too_much = if holds_too_much(stream) { self.too_much + 1 } else { 0 };
        if self.too_much < PATIENCE {
            return Ok(());
        }
        self.rest.begin();
        Err(Trouble::Lost(CameraError::Protocol { detail: "a message about motion that has no end".to_owned() }))
    }
}

/// What the library holds shows only in its `Debug`; that is written up to the bound, and kept nowhere.
fn holds_too_much(held: &impl fmt::Debug) -> bool {
    struct Room(usize);
    impl fmt::Write for Room {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    write!(Room(MOST_HELD), "{held:?}").is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stream_listens_at_a_time() {
        let ear = Ear::default();
        let main = ear.claim().expect("nobody listens yet");
        assert!(ear.clone().claim().is_none(), "both would say the same");
        drop(main);
        assert!(ear.claim().is_some());
        assert!(ear.claim().is_some(), "the one before was dropped");
    }

    #[test]
    fn after_trouble_some_sessions_go_without() {
        let rest = Rest::default();
        assert!(rest.is_over());
        rest.end(); // a picture came
        assert!(rest.is_over());
        // None came.
        assert_eq!([(); 6].map(|()| rest.is_over()), [false, false, false, false, false, true]);
    }

    #[test]
    fn how_much_is_held_is_seen_without_writing_it_all() {
        assert!(!holds_too_much(&vec![7_u8; 1000]));
        assert!(holds_too_much(&bytes::Bytes::from(vec![b'x'; MOST_HELD])));
    }
}
