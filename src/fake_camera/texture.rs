//! Irregularity that is the same each time: hashes, smooth noise, sensor noise. Pure.

#![expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "noise: the bits are what counts")]

/// Well-mixed bits of any number (the finalizer of `SplitMix64`).
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// 0 to 1 for a point of a lattice.
pub(crate) fn lattice(x: i32, y: i32) -> f32 {
    let mut h = x.cast_unsigned().wrapping_mul(0x9e37_79b1) ^ y.cast_unsigned().wrapping_mul(0x85eb_ca77);
    h = (h ^ h >> 15).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ h >> 12).wrapping_mul(0x297a_2d39);
    (h >> 8) as f32 / 16_777_216.0
}

/// Smooth noise, 0 to 1, with features of size 1.
pub(crate) fn smooth(x: f32, y: f32) -> f32 {
    let (ix, iy) = (x.floor(), y.floor());
    let fade = |t: f32| t * t * (3.0 - 2.0 * t);
    let (fx, fy) = (fade(x - ix), fade(y - iy));
    let (ix, iy) = (ix as i32, iy as i32);
    let row = |y: i32| {
        let left = lattice(ix, y);
        left + (lattice(ix.wrapping_add(1), y) - left) * fx
    };
    let upper = row(iy);
    upper + (row(iy.wrapping_add(1)) - upper) * fy
}

/// Four octaves of smooth noise, 0 to 1, the coarsest of size 1.
pub(crate) fn cloudy(x: f32, y: f32) -> f32 {
    let octave = |n: f32, part: f32| smooth(x * n + n * 7.3, y * n - n * 3.1) * part;
    octave(1.0, 0.53) + octave(2.0, 0.27) + octave(4.1, 0.13) + octave(8.3, 0.07)
}

/// Noise of a sensor: `len` small numbers around 0, triangular within ± `amplitude`.
pub(crate) fn sensor(seed: u64, len: usize, amplitude: u8) -> Vec<i8> {
    let width = i64::from(amplitude);
    (0..len)
        .map(|index| {
            let bits = mix(seed ^ (index as u64) << 20);
            let one = |bits: u64| (bits & 0xffff).cast_signed() * (width + 1) / 0x1_0000;
            (one(bits) - one(bits >> 16)) as i8
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensor_noise_is_balanced_and_bounded() {
        let noise = sensor(7, 20_000, 8);
        let sum: i64 = noise.iter().map(|value| i64::from(*value)).sum();
        assert!(noise.iter().all(|value| value.abs() <= 8) && sum.abs() < 4_000, "{sum}");
    }
}
