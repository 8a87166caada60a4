//! The two laws of ITU-T G.711, expanded: each code stands for one value of a linear scale, here of 16 bits.

/// How a camera's codes are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Law {
    /// A-law (`PCMA`): 13 bits, in the upper ones of 16.
    A,
    /// µ-law (`PCMU`): 14 bits, in the upper ones of 16.
    Mu,
}

impl Law {
    /// The law of that encoding name in an SDP, in small letters.
    pub(crate) fn of_encoding(name: &str) -> Option<Self> {
        match name {
            "pcma" => Some(Self::A),
            "pcmu" => Some(Self::Mu),
            _ => None,
        }
    }

    /// What a code stands for.
    pub(crate) fn expand(self, code: u8) -> i16 {
        match self {
            Self::A => A[usize::from(code)],
            Self::Mu => MU[usize::from(code)],
        }
    }
}

const A: [i16; 256] = table(true);
const MU: [i16; 256] = table(false);

#[expect(clippy::cast_possible_truncation, reason = "`u8::try_from` is not const; the index is below 256")]
const fn table(is_a: bool) -> [i16; 256] {
    let mut values = [0; 256];
    let mut code = 0;
    while code < values.len() {
        values[code] = if is_a { expand_a(code as u8) } else { expand_mu(code as u8) };
        code += 1;
    }
    values
}

/// Every other bit of the code is inverted; sign, exponent and mantissa follow, and the middle of the step is meant.
const fn expand_a(code: u8) -> i16 {
    let code = code ^ 0x55;
    let (exponent, mantissa) = (code >> 4 & 7, (code & 15) as i16);
    let step = mantissa << 4 | 8;
    let value = if exponent == 0 { step } else { (step | 0x100) << (exponent - 1) };
    if code & 0x80 != 0 { value } else { -value }
}

/// All bits of the code are inverted; a bias of 33 (here of 132) lets every exponent have a leading one.
const fn expand_mu(code: u8) -> i16 {
    let code = !code;
    let (exponent, mantissa) = (code >> 4 & 7, (code & 15) as i16);
    let value = ((mantissa << 3 | 0x84) << exponent) - 0x84;
    if code & 0x80 != 0 { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_for_the_standards_values() {
        let a = [(0xd5, 8), (0x55, -8), (0xaa, 32_256), (0x2a, -32_256), (0xc5, 264), (0xe5, 1056), (0x80, 5504)];
        for (code, value) in a {
            assert_eq!(Law::A.expand(code), value, "A-law {code:#x}");
        }
        let mu = [(0xff, 0), (0x7f, 0), (0x80, 32_124), (0x00, -32_124), (0xfe, 8), (0xef, 132), (0x8f, 16_764)];
        for (code, value) in mu {
            assert_eq!(Law::Mu.expand(code), value, "µ-law {code:#x}");
        }
    }

    #[test]
    fn louder_codes_stand_for_more_and_signs_are_even() {
        for code in 0..=127_u8 {
            assert_eq!(Law::A.expand(code), -Law::A.expand(code | 0x80));
            assert_eq!(Law::Mu.expand(code), -Law::Mu.expand(code | 0x80));
            if code < 127 {
                assert!(Law::Mu.expand(!code) < Law::Mu.expand(!(code + 1)));
                assert!(Law::A.expand(code ^ 0xd5) < Law::A.expand((code + 1) ^ 0xd5));
            }
        }
    }
}
