//! WS-Discovery's messages and the answers of ONVIF devices.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hearthwatch_fuzz::onvif(input));
