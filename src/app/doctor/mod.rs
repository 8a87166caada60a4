//! `hearthwatch doctor`: what an owner needs to know before asking for help, in plain sentences.
//!
//! Each part looks and then judges what it saw; judging is pure. It changes nothing, and tells no camera a name or a password:
//! it only knocks.

mod cameras;
mod clock;
mod decoder;
mod door;
mod service;
mod storage;

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, anyhow};

use crate::app::{Failure, owner};
use crate::config;
use crate::units::Clock;

/// How much something matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// As it should be.
    Fine,
    /// Worth knowing; the recorder does its job.
    Note,
    /// Must be mended.
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    weight: Weight,
    about: &'static str,
    words: String,
}

impl Finding {
    fn fine(about: &'static str, words: impl Into<String>) -> Self {
        Self { weight: Weight::Fine, about, words: words.into() }
    }

    fn note(about: &'static str, words: impl Into<String>) -> Self {
        Self { weight: Weight::Note, about, words: words.into() }
    }

    fn wrong(about: &'static str, words: impl Into<String>) -> Self {
        Self { weight: Weight::Wrong, about, words: words.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight {
            Weight::Fine => "fine",
            Weight::Note => "note",
            Weight::Wrong => "WRONG",
        };
        write!(f, "{weight:<5}  {:<13}  {}", self.about, self.words)
    }
}

/// Looks at everything and prints a line for each. Exit code 1 if something must be mended, 2 if that is the configuration.
pub(crate) fn run(config: &Path, clock: &Clock) -> Result<(), Failure> {
    // Asked first: without its bus, systemd answers root alone.
    let service = service::look();
    owner::become_owner(config)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime cannot start")?;
    let mut wrong = 0;
    let mut tell = |finding: Finding| {
        wrong += usize::from(finding.weight == Weight::Wrong);
        println!("{finding}");
    };
    let loaded = config::load(config);
    match &loaded {
        Ok(settings) => {
            tell(Finding::fine("configuration", format!("{} is in order", config.display())));
            let storage = storage::look(settings, config);
            let is_running = storage.is_in_use;
            storage::judge(&storage).into_iter().for_each(&mut tell);
            tell(service::judge(service.as_ref(), is_running));
            tell(service::judge_lan(service.as_ref(), is_running));
            tell(door::judge(settings.web.listen, &door::look(settings.web.listen, is_running)));
            let knocks = runtime.block_on(cameras::knock(settings));
            cameras::judge(&knocks).into_iter().for_each(&mut tell);
        }
        Err(error) => {
            for line in error.to_string().lines() {
                tell(Finding::wrong("configuration", line));
            }
            tell(service::judge(service.as_ref(), false));
        }
    }
    tell(clock::judge(&clock::look(clock)));
    runtime.block_on(decoder::look()).into_iter().for_each(&mut tell);
    match (loaded, wrong) {
        (Ok(_), 0) => Ok(()),
        (Ok(_), wrong) => Err(anyhow!("{wrong} of these must be mended; each line says how").into()),
        (Err(_), _) => Err(Failure::Usage(
            "the configuration must be mended first; `hearthwatch check-config` says the same".into(),
        )),
    }
}
