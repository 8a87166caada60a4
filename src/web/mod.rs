//! The front door: routes as a table, pages for people, an API for programs.
//!
//! Owns what only the web remembers (who must wait before signing in, what was counted) and the [`Board`] on which the other
//! stages say how they do. It decides nothing about who may see what: each route names its audience, the gatekeeper asks the
//! gate, and handlers get proofs. It never opens a footage file itself; `media` does, and takes the proof.

mod account;
mod activity;
mod adopt;
mod assets;
mod board;
mod calendar;
mod camera_motion;
mod cameras;
pub mod claim;
mod clips;
mod cookie;
mod day;
mod device;
#[cfg(test)]
mod escaping;
mod event;
mod events;
mod forecast;
mod form;
mod forwarded;
mod frame;
mod gatekeeper;
mod hashing;
mod headers;
mod health;
mod hosts;
pub mod keeper;
mod keeping;
mod lan_only;
mod links;
mod live;
mod me;
mod message;
mod metrics;
mod motion;
mod pause;
mod people;
mod person;
mod previews;
mod refusal;
pub mod routes;
mod several;
mod share;
mod sign_in;
mod site;
pub(crate) mod texts;
mod timeline;
mod tips;
pub mod tls;
pub(crate) mod trouble;
mod trust;
mod tuner;
mod vitals;
mod wanted;
mod watched;
mod why;
mod words;

pub use board::{Board, CameraCounters, OnBoard};
pub use lan_only::LanOnly;
pub use routes::router;
/// What the kernel may hold of an answer for a reader that is slow, in bytes. It goes out even after a right was taken, so it
/// is little: less than a second of footage, and still as much as a household's network has under way.
pub const SEND_BUFFER: usize = 128 * 1024;

pub use site::{PauseSwitch, Site, SiteParts};
pub use trust::fingerprint;
pub(crate) use words::sentence;
