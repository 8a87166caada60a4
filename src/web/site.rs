//! What the pages are made from, and the few things that only the web remembers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, watch};

use crate::access::{Denied, Gate, Rights, Viewer};
use crate::config::settings::Settings;
use crate::disk::Footage;
use crate::index::audit::Entry;
use crate::index::{Readers, Writer, audit};
use crate::media::live::Rings;
use crate::record::open::OpenSegments;
use crate::units::{CameraId, Clock, UserId, UtcSpan};
use crate::web::board::Board;
use crate::web::keeper::Keeper;
use crate::web::metrics::Requests;
use crate::web::refusal::{Refusal, unavailable};
use crate::web::sign_in::Throttles;

/// What the daemon hands to the web.
#[derive(Clone)]
pub struct SiteParts {
    /// Decides who sees what.
    pub gate: Gate,
    /// Where changes and the audit log are written.
    pub writer: Writer,
    /// Where events, segments and users are read.
    pub readers: Readers,
    /// The footage folder.
    pub footage: Footage,
    /// The segments that are being written now.
    pub open: OpenSegments,
    /// The newest pictures in memory.
    pub rings: Rings,
    /// How the cameras do.
    pub board: Board,
    /// Looks after them.
    pub keeper: Arc<dyn Keeper>,
    /// The settings as they are now.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// What time it is.
    pub clock: Clock,
    /// Whether the listener in front of this router speaks TLS.
    pub over_tls: bool,
}

/// One site: what it is made from, and what the web counts.
pub struct Site {
    /// What the daemon handed over.
    pub(crate) parts: SiteParts,
    /// One password at a time is hashed: it costs 19 MiB and a good part of a second, and recording goes first.
    pub(crate) hashing: Arc<Semaphore>,
    /// Who has to wait before the next attempt to sign in.
    pub(crate) throttles: Throttles,
    /// Answered requests, for the metrics.
    pub(crate) requests: Requests,
    viewers: AtomicUsize,
    noted: tokio::sync::Mutex<HashMap<Noted, i64>>,
}

/// Who looked at what, for writing it down once a minute instead of once a picture.
#[derive(PartialEq, Eq, Hash)]
struct Noted {
    user: UserId,
    session: [u8; 32],
    camera: CameraId,
    action: &'static str,
    address: IpAddr,
}

/// The address at the other end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Site {
    /// A site that has served nobody yet.
    pub fn new(parts: SiteParts) -> Self {
        Self {
            parts,
            hashing: Arc::new(Semaphore::new(1)),
            throttles: Throttles::default(),
            requests: Requests::default(),
            viewers: AtomicUsize::new(0),
            noted: tokio::sync::Mutex::default(),
        }
    }

    /// Runs what blocks on the database or the disk where it may.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Denied> + Send + 'static,
    ) -> Result<T, Refusal> {
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result.map_err(Refusal::from),
            Err(error) => Err(unavailable("the recorder could not check who may see this")(&error)),
        }
    }

    /// The cameras on which the viewer has any right now. For lists; each thing shown is asked for again.
    pub(crate) async fn rights(&self, viewer: &Viewer) -> Result<Vec<(CameraId, Rights)>, Refusal> {
        let (gate, viewer) = (self.parts.gate.clone(), viewer.clone());
        self.blocking(move || gate.rights(&viewer)).await
    }

    /// Writes down that somebody is about to see something; nothing may go out before this returned.
    ///
    /// The same viewer, camera, action and address are written once a minute.
    pub(crate) async fn note(
        &self,
        viewer: &Viewer,
        Peer(address): Peer,
        action: &'static str,
        camera: &CameraId,
        span: Option<UtcSpan>,
    ) -> Result<(), Refusal> {
        let now = self.parts.clock.now();
        let minute = now.0.div_euclid(60_000_000);
        let key = Noted {
            user: viewer.user(),
            session: *viewer.session().as_bytes(),
            camera: camera.clone(),
            action,
            address,
        };
        // Held until the row is there: of a page's thirty pictures the first writes it and the others wait for that.
        let mut noted = self.noted.lock().await;
        if noted.get(&key).is_some_and(|at| *at == minute) {
            return Ok(());
        }
        self.append(Entry {
            at: now,
            user: Some(viewer.user()),
            user_name: viewer.name().to_owned(),
            action: action.to_owned(),
            camera: Some(camera.clone()),
            span,
            address: Some(address),
            detail: String::new(),
        })
        .await?;
        noted.retain(|_, at| *at == minute);
        noted.insert(key, minute);
        Ok(())
    }

    /// Appends one row to the audit log.
    pub(crate) async fn append(&self, entry: Entry) -> Result<(), Refusal> {
        let written = self.parts.writer.write(move |tx| audit::append(tx, &entry)).await;
        written
            .map(drop)
            .map_err(|error| unavailable("the recorder could not write down who looks, so it shows nothing")(&error))
    }

    /// Counts a viewer of a stream until it is dropped.
    pub(crate) fn count_viewer(self: &Arc<Self>) -> CountedViewer {
        self.viewers.fetch_add(1, Ordering::Relaxed);
        CountedViewer(Arc::clone(self))
    }

    /// Streams that are being watched now.
    pub(crate) fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Relaxed)
    }
}

/// One stream being watched.
pub(crate) struct CountedViewer(Arc<Site>);

impl Drop for CountedViewer {
    fn drop(&mut self) {
        self.0.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}
