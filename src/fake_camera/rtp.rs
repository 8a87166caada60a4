//! RTP and RTCP packets: pictures cut to size (RFC 6184, RFC 7798), sound as it is, sender reports (RFC 3550). Pure.

use bytes::Bytes;

use crate::units::UtcMicros;

use super::nal::{AccessUnit, Codec};

/// The dynamic payload type that the SDP names.
pub(crate) const PAYLOAD_TYPE: u8 = 96;

/// The longest packet, RTP header included: fits an Ethernet frame with a tunnel's headers to spare.
pub(crate) const MAX_PACKET: usize = 1_400;

const HEADER: usize = 12;

/// The type of an H.264 fragment.
const FU_A: u8 = 0x1c;

/// The type of an H.265 fragment.
const FU: u8 = 0x31;

/// One source of RTP packets, which counts them for the reports.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    payload_type: u8,
    ssrc: u32,
    sequence: u16,
    /// Added to each presentation time.
    timestamp_offset: u32,
    packets: u32,
    octets: u32,
}

impl Sender {
    /// `random` becomes the first sequence number, the timestamp offset and the source id.
    pub(crate) fn new(payload_type: u8, random: [u8; 10]) -> Self {
        let word = |at: usize| u32::from_be_bytes([random[at], random[at + 1], random[at + 2], random[at + 3]]);
        Self {
            payload_type,
            ssrc: word(0),
            timestamp_offset: word(4),
            sequence: u16::from_be_bytes([random[8], random[9]]),
            packets: 0,
            octets: 0,
        }
    }

    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Of the packet that comes next.
    pub(crate) fn next_sequence(&self) -> u16 {
        self.sequence
    }

    /// The RTP timestamp of a moment on the media clock; wraps.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "RTP timestamps wrap at 32 bits")]
    pub(crate) fn timestamp(&self, media: i64) -> u32 {
        (media as u32).wrapping_add(self.timestamp_offset)
    }

    /// A packet of which nothing else is told than what it carries.
    pub(crate) fn packet(&mut self, pts: i64, payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::with_capacity(HEADER + payload.len());
        self.begin(&mut packet, false, self.timestamp(pts));
        packet.extend_from_slice(payload);
        self.finish(&packet, &mut |_| {});
        packet
    }

    /// A message in as many packets as it takes; the last one carries the marker.
    pub(crate) fn message(&mut self, pts: i64, payload: &[u8]) -> Vec<Vec<u8>> {
        let mut packets = self.pieces(pts, payload);
        if let Some(last) = packets.last_mut() {
            last[1] |= 0x80;
        }
        packets
    }

    /// A part of a message that goes on.
    pub(crate) fn pieces(&mut self, pts: i64, payload: &[u8]) -> Vec<Vec<u8>> {
        payload.chunks(MAX_PACKET - HEADER).map(|piece| self.packet(pts, piece)).collect()
    }

    /// A sender report with its SDES (RFC 3550, 6.4.1): `now` and `timestamp` are the same moment on both clocks.
    pub(crate) fn report(&self, now: UtcMicros, timestamp: u32, cname: &str) -> Vec<u8> {
        let mut report = vec![0x80, 200, 0, 6];
        report.extend_from_slice(&self.ssrc.to_be_bytes());
        report.extend_from_slice(&ntp(now).to_be_bytes());
        report.extend_from_slice(&timestamp.to_be_bytes());
        report.extend_from_slice(&self.packets.to_be_bytes());
        report.extend_from_slice(&self.octets.to_be_bytes());
        let cname = &cname.as_bytes()[..cname.len().min(64)];
        // SSRC, item type, item length, the name, at least one zero as the end, filled up to whole words.
        let words = (4 + 2 + cname.len()) / 4 + 1;
        let begin = report.len();
        report.extend_from_slice(&[0x81, 202, 0, u8::try_from(words).unwrap_or(u8::MAX)]);
        report.extend_from_slice(&self.ssrc.to_be_bytes());
        report.extend_from_slice(&[1, u8::try_from(cname.len()).unwrap_or(u8::MAX)]);
        report.extend_from_slice(cname);
        report.resize(begin + 4 + words * 4, 0);
        report
    }

    fn begin(&mut self, packet: &mut Vec<u8>, marker: bool, timestamp: u32) {
        packet.clear();
        packet.extend_from_slice(&[0x80, u8::from(marker) << 7 | self.payload_type]);
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
    }

    fn finish(&mut self, packet: &[u8], send: &mut impl FnMut(&[u8])) {
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        let payload = u32::try_from(packet.len() - HEADER).unwrap_or(0);
        self.octets = self.octets.wrapping_add(payload);
        send(packet);
    }
}

/// Cuts the pictures of one session into RTP packets.
#[derive(Debug, Clone)]
pub(crate) struct Packetizer {
    codec: Codec,
    sender: Sender,
}

impl Packetizer {
    /// `random` as for [`Sender::new`].
    pub(crate) fn new(codec: Codec, random: [u8; 10]) -> Self {
        Self { codec, sender: Sender::new(PAYLOAD_TYPE, random) }
    }

    /// Exchanges what is added to presentation times.
    pub(crate) fn with_timestamp_offset(mut self, timestamp_offset: u32) -> Self {
        self.sender.timestamp_offset = timestamp_offset;
        self
    }

    pub(crate) fn sender(&self) -> &Sender {
        &self.sender
    }

    /// Calls `send` with each packet of one picture, in order; the last one carries the marker. `pts` as it is to be sent.
    pub(crate) fn packetize(&mut self, unit: &AccessUnit, pts: i64, mut send: impl FnMut(&[u8])) {
        let sender = &mut self.sender;
        let timestamp = sender.timestamp(pts);
        let mut packet = Vec::with_capacity(MAX_PACKET);
        for (index, nal) in unit.nals.iter().enumerate() {
            let is_last_nal = index + 1 == unit.nals.len();
            if HEADER + nal.len() <= MAX_PACKET {
                sender.begin(&mut packet, is_last_nal, timestamp);
                packet.extend_from_slice(nal);
                sender.finish(&packet, &mut send);
                continue;
            }
            let (indicator, header, body) = fragment_headers(self.codec, nal);
            let room = MAX_PACKET - HEADER - indicator.len() - 1;
            let count = body.len().div_ceil(room);
            for (part, chunk) in body.chunks(room).enumerate() {
                let is_last = part + 1 == count;
                sender.begin(&mut packet, is_last && is_last_nal, timestamp);
                packet.extend_from_slice(indicator.as_slice());
                packet.push(header | u8::from(part == 0) << 7 | u8::from(is_last) << 6);
                packet.extend_from_slice(chunk);
                sender.finish(&packet, &mut send);
            }
        }
    }
}

/// What a packet carries.
pub(crate) fn payload(packet: &mut [u8]) -> &mut [u8] {
    &mut packet[HEADER..]
}

/// One or two bytes in front of a fragment's header.
struct Indicator([u8; 2], usize);

impl Indicator {
    fn as_slice(&self) -> &[u8] {
        &self.0[..self.1]
    }

    fn len(&self) -> usize {
        self.1
    }
}

/// Payload header, fragment header without its flags, and what is to be cut, of a NAL unit too long for one packet.
fn fragment_headers(codec: Codec, nal: &Bytes) -> (Indicator, u8, &[u8]) {
    match codec {
        // RFC 6184, 5.8: FU-A.
        Codec::H264 => (Indicator([nal[0] & 0xe0 | FU_A, 0], 1), nal[0] & 0x1f, &nal[1..]),
        // RFC 7798, 4.4.3: the type becomes FU, layer and temporal id stay.
        Codec::H265 => (Indicator([nal[0] & 0x81 | FU << 1, nal[1]], 2), nal[0] >> 1 & 0x3f, &nal[2..]),
    }
}

/// A moment in NTP's 32.32 fixed point since 1900; wraps in 2036 as NTP does.
fn ntp(moment: UtcMicros) -> u64 {
    const UNIX_IN_NTP: i64 = 2_208_988_800;
    let seconds = moment.0.div_euclid(1_000_000).wrapping_add(UNIX_IN_NTP);
    let micros = moment.0.rem_euclid(1_000_000).unsigned_abs();
    let whole = u64::from(u32::try_from(seconds.rem_euclid(1 << 32)).unwrap_or(0));
    (whole << 32) | ((micros << 32) / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Puts packets together again as a receiver does.
    fn reassemble(codec: Codec, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut nals: Vec<Vec<u8>> = Vec::new();
        for packet in packets {
            let payload = &packet[HEADER..];
            let (is_fragment, skip) = match codec {
                Codec::H264 => (payload[0] & 0x1f == 28, 1),
                Codec::H265 => (payload[0] >> 1 & 0x3f == 49, 2),
            };
            if !is_fragment {
                nals.push(payload.to_vec());
                continue;
            }
            let header = payload[skip];
            if header & 0x80 != 0 {
                nals.push(match codec {
                    Codec::H264 => vec![payload[0] & 0xe0 | header & 0x1f],
                    Codec::H265 => vec![payload[0] & 0x81 | (header & 0x3f) << 1, payload[1]],
                });
            }
            nals.last_mut().expect("a first fragment").extend_from_slice(&payload[skip + 1..]);
        }
        nals
    }

    #[test]
    fn a_moment_becomes_ntp_time() {
        assert_eq!(ntp(UtcMicros(0)), 2_208_988_800 << 32);
        assert_eq!(ntp(UtcMicros(500_000)), (2_208_988_800 << 32) | (1 << 31));
    }

    #[test]
    fn a_sender_report_is_whole_words_long_and_says_so() {
        for length in 0..9 {
            let report = Sender::new(96, [7; 10]).report(UtcMicros(1), 90, &"x".repeat(length));
            let sdes_words = usize::from(report[31]);
            assert_eq!(report.len(), 28 + 4 + sdes_words * 4);
            assert_eq!(report.last(), Some(&0), "an SDES chunk ends with a zero");
        }
    }

    proptest! {
        #[test]
        fn what_was_cut_can_be_put_together(
            nals in prop::collection::vec(prop::collection::vec(any::<u8>(), 3..5000), 1..5),
            is_h265 in any::<bool>(),
            random in any::<[u8; 10]>(),
            pts in any::<i64>(),
        ) {
            let codec = if is_h265 { Codec::H265 } else { Codec::H264 };
            // Only types that are no aggregation or fragment themselves.
            let nals: Vec<Vec<u8>> = nals.into_iter().map(|mut nal| {
                nal[0] = if is_h265 { nal[0] & 0x81 | 1 << 1 } else { nal[0] & 0xe0 | 1 };
                nal
            }).collect();
            let unit = AccessUnit::new(codec, nals.iter().cloned().map(Bytes::from).collect(), pts);
            let mut packetizer = Packetizer::new(codec, random);
            let (first, stamp) = (packetizer.sender.next_sequence(), packetizer.sender.timestamp(pts));
            let mut packets = Vec::new();
            packetizer.packetize(&unit, pts, |packet| packets.push(packet.to_vec()));
            prop_assert_eq!(reassemble(codec, &packets), nals);
            for (index, packet) in packets.iter().enumerate() {
                prop_assert!(packet.len() <= MAX_PACKET);
                prop_assert_eq!(packet[1] >> 7 == 1, index + 1 == packets.len(), "the marker is on the last packet only");
                let sequence = u16::from_be_bytes([packet[2], packet[3]]);
                prop_assert_eq!(usize::from(sequence.wrapping_sub(first)), index);
                prop_assert_eq!(&packet[4..8], &stamp.to_be_bytes());
            }
        }
    }
}
