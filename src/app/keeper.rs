//! Looks after the cameras for the web: what was found, trials of candidates, and adoption.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::app::discovery::free_id;
use crate::app::identities::Identities;
use crate::app::random;
use crate::app::trial::{self, Tried};
use crate::camera::discovery::{Found, How};
use crate::camera::onvif;
use crate::config::edit::{self, EditError, NewCamera, SignIn};
use crate::config::motion_edit::set_motion;
use crate::config::settings::{CameraUrl, Credentials, Motion, Retention, Settings};
use crate::config::{self, in_household};
use crate::detect::replay::Replay;
use crate::units::{CameraId, Clock, Monotonic};
use crate::web::keeper::{Candidate, Keeper, Stranger, Trial, Wish};
use crate::web::texts::{say, say_with};

/// Trials that are remembered; the oldest goes first.
const MOST_TRIALS: usize = 8;
/// How long a trial may be turned into a camera.
const LASTS: Duration = Duration::from_secs(15 * 60);

/// See the module.
#[derive(Debug)]
pub(crate) struct HouseKeeper {
    pub(crate) identities: Arc<Identities>,
    pub(crate) config: PathBuf,
    pub(crate) exe: PathBuf,
    pub(crate) clock: Clock,
    trials: Mutex<BTreeMap<String, (Monotonic, Tried)>>,
}

impl HouseKeeper {
    pub(crate) fn new(identities: Arc<Identities>, config: PathBuf, exe: PathBuf, clock: Clock) -> Self {
        Self { identities, config, exe, clock, trials: Mutex::default() }
    }

    fn tried(&self, id: &str) -> Option<Tried> {
        let now = self.clock.monotonic();
        let trials = self.trials.lock().unwrap_or_else(PoisonError::into_inner);
        trials.get(id).filter(|(at, _)| now.since(*at) < LASTS).map(|(_, tried)| tried.clone())
    }

    fn remember(&self, tried: Tried) -> String {
        let id = format!("{:032x}", u128::from_be_bytes(random::bytes()));
        let now = self.clock.monotonic();
        let mut trials = self.trials.lock().unwrap_or_else(PoisonError::into_inner);
        trials.retain(|_, (at, _)| now.since(*at) < LASTS);
        if trials.len() >= MOST_TRIALS
            && let Some(oldest) = trials.iter().min_by_key(|(_, (at, _))| *at).map(|(id, _)| id.clone())
        {
            trials.remove(&oldest);
        }
        trials.insert(id.clone(), (now, tried));
        id
    }

    /// The streams of what the owner wants to see, and what it could be called.
    async fn streams(&self, wish: &Wish, credentials: Option<&Credentials>) -> Result<trial::Streams, String> {
        if wish.key.is_empty() {
            let not_one = |error: config::settings::CameraUrlError| crate::web::sentence(&error.to_string());
            let main: CameraUrl = wish.url.parse().map_err(not_one)?;
            let literal = main.host().trim_matches(['[', ']']).parse();
            if literal.is_ok_and(|address| !in_household(address)) {
                return Err(say_with("{address} is not an address of this household.", &[("address", &main.host())]));
            }
            return Ok(trial::Streams {
                name: main.host().to_owned(),
                main,
                small: None,
                facts: Vec::new(),
                serial: None,
            });
        }
        let found = self.identities.found().into_iter().find(|found| found.instance == wish.key);
        let found = found.ok_or(say("It is not there any more; it has stopped announcing itself."))?;
        if let Some(main) = found.url() {
            let small = found.detect_url();
            return Ok(trial::Streams { name: found.name, main, small, facts: Vec::new(), serial: None });
        }
        let service = (found.address, found.port).into();
        let path = found.path.as_deref().unwrap_or("/onvif/device_service");
        let told = onvif::ask(service, path, credentials, self.clock.now(), random::bytes).await;
        let told = told.map_err(|error| crate::web::sentence(&error.to_string()))?;
        let mut facts = Vec::new();
        if !told.information.model.is_empty() {
            facts.push(say_with(
                "It says that it is a {model}, with the program {firmware}.",
                &[("model", &told.information.model), ("firmware", &told.information.firmware)],
            ));
        }
        let serial = told.information.serial;
        Ok(trial::Streams { name: found.name, main: told.main, small: told.small, facts, serial })
    }

    /// Changes the configuration, off the threads that serve.
    async fn revise<T: Send + 'static>(
        &self,
        edit: impl FnOnce(&Settings, String) -> anyhow::Result<(String, T)> + Send + 'static,
    ) -> Result<T, String> {
        let path = self.config.clone();
        let revise = move || config::revise(&path, |settings, text| edit(settings, text).map(Some));
        let revised = tokio::task::spawn_blocking(revise).await.map_err(anyhow::Error::new).flatten();
        revised
            .and_then(|said| said.context("nothing was changed"))
            .map_err(|error| crate::web::sentence(&format!("{error:#}")))
    }
}

/// The text with another time that footage is kept.
fn with_retention(before: Retention, after: Retention, mut text: String) -> Result<String, EditError> {
    for (key, before, after) in
        [("motion_days", before.motion, after.motion), ("continuous_days", before.continuous, after.continuous)]
    {
        if before != after {
            text = edit::set(&text, &["retention", key], (after.as_secs_f64() / 864.0).round() / 100.0)?;
        }
    }
    Ok(text)
}

fn stranger(refusal: crate::camera::identity::Refusal) -> Stranger {
    Stranger { expected: refusal.expected, found: refusal.found, address: refusal.address.to_string() }
}

impl Keeper for HouseKeeper {
    fn notices(&self, camera: &CameraId) -> Vec<String> {
        let moved = self.identities.moved(camera).map(|moved| {
            say_with(
                "It moved from {from} to {to}; the recorder followed it there, and the configuration says so.",
                &[("from", &moved.from), ("to", &moved.to)],
            )
        });
        moved.into_iter().chain(self.identities.doubts(camera)).collect()
    }

    fn stranger(&self, camera: &CameraId) -> Option<Stranger> {
        self.identities.refused(camera).map(stranger)
    }

    fn adopt_again(&self, camera: &CameraId) -> Option<Stranger> {
        self.identities.adopt(camera).map(stranger)
    }

    fn found(&self) -> Vec<Candidate> {
        let known = self.identities.known_addresses();
        let of_house = |found: &Found| known.contains(&found.address);
        let found = self.identities.found().into_iter().filter(|found| !of_house(found));
        let candidate = |found: Found| Candidate {
            key: found.instance,
            name: found.name,
            address: found.address.to_string(),
            evidence: found.txt.iter().map(|(key, value)| format!("{key} {value}")).collect::<Vec<_>>().join(", "),
            how: match found.how {
                How::Mdns => "mDNS",
                How::Onvif => "ONVIF",
            },
        };
        found.map(candidate).collect()
    }

    fn try_out(&self, wish: Wish) -> BoxFuture<'_, Result<Trial, String>> {
        async move {
            let credentials = (!wish.user.is_empty())
                .then(|| Credentials { username: wish.user.clone(), password: wish.password.clone() });
            let streams = self.streams(&wish, credentials.as_ref()).await?;
            let looking = trial::run(&self.identities, &self.exe, &self.clock, streams, credentials);
            let tried = Box::pin(looking).await?;
            let (name, facts, advice) = (tried.name.clone(), tried.facts.clone(), tried.advice.clone());
            let has_picture = tried.picture.is_some();
            Ok(Trial { id: self.remember(tried), name, facts, advice, has_picture })
        }
        .boxed()
    }

    fn picture(&self, trial: &str) -> Option<Bytes> {
        self.tried(trial)?.picture
    }

    fn set_motion(&self, camera: CameraId, motion: Motion) -> BoxFuture<'_, Result<(), String>> {
        self.revise(move |settings, text| {
            let before =
                settings.cameras.get(&camera).context("the configuration does not know this camera any more")?;
            Ok((set_motion(&text, &camera, &before.motion, &motion)?, ()))
        })
        .boxed()
    }

    fn replay(&self, settings: Vec<Motion>) -> Result<Replay, String> {
        Replay::start(&self.exe, settings)
            .map_err(|error| crate::web::sentence(&format!("the decoder process could not be started: {error}")))
    }

    fn set_retention(&self, retention: Retention) -> BoxFuture<'_, Result<(), String>> {
        self.revise(move |settings, text| Ok((with_retention(settings.retention, retention, text)?, ()))).boxed()
    }

    fn add(&self, trial: String, name: String) -> BoxFuture<'_, Result<CameraId, String>> {
        async move {
            let tried = self.tried(&trial).ok_or(say("That look was too long ago; test the camera again."))?;
            let identities = Arc::clone(&self.identities);
            self.revise(move |settings, text| {
                let id = free_id(settings, &name);
                let sign_in = tried.credentials.as_ref().map_or(SignIn::None, SignIn::Here);
                let camera = NewCamera { name: &name, url: &tried.main, detect_url: tried.small.as_ref(), sign_in };
                let text = edit::add_camera(&text, &id, &camera)?;
                // Who it is comes first: its first connection is held against what was just seen.
                identities.set(&id, tried.evidence, tried.address);
                Ok((text, id))
            })
            .await
        }
        .boxed()
    }
}
