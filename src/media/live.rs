//! Live pictures and sound: a ring with the last groups of pictures of each stream, and viewers who read from it.
//!
//! A viewer is a place in the ring, not a queue: it takes what it has not had yet, and one who falls further behind than the
//! ring reaches goes on at the newest key frame. So a slow viewer costs nothing, holds nothing back and harms nobody, and a
//! session pushes without ever waiting. Each picture is wrapped for Media Source once, by the first who asks, and shared.
//! Sound goes to those who ask for it: a player that gets both shows pictures only as far as it has sound.

mod timeline;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};

use crate::access::{Right, Viewable};
use crate::camera::packet::{Packet, StreamParameters, Track};
use crate::media::live::timeline::{SoundTimeline, Timeline, Times};
use crate::record::fmp4::{self, Sample, TrackRun};
use crate::units::CameraId;

/// The most that one ring holds, in bytes. A group larger than this is not kept: viewers wait for the next.
const MAX_BYTES: usize = 16 << 20;
/// The most pictures and packets of sound that one ring holds.
const MAX_UNITS: usize = 2_000;
/// How often a viewer's right is asked for again.
const RECHECK: Duration = Duration::from_secs(1);

/// Which of a camera's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// The large one, which is recorded.
    Main,
    /// The small one, for the grid and for motion.
    Sub,
}

impl Stream {
    /// The name in URLs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Sub => "sub",
        }
    }

    /// The stream of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Main, Self::Sub].into_iter().find(|stream| stream.name() == name)
    }
}

/// What a viewer wants to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// Pictures alone.
    Pictures,
    /// Sound too, if the camera sends any.
    PicturesAndSound,
}

/// What a viewer is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveItem {
    /// How the fragments that follow are coded. Comes first, and again whenever it changes.
    Parameters {
        /// RFC 6381, of what is sent, as `avc1.4d401f` or `avc1.4d401f,mp4a.40.2`.
        codecs: String,
        /// Whether the camera sends sound, wanted or not.
        has_sound: bool,
        /// Picture width in pixels.
        width: u32,
        /// Picture height in pixels.
        height: u32,
        /// `ftyp` and `moov`.
        init: Bytes,
    },
    /// One picture or packet of sound: a `moof` and a `mdat`. The first one is a key frame. Times go on from one viewer to the next, so they
    /// begin anywhere: a player seeks to the start of what it has buffered.
    Fragment(Bytes),
    /// Nothing more comes: the stream ended or began anew, or the viewer's right is gone.
    Ended,
}

/// Every camera's rings. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Rings(Arc<RwLock<ByStream>>);

type ByStream = HashMap<(CameraId, Stream), Arc<Ring>>;

impl Rings {
    /// No rings; one is made by the first packet of each stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a packet of this camera's stream. Never waits.
    ///
    /// Invariant: the caller is the one session of that camera's stream, whose identity was verified.
    pub fn push(&self, camera: &CameraId, stream: Stream, packet: &Packet) {
        let ring = self.ring(camera, stream).unwrap_or_else(|| {
            let mut rings = self.0.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(rings.entry((camera.clone(), stream)).or_default())
        });
        ring.push(packet);
    }

    /// Ends a stream: its viewers are told so and its pictures are forgotten.
    pub fn end(&self, camera: &CameraId, stream: Stream) {
        let mut rings = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Dropping the map's share would do for nobody who still holds the ring.
        if let Some(ring) = rings.remove(&(camera.clone(), stream)) {
            ring.state().begin_era();
            ring.changed.send_replace(());
        }
    }

    /// How many watch each stream now.
    pub fn viewers(&self) -> Vec<(CameraId, Stream, usize)> {
        let rings = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let count = |((camera, stream), ring): (&(CameraId, Stream), &Arc<Ring>)| {
            (camera.clone(), *stream, ring.changed.receiver_count())
        };
        rings.iter().map(count).collect()
    }

    fn ring(&self, camera: &CameraId, stream: Stream) -> Option<Arc<Ring>> {
        let rings = self.0.read().unwrap_or_else(PoisonError::into_inner);
        rings.get(&(camera.clone(), stream)).map(Arc::clone)
    }
}

/// The last groups of pictures of one stream.
#[derive(Debug, Default)]
pub struct Ring {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl Ring {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, packet: &Packet) {
        self.state().push(packet);
        self.changed.send_replace(());
    }
}

/// How a stretch of pictures and sound is coded.
#[derive(Debug)]
struct Coding {
    parameters: Arc<StreamParameters>,
    init: Bytes,
    init_with_sound: Bytes,
}

impl Coding {
    fn new(parameters: &Arc<StreamParameters>) -> Arc<Self> {
        let pictures_only = StreamParameters { video: parameters.video.clone(), audio: None };
        let init = |parameters| Bytes::from(fmp4::init_segment(parameters, None));
        Arc::new(Self {
            parameters: Arc::clone(parameters),
            init: init(&pictures_only),
            init_with_sound: init(parameters),
        })
    }

    fn is_of(&self, packet: &Packet) -> bool {
        Arc::ptr_eq(&self.parameters, &packet.parameters) || self.parameters == packet.parameters
    }

    fn item(&self, wanted: Wanted) -> LiveItem {
        let StreamParameters { video, audio } = &*self.parameters;
        let (codecs, init) = match (wanted, audio) {
            (Wanted::PicturesAndSound, Some(audio)) => {
                (format!("{},{}", video.rfc6381, audio.rfc6381), &self.init_with_sound)
            }
            _ => (video.rfc6381.clone(), &self.init),
        };
        let (width, height, has_sound) = (video.width, video.height, audio.is_some());
        LiveItem::Parameters { codecs, has_sound, width, height, init: init.clone() }
    }
}

/// A picture, or a packet of sound.
#[derive(Debug)]
struct Unit {
    number: u64,
    packet: Packet,
    times: Times,
    coding: Arc<Coding>,
    /// Made by the first viewer who comes to it.
    fragment: OnceLock<Bytes>,
}

impl Unit {
    fn fragment(&self) -> Bytes {
        let make = || {
            let sample = Sample {
                duration: self.times.duration,
                composition_offset: self.times.composition_offset,
                is_key: self.packet.is_key,
                data: self.packet.data.clone(),
            };
            let run =
                TrackRun { track: self.packet.track, base_decode_ticks: self.times.decode_ticks, samples: &[sample] };
            #[expect(clippy::cast_possible_truncation, reason = "the sequence number may wrap; nobody relies on it")]
            fmp4::fragment(self.number as u32, &[run]).into()
        };
        self.fragment.get_or_init(make).clone()
    }
}

/// Invariant: the first unit held is a key frame, and so is the one numbered `newest_key`.
#[derive(Debug)]
struct State {
    /// Counts sessions; viewers of an earlier one have come to their end.
    era: u64,
    session: Option<u64>,
    coding: Option<Arc<Coding>>,
    timeline: Timeline,
    sound: SoundTimeline,
    units: VecDeque<Arc<Unit>>,
    /// Places of units that are gone, to be used again: a picture costs no memory of its own here.
    spare: Vec<Arc<Unit>>,
    bytes: usize,
    next_number: u64,
    newest_key: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            era: 0,
            session: None,
            coding: None,
            timeline: Timeline::new(),
            sound: SoundTimeline::default(),
            units: VecDeque::new(),
            spare: Vec::new(),
            bytes: 0,
            next_number: 1,
            newest_key: 0,
        }
    }
}

impl State {
    fn begin_era(&mut self) {
        *self = Self { era: self.era + 1, next_number: self.next_number, ..Self::default() };
    }

    fn push(&mut self, packet: &Packet) {
        if self.session != Some(packet.session) {
            if self.session.is_some() {
                self.begin_era();
            }
            self.session = Some(packet.session);
        }
        if packet.track == Track::Audio {
            return self.push_sound(packet);
        }
        let times = self.timeline.place(packet.pts, packet.is_key);
        let coding = match &self.coding {
            Some(coding) if coding.is_of(packet) => Arc::clone(coding),
            // Pictures in another coding cannot be shown before their key frame.
            _ if !packet.is_key => return self.forget_all(),
            _ => Arc::clone(self.coding.insert(Coding::new(&packet.parameters))),
        };
        if packet.is_key {
            // The group before stays for those who are still at it; all earlier ones go.
            self.forget_until(self.newest_key);
            self.newest_key = self.next_number;
        } else if self.units.is_empty() {
            return;
        }
        self.keep(packet, times, coding);
    }

    /// Sound is of no use without the pictures that it belongs to.
    fn push_sound(&mut self, packet: &Packet) {
        let Some(audio) = &packet.parameters.audio else { return };
        let Some(times) = self.sound.place(packet.pts, audio.packet_samples, &self.timeline) else { return };
        let coding = self.coding.as_ref().filter(|coding| !self.units.is_empty() && coding.is_of(packet));
        if let Some(coding) = coding.map(Arc::clone) {
            self.keep(packet, times, coding);
        }
    }

    fn keep(&mut self, packet: &Packet, times: Times, coding: Arc<Coding>) {
        let size = packet.data.len();
        if !self.has_room(size) {
            self.forget_until(self.newest_key);
        }
        if !self.has_room(size) {
            return self.forget_all();
        }
        self.bytes += size;
        let number = self.next_number;
        self.next_number += 1;
        let unit = Unit { number, packet: packet.clone(), times, coding, fragment: OnceLock::new() };
        let mut place = self.spare.pop();
        match place.as_mut().and_then(Arc::get_mut) {
            Some(place) => *place = unit,
            None => place = Some(Arc::new(unit)),
        }
        self.units.extend(place);
    }

    fn has_room(&self, size: usize) -> bool {
        self.bytes + size <= MAX_BYTES && self.units.len() < MAX_UNITS
    }

    fn forget_until(&mut self, number: u64) {
        while let Some(first) = self.units.front().filter(|first| first.number < number) {
            self.bytes -= first.packet.data.len();
            let Some(mut unit) = self.units.pop_front() else { return };
            // Nobody looks at it: its place is used again, its picture goes.
            if let Some(gone) = Arc::get_mut(&mut unit) {
                (gone.packet.data, gone.fragment) = (Bytes::new(), OnceLock::new());
                self.spare.push(unit);
            }
        }
    }

    fn forget_all(&mut self) {
        self.units.clear();
        self.bytes = 0;
    }

    /// The unit of that number, or the newest key frame if there is none of that number any more.
    fn from(&self, number: Option<u64>) -> Option<&Arc<Unit>> {
        let first = self.units.front()?.number;
        let number = number.filter(|number| *number >= first).unwrap_or(self.newest_key);
        self.units.get(usize::try_from(number - first).ok()?)
    }

    fn newest_group(&self) -> Vec<Packet> {
        let group = self.units.iter().filter(|unit| unit.number >= self.newest_key);
        group.filter(|unit| unit.packet.track == Track::Video).map(|unit| unit.packet.clone()).collect()
    }
}

/// Somebody watching a stream. Dropping it is all there is to leaving.
#[derive(Debug)]
pub struct Subscription {
    proof: Viewable<CameraId>,
    wanted: Wanted,
    ring: Arc<Ring>,
    changed: watch::Receiver<()>,
    era: u64,
    next: Option<u64>,
    coding: Option<Arc<Coding>>,
    recheck: Interval,
    recheck_due: bool,
}

/// Begins to watch; takes a proof of [`Right::Live`]. `None` for a stream that has sent nothing yet (and for a proof of
/// another right, which is a mistake in this program and logged as one). Call within a Tokio runtime.
pub fn subscribe(proof: &Viewable<CameraId>, rings: &Rings, stream: Stream, wanted: Wanted) -> Option<Subscription> {
    let ring = permitted_ring(proof, rings, stream)?;
    let mut recheck = tokio::time::interval(RECHECK);
    recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Asking the moment before was the gate's part.
    recheck.reset();
    let era = ring.state().era;
    let changed = ring.changed.subscribe();
    Some(Subscription {
        proof: proof.clone(),
        wanted,
        ring,
        changed,
        era,
        next: None,
        coding: None,
        recheck,
        recheck_due: false,
    })
}

/// The newest group of pictures, from its key frame on, to decode the newest picture from; empty while waiting for a key
/// frame. Takes a proof of [`Right::Live`]; `None` as for [`subscribe`].
pub fn newest_group(proof: &Viewable<CameraId>, rings: &Rings, stream: Stream) -> Option<Vec<Packet>> {
    Some(permitted_ring(proof, rings, stream)?.state().newest_group())
}

fn permitted_ring(proof: &Viewable<CameraId>, rings: &Rings, stream: Stream) -> Option<Arc<Ring>> {
    if proof.right() != Right::Live {
        tracing::error!(camera = proof.get().as_str(), right = ?proof.right(), "live pictures were asked for with another right");
        return None;
    }
    rings.ring(proof.get(), stream)
}

impl Subscription {
    /// The next thing to send. Waits while there is none; after [`LiveItem::Ended`] it says so again.
    ///
    /// Asks once a second whether the viewer still may. May be cancelled: nothing is lost or sent twice.
    pub async fn next(&mut self) -> LiveItem {
        loop {
            self.recheck_due |= self.recheck.tick().now_or_never().is_some();
            if self.recheck_due {
                let proof = self.proof.clone();
                let asked = tokio::task::spawn_blocking(move || proof.still_allowed()).await;
                if !matches!(asked, Ok(Ok(()))) {
                    tracing::info!(camera = self.proof.get().as_str(), "a viewer of live pictures may no longer");
                    return LiveItem::Ended;
                }
                self.recheck_due = false;
            }
            self.changed.borrow_and_update();
            match self.take() {
                Some(item) => return item,
                None => self.wait().await,
            }
        }
    }

    fn take(&mut self) -> Option<LiveItem> {
        let state = self.ring.state();
        if state.era != self.era {
            return Some(LiveItem::Ended);
        }
        let mut unit = Arc::clone(state.from(self.next)?);
        while self.wanted == Wanted::Pictures && unit.packet.track == Track::Audio {
            self.next = Some(unit.number + 1);
            unit = Arc::clone(state.from(self.next)?);
        }
        drop(state);
        if !self.coding.as_ref().is_some_and(|coding| Arc::ptr_eq(coding, &unit.coding)) {
            self.coding = Some(Arc::clone(&unit.coding));
            return Some(unit.coding.item(self.wanted));
        }
        self.next = Some(unit.number + 1);
        Some(LiveItem::Fragment(unit.fragment()))
    }

    async fn wait(&mut self) {
        tokio::select! {
            // The sender lives in the ring that is held here.
            _ = self.changed.changed() => {}
            _ = self.recheck.tick() => self.recheck_due = true,
        }
    }
}

#[cfg(test)]
mod tests;
