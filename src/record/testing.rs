//! Packets for the tests of this module.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mp4_atom::{Avc1, Avcc, Encode, Visual};

use crate::camera::packet::{Packet, StreamParameters, Track, VideoCodec, VideoParameters};
use crate::units::{MediaTicks, Monotonic, UtcMicros};

/// Parameters that are well-formed, and describe nothing that could be decoded.
pub(crate) fn video_parameters() -> Arc<StreamParameters> {
    let mut avc1 = Vec::new();
    Avc1 {
        visual: Visual { width: 320, height: 180, ..Visual::default() },
        avcc: Avcc::new(&[0x67, 77, 0, 31], &[0x68, 1]).expect("long enough"),
        ..Avc1::default()
    }
    .encode(&mut avc1)
    .expect("encodes");
    Arc::new(StreamParameters {
        video: VideoParameters {
            codec: VideoCodec::H264,
            rfc6381: "avc1.4d001f".to_owned(),
            width: 320,
            height: 180,
            sample_entry: avc1.into(),
            parameter_sets: Bytes::new(),
        },
        audio: None,
    })
}

/// A picture at that presentation time in ms, arriving when it is presented.
pub(crate) fn packet(parameters: &Arc<StreamParameters>, pts_ms: i64, is_key: bool) -> Packet {
    Packet {
        parameters: Arc::clone(parameters),
        session: 0,
        track: Track::Video,
        pts: MediaTicks { ticks: pts_ms * 90, rate: NonZeroU32::new(90_000).expect("not 0") },
        received: UtcMicros(1_700_000_000_000_000 + pts_ms * 1000),
        received_monotonic: Monotonic(Duration::from_millis(pts_ms.unsigned_abs())),
        is_key,
        lost_before: 0,
        data: Bytes::from_static(b"a picture"),
    }
}
