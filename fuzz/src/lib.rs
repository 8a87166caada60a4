//! What is tried with each input, by the fuzz targets and by `tests/fuzz.rs`: on a segment file as the recorder writes it, and
//! on changes to it; and on what strangers on the network say.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hearthwatch::camera::discovery::{Found as Announced, Service};
use hearthwatch::camera::onvif::{self, Message};
use hearthwatch::camera::packet::{StreamParameters, Track, VideoCodec, VideoParameters};
use hearthwatch::disk::{Footage, Found, FoundKind};
use hearthwatch::index::check;
use hearthwatch::record::fmp4::{self, Provenance, Sample, TrackRun};
use hearthwatch::record::previews::{self, Preview};
use hearthwatch::record::reader;
use hearthwatch::record::recover::{Outcome, adopt};
use hearthwatch::units::{ByteLen, CameraId, InstallationId, SegmentId, UtcMicros, UtcSpan};
use mp4_atom::{Avc1, Avcc, Encode as _, Visual};

/// 2023-11-14T22:13:20Z.
const START: UtcMicros = UtcMicros(1_700_000_000_000_000);

/// Where strangers speak from.
const STRANGER: [u8; 4] = [192, 168, 1, 20];

/// What an mDNS announcement says, as its parser hands it on: any names and texts become plain, bounded ones, and a URL at the
/// announced address or none.
///
/// # Panics
/// Where that does not hold; that is the finding.
pub fn mdns(name: &str, port: u16, txt: &[(String, String)]) {
    for service in [Service::Rtsp, Service::AxisVideo, Service::Onvif] {
        let pairs = txt.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let Some(found) = Announced::from_mdns(service, name, STRANGER.into(), port, pairs) else { continue };
        assert!((1..=64).contains(&found.name.chars().count()));
        assert!(found.txt.len() <= 32 && !found.name.chars().any(char::is_control));
        for url in [found.url(), found.detect_url()].into_iter().flatten() {
            assert_eq!(url.host(), "192.168.1.20");
        }
    }
}

/// WS-Discovery's messages and the answers of ONVIF devices: any bytes are read or refused, and what is read is plain, bounded,
/// and at the address that it came from.
///
/// # Panics
/// Where that does not hold; that is the finding.
pub fn onvif(input: &[u8]) {
    let from = IpAddr::from(STRANGER);
    if let Ok(Message::There(there)) = onvif::read_announcement(input, from) {
        assert!(there.len() <= 16);
        for device in there {
            assert!(device.name.chars().count() <= 64 && device.uuid.chars().count() <= 64);
            assert!(!device.name.chars().any(char::is_control) && !device.uuid.chars().any(char::is_control));
        }
    }
    onvif::read_answer(input, from);
}

/// What a camera's metadata track says of motion: any bytes say something bounded, or nothing.
///
/// # Panics
/// Where that does not hold; that is the finding.
pub fn metadata(input: &[u8]) {
    let said = onvif::read_metadata(input);
    assert!(said.len() <= 64);
    assert!(said.iter().all(|said| said.who.chars().count() <= 200));
}

/// The reader of segment files and the comparison with a row: any bytes, and files of our own that were changed.
///
/// # Panics
/// Where the reader finds what is not there; that is the finding.
pub fn scan(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    let bytes = if kind & 1 == 0 {
        rest.to_vec()
    } else {
        let (mut bytes, _) = file(&[vec![9, 30, 2], vec![200; 4], vec![0]]);
        change(&mut bytes, 0, rest);
        bytes
    };
    let length = bytes.len() as u64;
    let _ = reader::read_provenance(&*bytes, length);
    // A file that is shorter than was said, as one that is cut while it is read.
    let _ = reader::read(&*bytes, length.saturating_add(u64::from(*kind)));
    let read = reader::read(&*bytes, length);
    if let Ok(file) = &read {
        assert!(file.init.end <= file.intact_len && file.intact_len <= length);
        for sample in file.fragments.iter().flat_map(|fragment| &fragment.runs).flat_map(|run| &run.samples) {
            assert!(sample.offset + u64::from(sample.size) <= file.intact_len);
        }
        let again = reader::read(&*bytes, file.intact_len).expect("what was whole is whole");
        assert_eq!((&again.fragments, again.intact_len), (&file.fragments, file.intact_len));
    }
    for found in [FoundKind::Segment, FoundKind::Part] {
        let path = "footage/porch/2023-11-14/22-13-20.000Z.mp4".into();
        let found = Found { camera: camera(), path, size: ByteLen(length), kind: found };
        let _ = check::file(None, &found, read.as_ref(), installation());
    }
}

/// What the next start makes of a file that was torn or damaged behind some place: everything whole before it is kept, nothing
/// is removed that holds a picture, and what comes of it is a file without fault.
///
/// # Panics
/// Where one of these does not hold; that is the finding.
pub fn torn(input: &[u8]) {
    let [kind, count, at_high, at_low, rest @ ..] = input else { return };
    let fragments: Vec<Vec<u8>> = (0..count % 6)
        .map(|n| (0..=(count.wrapping_mul(n) % 5)).map(|m| n.wrapping_mul(40).wrapping_add(m)).collect())
        .collect();
    let (mut bytes, ends) = file(&fragments);
    let torn = (usize::from(*at_high) << 8 | usize::from(*at_low)) % (bytes.len() + 1);
    // Torn there, or damaged from there on.
    let first = if kind & 1 == 0 {
        bytes.truncate(torn);
        torn
    } else {
        change(&mut bytes, torn, rest).unwrap_or(bytes.len())
    };
    let whole = ends.iter().skip(1).filter(|end| **end <= first).count();

    let footage = &STORAGE.with(|(_, footage)| footage.clone());
    let mut part = footage.create_part(&camera(), START).expect("made");
    part.append(&bytes).expect("appended");
    let path = part.path();
    drop(part);
    let outcomes: Vec<_> = adopt(footage, |_| false).collect();
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    match &outcomes[0] {
        Outcome::Adopted(segment) => {
            let size = usize::try_from(segment.size.0).expect("small");
            assert!(whole == 0 || size >= ends[whole], "{segment:?} of {ends:?}, whole up to {first}");
            let opened = footage.open_file(&segment.path).expect("opens");
            let read = reader::read(&opened, segment.size.0);
            let found =
                Found { camera: camera(), path: segment.path.clone(), size: segment.size, kind: FoundKind::Segment };
            let findings = check::file(Some(segment), &found, read.as_ref(), installation());
            // What lies damaged between two whole fragments is told, and stays: only the torn end is cut.
            assert!(findings.iter().all(|finding| finding.kind() == "damaged_file"), "{findings:?}");
            assert!(findings.is_empty() || first < size, "{findings:?}");
            footage.remove_segment(&segment.path).expect("removed");
        }
        Outcome::Removed(removed) => {
            assert_eq!((removed.as_path(), whole), (path.as_path(), 0));
        }
        Outcome::Left { path: left, .. } => {
            assert_eq!((left.as_path(), whole), (path.as_path(), 0));
            assert!(footage.open_file(&path).is_ok());
            footage.remove_part(&path).expect("removed");
        }
    }
}

/// The small pictures beside a segment: any bytes, and files of our own that were torn or changed. What is had of them is what
/// was put into them.
///
/// # Panics
/// Where that does not hold; that is the finding.
pub fn small_pictures(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    let span = UtcSpan::starting_at(START, Duration::from_secs(60));
    let made: Vec<_> = (0..kind % 7)
        .map(|n| {
            let jpeg = [&[0xff, 0xd8][..], &vec![n; usize::from(*kind) * usize::from(n) + 2]].concat();
            Preview { at: START.plus(Duration::from_secs(u64::from(n) * 10)), jpeg: jpeg.into() }
        })
        .collect();
    let segment = SegmentId::from_random([2; 8]);
    let provenance = Provenance { camera: camera(), installation: installation(), segment, start: START };
    let mut bytes = previews::encode(&provenance, span, &made).unwrap_or_else(|| rest.to_vec());
    change(&mut bytes, 0, rest);
    let Ok(head) = previews::read_head(&bytes[..bytes.len().min(previews::MAX_HEAD)]) else { return };
    for entry in head.entries {
        assert!(entry.length <= previews::MAX_PICTURE);
        let at = usize::try_from(entry.offset).expect("small");
        let Some(found) = bytes.get(at..at.saturating_add(entry.length)) else { continue };
        assert!(!entry.is_whole(found) || made.iter().any(|preview| preview.jpeg == found));
    }
}

thread_local! {
    /// In memory where possible; one for all inputs, and gone with the thread.
    static STORAGE: (tempfile::TempDir, Footage) = {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
        let footage = Footage::open(folder.path(), installation()).expect("opens");
        (folder, footage)
    };
}

/// Whose file it is.
fn installation() -> InstallationId {
    InstallationId::from_random([1; 16])
}

/// Of which camera.
fn camera() -> CameraId {
    "porch".parse().expect("an id")
}

/// A file with a fragment for each of the lists, a picture of that many bytes for each number in it; and where its beginning
/// and each fragment end.
fn file(fragments: &[Vec<u8>]) -> (Vec<u8>, Vec<usize>) {
    let mut avc1 = Vec::new();
    Avc1 {
        visual: Visual { width: 320, height: 180, ..Visual::default() },
        avcc: Avcc::new(&[0x67, 77, 0, 31], &[0x68, 1]).expect("long enough"),
        ..Avc1::default()
    }
    .encode(&mut avc1)
    .expect("encodes");
    let video = VideoParameters {
        codec: VideoCodec::H264,
        rfc6381: "avc1.4d001f".to_owned(),
        width: 320,
        height: 180,
        sample_entry: avc1.into(),
        parameter_sets: Bytes::new(),
    };
    let parameters = Arc::new(StreamParameters { video, audio: None });
    let segment = SegmentId::from_random([2; 8]);
    let provenance = Provenance { camera: camera(), installation: installation(), segment, start: START };
    let mut bytes = fmp4::init_segment(&parameters, Some(&provenance));
    let (mut ends, mut ticks) = (vec![bytes.len()], 0);
    for (number, sizes) in (1..).zip(fragments) {
        let sample = |(n, size): (usize, &u8)| Sample {
            duration: 3600,
            composition_offset: 0,
            is_key: n == 0,
            data: Bytes::from(vec![0xa5; usize::from(*size) + 1]),
        };
        let samples: Vec<_> = sizes.iter().enumerate().map(sample).collect();
        bytes.extend(fmp4::fragment(
            number,
            &[TrackRun { track: Track::Video, base_decode_ticks: ticks, samples: &samples }],
        ));
        ticks += 3600 * samples.len() as u64;
        ends.push(bytes.len());
    }
    (bytes, ends)
}

/// A file that is so large already does not grow: each growth may double it.
const LARGEST: usize = 1 << 20;

/// Changes the bytes as the rest of the input says, three bytes of it at a time; nothing before `from`. Says where the first
/// change is.
fn change(bytes: &mut Vec<u8>, from: usize, input: &[u8]) -> Option<usize> {
    let mut first = None;
    for change in input.chunks_exact(3) {
        let length = NonZeroUsize::new(bytes.len().saturating_sub(from))?;
        let at = from + (usize::from(change[0]) << 8 | usize::from(change[1])) % length;
        match change[2] {
            0 => bytes.truncate(at),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, change[1]),
            3 => bytes[at..].fill(0),
            4 if bytes.len() < LARGEST => bytes.extend_from_within(at..),
            4 => {}
            other => bytes[at] = bytes[at].wrapping_add(other),
        }
        // What was appended changes nothing before the old end.
        let changed = if change[2] == 4 { from + length.get() } else { at };
        first = Some(first.map_or(changed, |first: usize| first.min(changed)));
    }
    first
}
