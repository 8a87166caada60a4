//! Asking an ONVIF device what it is and where its streams are.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::camera::identity::Mac;
use crate::camera::onvif::soap::{self, Information, Question, Signature, SoapError};
use crate::camera::onvif::xml::{self, Element};
use crate::config::settings::{CameraUrl, Credentials};
use crate::units::UtcMicros;

/// How long a device may take for one answer.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest head of an answer.
const LONGEST_HEAD: usize = 16 * 1024;

/// What a device told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Who made it.
    pub information: Information,
    /// Its cards, as it says.
    pub cards: Vec<Mac>,
    /// The stream to record.
    pub main: CameraUrl,
    /// The small stream.
    pub small: Option<CameraUrl>,
}

/// Why a device told nothing. Each message is a sentence without its full stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The network.
    #[error("the camera's ONVIF service cannot be reached at {0}")]
    Unreachable(SocketAddr),
    /// Nobody said anything.
    #[error("the camera's ONVIF service did not answer within {} s", LIMIT.as_secs())]
    Silent,
    /// It answered with another status.
    #[error("the camera's ONVIF service answered with the status {0}")]
    Status(u16),
    /// It would have us go elsewhere.
    #[error("the camera's ONVIF service points elsewhere, which is not followed")]
    Redirected,
    /// It sends more than any device has to say.
    #[error("the camera's ONVIF service sends more than any camera's")]
    TooLarge,
    /// What it says is of no use.
    #[error(transparent)]
    Soap(#[from] SoapError),
    /// It has nothing to record.
    #[error("the camera has no stream in H.264 or H.265")]
    NoStream,
}

/// Asks the device at `address`, whose service is at `path`. The password is never sent, only proof of it. `random` brings
/// nonces; `now` is our own time. May be cancelled.
pub async fn ask(
    address: SocketAddr,
    path: &str,
    credentials: Option<&Credentials>,
    now: UtcMicros,
    mut random: impl FnMut() -> [u8; 16],
) -> Result<Told, AskError> {
    let theirs = call(address, path, &soap::envelope(Question::Time, None)).await;
    let created = theirs.ok().as_ref().and_then(soap::time).unwrap_or(now);
    let mut signed = |question: Question<'_>| {
        let signature = credentials.map(|credentials| Signature { credentials, nonce: random(), created });
        soap::envelope(question, signature.as_ref())
    };
    let media = match call(address, path, &signed(Question::Capabilities)).await {
        Ok(content) => soap::media_path(&content, address.ip())?,
        Err(error) => return Err(error),
    };
    let information = soap::information(&call(address, path, &signed(Question::Information)).await?);
    // Evidence is welcome, but not every device tells.
    let interfaces = call(address, path, &signed(Question::Interfaces)).await;
    let cards = interfaces.map(|content| soap::cards(&content)).unwrap_or_default();
    let profiles = soap::profiles(&call(address, &media, &signed(Question::Profiles)).await?);
    let (main, small) = soap::choose(&profiles);
    let main = main.ok_or(AskError::NoStream)?;
    let uri = call(address, &media, &signed(Question::StreamUri(&main.token))).await?;
    let main = soap::stream_uri(&uri, address.ip())?;
    let small = match small {
        None => None,
        Some(small) => {
            let uri = call(address, &media, &signed(Question::StreamUri(&small.token))).await?;
            Some(soap::stream_uri(&uri, address.ip())?).filter(|small| *small != main)
        }
    };
    Ok(Told { information, cards, main, small })
}

/// One question and its answer, on a connection of its own. No redirect is followed, and no more is read than a device has to say.
async fn call(address: SocketAddr, path: &str, message: &str) -> Result<Element, AskError> {
    let asking = async {
        let unreachable = |_| AskError::Unreachable(address);
        let stream = TcpStream::connect(address).await.map_err(unreachable)?;
        let mut builder = hyper::client::conn::http1::Builder::new();
        let builder = builder.max_buf_size(LONGEST_HEAD);
        let broken = |_| AskError::Unreachable(address);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let request = hyper::Request::post(path)
            .header(HOST, address.to_string())
            .header(CONTENT_TYPE, "application/soap+xml; charset=utf-8")
            .body(Full::new(Bytes::copy_from_slice(message.as_bytes())))
            .map_err(|_| AskError::Soap(SoapError::OffTopic))?;
        let exchange = async {
            let answer = sender.send_request(request).await.map_err(broken)?;
            let status = answer.status();
            if status.is_redirection() {
                return Err(AskError::Redirected);
            }
            if status == hyper::StatusCode::UNAUTHORIZED {
                return Err(AskError::Soap(SoapError::NotAuthorized));
            }
            let body = Limited::new(answer.into_body(), xml::LONGEST).collect().await;
            let body = body.map_err(|_| AskError::TooLarge)?.to_bytes();
            match soap::content(&body) {
                Err(SoapError::Xml(_) | SoapError::OffTopic) if !status.is_success() => {
                    Err(AskError::Status(status.as_u16()))
                }
                content => Ok(content?),
            }
        };
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            done = &mut exchange => done,
            _ = connection => exchange.await,
        }
    };
    tokio::time::timeout(LIMIT, asking).await.map_err(|_| AskError::Silent)?
}
