//! ONVIF: devices that announce themselves by WS-Discovery, and what they tell of themselves over SOAP.
//!
//! Every byte comes from strangers: XML is read by [`xml`] with hard bounds, no address is followed but the one that the
//! answer came from, and no password goes to a device before it is known who it is.

mod announcement;
mod client;
mod listen;
mod metadata;
mod soap;
mod xml;

pub use self::announcement::{Announcement, Message, read as read_announcement};
pub use self::client::{AskError, Told, ask};
pub(crate) use self::listen::{ask_id, browse};
pub use self::metadata::{Moves, Said, read as read_metadata};
pub use self::soap::{Information, Profile, SoapError};
pub use self::xml::XmlError;

/// WS-Discovery's port.
pub(crate) const PORT: u16 = 3702;

/// Reads what a device could have answered to any question, for nothing but to see that this always ends: the entry for
/// fuzzing.
pub fn read_answer(bytes: &[u8], from: std::net::IpAddr) {
    if let Ok(content) = soap::content(bytes) {
        let _ = (soap::time(&content), soap::media_path(&content, from), soap::information(&content));
        let _ = (soap::cards(&content), soap::profiles(&content), soap::stream_uri(&content, from));
    }
}
