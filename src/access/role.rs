//! Roles and rights.

use std::fmt;
use std::str::FromStr;

/// What a user may do to the installation. It says nothing about pictures: those are seen by [`Rights`] alone, so an owner
/// too sees a camera only because a row says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Changes settings and users.
    Owner,
    /// Lives here.
    Member,
    /// Is here for a while.
    Guest,
}

/// A text that names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is owner, member or guest")]
pub struct ParseRoleError;

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Member, Self::Guest];

    /// The fixed name in commands, the database and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Member => "member",
            Self::Guest => "guest",
        }
    }
}

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(text: &str) -> Result<Self, ParseRoleError> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(ParseRoleError)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that can be done with a camera's pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// See what it sees now.
    Live,
    /// See what it saw: footage, events, thumbnails.
    History,
    /// Take footage away as a file.
    Export,
    /// Remove or keep footage and events.
    Delete,
}

impl Right {
    /// Every right.
    pub const ALL: [Self; 4] = [Self::Live, Self::History, Self::Export, Self::Delete];

    /// The fixed name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::History => "history",
            Self::Export => "export",
            Self::Delete => "delete",
        }
    }
}

/// What one user may do with one camera. Independent of each other: the right to export does not imply any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::struct_excessive_bools, reason = "four independent switches, as the household sees them")]
pub struct Rights {
    /// See what it sees now.
    pub live: bool,
    /// See what it saw.
    pub history: bool,
    /// Take footage away as a file.
    pub export: bool,
    /// Remove or keep footage and events.
    pub delete: bool,
}

impl Rights {
    /// All of them.
    pub const ALL: Self = Self { live: true, history: true, export: true, delete: true };

    /// None of them.
    pub const NONE: Self = Self { live: false, history: false, export: false, delete: false };

    /// Whether this right is among them.
    pub const fn has(self, right: Right) -> bool {
        match right {
            Right::Live => self.live,
            Right::History => self.history,
            Right::Export => self.export,
            Right::Delete => self.delete,
        }
    }

    /// Whether there is any.
    pub const fn any(self) -> bool {
        self.live || self.history || self.export || self.delete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_one_name() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert_eq!("Owner".parse::<Role>(), Err(ParseRoleError));
    }

    #[test]
    fn each_right_is_its_own_switch() {
        let only = [
            Rights { live: true, ..Rights::NONE },
            Rights { history: true, ..Rights::NONE },
            Rights { export: true, ..Rights::NONE },
            Rights { delete: true, ..Rights::NONE },
        ];
        for (rights, right) in only.into_iter().zip(Right::ALL) {
            for other in Right::ALL {
                assert_eq!(rights.has(other), other == right, "{} {}", right.name(), other.name());
            }
            assert!(rights.any());
        }
        assert!(!Rights::NONE.any());
        assert!(Right::ALL.into_iter().all(|right| Rights::ALL.has(right) && !Rights::NONE.has(right)));
    }
}
