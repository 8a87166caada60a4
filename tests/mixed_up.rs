//! Mixed-up input gets one clear sentence and the right exit code, and what still works goes on.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::time::Duration;

use support::{Client, Daemon, FakeCamera, HEARTHWATCH, within};

fn hearthwatch(arguments: &[&str]) -> Output {
    Command::new(HEARTHWATCH).args(arguments).env_remove("RUST_LOG").output().expect("it runs")
}

/// Exit code and what was said on standard error.
fn refusal(arguments: &[&str]) -> (Option<i32>, String) {
    let output = hearthwatch(arguments);
    (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
}

#[test]
fn no_configuration_is_said_with_exit_code_2() {
    let (code, said) = refusal(&["run", "--config", "/nowhere/config.toml"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("/nowhere/config.toml") && said.contains("--config"), "{said}");
}

#[test]
fn an_unknown_key_is_said_with_its_line_and_the_nearest_known_one() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("config.toml");
    std::fs::write(&file, "[storage]\npath = \"/tmp\"\nsegment_second = 60\n\n[web]\ntls = \"maybe\"\n")
        .expect("a written file");
    for command in [vec!["run", "--config"], vec!["check-config"]] {
        let (code, said) = refusal(&[command, vec![file.to_str().expect("UTF-8")]].concat());
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(":3:") && said.contains("segment_seconds"), "line and nearest key: {said}");
        assert!(said.contains(":6:") && said.contains("tls"), "all complaints at once: {said}");
    }
}

#[test]
fn a_port_in_use_is_said_with_exit_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("config.toml");
    let text = format!(
        "[storage]\npath = \"{}\"\n[web]\nlisten = \"{address}\"\ntls = \"off\"\n",
        dir.path().join("s").display()
    );
    std::fs::write(&file, text).expect("a written file");
    let (code, said) = refusal(&["run", "--config", file.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&address.to_string()) && said.contains("another program"), "{said}");
}

#[test]
fn a_storage_folder_that_cannot_be_written_is_said_with_exit_code_1() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("config.toml");
    // Not even root can make a folder there.
    std::fs::write(&file, "[storage]\npath = \"/proc/hearthwatch\"\n[web]\nlisten = \"127.0.0.1:0\"\ntls = \"off\"\n")
        .expect("a written file");
    let (code, said) = refusal(&["run", "--config", file.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("/proc/hearthwatch"), "{said}");
}

#[test]
fn bad_usage_has_exit_code_2() {
    for arguments in [&["no-such-command"][..], &["demo", "--cameras", "0"], &["motion"]] {
        assert_eq!(refusal(arguments).0, Some(2), "{arguments:?}");
    }
}

/// Answers every connection as a web server does.
#[expect(clippy::disallowed_methods, reason = "the test's own server")]
fn web_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    address
}

#[test]
fn one_bad_camera_takes_nothing_from_the_others() {
    let good = FakeCamera::start(&["--watermark", "7", "--size", "640x360"]);
    let locked =
        FakeCamera::start(&["--watermark", "8", "--size", "640x360", "--user", "viewer", "--password", "right"]);
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address");
    assert!(TcpStream::connect(nobody).is_err(), "nobody listens there");
    let web = web_server();
    let config = format!(
        "[cameras.good]\nname = \"Good\"\nurl = \"{}\"\n\
         [cameras.locked]\nname = \"Locked\"\nurl = \"{}\"\nusername = \"viewer\"\npassword = \"wrong\"\n\
         [cameras.nobody]\nname = \"Nobody\"\nurl = \"rtsp://{nobody}/main\"\n\
         [cameras.web]\nname = \"Web\"\nurl = \"rtsp://{web}/main\"\n",
        good.url, locked.url
    );
    let daemon = Daemon::start(&config);
    let client = Client::by_password(&daemon.origin, &daemon.owner());

    let cameras = within(Duration::from_secs(30), "each camera says how it is", || {
        let cameras = client.json("/api/cameras");
        let of = |id: &str| cameras.as_array().expect("a list").iter().find(|camera| camera["id"] == id).cloned();
        let settled = of("good")?["state"] == "streaming"
            && ["locked", "nobody", "web"].iter().all(|id| of(id).is_some_and(|camera| camera["error"].is_string()));
        settled.then_some(cameras)
    });
    let error = |id: &str| {
        let camera = cameras.as_array().expect("a list").iter().find(|camera| camera["id"] == id).expect("listed");
        assert_ne!(camera["state"], "streaming", "{camera}");
        camera["error"].as_str().expect("a sentence").to_lowercase()
    };
    assert!(error("locked").contains("password"), "{}", error("locked"));
    assert!(error("nobody").contains("answer") || error("nobody").contains("reach"), "{}", error("nobody"));
    assert!(error("web").contains("http") || error("web").contains("web server"), "{}", error("web"));

    let (code, dir) = daemon.stop();
    assert_eq!(code, Some(0));
    let segments = support::closed_segments(dir.path());
    assert!(
        segments.iter().any(|file| file.to_string_lossy().contains("/good/")),
        "the good one was recorded: {segments:?}"
    );
    assert!(segments.iter().all(|file| file.to_string_lossy().contains("/good/")), "{segments:?}");
}
