//! Whether each camera's machine takes a connection. No word is said to it, so no camera counts a failed sign-in.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpStream;

use crate::app::doctor::Finding;
use crate::config::settings::{CameraUrl, Settings};

const ABOUT: &str = "camera";
const PATIENCE: Duration = Duration::from_secs(3);

/// What came of one.
pub(super) struct Knock {
    name: String,
    address: String,
    outcome: Result<(), String>,
}

/// Connects to each camera's port, all at once, and closes again.
pub(super) async fn knock(settings: &Settings) -> Vec<Knock> {
    let knocks = settings.cameras.values().map(async |camera| {
        let (host, port) = place(&camera.url);
        let connecting = tokio::time::timeout(PATIENCE, TcpStream::connect((host.as_str(), port)));
        let outcome = match connecting.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer".to_owned()),
        };
        Knock { name: camera.name.clone(), address: format!("{}:{port}", camera.url.host()), outcome }
    });
    join_all(knocks).await
}

fn place(url: &CameraUrl) -> (String, u16) {
    // A resolver wants IPv6 addresses without their brackets.
    (url.host().trim_start_matches('[').trim_end_matches(']').to_owned(), url.port())
}

/// What that means.
pub(super) fn judge(knocks: &[Knock]) -> Vec<Finding> {
    if knocks.is_empty() {
        return vec![Finding::note(ABOUT, "there is none yet; the page \"Cameras\" lists what your network announces")];
    }
    knocks
        .iter()
        .map(|Knock { name, address, outcome }| match outcome {
            Ok(()) => Finding::fine(ABOUT, format!("{name}: something takes connections at {address}")),
            Err(why) => Finding::wrong(
                ABOUT,
                format!(
                    "{name}: nothing answers at {address} ({why}): see that the camera has power and network; \
                     `hearthwatch discover` lists where cameras are"
                ),
            ),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Weight;
    use crate::config;

    #[tokio::test]
    async fn a_camera_that_is_there_is_told_from_one_that_is_not() {
        let there = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let ports = [&there, &gone].map(|listener| listener.local_addr().expect("an address").port());
        drop(gone);
        let text = format!(
            "[cameras.a]\nurl = \"rtsp://127.0.0.1:{}/\"\n[cameras.b]\nurl = \"rtsp://127.0.0.1:{}/\"\n",
            ports[0], ports[1]
        );
        let checked = config::check(&text, |_| Err(std::io::ErrorKind::NotFound.into())).expect("a configuration");
        let findings = judge(&knock(&checked.settings).await);
        assert_eq!(findings.iter().map(|finding| finding.weight).collect::<Vec<_>>(), [Weight::Fine, Weight::Wrong]);
        assert!(findings[1].words.contains("power and network"), "{findings:?}");
        assert_eq!(judge(&[])[0].weight, Weight::Note);
    }

    #[test]
    fn an_ipv6_address_is_asked_for_without_its_brackets() {
        let url: CameraUrl = "rtsp://[fd12::1]/main".parse().expect("a URL");
        assert_eq!(place(&url), ("fd12::1".to_owned(), 554));
    }
}
