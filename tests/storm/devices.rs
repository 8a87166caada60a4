//! The cameras of the storm: each with a number in its picture, a name and a password of its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::network::Network;

/// One camera, on or off.
pub(crate) struct Device {
    pub(crate) index: usize,
    clip: PathBuf,
    log: PathBuf,
    running: Option<Child>,
}

impl Device {
    pub(crate) fn new(index: usize, folder: &Path) -> Self {
        let clip = folder.join(format!("{index}.mp4"));
        crate::pictures::make_clip(&clip, number(index));
        Self { index, clip, log: folder.join(format!("{index}.log")), running: None }
    }

    /// The power goes.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().expect("it runs");
            child.wait().expect("it ends");
        }
    }

    /// Starts it where its network card is now; the moment when it takes connections comes out of `ready`.
    pub(crate) fn start(&mut self, network: &Network, address: SocketAddr, ready: mpsc::Sender<(usize, Instant)>) {
        let log = File::options().append(true).create(true).open(&self.log).expect("a log");
        let mut child = network
            .device(self.index)
            .args(["fake-camera", "--mdns", "--onvif", "--with-parent", "--listen", &address.to_string(), "--file"])
            .arg(&self.clip)
            .args(["--name", &name(self.index), "--watermark", &number(self.index).to_string()])
            .args(["--user", &name(self.index), "--password", &password(self.index)])
            .env("RUST_LOG", "warn,hearthwatch::fake_camera=info")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the camera starts");
        let said = child.stdout.take().expect("a pipe");
        let index = self.index;
        std::thread::spawn(move || {
            let mut line = String::new();
            if BufReader::new(said).read_line(&mut line).is_ok() && line.starts_with("ready:") {
                let _ = ready.send((index, Instant::now()));
            }
        });
        self.running = Some(child);
    }

    /// Whose passwords it was sent.
    pub(crate) fn sent(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines = text.lines().filter(|line| line.contains("somebody sent a password"));
        lines.map(|line| line.split("user=").nth(1).unwrap_or(line).replace('"', "")).collect()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The number in a device's pictures.
pub(crate) fn number(index: usize) -> u16 {
    4000 + 37 * u16::try_from(index).expect("few")
}

/// A device's name: its id in the configuration, and its user's.
pub(crate) fn name(index: usize) -> String {
    format!("cam-{index:02}")
}

/// Its password.
pub(crate) fn password(index: usize) -> String {
    format!("secret of {index:02}")
}

/// Waits for all that were started.
pub(crate) fn all_ready(ready: &mpsc::Receiver<(usize, Instant)>, count: usize) -> Vec<(usize, Instant)> {
    (0..count).map(|_| ready.recv_timeout(Duration::from_secs(60)).expect("every camera listens")).collect()
}
