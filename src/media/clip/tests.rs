use std::collections::HashMap;

use futures_util::StreamExt as _;

use super::*;
use crate::media::testing::{Film, Storage, decode_all, ffprobe, film, shown};
use crate::units::UtcMicros;

const ZERO: UtcMicros = UtcMicros(1_700_000_000_000_000);

/// This many milliseconds after the first picture.
fn at(ms: u64) -> UtcMicros {
    ZERO.plus(Duration::from_millis(ms))
}

fn span(from_ms: u64, to_ms: u64) -> UtcSpan {
    UtcSpan::new(at(from_ms), at(to_ms)).expect("ordered")
}

struct Scene {
    storage: Storage,
    recordings: Vec<Recording>,
}

impl Scene {
    fn new() -> Self {
        Self { storage: Storage::new(), recordings: Vec::new() }
    }

    fn record(&mut self, film: &Film, from: usize, to: usize, start_ms: u64) {
        self.recordings.push(self.storage.record("porch", film, from, to, at(start_ms)));
    }

    fn clip(&self, span: UtcSpan) -> Result<Assembly, MediaError> {
        let proof = self.storage.household.proof("porch", Right::Export);
        check(&proof, span)?;
        let wanted = self.recordings.iter().filter(|recording| recording.span.intersection(span).is_some());
        let recordings = wanted.map(|recording| proof.narrow(recording.clone()).expect("the same camera")).collect();
        assemble(&proof, span, recordings, &self.storage.footage)
    }

    async fn play(&self, span: UtcSpan) -> Played {
        let clip = self.clip(span).expect("a clip");
        let bytes = read(&clip, 0..clip.len()).await;
        assert_eq!(bytes.len() as u64, clip.len());
        let path = self.storage.keep("clip.mp4", &bytes);
        let told = ffprobe(&path, "-of compact=p=0 -show_entries stream=codec_type,start_time,duration");
        let stream = |kind: &str| {
            let told = told.lines().find(|line| line.contains(kind))?;
            let told: HashMap<_, _> = told.split('|').filter_map(|field| field.split_once('=')).collect();
            Some((told["start_time"].parse().expect("a number"), told["duration"].parse().expect("a number")))
        };
        let (_, seconds) = stream("codec_type=video").expect("pictures");
        Played { pictures: shown(&path, "warning"), seconds, sound: stream("codec_type=audio"), path }
    }
}

struct Played {
    pictures: Vec<(i64, String)>,
    seconds: f64,
    /// Start and length in seconds.
    sound: Option<(f64, f64)>,
    path: std::path::PathBuf,
}

impl Played {
    fn digests(&self) -> Vec<&str> {
        self.pictures.iter().map(|(_, digest)| digest.as_str()).collect()
    }

    fn times_ms(&self) -> Vec<i64> {
        self.pictures.iter().map(|(at, _)| (at + 500) / 1000).collect()
    }
}

async fn read(clip: &Assembly, range: std::ops::Range<u64>) -> Vec<u8> {
    let chunks: Vec<_> = clip.stream(range).collect().await;
    chunks.into_iter().flat_map(|chunk| chunk.expect("readable")).collect()
}

const PICTURES: &str = "testsrc=size=160x120:rate=10:duration=8";

#[tokio::test]
async fn a_clip_shows_exactly_the_pictures_of_its_time() {
    for encoder in [
        "-c:v libx264 -bf 0 -g 10",
        "-c:v libx264 -bf 2 -g 10",
        "-c:v libx265 -x265-params log-level=none:keyint=10:open-gop=0",
    ] {
        let Some(film) = film(PICTURES, encoder) else { continue };
        let mut scene = Scene::new();
        scene.record(&film, 0, 80, 0);
        let whole = scene.play(span(0, 8000)).await;
        assert_eq!(whole.pictures.len(), 80, "{encoder}");
        assert!((whole.seconds - 8.0).abs() < 0.01, "{encoder}: {}", whole.seconds);

        // The same pictures as three segments.
        scene.recordings.clear();
        scene.record(&film, 0, 30, 0);
        scene.record(&film, 30, 50, 3000);
        scene.record(&film, 50, 80, 5000);
        assert_eq!(scene.play(span(0, 8000)).await.pictures, whole.pictures, "{encoder}");

        for (from, to) in [(0, 8000), (1000, 2000), (1300, 1400), (2700, 6200), (5000, 8000), (7900, 8000)] {
            let part = scene.play(span(from, to)).await;
            let index = |ms: u64| usize::try_from(ms / 100).expect("small");
            assert_eq!(part.digests(), whole.digests()[index(from)..index(to)], "{encoder}: {from} to {to} ms");
            let steps: Vec<_> = (0..).map(|n| n * 100).take(part.pictures.len()).collect();
            assert_eq!(part.times_ms(), steps, "{encoder}: {from} to {to} ms");
            let length = f64::from(u32::try_from(to - from).expect("small")) / 1000.0;
            assert!((part.seconds - length).abs() < 0.01, "{encoder}: {from} to {to} ms: {} s", part.seconds);
        }
        // Between two pictures, the one that stands is shown, from the moment it stood there.
        let part = scene.play(span(1350, 2050)).await;
        assert_eq!(part.digests(), whole.digests()[13..21], "{encoder}");
        assert_eq!(part.times_ms()[0], 0);
    }
}

#[tokio::test]
async fn sound_goes_with_the_pictures() {
    let source = format!("{PICTURES}[out0];sine=frequency=500:sample_rate=16000:duration=8[out1]");
    let Some(film) = film(&source, "-c:v libx264 -bf 2 -g 10 -c:a aac -b:a 32k") else { return };
    let mut scene = Scene::new();
    scene.record(&film, 0, 30, 0);
    scene.record(&film, 30, 80, 3000);
    for (from, to, seconds) in [(0, 8000, 8.0), (1300, 4200, 2.9), (6050, 7000, 1.0)] {
        let played = scene.play(span(from, to)).await;
        let (sound_start, sound) = played.sound.expect("sound");
        assert!((played.seconds - seconds).abs() < 0.01, "{}", played.seconds);
        assert!((sound - seconds).abs() < 0.07, "{from}: pictures {seconds} s, sound {sound} s");
        assert!(sound_start.abs() < 0.07, "{sound_start}");
        decode_all(&played.path);
    }
}

#[tokio::test]
async fn a_short_hole_is_a_standing_picture_and_a_long_one_is_left_out() {
    let Some(film) = film(PICTURES, "-c:v libx264 -bf 0 -g 10") else { return };
    let mut scene = Scene::new();
    scene.record(&film, 0, 20, 0);
    scene.record(&film, 20, 40, 3500);
    let played = scene.play(span(0, 5500)).await;
    assert_eq!((played.times_ms()[19], played.times_ms()[20]), (1900, 3500));
    assert!((played.seconds - 5.5).abs() < 0.01);
    scene.recordings.truncate(1);
    scene.record(&film, 20, 40, 3_602_000);
    let played = scene.play(span(0, 4_000_000)).await;
    assert_eq!((played.times_ms()[19], played.times_ms()[20]), (1900, 2000));
    assert!((played.seconds - 4.0).abs() < 0.01);
}

#[tokio::test]
async fn other_parameters_go_on_in_the_same_clip_but_another_codec_does_not() {
    let Some(small) = film(PICTURES, "-c:v libx264 -bf 0 -g 10") else { return };
    let Some(large) = film("testsrc=size=320x240:rate=10:duration=2", "-c:v libx264 -bf 0 -g 10") else { return };
    let mut scene = Scene::new();
    scene.record(&small, 0, 20, 0);
    scene.record(&large, 0, 20, 2000);
    let clip = scene.clip(span(0, 4000)).expect("a clip");
    let path = scene.storage.keep("clip.mp4", &read(&clip, 0..clip.len()).await);
    let told = ffprobe(&path, "-select_streams v -show_entries frame=width");
    assert_eq!(told.lines().filter(|line| *line == "width=160").count(), 20);
    assert_eq!(told.lines().filter(|line| *line == "width=320").count(), 20);

    let Some(other) = film(PICTURES, "-c:v libx265 -x265-params log-level=none:keyint=10") else { return };
    scene.record(&other, 0, 20, 4000);
    let refused = scene.clip(span(0, 6000));
    assert!(matches!(refused, Err(MediaError::CodingChanged { what: "video codec", at }) if at == self::at(4000)));
}

#[tokio::test]
async fn any_range_is_the_same_bytes_as_in_the_whole() {
    let Some(film) = film("testsrc2=size=640x360:rate=10:duration=8", "-c:v libx264 -bf 0 -g 10 -b:v 2M") else {
        return;
    };
    let mut scene = Scene::new();
    for segment in 0..4 {
        scene.record(&film, segment * 20, segment * 20 + 20, segment as u64 * 2000);
    }
    let clip = scene.clip(span(1500, 7500)).expect("a clip");
    let whole = read(&clip, 0..clip.len()).await;
    assert!(whole.len() > 600_000, "{} bytes are more than one chunk", whole.len());
    let len = clip.len();
    for range in [0..1, 0..100, 40..41, 1000..300_000, len / 2..len, len - 1..len, len..len, len + 5..len + 9] {
        let part = read(&clip, range.clone()).await;
        let bound = |at: u64| usize::try_from(at.min(len)).expect("small");
        assert_eq!(part, whole[bound(range.start)..bound(range.end)], "{range:?}");
    }
    let again = scene.clip(span(1500, 7500)).expect("a clip");
    assert_eq!(again.etag(), clip.etag());
    assert_ne!(scene.clip(span(1500, 7400)).expect("a clip").etag(), clip.etag());
}

#[tokio::test]
async fn a_right_that_is_taken_ends_the_sending() {
    let Some(film) = film("testsrc2=size=640x360:rate=10:duration=8", "-c:v libx264 -bf 0 -g 10 -b:v 2M") else {
        return;
    };
    let mut scene = Scene::new();
    scene.record(&film, 0, 80, 0);
    let clip = scene.clip(span(0, 8000)).expect("a clip");
    let mut stream = std::pin::pin!(clip.stream(0..clip.len()));
    assert!(matches!(stream.next().await, Some(Ok(_))));
    scene.storage.household.revoke();
    let error = stream.next().await.expect("an end").expect_err("no more footage");
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_file_swapped_between_two_cameras_is_refused() {
    let Some(film) = film(PICTURES, "-c:v libx264 -bf 0 -g 10") else { return };
    let mut scene = Scene::new();
    scene.record(&film, 0, 20, 0);
    let nursery = scene.storage.record("nursery", &film, 0, 20, at(0));
    assert!(scene.clip(span(0, 2000)).is_ok());
    // On disk …
    let path = |recording: &Recording| scene.storage.folder.path().join(&recording.path);
    std::fs::copy(path(&nursery), path(&scene.recordings[0])).expect("swapped");
    assert!(matches!(scene.clip(span(0, 2000)), Err(error) if error.is_not_found()));
    // … or in the index.
    scene.recordings[0].path = nursery.path.clone();
    assert!(matches!(scene.clip(span(0, 2000)), Err(MediaError::WrongCamera)));
    // Another segment of the same camera is not the one that was asked for either.
    let later = scene.storage.record("porch", &film, 20, 40, at(2000));
    scene.recordings[0].path = later.path;
    assert!(matches!(scene.clip(span(0, 2000)), Err(MediaError::WrongCamera)));
}

#[tokio::test]
async fn what_cannot_be_a_clip_is_refused_with_its_reason() {
    let mut scene = Scene::new();
    assert!(matches!(scene.clip(span(0, 1000)), Err(MediaError::Nothing)));
    assert!(matches!(scene.clip(span(0, 86_400_001)), Err(MediaError::TooLong(TOO_LONG))));
    let live = scene.storage.household.proof("porch", Right::Live);
    assert!(matches!(check(&live, span(0, 1000)), Err(MediaError::WrongRight(Right::Live))));
    let Some(film) = film(PICTURES, "-c:v libx264 -bf 0 -g 10") else { return };
    scene.record(&film, 0, 20, 0);
    std::fs::remove_file(scene.storage.folder.path().join(&scene.recordings[0].path)).expect("removed");
    assert!(matches!(scene.clip(span(0, 1000)), Err(MediaError::Nothing)));
}
