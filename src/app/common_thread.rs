//! The thread on which the sessions and the detection of all cameras run.
//!
//! What they do takes microseconds, many times a second: most of its cost is to be woken for it. On one thread a packet goes
//! from the socket to the ring, the recorder's queue and the decoder's pipe without waking another; and where many cameras
//! send, it lets their packets come together and is woken once for several. Pages and their readers are on other threads, and
//! wait for none of it.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::camera::session;
use crate::units::{Clock, Monotonic};

/// How long packets come together: half of the time between two pictures. Those of a TCP connection wait with the camera
/// where the socket is full; while any come as datagrams, nothing waits.
const TOGETHER: Duration = Duration::from_millis(33);
/// So many times in a row the thread must have run out of work …
const MANY: usize = 8;
/// … within this time. One camera never gets there, and its pictures never wait.
const WITHIN: Duration = Duration::from_millis(200);
/// For so long it then waits each time, before it counts again: it may have become calm.
const SPELL: Duration = Duration::from_secs(2);

/// The running thread. It ends when this is dropped.
pub(crate) struct CommonThread {
    handle: Handle,
    thread: JoinHandle<()>,
    stop: DropGuard,
}

impl CommonThread {
    /// Starts it.
    pub(crate) fn start(clock: Clock) -> io::Result<Self> {
        let breath = Mutex::new(Breath::default());
        let pause = move || {
            let pause = breath.lock().unwrap_or_else(PoisonError::into_inner).pause(clock.monotonic());
            if let Some(pause) = pause.filter(|_| !session::any_datagrams()) {
                std::thread::sleep(pause);
            }
        };
        let runtime = Builder::new_current_thread().enable_all().on_thread_park(pause).build()?;
        let (handle, stop) = (runtime.handle().clone(), CancellationToken::new());
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("cameras".to_owned()).spawn(move || {
            runtime.block_on(stopped.cancelled());
            // A name that is still being looked up is waited for by nobody.
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, thread, stop: stop.drop_guard() })
    }

    /// Where tasks are started on it.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends it, once its tasks have ended.
    pub(crate) async fn end(self) {
        drop(self.stop);
        let thread = self.thread;
        if !matches!(tokio::task::spawn_blocking(move || thread.join()).await, Ok(Ok(()))) {
            tracing::error!("the thread of the cameras panicked");
        }
    }
}

/// When the thread ran out of work. Pure.
#[derive(Debug, Default)]
struct Breath {
    newest: VecDeque<Monotonic>,
    waits_until: Option<Monotonic>,
}

impl Breath {
    /// It ran out of work: how long it is to wait before it looks for more, if it is woken so often that waiting pays.
    fn pause(&mut self, now: Monotonic) -> Option<Duration> {
        if self.waits_until.is_some_and(|until| now < until) {
            return Some(TOGETHER);
        }
        if self.newest.len() == MANY {
            self.newest.pop_front();
        }
        self.newest.push_back(now);
        let first = *self.newest.front()?;
        self.waits_until = (self.newest.len() == MANY && now.since(first) < WITHIN).then(|| Monotonic(now.0 + SPELL));
        self.waits_until.map(|_| {
            self.newest.clear();
            TOGETHER
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often the thread is woken in ten seconds by what comes at those moments, in milliseconds, and the longest that
    /// anything waits.
    fn woken(mut moments: Vec<u64>) -> (usize, Duration) {
        moments.sort_unstable();
        let mut due = moments.into_iter().map(Duration::from_millis).peekable();
        let (mut breath, mut now, mut count, mut longest) = (Breath::default(), Duration::ZERO, 0, Duration::ZERO);
        loop {
            if let Some(pause) = breath.pause(Monotonic(now)) {
                now += pause;
                count += 1;
            }
            let Some(next) = due.next() else { return (count, longest) };
            if next > now {
                now = next;
                count += 1;
            }
            longest = longest.max(now.saturating_sub(next));
            while let Some(also) = due.next_if(|also| *also <= now) {
                longest = longest.max(now.saturating_sub(also));
            }
        }
    }

    fn cameras(count: u64, period_ms: u64) -> Vec<u64> {
        let of = |camera: u64| (0..10_000 / period_ms).map(move |n| n * period_ms + camera * 7 % period_ms);
        (0..count).flat_map(of).collect()
    }

    #[test]
    fn what_one_camera_sends_never_waits() {
        let (count, longest) = woken(cameras(1, 40));
        assert_eq!((count, longest), (249, Duration::ZERO));
    }

    #[test]
    fn what_many_cameras_send_comes_together_and_waits_no_longer_than_it_may() {
        let (count, longest) = woken(cameras(32, 66));
        assert!(count < 400, "woken {count} times for 4,832 pictures");
        assert!(longest <= TOGETHER, "{longest:?}");
    }

    #[test]
    fn who_is_left_alone_waits_no_more() {
        let mut moments = cameras(32, 66);
        moments.retain(|moment| *moment < 5_000);
        let with_the_others = woken(moments.clone()).0;
        let alone = (0..150).map(|n| 8_000 + n * 33);
        let with_one_left = woken(moments.into_iter().chain(alone).collect()).0;
        assert_eq!(with_one_left - with_the_others, 150, "each picture has its own waking");
    }
}
