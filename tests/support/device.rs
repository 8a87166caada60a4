//! Fake cameras at addresses of their own, whose logs tell what they were sent.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::HEARTHWATCH;

/// An ONVIF device with a password; killed when dropped.
pub(crate) struct Device {
    child: Child,
    log: PathBuf,
}

impl Device {
    /// Starts it and waits until it listens. Its user is called as it is, and its password is the "secret of" that name.
    pub(crate) fn start(address: SocketAddr, folder: &Path, name: &str, arguments: &[&str]) -> Self {
        let log = folder.join(format!("{name}.log"));
        let mut child = Command::new(HEARTHWATCH)
            .args(["fake-camera", "--onvif", "--listen", &address.to_string(), "--name", name])
            .args(["--user", name, "--password", &format!("secret of {name}")])
            .args(arguments)
            .env("RUST_LOG", "warn,hearthwatch::fake_camera=info")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).expect("a log"))
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("UTF-8");
        assert!(line.starts_with("ready:"), "{line}");
        Self { child, log }
    }

    /// Its log.
    pub(crate) fn log(&self) -> String {
        let mut text = String::new();
        std::fs::File::open(&self.log).expect("a log").read_to_string(&mut text).expect("UTF-8");
        text
    }

    /// The passwords that it was sent.
    pub(crate) fn was_sent(&self) -> String {
        self.log().lines().filter(|line| line.contains("somebody sent a password")).collect()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A free port at that address.
pub(crate) fn free_port(ip: [u8; 4]) -> SocketAddr {
    TcpListener::bind(SocketAddr::from((ip, 0))).and_then(|it| it.local_addr()).expect("a free port")
}

/// A free port at a loopback address that no other process uses; another one for each number up to 40.
pub(crate) fn own_address(number: u8) -> SocketAddr {
    let [.., high, low] = std::process::id().to_be_bytes();
    free_port([127, 210 + number, high, low])
}
