//! seccomp: the system calls that decoding takes, and no other.
//!
//! Whatever is on neither list ends the process. Refusing with an error would deny as much, but let whoever got in try the
//! next thing; and a call that decoding turns out to need should be seen in the log (as SIGSYS), not be worked around in
//! silence. [`ASKED_IN_PASSING`] are refused instead: a C library asks such things to tune itself and does without an
//! answer, and the next Debian's should not cost a household its detection.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// On what is open already, on memory, and on itself. None of them names a path, an address or another process.
const PERMITTED: [c_long; 22] = [
    // The pipes, the only descriptors there are.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    // Memory; `mmap` and `mprotect` have conditions of their own.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    // Time and chance. Mostly no call at all, but some machines have no clock that can be read without one.
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_clock_nanosleep,
    libc::SYS_getrandom,
    // Ending in good order, in a panic or by a fault, so that the daemon hears which of them it was.
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Refused without ending the process.
const ASKED_IN_PASSING: [c_long; 7] = [
    libc::SYS_openat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_ioctl,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_sched_getaffinity,
];

/// Denies all other calls; says whether the kernel took the filter.
pub(super) fn deny() -> bool {
    let Ok([refusing, ending]) = filters() else { return false };
    // Both are asked about each call, and the sterner answer counts. The one that ends comes last: after it there is no
    // call left to install anything with.
    seccompiler::apply_filter(&refusing).is_ok() && seccompiler::apply_filter(&ending).is_ok()
}

/// The filter that refuses and the one that ends.
fn filters() -> Result<[BpfProgram; 2], BackendError> {
    let arch = std::env::consts::ARCH.try_into()?;
    let refused: BTreeMap<_, _> = ASKED_IN_PASSING.map(|call| (call, Vec::new())).into();
    let mut known = refused.clone();
    known.extend(PERMITTED.map(|call| (call, Vec::new())));
    // Memory is written or run, never both, and never first one and then the other: none becomes executable.
    let never_executable = || SeccompRule::new(vec![argument(2, SeccompCmpOp::MaskedEq(bits(libc::PROT_EXEC)), 0)?]);
    known.insert(libc::SYS_mmap, vec![never_executable()?]);
    known.insert(libc::SYS_mprotect, vec![never_executable()?]);
    // How a process aborts, which is what Rust does when memory runs out and glibc when it finds its heap spoilt.
    let abort = vec![
        argument(0, SeccompCmpOp::Eq, u64::from(std::process::id()))?,
        argument(2, SeccompCmpOp::Eq, bits(libc::SIGABRT))?,
    ];
    known.insert(libc::SYS_tgkill, vec![SeccompRule::new(abort)?]);

    let refuse = SeccompAction::Errno(u32::try_from(libc::EPERM).unwrap_or(1));
    Ok([
        SeccompFilter::new(refused, SeccompAction::Allow, refuse, arch)?.try_into()?,
        SeccompFilter::new(known, SeccompAction::KillProcess, SeccompAction::Allow, arch)?.try_into()?,
    ])
}

fn argument(index: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    // The kernel takes 32 bits of each of these arguments.
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value)
}

fn bits(value: libc::c_int) -> u64 {
    u64::from(value.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_on_both_lists_and_the_filters_can_be_built() {
        assert!(PERMITTED.iter().all(|call| !ASKED_IN_PASSING.contains(call)));
        let filters = filters().expect("an architecture that is known");
        assert!(filters.iter().all(|filter| !filter.is_empty()));
    }
}
