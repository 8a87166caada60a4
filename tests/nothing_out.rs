//! Nothing leaves the house: the demo runs behind a route to everywhere, and every packet that takes it is looked at.

mod support;

use std::net::IpAddr;
use std::process::Command;

use serde_json::Value;
use support::{HEARTHWATCH, have};

/// A namespace with a network card that leads everywhere, and nobody at its other end.
const NAMESPACE: &str = "ip link set lo up && ip link add out0 type veth peer name far0 && ip link set far0 up \
    && ip addr add 192.168.77.2/24 dev out0 && ip link set out0 up && ip route add default via 192.168.77.1 \
    && ip neigh add 192.168.77.1 lladdr 02:00:00:00:00:01 dev out0";

/// Within the house, or to whoever listens within it.
fn stays(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast()
        }
        // ff0x: only scopes smaller than the world (RFC 4291 § 2.7).
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || (v6.is_multicast() && v6.octets()[1] & 15 <= 5)
        }
    }
}

#[test]
fn no_packet_and_no_question_for_a_name_leaves_the_house() {
    let allowed = Command::new("unshare").args(["-rn", "sh", "-c", NAMESPACE]).output();
    if !allowed.is_ok_and(|output| output.status.success()) || !have("python3") {
        println!("skipped: this machine allows no network namespace with a card of its own, or has no python3 or ip");
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let seconds = if std::env::var_os("HEARTHWATCH_SLOW").is_some() { "120" } else { "12" };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nothing_out.py");
    let output = Command::new("unshare")
        .args(["-rn", "sh", "-c", &format!("{NAMESPACE} && exec python3 \"$@\""), "sh", script, HEARTHWATCH])
        .arg(dir.path())
        .arg(seconds)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_str(said.trim()).expect("JSON");
    println!("{told}");
    assert!(told["code"] == 0 && told["pages"].as_u64().is_some_and(|pages| pages >= 9), "{told}");
    let on_purpose = told["on_purpose"].as_object().expect("destinations");
    assert!(on_purpose.contains_key("8.8.8.8 53"), "a packet on purpose is seen: {told}");
    for place in told["seen"].as_object().expect("destinations").keys() {
        let (first, rest) = place.split_once(' ').expect("two words");
        let Ok(address) = first.parse::<IpAddr>() else {
            let is_local = first != "arp" || rest.parse().is_ok_and(stays);
            assert!(is_local, "asked for {place}");
            continue;
        };
        assert!(stays(address), "a packet went to {place}");
        assert_ne!(rest, "53", "a name was asked of {place}");
    }
}
