//! G.711 telephone sound, made into what a file can hold and a browser plays, without losing a bit. Pure.
//!
//! G.711 has no sample entry in MP4 that browsers know. Its samples are few steps of a linear scale, so they are written out
//! on that scale and packed as FLAC, which is lossless: what a decoder gives back is what the camera's own codes stand for.

mod flac;
mod law;

use bytes::Bytes;

use crate::camera::packet::AudioParameters;
use crate::units::MediaTicks;

pub(crate) use law::Law;

/// The most samples a second of a camera whose sound is taken.
const MOST_RATE: u32 = 48_000;

/// As many samples as may be missing without blocks that begin anew: half a second at 8,000 a second.
const LONGEST_SILENCE: usize = 4 * flac::BLOCK;

/// A block of sound in FLAC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// When its first sample is heard, on the camera's clock.
    pub(crate) pts: MediaTicks,
    /// RTP packets lost since the block before; silence stands for what was in them.
    pub(crate) lost: u32,
    /// One FLAC frame.
    pub(crate) data: Bytes,
}

/// What a track of FLAC with that many samples a second is; `None` for a rate that no telephone sound has.
pub(crate) fn parameters(sample_rate: u32) -> Option<AudioParameters> {
    (1..=MOST_RATE).contains(&sample_rate).then(|| AudioParameters {
        // As the registry of sample entries writes it; some browsers want it in small letters.
        rfc6381: "fLaC".to_owned(),
        sample_rate,
        packet_samples: u32::try_from(flac::BLOCK).unwrap_or(u32::MAX),
        sample_entry: flac::sample_entry(sample_rate),
    })
}

/// Collects the samples of one session's packets into blocks of one size.
///
/// Samples stand where their number says: cameras stamp packets a little early or late, and that is no reason for a gap. What
/// is missing is silence, so that blocks follow each other; behind a longer gap they begin anew.
#[derive(Debug)]
pub(crate) struct Repacker {
    law: Law,
    /// When the first pending sample is heard, or the next one if none is pending, in samples.
    begin: Option<i64>,
    pending: Vec<i16>,
    lost: u32,
    blocks: u32,
}

impl Repacker {
    /// Nothing is pending.
    pub(crate) fn new(law: Law) -> Self {
        Self { law, begin: None, pending: Vec::with_capacity(flac::BLOCK), lost: 0, blocks: 0 }
    }

    /// Takes a packet's codes, the first of which is heard at `pts` (whose rate is the sample rate), and calls `out` with each
    /// block that is full. `lost`: packets known to be lost before it.
    pub(crate) fn push(&mut self, pts: MediaTicks, codes: &[u8], lost: u32, mut out: impl FnMut(Block)) {
        self.lost = self.lost.saturating_add(lost);
        let pending = i64::try_from(self.pending.len()).unwrap_or(0);
        let off = self.begin.map_or(0, |begin| pts.ticks.saturating_sub(begin.saturating_add(pending)));
        // 40 ms: two packets of most cameras.
        let tolerated = i64::from(pts.rate.get() / 25);
        if off.saturating_abs() > tolerated || (lost > 0 && off > 0) {
            if let Some(silent) = usize::try_from(off).ok().filter(|off| *off <= LONGEST_SILENCE) {
                self.append(pts, std::iter::repeat_n(0, silent), &mut out);
            } else {
                let room = (flac::BLOCK - self.pending.len()) % flac::BLOCK;
                self.append(pts, std::iter::repeat_n(0, room), &mut out);
                self.begin = Some(pts.ticks);
            }
        }
        self.begin.get_or_insert(pts.ticks);
        let law = self.law;
        self.append(pts, codes.iter().map(|code| law.expand(*code)), &mut out);
    }

    fn append(&mut self, at: MediaTicks, samples: impl Iterator<Item = i16>, out: &mut impl FnMut(Block)) {
        for sample in samples {
            self.pending.push(sample);
            self.emit_full(at, out);
        }
    }

    fn emit_full(&mut self, at: MediaTicks, out: &mut impl FnMut(Block)) {
        let Ok(samples) = <&[i16; flac::BLOCK]>::try_from(self.pending.as_slice()) else { return };
        let ticks = self.begin.unwrap_or(at.ticks);
        let data = flac::frame(self.blocks, at.rate.get(), samples).into();
        out(Block { pts: MediaTicks { ticks, ..at }, lost: std::mem::take(&mut self.lost), data });
        self.pending.clear();
        self.begin = Some(ticks.saturating_add(i64::try_from(flac::BLOCK).unwrap_or(i64::MAX)));
        // The format counts frames in 31 bits.
        self.blocks = (self.blocks + 1) & (u32::MAX >> 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::num::NonZeroU32;

    fn at(ticks: i64) -> MediaTicks {
        MediaTicks { ticks, rate: NonZeroU32::new(8000).expect("not 0") }
    }

    /// Sends packets (time, lost before, codes) and gives back the blocks' times, losses and samples.
    fn repack(packets: &[(i64, u32, Vec<u8>)]) -> Vec<(i64, u32, Vec<i16>)> {
        let mut repacker = Repacker::new(Law::A);
        let mut blocks = Vec::new();
        for (ticks, lost, codes) in packets {
            repacker.push(at(*ticks), codes, *lost, |block| blocks.push(block));
        }
        let mut decoder = flac::tests::Decoder::new();
        blocks.into_iter().map(|block| (block.pts.ticks, block.lost, decoder.decode(&block.data))).collect()
    }

    /// 20 ms of sound that is nowhere the same.
    fn packet(number: u8) -> Vec<u8> {
        (0..160u8).map(|n| n.wrapping_mul(7).wrapping_add(number)).collect()
    }

    fn expanded(codes: &[u8]) -> Vec<i16> {
        codes.iter().map(|code| Law::A.expand(*code)).collect()
    }

    #[test]
    fn packets_become_blocks_of_one_size_that_follow_each_other() {
        let packets: Vec<_> = (0..64u8).map(|n| (1000 + i64::from(n) * 160, 0, packet(n))).collect();
        let blocks = repack(&packets);
        assert_eq!(blocks.len(), 10);
        let samples: Vec<_> = blocks.iter().flat_map(|(.., samples)| samples.clone()).collect();
        let sent: Vec<_> = packets.iter().flat_map(|(.., codes)| expanded(codes)).collect();
        assert_eq!(samples, sent);
        assert!(blocks.iter().zip(0..).all(|((ticks, lost, _), n)| (*ticks, *lost) == (1000 + n * 1024, 0)));
    }

    #[test]
    fn a_lost_packet_is_silence_of_its_length() {
        let mut packets: Vec<_> = (0..13u8).map(|n| (i64::from(n) * 160, 0, packet(n))).collect();
        packets.remove(3);
        packets[3].1 = 1;
        let blocks = repack(&packets);
        let [(0, 1, first), (1024, 0, _)] = &blocks[..] else { panic!("{blocks:?}") };
        assert_eq!(first[480..640], [0; 160]);
        assert_eq!(first[640..800], expanded(&packet(4)));
    }

    #[test]
    fn lost_packets_at_a_border_leave_no_hole_between_blocks() {
        // The 32nd packet ends where the fifth block does; it and the next two are lost.
        let packets: Vec<_> = (0..48u8)
            .filter(|n| !(31..34).contains(n))
            .map(|n| (i64::from(n) * 160, u32::from(n == 34) * 3, packet(n)))
            .collect();
        let blocks = repack(&packets);
        assert!(blocks.iter().zip(0..).all(|((ticks, ..), n)| *ticks == n * 1024), "{blocks:?}");
        let samples: Vec<_> = blocks.into_iter().flat_map(|(.., samples)| samples).collect();
        assert_eq!(samples[31 * 160..34 * 160], [0; 480]);
        assert_eq!(samples[34 * 160..35 * 160], expanded(&packet(34)));
    }

    #[test]
    fn behind_a_long_gap_a_block_begins_anew() {
        let packets = [(0, 0, packet(0)), (8000, 0, [packet(1), packet(2), packet(3)].concat().repeat(3))];
        let blocks = repack(&packets);
        let [(0, 0, first), (8000, 0, second)] = &blocks[..] else { panic!("{blocks:?}") };
        assert_eq!((&first[..160], &first[160..]), (&expanded(&packet(0))[..], &[0; 864][..]));
        assert_eq!(second[..160], expanded(&packet(1)));
        // Times that go back end a block as well.
        let back = repack(&[(8000, 0, packet(0)), (0, 0, packet(1).repeat(7))]);
        assert!(matches!(&back[..], [(8000, ..), (0, ..)]), "{back:?}");
    }

    #[test]
    fn stamps_that_wobble_make_no_gap() {
        let packets: Vec<_> =
            (0..32u8).map(|n| (i64::from(n) * 160 + [0, 25, -30, 7][usize::from(n % 4)], 0, packet(n))).collect();
        let blocks = repack(&packets);
        assert_eq!(blocks.iter().map(|(ticks, ..)| *ticks).collect::<Vec<_>>(), [0, 1024, 2048, 3072, 4096]);
        let samples: Vec<_> = blocks.into_iter().flat_map(|(.., samples)| samples).collect();
        assert_eq!(samples[..320], [expanded(&packet(0)), expanded(&packet(1))].concat());
    }

    proptest! {
        #[test]
        fn any_packets_make_whole_blocks(
            packets in prop::collection::vec((any::<i64>(), 0..3u32, prop::collection::vec(any::<u8>(), 0..3000)), 0..12),
        ) {
            let blocks = repack(&packets);
            prop_assert!(blocks.iter().all(|(.., samples)| samples.len() == flac::BLOCK));
        }

        #[test]
        fn no_sample_is_lost_whatever_the_packets_sizes(sizes in prop::collection::vec(1..900usize, 1..40)) {
            let codes: Vec<u8> = (0..sizes.iter().sum::<usize>()).map(|n| u8::try_from(n * n / 3 % 256).expect("a byte")).collect();
            let (mut packets, mut from) = (Vec::new(), 0);
            for size in sizes {
                packets.push((i64::try_from(from).expect("small"), 0, codes[from..from + size].to_vec()));
                from += size;
            }
            let samples: Vec<_> = repack(&packets).into_iter().flat_map(|(.., samples)| samples).collect();
            prop_assert_eq!(samples.len(), codes.len() / flac::BLOCK * flac::BLOCK);
            prop_assert_eq!(&samples[..], &expanded(&codes[..samples.len()])[..]);
        }
    }
}
