//! The pictures of a stretch of footage as they were recorded, one coded picture after the other, for whoever looks through
//! them once more. They stay coded: what decodes them is a process of its own ([`crate::detect::replay`]).

use std::collections::VecDeque;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use mp4_atom::{Codec, Decode as _};

use crate::access::{Right, Viewable};
use crate::camera::packet::{Track, VideoCodec};
use crate::detect::annex_b;
use crate::detect::looking::{Coding, Unit};
use crate::detect::protocol::MAX_UNIT;
use crate::disk::Footage;
use crate::index::Readers;
use crate::media::clip::rescale;
use crate::media::recordings::find;
use crate::media::source::{self, Recording};
use crate::media::{MediaError, needs};
use crate::record::open::OpenSegments;
use crate::record::reader::{ReadAt as _, Run, SampleRef, SegmentFile};
use crate::units::{CameraId, UtcSpan};

/// What is read at once: so many pictures at most, and no more once there are so many bytes. Before each such piece the
/// viewer's right is asked for again.
const MOST_UNITS: usize = 16;
const MOST_BYTES: usize = 2 << 20;
const MICROS: u32 = 1_000_000;

/// Pictures in their order of decoding, all coded alike.
pub type Piece = (Arc<Coding>, Vec<Unit>);

/// A stretch of one camera's footage, as far as it was read.
#[derive(Debug)]
pub struct Samples(Option<Reader>);

#[derive(Debug)]
struct Reader {
    proof: Viewable<CameraId>,
    span: UtcSpan,
    footage: Footage,
    recordings: VecDeque<Viewable<Recording>>,
    file: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Relative to the storage folder.
    path: PathBuf,
    coding: Arc<Coding>,
    /// Each with when it is shown, by the clock on the wall.
    left: VecDeque<(i64, SampleRef)>,
}

/// The pictures of that span, from the key frame before its start on; takes a proof of [`Right::History`]. The times of the
/// pictures are those of the wall.
pub async fn open(
    proof: &Viewable<CameraId>,
    span: UtcSpan,
    readers: &Readers,
    footage: &Footage,
    segments: &OpenSegments,
) -> Result<Samples, MediaError> {
    needs(proof, &[Right::History])?;
    let recordings = find(proof, span, readers, segments).await?.into();
    Ok(Samples(Some(Reader { proof: proof.clone(), span, footage: footage.clone(), recordings, file: None })))
}

impl Samples {
    /// The next few pictures; `None` at the end. What was removed meanwhile, or is coded in a way that cameras do not send, is
    /// left out. Not to be called again once it was cancelled or failed: there is nothing more then.
    pub async fn next(&mut self) -> Result<Option<Piece>, MediaError> {
        let Some(mut reader) = self.0.take() else { return Ok(None) };
        let read = tokio::task::spawn_blocking(move || (reader.read(), reader)).await;
        let (piece, reader) = read.map_err(|_| MediaError::Broken)?;
        let piece = piece?;
        self.0 = Some(reader);
        Ok(piece)
    }
}

impl Reader {
    /// Blocking.
    fn read(&mut self) -> Result<Option<Piece>, MediaError> {
        self.proof.still_allowed()?;
        loop {
            if let Some(open) = &mut self.file {
                let units = open.read()?;
                if !units.is_empty() {
                    return Ok(Some((Arc::clone(&open.coding), units)));
                }
            }
            let Some(recording) = self.recordings.pop_front() else { return Ok(None) };
            self.file = self.open(&recording)?;
        }
    }

    fn open(&self, recording: &Viewable<Recording>) -> Result<Option<Open>, MediaError> {
        let (file, segment) = match source::open_segment(recording, &self.footage) {
            // Retention takes the oldest; what is left is still wanted.
            Err(MediaError::Gone) => return Ok(None),
            opened => opened?,
        };
        let Some(coding) = coding(&segment.video.sample_entry) else { return Ok(None) };
        let left = wanted(&segment, recording.get().span, self.span);
        Ok(Some(Open { file, path: recording.get().path.clone(), coding: Arc::new(coding), left }))
    }
}

impl Open {
    /// Nothing at the end.
    fn read(&mut self) -> Result<Vec<Unit>, MediaError> {
        let (mut units, mut bytes) = (Vec::new(), 0);
        while units.len() < MOST_UNITS && bytes < MOST_BYTES {
            let Some((at_us, sample)) = self.left.pop_front() else { break };
            let size = usize::try_from(sample.size).unwrap_or(usize::MAX);
            let mut coded = vec![0; if size > MAX_UNIT { 0 } else { size }];
            let read = self.file.read_exact_at(&mut coded, sample.offset);
            read.map_err(|source| MediaError::Io { path: self.path.clone(), source })?;
            bytes += coded.len();
            let sets: &[u8] = if sample.is_key { &self.coding.sets } else { &[] };
            // One that is too large, or whose lengths do not add up, is still one that should have been there.
            let whole = annex_b::from_mp4(sets, &coded).ok().filter(|_| size <= MAX_UNIT);
            let damaged = whole.is_none();
            let data = whole.unwrap_or_else(|| Bytes::from_static(&annex_b::START_CODE));
            units.push(Unit { at_us, is_key: sample.is_key, damaged, data });
        }
        Ok(units)
    }
}

/// The pictures of a segment that are wanted: from the key frame before the span's start, or from the first.
fn wanted(file: &SegmentFile, recorded: UtcSpan, span: UtcSpan) -> VecDeque<(i64, SampleRef)> {
    let shown = |(at, sample): (i64, &SampleRef)| {
        let ticks = at.saturating_add(sample.composition_offset.into());
        let at_us = recorded.start().0.saturating_add(rescale(ticks, file.video.timescale, MICROS));
        (at_us, *sample)
    };
    let mut wanted = VecDeque::new();
    for (at_us, sample) in file.runs(Track::Video).flat_map(Run::timed).map(shown) {
        if sample.is_key && at_us <= span.start().0 {
            wanted.clear();
        }
        if at_us < span.end().0 && (sample.is_key || !wanted.is_empty()) {
            wanted.push_back((at_us, sample));
        }
    }
    wanted
}

/// How the pictures behind a sample entry are coded; `None` if that is not as cameras do.
fn coding(sample_entry: &[u8]) -> Option<Coding> {
    let (codec, sets) = match Codec::decode(&mut &*sample_entry).ok()? {
        Codec::Avc1(entry) => {
            let avcc = entry.avcc;
            (VideoCodec::H264, [avcc.sequence_parameter_sets, avcc.picture_parameter_sets].concat())
        }
        Codec::Hvc1(entry) => (VideoCodec::H265, entry.hvcc.arrays.into_iter().flat_map(|array| array.nalus).collect()),
        Codec::Hev1(entry) => (VideoCodec::H265, entry.hvcc.arrays.into_iter().flat_map(|array| array.nalus).collect()),
        _ => return None,
    };
    let mut with_start_codes = BytesMut::new();
    for set in sets {
        with_start_codes.extend_from_slice(&annex_b::START_CODE);
        with_start_codes.extend_from_slice(&set);
    }
    Some(Coding { codec, sets: with_start_codes.freeze() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::testing::{Film, Storage, film};
    use crate::units::UtcMicros;

    fn seconds(start: i64, end: i64) -> UtcSpan {
        UtcSpan::new(UtcMicros(start * 1_000_000), UtcMicros(end * 1_000_000)).expect("ordered")
    }

    /// Eight seconds at ten pictures a second with a key frame each second, recorded in two files from the 100th second on.
    fn recorded() -> Option<(Storage, Film)> {
        let film = film("testsrc2=s=320x180:r=10:d=8", "-c:v libx264 -bf 2 -g 10 -sc_threshold 0")?;
        let storage = Storage::new();
        for (from, to) in [(0, 40), (40, 80)] {
            let start = UtcMicros(100_000_000 + i64::try_from(from).expect("small") * 100_000);
            storage.list(&storage.record("porch", &film, from, to, start));
        }
        Some((storage, film))
    }

    async fn read(storage: &Storage, span: UtcSpan) -> Result<Vec<Unit>, MediaError> {
        let proof = storage.household.proof("porch", Right::History);
        let mut samples = open(&proof, span, &storage.readers, &storage.footage, &storage.open).await?;
        let mut units = Vec::new();
        while let Some((coding, piece)) = samples.next().await? {
            assert_eq!(coding.codec, VideoCodec::H264);
            assert!(coding.sets.starts_with(&annex_b::START_CODE) && coding.sets[4] & 0x1f == 7, "SPS first");
            assert!(piece.iter().all(|unit| unit.data.starts_with(&coding.sets) == unit.is_key));
            units.extend(piece);
        }
        Ok(units)
    }

    #[tokio::test]
    async fn a_stretch_begins_at_the_key_frame_before_it_and_goes_on_over_files() {
        let Some((storage, _)) = recorded() else { return };
        let units = read(&storage, seconds(102, 106)).await.expect("pictures");
        assert!(units[0].is_key && !units.iter().any(|unit| unit.damaged));
        let mut times: Vec<_> = units.iter().map(|unit| unit.at_us).collect();
        assert!(times[0] <= 102_000_000 && times[0] > 100_900_000, "{}", times[0]);
        // B-frames come out of order; all that are shown are there.
        assert!(!times.is_sorted());
        times.sort_unstable();
        assert!(times.windows(2).all(|pair| (99_000..101_000).contains(&(pair[1] - pair[0]))), "{times:?}");
        assert!(*times.last().expect("some") >= 105_800_000);
        assert!(read(&storage, seconds(0, 50)).await.expect("an answer").is_empty());
    }

    #[tokio::test]
    async fn nothing_comes_for_another_right_of_another_camera_or_after_a_right_was_taken() {
        let Some((storage, film)) = recorded() else { return };
        let live = storage.household.proof("porch", Right::Live);
        let refused = open(&live, seconds(100, 108), &storage.readers, &storage.footage, &storage.open).await;
        assert!(matches!(refused, Err(MediaError::WrongRight(Right::Live))));

        // The nursery's file where the index has one of the porch.
        let start = UtcMicros(200_000_000);
        let mut foreign = storage.record("nursery", &film, 0, 10, start);
        foreign.camera = crate::media::testing::id("porch");
        storage.list(&foreign);
        assert!(matches!(read(&storage, seconds(200, 201)).await, Err(MediaError::WrongCamera)));

        let proof = storage.household.proof("porch", Right::History);
        let mut samples = open(&proof, seconds(100, 108), &storage.readers, &storage.footage, &storage.open)
            .await
            .expect("permitted");
        assert!(samples.next().await.expect("permitted").is_some());
        storage.household.revoke();
        assert!(matches!(samples.next().await, Err(MediaError::Denied(_))));
        assert!(samples.next().await.expect("over").is_none());
    }
}
