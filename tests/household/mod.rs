//! A made-up household with a site of its own on a loopback port, for tests that knock at it from outside.
//!
//! Anna owns the recorder and sees both cameras; Gus is a guest and sees the porch alone; nobody is the third user, who sees
//! nothing. There is an event at each camera, and a minute of footage where FFmpeg is installed.

#![expect(clippy::disallowed_methods, reason = "a test starts the threads and tasks that the daemon would")]
#![expect(dead_code, reason = "each test file uses its own part of this")]
#![expect(unreachable_pub, reason = "a module of several test binaries")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hearthwatch::access::{Gate, Rights, Role, Token, password};
use hearthwatch::camera::packet::{Packet, StreamParameters, Track, VideoCodec, VideoParameters};
use hearthwatch::camera::status::{Link, StreamStatus};
use hearthwatch::config::settings::{Discovery, KeepFree, Retention, Settings, Storage, Tls, Web};
use hearthwatch::detect::event::MotionEvent;
use hearthwatch::disk::Footage;
use hearthwatch::index::sessions::{self, SessionKind};
use hearthwatch::index::{self, Writer, events, gaps, rights, segments, sign_in_links, users};
use hearthwatch::media::live::{Rings, Stream};
use hearthwatch::record::fmp4::{self, Provenance, Sample, TrackRun};
use hearthwatch::record::reader;
use hearthwatch::record::segment::{ClosedSegment, Gap, GapCause};
use hearthwatch::units::{
    ByteLen, CameraId, Clock, EventId, InstallationId, MediaTicks, Monotonic, Secret, SegmentId, UserId, UtcMicros,
    UtcSpan,
};
use hearthwatch::web::{self, Board, CameraCounters, OnBoard, Site, SiteParts};
use tokio::sync::{mpsc, oneshot, watch};

/// The camera that the guest may see.
pub const PORCH: &str = "porch";
/// The camera that only Anna may see.
pub const NURSERY: &str = "nursery";
/// Anna's password.
pub const PASSWORD: &str = "correct horse battery staple";

/// A JPEG of one grey pixel.
pub const JPEG: &[u8] = include_bytes!("pixel.jpg");

/// A site that is served until this is dropped.
pub struct Household {
    pub address: SocketAddr,
    pub anna: Token,
    pub gus: Token,
    pub nobody: Token,
    /// A link that signs Anna in once.
    pub link: Token,
    pub users: [UserId; 3],
    pub writer: Writer,
    pub footage: Footage,
    pub board: Board,
    pub rings: Rings,
    pub statuses: BTreeMap<&'static str, watch::Sender<StreamStatus>>,
    pub settings: watch::Sender<Arc<Settings>>,
    pub now: UtcMicros,
    folder: tempfile::TempDir,
}

/// An answer, read to its end.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

pub fn camera(id: &str) -> CameraId {
    id.parse().expect("an id")
}

/// The event at that camera.
pub fn event_of(id: &str) -> EventId {
    EventId::from_random([if id == PORCH { 1 } else { 2 }; 8])
}

impl Household {
    /// Moves in: names of cameras may be as hostile as they like.
    pub fn with_names(names: [&str; 2], on: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let footage = Footage::open(folder.path(), InstallationId::from_random([7; 16])).expect("a storage folder");
        let (thread, writer, readers) = index::open(&folder.path().join("hearthwatch.db")).expect("a database");
        std::thread::spawn(move || thread.run());
        let clock = Clock::system();
        let now = clock.now();
        let settings = settings(folder.path());
        let (settings, of_settings) = watch::channel(Arc::new(settings));
        let board = Board::default();
        let mut statuses = BTreeMap::new();
        for (id, name) in [(PORCH, names[0]), (NURSERY, names[1])] {
            let (status, main) = watch::channel(streaming(now));
            let (snapshots, mut asked) = mpsc::channel::<oneshot::Sender<Bytes>>(4);
            std::thread::spawn(move || {
                while let Some(answer) = asked.blocking_recv() {
                    let _ = answer.send(Bytes::from_static(JPEG));
                }
            });
            let entry = OnBoard {
                name: name.to_owned(),
                main,
                sub: None,
                snapshots,
                record: "continuous",
                detects_motion: true,
                detection: Arc::default(),
                counters: Arc::new(CameraCounters::default()),
            };
            board.set(camera(id), entry);
            statuses.insert(id, status);
        }
        let [anna, gus, nobody, link] = [11, 12, 13, 14].map(|byte| Token::from_random([byte; 32]));
        let users = people(&writer, now, [&anna, &gus, &nobody], &link);
        let listener = TcpListener::bind(on).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let rings = Rings::new();
        let site = Arc::new(Site::new(SiteParts {
            gate: Gate::new(Arc::new(readers.clone()), clock.clone()),
            writer: writer.clone(),
            readers,
            footage: footage.clone(),
            open: hearthwatch::record::open::OpenSegments::default(),
            rings: rings.clone(),
            board: board.clone(),
            settings: of_settings,
            clock,
            over_tls: false,
        }));
        std::thread::spawn(move || serve(listener, &site));
        let household = Self {
            address,
            anna,
            gus,
            nobody,
            link,
            users,
            writer,
            footage,
            board,
            rings,
            statuses,
            settings,
            now,
            folder,
        };
        for id in [PORCH, NURSERY] {
            household.see(id, event_of(id), now.minus(Duration::from_secs(90)), Some(12), &["path"], Some(JPEG));
        }
        household
    }

    pub fn new() -> Self {
        Self::with_names(["Porch", "Nursery"], ([127, 0, 0, 1], 0).into())
    }

    /// Something moves.
    pub fn see(
        &self,
        id: &str,
        event: EventId,
        start: UtcMicros,
        seconds: Option<u64>,
        zones: &[&str],
        jpeg: Option<&[u8]>,
    ) {
        if let Some(jpeg) = jpeg {
            self.footage.write_thumbnail(&camera(id), event, jpeg).expect("written");
        }
        let event = MotionEvent {
            id: event,
            camera: camera(id),
            start,
            end: seconds.map(|seconds| start.plus(Duration::from_secs(seconds))),
            peak: 0.08,
            zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
            why: None,
            thumbnail: jpeg.map(Bytes::copy_from_slice),
        };
        self.writer.write_blocking(move |tx| events::upsert(tx, &event)).expect("written");
    }

    /// Time is lost.
    pub fn lose(&self, id: &str, span: UtcSpan, cause: GapCause) {
        let gap = Gap { camera: camera(id), span, cause };
        self.writer.write_blocking(move |tx| gaps::insert(tx, &gap)).expect("written");
    }

    /// Records this MP4 as a segment that starts then; how long it is.
    pub fn record(&self, id: &str, film: &[u8], start: UtcMicros) -> Duration {
        let file = reader::read(film, film.len() as u64).expect("readable");
        let parameters = StreamParameters {
            video: VideoParameters {
                codec: VideoCodec::H264,
                rfc6381: "avc1.42c01f".into(),
                width: file.video.width,
                height: file.video.height,
                sample_entry: file.video.sample_entry.clone(),
                parameter_sets: Bytes::new(),
            },
            audio: None,
        };
        let segment = SegmentId::from_random((start.0 ^ i64::from(id.as_bytes()[0])).to_be_bytes());
        let provenance = Provenance { camera: camera(id), installation: self.footage.installation(), segment, start };
        let mut part = self.footage.create_part(&camera(id), start).expect("a part file");
        part.append(&fmp4::init_segment(&parameters, Some(&provenance))).expect("appended");
        let (mut ticks, mut pictures) = (0, 0);
        for (number, run) in file.runs(Track::Video).enumerate() {
            let samples: Vec<_> = run
                .samples
                .iter()
                .map(|sample| {
                    let at = usize::try_from(sample.offset).expect("small");
                    Sample {
                        duration: sample.duration,
                        composition_offset: sample.composition_offset,
                        is_key: sample.is_key,
                        data: Bytes::copy_from_slice(&film[at..at + sample.size as usize]),
                    }
                })
                .collect();
            let run = TrackRun { track: Track::Video, base_decode_ticks: ticks, samples: &samples };
            part.append(&fmp4::fragment(u32::try_from(number).expect("few") + 1, &[run])).expect("appended");
            ticks += samples.iter().map(|sample| u64::from(sample.duration)).sum::<u64>();
            pictures += u32::try_from(samples.len()).expect("few");
        }
        let (path, size) = part.close().expect("closed");
        let length = Duration::from_micros(ticks * 100 / 9);
        let row = ClosedSegment {
            id: segment,
            camera: camera(id),
            span: UtcSpan::starting_at(start, length),
            path,
            size,
            pictures,
            codecs: parameters.video.rfc6381,
            width: parameters.video.width,
            height: parameters.video.height,
        };
        self.writer.write_blocking(move |tx| segments::insert(tx, &row)).expect("written");
        length
    }

    /// Puts the film's pictures into the camera's ring, as if they had just arrived.
    pub fn show(&self, id: &str, film: &[u8]) {
        let file = reader::read(film, film.len() as u64).expect("readable");
        let video = VideoParameters {
            codec: VideoCodec::H264,
            rfc6381: "avc1.42c01f".into(),
            width: file.video.width,
            height: file.video.height,
            sample_entry: file.video.sample_entry.clone(),
            parameter_sets: Bytes::new(),
        };
        let parameters = Arc::new(StreamParameters { video, audio: None });
        let mut ticks = 0;
        for sample in file.runs(Track::Video).flat_map(|run| &run.samples) {
            let at = usize::try_from(sample.offset).expect("small");
            let packet = Packet {
                parameters: Arc::clone(&parameters),
                session: 1,
                track: Track::Video,
                pts: MediaTicks { ticks, rate: 90_000.try_into().expect("not zero") },
                received: self.now,
                received_monotonic: Monotonic::default(),
                is_key: sample.is_key,
                lost_before: 0,
                data: Bytes::copy_from_slice(&film[at..at + sample.size as usize]),
            };
            ticks += i64::from(sample.duration);
            self.rings.push(&camera(id), Stream::Main, &packet);
        }
    }

    /// Sends a request exactly so and reads the answer to its end.
    pub fn send(&self, request: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        stream.write_all(request.as_bytes()).and_then(|()| stream.write_all(body)).expect("sent");
        let mut bytes = Vec::new();
        // A refused upload may be reset after its answer.
        let _ = stream.read_to_end(&mut bytes);
        parse(&bytes)
    }

    /// A request with these headers besides `Host` and `Connection`.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT") {
            request.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
        }
        self.send(&(request + "\r\n"), body)
    }

    /// A request by somebody's cookie, from the site's own page.
    pub fn ask_as(&self, token: &Token, method: &str, path: &str) -> Answer {
        self.ask(method, path, &[("Cookie", &cookie(token)), ("Origin", &self.origin())], b"")
    }

    pub fn get(&self, token: &Token, path: &str) -> Answer {
        self.ask_as(token, "GET", path)
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

pub fn cookie(token: &Token) -> String {
    format!("hearthwatch={}", token.expose())
}

/// One minute of a moving test picture; `None`, with a printed word, where there is no FFmpeg.
pub fn film(seconds: u32, size: &str) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film.mp4");
    let made = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-threads",
            "1",
            "-f",
            "lavfi",
            "-i",
            &format!("testsrc2=size={size}:rate=10:duration={seconds}"),
        ])
        .args(
            "-c:v libx264 -preset ultrafast -profile:v baseline -pix_fmt yuv420p -g 20 -video_track_timescale 90000"
                .split(' '),
        )
        .args(["-movflags", "frag_keyframe+empty_moov+default_base_moof"])
        .arg(&path)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: no ffmpeg with libx264 here");
        return None;
    }
    Some(std::fs::read(path).expect("a film"))
}

pub fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut body = bytes.get(end + 4..).unwrap_or_default().to_vec();
    if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
        body = dechunked(&body);
    }
    Answer { status, headers, body }
}

fn dechunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = bytes.windows(2).position(|part| part == b"\r\n") {
        let len = usize::from_str_radix(&String::from_utf8_lossy(&bytes[..end]), 16).unwrap_or(0);
        if len == 0 || bytes.len() < end + 2 + len {
            break;
        }
        whole.extend_from_slice(&bytes[end + 2..end + 2 + len]);
        bytes = bytes.get(end + len + 4..).unwrap_or_default();
    }
    whole
}

fn serve(listener: TcpListener, site: &Arc<Site>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("non-blocking");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let service = web::router(Arc::clone(site)).into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await.expect("served");
    });
}

fn people(writer: &Writer, now: UtcMicros, tokens: [&Token; 3], link: &Token) -> [UserId; 3] {
    let phc = password::hash(&Secret::new(PASSWORD), [3; 16]);
    let hashes = tokens.map(Token::hash);
    let link = link.hash();
    let later = now.plus(Duration::from_secs(3600));
    let made = writer.write_blocking(move |tx| {
        let mut made = Vec::new();
        for (name, role) in [("anna", Role::Owner), ("gus", Role::Guest), ("nobody", Role::Guest)] {
            made.push(users::insert(tx, &name.parse().expect("a name"), role, &phc)?);
        }
        for id in [PORCH, NURSERY] {
            rights::adopt(tx, &camera(id))?;
        }
        let porch_only = Rights { live: true, history: true, ..Rights::NONE };
        rights::grant(tx, made[1], &camera(PORCH), porch_only)?;
        for (hash, user) in hashes.iter().zip(&made) {
            sessions::insert(tx, hash, *user, now, later, SessionKind::Cookie)?;
        }
        sign_in_links::insert(tx, &link, made[0], later)?;
        Ok(made)
    });
    made.expect("written").try_into().expect("three")
}

/// A camera that does as it should.
pub fn streaming(now: UtcMicros) -> StreamStatus {
    let video = VideoParameters {
        codec: VideoCodec::H264,
        rfc6381: "avc1.42c01f".into(),
        width: 1920,
        height: 1080,
        sample_entry: Bytes::new(),
        parameter_sets: Bytes::new(),
    };
    StreamStatus {
        link: Link::Streaming,
        parameters: Some(Arc::new(StreamParameters { video, audio: None })),
        last_picture: Some(now),
        pictures_per_second: 15.0,
        kbit_s: 2140.0,
        ..StreamStatus::new(now)
    }
}

fn settings(path: &Path) -> Settings {
    Settings {
        storage: Storage {
            path: path.to_owned(),
            keep_free: KeepFree::Bytes(ByteLen(0)),
            segment: Duration::from_secs(60),
            sync: Duration::from_secs(2),
        },
        retention: Retention { continuous: Duration::from_secs(86_400), motion: Duration::from_secs(86_400) },
        web: Web { listen: ([127, 0, 0, 1], 0).into(), tls: Tls::Off, hosts: vec!["nvr.home.arpa".into()] },
        discovery: Discovery { mdns: false, onvif: false, auto_add: false },
        cameras: BTreeMap::new(),
    }
}
