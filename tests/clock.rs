//! A machine's clock that was never set, leaps and goes back, under the real daemon: no footage is lost, none overlaps, and in
//! the end all lies where it truly was.
//!
//! The daemon's clock is set by a library that is loaded into it and adds so many seconds; the steady clock stays as it is.

#![expect(clippy::disallowed_methods, reason = "a test looks at files where they are")]

mod support;

use std::os::unix::fs::FileExt as _;
use std::process::Command;
use std::time::Duration;

use hearthwatch::index::check::uncovered;
use hearthwatch::record::reader;
use hearthwatch::record::segment::{ClosedSegment, Gap, GapCause};
use hearthwatch::units::{Clock, UtcMicros, UtcSpan};
use support::listed::listed;
use support::{Daemon, FakeCamera, HEARTHWATCH, have, within};

/// Adds the seconds in the first eight bytes of the file that `CLOCK_OFFSET` names to the time of day. The file is mapped
/// before `main`, so that a process which may open nothing any more sees the change as well.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
static volatile const int64_t *offset;
static int (*real)(clockid_t, struct timespec *);
__attribute__((constructor)) static void begin(void) {
    real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const char *name = getenv("CLOCK_OFFSET");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) offset = mapped;
}
int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(clock, time);
    if (done == 0 && clock == CLOCK_REALTIME && offset) time->tv_sec += *offset;
    return done;
}
"#;

/// A clock that is off by as much as a test says, for one process.
struct Shifted {
    offset: std::fs::File,
    folder: tempfile::TempDir,
}

impl Shifted {
    /// `None`, with a sentence, without a C compiler.
    fn new() -> Option<Self> {
        if !have("cc") {
            println!("skipped: there is no C compiler to make a library that sets one process's clock");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (source, library) = (folder.path().join("clock.c"), folder.path().join("clock.so"));
        std::fs::write(&source, SHIM).expect("written");
        let made =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).arg("-ldl").status();
        assert!(made.expect("cc runs").success(), "the library is made");
        let file = folder.path().join("offset");
        std::fs::write(&file, [0; 8]).expect("written");
        let offset = std::fs::OpenOptions::new().write(true).open(&file).expect("opens");
        Some(Self { offset, folder })
    }

    fn set(&self, seconds: i64) {
        self.offset.write_all_at(&seconds.to_ne_bytes(), 0).expect("written");
    }

    /// What a process needs in its environment to go by it.
    fn environment(&self) -> Vec<(String, String)> {
        let within = |name| self.folder.path().join(name).display().to_string();
        vec![("LD_PRELOAD".to_owned(), within("clock.so")), ("CLOCK_OFFSET".to_owned(), within("offset"))]
    }
}

fn rows(daemon: &Daemon) -> (Vec<ClosedSegment>, Vec<Gap>) {
    // It may not be there yet.
    listed(&daemon.storage(), "porch").unwrap_or_default()
}

#[test]
fn a_clock_that_leaps_costs_nothing_and_overlaps_nothing() {
    let Some(offset) = Shifted::new() else { return };
    let is_slow = std::env::var_os("HEARTHWATCH_SLOW").is_some_and(|value| value == "1");
    let clock = Clock::system();
    let camera = FakeCamera::start(&["--size", "320x180", "--fps", "10", "--scene", "empty"]);
    let cameras = format!("[cameras.porch]\nurl = \"{}\"\n[cameras.porch.motion]\nenabled = false\n", camera.url);
    let storage = "segment_seconds = 5\n";
    let days = "[retention]\ncontinuous_days = 1\nmotion_days = 1\n";
    // The machine was off for two hours between its two lives.
    let hour = 3600;
    offset.set(-2 * hour);
    let mut daemon = Daemon::start_among(offset.environment(), storage, &format!("{days}{cameras}"));
    let count = |at_least: usize| {
        within(Duration::from_secs(60), "so many files are closed", || {
            (rows(&daemon).0.len() >= at_least).then_some(())
        });
    };
    count(2);
    daemon.kill();
    let (before, _) = rows(&daemon);

    // As if the machine had booted without a battery, in 1970.
    offset.set(1000 - clock.now().0 / 1_000_000);
    daemon.start_again();
    daemon.serves();
    let newest = || rows(&daemon).0.last().map(|segment| segment.span.end());
    let first_end = before.last().map(|segment| segment.span.end()).expect("recorded");
    within(Duration::from_secs(60), "footage goes on behind that of before", || {
        newest().filter(|end| *end > first_end.plus(Duration::from_secs(8)))
    });
    let (guessed, _) = rows(&daemon);
    assert!(guessed.iter().all(|segment| segment.span.start() >= before[0].span.start()), "no footage of 1970");
    let mut most = guessed.len();
    for (step, seconds) in [0, hour, 0, -hour, 0, 87_660 * hour, 0, -87_660 * hour, 0].into_iter().enumerate() {
        offset.set(seconds);
        // A clock of years before this program is not believed: the time of before goes on.
        let seconds = if seconds < -hour { 0 } else { seconds };
        let by_now = || clock.now().offset_from(UtcMicros(0)) / 1_000_000 + seconds;
        within(Duration::from_secs(60), &format!("footage lies by the new time, step {step}"), || {
            let near = newest().is_some_and(|end| (by_now() - end.0 / 1_000_000).abs() < 20);
            (near && rows(&daemon).0.len() > most).then_some(())
        });
        if is_slow && seconds > hour {
            // Age is looked at every minute.
            let until = clock.now().plus(Duration::from_secs(70));
            within(Duration::from_secs(90), "a look at the age of footage", || (clock.now() > until).then_some(()));
        }
        let (now, _) = rows(&daemon);
        assert!(now.len() >= most, "step {step}: footage is gone");
        most = now.len();
    }
    let stopped = clock.now();
    rustix::process::kill_process(daemon.pid(), rustix::process::Signal::TERM).expect("it is running");
    let address = daemon.origin.strip_prefix("http://").expect("an origin");
    within(Duration::from_secs(20), "it ends", || std::net::TcpStream::connect(address).err());

    let (segments, gaps) = rows(&daemon);
    println!("{} segments, gaps {gaps:?}", segments.len());
    let whole = UtcSpan::new(segments[0].span.start(), segments[segments.len() - 1].span.end()).expect("in order");
    assert!(stopped.offset_from(whole.end()).abs() < 3_000_000, "ends when it was stopped: {whole:?}, {stopped}");
    assert_eq!(whole.start(), before[0].span.start());
    for pair in segments.windows(2) {
        let twice = pair[0].span.end().since(pair[1].span.start());
        assert!(twice < Duration::from_millis(20), "{pair:?} overlap");
    }
    let told = segments.iter().map(|segment| segment.span).chain(gaps.iter().map(|gap| gap.span));
    for untold in uncovered(whole, told) {
        assert!(untold.length() < Duration::from_millis(150), "{untold:?} is neither recorded nor listed");
    }
    let [Gap { cause: GapCause::Restart, span, .. }] = &gaps[..] else { panic!("one start, one gap: {gaps:?}") };
    assert!(span.length().abs_diff(Duration::from_secs(2 * 3600)) < Duration::from_secs(20), "{gaps:?}");
    for segment in &segments {
        let bytes = std::fs::read(daemon.storage().join(&segment.path)).expect("reads");
        let file = reader::read(&*bytes, bytes.len() as u64).expect("a segment");
        assert_eq!(file.provenance.map(|provenance| provenance.start), Some(segment.span.start()));
        let day = segment.span.start().to_string();
        assert!(segment.path.to_string_lossy().contains(&day[..10]), "{segment:?}");
    }
    let output = Command::new(HEARTHWATCH).arg("check").arg("--config").arg(daemon.config()).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A machine that boots in 1970 and whose recorder is started again before the clock is set; then it is set while that runs, or
/// before a third start. What the first life recorded lies by its true time in the end, like all that came after.
#[test]
fn what_lives_before_the_clock_was_set_recorded_is_put_right_as_well() {
    for is_set_while_it_runs in [true, false] {
        let Some(offset) = Shifted::new() else { return };
        let clock = Clock::system();
        let camera = FakeCamera::start(&["--size", "320x180", "--fps", "10", "--scene", "empty"]);
        let cameras = format!("[cameras.porch]\nurl = \"{}\"\n[cameras.porch.motion]\nenabled = false\n", camera.url);
        offset.set(1000 - clock.now().0 / 1_000_000);
        let began = clock.now();
        let mut daemon = Daemon::start_among(offset.environment(), "segment_seconds = 5\n", &cameras);
        let count = |daemon: &Daemon, at_least: usize| {
            within(Duration::from_secs(60), "so many files are closed", || {
                (rows(daemon).0.len() >= at_least).then_some(())
            });
        };
        count(&daemon, 2);
        daemon.kill();
        // For a while nothing runs, so that what was guessed shows whether it knows of that.
        let off = clock.now().plus(Duration::from_secs(6));
        within(Duration::from_secs(20), "a while", || (clock.now() > off).then_some(()));
        daemon.start_again();
        daemon.serves();
        let known = rows(&daemon).0.len();
        count(&daemon, known + 2);
        if is_set_while_it_runs {
            offset.set(0);
        } else {
            daemon.end();
            offset.set(0);
            daemon.start_again();
            daemon.serves();
        }
        let known = rows(&daemon).0.len();
        count(&daemon, known + 2);
        daemon.end();
        let ended = clock.now();

        let (segments, gaps) = rows(&daemon);
        println!("{} segments, gaps {gaps:?}", segments.len());
        let whole = UtcSpan::new(segments[0].span.start(), segments[segments.len() - 1].span.end()).expect("in order");
        let late = whole.start().offset_from(began);
        assert!((0..20_000_000).contains(&late), "the first life began at {began}, and its footage at {whole:?}");
        assert!(ended.offset_from(whole.end()).abs() < 3_000_000, "ended at {ended}: {whole:?}");
        for pair in segments.windows(2) {
            let twice = pair[0].span.end().since(pair[1].span.start());
            assert!(twice < Duration::from_millis(20), "{pair:?} overlap");
        }
        let told = segments.iter().map(|segment| segment.span).chain(gaps.iter().map(|gap| gap.span));
        for untold in uncovered(whole, told) {
            assert!(untold.length() < Duration::from_millis(150), "{untold:?} is neither recorded nor listed");
        }
        let longest = gaps.iter().map(|gap| gap.span.length()).max().expect("it was off");
        assert!((Duration::from_secs(6)..Duration::from_secs(20)).contains(&longest), "{gaps:?}");
        assert!(gaps.iter().all(|gap| gap.cause == GapCause::Restart), "{gaps:?}");
        let output =
            Command::new(HEARTHWATCH).arg("check").arg("--config").arg(daemon.config()).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
