//! What axum serves from: connections whose TLS handshake is done.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::web::tls::household::{Household, TlsError};
use crate::web::tls::plain::{LONGEST_HEAD, answer};

/// How long a handshake may take, or the reading of a plain request.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Handshakes at the same time; further connections wait in the kernel.
const MOST: usize = 128;
/// Of them from one address; further connections from there are closed, so that one device cannot keep the others out.
const MOST_FROM_ONE: usize = 16;
/// The first byte of a TLS handshake (RFC 8446 § 5.1).
const HANDSHAKE: u8 = 22;

type Shaken = (SocketAddr, Option<TlsStream<TcpStream>>);

/// Accepts TLS connections. A slow or hostile peer holds nobody up, and plain HTTP is answered with a hint.
///
/// Handshakes go on while [`axum::serve::Listener::accept`] is awaited; dropping that future loses none of them.
pub struct Listener {
    tcp: TcpListener,
    household: Household,
    acceptor: TlsAcceptor,
    handshakes: FuturesUnordered<Pin<Box<dyn Future<Output = Shaken> + Send>>>,
    from: HashMap<IpAddr, usize>,
}

impl Listener {
    /// Speaks for `household` on a socket that is already bound.
    ///
    /// # Errors
    /// None that a household can cause.
    pub fn new(tcp: TcpListener, household: Household) -> Result<Self, TlsError> {
        let acceptor = TlsAcceptor::from(household.server_config()?);
        Ok(Self { tcp, household, acceptor, handshakes: FuturesUnordered::new(), from: HashMap::new() })
    }

    fn begin(&mut self, stream: TcpStream, peer: SocketAddr) {
        let count = self.from.entry(peer.ip()).or_default();
        if *count >= MOST_FROM_ONE {
            tracing::debug!(%peer, "too many handshakes at once from this address");
            return;
        }
        *count += 1;
        let (acceptor, household) = (self.acceptor.clone(), self.household.clone());
        self.handshakes.push(Box::pin(async move {
            let shaken = tokio::time::timeout(TIME_LIMIT, shake(stream, &acceptor, &household)).await;
            let shaken = shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            // A browser that does not trust the authority yet ends here too, so this is no warning.
            let stream = shaken.inspect_err(|error| tracing::debug!(%peer, %error, "no TLS handshake")).ok().flatten();
            (peer, stream)
        }));
    }

    fn end(&mut self, peer: SocketAddr) {
        if let Some(count) = self.from.get_mut(&peer.ip()) {
            *count -= 1;
            if *count == 0 {
                self.from.remove(&peer.ip());
            }
        }
    }
}

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                Some((peer, stream)) = self.handshakes.next(), if !self.handshakes.is_empty() => {
                    self.end(peer);
                    if let Some(stream) = stream {
                        return (stream, peer);
                    }
                }
                accepted = self.tcp.accept(), if self.handshakes.len() < MOST => match accepted {
                    Ok((stream, peer)) => self.begin(stream, peer),
                    Err(error) if is_the_peers(&error) => {}
                    Err(error) => {
                        // Most likely no file descriptor is free: wait for one instead of asking again at once.
                        tracing::error!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// `None` if the peer did not want TLS and was told so.
async fn shake(
    mut stream: TcpStream,
    acceptor: &TlsAcceptor,
    household: &Household,
) -> io::Result<Option<TlsStream<TcpStream>>> {
    stream.set_nodelay(true)?;
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    if first == [HANDSHAKE] {
        return acceptor.accept(stream).await.map(Some);
    }
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") && head.len() < LONGEST_HEAD {
        if (&mut stream).take((LONGEST_HEAD - head.len()) as u64).read_buf(&mut head).await? == 0 {
            break;
        }
    }
    stream.write_all(&answer(&head, household.authority_pem(), |host| household.answers_to(host))).await?;
    stream.shutdown().await?;
    Ok(None)
}
