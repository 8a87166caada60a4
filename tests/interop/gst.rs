//! Starts `gst_camera.py`, a camera made of GStreamer's RTSP server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A GStreamer camera; it ends when this is dropped.
pub(crate) struct Camera {
    child: Child,
    lines: BufReader<ChildStdout>,
    address: String,
}

impl Camera {
    /// Starts it with these arguments; `None`, with a printed word, where GStreamer's RTSP server is not installed.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/gst_camera.py");
        let child = Command::new("/usr/bin/python3")
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = child else {
            println!("skipped: there is no /usr/bin/python3");
            return None;
        };
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut camera = Self { child, lines, address: String::new() };
        let Some(line) = camera.line() else {
            let status = camera.child.wait().expect("a child");
            assert_eq!(status.code(), Some(77), "gst_camera.py {arguments:?} did not start");
            println!("skipped: GStreamer's RTSP server is not installed");
            return None;
        };
        let address = line["ready"].as_str().and_then(|url| url.split('/').nth(2)).expect("ready first");
        address.clone_into(&mut camera.address);
        Some(camera)
    }

    fn line(&mut self) -> Option<serde_json::Value> {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("UTF-8");
        (!line.is_empty()).then(|| serde_json::from_str(&line).expect("JSON"))
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    /// The URL of one of its mounts.
    pub(crate) fn url(&self, mount: &str) -> String {
        format!("rtsp://{}{mount}", self.address)
    }

    /// How many pictures left through a mount so far.
    pub(crate) fn sent(&mut self, mount: &str) -> u64 {
        writeln!(self.child.stdin.as_mut().expect("piped"), "count").expect("it listens");
        loop {
            let line = self.line().expect("it counts");
            if line["mount"] == mount && line["sent"].is_u64() {
                return line["sent"].as_u64().expect("just seen");
            }
        }
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A clip of `seconds` at 15 pictures a second; `None`, with a printed word, without ffmpeg.
pub(crate) fn make_clip(path: &Path, codec: &[&str], seconds: u32) -> Option<()> {
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &format!("testsrc=size=320x240:rate=15:duration={seconds}")])
        .args(["-pix_fmt", "yuv420p"])
        .args(codec)
        .arg(path)
        .status();
    if made.is_ok_and(|status| status.success()) {
        return Some(());
    }
    println!("skipped: ffmpeg cannot make a clip here");
    None
}
