//! Whether the clock is good enough to remove footage for its age.
//!
//! A clock that leaps ten years ahead makes everything old at once. Footage that is due goes within minutes, or after as long
//! as the recorder was away; so what has been due for longer than anybody is away goes by age only if the network gave the
//! time. Otherwise it stays until its space is needed.

use std::path::Path;
use std::time::Duration;

use crate::units::UtcMicros;

/// Longer than a recorder is switched off.
const LONGEST_ABSENCE: Duration = Duration::from_secs(60 * 24 * 3600);
/// Made by systemd-timesyncd once the network gave the time; gone after a reboot.
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

/// Whether by this clock footage may go that was due at that moment.
pub(super) fn is_trusted_with(now: UtcMicros, due: UtcMicros) -> bool {
    is_plausible(now, due) || Path::new(SYNCHRONIZED).exists()
}

fn is_plausible(now: UtcMicros, due: UtcMicros) -> bool {
    now.since(due) <= LONGEST_ABSENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leap_of_years_makes_nothing_go() {
        let due = UtcMicros(1_800_000_000_000_000);
        let days = |days: u64| due.plus(Duration::from_secs(days * 24 * 3600));
        assert!(is_plausible(days(0), due) && is_plausible(days(59), due));
        assert!(is_plausible(due.minus(LONGEST_ABSENCE * 99), due), "not due at all");
        assert!(!is_plausible(days(61), due) && !is_plausible(days(3650), due));
    }
}
