//! What an owner at the machine itself is told: by the doctor, and by the command that prints a code.

mod support;

use std::path::Path;
use std::process::Command;

use support::{Client, Daemon, FakeCamera, HEARTHWATCH};

/// Exit code and everything that was said.
fn say(command: &str, config: &Path) -> (Option<i32>, String) {
    let output = Command::new(HEARTHWATCH).args([command, "--config"]).arg(config).output().expect("it starts");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).expect("UTF-8"))
}

fn camera(url: &str) -> String {
    format!("[cameras.porch]\nurl = \"{url}\"\n")
}

#[test]
fn a_recorder_in_order_is_found_in_order_and_a_camera_without_power_is_named() {
    let there = FakeCamera::start(&[]);
    let daemon = Daemon::start(&camera(&there.url));
    let (code, said) = say("doctor", &daemon.config());
    assert_eq!(code, Some(0), "{said}");
    for sentence in [
        "is in order",
        "carries its marker",
        "the recorder takes calls at",
        "porch: something takes connections at 127.0.0.1",
        "H.264, H.265 and Motion JPEG can be decoded",
        "each decoder process is",
        "LAN only",
        "clock",
    ] {
        assert!(said.contains(sentence), "{sentence} of:\n{said}");
    }
    drop(there);
    let (code, said) = say("doctor", &daemon.config());
    assert!(code == Some(1) && said.contains("WRONG  camera         porch: nothing answers at"), "{said}");
}

#[test]
fn a_configuration_that_is_wrong_is_told_with_the_rest() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = dir.path().join("config.toml");
    std::fs::write(&config, "[storage]\nkeep_fre = \"10%\"\n").expect("written");
    let (code, said) = say("doctor", &config);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("did you mean \"keep_free\"?") && said.contains("can be decoded"), "{said}");
}

#[test]
fn a_code_is_printed_for_a_recorder_that_runs_and_has_no_owner() {
    let mut daemon = Daemon::start("");
    let (code, said) = say("claim-code", &daemon.config());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("{}/claim", daemon.origin)), "{said}");
    let typed = said.split("type the code ").nth(1).and_then(|rest| rest.split(':').next()).expect("a code");
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let claim = |code: &str, name: &str| {
        let form = [("code", code), ("name", name), ("password", "correct horse battery")];
        let answer = agent.post(format!("{}/claim", daemon.origin)).header("Origin", &daemon.origin).send_form(form);
        answer.expect("an answer").status().as_u16()
    };
    assert_eq!(claim("AAAA-AAAA-AAAA", "mallory"), 403);
    assert_eq!(claim(typed, "anna"), 303, "{said}");
    let (code, said) = say("claim-code", &daemon.config());
    assert!(code == Some(1) && said.contains("has an owner already"), "{said}");
    daemon.end();
    let (code, said) = say("claim-code", &daemon.config());
    assert!(code == Some(1) && said.contains("does not run"), "{said}");
}

#[test]
fn whether_the_kernel_keeps_it_in_the_house_is_told_to_who_is_signed_in() {
    let daemon = Daemon::start("");
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    let told = client.json("/api/health")["lan_only"].clone();
    // Started by a test, not by its unit: nothing enforces it here, or it cannot be tried.
    assert!(told["enforced"] != true && told["words"].as_str().is_some_and(|words| !words.is_empty()), "{told}");
    let page = String::from_utf8(client.get("/cameras").1).expect("UTF-8");
    assert!(page.contains(told["words"].as_str().expect("words")), "{page}");
}
