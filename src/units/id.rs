//! Ids: parsed once, at the border, and of one kind each.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// Not 1 to 40 of `a-z`, `0-9` and inner `-`.
    #[error("a camera id is 1 to 40 of the characters a-z, 0-9 and -, and neither begins nor ends with -")]
    Camera,
    /// Not the hexadecimal digits that this program prints.
    #[error("not an id of this recorder")]
    Opaque,
}

/// A camera's id: the key in the configuration, the folder's name, the URL's part and the metrics' label.
///
/// 1 to 40 of `a-z 0-9 -`, neither beginning nor ending with `-`; so it is safe in a path, a URL, HTML and a label as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CameraId(Arc<str>);

impl CameraId {
    /// The longest id, in bytes.
    pub const MAX_LEN: usize = 40;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An id made from any name, however hostile: what is not `a-z 0-9` becomes one `-`; `None` if nothing is left.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut id = String::new();
        for c in name.chars().flat_map(char::to_lowercase) {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                id.push(c);
            } else if !id.is_empty() && !id.ends_with('-') {
                id.push('-');
            }
            if id.len() == Self::MAX_LEN {
                break;
            }
        }
        id.trim_end_matches('-').parse().ok()
    }
}

impl FromStr for CameraId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if text.is_empty()
            || text.len() > Self::MAX_LEN
            || text.starts_with('-')
            || text.ends_with('-')
            || !text.bytes().all(allowed)
        {
            return Err(ParseIdError::Camera);
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for CameraId {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, ParseIdError> {
        text.parse()
    }
}

impl From<CameraId> for String {
    fn from(id: CameraId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An id of random bits, printed as fixed-length lower-case hexadecimal; never reused and never guessed.
macro_rules! opaque_id {
    ($(#[$doc:meta])* $name:ident, $int:ty, $digits:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name($int);

        impl $name {
            /// From random bytes, which the caller brings.
            pub const fn from_random(bytes: [u8; $digits / 2]) -> Self {
                Self(<$int>::from_be_bytes(bytes))
            }

            /// The same bytes again, for a database column or a file's box.
            pub const fn to_bytes(self) -> [u8; $digits / 2] {
                self.0.to_be_bytes()
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let lower_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
                if text.len() != $digits || !text.bytes().all(lower_hex) {
                    return Err(ParseIdError::Opaque);
                }
                <$int>::from_str_radix(text, 16).map(Self).map_err(|_| ParseIdError::Opaque)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, ParseIdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{:0", $digits, "x}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}

opaque_id!(
    /// A recorded segment: 64 random bits, 16 hexadecimal digits. Written into the file itself.
    SegmentId, u64, 16
);
opaque_id!(
    /// A motion event: 64 random bits, 16 hexadecimal digits.
    EventId, u64, 16
);
opaque_id!(
    /// One installation of this program: 128 random bits, 32 hexadecimal digits. In the marker file and in each footage file.
    InstallationId, u128, 32
);

/// A user's row number; never reused (`AUTOINCREMENT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub i64);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_camera_id_is_safe_in_a_path() {
        for bad in ["", ".", "..", "a/b", "A", "-a", "a-", "a b", "é", &"a".repeat(41)] {
            assert_eq!(bad.parse::<CameraId>(), Err(ParseIdError::Camera), "{bad:?}");
        }
        assert_eq!("front-door".parse::<CameraId>().map(String::from), Ok("front-door".to_owned()));
    }

    #[test]
    fn an_opaque_id_has_one_spelling() {
        let id = EventId::from_random([0, 1, 2, 3, 4, 5, 6, 0xff]);
        assert_eq!(id.to_string(), "00010203040506ff");
        assert_eq!("00010203040506ff".parse(), Ok(id));
        for bad in ["", "1", "00010203040506FF", "+0010203040506ff", "00010203040506ff0"] {
            assert_eq!(bad.parse::<EventId>(), Err(ParseIdError::Opaque), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_name_becomes_a_valid_id_or_none(name in "\\PC{0,80}") {
            if let Some(id) = CameraId::from_name(&name) {
                prop_assert_eq!(id.as_str().parse::<CameraId>(), Ok(id.clone()));
            }
        }
    }
}
