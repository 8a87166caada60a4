//! One stream of one camera, from the first attempt until it is told to stop.
//!
//! The decisions are in `machine` and know neither network nor clock; here they are carried out. A session owns its
//! connection and its status; it never records, decodes or waits for anybody downstream.

mod audio;
mod datagrams;
mod departure;
mod ear;
mod error;
mod look;
mod machine;
mod meter;
mod opinion;
mod parameters;
mod recognise;
mod rtsp;
mod slices;
mod source;

pub use self::datagrams::any_datagrams;
pub use self::ear::Ear;
pub use self::error::CameraError;
pub use self::recognise::recognise;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::error::Trouble;
use self::machine::{Action, Input, Machine};
use self::meter::Meter;
use self::opinion::Opinion;
use self::source::{Frame, Frames, Item, Source};
use crate::camera::identity::Judge;
use crate::camera::packet::{Absent, CameraMotion, Delivery, Heard, Packet, Track, Turn};
use crate::camera::status::{Link, StreamStatus};
use crate::config::settings::{CameraUrl, Credentials, Transport};
use crate::units::{CameraId, Clock};

/// How long a camera that takes new connections may send no picture on the one that there is.
const HUNG: Duration = Duration::from_secs(3);

/// What we call ourselves at cameras.
pub(crate) const USER_AGENT: &str = concat!("hearthwatch/", env!("CARGO_PKG_VERSION"));

/// How often rates are told, with the picture that comes then …
const TELL: Duration = Duration::from_secs(1);
/// … and after so long without one: a timer of its own would wake somebody up for each camera each second.
const TELL_ALONE: Duration = Duration::from_millis(1500);

/// How long pictures may come without one to begin with. A new connection makes most cameras send one.
const KEY_FRAME_LIMIT: Duration = Duration::from_secs(60);

/// Which stream, and how to get at it.
#[derive(Debug, Clone)]
pub struct Target {
    /// Whose stream it is.
    pub camera: CameraId,
    /// Where it is.
    pub url: CameraUrl,
    /// Who signs in, if the camera asks by digest. Never sent otherwise.
    pub credentials: Option<Credentials>,
    /// How RTP travels.
    pub transport: Transport,
    /// Whether sound is wanted.
    pub audio: bool,
    /// What its pictures are for.
    pub purpose: Purpose,
    /// By which the camera is listened to when it says itself that something moves, if anybody wants to know.
    pub ear: Option<Ear>,
}

/// What a stream's pictures are for, which decides how they may be coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be recorded and shown: H.264 or H.265.
    Record,
    /// To be watched for motion, and shown where a browser can: Motion JPEG as well.
    Watch,
}

/// Runs one stream until `stop`: connects, hands each packet to `sink`, tells it when and why none comes, and connects again
/// with growing waits.
///
/// `judge` is asked on each connection, before a password is sent and before a picture is handed on; whom it refuses gets
/// neither.
/// What the camera itself says of motion goes to `sink` as well, and touches nothing else.
/// `sink` must not block: the camera waits meanwhile. Each session begins with a key frame, sound included; what comes
/// before it is of no use to anybody. So does the video after something that could not be understood. A camera whose
/// sound or pictures were merely lost on the way is handed on as it is, with `lost_before`.
/// `status` is kept up to date: changes at once, rates each second. Once `stop` is cancelled it returns within about two
/// seconds, which the camera gets to take our leave; it must run within a tokio runtime with timers and I/O.
pub async fn run(
    target: Target,
    judge: Arc<dyn Judge>,
    clock: Clock,
    stop: CancellationToken,
    status: watch::Sender<StreamStatus>,
    sink: impl FnMut(Delivery) + Send,
) {
    let host = format!("{}:{}", target.url.host(), target.url.port());
    let camera = target.camera.clone();
    let hurry = judge.hurry();
    let source = rtsp::Rtsp::new(target, judge);
    let random = || getrandom::u32().map_or(0.5, |bits| f64::from(bits) / f64::from(u32::MAX));
    Driver { camera, host, clock, stop, status, sink, random, hurry, machine: Machine::new(), opened: 0, skipped: 0 }
        .run(source)
        .await;
}

/// When somebody saw the camera; never, if nobody looks.
async fn seen(hurry: &mut watch::Receiver<u64>) {
    if hurry.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Carries out what the machine decides.
struct Driver<S, R> {
    camera: CameraId,
    host: String,
    clock: Clock,
    stop: CancellationToken,
    status: watch::Sender<StreamStatus>,
    sink: S,
    random: R,
    /// Somebody saw the camera.
    hurry: watch::Receiver<u64>,
    machine: Machine,
    opened: u64,
    /// Packets of no use since the last picture that was handed on.
    skipped: u32,
}

/// Why an attempt is over.
enum Over {
    Stopped,
    Failed(CameraError),
}

impl<S: FnMut(Delivery) + Send, R: FnMut() -> f64 + Send> Driver<S, R> {
    async fn run<T: Source>(mut self, mut source: T) {
        loop {
            self.tell(Link::Connecting);
            let error = match self.attempt(&mut source).await {
                Over::Stopped => return,
                Over::Failed(error) => error,
            };
            let Action::Wait(wait) = self.step(Input::Failed(&error)) else { continue };
            if self.status.borrow().error.as_ref() == Some(&error) {
                tracing::debug!(camera = %self.camera, %error, wait_ms = wait.as_millis(), "still no stream");
            } else {
                tracing::warn!(camera = %self.camera, %error, wait_ms = wait.as_millis(), "no stream");
            }
            let (noticed, noticed_monotonic) = (self.clock.now(), self.clock.monotonic());
            (self.sink)(Delivery::Absent(Absent { why: error.absence(), noticed, noticed_monotonic }));
            let until = noticed.plus(wait);
            self.status.send_modify(|status| {
                status.error = Some(error.clone());
                (status.pictures_per_second, status.kbit_s) = (0.0, 0.0);
            });
            self.tell(match &error {
                CameraError::NotTheCamera { .. } => Link::Refused,
                _ => Link::Waiting { until },
            });
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
                () = seen(&mut self.hurry), if error.is_worth_hurrying() => {}
            }
            self.step(Input::Waited);
        }
    }

    fn step(&mut self, input: Input<'_>) -> Action {
        let now = self.clock.monotonic();
        // To draw is a system call, and pictures come often.
        let jitter = if matches!(input, Input::Failed(_)) { (self.random)() } else { 0.0 };
        self.machine.on(input, now, jitter)
    }

    fn tell(&self, link: Link) {
        let now = self.clock.now();
        self.status.send_modify(|status| {
            if status.link.name() != link.name() {
                status.since = now;
            }
            status.link = link;
        });
    }

    /// One connection, from the first question to its end.
    async fn attempt<T: Source>(&mut self, source: &mut T) -> Over {
        let stop = self.stop.clone();
        if let Err(over) = self.limited(&stop, source.ask()).await {
            return over;
        }
        self.step(Input::Answered);
        self.tell(Link::Verifying);
        let mut frames = match self.limited(&stop, source.play()).await {
            Ok(frames) => frames,
            Err(over) => return over,
        };
        let mut newest = Instant::now();
        let mut opinion = frames.tells_motion().then(Opinion::default);
        if opinion.is_some() {
            let at = self.clock.now();
            self.tell_motion(Some(CameraMotion { what: Heard::Track, turn: Turn::Begins, at }));
        }
        let over = self.watch(&mut frames, &mut newest, &mut opinion).await;
        if let Some(mut opinion) = opinion {
            let at = self.clock.now();
            self.tell_motion(opinion.end(at));
            self.tell_motion(Some(CameraMotion { what: Heard::Track, turn: Turn::Ends, at }));
        }
        match over {
            // Whoever is silent is gone, and has perhaps been seen elsewhere already: nobody there takes our leave.
            Over::Stopped if newest.elapsed() < self.silence() => frames.end().await,
            // Whatever is left of the connection ends on its own; the next attempt waits for that.
            Over::Stopped | Over::Failed(_) => drop(frames),
        }
        over
    }

    async fn limited<T>(
        &self,
        stop: &CancellationToken,
        step: impl Future<Output = Result<T, CameraError>>,
    ) -> Result<T, Over> {
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(Over::Stopped),
            done = tokio::time::timeout(self.machine.limit(), step) => match done {
                Ok(Ok(done)) => Ok(done),
                Ok(Err(error)) => Err(Over::Failed(error)),
                Err(_) => Err(Over::Failed(self.machine.overdue(&self.host))),
            },
        }
    }

    fn silence(&self) -> Duration {
        self.status.borrow().silence()
    }

    fn tell_motion(&mut self, said: Option<CameraMotion>) {
        if let Some(said) = said {
            (self.sink)(Delivery::CameraMotion(said));
        }
    }

    /// Hands on what comes, until nothing comes. `newest` is when the newest picture came; `opinion` is there if the camera says
    /// when something moves.
    async fn watch<F: Frames>(&mut self, frames: &mut F, newest: &mut Instant, opinion: &mut Option<Opinion>) -> Over {
        let session = self.opened;
        self.opened += 1;
        self.skipped = 0;
        let (mut begun, mut wait_for_key) = (false, true);
        let mut meter = Meter::default();
        let mut patience = self.machine.limit();
        let mut key_deadline = Instant::now() + KEY_FRAME_LIMIT;
        let mut hurry = self.hurry.clone();
        hurry.mark_unchanged();
        let mut told = Instant::now();
        loop {
            let next = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Over::Stopped,
                next = frames.next() => next,
                () = tokio::time::sleep_until((*newest + patience).min(told + TELL_ALONE)) => {
                    if newest.elapsed() >= patience {
                        return Over::Failed(CameraError::Stalled { after: patience });
                    }
                    told = Instant::now();
                    self.report(&mut meter, opinion.as_mut());
                    continue;
                }
                () = seen(&mut hurry) => {
                    // It takes new connections, but on this one nothing comes: it has started anew and forgotten us, or it
                    // is late. Whoever is late by less loses nothing, for what was sent still comes.
                    patience = patience.min(HUNG);
                    continue;
                }
            };
            let frame = match next {
                Ok(Item::Frame(frame)) => frame,
                Ok(said) => {
                    let now = (self.clock.now(), self.clock.monotonic());
                    let heard = opinion.as_mut().and_then(|opinion| match said {
                        Item::Said(said) => opinion.hear(&said, now),
                        Item::Misheard => opinion.mishear(now),
                        Item::Frame(_) => None,
                    });
                    self.tell_motion(heard);
                    continue;
                }
                Err(Trouble::Lost(error)) => return Over::Failed(error),
                Err(Trouble::Skipped(detail)) => {
                    if self.skipped == 0 {
                        tracing::warn!(camera = %self.camera, detail, "skips to the next key frame");
                    }
                    if !wait_for_key {
                        (wait_for_key, key_deadline) = (true, Instant::now() + KEY_FRAME_LIMIT);
                    }
                    self.skipped = self.skipped.saturating_add(1);
                    continue;
                }
            };
            if frame.track == Track::Video && frame.parameters.is_some() {
                *newest = Instant::now();
                patience = self.machine.limit();
                if self.step(Input::Picture) == Action::Celebrate {
                    self.celebrate(session);
                }
                meter.picture(self.clock.monotonic(), frame.data.len(), frame.is_key.then_some(frame.pts));
                if *newest >= told + TELL {
                    told = *newest;
                    self.report(&mut meter, opinion.as_mut());
                }
                if wait_for_key && !frame.is_key {
                    if self.skipped > 0 {
                        self.skipped = self.skipped.saturating_add(frame.lost);
                    }
                    if Instant::now() >= key_deadline {
                        return Over::Failed(CameraError::NoKeyFrame { after: KEY_FRAME_LIMIT });
                    }
                    continue;
                }
            }
            if frame.track == Track::Audio {
                if begun {
                    self.hand_on(frame, session);
                }
            } else if self.hand_on(frame, session) {
                (begun, wait_for_key) = (true, false);
            }
        }
    }

    fn celebrate(&mut self, session: u64) {
        tracing::info!(camera = %self.camera, "pictures arrive");
        self.status.send_modify(|status| {
            status.error = None;
            status.reconnects = session;
        });
        self.tell(Link::Streaming);
    }

    /// False if nobody knows yet what it is.
    fn hand_on(&mut self, frame: Frame, session: u64) -> bool {
        let Some(parameters) = frame.parameters else { return false };
        let received = self.clock.now();
        let mut lost_before = frame.lost;
        if frame.track == Track::Video {
            lost_before = lost_before.saturating_add(std::mem::take(&mut self.skipped));
            let known = self.status.borrow().parameters.as_ref() == Some(&parameters);
            // Nobody is woken per packet: what changed is told with the next second, except what the stream is.
            self.status.send_if_modified(|status| {
                status.last_picture = Some(received);
                status.lost_packets = status.lost_packets.saturating_add(lost_before.into());
                if !known {
                    status.parameters = Some(parameters.clone());
                }
                !known
            });
        }
        (self.sink)(Delivery::Packet(Packet {
            parameters,
            session,
            track: frame.track,
            pts: frame.pts,
            received,
            received_monotonic: self.clock.monotonic(),
            is_key: frame.is_key,
            lost_before,
            data: frame.data,
        }));
        true
    }

    /// What is told once a second.
    fn report(&mut self, meter: &mut Meter, opinion: Option<&mut Opinion>) {
        let ended = opinion.and_then(|opinion| opinion.look(self.clock.monotonic()));
        self.tell_motion(ended);
        let (pictures_per_second, kbit_s) = meter.rates(self.clock.monotonic());
        self.status.send_modify(|status| {
            status.pictures_per_second = pictures_per_second;
            status.kbit_s = kbit_s;
            status.key_frame_interval = meter.key_frame_interval();
        });
    }
}

#[cfg(test)]
mod tests;
