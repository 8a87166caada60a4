//! One camera's tasks and its recording thread, supervised: they stop together, and when one dies all are started again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::app::household::Shared;
use crate::app::index_feed::Report;
use crate::app::{previews, random, task};
use crate::camera::packet::{Delivery, Packet, Track, VideoCodec};
use crate::camera::session::{self, Ear, Purpose, Target};
use crate::camera::status::StreamStatus;
use crate::config::settings::{Camera, CameraUrl, RecordMode, Storage};
use crate::index::{gaps, segments};
use crate::media::live::Stream;
use crate::record::segment::{ClosedSegment, GapCause, Recorded};
use crate::record::task::RecordSettings;
use crate::units::{CameraId, UtcMicros};
use crate::web::{OnBoard, SiteParts};
use crate::{detect, record};

/// Packets that may wait for the decoder; more than about two groups of pictures would only make events late.
const DETECT_QUEUE: usize = 128;
/// Requests for a still that may wait for the decoder.
const SNAPSHOT_QUEUE: usize = 8;
/// Between the death of one of a camera's tasks and the next start of all of them.
const RESTART: Duration = Duration::from_secs(2);

/// A camera that is being looked after.
pub(crate) struct Running {
    stop: CancellationToken,
    supervisor: JoinHandle<()>,
}

impl Running {
    /// Starts everything of this camera.
    pub(crate) fn start(shared: Arc<Shared>, id: CameraId, camera: Camera, storage: Storage) -> Self {
        let stop = CancellationToken::new();
        let span = tracing::info_span!("camera", id = %id);
        let supervisor = task::spawn(supervise(shared, id, camera, storage, stop.clone()).instrument(span));
        Self { stop, supervisor }
    }

    /// Stops everything of this camera and waits until its last packet is on disk.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.supervisor.await {
            tracing::error!(%error, "a camera's supervisor failed");
        }
    }
}

async fn supervise(shared: Arc<Shared>, id: CameraId, camera: Camera, storage: Storage, stop: CancellationToken) {
    loop {
        once(&shared, &id, &camera, &storage, stop.child_token()).await;
        if stop.is_cancelled() {
            return;
        }
        tracing::error!("a part of this camera's work died; all of it starts again");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RESTART) => {}
        }
    }
}

/// Runs all parts until `stop` or until one of them ends; returns when all have ended.
async fn once(shared: &Arc<Shared>, id: &CameraId, camera: &Camera, storage: &Storage, stop: CancellationToken) {
    let site = &shared.site;
    let mut tasks = JoinSet::new();

    let (main_sender, main_status) = watch::channel(StreamStatus::new(site.clock.now()));
    let (sub_sender, sub_status) = watch::channel(StreamStatus::new(site.clock.now()));
    let (snapshot_sender, snapshots) = mpsc::channel(SNAPSHOT_QUEUE);
    let counters = Arc::new(detect::counters::Counters::default());
    let of_camera = site.board.get(id).map(|before| before.counters).unwrap_or_default();
    // Whatever moved when a part of this last died is over for us.
    of_camera.is_moving.store(false, Ordering::Relaxed);
    site.board.set(
        id.clone(),
        OnBoard {
            name: camera.name.clone(),
            main: main_status,
            sub: camera.detect_url.as_ref().map(|_| sub_status),
            snapshots: snapshot_sender,
            record: camera.record.name(),
            detects_motion: camera.motion.enabled,
            detection: counters.clone(),
            counters: of_camera,
        },
    );

    let mut recorder = None;
    let mut to_recorder = None;
    let mut to_previews = None;
    if camera.record != RecordMode::Off {
        let (began, why_not) = shared.began;
        let recorded_until = recorded_until(shared, id).await.map(|(until, listed)| {
            let why = match listed {
                _ if until <= began => why_not,
                // Somebody's wish was that there be nothing; it takes a moment until there is something again.
                Some(GapCause::Paused) => GapCause::Paused,
                // What ended within this life ended for a change of the settings, or because a part of it died.
                _ => GapCause::Restart,
            };
            (until, why)
        });
        let settings = RecordSettings { segment: storage.segment, sync: storage.sync, recorded_until };
        let (sender, packets) = record::queue::queue(&shared.budget);
        let (made_sender, made) = mpsc::channel(previews::PICTURES);
        let (closed_sender, closed) = mpsc::channel(previews::SEGMENTS);
        tasks.spawn(previews::run(site.clone(), made, closed).in_current_span());
        // Where motion is not looked for, pictures are decoded only while somebody asks for one: a trace of who looked.
        to_previews = camera.motion.enabled.then_some(made_sender);
        match start_recorder(shared, id, settings, packets, closed_sender) {
            Ok(thread) => recorder = Some(thread),
            Err(error) => {
                tracing::error!(%error, "the recording thread cannot start");
                return;
            }
        }
        to_recorder = Some(sender);
    }
    let (detect_sender, detect_packets) = mpsc::channel(DETECT_QUEUE);
    let to_detector = ToDetector::new(detect_sender);
    let (keep, kept) = mpsc::channel(1);
    let task = detect::task::Task {
        camera: id.clone(),
        settings: camera.motion.clone(),
        exe: shared.exe.clone(),
        packets: detect_packets,
        stop: stop.clone(),
        snapshots,
        before: background_before(shared, id).await,
        keep,
        previews: to_previews,
        counters,
    };
    let feed = shared.feed.clone();
    let out = move |event| feed.report(Report::Motion(event));
    tasks.spawn_on(detect::task::run(task, random::bytes::<8>, out).in_current_span(), &shared.thread);
    // Ends when detection has ended and its last word is written.
    tasks.spawn(keep_background(shared.clone(), id.clone(), kept).in_current_span());

    let ear = camera.motion.enabled.then(Ear::default);
    let target = |url: &CameraUrl| Target {
        camera: id.clone(),
        url: url.clone(),
        credentials: camera.credentials.clone(),
        transport: camera.transport,
        audio: camera.audio,
        purpose: Purpose::Record,
        ear: ear.clone(),
    };
    let judge = shared.identities.judge_of(id);
    let (mut main_detect, sub_detect) = match camera.detect_url {
        Some(_) => (None, Some(to_detector)),
        None => (Some(to_detector), None),
    };
    {
        let (rings, camera_id, feed) = (site.rings.clone(), id.clone(), shared.feed.clone());
        let sink = move |delivery| match delivery {
            Delivery::Packet(packet) => {
                rings.push(&camera_id, Stream::Main, &packet);
                if let Some(detector) = &mut main_detect {
                    detector.push(packet.clone());
                }
                if let Some(recorder) = &mut to_recorder {
                    recorder.push(packet);
                }
            }
            Delivery::Absent(absent) => {
                if let Some(recorder) = &mut to_recorder {
                    recorder.tell(absent);
                }
            }
            Delivery::CameraMotion(said) => feed.report(Report::CameraMotion(camera_id.clone(), said)),
        };
        let session =
            session::run(target(&camera.url), judge.clone(), site.clock.clone(), stop.clone(), main_sender, sink);
        tasks.spawn_on(session.in_current_span(), &shared.thread);
    }
    if let (Some(url), Some(mut detector)) = (&camera.detect_url, sub_detect) {
        let (rings, camera_id, feed) = (site.rings.clone(), id.clone(), shared.feed.clone());
        let sink = move |delivery| match delivery {
            Delivery::Packet(packet) => {
                // What no browser plays is not offered: viewers get the main stream instead.
                if packet.parameters.video.codec != VideoCodec::Jpeg {
                    rings.push(&camera_id, Stream::Sub, &packet);
                }
                detector.push(packet);
            }
            Delivery::CameraMotion(said) => feed.report(Report::CameraMotion(camera_id.clone(), said)),
            Delivery::Absent(_) => {}
        };
        let target = Target { audio: false, purpose: Purpose::Watch, ..target(url) };
        let session = session::run(target, judge, site.clock.clone(), stop.clone(), sub_sender, sink);
        tasks.spawn_on(session.instrument(tracing::info_span!("sub")), &shared.thread);
    }

    // Whichever part ends first ends all; each says itself why.
    if let Some(Err(error)) = tasks.join_next().await {
        tracing::error!(%error, "a part of this camera's work panicked");
    }
    stop.cancel();
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a part of this camera's work panicked");
        }
    }
    // The sinks are gone, so the recorder's input has ended: it closes its segment and ends.
    if let Some(recorder) = recorder
        && !matches!(tokio::task::spawn_blocking(move || recorder.join()).await, Ok(Ok(())))
    {
        tracing::error!("the recording thread panicked");
    }
}

/// Up to where the camera's time is recorded or listed as missing, so that the time since then is listed, and the cause if it is
/// listed; unknown if the index does not answer.
///
/// A segment of this life may still wait for its row: after a change of the settings the newest one usually does.
async fn recorded_until(shared: &Shared, id: &CameraId) -> Option<(UtcMicros, Option<GapCause>)> {
    let waiting = shared.site.open.of(id).into_iter().map(|segment| (segment.span.end(), None));
    let waiting = waiting.max_by_key(|(end, _)| *end);
    let camera = id.clone();
    let newest = shared.site.readers.read(move |conn| {
        let segment = segments::newest(conn, &camera)?.map(|segment| (segment.span.end(), None));
        let gap = gaps::newest(conn, &camera)?.map(|gap| (gap.span.end(), Some(gap.cause)));
        Ok(segment.into_iter().chain(gap).max_by_key(|(end, _)| *end))
    });
    match newest.await {
        Ok(newest) => newest.into_iter().chain(waiting).max_by_key(|(end, _)| *end),
        Err(error) => {
            tracing::warn!(%error, "it is not known until when this camera was recorded");
            waiting
        }
    }
}

/// What detection knew of this camera when it last ended.
async fn background_before(shared: &Arc<Shared>, id: &CameraId) -> Option<Vec<u8>> {
    let (footage, camera) = (shared.site.footage.clone(), id.clone());
    let read = tokio::task::spawn_blocking(move || footage.read_background(&camera)).await;
    read.map_err(std::io::Error::other).and_then(|read| read).unwrap_or_else(|error| {
        tracing::warn!(%error, "the camera's usual picture cannot be read and is learnt anew");
        None
    })
}

async fn keep_background(shared: Arc<Shared>, id: CameraId, mut kept: mpsc::Receiver<Vec<u8>>) {
    while let Some(content) = kept.recv().await {
        let (footage, camera) = (shared.site.footage.clone(), id.clone());
        let written = tokio::task::spawn_blocking(move || footage.write_background(&camera, &content)).await;
        if let Err(error) = written.map_err(std::io::Error::other).and_then(|written| written) {
            // Nothing is lost by it but a few seconds of learning at the next start.
            tracing::warn!(%error, "the camera's usual picture cannot be kept");
        }
    }
}

fn start_recorder(
    shared: &Arc<Shared>,
    id: &CameraId,
    settings: RecordSettings,
    packets: record::queue::Packets,
    closed: mpsc::Sender<ClosedSegment>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let (shared, id) = (shared.clone(), id.clone());
    let span = tracing::Span::current();
    std::thread::Builder::new().name("record".to_owned()).spawn(move || {
        let _entered = span.enter();
        let SiteParts { footage, open, clock, .. } = shared.site.clone();
        let out = |recorded| {
            if let Recorded::Segment(segment) = &recorded {
                // Recording waits for no small picture: where they are behind, this segment gets none.
                let _ = closed.try_send(segment.clone());
            }
            shared.feed.report(Report::Recorded(recorded));
        };
        record::task::run(id, footage, settings, clock, &packets, open, random::bytes::<8>, out);
    })
}

/// The detector's bounded queue. It never makes the camera's session wait: when it is full, packets are left out up to the
/// next key frame that fits.
struct ToDetector {
    packets: mpsc::Sender<Packet>,
    is_behind: bool,
}

impl ToDetector {
    fn new(packets: mpsc::Sender<Packet>) -> Self {
        Self { packets, is_behind: false }
    }

    fn push(&mut self, mut packet: Packet) {
        if packet.track != Track::Video || (self.is_behind && !packet.is_key) {
            return;
        }
        if self.is_behind {
            packet.lost_before = packet.lost_before.max(1);
        }
        match self.packets.try_send(packet) {
            Ok(()) => self.is_behind = false,
            Err(mpsc::error::TrySendError::Full(_)) if !self.is_behind => {
                self.is_behind = true;
                tracing::warn!("detection does not keep up; leaving out pictures up to the next key frame");
            }
            Err(_) => {} // still full, or that part has ended and the supervisor starts all again
        }
    }
}
