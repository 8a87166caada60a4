//! The storage folder: where footage, events' pictures and what detection knows of each camera lie, how they get there whole, how
//! they go.
//!
//! Owns the folder's layout, its marker file and its lock. Every path is resolved below the folder that was opened at start,
//! never through a link; names are made from ids and moments, never from what a request said. Decides nothing about what is
//! kept, and knows nothing of what is inside a segment; an event's pictures it makes say whose they are.

mod background;
mod event_picture;
mod folder;
mod footage;
mod gallery;
mod layout;
mod machine;
mod marker;
mod moved;
mod part;
mod presence;
mod previews;
mod seen;
mod storage_error;

pub use event_picture::EventPicture;
pub use footage::{Footage, Found, FoundKind, Space};
pub use gallery::Gallery;
pub use layout::{camera_and_day, picture_path};
pub use machine::{boot_id, since_boot};
pub use part::{PartError, PartFile};
pub use presence::Gone;
pub use seen::Seen;
pub use storage_error::StorageError;
