use std::num::NonZeroU32;

use super::*;
use crate::camera::packet::{AudioParameters, VideoCodec, VideoParameters};
use crate::media::testing::{Household, decode_all, ffprobe, film, id};
use crate::units::{MediaTicks, Monotonic, UtcMicros};

fn parameters(width: u32) -> Arc<StreamParameters> {
    let video = VideoParameters {
        codec: VideoCodec::H264,
        rfc6381: "avc1.4d401f".to_owned(),
        width,
        height: 180,
        sample_entry: Bytes::from_static(&[0, 0, 0, 8, b'a', b'v', b'c', b'1']),
        parameter_sets: Bytes::new(),
    };
    Arc::new(StreamParameters { video, audio: None })
}

fn packet(parameters: &Arc<StreamParameters>, session: u64, number: i64, is_key: bool, size: usize) -> Packet {
    Packet {
        parameters: Arc::clone(parameters),
        session,
        track: Track::Video,
        pts: MediaTicks { ticks: number * 3000, rate: NonZeroU32::new(90_000).expect("not zero") },
        received: UtcMicros::EPOCH,
        received_monotonic: Monotonic::default(),
        is_key,
        lost_before: 0,
        data: vec![u8::try_from(number % 256).expect("a byte"); size].into(),
    }
}

struct Scene {
    household: Arc<Household>,
    rings: Rings,
    parameters: Arc<StreamParameters>,
    session: u64,
    number: i64,
}

impl Scene {
    fn new() -> Self {
        Self { household: Arc::default(), rings: Rings::new(), parameters: parameters(320), session: 1, number: 0 }
    }

    fn push(&mut self, is_key: bool) {
        self.push_sized(is_key, 10);
    }

    fn push_sized(&mut self, is_key: bool, size: usize) {
        let packet = packet(&self.parameters, self.session, self.number, is_key, size);
        self.number += 1;
        self.rings.push(&id("porch"), Stream::Main, &packet);
    }

    fn watch(&self) -> Subscription {
        subscribe(&self.household.proof("porch", Right::Live), &self.rings, Stream::Main, Wanted::Pictures)
            .expect("a stream")
    }
}

/// The item that is there now; `None` if it would wait.
fn now(viewer: &mut Subscription) -> Option<LiveItem> {
    viewer.next().now_or_never()
}

/// The number of the picture in the fragment that is there now.
fn picture(viewer: &mut Subscription) -> u8 {
    match now(viewer) {
        Some(LiveItem::Fragment(bytes)) => *bytes.last().expect("a picture"),
        other => panic!("no picture but {other:?}"),
    }
}

fn width(viewer: &mut Subscription) -> u32 {
    match now(viewer) {
        Some(LiveItem::Parameters { width, .. }) => width,
        other => panic!("no parameters but {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_viewer_begins_at_the_newest_key_frame_at_once() {
    let mut scene = Scene::new();
    for number in 0..8 {
        scene.push(number % 3 == 0);
    }
    let mut viewer = scene.watch();
    assert_eq!(width(&mut viewer), 320);
    assert_eq!([picture(&mut viewer), picture(&mut viewer)], [6, 7]);
    assert_eq!(now(&mut viewer), None);
    scene.push(false);
    assert_eq!(picture(&mut viewer), 8);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_shown_before_a_key_frame() {
    let mut scene = Scene::new();
    scene.push(false);
    let mut viewer = scene.watch();
    assert_eq!(now(&mut viewer), None);
    scene.push(true);
    assert_eq!((width(&mut viewer), picture(&mut viewer)), (320, 1));
}

#[tokio::test(start_paused = true)]
async fn all_viewers_share_the_same_bytes() {
    let mut scene = Scene::new();
    scene.push(true);
    let (mut one, mut other) = (scene.watch(), scene.watch());
    assert_eq!((width(&mut one), width(&mut other)), (320, 320));
    let (Some(LiveItem::Fragment(one)), Some(LiveItem::Fragment(other))) = (now(&mut one), now(&mut other)) else {
        panic!("no pictures");
    };
    assert_eq!(one.as_ptr(), other.as_ptr());
    assert_eq!(scene.rings.viewers(), [(id("porch"), Stream::Main, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_who_is_a_little_late_loses_nothing_and_a_slow_one_goes_on_at_a_key_frame() {
    let mut scene = Scene::new();
    scene.push(true);
    let (mut late, mut slow) = (scene.watch(), scene.watch());
    assert_eq!((width(&mut late), picture(&mut late)), (320, 0));
    assert_eq!((width(&mut slow), picture(&mut slow)), (320, 0));
    scene.push(false);
    scene.push(true);
    assert_eq!([picture(&mut late), picture(&mut late)], [1, 2]);
    scene.push(true);
    scene.push(false);
    assert_eq!([picture(&mut slow), picture(&mut slow)], [3, 4]);
    assert_eq!(now(&mut slow), None);
    assert_eq!([picture(&mut late), picture(&mut late)], [3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_too_large_is_left_out_until_the_next_key_frame() {
    let mut scene = Scene::new();
    for number in 0..20 {
        scene.push_sized(number == 0, 1 << 20);
        assert!(scene.watch().ring.state().bytes <= MAX_BYTES);
    }
    let mut viewer = scene.watch();
    assert_eq!(now(&mut viewer), None);
    scene.push(true);
    assert_eq!((width(&mut viewer), picture(&mut viewer)), (320, 20));
}

#[tokio::test(start_paused = true)]
async fn new_parameters_come_before_the_pictures_they_are_for() {
    let mut scene = Scene::new();
    scene.push(true);
    let mut viewer = scene.watch();
    assert_eq!((width(&mut viewer), picture(&mut viewer)), (320, 0));
    scene.parameters = parameters(640);
    scene.push(false);
    assert_eq!(now(&mut viewer), None, "no picture without its key frame");
    scene.push(true);
    scene.push(false);
    assert_eq!((width(&mut viewer), picture(&mut viewer), picture(&mut viewer)), (640, 2, 3));
}

#[tokio::test(start_paused = true)]
async fn a_new_session_and_a_removed_camera_end_the_watching() {
    let mut scene = Scene::new();
    scene.push(true);
    let mut viewer = scene.watch();
    scene.session = 2;
    scene.push(true);
    assert_eq!(now(&mut viewer), Some(LiveItem::Ended));
    let mut viewer = scene.watch();
    assert_eq!(width(&mut viewer), 320);
    scene.rings.end(&id("porch"), Stream::Main);
    assert_eq!(now(&mut viewer), Some(LiveItem::Ended));
    let proof = scene.household.proof("porch", Right::Live);
    assert!(subscribe(&proof, &scene.rings, Stream::Main, Wanted::Pictures).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_waiting_viewer_is_woken() {
    let mut scene = Scene::new();
    scene.push(true);
    let mut viewer = scene.watch();
    assert_eq!((width(&mut viewer), picture(&mut viewer)), (320, 0));
    let (item, ()) = tokio::join!(viewer.next(), async { scene.push(false) });
    assert!(matches!(item, LiveItem::Fragment(_)));
}

#[tokio::test(start_paused = true)]
async fn sound_goes_to_those_who_want_it() {
    let mut scene = Scene::new();
    let sound = AudioParameters {
        rfc6381: "fLaC".to_owned(),
        sample_rate: 8000,
        packet_samples: 1024,
        sample_entry: Bytes::from_static(&[0, 0, 0, 8, b'f', b'L', b'a', b'C']),
    };
    scene.parameters = Arc::new(StreamParameters { audio: Some(sound), ..(*scene.parameters).clone() });
    let heard = |scene: &Scene, number: i64| {
        let pts = MediaTicks { ticks: number * 1024, rate: NonZeroU32::new(8000).expect("not zero") };
        let packet = packet(&scene.parameters, scene.session, 100 + number, true, 10);
        scene.rings.push(&id("porch"), Stream::Main, &Packet { track: Track::Audio, pts, ..packet });
    };
    heard(&scene, 0); // before the first picture
    scene.push(true);
    heard(&scene, 1);
    scene.push(false);
    let proof = scene.household.proof("porch", Right::Live);
    let mut listener =
        subscribe(&proof, &scene.rings, Stream::Main, Wanted::PicturesAndSound).expect("there is a stream");
    let Some(LiveItem::Parameters { codecs, has_sound, init, .. }) = now(&mut listener) else { panic!("parameters") };
    assert_eq!((codecs.as_str(), has_sound), ("avc1.4d401f,fLaC", true));
    assert!(init.windows(4).any(|kind| kind == b"fLaC"));
    assert_eq!([picture(&mut listener), picture(&mut listener), picture(&mut listener)], [0, 101, 1]);
    let mut viewer = scene.watch();
    let Some(LiveItem::Parameters { codecs, has_sound, init, .. }) = now(&mut viewer) else { panic!("parameters") };
    assert_eq!((codecs.as_str(), has_sound), ("avc1.4d401f", true));
    assert!(!init.windows(4).any(|kind| kind == b"fLaC"));
    heard(&scene, 2);
    assert_eq!([picture(&mut viewer), picture(&mut viewer)], [0, 1]);
    assert_eq!((now(&mut viewer), picture(&mut listener)), (None, 102));
    let group = newest_group(&proof, &scene.rings, Stream::Main).expect("a stream");
    assert!(group.len() == 2 && group.iter().all(|packet| packet.track == Track::Video));
}

#[tokio::test(start_paused = true)]
async fn whoever_may_no_longer_watch_is_cut_off_within_two_seconds() {
    let mut scene = Scene::new();
    scene.push(true);
    let mut viewer = scene.watch();
    assert_eq!((width(&mut viewer), picture(&mut viewer)), (320, 0));
    scene.household.revoke();
    let ended = tokio::time::timeout(Duration::from_secs(2), viewer.next()).await;
    assert_eq!(ended, Ok(LiveItem::Ended));
    // Also when there is always something to send.
    scene.push(false);
    assert_eq!(viewer.next().await, LiveItem::Ended);
}

#[tokio::test(start_paused = true)]
async fn live_pictures_need_the_right_to_live_pictures() {
    let mut scene = Scene::new();
    scene.push(true);
    for right in [Right::History, Right::Export, Right::Delete] {
        let proof = scene.household.proof("porch", right);
        assert!(subscribe(&proof, &scene.rings, Stream::Main, Wanted::Pictures).is_none());
        assert!(newest_group(&proof, &scene.rings, Stream::Main).is_none());
    }
    let proof = scene.household.proof("porch", Right::Live);
    assert!(subscribe(&proof, &scene.rings, Stream::Sub, Wanted::Pictures).is_none());
    let nursery = scene.household.proof("nursery", Right::Live);
    assert!(subscribe(&nursery, &scene.rings, Stream::Main, Wanted::Pictures).is_none());
    scene.push(true);
    scene.push(false);
    let group = newest_group(&proof, &scene.rings, Stream::Main).expect("a stream");
    assert_eq!(group.iter().map(|packet| packet.data[0]).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_a_viewer_gets_plays() {
    for encoder in ["-c:v libx264 -bf 0 -g 10", "-c:v libx264 -bf 2 -g 10"] {
        let Some(film) = film("testsrc=size=160x120:rate=15:duration=4", encoder) else { return };
        let household = Arc::<Household>::default();
        let rings = Rings::new();
        let mut bytes = Vec::new();
        let mut viewer = None;
        for (number, packet) in film.packets(1).iter().enumerate() {
            rings.push(&id("porch"), Stream::Sub, packet);
            if number == 14 {
                let proof = household.proof("porch", Right::Live);
                viewer = subscribe(&proof, &rings, Stream::Sub, Wanted::Pictures);
            }
            while let Some(item) = viewer.as_mut().and_then(now) {
                match item {
                    LiveItem::Parameters { init, .. } => bytes.extend(init),
                    LiveItem::Fragment(fragment) => bytes.extend(fragment),
                    LiveItem::Ended => panic!("ended"),
                }
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("live.mp4");
        std::fs::write(&path, bytes).expect("written");
        decode_all(&path);
        let frames = ffprobe(&path, "-select_streams v -count_frames -show_entries stream=nb_read_frames");
        assert_eq!(frames.trim(), "nb_read_frames=50", "from the key frame 10 of 60 on");
    }
}
