//! How media gets to a client: within the RTSP connection, or as UDP datagrams to it.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::UdpSocket;

/// What a client asked for in SETUP, of what is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Channels for RTP and RTCP within the connection; `None` if the client leaves the choice.
    Interleaved(Option<(u8, u8)>),
    /// The client's ports for RTP and RTCP.
    Udp(u16, u16),
}

/// The first of the alternatives in a `Transport` header (RFC 2326, 12.39) that is offered.
pub(crate) fn choose(header: &str) -> Option<Asked> {
    header.split(',').find_map(|alternative| {
        let mut parts = alternative.split(';').map(str::trim);
        let protocol = parts.next()?;
        let mut pair = None;
        for part in parts {
            match part.split_once('=') {
                None if part.eq_ignore_ascii_case("multicast") => return None,
                Some(("mode", mode)) if !mode.trim_matches('"').eq_ignore_ascii_case("play") => return None,
                Some((key, value)) if key == "interleaved" || key == "client_port" => pair = Some((key, value)),
                _ => {}
            }
        }
        if protocol.eq_ignore_ascii_case("RTP/AVP/TCP") {
            match pair {
                Some(("interleaved", value)) => numbers(value).map(Some).map(Asked::Interleaved),
                _ => Some(Asked::Interleaved(None)),
            }
        } else if protocol.eq_ignore_ascii_case("RTP/AVP") || protocol.eq_ignore_ascii_case("RTP/AVP/UDP") {
            match pair {
                Some(("client_port", value)) => {
                    let (rtp, rtcp) = numbers(value)?;
                    (rtp != 0 && rtcp != 0).then_some(Asked::Udp(rtp, rtcp))
                }
                _ => None,
            }
        } else {
            None
        }
    })
}

/// `4-5`, or `4` for 4 and the next one.
fn numbers<N>(text: &str) -> Option<(N, N)>
where
    N: Copy + std::str::FromStr + TryFrom<u32>,
    u32: From<N>,
{
    let (first, second) = text.split_once('-').map_or((text, None), |(first, second)| (first, Some(second)));
    let first: N = first.trim().parse().ok()?;
    let second = match second {
        Some(second) => second.trim().parse().ok()?,
        None => N::try_from(u32::from(first) + 1).ok()?,
    };
    Some((first, second))
}

/// A way to a client, set up.
#[derive(Debug)]
pub(crate) enum Transport {
    /// Channels within the connection.
    Interleaved { rtp: u8, rtcp: u8 },
    /// A pair of sockets, and where to send.
    Udp(Box<UdpPair>),
}

/// Sockets on an even port and the next one.
#[derive(Debug)]
pub(crate) struct UdpPair {
    pub(crate) rtp: UdpSocket,
    pub(crate) rtcp: UdpSocket,
    pub(crate) rtp_to: SocketAddr,
    pub(crate) rtcp_to: SocketAddr,
}

impl UdpPair {
    /// Media goes to the address the RTSP connection came from, whatever `destination=` says.
    pub(crate) async fn bind(local: IpAddr, client: IpAddr, ports: (u16, u16)) -> io::Result<Self> {
        let mut failure = io::Error::other("no even port with a free neighbour");
        for _ in 0..50 {
            let rtp = UdpSocket::bind((local, 0)).await?;
            let port = rtp.local_addr()?.port();
            if !port.is_multiple_of(2) {
                continue;
            }
            match UdpSocket::bind((local, port + 1)).await {
                Ok(rtcp) => {
                    let (rtp_to, rtcp_to) = ((client, ports.0).into(), (client, ports.1).into());
                    return Ok(Self { rtp, rtcp, rtp_to, rtcp_to });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

impl Transport {
    /// The `Transport` header of the answer.
    pub(crate) fn header(&self, ssrc: u32) -> String {
        match self {
            Self::Interleaved { rtp, rtcp } => {
                format!("RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp};ssrc={ssrc:08X};mode=\"PLAY\"")
            }
            Self::Udp(pair) => {
                let ours = pair.rtp.local_addr().map_or(0, |address| address.port());
                format!(
                    "RTP/AVP;unicast;client_port={}-{};server_port={ours}-{};ssrc={ssrc:08X};mode=\"PLAY\"",
                    pair.rtp_to.port(),
                    pair.rtcp_to.port(),
                    ours.saturating_add(1)
                )
            }
        }
    }
}

/// Sends datagrams, but those that are lost on the way; gives back what is to be written into the connection instead.
pub(crate) async fn send_packets(
    packets: Vec<Vec<u8>>,
    transport: &Transport,
    mut loses: impl FnMut() -> bool,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    for packet in packets {
        match transport {
            Transport::Interleaved { rtp, .. } => put_frame(&mut bytes, *rtp, &packet),
            // A datagram that the kernel does not take is a datagram lost.
            Transport::Udp(pair) if !loses() => drop(pair.rtp.send_to(&packet, pair.rtp_to).await),
            Transport::Udp(_) => {}
        }
    }
    bytes
}

/// An interleaved frame (RFC 2326, 10.12).
pub(crate) fn put_frame(bytes: &mut Vec<u8>, channel: u8, packet: &[u8]) {
    bytes.extend_from_slice(&[b'$', channel]);
    bytes.extend_from_slice(&u16::try_from(packet.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend_from_slice(packet);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_offered_alternative_is_chosen() {
        let cases = [
            ("RTP/AVP/TCP;unicast;interleaved=2-3", Some(Asked::Interleaved(Some((2, 3))))),
            ("RTP/AVP/TCP;unicast", Some(Asked::Interleaved(None))),
            ("RTP/AVP;unicast;client_port=5000-5001", Some(Asked::Udp(5000, 5001))),
            ("RTP/AVP/UDP;unicast;client_port=5000;mode=play", Some(Asked::Udp(5000, 5001))),
            ("RTP/AVP;multicast,RTP/AVP/TCP;unicast;interleaved=0-1", Some(Asked::Interleaved(Some((0, 1))))),
            ("RTP/AVP;multicast", None),
            ("RTP/AVP;unicast", None),
            ("RTP/SAVP;unicast;client_port=5000-5001", None),
            ("RTP/AVP/TCP;unicast;interleaved=2-3;mode=record", None),
            ("RTP/AVP/TCP;interleaved=300-301", None),
            ("RTP/AVP/TCP;interleaved=255", None),
            ("", None),
        ];
        for (header, expected) in cases {
            assert_eq!(choose(header), expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_the_choice_panic(header in "[ -~]{0,100}") {
            choose(&header);
        }
    }
}
