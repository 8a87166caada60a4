//! Sizes of files and disks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByteLen(pub u64);

/// A text that is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a size is a number with a unit, as \"20GiB\", \"500MB\" or \"4096B\"")]
pub struct ParseByteLenError;

const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

impl FromStr for ByteLen {
    type Err = ParseByteLenError;

    /// A non-negative decimal number and one of `B kB MB GB TB KiB MiB GiB TiB`; a space between them is fine.
    fn from_str(text: &str) -> Result<Self, ParseByteLenError> {
        let (number, factor) = UNITS
            .iter()
            .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?.trim_end(), *factor)))
            .ok_or(ParseByteLenError)?;
        if number.is_empty() || !number.bytes().all(|c| c.is_ascii_digit() || c == b'.') {
            return Err(ParseByteLenError);
        }
        let number: f64 = number.parse().map_err(|_| ParseByteLenError)?;
        #[expect(clippy::cast_precision_loss, reason = "a configured size needs no more than 52 bits")]
        let bytes = number * factor as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
        (bytes < 9e18).then_some(Self(bytes as u64)).ok_or(ParseByteLenError)
    }
}

/// With a binary unit and one decimal, as `1.5 GiB`.
impl fmt::Display for ByteLen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = UNITS[..4].iter().rev().find(|(_, factor)| self.0 >= *factor).unwrap_or(&("B", 1));
        if *factor == 1 {
            return write!(f, "{} B", self.0);
        }
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let number = self.0 as f64 / *factor as f64;
        write!(f, "{number:.1} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_printed_with_their_unit() {
        assert_eq!("20GiB".parse(), Ok(ByteLen(20 << 30)));
        assert_eq!("1.5 MB".parse(), Ok(ByteLen(1_500_000)));
        assert_eq!(ByteLen(20 << 30).to_string(), "20.0 GiB");
        assert_eq!(ByteLen(12).to_string(), "12 B");
        for bad in ["", "20", "GiB", "-1GiB", "1e9GiB", "20 gib", "99999999999TiB"] {
            assert_eq!(bad.parse::<ByteLen>(), Err(ParseByteLenError), "{bad:?}");
        }
    }
}
