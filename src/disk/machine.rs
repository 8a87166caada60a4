//! Which run of the machine this is, and for how long.

use std::time::Duration;

use rustix::fs::{Mode, OFlags};

/// Where the systemd unit puts it, which hides the kernel's own file from the daemon.
const FROM_THE_UNIT: &str = "HEARTHWATCH_BOOT_ID";

/// The kernel's name for this run of the machine, another one after each start of it; empty where nobody tells it.
pub fn boot_id() -> String {
    either(from_the_kernel(), std::env::var(FROM_THE_UNIT).ok())
}

/// The same name whoever tells it: one writes it with dashes and the other without.
fn either(kernel: Option<String>, unit: Option<String>) -> String {
    let told = kernel.into_iter().chain(unit).map(|id| id.trim().replace('-', ""));
    told.into_iter().find(|id| !id.is_empty()).unwrap_or_default()
}

fn from_the_kernel() -> Option<String> {
    let path = "/proc/sys/kernel/random/boot_id";
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = [0; 64];
    let length = rustix::io::read(file, &mut text).ok()?;
    Some(std::str::from_utf8(text.get(..length)?).ok()?.to_owned())
}

/// How long this run of the machine has lasted, sleep included, by a clock that nobody sets.
pub fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_and_unit_tell_the_same() {
        let some = |id: &str| Some(id.to_owned());
        let kernel = some("0c2a3f5e-1111-2222-3333-444455556666\n");
        let unit = some("0c2a3f5e111122223333444455556666");
        assert_eq!(either(kernel.clone(), None), either(None, unit.clone()));
        assert_eq!(either(kernel, unit).len(), 32);
        assert_eq!((either(None, None), either(some("\n"), some(""))), (String::new(), String::new()));
    }
}
