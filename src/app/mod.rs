//! Wiring: the commands, the daemon's life, the supervision of its tasks and threads. The only place that starts any.

mod announce;
mod camera;
mod check;
mod claim;
mod cli;
mod clock_set;
mod clock_trust;
mod commands;
mod common_thread;
mod crowd;
mod daemon;
mod demo;
mod discovery;
mod doctor;
mod follow;
mod guessed_time;
mod household;
mod identities;
mod index_feed;
mod keeper;
mod lan_only;
mod lifecycle;
mod limits;
mod load;
mod manual;
mod owner;
mod pauses;
mod places;
mod previews;
mod random;
mod retention;
mod serve;
mod storage;
mod task;
#[cfg(test)]
mod testing;
mod trial;
mod user;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

/// Why a command ends without having done what it was asked, and with which exit code.
#[derive(Debug)]
enum Failure {
    /// Bad usage or bad configuration: exit code 2.
    Usage(String),
    /// Everything else: exit code 1.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Parses the command line, runs the command, and says how it went: 0 done, 1 failed, 2 bad usage or bad configuration.
pub fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            // Nothing is left to tell if standard error is closed.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    if let cli::Command::Decoder(cli::Decoder { probe, only }) = cli.command {
        // Before anything else is started: this process gives up all it can.
        return match probe {
            None => crate::detect::child::main(),
            Some(probe) => crate::detect::child::probe(probe, only),
        };
    }
    start_logging(cli.command.usual_log());
    match commands::run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(sentence)) => {
            eprintln!("hearthwatch: {sentence}");
            ExitCode::from(2)
        }
        Err(Failure::Failed(error)) => {
            eprintln!("hearthwatch: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Logs to standard error what `RUST_LOG` chooses, or else what is `usual`. journald adds the time by itself.
fn start_logging(usual: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        builder.without_time().init();
    } else {
        builder.init();
    }
}
