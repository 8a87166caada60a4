//! Where in a stream decoding can begin, by the first bytes of its slices. Pure.

use crate::camera::packet::VideoCodec;

/// Whether the access unit's first slice is its picture's first: after a loss the beginning may be missing, and nothing else
/// tells. In both codecs that is one bit, the first of the slice header (`first_mb_in_slice` = 0 as ue(v), H.264 7.3.3;
/// `first_slice_segment_in_pic_flag`, H.265 7.3.6.1).
pub(crate) fn begins(codec: VideoCodec, data: &[u8]) -> bool {
    let header_len = match codec {
        VideoCodec::H264 => 1,
        VideoCodec::H265 => 2,
        VideoCodec::Jpeg => return data.starts_with(&[0xff, 0xd8]),
    };
    first_slice(codec, data).and_then(|slice| slice.get(header_len)).is_some_and(|byte| byte & 0x80 != 0)
}

/// Whether an H.265 access unit is an IRAP picture: IDR, BLA or CRA (NAL unit types 16 to 21, H.265 7.4.2.2). The library
/// takes IDR alone for one, but encoders with open groups of pictures send CRA for hours.
pub(crate) fn is_irap(data: &[u8]) -> bool {
    let header = first_slice(VideoCodec::H265, data).and_then(|slice| slice.first());
    header.is_some_and(|header| (16..=21).contains(&(header >> 1 & 63)))
}

/// The first NAL unit that is a slice, from its header on; `None` if there is none or the lengths do not fit.
fn first_slice(codec: VideoCodec, data: &[u8]) -> Option<&[u8]> {
    let mut rest = data;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (unit, after) = after.split_at_checked(length)?;
        let header = unit.first().copied().unwrap_or_default();
        let is_slice = match codec {
            VideoCodec::H264 => (1..=5).contains(&(header & 31)),
            VideoCodec::H265 => (header >> 1 & 63) < 32,
            VideoCodec::Jpeg => return None,
        };
        if is_slice {
            return Some(unit);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_clean_random_access_picture_is_a_place_to_begin() {
        let unit = |kind: u8| [0, 0, 0, 3, kind << 1, 1, 0x80];
        for (kind, begins) in [(1, false), (9, false), (16, true), (19, true), (20, true), (21, true), (22, false)] {
            // Behind an access unit delimiter, as encoders send it.
            let data = [&[0, 0, 0, 3, 35 << 1, 1, 0x50][..], &unit(kind)].concat();
            assert_eq!(is_irap(&data), begins, "NAL unit type {kind}");
        }
    }

    #[test]
    fn a_picture_without_its_first_slice_is_no_place_to_begin() {
        let whole = [0, 0, 0, 1, 9, 0, 0, 0, 3, 0x65, 0x88, 0x84];
        let cut = [0, 0, 0, 1, 9, 0, 0, 0, 3, 0x65, 0x28, 0x84];
        assert!(begins(VideoCodec::H264, &whole));
        assert!(!begins(VideoCodec::H264, &cut));
        assert!(begins(VideoCodec::H265, &[0, 0, 0, 3, 0x26, 0x01, 0xaf]));
        assert!(!begins(VideoCodec::H265, &[0, 0, 0, 3, 0x26, 0x01, 0x2f]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at_without_a_panic(data in prop::collection::vec(any::<u8>(), 0..64)) {
            begins(VideoCodec::H264, &data);
            begins(VideoCodec::H265, &data);
        }
    }
}
