//! What an mDNS announcement says, as its parser hands it on: any names and texts become plain, bounded ones, and a URL at
//! the announced address or none.

#![no_main]

use std::net::IpAddr;

use hearthwatch::camera::discovery::{Found, Service};

libfuzzer_sys::fuzz_target!(|input: (String, u16, Vec<(String, String)>)| {
    let (name, port, txt) = input;
    let address = IpAddr::from([192, 168, 1, 20]);
    for service in [Service::Rtsp, Service::AxisVideo, Service::Onvif] {
        let pairs = txt.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let Some(found) = Found::from_mdns(service, &name, address, port, pairs) else { continue };
        assert!((1..=64).contains(&found.name.chars().count()));
        assert!(found.txt.len() <= 32 && !found.name.chars().any(char::is_control));
        for url in [found.url(), found.detect_url()].into_iter().flatten() {
            assert_eq!(url.host(), "192.168.1.20");
        }
    }
});
