//! WS-Discovery's messages and the answers of ONVIF devices: any bytes are read or refused, and what is read is plain,
//! bounded, and at the address that it came from.

#![no_main]

use std::net::IpAddr;

use hearthwatch::camera::onvif::{self, Message};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let from = IpAddr::from([192, 168, 1, 20]);
    if let Ok(Message::There(there)) = onvif::read_announcement(input, from) {
        assert!(there.len() <= 16);
        for device in there {
            assert!(device.name.chars().count() <= 64 && device.uuid.chars().count() <= 64);
            assert!(!device.name.chars().any(char::is_control) && !device.uuid.chars().any(char::is_control));
        }
    }
    onvif::read_answer(input, from);
});
