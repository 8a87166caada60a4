//! The machine's clock.

use std::path::Path;

use crate::app::doctor::Finding;
use crate::units::{Clock, UtcMicros};

const ABOUT: &str = "clock";
/// Nothing runs this program before it was written: 2026-01-01.
const WRITTEN: UtcMicros = UtcMicros(1_767_225_600_000_000);
/// Made by systemd-timesyncd once the network gave the time.
const BY_TIMESYNCD: &str = "/run/systemd/timesync/synchronized";

/// What was seen.
pub(super) struct Time {
    now: UtcMicros,
    is_kept_right: bool,
}

/// Reads it.
pub(super) fn look(clock: &Clock) -> Time {
    Time { now: clock.now(), is_kept_right: Path::new(BY_TIMESYNCD).exists() || kernel_says_so() }
}

/// Whether the kernel was told by whatever keeps the time (chrony, ntpd, timesyncd) that it is right.
fn kernel_says_so() -> bool {
    // SAFETY: all zeros is a request that changes nothing, and the kernel fills the structure in.
    #[expect(unsafe_code, reason = "no safe function asks the kernel whether its clock is synchronised")]
    let (state, asked) = unsafe {
        let mut asked: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut asked), asked)
    };
    state >= 0 && asked.status & libc::STA_UNSYNC == 0
}

/// What that means.
pub(super) fn judge(time: &Time) -> Finding {
    let now = time.now.to_timestamp().unwrap_or_default().strftime("%Y-%m-%d %H:%M UTC");
    if time.now < WRITTEN {
        return Finding::wrong(
            ABOUT,
            format!(
                "it says {now}, which cannot be: connect the machine to a network that gives the time, or set it; what is \
                 recorded meanwhile moves to its true time then"
            ),
        );
    }
    if time.is_kept_right {
        return Finding::fine(ABOUT, format!("it says {now}, and a time service keeps it right"));
    }
    Finding::note(
        ABOUT,
        format!("it says {now}, and nothing keeps it right; `timedatectl set-ntp true` asks your network for the time"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Weight;

    #[test]
    fn a_clock_that_was_never_set_is_wrong() {
        let weight = |now, is_kept_right| judge(&Time { now, is_kept_right }).weight;
        assert_eq!(weight(UtcMicros(0), true), Weight::Wrong);
        assert_eq!(weight(WRITTEN, true), Weight::Fine);
        assert_eq!(weight(WRITTEN, false), Weight::Note);
        let _either = kernel_says_so();
    }
}
