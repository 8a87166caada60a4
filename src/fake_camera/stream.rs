//! One stream of the camera: pictures are made once, for all who watch, and only while somebody does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::units::{Clock, Monotonic};

use super::FakeCameraError;
use super::encoder::{Coding, Encoder};
use super::looped::Pass;
use super::nal::{AccessUnit, Codec, ParameterSets};
use super::picture::Picture;
use super::scene::{Drawing, Scene};

/// Pictures that may wait for a slow client before it is dropped.
const BACKLOG: usize = 64;

/// How long pictures are still made after the last client went: the next one often comes at once.
const LINGER: Duration = Duration::from_secs(5);

/// Where a stream's pictures come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// `changes`: how it is coded later, from when on, in order.
    Drawn {
        scene: Scene,
        number: u16,
        name: String,
        coding: Coding,
        changes: Vec<(Duration, Coding)>,
    },
    File(PathBuf),
}

/// One stream, shared by its clients.
pub(crate) struct Stream {
    source: Source,
    clock: Clock,
    /// The zero of the media clock.
    epoch: Monotonic,
    units: broadcast::Sender<Arc<AccessUnit>>,
    parameters: watch::Sender<Option<Arc<ParameterSets>>>,
    wanted: Notify,
}

impl Stream {
    pub(crate) fn new(source: Source, clock: Clock, epoch: Monotonic) -> Self {
        Self {
            source,
            clock,
            epoch,
            units: broadcast::Sender::new(BACKLOG),
            parameters: watch::Sender::new(None),
            wanted: Notify::new(),
        }
    }

    /// Pictures from now on; a receiver that lags behind is told so and should give up.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<AccessUnit>> {
        let receiver = self.units.subscribe();
        self.wanted.notify_one();
        receiver
    }

    /// The parameter sets; waits for the first picture if there was none yet. May be cancelled.
    pub(crate) async fn parameters(&self) -> Arc<ParameterSets> {
        let mut parameters = self.parameters.subscribe();
        loop {
            if let Some(sets) = parameters.borrow_and_update().clone() {
                return sets;
            }
            self.wanted.notify_one();
            // The sender lives in `self`, so it cannot be gone.
            let _ = parameters.changed().await;
        }
    }

    /// Pictures a second, if that is known.
    pub(crate) fn fps(&self) -> Option<u32> {
        match &self.source {
            Source::Drawn { coding, .. } => Some(coding.fps),
            Source::File(_) => None,
        }
    }

    /// The media clock's time, in 90 kHz ticks.
    pub(crate) fn media_now(&self) -> i64 {
        ticks(self.elapsed())
    }

    /// Since the camera's start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.monotonic().since(self.epoch)
    }

    /// Makes pictures whenever they are wanted, until `stop`.
    pub(crate) async fn serve(self: Arc<Self>, stop: CancellationToken) -> Result<(), FakeCameraError> {
        // Kept from one time to the next, because a garden takes a while to paint.
        let mut drawings = Vec::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.wanted.notified() => {}
            }
            if self.is_idle() {
                continue;
            }
            let (stream, stop) = (Arc::clone(&self), stop.clone());
            let kept = std::mem::take(&mut drawings);
            let made = tokio::task::spawn_blocking(move || stream.make(kept, &stop)).await;
            drawings = made.map_err(|_| FakeCameraError::Stream)??;
        }
    }

    fn is_idle(&self) -> bool {
        self.units.receiver_count() == 0 && self.parameters.borrow().is_some()
    }

    /// Blocks; ends when nobody has been watching for a while. Takes and returns one drawing for each coding.
    fn make(&self, mut drawings: Vec<Drawing>, stop: &CancellationToken) -> Result<Vec<Drawing>, FakeCameraError> {
        match &self.source {
            Source::Drawn { scene, number, name, coding, changes } => {
                if self.parameters.borrow().is_none() {
                    // A black picture tells them at once; painting the garden takes its time.
                    let picture = Picture::new(coding.width as usize, coding.height as usize);
                    for unit in Encoder::open(*coding)?.encode(&picture, 0)? {
                        self.learn(coding.codec, &unit);
                    }
                }
                let codings: Vec<_> =
                    std::iter::once((Duration::ZERO, *coding)).chain(changes.iter().copied()).collect();
                if drawings.is_empty() {
                    let drawn = |coding: &Coding| {
                        Drawing::new(*scene, *number, name, coding.width as usize, coding.height as usize)
                    };
                    drawings = codings.iter().map(|(_, coding)| drawn(coding)).collect();
                }
                self.draw(&codings, &mut drawings, stop)?;
                Ok(drawings)
            }
            Source::File(path) => self.repeat(path, stop).map(|()| Vec::new()),
        }
    }

    /// Each coding from its moment on, each with its drawing.
    fn draw(
        &self,
        codings: &[(Duration, Coding)],
        drawings: &mut [Drawing],
        stop: &CancellationToken,
    ) -> Result<(), FakeCameraError> {
        let mut patience = Patience::new(self.elapsed());
        for (number, ((_, coding), drawing)) in codings.iter().zip(drawings).enumerate() {
            let end = codings.get(number + 1).map(|(at, _)| *at);
            if end.is_some_and(|end| self.elapsed() >= end) {
                continue;
            }
            let mut encoder = Encoder::open(*coding)?;
            let (width, height) = drawing.size();
            let mut picture = Picture::new(width, height);
            let mut index = frame_at(self.elapsed(), coding.fps);
            loop {
                let due = Duration::from_micros(index * 1_000_000 / u64::from(coding.fps));
                if end.is_some_and(|end| due >= end) {
                    break;
                }
                self.sleep_until(due, stop);
                if stop.is_cancelled() || !patience.lasts(self.is_idle(), self.elapsed()) {
                    return Ok(());
                }
                let now = self.clock.now().minus(self.elapsed().saturating_sub(due));
                drawing.tell(now);
                let clock = now.to_string();
                drawing.draw(&mut picture, due, &clock.replace('T', " ").replace('Z', ""));
                for unit in encoder.encode(&picture, index.cast_signed())? {
                    self.publish(coding.codec, unit);
                }
                // What could not be drawn in time is left out.
                index = (index + 1).max(frame_at(self.elapsed(), coding.fps));
            }
        }
        Ok(())
    }

    fn repeat(&self, path: &std::path::Path, stop: &CancellationToken) -> Result<(), FakeCameraError> {
        let mut patience = Patience::new(self.elapsed());
        let mut begin = self.elapsed();
        loop {
            let mut pass = Pass::open(path)?;
            let codec = pass.parameters().codec;
            let mut is_empty = true;
            while let Some(sample) = pass.read() {
                is_empty = false;
                if stop.is_cancelled() || !patience.lasts(self.is_idle(), self.elapsed()) {
                    return Ok(());
                }
                self.sleep_until(begin + sample.decode, stop);
                let mut unit = sample.unit;
                unit.pts = unit.pts.saturating_add(ticks(begin));
                self.publish(codec, unit);
            }
            if is_empty {
                return Err(super::looped::LoopError::NoKeyFrame(path.to_owned()).into());
            }
            begin += Duration::from_micros(u64::try_from(pass.length().saturating_mul(100) / 9).unwrap_or(0));
        }
    }

    fn publish(&self, codec: Codec, unit: AccessUnit) {
        self.learn(codec, &unit);
        // Nobody may be listening.
        let _ = self.units.send(Arc::new(unit));
    }

    /// Keeps the parameter sets that a key frame brings.
    fn learn(&self, codec: Codec, unit: &AccessUnit) {
        if unit.is_key
            && let Some(sets) = ParameterSets::found_in(codec, &unit.nals)
        {
            self.parameters.send_if_modified(|known| {
                let is_new = known.as_deref() != Some(&sets);
                if is_new {
                    *known = Some(Arc::new(sets));
                }
                is_new
            });
        }
    }

    /// Returns early when stopped.
    fn sleep_until(&self, due: Duration, stop: &CancellationToken) {
        const SLICE: Duration = Duration::from_millis(250);
        while !stop.is_cancelled() {
            let rest = due.saturating_sub(self.elapsed());
            if rest.is_zero() {
                break;
            }
            std::thread::sleep(rest.min(SLICE));
        }
    }
}

/// How long a stream goes on without anybody.
struct Patience {
    /// When somebody was last there.
    seen: Duration,
}

impl Patience {
    fn new(now: Duration) -> Self {
        Self { seen: now }
    }

    fn lasts(&mut self, is_idle: bool, now: Duration) -> bool {
        if !is_idle {
            self.seen = now;
        }
        now.saturating_sub(self.seen) < LINGER
    }
}

fn ticks(time: Duration) -> i64 {
    i64::try_from(time.as_micros() * 9 / 100).unwrap_or(i64::MAX)
}

/// The first frame that is due at or after a time.
fn frame_at(time: Duration, fps: u32) -> u64 {
    let frames = (time.as_micros() * u128::from(fps)).div_ceil(1_000_000);
    u64::try_from(frames).unwrap_or(u64::MAX)
}
