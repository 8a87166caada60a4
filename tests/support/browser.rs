//! A headless Chromium, driven through chromedriver.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::support::have;

/// chromedriver and the Chromium that it started; killed when dropped.
pub(crate) struct Browser {
    driver: Child,
    _profile: tempfile::TempDir,
    /// What drives it.
    pub(crate) client: Client,
}

impl Browser {
    /// Signs somebody in at that recorder, as the page's own form would.
    pub(crate) async fn sign_in(&self, origin: &str, (name, password): (&str, &str)) {
        self.client.goto(&format!("{origin}/sign-in")).await.expect("the sign-in page opens");
        let status = self
            .run(&format!(
                "const request = new XMLHttpRequest();
                 request.open('POST', '/api/login', false);
                 request.setRequestHeader('content-type', 'application/json');
                 request.send(JSON.stringify({{ user: '{name}', password: '{password}' }}));
                 return request.status;"
            ))
            .await;
        assert_eq!(status, 204);
    }

    /// `None`, with a printed sentence, where chromium or chromedriver is not installed.
    pub(crate) async fn start() -> Option<Self> {
        if !have("chromium") || !have("chromedriver") {
            println!("skipped: chromium and chromedriver are not both installed");
            return None;
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a free port")
            .port();
        let driver = Command::new("chromedriver")
            .args([&format!("--port={port}"), "--log-level=SEVERE"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0) // Chromium and its many processes are ended with it
            .spawn()
            .expect("chromedriver starts");
        let profile = tempfile::tempdir().expect("a temporary folder");
        let arguments = json!([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--autoplay-policy=no-user-gesture-required",
            "--window-size=1440,900",
            format!("--user-data-dir={}", profile.path().display()),
        ]);
        let Value::Object(capabilities) = json!({"goog:chromeOptions": {"args": arguments, "binary": "/usr/bin/chromium"}, "goog:loggingPrefs": {"browser": "ALL"}})
        else {
            unreachable!("it is an object")
        };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let url = format!("http://127.0.0.1:{port}");
        let mut tries = 0;
        let client = loop {
            match builder.connect(&url).await {
                Ok(client) => break client,
                Err(error) if tries == 100 => panic!("chromedriver: {error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await, // it is still starting
            }
            tries += 1;
        };
        Some(Self { driver, _profile: profile, client })
    }

    /// The value of a script's `return`.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// What a script hands to the function that it gets as its last argument.
    pub(crate) async fn run_async(&self, script: &str) -> Value {
        self.client.execute_async(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Makes the page as large as a device's, by day or by night.
    pub(crate) async fn be(&self, (width, height): (u32, u32), scheme: &str) {
        let is_phone = width < 600;
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// A command of Chromium's own protocol.
    pub(crate) async fn devtools(&self, command: &'static str, parameters: Value) -> Value {
        let command = Devtools { command, parameters };
        self.client.issue_cmd(command).await.unwrap_or_else(|error| panic!("devtools: {error}"))
    }

    /// Asks a script again until it returns `true`; fails with what the page then says.
    pub(crate) async fn until(&self, limit: Duration, what: &str, script: &str) {
        let asked = async {
            while self.run(script).await != json!(true) {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        if tokio::time::timeout(limit, asked).await.is_err() {
            let page = self.run("return location.href + '\\n' + document.body.innerText").await;
            panic!("not within {limit:?}: {what}; the page is {page}");
        }
    }

    /// The first event, as `/api/events` tells it, once it is over and its film is made.
    pub(crate) async fn ended_event(&self, limit: Duration) -> Value {
        self.until(
            limit,
            "an event that is over, with its film",
            "const request = new XMLHttpRequest();
             request.open('GET', '/api/events', false); request.send();
             if (request.status !== 200) return false;
             const done = JSON.parse(request.responseText).find(event => event.end !== null);
             if (done === undefined) return false;
             window.done = done;
             request.open('GET', `/api/events/${done.id}/preview.jpg`, false); request.send();
             return request.status === 200;",
        )
        .await;
        self.run("return window.done").await
    }
}

/// One command of Chromium's own protocol, which chromedriver passes on.
#[derive(Debug)]
struct Devtools {
    command: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(&self, base_url: &url::Url, session_id: Option<&str>) -> Result<url::Url, url::ParseError> {
        base_url.join(&format!("session/{}/goog/cdp/execute", session_id.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({"cmd": self.command, "params": self.parameters}).to_string()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.driver);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.driver.wait();
    }
}
