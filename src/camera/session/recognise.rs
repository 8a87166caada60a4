//! A look at whoever is at an address: who is it, and is it still? Without credentials, and without becoming its viewer.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

use crate::camera::identity::{Evidence, Mark, Who, neighbour};
use crate::camera::onvif;
use crate::camera::session::error::CameraError;
use crate::camera::session::look::{self, Question};
use crate::config::settings::CameraUrl;

/// How long a look may take.
const LIMIT: Duration = Duration::from_secs(4);

/// What can be known of whoever answers at `address`, where the stream of `url` would be. Its ONVIF id costs up to half a
/// second more, if it has none. May be cancelled.
pub async fn recognise(url: &CameraUrl, address: SocketAddr, wants_uuid: bool) -> Result<Evidence, CameraError> {
    let look = async {
        let mut at = url.as_url().clone();
        // An RTSP URL can have any host, and any port.
        let _ = at.set_ip_host(address.ip());
        let _ = at.set_port(Some(address.port()));
        let answer = look::ask(&at, address, Question::Options).await?;
        let mac = neighbour::card_behind(address.ip(), answer.connected_for);
        let uuid = if wants_uuid { onvif::ask_id(address.ip()).await } else { None };
        Ok(Evidence { mac, uuid, ..Evidence::default() })
    };
    let silent = |_| CameraError::Silent { host: address.to_string(), after: LIMIT };
    tokio::time::timeout(LIMIT, look).await.map_err(silent)?
}

/// Whether whoever was known by `seen` is still at its address, `opened` being when the connection that pictures come on was
/// begun: it is another one than that which was looked at, and between the two the address may have changed hands. Who was
/// there before and is there after has also answered in between. An ONVIF id costs up to half a second, if there is no card
/// to be seen. May be cancelled.
pub(crate) async fn still_there(seen: &Evidence, address: IpAddr, opened: Instant) -> Result<(), CameraError> {
    let (mark, before, now) = if let Some(before) = seen.mac {
        let now = neighbour::card_behind(address, opened.elapsed());
        (Mark::MacAddress, before.to_string(), now.map(|now| now.to_string()))
    } else if let Some(before) = &seen.uuid {
        (Mark::OnvifId, before.clone(), onvif::ask_id(address).await)
    } else {
        return Ok(());
    };
    if now.as_ref() == Some(&before) {
        return Ok(());
    }
    Err(CameraError::NotTheCamera {
        expected: Who::With(mark, before),
        found: now.map_or(Who::Without(mark), |now| Who::With(mark, now)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UdpSocket;

    /// Answers one question who is there; any further one as well.
    async fn device(socket: UdpSocket, id: &str) {
        let mut buffer = [0; 4096];
        while let Ok((_, from)) = socket.recv_from(&mut buffer).await {
            let answer = format!(
                "<e:Envelope xmlns:e='e'><e:Body><d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:{id}\
                 </a:Address></a:EndpointReference></d:ProbeMatch></d:ProbeMatches></e:Body></e:Envelope>"
            );
            socket.send_to(answer.as_bytes(), from).await.expect("sent");
        }
    }

    #[tokio::test]
    async fn an_address_that_changed_hands_after_the_look_is_noticed_before_the_first_picture() {
        let address = IpAddr::from([127, 0, 0, 35]);
        let seen = Evidence { uuid: Some("a".to_owned()), ..Evidence::default() };
        let now = Instant::now();
        for (who, found) in [("a", None), ("b", Some(Who::With(Mark::OnvifId, "b".to_owned())))] {
            let socket = UdpSocket::bind((address, 3702)).await.expect("a port of its own");
            let told = tokio::select! {
                told = still_there(&seen, address, now) => told,
                () = device(socket, who) => panic!("the socket failed"),
            };
            match (told, found) {
                (Ok(()), None) => {}
                (Err(CameraError::NotTheCamera { expected, found }), Some(other)) => {
                    assert_eq!((expected, found), (Who::With(Mark::OnvifId, "a".to_owned()), other));
                }
                other => panic!("{who}: {other:?}"),
            }
        }
        let gone = still_there(&seen, address, now).await.expect_err("nobody is there");
        assert!(gone.to_string().contains("one whose ONVIF id cannot be seen from here"), "{gone}");
        assert_eq!(still_there(&Evidence::default(), address, now).await, Ok(()), "nothing to hold on to");
    }
}
