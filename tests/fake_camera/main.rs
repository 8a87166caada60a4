//! The fake camera against clients that others wrote: ffprobe, ffmpeg, GStreamer, an mDNS browser.

mod rtsp;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use hearthwatch::fake_camera::{
    self, Codec, Credentials, FakeCameraError, Options, ReadyInfo, Scene, SoundCodec, watermark,
};
use hearthwatch::units::{Clock, Secret};
use rtsp::Rtsp;
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
    // Datagrams may be lost on a busy machine.
    assert!(transport == "udp" || output.stderr.is_empty(), "{url} over {transport}: {said}");
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
fn clients_play_at_once() {
    let camera = Camera::start(small());
    std::thread::scope(|scope| {
        for transport in ["tcp", "udp", "tcp"] {
            let url = camera.url("main", "");
            scope.spawn(move || assert_plays(&url, transport, "h264", "640x360"));
        }
    });
}

#[test]
fn a_client_that_reads_nothing_is_dropped_and_stalls_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = folder.path().join("heavy.mp4");
    // Noise, hardly compressed: some 30 Mbit/s.
    let made = run(
        "ffmpeg",
        &[
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "color=gray:size=320x180:rate=25:duration=2,noise=alls=100:allf=t",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-qp",
            "8",
            "-g",
            "25",
            "-y",
            clip.to_str().expect("UTF-8"),
        ],
    );
    let Some(made) = made else { return };
    assert!(made.status.success(), "{}", text(&made));
    let camera = Camera::start(Options { file: Some(clip), ..small() });
    let mut stuck = Rtsp::connect(camera.info.address);
    stuck.play(&camera.info.main_url);
    // Meanwhile another one plays for longer than the kernel's buffers and the camera's patience last.
    let url = camera.url("main", "");
    let Some(output) = run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-analyzeduration",
            "1000000",
            "-rtsp_transport",
            "tcp",
            "-count_packets",
            "-read_intervals",
            "%+12",
            "-show_entries",
            "stream=nb_read_packets",
            "-of",
            "csv=p=0",
            &url,
        ],
    ) else {
        return;
    };
    let pictures: u32 = text(&output).trim().parse().unwrap_or(0);
    assert!(pictures > 250, "{}", text(&output));
    let left = stuck.read_to_end(100_000_000);
    assert!(left < 100_000_000, "still being sent to");
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
    let mut arguments = vec![
        "-v",
        "error",
        "-analyzeduration",
        "1000000",
        "-rtsp_transport",
        "tcp",
        "-i",
        url,
        "-frames:v",
        "3",
        "-vf",
        &scale,
    ];
    arguments.extend_from_slice(extra);
    arguments.extend_from_slice(&["-f", "rawvideo", "-pix_fmt", "gray", "-"]);
    let output = run("ffmpeg", &arguments)?;
    assert!(output.status.success(), "{}", text(&output));
    Some(output.stdout.chunks_exact(width * height).map(<[u8]>::to_vec).collect())
}

#[test]
fn the_number_survives_coding_and_scaling() {
    let (large, small_only) =
        (&[("main", 1280, 720), ("sub", 640, 360), ("main", 426, 240)][..], &[("sub", 320, 180)][..]);
    for (scene, number, codec, looks) in [
        (Scene::Walker, 0xbeef, Codec::H264, large),
        (Scene::Night, 0x0001, Codec::H264, small_only),
        (Scene::Lights, 0x7ffe, Codec::H265, small_only),
    ] {
        let camera = Camera::start(Options { scene, codec, watermark: number, size: (1280, 720), ..small() });
        for &(stream, width, height) in looks {
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

#[test]
fn ffmpeg_hears_what_was_sent() {
    for (codec, form) in [(SoundCodec::Pcma, "alaw"), (SoundCodec::Pcmu, "mulaw")] {
        let camera = Camera::start(Options { audio: Some(codec), ..small() });
        let url = camera.url("main", "");
        let arguments = ["-v", "error", "-rtsp_transport", "tcp", "-i", &url, "-t", "2", "-map", "0:a", "-c", "copy"];
        let Some(output) = run("ffmpeg", &[&arguments[..], &["-f", form, "-"]].concat()) else { return };
        assert!(output.status.success(), "{}", text(&output));
        let heard = output.stdout;
        assert!(heard.len() > 8_000, "{} samples in two seconds", heard.len());
        let sent: Vec<u8> = (0..60 * 8_000).map(|number| codec.code(number)).collect();
        assert!(sent.windows(heard.len()).any(|window| window == heard), "one sample behind the other");
    }
}
