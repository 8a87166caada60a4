//! A camera is who it says it is: whoever answers in its place is refused with a sentence, sent no password, and recorded
//! only once an owner says so. And what hostile devices say harms nothing.

#![expect(clippy::disallowed_methods, reason = "a test starts its own servers, and reads what the real binary wrote")]

mod support;

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use hearthwatch::camera::onvif::{self, AskError};
use hearthwatch::config::settings::Credentials;
use hearthwatch::units::{Secret, UtcMicros};
use serde_json::Value;
use support::device::{Device, free_port};
use support::{Client, Daemon, HEARTHWATCH, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn section(id: &str, address: SocketAddr, user: &str) -> String {
    format!(
        "[cameras.{id}]\nurl = \"rtsp://{address}/main\"\nusername = \"{user}\"\npassword = \"secret of {user}\"\n\
         motion.enabled = false\n"
    )
}

/// Nothing, while it is not listed.
fn camera(client: &Client, id: &str) -> Value {
    let cameras = client.json("/api/cameras");
    cameras.as_array().expect("a list").iter().find(|camera| camera["id"] == id).cloned().unwrap_or_default()
}

fn until(client: &Client, id: &str, state: &str) -> Value {
    within(Duration::from_secs(60), &format!("{id} is {state}"), || {
        let camera = camera(client, id);
        (camera["state"] == state).then_some(camera)
    })
}

#[test]
fn whoever_answers_in_a_camera_s_place_is_refused_until_an_owner_adopts_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = free_port([127, 0, 0, 51]);
    let own = Device::start(address, folder.path(), "porch-cam", &["--watermark", "1", "--size", "320x180"]);
    let daemon = Daemon::start(&section("porch", address, "porch-cam"));
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    until(&client, "porch", "streaming");
    assert!(own.was_sent().contains("porch-cam"));

    drop(own);
    let foreign = Device::start(address, folder.path(), "nursery-cam", &["--watermark", "2", "--size", "320x180"]);
    let refused = until(&client, "porch", "refused");
    let said = refused["error"].as_str().expect("a sentence");
    assert!(said.contains("ONVIF id") && said.contains("Nothing is recorded from it."), "{said}");
    assert_eq!(refused["recording"], false);
    assert_eq!(foreign.was_sent(), "", "no password for a stranger");
    let (_, page) = client.get("/cameras");
    let page = String::from_utf8(page).expect("UTF-8");
    assert!(page.contains("action=\"/adopt/again\""), "{page}");

    // The porch's password is wrong there; the owner's word counts for who it is.
    assert_eq!(client.post("/adopt/again", "camera=porch").0, 303);
    within(Duration::from_secs(60), "the adopted device is asked", || {
        let error = camera(&client, "porch")["error"].as_str().unwrap_or_default().to_owned();
        error.contains("password").then_some(())
    });
    assert!(foreign.was_sent().contains("porch-cam"));
    let audit = client.json("/api/audit").to_string();
    assert!(audit.contains("camera-exchanged") && audit.contains("ONVIF id"), "{audit}");
    drop(foreign);

    // Now the first one is the stranger, also after the recorder was started anew.
    let _back = Device::start(address, folder.path(), "porch-cam", &["--watermark", "1", "--size", "320x180"]);
    until(&client, "porch", "refused");
}

#[test]
fn pins_outlive_the_recorder() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = free_port([127, 0, 0, 52]);
    let own = Device::start(address, folder.path(), "porch-cam", &["--watermark", "1", "--size", "320x180"]);
    let mut daemon = Daemon::start(&section("porch", address, "porch-cam"));
    let owner = daemon.owner();
    until(&Client::by_password(&daemon.origin, &owner), "porch", "streaming");
    daemon.kill();
    drop(own);
    let foreign = Device::start(address, folder.path(), "nursery-cam", &["--watermark", "2", "--size", "320x180"]);
    daemon.start_again();
    daemon.serves();
    until(&Client::by_password(&daemon.origin, &owner), "porch", "refused");
    assert_eq!(foreign.was_sent(), "");
}

#[test]
fn of_two_cameras_with_one_id_and_no_card_one_is_recorded_and_the_other_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second) = (free_port([127, 0, 0, 53]), free_port([127, 0, 0, 54]));
    let _one = Device::start(first, folder.path(), "twin", &["--watermark", "1", "--size", "320x180"]);
    let _other = Device::start(second, folder.path(), "twin", &["--watermark", "1", "--size", "320x180"]);
    let daemon = Daemon::start(&format!("{}{}", section("porch", first, "twin"), section("nursery", second, "twin")));
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    let (recorded, refused) = within(Duration::from_secs(60), "one of them is recorded", || {
        let state = |id| camera(&client, id)["state"].as_str().unwrap_or_default().to_owned();
        match (state("porch").as_str(), state("nursery").as_str()) {
            ("streaming", "refused") => Some(("porch", "nursery")),
            ("refused", "streaming") => Some(("nursery", "porch")),
            _ => None,
        }
    });
    let said = camera(&client, refused)["error"].as_str().expect("a sentence").to_owned();
    assert!(said.contains(&format!("the one that is set up as {recorded}")), "{said}");
}

#[test]
fn a_camera_that_asks_by_digest_and_then_in_clear_text_is_sent_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = free_port([127, 0, 0, 57]);
    let device = Device::start(address, folder.path(), "porch-cam", &["--fault", "basic", "--size", "320x180"]);
    let daemon = Daemon::start(&section("porch", address, "porch-cam"));
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    within(Duration::from_secs(60), "it is told why it is not recorded", || {
        let error = camera(&client, "porch")["error"].as_str()?.to_owned();
        error.contains("asks for its password unprotected (Basic), so it was not sent").then_some(())
    });
    let connections = || device.log().lines().filter(|line| line.contains("a client connected")).count();
    within(Duration::from_secs(60), "it was tried again", || (connections() >= 6).then_some(()));
    assert_eq!(device.was_sent(), "", "neither in clear text nor, on such a connection, by digest");
}

/// A web server that answers everything with this, and hangs up.
async fn web(answer: Vec<u8>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut asked = [0; 8192];
                let _ = stream.read(&mut asked).await;
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    address
}

async fn told(answer: Vec<u8>) -> AskError {
    let address = web(answer).await;
    onvif::ask(address, "/onvif/device_service", None, UtcMicros(0), || [7; 16]).await.expect_err("nothing good")
}

#[tokio::test]
async fn a_soap_answer_of_ten_megabytes_is_given_up() {
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n".to_vec();
    answer.resize(answer.len() + 10_485_760, b'<');
    assert_eq!(told(answer).await, AskError::TooLarge);
}

#[tokio::test]
async fn a_redirect_to_the_cloud_s_own_address_is_not_followed() {
    let answer = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n".to_vec();
    assert_eq!(told(answer).await, AskError::Redirected);
    let body = "<s:Envelope><s:Body><x><Capabilities><Media><XAddr>http://169.254.169.254/latest</XAddr></Media></Capabilities>\
        </x></s:Body></s:Envelope>";
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let error = told(answer.into_bytes()).await.to_string();
    assert_eq!(error, "the camera points to 169.254.169.254, which is another machine; this is not followed");
}

#[tokio::test]
async fn our_own_simulated_device_tells_its_streams_to_who_knows_the_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = free_port([127, 0, 0, 56]);
    let _device = Device::start(address, folder.path(), "porch-cam", &["--watermark", "7", "--size", "1280x720"]);
    let ip: IpAddr = address.ip();
    let service = tokio::task::spawn_blocking(move || service_of(ip)).await.expect("no panic");
    let credentials =
        |password: &str| Credentials { username: "porch-cam".to_owned(), password: Secret::new(password) };
    let ask = async |credentials: &Credentials| {
        onvif::ask(service, "/onvif/device_service", Some(credentials), UtcMicros(0), || [7; 16]).await
    };
    let told = ask(&credentials("secret of porch-cam")).await.expect("told");
    assert_eq!(told.main.to_string(), format!("rtsp://{address}/main"));
    assert_eq!(told.small.map(|url| url.to_string()), Some(format!("rtsp://{address}/sub")));
    assert_eq!((told.information.model.as_str(), told.cards.len()), ("Hearthwatch fake camera", 1));
    let refused = ask(&credentials("wrong")).await.expect_err("refused");
    assert_eq!(refused.to_string(), "the camera's ONVIF service refused the user name or password");
}

/// Where the device's web service is, as `discover` lists it.
fn service_of(ip: IpAddr) -> SocketAddr {
    let output = Command::new(HEARTHWATCH)
        .args(["discover", "--json", "--loopback", "--seconds", "4"])
        .output()
        .expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let found = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut ours = found.filter(|found| found["how"] == "onvif" && found["address"] == ip.to_string());
    let found = ours.next().unwrap_or_else(|| panic!("not discovered: {text}"));
    let port = found["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
    SocketAddr::new(ip, port)
}
