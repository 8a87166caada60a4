//! What the pages are made from, and the few things that only the web remembers.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, Semaphore, watch};

use crate::access::{Denied, Gate, Rights, Viewer};
use crate::config::settings::Settings;
use crate::disk::Footage;
use crate::index::audit::Entry;
use crate::index::{Readers, Writer, audit};
use crate::media::live::Rings;
use crate::record::open::OpenSegments;
use crate::units::{CameraId, Clock, UserId, UtcMicros, UtcSpan};
use crate::web::board::Board;
use crate::web::keeper::Keeper;
use crate::web::lan_only::LanOnly;
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
    /// Whether the kernel keeps it in the house.
    pub lan_only: LanOnly,
    /// Told when somebody pauses or resumes a camera.
    pub pauses: PauseSwitch,
}

/// Whoever looks after the cameras waits here for somebody to pause or resume one. Cheap to clone; the rows say which.
#[derive(Debug, Clone, Default)]
pub struct PauseSwitch(Arc<Notify>);

impl PauseSwitch {
    /// The rows changed.
    pub fn touch(&self) {
        self.0.notify_one();
    }

    /// Waits until they did; a change while nobody waited counts too. Cancel-safe.
    pub async fn touched(&self) {
        self.0.notified().await;
    }
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
    /// One claim at a time: of a hundred at once, one is hashed.
    pub(crate) claiming: tokio::sync::Mutex<()>,
    /// One trial of other settings at a time: it takes a core for minutes.
    pub(crate) tuning: Arc<Semaphore>,
    /// The household's authority, for devices that are to trust it; `None` without TLS.
    pub(crate) authority: Option<String>,
    viewers: AtomicUsize,
    noted: tokio::sync::Mutex<HashMap<Noted, i64>>,
}

/// Who looked at what, for writing it down once a while instead of once a picture.
#[derive(PartialEq, Eq, Hash)]
struct Noted {
    user: UserId,
    session: [u8; 32],
    action: &'static str,
    address: IpAddr,
    thing: Thing,
}

#[derive(PartialEq, Eq, Hash)]
enum Thing {
    /// Of which camera, from when on.
    Pictures(CameraId, Option<UtcMicros>),
    /// What was not shown.
    Refused(String),
}

/// Different things that somebody may be refused in a minute before they count as one: a script that guesses must not fill
/// the log.
const REFUSALS: usize = 60;

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
            claiming: tokio::sync::Mutex::default(),
            tuning: Arc::new(Semaphore::new(1)),
            authority: None,
            viewers: AtomicUsize::new(0),
            noted: tokio::sync::Mutex::default(),
        }
    }

    /// The same, and it hands out the authority (PEM) behind its certificate.
    #[must_use]
    pub fn with_authority(self, pem: Option<String>) -> Self {
        Self { authority: pem, ..self }
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
    /// The same viewer, camera, action and address are written once a minute, stills once a quarter of an hour: a tablet on the wall
    /// asks for them day and night.
    pub(crate) async fn note(
        &self,
        viewer: &Viewer,
        Peer(address): Peer,
        action: &'static str,
        camera: &CameraId,
        span: Option<UtcSpan>,
    ) -> Result<(), Refusal> {
        let entry =
            Entry { camera: Some(camera.clone()), span, ..self.entry(viewer, Peer(address), action, String::new()) };
        self.note_once(entry, viewer, action, Thing::Pictures(camera.clone(), span.map(UtcSpan::start))).await
    }

    /// Writes down that somebody was refused what they asked for, whether it exists or not: nobody can tell by the time it
    /// takes which of the two it is.
    pub(crate) async fn note_refusal(
        &self,
        viewer: &Viewer,
        peer: Peer,
        camera: Option<CameraId>,
        asked: &str,
    ) -> Result<(), Refusal> {
        let asked: String = asked.chars().take(64).collect();
        let entry = Entry { camera, ..self.entry(viewer, peer, "refused", String::new()) };
        self.note_once(entry, viewer, "refused", Thing::Refused(asked)).await
    }

    async fn note_once(
        &self,
        entry: Entry,
        viewer: &Viewer,
        action: &'static str,
        thing: Thing,
    ) -> Result<(), Refusal> {
        let at = entry.at.0;
        let minute = Self::while_one(action, at);
        let address = entry.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let key = Noted { user: viewer.user(), session: *viewer.session().as_bytes(), action, address, thing };
        // Held until the row is there: of a page's thirty pictures the first writes it and the others wait for that.
        let mut noted = self.noted.lock().await;
        if noted.get(&key).is_some_and(|at| *at == minute) {
            return Ok(());
        }
        let like = |other: &Noted| action == "refused" && other.action == action && other.user == key.user;
        if noted.iter().filter(|(other, at)| **at == minute && like(other)).count() >= REFUSALS {
            return Ok(());
        }
        self.append(entry).await?;
        noted.retain(|other, noted| *noted == Self::while_one(other.action, at));
        noted.insert(key, minute);
        Ok(())
    }

    /// Which stretch of time that counts as one look a moment lies in.
    fn while_one(action: &str, at_us: i64) -> i64 {
        at_us.div_euclid(if action == "snapshot" { 15 * 60_000_000 } else { 60_000_000 })
    }

    /// A row for what this viewer does now, of no camera.
    pub(crate) fn entry(&self, viewer: &Viewer, Peer(address): Peer, action: &str, detail: String) -> Entry {
        Entry {
            at: self.parts.clock.now(),
            user: Some(viewer.user()),
            user_name: viewer.name().to_owned(),
            action: action.to_owned(),
            camera: None,
            span: None,
            address: Some(address),
            detail,
        }
    }

    /// Makes a change and writes it down, both or neither.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        entry: Entry,
        change: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Refusal> {
        let written = self.parts.writer.write(move |tx| {
            let value = change(tx)?;
            audit::append(tx, &entry)?;
            Ok(value)
        });
        written.await.map_err(|error| {
            if error.is_conflict() {
                Refusal::Bad("this cannot be, because of what there is already")
            } else {
                unavailable("the change could not be saved; try again")(&error)
            }
        })
    }

    /// Asks the database.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Refusal> {
        let answer = self.parts.readers.read(question).await;
        answer.map_err(|error| unavailable("the recorder's database does not answer; try again in a moment")(&error))
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
