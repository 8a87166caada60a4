//! Tries whether the kernel keeps this process in the house.
//!
//! systemd's `IPAddressDeny=` is a filter on the service's control group. Where the kernel has none of that kind, or where the
//! recorder was not started by its unit, it does nothing, and nobody is told. So it is tried: a datagram to an address that is
//! nobody's (RFC 5737), on a socket that is tied to the loopback interface and may make no hop. The filter is asked before the
//! interface, and refuses; without a filter the datagram dies on the loopback interface. Neither way does a packet leave the
//! machine.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd as _;

use crate::web::LanOnly;

/// In TEST-NET-1: public to every filter, and nobody's.
const NOBODY: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// Tries it once. Sends nothing out of the machine.
pub(crate) fn probe() -> LanOnly {
    match send() {
        Ok(result) => judge(&result),
        Err(error) => {
            tracing::debug!(%error, "whether the kernel keeps the recorder in the house cannot be tried");
            LanOnly::Unknown
        }
    }
}

fn judge(result: &io::Result<usize>) -> LanOnly {
    match result {
        Ok(_) => LanOnly::NotEnforced,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => LanOnly::Enforced,
        Err(_) => LanOnly::Unknown,
    }
}

/// The outer error: it could not be tried, and nothing was sent.
fn send() -> io::Result<io::Result<usize>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    bind_to_loopback(&socket)?;
    socket.set_ttl(1)?;
    Ok(socket.send_to(&[], NOBODY))
}

fn bind_to_loopback(socket: &UdpSocket) -> io::Result<()> {
    const NAME: &[u8; 3] = b"lo\0";
    const LENGTH: libc::socklen_t = 3;
    // SAFETY: the descriptor is the socket's, which outlives the call, and the length is that of the name behind the pointer.
    #[expect(unsafe_code, reason = "no safe function ties a socket to an interface")]
    let done = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_BINDTODEVICE, NAME.as_ptr().cast(), LENGTH)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_by_the_kernel_counts_as_enforced() {
        let error = |kind: io::ErrorKind| Err(kind.into());
        assert_eq!(judge(&Ok(0)), LanOnly::NotEnforced);
        assert_eq!(judge(&error(io::ErrorKind::PermissionDenied)), LanOnly::Enforced);
        for other in [io::ErrorKind::NetworkUnreachable, io::ErrorKind::HostUnreachable, io::ErrorKind::Other] {
            assert_eq!(judge(&error(other)), LanOnly::Unknown, "{other}");
        }
    }
}
