//! A made-up household with a site of its own on a loopback port, for tests that knock at it from outside.
//!
//! Anna owns the recorder and sees both cameras; Gus is a guest and sees the porch alone; nobody is the third user, who sees
//! nothing. There is an event at each camera, and a minute of footage where FFmpeg is installed.

#![expect(clippy::disallowed_methods, reason = "a test starts the threads and tasks that the daemon would")]
#![expect(dead_code, reason = "each test file uses its own part of this")]
#![expect(unreachable_pub, reason = "a module of several test binaries")]

mod answer;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hearthwatch::access::{Gate, Rights, Role, Token, password};
use hearthwatch::camera::packet::{Packet, StreamParameters, Track, VideoCodec, VideoParameters};
use hearthwatch::camera::status::{Link, StreamStatus};
use hearthwatch::config::settings::{Discovery, KeepFree, Motion, Retention, Settings, Storage, Tls, Web};
use hearthwatch::detect::event::MotionEvent;
use hearthwatch::detect::replay::Replay;
use hearthwatch::disk::{EventPicture, Footage};
use hearthwatch::index::sessions::{self, SessionKind};
use hearthwatch::index::{self, Writer, events, gaps, rights, segments, sign_in_links, users};
use hearthwatch::media::live::{Rings, Stream};
use hearthwatch::record::fmp4::{self, Provenance, Sample, TrackRun};
use hearthwatch::record::previews::{self, Preview};
use hearthwatch::record::reader;
use hearthwatch::record::segment::{ClosedSegment, Gap, GapCause};
use hearthwatch::units::{
    ByteLen, CameraId, Clock, EventId, InstallationId, MediaTicks, Monotonic, Secret, SegmentId, UserId, UtcMicros,
    UtcSpan,
};
use hearthwatch::web::keeper::{Candidate, Keeper, Stranger, Trial, Wish};
use hearthwatch::web::{self, Board, CameraCounters, OnBoard, Site, SiteParts};
use tokio::sync::{mpsc, oneshot, watch};

pub use answer::{Answer, parse, token_of};

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
    /// A program's token of Anna's.
    pub api: Token,
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

pub fn camera(id: &str) -> CameraId {
    id.parse().expect("an id")
}

/// A minute of footage as the index has it; there is no file.
pub fn minute_of(id: &str, start: UtcMicros) -> ClosedSegment {
    ClosedSegment {
        id: SegmentId::from_random((start.0 ^ i64::from(id.as_bytes()[0])).to_be_bytes()),
        camera: camera(id),
        span: UtcSpan::starting_at(start, Duration::from_secs(60)),
        path: format!("footage/{id}/2026-11-22/{}.mp4", start.0).into(),
        size: ByteLen(1),
        pictures: 900,
        codecs: "avc1.42c01f".into(),
        width: 320,
        height: 180,
    }
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
        let [anna, gus, nobody, link, api] = [11, 12, 13, 14, 15].map(|byte| Token::from_random([byte; 32]));
        let users = people(&writer, now, [&anna, &gus, &nobody], &link, &api);
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
            keeper: Arc::new(NobodyFound),
            settings: of_settings,
            clock,
            over_tls: false,
            lan_only: hearthwatch::web::LanOnly::NotEnforced,
            pauses: hearthwatch::web::PauseSwitch::default(),
        }));
        std::thread::spawn(move || serve(listener, &site));
        let household = Self {
            address,
            anna,
            gus,
            nobody,
            api,
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
            for picture in EventPicture::ALL {
                self.footage.write_picture(&camera(id), event, picture, jpeg).expect("written");
            }
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
            preview: jpeg.map(Bytes::copy_from_slice),
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

    /// A day of footage as the index has it, with its small pictures.
    pub fn day_of_previews(&self, id: &str, start: UtcMicros) {
        let jpeg = [&[0xff, 0xd8][..], &[0x55; 4_000], &[0xff, 0xd9]].concat();
        let day: Vec<_> = (0..1440).map(|n| minute_of(id, start.plus(Duration::from_secs(n * 60)))).collect();
        for segment in &day {
            self.keep_previews(segment, &jpeg);
        }
        let written = self
            .writer
            .write_blocking(move |tx| day.iter().try_for_each(|segment| segments::insert(tx, segment).map(drop)));
        written.expect("written");
    }

    /// Keeps a small picture of every ten seconds of a segment of a minute.
    pub fn keep_previews(&self, segment: &ClosedSegment, jpeg: &[u8]) {
        let (installation, start) = (self.footage.installation(), segment.span.start());
        let provenance = Provenance { camera: segment.camera.clone(), installation, segment: segment.id, start };
        let at = |n: u64| Preview { at: start.plus(Duration::from_secs(n * 10)), jpeg: Bytes::copy_from_slice(jpeg) };
        let content = previews::encode(&provenance, segment.span, &(0..6).map(at).collect::<Vec<_>>());
        self.footage.write_previews(&segment.path, &content.expect("pictures")).expect("written");
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

    /// The same from another address of this machine.
    pub fn send_from(&self, from: [u8; 4], request: &[u8]) -> Answer {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let talk = async {
            let socket = tokio::net::TcpSocket::new_v4()?;
            socket.bind((from, 0).into())?;
            let mut stream = socket.connect(self.address).await?;
            stream.write_all(request).await?;
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await?;
            std::io::Result::Ok(bytes)
        };
        parse(&runtime.block_on(talk).expect("an answer"))
    }

    /// An attempt to sign in from another address of this machine.
    pub fn try_from(&self, from: [u8; 4], name: &str, password: &str) -> Answer {
        let body = serde_json::json!({ "user": name, "password": password }).to_string();
        let head = format!(
            "POST /api/login HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.send_from(from, head.as_bytes())
    }

    /// The storage folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
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

    /// A form of the site's own pages.
    pub fn post(&self, token: &Token, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = [
            ("Cookie", cookie(token)),
            ("Origin", self.origin()),
            ("Content-Type", "application/x-www-form-urlencoded".to_owned()),
        ];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.ask("POST", path, &headers, body.as_bytes())
    }

    /// Signs in by name and password; `None` if refused.
    pub fn sign_in(&self, name: &str, password: &str) -> Option<Token> {
        let body = serde_json::json!({ "user": name, "password": password }).to_string();
        let answer = self.ask("POST", "/api/login", &[("Content-Type", "application/json")], body.as_bytes());
        token_of(&answer)
    }

    /// The actions in the log, newest first, with the names of who did them.
    pub fn log(&self) -> Vec<(String, String)> {
        let rows = self.get(&self.anna, "/api/audit?limit=1000").json();
        let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        rows.as_array().expect("rows").iter().map(|row| (text(row, "user"), text(row, "action"))).collect()
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

fn serve(listener: TcpListener, site: &Arc<Site>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("non-blocking");
        rustix::net::sockopt::set_socket_send_buffer_size(&listener, web::SEND_BUFFER).expect("a buffer");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let service = web::router(Arc::clone(site)).into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await.expect("served");
    });
}

fn people(writer: &Writer, now: UtcMicros, tokens: [&Token; 3], link: &Token, api: &Token) -> [UserId; 3] {
    let phc = password::hash(&Secret::new(PASSWORD), [3; 16]);
    let hashes = tokens.map(Token::hash);
    let (link, api) = (link.hash(), api.hash());
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
        sessions::insert(tx, &api, made[0], now, later, SessionKind::Api)?;
        sign_in_links::insert(tx, &link, made[0], later)?;
        Ok(made)
    });
    made.expect("written").try_into().expect("three")
}

/// A house where nobody new announces itself, and nobody was refused.
#[derive(Debug)]
struct NobodyFound;

impl Keeper for NobodyFound {
    fn notices(&self, _: &CameraId) -> Vec<String> {
        Vec::new()
    }

    fn stranger(&self, _: &CameraId) -> Option<Stranger> {
        None
    }

    fn adopt_again(&self, _: &CameraId) -> Option<Stranger> {
        None
    }

    fn found(&self) -> Vec<Candidate> {
        Vec::new()
    }

    fn try_out(&self, _: Wish) -> BoxFuture<'_, Result<Trial, String>> {
        Box::pin(async { Err("Nobody answers.".to_owned()) })
    }

    fn picture(&self, _: &str) -> Option<Bytes> {
        None
    }

    fn set_motion(&self, _: CameraId, _: Motion) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Err("There is no configuration.".to_owned()) })
    }

    fn replay(&self, _: Vec<Motion>) -> Result<Replay, String> {
        Err("There is no decoder here.".into())
    }

    fn set_retention(&self, _: Retention) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Err("There is no configuration.".to_owned()) })
    }

    fn add(&self, _: String, _: String) -> BoxFuture<'_, Result<CameraId, String>> {
        Box::pin(async { Err("Nobody was tried.".to_owned()) })
    }
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
        web: Web {
            listen: ([127, 0, 0, 1], 0).into(),
            tls: Tls::Off,
            hosts: vec!["nvr.home.arpa".into()],
            proxies: Vec::new(),
        },
        discovery: Discovery { mdns: false, onvif: false, auto_add: false },
        cameras: BTreeMap::new(),
    }
}
