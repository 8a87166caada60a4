//! A camera's stream, as hostile as can be, through the decoder process's own entry point and back through the daemon's
//! reading of its answers.
//!
//! The input is a byte that chooses the codec, then Annex B; each access unit delimiter begins a unit. `script/fuzz` makes
//! good streams to begin with.
#![no_main]

use bytes::{BufMut as _, Bytes, BytesMut};
use hearthwatch::camera::packet::VideoCodec;
use hearthwatch::detect::child::converse;
use hearthwatch::detect::protocol::{Message as _, Reply, Request, Which, take};
use hearthwatch::detect::sandbox::Level;
use hearthwatch::detect::sps;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((codec, stream)) = input.split_first() else { return };
    let codec = if codec & 1 == 0 { VideoCodec::H264 } else { VideoCodec::H265 };
    let units = units(codec, stream);
    // The daemon looks at the parameter sets first and starts no decoder for those that it refuses.
    let Some(first) = units.first().filter(|first| sps::check(codec, first).is_ok()) else { return };

    let mut requests = BytesMut::new();
    Request::Parameters { codec, sets: Bytes::copy_from_slice(first) }.put(&mut requests);
    for (at, unit) in (0_i64..).zip(&units) {
        let (is_key, damaged) = (sps::check(codec, unit).is_ok(), unit.len() % 7 == 0);
        let alone = is_key && unit.len() % 3 == 0;
        let data = Bytes::copy_from_slice(unit);
        Request::Unit { pts_us: at * 200_000, is_key, damaged, alone, data }.put(&mut requests);
    }
    let which = Which::Look(200_000);
    Request::Picture { tag: 1, which, max_width: 160 }.put(&mut requests);
    Request::Picture { tag: 2, which: Which::Newest, max_width: 1280 }.put(&mut requests);

    let mut answers = Vec::new();
    converse(Level { seccomp: false, landlock: 0 }, &mut &requests[..], &mut answers).expect("memory takes every byte");
    let mut rest = BytesMut::new();
    rest.put_slice(&answers);
    while take::<Reply>(&mut rest).expect("what the decoder says can be read").is_some() {}
    assert!(rest.is_empty(), "half a message");
});

/// The stream, cut before each access unit delimiter.
fn units(codec: VideoCodec, stream: &[u8]) -> Vec<&[u8]> {
    let delimits = |bytes: &[u8]| match (codec, bytes) {
        (VideoCodec::H264, [0, 0, 0, 1, header, ..]) => header & 0x1f == 9,
        (VideoCodec::H265, [0, 0, 0, 1, header, ..]) => header >> 1 & 0x3f == 35,
        _ => false,
    };
    let mut starts: Vec<_> = (1..stream.len()).filter(|at| delimits(&stream[*at..])).collect();
    starts.insert(0, 0);
    starts.push(stream.len());
    starts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).filter(|unit| !unit.is_empty()).collect()
}
