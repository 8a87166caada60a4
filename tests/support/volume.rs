//! Small file systems of our own, made in files, for tests that cut the power, fill the disk or take it away.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes what this thread and the programs it starts mount invisible to everybody else: it all goes when they end, however
/// they end. An error says why this machine does not allow it.
pub(crate) fn mount_privately() -> Result<(), String> {
    #[expect(
        unsafe_code,
        reason = "no safe function gives a thread its own mounts; nothing else of the process is changed"
    )]
    let alone = unsafe { libc::unshare(libc::CLONE_NEWNS) };
    if alone != 0 {
        return Err(format!("a namespace for mounts cannot be made: {}", std::io::Error::last_os_error()));
    }
    run("mount", &["--make-rprivate", "/"]).map(drop)
}

/// Runs a program; an error is what it said.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(said(&output.stdout)) } else { Err(format!("{program}: {}", said(&output.stderr))) }
}

/// A folder for images: in memory where there is room, so that another program's writes do not slow ours.
pub(crate) fn folder_for_images() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
    if room > 1 << 30 {
        tempfile::tempdir_in(memory).expect("a folder in memory")
    } else {
        tempfile::tempdir().expect("a folder")
    }
}

/// A mounted file; unmounted when dropped.
pub(crate) struct Volume {
    /// Where it is mounted.
    pub(crate) path: PathBuf,
}

impl Volume {
    /// Makes a file system in a new sparse file and mounts it.
    pub(crate) fn make(kind: &str, image: &Path, size: &str, at: &Path) -> Result<Self, String> {
        let name = image.to_str().expect("UTF-8");
        run("truncate", &["-s", size, name])?;
        // Blocks as large as a real disk's, whatever the loop device says of its own.
        let options: &[&str] = if kind == "ext4" { &["-q", "-F", "-b", "4096", name] } else { &["-q", "-f", name] };
        run(&format!("mkfs.{kind}"), options)?;
        Self::mount(image, at)
    }

    /// Mounts a file that holds a file system.
    pub(crate) fn mount(image: &Path, at: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(at).expect("a folder to mount on");
        // By direct I/O where the file below can do that: then nothing lies in memory that the image does not have.
        let device = run("losetup", &["--direct-io=on", "-f", "--show", image.to_str().expect("UTF-8")])
            .or_else(|_| run("losetup", &["-f", "--show", image.to_str().expect("UTF-8")]))?;
        let mounted = run("mount", &[&device, at.to_str().expect("UTF-8")]);
        // It goes by itself once it is unmounted.
        run("losetup", &["-d", &device])?;
        mounted.map(|_| Self { path: at.to_owned() })
    }

    /// Whether something is mounted there at all.
    pub(crate) fn is_mounted(&self) -> bool {
        let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
        device(&self.path) != self.path.parent().and_then(device)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily: what a failed test still runs must not keep it.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
