//! What a stream's tracks are, from the RTSP library's words into ours.

use std::num::NonZeroU32;

use bytes::Bytes;
use retina::codec::VideoParametersCodec;

use crate::camera::packet::{AudioParameters, VideoCodec, VideoParameters};
use crate::camera::session::error::CameraError;

/// No camera's parameter set is longer; one that is would only fill memory.
const LONGEST_SET: usize = 4096;

/// A video track that can be recorded, or watched at least.
pub(crate) fn video(parameters: &retina::codec::VideoParameters) -> Result<VideoParameters, CameraError> {
    let (codec, sets): (_, Vec<&[u8]>) = match parameters.codec_params() {
        VideoParametersCodec::H264 { sps, pps } => (VideoCodec::H264, vec![sps, pps]),
        VideoParametersCodec::H265 { vps, sps, pps } => (VideoCodec::H265, vec![vps, sps, pps]),
        VideoParametersCodec::Jpeg => (VideoCodec::Jpeg, Vec::new()),
        _ => return Err(CameraError::UnsupportedCodec { codec: parameters.rfc6381_codec().to_owned() }),
    };
    let protocol = |detail: &str| CameraError::Protocol { detail: detail.to_owned() };
    let (width, height) = parameters.pixel_dimensions();
    if width == 0 || height == 0 {
        return Err(protocol("pictures without a size"));
    }
    let entry = parameters.mp4_sample_entry().build().map_err(|_| protocol("pictures that fit into no file"))?;
    Ok(VideoParameters {
        codec,
        rfc6381: parameters.rfc6381_codec().to_owned(),
        width,
        height,
        sample_entry: entry.into(),
        parameter_sets: annex_b(&sets).ok_or_else(|| protocol("parameter sets of impossible length"))?,
    })
}

/// An audio track, if it can be filed in an MP4.
pub(crate) fn audio(parameters: &retina::codec::AudioParameters) -> Option<AudioParameters> {
    Some(AudioParameters {
        rfc6381: parameters.rfc6381_codec()?.to_owned(),
        sample_rate: (parameters.clock_rate() > 0).then(|| parameters.clock_rate())?,
        packet_samples: parameters.frame_length().map_or(1024, NonZeroU32::get),
        sample_entry: parameters.mp4_sample_entry().build().ok()?.into(),
    })
}

/// Each NAL unit behind a four-byte start code; `None` if one is empty or too long.
fn annex_b(sets: &[&[u8]]) -> Option<Bytes> {
    let mut bytes = Vec::new();
    for set in sets {
        if set.is_empty() || set.len() > LONGEST_SET {
            return None;
        }
        bytes.extend_from_slice(&[0, 0, 0, 1]);
        bytes.extend_from_slice(set);
    }
    Some(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 1280 × 720, from a GStreamer server.
    const SPS: [u8; 24] = [
        0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe8, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x07,
        0x83, 0xc6, 0x0c, 0xa8, 0x00, 0x00,
    ];
    const PPS: [u8; 4] = [0x68, 0xce, 0x3c, 0x80];

    #[test]
    fn h264_parameters_become_a_sample_entry_and_annex_b_sets() {
        let sps = &SPS[..22];
        let framing = retina::codec::h26x::Framing::FourByteLength;
        let parsed = retina::codec::h264::parameters_from_sps_and_pps(sps, &PPS, framing).expect("good parameters");
        let video = video(&parsed).expect("a video track");
        assert_eq!((video.codec, video.width, video.height), (VideoCodec::H264, 1280, 720));
        assert_eq!(&video.sample_entry[4..8], b"avc1");
        assert_eq!(video.rfc6381, "avc1.42C01F");
        let expected = [&[0, 0, 0, 1][..], sps, &[0, 0, 0, 1], &PPS].concat();
        assert_eq!(video.parameter_sets, expected);
    }

    proptest! {
        #[test]
        fn annex_b_holds_each_set_behind_a_start_code(sets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..4)) {
            let borrowed: Vec<_> = sets.iter().map(Vec::as_slice).collect();
            match annex_b(&borrowed) {
                None => prop_assert!(sets.iter().any(Vec::is_empty)),
                Some(bytes) => prop_assert_eq!(bytes.len(), sets.iter().map(|set| set.len() + 4).sum::<usize>()),
            }
        }
    }
}
