//! Taking cameras in from the viewer: who is found, what a look at a candidate tells, and what is recorded afterwards. And
//! that the settings of finding count without a restart.

#![expect(clippy::disallowed_methods, reason = "a test starts its own servers, and reads what the real binary wrote")]

#[path = "storm/house.rs"]
#[expect(dead_code, reason = "the storm needs more of it")]
mod house;
#[path = "storm/pictures.rs"]
#[expect(dead_code, reason = "the storm makes clips with it as well")]
mod pictures;
mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use house::House;
use support::device::{Device, own_address};
use support::{Client, Daemon, FakeCamera, HEARTHWATCH, within};

/// How long anything may take on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// How a device stands in the list of those who were found, by how it was found; with the key of its form.
fn listed(client: &Client, address: SocketAddr) -> Vec<(String, String)> {
    let (status, page) = client.get("/adopt");
    assert_eq!(status, 200);
    let page = String::from_utf8(page).expect("UTF-8");
    let cards = page.split("<li class=\"card\">").skip(1).filter_map(|card| {
        let how = card.split(&format!("<p>{} · ", address.ip())).nth(1)?.split(' ').next()?;
        let key = card.split("name=\"key\" value=\"").nth(1)?.split('"').next()?;
        Some((how.to_owned(), key.to_owned()))
    });
    cards.collect()
}

fn until_listed(client: &Client, address: SocketAddr, how: &[&str]) -> Vec<(String, String)> {
    within(LONG, &format!("the list has it by {how:?}"), || {
        let listed = listed(client, address);
        let mut found: Vec<_> = listed.iter().map(|(how, _)| how.as_str()).collect();
        found.sort_unstable();
        (found == how).then_some(listed)
    })
}

/// A look at a candidate that fails: the sentence that the owner reads.
fn refusal(client: &Client, form: &str) -> String {
    let (status, page) = client.post("/adopt", form);
    assert_eq!(status, 422, "{page}");
    let said = page.split("role=\"alert\"><strong>").nth(1).and_then(|rest| rest.split("</strong>").next());
    said.expect("a sentence").replace("&#34;", "\"").replace("&#39;", "'")
}

/// A look at a candidate that succeeds: its page.
fn look(client: &Client, form: &str) -> String {
    let (status, page) = client.post("/adopt", form);
    assert_eq!(status, 200, "{page}");
    assert!(!page.contains("secret of"), "the password is not sent back");
    page
}

fn trial_of(page: &str) -> &str {
    page.split("action=\"/adopt/").nth(1).and_then(|rest| rest.split('"').next()).expect("a form that takes it in")
}

#[test]
fn an_onvif_device_is_taken_in_with_both_its_streams_and_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = own_address(0);
    let device = Device::start(address, folder.path(), "porch-cam", &["--watermark", "7", "--size", "640x360"]);
    let daemon = Daemon::start_on_loopback("# my cameras\n");
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    assert_eq!(listed(&client, address), [], "nobody is looked for yet");
    daemon.change("onvif = false", "onvif = true # since today");
    let found = until_listed(&client, address, &["ONVIF"]);

    let key = url::form_urlencoded::byte_serialize(found[0].1.as_bytes()).collect::<String>();
    let said = refusal(&client, &format!("key={key}&user=porch-cam&password=wrong"));
    assert_eq!(said, "The camera's ONVIF service refused the user name or password.");
    let page = look(&client, &format!("key={key}&user=porch-cam&password=secret+of+porch-cam"));
    assert!(page.contains("It says that it is a Hearthwatch fake camera"), "{page}");
    assert!(page.contains("640 × 360 pixels in H.264"), "the large one of its streams is looked at: {page}");
    assert!(!page.contains("no small stream"), "{page}");
    let trial = trial_of(&page);
    let (status, picture) = client.get(&format!("/adopt/{trial}/picture.jpg"));
    assert_eq!(status, 200);
    let file = folder.path().join("picture.jpg");
    std::fs::write(&file, picture).expect("written");
    assert_eq!(pictures::numbers(&file), [Some(7)], "it is that camera's own picture");

    assert_eq!(client.post(&format!("/adopt/{trial}"), "name=Front+door").0, 303);
    let page = client.get("/cameras").1;
    assert!(String::from_utf8_lossy(&page).contains("Front door"), "the page that follows shows it at once");
    let text = std::fs::read_to_string(daemon.config()).expect("a file");
    for line in [
        "# my cameras",
        "onvif = true # since today",
        "[cameras.front-door]",
        "name = \"Front door\"",
        &format!("url = \"rtsp://{address}/main\""),
        &format!("detect_url = \"rtsp://{address}/sub\""),
        "username = \"porch-cam\"",
    ] {
        assert!(text.lines().any(|there| there == line), "{line} is not in {text}");
    }
    let recorded = daemon.storage().join("footage/front-door");
    within(LONG, "it is recorded", || {
        let cameras = client.json("/api/cameras");
        let camera = cameras.as_array()?.iter().find(|camera| camera["id"] == "front-door")?.clone();
        let records = camera["state"] == "streaming" && camera["recording"] == true;
        (records && camera["main"]["width"] == 640 && has_footage(&recorded)).then_some(())
    });
    assert_eq!(listed(&client, address), [], "it is no stranger any more");
    assert!(device.was_sent().contains("UsernameToken") && device.was_sent().contains("Digest"));
    let audit = client.json("/api/audit").to_string();
    assert!(audit.contains("camera-tried") && audit.contains("camera-added"), "{audit}");
}

fn has_footage(folder: &Path) -> bool {
    let days = std::fs::read_dir(folder).into_iter().flatten().flatten();
    days.flat_map(|day| std::fs::read_dir(day.path()).into_iter().flatten().flatten()).next().is_some()
}

#[test]
fn where_is_looked_for_cameras_follows_the_settings_without_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = own_address(1);
    let _device = Device::start(address, folder.path(), "porch-cam", &["--mdns", "--size", "320x180", "--fps", "5"]);
    let daemon = Daemon::start_on_loopback("");
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    until_listed(&client, address, &[]);
    daemon.change("mdns = false", "mdns = true");
    until_listed(&client, address, &["mDNS"]);
    daemon.change("onvif = false", "onvif = true");
    until_listed(&client, address, &["ONVIF", "mDNS"]);
    daemon.change("mdns = true", "mdns = false");
    until_listed(&client, address, &["ONVIF"]);
    daemon.change("onvif = true", "onvif = false");
    until_listed(&client, address, &[]);
}

/// Ends with what it started.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn whoever_was_found_before_is_taken_in_as_soon_as_the_owner_wants_that() {
    // Everybody who is found is taken in, so this needs a network without other tests' cameras.
    let house = match House::build(1) {
        Ok(house) => house,
        Err(why) => return eprintln!("skipped: network namespaces cannot be made here ({why})"),
    };
    house.connect_device(0, "10.77.0.10", true);
    let camera = house::program_in(&house.device(0), HEARTHWATCH)
        .args(["fake-camera", "--mdns", "--name", "Porch", "--size", "320x180", "--listen", "10.77.0.10:554"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let _camera = Running(camera);
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config.toml");
    let text = format!(
        "[storage]\npath = \"{}\"\nkeep_free = \"1%\"\n[web]\nlisten = \"127.0.0.1:8080\"\ntls = \"off\"\n[discovery]\n\
         auto_add = false\n",
        folder.path().join("storage").display()
    );
    std::fs::write(&config, &text).expect("written");
    let log = folder.path().join("log");
    let recorder = house::program_in(&house.recorder(), HEARTHWATCH)
        .args(["run", "--config"])
        .arg(&config)
        .env("RUST_LOG", "info")
        .stdin(Stdio::null())
        .stderr(std::fs::File::create(&log).expect("a log"))
        .spawn()
        .expect("it starts");
    let _recorder = Running(recorder);
    let said = || std::fs::read_to_string(&log).expect("a log");
    within(LONG, "it is found", || said().contains("a camera announces itself").then_some(()));
    assert_eq!(std::fs::read_to_string(&config).expect("a file"), text, "found, and no more");

    std::fs::write(&config, text.replace("auto_add = false", "auto_add = true")).expect("written");
    within(LONG, "it is taken in", || {
        let text = std::fs::read_to_string(&config).expect("a file");
        text.contains("url = \"rtsp://10.77.0.10:554/main\"").then_some(())
    });
}

/// A camera in a few words: answers each method with a status and what follows it.
fn scripted(answers: &'static [(&'static str, &'static str, &'static str)]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream, answers));
        }
    });
    address
}

fn answer(stream: TcpStream, answers: &[(&str, &str, &str)]) -> Option<()> {
    let mut to = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    loop {
        let head: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        let method = head.first()?.split(' ').next()?;
        let number = head.iter().find_map(|line| line.strip_prefix("CSeq: "))?;
        let (_, status, rest) = answers.iter().find(|(asked, ..)| *asked == method)?;
        write!(to, "RTSP/1.0 {status}\r\nCSeq: {number}\r\n{rest}").ok()?;
    }
}

/// What it shows, with the length that it has.
const H264: &str = "Content-Type: application/sdp\r\nContent-Length: 109\r\n\r\n\
    v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=Old\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n";
const MPEG4: &str = "Content-Type: application/sdp\r\nContent-Length: 112\r\n\r\n\
    v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=Old\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 MP4V-ES/90000\r\na=control:track1\r\n";
const BASIC: &str = "WWW-Authenticate: Basic realm=\"camera\"\r\n\r\n";

#[test]
fn the_test_button_says_in_plain_words_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = own_address(2);
    let _device = Device::start(address, folder.path(), "porch-cam", &["--size", "320x180", "--fps", "5"]);
    let deaf = scripted(&[("OPTIONS", "200 OK", "\r\n"), ("DESCRIBE", "200 OK", H264), ("SETUP", "461 No", "\r\n")]);
    let old = scripted(&[("OPTIONS", "200 OK", "\r\n"), ("DESCRIBE", "200 OK", MPEG4)]);
    let careless = scripted(&[("OPTIONS", "200 OK", "\r\n"), ("DESCRIBE", "401 Unauthorized", BASIC)]);
    let crowded = scripted(&[("OPTIONS", "200 OK", "\r\n"), ("DESCRIBE", "453 Not Enough Bandwidth", "\r\n")]);
    // The kernel takes the connection, and nobody ever reads from it.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = silent.local_addr().expect("an address");
    let nobody = own_address(3);
    let daemon = Daemon::start("");
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    let signed = "&user=porch-cam&password=secret+of+porch-cam";
    for (form, sentence) in [
        (format!("{address}/main"), "The camera asks for a user name and password".to_owned()),
        (
            format!("{address}/main&user=porch-cam&password=wrong"),
            "The camera refused the user name or password.".into(),
        ),
        (format!("{address}/nothing{signed}"), "The camera has no stream at /nothing.".into()),
        (format!("{deaf}/main"), "The camera sends its pictures neither over TCP nor over UDP.".into()),
        (format!("{old}/main"), "The camera sends mp4v-es, which cannot be recorded; set it to H.264 or H.265.".into()),
        (
            format!("{careless}/main{signed}"),
            "The camera asks for its password unprotected (Basic), so it was not sent; set the camera to digest."
                .into(),
        ),
        (
            format!("{crowded}/main"),
            "The camera is busy (it answered 453); perhaps too many viewers are connected to it.".into(),
        ),
        (
            format!("{nobody}/main"),
            format!("The camera cannot be reached at {nobody}: the machine there takes no connections on this port."),
        ),
        (format!("{at}/main"), format!("The camera at {at} did not answer within 10 s.")),
        ("8.8.8.8/main".to_owned(), "8.8.8.8 is not an address of this household.".into()),
    ] {
        let said = refusal(&client, &format!("url=rtsp%3A%2F%2F{form}"));
        assert!(said.starts_with(&sentence), "{form}: {said}");
    }
    assert!(refusal(&client, "url=nonsense").ends_with('.'));
    assert_eq!(refusal(&client, "key=nobody"), "It is not there any more; it has stopped announcing itself.");
}

#[test]
fn a_camera_by_its_address_is_looked_at_and_advised_about_its_key_frames() {
    if !support::have("ffmpeg") {
        return eprintln!("skipped: ffmpeg is not installed");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let clip = folder.path().join("clip.mp4");
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=10:duration=28"])
        .args("-c:v libx264 -preset ultrafast -bf 0 -pix_fmt yuv420p -g 70 -keyint_min 70 -sc_threshold 0".split(' '))
        .arg(&clip)
        .status();
    assert!(made.expect("ffmpeg runs").success());
    let rare = FakeCamera::start(&["--file", clip.to_str().expect("UTF-8")]);
    let often = FakeCamera::start(&["--size", "320x180", "--fps", "10"]);
    let daemon = Daemon::start("# no camera yet\n");
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    let form = |url: &str| format!("url={}", url::form_urlencoded::byte_serialize(url.as_bytes()).collect::<String>());
    let page = look(&client, &form(&rare.url));
    let advice = "It sends a key frame every 7 s: set it to 2 s or less in the camera, so that pictures and clips begin at once.";
    assert!(page.contains(advice), "{page}");
    let page = look(&client, &form(&often.url));
    assert!(page.contains("320 × 180 pixels in H.264") && !page.contains("key frame"), "{page}");

    let trial = trial_of(&page);
    assert_eq!(client.post(&format!("/adopt/{trial}"), "name=Porch").0, 303);
    let text = std::fs::read_to_string(daemon.config()).expect("a file");
    assert!(text.contains("# no camera yet") && text.contains("[cameras.porch]"), "{text}");
    assert_eq!(client.post("/adopt/0123", "name=Porch").0, 422, "a trial that nobody made");
}
