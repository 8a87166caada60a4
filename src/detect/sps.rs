//! What a stream's parameter sets promise, read in Rust before any byte of them reaches libavcodec.
//!
//! ITU-T H.264 section 7.3.2.1.1 and H.265 section 7.3.2.2; only what comes before and with the picture's size is read.

use crate::camera::packet::VideoCodec;

/// The largest picture that is decoded: 4096×2304.
pub const MAX_PIXELS: u32 = 4096 * 2304;

/// Why a stream is not decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// No sequence parameter set.
    #[error("the stream has no sequence parameter set, so its pictures cannot be decoded")]
    None,
    /// One that ends too early or says nonsense.
    #[error("the stream's sequence parameter set cannot be read")]
    Unreadable,
    /// More of them than a picture needs.
    #[error("the stream's parameter sets are too long")]
    TooLong,
    /// Not 8-bit 4:2:0.
    #[error(
        "pictures have {bits} bits and chroma format {chroma}, but only 8-bit 4:2:0 is decoded; set the camera to plain H.264 or H.265"
    )]
    Format {
        /// Bits of a sample.
        bits: u32,
        /// 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
        chroma: u32,
    },
    /// Too large or too small.
    #[error(
        "pictures are {width}x{height}, but motion is looked for in 64x64 to about 4096x2304; set detect_url to the camera's small stream"
    )]
    Size {
        /// In pixels, after cropping.
        width: u32,
        /// In pixels, after cropping.
        height: u32,
    },
}

/// A picture's size as its parameter set says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureSize {
    /// In pixels, after cropping.
    pub width: u32,
    /// In pixels, after cropping.
    pub height: u32,
}

/// Checks a size that does not come from a parameter set, as with JPEG over RTP, where each packet says it (RFC 2435).
pub fn check_size(width: u32, height: u32) -> Result<PictureSize, ParametersError> {
    let too_many = u64::from(width) * u64::from(height) > u64::from(MAX_PIXELS);
    if too_many || width < 64 || height < 64 || width > 8192 || height > 8192 {
        return Err(ParametersError::Size { width, height });
    }
    Ok(PictureSize { width, height })
}

/// Checks every sequence parameter set in `annex_b` and returns the size that the first one gives.
pub fn check(codec: VideoCodec, annex_b: &[u8]) -> Result<PictureSize, ParametersError> {
    let mut first = None;
    for unit in units(annex_b) {
        let size = match (codec, unit) {
            (VideoCodec::H264, [header, body @ ..]) if header & 0x1f == 7 => h264(body)?,
            (VideoCodec::H265, [header, _, body @ ..]) if header >> 1 & 0x3f == 33 => h265(body)?,
            _ => continue,
        };
        first.get_or_insert(size);
    }
    first.ok_or(ParametersError::None)
}

/// The NAL units between start codes.
fn units(annex_b: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = annex_b;
    let mut started = false;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let (unit, after) = match rest.windows(3).position(|window| window == [0, 0, 1]) {
                Some(at) => (&rest[..at], &rest[at + 3..]),
                None => (rest, &rest[rest.len()..]),
            };
            rest = after;
            if std::mem::replace(&mut started, true) && !unit.is_empty() {
                return Some(unit);
            }
        }
    })
}

/// Reads bits behind the emulation prevention.
struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    /// A parameter set never needs more.
    const MAX_BYTES: usize = 4096;

    fn new(escaped: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(escaped.len().min(Self::MAX_BYTES));
        let mut zeros = 0;
        for byte in escaped.iter().take(Self::MAX_BYTES) {
            if zeros >= 2 && *byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if *byte == 0 { zeros + 1 } else { 0 };
            bytes.push(*byte);
        }
        Self { bytes, at: 0 }
    }

    fn flag(&mut self) -> Result<bool, ParametersError> {
        let byte = self.bytes.get(self.at / 8).ok_or(ParametersError::Unreadable)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Ok(bit == 1)
    }

    /// At most 32 bits.
    fn bits(&mut self, count: u32) -> Result<u32, ParametersError> {
        (0..count).try_fold(0_u32, |value, _| Ok(value << 1 | u32::from(self.flag()?)))
    }

    fn skip(&mut self, count: usize) -> Result<(), ParametersError> {
        self.at += count;
        if self.at > self.bytes.len() * 8 { Err(ParametersError::Unreadable) } else { Ok(()) }
    }

    /// Exp-Golomb, unsigned.
    fn ue(&mut self) -> Result<u32, ParametersError> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return Err(ParametersError::Unreadable);
            }
        }
        let rest = self.bits(zeros)?;
        Ok((1_u32 << zeros) - 1 + rest)
    }

    /// Exp-Golomb, signed.
    fn se(&mut self) -> Result<i64, ParametersError> {
        let code = i64::from(self.ue()?);
        Ok(if code % 2 == 1 { (code + 1) / 2 } else { -code / 2 })
    }
}

fn h264(body: &[u8]) -> Result<PictureSize, ParametersError> {
    let mut bits = Bits::new(body);
    let profile = bits.bits(8)?;
    bits.skip(16)?;
    bits.ue()?;
    let (mut chroma, mut depth) = (1, 8);
    if [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135].contains(&profile) {
        chroma = bits.ue()?;
        if chroma == 3 {
            bits.flag()?;
        }
        depth = 8_u32.saturating_add(bits.ue()?.max(bits.ue()?));
        bits.flag()?;
        if bits.flag()? {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.flag()? {
                    scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    plain(chroma, depth)?;
    bits.ue()?;
    match bits.ue()? {
        0 => {
            bits.ue()?;
        }
        1 => {
            bits.flag()?;
            bits.se()?;
            bits.se()?;
            let count = bits.ue()?;
            if count > 255 {
                return Err(ParametersError::Unreadable);
            }
            for _ in 0..count {
                bits.se()?;
            }
        }
        _ => {}
    }
    bits.ue()?;
    bits.flag()?;
    let across = u64::from(bits.ue()?) + 1;
    let down = u64::from(bits.ue()?) + 1;
    let frames_only = bits.flag()?;
    if !frames_only {
        bits.flag()?;
    }
    bits.flag()?;
    let fields = if frames_only { 1 } else { 2 };
    let crop = crop(&mut bits)?;
    size(across * 16, down * 16 * fields, [crop[0] * 2, crop[1] * 2, crop[2] * 2 * fields, crop[3] * 2 * fields])
}

fn scaling_list(bits: &mut Bits, entries: usize) -> Result<(), ParametersError> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..entries {
        if next != 0 {
            next = (last + bits.se()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}

fn h265(body: &[u8]) -> Result<PictureSize, ParametersError> {
    let mut bits = Bits::new(body);
    bits.skip(4)?;
    let sub_layers = bits.bits(3)?;
    bits.flag()?;
    bits.skip(88 + 8)?;
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((bits.flag()?, bits.flag()?));
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers as usize))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    bits.ue()?;
    let chroma = bits.ue()?;
    if chroma == 3 {
        bits.flag()?;
    }
    let (across, down) = (u64::from(bits.ue()?), u64::from(bits.ue()?));
    let crop = crop(&mut bits)?;
    let depth = 8_u32.saturating_add(bits.ue()?.max(bits.ue()?));
    plain(chroma, depth)?;
    size(across, down, crop.map(|side| side * 2))
}

/// Left, right, top, bottom, in the units that the standard counts in.
fn crop(bits: &mut Bits) -> Result<[u64; 4], ParametersError> {
    let mut sides = [0; 4];
    if bits.flag()? {
        for side in &mut sides {
            *side = u64::from(bits.ue()?);
        }
    }
    Ok(sides)
}

fn plain(chroma: u32, bits: u32) -> Result<(), ParametersError> {
    if chroma == 1 && bits == 8 { Ok(()) } else { Err(ParametersError::Format { bits, chroma }) }
}

fn size(across: u64, down: u64, [left, right, top, bottom]: [u64; 4]) -> Result<PictureSize, ParametersError> {
    let least = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let width = least(across.saturating_sub(left + right));
    let height = least(down.saturating_sub(top + bottom));
    // What is cropped away is decoded all the same.
    if across.checked_mul(down).is_none_or(|pixels| pixels > u64::from(MAX_PIXELS)) {
        return Err(ParametersError::Size { width, height });
    }
    check_size(width, height)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Made by x264 and x265 (ffmpeg's testsrc); the SPS behind a start code.
    const H264_HIGH_640X360: &[u8] = &[
        0, 0, 0, 1, 0x67, 0x64, 0x00, 0x16, 0xac, 0xd9, 0x40, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00,
        0x01, 0x00, 0x00, 0x03, 0x00, 0x14, 0x0f, 0x16, 0x2d, 0x96,
    ];

    #[test]
    fn the_size_is_read_after_cropping() {
        assert_eq!(check(VideoCodec::H264, H264_HIGH_640X360), Ok(PictureSize { width: 640, height: 360 }));
    }

    #[test]
    fn nothing_is_no_parameter_set() {
        for nothing in [&[][..], &[0, 0, 1], &[0, 0, 0, 1, 0x68, 1, 2], &[0x67, 1, 2, 3]] {
            assert_eq!(check(VideoCodec::H264, nothing), Err(ParametersError::None), "{nothing:?}");
        }
        assert_eq!(check(VideoCodec::H264, &H264_HIGH_640X360[..10]), Err(ParametersError::Unreadable));
    }

    proptest! {
        #[test]
        fn hostile_parameter_sets_never_panic(mut body in prop::collection::vec(any::<u8>(), 0..200), high in any::<bool>()) {
            if high && !body.is_empty() {
                body[0] = 100;
            }
            for (codec, header) in [(VideoCodec::H264, &[0, 0, 1, 0x67][..]), (VideoCodec::H265, &[0, 0, 1, 0x42, 1])] {
                if let Ok(size) = check(codec, &[header, &body].concat()) {
                    prop_assert!(size.width <= 8192 && size.height <= 8192);
                }
            }
        }

        #[test]
        fn damaged_parameter_sets_never_panic(at in 4_usize..30, byte in any::<u8>()) {
            let mut sets = H264_HIGH_640X360.to_vec();
            sets[at] = byte;
            let _ = check(VideoCodec::H264, &sets);
        }
    }
}
