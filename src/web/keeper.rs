//! Who looks after the cameras for the web: what was found, what a candidate shows, who may be whom. The web asks; it knows
//! no network and no configuration file.

use std::fmt::Debug;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::camera::identity::Who;
use crate::config::settings::{Motion, Retention};
use crate::detect::replay::Replay;
use crate::units::{CameraId, Secret};

/// Somebody who announces itself. Every text is plain and bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Names it in a [`Wish`].
    pub key: String,
    /// What it calls itself.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// What it says of who it is, in words.
    pub evidence: String,
    /// As "mDNS".
    pub how: &'static str,
}

/// A camera that an owner wants to see.
#[derive(Debug, Clone)]
pub struct Wish {
    /// One that was found, by its key; else the URL counts.
    pub key: String,
    /// As typed.
    pub url: String,
    /// As typed; empty for none.
    pub user: String,
    /// As typed.
    pub password: Secret,
}

/// What a candidate showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Names it for its picture and its adoption; nobody can guess it.
    pub id: String,
    /// What it could be called.
    pub name: String,
    /// What is good to know, one sentence each.
    pub facts: Vec<String>,
    /// What the owner should do at the camera, one sentence each.
    pub advice: Vec<String>,
    /// Whether there is a picture.
    pub has_picture: bool,
}

/// Who was refused in a camera's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// What was expected.
    pub expected: Who,
    /// What answered.
    pub found: Who,
    /// Where.
    pub address: String,
}

/// Looks after the cameras. Every error is a sentence for the owner.
pub trait Keeper: Send + Sync + Debug {
    /// What the household should know of who a camera is.
    fn notices(&self, camera: &CameraId) -> Vec<String>;

    /// Who was refused in its place.
    fn stranger(&self, camera: &CameraId) -> Option<Stranger>;

    /// From now on, whoever was refused is the camera. `None` if nobody was.
    fn adopt_again(&self, camera: &CameraId) -> Option<Stranger>;

    /// Who was found and is no camera of the household.
    fn found(&self) -> Vec<Candidate>;

    /// Looks at a candidate: connects, signs in, takes a picture. Takes some seconds.
    fn try_out(&self, wish: Wish) -> BoxFuture<'_, Result<Trial, String>>;

    /// The picture of a trial.
    fn picture(&self, trial: &str) -> Option<Bytes>;

    /// Writes into the configuration how motion is to be looked for at a camera, and where.
    fn set_motion(&self, camera: CameraId, motion: Motion) -> BoxFuture<'_, Result<(), String>>;

    /// Starts a decoder process to look through recorded footage with each of these settings. Must be called on a runtime's
    /// worker thread, which stays.
    fn replay(&self, settings: Vec<Motion>) -> Result<Replay, String>;

    /// Writes into the configuration how long footage is to stay.
    fn set_retention(&self, retention: Retention) -> BoxFuture<'_, Result<(), String>>;

    /// Writes a tried camera into the configuration.
    fn add(&self, trial: String, name: String) -> BoxFuture<'_, Result<CameraId, String>>;
}
