//! What the next start makes of a file that was torn or damaged.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hearthwatch_fuzz::torn(input));
