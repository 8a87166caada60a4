//! What the daemon asks of the kernel for itself before it starts.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are enough for every camera, file and connection; the usual soft limit of 1024 is from another time.
const OPEN_FILES: u64 = 8_192;

/// No core dumps, which would hold passwords, keys and pictures; and room for more open files, as far as the machine allows.
pub(crate) fn set() {
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%error, "core dumps cannot be switched off");
    }
    let files = getrlimit(Resource::Nofile);
    let wanted = files.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    if files.current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..files })
    {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}
