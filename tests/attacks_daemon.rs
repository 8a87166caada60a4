//! Attacks on the running daemon, with a camera that is being recorded: a new recorder, crowds, secrets, and the privacy switch.

#![expect(clippy::disallowed_methods, reason = "tests of a real process wait in real time, and read what it wrote")]

mod support;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hearthwatch::web::routes::table;
use serde_json::Value;
use support::{Client, FakeCamera, HEARTHWATCH, within};

const LIMIT: Duration = Duration::from_secs(60);
const PASSWORD: &str = "canary-of-a-person-2b7d";

/// A daemon whose log is kept; killed when dropped.
struct House {
    child: Child,
    dir: tempfile::TempDir,
    address: SocketAddr,
}

impl House {
    fn start(cameras: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port");
        let config = format!(
            "[storage]\npath = \"{}\"\nkeep_free = \"1%\"\nsegment_seconds = 5\n[web]\nlisten = \"{address}\"\ntls = \"off\"\n\
             [discovery]\nmdns = false\nonvif = false\n{cameras}",
            dir.path().join("storage").display()
        );
        std::fs::write(dir.path().join("config.toml"), config).expect("written");
        let child = run(dir.path());
        let house = Self { child, dir, address };
        house.serves();
        house
    }

    fn serves(&self) {
        within(LIMIT, "it serves", || TcpStream::connect(self.address).ok());
    }

    fn again(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        self.child = run(self.dir.path());
        self.serves();
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.dir.path().join("log")).expect("a log")).into_owned()
    }

    fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    fn command(&self, arguments: &[&str], input: &str) -> String {
        let config = self.dir.path().join("config.toml");
        let mut child = Command::new(HEARTHWATCH)
            .args(arguments)
            .arg("--config")
            .arg(config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Adds an owner and signs in.
    fn owner(&self) -> Client {
        self.command(&["user", "add", "anna", "--role", "owner"], PASSWORD);
        Client::by_password(&self.origin(), &("anna".to_owned(), PASSWORD.to_owned()))
    }

    /// Status and body of a form, from that address of this machine.
    fn post(&self, from: Ipv4Addr, path: &str, headers: &str, body: &str) -> (u16, String) {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\nConnection: close\r\n{headers}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {1}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        talk(connect(from, self.address).expect("connected"), &request)
    }
}

fn streams(client: &Client) {
    within(LIMIT, "the camera streams", || (client.json("/api/cameras")[0]["state"] == "streaming").then_some(()));
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(dir: &Path) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log")).expect("a log");
    let mut command = Command::new(HEARTHWATCH);
    command
        .args(["run", "--config"])
        .arg(dir.join("config.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    // Everything that could be said is said.
    command.env("RUST_LOG", "debug,hearthwatch=trace").spawn().expect("it starts")
}

fn connect(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None)?;
    rustix::net::bind(&socket, &SocketAddr::from((from, 0)))?;
    rustix::net::connect(&socket, &to)?;
    Ok(socket.into())
}

fn talk(mut stream: TcpStream, request: &str) -> (u16, String) {
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    let _ = stream.write_all(request.as_bytes());
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), text)
}

#[test]
fn of_a_hundred_who_claim_a_new_recorder_with_the_code_one_owns_it() {
    let house = House::start("");
    let log = within(LIMIT, "the code is printed", || Some(house.log()).filter(|log| log.contains("type the code ")));
    let code: String = log.split("type the code ").nth(1).expect("a code").chars().take(14).collect();
    let home = Ipv4Addr::LOCALHOST;
    let get = |path: &str, host: &str| {
        talk(
            connect(home, house.address).expect("connected"),
            &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        )
    };
    let own = house.address.to_string();
    let (status, door) = get("/", &own);
    assert!(status == 303 && door.to_lowercase().contains("location: /claim"), "{door}");
    assert!(get("/claim", &own).1.contains("name=\"code\""));
    assert_eq!(get("/claim", "evil.example").0, 421, "a rebound page");
    let form = |code: &str, name: &str| format!("code={code}&name={name}&password=a+song+of+four+words");
    assert_eq!(house.post(home, "/claim", "", &form("AAAA-AAAA-AAAA", "mallory")).0, 403);
    assert_eq!(house.post(home, "/claim", "", &form("", "mallory")).0, 403);
    assert_eq!(house.post(home, "/claim", "Sec-Fetch-Site: cross-site\r\n", &form(&code, "mallory")).0, 403);
    for (name, password) in
        [("admin", "admin"), ("root", "root"), ("admin", ""), ("hearthwatch", "hearthwatch"), ("demo", "demo")]
    {
        let body = serde_json::json!({"user": name, "password": password}).to_string();
        let request = format!(
            "POST /api/login HTTP/1.1\r\nHost: {own}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let from = Ipv4Addr::new(127, 0, 9, u8::try_from(name.len() + password.len()).expect("short"));
        assert_eq!(
            talk(connect(from, house.address).expect("connected"), &request).0,
            401,
            "{name}: no default password"
        );
    }

    let answers: Vec<(u16, String)> = std::thread::scope(|scope| {
        let claims: Vec<_> = (1..=100_u8)
            .map(|n| {
                let (house, code) = (&house, &code);
                scope.spawn(move || {
                    house.post(Ipv4Addr::new(127, 0, 1, n), "/claim", "", &form(code, &format!("user-{n}")))
                })
            })
            .collect();
        claims.into_iter().map(|claim| claim.join().expect("answered")).collect()
    });
    let mut counts = BTreeMap::new();
    for (status, _) in &answers {
        *counts.entry(*status).or_insert(0) += 1;
    }
    println!("a hundred claims: {counts:?}");
    assert_eq!(counts.get(&303), Some(&1), "{counts:?}");
    assert_eq!(answers.iter().filter(|(_, text)| text.to_lowercase().contains("set-cookie: hearthwatch=")).count(), 1);
    assert_eq!(house.command(&["user", "list"], "").lines().count(), 1);
    assert_eq!(get("/claim", &own).0, 404);
    assert_eq!(house.post(home, "/claim", "", &form(&code, "late")).0, 404);
    assert_eq!(get("/", &own).0, 401, "and the door asks to sign in");
}

/// Bytes of footage on disk, whole or not.
fn footage(folder: &Path) -> u64 {
    let mut folders = vec![folder.join("footage")];
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                folders.push(entry.path());
            } else {
                bytes += meta.len();
            }
        }
    }
    bytes
}

/// The daemon's children, by their command lines.
fn children(of: u32) -> Vec<(u32, String)> {
    let read = |path: PathBuf| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
    let list = read(format!("/proc/{of}/task/{of}/children").into());
    let tasks = std::fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten();
    let all: String = tasks.map(|task| read(task.path().join("children"))).collect::<Vec<_>>().join(" ") + &list;
    let mut pids: Vec<u32> = all.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    pids.sort_unstable();
    pids.dedup();
    pids.into_iter().map(|pid| (pid, read(format!("/proc/{pid}/cmdline").into()))).collect()
}

#[test]
fn a_paused_camera_is_neither_recorded_nor_decoded_over_a_restart() {
    let camera = FakeCamera::start(&["--watermark", "7", "--size", "640x360"]);
    let mut house = House::start(&format!("[cameras.porch]\nurl = \"{}\"\n", camera.url));
    let client = house.owner();
    streams(&client);
    let storage = house.dir.path().join("storage");
    within(LIMIT, "something is recorded", || (footage(&storage) > 100_000).then_some(()));
    assert!(children(house.child.id()).iter().any(|(_, line)| line.contains("decoder")), "it decodes");

    let cookie = format!("Cookie: {}\r\n", client.cookie());
    let home = Ipv4Addr::LOCALHOST;
    assert_eq!(house.post(home, "/cameras/porch/pause", &cookie, "").0, 303);
    let paused = |client: &Client| {
        within(LIMIT, "it is paused", || {
            let camera = client.json("/api/cameras")[0].clone();
            (camera["state"] == "paused").then_some(camera)
        })
    };
    let said = paused(&client);
    assert!(said["error"].as_str().is_some_and(|who| who.contains("anna")) && said["recording"] == false, "{said}");
    within(LIMIT, "nothing decodes", || {
        children(house.child.id()).iter().all(|(_, line)| !line.contains("decoder")).then_some(())
    });
    let size = footage(&storage);
    assert_eq!(client.get("/api/cameras/porch/snapshot.jpg").0, 503);
    house.again();
    paused(&client);
    assert!(children(house.child.id()).is_empty(), "nor after a restart");
    assert_eq!(footage(&storage), size, "nothing was recorded meanwhile");

    assert_eq!(house.post(home, "/cameras/porch/resume", &cookie, "").0, 303);
    streams(&client);
    within(LIMIT, "it is recorded again", || (footage(&storage) > size + 100_000).then_some(()));
    let gaps = within(LIMIT, "the pause is listed", || {
        let all = client.json("/api/cameras/porch/recordings?after=1000&before=5000000");
        assert_eq!(all["gaps"], serde_json::json!([]));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("later").as_secs();
        let known = client.json(&format!("/api/cameras/porch/recordings?after={}&before={}", now - 600, now + 600));
        known["gaps"].as_array().filter(|gaps| !gaps.is_empty()).cloned()
    });
    assert!(gaps.iter().any(|gap| gap["cause"] == "paused"), "{gaps:?}");
    // The time of the pause is missing for that one reason; what follows it is the moment until the first picture.
    let pause = gaps.iter().find(|gap| gap["cause"] == "paused").expect("a pause");
    let seconds = |gap: &Value, key: &str| gap[key].as_f64().expect("a time");
    for gap in gaps.iter().filter(|gap| gap["cause"] != "paused") {
        assert!(seconds(gap, "start") >= seconds(pause, "end"), "{gaps:?}");
    }
}

fn lost_seconds(client: &Client) -> f64 {
    let metrics = String::from_utf8(client.get("/metrics").1).expect("text");
    let lost = metrics.lines().filter(|line| line.starts_with("hearthwatch_lost_seconds_total"));
    lost.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[test]
fn slow_heads_a_crowd_and_guessing_take_nothing_from_recording() {
    let camera = FakeCamera::start(&["--watermark", "8", "--size", "640x360"]);
    let house = House::start(&format!("[cameras.porch]\nurl = \"{}\"\n", camera.url));
    let client = house.owner();
    streams(&client);
    within(LIMIT, "something is recorded", || (!support::closed_segments(house.dir.path()).is_empty()).then_some(()));
    let crowd = if std::env::var_os("HEARTHWATCH_SLOW").is_some() { 10_000 } else { 2_000 };
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).expect("this test's own limit");
    let crowd =
        limit.maximum.map_or(crowd, |most| crowd.min(usize::try_from(most).unwrap_or(crowd).saturating_sub(500)));

    let attacker = Ipv4Addr::new(127, 0, 0, 66);
    // Heads that never end, from one machine …
    let mut slow: Vec<TcpStream> =
        (0..90).filter_map(|_| connect(Ipv4Addr::new(127, 0, 0, 67), house.address).ok()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: ").expect("sent");
    }
    let begun = Instant::now();
    // … a crowd from another, which keeps all it gets …
    let held: Vec<TcpStream> = (0..crowd).filter_map(|_| connect(attacker, house.address).ok()).collect();
    // … and guesses.
    let mut waits = 0;
    for n in 0..if crowd > 5_000 { 10_000 } else { 300 } {
        let body = format!("user=anna&password=guess-{n}&next=/");
        if house.post(Ipv4Addr::new(127, 0, 0, 68), "/sign-in", "", &body).0 == 429 {
            waits += 1;
        }
        if n % 50 == 0 {
            for stream in &mut slow {
                let _ = stream.write_all(b"a");
            }
            let asked = Instant::now();
            assert_eq!(client.get("/api/me").0, 200, "the household is answered meanwhile");
            assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        }
    }
    let kept = held
        .iter()
        .filter(|stream| {
            stream.set_nonblocking(true).expect("non-blocking");
            matches!(stream.peek(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
        })
        .count();
    println!("{} connections made, {kept} kept open; {waits} guesses told to wait", held.len());
    assert!(held.len() >= crowd / 2, "the crowd came: {}", held.len());
    assert!(kept <= 100, "{kept} connections of one machine are kept");
    assert!(waits >= 280, "{waits}");
    // A head that does not end is ended, however it is fed.
    for stream in &mut slow {
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
    }
    println!("slow heads were closed after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(90), "{:?}", begun.elapsed());

    let before = support::closed_segments(house.dir.path()).len();
    within(LIMIT, "it goes on recording", || (support::closed_segments(house.dir.path()).len() > before).then_some(()));
    assert!(lost_seconds(&client) < 0.001, "{} s were lost", lost_seconds(&client));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("later").as_secs();
    let known = client.json(&format!("/api/cameras/porch/recordings?after={}&before={}", now - 600, now + 600));
    assert_eq!(known["gaps"], serde_json::json!([]), "nothing is missing");
}

#[test]
fn no_secret_is_in_a_page_the_log_a_command_line_or_the_database() {
    let camera_password = "canary-of-a-camera-91fe";
    let camera = FakeCamera::start(&[
        "--watermark",
        "9",
        "--size",
        "640x360",
        "--user",
        "viewer",
        "--password",
        camera_password,
    ]);
    let secrets = tempfile::tempdir().expect("a folder");
    let file = secrets.path().join("porch");
    std::fs::write(&file, camera_password).expect("written");
    let house = House::start(&format!(
        "[cameras.porch]\nurl = \"{}\"\nusername = \"viewer\"\npassword_file = \"{}\"\n",
        camera.url,
        file.display()
    ));
    let client = house.owner();
    streams(&client);
    let api = house.command(&["user", "token", "anna", "--label", "Home Assistant"], "").trim().to_owned();
    assert_eq!(api.len(), 43, "a token");
    let bearer = format!("Authorization: Bearer {api}\r\n");
    let (status, _) = talk(
        connect(Ipv4Addr::LOCALHOST, house.address).expect("connected"),
        &format!("GET /api/me HTTP/1.1\r\nHost: {}\r\n{bearer}Connection: close\r\n\r\n", house.address),
    );
    assert_eq!(status, 200);
    let cookie = client.cookie().to_owned();
    let session = cookie.split('=').nth(1).expect("a value").to_owned();
    let wrong = "canary-typed-in-the-wrong-field";
    house.post(Ipv4Addr::new(127, 0, 0, 9), "/sign-in", "", &format!("user={wrong}&password=x"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("later").as_secs();
    let share = house.post(
        Ipv4Addr::LOCALHOST,
        "/cameras/porch/share",
        &format!("Cookie: {cookie}\r\n"),
        &format!("start={}&end={}&hours=24", now - 5, now),
    );
    let at = share.1.find("/shared/").expect("a link");
    let link = share.1[at + 8..at + 8 + 43].to_owned();
    talk(
        connect(Ipv4Addr::LOCALHOST, house.address).expect("connected"),
        &format!("GET /shared/{link} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", house.address),
    );

    let mut places: Vec<(String, String)> = Vec::new();
    for route in table().iter().filter(|route| route.method == "GET" && !route.path.contains("{link}")) {
        let path = route.path.replace("{id}", "porch").replace("{event}", "00000000000000aa").replace("{user}", "1");
        let path = path
            .replace("{a}", &(now - 60).to_string())
            .replace("{b}", &now.to_string())
            .replace("{file}", "index.m3u8");
        let path = path.replace("{token}", "x").replace("{hash}", "0").replace("{name}", "site.css");
        if !path.ends_with("/live") {
            places.push((path.clone(), String::from_utf8_lossy(&client.get(&path).1).into_owned()));
        }
    }
    let pid = house.child.id();
    for (pid, line) in children(pid).into_iter().chain([(pid, String::new())]) {
        let read = |name: &str| {
            String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default()).into_owned()
        };
        places.push((format!("the command line of {pid}"), line + &read("cmdline")));
        places.push((format!("the environment of {pid}"), read("environ")));
        assert!(
            read("limits").lines().any(|line| line.starts_with("Max core file size") && line.contains(" 0 ")),
            "no core dumps"
        );
    }
    places.push(("check".into(), house.command(&["check", "--json"], "")));
    places.push(("user list".into(), house.command(&["user", "list"], "")));
    for file in ["hearthwatch.db", "hearthwatch.db-wal"] {
        let bytes = std::fs::read(house.dir.path().join("storage").join(file)).unwrap_or_default();
        places.push((file.into(), String::from_utf8_lossy(&bytes).into_owned()));
    }
    let log = house.log();
    assert!(log.len() > 1_000 && log.contains("signed in"), "the log says something");
    places.push(("the log".into(), log));
    for (name, secret) in [
        ("the camera's password", camera_password),
        ("a person's password", PASSWORD),
        ("a session's token", &session),
        ("an access token", &api),
        ("a link's token", &link),
        ("what was typed as a name", wrong),
    ] {
        for (place, text) in &places {
            assert!(!text.contains(secret), "{name} is in {place}");
        }
    }
    println!("{} places were searched", places.len());
    let sane: Value = client.json("/api/me");
    assert_eq!(sane["user"], "anna");
}
