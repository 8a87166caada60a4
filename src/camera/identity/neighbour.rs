//! The MAC address behind an IP address, from the kernel's neighbour table.
//!
//! Read over rtnetlink (rtnetlink(7)): `/proc/net/arp` has no IPv6 and does not tell how old an entry is. An entry may be of
//! the past, when the address was another camera's; the kernel goes on using it for a while. What cannot be of the past is an
//! entry that was confirmed while we spoke with that address: the answer to our own packets confirms it. So only an entry
//! confirmed since the beginning of the connection is believed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::camera::identity::evidence::Mac;

/// The kernel counts ages in ticks of a hundredth of a second, and rounds; so much older may an entry look.
const MARGIN: Duration = Duration::from_secs(1);
/// No house has more neighbours; the rest is not read.
const MOST_ENTRIES: usize = 4096;

const DONE: u16 = 3;
const ERROR: u16 = 2;
const NEW_NEIGHBOUR: u16 = 28;
const GET_NEIGHBOURS: u16 = 30;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
const DESTINATION: u16 = 1;
const LINK_LAYER: u16 = 2;
const CACHE_INFO: u16 = 3;
/// `NUD_INCOMPLETE | NUD_FAILED | NUD_NOARP`: no answer, or none was asked for.
const UNKNOWN: u16 = 0x01 | 0x20 | 0x40;

/// One neighbour as the kernel knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbour {
    /// Its IP address.
    pub address: IpAddr,
    /// Its card.
    pub mac: Mac,
    /// How long ago the kernel last had proof that this card has this address.
    pub confirmed: Duration,
}

/// The card behind `address`, if it was confirmed within the time that a connection with it has lasted. `None` for addresses
/// beyond a router, for this machine itself, and where two cards contend for the address. Reads a few kilobytes from the
/// kernel; does not block.
pub fn card_behind(address: IpAddr, connected_for: Duration) -> Option<Mac> {
    match table() {
        Ok(table) => believable(&table, address, connected_for),
        Err(error) => {
            tracing::warn!(%error, "the kernel's neighbour table cannot be read, so no camera can be known by its MAC address");
            None
        }
    }
}

/// Where that card was seen, newest first; of the past perhaps, so a place to look and no evidence.
pub fn addresses_of(mac: Mac) -> Vec<IpAddr> {
    let mut seen: Vec<_> = table().unwrap_or_default().into_iter().filter(|entry| entry.mac == mac).collect();
    seen.sort_by_key(|entry| entry.confirmed);
    seen.into_iter().map(|entry| entry.address).collect()
}

fn believable(table: &[Neighbour], address: IpAddr, connected_for: Duration) -> Option<Mac> {
    let address = address.to_canonical();
    let fresh = |entry: &&Neighbour| entry.address == address && entry.confirmed <= connected_for + MARGIN;
    let mut cards = table.iter().filter(fresh).map(|entry| entry.mac);
    let card = cards.next()?;
    cards.all(|other| other == card).then_some(card)
}

fn table() -> io::Result<Vec<Neighbour>> {
    // The protocol 0 of this family is NETLINK_ROUTE.
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    let kernel = SocketAddrNetlink::new(0, 0);
    rustix::net::bind(&socket, &kernel)?;
    let mut request = Vec::with_capacity(28);
    request.extend_from_slice(&28_u32.to_ne_bytes());
    request.extend_from_slice(&GET_NEIGHBOURS.to_ne_bytes());
    request.extend_from_slice(&DUMP.to_ne_bytes());
    request.extend_from_slice(&[0; 8]); // sequence and sender: one question a socket
    request.extend_from_slice(&[0; 12]); // of every family, on every interface
    rustix::net::sendto(&socket, &request, SendFlags::empty(), &kernel)?;
    let mut found = Vec::new();
    let mut buffer = vec![0; 32 * 1024];
    loop {
        // The kernel answers while it is asked, so there is nothing to wait for.
        let (_, length) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::DONTWAIT)?;
        let Some(bytes) = buffer.get(..length) else { return Err(io::ErrorKind::InvalidData.into()) };
        if !read(bytes, &mut found)? {
            return Ok(found);
        }
    }
}

/// Reads one answer; `false` after the last one.
fn read(mut bytes: &[u8], found: &mut Vec<Neighbour>) -> io::Result<bool> {
    while let Some((header, _)) = bytes.split_first_chunk::<16>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let Some(body) = bytes.get(16..length) else { return Err(io::ErrorKind::InvalidData.into()) };
        match kind {
            DONE => return Ok(false),
            ERROR => return Err(io::Error::other("the kernel refused to tell its neighbours")),
            NEW_NEIGHBOUR if found.len() < MOST_ENTRIES => found.extend(neighbour(body)),
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(true)
}

/// Family (1 byte), padding (3), interface (4), state (2), flags (1), type (1), then attributes.
fn neighbour(body: &[u8]) -> Option<Neighbour> {
    let (header, mut rest) = body.split_first_chunk::<12>()?;
    if u16::from_ne_bytes([header[8], header[9]]) & UNKNOWN != 0 {
        return None;
    }
    let (mut address, mut mac, mut confirmed) = (None, None, None);
    while let Some((head, _)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let value = rest.get(4..length)?;
        match u16::from_ne_bytes([head[2], head[3]]) {
            DESTINATION => address = ip(value),
            LINK_LAYER => mac = value.try_into().ok().and_then(Mac::new),
            CACHE_INFO => confirmed = value.first_chunk::<4>().map(|ticks| u32::from_ne_bytes(*ticks)),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    let confirmed = Duration::from_millis(u64::from(confirmed?) * 10);
    Some(Neighbour { address: address?, mac: mac?, confirmed })
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|bytes| Ipv4Addr::from(bytes).into()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::identity::evidence::tests::mac;
    use proptest::prelude::*;

    fn entry(last: u8, card: u8, confirmed_ms: u64) -> Neighbour {
        let confirmed = Duration::from_millis(confirmed_ms);
        Neighbour { address: [192, 168, 1, last].into(), mac: mac(card), confirmed }
    }

    #[test]
    fn an_entry_of_the_past_is_not_believed() {
        let table = [entry(20, 1, 40_000), entry(21, 2, 100)];
        let card = |last: u8| believable(&table, [192, 168, 1, last].into(), Duration::from_millis(300));
        assert_eq!(card(20), None, "confirmed before we connected: that may have been another camera");
        assert_eq!(card(21), Some(mac(2)));
        assert_eq!(card(22), None, "beyond a router, or nobody");
    }

    #[test]
    fn two_cards_at_one_address_are_no_evidence() {
        let both = [entry(20, 1, 0), entry(20, 2, 0)];
        assert_eq!(believable(&both, [192, 168, 1, 20].into(), Duration::ZERO), None);
        let twice = [entry(20, 1, 0), entry(20, 1, 0)];
        assert_eq!(believable(&twice, [192, 168, 1, 20].into(), Duration::ZERO), Some(mac(1)));
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).expect("short");
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(state: u16, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![2, 0, 0, 0, 1, 0, 0, 0];
        body.extend_from_slice(&state.to_ne_bytes());
        body.extend_from_slice(&[0, 1]);
        body.extend(attributes.concat());
        let mut bytes = u32::try_from(16 + body.len()).expect("short").to_ne_bytes().to_vec();
        bytes.extend_from_slice(&NEW_NEIGHBOUR.to_ne_bytes());
        bytes.extend_from_slice(&[0; 10]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn the_kernel_s_answer_is_read() {
        let cache = [150_u32, 0, 0, 0].map(u32::to_ne_bytes).concat();
        let of = |state| {
            message(
                state,
                &[
                    attribute(DESTINATION, &[192, 168, 1, 20]),
                    attribute(LINK_LAYER, &[2, 0, 0, 0, 0, 9]),
                    attribute(CACHE_INFO, &cache),
                ],
            )
        };
        let mut found = Vec::new();
        let answer = [of(2), of(0x20), of(4), message(2, &[])].concat();
        assert!(read(&answer, &mut found).expect("an answer"));
        assert_eq!(found, [entry(20, 9, 1500), entry(20, 9, 1500)], "who failed to answer is left out");
        let done = [&20_u32.to_ne_bytes()[..], &DONE.to_ne_bytes(), &[0; 14]].concat();
        assert!(!read(&done, &mut found).expect("the end"));
        let refused = [&20_u32.to_ne_bytes()[..], &ERROR.to_ne_bytes(), &[0; 14]].concat();
        assert!(read(&refused, &mut found).is_err());
    }

    #[test]
    fn this_machine_s_own_table_can_be_asked_for() {
        table().expect("every Linux has one");
        assert_eq!(card_behind(Ipv4Addr::LOCALHOST.into(), Duration::from_secs(9)), None, "loopback has no card");
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0_u16..40) {
            let _ = read(&bytes, &mut Vec::new());
            let length = u32::try_from(16 + bytes.len()).expect("short").to_ne_bytes();
            let framed = [&length[..], &kind.to_ne_bytes(), &[0; 10], &bytes].concat();
            let _ = read(&framed, &mut Vec::new());
        }
    }
}
