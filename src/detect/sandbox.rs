//! What the decoder process gives up before it reads its first byte from a camera.
//!
//! Limits, not a jail: there is no Landlock and no seccomp here. What remains beyond these limits is what the service
//! manager leaves to the whole daemon.

use std::process::ExitCode;

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};

/// Memory that decoding one camera may take, address space included.
const MEMORY: u64 = 768 << 20;

/// Gives up what can be given up; an error is one that the process should not go on from.
pub(crate) fn enter() -> Result<(), (&'static str, rustix::io::Errno)> {
    let or = |what: &'static str| move |error| (what, error);
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(or("follow its parent into death"))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(or("hide its memory"))?;
    rustix::thread::set_no_new_privs(true).map_err(or("give up new privileges"))?;
    close_inherited();
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    rustix::process::chdir("/").map_err(or("leave its folder"))?;
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, 3),
        (Resource::Memlock, 0),
        (Resource::As, MEMORY),
    ] {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        rustix::process::setrlimit(resource, limit).map_err(or("limit itself"))?;
    }
    Ok(())
}

/// Nothing but the three pipes is wanted, whatever the parent forgot to close.
fn close_inherited() {
    for fd in 3..1024 {
        // SAFETY: the process has just started and owns no file yet: no value of this program refers to these numbers.
        #[expect(unsafe_code, reason = "closing by number is how a process drops what it was given")]
        // That a number is not open is the normal case.
        let _ = unsafe { rustix::io::try_close(fd) };
    }
}

/// Says why on stderr, which the daemon logs.
pub(crate) fn failed((what, error): (&'static str, rustix::io::Errno)) -> ExitCode {
    eprintln!("the decoder process could not {what}: {error}");
    ExitCode::FAILURE
}
