//! Whether the kernel keeps this recorder from speaking to anybody outside the house. Pure: who tried it says what came of it.

use crate::web::texts::say;
use serde_json::{Value, json};

/// What the try at the start showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LanOnly {
    /// A packet to a public address was refused by the kernel before it could go anywhere.
    Enforced,
    /// It was not: only the recorder's own rules keep it in the house.
    NotEnforced,
    /// It could not be tried.
    #[default]
    Unknown,
}

impl LanOnly {
    /// A sentence for the household, the log and systemd's status line.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Enforced => say("Nothing that the recorder sends can leave the house: the machine itself stops it."),
            Self::NotEnforced => say(
                "The recorder sends nothing out of the house. The machine itself would not stop it, though; where the \
                 recorder is installed from its package, most do.",
            ),
            Self::Unknown => say(
                "The recorder sends nothing out of the house; whether the machine itself would stop it could not be \
                 tried here.",
            ),
        }
    }

    /// For the API: null where it is not known.
    pub(crate) fn as_json(self) -> Value {
        let enforced = match self {
            Self::Enforced => Some(true),
            Self::NotEnforced => Some(false),
            Self::Unknown => None,
        };
        json!({ "enforced": enforced, "words": self.in_words() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_claimed_than_was_seen() {
        assert_eq!(LanOnly::Enforced.as_json()["enforced"], true);
        assert_eq!(LanOnly::NotEnforced.as_json()["enforced"], false);
        assert!(LanOnly::default().as_json()["enforced"].is_null());
        assert!(LanOnly::Enforced.in_words().contains("can leave the house"));
        for less in [LanOnly::NotEnforced, LanOnly::Unknown] {
            assert!(!less.in_words().contains("can leave the house"));
        }
    }
}
