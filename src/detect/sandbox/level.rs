//! How far a decoder process is confined, as the kernel confirmed it.

use std::fmt;

/// What a decoder process reached. Its limits hold in any case, or it would not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Whether the kernel filters its system calls.
    pub seccomp: bool,
    /// Landlock's version that is in force: 0 none, 1 files, 4 TCP as well, 6 signals and abstract sockets as well.
    pub landlock: u8,
}

impl Level {
    /// Whether both hold: only then is it confined in two ways that do not depend on each other.
    pub fn is_full(self) -> bool {
        self.seccomp && self.landlock > 0
    }
}

/// In words for the household's log.
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.seccomp, self.landlock) {
            (true, 0) => f.write_str("confined by seccomp alone; this kernel has no Landlock"),
            (true, version) => write!(f, "confined by seccomp and by Landlock (version {version})"),
            (false, 0) => f.write_str("limited, but not confined; this kernel has neither seccomp nor Landlock"),
            (false, version) => write!(f, "confined by Landlock alone (version {version}); this kernel has no seccomp"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_claimed_than_holds() {
        let said = |seccomp, landlock| Level { seccomp, landlock }.to_string();
        assert!(said(true, 7).contains("seccomp and by Landlock (version 7)"));
        assert!(said(true, 0).contains("no Landlock"));
        assert!(said(false, 3).contains("no seccomp"));
        assert!(said(false, 0).contains("not confined"));
        assert!(Level { seccomp: true, landlock: 1 }.is_full());
        assert!(!Level { seccomp: true, landlock: 0 }.is_full() && !Level { seccomp: false, landlock: 7 }.is_full());
    }
}
