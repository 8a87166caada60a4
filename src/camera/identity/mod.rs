//! Who a camera is: evidence, what is pinned of it, and the verdict on whoever answers.
//!
//! An address says nothing: after a power cut every camera may have another one's. So what was seen of a camera when it was
//! adopted is pinned, and held against whoever answers, on each connection, before a password is sent and before a picture
//! is handed on. Everything that decides is pure; only [`neighbour`] asks the kernel something.
//!
//! Strong evidence names one device and was given by the device itself or by the kernel: its MAC address, its ONVIF id, its
//! serial number. Weak evidence is what many devices share or anybody can claim: the realm of its password question, the
//! shape of its streams, what it announces.

mod evidence;
mod judge;
pub mod neighbour;
mod pins;
mod verdict;
mod who;

pub use evidence::{Asks, Evidence, Mac, StreamShape};
pub use judge::{Anybody, Judge};
pub use pins::{Judged, Pin, Pins, Refusal};
pub use verdict::{Verdict, verdict};
pub use who::{Doubt, Mark, Who};
