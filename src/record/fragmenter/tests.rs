//! The fragmenter with streams as encoders shuffle them, and with hostile ones.

use super::*;
use crate::camera::packet::AudioParameters;
use crate::record::testing::video_parameters;
use proptest::prelude::*;

const PACE: Duration = Duration::from_secs(1);

fn picture(at_ms: i64, is_key: bool) -> Frame {
    Frame {
        track: Track::Video,
        at: Placed(at_ms * 1000),
        received: Monotonic(Duration::from_millis(at_ms.unsigned_abs())),
        is_key,
        begins: None,
        data: Bytes::copy_from_slice(&at_ms.to_be_bytes()),
    }
}

fn beginning(at_ms: i64) -> Frame {
    Frame { begins: Some(video_parameters()), ..picture(at_ms, true) }
}

/// Feeds all frames, each followed by taking what is complete, then finishes.
fn fragments(frames: Vec<Frame>) -> Vec<Fragment> {
    let mut fragmenter = Fragmenter::default();
    let mut fragments = Vec::new();
    for frame in frames {
        let now = frame.received;
        fragmenter.push(frame);
        fragments.extend(std::iter::from_fn(|| fragmenter.pop(now, now, PACE)));
    }
    fragments.extend(fragmenter.finish(None));
    fragments
}

#[test]
fn b_frames_get_signed_offsets_and_even_durations() {
    // In decode order I P B B, twice.
    let frames = [0, 120, 40, 80, 160, 280, 200, 240].map(|at| if at == 0 { beginning(0) } else { picture(at, false) });
    let fragments = fragments(frames.into());
    let [fragment] = &fragments[..] else { panic!("{fragments:?}") };
    let offsets: Vec<_> = fragment.video.iter().map(|sample| sample.composition_offset / 3600).collect();
    assert_eq!(offsets, [0, 2, -1, -1, 0, 2, -1, -1]);
    assert!(fragment.video.iter().all(|sample| sample.duration == 3600), "{:?}", fragment.video);
    assert_eq!((fragment.start, fragment.end), (Placed(0), Placed(320_000)));
}

#[test]
fn a_fragment_is_a_group_of_pictures_or_a_second() {
    let group = |start: i64, length: i64| (0..length).map(move |n| picture(start + n * 100, n == 0));
    let frames = [beginning(0)].into_iter().chain(group(0, 6).skip(1)).chain(group(600, 25)).chain(group(3100, 3));
    let ends: Vec<_> = fragments(frames.collect()).iter().map(|fragment| fragment.end.0 / 1000).collect();
    assert_eq!(ends, [600, 1600, 2600, 3100, 3400]);
}

#[test]
fn the_next_segment_starts_where_the_last_one_ended() {
    let frames = vec![beginning(0), picture(40, false), beginning(80), picture(120, false), picture(160, false)];
    let fragments = fragments(frames);
    let [first, second] = &fragments[..] else { panic!("{fragments:?}") };
    assert!(first.is_last && second.begins.is_some());
    assert_eq!((first.end, second.start), (Placed(80_000), Placed(80_000)));
    assert_eq!((second.video_base, second.sequence, second.video.len()), (0, 1, 3));
}

#[test]
fn an_open_group_keeps_its_leading_pictures_behind_the_border() {
    // CRA at 400 with leading pictures 320 and 360 (H.265): decode order P 280, then 400 320 360.
    let mut frames = vec![beginning(0)];
    frames.extend([120, 40, 80, 240, 160, 200, 280].map(|at| picture(at, false)));
    frames.push(beginning(400));
    frames.extend([320, 360, 520, 440, 480].map(|at| picture(at, false)));
    let fragments = fragments(frames);
    let [first, second] = &fragments[..] else { panic!("{fragments:?}") };
    assert_eq!((first.end, second.start), (Placed(320_000), Placed(320_000)));
    assert!(second.video.iter().all(|sample| sample.duration == 3600));
    assert_eq!(second.video[0].composition_offset, 7200);
}

#[test]
fn a_stalled_stream_is_flushed_and_goes_on_in_the_same_segment() {
    let mut fragmenter = Fragmenter::default();
    fragmenter.push(beginning(0));
    fragmenter.push(picture(40, false));
    let flushed = fragmenter.flush();
    assert_eq!((flushed[0].video.len(), flushed[0].end), (2, Placed(80_000)));
    fragmenter.push(picture(5000, false));
    let rest = fragmenter.finish(None);
    assert!(rest[0].begins.is_none() && rest[0].is_last);
    assert_eq!((rest[0].video_base, rest[0].sequence), (450_000, 2));
}

fn beginning_with_sound(at_ms: i64) -> Frame {
    let mut parameters = (*video_parameters()).clone();
    parameters.audio = Some(AudioParameters {
        rfc6381: "mp4a.40.2".to_owned(),
        sample_rate: 8000,
        packet_samples: 1024,
        sample_entry: Bytes::new(),
    });
    Frame { begins: Some(Arc::new(parameters)), ..picture(at_ms, true) }
}

fn sound(at_ms: i64) -> Frame {
    Frame { track: Track::Audio, ..picture(at_ms, true) }
}

#[test]
fn sound_that_waits_somewhere_before_is_not_late() {
    let mut fragmenter = Fragmenter::default();
    let mut frames: VecDeque<_> =
        [beginning_with_sound(0), sound(0), picture(100, false), beginning_with_sound(200), picture(300, false)].into();
    frames.extend([sound(128), sound(256), picture(400, false)]);
    // The disk stood still for a minute: everything is taken long after it arrived, one after the other.
    let (now, mut fragments) = (Monotonic(Duration::from_secs(60)), Vec::new());
    for frame in frames {
        let heard = frame.received;
        fragmenter.push(frame);
        fragments.extend(std::iter::from_fn(|| fragmenter.pop(now, heard, PACE)));
    }
    let first = fragments.iter().position(|fragment| fragment.is_last).expect("the first segment ends");
    assert_eq!(fragments[..=first].iter().map(|fragment| fragment.audio.len()).sum::<usize>(), 2, "{fragments:?}");
}

#[test]
fn sound_goes_into_the_segment_of_its_time() {
    let begins = beginning_with_sound;
    let frames = vec![
        begins(0),
        sound(0),
        picture(100, false),
        sound(128),
        begins(200),
        sound(192),
        picture(300, false),
        sound(256),
        sound(320),
        picture(400, false),
    ];
    let fragments = fragments(frames);
    let [first, second] = &fragments[..] else { panic!("{fragments:?}") };
    assert_eq!(first.audio.iter().map(|sample| sample.duration / 8).collect::<Vec<_>>(), [128, 64, 64]);
    assert_eq!((second.audio_base, second.audio.len()), (56 * 8, 2));
}

/// Groups of pictures in decode order, shuffled as encoders do: each key or P frame may carry up to three B-frames.
fn streams() -> impl Strategy<Value = Vec<Frame>> {
    let mini = (0..4usize, any::<bool>(), 0..20u8, 20..70i64);
    proptest::collection::vec(mini, 1..120).prop_map(|groups| {
        let (mut frames, mut at): (Vec<Frame>, i64) = (vec![beginning(0)], 0);
        for (b_frames, is_key, cut, step) in groups {
            let b_frames = if is_key { 0 } else { b_frames };
            let b_frames = i64::try_from(b_frames).expect("small");
            let anchor = at + (b_frames + 1) * step;
            let mut frame = picture(anchor, is_key);
            frame.begins = (is_key && cut == 0).then(video_parameters);
            frames.push(frame);
            frames.extend((1..=b_frames).map(|n| picture(at + n * step, false)));
            at = anchor;
        }
        frames
    })
}

proptest! {
    #[test]
    fn no_frame_is_lost_and_every_time_is_kept(frames in streams()) {
        let fragments = fragments(frames.clone());
        let (mut seen, mut next, mut zero, mut end) = (Vec::new(), 0u64, Placed(0), Placed(0));
        for fragment in &fragments {
            prop_assert!(fragment.start >= end, "no overlap");
            if fragment.begins.is_some() {
                prop_assert_eq!(fragment.start, end, "segments meet");
                prop_assert!(fragment.video[0].is_key);
                (zero, next) = (fragment.start, 0);
            }
            prop_assert_eq!(fragment.video_base, next, "decode times go on without a hole");
            let mut decode = fragment.video_base;
            for sample in &fragment.video {
                prop_assert!(sample.duration > 0);
                let presented = i64::try_from(decode).expect("small") + i64::from(sample.composition_offset);
                let at_ms = i64::from_be_bytes(sample.data.as_ref().try_into().expect("eight bytes"));
                prop_assert!((presented * 100 / 9 + zero.0 - at_ms * 1000).abs() <= 12);
                seen.push(at_ms);
                decode += u64::from(sample.duration);
            }
            next = decode;
            end = fragment.end;
            prop_assert!((i64::try_from(next).expect("small") * 100 / 9 + zero.0 - end.0).abs() <= 12);
        }
        let sent: Vec<_> = frames.iter().map(|frame| frame.at.0 / 1000).collect();
        prop_assert_eq!(seen, sent);
    }

    #[test]
    fn hostile_times_stay_bounded_and_decode_times_rise(
        frames in proptest::collection::vec((any::<i64>(), any::<bool>(), any::<bool>(), 0..30u8), 1..1500),
    ) {
        let mut fragmenter = Fragmenter::default();
        fragmenter.push(beginning(0));
        let mut count = 0;
        for (at, is_key, is_sound, cut) in frames {
            fragmenter.push(Frame {
                track: if is_sound { Track::Audio } else { Track::Video },
                at: Placed(at),
                begins: (is_key && !is_sound && cut == 0).then(video_parameters),
                ..picture(0, is_key)
            });
            while let Some(fragment) = fragmenter.pop(Monotonic::default(), Monotonic::default(), PACE) {
                count += fragment.video.len();
                prop_assert!(fragment.video.iter().all(|sample| sample.duration > 0));
            }
            prop_assert!(fragmenter.video.len() + fragmenter.audio.len() <= MOST_FRAMES + 1);
        }
        count += fragmenter.finish(None).iter().map(|fragment| fragment.video.len()).sum::<usize>();
        prop_assert!(count > 0);
    }
}
