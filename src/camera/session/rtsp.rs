//! The source that speaks RTSP, built on retina.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use retina::client::{
    Demuxed, Described, InitialTimestampPolicy, PlayOptions, Session, SessionGroup, SessionIdPolicy, SessionOptions,
    SetupOptions, UnknownRtcpSsrcPolicy,
};
use retina::codec::{CodecItem, FrameFormat, ParametersRef};
use tokio::time::Instant;
use url::Url;

use crate::camera::identity::{Evidence, Judge, StreamShape, Verdict, neighbour};
use crate::camera::onvif;
use crate::camera::packet::{StreamParameters, Track, VideoCodec};
use crate::camera::session::audio::Audio;
use crate::camera::session::datagrams::Datagrams;
use crate::camera::session::departure::{group_of, leave};
use crate::camera::session::ear::{Listener, Rest};
use crate::camera::session::error::{CameraError, Trouble, first_line, of_retina, track_of};
use crate::camera::session::look::{self, Challenge, Question};
use crate::camera::session::parameters;
use crate::camera::session::recognise::still_there;
use crate::camera::session::slices::{begins, is_irap};
use crate::camera::session::source::{Frame, Frames, Item, Source};
use crate::camera::session::{Purpose, Target};
use crate::config::settings::Transport;
use crate::units::MediaTicks;

/// One camera's RTSP server.
pub(crate) struct Rtsp {
    target: Target,
    judge: Arc<dyn Judge>,
    /// Who answered, as far as it is known; of this connection.
    known: Known,
    challenge: Challenge,
    /// It has a password of ours but did not ask for it; then it is not looked at before each connection.
    asks_nothing: bool,
    described: Option<Session<Described>>,
    /// When the connection that the pictures come on was begun.
    opened: Instant,
    group: Arc<SessionGroup>,
    /// From listening to what it says of motion.
    rest: Arc<Rest>,
}

/// Who answered, and where.
struct Known {
    address: SocketAddr,
    evidence: Evidence,
}

impl Known {
    fn nobody() -> Self {
        Self { address: SocketAddr::from(([0, 0, 0, 0], 0)), evidence: Evidence::default() }
    }
}

impl Rtsp {
    /// Nothing is sent yet.
    pub(crate) fn new(target: Target, judge: Arc<dyn Judge>) -> Self {
        let group = group_of(&target.camera, &format!("{}:{}", target.url.host(), target.url.port()));
        Self {
            target,
            judge,
            known: Known::nobody(),
            challenge: Challenge::None,
            asks_nothing: false,
            described: None,
            opened: Instant::now(),
            group,
            rest: Arc::default(),
        }
    }

    /// Where the camera is: one address, used for everything until the next attempt, so that a name cannot lead elsewhere
    /// between the look and the password.
    async fn resolve(&self) -> Result<SocketAddr, CameraError> {
        let (host, port) = (self.target.url.host(), self.target.url.port());
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let unknown = || CameraError::Unreachable {
            host: format!("{host}:{port}"),
            reason: "no address is known for this name".to_owned(),
        };
        let found = tokio::net::lookup_host((bare, port)).await.map_err(|_| unknown())?;
        let found: Vec<_> = found.collect();
        let first = found.first().ok_or_else(unknown)?;
        let allowed = found.iter().find(|address| self.judge.allows(address.ip()));
        allowed.copied().ok_or(CameraError::OutsideLan { address: first.ip() })
    }

    /// The configured URL at the address that was looked at.
    fn url(&self) -> Url {
        let mut url = self.target.url.as_url().clone();
        // An RTSP URL can have any host.
        let _ = url.set_ip_host(self.known.address.ip());
        url
    }

    /// Refuses whoever is not the camera.
    fn check(&self) -> Result<(), CameraError> {
        match self.judge.judge(&self.known.evidence, self.known.address.ip()) {
            Verdict::Refused { expected, found } => Err(CameraError::NotTheCamera { expected, found }),
            Verdict::Weak { why } => {
                tracing::debug!(camera = %self.target.camera, %why, "it is not certain which camera this is");
                Ok(())
            }
            Verdict::Same => Ok(()),
        }
    }

    fn path(&self) -> &str {
        self.target.url.as_url().path()
    }

    fn lost(&self, error: &retina::Error) -> CameraError {
        match of_retina(error, self.path()) {
            Trouble::Lost(CameraError::WrongPassword) if self.challenge == Challenge::None => {
                if self.target.credentials.is_none() { CameraError::NeedsPassword } else { CameraError::AsksLate }
            }
            Trouble::Lost(error) => error,
            Trouble::Skipped(detail) => CameraError::Protocol { detail },
        }
    }

    fn options(&self) -> SessionOptions {
        let credentials = match (self.challenge, &self.target.credentials) {
            (Challenge::Digest, Some(own)) => Some(retina::client::Credentials {
                username: own.username.clone(),
                password: own.password.expose().to_owned(),
            }),
            _ => None,
        };
        SessionOptions::default()
            .creds(credentials)
            .user_agent(crate::camera::session::USER_AGENT.to_owned())
            .session_group(Arc::clone(&self.group))
            .session_id(SessionIdPolicy::UseFirst)
    }

    /// Sets one track up: the configured way first, over UDP where the camera will not have TCP.
    async fn set_up(&self, session: &mut Session<Described>, track: usize) -> Result<Option<Datagrams>, CameraError> {
        if let Some(control) = session.streams()[track].control().cloned() {
            self.same_machine(&control)?;
        }
        let options = |transport| SetupOptions::default().transport(transport).frame_format(FrameFormat::MP4);
        let udp = || retina::client::Transport::Udp(retina::client::UdpTransportOptions::default());
        if self.target.transport == Transport::Tcp {
            let tcp = retina::client::Transport::Tcp(retina::client::TcpTransportOptions::default());
            match session.setup(track, options(tcp)).await {
                Err(error) if error.status_code() == Some(461) => {}
                done => return done.map(|()| None).map_err(|error| self.lost(&error)),
            }
        }
        let datagrams = Datagrams::begin();
        session.setup(track, options(udp())).await.map(|()| Some(datagrams)).map_err(|error| self.lost(&error))
    }

    /// A stream's URL that names another machine is a trick or a fault; either way not ours to follow. A camera that was
    /// asked by its name may answer with its address.
    fn same_machine(&self, control: &Url) -> Result<(), CameraError> {
        let host = self.target.url.host();
        let theirs = control.host_str().unwrap_or_default();
        let elsewhere = || CameraError::Elsewhere { to: first_line(theirs) };
        if control.scheme() != "rtsp" {
            return Err(elsewhere());
        }
        if theirs.eq_ignore_ascii_case(host) {
            return Ok(());
        }
        let address: IpAddr = theirs.trim_matches(['[', ']']).parse().map_err(|_| elsewhere())?;
        if address == self.known.address.ip() { Ok(()) } else { Err(elsewhere()) }
    }
}

impl Source for Rtsp {
    type Frames = Playing;

    async fn ask(&mut self) -> Result<(), CameraError> {
        self.described = None;
        self.challenge = Challenge::None;
        let address = self.resolve().await?;
        self.known = Known { address, evidence: Evidence::default() };
        leave(&self.group).await;
        let url = self.url();
        let question = if self.target.credentials.is_some() && !self.asks_nothing {
            Question::Describe
        } else {
            Question::Options
        };
        let answer = look::ask(&url, address, question).await?;
        self.known.evidence.mac = neighbour::card_behind(address.ip(), answer.connected_for);
        if question == Question::Describe {
            self.known.evidence.asks = answer.asks();
        }
        if self.judge.wants_uuid() {
            self.known.evidence.uuid = onvif::ask_id(address.ip()).await;
        }
        // Who it is comes before what it says: a stranger's complaint is none of the camera's.
        self.check()?;
        let mut first_connection = None;
        if question == Question::Describe {
            self.challenge = answer.challenge()?;
            self.asks_nothing = self.challenge == Challenge::None;
            first_connection = Some(answer.connection).filter(|_| self.asks_nothing);
        }
        self.opened = Instant::now();
        let described = Session::describe(url.clone(), self.options()).await;
        drop(first_connection);
        match described {
            Ok(session) => {
                let shape = StreamShape::of(session.sdp());
                self.known.evidence.streams.insert(first_line(self.path()), shape);
                self.check()?;
                self.described = Some(session);
            }
            Err(error) if error.status_code().is_none_or(|status| (300..400).contains(&status)) => {
                // The library's words are for programmers: see who is there, to tell it to the household.
                look::ask(&url, address, Question::Describe).await?.challenge()?;
                return Err(self.lost(&error));
            }
            Err(error) => {
                self.asks_nothing = false;
                return Err(self.lost(&error));
            }
        }
        Ok(())
    }

    async fn play(&mut self) -> Result<Playing, CameraError> {
        let Some(session) = self.described.take() else { return Err(CameraError::Ended) };
        let listener = self.target.ear.as_ref().and_then(|ear| Listener::of(ear, session.streams(), &self.rest));
        let listens = listener.is_some();
        match self.begin(session, listener).await {
            Err(error) if listens => {
                // It may not go along with that one track: the pictures matter more.
                tracing::warn!(camera = %self.target.camera, %error, "asks again, without what the camera says of motion");
                self.ask().await?;
                let Some(session) = self.described.take() else { return Err(CameraError::Ended) };
                self.begin(session, None).await
            }
            done => done,
        }
    }
}

impl Rtsp {
    async fn begin(
        &self,
        mut session: Session<Described>,
        mut listener: Option<Listener>,
    ) -> Result<Playing, CameraError> {
        let tracks = choose(&session, &self.target, listener.as_ref())?;
        let mut datagrams = [self.set_up(&mut session, tracks.video).await?, None];
        let mut audio = None;
        if let Some(found) = tracks.audio {
            match self.set_up(&mut session, found.track()).await {
                Ok(own) => (audio, datagrams[1]) = (Some(found), own),
                Err(error) => tracing::warn!(camera = %self.target.camera, %error, "the camera's sound is left out"),
            }
        }
        if let Some(track) = listener.as_ref().map(Listener::track)
            && let Err(error) = self.set_up(&mut session, track).await
        {
            tracing::info!(camera = %self.target.camera, %error, "what the camera says of motion is left out");
            listener = None;
        }
        // Sound is laid beside pictures by the times that the camera tells for each track at the start, and it is all of them or
        // none: a track that is told none must not cost the others theirs.
        let initial = match (&audio, &listener) {
            (Some(_), Some(_)) => InitialTimestampPolicy::Require,
            _ => InitialTimestampPolicy::Permissive,
        };
        let options =
            PlayOptions::default().initial_timestamp(initial).unknown_rtcp_ssrc(UnknownRtcpSsrcPolicy::DropPackets);
        let session = session.play(options).await.map_err(|error| self.lost(&error))?;
        still_there(&self.known.evidence, self.known.address.ip(), self.opened).await?;
        let demuxed = session.demuxed().map_err(|error| self.lost(&error))?;
        let path = self.path().to_owned();
        let group = Arc::clone(&self.group);
        Ok(Playing {
            demuxed,
            video: tracks.video,
            audio,
            listener,
            parameters: None,
            path,
            group,
            _datagrams: datagrams,
        })
    }
}

/// Which of a camera's tracks are used.
struct Tracks {
    video: usize,
    audio: Option<Audio>,
}

fn choose(session: &Session<Described>, target: &Target, listener: Option<&Listener>) -> Result<Tracks, CameraError> {
    let streams = session.streams();
    let usable = |name: &str| match name {
        "h264" | "h265" => true,
        "jpeg" => target.purpose == Purpose::Watch,
        _ => false,
    };
    let video = streams.iter().position(|stream| stream.media() == "video" && usable(stream.encoding_name()));
    let Some(video) = video else {
        let codec = streams.iter().find(|stream| stream.media() == "video").map(retina::client::Stream::encoding_name);
        let codec = first_line(codec.unwrap_or("no pictures"));
        return Err(CameraError::UnsupportedCodec { codec });
    };
    let mut audio = None;
    for (track, stream) in streams.iter().enumerate() {
        if track == video || listener.is_some_and(|listener| listener.track() == track) {
            continue;
        }
        let found = Audio::of(track, stream).filter(|_| target.audio && audio.is_none());
        if found.is_some() {
            audio = found;
        } else {
            let (media, encoding) = (stream.media(), stream.encoding_name());
            tracing::info!(camera = %target.camera, ?media, ?encoding, "a track is left out");
        }
    }
    Ok(Tracks { video, audio })
}

/// A stream that plays.
pub(crate) struct Playing {
    demuxed: Demuxed,
    video: usize,
    audio: Option<Audio>,
    listener: Option<Listener>,
    parameters: Option<Arc<StreamParameters>>,
    path: String,
    group: Arc<SessionGroup>,
    /// Counted as long as it plays.
    _datagrams: [Option<Datagrams>; 2],
}

impl Playing {
    /// Reads the parameters anew; keeps the `Arc` where nothing changed.
    fn refresh(&mut self) -> Result<(), CameraError> {
        let Some(ParametersRef::Video(video)) = self.demuxed.streams()[self.video].parameters() else {
            return Ok(());
        };
        let video = parameters::video(video)?;
        let parameters = StreamParameters { video, audio: self.audio.as_ref().map(Audio::parameters) };
        if self.parameters.as_deref() != Some(&parameters) {
            self.parameters = Some(Arc::new(parameters));
        }
        Ok(())
    }

    fn listens_to(&self, track: Option<usize>) -> bool {
        self.listener.as_ref().is_some_and(|listener| Some(listener.track()) == track)
    }

    fn video_frame(&mut self, frame: retina::codec::VideoFrame) -> Result<Frame, Trouble> {
        if self.parameters.is_none() || frame.has_new_parameters() {
            self.refresh().map_err(Trouble::Lost)?;
        }
        let codec = self.parameters.as_ref().map(|parameters| parameters.video.codec);
        let whole = frame.loss() == 0 || codec.is_some_and(|codec| begins(codec, frame.data()));
        let is_irap = codec == Some(VideoCodec::H265) && is_irap(frame.data());
        Ok(Frame {
            track: Track::Video,
            parameters: self.parameters.clone(),
            pts: ticks(frame.timestamp()),
            is_key: (frame.is_random_access_point() || is_irap) && whole,
            lost: frame.loss().into(),
            data: Bytes::from(frame.into_data()),
        })
    }
}

pub(super) fn ticks(timestamp: retina::Timestamp) -> MediaTicks {
    let rate: NonZeroU32 = timestamp.clock_rate();
    MediaTicks { ticks: timestamp.elapsed(), rate }
}

impl Frames for Playing {
    async fn next(&mut self) -> Result<Item, Trouble> {
        loop {
            if let Some(frame) = self.audio.as_mut().and_then(Audio::pop) {
                return Ok(Item::Frame(frame));
            }
            if let Some(listener) = &mut self.listener {
                listener.check(&self.demuxed.streams()[listener.track()])?;
            }
            let item = match self.demuxed.next().await {
                None => return Err(Trouble::Lost(CameraError::Ended)),
                Some(Err(error)) => match of_retina(&error, &self.path) {
                    // What nobody records is no reason to leave out a picture.
                    Trouble::Skipped(_) if self.listens_to(track_of(&error)) => return Ok(Item::Misheard),
                    trouble => return Err(trouble),
                },
                Some(Ok(item)) => item,
            };
            match item {
                CodecItem::VideoFrame(frame) => {
                    if let Some(listener) = &self.listener {
                        listener.goes_well();
                    }
                    return self.video_frame(frame).map(Item::Frame);
                }
                CodecItem::AudioFrame(frame) => {
                    if let Some(audio) = &mut self.audio {
                        audio.push(&frame, self.parameters.as_ref());
                    }
                }
                CodecItem::MessageFrame(message) if self.listens_to(Some(message.stream_id())) => {
                    if message.loss() > 0 {
                        return Ok(Item::Misheard);
                    }
                    let said = onvif::read_metadata(message.data());
                    if !said.is_empty() {
                        return Ok(Item::Said(said));
                    }
                }
                _ => {}
            }
        }
    }

    fn tells_motion(&self) -> bool {
        self.listener.is_some()
    }

    async fn end(self) {
        let Self { demuxed, group, .. } = self;
        // Dropping it sends the TEARDOWN from a task of the library's own.
        drop(demuxed);
        leave(&group).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::identity::Anybody;

    #[test]
    fn a_stream_is_followed_to_the_camera_s_own_address_only() {
        let target = |url: &str| Target {
            camera: "porch".parse().expect("an id"),
            url: url.parse().expect("a camera URL"),
            credentials: None,
            transport: Transport::Tcp,
            audio: false,
            purpose: Purpose::Record,
            ear: None,
        };
        let mut source = Rtsp::new(target("rtsp://localhost:8554/main"), Arc::new(Anybody));
        source.known.address = ([127, 0, 0, 1], 8554).into();
        for (control, same) in [
            ("rtsp://LOCALHOST/track1", true),
            ("rtsp://127.0.0.1:8554/track1", true),
            ("rtsp://127.0.0.9/track1", false),
            ("rtsp://other.local/track1", false),
            ("http://localhost/track1", false),
        ] {
            let control = Url::parse(control).expect("a URL");
            assert_eq!(source.same_machine(&control).is_ok(), same, "{control}");
        }
    }
}
