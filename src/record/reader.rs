//! Reads what a segment file says about itself: whose it is, how its tracks are coded, and where each sample lies.
//!
//! Pure: bytes in, a [`SegmentFile`] out. Reads box headers, `moov`, `uuid` and each `moof`; never a picture. A file may be
//! torn (the power went), foreign or hostile: counts, sizes and depth are bounded, nothing is allocated by a number that
//! the file merely claims, and what follows the last whole fragment is reported, not guessed at.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use mp4_atom::{Atom, FourCC, Hdlr, Mdhd, Tfdt, Tfhd, Tkhd, Trex, Trun};

use crate::camera::packet::Track;
use crate::record::fmp4::{PROVENANCE_UUID, Provenance};

/// Where the `moov` must end, in bytes from the file's start. Ours end at about 1,500.
pub const MAX_INIT: u64 = 1 << 20;
/// The largest `moof` that is read, in bytes: 100,000 samples.
const MAX_MOOF: u64 = 2 << 20;
/// The largest `uuid` box that is looked into, in bytes.
const MAX_UUID: u64 = 4096;
/// Boxes of the top level that are looked at, what follows is not read; an hour of one-second fragments has 7,200.
const MAX_BOXES: u32 = 100_000;
/// Samples in one file; an hour at 60 pictures a second with sound has 400,000.
const MAX_SAMPLES: usize = 1_000_000;

/// Something whose bytes can be read at any place: a file, or bytes in memory.
pub trait ReadAt {
    /// Fills `buffer` with the bytes from `offset` on; `UnexpectedEof` if there are fewer.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for std::fs::File {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)?.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Why a file is no segment that can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk refused; whether the file is whole is not known.
    #[error("could not read at byte {offset}: {source}")]
    Io {
        /// Where.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The file ends, or becomes unreadable, before its `moov` is whole: nothing in it can be played.
    #[error("no whole moov box in the first {limit} bytes")]
    NoInit {
        /// The bytes that were looked at.
        limit: u64,
    },
    /// The `moov` is there but describes no track of pictures that could be filed.
    #[error("the moov box is not one of a segment: {0}")]
    Init(&'static str),
}

/// What a segment file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFile {
    /// Whose file it is; `None` if it does not say so in a way that this program wrote.
    pub provenance: Option<Provenance>,
    /// The bytes from the file's start to the end of its `moov`.
    pub init: Range<u64>,
    /// The pictures.
    pub video: TrackInfo,
    /// The sound.
    pub audio: Option<TrackInfo>,
    /// Whole fragments, in the file's order.
    pub fragments: Vec<Fragment>,
    /// Where the last whole fragment ends (the `moov`, if there is none). Bytes after it play in no player.
    pub intact_len: u64,
    /// Whole boxes that were skipped because what they say cannot be: sample ranges outside their `mdat`, broken tables.
    pub damaged: u32,
}

impl SegmentFile {
    /// The runs of one track, in order.
    pub fn runs(&self, track: Track) -> impl Iterator<Item = &Run> {
        self.fragments.iter().flat_map(|fragment| &fragment.runs).filter(move |run| run.track == track)
    }

    /// The track's description, if the file has that track.
    pub fn track(&self, track: Track) -> Option<&TrackInfo> {
        match track {
            Track::Video => Some(&self.video),
            Track::Audio => self.audio.as_ref(),
        }
    }
}

/// How one track is coded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackInfo {
    /// The file's number for it.
    pub id: u32,
    /// Ticks a second, never 0.
    pub timescale: u32,
    /// A whole sample entry box (`avc1`, `hvc1`, `mp4a`), header included.
    pub sample_entry: Bytes,
    /// Picture width in pixels; 0 for sound.
    pub width: u32,
    /// Picture height in pixels; 0 for sound.
    pub height: u32,
}

/// One `moof` with the `mdat` behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// From the `moof`'s first byte to the end of the `mdat`.
    pub range: Range<u64>,
    /// The `moof`'s size in bytes.
    pub moof_len: u64,
    /// One for each track that has samples here.
    pub runs: Vec<Run>,
}

/// Samples of one track that follow each other without a gap in decode time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Pictures or sound.
    pub track: Track,
    /// Decode time of the first sample, in the track's ticks.
    pub base_decode_ticks: u64,
    /// Where that number stands in the file: 8 bytes, big-endian (4 in a foreign file with short times).
    pub base_decode_at: Range<u64>,
    /// In decode order.
    pub samples: Vec<SampleRef>,
}

impl Run {
    /// Each sample with its decode time, in the track's ticks.
    pub fn timed(&self) -> impl Iterator<Item = (i64, &SampleRef)> {
        let mut next = i64::try_from(self.base_decode_ticks).unwrap_or(i64::MAX);
        self.samples.iter().map(move |sample| {
            let at = next;
            next = next.saturating_add(sample.duration.into());
            (at, sample)
        })
    }
}

/// Where one sample lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleRef {
    /// Its first byte, from the file's start.
    pub offset: u64,
    /// Bytes.
    pub size: u32,
    /// Ticks until the next sample is decoded.
    pub duration: u32,
    /// Presentation time minus decode time, in ticks.
    pub composition_offset: i32,
    /// Whether decoding can begin here.
    pub is_key: bool,
}

/// Reads the first `limit` bytes of a segment file: all of a closed one, of one that is still written what is known to be on
/// disk. `limit` is the caller's word that so many bytes exist; the data in them is not looked at.
///
/// A torn or damaged tail is no error: [`SegmentFile::intact_len`] says where it begins.
pub fn read<R: ReadAt + ?Sized>(source: &R, limit: u64) -> Result<SegmentFile, ReadError> {
    let mut boxes = Boxes { source, limit, offset: 0, seen: 0 };
    let mut provenance = None;
    let init = loop {
        let Some(header) = boxes.next()? else { return Err(ReadError::NoInit { limit }) };
        if header.kind == FourCC::new(b"uuid") && header.body_len() <= MAX_UUID {
            provenance = provenance.or(boxes.body(&header)?.and_then(|body| decode_provenance(&body)));
        } else if header.kind == FourCC::new(b"moov") {
            if header.range.end > MAX_INIT {
                return Err(ReadError::Init("it and what is before it are larger than 1 MiB"));
            }
            let moov = boxes.body(&header)?.ok_or(ReadError::NoInit { limit })?;
            break Init::parse(&Bytes::from(moov), header.range.end)?;
        }
    };
    let mut fragments = Vec::new();
    let (mut intact_len, mut damaged, mut samples) = (init.end, 0_u32, 0_usize);
    let mut pending: Option<(Header, Option<Vec<Run>>)> = None;
    while let Some(header) = boxes.next()? {
        if header.kind == FourCC::new(b"moof") {
            let runs = if header.body_len() <= MAX_MOOF {
                let Some(body) = boxes.body(&header)? else { break };
                parse_moof(&body, &header, &init, MAX_SAMPLES.saturating_sub(samples))
            } else {
                None
            };
            damaged = damaged.saturating_add(u32::from(pending.is_some()));
            pending = Some((header, runs));
        } else if header.kind == FourCC::new(b"mdat") {
            let Some((moof, runs)) = pending.take() else { continue };
            let payload = header.body.clone();
            match runs.filter(|runs| lie_within(runs, &payload)) {
                Some(runs) => {
                    samples += runs.iter().map(|run| run.samples.len()).sum::<usize>();
                    intact_len = header.range.end;
                    fragments.push(Fragment {
                        range: moof.range.start..header.range.end,
                        moof_len: moof.range.end - moof.range.start,
                        runs,
                    });
                }
                None => damaged = damaged.saturating_add(1),
            }
        }
    }
    let Init { end, video, audio, .. } = init;
    Ok(SegmentFile { provenance, init: 0..end, video, audio, fragments, intact_len, damaged })
}

/// Reads only whose file it is: the boxes before `moov`. Costs a few small reads whatever the file's size.
pub fn read_provenance<R: ReadAt + ?Sized>(source: &R, limit: u64) -> Result<Option<Provenance>, ReadError> {
    let mut boxes = Boxes { source, limit, offset: 0, seen: 0 };
    while let Some(header) = boxes.next()? {
        if header.kind == FourCC::new(b"uuid") && header.body_len() <= MAX_UUID {
            if let Some(provenance) = boxes.body(&header)?.and_then(|body| decode_provenance(&body)) {
                return Ok(Some(provenance));
            }
        } else if header.kind == FourCC::new(b"moov") {
            break;
        }
    }
    Ok(None)
}

fn decode_provenance(uuid_box: &[u8]) -> Option<Provenance> {
    Provenance::decode(uuid_box.strip_prefix(&PROVENANCE_UUID)?).ok()
}

fn lie_within(runs: &[Run], payload: &Range<u64>) -> bool {
    runs.iter().flat_map(|run| &run.samples).all(|sample| {
        sample.offset >= payload.start
            && sample.offset.checked_add(u64::from(sample.size)).is_some_and(|end| end <= payload.end)
    })
}

/// A box of the top level that lies within the limit.
#[derive(Debug, Clone)]
struct Header {
    kind: FourCC,
    range: Range<u64>,
    body: Range<u64>,
}

impl Header {
    fn body_len(&self) -> u64 {
        self.body.end - self.body.start
    }
}

/// Walks the top level; ends at the first box that is not whole.
struct Boxes<'a, R: ?Sized> {
    source: &'a R,
    limit: u64,
    offset: u64,
    seen: u32,
}

impl<R: ReadAt + ?Sized> Boxes<'_, R> {
    fn next(&mut self) -> Result<Option<Header>, ReadError> {
        let start = self.offset;
        let left = self.limit.saturating_sub(start);
        let mut head = [0; 16];
        let known = if left >= 16 { 16 } else { 8 };
        if left < 8 || !self.fill(&mut head[..known], start)? {
            return Ok(None);
        }
        let (size, kind) = (number(&head[..4]), FourCC::from(number(&head[4..8])));
        let (head_len, size) = match size {
            // Up to the file's end: never written by this program, and no border to rely on.
            0 => return Ok(None),
            1 if known == 16 => (16, u64::from_be_bytes(head[8..].try_into().expect("eight bytes"))),
            _ => (8, u64::from(size)),
        };
        if size < head_len || size > left {
            return Ok(None);
        }
        self.seen += 1;
        if self.seen > MAX_BOXES {
            return Ok(None);
        }
        self.offset = start + size;
        Ok(Some(Header { kind, range: start..self.offset, body: start + head_len..self.offset }))
    }

    /// The caller has bounded the size. `None` if the file is shorter than the limit.
    fn body(&self, header: &Header) -> Result<Option<Vec<u8>>, ReadError> {
        let mut body = vec![0; usize::try_from(header.body_len()).expect("bounded by the caller")];
        Ok(self.fill(&mut body, header.body.start)?.then_some(body))
    }

    /// Whether the bytes were there; a file shorter than the limit is a torn one.
    fn fill(&self, buffer: &mut [u8], offset: u64) -> Result<bool, ReadError> {
        match self.source.read_exact_at(buffer, offset) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(source) => Err(ReadError::Io { offset, source }),
        }
    }
}

/// Big-endian, of at most four bytes.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The boxes within a box: kind and range of the body. Ends at the first that is not whole.
fn children(body: &[u8]) -> impl Iterator<Item = (FourCC, Range<usize>)> {
    let mut offset = 0;
    std::iter::from_fn(move || {
        let rest = body.get(offset..)?;
        let size = usize::try_from(number(rest.get(..4)?)).ok()?;
        let kind = FourCC::from(number(rest.get(4..8)?));
        // Boxes with 64-bit sizes cannot occur: the box around them is below 2 MiB.
        if size < 8 || size > rest.len() {
            return None;
        }
        let range = offset + 8..offset + size;
        offset += size;
        Some((kind, range))
    })
}

/// The body of the first child of that kind.
fn child(body: &[u8], kind: [u8; 4]) -> Option<&[u8]> {
    children(body).find(|(found, _)| *found == FourCC::new(&kind)).map(|(_, range)| &body[range])
}

fn decode<T: Atom>(body: &[u8]) -> Option<T> {
    T::decode_body(&mut &*body).ok()
}

/// What the `moov` says.
struct Init {
    end: u64,
    video: TrackInfo,
    audio: Option<TrackInfo>,
    defaults: Vec<Trex>,
}

impl Init {
    fn parse(moov: &Bytes, end: u64) -> Result<Self, ReadError> {
        let (mut video, mut audio) = (None, None);
        for (_, range) in children(moov).filter(|(kind, _)| *kind == FourCC::new(b"trak")).take(16) {
            match parse_trak(&moov.slice(range)) {
                Some((Track::Video, info)) => video = video.or(Some(info)),
                Some((Track::Audio, info)) => audio = audio.or(Some(info)),
                None => {}
            }
        }
        let video = video.ok_or(ReadError::Init("it has no track of pictures with a sample entry"))?;
        let mvex = child(moov, *b"mvex").ok_or(ReadError::Init("it announces no fragments"))?;
        let defaults = children(mvex)
            .filter(|(kind, _)| *kind == FourCC::new(b"trex"))
            .take(16)
            .filter_map(|(_, range)| decode(&mvex[range]))
            .collect();
        Ok(Self { end, video, audio, defaults })
    }

    fn track(&self, id: u32) -> Option<Track> {
        if self.video.id == id {
            Some(Track::Video)
        } else {
            self.audio.as_ref().filter(|audio| audio.id == id).map(|_| Track::Audio)
        }
    }
}

fn parse_trak(trak: &Bytes) -> Option<(Track, TrackInfo)> {
    let id = decode::<Tkhd>(child(trak, *b"tkhd")?)?.track_id;
    let mdia = child(trak, *b"mdia")?;
    let timescale = decode::<Mdhd>(child(mdia, *b"mdhd")?)?.timescale;
    let handler = decode::<Hdlr>(child(mdia, *b"hdlr")?)?.handler;
    let track = match handler.as_ref() {
        b"vide" => Track::Video,
        b"soun" => Track::Audio,
        _ => return None,
    };
    let stsd = child(child(child(mdia, *b"minf")?, *b"stbl")?, *b"stsd")?;
    // Version and flags, a count, then the entries; ours have one.
    let entries = stsd.get(8..)?;
    let (_, entry) = children(entries).next()?;
    let sample_entry = trak.slice_ref(&entries[entry.start - 8..entry.end]);
    let (width, height) = match track {
        Track::Video => (number(sample_entry.get(32..34)?), number(sample_entry.get(34..36)?)),
        Track::Audio => (0, 0),
    };
    (timescale > 0).then_some((track, TrackInfo { id, timescale, sample_entry, width, height }))
}

/// `None` if it makes no sense, or claims more samples than `most`: what one fragment claims must not cost those before it.
fn parse_moof(moof: &[u8], header: &Header, init: &Init, most: usize) -> Option<Vec<Run>> {
    let mut runs = Vec::new();
    let mut left = most;
    let mut data_end = header.range.start;
    for (_, range) in children(moof).filter(|(kind, _)| *kind == FourCC::new(b"traf")).take(16) {
        let traf = &moof[range.clone()];
        let body_at = header.body.start + range.start as u64;
        let head = child(traf, *b"tfhd").and_then(decode::<Tfhd>)?;
        let Some(track) = init.track(head.track_id) else { continue };
        let (at, time) = decode_time(traf)?;
        let mut run = Run {
            track,
            base_decode_ticks: time,
            base_decode_at: body_at + at.start as u64..body_at + at.end as u64,
            samples: Vec::new(),
        };
        // ISO/IEC 14496-12, 8.8.7: without a base of its own, a traf begins where the one before ended.
        let base = match head.base_data_offset {
            Some(base) => base,
            None if head.default_base_is_moof => header.range.start,
            None => data_end,
        };
        let mut next = base;
        for (_, range) in children(traf).filter(|(kind, _)| *kind == FourCC::new(b"trun")) {
            let trun = decode::<Trun>(&traf[range])?;
            left = left.checked_sub(trun.samples.len())?;
            if let Some(offset) = trun.data_offset {
                next = base.checked_add_signed(offset.into())?;
            }
            if !append_samples(&mut run, &trun, &head, init, &mut next) {
                return None;
            }
        }
        data_end = next;
        if !run.samples.is_empty() {
            runs.push(run);
        }
    }
    Some(runs)
}

/// Where the decode time stands within the traf's body, and what it is.
fn decode_time(traf: &[u8]) -> Option<(Range<usize>, u64)> {
    let (_, range) = children(traf).find(|(kind, _)| *kind == FourCC::new(b"tfdt"))?;
    let time = decode::<Tfdt>(&traf[range.clone()])?.base_media_decode_time;
    // Version and flags first; the number is all that follows.
    Some((range.start + 4..range.end, time))
}

/// Whether every sample could be given its place and times.
fn append_samples(run: &mut Run, trun: &Trun, head: &Tfhd, init: &Init, next: &mut u64) -> bool {
    let defaults = init.defaults.iter().find(|trex| trex.track_id == head.track_id);
    let duration = head.default_sample_duration.or(defaults.map(|trex| trex.default_sample_duration));
    let size = head.default_sample_size.or(defaults.map(|trex| trex.default_sample_size));
    let flags = head.default_sample_flags.or(defaults.map(|trex| trex.default_sample_flags));
    for entry in &trun.samples {
        let size = entry.size.or(size).unwrap_or(0);
        let Ok(composition_offset) = i32::try_from(entry.cts.unwrap_or(0)) else { return false };
        run.samples.push(SampleRef {
            offset: *next,
            size,
            duration: entry.duration.or(duration).unwrap_or(0),
            composition_offset,
            // sample_is_non_sync_sample
            is_key: run.track == Track::Audio || entry.flags.or(flags).unwrap_or(0) & 0x1_0000 == 0,
        });
        let Some(end) = next.checked_add(size.into()) else { return false };
        *next = end;
    }
    true
}

#[cfg(test)]
mod tests;
