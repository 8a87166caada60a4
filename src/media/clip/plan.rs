//! Which samples of which segments make a clip, and when each is shown. Pure.
//!
//! The clip has a clock of its own, in microseconds, whose zero is the first segment's. Segments that follow each other
//! within two seconds keep their distance: what was shown last is shown until the next begins. Over a longer hole the clip
//! closes up, so that nobody watches a still picture for an hour. The same holds where the wall clock was set back.

use std::ops::Range;

use bytes::Bytes;
use mp4_atom::{BufMut as _, Encode as _, FourCC, Ftyp, Header, Matrix, Mvhd};

use crate::camera::packet::Track;
use crate::media::MediaError;
use crate::media::assembly::{Piece, Pieces};
use crate::media::clip::table::{Edit, FAR, FinishedTable, MOVIE_TIMESCALE, Table, rescale};
use crate::record::reader::{Run, SampleRef, SegmentFile};
use crate::units::UtcSpan;

/// The longest hole that is played as a standing picture.
const MAX_STANDSTILL_US: i64 = 2_000_000;
/// The most samples in one clip: 24 hours at 25 pictures a second with sound are 6,200,000.
const MAX_SAMPLES: usize = 8_000_000;
/// Wall-clock times and ticks are rounded; what differs by less is the same moment.
const SAME_MOMENT_US: i64 = 1_000;
const MICROS: u32 = 1_000_000;

/// A clip as it grows, segment by segment.
#[derive(Debug)]
pub(crate) struct Plan {
    wanted: UtcSpan,
    video: Option<Table>,
    audio: Option<Table>,
    data: Pieces,
    /// Where the segment before was put on the clip's clock, and its span on the wall's.
    before: Option<(i64, UtcSpan)>,
    /// When the first picture is shown and when the last one ends, on the clip's clock.
    shown: Option<(i64, i64)>,
}

impl Plan {
    pub(crate) fn new(wanted: UtcSpan) -> Self {
        Self { wanted, video: None, audio: None, data: Pieces::default(), before: None, shown: None }
    }

    /// Adds what is wanted of the next segment. `number`: its file's; `span`: its own, whose start is the file's zero.
    pub(crate) fn add(&mut self, number: usize, span: UtcSpan, file: &SegmentFile) -> Result<(), MediaError> {
        let changed = |what| MediaError::CodingChanged { what, at: span.start() };
        let from_us = if self.shown.is_none() { self.wanted.start().offset_from(span.start()).max(0) } else { 0 };
        let until_us = self.wanted.end().offset_from(span.start());
        let Some(cut) = Cut::of_pictures(file, from_us, until_us) else { return Ok(()) };

        let place = self.place(span);
        let video = self.video.get_or_insert_with(|| Table::new(Track::Video, &file.video));
        if !video.can_follow(&file.video) {
            return Err(changed("video codec"));
        }
        let video_entry = video.entry(&file.video);
        let mut sound = None;
        if let Some(info) = &file.audio {
            let audio = self.audio.get_or_insert_with(|| Table::new(Track::Audio, info));
            if !audio.can_follow(info) {
                return Err(changed("audio codec"));
            }
            let entry = audio.entry(info);
            sound = Some((audio, info, entry));
        }

        let start_us = cut.start_us.max(0);
        let sound_from_us = if self.shown.is_none() { start_us } else { i64::MIN };
        let mut pictures = 0;
        for run in file.fragments.iter().flat_map(|fragment| &fragment.runs) {
            match (run.track, &mut sound) {
                (Track::Video, _) => {
                    let zero = rescale(place, MICROS, file.video.timescale);
                    for (at, sample) in run.timed() {
                        if cut.range.contains(&pictures) {
                            let offset = self.data.len();
                            self.data.push(slice(number, sample));
                            video.push(zero.saturating_add(at), sample, offset, video_entry);
                        }
                        pictures += 1;
                    }
                }
                (Track::Audio, Some((audio, info, entry))) => {
                    let zero = rescale(place, MICROS, info.timescale);
                    let micros = |ticks| rescale(ticks, info.timescale, MICROS);
                    for (at, sample) in run.timed() {
                        let end = at.saturating_add(sample.duration.into());
                        if micros(end) > sound_from_us && micros(at) < until_us {
                            let offset = self.data.len();
                            self.data.push(slice(number, sample));
                            audio.push(zero.saturating_add(at), sample, offset, *entry);
                        }
                    }
                }
                (Track::Audio, None) => {}
            }
        }
        if video.len() + sound.map_or(0, |(audio, ..)| audio.len()) > MAX_SAMPLES {
            return Err(MediaError::TooLong(
                "a clip has at most 8,000,000 pictures and sounds; ask for a shorter time",
            ));
        }
        let end = place.saturating_add(until_us.min(micros(span)));
        let (start, _) = self.shown.unwrap_or((place.saturating_add(start_us), 0));
        self.shown = Some((start, end));
        self.before = Some((place, span));
        Ok(())
    }

    /// Where a segment of that span begins on the clip's clock.
    fn place(&self, span: UtcSpan) -> i64 {
        let Some((place, before)) = self.before else { return 0 };
        let hole = span.start().offset_from(before.end());
        let end = place.saturating_add(micros(before));
        if (0..MAX_STANDSTILL_US).contains(&hole) { end.saturating_add(hole) } else { end }
    }

    /// The whole file: `ftyp`, `moov` and `mdat`.
    pub(crate) fn finish(self) -> Result<Pieces, MediaError> {
        let (Some(video), Some((start, end))) = (self.video, self.shown) else { return Err(MediaError::Nothing) };
        let ticks = |micros| rescale(micros, MICROS, MOVIE_TIMESCALE).clamp(0, FAR);
        let (start, end) = (ticks(start), ticks(end));
        // The span's end is when the next segment begins; the last picture may end a little before.
        let video_end = rescale(video.end(), video.timescale(), MOVIE_TIMESCALE);
        let edit = Edit { start, end: end.min(video_end).max(start + 1) };
        let audio = self.audio.filter(|audio| audio.len() > 0);
        let mut tables: Vec<_> =
            [Some(video), audio].into_iter().flatten().zip(1..).map(|(t, id)| t.finish(id)).collect();

        // Offsets have a fixed size, so the head is as long with the true ones as with these.
        let head = write_head(&tables, edit, self.data.len());
        for table in &mut tables {
            table.move_data(0, head.len() as u64);
        }
        let mut pieces = Pieces::default();
        pieces.push(Piece::Made(write_head(&tables, edit, self.data.len())));
        pieces.append(self.data);
        Ok(pieces)
    }
}

/// Which pictures of a segment are needed.
struct Cut {
    /// From the key frame before the first one shown, in decode order.
    range: Range<usize>,
    /// When the picture that stands at the wanted moment was first shown, in µs since the file's zero.
    start_us: i64,
}

impl Cut {
    /// `None` if no picture of this segment is shown then, or none can be decoded.
    fn of_pictures(file: &SegmentFile, from_us: i64, until_us: i64) -> Option<Self> {
        let shown_us = |(at, sample): (i64, &SampleRef)| {
            rescale(at.saturating_add(sample.composition_offset.into()), file.video.timescale, MICROS)
        };
        let mut begin: Option<usize> = None;
        let (mut end, mut start_us, mut earliest_us) = (0, None, None);
        for (number, timed) in file.runs(Track::Video).flat_map(Run::timed).enumerate() {
            let (is_key, at_us) = (timed.1.is_key, shown_us(timed));
            let is_before = at_us <= from_us.saturating_add(SAME_MOMENT_US);
            if is_key && (begin.is_none() || is_before) {
                begin = Some(number);
                earliest_us = Some(at_us);
            }
            if begin.is_none() {
                continue;
            }
            if is_before {
                start_us = start_us.max(Some(at_us));
            }
            if at_us.saturating_add(SAME_MOMENT_US) < until_us {
                end = number + 1;
            }
        }
        let begin = begin.filter(|begin| *begin < end)?;
        Some(Self { range: begin..end, start_us: start_us.or(earliest_us)? })
    }
}

fn slice(file: usize, sample: &SampleRef) -> Piece {
    Piece::Slice { file, range: sample.offset..sample.offset + u64::from(sample.size) }
}

fn micros(span: UtcSpan) -> i64 {
    span.end().offset_from(span.start())
}

/// Everything before the data.
fn write_head(tables: &[FinishedTable], edit: Edit, data_len: u64) -> Bytes {
    let mut out = Vec::new();
    let mut write = || {
        Ftyp {
            major_brand: b"isom".into(),
            minor_version: 0x200,
            compatible_brands: vec![b"isom".into(), b"iso2".into(), b"mp41".into()],
        }
        .encode(&mut out)?;
        out.encode_atom(b"moov", |out| {
            Mvhd {
                creation_time: 0,
                modification_time: 0,
                timescale: MOVIE_TIMESCALE,
                duration: (edit.end - edit.start).unsigned_abs(),
                rate: 1.into(),
                volume: 1.into(),
                matrix: Matrix::default(),
                next_track_id: u32::try_from(tables.len() + 1).unwrap_or(u32::MAX),
            }
            .encode(out)?;
            tables.iter().try_for_each(|table| table.write(out, edit))
        })?;
        Header { kind: FourCC::new(b"mdat"), size: usize::try_from(data_len).ok() }.encode(&mut out)
    };
    write().expect("tables of 8,000,000 samples encode into memory");
    out.into()
}

#[cfg(test)]
mod tests {
    use mp4_atom::{Co64, Decode as _, Moov, StszSamples};
    use proptest::prelude::*;

    use super::*;
    use crate::record::reader::{Fragment, TrackInfo};
    use crate::units::UtcMicros;

    fn info(kind: [u8; 4], timescale: u32) -> TrackInfo {
        let mut entry = vec![0, 0, 0, 8];
        entry.extend(kind);
        TrackInfo { id: 1, timescale, sample_entry: entry.into(), width: 64, height: 48 }
    }

    fn runs(track: Track) -> impl Strategy<Value = Run> {
        let ticks = prop_oneof![0..200_000_u64, any::<u64>()];
        let duration = prop_oneof![0..9000_u32, any::<u32>()];
        let offset = prop_oneof![-9000..9000_i32, any::<i32>()];
        let sample = (0..5000_u64, 0..300_u32, duration, offset, any::<bool>());
        (ticks, proptest::collection::vec(sample, 1..12)).prop_map(move |(base_decode_ticks, samples)| {
            let sample = |(offset, size, duration, composition_offset, is_key)| SampleRef {
                offset,
                size,
                duration,
                composition_offset,
                is_key,
            };
            Run { track, base_decode_ticks, base_decode_at: 0..8, samples: samples.into_iter().map(sample).collect() }
        })
    }

    fn files() -> impl Strategy<Value = SegmentFile> {
        let runs = prop_oneof![3 => runs(Track::Video), 1 => runs(Track::Audio)];
        (proptest::collection::vec(runs, 0..8), any::<bool>()).prop_map(|(runs, has_audio)| SegmentFile {
            provenance: None,
            init: 0..100,
            video: info(*b"vvvv", 90_000),
            audio: has_audio.then(|| info(*b"aaaa", 16_000)),
            fragments: vec![Fragment { range: 100..6000, moof_len: 50, runs }],
            intact_len: 6000,
            damaged: 0,
        })
    }

    fn spans() -> impl Strategy<Value = UtcSpan> {
        let moment = prop_oneof![4 => 0..10_000_000_i64, 1 => any::<i64>()];
        (moment, 0..20_000_000_i64).prop_map(|(start, len)| {
            UtcSpan::new(UtcMicros(start), UtcMicros(start.saturating_add(len))).expect("ordered")
        })
    }

    proptest! {
        #[test]
        fn whatever_files_say_the_tables_fit_each_other_and_the_data(
            segments in proptest::collection::vec((spans(), files()), 1..5), wanted in spans(),
        ) {
            let mut plan = Plan::new(wanted);
            for (number, (span, file)) in segments.iter().enumerate() {
                plan.add(number, *span, file).expect("one codec");
            }
            let clip = plan.finish();
            prop_assume!(clip.is_ok());
            let pieces = clip.expect("a clip");
            let total = pieces.len();
            let head = pieces.first_made().expect("a head");
            let mut rest = &head[..];
            Ftyp::decode(&mut rest).expect("ftyp");
            let moov = Moov::decode(&mut rest).expect("moov");
            let mdat = Header::decode(&mut rest).expect("mdat");
            prop_assert_eq!(mdat.size.expect("a size") as u64, total - head.len() as u64);
            prop_assert!(rest.is_empty());
            for trak in moov.trak {
                let stbl = trak.mdia.minf.stbl;
                let StszSamples::Different { sizes } = stbl.stsz.samples else { panic!("each has its size") };
                let Co64 { entries: offsets } = stbl.co64.expect("offsets");
                let count = sizes.len() as u64;
                let lasting = stbl.stts.entries.iter().map(|run| u64::from(run.sample_count)).sum::<u64>();
                prop_assert_eq!(lasting, count);
                prop_assert!(stbl.stts.entries.iter().all(|run| run.sample_delta > 0));
                if let Some(ctts) = stbl.ctts {
                    prop_assert_eq!(ctts.entries.iter().map(|run| u64::from(run.sample_count)).sum::<u64>(), count);
                    prop_assert!(ctts.entries.iter().all(|run| run.sample_offset >= 0));
                }
                let mut sizes = sizes.into_iter();
                let mut entries = stbl.stsc.entries.iter().peekable();
                let mut per_chunk = 0;
                for (number, offset) in (1..).zip(offsets) {
                    if let Some(entry) = entries.next_if(|entry| entry.first_chunk == number) {
                        per_chunk = entry.samples_per_chunk;
                    }
                    let size: u64 = sizes.by_ref().take(per_chunk as usize).map(u64::from).sum();
                    prop_assert!(offset >= head.len() as u64 && offset + size <= total);
                }
                prop_assert!(sizes.next().is_none() && entries.next().is_none());
            }
        }
    }
}
