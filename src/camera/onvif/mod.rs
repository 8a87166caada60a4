//! ONVIF: devices that announce themselves by WS-Discovery, and what they tell of themselves over SOAP.
//!
//! Every byte comes from strangers: XML is read by [`xml`] with hard bounds, no address is followed but the one that the
//! answer came from, and no password goes to a device before it is known who it is.

mod announcement;
mod listen;
mod xml;

pub use self::announcement::{Announcement, Message, read as read_announcement};
pub(crate) use self::listen::{ask_id, browse};

/// WS-Discovery's port.
pub(crate) const PORT: u16 = 3702;
