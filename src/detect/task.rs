//! One camera's detection: feeds the decoder process, restarts it, and turns what it sees into events.
//!
//! Never makes anybody wait: packets are taken as they come, and what the decoder cannot keep up with is skipped and
//! counted. Ends when the packets end or `stop` is cancelled, with any open event ended.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::camera::packet::{Packet, StreamParameters, Track, VideoCodec, VideoParameters};
use crate::config::settings::{Decode, Motion};
use crate::detect::counters::{Blind, Counters};
use crate::detect::event::MotionEvent;
use crate::detect::grid::Shape;
use crate::detect::held::Held;
use crate::detect::process::{Process, Step};
use crate::detect::protocol::{MAX_SETS, MAX_UNIT, Reply, Request, Which};
use crate::detect::running::{Asked, Running};
use crate::detect::sps::ParametersError;
use crate::detect::thrift::{About, Order, Thrift};
use crate::detect::watcher::Watcher;
use crate::detect::{annex_b, preview, sps};
use crate::units::{CameraId, UtcMicros};

/// Everything that one camera's detection is given.
#[derive(Debug)]
pub struct Task {
    /// Whose pictures these are.
    pub camera: CameraId,
    /// What counts as motion. If it is not enabled, only key frames are decoded, and only while somebody asks for pictures.
    pub settings: Motion,
    /// This program's own file, which is started as `exe decoder`.
    pub exe: PathBuf,
    /// The stream to look at. It must not lose packets: this side takes them as they come.
    pub packets: mpsc::Receiver<Packet>,
    /// Ends the task.
    pub stop: CancellationToken,
    /// Who wants the newest picture as a JPEG; a sender that is dropped means that there is none.
    pub snapshots: mpsc::Receiver<oneshot::Sender<Bytes>>,
    /// What was last handed out to be kept, if anything was.
    pub before: Option<Vec<u8>>,
    /// Takes what is worth keeping over a restart: now and then, and at the end.
    pub keep: mpsc::Sender<Vec<u8>>,
    /// Takes a small JPEG of a moment now and then, if anybody keeps them.
    pub previews: Option<mpsc::Sender<(UtcMicros, Bytes)>>,
    /// Where it counts.
    pub counters: Arc<Counters>,
}

/// Once it has said its first word, the decoder is killed when it owes an answer for so long. Most answers take a hundredth of a
/// second, and the largest key frame on a small machine less than one. With no pause after a first failure and a key frame every
/// two seconds, as cameras send them, detection is back within five seconds of whatever stopped it.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);
/// Each failure doubles it up to this, in case the machine is merely slow.
const LONGEST_PATIENCE: Duration = Duration::from_secs(10);
/// Before the second start after a failure; there is no pause before the first. Doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A decoder that ran so long had nothing wrong with it.
const HEALTHY: Duration = Duration::from_secs(60);
/// Where motion is not looked for, the decoder goes so long after somebody last asked for a picture.
const IDLE: Duration = Duration::from_secs(30);
/// An event without looks ends after this.
const BLIND: Duration = Duration::from_secs(10);
const THUMBNAIL_WIDTH: u16 = 480;
const SNAPSHOT_WIDTH: u16 = 1280;
/// From one picture of an event's film to the next, in microseconds; longer events keep fewer.
const FILM_US: i64 = 700_000;
/// Pictures that may be asked for and not answered yet.
const MOST_ASKED: usize = 8;
/// Looks that one unit may yield.
const MOST_LOOKS: u32 = 8;

/// Runs until the packets end or `stop` is cancelled. Must be polled by threads that stay (a runtime's workers, not its
/// blocking pool): the kernel kills a decoder process when the thread that started it ends. `random` brings event ids; `out` must not block.
pub async fn run(task: Task, random: impl FnMut() -> [u8; 8] + Send, out: impl FnMut(MotionEvent) + Send) {
    let Task { camera, settings, exe, mut packets, stop, mut snapshots, before, keep, previews, counters } = task;
    if settings.decode == Decode::KeyFrames {
        counters.choose_key_frames();
    }
    let mut feeder = Feeder {
        watcher: Watcher::new(camera, settings.clone(), before, random, out),
        enabled: settings.enabled,
        exe,
        counters,
        running: None,
        refused: None,
        pause: Duration::ZERO,
        patience: FIRST_PATIENCE,
        not_before: Instant::now(),
        session: None,
        held: Held::default(),
        thrift: Thrift::new(),
        fed: None,
        newest: None,
        wanted_until: None,
        previews: preview::Previews::new(previews),
    };
    let mut wants_snapshots = true;
    loop {
        let deadline = feeder.deadline();
        tokio::select! {
            () = stop.cancelled() => break,
            packet = packets.recv() => if let Some(packet) = packet {
                feeder.feed(packet);
            } else {
                feeder.release();
                break;
            },
            asked = snapshots.recv(), if wants_snapshots => match asked {
                Some(asked) => {
                    feeder.be_ready();
                    feeder.ask(Asked::Snapshot(asked), Which::Newest, SNAPSHOT_WIDTH);
                }
                None => wants_snapshots = false,
            },
            step = Running::step(&mut feeder.running) => match step {
                Ok(Step::Moved) => feeder.hear(),
                Ok(Step::Complaint(words)) => tracing::debug!(words, "the decoder says"),
                Err(error) => feeder.fail(&format!("the decoder process broke off: {error}")),
            },
            () = tokio::time::sleep_until(deadline) => feeder.overdue(),
        }
        if let Some(known) = feeder.watcher.keep_now_and_then() {
            // If the one before is still being written, the next will do.
            let _ = keep.try_send(known);
        }
    }
    feeder.watcher.end();
    if let Some(known) = feeder.watcher.to_keep() {
        // Whoever keeps it may have gone first.
        let _ = keep.send(known).await;
    }
}

struct Feeder<R, O> {
    watcher: Watcher<R, O>,
    enabled: bool,
    exe: PathBuf,
    counters: Arc<Counters>,
    running: Option<Running>,
    /// Parameters that cannot be decoded: said once, not at each packet.
    refused: Option<VideoParameters>,
    pause: Duration,
    patience: Duration,
    not_before: Instant,
    session: Option<u64>,
    held: Held,
    thrift: Thrift<Packet>,
    /// Of the newest packet that went there.
    fed: Option<(u64, Arc<StreamParameters>)>,
    /// The newest key frame, where motion is not looked for.
    newest: Option<(Packet, i64)>,
    /// How long the decoder is there for whoever asks for pictures, where motion is not looked for.
    wanted_until: Option<Instant>,
    previews: preview::Previews,
}

impl<R: FnMut() -> [u8; 8], O: FnMut(MotionEvent)> Feeder<R, O> {
    fn feed(&mut self, packet: Packet) {
        if packet.track != Track::Video {
            return;
        }
        let at_us = self.watcher.timeline.place(&packet);
        if !self.enabled {
            if packet.is_key {
                if self.wanted_until.is_some() {
                    self.hand_on(&packet, at_us);
                }
                self.newest = Some((packet, at_us));
            }
            return;
        }
        if self.running.as_ref().is_some_and(Running::is_late) {
            self.counters.late.fetch_add(1, Ordering::Relaxed);
        }
        self.thrift.want(self.counters.key_frames().is_some());
        if self.thrift.is_idle() {
            self.hold(packet, at_us);
            return;
        }
        let (session, parameters) = (packet.session, packet.parameters.clone());
        let follows =
            |(before, known): &(u64, Arc<StreamParameters>)| *before == session && known.video == parameters.video;
        if !self.fed.as_ref().is_some_and(follows) {
            self.thrift.interrupt();
            self.fed = Some((session, parameters));
        }
        let about = About { at_us, bytes: packet.data.len(), is_key: packet.is_key };
        self.thrift.take(packet, about);
        self.pump();
    }

    fn hold(&mut self, packet: Packet, at_us: i64) {
        if self.held.take(packet, at_us, Instant::now()) {
            self.release();
        }
    }

    /// Gives a decoder that has answered everything what is due, as far as the next picture that is looked at: whatever is asked
    /// about that one is then asked while it is still at hand.
    fn pump(&mut self) {
        while self.running.as_ref().is_none_or(|running| running.process.backlog.is_empty()) {
            match self.thrift.next() {
                Some(Order::Decode(packet, about)) => self.hold(packet, about.at_us),
                Some(Order::Glance(packet, about)) => {
                    self.release();
                    self.held.restart();
                    if !self.offer(&packet, about.at_us, true) {
                        self.thrift.unjudged();
                        self.counters.skipped.fetch_add(1, Ordering::Relaxed);
                    }
                }
                None => break,
            }
        }
        self.counters.passed_over.fetch_add(self.thrift.passed_over(), Ordering::Relaxed);
        self.counters.skipped.fetch_add(self.thrift.lost(), Ordering::Relaxed);
    }

    /// Has the newest picture decoded for somebody who asks for it.
    fn be_ready(&mut self) {
        self.release();
        if self.enabled {
            return;
        }
        self.wanted_until = Some(Instant::now() + IDLE);
        if self.running.is_none()
            && let Some((packet, at_us)) = self.newest.clone()
        {
            self.hand_on(&packet, at_us);
        }
    }

    fn release(&mut self) {
        for (packet, at_us) in self.held.release() {
            self.hand_on(&packet, at_us);
        }
    }

    fn hand_on(&mut self, packet: &Packet, at_us: i64) {
        if !self.offer(packet, at_us, false) {
            self.counters.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether the packet went to the decoder, to be decoded `alone` or behind the one before.
    fn offer(&mut self, packet: &Packet, at_us: i64, alone: bool) -> bool {
        let video = &packet.parameters.video;
        if self.running.as_ref().is_some_and(|running| running.parameters != *video) {
            // A fresh process: whatever the old stream did to the old one ends with it.
            self.running = None;
            self.watcher.end();
        }
        if self.refused.as_ref().is_some_and(|refused| refused == video) {
            return false;
        }
        if self.session.replace(packet.session) != Some(packet.session)
            && let Some(running) = &mut self.running
        {
            running.process.backlog.interrupt();
        }
        if self.running.is_none() && !(packet.is_key && self.start(video)) {
            return false;
        }
        let Some(running) = &mut self.running else { return false };
        running.owe();
        let size = packet.data.len() + if packet.is_key { video.parameter_sets.len() } else { 0 };
        if size > MAX_UNIT || !running.process.backlog.takes(at_us, size, packet.is_key, Instant::now()) {
            running.process.backlog.interrupt();
            return false;
        }
        let sets: &[u8] = if packet.is_key { &video.parameter_sets } else { &[] };
        // A unit whose lengths do not add up goes nowhere, but its place in the stream is a hole.
        let data = match video.codec {
            VideoCodec::H264 | VideoCodec::H265 => annex_b::from_mp4(sets, &packet.data).unwrap_or_default(),
            VideoCodec::Jpeg => packet.data.clone(),
        };
        if data.is_empty() {
            running.process.backlog.retract();
            return false;
        }
        running.process.ask(&Request::Unit {
            pts_us: at_us,
            is_key: packet.is_key,
            damaged: packet.lost_before > 0,
            alone,
            data,
        });
        if alone {
            running.process.backlog.interrupt();
        }
        true
    }

    /// Whether a decoder runs now.
    fn start(&mut self, video: &VideoParameters) -> bool {
        if Instant::now() < self.not_before {
            return false;
        }
        let checked = match video.codec {
            VideoCodec::H264 | VideoCodec::H265 => sps::check(video.codec, &video.parameter_sets),
            VideoCodec::Jpeg => sps::check_size(video.width, video.height),
        };
        let fits = video.parameter_sets.len() <= MAX_SETS;
        if let Err(why) = checked.and_then(|_| fits.then_some(()).ok_or(ParametersError::TooLong)) {
            tracing::warn!(%why, "motion is not looked for");
            self.counters.set_trouble(Some(why.into()));
            self.refused = Some(video.clone());
            return false;
        }
        self.refused = None;
        let mut process = match Process::start(&self.exe) {
            Ok(process) => process,
            Err(error) => {
                self.fail(&format!("the decoder process could not be started from {}: {error}", self.exe.display()));
                return false;
            }
        };
        process.ask(&Request::Parameters { codec: video.codec, sets: video.parameter_sets.clone() });
        self.running = Some(Running::new(process, video.clone()));
        true
    }

    fn ask(&mut self, asked: Asked, which: Which, max_width: u16) {
        let Some(running) = &mut self.running else { return };
        if running.asked.len() < MOST_ASKED {
            let tag = running.promise(asked);
            running.process.ask(&Request::Picture { tag, which, max_width });
        }
    }

    /// Takes the look at that time into the film of the event that goes on; ends the film of one that does not.
    fn film(&mut self, at_us: i64) {
        let Some(running) = &mut self.running else { return };
        let event = self.watcher.going_on();
        if let Some((filmed, newest_us)) = running.film {
            if event == Some(filmed) && at_us.saturating_sub(newest_us) < FILM_US {
                return;
            }
            if event != Some(filmed) {
                let tag = running.promise(Asked::Film(filmed));
                running.process.ask(&Request::EndFilm { tag });
            }
        }
        running.film = event.map(|event| (event, at_us));
        if event.is_some() {
            running.process.ask(&Request::Film(at_us));
        }
    }

    /// Deals with the replies that have arrived whole.
    fn hear(&mut self) {
        while let Some(running) = &mut self.running {
            let reply = match running.process.reply() {
                Ok(Some(reply)) => reply,
                Ok(None) => break,
                Err(error) => return self.fail(&error.to_string()),
            };
            running.heard = Instant::now();
            if let Err(why) = self.take(reply) {
                return self.fail(&why);
            }
        }
        self.pump();
    }

    fn take(&mut self, reply: Reply) -> Result<(), String> {
        let Some(running) = &mut self.running else { return Ok(()) };
        if running.is_ready == matches!(reply, Reply::Ready(_)) {
            return Err("the decoder did not begin with how it is confined, and with that once".to_owned());
        }
        match reply {
            Reply::Ready(level) => {
                running.is_ready = true;
                let before = self.counters.set_confined(level);
                // Said once, not at each start of another process on the same kernel.
                if before != Some(level) && level.is_full() {
                    tracing::info!("the decoder process is {level}");
                } else if before != Some(level) {
                    tracing::warn!("the decoder process is {level}");
                }
            }
            Reply::Done { pictures } => {
                let Some(at_us) = running.process.backlog.answered() else {
                    return Err("the decoder answered what it was not asked".to_owned());
                };
                running.looks = 0;
                if self.thrift.awaited() == Some(at_us) {
                    self.thrift.unjudged();
                }
                self.counters.decoded.fetch_add(u64::from(pictures), Ordering::Relaxed);
                self.counters.set_trouble(None);
            }
            Reply::Look { pts_us, corrupt, shape, cells } => {
                running.looks += 1;
                if running.looks > MOST_LOOKS || !running.process.backlog.may_show(pts_us) {
                    return Err("the decoder shows what it was not given".to_owned());
                }
                if !corrupt && self.previews.takes(pts_us) {
                    let at = self.watcher.timeline.wall(pts_us);
                    self.ask(Asked::Preview(at), Which::Look(pts_us), preview::PREVIEW_WIDTH);
                }
                if !self.enabled {
                    return Ok(());
                }
                if corrupt {
                    self.counters.damaged.fetch_add(1, Ordering::Relaxed);
                    self.watcher.hold();
                } else if self.thrift.learns(pts_us, || self.watcher.glance(shape, &cells)) {
                    self.look(shape, &cells, pts_us);
                }
            }
            Reply::Jpeg { tag, data } => match running.asked.pop_front() {
                Some((asked, _)) if asked != tag => return Err("the decoder answered out of order".to_owned()),
                None => return Err("the decoder answered what it was not asked".to_owned()),
                Some(_) if data.is_empty() => {}
                // Whoever asked may have gone.
                Some((_, Asked::Snapshot(asked))) => drop(asked.send(data)),
                Some((_, Asked::Thumbnail(event))) => self.watcher.show(event, data),
                Some((_, Asked::Film(event))) => self.watcher.show_film(event, data),
                Some((_, Asked::Preview(at))) => self.previews.give(at, data),
            },
            Reply::Failed(sentence) => return Err(sentence),
        }
        Ok(())
    }

    fn look(&mut self, shape: Shape, cells: &[u16], at_us: i64) {
        let counters = &self.counters;
        let event = self.watcher.look(shape, cells, at_us, |dismissed| counters.dismiss(dismissed));
        self.thrift.looked(at_us, self.watcher.stirs());
        if let Some(event) = event {
            self.ask(Asked::Thumbnail(event), Which::Look(at_us), THUMBNAIL_WIDTH);
        }
        self.film(at_us);
    }

    /// Lets the decoder go and waits before the next.
    fn fail(&mut self, why: &str) {
        self.thrift.interrupt();
        let now = Instant::now();
        if self.running.take().is_some_and(|running| now - running.since >= HEALTHY) {
            (self.pause, self.patience) = (Duration::ZERO, FIRST_PATIENCE);
        }
        tracing::warn!(why, pause_s = self.pause.as_secs(), "motion is not looked for until the decoder is back");
        self.counters.restarts.fetch_add(1, Ordering::Relaxed);
        self.counters.set_trouble(Some(Blind::Decoder(why.to_owned())));
        self.not_before = now + self.pause;
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.patience = (self.patience * 2).min(LONGEST_PATIENCE);
        self.watcher.end();
    }

    /// When something must have happened.
    fn deadline(&self) -> Instant {
        let far = Instant::now() + Duration::from_secs(3600);
        let answer = self.running.as_ref().filter(|running| running.owes());
        let answer = answer.map_or(far, |running| running.heard + running.patience(self.patience));
        let own = self.held.deadline().into_iter().chain(self.wanted_until).min();
        answer.min(own.unwrap_or(far)).min(self.watcher.last_look().map_or(far, |look| look + BLIND))
    }

    fn overdue(&mut self) {
        let now = Instant::now();
        if let Some(running) = self.running.as_ref().filter(|running| running.owes()) {
            let patience = running.patience(self.patience);
            if now >= running.heard + patience {
                self.fail(&format!("the decoder process did not answer for {patience:?}"));
            }
        }
        if self.held.deadline().is_some_and(|deadline| now >= deadline) {
            self.release();
        }
        if self.wanted_until.is_some_and(|until| now >= until) {
            (self.wanted_until, self.running) = (None, None);
        }
        if self.watcher.last_look().is_some_and(|look| now >= look + BLIND) {
            self.watcher.end();
        }
    }
}
