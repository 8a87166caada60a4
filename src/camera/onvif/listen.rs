//! Hearing who is there: WS-Discovery over UDP, by multicast and by asking one address.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::camera::discovery::{DiscoveryEvent, Found, MOST_KEPT, MOST_PER_ADDRESS, Scope};
use crate::camera::onvif::announcement::{Message, probe, read};
use crate::camera::onvif::{Announcement, PORT};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
/// The longest message that is read; a UDP datagram of a device fits easily.
const LONGEST: usize = 16 * 1024;
/// Between two questions to everybody.
const PERIOD: Duration = Duration::from_secs(30);
/// The second question at the start: the first may be lost while interfaces come up.
const SECOND: Duration = Duration::from_secs(1);
/// Not heard of for so long is gone: three questions and a bit.
const FORGET: Duration = Duration::from_secs(100);
/// How long one address may take to say who it is.
const ID_LIMIT: Duration = Duration::from_millis(500);
/// The most interfaces that are used.
const MOST_INTERFACES: usize = 8;

/// Listens and asks until `stop`, and tells each Hello, Bye, answer and disappearance; `again` makes it ask at once.
/// `on_event` must not block. May be cancelled.
pub(crate) async fn browse(
    scope: Scope,
    again: Arc<Notify>,
    stop: CancellationToken,
    mut on_event: impl FnMut(DiscoveryEvent) + Send,
) -> std::io::Result<()> {
    let interfaces = interfaces(scope)?;
    let group = group_socket(&interfaces)?;
    let mut askers = Vec::new();
    for interface in interfaces {
        // Bound to the interface's own address, the question leaves by that interface.
        let socket = UdpSocket::bind((interface, 0)).await?;
        askers.push(socket);
    }
    let mut heard = BTreeMap::new();
    let mut asking = tokio::time::interval_at(Instant::now() + SECOND, PERIOD);
    asking.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ask(&askers).await;
    loop {
        let (bytes, from) = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = again.notified() => {
                ask(&askers).await;
                continue;
            }
            _ = asking.tick() => {
                ask(&askers).await;
                forget(&mut heard, &mut on_event);
                continue;
            }
            received = receive(&group) => received,
            Some(received) = first_of(&askers) => received,
        };
        if !scope.allows(from.ip()) {
            continue;
        }
        match read(&bytes, from.ip()) {
            Ok(Message::There(there)) => {
                for announcement in there {
                    let found = Found::from_onvif(announcement, from.ip());
                    let there = heard.values().filter(|(_, address)| *address == found.address).count();
                    let has_room = heard.len() < MOST_KEPT && there < MOST_PER_ADDRESS;
                    if has_room || heard.contains_key(&found.instance) {
                        heard.insert(found.instance.clone(), (Instant::now(), found.address));
                        on_event(DiscoveryEvent::Found(found));
                    }
                }
            }
            Ok(Message::Bye(gone)) => {
                for uuid in gone {
                    let instance = Found::onvif_instance(&uuid);
                    heard.remove(&instance);
                    on_event(DiscoveryEvent::Lost { instance });
                }
            }
            Ok(Message::Other) => {}
            Err(error) => tracing::debug!(address = %from.ip(), %error, "an announcement is not understood"),
        }
    }
}

fn forget(heard: &mut BTreeMap<String, (Instant, IpAddr)>, on_event: &mut impl FnMut(DiscoveryEvent)) {
    heard.retain(|instance, (at, _)| {
        let stays = at.elapsed() < FORGET;
        if !stays {
            on_event(DiscoveryEvent::Lost { instance: instance.clone() });
        }
        stays
    });
}

/// The IPv4 addresses of this machine's interfaces, within the scope.
fn interfaces(scope: Scope) -> std::io::Result<Vec<Ipv4Addr>> {
    if scope == Scope::Loopback {
        return Ok(vec![Ipv4Addr::LOCALHOST]);
    }
    let all = if_addrs::get_if_addrs()?.into_iter().map(|interface| interface.ip());
    let own = all.filter_map(|address| match address {
        IpAddr::V4(v4) if scope.allows(address) => Some(v4),
        _ => None,
    });
    Ok(own.take(MOST_INTERFACES).collect())
}

/// Hears what is said to everybody. Bound to the group's own address, so that it gets nothing else and others on this
/// machine can listen too.
fn group_socket(interfaces: &[Ipv4Addr]) -> std::io::Result<UdpSocket> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddr::from((GROUP, PORT)))?;
    let socket = UdpSocket::from_std(std::net::UdpSocket::from(socket))?;
    for interface in interfaces {
        if let Err(error) = socket.join_multicast_v4(GROUP, *interface) {
            tracing::warn!(%interface, %error, "cameras that say hello by ONVIF are not heard on this network");
        }
    }
    Ok(socket)
}

async fn ask(askers: &[UdpSocket]) {
    for socket in askers {
        // What cannot be sent now is asked again.
        let _ = socket.send_to(probe(random()).as_bytes(), (GROUP, PORT)).await;
    }
}

async fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; LONGEST];
    loop {
        // An error is about a datagram of before (a closed port somewhere): the next one may be good.
        if let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            buffer.truncate(length);
            return (buffer, from);
        }
        tokio::task::yield_now().await;
    }
}

async fn first_of(sockets: &[UdpSocket]) -> Option<(Vec<u8>, SocketAddr)> {
    sockets.iter().map(receive).collect::<FuturesUnordered<_>>().next().await
}

/// The ONVIF id of whoever is at this address, asked there; `None` if nobody answers within half a second. May be cancelled.
pub(crate) async fn ask_id(address: IpAddr) -> Option<String> {
    let asking = async {
        let any: IpAddr =
            if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0)).await.ok()?;
        // Connected, it takes answers of that address alone, and hears at once that nobody listens there.
        socket.connect((address, PORT)).await.ok()?;
        let mut buffer = vec![0; LONGEST];
        let mut again = tokio::time::interval(ID_LIMIT / 2);
        loop {
            tokio::select! {
                _ = again.tick() => {
                    socket.send(probe(random()).as_bytes()).await.ok()?;
                }
                received = socket.recv(&mut buffer) => {
                    let length = received.ok()?;
                    if let Ok(Message::There(there)) = read(&buffer[..length], address) {
                        return there.into_iter().next().map(|Announcement { uuid, .. }| uuid);
                    }
                }
            }
        }
    };
    tokio::time::timeout(ID_LIMIT, asking).await.ok().flatten()
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    // A message's id only has to differ from the one before; that it is guessed harms nothing.
    let _ = getrandom::fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_is_asked_says_who_it_is() {
        let device = UdpSocket::bind("127.0.0.31:3702").await.expect("a port of its own");
        let answering = async {
            let mut buffer = [0; 4096];
            let (length, from) = device.recv_from(&mut buffer).await.expect("a question");
            assert!(std::str::from_utf8(&buffer[..length]).expect("XML").contains("discovery/Probe"));
            let answer = "<e:Envelope xmlns:e='e'><e:Body><d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>\
                urn:uuid:ABC</a:Address></a:EndpointReference></d:ProbeMatch></d:ProbeMatches></e:Body></e:Envelope>";
            device.send_to(answer.as_bytes(), from).await.expect("sent");
        };
        let (id, ()) = tokio::join!(ask_id([127, 0, 0, 31].into()), answering);
        assert_eq!(id.as_deref(), Some("abc"));
    }

    #[tokio::test]
    async fn ten_thousand_made_up_devices_do_not_hide_a_real_one() {
        let flooder = UdpSocket::bind("127.0.0.33:0").await.expect("a port");
        let real = UdpSocket::bind("127.0.0.34:0").await.expect("a port");
        let hello = |id: &str| {
            format!(
                "<e:Envelope xmlns:e='e'><e:Body><d:Hello><a:EndpointReference><a:Address>urn:uuid:{id}</a:Address>\
                 </a:EndpointReference></d:Hello></e:Body></e:Envelope>"
            )
        };
        let stop = CancellationToken::new();
        let mut told = 0;
        let on_event = |event| {
            if let DiscoveryEvent::Found(found) = event {
                told += usize::from(found.address == IpAddr::from([127, 0, 0, 33]));
                if found.instance.starts_with("real") {
                    stop.cancel();
                }
            }
        };
        let flood = async {
            for n in 0..10_000 {
                let _ = flooder.send_to(hello(&format!("{n}")).as_bytes(), (GROUP, PORT)).await;
                if n % 50 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            while !stop.is_cancelled() {
                let _ = real.send_to(hello("real").as_bytes(), (GROUP, PORT)).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let browsing = browse(Scope::Loopback, Arc::default(), stop.clone(), on_event);
        let both = async { tokio::join!(browsing, flood) };
        let (browsed, ()) = tokio::time::timeout(Duration::from_secs(60), both).await.expect("in time");
        browsed.expect("it listens");
        assert!((1..=MOST_PER_ADDRESS).contains(&told), "{told} of 10,000 were taken");
    }

    #[tokio::test]
    async fn an_address_without_onvif_says_nothing() {
        assert_eq!(ask_id([127, 0, 0, 32].into()).await, None);
    }
}
