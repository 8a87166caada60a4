//! Sits between a thread and the kernel, and lets one of its writing calls fail.
//!
//! A seccomp filter hands every such call of the thread, and of those it starts, to a listener, which lets it pass, answers it
//! with an error, or writes only a part. So the real code is tried as it is: its own calls, the standard library's and SQLite's
//! alike. A library in between (`LD_PRELOAD`) would miss those that are made without libc, and a failing layer within the
//! program would miss SQLite's.

#![expect(
    unsafe_code,
    reason = "filters and their listeners have no safe functions; memory of calls is this process's own"
)]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails, and nothing was done.
    Error(i32),
    /// Half of it is written; nothing is changed for calls that do not write.
    Short,
}

/// A call that writes, below the folder.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    /// Whether the fault was done to it.
    pub(crate) failed: bool,
}

impl Call {
    pub(crate) fn is_sync(&self) -> bool {
        matches!(self.name, "fsync" | "fdatasync")
    }
}

/// Calls on an open file: its number comes first.
const ON_FILE: &[(&str, libc::c_long)] = &[
    ("write", libc::SYS_write),
    ("writev", libc::SYS_writev),
    ("pwrite", libc::SYS_pwrite64),
    ("pwritev", libc::SYS_pwritev),
    ("fsync", libc::SYS_fsync),
    ("fdatasync", libc::SYS_fdatasync),
    ("ftruncate", libc::SYS_ftruncate),
    ("fallocate", libc::SYS_fallocate),
];
/// Calls on a name within a folder: folder, then name.
const ON_NAME: &[(&str, libc::c_long)] = &[
    ("openat", libc::SYS_openat),
    ("openat2", libc::SYS_openat2),
    ("mkdirat", libc::SYS_mkdirat),
    ("unlinkat", libc::SYS_unlinkat),
    ("renameat", libc::SYS_renameat2),
];
/// The same by older calls, which name a path alone.
#[cfg(target_arch = "x86_64")]
const ON_PATH: &[(&str, libc::c_long)] = &[
    ("open", libc::SYS_open),
    ("mkdir", libc::SYS_mkdir),
    ("unlink", libc::SYS_unlink),
    ("rename", libc::SYS_rename),
    ("truncate", libc::SYS_truncate),
];
#[cfg(not(target_arch = "x86_64"))]
const ON_PATH: &[(&str, libc::c_long)] = &[];

const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;
const GO_ON: u32 = 1;

/// The kernel's `struct seccomp_notif`.
#[repr(C)]
#[derive(Default)]
struct Asked {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    arch: u32,
    at: u64,
    arguments: [u64; 6],
}

/// The kernel's `struct seccomp_notif_resp`.
#[repr(C)]
struct Answer {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// From now on this thread, and every one it starts, asks before it writes. For the whole life of the thread.
pub(crate) fn ask_before_writing() -> io::Result<OwnedFd> {
    let statement =
        |code: u32, k: u32| libc::sock_filter { code: u16::try_from(code).expect("small"), jt: 0, jf: 0, k };
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    let numbers: Vec<_> = [ON_FILE, ON_NAME, ON_PATH].concat();
    for (n, (_, number)) in numbers.iter().enumerate() {
        let to_the_end = u8::try_from(numbers.len() - n).expect("a few");
        let number = u32::try_from(*number).expect("a call's number");
        let jump = statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, number);
        program.push(libc::sock_filter { jt: to_the_end, ..jump });
    }
    program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW));
    program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_USER_NOTIF));
    let filter = libc::sock_fprog { len: u16::try_from(program.len()).expect("short"), filter: program.as_mut_ptr() };
    // SAFETY: sets a flag of this thread.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the program is whole and outlives the call, which copies it.
    let listener = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const filter,
        )
    };
    if listener < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just gave it to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(i32::try_from(listener).expect("a descriptor")) })
}

/// Answers until every thread that asks has ended. Of the calls below `folder`, those with these numbers (from 0) fail.
pub(crate) fn answer(listener: &OwnedFd, folder: &Path, faulty: std::ops::Range<usize>, fault: Fault) -> Vec<Call> {
    let mut calls = Vec::new();
    loop {
        let mut poll = libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, which outlives the call.
        unsafe { libc::poll(&raw mut poll, 1, -1) };
        if poll.revents & libc::POLLIN == 0 {
            return calls;
        }
        let mut asked = Asked::default();
        // SAFETY: as large as the kernel's, and zeroed as it demands.
        if unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, &raw mut asked) } != 0 {
            continue;
        }
        let mut answer = Answer { id: asked.id, value: 0, error: 0, flags: GO_ON };
        if let Some((name, path)) = writing(&asked).filter(|(_, path)| path.starts_with(folder)) {
            let mut failed = false;
            if faulty.contains(&calls.len()) {
                match fault {
                    Fault::Error(error) => {
                        (answer.error, answer.flags, failed) = (-error, 0, true);
                    }
                    Fault::Short => {
                        if let Some(written) = write_half(name, &asked) {
                            (answer.value, answer.flags, failed) = (written, 0, true);
                        }
                    }
                }
            }
            calls.push(Call { name, path, failed });
        }
        // SAFETY: as large as the kernel's. If the thread was interrupted meanwhile, it asks again.
        unsafe { libc::ioctl(listener.as_raw_fd(), SEND, &raw mut answer) };
    }
}

/// What the call writes to, if it writes.
fn writing(asked: &Asked) -> Option<(&'static str, PathBuf)> {
    let named = |calls: &[(&'static str, libc::c_long)]| {
        calls.iter().find(|(_, number)| *number == libc::c_long::from(asked.number)).map(|(name, _)| *name)
    };
    let [first, second, third, ..] = asked.arguments;
    if let Some(name) = named(ON_FILE) {
        return Some((name, of_file(first)?));
    }
    // SAFETY: this process's own memory, of a thread that waits for the answer.
    let text = |at: u64| PathBuf::from(unsafe { CStr::from_ptr(at as *const _) }.to_str().unwrap_or_default());
    let creates = |flags: u64| flags & u64::from((libc::O_CREAT | libc::O_TRUNC).unsigned_abs()) != 0;
    let (name, path, flags) = if let Some(name) = named(ON_NAME) {
        // SAFETY: as above; `struct open_how` begins with the flags.
        let flags = if name == "openat2" { unsafe { *(third as *const u64) } } else { third };
        let folder = of_file(first).unwrap_or_default(); // AT_FDCWD has none, and then the path is absolute
        (name, folder.join(text(second)), flags)
    } else {
        (named(ON_PATH)?, text(first), second)
    };
    (!name.starts_with("open") || creates(flags)).then_some((name, path))
}

fn of_file(number: u64) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", descriptor(number))).ok()
}

/// An `int` in a register of 64 bits: only the lower half counts.
#[expect(clippy::cast_possible_truncation, reason = "as the kernel reads it")]
fn descriptor(number: u64) -> i32 {
    (number as u32).cast_signed()
}

/// Does the call for the thread, with half of its bytes; `None` if it is none that writes bytes.
fn write_half(name: &str, asked: &Asked) -> Option<i64> {
    let [file, bytes, length, offset, ..] = asked.arguments;
    if name == "writev" {
        return write_half_of_pieces(descriptor(file), bytes, length);
    }
    let half = usize::try_from(length / 2).expect("fits");
    let (file, bytes) = (descriptor(file), bytes as *const libc::c_void);
    // SAFETY: the file and the bytes are this process's own, and the thread waits.
    let written = match name {
        "write" if half > 0 => unsafe { libc::write(file, bytes, half) },
        "pwrite" if half > 0 => unsafe { libc::pwrite(file, bytes, half, offset.cast_signed()) },
        _ => return None,
    };
    Some(written as i64)
}

/// The same for bytes in several pieces: `count` of them, listed at `list`.
fn write_half_of_pieces(file: i32, list: u64, count: u64) -> Option<i64> {
    let count = usize::try_from(count).expect("fits");
    // SAFETY: this process's own memory, of a thread that waits for the answer.
    let pieces = unsafe { std::slice::from_raw_parts(list as *const libc::iovec, count) };
    let mut left = pieces.iter().map(|piece| piece.iov_len).sum::<usize>() / 2;
    let halved: Vec<_> = pieces
        .iter()
        .map(|piece| {
            let iov_len = piece.iov_len.min(left);
            left -= iov_len;
            libc::iovec { iov_len, ..*piece }
        })
        .filter(|piece| piece.iov_len > 0)
        .collect();
    let count = i32::try_from(halved.len()).expect("a few");
    // SAFETY: the file and the bytes are this process's own, and the thread waits.
    (count > 0).then(|| unsafe { libc::writev(file, halved.as_ptr(), count) } as i64)
}
