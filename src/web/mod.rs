//! The front door: routes as a table, pages for people, an API for programs.
//!
//! Owns what only the web remembers (who must wait before signing in, what was counted) and the [`Board`] on which the other
//! stages say how they do. It decides nothing about who may see what: each route names its audience, the gatekeeper asks the
//! gate, and handlers get proofs. It never opens a footage file itself; `media` does, and takes the proof.

mod activity;
mod assets;
mod board;
mod cameras;
mod clips;
mod cookie;
mod day;
#[cfg(test)]
mod escaping;
mod event;
mod events;
mod frame;
mod gatekeeper;
mod headers;
mod health;
mod hosts;
mod links;
mod live;
mod me;
mod message;
mod metrics;
mod refusal;
pub mod routes;
mod sign_in;
mod site;
pub mod tls;
mod why;
mod words;

pub use board::{Board, CameraCounters, OnBoard};
pub use routes::router;
pub use site::{Site, SiteParts};
