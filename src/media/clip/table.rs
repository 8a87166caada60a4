//! One track of a clip: where its samples lie and when they are shown, as the tables of ISO/IEC 14496-12. Pure.

use bytes::Bytes;
use mp4_atom::{
    BufMut as _, Co64, Ctts, CttsEntry, Dinf, Dref, Elst, ElstEntry, Encode as _, FixedPoint, Hdlr, Mdhd, Smhd, Stsc,
    StscEntry, Stss, Stsz, StszSamples, Stts, SttsEntry, Tkhd, Url, Vmhd,
};

use crate::camera::packet::Track;
use crate::record::reader::{SampleRef, TrackInfo};

/// Ticks a second of the clip's own clock, in which edits are measured.
pub(crate) const MOVIE_TIMESCALE: u32 = 90_000;
/// Times are kept within this many ticks of zero, over a century, so that a broken file's cannot overflow.
pub(crate) const FAR: i64 = 1 << 52;
/// The most samples in one chunk, so that a player that reads by chunks reads little.
const MAX_IN_CHUNK: u32 = 100;

/// A track that grows sample by sample, in decode order.
#[derive(Debug)]
pub(crate) struct Table {
    track: Track,
    timescale: u32,
    width: u32,
    height: u32,
    entries: Vec<Bytes>,
    /// Decode time of the first sample on the clip's clock, in the track's ticks.
    zero: i64,
    last: Option<Last>,
    durations: Vec<SttsEntry>,
    offsets: Vec<CttsEntry>,
    keys: Vec<u32>,
    sizes: Vec<u32>,
    chunks: Vec<StscEntry>,
    chunk_offsets: Vec<u64>,
}

#[derive(Debug)]
struct Last {
    at: i64,
    duration: u32,
    /// Where the next sample must lie to belong to the same chunk, and how many are in it.
    end: u64,
    in_chunk: u32,
    entry: u32,
}

/// What of the clip's clock is played, in the movie's ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Table {
    pub(crate) fn new(track: Track, info: &TrackInfo) -> Self {
        Self {
            track,
            timescale: info.timescale,
            width: info.width,
            height: info.height,
            entries: Vec::new(),
            zero: 0,
            last: None,
            durations: Vec::new(),
            offsets: Vec::new(),
            keys: Vec::new(),
            sizes: Vec::new(),
            chunks: Vec::new(),
            chunk_offsets: Vec::new(),
        }
    }

    pub(crate) fn timescale(&self) -> u32 {
        self.timescale
    }

    /// Whether samples of that coding may follow: the same kind of sample entry (`avc1`, `hvc1`, `mp4a`) and the same clock.
    pub(crate) fn can_follow(&self, info: &TrackInfo) -> bool {
        let kind = |entry: &Bytes| entry.get(4..8).map(<[u8]>::to_vec);
        self.timescale == info.timescale
            && self.entries.first().is_none_or(|first| kind(first) == kind(&info.sample_entry))
    }

    /// The number, from 1, of that coding among this track's.
    pub(crate) fn entry(&mut self, info: &TrackInfo) -> u32 {
        let known = self.entries.iter().position(|entry| *entry == info.sample_entry);
        let index = known.unwrap_or_else(|| {
            self.entries.push(info.sample_entry.clone());
            self.entries.len() - 1
        });
        u32::try_from(index + 1).unwrap_or(u32::MAX)
    }

    /// Samples so far.
    pub(crate) fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Where decoding ends on the clip's clock, in the track's ticks.
    pub(crate) fn end(&self) -> i64 {
        self.last.as_ref().map_or(0, |last| last.at + i64::from(last.duration))
    }

    /// Adds a sample. `at`: its decode time on the clip's clock; the sample before lasts until then, so a short hole is
    /// filled by what was shown before it, and an overlap takes from it. `offset`: where its bytes lie in the clip's data.
    pub(crate) fn push(&mut self, at: i64, sample: &SampleRef, offset: u64, entry: u32) {
        let mut at = at.clamp(-FAR, FAR);
        let mut in_chunk = 0;
        match self.last.take() {
            None => self.zero = at,
            Some(last) => {
                at = at.clamp(last.at + 1, last.at + i64::from(u32::MAX));
                self.push_duration(u32::try_from(at - last.at).expect("clamped"));
                if last.end == offset && last.entry == entry && last.in_chunk < MAX_IN_CHUNK {
                    in_chunk = last.in_chunk;
                } else {
                    self.end_chunk(&last);
                }
            }
        }
        if in_chunk == 0 {
            self.chunk_offsets.push(offset);
        }
        self.sizes.push(sample.size);
        if sample.is_key {
            self.keys.push(u32::try_from(self.sizes.len()).unwrap_or(u32::MAX));
        }
        match self.offsets.last_mut() {
            Some(run) if run.sample_offset == i64::from(sample.composition_offset) => run.sample_count += 1,
            _ => self.offsets.push(CttsEntry { sample_count: 1, sample_offset: sample.composition_offset.into() }),
        }
        let end = offset + u64::from(sample.size);
        self.last = Some(Last { at, duration: sample.duration, end, in_chunk: in_chunk + 1, entry });
    }

    fn push_duration(&mut self, duration: u32) {
        match self.durations.last_mut() {
            Some(run) if run.sample_delta == duration => run.sample_count += 1,
            _ => self.durations.push(SttsEntry { sample_count: 1, sample_delta: duration }),
        }
    }

    fn end_chunk(&mut self, last: &Last) {
        let is_same = |chunk: &StscEntry| {
            chunk.samples_per_chunk == last.in_chunk && chunk.sample_description_index == last.entry
        };
        if !self.chunks.last().is_some_and(is_same) {
            self.chunks.push(StscEntry {
                first_chunk: u32::try_from(self.chunk_offsets.len()).unwrap_or(u32::MAX),
                samples_per_chunk: last.in_chunk,
                sample_description_index: last.entry,
            });
        }
    }

    /// No sample follows.
    pub(crate) fn finish(mut self, id: u32) -> FinishedTable {
        if let Some(last) = self.last.take() {
            self.push_duration(last.duration.max(1));
            self.end_chunk(&last);
            self.last = Some(last);
        }
        // Offsets that are never negative play everywhere; the edit takes the shift back.
        let shift = self.offsets.iter().map(|run| run.sample_offset).min().unwrap_or(0).min(0);
        for run in &mut self.offsets {
            run.sample_offset -= shift;
        }
        let length = self.durations.iter().map(|run| u64::from(run.sample_count) * u64::from(run.sample_delta)).sum();
        FinishedTable {
            id,
            track: self.track,
            timescale: self.timescale,
            width: self.width,
            height: self.height,
            entries: self.entries,
            zero: self.zero + shift,
            length,
            durations: Stts { entries: self.durations },
            offsets: Ctts { entries: self.offsets },
            keys: Stss { entries: self.keys },
            sizes: Stsz { samples: StszSamples::Different { sizes: self.sizes } },
            chunks: Stsc { entries: self.chunks },
            chunk_offsets: Co64 { entries: self.chunk_offsets },
        }
    }
}

/// A track that is complete but for where its data will lie.
#[derive(Debug)]
pub(crate) struct FinishedTable {
    id: u32,
    track: Track,
    timescale: u32,
    width: u32,
    height: u32,
    entries: Vec<Bytes>,
    /// The media's zero on the clip's clock, in the track's ticks.
    zero: i64,
    /// In the track's ticks.
    length: u64,
    durations: Stts,
    offsets: Ctts,
    keys: Stss,
    sizes: Stsz,
    chunks: Stsc,
    chunk_offsets: Co64,
}

impl FinishedTable {
    /// Says where the data begins, from the clip's first byte; instead of what was said before.
    pub(crate) fn move_data(&mut self, from: u64, to: u64) {
        for offset in &mut self.chunk_offsets.entries {
            *offset = *offset - from + to;
        }
    }

    /// The `trak` box.
    pub(crate) fn write(&self, out: &mut Vec<u8>, edit: Edit) -> mp4_atom::Result<()> {
        let pixels = |length: u32| FixedPoint::from(u16::try_from(length).unwrap_or(u16::MAX));
        let is_video = self.track == Track::Video;
        out.encode_atom(b"trak", |out| {
            Tkhd {
                track_id: self.id,
                enabled: true,
                in_movie: true,
                duration: (edit.end - edit.start).unsigned_abs(),
                alternate_group: u16::from(!is_video),
                volume: u8::from(!is_video).into(),
                width: pixels(self.width),
                height: pixels(self.height),
                ..Tkhd::default()
            }
            .encode(out)?;
            out.encode_atom(b"edts", |out| self.edits(edit).encode(out))?;
            out.encode_atom(b"mdia", |out| {
                let language = "und".to_owned();
                Mdhd { timescale: self.timescale, duration: self.length, language, ..Mdhd::default() }.encode(out)?;
                let handler = if is_video { b"vide" } else { b"soun" };
                Hdlr { handler: handler.into(), name: "Hearthwatch".to_owned() }.encode(out)?;
                out.encode_atom(b"minf", |out| {
                    if is_video { Vmhd::default().encode(out) } else { Smhd::default().encode(out) }?;
                    Dinf { dref: Dref { entries: vec![Url::default().into()] } }.encode(out)?;
                    out.encode_atom(b"stbl", |out| self.write_tables(out))
                })
            })
        })
    }

    fn write_tables(&self, out: &mut Vec<u8>) -> mp4_atom::Result<()> {
        out.encode_atom(b"stsd", |out| {
            0_u32.encode(out)?; // version and flags
            u32::try_from(self.entries.len()).unwrap_or(u32::MAX).encode(out)?;
            for entry in &self.entries {
                out.append_slice(entry);
            }
            Ok(())
        })?;
        self.durations.encode(out)?;
        if self.track == Track::Video {
            if self.offsets.entries.iter().any(|run| run.sample_offset != 0) {
                self.offsets.encode(out)?;
            }
            self.keys.encode(out)?;
        }
        self.chunks.encode(out)?;
        self.sizes.encode(out)?;
        self.chunk_offsets.encode(out)
    }

    /// Sound may begin later than the pictures: then nothing comes first.
    fn edits(&self, edit: Edit) -> Elst {
        let zero = rescale(self.zero, self.timescale, MOVIE_TIMESCALE);
        let begin = edit.start.max(zero).min(edit.end);
        let mut entries = Vec::new();
        if begin > edit.start {
            let segment_duration = (begin - edit.start).unsigned_abs();
            entries.push(ElstEntry { segment_duration, media_time: None, media_rate: 1.into() });
        }
        let media_time = rescale(begin, MOVIE_TIMESCALE, self.timescale) - self.zero;
        entries.push(ElstEntry {
            segment_duration: (edit.end - begin).unsigned_abs(),
            media_time: Some(media_time.max(0).unsigned_abs()),
            media_rate: 1.into(),
        });
        Elst { entries }
    }
}

/// From ticks at one rate to ticks at another, rounded to the nearest. Rates are not 0.
pub(crate) fn rescale(ticks: i64, from: u32, to: u32) -> i64 {
    let (from, to) = (i128::from(from), i128::from(to));
    let scaled = (i128::from(ticks) * to + from / 2).div_euclid(from);
    i64::try_from(scaled).unwrap_or(if scaled < 0 { i64::MIN } else { i64::MAX })
}
