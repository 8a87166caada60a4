//! The recorder is found by its name from another machine of the house, and at no address that it does not answer at.

mod support;

use std::process::Command;

use support::{HEARTHWATCH, have};

/// Two machines with a cable between them: the recorder's has a public address besides, and the asking one runs `$ask`.
const HOUSE: &str = "set -e; ip link set lo up; ip link add out0 type veth peer name far0
    unshare -n sleep 120 & far=$!
    until [ \"$(readlink /proc/$far/ns/net)\" != \"$(readlink /proc/self/ns/net)\" ]; do :; done
    ip link set far0 netns $far
    ip addr add 192.168.77.2/24 dev out0; ip addr add 203.0.113.5/24 dev out0; ip link set out0 up
    ip route add 224.0.0.0/4 dev out0
    nsenter -t $far -n sh -c 'ip addr add 192.168.77.3/24 dev far0; ip link set far0 up; ip route add 224.0.0.0/4 dev far0'";

#[test]
fn another_machine_finds_it_as_hearthwatch_local_and_only_at_addresses_of_the_house() {
    let house = format!("{HOUSE}\nkill $far");
    let allowed = Command::new("unshare").args(["-rn", "sh", "-c", &house]).output();
    if !allowed.is_ok_and(|output| output.status.success()) || !have("python3") {
        println!("skipped: this machine allows no network namespaces, or has no python3 or ip");
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let config = dir.path().join("config.toml");
    let text = format!(
        "[storage]\npath = \"{}\"\nkeep_free = \"1%\"\n[web]\nlisten = \"0.0.0.0:8443\"\n[discovery]\nonvif = false\n",
        dir.path().join("storage").display()
    );
    std::fs::write(&config, text).expect("written");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/announced.py");
    let run = format!(
        "{HOUSE}
        \"$0\" run --config \"$1\" & recorder=$!
        code=0; nsenter -t $far -n python3 \"$2\" 192.168.77.3 60 || code=$?
        kill $recorder; wait $recorder || true; kill $far; exit $code"
    );
    let output = Command::new("unshare")
        .args(["-rn", "sh", "-c", &run, HEARTHWATCH])
        .arg(&config)
        .arg(script)
        .output()
        .expect("it runs");
    let (said, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{log}");
    assert_eq!(said.lines().collect::<Vec<_>>(), ["192.168.77.2"], "{log}");
}
