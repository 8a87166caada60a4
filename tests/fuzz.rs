//! The fuzz targets' inputs by chance alone: no coverage leads the way, but it runs wherever the tests run.
//!
//! A few seconds as a rule, a minute with `HEARTHWATCH_SLOW=1`, `HEARTHWATCH_FUZZ_SECONDS` for longer; `HEARTHWATCH_SEED` chooses
//! other inputs. With coverage: `fuzz/README.md`.

#![expect(clippy::disallowed_methods, reason = "it runs for so long in real time")]

/// What is done with each input.
#[path = "../fuzz/src/lib.rs"]
pub mod tried;

use std::time::{Duration, Instant};

/// `SplitMix64`: the same inputs for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Mostly short: few changes find more than many, which leave nothing of the file.
    fn input(&mut self) -> Vec<u8> {
        let most = [8, 16, 64, 4096][usize::try_from(self.next() % 4).expect("small")];
        let length = self.next() % most;
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

fn seconds() -> Duration {
    let given = std::env::var("HEARTHWATCH_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let is_slow = std::env::var_os("HEARTHWATCH_SLOW").is_some_and(|value| value == "1");
    Duration::from_secs(given.unwrap_or(if is_slow { 60 } else { 3 }))
}

fn try_for(seconds: Duration, what: &str, tried: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    let seed = std::env::var("HEARTHWATCH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(2026);
    let (mut random, start, mut count) = (Random(seed), Instant::now(), 0_u64);
    while start.elapsed() < seconds {
        let input = random.input();
        if let Err(panic) = std::panic::catch_unwind(|| tried(&input)) {
            // The seed makes it again; a short one says more by itself.
            let shown = if input.len() <= 64 { format!("{input:?}") } else { format!("{} bytes", input.len()) };
            eprintln!("{what}, seed {seed}, input {count}: {shown}");
            std::panic::resume_unwind(panic);
        }
        count += 1;
    }
    println!("{what}: {count} inputs in {seconds:?} from seed {seed}, no finding");
}

#[test]
fn no_bytes_lead_the_reader_of_files_astray() {
    try_for(seconds(), "scan", tried::scan);
}

#[test]
fn whatever_tears_a_file_what_was_whole_is_kept() {
    try_for(seconds(), "torn", tried::torn);
}
