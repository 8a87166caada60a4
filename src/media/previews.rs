//! Small pictures of a stretch of time, for the finger on a bar: many moments in one answer.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use bytes::{BufMut as _, Bytes};

use crate::access::{Denied, Right, Viewable};
use crate::disk::Footage;
use crate::index::{Readers, segments};
use crate::media::{MediaError, needs};
use crate::record::previews::{self, Entry, Head, MAX_HEAD};
use crate::record::segment::ClosedSegment;
use crate::units::{CameraId, UtcMicros, UtcSpan};

/// The most pictures of one answer: 1.6 MB as a rule.
pub const MOST: u32 = 400;
/// The longest stretch of one answer: the longest day.
pub const MAX_LENGTH: Duration = Duration::from_secs(25 * 3600);

/// At most `most` pictures, evenly over the span; where there are none, there are none. Each as its moment in Unix seconds (8
/// bytes, a float), its length (4 bytes), all little-endian, and the JPEG. Takes a proof of [`Right::History`].
pub async fn sheet(
    proof: &Viewable<CameraId>,
    span: UtcSpan,
    most: u32,
    readers: &Readers,
    footage: &Footage,
) -> Result<Bytes, MediaError> {
    needs(proof, &[Right::History])?;
    if span.length() > MAX_LENGTH {
        return Err(MediaError::TooLong("at most one day of small pictures is shown at once; ask for a shorter time"));
    }
    let camera = proof.get().clone();
    let rows = readers.read(move |conn| segments::between(conn, &camera, span)).await?;
    let rows: Result<Vec<_>, Denied> = rows.into_iter().map(|row| proof.narrow(row)).collect();
    let (rows, footage, slots) = (rows?, footage.clone(), Slots::new(span, most));
    let read = tokio::task::spawn_blocking(move || {
        let mut out = Vec::new();
        collect(&rows, &footage, slots, &mut out);
        out
    });
    Ok(read.await.map_err(|_| MediaError::Broken)?.into())
}

/// The span in equal parts, each of which gets one picture.
#[derive(Debug, Clone, Copy)]
struct Slots {
    span: UtcSpan,
    length_us: i64,
    next: i64,
}

impl Slots {
    fn new(span: UtcSpan, most: u32) -> Self {
        let (whole, most) = (span.end().offset_from(span.start()), i64::from(most.clamp(1, MOST)));
        Self { span, length_us: ((whole + most - 1) / most).max(1), next: 0 }
    }

    fn slot(&self, at: UtcMicros) -> i64 {
        at.offset_from(self.span.start()) / self.length_us
    }

    /// Whether a picture of that span could still be wanted.
    fn wants_of(&self, span: UtcSpan) -> bool {
        span.intersection(self.span).is_some_and(|both| self.slot(UtcMicros(both.end().0 - 1)) >= self.next)
    }

    fn wants(&self, at: UtcMicros) -> bool {
        self.span.contains(at) && self.slot(at) >= self.next
    }

    fn took(&mut self, at: UtcMicros) {
        self.next = self.slot(at) + 1;
    }
}

/// `rows` by time. What cannot be read is left out: the footage itself is there.
fn collect(rows: &[Viewable<ClosedSegment>], footage: &Footage, mut slots: Slots, out: &mut Vec<u8>) {
    let mut head = vec![0; MAX_HEAD];
    for row in rows {
        let segment = row.get();
        if !slots.wants_of(segment.span) {
            continue;
        }
        let Some((file, Head { entries, .. })) = open_verified(row, footage, &mut head) else { continue };
        for entry in entries {
            let at = segment.span.start().plus(entry.after);
            if !slots.wants(at) {
                continue;
            }
            if let Some(jpeg) = picture(&file, entry) {
                out.put_f64_le(at.as_unix_seconds());
                out.put_u32_le(u32::try_from(jpeg.len()).unwrap_or(u32::MAX));
                out.put_slice(&jpeg);
                slots.took(at);
            }
        }
    }
}

/// The file of a segment's small pictures, if it says itself that it is that segment's and the proof's camera's.
///
/// Invariant: no small picture leaves this module but from a file that was opened here.
fn open_verified(row: &Viewable<ClosedSegment>, footage: &Footage, buffer: &mut [u8]) -> Option<(File, Head)> {
    let path = &row.get().path;
    let file = match footage.open_previews(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "small pictures cannot be opened");
            return None;
        }
    };
    let length = read_up_to(&file, buffer).ok()?;
    // Torn at its head: as good as not there.
    let head = previews::read_head(&buffer[..length]).ok()?;
    let whose = &head.provenance;
    let is_right =
        whose.camera == *row.camera() && whose.installation == footage.installation() && whose.segment == row.get().id;
    if !is_right {
        tracing::error!(
            path = %path.display(), expected = row.camera().as_str(), found = whose.camera.as_str(), segment = %whose.segment,
            "a file of small pictures belongs elsewhere than where it lies and is not shown"
        );
    }
    is_right.then_some((file, head))
}

fn read_up_to(file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut had = 0;
    while had < buffer.len() {
        match file.read_at(&mut buffer[had..], had as u64)? {
            0 => break,
            more => had += more,
        }
    }
    Ok(had)
}

fn picture(file: &File, entry: Entry) -> Option<Vec<u8>> {
    let mut jpeg = vec![0; entry.length];
    file.read_exact_at(&mut jpeg, entry.offset).ok()?;
    entry.is_whole(&jpeg).then_some(jpeg)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_day_is_thinned_to_the_pictures_that_fit() {
        let span = UtcSpan::starting_at(UtcMicros(1_700_000_000_000_000), Duration::from_secs(86_400));
        let mut slots = Slots::new(span, 144);
        let mut taken = Vec::new();
        for n in 0..8640_u64 {
            let at = span.start().plus(Duration::from_secs(n * 10));
            if slots.wants(at) {
                slots.took(at);
                taken.push(n * 10);
            }
        }
        assert_eq!(taken, (0..144).map(|n| n * 600).collect::<Vec<_>>());
        assert!(!slots.wants_of(span));
    }

    proptest! {
        #[test]
        fn never_more_than_asked_and_no_segment_is_opened_for_nothing(
            length in 1_u64..90_000, most in 0_u32..1000, times in prop::collection::vec(0_u64..90_000, 0..200)
        ) {
            let span = UtcSpan::starting_at(UtcMicros(5), Duration::from_secs(length));
            let mut slots = Slots::new(span, most);
            let mut times = times;
            times.sort_unstable();
            let mut taken = 0;
            for second in times {
                let at = UtcMicros(5).plus(Duration::from_secs(second));
                let wants = slots.wants(at);
                prop_assert!(!wants || slots.wants_of(UtcSpan::starting_at(at, Duration::from_secs(1))));
                if wants {
                    slots.took(at);
                    taken += 1;
                }
            }
            prop_assert!(taken <= most.clamp(1, MOST));
        }
    }
}
