//! Finding cameras: what the network announces by mDNS and WS-Discovery, judged and bounded before anybody sees it.
//!
//! Everything announced is a stranger's claim. A finding is a suggestion to look there, never a reason to send a password:
//! who answers is verified when a session connects.

mod catalogue;
mod found;

pub use self::catalogue::{Catalogue, MOST_KEPT, MOST_PER_ADDRESS};
pub use self::found::{Found, How, Service, plain_text};

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use futures_util::stream::SelectAll;
use mdns_sd::{IfKind, ResolvedService, ServiceDaemon, ServiceEvent};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::camera::onvif;

/// The most addresses of one announcement that are looked at.
const MOST_ADDRESSES: usize = 5;

/// Where is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// On the home network; what is announced at a public or loopback address is ignored.
    Lan,
    /// Only on this machine, for the demo and for tests.
    Loopback,
}

impl Scope {
    /// Whether a camera may be at this address.
    pub fn allows(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::Loopback, address) => address.is_loopback(),
            (Self::Lan, IpAddr::V4(v4)) => v4.is_private() || v4.is_link_local(),
            // A link-local IPv6 address means nothing without its interface, which a URL cannot name.
            (Self::Lan, IpAddr::V6(v6)) => v6.is_unique_local(),
        }
    }
}

/// What changed on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscoveryEvent {
    /// Somebody is there, or tells other things of itself than before.
    Found(Found),
    /// It said goodbye, or its announcement is no longer repeated.
    Lost {
        /// As in [`Found::instance`].
        instance: String,
    },
}

/// Why nothing can be found.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// The mDNS port or interface cannot be used.
    #[error("cannot listen for mDNS announcements (UDP port 5353); is another program holding the port alone?")]
    Mdns(#[from] mdns_sd::Error),
    /// The WS-Discovery port cannot be used.
    #[error("cannot listen for ONVIF announcements (UDP port 3702): {0}")]
    Onvif(#[source] std::io::Error),
}

/// By which ways is looked.
#[derive(Debug, Clone)]
pub struct Ways {
    /// By mDNS.
    pub mdns: bool,
    /// By ONVIF's WS-Discovery.
    pub onvif: bool,
    /// Makes the next question come at once, where there is something to ask.
    pub again: Arc<Notify>,
}

/// Browses until `stop`, and tells each change. Repetitions, strangers at public addresses and what exceeds the bounds of
/// [`Catalogue`] are not told. `on_event` must not block. A way that does not work is logged, and the others go on; an error
/// comes only if none works. May be cancelled; the queries then end as well.
pub async fn browse(
    scope: Scope,
    ways: Ways,
    stop: CancellationToken,
    on_event: impl FnMut(DiscoveryEvent) + Send,
) -> Result<(), DiscoveryError> {
    let told = Mutex::new((Catalogue::default(), on_event));
    let tell = |event| {
        let (catalogue, on_event) = &mut *told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(event) = catalogue.apply(event) {
            on_event(event);
        }
    };
    let by_mdns = async { if ways.mdns { browse_mdns(scope, &stop, tell).await } else { until(&stop).await } };
    let by_onvif = async {
        if !ways.onvif {
            return until(&stop).await;
        }
        onvif::browse(scope, Arc::clone(&ways.again), stop.clone(), tell).await.map_err(DiscoveryError::Onvif)
    };
    match tokio::join!(after_a_word(by_mdns), after_a_word(by_onvif)) {
        (Err(error), Err(_)) => Err(error),
        (Err(error), _) if !ways.onvif => Err(error),
        (_, Err(error)) if !ways.mdns => Err(error),
        _ => Ok(()),
    }
}

/// A way that is not wanted.
async fn until(stop: &CancellationToken) -> Result<(), DiscoveryError> {
    stop.cancelled().await;
    Ok(())
}

async fn after_a_word(way: impl Future<Output = Result<(), DiscoveryError>>) -> Result<(), DiscoveryError> {
    let ended = way.await;
    if let Err(error) = &ended {
        tracing::warn!("{error}");
    }
    ended
}

async fn browse_mdns(
    scope: Scope,
    stop: &CancellationToken,
    mut tell: impl FnMut(DiscoveryEvent),
) -> Result<(), DiscoveryError> {
    let daemon = Daemon(ServiceDaemon::new()?);
    if scope == Scope::Loopback {
        daemon.0.disable_interface(IfKind::All)?;
        daemon.0.enable_interface(IfKind::LoopbackV4)?;
        daemon.0.set_multicast_loop_v4(true)?;
    }
    let mut events = SelectAll::new();
    for service in Service::ALL {
        events.push(browse_one(&daemon.0, service)?);
    }
    loop {
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            next = events.next() => next,
        };
        let event = match next {
            None => return Err(DiscoveryError::Mdns(mdns_sd::Error::DaemonShutdown)),
            Some((service, None)) => {
                // The library ends a subscription that fell behind: begin it anew, it tells all it knows.
                tracing::warn!(?service, "mDNS announcements came faster than they could be read");
                events.push(browse_one(&daemon.0, service)?);
                continue;
            }
            Some((service, Some(event))) => judge(scope, service, &event),
        };
        if let Some(event) = event {
            tell(event);
        }
    }
}

type Subscription = futures_util::stream::BoxStream<'static, (Service, Option<ServiceEvent>)>;

/// The events of one service type; `None` when the subscription ends.
fn browse_one(daemon: &ServiceDaemon, service: Service) -> Result<Subscription, mdns_sd::Error> {
    let receiver = daemon.browse(service.mdns_type())?;
    let events = receiver.into_stream().map(Some).chain(futures_util::stream::once(async { None }));
    Ok(events.map(move |event| (service, event)).boxed())
}

/// What an announcement says, if it concerns us.
fn judge(scope: Scope, service: Service, event: &ServiceEvent) -> Option<DiscoveryEvent> {
    match event {
        ServiceEvent::ServiceResolved(resolved) => read(scope, service, resolved).map(DiscoveryEvent::Found),
        ServiceEvent::ServiceRemoved(_, fullname) => {
            Some(DiscoveryEvent::Lost { instance: found::instance(service, fullname) })
        }
        _ => None,
    }
}

fn read(scope: Scope, service: Service, resolved: &ResolvedService) -> Option<Found> {
    let addresses = resolved.get_addresses().iter().map(mdns_sd::ScopedIp::to_ip_addr);
    // IPv4 sorts before IPv6, and a private address (10., 172.16., 192.168.) is better than a link-local one.
    let mut allowed: Vec<_> = addresses.filter(|address| scope.allows(*address)).take(MOST_ADDRESSES).collect();
    allowed.sort_by_key(|address| (matches!(address, IpAddr::V4(v4) if v4.is_link_local()), *address));
    let (address, others) = allowed.split_first()?;
    let txt = resolved.get_properties().iter().map(|property| (property.key(), property.val_str()));
    let found = Found::from_mdns(service, resolved.get_fullname(), *address, resolved.get_port(), txt)?;
    Some(Found { others: others.to_vec(), ..found })
}

/// Ends the library's thread when nobody browses any more.
struct Daemon(ServiceDaemon);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.shutdown();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mdns_sd::ServiceInfo;
    use std::time::Duration;

    #[test]
    fn only_the_home_network_s_addresses_are_taken() {
        let allowed = |scope: Scope, address: &str| scope.allows(address.parse().expect("an address"));
        for good in ["192.168.1.20", "10.0.0.1", "172.16.5.5", "169.254.3.4", "fd12::1"] {
            assert!(allowed(Scope::Lan, good), "{good}");
            assert!(!allowed(Scope::Loopback, good), "{good}");
        }
        for bad in ["8.8.8.8", "127.0.0.1", "::1", "0.0.0.0", "224.0.0.1", "2001:db8::1", "fe80::1", "::ffff:8.8.8.8"] {
            assert!(!allowed(Scope::Lan, bad), "{bad}");
        }
        assert!(allowed(Scope::Loopback, "127.0.0.7"));
    }

    fn announcer() -> Daemon {
        let daemon = ServiceDaemon::new().expect("an mDNS daemon");
        daemon.disable_interface(IfKind::All).expect("its interfaces");
        daemon.enable_interface(IfKind::LoopbackV4).expect("its interfaces");
        daemon.set_multicast_loop_v4(true).expect("its loop");
        Daemon(daemon)
    }

    #[tokio::test]
    async fn what_another_daemon_announces_on_loopback_is_found_and_its_goodbye_is_heard() {
        let announcing = announcer();
        let name = format!("Porch\u{202e} {}", std::process::id());
        let txt = [("path", "/main"), ("sub", "/sub"), ("serial", "1234")];
        let info = ServiceInfo::new("_rtsp._tcp.local.", &name, "porch-cam.local.", "127.0.0.7", 8554, &txt[..])
            .expect("a service");
        let fullname = info.get_fullname().to_owned();
        announcing.0.register(info).expect("it announces");

        let events = Arc::new(Mutex::new(Vec::new()));
        let stop = CancellationToken::new();
        let plain = plain_text(&name);
        let on_event = {
            let (events, stop, plain) = (Arc::clone(&events), stop.clone(), plain.clone());
            move |event| {
                match &event {
                    DiscoveryEvent::Found(found) if found.name == plain => {
                        announcing.0.unregister(&fullname).expect("it says goodbye");
                    }
                    DiscoveryEvent::Lost { instance } if instance.contains(&plain) => stop.cancel(),
                    _ => return,
                }
                events.lock().expect("no panic").push(event);
            }
        };
        let ways = Ways { mdns: true, onvif: false, again: Arc::default() };
        let browsing = browse(Scope::Loopback, ways, stop, on_event);
        tokio::time::timeout(Duration::from_secs(20), browsing).await.expect("in time").expect("it browses");
        let events = events.lock().expect("no panic");
        let [DiscoveryEvent::Found(found), DiscoveryEvent::Lost { instance }] = &events[..] else {
            panic!("{events:?}");
        };
        assert_eq!(instance, &found.instance);
        assert_eq!(found.url().map(|url| url.to_string()).as_deref(), Some("rtsp://127.0.0.7:8554/main"));
        assert_eq!(found.detect_url().map(|url| url.to_string()).as_deref(), Some("rtsp://127.0.0.7:8554/sub"));
        assert_eq!(found.txt.get("serial").map(String::as_str), Some("1234"));
        assert_eq!(found.how, How::Mdns);
    }
}
