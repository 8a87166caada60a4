//! The manual pages and the shells' completions, made from the command line as it is parsed. The package is built with them.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::app::{Failure, cli};

/// Writes `hearthwatch.1` and one page for each command, and a file for each shell.
pub(crate) fn write(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let written = || -> std::io::Result<()> {
        clap_mangen::generate_to(shown(), folder)?;
        for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
            clap_complete::generate_to(shell, &mut shown(), "hearthwatch", folder)?;
        }
        Ok(())
    };
    written().with_context(|| format!("the manual cannot be written to {}", folder.display()))?;
    Ok(())
}

/// The command line without what is not for people.
fn shown() -> clap::Command {
    let whole = cli::Cli::command();
    let shown: Vec<_> = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    clap::Command::new("hearthwatch")
        .version(env!("CARGO_PKG_VERSION"))
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommands(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_people_use_has_a_page_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path()).expect("written");
        let entries = fs::read_dir(folder.path()).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        for name in ["_hearthwatch", "hearthwatch.bash", "hearthwatch.fish", "hearthwatch.1", "hearthwatch-run.1"] {
            assert!(names.iter().any(|known| known == name), "{name} of {names:?}");
        }
        assert!(names.iter().any(|name| name == "hearthwatch-user-add.1"), "{names:?}");
        assert!(!names.iter().any(|name| name.contains("decoder") || name.contains("manual")), "{names:?}");
    }
}
