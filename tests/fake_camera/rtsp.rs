//! The fake camera's protocol, spoken by hand.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use hearthwatch::fake_camera::{Credentials, Options};
use hearthwatch::units::{Clock, Secret, UtcMicros};

use super::{Camera, small};

/// A client that speaks line by line.
pub(crate) struct Rtsp {
    socket: BufReader<TcpStream>,
    sequence: u32,
}

impl Rtsp {
    pub(crate) fn connect(address: SocketAddr) -> Self {
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

    /// The next binary frame: its channel and what is in it.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        assert_eq!(self.byte(), b'$');
        self.frame_after_dollar()
    }

    /// Reads until the camera closes the connection, or `most` bytes; how many there were.
    pub(crate) fn read_to_end(&mut self, most: usize) -> usize {
        let mut buffer = vec![0; 1 << 16];
        let mut total = 0;
        while total < most {
            match self.socket.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => total += count,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(error) => panic!("neither bytes nor an end: {error}"),
            }
        }
        total
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
    pub(crate) fn play(&mut self, url: &str) -> String {
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
