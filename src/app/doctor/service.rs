//! The systemd unit, where there is one.

use std::process::{Command, Stdio};

use crate::app::doctor::Finding;
use crate::web::LanOnly;

const ABOUT: &str = "service";
const LAN: &str = "LAN only";
const UNIT: &str = "hearthwatch.service";

/// What systemd says of the unit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Service {
    /// Whether there is such a unit.
    is_known: bool,
    active: String,
    result: String,
    restarts: u32,
    status: String,
    is_enabled: bool,
}

/// Asks systemd; `None` where it does not run.
pub(super) fn look() -> Option<Service> {
    let properties = "--property=LoadState,ActiveState,Result,NRestarts,StatusText,UnitFileState";
    let asked = Command::new("systemctl").args(["show", UNIT, properties]).stderr(Stdio::null()).output().ok()?;
    asked.status.success().then(|| read(&String::from_utf8_lossy(&asked.stdout)))
}

fn read(said: &str) -> Service {
    let mut service = Service::default();
    for (key, value) in said.lines().filter_map(|line| line.split_once('=')) {
        match key {
            "LoadState" => service.is_known = value == "loaded",
            "ActiveState" => value.clone_into(&mut service.active),
            "Result" => value.clone_into(&mut service.result),
            "NRestarts" => service.restarts = value.parse().unwrap_or(0),
            "StatusText" => value.clone_into(&mut service.status),
            "UnitFileState" => service.is_enabled = value == "enabled",
            _ => {}
        }
    }
    service
}

/// What that means; `is_running`: a recorder has the storage folder, whoever started it.
pub(super) fn judge(service: Option<&Service>, is_running: bool) -> Finding {
    let log = "journalctl -u hearthwatch -e";
    let Some(service) = service.filter(|service| service.is_known) else {
        return if is_running {
            Finding::fine(ABOUT, "a recorder runs, and not by systemd")
        } else {
            Finding::note(ABOUT, "no recorder runs, and systemd knows none; start one with `hearthwatch run`")
        };
    };
    let Service { active, result, restarts, status, .. } = service;
    match active.as_str() {
        "active" if *restarts > 0 => Finding::note(
            ABOUT,
            format!("it runs and was started again {restarts} times since; `{log}` says why. It says: {status}"),
        ),
        "active" if !service.is_enabled => {
            Finding::note(ABOUT, "it runs, but will not after a reboot: systemctl enable hearthwatch")
        }
        "active" => Finding::fine(ABOUT, format!("it runs. It says: {status}")),
        "activating" if !status.is_empty() => Finding::wrong(ABOUT, format!("it waits: {status}")),
        "activating" => Finding::wrong(ABOUT, format!("it is starting, or starts again and again; `{log}` says why")),
        "failed" => Finding::wrong(ABOUT, format!("it failed ({result}): `{log}` says why")),
        _ if is_running => Finding::note(ABOUT, "it is stopped, and another recorder runs in its place"),
        _ => Finding::wrong(ABOUT, "it is stopped: systemctl start hearthwatch"),
    }
}

/// Whether the kernel keeps the recorder in the house: what the recorder saw when it tried, for a filter on the service's
/// control group does not reach this command.
pub(super) fn judge_lan(service: Option<&Service>, is_running: bool) -> Finding {
    let status = service.filter(|service| service.active == "active").map(|service| service.status.as_str());
    let said = |lan_only: LanOnly| status.is_some_and(|status| status.ends_with(lan_only.in_words()));
    if said(LanOnly::Enforced) {
        return Finding::fine(LAN, LanOnly::Enforced.in_words());
    }
    if said(LanOnly::NotEnforced) {
        return Finding::note(LAN, LanOnly::NotEnforced.in_words());
    }
    Finding::note(
        LAN,
        if is_running {
            LanOnly::Unknown.in_words()
        } else {
            "the recorder tries at its start whether the kernel keeps it in the house; it does not run"
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Weight;

    fn said(active: &str, more: &str) -> Service {
        read(&format!("LoadState=loaded\nActiveState={active}\nResult=success\nUnitFileState=enabled\n{more}"))
    }

    #[test]
    fn what_systemd_says_is_told_in_words() {
        let weight = |active: &str, more: &str| judge(Some(&said(active, more)), false).weight;
        assert_eq!(weight("active", "NRestarts=0\nStatusText=Recording\n"), Weight::Fine);
        assert_eq!(weight("active", "NRestarts=3\n"), Weight::Note);
        assert_eq!(weight("active", "UnitFileState=disabled\n"), Weight::Note);
        for bad in ["inactive", "failed", "activating"] {
            assert_eq!(weight(bad, ""), Weight::Wrong, "{bad}");
        }
        let waits = judge(Some(&said("activating", "StatusText=Nothing is recorded: the disk is not there\n")), false);
        assert!(waits.words.contains("the disk is not there"), "{waits}");
        assert_eq!(judge(None, true).weight, Weight::Fine);
        assert_eq!(judge(Some(&read("LoadState=not-found\nActiveState=inactive\n")), false).weight, Weight::Note);
    }

    #[test]
    fn lan_only_is_claimed_only_on_the_word_of_the_recorder() {
        let status = |words: &str| format!("StatusText=Recording. {words}\n");
        let lan = |active: &str, more: &str| judge_lan(Some(&said(active, more)), true);
        assert_eq!(lan("active", &status(LanOnly::Enforced.in_words())).weight, Weight::Fine);
        assert_eq!(lan("inactive", &status(LanOnly::Enforced.in_words())).weight, Weight::Note);
        assert_eq!(lan("active", &status(LanOnly::NotEnforced.in_words())).weight, Weight::Note);
        assert_eq!(judge_lan(None, false).weight, Weight::Note);
    }
}
