//! What an mDNS announcement says.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: (String, u16, Vec<(String, String)>)| hearthwatch_fuzz::mdns(
    &input.0, input.1, &input.2
));
