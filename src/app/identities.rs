//! Who the cameras of this household are: the pins in memory, written down behind, and the judges that sessions ask.
//!
//! A session's question is answered from memory, because recording waits for no database; every change is written down in
//! its order, and read back at the next start.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::camera::discovery::{Catalogue, DiscoveryEvent, Found, How};
use crate::camera::identity::{Evidence, Judge, Pin, Pins, Refusal, Verdict};
use crate::config::{in_household, settings::Settings};
use crate::index::{self, Writer};
use crate::units::{CameraId, Clock, UtcMicros};
use crate::web::texts::say_with;
use crate::web::{Board, trouble};

/// Where a camera went, for the household to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) at: UtcMicros,
}

/// What is known of who is who.
#[derive(Debug)]
pub(crate) struct Identities {
    pins: Mutex<Pins>,
    catalogue: Mutex<Catalogue>,
    hurries: Mutex<BTreeMap<CameraId, watch::Sender<u64>>>,
    moved: Mutex<BTreeMap<CameraId, Moved>>,
    saves: mpsc::UnboundedSender<(CameraId, Pin)>,
    settings: watch::Receiver<Arc<Settings>>,
    board: Board,
    clock: Clock,
    /// Makes discovery ask the network at once.
    pub(crate) ask_again: Arc<Notify>,
    /// Told when discovery heard something.
    pub(crate) heard: Notify,
}

/// What [`save`] writes down.
pub(crate) type Saves = mpsc::UnboundedReceiver<(CameraId, Pin)>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Identities {
    /// With the pins that were written down.
    pub(crate) fn new(
        pins: Pins,
        settings: watch::Receiver<Arc<Settings>>,
        board: Board,
        clock: Clock,
    ) -> (Arc<Self>, Saves) {
        let (saves, to_save) = mpsc::unbounded_channel();
        let identities = Self {
            pins: Mutex::new(pins),
            catalogue: Mutex::default(),
            hurries: Mutex::default(),
            moved: Mutex::default(),
            saves,
            settings,
            board,
            clock,
            ask_again: Arc::default(),
            heard: Notify::new(),
        };
        (Arc::new(identities), to_save)
    }

    /// The judge that speaks for this camera.
    pub(crate) fn judge_of(self: &Arc<Self>, camera: &CameraId) -> Arc<dyn Judge> {
        Arc::new(JudgeOf { identities: Arc::clone(self), camera: camera.clone() })
    }

    /// Takes in what discovery heard; gives it back if it is news.
    pub(crate) fn hear(&self, event: DiscoveryEvent) -> Option<DiscoveryEvent> {
        let news = lock(&self.catalogue).apply(event);
        if news.is_some() {
            self.heard.notify_one();
        }
        news
    }

    /// From now on everybody is news again.
    pub(crate) fn forget_found(&self) {
        *lock(&self.catalogue) = Catalogue::default();
    }

    /// Everybody who announces itself.
    pub(crate) fn found(&self) -> Vec<Found> {
        lock(&self.catalogue).list().cloned().collect()
    }

    /// What is pinned of a camera.
    pub(crate) fn pin(&self, camera: &CameraId) -> Option<Pin> {
        lock(&self.pins).of(camera).cloned()
    }

    /// Where the household's cameras are, as far as that is known.
    pub(crate) fn known_addresses(&self) -> std::collections::BTreeSet<IpAddr> {
        let settings = self.settings.borrow().clone();
        let configured =
            settings.cameras.values().filter_map(|camera| camera.url.host().trim_matches(['[', ']']).parse().ok());
        let pins = lock(&self.pins);
        let pinned = settings.cameras.keys().filter_map(|id| Some(pins.of(id)?.address));
        configured.chain(pinned).collect()
    }

    /// Which camera of the household somebody is for certain.
    pub(crate) fn who_is(&self, found: &Evidence) -> Option<CameraId> {
        lock(&self.pins).who_is(found, None).cloned()
    }

    /// Who was refused in a camera's place.
    pub(crate) fn refused(&self, camera: &CameraId) -> Option<Refusal> {
        lock(&self.pins).refused(camera).cloned()
    }

    /// What the household should know of a camera's identity.
    pub(crate) fn doubts(&self, camera: &CameraId) -> Vec<String> {
        let pins = lock(&self.pins);
        let shared = pins.shared_id(camera).map(|other| {
            say_with(
                "It has the same ONVIF id as the camera {other}, so that id is not used to tell them apart.",
                &[("other", other)],
            )
        });
        pins.doubt(camera).map(|doubt| trouble::doubt(doubt).to_owned()).into_iter().chain(shared).collect()
    }

    /// The owner says that whoever was refused is the camera from now on; what was expected and what is pinned now.
    pub(crate) fn adopt(&self, camera: &CameraId) -> Option<Refusal> {
        let (refusal, pin) = lock(&self.pins).adopt(camera, self.clock.now())?;
        self.save(camera, pin);
        self.hurry(camera);
        Some(refusal)
    }

    /// Pins a camera that an owner has just looked at.
    pub(crate) fn set(&self, camera: &CameraId, evidence: Evidence, address: IpAddr) {
        let pin = Pin { evidence, address, since: self.clock.now() };
        lock(&self.pins).set(camera.clone(), pin.clone());
        self.save(camera, pin);
    }

    /// Where a camera went last.
    pub(crate) fn moved(&self, camera: &CameraId) -> Option<Moved> {
        lock(&self.moved).get(camera).cloned()
    }

    /// A camera has another address from now on.
    pub(crate) fn has_moved(&self, camera: &CameraId, from: String, to: String) {
        let at = self.clock.now();
        lock(&self.moved).insert(camera.clone(), Moved { from, to, at });
    }

    /// Lets a camera's sessions try again now.
    pub(crate) fn hurry(&self, camera: &CameraId) {
        if let Some(sender) = lock(&self.hurries).get(camera) {
            sender.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    fn hurry_of(&self, camera: &CameraId) -> watch::Receiver<u64> {
        let mut hurries = lock(&self.hurries);
        hurries.entry(camera.clone()).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    fn save(&self, camera: &CameraId, pin: Pin) {
        // Whoever writes it down outlives every session; if it is gone the process is ending.
        let _ = self.saves.send((camera.clone(), pin));
    }

    /// What is announced at an address, if one device alone does so there.
    fn announced_at(&self, address: IpAddr) -> Evidence {
        let catalogue = lock(&self.catalogue);
        let mut there = catalogue.list().filter(|found| found.address == address && found.how == How::Mdns);
        match (there.next(), there.next()) {
            (Some(found), None) => Evidence {
                instance: Some(found.instance.clone()),
                txt: Evidence::naming_txt(&found.txt),
                ..Evidence::default()
            },
            _ => Evidence::default(),
        }
    }
}

/// Speaks for one camera.
#[derive(Debug)]
struct JudgeOf {
    identities: Arc<Identities>,
    camera: CameraId,
}

impl Judge for JudgeOf {
    fn allows(&self, address: IpAddr) -> bool {
        let settings = self.identities.settings.borrow();
        in_household(address) || settings.cameras.get(&self.camera).is_some_and(|camera| camera.outside_lan)
    }

    fn wants_uuid(&self) -> bool {
        let pin = self.identities.pin(&self.camera);
        pin.is_none_or(|pin| pin.evidence.uuid.is_some() || pin.evidence.mac.is_none())
    }

    fn judge(&self, found: &Evidence, address: IpAddr) -> Verdict {
        let found = self.identities.announced_at(address).merged(found.clone());
        let now = self.identities.clock.now();
        let judged = lock(&self.identities.pins).judge(&self.camera, &found, address, now);
        if let Some(pin) = judged.to_save {
            self.identities.save(&self.camera, pin);
        }
        if let Verdict::Refused { .. } = judged.verdict
            && let Some(on_board) = self.identities.board.get(&self.camera)
        {
            on_board.counters.identity_refusals.fetch_add(1, Ordering::Relaxed);
        }
        judged.verdict
    }

    fn hurry(&self) -> watch::Receiver<u64> {
        self.identities.hurry_of(&self.camera)
    }
}

/// Writes pins down in their order until `stop`, and then what is still there. A database that is busy is asked again with
/// the next pin of that camera; what stands in memory counts.
pub(crate) async fn save(mut saves: Saves, writer: Writer, stop: CancellationToken) {
    loop {
        let next = tokio::select! {
            biased;
            next = saves.recv() => next,
            () = stop.cancelled() => None,
        };
        let Some((camera, pin)) = next else { return };
        let id = camera.clone();
        if let Err(error) = writer.write(move |tx| index::pins::set(tx, &camera, &pin)).await {
            tracing::error!(camera = %id, %error, "who this camera is could not be written down");
        }
    }
}
