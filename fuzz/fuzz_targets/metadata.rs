//! What a camera's track of ONVIF metadata says of motion.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hearthwatch_fuzz::metadata(input));
