//! One client: its requests, its session and its media, in one task. Never waits for another client.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::Camera;
use super::digest::{self, Verdict};
use super::fault;
use super::request::{self, Parsed, Request, RequestError, Response};
use super::rtp::{self, Packetizer};
use super::sdp::{Description, METADATA_TRACK, SOUND_TRACK, TRACK, track_base};
use super::session::{Beside, Player, Session};
use super::stream::Stream;
use super::transport::{Asked, Transport, UdpPair, choose, put_frame, send_packets};

const METHODS: &str = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, SET_PARAMETER, TEARDOWN";

/// No client counts that far.
const WRONG_CSEQ: &str = "987654";

/// A client that takes no bytes for so long is dropped.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// How long the first picture may take.
const PARAMETERS_LIMIT: Duration = Duration::from_secs(10);

/// What the `Session` header promises: silent UDP clients are dropped after it.
const SESSION_TIMEOUT: Duration = Duration::from_secs(60);

/// Between two looks at what was heard and what is to be said.
const BESIDE_PERIOD: Duration = Duration::from_millis(20);

/// Between two sender reports.
const REPORT_PERIOD: Duration = Duration::from_secs(5);

/// Why a connection ended, other than by its client or by `stop`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error(transparent)]
    Socket(#[from] io::Error),
    #[error("sent what is no request: {0}")]
    Request(#[from] RequestError),
    #[error("took no bytes for {} s", WRITE_LIMIT.as_secs())]
    Stuck,
    #[error("fell {0} pictures behind")]
    Slow(u64),
    #[error("was silent for {} s", SESSION_TIMEOUT.as_secs())]
    Silent,
    #[error("the stream ended")]
    StreamEnded,
}

enum Happening {
    Read(usize),
    Picture(Result<Arc<super::nal::AccessUnit>, RecvError>),
    BesideDue,
    Heard,
    ReportDue,
    Fault(fault::Event),
}

pub(crate) struct Connection {
    camera: Arc<Camera>,
    socket: TcpStream,
    local: SocketAddr,
    peer: SocketAddr,
    buffer: BytesMut,
    nonce: String,
    /// Whether it is asked for its password in clear text; unknown until it is asked.
    in_clear_text: Option<bool>,
    session: Option<Session>,
    reports: Interval,
    besides: Interval,
}

impl Connection {
    pub(crate) fn new(camera: Arc<Camera>, socket: TcpStream, peer: SocketAddr) -> Result<Self, ConnectionError> {
        socket.set_nodelay(true)?;
        let mut reports = tokio::time::interval(REPORT_PERIOD);
        reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut besides = tokio::time::interval(BESIDE_PERIOD);
        besides.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            camera,
            local: socket.local_addr()?,
            socket,
            peer,
            buffer: BytesMut::with_capacity(4 * 1024),
            nonce: new_nonce(),
            in_clear_text: None,
            session: None,
            reports,
            besides,
        })
    }

    /// Serves the client until it goes, or until `stop`.
    pub(crate) async fn serve(mut self, stop: CancellationToken) -> Result<(), ConnectionError> {
        let mut now = self.camera.main.elapsed();
        if self.camera.faults.is_away(now) {
            return Ok(());
        }
        loop {
            let event = self.camera.faults.next_event(now);
            let happening = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                read = self.socket.read_buf(&mut self.buffer) => match read {
                    // Players often go without a word.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Happening::Read(0),
                    read => Happening::Read(read?),
                },
                happening = session_happening(self.session.as_mut(), &mut self.reports, &mut self.besides) => happening,
                event = fault_happening(event, self.camera.main.elapsed()) => {
                    now = event.0;
                    Happening::Fault(event.1)
                }
            };
            match happening {
                Happening::Read(0) | Happening::Fault(fault::Event::Drop) => return Ok(()),
                Happening::Read(_) => self.answer_requests().await?,
                Happening::Picture(Ok(unit)) => self.send_picture(&unit).await?,
                Happening::Picture(Err(RecvError::Lagged(missed))) => return Err(ConnectionError::Slow(missed)),
                Happening::Picture(Err(RecvError::Closed)) => return Err(ConnectionError::StreamEnded),
                Happening::BesideDue => {
                    self.send_sound().await?;
                    self.send_words().await?;
                }
                Happening::Heard => self.heard(),
                Happening::ReportDue => self.report().await?,
                Happening::Fault(fault::Event::StrayAnswer) => self.answer_nothing().await?,
            }
        }
    }

    async fn answer_requests(&mut self) -> Result<(), ConnectionError> {
        loop {
            match request::parse(&self.buffer) {
                Ok(Parsed::Partial) => return Ok(()),
                // Receiver reports: a sign of life, nothing more.
                Ok(Parsed::Interleaved(length)) => {
                    self.buffer.advance(length);
                    self.heard();
                }
                Ok(Parsed::Request(request, length)) => {
                    self.buffer.advance(length);
                    self.heard();
                    self.answer(&request).await?;
                }
                Err(error) => {
                    let response = match error {
                        RequestError::TooLong => Response::of(413, "Request Entity Too Large"),
                        RequestError::Malformed => Response::of(400, "Bad Request"),
                        RequestError::Version => Response::of(505, "RTSP Version Not Supported"),
                    };
                    self.write(&response.to_bytes(None)).await?;
                    return Err(error.into());
                }
            }
        }
    }

    async fn answer(&mut self, request: &Request) -> Result<(), ConnectionError> {
        let response = match self.authorize(request) {
            Some(refusal) => refusal,
            None => match request.method.as_str() {
                "OPTIONS" => Response::ok().with("Public", METHODS),
                "DESCRIBE" => self.describe(request).await,
                "SETUP" => self.setup(request).await,
                "PLAY" => self.play(request).await,
                "GET_PARAMETER" | "SET_PARAMETER" => self.keep_alive(request),
                "TEARDOWN" => self.teardown(request),
                "PAUSE" | "RECORD" | "ANNOUNCE" | "REDIRECT" => {
                    Response::of(405, "Method Not Allowed").with("Allow", METHODS)
                }
                _ => Response::of(501, "Not Implemented").with("Public", METHODS),
            },
        };
        let is_confused = self.camera.faults.confuses_answers(self.camera.main.elapsed());
        let number = if is_confused { Some(WRONG_CSEQ) } else { request.header("CSeq") };
        self.write(&response.to_bytes(number)).await
    }

    /// An answer to a question that no player asked.
    async fn answer_nothing(&mut self) -> Result<(), ConnectionError> {
        if self.session.as_ref().is_some_and(|session| session.player.is_some()) {
            self.write(&Response::ok().to_bytes(Some(WRONG_CSEQ))).await?;
        }
        Ok(())
    }

    /// `None` if the client may do this; else the answer that says no.
    fn authorize(&mut self, request: &Request) -> Option<Response> {
        if let Some(feature) = request.header("Require") {
            return Some(Response::of(551, "Option not supported").with("Unsupported", feature));
        }
        let credentials = self.camera.credentials.as_ref().filter(|_| request.method != "OPTIONS")?;
        let realm = &self.camera.realm;
        if let Some(sent) = request.header("Authorization") {
            // Who was sent here by mistake is found by these lines.
            let user = digest::user(sent).unwrap_or_default();
            let scheme = sent.split(' ').next().unwrap_or_default();
            tracing::info!(peer = %self.peer, user, scheme, "somebody sent a password");
        }
        let verdict = request
            .header("Authorization")
            .map_or(Verdict::Wrong, |header| digest::judge(header, &request.method, realm, &self.nonce, credentials));
        if verdict == Verdict::Right {
            return None;
        }
        let others = &self.camera.asked;
        let choose = || self.camera.faults.asks_in_clear_text(others.fetch_add(1, Ordering::Relaxed));
        let challenge = if *self.in_clear_text.get_or_insert_with(choose) {
            format!("Basic realm=\"{realm}\"")
        } else {
            self.nonce = new_nonce();
            digest::challenge(realm, &self.nonce, verdict)
        };
        Some(Response::of(401, "Unauthorized").with("WWW-Authenticate", challenge))
    }

    async fn describe(&mut self, request: &Request) -> Response {
        if request.header("Accept").is_some_and(|types| !types.contains("application/sdp") && !types.contains("*/*")) {
            return Response::of(406, "Not Acceptable");
        }
        let Some(stream) = self.stream(request.path()) else { return Response::not_found() };
        let Ok(parameters) = tokio::time::timeout(PARAMETERS_LIMIT, stream.parameters()).await else {
            return Response::of(503, "Service Unavailable");
        };
        let description = Description {
            name: &self.camera.name,
            serial: self.camera.identity.number(),
            address: self.local.ip(),
            parameters: &parameters,
            fps: stream.fps(),
            sound: self.camera.sound,
            has_metadata: self.camera.metadata.is_some(),
        };
        Response::ok()
            .with("Content-Base", format!("{}/", request::base_of(&request.uri)))
            .with_body("application/sdp", description.to_sdp())
    }

    async fn setup(&mut self, request: &Request) -> Response {
        let path = request.path();
        let beside = Beside::of(path, &self.camera);
        let track = beside.as_ref().map_or(TRACK, Beside::track);
        if track == METADATA_TRACK && self.camera.faults.is_mute() {
            return Response::not_found();
        }
        let path = path.strip_suffix(track).map_or(path, |path| path.trim_end_matches('/'));
        let Some(stream) = self.stream(path) else { return Response::not_found() };
        if let Some(session) = &self.session {
            if session.player.is_some() {
                return Response::of(455, "Method Not Valid in This State");
            }
            if request.header("Session").is_some() && !session.is_named(request) {
                return Response::session_not_found();
            }
        } else if request.header("Session").is_some() {
            return Response::session_not_found();
        }
        let transport = match request.header("Transport").and_then(choose) {
            None => return Response::of(461, "Unsupported Transport"),
            Some(Asked::Interleaved(channels)) => {
                let (rtp, rtcp) = channels.unwrap_or(beside.as_ref().map_or((0, 1), Beside::channels));
                Transport::Interleaved { rtp, rtcp }
            }
            Some(Asked::Udp(rtp, rtcp)) => match UdpPair::bind(self.local.ip(), self.peer.ip(), (rtp, rtcp)).await {
                Ok(pair) => Transport::Udp(Box::new(pair)),
                Err(_) => return Response::of(500, "Internal Server Error"),
            },
        };
        if let Some(beside) = beside {
            // The pictures are set up first, as every client does.
            let Some(session) = &mut self.session else {
                return Response::of(455, "Method Not Valid in This State");
            };
            let response = Response::ok()
                .with("Session", format!("{};timeout={}", session.id, SESSION_TIMEOUT.as_secs()))
                .with("Transport", transport.header(beside.ssrc()));
            match beside {
                Beside::Sound(voice) => session.sound = Some((voice, transport)),
                Beside::Words(words) => session.words = Some((words, transport)),
            }
            return response;
        }
        let now = self.camera.clock.monotonic();
        let session = Session::new(stream, transport, now);
        let response = Response::ok()
            .with("Session", format!("{};timeout={}", session.id, SESSION_TIMEOUT.as_secs()))
            .with("Transport", session.transport.header(session.ssrc()));
        self.session = Some(session);
        response
    }

    async fn play(&mut self, request: &Request) -> Response {
        let Some(session) = self.session.as_mut().filter(|session| session.is_named(request)) else {
            return Response::session_not_found();
        };
        if session.words.is_some() && self.camera.faults.sulks() {
            return Response::of(500, "Internal Server Error");
        }
        if session.player.is_none() {
            let Ok(parameters) = tokio::time::timeout(PARAMETERS_LIMIT, session.stream.parameters()).await else {
                return Response::of(503, "Service Unavailable");
            };
            let mut packetizer = Packetizer::new(parameters.codec, session.random);
            if let Some(offset) = self.camera.faults.timestamp_offset() {
                packetizer = packetizer.with_timestamp_offset(offset);
            }
            session.player = Some(Player::new(session.stream.subscribe(), packetizer));
            self.reports.reset_immediately();
        }
        let Some(player) = &session.player else { return Response::session_not_found() };
        let base = track_base(&request.uri);
        let now = self.camera.faults.sent_as(session.stream.media_now());
        let (sequence, time) = (player.packetizer.sender().next_sequence(), player.packetizer.sender().timestamp(now));
        let mut tracks = format!("url={base}/{TRACK};seq={sequence};rtptime={time}");
        if let Some((voice, _)) = &session.sound {
            let (sequence, time) = (voice.sender().next_sequence(), voice.timestamp(now));
            tracks = format!("{tracks},url={base}/{SOUND_TRACK};seq={sequence};rtptime={time}");
        }
        if let Some((words, _)) = &session.words {
            let (sequence, time) = (words.sender().next_sequence(), words.timestamp(now));
            tracks = format!("{tracks},url={base}/{METADATA_TRACK};seq={sequence};rtptime={time}");
        }
        Response::ok().with("Session", session.id.clone()).with("Range", "npt=now-").with("RTP-Info", tracks)
    }

    fn keep_alive(&mut self, request: &Request) -> Response {
        match (&self.session, request.header("Session")) {
            (Some(session), Some(_)) if session.is_named(request) => Response::ok().with("Session", session.id.clone()),
            (_, Some(_)) => Response::session_not_found(),
            (_, None) => Response::ok(),
        }
    }

    fn teardown(&mut self, request: &Request) -> Response {
        match self.session.take_if(|session| session.is_named(request)) {
            Some(session) => Response::ok().with("Session", session.id),
            None => Response::session_not_found(),
        }
    }

    /// Every picture that goes to a client goes through here.
    async fn send_picture(&mut self, unit: &super::nal::AccessUnit) -> Result<(), ConnectionError> {
        let faults = &self.camera.faults;
        let Some(Session { player: Some(player), transport, stream, .. }) = &mut self.session else { return Ok(()) };
        let now = stream.elapsed();
        if faults.stalls(now) {
            player.begin_anew();
            return Ok(());
        }
        if !player.begins_or_goes_on(unit) {
            return Ok(());
        }
        let mut packets = Vec::new();
        player.packetizer.packetize(unit, faults.sent_as(unit.pts), |packet| packets.push(packet.to_vec()));
        if faults.is_garbage(now) {
            for byte in packets.iter_mut().flat_map(|packet| rtp::payload(packet)) {
                *byte = player.chance().to_be_bytes()[0];
            }
        }
        let bytes = send_packets(packets, transport, || faults.loses(player.chance())).await;
        self.write(&bytes).await
    }

    /// What was heard since the last time.
    async fn send_sound(&mut self) -> Result<(), ConnectionError> {
        let faults = &self.camera.faults;
        let Some(Session { player: Some(player), sound: Some((voice, transport)), stream, .. }) = &mut self.session
        else {
            return Ok(());
        };
        let now = stream.elapsed();
        let packets = voice.due(now, |ticks| faults.sent_as(ticks));
        if faults.stalls(now) || !player.has_begun() {
            return Ok(());
        }
        let bytes = send_packets(packets, transport, || faults.loses(player.chance())).await;
        self.write(&bytes).await
    }

    /// What is to be said of what it sees.
    async fn send_words(&mut self) -> Result<(), ConnectionError> {
        let faults = &self.camera.faults;
        let Some(Session { player: Some(player), words: Some((words, transport)), stream, .. }) = &mut self.session
        else {
            return Ok(());
        };
        let now = stream.elapsed();
        if faults.stalls(now) || !player.has_begun() {
            return Ok(());
        }
        let packets = words.due(now, faults, |ticks| faults.sent_as(ticks));
        let bytes = send_packets(packets, transport, || faults.loses(player.chance())).await;
        self.write(&bytes).await
    }

    async fn report(&mut self) -> Result<(), ConnectionError> {
        let now = self.camera.clock.monotonic();
        let Some(session) = &mut self.session else { return Ok(()) };
        let Some(player) = session.player.as_ref().filter(|_| !self.camera.faults.is_rtcp_silent()) else {
            return Ok(());
        };
        let utc = self.camera.clock.now();
        let (media, name) = (self.camera.faults.sent_as(session.stream.media_now()), &self.camera.realm);
        let pictures = player.packetizer.sender();
        let mut reports = vec![(pictures.report(utc, pictures.timestamp(media), name), &session.transport)];
        if let Some((voice, transport)) = &session.sound {
            reports.push((voice.sender().report(utc, voice.timestamp(media), name), transport));
        }
        if let Some((words, transport)) = &session.words {
            reports.push((words.sender().report(utc, words.timestamp(media), name), transport));
        }
        let mut bytes = Vec::new();
        for (report, transport) in reports {
            match transport {
                Transport::Interleaved { rtcp, .. } => put_frame(&mut bytes, *rtcp, &report),
                Transport::Udp(_) if now.since(session.heard) > SESSION_TIMEOUT => return Err(ConnectionError::Silent),
                Transport::Udp(pair) => drop(pair.rtcp.send_to(&report, pair.rtcp_to).await),
            }
        }
        self.write(&bytes).await
    }

    fn heard(&mut self) {
        if let Some(session) = &mut self.session {
            session.heard = self.camera.clock.monotonic();
        }
    }

    fn stream(&self, path: &str) -> Option<Arc<Stream>> {
        match path {
            "main" => Some(Arc::clone(&self.camera.main)),
            "sub" => Some(Arc::clone(&self.camera.sub)),
            _ => None,
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), ConnectionError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let written = tokio::time::timeout(WRITE_LIMIT, self.socket.write_all(bytes)).await;
        Ok(written.map_err(|_| ConnectionError::Stuck)??)
    }
}

/// The next thing that concerns the session; never, if nothing plays. May be cancelled.
async fn session_happening(session: Option<&mut Session>, reports: &mut Interval, besides: &mut Interval) -> Happening {
    let Some(Session { player: Some(player), transport, sound, words, .. }) = session else { return pending().await };
    let receiver_report = async {
        match transport {
            Transport::Interleaved { .. } => pending().await,
            Transport::Udp(pair) => {
                // Read and forgotten; an error (a client's closed port) is no sign of life.
                let mut datagram = [0; 1500];
                if pair.rtcp.recv_from(&mut datagram).await.is_err() {
                    pending::<()>().await;
                }
            }
        }
    };
    tokio::select! {
        picture = player.pictures.recv() => Happening::Picture(picture),
        () = receiver_report => Happening::Heard,
        _ = reports.tick() => Happening::ReportDue,
        _ = besides.tick(), if sound.is_some() || words.is_some() => Happening::BesideDue,
    }
}

/// The next fault's moment and what it is; never, if there is none. `now` is the camera's time. May be cancelled.
async fn fault_happening(event: Option<(Duration, fault::Event)>, now: Duration) -> (Duration, fault::Event) {
    let Some(event) = event else { return pending().await };
    tokio::time::sleep(event.0.saturating_sub(now)).await;
    event
}

fn new_nonce() -> String {
    format!("{:032x}", u128::from_be_bytes(super::random()))
}
