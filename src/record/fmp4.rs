//! Fragmented MP4, written: init segments and fragments. Pure: values in, bytes out; reading is [`crate::record::reader`]'s.
//!
//! Boxes come from `mp4-atom`; only the sample entries are put in as the camera session made them, byte for byte, so that
//! nothing a camera said about its codec is lost on the way. Track 1 is video at 90,000 ticks a second, track 2 is audio at
//! its sample rate. Every fragment is one `moof` and one `mdat` and can be read without those before it.

use bytes::Bytes;
use mp4_atom::{
    BufMut, Dinf, Dref, Encode, FixedPoint, FourCC, Ftyp, Hdlr, Header, Matrix, Mdhd, Mfhd, Moof, Mvhd, Smhd, Stco,
    Stsc, Stsz, Stts, Tfdt, Tfhd, Tkhd, Traf, Trex, Trun, TrunEntry, Url, Vmhd,
};

pub use crate::record::provenance::{PROVENANCE_UUID, Provenance, ProvenanceError};

use crate::camera::packet::{AudioParameters, StreamParameters, Track, VideoParameters};

/// Ticks a second of every video track.
pub const VIDEO_TIMESCALE: u32 = 90_000;

/// `track_ID` of the pictures.
pub const VIDEO_TRACK_ID: u32 = 1;

/// `track_ID` of the sound.
pub const AUDIO_TRACK_ID: u32 = 2;

/// ISO/IEC 14496-12 § 8.8.3.1: depends on no other sample.
const KEY_FLAGS: u32 = 0x0200_0000;
/// Depends on others, and is no sync sample.
const DELTA_FLAGS: u32 = 0x0101_0000;

/// One picture, or one frame of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Decode time of the next sample minus this one's, in the track's ticks.
    pub duration: u32,
    /// Presentation time minus decode time, in the track's ticks; negative is fine.
    pub composition_offset: i32,
    /// Whether decoding can begin here.
    pub is_key: bool,
    /// MP4 form, as in [`crate::camera::packet::Packet::data`]; written unchanged.
    pub data: Bytes,
}

/// One track's samples of one fragment, in decode order.
#[derive(Debug, Clone, Copy)]
pub struct TrackRun<'a> {
    /// Whose samples.
    pub track: Track,
    /// Decode time of the first sample, in the track's ticks since the file's zero.
    pub base_decode_ticks: u64,
    /// The samples; an empty run is left out.
    pub samples: &'a [Sample],
}

/// `ftyp`, the provenance in a `uuid` box (if any), and a `moov` without samples, in bytes.
///
/// With provenance it is the beginning of a file on disk; without, an init segment for a player.
pub fn init_segment(parameters: &StreamParameters, provenance: Option<&Provenance>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    in_memory(write_init(&mut out, parameters, provenance));
    out
}

/// `moof` and `mdat`, in bytes. `sequence` counts fragments from 1. All samples together must stay below 2 GiB.
pub fn fragment(sequence: u32, runs: &[TrackRun<'_>]) -> Vec<u8> {
    let payload: usize = runs.iter().map(size).sum();
    let mut out = Vec::with_capacity(most_head(runs) + payload);
    write_head(&mut out, sequence, runs);
    for sample in runs.iter().flat_map(|run| run.samples) {
        out.extend_from_slice(&sample.data);
    }
    out
}

/// The same without the samples' data, which belongs behind it run by run: whoever writes it elsewhere need not copy it first.
pub fn fragment_head(sequence: u32, runs: &[TrackRun<'_>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(most_head(runs));
    write_head(&mut out, sequence, runs);
    out
}

/// More bytes than the boxes before the data take.
fn most_head(runs: &[TrackRun<'_>]) -> usize {
    64 + runs.iter().map(|run| 128 + 16 * run.samples.len()).sum::<usize>()
}

fn write_head(out: &mut Vec<u8>, sequence: u32, runs: &[TrackRun<'_>]) {
    let runs = || runs.iter().filter(|run| !run.samples.is_empty());
    let mut moof = Moof { mfhd: Mfhd { sequence_number: sequence }, traf: runs().map(traf).collect() };
    in_memory(moof.encode(out));

    // Offsets count from the moof's first byte, so they need its length: it is encoded twice.
    let payload: usize = runs().map(size).sum();
    let mdat_header = if payload + 8 > u32::MAX as usize { 16 } else { 8 };
    let mut offset = out.len() + mdat_header;
    for (run, traf) in runs().zip(&mut moof.traf) {
        for trun in &mut traf.trun {
            trun.data_offset = Some(i32::try_from(offset).unwrap_or(i32::MAX));
        }
        offset += size(run);
    }
    out.clear();
    in_memory(moof.encode(out));
    in_memory(Header { kind: FourCC::new(b"mdat"), size: Some(payload) }.encode(out));
}

/// `mp4-atom` errs only for a box over 4 GiB or a composition offset beyond 32 bits, and neither is handed to it here.
fn in_memory(encoded: mp4_atom::Result<()>) {
    encoded.expect("boxes far below 4 GiB encode into memory");
}

fn size(run: &TrackRun<'_>) -> usize {
    run.samples.iter().map(|sample| sample.data.len()).sum()
}

fn track_id(track: Track) -> u32 {
    match track {
        Track::Video => VIDEO_TRACK_ID,
        Track::Audio => AUDIO_TRACK_ID,
    }
}

fn traf(run: &TrackRun<'_>) -> Traf {
    let is_video = run.track == Track::Video;
    let entries = run.samples.iter().map(|sample| TrunEntry {
        duration: Some(sample.duration),
        size: Some(u32::try_from(sample.data.len()).unwrap_or(u32::MAX)),
        flags: is_video.then_some(if sample.is_key { KEY_FLAGS } else { DELTA_FLAGS }),
        cts: is_video.then_some(i64::from(sample.composition_offset)),
    });
    Traf {
        tfhd: Tfhd {
            track_id: track_id(run.track),
            default_base_is_moof: true,
            default_sample_flags: (!is_video).then_some(KEY_FLAGS),
            ..Tfhd::default()
        },
        tfdt: Some(Tfdt { base_media_decode_time: run.base_decode_ticks }),
        trun: vec![Trun { data_offset: Some(0), samples: entries.collect::<Vec<_>>().into() }],
        ..Traf::default()
    }
}

fn write_init(
    out: &mut Vec<u8>,
    parameters: &StreamParameters,
    provenance: Option<&Provenance>,
) -> mp4_atom::Result<()> {
    // iso5: default-base-is-moof; iso6: signed composition offsets. No cmfc: CMAF wants one track a file.
    Ftyp {
        major_brand: b"iso6".into(),
        minor_version: 0,
        compatible_brands: vec![b"iso6".into(), b"iso5".into(), b"mp41".into()],
    }
    .encode(out)?;
    if let Some(provenance) = provenance {
        out.encode_atom(b"uuid", |out| {
            out.append_slice(&PROVENANCE_UUID);
            out.append_slice(&provenance.encode());
            Ok(())
        })?;
    }
    out.encode_atom(b"moov", |out| {
        Mvhd {
            creation_time: 0,
            modification_time: 0,
            timescale: 1000,
            duration: 0,
            rate: 1.into(),
            volume: 1.into(),
            matrix: Matrix::default(),
            next_track_id: if parameters.audio.is_some() { AUDIO_TRACK_ID + 1 } else { VIDEO_TRACK_ID + 1 },
        }
        .encode(out)?;
        write_video(out, &parameters.video)?;
        if let Some(audio) = &parameters.audio {
            write_audio(out, audio)?;
        }
        out.encode_atom(b"mvex", |out| {
            let tracks = [Some(VIDEO_TRACK_ID), parameters.audio.as_ref().map(|_| AUDIO_TRACK_ID)];
            for track_id in tracks.into_iter().flatten() {
                Trex { track_id, default_sample_description_index: 1, ..Trex::default() }.encode(out)?;
            }
            Ok(())
        })
    })
}

fn write_video(out: &mut Vec<u8>, video: &VideoParameters) -> mp4_atom::Result<()> {
    let pixels = |length: u32| FixedPoint::from(u16::try_from(length).unwrap_or(u16::MAX));
    out.encode_atom(b"trak", |out| {
        Tkhd {
            track_id: VIDEO_TRACK_ID,
            enabled: true,
            in_movie: true,
            width: pixels(video.width),
            height: pixels(video.height),
            ..Tkhd::default()
        }
        .encode(out)?;
        write_mdia(out, VIDEO_TIMESCALE, *b"vide", &Vmhd::default(), &video.sample_entry)
    })
}

fn write_audio(out: &mut Vec<u8>, audio: &AudioParameters) -> mp4_atom::Result<()> {
    out.encode_atom(b"trak", |out| {
        Tkhd {
            track_id: AUDIO_TRACK_ID,
            enabled: true,
            in_movie: true,
            alternate_group: 1,
            volume: 1.into(),
            ..Tkhd::default()
        }
        .encode(out)?;
        write_mdia(out, audio.sample_rate, *b"soun", &Smhd::default(), &audio.sample_entry)
    })
}

fn write_mdia(
    out: &mut Vec<u8>,
    timescale: u32,
    handler: [u8; 4],
    media_header: &impl Encode,
    sample_entry: &[u8],
) -> mp4_atom::Result<()> {
    out.encode_atom(b"mdia", |out| {
        Mdhd { timescale, language: "und".to_owned(), ..Mdhd::default() }.encode(out)?;
        Hdlr { handler: handler.into(), name: "Hearthwatch".to_owned() }.encode(out)?;
        out.encode_atom(b"minf", |out| {
            media_header.encode(out)?;
            Dinf { dref: Dref { entries: vec![Url::default().into()] } }.encode(out)?;
            out.encode_atom(b"stbl", |out| {
                out.encode_atom(b"stsd", |out| {
                    0u32.encode(out)?; // version and flags
                    1u32.encode(out)?;
                    out.append_slice(sample_entry);
                    Ok(())
                })?;
                Stts::default().encode(out)?;
                Stsc::default().encode(out)?;
                Stsz::default().encode(out)?;
                Stco::default().encode(out)
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::video_parameters;
    use mp4_atom::{Any, DecodeMaybe};

    fn boxes(mut bytes: &[u8]) -> Vec<Any> {
        let mut found = Vec::new();
        while let Some(any) = Any::decode_maybe(&mut bytes).expect("well-formed") {
            found.push(any);
        }
        assert!(bytes.is_empty(), "nothing is left over");
        found
    }

    #[test]
    fn an_init_segment_carries_its_provenance_and_one_track_for_each_kind() {
        let provenance = Provenance {
            camera: "porch".parse().expect("an id"),
            installation: crate::units::InstallationId::from_random([1; 16]),
            segment: crate::units::SegmentId::from_random([2; 8]),
            start: crate::units::UtcMicros(-5),
        };
        let found = boxes(&init_segment(&video_parameters(), Some(&provenance)));
        let [Any::Ftyp(_), Any::Uuid(mp4_atom::Uuid::Unknown(kind, payload)), Any::Moov(moov)] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(kind.as_ref(), &PROVENANCE_UUID);
        assert_eq!(Provenance::decode(payload), Ok(provenance));
        assert_eq!(moov.trak.len(), 1);
        assert_eq!(moov.trak[0].mdia.mdhd.timescale, VIDEO_TIMESCALE);
        assert_eq!(moov.mvex.as_ref().map(|mvex| mvex.trex.len()), Some(1));
        assert_eq!(boxes(&init_segment(&video_parameters(), None)).len(), 2);
    }

    #[test]
    fn the_runs_of_a_fragment_point_at_their_samples() {
        let sample = |data: &'static [u8], composition_offset, is_key| Sample {
            duration: 3000,
            composition_offset,
            is_key,
            data: Bytes::from_static(data),
        };
        let video = [sample(b"key", 0, true), sample(b"delta", -3000, false)];
        let audio = [sample(b"sound", 0, true)];
        let run = |track, samples| TrackRun { track, base_decode_ticks: 1 << 33, samples };
        let bytes = fragment(7, &[run(Track::Video, &video), run(Track::Audio, &audio)]);
        let found = boxes(&bytes);
        let [Any::Moof(moof), Any::Mdat(mdat)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(mdat.data, b"keydeltasound");
        assert_eq!(moof.mfhd.sequence_number, 7);
        assert_eq!(moof.traf[0].tfdt.as_ref().map(|tfdt| tfdt.base_media_decode_time), Some(1 << 33));
        assert_eq!(moof.traf[0].trun[0].samples.get(1).and_then(|entry| entry.cts), Some(-3000));
        for (traf, expected) in moof.traf.iter().zip([b"keydelta".as_slice(), b"sound"]) {
            let at = usize::try_from(traf.trun[0].data_offset.expect("an offset")).expect("positive");
            assert_eq!(&bytes[at..at + expected.len()], expected);
        }
        assert_eq!(boxes(&fragment(1, &[run(Track::Video, &video), run(Track::Audio, &[])])).len(), 2);
    }
}
