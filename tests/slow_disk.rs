//! A disk that is too slow for what the cameras send: memory for packets stays under its cap, first all pictures but key frames
//! are left out, then all, the account says so, and once the disk keeps up again recording is whole again.
//!
//! The disk is made slow by a library that is loaded into the daemon and lets each write into a file of footage take its time.
//! The cameras send as much as forty usual ones, so that the memory is full within seconds and not after minutes.

#![expect(clippy::disallowed_methods, reason = "a test looks at files where they are")]

mod support;

use std::fmt::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hearthwatch::index::check::uncovered;
use hearthwatch::record::segment::{Gap, GapCause};
use hearthwatch::units::UtcSpan;
use support::listed::listed;
use support::{Daemon, FakeCamera, HEARTHWATCH, have, within};

const PATIENCE: Duration = Duration::from_secs(120);
/// For packets that wait, of all cameras together.
const CAP_KIB: u64 = 64 << 10;
/// What else grows meanwhile: the groups that are being put together, and what the allocator does not give back.
const BESIDES_KIB: u64 = 40 << 10;
/// Less than the time between two pictures.
const NOTHING: Duration = Duration::from_millis(200);
const CAMERAS: [&str; 2] = ["porch", "nursery"];

/// Lets `write`, `writev` and `fdatasync` on files below a folder called `footage` take so many milliseconds, as the first eight bytes of
/// the file say that `DISK_SLOWNESS` names.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
static volatile const int64_t *slowness;
__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("DISK_SLOWNESS");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) slowness = mapped;
}
static void wait_for_disk(int file) {
    int64_t ms = slowness ? *slowness : 0;
    char link[64], path[4096];
    if (ms <= 0) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    if (!strstr(path, "/footage/")) return;
    /* In small steps, so that a disk that is fast again is so at once. */
    for (int64_t waited = 0; waited < ms && *slowness > 0; waited += 50) {
        struct timespec step = {0, 50 * 1000 * 1000};
        nanosleep(&step, 0);
    }
}
ssize_t write(int file, const void *bytes, size_t length) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    wait_for_disk(file);
    return real(file, bytes, length);
}
ssize_t writev(int file, const struct iovec *pieces, int count) {
    static ssize_t (*real)(int, const struct iovec *, int);
    if (!real) real = (ssize_t (*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
    wait_for_disk(file);
    return real(file, pieces, count);
}
int fdatasync(int file) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    wait_for_disk(file);
    return real(file);
}
"#;

fn make_shim(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("disk.c"), folder.join("disk.so"));
    std::fs::write(&source, SHIM).expect("written");
    let made =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).arg("-ldl").status();
    assert!(made.expect("cc runs").success(), "the library is made");
    library
}

/// Noise, which takes about 40 million bits a second, with a key frame each second.
fn make_clip(path: &Path) -> bool {
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "nullsrc=size=640x360:rate=10:duration=4,geq=random(1)*255:128:128"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "10", "-b:v", "40M", "-maxrate", "40M"])
        .args(["-bufsize", "40M", "-pix_fmt", "yuv420p"])
        .arg(path)
        .status();
    made.is_ok_and(|status| status.success())
}

/// In KiB, of everything that the process has in memory.
fn resident(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid().as_raw_nonzero())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn account(storage: &Path, camera: &str) -> (Vec<UtcSpan>, Vec<Gap>) {
    let (rows, gaps) = listed(storage, camera).unwrap_or_default();
    (rows.iter().map(|row| row.span).collect(), gaps)
}

#[test]
fn a_slow_disk_costs_pictures_and_never_memory_and_is_told() {
    if !have("cc") || !have("ffmpeg") {
        println!("skipped: there is no C compiler or no ffmpeg to make a slow disk and much noise");
        return;
    }
    let is_slow = std::env::var_os("HEARTHWATCH_SLOW").is_some_and(|value| value == "1");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (shim, slowness) = (make_shim(folder.path()), folder.path().join("slowness"));
    let clip = folder.path().join("noise.mp4");
    if !make_clip(&clip) {
        println!("skipped: this ffmpeg makes no noise");
        return;
    }
    std::fs::write(&slowness, [0; 8]).expect("written");
    let disk = std::fs::OpenOptions::new().write(true).open(&slowness).expect("opens");
    let set = |ms: i64| disk.write_all_at(&ms.to_ne_bytes(), 0).expect("written");

    let file = clip.to_str().expect("a path");
    let cameras = CAMERAS.map(|_| FakeCamera::start(&["--file", file]));
    let mut config = String::new();
    for (name, camera) in CAMERAS.iter().zip(&cameras) {
        write!(config, "[cameras.{name}]\nurl = \"{}\"\n[cameras.{name}.motion]\nenabled = false\n", camera.url)
            .expect("text");
    }
    let environment = [("LD_PRELOAD", &shim), ("DISK_SLOWNESS", &slowness)]
        .map(|(name, path)| (name.to_owned(), path.display().to_string()));
    let mut daemon = Daemon::start_among(environment.into(), "segment_seconds = 5", &config);
    let storage = daemon.storage();
    let recorded = |camera: &str| account(&storage, camera).0;
    for camera in CAMERAS {
        within(PATIENCE, "everything is recorded at first", || (recorded(camera).len() >= 2).then_some(()));
    }
    let before = resident(&daemon);

    // Each write takes longer than what it writes took to come, many times over.
    set(15_000);
    let (from, mut most) = (Instant::now(), 0);
    let lasts = Duration::from_secs(if is_slow { 60 } else { 15 });
    within(PATIENCE, "the disk was slow for long", || {
        most = most.max(resident(&daemon));
        (from.elapsed() >= lasts).then_some(())
    });
    set(0);
    println!("{} MiB before, at most {} MiB", before >> 10, most >> 10);
    assert!(most > before + (24 << 10), "packets waited in memory");
    assert!(most < before + CAP_KIB + BESIDES_KIB, "{} KiB more than before", most - before);

    for camera in CAMERAS {
        within(PATIENCE, "what was left out is listed", || {
            account(&storage, camera).1.iter().any(|gap| gap.cause == GapCause::DiskSlow).then_some(())
        });
        let last_gap = |gaps: &[Gap]| gaps.iter().map(|gap| gap.span.end()).max();
        let (spans, listed) = within(PATIENCE, "recording is whole again for ten seconds", || {
            let (spans, gaps) = account(&storage, camera);
            let whole = spans.last()?.end().since(last_gap(&gaps)?);
            (whole >= Duration::from_secs(10)).then_some((spans, gaps))
        });
        let newest = spans[spans.len() - 1].end();
        let until = last_gap(&listed).expect("just seen");
        let (all, after) = (UtcSpan::new(spans[0].start(), newest), UtcSpan::new(until, newest));
        let lost: Duration = listed.iter().map(|gap| gap.span.length()).sum();
        println!("{camera}: {lost:?} lost in {} gaps of {:?}", listed.len(), all.map(UtcSpan::length));
        assert!(listed.iter().all(|gap| gap.cause == GapCause::DiskSlow), "{camera}: {listed:?}");
        // What is left of a time of key frames alone lies within a segment, so that is counted by what is listed.
        let told = spans.iter().copied().chain(listed.iter().map(|gap| gap.span));
        for untold in uncovered(all.expect("in order"), told) {
            assert!(untold.length() < NOTHING, "{camera}: {untold:?} is neither recorded nor listed");
        }
        for missing in uncovered(after.expect("in order"), spans.iter().copied()) {
            assert!(missing.length() < NOTHING, "{camera}: {missing:?} is missing after the disk was well again");
        }
    }
    daemon.end();
    let output = Command::new(HEARTHWATCH).arg("check").arg("--config").arg(daemon.config()).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
