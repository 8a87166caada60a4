//! The `Range` header of a request for bytes (RFC 9110, section 14.2). Pure.

use std::ops::Range;

/// The range lies outside the thing: answer 416 with `Content-Range: bytes */len`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the requested bytes lie behind the end")]
pub struct Unsatisfiable;

/// The bytes that a `Range` header asks for, of a thing of `len` bytes.
///
/// `Ok(None)` means: answer as if there were no such header. That is so for other units, for what is not well-formed and for
/// several ranges at once, which players do not ask for (section 14.2 leaves all three to the server).
pub fn parse(header: &str, len: u64) -> Result<Option<Range<u64>>, Unsatisfiable> {
    let Some((unit, set)) = header.split_once('=') else { return Ok(None) };
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return Ok(None);
    }
    let Some((first, last)) = set.trim().split_once('-') else { return Ok(None) };
    let (Ok(first), Ok(last)) = (number(first), number(last)) else { return Ok(None) };
    match (first, last) {
        (None, None) => Ok(None),
        (None, Some(suffix)) if suffix == 0 || len == 0 => Err(Unsatisfiable),
        (None, Some(suffix)) => Ok(Some(len.saturating_sub(suffix)..len)),
        (Some(first), Some(last)) if last < first => Ok(None),
        (Some(first), _) if first >= len => Err(Unsatisfiable),
        (Some(first), Some(last)) => Ok(Some(first..last.saturating_add(1).min(len))),
        (Some(first), None) => Ok(Some(first..len)),
    }
}

/// `None` if it is left out. More digits than fit mean "as far as it goes".
fn number(text: &str) -> Result<Option<u64>, NoNumber> {
    if !text.bytes().all(|c| c.is_ascii_digit()) {
        return Err(NoNumber);
    }
    Ok((!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX)))
}

struct NoNumber;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_range_is_understood_in_each_of_its_forms() {
        assert_eq!(parse("bytes=0-499", 1000), Ok(Some(0..500)));
        assert_eq!(parse("bytes=500-", 1000), Ok(Some(500..1000)));
        assert_eq!(parse("bytes=-200", 1000), Ok(Some(800..1000)));
        assert_eq!(parse("Bytes= 0-0", 1000), Ok(Some(0..1)));
        assert_eq!(parse("bytes=990-2000", 1000), Ok(Some(990..1000)));
        assert_eq!(parse("bytes=-2000", 1000), Ok(Some(0..1000)));
        assert_eq!(parse("bytes=0-99999999999999999999999", 1000), Ok(Some(0..1000)));
    }

    #[test]
    fn what_lies_behind_the_end_is_refused() {
        for header in ["bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(parse(header, 1000), Err(Unsatisfiable), "{header}");
        }
        assert_eq!(parse("bytes=0-", 0), Err(Unsatisfiable));
    }

    #[test]
    fn what_is_not_understood_is_ignored() {
        for header in
            ["", "bytes", "bytes=", "bytes=-", "bytes=2-1", "bytes=a-b", "bytes=+1-2", "lines=0-1", "bytes=0-1,3-4"]
        {
            assert_eq!(parse(header, 1000), Ok(None), "{header}");
        }
    }

    proptest! {
        #[test]
        fn a_range_is_never_empty_and_never_beyond_the_end(header in "bytes=[0-9]{0,6}-[0-9]{0,6}", len in 0..100_000_u64) {
            if let Ok(Some(range)) = parse(&header, len) {
                prop_assert!(range.start < range.end && range.end <= len);
            }
        }
    }
}
