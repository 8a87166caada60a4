//! Which run of the machine this is.

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
