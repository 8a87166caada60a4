//! What a crash or a power cut left: torn files are cut at their last whole fragment, and files without a row are adopted.
//!
//! A file says itself whose it is and when it was, so its row can be made again from it. Nothing that holds footage is ever
//! deleted here; what can't be told to be this installation's and that camera's is left where it is, with a word about it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::camera::packet::Track;
use crate::disk::{Footage, Found, FoundKind, PartFile};
use crate::record::codecs;
use crate::record::reader::{self, ReadError, SegmentFile};
use crate::record::segment::ClosedSegment;
use crate::units::{ByteLen, CameraId, InstallationId, UtcMicros, UtcSpan};

/// A file that ends before this has not even a whole beginning, and no picture.
const LEAST_WITH_PICTURES: u64 = 512;

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is a segment, whole, synced, under its final name: a row can be made.
    Adopted(ClosedSegment),
    /// It held no picture and was removed.
    Removed(PathBuf),
    /// It stays as it is, because of `why`. `path` may be a folder that can't be read, or empty for the whole walk.
    Left {
        /// Relative to the storage folder.
        path: PathBuf,
        /// In words for the owner.
        why: String,
    },
}

/// Goes through the storage folder, lazily: each step takes up one file that has no row (`known` says which have).
///
/// Nobody may be recording meanwhile. A full walk looks at every file's name and size, and reads only files without a row.
pub fn adopt(footage: &Footage, known: impl Fn(&Path) -> bool) -> impl Iterator<Item = Outcome> {
    footage.walk().filter_map(move |found| {
        let found = match found {
            Ok(found) => found,
            Err(error) => return Some(Outcome::Left { path: PathBuf::new(), why: error.to_string() }),
        };
        (found.kind == FoundKind::Part || !known(&found.path)).then(|| take_up(footage, found))
    })
}

fn take_up(footage: &Footage, found: Found) -> Outcome {
    let path = found.path.clone();
    let taken = footage.open_file(&found.path).map_err(|error| error.to_string()).and_then(|file| {
        let read = reader::read(&file, found.size.0);
        let evidence = Evidence {
            installation: footage.installation(),
            is_blank: is_blank_behind(&file, &read, found.size.0).map_err(|error| error.to_string())?,
            found,
            read,
        };
        match decide(evidence)? {
            Decision::Remove(path) => {
                footage.remove_part(&path).map_err(|error| error.to_string())?;
                Ok(Outcome::Removed(path))
            }
            Decision::Adopt { segment, cut_to: None } => Ok(Outcome::Adopted(segment)),
            Decision::Adopt { segment, cut_to: Some(length) } => {
                let part = footage.reopen_part(&segment.path, length);
                let (path, size) = part.and_then(PartFile::close).map_err(|error| error.to_string())?;
                Ok(Outcome::Adopted(ClosedSegment { path, size, ..segment }))
            }
        }
    });
    taken.unwrap_or_else(|why| Outcome::Left { path, why })
}

/// What is known of a file without a row.
#[derive(Debug)]
struct Evidence {
    found: Found,
    read: Result<SegmentFile, ReadError>,
    /// Whether nothing but zeros follows what could be read: file systems leave those after a power cut.
    is_blank: bool,
    installation: InstallationId,
}

#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Adopt { segment: ClosedSegment, cut_to: Option<ByteLen> },
    Remove(PathBuf),
}

/// Pure. An error says why the file is left alone.
fn decide(evidence: Evidence) -> Result<Decision, String> {
    let Evidence { found, read, is_blank, installation } = evidence;
    let is_part = found.kind == FoundKind::Part;
    let file = match read {
        Ok(file) => file,
        Err(ReadError::NoInit { .. }) if is_part && (is_blank || found.size.0 < LEAST_WITH_PICTURES) => {
            return Ok(Decision::Remove(found.path));
        }
        Err(error) => return Err(error.to_string()),
    };
    if file.runs(Track::Video).all(|run| run.samples.is_empty()) {
        if is_part && (is_blank || found.size.0 == file.intact_len) && file.fragments.is_empty() {
            return Ok(Decision::Remove(found.path));
        }
        return Err("it holds no whole fragment with pictures".to_owned());
    }
    let segment = segment(&file, found, installation)?;
    Ok(Decision::Adopt { segment, cut_to: is_part.then_some(ByteLen(file.intact_len)) })
}

/// The row that the file says it should have. Its size ends with the last whole fragment; an error says why there is none.
pub(crate) fn segment(file: &SegmentFile, found: Found, installation: InstallationId) -> Result<ClosedSegment, String> {
    let provenance = file.provenance.as_ref().ok_or("it does not say whose it is")?;
    if provenance.installation != installation {
        return Err(format!("it belongs to another installation, {}", provenance.installation));
    }
    if provenance.camera != found.camera {
        return Err(format!("it says that it is of the camera {}", provenance.camera));
    }
    let ends = file.runs(Track::Video).map(|run| {
        let length: u64 = run.samples.iter().map(|sample| u64::from(sample.duration)).sum();
        run.base_decode_ticks.saturating_add(length)
    });
    let ticks = ends.max().unwrap_or(0);
    let rate = u128::from(file.video.timescale.max(1));
    let micros = (u128::from(ticks) * 1_000_000 + rate / 2) / rate;
    let end = UtcMicros(provenance.start.0.saturating_add(i64::try_from(micros).unwrap_or(i64::MAX)));
    let pictures: usize = file.runs(Track::Video).map(|run| run.samples.len()).sum();
    let tracks = [Some(&file.video), file.audio.as_ref()];
    let names: Vec<_> = tracks.into_iter().flatten().map(|track| codecs::name(&track.sample_entry)).collect();
    Ok(ClosedSegment {
        id: provenance.segment,
        camera: CameraId::clone(&provenance.camera),
        span: UtcSpan::new(provenance.start, end).ok_or("its times are none")?,
        path: found.path,
        size: ByteLen(file.intact_len),
        pictures: u32::try_from(pictures).unwrap_or(u32::MAX),
        codecs: names.join(","),
        width: file.video.width,
        height: file.video.height,
    })
}

/// Whether only zeros follow what was read of the file.
fn is_blank_behind(file: &File, read: &Result<SegmentFile, ReadError>, size: u64) -> io::Result<bool> {
    let mut offset = read.as_ref().map_or(0, |file| file.intact_len);
    let mut chunk = [0; 8 << 10];
    while offset < size {
        let length = usize::try_from(size - offset).unwrap_or(chunk.len()).min(chunk.len());
        match file.read_at(&mut chunk[..length], offset)? {
            0 => break,
            count if chunk[..count].iter().any(|byte| *byte != 0) => return Ok(false),
            count => offset += count as u64,
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fmp4::{self, Provenance, Sample, TrackRun};
    use crate::record::testing::video_parameters;
    use crate::units::SegmentId;
    use bytes::Bytes;

    const START: UtcMicros = UtcMicros(1_700_000_000_000_000);
    /// The pictures of each fragment, 40 ms long each.
    const FRAGMENTS: u32 = 3;
    const PICTURES: u32 = 5;

    fn installation() -> InstallationId {
        InstallationId::from_random([1; 16])
    }

    /// A file, and where each of its fragments ends; the first entry is the end of its beginning.
    fn file(camera: &str, installation: InstallationId) -> (Vec<u8>, Vec<usize>) {
        let provenance = Provenance {
            camera: camera.parse().expect("an id"),
            installation,
            segment: SegmentId::from_random([2; 8]),
            start: START,
        };
        let mut bytes = fmp4::init_segment(&video_parameters(), Some(&provenance));
        let mut ends = vec![bytes.len()];
        for n in 0..FRAGMENTS {
            let samples: Vec<_> = (0..PICTURES)
                .map(|m| Sample {
                    duration: 3600,
                    composition_offset: 0,
                    is_key: m == 0,
                    data: Bytes::from_static(b"a picture"),
                })
                .collect();
            let base_decode_ticks = u64::from(n * PICTURES * 3600);
            let run = TrackRun { track: Track::Video, base_decode_ticks, samples: &samples };
            bytes.extend(fmp4::fragment(n + 1, &[run]));
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn decided(bytes: &[u8], kind: FoundKind) -> Result<Decision, String> {
        let size = bytes.len() as u64;
        let read = reader::read(bytes, size);
        let from = read.as_ref().map_or(0, |file| usize::try_from(file.intact_len).expect("small"));
        let is_blank = bytes[from..].iter().all(|byte| *byte == 0);
        let path = PathBuf::from("footage/porch/2023-11-14/22-13-20.000Z.mp4.part");
        let found = Found { camera: "porch".parse().expect("an id"), path, size: ByteLen(size), kind };
        decide(Evidence { found, read, is_blank, installation: installation() })
    }

    #[test]
    fn a_file_torn_at_any_byte_keeps_every_whole_fragment() {
        let (bytes, ends) = file("porch", installation());
        for torn in 0..=bytes.len() {
            let whole = ends.iter().skip(1).filter(|end| **end <= torn).count();
            let decision = decided(&bytes[..torn], FoundKind::Part);
            if whole > 0 {
                let Ok(Decision::Adopt { segment, cut_to }) = decision else { panic!("at {torn}: {decision:?}") };
                assert_eq!(cut_to, Some(ByteLen(ends[whole] as u64)), "at {torn}");
                let pictures = u32::try_from(whole).expect("small") * PICTURES;
                assert_eq!(segment.pictures, pictures);
                assert_eq!(segment.span.end().offset_from(START), i64::from(pictures) * 40_000);
            } else if bytes[ends[0].min(torn)..torn].iter().all(|byte| *byte == 0) {
                assert!(!matches!(decision, Ok(Decision::Adopt { .. })), "at {torn}: {decision:?}");
            } else {
                assert!(decision.is_err(), "at {torn}: what may hold pictures stays, {decision:?}");
            }
        }
        assert!(matches!(decided(&bytes[..ends[0]], FoundKind::Part), Ok(Decision::Remove(_))));
        assert!(matches!(decided(&[], FoundKind::Part), Ok(Decision::Remove(_))));
    }

    #[test]
    fn zeros_behind_the_last_fragment_are_cut_and_a_file_of_zeros_is_removed() {
        let (mut bytes, ends) = file("porch", installation());
        bytes.extend([0; 5000]);
        let decision = decided(&bytes, FoundKind::Part);
        assert!(
            matches!(&decision, Ok(Decision::Adopt { cut_to, .. }) if *cut_to == ends.last().map(|end| ByteLen(*end as u64))),
            "{decision:?}"
        );
        assert!(matches!(decided(&[0; 5000], FoundKind::Part), Ok(Decision::Remove(_))));
    }

    #[test]
    fn a_closed_file_is_adopted_as_it_is_and_never_removed() {
        let (bytes, ends) = file("porch", installation());
        assert!(matches!(decided(&bytes, FoundKind::Segment), Ok(Decision::Adopt { cut_to: None, .. })));
        for torn in [0, 100, ends[0], ends[1] - 1] {
            assert!(decided(&bytes[..torn], FoundKind::Segment).is_err(), "at {torn}");
        }
    }

    #[test]
    fn what_belongs_to_others_is_left_alone() {
        let foreign = decided(&file("porch", InstallationId::from_random([9; 16])).0, FoundKind::Part);
        assert!(foreign.expect_err("left").contains("another installation"));
        let swapped = decided(&file("nursery", installation()).0, FoundKind::Part);
        assert_eq!(swapped, Err("it says that it is of the camera nursery".to_owned()));
        let unsaid = {
            let (bytes, ends) = file("porch", installation());
            let init = fmp4::init_segment(&video_parameters(), None);
            decided(&[&init, &bytes[ends[0]..]].concat(), FoundKind::Part)
        };
        assert_eq!(unsaid, Err("it does not say whose it is".to_owned()));
    }

    #[test]
    fn torn_files_and_orphans_become_segments_on_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let footage = Footage::open(folder.path(), installation()).expect("opens");
        let (bytes, ends) = file("porch", installation());
        let left = |camera: &str, bytes: &[u8]| {
            let mut part = footage.create_part(&camera.parse().expect("an id"), START).expect("made");
            part.append(bytes).expect("appended");
            part
        };
        let torn = left("porch", &bytes[..ends[2] + 7]).path();
        let (orphan, _) = left("porch", &bytes).close().expect("closed");
        let (known, _) = left("porch", &bytes).close().expect("closed");
        let empty = left("porch", &bytes[..ends[0]]).path();
        let swapped = left("nursery", &bytes).path();

        let outcomes: Vec<_> = adopt(&footage, |path| path == known).collect();
        let adopted: Vec<_> = outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Outcome::Adopted(segment) => Some((segment.path.clone(), segment.size, segment.pictures)),
                _ => None,
            })
            .collect();
        let mended = torn.with_extension("");
        assert_eq!(adopted, [(mended.clone(), ByteLen(ends[2] as u64), 10), (orphan, ByteLen(bytes.len() as u64), 15)]);
        assert_eq!(folder.path().join(&mended).metadata().expect("there").len(), ends[2] as u64);
        assert!(outcomes.contains(&Outcome::Removed(empty.clone())) && !folder.path().join(empty).exists());
        assert!(outcomes.iter().any(|outcome| matches!(outcome, Outcome::Left { path, .. } if *path == swapped)));
        assert!(folder.path().join(swapped).exists());
        assert_eq!(outcomes.len(), 4);
    }
}
