//! The names of codecs by RFC 6381, out of a file's sample entries. Pure.

use std::fmt::Write as _;

use mp4_atom::{Codec, Decode, Hvcc};

/// As `avc1.42C01F`, `hvc1.1.6.L93.B0`, `mp4a.40.2` or `fLaC`; only the entry's four letters if it can't be read further.
pub(super) fn name(sample_entry: &[u8]) -> String {
    match Codec::decode(&mut &*sample_entry) {
        Ok(Codec::Avc1(entry)) => {
            let avcc = entry.avcc;
            let (profile, level) = (avcc.avc_profile_indication, avcc.avc_level_indication);
            format!("avc1.{profile:02X}{:02X}{level:02X}", avcc.profile_compatibility)
        }
        Ok(Codec::Hvc1(entry)) => hevc("hvc1", &entry.hvcc),
        Ok(Codec::Hev1(entry)) => hevc("hev1", &entry.hvcc),
        Ok(Codec::Mp4a(entry)) => {
            let config = entry.esds.es_desc.dec_config;
            match config.dec_specific {
                Some(specific) => format!("mp4a.{:x}.{}", config.object_type_indication, specific.profile),
                None => format!("mp4a.{:x}", config.object_type_indication),
            }
        }
        _ => sample_entry.get(4..8).map(|kind| String::from_utf8_lossy(kind).into_owned()).unwrap_or_default(),
    }
}

/// ISO/IEC 14496-15 annex E.3.
fn hevc(entry: &str, hvcc: &Hvcc) -> String {
    let space = ["", "A", "B", "C"][usize::from(hvcc.general_profile_space & 3)];
    let compatibility = u32::from_be_bytes(hvcc.general_profile_compatibility_flags).reverse_bits();
    let tier = if hvcc.general_tier_flag { 'H' } else { 'L' };
    let mut name =
        format!("{entry}.{space}{}.{compatibility:X}.{tier}{}", hvcc.general_profile_idc, hvcc.general_level_idc);
    let constraints = &hvcc.general_constraint_indicator_flags;
    let used = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    for byte in &constraints[..used] {
        write!(name, ".{byte:X}").expect("text grows");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use mp4_atom::{Avc1, Avcc, Encode, Hvc1};
    use proptest::prelude::*;

    #[test]
    fn sample_entries_are_named_as_browsers_want_it() {
        let mut avc1 = Vec::new();
        let avcc = Avcc::new(&[0x67, 0x42, 0xc0, 0x1f], &[0x68]).expect("long enough");
        Avc1 { avcc, ..Avc1::default() }.encode(&mut avc1).expect("encodes");
        assert_eq!(name(&avc1), "avc1.42C01F");
        let mut hvc1 = Vec::new();
        let hvcc = Hvcc {
            general_profile_idc: 1,
            general_profile_compatibility_flags: [0x60, 0, 0, 0],
            general_constraint_indicator_flags: [0x90, 0, 0, 0, 0, 0],
            general_level_idc: 93,
            ..Hvcc::new()
        };
        Hvc1 { hvcc, ..Hvc1::default() }.encode(&mut hvc1).expect("encodes");
        assert_eq!(name(&hvc1), "hvc1.1.6.L93.90");
        assert_eq!(name(b"\0\0\0\x08fLaC"), "fLaC");
        assert_eq!(name(b"\0\0\0\x08dvh1"), "dvh1");
        assert_eq!(name(b""), "");
    }

    proptest! {
        #[test]
        fn hostile_entries_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0..4usize) {
            let kind: &[u8] = [b"avc1", b"hvc1", b"mp4a", b"hev1"][kind];
            let size = u32::try_from(bytes.len() + 8).expect("small").to_be_bytes();
            let _ = name(&[&size, kind, &bytes].concat());
        }
    }
}
