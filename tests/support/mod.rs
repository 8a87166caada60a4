//! What the tests that drive the real binary share: a running demo, a signed-in client, and patience with a limit.

#![expect(dead_code, reason = "each test program uses its own part of this")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests of a real process wait in real time, and read its output on a thread"
)]

pub(crate) mod browser;
pub(crate) mod device;
pub(crate) mod listed;
pub(crate) mod volume;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The binary under test.
pub(crate) const HEARTHWATCH: &str = env!("CARGO_BIN_EXE_hearthwatch");

/// Whether a program of that name can be started here.
pub(crate) fn have(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        || Command::new(program).arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Asks again until the answer is there; fails with `what` after `limit`.
pub(crate) fn within<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// `hearthwatch demo`, running; killed when dropped.
pub(crate) struct Demo {
    child: Child,
    /// Its `--dir`.
    pub(crate) dir: tempfile::TempDir,
    /// `http://127.0.0.1:PORT`
    pub(crate) origin: String,
    /// The one-time link, whole.
    pub(crate) link: String,
}

impl Demo {
    /// Starts it on a free port and waits for its `ready:` line.
    pub(crate) fn start(cameras: u8) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut child = Command::new(HEARTHWATCH)
            .args(["demo", "--listen", "127.0.0.1:0", "--cameras", &cameras.to_string(), "--dir"])
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the demo starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (found, ready) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some(link) = line.strip_prefix("ready: ") {
                    let _ = found.send(link.to_owned());
                }
            }
        });
        let link = ready.recv_timeout(Duration::from_secs(30)).expect("a ready: line within 30 s");
        let origin = link.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        Self { child, dir, origin, link }
    }

    /// Ctrl-C; returns the exit code, which must come within 20 s.
    pub(crate) fn stop(mut self) -> (Option<i32>, tempfile::TempDir) {
        let code = end(&mut self.child, rustix::process::Signal::INT);
        (code, std::mem::replace(&mut self.dir, tempfile::tempdir().expect("a temporary folder")))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `hearthwatch run` on a storage folder of its own; killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    dir: tempfile::TempDir,
    storage: PathBuf,
    /// Variables of its environment.
    environment: Vec<(String, String)>,
    /// What stands behind `run`.
    arguments: &'static [&'static str],
    /// `http://127.0.0.1:PORT`
    pub(crate) origin: String,
}

impl Daemon {
    /// Starts it with these cameras on a free port and waits until it serves.
    pub(crate) fn start(cameras: &str) -> Self {
        Self::start_with("", cameras)
    }

    /// The same with more lines in `[storage]`.
    pub(crate) fn start_with(storage: &str, cameras: &str) -> Self {
        Self::start_among(Vec::new(), storage, cameras)
    }

    /// The same with variables in its environment.
    pub(crate) fn start_among(environment: Vec<(String, String)>, storage: &str, cameras: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let folder = dir.path().join("storage");
        let daemon = Self::begin(dir, &folder, environment, &[], storage, cameras);
        daemon.serves();
        daemon
    }

    /// The same, but what it may discover is what this machine itself announces; as yet it looks for nobody.
    pub(crate) fn start_on_loopback(cameras: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let folder = dir.path().join("storage");
        let daemon = Self::begin(dir, &folder, Vec::new(), &["--loopback"], "", cameras);
        daemon.serves();
        daemon
    }

    /// The same with its storage folder there; it may not serve yet.
    pub(crate) fn start_in(dir: tempfile::TempDir, folder: &Path, storage: &str, cameras: &str) -> Self {
        Self::begin(dir, folder, Vec::new(), &[], storage, cameras)
    }

    fn begin(
        dir: tempfile::TempDir,
        folder: &Path,
        environment: Vec<(String, String)>,
        arguments: &'static [&'static str],
        storage: &str,
        cameras: &str,
    ) -> Self {
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
        let config = format!(
            "[storage]\npath = \"{}\"\nkeep_free = \"1%\"\n{storage}\n[web]\nlisten = \"127.0.0.1:{port}\"\ntls = \"off\"\n[discovery]\nmdns = false\nonvif = false\n{cameras}",
            folder.display()
        );
        std::fs::write(dir.path().join("config.toml"), config).expect("a written file");
        let child = run(dir.path(), &environment, arguments);
        let origin = format!("http://127.0.0.1:{port}");
        Self { child, dir, storage: folder.to_owned(), environment, arguments, origin }
    }

    /// Waits until it serves: it takes connections before that, while its storage folder is not open yet.
    pub(crate) fn serves(&self) {
        let limit = Some(Duration::from_secs(2));
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(limit);
        let agent: ureq::Agent = config.build().into();
        let health = format!("{}/api/health", self.origin);
        within(Duration::from_secs(60), "the daemon serves", || agent.get(&health).call().ok());
    }

    /// As if the plug were pulled, but for what the kernel still holds: SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is running");
        self.child.wait().expect("it ends");
    }

    /// SIGTERM, as systemd would stop it; it must end within 20 s. [`Self::start_again`] starts it once more.
    pub(crate) fn end(&mut self) {
        assert_eq!(end(&mut self.child, rustix::process::Signal::TERM), Some(0), "it ends in order");
    }

    /// Starts it once more, on the same folder and port; it may not serve yet.
    pub(crate) fn start_again(&mut self) {
        self.child = run(self.dir.path(), &self.environment, self.arguments);
    }

    /// The storage folder.
    pub(crate) fn storage(&self) -> PathBuf {
        self.storage.clone()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("config.toml")
    }

    /// Changes the configuration file while it runs: this, which stands there once, to that.
    pub(crate) fn change(&self, this: &str, that: &str) {
        let text = std::fs::read_to_string(self.config()).expect("a file");
        assert_eq!(text.matches(this).count(), 1, "{this} in {text}");
        std::fs::write(self.config(), text.replace(this, that)).expect("a written file");
    }

    /// Adds an owner by the command line; returns name and password.
    pub(crate) fn owner(&self) -> (String, String) {
        let (name, password) = ("anna", "correct horse battery");
        self.user(name, password, &["--role", "owner"]);
        (name.to_owned(), password.to_owned())
    }

    /// Adds somebody by the command line.
    pub(crate) fn user(&self, name: &str, password: &str, arguments: &[&str]) {
        let mut child = Command::new(HEARTHWATCH)
            .args(["user", "add", name])
            .args(arguments)
            .arg("--config")
            .arg(self.config())
            .stdin(Stdio::piped())
            .spawn()
            .expect("it starts");
        std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), password.as_bytes()).expect("it reads");
        assert!(child.wait().expect("it ends").success(), "user add {name}");
    }

    /// SIGTERM; returns the exit code, which must come within 20 s.
    pub(crate) fn stop(mut self) -> (Option<i32>, tempfile::TempDir) {
        let code = end(&mut self.child, rustix::process::Signal::TERM);
        (code, std::mem::replace(&mut self.dir, tempfile::tempdir().expect("a temporary folder")))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(dir: &Path, environment: &[(String, String)], arguments: &[&str]) -> Child {
    let mut command = Command::new(HEARTHWATCH);
    command.args(["run", "--config"]).arg(dir.join("config.toml")).args(arguments).stdin(Stdio::null());
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.spawn().expect("the daemon starts")
}

/// `hearthwatch fake-camera` on a free port; killed when dropped.
pub(crate) struct FakeCamera {
    child: Child,
    /// Its main stream.
    pub(crate) url: String,
}

impl FakeCamera {
    /// Starts it and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(HEARTHWATCH)
            .args(["fake-camera", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the camera starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("UTF-8");
        let url = line
            .split_whitespace()
            .find(|word| word.starts_with("rtsp://"))
            .unwrap_or_else(|| panic!("a URL, not {line:?}"));
        Self { child, url: url.to_owned() }
    }
}

impl Drop for FakeCamera {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn end(child: &mut Child, signal: rustix::process::Signal) -> Option<i32> {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).expect("it is running");
    within(Duration::from_secs(20), "it ends when asked", || child.try_wait().ok().flatten()).code()
}

/// A signed-in person's HTTP client.
pub(crate) struct Client {
    agent: ureq::Agent,
    origin: String,
    cookie: String,
}

impl Client {
    /// Signs in by a one-time link, as the page behind it does.
    pub(crate) fn by_link(origin: &str, link: &str) -> Self {
        let agent = agent();
        let answer = agent.post(link).header("Origin", origin).send_empty().expect("an answer");
        Self::with_cookie(agent, origin, &answer)
    }

    /// Signs in by name and password.
    pub(crate) fn by_password(origin: &str, (user, password): &(String, String)) -> Self {
        let agent = agent();
        let answer = agent
            .post(format!("{origin}/api/login"))
            .header("Origin", origin)
            .send_json(serde_json::json!({"user": user, "password": password}))
            .expect("an answer");
        Self::with_cookie(agent, origin, &answer)
    }

    fn with_cookie(agent: ureq::Agent, origin: &str, answer: &ureq::http::Response<ureq::Body>) -> Self {
        let cookie = answer.headers().get("set-cookie").unwrap_or_else(|| panic!("a cookie, not {answer:?}"));
        let cookie = cookie.to_str().expect("ASCII").split(';').next().expect("a name and value").to_owned();
        Self { agent, origin: origin.to_owned(), cookie }
    }

    /// Status and body.
    pub(crate) fn get(&self, path: &str) -> (u16, Vec<u8>) {
        let url = format!("{}{path}", self.origin);
        let mut answer = self.agent.get(&url).header("Cookie", &self.cookie).call().expect("an answer");
        let body = answer.body_mut().with_config().limit(1 << 30).read_to_vec().expect("a body");
        (answer.status().as_u16(), body)
    }

    /// A body of JSON, which must come with 200.
    pub(crate) fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Sends a form as the site's own pages do; status and body.
    pub(crate) fn post(&self, path: &str, form: &str) -> (u16, String) {
        let sent = self
            .agent
            .post(format!("{}{path}", self.origin))
            .header("Cookie", &self.cookie)
            .header("Origin", &self.origin)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .send(form);
        let mut answer = sent.expect("an answer");
        let body = answer.body_mut().read_to_string().expect("UTF-8");
        (answer.status().as_u16(), body)
    }

    /// The session's cookie, as `name=value`.
    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into()
}

/// Every closed segment below a storage folder.
pub(crate) fn closed_segments(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "mp4") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// What ffmpeg and ffprobe complain about when they read and decode a whole file; empty if nothing.
pub(crate) fn complaints(file: &Path) -> String {
    let probe =
        Command::new("ffprobe").args(["-v", "error", "-show_streams"]).arg(file).output().expect("ffprobe runs");
    let decode = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-xerror", "-i"])
        .arg(file)
        .args(["-f", "null", "-"])
        .output()
        .expect("ffmpeg runs");
    let mut said = String::from_utf8_lossy(&probe.stderr).into_owned();
    said.push_str(&String::from_utf8_lossy(&decode.stderr));
    if !probe.status.success() || !decode.status.success() {
        said.push_str("exit code not 0");
    }
    said
}
