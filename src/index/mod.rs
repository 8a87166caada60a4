//! One SQLite database: what is on disk, what happened, who may see it, who looked.
//!
//! One connection writes, on a thread of its own ([`WriterThread`]); a few read-only ones answer questions ([`Readers`]).
//! SQL stands in the module of its table; `schema.sql` explains every column. Footage's truth is its files, so what is lost
//! here of `segments` can be found again; users, rights and the audit log have no other home.
//!
//! It never caches: every question about a person goes to the database, so that a right taken away is gone.

pub mod adoption;
pub mod audit;
pub mod camera_motion;
pub mod cameras;
pub mod check;
pub mod claim;
pub mod clock_set;
mod column;
pub mod events;
pub mod finding;
pub mod gaps;
pub mod garbage;
pub mod guessed_time;
pub mod installation;
pub mod looked;
pub mod migration;
mod open;
pub mod pauses;
pub mod pins;
mod reader;
mod records;
pub mod retention;
pub mod rights;
pub mod running;
pub mod search;
pub mod segments;
pub mod sessions;
pub mod shares;
pub mod sign_in_links;
#[cfg(test)]
mod testing;
pub mod users;
mod writer;

pub use open::{APPLICATION_ID, OpenError, open};
pub use reader::{ReadError, Readers};
pub use writer::{WriteError, Writer, WriterThread};
