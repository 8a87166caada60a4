//! A closed segment is moved in time, because the clock by which it was recorded was wrong.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use crate::disk::Footage;
use crate::record::fmp4::{PROVENANCE_UUID, Provenance};
use crate::record::segment::ClosedSegment;
use crate::units::UtcMicros;

/// The provenance stands right behind the file's type.
const HEAD: usize = 512;

/// Gives the segment's file the name and, inside, the moment of `start`; returns its new path. Interrupted between the two it
/// is a whole segment all the same, with the moment of before.
pub fn file_to(footage: &Footage, segment: &ClosedSegment, start: UtcMicros) -> io::Result<PathBuf> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the file does not say whose it is");
    let mut head = vec![0; HEAD];
    let read = footage.open_file(&segment.path)?.read_at(&mut head, 0)?;
    let (at, provenance) = provenance(&head[..read]).ok_or_else(damaged)?;
    if (provenance.segment, &provenance.camera) != (segment.id, &segment.camera) {
        return Err(damaged());
    }
    let path = footage.rename_segment(&segment.path, &segment.camera, start)?;
    let provenance = Provenance { start, ..provenance };
    footage.mend_segment(&path, at as u64, &provenance.encode())?;
    Ok(path)
}

/// The provenance in a file's first bytes, and where it is.
fn provenance(head: &[u8]) -> Option<(usize, Provenance)> {
    let uuid = head.windows(PROVENANCE_UUID.len()).position(|bytes| bytes == PROVENANCE_UUID)?;
    let length = head.get(uuid.checked_sub(8)?..uuid - 4)?;
    let end = uuid - 8 + usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
    let at = uuid + PROVENANCE_UUID.len();
    Some((at, Provenance::decode(head.get(at..end)?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::reader;
    use crate::record::testing::{packet, video_parameters};
    use crate::record::{OpenSegments, fmp4, queue, segment, task};
    use crate::units::{CameraId, InstallationId, SimulatedClock};
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn a_moved_segment_says_its_new_moment_and_lies_where_that_belongs() {
        let folder = tempfile::tempdir().expect("a folder");
        let footage = Footage::open(folder.path(), InstallationId::from_random([1; 16])).expect("opens");
        let camera: CameraId = "porch".parse().expect("an id");
        let (mut feed, packets) = queue::queue(&queue::Budget::new(usize::MAX));
        for n in 0..20 {
            assert!(feed.push(packet(&video_parameters(), n * 100, n % 10 == 0)));
        }
        drop(feed);
        let (minute, sync) = (Duration::from_secs(60), Duration::from_secs(2));
        let settings = task::RecordSettings { segment: minute, sync, recorded_until: None };
        let clock = SimulatedClock::new(UtcMicros(1_700_000_000_000_000)).clock();
        let mut closed = Vec::new();
        let out = |recorded| match recorded {
            segment::Recorded::Segment(segment) => closed.push(segment),
            other => panic!("{other:?}"),
        };
        task::run(camera, footage.clone(), settings, clock, &packets, OpenSegments::default(), || [7; 8], out);
        let [segment] = &closed[..] else { panic!("{closed:?}") };

        let read = |path| {
            let file = footage.open_file(path).expect("opens");
            let length = file.metadata().expect("there").len();
            (reader::read(&file, length).expect("reads"), length)
        };
        let (before, length) = read(&segment.path);
        let start = UtcMicros(1_800_000_000_123_456);
        let path = file_to(&footage, segment, start).expect("moves");
        assert_eq!(path, std::path::Path::new("footage/porch/2027-01-15/08-00-00.123Z.mp4"));
        assert!(!folder.path().join("footage/porch/2023-11-14").exists(), "the day of before is empty");
        let (after, moved_length) = read(&path);
        assert_eq!(after.provenance, before.provenance.map(|provenance| fmp4::Provenance { start, ..provenance }));
        assert_eq!((moved_length, after.intact_len, after.fragments), (length, length, before.fragments));
        let error = file_to(&footage, segment, start).expect_err("it is there no more");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    proptest! {
        #[test]
        fn no_head_makes_it_panic(before in 0..40usize, bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            provenance(&[&vec![0; before], &PROVENANCE_UUID[..], &bytes].concat());
        }
    }
}
