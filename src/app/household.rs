//! All cameras of the household: started, stopped and restarted as the settings say, each for itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::app::camera::Running;
use crate::app::common_thread::CommonThread;
use crate::app::identities::Identities;
use crate::app::index_feed::Feed;
use crate::app::pauses::{self, Paused};
use crate::config::settings::{Camera, Settings, Storage};
use crate::index::rights;
use crate::media::live::Stream;
use crate::record::queue::Budget;
use crate::record::segment::GapCause;
use crate::units::{CameraId, UtcMicros};
use crate::web::SiteParts;

/// Memory that packets may take while they wait for the disk, for all cameras together.
const PACKET_MEMORY: usize = 64 << 20;

/// The running cameras.
pub(crate) struct Household {
    shared: Arc<Shared>,
    thread: CommonThread,
    running: BTreeMap<CameraId, (Camera, Running)>,
    storage: Option<Storage>,
}

/// What every camera's tasks use.
pub(crate) struct Shared {
    pub(crate) site: SiteParts,
    pub(crate) feed: Feed,
    /// Who the cameras are.
    pub(crate) identities: Arc<Identities>,
    /// What waiting packets of all cameras may take together.
    pub(crate) budget: Budget,
    /// Where their sessions and their detection run.
    pub(crate) thread: tokio::runtime::Handle,
    /// This program, to be started again as a decoder.
    pub(crate) exe: PathBuf,
    /// When this life of the daemon began, and why nothing was recorded since the one before.
    pub(crate) began: (UtcMicros, GapCause),
}

impl Household {
    /// Without any camera yet.
    pub(crate) fn new(
        site: SiteParts,
        feed: Feed,
        identities: Arc<Identities>,
        why_not: GapCause,
    ) -> std::io::Result<Self> {
        let (budget, exe, began) = (Budget::new(PACKET_MEMORY), std::env::current_exe()?, (site.clock.now(), why_not));
        let thread = CommonThread::start(site.clock.clone())?;
        let handle = thread.handle().clone();
        let shared = Arc::new(Shared { site, feed, identities, budget, thread: handle, exe, began });
        Ok(Self { shared, thread, running: BTreeMap::new(), storage: None })
    }

    /// How many cameras there are.
    pub(crate) fn len(&self) -> usize {
        self.running.len()
    }

    /// Stops what is gone, restarts what changed, starts what is new; every other camera goes on undisturbed.
    /// A paused camera is neither connected nor recorded nor looked at.
    pub(crate) async fn apply(&mut self, settings: &Settings, paused: &Paused) {
        let pace = |storage: &Storage| (storage.segment, storage.sync);
        let pace_changed = self.storage.as_ref().is_some_and(|old| pace(old) != pace(&settings.storage));
        let stale: Vec<CameraId> = self
            .running
            .iter()
            .filter(|(id, (camera, _))| {
                pace_changed || paused.contains_key(*id) || settings.cameras.get(*id) != Some(camera)
            })
            .map(|(id, _)| id.clone())
            .collect();
        let stopping: Vec<_> = stale.iter().filter_map(|id| self.running.remove(id)).collect();
        futures_util::future::join_all(stopping.into_iter().map(|(_, running)| running.stop())).await;
        for id in stale.iter().filter(|id| !settings.cameras.contains_key(*id)) {
            tracing::info!(camera = %id, "not in the configuration any more; its footage stays until its time is over");
            self.shared.site.board.remove(id);
            self.shared.site.rings.end(id, Stream::Main);
            self.shared.site.rings.end(id, Stream::Sub);
        }
        self.storage = Some(settings.storage.clone());
        for (id, camera) in &settings.cameras {
            if let Some(pause) = paused.get(id) {
                pauses::show(&self.shared.site, id, camera, pause);
                continue;
            }
            if self.running.contains_key(id) {
                continue;
            }
            let adopted = id.clone();
            if let Err(error) = self.shared.site.writer.write(move |tx| rights::adopt(tx, &adopted)).await {
                // Recording does not wait for the index; only the owners' rights to a new camera do.
                tracing::error!(camera = %id, %error, "the camera could not be entered into the index");
            }
            let running = Running::start(self.shared.clone(), id.clone(), camera.clone(), settings.storage.clone());
            self.running.insert(id.clone(), (camera.clone(), running));
        }
    }

    /// Stops every camera at once; returns when the last packet is on disk.
    pub(crate) async fn stop(self) {
        futures_util::future::join_all(self.running.into_values().map(|(_, running)| running.stop())).await;
        self.thread.end().await;
    }
}
