//! Names of users.

use std::fmt;
use std::str::FromStr;

/// What a user signs in as: 1 to 64 characters, none of them a control, line or direction character, no space at either end.
/// So it can stand in a log line, a page and a terminal without changing what surrounds it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserName(String);

/// Why a text is no user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseUserNameError {
    /// Nothing, or too much.
    #[error("a user name has 1 to 64 characters")]
    Length,
    /// A character that cannot be seen, or that turns the text around it.
    #[error("a user name has no control characters, line breaks or invisible characters")]
    Character,
    /// A space at an end.
    #[error("a user name neither begins nor ends with a space")]
    Space,
}

impl UserName {
    /// The longest name, in characters.
    pub const MAX_CHARS: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Format characters that hide, join or turn text (bidi marks, embeddings and isolates; zero-width; byte order mark; tags;
/// line and paragraph separators). Controls are not in it: `char::is_control` knows those.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

impl FromStr for UserName {
    type Err = ParseUserNameError;

    fn from_str(text: &str) -> Result<Self, ParseUserNameError> {
        // By bytes first: a megabyte of text is refused without being walked through.
        if text.is_empty() || text.len() > Self::MAX_CHARS * 4 || text.chars().count() > Self::MAX_CHARS {
            return Err(ParseUserNameError::Length);
        }
        if text.chars().any(|c| c.is_control() || is_invisible(c)) {
            return Err(ParseUserNameError::Character);
        }
        if text.trim() != text {
            return Err(ParseUserNameError::Space);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_what_people_are_called() {
        for good in ["anna", "Jörg Müller", "祖母", "a", &"é".repeat(64)] {
            assert_eq!(good.parse::<UserName>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        assert_eq!("".parse::<UserName>(), Err(ParseUserNameError::Length));
        assert_eq!("é".repeat(65).parse::<UserName>(), Err(ParseUserNameError::Length));
        assert_eq!(" anna".parse::<UserName>(), Err(ParseUserNameError::Space));
        for bad in ["an\nna", "an\0na", "anna\u{202e}", "\u{200b}", "a\u{85}b", "a\u{2066}b\u{2069}", "a\u{e0041}"] {
            assert_eq!(bad.parse::<UserName>(), Err(ParseUserNameError::Character), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_that_is_taken_is_kept_as_it_is(text in ".{0,80}") {
            if let Ok(name) = text.parse::<UserName>() {
                prop_assert_eq!(name.as_str(), text);
            }
        }
    }
}
