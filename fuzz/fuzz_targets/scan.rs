//! The reader of segment files and the comparison with a row.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hearthwatch_fuzz::scan(input));
