//! The storage folder: where footage, thumbnails and what detection knows of each camera lie, how they get there whole, how they go.
//!
//! Owns the folder's layout, its marker file and its lock. Every path is resolved below the folder that was opened at start,
//! never through a link; names are made from ids and moments, never from what a request said. Decides nothing about what is
//! kept, and knows nothing of what is inside a segment; a thumbnail it makes say whose it is.

mod background;
mod folder;
mod footage;
mod gallery;
mod layout;
mod marker;
mod part;
mod thumbnail;

pub use footage::{Footage, Found, FoundKind, Space, StorageError};
pub use gallery::Gallery;
pub use layout::camera_and_day;
pub use part::{PartError, PartFile};
