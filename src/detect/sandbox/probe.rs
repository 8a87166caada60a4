//! The sandbox tried from inside: one thing at a time that a hijacked decoder would do.
//!
//! Each probe succeeds in a process that is not confined (`--only nothing`), so that a denial means something. The calls are
//! made raw, so that none of them is the preparation for another.

use std::ffi::CStr;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::str::FromStr;

use libc::{c_long, sockaddr_in};

use crate::detect::sandbox::{calls, enter, limits, paths};

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Open a file to read.
    Read,
    /// Make a file.
    Create,
    /// List a folder.
    List,
    /// Make a UDP socket.
    Socket,
    /// Connect by TCP to this machine.
    Connect,
    /// Start another process.
    Fork,
    /// Become another program.
    Exec,
    /// Ask to be traced, and so anything of `ptrace`.
    Ptrace,
    /// Send a signal to the parent.
    Signal,
    /// Get memory that can be written and run.
    MapExecutable,
    /// Make memory that was written runnable.
    MakeExecutable,
    /// Have the kernel do calls on its own.
    IoUring,
    /// Read from any descriptor but the three pipes.
    Descriptors,
    /// Take all the memory there is.
    Memory,
    /// Nothing: says how far the sandbox goes.
    Level,
}

impl Probe {
    /// Every probe, by the name that the command line knows.
    pub const ALL: [(&'static str, Self); 15] = [
        ("read", Self::Read),
        ("create", Self::Create),
        ("list", Self::List),
        ("socket", Self::Socket),
        ("connect", Self::Connect),
        ("fork", Self::Fork),
        ("exec", Self::Exec),
        ("ptrace", Self::Ptrace),
        ("signal", Self::Signal),
        ("map-executable", Self::MapExecutable),
        ("make-executable", Self::MakeExecutable),
        ("io-uring", Self::IoUring),
        ("descriptors", Self::Descriptors),
        ("memory", Self::Memory),
        ("level", Self::Level),
    ];
}

impl FromStr for Probe {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        named(&Self::ALL, name)
    }
}

/// A part of the sandbox that a probe can be tried behind by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// None, to see that the probe works.
    Nothing,
    /// What any Linux enforces.
    Limits,
    /// Paths, TCP and signals.
    Landlock,
    /// System calls.
    Seccomp,
}

impl Layer {
    /// Every layer, by the name that the command line knows.
    pub const ALL: [(&'static str, Self); 4] = [
        ("nothing", Self::Nothing),
        ("limits", Self::Limits),
        ("landlock", Self::Landlock),
        ("seccomp", Self::Seccomp),
    ];
}

impl FromStr for Layer {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        named(&Self::ALL, name)
    }
}

fn named<T: Copy>(all: &[(&str, T)], name: &str) -> Result<T, String> {
    all.iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
        .ok_or_else(|| format!("there are {}", all.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ")))
}

/// Enters the sandbox, or one layer of it, and tries; says on stdout how it went, unless that ends the process.
pub(crate) fn run(probe: Probe, only: Option<Layer>) -> ExitCode {
    // Asked before, as it could not be asked behind the sandbox.
    let parent = rustix::process::Pid::as_raw(rustix::process::getppid());
    let entered = match only {
        None => enter().map(|level| level.to_string()),
        Some(Layer::Nothing) => Ok(String::new()),
        Some(Layer::Limits) => limits::detach().and_then(|()| limits::set()).map(|()| String::new()),
        Some(Layer::Landlock) => Ok(format!("Landlock {}", paths::deny())),
        Some(Layer::Seccomp) => Ok(format!("seccomp {}", calls::deny())),
    };
    let level = match entered {
        Ok(level) => level,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let words = match attempt(probe, parent) {
        Ok(()) if probe == Probe::Level => level,
        Ok(()) => COULD.to_str().unwrap_or_default().to_owned(),
        Err(error) => format!("denied: {error}"),
    };
    // Who asked may have gone.
    let _ = writeln!(std::io::stdout(), "{words}");
    ExitCode::SUCCESS
}

const COULD: &CStr = c"could";
/// More than the limit on memory.
const MUCH: usize = 1 << 30;
const PIECE: usize = 16 << 20;
const PAGE: usize = 4096;

fn attempt(probe: Probe, parent: libc::pid_t) -> io::Result<()> {
    match probe {
        Probe::Read => open(c"/proc/self/maps", libc::O_RDONLY),
        Probe::Create => open(c"/tmp", libc::O_WRONLY | libc::O_TMPFILE),
        Probe::List => open(c"/", libc::O_RDONLY | libc::O_DIRECTORY),
        Probe::Socket => socket(libc::SOCK_DGRAM).map(drop),
        Probe::Connect => connect(),
        Probe::Fork => fork(),
        Probe::Exec => exec(),
        Probe::Ptrace => done(call(libc::SYS_ptrace, [number(libc::PTRACE_TRACEME), 0, 0, 0])),
        Probe::Signal => done(call(libc::SYS_kill, [number(parent), 0, 0, 0])),
        Probe::MapExecutable => map(libc::PROT_WRITE | libc::PROT_EXEC).map(drop),
        Probe::MakeExecutable => {
            let memory = map(libc::PROT_READ | libc::PROT_WRITE)?;
            done(call(libc::SYS_mprotect, [memory, number(PAGE), number(libc::PROT_READ | libc::PROT_EXEC), 0]))
        }
        Probe::IoUring => {
            let mut parameters = [0_u8; 120];
            done(call(libc::SYS_io_uring_setup, [1, address(parameters.as_mut_ptr()), 0, 0]))
        }
        Probe::Descriptors => descriptors(),
        Probe::Memory => {
            let mut taken = Vec::new();
            while taken.len() * PIECE < MUCH {
                // Written to, or it would be no memory yet.
                taken.push(std::hint::black_box(vec![1_u8; PIECE]));
            }
            Ok(())
        }
        Probe::Level => Ok(()),
    }
}

fn open(path: &CStr, how: libc::c_int) -> io::Result<()> {
    done(call(libc::SYS_openat, [number(libc::AT_FDCWD), address(path.as_ptr()), number(how), 0o600]))
}

fn socket(kind: libc::c_int) -> io::Result<c_long> {
    call(libc::SYS_socket, [number(libc::AF_INET), number(kind), 0, 0])
}

/// Nobody need listen: to be told so is to have been let through.
fn connect() -> io::Result<()> {
    let socket = socket(libc::SOCK_STREAM)?;
    let loopback = libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) };
    let to = sockaddr_in { sin_family: 2, sin_port: 9_u16.to_be(), sin_addr: loopback, sin_zero: [0; 8] };
    let size = number(size_of_val(&to));
    match call(libc::SYS_connect, [socket, address(&raw const to), size, 0]) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        other => done(other),
    }
}

fn fork() -> io::Result<()> {
    if call(libc::SYS_clone, [number(libc::SIGCHLD), 0, 0, 0])? == 0 {
        // The other process must not say anything.
        done(call(libc::SYS_exit_group, [0; 4]))?;
    }
    Ok(())
}

/// The other program says that it could be started.
fn exec() -> io::Result<()> {
    let arguments = [c"echo".as_ptr(), COULD.as_ptr(), std::ptr::null()];
    let environment = [std::ptr::null::<libc::c_char>()];
    let program = address(c"/bin/echo".as_ptr());
    done(call(libc::SYS_execve, [program, address(arguments.as_ptr()), address(environment.as_ptr()), 0]))
}

fn map(protection: libc::c_int) -> io::Result<c_long> {
    call(libc::SYS_mmap, [0, number(PAGE), number(protection), number(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS)])
}

fn descriptors() -> io::Result<()> {
    let mut denied = io::Error::from_raw_os_error(libc::EBADF);
    for fd in 3..4096 {
        // Nothing is moved: whether there is such a descriptor comes first. A pipe's end allows only one of the two.
        for how in [libc::SYS_read, libc::SYS_write] {
            match call(how, [fd, 0, 0, 0]) {
                Err(error) if error.raw_os_error() == Some(libc::EBADF) => denied = error,
                _ => return Ok(()),
            }
        }
    }
    Err(denied)
}

fn call(number: c_long, [a, b, c, d]: [c_long; 4]) -> io::Result<c_long> {
    // SAFETY: the pointers among the arguments are to values that outlive the call, and what it does is what this process
    // was started for: it tries one thing, and ends.
    #[expect(unsafe_code, reason = "what is tried is what no safe function would do")]
    let result = unsafe { libc::syscall(number, a, b, c, d, -1_i64, 0_i64) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn done(result: io::Result<c_long>) -> io::Result<()> {
    result.map(drop)
}

fn number(value: impl TryInto<c_long>) -> c_long {
    value.try_into().unwrap_or(c_long::MAX)
}

fn address<T>(pointer: *const T) -> c_long {
    pointer.addr().cast_signed() as c_long
}
