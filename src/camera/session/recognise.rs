//! A look at whoever is at an address: who is it? Without credentials, and without becoming its viewer.

use std::net::SocketAddr;
use std::time::Duration;

use crate::camera::identity::{Evidence, neighbour};
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
