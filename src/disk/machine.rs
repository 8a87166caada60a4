//! Which run of the machine this is, and for how long.

use std::time::Duration;

use rustix::fs::{Mode, OFlags};

/// The kernel's name for this run of the machine, another one after each start of it; empty where it cannot be read (a unit
/// that hides `/proc/sys`).
pub fn boot_id() -> String {
    let mut text = [0; 64];
    let read = rustix::fs::open("/proc/sys/kernel/random/boot_id", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .and_then(|file| rustix::io::read(file, &mut text));
    let text = text.get(..read.unwrap_or(0)).unwrap_or_default();
    std::str::from_utf8(text).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// How long this run of the machine has lasted, sleep included, by a clock that nobody sets.
pub fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(time).unwrap_or_default()
}
