//! The decoder process tried from inside, as whoever took it over would; and its sudden deaths, which cost the recording
//! nothing and detection five seconds at most.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use hearthwatch::detect::sandbox::Probe;
use rustix::process::{Pid, Resource, Rlimit, Signal};
use support::listed::listed;
use support::{Client, Daemon, FakeCamera, HEARTHWATCH, within};

fn decoder(arguments: &[&str]) -> Command {
    let mut command = Command::new(HEARTHWATCH);
    command.arg("decoder").args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// What came of a probe, behind the whole sandbox or one layer of it.
#[derive(Debug, PartialEq)]
enum Outcome {
    Could,
    Denied(String),
    Killed(i32),
}

fn attempt(probe: &str, only: Option<&str>) -> Outcome {
    let only: Vec<_> = only.iter().flat_map(|layer| ["--only", layer]).collect();
    let output = decoder(&[&["--probe", probe][..], &only].concat()).output().expect("it starts");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    match (output.status.signal(), said.trim()) {
        (Some(signal), "") => Outcome::Killed(signal),
        (None, "could") => Outcome::Could,
        (None, said) if said.starts_with("denied: ") => Outcome::Denied(said.to_owned()),
        other => panic!("{probe}: {other:?}, {}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// How far the sandbox goes here, in the words of the log.
fn level() -> String {
    let output = decoder(&["--probe", "level"]).output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

/// Whether this kernel has them, asked past the sandbox: the level of Landlock, and seccomp.
fn kernel_has() -> (i64, bool) {
    // SAFETY: without a rule set and with this flag the call only says its version.
    #[expect(unsafe_code, reason = "no safe function asks for the version alone")]
    let landlock = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0_usize, 0_usize, 1_u32) };
    (landlock, Path::new("/proc/sys/kernel/seccomp/actions_avail").exists())
}

/// A descriptor that every child inherits: the end of a pipe that can only be written to, as a log often is.
fn leaked() -> OwnedFd {
    let (_, end) = std::io::pipe().expect("a pipe");
    rustix::io::dup(end).expect("a copy that is not closed on exec")
}

const ENDS_IT: [&str; 9] =
    ["socket", "connect", "fork", "exec", "ptrace", "signal", "map-executable", "make-executable", "io-uring"];
const IS_REFUSED: [&str; 4] = ["read", "create", "list", "descriptors"];

#[test]
fn every_probe_can_do_what_it_tries_where_nothing_is_denied() {
    let _leaked = leaked();
    for probe in ENDS_IT.into_iter().chain(IS_REFUSED) {
        let outcome = attempt(probe, Some("nothing"));
        if outcome != Outcome::Could && probe == "io-uring" {
            println!("skipped: this kernel has no io_uring to try, {outcome:?}");
            continue;
        }
        assert_eq!(outcome, Outcome::Could, "{probe}");
    }
}

#[test]
fn whoever_takes_the_decoder_over_can_do_nothing_with_it() {
    let _leaked = leaked();
    let (landlock, seccomp) = kernel_has();
    if !seccomp {
        println!("skipped: this kernel has no seccomp");
        return;
    }
    for probe in ENDS_IT {
        assert_eq!(attempt(probe, None), Outcome::Killed(libc::SIGSYS), "{probe}");
    }
    for probe in IS_REFUSED {
        assert!(matches!(attempt(probe, None), Outcome::Denied(_)), "{probe}: {:?}", attempt(probe, None));
    }
    assert_eq!(attempt("memory", None), Outcome::Killed(libc::SIGABRT));
    let tried = ENDS_IT.len() + IS_REFUSED.len() + ["memory", "level"].len();
    assert_eq!(tried, Probe::ALL.len(), "a probe that no test tries");
    let level = level();
    assert!(level.contains("by seccomp"), "{level}");
    assert_eq!(level.contains("no Landlock"), landlock < 1, "{level}, but the kernel says {landlock}");
}

#[test]
fn each_layer_denies_by_itself() {
    let (landlock, seccomp) = kernel_has();
    let denied = |layer, probes: &[&str]| {
        for probe in probes {
            assert!(
                matches!(attempt(probe, Some(layer)), Outcome::Denied(_) | Outcome::Killed(libc::SIGSYS)),
                "{layer} {probe}"
            );
        }
    };
    denied("limits", &["read", "create", "list", "socket", "connect", "descriptors"]);
    assert_eq!(attempt("memory", Some("limits")), Outcome::Killed(libc::SIGABRT));
    if seccomp {
        denied("seccomp", &ENDS_IT);
        denied("seccomp", &["read", "create", "list"]);
    }
    match landlock {
        ..1 => println!("skipped: this kernel has no Landlock"),
        1..4 => denied("landlock", &["read", "create", "list", "exec"]),
        4..6 => denied("landlock", &["read", "create", "list", "exec", "connect"]),
        6.. => denied("landlock", &["read", "create", "list", "exec", "connect", "signal"]),
    }
}

/// Runs it where the kernel seems to lack these calls.
fn without(calls: &[libc::c_long], arguments: &[&str]) -> Output {
    let lacking: BTreeMap<_, _> = calls.iter().map(|call| (*call, Vec::new())).collect();
    let lacks = seccompiler::SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into().expect("a known architecture");
    let filter = seccompiler::SeccompFilter::new(lacking, seccompiler::SeccompAction::Allow, lacks, arch);
    let filter: seccompiler::BpfProgram = filter.and_then(TryInto::try_into).expect("a filter");
    let mut command = decoder(arguments);
    // SAFETY: between fork and exec it makes two system calls and allocates nothing.
    #[expect(unsafe_code, reason = "a kernel that lacks something is made between fork and exec")]
    unsafe {
        command.pre_exec(move || seccompiler::apply_filter(&filter).map_err(|_| std::io::ErrorKind::Other.into()));
    }
    command.output().expect("it starts")
}

#[test]
fn a_kernel_that_lacks_something_decodes_all_the_same_and_it_is_said() {
    let (landlock, seccomp) = kernel_has();
    if !seccomp || landlock < 1 {
        println!("skipped: this kernel lacks something already");
        return;
    }
    let (landlock, seccomp) = (libc::SYS_landlock_create_ruleset, libc::SYS_seccomp);
    for (lacking, words, first) in [
        (&[landlock][..], "no Landlock", [1, 0]),
        (&[seccomp], "no seccomp", [0, 7]),
        (&[landlock, seccomp], "neither", [0, 0]),
    ] {
        let said = without(lacking, &["--probe", "level"]);
        assert!(said.status.success() && String::from_utf8_lossy(&said.stdout).contains(words), "{said:?}");
        // An empty stdin is a conversation that ends well; the first word was sent before anything was read.
        let decoded = without(lacking, &[]);
        assert!(decoded.status.success(), "{decoded:?}");
        assert_eq!(decoded.stdout[..8], [b'H', b'W', 4, 64, 2, 0, 0, 0]);
        assert_eq!((decoded.stdout[8], decoded.stdout[9] > 0), (first[0], first[1] > 0), "{words}");
    }
}

/// A process's children and what `/proc` says of each.
fn decoders_of(daemon: Pid) -> Vec<(Pid, String)> {
    let parent = format!("PPid:\t{}\n", daemon.as_raw_nonzero());
    let processes = std::fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let pids = processes.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.filter_map(|pid| {
        #[expect(clippy::disallowed_methods, reason = "a file of the kernel's")]
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
        (status.contains(&parent) && !status.contains("State:\tZ")).then_some((pid, status))
    })
    .collect()
}

/// Pictures decoded so far, by camera.
fn decoded(client: &Client) -> BTreeMap<String, u64> {
    let (status, body) = client.get("/metrics");
    assert_eq!(status, 200);
    let text = String::from_utf8(body).expect("UTF-8");
    let of = |line: &str| {
        let (camera, count) = line.strip_prefix("hearthwatch_frames_decoded_total{camera=\"")?.split_once("\"} ")?;
        Some((camera.to_owned(), count.parse().ok()?))
    };
    text.lines().filter_map(of).collect()
}

const CAMERAS: [&str; 3] = ["porch", "garden", "garage"];
/// What befalls the decoders, one each: a fault, an endless hang, and want of memory.
const DEATHS: [fn(Pid); 3] = [
    |decoder| rustix::process::kill_process(decoder, Signal::SEGV).expect("it runs"),
    |decoder| rustix::process::kill_process(decoder, Signal::STOP).expect("it runs"),
    starve,
];

/// From here on the decoder is given no more memory than it has, as if a bomb in it had used up the rest.
fn starve(decoder: Pid) {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if rustix::process::prlimit(Some(decoder), Resource::As, none).is_err() {
        println!("skipped: another process cannot be starved without being root; it is aborted, as it would end");
        rustix::process::kill_process(decoder, Signal::ABORT).expect("it runs");
    }
}
const RATE: u32 = 10;

#[test]
fn a_decoder_that_dies_or_hangs_is_back_within_five_seconds_and_costs_the_recording_nothing() {
    let rate = RATE.to_string();
    let cameras = CAMERAS.map(|id| (id, FakeCamera::start(&["--size", "320x180", "--fps", &rate])));
    let mut config = String::new();
    for (id, camera) in &cameras {
        writeln!(config, "[cameras.{id}]\nname = \"{id}\"\nurl = \"{}\"", camera.url).expect("a string");
    }
    let daemon = Daemon::start(&config);
    let client = Client::by_password(&daemon.origin, &daemon.owner());
    within(Duration::from_secs(30), "all three are decoded", || {
        let decoded = decoded(&client);
        CAMERAS.iter().all(|id| decoded.get(*id).is_some_and(|count| *count > 5)).then_some(())
    });

    let old = decoders_of(daemon.pid());
    assert_eq!(old.len(), CAMERAS.len(), "{old:?}");
    let (_, seccomp) = kernel_has();
    for (pid, status) in &old {
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        assert!(!seccomp || status.contains("Seccomp:\t2"), "{status}");
        assert_eq!(rustix::process::getpgid(Some(*pid)), Ok(*pid), "a process group of its own");
        if let Ok(open) = std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())) {
            let mut open: Vec<_> = open.flatten().map(|entry| entry.file_name()).collect();
            open.sort();
            assert_eq!(open, ["0", "1", "2"]);
        } else {
            println!("skipped: another process's descriptors cannot be listed without being root");
        }
    }

    for ((pid, _), death) in old.iter().zip(DEATHS) {
        death(*pid);
    }
    std::thread::scope(|scope| {
        for id in CAMERAS {
            // To make a picture takes memory, which one of them finds that it has not.
            let client = &client;
            scope.spawn(move || client.get(&format!("/api/cameras/{id}/snapshot.jpg")));
        }
        let mut before = None;
        within(Duration::from_secs(5), "detection is back", || {
            let now = decoders_of(daemon.pid());
            if now.iter().any(|(pid, _)| old.iter().any(|(was, _)| pid == was)) {
                return None;
            }
            let decoded = decoded(&client);
            let before = before.get_or_insert_with(|| decoded.clone());
            CAMERAS.iter().all(|id| decoded[*id] > before[*id]).then_some(())
        });
    });

    let (code, dir) = daemon.stop();
    assert_eq!(code, Some(0));
    for id in CAMERAS {
        let (recorded, missing) = listed(&dir.path().join("storage"), id).expect("the index answers");
        assert_eq!(missing, [], "{id}");
        assert!(recorded.windows(2).all(|pair| pair[0].span.end() == pair[1].span.start()), "{recorded:?}");
        let pictures: u32 = recorded.iter().map(|segment| segment.pictures).sum();
        let length_ms: u128 = recorded.iter().map(|segment| segment.span.length().as_millis()).sum();
        let expected = length_ms * u128::from(RATE) / 1000;
        assert!(u128::from(pictures).abs_diff(expected) <= 2, "{id}: {pictures} pictures in {length_ms} ms");
    }
}
