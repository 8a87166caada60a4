//! Announces the camera by mDNS (RFC 6763), and finds announced ones for tests.
//!
//! A camera on a loopback address is announced on loopback only: mdns-sd joins the group there (`127.0.0.1`) as long as
//! the daemon's IPv4 loopback interface is enabled, and sends with that interface named. Whoever browses needs no more
//! than an enabled loopback interface, which is the default. Several processes share port 5353 by `SO_REUSEPORT`, and no
//! privilege is needed. Any 127.x address may be announced: it lies in the interface's network, 127.0.0.0/8.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};

use super::Identity;

/// The service type that RTSP cameras announce.
pub const SERVICE: &str = "_rtsp._tcp.local.";

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// An announcement; lasts until it is taken back.
pub(crate) struct Announcement {
    daemon: ServiceDaemon,
    full_name: String,
}

/// A daemon that speaks only where `address` lives: on loopback alone for a loopback address, on all interfaces but
/// loopback for others.
///
/// # Errors
/// When the daemon's thread or sockets cannot be made.
pub fn daemon(address: IpAddr) -> Result<ServiceDaemon, mdns_sd::Error> {
    let daemon = ServiceDaemon::new()?;
    if address.is_loopback() {
        daemon.disable_interface(IfKind::All)?;
        daemon.enable_interface(if address.is_ipv4() { IfKind::LoopbackV4 } else { IfKind::LoopbackV6 })?;
    } else {
        daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
    }
    Ok(daemon)
}

impl Announcement {
    pub(crate) fn new(name: &str, identity: &Identity, listen: SocketAddr) -> Result<Self, mdns_sd::Error> {
        let daemon = daemon(listen.ip())?;
        let host = format!("hearthwatch-{}.local.", identity.serial());
        let properties =
            [("path", "/main"), ("sub", "/sub"), ("id", identity.serial()), ("model", "Hearthwatch fake camera")];
        let is_any = listen.ip().is_unspecified();
        let addresses = if is_any { String::new() } else { listen.ip().to_string() };
        let mut service = ServiceInfo::new(SERVICE, name, &host, addresses.as_str(), listen.port(), &properties[..])?;
        if is_any {
            service = service.enable_addr_auto();
        }
        let full_name = service.get_fullname().to_owned();
        daemon.register(service)?;
        Ok(Self { daemon, full_name })
    }

    /// Says goodbye, so that browsers forget the camera at once.
    pub(crate) async fn withdraw(self) {
        if let Ok(done) = self.daemon.unregister(&self.full_name) {
            // Whether it was heard cannot be known; the announcement runs out by itself.
            let _ = tokio::time::timeout(GOODBYE, done.recv_async()).await;
        }
        if let Ok(done) = self.daemon.shutdown() {
            let _ = tokio::time::timeout(GOODBYE, done.recv_async()).await;
        }
    }
}
