//! What the decoder process gives up before it reads its first byte from a camera.
//!
//! Decoders of video have had, and will have, bugs that let a stream take them over; whoever does so here finds a process
//! without files, network, other descriptors, other processes or memory that could be made to run. Three layers, each of
//! which holds alone: [`limits`] on what may be had, [`paths`] (Landlock: no path, no TCP, no signals) and [`calls`]
//! (seccomp: hardly any system call). The last two depend on the kernel; [`Level`] says what was reached, never more.

mod calls;
mod level;
mod limits;
mod paths;
mod probe;

pub use level::Level;
pub use probe::{Layer, Probe};

pub(crate) use probe::run as run_probe;

/// Gives up all that can be given up; an error is one that the process should not go on from.
///
/// The order matters: Landlock's rules are a descriptor for a moment, which the limits would forbid, and after [`calls`]
/// there is no call left to give up anything with. The process has one thread: all of it holds for that one alone.
pub(crate) fn enter() -> Result<Level, limits::Unlimited> {
    limits::detach()?;
    let landlock = paths::deny();
    limits::set()?;
    let seccomp = calls::deny();
    Ok(Level { seccomp, landlock })
}
