//! The marker file's text. Pure.

use crate::units::InstallationId;

pub(super) const NAME: &str = "hearthwatch-storage";
/// More than any marker has; what is longer was not written by us.
pub(super) const MAX_LEN: u64 = 4096;

const KEY: &str = "installation = ";

/// What the file says: to people what the folder is, to the program whose it is.
pub(super) fn text(installation: InstallationId) -> String {
    format!(
        "This folder holds what a Hearthwatch recorder has recorded.\n\
         Leave this file where it is: a folder without it is taken for a disk that is not mounted, and nothing is recorded.\n\
         \n\
         {KEY}{installation}\n"
    )
}

/// Whose folder it is; `None` if the text does not say so exactly once.
pub(super) fn parse(text: &str) -> Option<InstallationId> {
    let mut ids = text.lines().filter_map(|line| line.strip_prefix(KEY));
    let id = ids.next()?.trim_end().parse().ok()?;
    ids.next().is_none().then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_says_whose_it_is() {
        let id = InstallationId::from_random([7; 16]);
        assert_eq!(parse(&text(id)), Some(id));
        for bad in ["", "installation = ", "installation = x", &format!("{0}{0}", text(id)), "hearthwatch"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
