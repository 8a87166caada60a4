//! The small pictures that are kept beside a segment, for the finger on a bar: one file a segment, bytes in and pictures out. Pure.
//!
//! The file says first whose it is, as the segment does, then what is in it and where, then come the JPEGs. Each has a sum of its
//! own: the file is never synced, so a power cut may leave any part of it torn or empty, and whatever is whole still counts.
//! Times are kept from the segment's start on, so that they stay right when a wrong clock moves the segment.

use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use sha2::{Digest as _, Sha256};

use crate::record::provenance::Provenance;
use crate::units::{UtcMicros, UtcSpan};

const MAGIC: &[u8; 4] = b"HWPV";
const VERSION: u8 = 1;
/// The most pictures of one segment: a segment of an hour has 360.
pub const MAX_PICTURES: usize = 512;
/// The largest picture, in bytes.
pub const MAX_PICTURE: usize = 32 << 10;
/// What pictures of a second may take together: 50 MB a camera and day.
const BYTES_A_SECOND: u64 = 50_000_000 / 86_400;
/// Offset, length, sum.
const ENTRY: usize = 12;
/// Everything in front of the pictures, at most.
pub const MAX_HEAD: usize = 4 + 1 + 2 + 128 + 2 + MAX_PICTURES * ENTRY;

/// A small picture of a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// When.
    pub at: UtcMicros,
    /// A whole JPEG.
    pub jpeg: Bytes,
}

/// Where a picture lies in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// From the segment's start on.
    pub after: Duration,
    /// From the file's start on, in bytes.
    pub offset: u64,
    /// In bytes; at most [`MAX_PICTURE`].
    pub length: usize,
    sum: [u8; 4],
}

/// The head of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Whose pictures these are, and of which segment.
    pub provenance: Provenance,
    /// By time.
    pub entries: Vec<Entry>,
}

/// Why bytes are no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no file of small pictures, or one that is torn at its head, or another version's")]
pub struct NoHead;

/// The file for a segment of that length; by time, no more of them than the budget allows, evenly left out.
/// `None` if there is nothing to keep.
pub fn encode(provenance: &Provenance, span: UtcSpan, previews: &[Preview]) -> Option<Vec<u8>> {
    let mut fit: Vec<&Preview> =
        previews.iter().filter(|one| span.contains(one.at) && (4..=MAX_PICTURE).contains(&one.jpeg.len())).collect();
    fit.sort_by_key(|one| one.at);
    fit.dedup_by_key(|one| one.at.since(span.start()).as_millis());
    let budget = (span.length().as_millis() * u128::from(BYTES_A_SECOND) / 1000).max(u128::from(BYTES_A_SECOND) * 10);
    let size = |fit: &[&Preview]| fit.iter().map(|one| one.jpeg.len() as u128).sum::<u128>();
    while fit.len() > 1 && (fit.len() > MAX_PICTURES || size(&fit) > budget) {
        let mut at = 0;
        fit.retain(|_| {
            at += 1;
            at % 2 == 1
        });
    }
    if fit.is_empty() {
        return None;
    }
    let whose = provenance.encode();
    let mut out = Vec::with_capacity(MAX_HEAD / 4 + fit.iter().map(|one| one.jpeg.len()).sum::<usize>());
    out.put_slice(MAGIC);
    out.put_u8(VERSION);
    out.put_u16(u16::try_from(whose.len()).ok()?);
    out.put_slice(&whose);
    out.put_u16(u16::try_from(fit.len()).ok()?);
    for one in &fit {
        out.put_u32(u32::try_from(one.at.since(span.start()).as_millis()).ok()?);
        out.put_u32(u32::try_from(one.jpeg.len()).ok()?);
        out.put_slice(&sum(&one.jpeg));
    }
    for one in &fit {
        out.put_slice(&one.jpeg);
    }
    Some(out)
}

/// Reads the first [`MAX_HEAD`] bytes of a file, or all of it if it is shorter.
pub fn read_head(bytes: &[u8]) -> Result<Head, NoHead> {
    let mut rest = bytes.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(&[VERSION])).ok_or(NoHead)?;
    let whose = usize::from(rest.try_get_u16().map_err(|_| NoHead)?);
    let (whose, mut rest) = rest.split_at_checked(whose).ok_or(NoHead)?;
    let provenance = Provenance::decode(whose).map_err(|_| NoHead)?;
    let count = usize::from(rest.try_get_u16().map_err(|_| NoHead)?);
    let (table, _) = rest.split_at_checked(count * ENTRY).filter(|_| count <= MAX_PICTURES).ok_or(NoHead)?;
    let mut offset = (bytes.len() - rest.len() + table.len()) as u64;
    let mut entries = Vec::with_capacity(count);
    for mut entry in table.chunks_exact(ENTRY) {
        let after = Duration::from_millis(entry.get_u32().into());
        let length = usize::try_from(entry.get_u32()).map_err(|_| NoHead)?;
        if length > MAX_PICTURE || entries.last().is_some_and(|last: &Entry| last.after >= after) {
            return Err(NoHead);
        }
        entries.push(Entry { after, offset, length, sum: [entry[0], entry[1], entry[2], entry[3]] });
        offset += length as u64;
    }
    Ok(Head { provenance, entries })
}

impl Entry {
    /// Whether these bytes, read where the picture lies, are the picture that was written.
    pub fn is_whole(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.length && bytes.starts_with(&[0xff, 0xd8]) && sum(bytes) == self.sum
    }
}

fn sum(bytes: &[u8]) -> [u8; 4] {
    let digest = Sha256::digest(bytes);
    [digest[0], digest[1], digest[2], digest[3]]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::units::{InstallationId, SegmentId};

    const START: UtcMicros = UtcMicros(1_700_000_000_000_000);

    fn provenance() -> Provenance {
        Provenance {
            camera: "porch".parse().expect("an id"),
            installation: InstallationId::from_random([7; 16]),
            segment: SegmentId::from_random([9; 8]),
            start: START,
        }
    }

    fn minute() -> UtcSpan {
        UtcSpan::starting_at(START, Duration::from_secs(60))
    }

    fn preview(second: u64, size: usize) -> Preview {
        let mut jpeg = vec![0xff, 0xd8];
        jpeg.resize(size, u8::try_from(second % 251).expect("small"));
        Preview { at: START.plus(Duration::from_secs(second)), jpeg: jpeg.into() }
    }

    /// The seconds of the pictures that can be had of a file.
    fn whole(file: &[u8]) -> Vec<u64> {
        let Ok(head) = read_head(&file[..file.len().min(MAX_HEAD)]) else { return Vec::new() };
        let is_whole = |entry: &&Entry| {
            let at = usize::try_from(entry.offset).expect("small");
            file.get(at..at + entry.length).is_some_and(|bytes| entry.is_whole(bytes))
        };
        head.entries.iter().filter(is_whole).map(|entry| entry.after.as_secs()).collect()
    }

    #[test]
    fn what_is_kept_comes_back_by_time_and_only_of_the_segment() {
        let given = [preview(50, 4000), preview(0, 3000), preview(10, 100), preview(60, 100), preview(10, 90)];
        let file = encode(&provenance(), minute(), &given).expect("something");
        let head = read_head(&file).expect("a head");
        assert_eq!(head.provenance, provenance());
        assert_eq!(whole(&file), [0, 10, 50]);
        assert_eq!(encode(&provenance(), minute(), &[preview(60, 100)]), None);
        assert_eq!(encode(&provenance(), minute(), &[]), None);
    }

    #[test]
    fn a_day_of_restless_pictures_stays_within_its_budget() {
        for size in [3_000, 5_700, 9_000, 30_000, MAX_PICTURE] {
            let given: Vec<_> = (0..6).map(|n| preview(n * 10, size)).collect();
            let file = encode(&provenance(), minute(), &given).expect("something");
            let at_most = whole(&file).len() * size * 1440;
            assert!(at_most <= 50_000_000, "{at_most} bytes a day of {size} each");
        }
        let given: Vec<_> = (0..6).map(|n| preview(n * 10, 5_700)).collect();
        assert_eq!(whole(&encode(&provenance(), minute(), &given).expect("something")).len(), 6);
    }

    proptest! {
        #[test]
        fn a_torn_end_costs_only_what_lies_behind_it(sizes in prop::collection::vec(4_usize..500, 1..7), cut in 0_usize..3_000) {
            let given: Vec<_> = sizes.iter().zip(0..).map(|(size, n)| preview(n * 10, *size)).collect();
            let mut file = encode(&provenance(), minute(), &given).expect("something");
            let all = whole(&file);
            prop_assert_eq!(all.len(), sizes.len());
            let head = read_head(&file).expect("a head");
            let cut = cut.min(file.len());
            let expected = head.entries.iter().take_while(|entry| entry.offset + entry.length as u64 <= cut as u64).count();
            // Cut off, or never written: the file system gives zeros then.
            let zeroed: Vec<u8> = file.iter().enumerate().map(|(at, byte)| if at < cut { *byte } else { 0 }).collect();
            file.truncate(cut);
            prop_assert!(whole(&file) == all[..expected] || expected == 0 && whole(&file).is_empty());
            prop_assert!(all.starts_with(&whole(&zeroed)));
        }

        #[test]
        fn hostile_bytes_are_refused_or_read_but_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut file = encode(&provenance(), minute(), &[preview(3, 40), preview(9, 40)]).expect("something");
            for (at, byte) in bytes.iter().enumerate() {
                let length = file.len();
                file[(at * 7 + usize::from(*byte)) % length] ^= byte;
            }
            whole(&file);
            whole(&bytes);
            whole(&[&MAGIC[..], &[VERSION], &bytes].concat());
        }
    }
}
