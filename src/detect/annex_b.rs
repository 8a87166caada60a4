//! From the form that files have (each NAL unit behind its length) to the one decoders take (behind a start code).

use bytes::{BufMut, Bytes, BytesMut};

/// An access unit whose lengths do not add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an access unit's lengths do not add up")]
pub struct LengthError;

/// What stands before each NAL unit.
pub(crate) const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// `mp4`: NAL units, each behind its length in four bytes. `sets`, in Annex B form, go before them.
pub fn from_mp4(sets: &[u8], mp4: &[u8]) -> Result<Bytes, LengthError> {
    let mut out = BytesMut::with_capacity(sets.len() + mp4.len());
    out.put_slice(sets);
    let mut rest = mp4;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>().ok_or(LengthError)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| LengthError)?;
        let (unit, after) = after.split_at_checked(length).ok_or(LengthError)?;
        out.put_slice(&START_CODE);
        out.put_slice(unit);
        rest = after;
    }
    Ok(out.freeze())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_length_becomes_a_start_code_behind_the_parameter_sets() {
        let unit = from_mp4(&[9], &[0, 0, 0, 2, 5, 6, 0, 0, 0, 1, 7]).expect("lengths that add up");
        assert_eq!(&unit[..], [9, 0, 0, 0, 1, 5, 6, 0, 0, 0, 1, 7]);
        assert_eq!(from_mp4(&[], &[0, 0, 0, 3, 5, 6]), Err(LengthError));
        assert_eq!(from_mp4(&[], &[0, 0, 0]), Err(LengthError));
        assert_eq!(from_mp4(&[], &[0xff, 0xff, 0xff, 0xff]), Err(LengthError));
    }

    proptest! {
        #[test]
        fn hostile_units_never_panic(mp4 in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = from_mp4(&[], &mp4);
        }
    }
}
