//! When the recorder needs another certificate. Pure.

use std::fmt;
use std::time::Duration;

use crate::units::{UtcMicros, UtcSpan};
use crate::web::tls::authority::EARLIEST;
use crate::web::tls::names::Names;

/// How long before its end a certificate is replaced; devices notice nothing of it.
const AHEAD: Duration = Duration::from_secs(30 * 86_400);

/// Why another certificate is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There is none.
    First,
    /// It ends within 30 days, or has ended.
    Ends,
    /// It begins only later: it was made while the clock was wrong.
    BeginsLater,
    /// The recorder has a name or an address that it does not say.
    Names,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "there was none",
            Self::Ends => "the old one ends soon",
            Self::BeginsLater => "the old one was made while the clock was wrong",
            Self::Names => "the recorder has another name or address",
        })
    }
}

/// What the certificate in use says.
#[derive(Debug, Clone, Copy)]
pub struct InUse<'a> {
    /// When it is valid.
    pub valid: UtcSpan,
    /// Whom it is for.
    pub names: &'a Names,
}

/// Whether another certificate is needed now. A clock that was not set yet says nothing about time.
pub fn needed(in_use: Option<InUse<'_>>, wanted: &Names, now: UtcMicros) -> Option<Why> {
    let Some(in_use) = in_use else { return Some(Why::First) };
    let clock_is_set = now >= EARLIEST;
    if clock_is_set && now < in_use.valid.start() {
        Some(Why::BeginsLater)
    } else if clock_is_set && now.plus(AHEAD) >= in_use.valid.end() {
        Some(Why::Ends)
    } else if in_use.names.misses(wanted) {
        Some(Why::Names)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(number: u64) -> UtcMicros {
        EARLIEST.plus(Duration::from_secs(number * 86_400))
    }

    #[test]
    fn a_certificate_is_replaced_in_time_and_not_before() {
        let names = Names::new(&["nvr.lan".to_owned()], []);
        let valid = UtcSpan::new(day(100), day(497)).expect("ordered");
        let in_use = Some(InUse { valid, names: &names });
        let needed = |wanted: &Names, now| needed(in_use, wanted, now);
        assert_eq!(super::needed(None, &names, day(0)), Some(Why::First));
        assert_eq!(needed(&names, day(100)), None);
        assert_eq!(needed(&names, day(466)), None);
        assert_eq!(needed(&names, day(467)), Some(Why::Ends));
        assert_eq!(needed(&names, day(9999)), Some(Why::Ends));
        assert_eq!(needed(&names, day(99)), Some(Why::BeginsLater));
        assert_eq!(needed(&names, UtcMicros::EPOCH), None);
        assert_eq!(needed(&Names::new(&["other.lan".to_owned()], []), day(200)), Some(Why::Names));
        assert_eq!(needed(&Names::new(&[], []), day(200)), None);
    }

    proptest! {
        #[test]
        fn a_kept_certificate_is_valid_now_if_the_clock_is_set(start in 0u64..5000, length in 0u64..397, now in 0u64..6000) {
            let names = Names::new(&[], []);
            let valid = UtcSpan::starting_at(day(start), Duration::from_secs(length * 86_400));
            if needed(Some(InUse { valid, names: &names }), &names, day(now)).is_none() {
                prop_assert!(valid.contains(day(now)));
            }
        }
    }
}
