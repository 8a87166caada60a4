//! An owner tries other settings for motion on the last day's events before they are saved.

#![expect(
    clippy::disallowed_methods,
    reason = "a test of a real process reads its configuration, and looks for its children"
)]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use support::browser::Browser;
use support::{Client, Daemon, FakeCamera, within};
use tokio::task::block_in_place;

const SOON: Duration = Duration::from_secs(60);
/// Somebody comes by every twenty seconds.
const EVENTS: Duration = Duration::from_secs(150);
const PATH: &str = "/cameras/porch/motion/trial";
const AS_IT_IS: &str = r#"enabled=on&sensitivity=50&least=0&drawn={"masks":[],"zones":[]}"#;
const ALL_MASKED: &str = r#"enabled=on&sensitivity=50&least=0&drawn={"masks":[[[0,0],[1,0],[1,1],[0,1]]],"zones":[]}"#;

/// A recorder with two or three events of a camera that is gone by now: nothing more happens.
fn recorded() -> (Daemon, Client, usize) {
    let camera = FakeCamera::start(&["--scene", "walker", "--size", "320x180", "--fps", "10"]);
    let daemon = Daemon::start(&format!("[cameras.porch]\nurl = \"{}\"", camera.url));
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    let events = || client.json("/api/events?camera=porch").as_array().expect("a list").clone();
    let ended = |events: &[Value]| events.iter().filter(|event| !event["end"].is_null()).count();
    within(EVENTS, "two events are over", || (ended(&events()) >= 2).then_some(()));
    drop(camera);
    // One more may have begun just now; it is over once no pictures come. What is just over is not tried yet.
    let all = within(SOON, "all events are over, for a while", || {
        let events = events();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
        let is_over = |event: &Value| event["end"].as_f64().is_some_and(|end| end + 5.0 < now);
        events.iter().all(is_over).then_some(events.len())
    });
    (daemon, client, all)
}

/// The lines of a trial.
fn tried(client: &Client, form: &str) -> Vec<Value> {
    let (status, body) = client.post(PATH, form);
    assert_eq!(status, 200, "{body}");
    body.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn count(lines: &[Value], verdict: &str) -> usize {
    lines.iter().filter(|line| line["verdict"] == verdict).count()
}

/// A trial that somebody has begun and not read: its decoder is held up.
struct Held {
    stream: TcpStream,
    decoder: Pid,
}

impl Held {
    fn begin(daemon: &Daemon, client: &Client) -> Self {
        let address = daemon.origin.trim_start_matches("http://").to_owned();
        loop {
            let mut stream = TcpStream::connect(&address).expect("it listens");
            let head = format!(
                "POST {PATH} HTTP/1.1\r\nHost: {address}\r\nOrigin: {}\r\nCookie: {}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{AS_IT_IS}",
                daemon.origin,
                client.cookie(),
                AS_IT_IS.len()
            );
            stream.write_all(head.as_bytes()).expect("sent");
            if let Some(decoder) = Self::hold(daemon, &stream) {
                return Self { stream, decoder };
            }
        }
    }

    /// `None` if the trial was over before it could be held up.
    fn hold(daemon: &Daemon, stream: &TcpStream) -> Option<Pid> {
        let mut lines = BufReader::new(stream.try_clone().expect("a socket"));
        let mut status = String::new();
        lines.read_line(&mut status).expect("an answer");
        assert!(status.starts_with("HTTP/1.1 200"), "{status}");
        // The answer has begun, so the decoder is there unless it is gone again.
        let decoder = decoders(daemon).into_iter().find(|(_, nice)| *nice == 19)?.0;
        kill_process(decoder, Signal::STOP).ok()?;
        Some(decoder)
    }

    fn is_gone(decoder: Pid) -> bool {
        within(SOON, "its decoder is gone", || kill_process(decoder, Signal::CONT).is_err().then_some(true))
    }

    /// Waits until the recorder ends the answer.
    fn wait(mut self) -> (String, Pid) {
        let mut text = String::new();
        self.stream.set_read_timeout(Some(SOON)).expect("a socket");
        let mut bytes = [0; 4096];
        while !text.ends_with("0\r\n\r\n") {
            let read = self.stream.read(&mut bytes).expect("it ends by itself");
            assert!(read > 0, "it ends in good order: {text}");
            text.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        (text, self.decoder)
    }
}

/// The recorder's own children, each with how much it lets others go first.
fn decoders(daemon: &Daemon) -> Vec<(Pid, i32)> {
    let parent = daemon.pid().as_raw_nonzero().get().to_string();
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let stat = processes.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())));
    let children = stat.filter_map(|(pid, path): (i32, PathBuf)| {
        let text = std::fs::read_to_string(path.join("stat")).ok()?;
        // What follows the name in brackets: state, parent, …; the 17th is the niceness.
        let fields: Vec<_> = text.rsplit_once(") ")?.1.split(' ').collect();
        let nice = fields.get(16)?.parse().ok()?;
        (*fields.get(1)? == parent).then_some((Pid::from_raw(pid)?, nice))
    });
    children.collect()
}

#[test]
fn what_would_be_lost_is_said_before_anything_is_saved() {
    let (daemon, client, all) = recorded();
    assert_eq!(client.json("/api/events?camera=porch").as_array().map(Vec::len), Some(all));
    let lines = tried(&client, AS_IT_IS);
    let last = lines.last().expect("some lines");
    assert_eq!(*last, json!({"kind": "done", "say": format!("Keeps all {all} events."), "besides": []}), "{lines:?}");
    assert_eq!(count(&lines, "stays"), all);
    assert!(lines.iter().all(|line| line["kind"] != "new"), "{lines:?}");
    let parts: Vec<_> = lines.iter().filter_map(|line| line["part"].as_f64()).collect();
    assert!(parts.is_sorted() && parts.first() == Some(&0.0) && parts.last() == Some(&1.0), "{parts:?}");
    // Newest first, each with what its card needs.
    let tried_events: Vec<_> = lines.iter().filter(|line| line["kind"] == "event").collect();
    let listed = client.json("/api/events?camera=porch");
    let ids = |events: &[&Value]| events.iter().map(|event| event["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&tried_events), ids(&listed.as_array().expect("a list").iter().collect::<Vec<_>>()));
    assert_eq!(tried_events[0]["has_picture"], true);

    for nothing in [ALL_MASKED, &AS_IT_IS.replace("least=0", "least=60")] {
        let lines = tried(&client, nothing);
        assert_eq!(lines.last().expect("some lines")["say"], format!("Keeps 0 of {all} events."), "{nothing}");
        assert_eq!(count(&lines, "goes"), all, "{lines:?}");
    }
    for (form, why) in [
        (AS_IT_IS.replace("enabled=on&", ""), "Look for motion"),
        (AS_IT_IS.replace("least=0", "least=61"), "0 to 60 seconds"),
        (AS_IT_IS.replace(r#""masks":[]"#, r#""masks":[[[0,0],[1,1]]]"#), "three corners"),
        (AS_IT_IS.replace("drawn={", "drawn="), "cannot be read"),
    ] {
        let (status, body) = client.post(PATH, &form);
        assert!(status == 400 && body.contains(why), "{form}: {status} {body}");
    }
    // Nothing was saved, and it is known who looked.
    let text = std::fs::read_to_string(daemon.config()).expect("the configuration");
    assert!(!text.contains("masks") && !text.contains("min_seconds"), "{text}");
    let log = client.json("/api/audit?limit=100");
    let looked = log.as_array().expect("rows").iter().filter(|row| row["action"] == "motion-tried");
    assert_eq!(looked.filter(|row| row["camera"] == "porch" && row["user"] == "anna").count(), 3);

    // One at a time, with a process that lets others go first; it ends with the session,
    let held = Held::begin(&daemon, &client);
    let other = Client::by_password(&daemon.origin, &("anna".to_owned(), "correct horse battery".to_owned()));
    let (status, body) = other.post(PATH, AS_IT_IS);
    assert!(status == 503 && body.contains("somebody is trying settings already"), "{status} {body}");
    assert_eq!(client.post("/api/logout", "").0, 204);
    let (text, decoder) = held.wait();
    assert!(!text.contains("done") && Held::is_gone(decoder), "{text}");
    // and when whoever asked goes away.
    let Held { stream, decoder } = Held::begin(&daemon, &other);
    drop(stream);
    assert!(Held::is_gone(decoder));
    let again =
        within(SOON, "the next one's turn", || Some(other.post(PATH, AS_IT_IS)).filter(|(status, _)| *status == 200));
    assert!(again.1.contains(&format!("Keeps all {all} events.")), "{}", again.1);
    // Nothing is left of them all.
    within(SOON, "no decoder of a trial", || decoders(&daemon).iter().all(|(_, nice)| *nice == 0).then_some(()));
}

/// Pictures of the page on a phone and on a desk, by day and by night, for people to look at.
async fn screenshots(browser: &Browser, name: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (device, size) in [("phone", (390, 844)), ("desktop", (1440, 900))] {
        for scheme in ["light", "dark"] {
            browser.be(size, scheme).await;
            browser.run("document.getElementById('trial').scrollIntoView({ behavior: 'instant' })").await;
            let png = browser.client.screenshot().await.expect("a screenshot");
            std::fs::write(folder.join(format!("{name}-{device}-{scheme}.png")), png).expect("a written file");
        }
    }
    browser.be((1440, 900), "light").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_would_go_and_what_would_stay() {
    let Some(browser) = Browser::start().await else { return };
    let (daemon, _client, all) = block_in_place(recorded);
    browser.sign_in(&daemon.origin, ("anna", "correct horse battery")).await;
    browser.client.goto(&format!("{}/cameras/porch/motion", daemon.origin)).await.expect("opened");
    let is_there =
        "return document.getElementById('try-tools')?.hidden === false && document.getElementById('trial').hidden";
    browser.until(SOON, "the button is there", is_there).await;
    let is_said = |words: &str| {
        format!(
            "return document.getElementById('trial-say').textContent === '{words}'
                && document.getElementById('trial-heard').textContent === '{words}'
                && document.getElementById('trial-going').hidden && !document.getElementById('try').disabled"
        )
    };
    // By keyboard alone.
    browser.run("document.getElementById('least').value = '60'; document.getElementById('try').focus()").await;
    let enter = json!({"type": "keyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"});
    browser.devtools("Input.dispatchKeyEvent", enter).await;
    browser.until(SOON, "nothing stays", &is_said(&format!("Keeps 0 of {all} events."))).await;
    let shown = |verdict: &str| {
        format!(
            "const group = document.querySelector('[data-verdict={verdict}]');
             return [group.hidden, group.querySelector('.count').textContent,
                 [...group.querySelectorAll('img')].every((image) => image.naturalWidth > 0)]"
        )
    };
    let pictures = "return [...document.querySelectorAll('.shots img')].every((image) => image.complete && image.naturalWidth > 0)";
    browser.until(SOON, "what would be gone is shown", pictures).await;
    assert_eq!(browser.run(&shown("goes")).await, json!([false, all.to_string(), true]));
    assert_eq!(browser.run(&shown("stays")).await[0], true);
    screenshots(&browser, "tuner-gone").await;

    // Whatever is changed since, it says so.
    let stale = "return !document.getElementById('trial-stale').hidden";
    assert_eq!(browser.run(stale).await, false);
    browser
        .run("const least = document.getElementById('least'); least.value = '0'; least.dispatchEvent(new Event('input', { bubbles: true }));")
        .await;
    assert_eq!(browser.run(stale).await, true);
    browser.run("document.getElementById('try').click()").await;
    browser.until(SOON, "all stay", &is_said(&format!("Keeps all {all} events."))).await;
    let stays = browser.run(&shown("stays")).await;
    assert_eq!((stays[0].clone(), stays[1].clone()), (json!(false), json!(all.to_string())));
    assert_eq!((browser.run(&shown("goes")).await[0].clone(), browser.run(stale).await), (json!(true), json!(false)));
    screenshots(&browser, "tuner-stays").await;

    // Stopped, it leaves nothing behind: what was held up is gone.
    let held = |daemon: &Daemon| decoders(daemon).into_iter().find(|(_, nice)| *nice == 19).map(|(decoder, _)| decoder);
    let decoder = loop {
        browser.run("document.getElementById('try').click()").await;
        if let Some(decoder) = held(&daemon).filter(|decoder| kill_process(*decoder, Signal::STOP).is_ok()) {
            // It may have given its last answer just before: then the trial ends all the same, within less than this.
            tokio::time::sleep(Duration::from_secs(2)).await;
            if browser.run("return document.getElementById('try').disabled").await == true {
                break decoder;
            }
        }
        browser.until(SOON, "it is over", "return !document.getElementById('try').disabled").await;
    };
    let goes_on = "return !document.getElementById('trial-going').hidden && document.getElementById('try').disabled";
    browser.until(SOON, "it goes on", goes_on).await;
    screenshots(&browser, "tuner-going").await;
    browser.run("document.getElementById('trial-stop').click()").await;
    let is_stopped = "return document.getElementById('trial-going').hidden && document.activeElement.id === 'try'
        && document.getElementById('trial-trouble').hidden
        && document.getElementById('trial-besides').textContent === 'You stopped it before its end.'";
    browser.until(SOON, "it is stopped", is_stopped).await;
    assert!(block_in_place(|| Held::is_gone(decoder)));
}
