//! A house made of network namespaces: a switch, a recorder, and devices that each have a network card of their own.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The namespaces; removed when dropped.
pub(crate) struct House {
    prefix: String,
    devices: usize,
}

/// Built by this process so far: tests that run beside each other have each their own.
static HOUSES: AtomicUsize = AtomicUsize::new(0);

/// The recorder's own address.
pub(crate) const RECORDER: &str = "10.77.0.1";

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| format!("ip cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

impl House {
    /// Builds it with so many devices, all of them off; or says why that is not possible here.
    pub(crate) fn build(devices: usize) -> Result<Self, String> {
        let number = HOUSES.fetch_add(1, Ordering::Relaxed);
        let house = Self { prefix: format!("hw{}-{number}", std::process::id()), devices };
        ip(&["netns", "add", &house.hub()])?;
        ip(&["-n", &house.hub(), "link", "add", "br0", "type", "bridge"])?;
        ip(&["-n", &house.hub(), "link", "set", "br0", "up"])?;
        house.connect(&house.recorder(), "rec", "02:77:00:00:ff:01")?;
        house.switch(&["rec"], true)?;
        ip(&["-n", &house.recorder(), "addr", "add", &format!("{RECORDER}/24"), "dev", "eth0"])?;
        routes(&house.recorder())?;
        for device in 0..devices {
            house.connect(&house.device(device), &port(device), &mac(device))?;
        }
        Ok(house)
    }

    fn connect(&self, name: &str, port: &str, mac: &str) -> Result<(), String> {
        ip(&["netns", "add", name])?;
        let peer = ["type", "veth", "peer", "name", "eth0", "netns", name];
        ip(&[&["-n", &self.hub(), "link", "add", port][..], &peer].concat())?;
        ip(&["-n", &self.hub(), "link", "set", port, "master", "br0"])?;
        ip(&["-n", name, "link", "set", "eth0", "address", mac])?;
        ip(&["-n", name, "link", "set", "lo", "up"])?;
        ip(&["-n", name, "link", "set", "eth0", "up"])
    }

    fn hub(&self) -> String {
        format!("{}h", self.prefix)
    }

    /// The recorder's namespace.
    pub(crate) fn recorder(&self) -> String {
        format!("{}r", self.prefix)
    }

    /// A device's namespace.
    pub(crate) fn device(&self, device: usize) -> String {
        format!("{}d{device}", self.prefix)
    }

    fn switch(&self, ports: &[&str], on: bool) -> Result<(), String> {
        let state = if on { "up" } else { "down" };
        let lines: String = ports.iter().map(|port| ["link set ", port, " ", state, "\n"].concat()).collect();
        let mut batch = Command::new("ip")
            .args(["-n", &self.hub(), "-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let piped = batch.stdin.take().ok_or("no pipe")?.write_all(lines.as_bytes());
        piped.map_err(|error| error.to_string())?;
        let status = batch.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("the switch: {status}")) }
    }

    /// Takes every device off the network at once, without a word.
    pub(crate) fn power_cut(&self) {
        let ports: Vec<_> = (0..self.devices).map(port).collect();
        let ports: Vec<_> = ports.iter().map(String::as_str).collect();
        self.switch(&ports, false).expect("the switch");
    }

    /// Brings one device back, at this address. `announces` makes its kernel say so to everybody, as most cameras' do.
    pub(crate) fn connect_device(&self, device: usize, address: &str, announces: bool) {
        let name = self.device(device);
        ip(&["-n", &name, "addr", "flush", "dev", "eth0"]).expect("flushed");
        self.switch(&[&port(device)], true).expect("the switch");
        let notify = format!("net.ipv4.conf.eth0.arp_notify={}", u8::from(announces));
        let set = Command::new("ip").args(["netns", "exec", &name, "sysctl", "-q", "-w", &notify]).status();
        assert!(set.expect("sysctl runs").success());
        ip(&["-n", &name, "addr", "add", &format!("{address}/24"), "dev", "eth0"]).expect("an address");
        routes(&name).expect("routes");
    }

    /// Makes the recorder's kernel remember that this device has that address, as if from before.
    pub(crate) fn remember(&self, address: &str, device: usize) {
        let entry = ["neigh", "replace", address, "lladdr", &mac(device), "dev", "eth0", "nud", "stale"];
        ip(&[&["-n", &self.recorder()][..], &entry].concat()).expect("an entry");
    }
}

/// Moves this thread into a namespace: the sockets that it opens from now on are there.
pub(crate) fn enter(name: &str) {
    let file = File::open(PathBuf::from("/run/netns").join(name)).expect("the namespace");
    let kind = Some(rustix::thread::LinkNameSpaceType::Network);
    rustix::thread::move_into_link_name_space(file.as_fd(), kind).expect("entered");
}

/// A program in a namespace.
pub(crate) fn program_in(name: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", name, program]);
    command
}

fn routes(name: &str) -> Result<(), String> {
    ip(&["-n", name, "route", "replace", "default", "dev", "eth0"])?;
    ip(&["-n", name, "route", "replace", "224.0.0.0/4", "dev", "eth0"])
}

fn port(device: usize) -> String {
    format!("d{device}")
}

/// The card of a device.
pub(crate) fn mac(device: usize) -> String {
    format!("02:77:00:00:00:{:02x}", device + 1)
}

impl Drop for House {
    fn drop(&mut self) {
        let devices = (0..self.devices).map(|device| self.device(device));
        for name in devices.chain([self.recorder(), self.hub()]) {
            let _ = Command::new("ip").args(["netns", "del", &name]).stderr(Stdio::null()).status();
        }
    }
}
