//! What any Linux enforces: limits, no way to more rights, nothing inherited.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};

/// Memory that decoding one camera may take, address space included.
const MEMORY: u64 = 768 << 20;

/// A limit that this kernel did not take, without which the process should not go on.
#[derive(Debug, thiserror::Error)]
#[error("the decoder process could not {what}: {source}")]
pub(crate) struct Unlimited {
    what: &'static str,
    source: Errno,
}

fn or(what: &'static str) -> impl Fn(Errno) -> Unlimited {
    move |source| Unlimited { what, source }
}

/// Cuts what ties this process to others: it dies with its parent, its memory is nobody's to read, no descriptor but the
/// three pipes is left, no program it could start would have more rights.
pub(super) fn detach() -> Result<(), Unlimited> {
    go_first_when_memory_runs_out();
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(or("follow its parent into death"))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(or("hide its memory"))?;
    rustix::thread::set_no_new_privs(true).map_err(or("give up new privileges"))?;
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    rustix::process::chdir("/").map_err(or("leave its folder"))?;
    close_inherited();
    end_at_faults();
    Ok(())
}

/// Sets the limits, both those in force and those that they could be raised to.
///
/// There is none on time: the process is meant to run for months, and a limit that rolls would have to be moved by a call
/// that a hijacked decoder could make as well. The daemon's patience is that limit: who owes an answer for some seconds is
/// killed, by the clock on the wall. More than one core cannot be taken, as no thread can be started.
pub(super) fn set() -> Result<(), Unlimited> {
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, 3),
        (Resource::Nproc, 0),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 0),
        (Resource::As, MEMORY),
    ] {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        rustix::process::setrlimit(resource, limit).map_err(or("limit itself"))?;
    }
    Ok(())
}

/// A decoder is started again within seconds, and the recorder that it would otherwise be weighed against is not.
///
/// Best effort: where `/proc` is not there, the kernel goes by size. Done before the process is made undumpable, which gives
/// its files in `/proc` to root.
fn go_first_when_memory_runs_out() {
    let file = rustix::fs::open("/proc/self/oom_score_adj", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
    // Raising it needs no right; a system that asked for more than this keeps it.
    let _ = file.and_then(|file| rustix::io::write(file, b"500"));
}

/// Nothing but the three pipes is wanted, whatever the parent forgot to close and libraries opened as they were loaded.
fn close_inherited() {
    // SAFETY: no value of this program refers to a descriptor yet: it has just started, and opened none itself.
    #[expect(unsafe_code, reason = "closing by number is how a process drops what it was given")]
    let all = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    if all == 0 {
        return;
    }
    // Before Linux 5.9.
    for fd in 3..4096 {
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "as above")]
        // That a number is not open is the normal case.
        let _ = unsafe { rustix::io::try_close(fd) };
    }
}

/// A fault ends the process where it happens. Rust's own handler would first run code, to name a stack that overflowed, in a
/// process whose memory may be somebody else's.
fn end_at_faults() {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: the default action runs none of this program's code.
        #[expect(unsafe_code, reason = "no safe function sets what a signal does")]
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}
