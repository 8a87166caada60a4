//! TLS by the household's own authority: made at the first start, trusted once by each device, good for nothing else.
//!
//! [`Household`] keeps the authority and the recorder's certificate in a folder; [`Listener`] is what axum serves from;
//! [`keep_renewed`] follows the clock, the machine's addresses and the configured names. What is decided is pure
//! ([`authority`], [`renewal`], [`plain`]); no other part of the program sees a private key.

pub mod authority;
mod household;
mod listener;
mod names;
pub mod plain;
pub mod renewal;
mod store;

pub use household::{Household, TlsError, keep_renewed};
pub use listener::Listener;
pub use names::Names;
