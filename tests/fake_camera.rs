//! The fake camera against clients that others wrote: ffprobe, ffmpeg, GStreamer, an mDNS browser.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use hearthwatch::fake_camera::{self, Codec, Credentials, FakeCameraError, Options, ReadyInfo, Scene, watermark};
use hearthwatch::units::{Clock, Secret, UtcMicros};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A fake camera in this process, ended when dropped.
struct Camera {
    info: ReadyInfo,
    runtime: Runtime,
    stop: CancellationToken,
    task: Option<JoinHandle<Result<(), FakeCameraError>>>,
}

impl Camera {
    fn start(options: Options) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let stop = CancellationToken::new();
        let (ready, is_ready) = mpsc::channel();
        let running = fake_camera::run(options, Clock::system(), stop.clone(), move |info| {
            ready.send(info).expect("the test waits");
        });
        let task = Some(runtime.spawn(running));
        let info = is_ready.recv_timeout(Duration::from_secs(20)).expect("a camera that starts");
        Self { info, runtime, stop, task }
    }

    fn url(&self, stream: &str, login: &str) -> String {
        format!("rtsp://{login}{}/{stream}", self.info.address)
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            let ended = self.runtime.block_on(task).expect("no panic");
            if !std::thread::panicking() {
                ended.expect("a camera that ends well");
            }
        }
    }
}

/// Small and on a free port.
fn small() -> Options {
    Options { listen: (Ipv4Addr::LOCALHOST, 0).into(), size: (640, 360), fps: 10, ..Options::default() }
}

/// Runs a program for at most a while; `None`, with a printed word, if it is not installed.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    let child = Command::new("timeout")
        .args(["--kill-after=5", "60", program])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .expect("coreutils' timeout");
    if child.status.code() == Some(127) {
        println!("skipped: {program} is not installed");
        return None;
    }
    Some(child)
}

fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What ffprobe says of two seconds of a stream: codec, width, height, pictures decoded.
fn probe(url: &str, transport: &str) -> Option<Output> {
    run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-rtsp_transport",
            transport,
            "-count_frames",
            "-read_intervals",
            "%+2",
            "-show_entries",
            "stream=codec_name,width,height,nb_read_frames",
            "-of",
            "csv=p=0",
            url,
        ],
    )
}

fn assert_plays(url: &str, transport: &str, codec: &str, size: &str) {
    let Some(output) = probe(url, transport) else { return };
    let said = text(&output);
    assert!(output.status.success(), "{url} over {transport}: {said}");
    let fields: Vec<_> = said.lines().next().unwrap_or_default().split(',').collect();
    assert_eq!((fields[0], fields[1..3].join("x").as_str()), (codec, size), "{said}");
    let pictures: u32 = fields[3].trim().parse().unwrap_or(0);
    assert!(pictures >= 8, "{url} over {transport}: {said}");
    assert!(output.stderr.is_empty(), "{url} over {transport}: {said}");
}

#[test]
fn ffprobe_plays_h264_over_tcp_and_udp() {
    let camera = Camera::start(small());
    for transport in ["tcp", "udp"] {
        assert_plays(&camera.url("main", ""), transport, "h264", "640x360");
        assert_plays(&camera.url("sub", ""), transport, "h264", "320x180");
    }
}

#[test]
fn ffprobe_plays_h265_over_tcp_and_udp() {
    let camera = Camera::start(Options { codec: Codec::H265, ..small() });
    for transport in ["tcp", "udp"] {
        assert_plays(&camera.url("main", ""), transport, "hevc", "640x360");
        assert_plays(&camera.url("sub", ""), transport, "hevc", "320x180");
    }
}

#[test]
fn only_the_right_password_plays() {
    let credentials = Credentials { user: "viewer".to_owned(), password: Secret::new("right horse") };
    let camera = Camera::start(Options { credentials: Some(credentials), ..small() });
    assert_plays(&camera.url("main", "viewer:right%20horse@"), "tcp", "h264", "640x360");
    for login in ["viewer:wrong@", "other:right%20horse@", ""] {
        let Some(output) = probe(&camera.url("main", login), "tcp") else { return };
        assert!(!output.status.success() && text(&output).contains("401"), "{login}: {}", text(&output));
    }
}

#[test]
fn clients_play_at_once_and_one_that_reads_nothing_stalls_nobody() {
    let camera = Camera::start(small());
    let mut stuck = Rtsp::connect(camera.info.address);
    let session = stuck.play(&camera.info.main_url);
    std::thread::scope(|scope| {
        for transport in ["tcp", "udp", "tcp"] {
            let url = camera.url("main", "");
            scope.spawn(move || assert_plays(&url, transport, "h264", "640x360"));
        }
    });
    drop((stuck, session));
}

const GSTREAMER: &str = r#"
import sys
import gi
gi.require_version("Gst", "1.0")
from gi.repository import Gst
Gst.init(None)
for element in ("rtspsrc", "rtph264depay", "h264parse"):
    if not Gst.ElementFactory.find(element):
        sys.exit(77)
url, protocols = sys.argv[1:]
pipeline = Gst.parse_launch(
    f"rtspsrc location={url} protocols={protocols} user-id=viewer user-pw=secret latency=0 ! rtph264depay ! h264parse"
    " ! video/x-h264,stream-format=byte-stream,alignment=au ! fakesink num-buffers=15 sync=false")
pipeline.set_state(Gst.State.PLAYING)
message = pipeline.get_bus().timed_pop_filtered(30 * Gst.SECOND, Gst.MessageType.ERROR | Gst.MessageType.EOS)
pipeline.set_state(Gst.State.NULL)
if message is None or message.type == Gst.MessageType.ERROR:
    sys.exit(str(message and message.parse_error()))
print("played")
"#;

#[test]
fn gstreamer_plays_over_tcp_and_udp() {
    let credentials = Credentials { user: "viewer".to_owned(), password: Secret::new("secret") };
    let camera = Camera::start(Options { credentials: Some(credentials), ..small() });
    if !run("/usr/bin/python3", &["-c", "import gi; gi.require_version('Gst', '1.0')"])
        .is_some_and(|o| o.status.success())
    {
        println!("skipped: Debian's python3-gi with GStreamer is not installed");
        return;
    }
    for protocols in ["tcp", "udp"] {
        let Some(output) = run("/usr/bin/python3", &["-c", GSTREAMER, &camera.info.main_url, protocols]) else {
            return;
        };
        if output.status.code() == Some(77) {
            println!("skipped: GStreamer's RTSP plugins are not installed");
            return;
        }
        assert!(output.status.success(), "{protocols}: {}", text(&output));
    }
}

/// The luma of pictures that ffmpeg decoded, scaled, or made JPEGs of.
fn luma(url: &str, width: usize, height: usize, extra: &[&str]) -> Option<Vec<Vec<u8>>> {
    let scale = format!("scale={width}:{height}");
    let mut arguments = vec!["-v", "error", "-rtsp_transport", "tcp", "-i", url, "-frames:v", "3", "-vf", &scale];
    arguments.extend_from_slice(extra);
    arguments.extend_from_slice(&["-f", "rawvideo", "-pix_fmt", "gray", "-"]);
    let output = run("ffmpeg", &arguments)?;
    assert!(output.status.success(), "{}", text(&output));
    Some(output.stdout.chunks_exact(width * height).map(<[u8]>::to_vec).collect())
}

#[test]
fn the_number_survives_coding_and_scaling() {
    for (scene, number, codec) in [
        (Scene::Walker, 0xbeef, Codec::H264),
        (Scene::Night, 0x0001, Codec::H264),
        (Scene::Lights, 0x7ffe, Codec::H265),
    ] {
        let camera = Camera::start(Options { scene, codec, watermark: number, size: (1280, 720), ..small() });
        for (stream, width, height) in [("main", 1280, 720), ("sub", 640, 360), ("sub", 320, 180), ("main", 426, 240)] {
            let Some(pictures) = luma(&camera.url(stream, ""), width, height, &[]) else { return };
            assert_eq!(pictures.len(), 3);
            for picture in pictures {
                assert_eq!(watermark::read(&picture, width, height, width), Some(number), "{scene} {stream} {width}");
            }
        }
    }
}

#[test]
fn the_number_survives_a_small_jpeg() {
    let folder = tempfile::tempdir().expect("a folder");
    let jpeg = folder.path().join("thumbnail.jpg");
    let jpeg = jpeg.to_str().expect("UTF-8");
    let camera = Camera::start(Options { watermark: 4660, ..small() });
    let url = camera.url("sub", "");
    let made = run(
        "ffmpeg",
        &[
            "-v",
            "error",
            "-rtsp_transport",
            "tcp",
            "-i",
            &url,
            "-frames:v",
            "1",
            "-vf",
            "scale=320:180",
            "-q:v",
            "12",
            jpeg,
        ],
    );
    let Some(made) = made else { return };
    assert!(made.status.success(), "{}", text(&made));
    let Some(read) = run("ffmpeg", &["-v", "error", "-i", jpeg, "-f", "rawvideo", "-pix_fmt", "gray", "-"]) else {
        return;
    };
    assert_eq!(watermark::read(&read.stdout, 320, 180, 320), Some(4660));
}

/// Makes a clip of three seconds with B-frames; whether ffmpeg is there.
fn make_clip(path: &Path, encoder: &str) -> bool {
    let path = path.to_str().expect("UTF-8");
    let made = run(
        "ffmpeg",
        &[
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=320x180:rate=10:duration=3",
            "-c:v",
            encoder,
            "-preset",
            "fast",
            "-bf",
            "2",
            "-g",
            "10",
            "-pix_fmt",
            "yuv420p",
            "-y",
            path,
        ],
    );
    made.is_some_and(|made| {
        assert!(made.status.success(), "{}", text(&made));
        true
    })
}

#[test]
fn a_file_is_looped_without_a_seam() {
    let folder = tempfile::tempdir().expect("a folder");
    for (encoder, codec) in [("libx264", "h264"), ("libx265", "hevc")] {
        let clip = folder.path().join(format!("{codec}.mp4"));
        if !make_clip(&clip, encoder) {
            return;
        }
        let camera = Camera::start(Options { file: Some(clip), ..small() });
        assert_plays(&camera.url("sub", ""), "udp", codec, "320x180");
        // More than two passes: presentation times never repeat and never leave a hole.
        let url = camera.url("main", "");
        let Some(output) = run(
            "ffprobe",
            &[
                "-v",
                "error",
                "-rtsp_transport",
                "tcp",
                "-read_intervals",
                "%+7",
                "-show_entries",
                "frame=pts",
                "-of",
                "csv=p=0",
                &url,
            ],
        ) else {
            return;
        };
        let said = text(&output);
        let times: Vec<i64> = said.lines().filter_map(|line| line.trim_matches([',', ' ']).parse().ok()).collect();
        assert!(times.len() > 55, "{said}");
        for pair in times.windows(2).skip(3) {
            let step = pair[1] - pair[0];
            assert!((8_900..=9_100).contains(&step), "{codec}: a step of {step} in {times:?}");
        }
    }
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let text_file = folder.path().join("clip.mp4");
    std::fs::write(&text_file, "no video").expect("written");
    let runtime = Runtime::new().expect("a runtime");
    for (options, reason) in [
        (Options { size: (641, 360), ..small() }, "641×360"),
        (Options { fps: 0, ..small() }, "0 pictures a second"),
        (Options { name: "a\nb".to_owned(), ..small() }, "control characters"),
        (Options { file: Some(text_file), ..small() }, "clip.mp4"),
        (Options { listen: (Ipv4Addr::new(192, 0, 2, 1), 0).into(), ..small() }, "192.0.2.1:0"),
    ] {
        let run = fake_camera::run(options, Clock::system(), CancellationToken::new(), |_| panic!("never ready"));
        let error = runtime.block_on(run).expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn cameras_on_loopback_are_found_by_mdns_and_say_goodbye() {
    let browser = fake_camera::mdns_daemon(Ipv4Addr::LOCALHOST.into()).expect("a browser");
    let found = browser.browse(fake_camera::SERVICE).expect("browsing");
    let [porch, nursery] = ["Porch (test)", "Nursery, upstairs. (test)"].map(|name| {
        let listen = (Ipv4Addr::new(127, 0, 0, if name.starts_with('P') { 31 } else { 32 }), 0).into();
        Camera::start(Options { name: name.to_owned(), mdns: true, listen, ..small() })
    });
    let mut missing = vec![&porch.info, &nursery.info];
    while !missing.is_empty() {
        let event = found.recv_timeout(Duration::from_secs(20)).expect("both are announced");
        let mdns_sd::ServiceEvent::ServiceResolved(service) = event else { continue };
        missing.retain(|info| {
            let is_it = service.get_property_val_str("id") == Some(info.serial.as_str());
            if is_it {
                let addresses: Vec<_> = service.get_addresses_v4().into_iter().collect();
                assert_eq!((addresses, service.get_port()), (vec![ipv4(info.address)], info.address.port()));
                assert_eq!(service.get_property_val_str("path"), Some("/main"));
                assert_eq!(service.get_property_val_str("sub"), Some("/sub"));
            }
            !is_it
        });
    }
    drop(porch);
    loop {
        let event = found.recv_timeout(Duration::from_secs(20)).expect("a goodbye");
        if let mdns_sd::ServiceEvent::ServiceRemoved(_, name) = event
            && name.starts_with("Porch")
        {
            break;
        }
    }
    browser.shutdown().expect("the browser ends");
}

fn ipv4(address: SocketAddr) -> Ipv4Addr {
    match address {
        SocketAddr::V4(address) => *address.ip(),
        SocketAddr::V6(_) => panic!("a v4 address"),
    }
}

/// A client that speaks line by line.
struct Rtsp {
    socket: BufReader<TcpStream>,
    sequence: u32,
}

impl Rtsp {
    fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("a camera that listens");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        Self { socket: BufReader::new(socket), sequence: 0 }
    }

    /// The answer to a request: its status and the whole of it. Binary frames before it are stepped over.
    fn ask(&mut self, request: &str, headers: &[&str]) -> (u16, String) {
        self.sequence += 1;
        let mut message = format!("{request} RTSP/1.0\r\nCSeq: {}\r\n", self.sequence);
        for line in headers.iter().chain(&[""]) {
            message.push_str(line);
            message.push_str("\r\n");
        }
        self.socket.get_mut().write_all(message.as_bytes()).expect("written");
        let mut answer = String::new();
        loop {
            let byte = self.byte();
            if answer.is_empty() && byte == b'$' {
                self.frame_after_dollar();
                continue;
            }
            answer.push(char::from(byte));
            if answer.ends_with("\r\n\r\n") {
                break;
            }
        }
        let body = answer.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok()).unwrap_or(0);
        answer.extend((0..body).map(|_| char::from(self.byte())));
        (answer[9..12].parse().expect("a status"), answer)
    }

    fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.socket.read_exact(&mut byte).expect("a byte");
        byte[0]
    }

    fn frame_after_dollar(&mut self) -> (u8, Vec<u8>) {
        let channel = self.byte();
        let length = u16::from_be_bytes([self.byte(), self.byte()]);
        let mut frame = vec![0; usize::from(length)];
        self.socket.read_exact(&mut frame).expect("a frame");
        (channel, frame)
    }

    /// Sets up and plays interleaved; the session's id.
    fn play(&mut self, url: &str) -> String {
        let (status, answer) =
            self.ask(&format!("SETUP {url}/trackID=0"), &["Transport: RTP/AVP/TCP;unicast;interleaved=4-5"]);
        assert_eq!(status, 200, "{answer}");
        let session = header(&answer, "Session").split(';').next().expect("an id").to_owned();
        let (status, answer) = self.ask(&format!("PLAY {url}"), &[&format!("Session: {session}")]);
        assert_eq!(status, 200, "{answer}");
        assert!(answer.contains("RTP-Info: url=") && answer.contains("Range: npt="), "{answer}");
        session
    }
}

fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

#[test]
fn requests_that_make_no_sense_are_refused_cleanly() {
    let camera = Camera::start(small());
    let url = &camera.info.main_url;
    let mut client = Rtsp::connect(camera.info.address);
    let tcp = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1";
    assert_eq!(client.ask("OPTIONS *", &[]).0, 200);
    assert_eq!(client.ask(&format!("DESCRIBE rtsp://{}/other", camera.info.address), &[]).0, 404);
    assert_eq!(client.ask(&format!("DESCRIBE {url}"), &["Accept: text/html"]).0, 406);
    assert_eq!(client.ask(&format!("PLAY {url}"), &[]).0, 454);
    assert_eq!(client.ask(&format!("SETUP {url}/trackID=0"), &["Transport: RTP/AVP;multicast"]).0, 461);
    assert_eq!(client.ask(&format!("SETUP {url}/trackID=0"), &[]).0, 461);
    assert_eq!(client.ask(&format!("SETUP {url}/trackID=1"), &[tcp]).0, 404);
    assert_eq!(client.ask(&format!("SETUP {url}"), &[tcp, "Require: implicit-play"]).0, 551);
    assert_eq!(client.ask(&format!("EXTERMINATE {url}"), &[]).0, 501);
    let session = client.play(url);
    assert_eq!(client.ask(&format!("PAUSE {url}"), &[&format!("Session: {session}")]).0, 405);
    assert_eq!(client.ask(&format!("SETUP {url}"), &[tcp, &format!("Session: {session}")]).0, 455);
    assert_eq!(client.ask(&format!("GET_PARAMETER {url}"), &[&format!("Session: {session}")]).0, 200);
    assert_eq!(client.ask(&format!("GET_PARAMETER {url}"), &["Session: 12"]).0, 454);
    assert_eq!(client.ask(&format!("TEARDOWN {url}"), &[&format!("Session: {session}")]).0, 200);
    assert_eq!(client.ask(&format!("TEARDOWN {url}"), &[&format!("Session: {session}")]).0, 454);
    // The connection goes on, and another session may follow.
    client.play(url);
    let (status, _) = Rtsp::connect(camera.info.address).ask(&"x".repeat(9_000), &[]);
    assert_eq!(status, 413);
}

#[test]
fn a_challenge_is_new_each_time_and_names_the_camera() {
    let credentials = Credentials { user: "viewer".to_owned(), password: Secret::new("secret") };
    let camera = Camera::start(Options { credentials: Some(credentials), ..small() });
    let url = &camera.info.main_url;
    let mut client = Rtsp::connect(camera.info.address);
    let challenges = [0, 1].map(|_| {
        let (status, answer) = client.ask(&format!("DESCRIBE {url}"), &[]);
        assert_eq!(status, 401);
        header(&answer, "WWW-Authenticate").to_owned()
    });
    assert_ne!(challenges[0], challenges[1]);
    assert!(challenges.iter().all(|challenge| challenge.contains(&camera.info.serial) && !challenge.contains("stale")));
}

#[test]
fn a_stream_begins_with_a_key_frame_and_tells_the_time() {
    let camera = Camera::start(small());
    let mut client = Rtsp::connect(camera.info.address);
    // So that the stream is under way and its first key frame gone.
    let mut earlier = Rtsp::connect(camera.info.address);
    earlier.play(&camera.info.main_url);
    while earlier.frame().0 != 4 {}
    client.play(&camera.info.main_url);
    let now = Clock::system().now();
    let (mut report, mut first) = (None, None);
    while report.is_none() || first.is_none() {
        match client.frame() {
            (4, packet) => _ = first.get_or_insert(packet),
            (5, packet) => _ = report.get_or_insert(packet),
            (channel, _) => panic!("nothing goes to channel {channel}"),
        }
    }
    let (report, first) = (report.expect("a report"), first.expect("a packet"));
    assert_eq!(first[12] & 0x1f, 7, "a sequence parameter set comes first");
    assert_eq!((report[0], report[1]), (0x80, 200), "a sender report");
    let ntp_seconds = u32::from_be_bytes([report[8], report[9], report[10], report[11]]);
    let unix = i64::from(ntp_seconds) - 2_208_988_800;
    let off = UtcMicros(unix * 1_000_000).offset_from(now);
    assert!(off.abs() < 5_000_000, "{off} µs off");
    // The first picture is of the moment at which it came, by the report's clock.
    let stamp = |packet: &[u8], at| u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
    let later = stamp(&first, 4).wrapping_sub(stamp(&report, 16)).cast_signed();
    assert!((-90_000..4 * 90_000).contains(&later), "{later} ticks");
}

impl Rtsp {
    fn frame(&mut self) -> (u8, Vec<u8>) {
        assert_eq!(self.byte(), b'$');
        self.frame_after_dollar()
    }
}
