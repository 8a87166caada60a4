//! FLAC, written (RFC 9639): frames of one size, one channel, 16 bits, with the fixed predictors. Pure.
//!
//! Linear prediction would save a tenth more of what is small beside the pictures; this is enough, and every decoder's best
//! tried path.

use std::ops::Range;

use bytes::Bytes;

/// Samples in each frame: 128 ms at 8,000 a second, so that whoever listens live does not wait for long.
pub(crate) const BLOCK: usize = 1024;
/// RFC 9639 § 9.1.1: that many samples, without a field of their own.
const BLOCK_CODE: u8 = 0b1010;

const BITS: u32 = 16;
const MOST_ORDER: usize = 4;
/// Residuals are coded in up to 2^5 parts, each with a parameter of its own.
const MOST_PARTS_LOG2: u32 = 5;
/// The largest parameter of four bits; 15 means something else.
const MOST_PARAMETER: u32 = 14;

/// A whole sample entry box (`fLaC` with its `dfLa`: "Encapsulation of FLAC in ISO Base Media File Format", 3.3).
pub(crate) fn sample_entry(sample_rate: u32) -> Bytes {
    let block = u16::try_from(BLOCK).expect("a small number").to_be_bytes();
    // Rate in 20 bits, channels less one in 3, bits less one in 5, and 36 bits that say: nobody knows how many samples.
    let stream = u64::from(sample_rate) << 44 | u64::from(BITS - 1) << 36;
    let mut info = [block, block].concat();
    info.extend_from_slice(&[0; 6]); // frames' sizes: not known
    info.extend_from_slice(&stream.to_be_bytes());
    info.extend_from_slice(&[0; 16]); // the samples' MD5: not known
    let metadata = [&[0, 0, 0, 0, 0x80, 0, 0, 34][..], &info].concat();

    // ISO/IEC 14496-12 § 12.2.3: six zeros, the data reference, eight zeros, one channel, 16 bits, four zeros, the rate.
    let mut entry = vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 16, 0, 0, 0, 0];
    entry.extend_from_slice(&u16::try_from(sample_rate).unwrap_or(0).to_be_bytes());
    entry.extend_from_slice(&[0, 0]);
    entry.extend_from_slice(&boxed(*b"dfLa", &metadata));
    boxed(*b"fLaC", &entry).into()
}

fn boxed(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).expect("a small box");
    [&size.to_be_bytes()[..], &kind, body].concat()
}

/// One frame. `number` counts frames from 0, below 2^31.
pub(crate) fn frame(number: u32, sample_rate: u32, samples: &[i16; BLOCK]) -> Vec<u8> {
    let rate_code = match sample_rate {
        8_000 => 0b0100,
        16_000 => 0b0101,
        _ => 0, // as the stream's description says
    };
    let mut out = vec![0xff, 0xf8, BLOCK_CODE << 4 | rate_code, 0b0000_1000];
    put_number(&mut out, number);
    out.push(crc(&out, 8, 0x07).to_be_bytes()[1]);
    let mut bits = Bits { out, free: 0 };
    put_subframe(&mut bits, samples);
    let mut out = bits.out;
    let check = crc(&out, 16, 0x8005);
    out.extend_from_slice(&check.to_be_bytes());
    out
}

/// As UTF-8 codes letters, with up to 31 bits.
fn put_number(out: &mut Vec<u8>, number: u32) {
    let follow = match number {
        0..0x80 => return out.push(number.to_be_bytes()[3]),
        0x80..0x800 => 1,
        0x800..0x1_0000 => 2,
        0x1_0000..0x20_0000 => 3,
        0x20_0000..0x400_0000 => 4,
        _ => 5,
    };
    let bits = |shift: u32, mask: u32| (number >> shift & mask).to_be_bytes()[3];
    out.push(0xff << (7 - follow) | bits(6 * follow, 0x3f >> follow));
    out.extend((0..follow).rev().map(|n| 0x80 | bits(6 * n, 0x3f)));
}

/// A cyclic redundancy check of `width` bits, highest bit first, beginning with 0.
fn crc(bytes: &[u8], width: u32, polynomial: u16) -> u16 {
    let top = 1 << (width - 1);
    let mask = if width == 16 { u16::MAX } else { (1 << width) - 1 };
    bytes.iter().fold(0, |check: u16, byte| {
        (0..8).fold(check ^ u16::from(*byte) << (width - 8), |check, _| {
            let shifted = check << 1;
            (if check & top != 0 { shifted ^ polynomial } else { shifted }) & mask
        })
    })
}

/// Bits behind each other, highest first.
struct Bits {
    out: Vec<u8>,
    /// Of the last byte.
    free: u32,
}

impl Bits {
    /// The lowest `count` bits, at most 32.
    fn put(&mut self, value: u32, count: u32) {
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.out.push(0);
                self.free = 8;
            }
            let now = left.min(self.free);
            left -= now;
            let part = u64::from(value) >> left & ((1 << now) - 1);
            self.free -= now;
            if let Some(last) = self.out.last_mut() {
                *last |= (part << self.free).to_be_bytes()[7];
            }
        }
    }

    /// A sample or a residual in so many bits.
    fn put_signed(&mut self, value: i32, count: u32) {
        self.put(value.cast_unsigned(), count);
    }

    /// So many zeros and a one.
    fn put_unary(&mut self, zeros: u32) {
        let mut left = zeros;
        while left >= 32 {
            self.put(0, 32);
            left -= 32;
        }
        self.put(1, left + 1);
    }
}

/// RFC 9639 § 9.2.
fn put_subframe(bits: &mut Bits, samples: &[i16; BLOCK]) {
    let used = samples.iter().fold(0, |used, sample| used | sample);
    if samples.iter().all(|sample| *sample == samples[0]) {
        bits.put(0, 8);
        return bits.put_signed(samples[0].into(), BITS);
    }
    // The lowest bits of telephone sound are zeros, fewer or more of them as it is loud.
    let wasted = used.trailing_zeros();
    let depth = BITS - wasted;
    let signal: Vec<i32> = samples.iter().map(|sample| i32::from(*sample) >> wasted).collect();
    let (order, residual) = predict(&signal);
    let plan = Plan::best(&residual, order);
    let is_verbatim = plan.cost + u64::from(depth) * order as u64 >= u64::from(depth) * BLOCK as u64;
    let kind = if is_verbatim { 1 } else { 8 + u32::try_from(order).unwrap_or(0) };
    bits.put(kind << 1 | u32::from(wasted > 0), 8);
    if wasted > 0 {
        bits.put_unary(wasted - 1);
    }
    let plain = if is_verbatim { BLOCK } else { order };
    for sample in &signal[..plain] {
        bits.put_signed(*sample, depth);
    }
    if !is_verbatim {
        plan.put(bits, &residual);
    }
}

/// The fixed predictor that leaves the least, and what it leaves: as many samples as the block has, less the order.
fn predict(signal: &[i32]) -> (usize, Vec<i32>) {
    let mut best = (0, signal.to_vec());
    let mut left = signal.to_vec();
    // Compared over the same samples.
    let size = |residual: &[i32], order: usize| -> u64 {
        residual[MOST_ORDER - order..].iter().map(|value| u64::from(value.unsigned_abs())).sum()
    };
    let mut least = size(&left, 0);
    for order in 1..=MOST_ORDER {
        left = left.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let now = size(&left, order);
        if now < least {
            least = now;
            best = (order, left.clone());
        }
    }
    best
}

/// How residuals are parted, and each part's parameter.
struct Plan {
    parts_log2: u32,
    parameters: Vec<u32>,
    order: usize,
    /// In bits.
    cost: u64,
}

impl Plan {
    fn best(residual: &[i32], order: usize) -> Self {
        let plan = |parts_log2| {
            let parameters: Vec<_> = parts(parts_log2, order).map(|part| cheapest(&residual[part])).collect();
            let cost = 6 + parameters.iter().map(|(_, cost)| 4 + cost).sum::<u64>();
            let parameters = parameters.into_iter().map(|(parameter, _)| parameter).collect();
            Self { parts_log2, parameters, order, cost }
        };
        let mut best = plan(0);
        for parts_log2 in 1..=MOST_PARTS_LOG2 {
            let other = plan(parts_log2);
            if other.cost < best.cost {
                best = other;
            }
        }
        best
    }

    /// RFC 9639 § 9.2.7: parameters of four bits.
    fn put(&self, bits: &mut Bits, residual: &[i32]) {
        bits.put(0, 2);
        bits.put(self.parts_log2, 4);
        for (parameter, part) in self.parameters.iter().zip(parts(self.parts_log2, self.order)) {
            bits.put(*parameter, 4);
            for value in &residual[part] {
                let folded = fold(*value);
                bits.put_unary(folded >> parameter);
                bits.put(folded, *parameter);
            }
        }
    }
}

/// Where each part lies; the first lacks the samples that the predictor began with.
fn parts(parts_log2: u32, order: usize) -> impl Iterator<Item = Range<usize>> {
    let size = BLOCK >> parts_log2;
    (0..1_usize << parts_log2).map(move |n| (n * size).saturating_sub(order)..(n + 1) * size - order)
}

/// The parameter that takes the fewest bits, and how many.
fn cheapest(part: &[i32]) -> (u32, u64) {
    let cost = |parameter: u32| {
        let unary: u64 = part.iter().map(|value| u64::from(fold(*value) >> parameter)).sum();
        unary + part.len() as u64 * u64::from(parameter + 1)
    };
    let costs = (0..=MOST_PARAMETER).map(|parameter| (parameter, cost(parameter)));
    costs.min_by_key(|(_, cost)| *cost).unwrap_or((0, 0))
}

/// Small numbers of either sign become small numbers: 0, -1, 1, -2 …
fn fold(value: i32) -> u32 {
    (value << 1 ^ value >> 31).cast_unsigned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ffmpeg_next::codec::decoder::Check;
    use ffmpeg_next::codec::{Context, Id, decoder};
    use ffmpeg_next::{Packet, frame};
    use mp4_atom::{Codec, Decode as _};
    use proptest::prelude::*;

    /// Somebody else's decoder.
    pub(crate) struct Decoder(decoder::Audio);

    impl Decoder {
        pub(crate) fn new() -> Self {
            let codec = decoder::find(Id::FLAC).expect("every libavcodec has it");
            let mut opened = Context::new_with_codec(codec).decoder();
            opened.check(Check::CRC | Check::BITSTREAM | Check::EXPLODE);
            Self(opened.open_as(codec).and_then(decoder::Opened::audio).expect("opens"))
        }

        pub(crate) fn decode(&mut self, data: &[u8]) -> Vec<i16> {
            self.0.send_packet(&Packet::copy(data)).expect("a frame without fault");
            let mut sound = frame::Audio::empty();
            self.0.receive_frame(&mut sound).expect("a frame");
            assert_eq!((sound.rate(), sound.channels()), (8000, 1));
            sound.plane::<i16>(0).to_vec()
        }
    }

    /// Sound as it is, and as it never is.
    fn blocks() -> impl Strategy<Value = Vec<i16>> {
        let wave = (1..4000i32, 1..400i32, 0..5u32, 0..4000i32).prop_map(|(loud, length, wasted, noise)| {
            let value = |n: i32| {
                let phase = n % length * 4 - length * 2;
                let value = phase * loud / length + (n * 7919 % 613) * noise / 613;
                i16::try_from((value.clamp(-32_000, 32_000)) >> wasted << wasted).expect("clamped")
            };
            (0..1024).map(value).collect()
        });
        prop_oneof![
            wave,
            any::<i16>().prop_map(|value| vec![value; BLOCK]),
            prop::collection::vec(any::<i16>(), BLOCK),
            prop::collection::vec(prop_oneof![Just(i16::MIN), Just(i16::MAX), Just(0)], BLOCK),
            prop::collection::vec(any::<i16>().prop_map(|value| value & !7), BLOCK),
            (0..BLOCK, any::<i16>()).prop_map(|(at, value)| {
                let mut block = vec![0; BLOCK];
                block[at] = value;
                block
            }),
        ]
    }

    proptest! {
        #[test]
        fn another_decoder_gives_back_every_bit(samples in blocks(), number in 0..1u32 << 31) {
            let block = <&[i16; BLOCK]>::try_from(samples.as_slice()).expect("a block");
            let data = frame(number, 8000, block);
            prop_assert!(data.len() <= BLOCK * 2 + 16, "{} bytes", data.len());
            prop_assert_eq!(Decoder::new().decode(&data), samples);
        }
    }

    #[test]
    fn sound_takes_less_than_the_linear_scale_would() {
        let tone: Vec<i16> = (0..1024_i16).map(|n| (n % 40 - 20) * 256).collect();
        let data = frame(0, 8000, tone.as_slice().try_into().expect("a block"));
        assert!(data.len() < BLOCK, "{} bytes", data.len());
        let silence = frame(0, 8000, &[0; BLOCK]);
        assert!(silence.len() < 16, "{silence:?}");
    }

    #[test]
    fn checks_are_the_ones_that_the_format_means() {
        assert_eq!(crc(b"123456789", 8, 0x07), 0xf4);
        assert_eq!(crc(b"123456789", 16, 0x8005), 0xfee8);
    }

    #[test]
    fn frame_numbers_are_written_as_letters_are() {
        for letter in ['\0', '\x7f', '\u{80}', '\u{7ff}', '\u{800}', '\u{ffff}', '\u{10000}', '\u{10ffff}'] {
            let mut out = Vec::new();
            put_number(&mut out, letter.into());
            assert_eq!(out, letter.to_string().as_bytes());
        }
        let mut out = Vec::new();
        put_number(&mut out, u32::MAX >> 1);
        assert_eq!(out, [0xfd, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf]);
    }

    #[test]
    fn the_sample_entry_is_read_by_others() {
        let entry = sample_entry(8000);
        let Ok(Codec::Flac(read)) = Codec::decode(&mut &*entry) else { panic!("{entry:?}") };
        assert_eq!((read.audio.channel_count, read.audio.sample_size), (1, 16));
        assert_eq!(read.audio.sample_rate.integer(), 8000);
    }
}
