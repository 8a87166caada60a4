//! What was being watched ends within two seconds of the right to it: a download, HLS, a link's clip.
//!
//! That a live picture does is shown in `front_door.rs`.

#![expect(clippy::disallowed_methods, reason = "a test reads on a thread, in real time")]

mod household;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use hearthwatch::access::Rights;
use hearthwatch::index::{rights, sessions, users};
use household::{Household, PORCH, camera, cookie, film};

/// A download that is read slowly: so many bytes so far, and when it ended.
struct Download {
    read: Arc<AtomicU64>,
    ended: mpsc::Receiver<Instant>,
    promised: u64,
}

/// Begins it, through a small window, so that most of it is still with the recorder.
fn download(household: &Household, path: &str, header: &str) -> Download {
    let socket =
        rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).expect("a socket");
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 8 * 1024).expect("a small window");
    rustix::net::connect(&socket, &household.address).expect("connected");
    let mut stream = TcpStream::from(socket);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{header}Connection: close\r\n\r\n", household.address);
    stream.write_all(request.as_bytes()).expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.extend(byte);
    }
    let head = String::from_utf8(head).expect("text").to_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let promised = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let promised = promised.parse().expect("a number");
    let read = Arc::new(AtomicU64::new(0));
    let (tell, ended) = mpsc::channel();
    let counted = Arc::clone(&read);
    std::thread::spawn(move || {
        let mut some = [0; 4096];
        // A file of tens of megabytes would take a minute at this pace.
        while let Ok(n @ 1..) = stream.read(&mut some) {
            counted.fetch_add(n as u64, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = tell.send(Instant::now());
    });
    Download { read, ended, promised }
}

impl Download {
    fn runs(&self) {
        let start = Instant::now();
        let before = self.read.load(Ordering::SeqCst);
        while self.read.load(Ordering::SeqCst) < before + 65_536 {
            assert!(start.elapsed() < Duration::from_secs(20), "it runs");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends early; how long after `since`.
    fn ends(&self, since: Instant) -> Duration {
        let ended = self.ended.recv_timeout(Duration::from_secs(20)).expect("it ends");
        let read = self.read.load(Ordering::SeqCst);
        assert!(read < self.promised, "only a part arrived: {read} of {}", self.promised);
        ended.duration_since(since)
    }
}

/// What takes a right or a session away.
type Taking = (&'static str, fn(&Household));

const TAKINGS: [Taking; 4] = [
    ("the right is taken", |household| {
        let gus = household.users[1];
        household.writer.write_blocking(move |tx| rights::revoke(tx, gus, &camera(PORCH))).expect("taken");
    }),
    ("signing out", |household| {
        let session = household.gus.hash();
        household.writer.write_blocking(move |tx| sessions::remove(tx, &session)).expect("ended");
    }),
    ("the user is removed", |household| {
        let gus = household.users[1];
        let removed = household.writer.write_blocking(move |tx| users::remove(tx, gus)).expect("removed");
        assert_eq!(removed, users::Removal::Removed);
    }),
    ("the user's time is over", |household| {
        let (gus, now) = (household.users[1], household.now);
        household.writer.write_blocking(move |tx| users::set_expiry(tx, gus, Some(now))).expect("over");
    }),
];

/// A minute that takes tens of megabytes.
fn big_film() -> Option<Vec<u8>> {
    let film = film(60, "1920x1080")?;
    assert!(film.len() > 8 << 20, "{} bytes are too few to be cut", film.len());
    Some(film)
}

#[test]
fn a_download_hls_and_a_links_clip_end_within_two_seconds_of_their_right() {
    let Some(film) = big_film() else { return };
    for (what, take) in TAKINGS {
        let household = Household::new();
        let start = household.now.minus(Duration::from_secs(120));
        let length = household.record(PORCH, &film, start);
        let gus = household.users[1];
        household
            .writer
            .write_blocking(move |tx| rights::grant(tx, gus, &camera(PORCH), Rights::ALL))
            .expect("granted");
        let (from, to) = (start.as_unix_seconds(), start.plus(length).as_unix_seconds());
        let header = format!("Cookie: {}\r\n", cookie(&household.gus));
        let vod = format!("/vod/porch/start/{from}/end/{to}");
        let list = household.get(&household.gus, &format!("{vod}/index.m3u8")).text();
        let file = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let segment = format!("{vod}/{}", list.lines().find(file).expect("a segment"));
        let init =
            list.split("URI=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an init segment").to_owned();
        let shared = household.post(
            &household.gus,
            "/cameras/porch/share",
            &[("start", &from.to_string()), ("end", &to.to_string())],
        );
        let shared = shared.text();
        let at = shared.find("/shared/").unwrap_or_else(|| panic!("a link: {shared}"));
        let link = format!("{}/clip.mp4", &shared[at..at + 8 + 43]);

        let clip = download(&household, &format!("/api/cameras/porch/clip.mp4?start={from}&end={to}"), &header);
        let hls = (list.lines().filter(file).count() == 1).then(|| download(&household, &segment, &header));
        let by_link = download(&household, &link, "");
        for running in [Some(&clip), hls.as_ref(), Some(&by_link)].into_iter().flatten() {
            running.runs();
        }
        let taken = Instant::now();
        take(&household);
        // At most what was already on the way to this side comes after it.
        let after = clip.ends(taken);
        println!("{what}: the download ended after {after:?}");
        assert!(after < Duration::from_secs(2), "{what}: {after:?}");
        if let Some(hls) = hls {
            let after = hls.ends(taken);
            println!("{what}: HLS ended after {after:?}");
            assert!(after < Duration::from_secs(2), "{what}: {after:?}");
        }
        if what != "signing out" {
            let after = by_link.ends(taken);
            println!("{what}: the link's clip ended after {after:?}");
            assert!(after < Duration::from_secs(2), "{what}: {after:?}");
        }
        for next in [format!("{vod}/index.m3u8"), segment, format!("{vod}/{init}")] {
            assert!(matches!(household.get(&household.gus, &next).status, 401 | 404), "{what}: {next}");
        }
    }
}
