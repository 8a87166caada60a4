//! What is had of a file of small pictures that was torn or damaged.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hearthwatch_fuzz::small_pictures(input));
