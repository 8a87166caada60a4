//! Sessions against RTSP servers that are not ours, and against what is no RTSP server at all.

#![expect(
    clippy::disallowed_methods,
    reason = "a test starts its own tasks and reads the time to say how long it waited"
)]

#[path = "interop/gst.rs"]
mod gst;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hearthwatch::camera::identity::Anybody;
use hearthwatch::camera::packet::{Delivery, Packet, Track, VideoCodec};
use hearthwatch::camera::session::{self, Purpose, Target};
use hearthwatch::camera::status::{Link, StreamStatus};
use hearthwatch::config::settings::{Credentials, Transport};
use hearthwatch::units::{Clock, Secret};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use gst::Camera;

/// A session that runs beside the test.
struct Running {
    stop: CancellationToken,
    status: watch::Receiver<StreamStatus>,
    packets: Arc<Mutex<Vec<Packet>>>,
    task: JoinHandle<()>,
}

fn target(url: &str) -> Target {
    Target {
        camera: "porch".parse().expect("an id"),
        url: url.parse().expect("a camera URL"),
        credentials: None,
        transport: Transport::Tcp,
        audio: true,
        purpose: Purpose::Record,
        ear: None,
    }
}

fn with_password(url: &str, password: &str) -> Target {
    let credentials = Credentials { username: "viewer".to_owned(), password: Secret::new(password) };
    Target { credentials: Some(credentials), ..target(url) }
}

impl Running {
    fn start(target: Target) -> Self {
        let clock = Clock::system();
        let stop = CancellationToken::new();
        let (sender, status) = watch::channel(StreamStatus::new(clock.now()));
        let packets = Arc::new(Mutex::new(Vec::new()));
        let sink = {
            let packets = Arc::clone(&packets);
            move |delivery| {
                if let Delivery::Packet(packet) = delivery {
                    packets.lock().expect("no panic").push(packet);
                }
            }
        };
        let task = tokio::spawn(session::run(target, Arc::new(Anybody), clock, stop.clone(), sender, sink));
        Self { stop, status, packets, task }
    }

    /// The status as soon as it is so.
    async fn until(&mut self, what: impl FnMut(&StreamStatus) -> bool) -> StreamStatus {
        let found = tokio::time::timeout(Duration::from_secs(40), self.status.wait_for(what)).await;
        let found = found.map(|status| status.expect("the session runs").clone());
        found.unwrap_or_else(|_| panic!("never so within 40 s; last: {:?}", self.status.borrow().clone()))
    }

    async fn error(&mut self) -> String {
        self.until(|status| status.error.is_some()).await.error.expect("just seen").to_string()
    }

    async fn end(self) -> Vec<Packet> {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(3), self.task).await.expect("it stops in time").expect("no panic");
        std::mem::take(&mut *self.packets.lock().expect("no panic"))
    }
}

/// Every picture that was sent arrived, in order, one step of the clock after the other.
fn assert_complete(packets: &[Packet], sent: u64, step: i64, codec: VideoCodec) {
    assert!(packets.iter().all(|packet| packet.track == Track::Video));
    assert_eq!(packets.len() as u64, sent, "pictures arrived, sent");
    assert!(packets[0].is_key);
    let first = &packets[0].parameters;
    assert_eq!(first.video.codec, codec);
    assert!(codec == VideoCodec::Jpeg || first.video.parameter_sets.starts_with(&[0, 0, 0, 1]));
    for pair in packets.windows(2) {
        let passed = pair[1].pts.ticks - pair[0].pts.ticks;
        assert!((passed - step).abs() <= 1, "{passed} ticks between two pictures, not {step}");
        assert_eq!(pair[1].lost_before, 0);
        assert!(Arc::ptr_eq(&pair[1].parameters, first));
        assert!(pair[1].received >= pair[0].received && pair[1].received_monotonic >= pair[0].received_monotonic);
    }
}

async fn all_of(camera: &mut Camera, change: impl FnOnce(Target) -> Target, frames: u64) -> Vec<Packet> {
    let mut running = Running::start(change(target(&camera.url("/main"))));
    running.until(|status| status.link == Link::Streaming).await;
    // The camera ends the stream after its last picture.
    running.until(|status| status.link != Link::Streaming).await;
    let sent = camera.sent("/main");
    let packets: Vec<_> = running.end().await.into_iter().filter(|packet| packet.session == 0).collect();
    assert_eq!(sent, frames, "the camera sent what it was told to");
    packets
}

#[tokio::test]
async fn every_h264_picture_of_a_live_camera_arrives() {
    let Some(mut camera) = Camera::start(&["--mount", "/main=h264:live:320x240@15", "--frames", "60"]) else { return };
    let packets = all_of(&mut camera, |target| target, 60).await;
    assert_complete(&packets, 60, 6000, VideoCodec::H264);
    let video = &packets[0].parameters.video;
    assert_eq!((video.width, video.height, &video.sample_entry[4..8]), (320, 240, &b"avc1"[..]));
    assert_eq!(packets.iter().filter(|packet| packet.is_key).count(), 2, "each 30th is a key frame");
}

#[tokio::test]
async fn every_h265_picture_of_a_live_camera_arrives() {
    let Some(mut camera) = Camera::start(&["--mount", "/main=h265:live:320x240@10", "--frames", "40"]) else { return };
    let packets = all_of(&mut camera, |target| target, 40).await;
    assert_complete(&packets, 40, 9000, VideoCodec::H265);
    let video = &packets[0].parameters.video;
    assert_eq!((video.width, video.height, &video.sample_entry[4..8]), (320, 240, &b"hvc1"[..]));
    assert!(video.rfc6381.starts_with("hvc1."), "{}", video.rfc6381);
}

#[tokio::test]
async fn motion_jpeg_is_watched_but_not_recorded() {
    let Some(mut camera) = Camera::start(&["--mount", "/main=jpeg:live:320x240@10", "--frames", "20"]) else { return };
    let mut recorded = Running::start(target(&camera.url("/main")));
    let words = recorded.error().await;
    assert!(words.contains("jpeg") && words.contains("H.264"), "{words}");
    assert!(recorded.end().await.is_empty());
    let watched = |target| Target { purpose: Purpose::Watch, ..target };
    let packets = all_of(&mut camera, watched, 20).await;
    assert_complete(&packets, 20, 9000, VideoCodec::Jpeg);
    let video = &packets[0].parameters.video;
    assert_eq!((video.width, video.height, video.parameter_sets.len()), (320, 240, 0));
    for packet in &packets {
        assert!(packet.is_key && packet.data.starts_with(&[0xff, 0xd8]) && packet.data.ends_with(&[0xff, 0xd9]));
    }
}

#[tokio::test]
async fn every_picture_arrives_over_udp_where_the_owner_wants_it() {
    let Some(mut camera) = Camera::start(&["--mount", "/main=h264:live:320x240@15", "--frames", "45"]) else { return };
    let over_udp = |target| Target { transport: Transport::Udp, ..target };
    let packets = all_of(&mut camera, over_udp, 45).await;
    assert_complete(&packets, 45, 6000, VideoCodec::H264);
}

#[tokio::test]
async fn a_camera_that_will_not_have_tcp_is_taken_over_udp() {
    let arguments = ["--mount", "/main=h264:live:320x240@15", "--frames", "30", "--transport", "udp"];
    let Some(mut camera) = Camera::start(&arguments) else { return };
    let packets = all_of(&mut camera, |target| target, 30).await;
    assert_complete(&packets, 30, 6000, VideoCodec::H264);
}

#[tokio::test]
async fn a_file_with_b_frames_arrives_in_decode_order_and_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = folder.path().join("clip.mp4");
    let Some(()) = gst::make_clip(&clip, &["-c:v", "libx264", "-bf", "2", "-g", "15"], 3) else { return };
    let Some(mut camera) = Camera::start(&["--mount", &format!("/main={}", clip.display())]) else { return };
    let packets = all_of(&mut camera, |target| target, 45).await;
    assert_eq!(packets.len(), 45);
    assert!(packets.windows(2).any(|pair| pair[1].pts.ticks < pair[0].pts.ticks), "there are B-frames");
    let mut shown: Vec<_> = packets.iter().map(|packet| packet.pts.ticks).collect();
    shown.sort_unstable();
    assert!(shown.windows(2).all(|pair| (pair[1] - pair[0] - 6000).abs() <= 1), "{shown:?}");
}

#[tokio::test]
async fn sound_that_can_be_filed_comes_along_after_the_first_key_frame() {
    let Some(mut camera) = Camera::start(&["--mount", "/main=h264:live:320x240@15+aac", "--frames", "45"]) else {
        return;
    };
    let packets = all_of(&mut camera, |target| target, 45).await;
    assert_eq!((packets[0].track, packets[0].is_key), (Track::Video, true));
    let (pictures, sound): (Vec<_>, Vec<_>) = packets.into_iter().partition(|packet| packet.track == Track::Video);
    assert_complete(&pictures, 45, 6000, VideoCodec::H264);
    let parameters = sound[0].parameters.audio.as_ref().expect("sound");
    assert_eq!((parameters.sample_rate, &parameters.sample_entry[4..8]), (16_000, &b"mp4a"[..]));
    assert_eq!(parameters.rfc6381, "mp4a.40.2");
    assert!(
        sound.windows(2).all(|pair| pair[1].pts.ticks - pair[0].pts.ticks == 1024),
        "AAC has 1,024 samples a packet"
    );
    let seconds = |packet: &Packet| Duration::from_micros(packet.pts.as_micros().unsigned_abs()).as_secs_f64();
    assert!((seconds(&sound[0]) - seconds(&pictures[0])).abs() < 0.5, "both tracks have one zero");
    assert!((30..=60).contains(&sound.len()), "{} packets of 64 ms in 3 s", sound.len());
}

#[tokio::test]
async fn telephone_sound_comes_along_in_a_form_that_browsers_play() {
    for sound in ["pcmu", "pcma"] {
        let mount = format!("/main=h264:live:320x240@15+{sound}");
        let Some(mut camera) = Camera::start(&["--mount", &mount, "--frames", "45"]) else { return };
        let packets = all_of(&mut camera, |target| target, 45).await;
        let (pictures, sound): (Vec<_>, Vec<_>) = packets.into_iter().partition(|packet| packet.track == Track::Video);
        assert_complete(&pictures, 45, 6000, VideoCodec::H264);
        let parameters = sound[0].parameters.audio.as_ref().expect("sound");
        assert_eq!((parameters.sample_rate, parameters.packet_samples, &*parameters.rfc6381), (8000, 1024, "fLaC"));
        assert_eq!(&parameters.sample_entry[4..8], b"fLaC");
        assert!(sound.windows(2).all(|pair| pair[1].pts.ticks - pair[0].pts.ticks == 1024), "one behind the other");
        assert!(sound.iter().all(|packet| packet.data.starts_with(&[0xff, 0xf8])), "FLAC frames");
        let seconds = |packet: &Packet| Duration::from_micros(packet.pts.as_micros().unsigned_abs()).as_secs_f64();
        assert!((seconds(&sound[0]) - seconds(&pictures[0])).abs() < 0.5, "both tracks have one zero");
        assert!((15..=30).contains(&sound.len()), "{} packets of 128 ms in 3 s", sound.len());
    }
}

#[tokio::test]
async fn sound_that_cannot_be_filed_or_is_not_wanted_is_left_out() {
    for sound in ["l16", "aac", "pcmu"] {
        let mount = format!("/main=h264:live:320x240@15+{sound}");
        let Some(mut camera) = Camera::start(&["--mount", &mount, "--frames", "15"]) else { return };
        let packets = all_of(&mut camera, |target| Target { audio: sound == "l16", ..target }, 15).await;
        assert_complete(&packets, 15, 6000, VideoCodec::H264);
        assert_eq!(packets[0].parameters.audio, None);
    }
}

#[tokio::test]
async fn the_password_is_given_where_digest_is_asked_for() {
    let arguments =
        ["--mount", "/main=h264:live:320x240@15", "--frames", "15", "--user", "viewer", "--password", "open sesame"];
    let Some(mut camera) = Camera::start(&arguments) else { return };
    let mut without = Running::start(target(&camera.url("/main")));
    assert_eq!(
        without.error().await,
        "The camera asks for a user name and password; write them as username = and password_file =."
    );
    assert!(without.end().await.is_empty());
    let mut wrong = Running::start(with_password(&camera.url("/main"), "open barley"));
    assert_eq!(wrong.error().await, "The camera refused the user name or password.");
    let status = wrong.until(|status| matches!(status.link, Link::Waiting { .. })).await;
    let Link::Waiting { until } = status.link else { unreachable!("just seen") };
    assert!(until.since(status.since) >= Duration::from_secs(30), "cameras lock accounts");
    assert!(wrong.end().await.is_empty());
    let packets = all_of(&mut camera, |target| with_password(&target.url.to_string(), "open sesame"), 15).await;
    assert_complete(&packets, 15, 6000, VideoCodec::H264);
}

#[tokio::test]
async fn the_status_tells_the_rates_and_what_the_stream_is() {
    let Some(camera) = Camera::start(&["--mount", "/main=h264:live:320x240@20", "--key-every", "10"]) else { return };
    let mut running = Running::start(target(&camera.url("/main")));
    let status = running.until(|status| status.pictures_per_second > 17.0 && status.key_frame_interval.is_some()).await;
    assert!(status.pictures_per_second < 23.0, "{status:?}");
    assert!(status.kbit_s > 10.0, "{status:?}");
    assert_eq!(status.key_frame_interval, Some(Duration::from_millis(500)));
    assert_eq!((status.error, status.reconnects, status.lost_packets), (None, 0, 0));
    assert_eq!(status.parameters.expect("known").video.width, 320);
    assert!(status.last_picture.is_some());
    running.end().await;
}

#[tokio::test]
async fn a_stream_that_the_camera_has_not_is_named() {
    let Some(camera) = Camera::start(&["--mount", "/main=h264:live"]) else { return };
    let mut running = Running::start(target(&camera.url("/nowhere")));
    assert_eq!(running.error().await, "The camera has no stream at /nowhere.");
    running.end().await;
}

#[tokio::test]
async fn a_camera_that_dies_and_comes_back_is_recorded_on() {
    let Some(camera) = Camera::start(&["--mount", "/main=h264:live:320x240@15"]) else { return };
    let (url, address) = (camera.url("/main"), camera.address());
    let mut running = Running::start(target(&url));
    running.until(|status| status.last_picture.is_some() && status.pictures_per_second > 0.0).await;
    drop(camera);
    running.until(|status| matches!(status.link, Link::Waiting { .. })).await;
    let camera = Camera::start(&["--mount", "/main=h264:live:320x240@15", "--listen", &address]);
    let status = running.until(|status| status.reconnects > 0 && status.link == Link::Streaming).await;
    assert_eq!(status.error, None);
    let packets = running.end().await;
    let sessions: Vec<_> = packets.iter().map(|packet| packet.session).collect();
    assert!(sessions.is_sorted() && sessions.first() != sessions.last(), "{sessions:?}");
    let first_of_second = packets.iter().find(|packet| packet.session > 0).expect("a second session");
    assert!(first_of_second.is_key);
    drop(camera);
}

#[tokio::test]
async fn nobody_at_home_is_told_as_that() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
    let mut running = Running::start(target(&format!("rtsp://{closed}/main")));
    assert_eq!(
        running.error().await,
        format!("The camera cannot be reached at {closed}: the machine there takes no connections on this port.")
    );
    running.end().await;
}

/// A server that says `answer` to each connection once it was asked something; silent if that is empty.
async fn answering(answer: &str) -> (String, Arc<Mutex<String>>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let answer: Arc<str> = answer.into();
    let heard = Arc::new(Mutex::new(String::new()));
    let all = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (all, answer) = (Arc::clone(&all), Arc::clone(&answer));
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    all.lock().expect("no panic").push_str(&String::from_utf8_lossy(&buffer[..length]));
                    if !answer.is_empty() && stream.write_all(answer.as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (address, heard)
}

#[tokio::test]
async fn a_web_server_is_told_from_a_camera() {
    let (address, _) = answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    let mut running = Running::start(target(&format!("rtsp://{address}/main")));
    assert_eq!(
        running.error().await,
        format!("What answers at {address} is not a camera: it speaks HTTP and not RTSP.")
    );
    running.end().await;
}

#[tokio::test]
async fn a_server_that_takes_the_connection_and_says_nothing_is_given_up() {
    let (address, _) = answering("").await;
    let mut running = Running::start(target(&format!("rtsp://{address}/main")));
    assert_eq!(running.error().await, format!("The camera at {address} did not answer within 10 s."));
    running.end().await;
}

#[tokio::test]
async fn the_password_is_not_sent_in_clear_text() {
    let (address, heard) =
        answering("RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm=\"camera\"\r\n\r\n").await;
    let mut running = Running::start(with_password(&format!("rtsp://{address}/main"), "open sesame"));
    assert_eq!(
        running.error().await,
        "The camera asks for its password unprotected (Basic), so it was not sent; set the camera to digest."
    );
    running.end().await;
    let heard = heard.lock().expect("no panic").clone();
    assert!(heard.starts_with("DESCRIBE rtsp://"), "{heard}");
    assert!(!heard.contains("Authorization"), "{heard}");
}

#[tokio::test]
async fn a_redirect_to_another_machine_is_not_followed() {
    let (address, _) = answering("RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: rtsp://192.0.2.1/main\r\n\r\n").await;
    let mut running = Running::start(target(&format!("rtsp://{address}/main")));
    assert_eq!(
        running.error().await,
        "The camera points to rtsp://192.0.2.1/main, which is another machine; this is not followed."
    );
    running.end().await;
}

#[tokio::test]
async fn a_stream_that_lies_at_another_machine_is_not_followed() {
    let sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n\
        a=rtpmap:96 H264/90000\r\na=control:rtsp://192.0.2.1/track1\r\n";
    let head = format!("RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: {}", sdp.len());
    let (address, heard) = answering(&format!("{head}\r\n\r\n{sdp}")).await;
    let mut running = Running::start(target(&format!("rtsp://{address}/main")));
    assert_eq!(
        running.error().await,
        "The camera points to 192.0.2.1, which is another machine; this is not followed."
    );
    running.end().await;
    assert!(!heard.lock().expect("no panic").contains("SETUP"));
}
