//! The port of the pages.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::app::doctor::Finding;

const ABOUT: &str = "pages";
const PATIENCE: Duration = Duration::from_secs(3);

/// What was seen.
pub(super) enum Door {
    /// The recorder runs; whether somebody takes calls there.
    Knocked(io::Result<()>),
    /// It does not; whether it could take the port.
    Tried(io::Result<()>),
}

/// Knocks at the door of a recorder that runs, or tries its port.
pub(super) fn look(listen: SocketAddr, is_running: bool) -> Door {
    if is_running {
        Door::Knocked(TcpStream::connect_timeout(&near(listen), PATIENCE).map(drop))
    } else {
        Door::Tried(TcpListener::bind(listen).map(drop))
    }
}

/// The address at which this machine reaches it.
fn near(listen: SocketAddr) -> SocketAddr {
    let host = match listen.ip() {
        IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        one => one,
    };
    SocketAddr::new(host, listen.port())
}

/// What that means.
pub(super) fn judge(listen: SocketAddr, door: &Door) -> Finding {
    match door {
        Door::Knocked(Ok(())) => Finding::fine(ABOUT, format!("the recorder takes calls at {listen}")),
        Door::Knocked(Err(error)) => Finding::wrong(
            ABOUT,
            format!("the recorder runs and takes no calls at {listen} ({error}): restart it, and look at its log"),
        ),
        Door::Tried(Ok(())) => Finding::fine(ABOUT, format!("{listen} is free for the recorder")),
        Door::Tried(Err(error)) if error.kind() == io::ErrorKind::AddrInUse => Finding::wrong(
            ABOUT,
            format!("another program has {listen} (`ss -tlnp` says which): stop it, or change listen under [web]"),
        ),
        Door::Tried(Err(error)) => Finding::wrong(
            ABOUT,
            format!("the recorder cannot listen on {listen} ({error}): change listen under [web]"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Weight;

    #[test]
    fn a_port_that_is_taken_by_another_is_wrong_and_one_that_is_ours_is_not() {
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = other.local_addr().expect("an address");
        let taken = judge(address, &look(address, false));
        assert!(taken.weight == Weight::Wrong && taken.words.contains("another program"), "{taken:?}");
        assert_eq!(judge(address, &look(address, true)).weight, Weight::Fine);
        drop(other);
        assert_eq!(judge(address, &look(address, false)).weight, Weight::Fine);
        assert_eq!(judge(address, &look(address, true)).weight, Weight::Wrong);
    }

    #[test]
    fn a_door_on_every_card_is_knocked_at_from_within() {
        let any: SocketAddr = "0.0.0.0:8443".parse().expect("an address");
        assert_eq!(near(any).to_string(), "127.0.0.1:8443");
    }
}
