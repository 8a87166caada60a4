use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::camera::packet::{AudioParameters, StreamParameters, VideoCodec, VideoParameters};
use crate::record::fmp4::{self, Sample, TrackRun};
use crate::units::{InstallationId, SegmentId, UtcMicros};

fn entry(kind: [u8; 4], body: usize) -> Bytes {
    let mut bytes = u32::try_from(8 + body).expect("small").to_be_bytes().to_vec();
    bytes.extend(kind);
    bytes.resize(8 + body, 0);
    if kind == *b"avc1" {
        bytes[32..36].copy_from_slice(&[2, 128, 1, 104]); // 640 × 360
    }
    bytes.into()
}

fn parameters() -> StreamParameters {
    StreamParameters {
        video: VideoParameters {
            codec: VideoCodec::H264,
            rfc6381: "avc1.4d401f".to_owned(),
            width: 640,
            height: 360,
            sample_entry: entry(*b"avc1", 78),
            parameter_sets: Bytes::new(),
        },
        audio: Some(AudioParameters {
            rfc6381: "mp4a.40.2".to_owned(),
            packet_samples: 1024,
            sample_rate: 16_000,
            sample_entry: entry(*b"mp4a", 28),
        }),
    }
}

fn provenance() -> Provenance {
    Provenance {
        camera: "porch".parse().expect("an id"),
        installation: InstallationId::from_random([1; 16]),
        segment: SegmentId::from_random([2; 8]),
        start: UtcMicros(1_700_000_000_000_000),
    }
}

fn samples(sizes: &[u8], duration: u32) -> Vec<Sample> {
    let sample = |(at, size): (usize, &u8)| Sample {
        duration,
        composition_offset: if at % 2 == 0 { 0 } else { -1500 },
        is_key: at == 0,
        data: Bytes::from(vec![*size; usize::from(*size)]),
    };
    sizes.iter().enumerate().map(sample).collect()
}

/// A file with two fragments, and where each box of the top level ends.
fn file() -> (Vec<u8>, u64, Vec<u64>) {
    let mut bytes = fmp4::init_segment(&parameters(), Some(&provenance()));
    let init = bytes.len() as u64;
    let (video, audio) = (samples(&[100, 20, 30], 3000), samples(&[11, 12], 1024));
    let mut ends = Vec::new();
    for sequence in 0..2 {
        let run = |track, samples, step| TrackRun { track, base_decode_ticks: u64::from(sequence) * step, samples };
        let runs = [run(Track::Video, &video[..], 9000), run(Track::Audio, &audio[..], 2048)];
        bytes.extend(fmp4::fragment(sequence + 1, &runs));
        ends.push(bytes.len() as u64);
    }
    (bytes, init, ends)
}

fn read_all(bytes: &[u8]) -> Result<SegmentFile, ReadError> {
    read(bytes, bytes.len() as u64)
}

#[test]
fn what_was_written_is_read_back() {
    let (bytes, init, ends) = file();
    let found = read_all(&bytes).expect("readable");
    assert_eq!(found.provenance, Some(provenance()));
    assert_eq!(read_provenance(&bytes[..], init).expect("readable"), Some(provenance()));
    assert_eq!((found.init.clone(), found.intact_len, found.damaged), (0..init, bytes.len() as u64, 0));
    assert_eq!(found.video.sample_entry, parameters().video.sample_entry);
    assert_eq!((found.video.timescale, found.video.width, found.video.height), (90_000, 640, 360));
    assert_eq!(found.audio.as_ref().map(|audio| audio.timescale), Some(16_000));
    assert_eq!(found.fragments.iter().map(|fragment| fragment.range.end).collect::<Vec<_>>(), ends);
    let bases: Vec<_> = found.runs(Track::Video).map(|run| run.base_decode_ticks).collect();
    assert_eq!(bases, [0, 9000]);
    for run in found.fragments.iter().flat_map(|fragment| &fragment.runs) {
        let at = usize::try_from(run.base_decode_at.start).expect("small");
        assert_eq!(bytes[at..at + 8], run.base_decode_ticks.to_be_bytes());
        assert_eq!(run.base_decode_at.end - run.base_decode_at.start, 8);
        for sample in &run.samples {
            let start = usize::try_from(sample.offset).expect("small");
            let data = &bytes[start..start + sample.size as usize];
            assert!(data.iter().all(|byte| u32::from(*byte) == sample.size), "{sample:?}");
        }
    }
    let first: Vec<_> = found.runs(Track::Video).next().expect("a run").samples.iter().collect();
    assert_eq!(first.iter().map(|sample| sample.is_key).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(first.iter().map(|sample| sample.composition_offset).collect::<Vec<_>>(), [0, -1500, 0]);
    assert!(first.iter().all(|sample| sample.duration == 3000));
}

#[test]
fn a_torn_tail_is_cut_at_the_last_whole_fragment() {
    let (bytes, init, ends) = file();
    for len in 0..bytes.len() {
        let whole = ends.iter().rev().find(|end| **end <= len as u64).copied().unwrap_or(init);
        match read(&bytes[..], len as u64) {
            Ok(found) => assert_eq!(found.intact_len, whole, "cut at {len}"),
            Err(error) => assert!(matches!(error, ReadError::NoInit { .. }) && (len as u64) < init, "{len}: {error}"),
        }
    }
    let mut zeros = bytes.clone();
    zeros.resize(bytes.len() + 4096, 0);
    assert_eq!(read_all(&zeros).expect("readable").intact_len, bytes.len() as u64);
}

#[test]
fn a_fragment_that_points_outside_its_data_is_skipped() {
    let (mut bytes, init, _) = file();
    let at = usize::try_from(init).expect("small");
    let trun = at + bytes[at..].windows(4).position(|kind| kind == b"trun").expect("a trun");
    bytes[trun + 12..trun + 16].copy_from_slice(&0_i32.to_be_bytes());
    let found = read_all(&bytes).expect("readable");
    assert_eq!((found.damaged, found.fragments.len()), (1, 1));
    assert_eq!(found.intact_len, bytes.len() as u64);
}

#[test]
fn a_claim_of_countless_samples_is_refused_without_making_room_for_them() {
    let (mut bytes, ..) = file();
    let before = read_all(&bytes).expect("readable");
    let mut moof = Vec::new();
    let trun = mp4_atom::Trun {
        data_offset: Some(8),
        samples: mp4_atom::TrunSamples::Inherited { count: u32::MAX, first_flags: None },
    };
    let traf = mp4_atom::Traf {
        tfhd: Tfhd { track_id: 1, default_base_is_moof: true, ..Tfhd::default() },
        tfdt: Some(Tfdt { base_media_decode_time: 0 }),
        trun: vec![trun],
        ..mp4_atom::Traf::default()
    };
    let atom = mp4_atom::Moof { mfhd: mp4_atom::Mfhd { sequence_number: 1 }, traf: vec![traf] };
    mp4_atom::Encode::encode(&atom, &mut moof).expect("encodes");
    bytes.extend(moof);
    bytes.extend([0, 0, 0, 8, b'm', b'd', b'a', b't']);
    let file = read_all(&bytes).expect("what was whole before it stays");
    assert_eq!((file.fragments, file.intact_len, file.damaged), (before.fragments, before.intact_len, 1));
}

#[test]
fn a_file_of_another_program_is_read_but_belongs_to_no_camera() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("foreign.mp4");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc=size=320x180:rate=10:duration=3"])
        .args(["-c:v", "libx264", "-bf", "2", "-g", "10", "-movflags", "frag_keyframe+empty_moov+default_base_moof"])
        .arg(&path)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: no ffmpeg with libx264");
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "a test reads what it made")]
    let bytes = std::fs::read(&path).expect("a file");
    let found = read_all(&bytes).expect("readable");
    assert_eq!(found.provenance, None);
    assert_eq!((found.video.width, found.video.height), (320, 180));
    let samples: Vec<_> = found.runs(Track::Video).flat_map(|run| &run.samples).collect();
    assert_eq!(samples.len(), 30);
    assert_eq!(samples.iter().filter(|sample| sample.is_key).count(), 3);
    let ticks: u32 = samples.iter().map(|sample| sample.duration).sum();
    assert_eq!(ticks, 3 * found.video.timescale);
}

proptest! {
    #[test]
    fn a_mutated_file_is_read_or_refused_but_never_believed_beyond_its_end(
        changes in proptest::collection::vec((0..1usize << 16, any::<u8>()), 1..12),
        cut in 0..1usize << 16,
    ) {
        let (mut bytes, ..) = file();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(cut.max(400) % (bytes.len() + 1));
        if let Ok(found) = read_all(&bytes) {
            prop_assert!(found.intact_len <= bytes.len() as u64);
            for sample in found.fragments.iter().flat_map(|fragment| &fragment.runs).flat_map(|run| &run.samples) {
                prop_assert!(sample.offset + u64::from(sample.size) <= found.intact_len);
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let (mut whole, ..) = file();
        whole.extend_from_slice(&bytes);
        prop_assert!(read_all(&whole).is_ok());
        let _ = read_all(&bytes);
    }
}
