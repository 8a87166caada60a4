//! The configuration: the file as written, checked settings or all complaints at once, and hot reload.

mod address;
mod camera;
pub mod changes;
mod complaint;
pub mod file;
mod load;
mod section;
pub mod settings;
mod shape;
mod watch;

pub use address::in_household;
pub use complaint::Complaint;
pub use file::{Checked, check};
pub use load::{LoadError, load, read};
pub use watch::watch;
