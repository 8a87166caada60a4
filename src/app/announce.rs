//! The recorder says by mDNS where it is: `hearthwatch.local`, and a service that lists of devices show.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mdns_sd::{DaemonEvent, IfKind, IfPredicate, ServiceDaemon, ServiceInfo};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::in_household;
use crate::config::settings::{Settings, Tls};

/// The name under which the recorder is found, as mDNS writes it.
const HOST: &str = "hearthwatch.local.";
/// The service's name in lists.
const NAME: &str = "Hearthwatch";
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Announces until `stop`, then says goodbye. Nothing is said of a recorder that only this machine reaches, nor where mDNS is
/// switched off. What goes wrong is logged: the recorder has its addresses all the same.
pub(crate) async fn run(settings: watch::Receiver<Arc<Settings>>, address: SocketAddr, stop: CancellationToken) {
    let (mdns, tls) = {
        let settings = settings.borrow();
        (settings.discovery.mdns, settings.web.tls)
    };
    let announced = if mdns && !address.ip().is_loopback() { announce(address, tls) } else { Ok(None) };
    let Ok(Some(announcement)) = announced else {
        if let Err(error) = announced {
            tracing::warn!(%error, "the recorder is not announced as hearthwatch.local; open it by its address");
        }
        return stop.cancelled().await;
    };
    let renamed = async {
        while let Ok(event) = announcement.events.recv_async().await {
            if let DaemonEvent::NameChange(change) = event
                && change.original.eq_ignore_ascii_case(HOST)
            {
                tracing::warn!(
                    "another device in this network is hearthwatch.local already; open this recorder by its address"
                );
            }
        }
        stop.cancelled().await;
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = renamed => {}
    }
    announcement.withdraw().await;
}

/// An announcement; lasts until it is taken back.
struct Announcement {
    daemon: ServiceDaemon,
    events: mdns_sd::Receiver<DaemonEvent>,
    full_name: String,
}

/// `None`: the machine itself is called so, and says so already.
fn announce(address: SocketAddr, tls: Tls) -> Result<Option<Announcement>, mdns_sd::Error> {
    let own_name = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    if own_name == "hearthwatch" && std::path::Path::new("/run/avahi-daemon/pid").exists() {
        return Ok(None);
    }
    let daemon = ServiceDaemon::new()?;
    daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
    let events = daemon.monitor()?;
    let service = service(address, tls)?;
    let full_name = service.get_fullname().to_owned();
    daemon.register(service)?;
    Ok(Some(Announcement { daemon, events, full_name }))
}

/// What is said: addresses of a household alone, for at any other the recorder answers nobody.
fn service(address: SocketAddr, tls: Tls) -> Result<ServiceInfo, mdns_sd::Error> {
    let kind = format!("_{}._tcp.local.", tls.scheme());
    let properties = [("path", "/")];
    let is_any = address.ip().is_unspecified();
    let own = if is_any { String::new() } else { address.ip().to_string() };
    let mut service = ServiceInfo::new(&kind, NAME, HOST, own.as_str(), address.port(), &properties[..])?;
    if is_any {
        let v4_alone = address.is_ipv4();
        service = service.enable_addr_auto();
        service.set_interfaces(vec![IfKind::Predicate(IfPredicate::new(move |card| is_told(card.ip(), v4_alone)))]);
    }
    Ok(service)
}

fn is_told(own: IpAddr, v4_alone: bool) -> bool {
    in_household(own) && !own.is_loopback() && (own.is_ipv4() || !v4_alone)
}

impl Announcement {
    /// Says goodbye, so that nobody looks for the recorder where it is no longer.
    async fn withdraw(self) {
        if let Ok(done) = self.daemon.unregister(&self.full_name) {
            // Whether it was heard cannot be known; the announcement runs out by itself.
            let _ = tokio::time::timeout(GOODBYE, done.recv_async()).await;
        }
        if let Ok(done) = self.daemon.shutdown() {
            let _ = tokio::time::timeout(GOODBYE, done.recv_async()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_at_which_it_answers_are_announced() {
        let told = |address: &str, v4_alone| is_told(address.parse().expect("an address"), v4_alone);
        assert!(told("192.168.1.5", true) && told("fd12::5", false));
        assert!(!told("127.0.0.1", false) && !told("203.0.113.5", false) && !told("2001:db8::5", false));
        assert!(!told("fd12::5", true), "it does not listen there");
    }

    #[test]
    fn the_name_and_the_port_are_those_of_the_pages() {
        let told = service("0.0.0.0:8443".parse().expect("an address"), Tls::Auto).expect("a service");
        assert_eq!((told.get_hostname(), told.get_port()), (HOST, 8443));
        assert_eq!(told.get_fullname(), "Hearthwatch._https._tcp.local.");
        let told = service("192.168.1.5:80".parse().expect("an address"), Tls::Off).expect("a service");
        assert_eq!(told.get_fullname(), "Hearthwatch._http._tcp.local.");
    }
}
