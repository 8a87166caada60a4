//! What a camera's detection knew before a restart, as a file's content: whose it is, of when, of which picture. Pure.
//!
//! Whatever is not this camera's, of this picture's size, whole and young, is refused: then the background is learnt anew, as
//! at a first start.

use bytes::{Buf as _, BufMut as _};
use sha2::{Digest as _, Sha256};

use crate::detect::grid::Shape;
use crate::units::{CameraId, UtcMicros};

const MAGIC: &[u8; 4] = b"HWBG";
const VERSION: u8 = 1;
/// In this time the sun moves shadows, people park cars, and a reboot is long over.
const TOO_OLD_US: i64 = 30 * 60 * 1_000_000;
/// A clock that is set by so much is not worth a word.
const ADJUSTED_US: i64 = 5_000_000;
const DIGEST: usize = 32;

/// Why what was saved is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("it is damaged or no such file")]
    Damaged,
    #[error("another version of hearthwatch wrote it")]
    Version,
    #[error("it is another camera's")]
    Camera,
    #[error("the camera's picture has another size now")]
    Picture,
    #[error("it is older than half an hour")]
    Old,
    #[error("it is from the future, by this machine's clock")]
    Future,
}

/// `model` as [`crate::detect::model::Model::save`] gave it at that moment.
pub(super) fn pack(camera: &CameraId, shape: Shape, at: UtcMicros, model: &[u8]) -> Vec<u8> {
    let name = camera.as_str().as_bytes();
    let mut out = Vec::with_capacity(64 + name.len() + model.len() + DIGEST);
    out.put_slice(MAGIC);
    out.put_u8(VERSION);
    out.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.put_slice(name);
    for side in [shape.width, shape.height, shape.cell] {
        out.put_u32_le(side);
    }
    out.put_i64_le(at.0);
    out.put_slice(model);
    let digest = Sha256::digest(&out);
    out.put_slice(&digest);
    out
}

/// The model's part of it, if it fits.
pub(super) fn unpack<'a>(saved: &'a [u8], camera: &CameraId, shape: Shape, now: UtcMicros) -> Result<&'a [u8], Unfit> {
    let mut rest = saved.strip_prefix(MAGIC).ok_or(Unfit::Damaged)?;
    match rest.first() {
        Some(&VERSION) => {}
        Some(_) => return Err(Unfit::Version),
        None => return Err(Unfit::Damaged),
    }
    let (content, digest) = saved.split_at(saved.len().checked_sub(DIGEST).ok_or(Unfit::Damaged)?);
    if Sha256::digest(content)[..] != *digest {
        return Err(Unfit::Damaged);
    }
    rest.advance(1);
    rest = rest.get(..rest.len().saturating_sub(DIGEST)).ok_or(Unfit::Damaged)?;
    let name = rest.split_off_first().copied().ok_or(Unfit::Damaged)?;
    let name = rest.split_off(..usize::from(name)).ok_or(Unfit::Damaged)?;
    if name != camera.as_str().as_bytes() {
        return Err(Unfit::Camera);
    }
    if rest.len() < 20 {
        return Err(Unfit::Damaged);
    }
    let [width, height, cell] = [(); 3].map(|()| rest.get_u32_le());
    if (Shape { width, height, cell }) != shape {
        return Err(Unfit::Picture);
    }
    match now.0.saturating_sub(rest.get_i64_le()) {
        age if age > TOO_OLD_US => Err(Unfit::Old),
        age if age < -ADJUSTED_US => Err(Unfit::Future),
        _ => Ok(rest),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: UtcMicros = UtcMicros(1_700_000_000_000_000);

    fn camera(name: &str) -> CameraId {
        name.parse().expect("an id")
    }

    fn shape() -> Shape {
        Shape::of(640, 360).expect("large enough")
    }

    #[test]
    fn only_what_is_ours_of_this_picture_and_young_fits() {
        let saved = pack(&camera("porch"), shape(), NOW, b"model");
        let later = |us| UtcMicros(NOW.0 + us);
        assert_eq!(unpack(&saved, &camera("porch"), shape(), later(60_000_000)), Ok(&b"model"[..]));
        assert_eq!(unpack(&saved, &camera("nursery"), shape(), NOW), Err(Unfit::Camera));
        let other = Shape::of(704, 576).expect("large enough");
        assert_eq!(unpack(&saved, &camera("porch"), other, NOW), Err(Unfit::Picture));
        assert_eq!(unpack(&saved, &camera("porch"), shape(), later(TOO_OLD_US + 1)), Err(Unfit::Old));
        assert_eq!(unpack(&saved, &camera("porch"), shape(), later(-60_000_000)), Err(Unfit::Future));
        let mut newer = saved.clone();
        newer[4] = 9;
        assert_eq!(unpack(&newer, &camera("porch"), shape(), NOW), Err(Unfit::Version));
        assert_eq!(unpack(b"GIF89a", &camera("porch"), shape(), NOW), Err(Unfit::Damaged));
    }

    #[test]
    fn one_turned_bit_is_noticed() {
        let saved = pack(&camera("porch"), shape(), NOW, b"model");
        for bit in 0..saved.len() * 8 {
            let mut turned = saved.clone();
            turned[bit / 8] ^= 1 << (bit % 8);
            assert!(unpack(&turned, &camera("porch"), shape(), NOW).is_err(), "bit {bit}");
        }
        for cut in 0..saved.len() {
            assert!(unpack(&saved[..cut], &camera("porch"), shape(), NOW).is_err(), "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..120), is_signed in any::<bool>()) {
            let mut saved = [&MAGIC[..], &[VERSION], &bytes].concat();
            if is_signed {
                let digest = Sha256::digest(&saved);
                saved.extend_from_slice(&digest);
            }
            let _ = unpack(&saved, &camera("porch"), shape(), NOW);
        }
    }
}
