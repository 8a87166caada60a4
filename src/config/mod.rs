//! The configuration: the file as written, checked settings or all complaints at once, and hot reload.
//!
//! The file is the truth. [`load`] and [`read`] check it, [`watch()`] tells when it says something else, [`changes`] tells what
//! has to be started anew for that, [`revise()`] with an [`edit`] changes it without losing a comment. Holds no settings of
//! its own, and nothing here reaches a camera or the network.

mod address;
mod camera;
pub mod changes;
mod complaint;
pub mod edit;
pub mod file;
mod load;
pub mod motion_edit;
mod revise;
mod section;
pub mod settings;
mod shape;
mod watch;
mod write;

pub use address::in_household;
pub use complaint::Complaint;
pub use file::{Checked, check};
pub use load::{LoadError, load, read, text};
pub use revise::{ReviseError, revise};
pub use watch::watch;
pub use write::WriteError;
pub(crate) use write::replace_file;
