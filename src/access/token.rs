//! Tokens: what a browser's cookie, a script's header and a one-time link hold.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// 32 random bytes that stand for a session. Prints as `…`; the database holds only its [`TokenHash`].
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; Self::LEN]);

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token of this recorder: copy all 43 characters")]
pub struct ParseTokenError;

impl Token {
    const LEN: usize = 32;

    /// From random bytes, which the caller brings.
    pub const fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The text for the cookie, header or link: base64url without padding, 43 characters.
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What is stored and looked up. Plain SHA-256 is enough: 256 random bits cannot be guessed from their hash.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0).into())
    }
}

impl FromStr for Token {
    type Err = ParseTokenError;

    /// Strict: exactly the 43 characters that [`Token::expose`] prints, no padding, no unused bits set.
    fn from_str(text: &str) -> Result<Self, ParseTokenError> {
        let mut bytes = [0; Self::LEN];
        // The engine wants room for a whole number of quads before it looks; anything longer is refused up front.
        if text.len() != 43 {
            return Err(ParseTokenError);
        }
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(Self::LEN) => Ok(Self(bytes)),
            _ => Err(ParseTokenError),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The SHA-256 of a token. Whoever reads the database cannot sign in with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The SHA-256 of what somebody typed or brought.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A name for it in a form: eight of its bytes, which sign nobody in.
    pub fn handle(&self) -> String {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        format!("{:016x}", u64::from_be_bytes(first))
    }

    /// The hash as it stands in its column.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes for the column.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_token_survives_its_text(bytes: [u8; 32]) {
            let token = Token::from_random(bytes);
            prop_assert_eq!(token.expose().len(), 43);
            prop_assert_eq!(token.expose().parse(), Ok(token));
        }

        #[test]
        fn no_text_makes_the_parser_stumble(text in "\\PC{0,60}") {
            if let Ok(token) = text.parse::<Token>() {
                prop_assert_eq!(token.expose(), text);
            }
        }
    }

    #[test]
    fn a_token_has_one_spelling() {
        let token = Token::from_random([0xff; 32]);
        let text = token.expose();
        let bad = [
            String::new(),
            format!("{text}="),
            format!(" {}", &text[1..]),
            text.replace('_', "/"),
            text[..42].to_owned(),
            // The last character carries two unused bits: setting them would be a second spelling.
            format!("{}9", &text[..42]),
        ];
        for bad in bad {
            assert_eq!(bad.parse::<Token>(), Err(ParseTokenError), "{bad:?}");
        }
    }

    #[test]
    fn a_token_is_never_printed() {
        let token = Token::from_random([7; 32]);
        assert_eq!(format!("{token:?} {:?}", token.hash()), "… …");
    }
}
