//! A look at a camera that is not set up yet: connect, sign in, watch for some seconds, take a picture. Nothing is recorded.

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::app::identities::Identities;
use crate::app::random;
use crate::camera::identity::{Evidence, Judge, Verdict, Who, verdict};
use crate::camera::packet::{Delivery, Track, VideoCodec};
use crate::camera::session::{self, Purpose, Target};
use crate::camera::status::{Link, StreamStatus};
use crate::config::in_household;
use crate::config::settings::{CameraUrl, Credentials, Motion, Transport};
use crate::detect;
use crate::units::{CameraId, Clock};
use crate::web::texts::{say, say_with};
use crate::web::trouble;

/// How long a camera may take to its first picture.
const FIRST_PICTURE: Duration = Duration::from_secs(12);
/// How long it is watched for its second key frame; most cameras need a second or two.
const WATCH: Duration = Duration::from_secs(11);
/// How long the decoder may take for a picture.
const STILL: Duration = Duration::from_secs(5);
/// From this on, live pictures and clips begin noticeably late.
const RARE_KEY_FRAMES: Duration = Duration::from_secs(4);
/// Packets that may wait for the decoder.
const QUEUE: usize = 256;

/// What is to be looked at.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    pub(crate) name: String,
    pub(crate) main: CameraUrl,
    pub(crate) small: Option<CameraUrl>,
    /// What is known of it already, one sentence each.
    pub(crate) facts: Vec<String>,
    pub(crate) serial: Option<String>,
}

/// What was seen.
#[derive(Debug, Clone)]
pub(crate) struct Tried {
    pub(crate) name: String,
    pub(crate) main: CameraUrl,
    pub(crate) small: Option<CameraUrl>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) evidence: Evidence,
    pub(crate) address: IpAddr,
    pub(crate) facts: Vec<String>,
    pub(crate) advice: Vec<String>,
    pub(crate) picture: Option<Bytes>,
}

/// Remembers who answered, and refuses who is a camera of the household already.
#[derive(Debug)]
struct Witness {
    identities: Arc<Identities>,
    seen: Mutex<Option<(Evidence, IpAddr)>>,
}

impl Judge for Witness {
    fn allows(&self, address: IpAddr) -> bool {
        in_household(address)
    }

    fn wants_uuid(&self) -> bool {
        true
    }

    fn judge(&self, found: &Evidence, address: IpAddr) -> Verdict {
        if let Some(camera) = self.identities.who_is(found) {
            return Verdict::Refused { expected: Who::New, found: Who::SetUpAs(camera) };
        }
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((found.clone(), address));
        verdict(found, found)
    }

    fn hurry(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }
}

/// Looks; an error is a sentence for the owner. Takes up to about half a minute; may be cancelled.
pub(crate) async fn run(
    identities: &Arc<Identities>,
    exe: &Path,
    clock: &Clock,
    streams: Streams,
    credentials: Option<Credentials>,
) -> Result<Tried, String> {
    let camera: CameraId = "candidate".parse().expect("an id");
    let witness = Arc::new(Witness { identities: Arc::clone(identities), seen: Mutex::default() });
    let target = Target {
        camera: camera.clone(),
        url: streams.main.clone(),
        credentials: credentials.clone(),
        transport: Transport::Tcp,
        audio: false,
        purpose: Purpose::Record,
        ear: None,
    };
    let stop = CancellationToken::new();
    let _stops = stop.clone().drop_guard();
    let (status, mut watched) = watch::channel(StreamStatus::new(clock.now()));
    let (packets, to_decoder) = mpsc::channel(QUEUE);
    let (snapshots, asked) = mpsc::channel(1);
    let sink = move |delivery| {
        if let Delivery::Packet(packet) = delivery
            && packet.track == Track::Video
        {
            // A decoder that is behind shows the next one.
            let _ = packets.try_send(packet);
        }
    };
    let session = session::run(target, witness.clone(), clock.clone(), stop.clone(), status, sink);
    let decoding = detect::task::run(
        detect::task::Task {
            camera,
            settings: Motion { enabled: false, ..Motion::default() },
            exe: exe.to_owned(),
            packets: to_decoder,
            stop: stop.clone(),
            snapshots: asked,
            before: None,
            keep: mpsc::channel(1).0,
            previews: None,
            counters: Arc::default(),
        },
        random::bytes::<8>,
        |_| {},
    );
    let looking = async {
        let settled = watched.wait_for(|status| status.link == Link::Streaming || status.error.is_some());
        let first = match tokio::time::timeout(FIRST_PICTURE, settled).await {
            Ok(Ok(status)) => status.error.as_ref().map(trouble::of),
            Ok(Err(_)) => Some(say("The look at the camera broke off.").to_owned()),
            Err(_) => Some(say("The camera sent no picture.").to_owned()),
        };
        if let Some(error) = first {
            return Err(error);
        }
        let twice = watched.wait_for(|status| status.key_frame_interval.is_some());
        // One that has none in this time has too few.
        let _ = tokio::time::timeout(WATCH, twice).await;
        let status = watched.borrow().clone();
        let (answer, picture) = oneshot::channel();
        let taken = async {
            snapshots.send(answer).await.ok()?;
            picture.await.ok()
        };
        let picture = tokio::time::timeout(STILL, taken).await.ok().flatten();
        Ok((status, picture))
    };
    let looked = tokio::select! {
        looked = looking => looked,
        () = async { tokio::join!(session, decoding); } => Err(say("The look at the camera broke off.").to_owned()),
    };
    let (status, picture) = looked?;
    let seen = witness.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (mut evidence, address) = seen.ok_or(say("The look at the camera broke off."))?;
    evidence.serial.clone_from(&streams.serial);
    let (mut facts, advice) = in_words(&status, &evidence, streams.small.is_some());
    facts.splice(0..0, streams.facts);
    let Streams { name, main, small, .. } = streams;
    Ok(Tried { name, main, small, credentials, evidence, address, facts, advice, picture })
}

fn in_words(status: &StreamStatus, evidence: &Evidence, has_small: bool) -> (Vec<String>, Vec<String>) {
    let mut facts = Vec::new();
    let mut advice = Vec::new();
    if let Some(parameters) = &status.parameters {
        let codec = match parameters.video.codec {
            VideoCodec::H264 => "H.264",
            VideoCodec::H265 => "H.265",
            VideoCodec::Jpeg => "Motion JPEG",
        };
        facts.push(say_with(
            "Its main stream has {width} × {height} pixels in {codec}.",
            &[("width", &parameters.video.width), ("height", &parameters.video.height), ("codec", &codec)],
        ));
        if parameters.video.codec == VideoCodec::H265 {
            advice.push(say("Not every browser shows H.265; H.264 is shown by all.").to_owned());
        }
        if !has_small && parameters.video.width > 1280 {
            advice.push(
                say("It has no small stream that is known; motion is looked for in the large one, which costs much work.")
                    .to_owned(),
            );
        }
    }
    facts.push(match evidence.mac {
        Some(mac) => say_with("It will be known by its MAC address {mac}, wherever it goes.", &[("mac", &mac)]),
        None => {
            say("Its network card cannot be seen from here, so it is harder to tell from another camera.").to_owned()
        }
    });
    match status.key_frame_interval {
        Some(interval) if interval <= RARE_KEY_FRAMES => {}
        Some(interval) => advice.push(say_with(
            "It sends a key frame every {seconds} s: set it to 2 s or less in the camera, so that pictures and clips begin at \
             once.",
            &[("seconds", &interval.as_secs())],
        )),
        None => advice.push(say_with(
            "It sends a key frame less than every {seconds} s: set it to 2 s or less in the camera, so that pictures and clips \
             begin at once.",
            &[("seconds", &WATCH.as_secs())],
        )),
    }
    (facts, advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::UtcMicros;

    #[test]
    fn rare_key_frames_are_advised_against() {
        let status = |seconds: Option<u64>| StreamStatus {
            key_frame_interval: seconds.map(Duration::from_secs),
            ..StreamStatus::new(UtcMicros(0))
        };
        let advice = |seconds| in_words(&status(seconds), &Evidence::default(), true).1;
        assert!(advice(Some(2)).is_empty());
        assert!(advice(Some(10))[0].contains("every 10 s: set it to 2 s or less"));
        assert!(advice(None)[0].contains("2 s or less"));
    }
}
