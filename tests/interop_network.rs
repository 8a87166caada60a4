//! Other people's announcers and listeners, in network namespaces of their own: avahi both ways, an ONVIF device and an
//! ONVIF client in Python. What is not installed, or not allowed, is skipped with a word.

#![expect(clippy::disallowed_methods, reason = "a test reads what other programs wrote")]

#[path = "storm/house.rs"]
#[expect(dead_code, reason = "the storm needs more of it")]
mod house;
#[path = "support/mod.rs"]
mod support;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hearthwatch::camera::onvif;
use hearthwatch::config::settings::Credentials;
use hearthwatch::units::{Secret, UtcMicros};
use house::House;
use serde_json::Value;
use support::{HEARTHWATCH, within};

const DEVICE: &str = "10.77.0.10";

/// A house with one device that is on; `None`, with a word, where that is not possible.
fn house() -> Option<House> {
    match House::build(1) {
        Ok(house) => {
            house.connect_device(0, DEVICE, true);
            Some(house)
        }
        Err(why) => {
            eprintln!("skipped: network namespaces cannot be made here ({why})");
            None
        }
    }
}

/// Ends with everything that it started.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn discovered(house: &House) -> Vec<Value> {
    let output = house::program_in(&house.recorder(), HEARTHWATCH)
        .args(["discover", "--json", "--seconds", "4"])
        .output()
        .expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn found(house: &House, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    within(Duration::from_secs(60), what, || discovered(house).into_iter().find(|found| is_it(found)))
}

#[test]
fn what_avahi_announces_is_found_and_avahi_finds_what_we_announce() {
    if !Path::new("/usr/sbin/avahi-daemon").exists() || !support::have("avahi-browse") {
        return eprintln!("skipped: avahi is not installed");
    }
    let Some(house) = house() else { return };
    // A bus and a daemon of its own, which nobody else on this machine hears of.
    let script = "mount -t tmpfs tmpfs /run && mkdir -p /run/dbus /run/avahi-daemon && dbus-daemon --system --nofork --nopidfile & \
        sleep 1; avahi-daemon -f /etc/avahi/avahi-daemon.conf --no-drop-root --no-chroot --no-rlimits & sleep 1; \
        avahi-publish-service 'Porch & <b>Garden</b>' _rtsp._tcp 554 path=/main sub=/sub serial=77 & \
        while true; do echo look; avahi-browse -rpt _rtsp._tcp; sleep 1; done";
    let mut avahi = house::program_in(&house.device(0), "unshare")
        .args(["--mount", "--pid", "--fork", "--kill-child", "bash", "-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(avahi.stdout.take().expect("a pipe")).lines();
    let _avahi = Running(avahi);
    let theirs = found(&house, "what avahi announces", |found| found["address"] == DEVICE && found["how"] == "mdns");
    assert_eq!(theirs["name"], "Porch & <b>Garden</b>");
    assert_eq!(theirs["url"], format!("rtsp://{DEVICE}:554/main"));
    assert_eq!(theirs["txt"]["serial"], "77");

    let listen = format!("{}:8554", house::RECORDER);
    let camera = house::program_in(&house.recorder(), HEARTHWATCH)
        .args(["fake-camera", "--mdns", "--name", "Our camera", "--listen", &listen])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let _camera = Running(camera);
    let is_ours =
        |line: &String| line.starts_with('=') && line.contains("Our\\032camera") && line.contains("\"path=/main\"");
    let ours = lines.map_while(Result::ok).take(2_000).find(is_ours).expect("avahi finds our camera");
    assert!(ours.contains(house::RECORDER) && ours.contains(";8554;"), "{ours}");
}

/// Where the Python peers are, if the set-up could install them.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("HEARTHWATCH_VENV").map(PathBuf::from);
    let venv = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/onvif-venv"));
    let python = venv.join("bin/python");
    if python.exists() {
        return Some(python);
    }
    eprintln!("skipped: the ONVIF peers are not installed; script/setup build test does that");
    None
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(name)
}

#[test]
fn a_third_party_onvif_device_is_found_and_tells_its_streams() {
    let Some(python) = python() else { return };
    let Some(house) = house() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let device = house::program_in(&house.device(0), python.to_str().expect("UTF-8"))
        .arg(script("onvif_device.py"))
        .arg(DEVICE)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let _device = Running(device);
    let theirs = found(&house, "the ONVIF device", |found| found["address"] == DEVICE && found["how"] == "onvif");
    assert!(theirs["txt"]["uuid"].as_str().is_some_and(|uuid| uuid.len() == 36), "{theirs}");
    let port = theirs["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");

    house::enter(&house.recorder());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let service = std::net::SocketAddr::new(DEVICE.parse().expect("an address"), port);
    let now = UtcMicros(jiff::Timestamp::now().as_microsecond());
    let mut asked = 0_u8;
    let mut random = || {
        asked += 1;
        [asked; 16]
    };
    let mut ask = |password: &str| {
        let credentials = Credentials { username: "viewer".to_owned(), password: Secret::new(password) };
        runtime.block_on(onvif::ask(service, "/onvif/device_service", Some(&credentials), now, &mut random))
    };
    let told = ask("secret").expect("it tells");
    assert_eq!(told.main.host(), DEVICE);
    assert!(told.small.is_some(), "{told:?}");
    assert_eq!(told.information.model, "PythonCam VirtualCam-1");
    assert_eq!(told.information.serial.as_deref(), Some("PY-000001"));
    let refused = ask("wrong").expect_err("refused").to_string();
    assert!(refused.contains("refused the user name or password"), "{refused}");
}

#[test]
fn a_third_party_onvif_client_understands_our_device() {
    let Some(python) = python() else { return };
    let Some(house) = house() else { return };
    let camera = house::program_in(&house.device(0), HEARTHWATCH)
        .args(["fake-camera", "--onvif", "--name", "Our camera", "--listen", &format!("{DEVICE}:8554")])
        .args(["--user", "viewer", "--password", "secret"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let _camera = Running(camera);
    let ours = found(&house, "our ONVIF device", |found| found["address"] == DEVICE && found["how"] == "onvif");
    let port = ours["port"].as_u64().expect("a port").to_string();
    let ask = |password: &str| {
        let mut client: Command = house::program_in(&house.recorder(), python.to_str().expect("UTF-8"));
        client.arg(script("onvif_client.py")).args([DEVICE, &port, "viewer", password]).output().expect("it runs")
    };
    let output = ask("secret");
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(told["streams"]["main"], format!("rtsp://{DEVICE}:8554/main"));
    assert_eq!(told["streams"]["sub"], format!("rtsp://{DEVICE}:8554/sub"));
    assert_eq!(told["serial"].as_str().map(str::len), Some(12));
    assert!(!ask("wrong").status.success(), "a wrong password is refused");
}
