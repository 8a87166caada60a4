//! What DESCRIBE answers: a video track with its parameter sets (RFC 8866, RFC 6184 8.2, RFC 7798 7.2), perhaps one of sound.
//! Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::metadata;
use super::nal::{Codec, ParameterSets};
use super::request::base_of;
use super::rtp::PAYLOAD_TYPE;
use super::sound::{self, SoundCodec};

/// The track's name below the stream's URL.
pub(crate) const TRACK: &str = "trackID=0";

/// The same of the sound.
pub(crate) const SOUND_TRACK: &str = "trackID=1";

/// The same of what it says itself.
pub(crate) const METADATA_TRACK: &str = "trackID=2";

/// The stream's URL, of its own or of its pictures'.
pub(crate) fn track_base(uri: &str) -> &str {
    let base = base_of(uri);
    base.strip_suffix(TRACK).map_or(base, |base| base.trim_end_matches('/'))
}

/// A stream's description.
pub(crate) struct Description<'a> {
    /// The camera's name; line breaks are taken out.
    pub(crate) name: &'a str,
    /// The same each time for the same camera.
    pub(crate) serial: u64,
    /// Where the server listens.
    pub(crate) address: std::net::IpAddr,
    pub(crate) parameters: &'a ParameterSets,
    /// Pictures a second, if they are even.
    pub(crate) fps: Option<u32>,
    pub(crate) sound: Option<SoundCodec>,
    /// Whether it says itself when something moves.
    pub(crate) has_metadata: bool,
}

impl Description<'_> {
    /// The SDP text, with CRLF line ends.
    pub(crate) fn to_sdp(&self) -> String {
        let name: String = self.name.chars().filter(|c| !c.is_control()).collect();
        let family = if self.address.is_ipv4() { "IP4" } else { "IP6" };
        let (encoding, format) = match self.parameters.codec {
            Codec::H264 => ("H264", self.h264_format()),
            Codec::H265 => ("H265", self.h265_format()),
        };
        let mut lines = vec![
            "v=0".to_owned(),
            format!("o=- {} 1 IN {family} {}", self.serial, self.address),
            format!("s={}", if name.is_empty() { "-" } else { &name }),
            format!("c=IN {family} {}", if self.address.is_ipv4() { "0.0.0.0" } else { "::" }),
            "t=0 0".to_owned(),
            "a=control:*".to_owned(),
            "a=range:npt=now-".to_owned(),
            format!("m=video 0 RTP/AVP {PAYLOAD_TYPE}"),
            format!("a=rtpmap:{PAYLOAD_TYPE} {encoding}/90000"),
            format!("a=fmtp:{PAYLOAD_TYPE} {format}"),
        ];
        lines.extend(self.fps.map(|fps| format!("a=framerate:{fps}")));
        lines.push("a=recvonly".to_owned());
        lines.push(format!("a=control:{TRACK}"));
        if let Some(codec) = self.sound {
            let kind = codec.payload_type();
            lines.push(format!("m=audio 0 RTP/AVP {kind}"));
            lines.push(format!("a=rtpmap:{kind} {}/{}", codec.encoding_name(), sound::RATE));
            lines.push("a=recvonly".to_owned());
            lines.push(format!("a=control:{SOUND_TRACK}"));
        }
        if self.has_metadata {
            let kind = metadata::PAYLOAD_TYPE;
            lines.push(format!("m=application 0 RTP/AVP {kind}"));
            lines.push(format!("a=rtpmap:{kind} {}/90000", metadata::ENCODING_NAME));
            lines.push("a=recvonly".to_owned());
            lines.push(format!("a=control:{METADATA_TRACK}"));
        }
        lines.into_iter().map(|line| line + "\r\n").collect()
    }

    fn h264_format(&self) -> String {
        let sps = &self.parameters.sequence;
        format!(
            "packetization-mode=1;profile-level-id={:02X}{:02X}{:02X};sprop-parameter-sets={},{}",
            sps[1],
            sps[2],
            sps[3],
            STANDARD.encode(sps),
            STANDARD.encode(&self.parameters.picture)
        )
    }

    fn h265_format(&self) -> String {
        let ParameterSets { video, sequence, picture, .. } = self.parameters;
        format!(
            "sprop-vps={};sprop-sps={};sprop-pps={}",
            STANDARD.encode(video),
            STANDARD.encode(sequence),
            STANDARD.encode(picture)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_description_has_the_parameter_sets_and_no_foreign_lines() {
        let parameters = ParameterSets {
            codec: Codec::H264,
            video: Bytes::new(),
            sequence: Bytes::from_static(&[0x67, 0x42, 0xc0, 0x1f]),
            picture: Bytes::from_static(&[0x68, 0xce]),
        };
        let description = Description {
            name: "Front\r\nm=audio",
            serial: 7,
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            parameters: &parameters,
            fps: Some(15),
            sound: Some(SoundCodec::Pcma),
            has_metadata: true,
        };
        let sdp = description.to_sdp();
        assert!(sdp.contains("profile-level-id=42C01F;sprop-parameter-sets=Z0LAHw==,aM4=\r\n"), "{sdp}");
        assert_eq!(sdp.lines().filter(|line| line.starts_with("m=")).count(), 3);
        let (rest, metadata) = sdp.split_once("m=application 0 RTP/AVP 107\r\n").expect("a track of metadata");
        assert!(
            rest.ends_with("m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=recvonly\r\na=control:trackID=1\r\n"),
            "{sdp}"
        );
        assert_eq!(metadata, "a=rtpmap:107 vnd.onvif.metadata/90000\r\na=recvonly\r\na=control:trackID=2\r\n");
    }
}
