//! The household's TLS, as other programs see it: curl, openssl, and whoever speaks the wrong protocol.

use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::routing::get;
use axum::serve::ListenerExt;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hearthwatch::units::Clock;
use hearthwatch::web::tls::authority::Facts;
use hearthwatch::web::tls::{Household, Listener, Names, keep_renewed};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

struct Served {
    folder: tempfile::TempDir,
    household: Household,
    address: SocketAddr,
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("random bytes");
    bytes
}

/// Runs `story` against a server that answers with the peer's address.
async fn while_serving(story: impl AsyncFnOnce(Served)) {
    let folder = tempfile::tempdir().expect("a folder");
    let names = Names::new(&["nvr.home.arpa".to_owned()], []);
    let household =
        Household::open(&folder.path().join("tls"), &names, Clock::system().now(), random).expect("a household");
    let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = tcp.local_addr().expect("an address");
    let listener = Listener::new(tcp, household.clone()).expect("a listener").tap_io(|_| {});
    let say = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { format!("hello {}\n", peer.ip()) };
    let app = axum::Router::new().route("/", get(say)).into_make_service_with_connect_info::<SocketAddr>();
    std::fs::write(folder.path().join("ca.pem"), household.authority_pem()).expect("written");
    tokio::select! {
        served = axum::serve(listener, app).into_future() => served.expect("serving"),
        () = story(Served { folder, household, address }) => {}
    }
}

async fn run(program: &str, arguments: &[&str]) -> Option<(bool, String)> {
    let output =
        tokio::process::Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output().await;
    let Ok(output) = output else {
        println!("skipped: {program} is not installed");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Some((output.status.success(), text))
}

async fn connect(served: &Served, name: &str) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(served.household.authority_pem().as_bytes()).expect("a certificate"))
        .expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(served.address).await?;
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test]
async fn curl_trusts_every_name_of_the_recorder_and_no_other() {
    while_serving(async |served| {
        let ca = served.folder.path().join("ca.pem");
        let port = served.address.port();
        for (host, trusted) in [
            ("127.0.0.1", true),
            ("localhost", true),
            ("hearthwatch.local", true),
            ("nvr.home.arpa", true),
            ("other.home.arpa", false),
            ("bank.example", false),
        ] {
            let resolve = format!("{host}:{port}:127.0.0.1");
            let url = format!("https://{host}:{port}/");
            let ca = ca.to_str().expect("a path");
            let arguments = ["-sS", "--noproxy", "*", "--max-time", "20", "--cacert", ca, "--resolve", &resolve, &url];
            let Some((ok, text)) = run("curl", &arguments).await else { return };
            assert_eq!(ok, trusted, "{host}: {text}");
            assert_eq!(text == "hello 127.0.0.1\n", trusted, "{host}: {text}");
        }
    })
    .await;
}

#[tokio::test]
async fn openssl_verifies_the_chain_and_sees_the_constraints() {
    while_serving(async |served| {
        let ca = served.folder.path().join("ca.pem");
        let ca = ca.to_str().expect("a path");
        let address = served.address.to_string();
        for version in ["-tls1_2", "-tls1_3"] {
            let arguments = [
                "s_client",
                "-connect",
                &address,
                "-CAfile",
                ca,
                "-verify_return_error",
                "-verify_hostname",
                "hearthwatch.local",
                "-x509_strict",
                "-alpn",
                "h2,http/1.1",
                version,
            ];
            let Some((ok, text)) = run("openssl", &arguments).await else { return };
            assert!(
                ok && text.contains("Verify return code: 0 (ok)") && text.contains("ALPN protocol: http/1.1"),
                "{text}"
            );
        }
        let Some((_, text)) = run("openssl", &["x509", "-in", ca, "-noout", "-text"]).await else { return };
        for part in [
            "X509v3 Name Constraints: critical",
            "DNS:local\n",
            "DNS:home.arpa\n",
            "IP:192.168.0.0/255.255.0.0",
            "X509v3 Basic Constraints: critical",
            "CA:TRUE, pathlen:0",
            "TLS Web Server Authentication",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(text.contains(served.household.authority_name()), "{text}");
    })
    .await;
}

/// Even with the authority's key in hand nobody can pose as a site of the world.
#[test]
fn a_certificate_beyond_the_household_is_refused_by_openssl() {
    let folder = tempfile::tempdir().expect("a folder");
    let now = Clock::system().now();
    let [authority_key, server_key] = [(); 2].map(|()| rcgen::KeyPair::generate().expect("a key"));
    let facts = Facts::new(&Names::new(&[], []), now, random());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, facts.certificate(&authority_key, random()).expect("a certificate").pem()).expect("written");
    for (host, accepted) in [("bank.example", false), ("nvr.lan", true)] {
        let names = Names::new(&[host.to_owned()], []);
        let (certificate, _) = facts.issue(&authority_key, &server_key, &names, now, random()).expect("a certificate");
        let leaf = folder.path().join(host);
        std::fs::write(&leaf, certificate.pem()).expect("written");
        let output = Command::new("openssl").arg("verify").arg("-CAfile").arg(&ca).arg(&leaf).output();
        let Ok(output) = output else {
            println!("skipped: openssl is not installed");
            return;
        };
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), accepted, "{host}: {text}");
        assert_eq!(text.contains("permitted subtree violation"), !accepted, "{host}: {text}");
    }
}

#[tokio::test]
async fn plain_http_gets_a_redirect_or_a_sentence() {
    while_serving(async |served| {
        let ask = async |request: String| {
            let mut stream = TcpStream::connect(served.address).await.expect("connected");
            stream.write_all(request.as_bytes()).await.expect("sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("answered");
            answer
        };
        let host = served.address;
        let answer = ask(format!("GET /events HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
        assert!(answer.contains(&format!("\r\nLocation: https://{host}/events\r\n")), "{answer}");
        let answer = ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned()).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("write https://"), "{answer}");
        let answer = ask("x".repeat(8192)).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn silent_peers_hold_nobody_up() {
    while_serving(async |served| {
        // One address has 16 places; who comes beyond them is closed at once, the others are waited for.
        let mut silent = Vec::new();
        for _ in 0..40 {
            silent.push(TcpStream::connect(served.address).await.expect("connected"));
        }
        let closed: FuturesUnordered<_> =
            silent.iter_mut().map(|stream| async { stream.read(&mut [0]).await }).collect();
        let ended = closed.take(40 - 16).map(|read| read.unwrap_or(0)).collect::<Vec<_>>().await;
        assert_eq!(ended, [0; 40 - 16]);
        let other = tokio::net::TcpSocket::new_v4().expect("a socket");
        other.bind("127.0.0.2:0".parse().expect("an address")).expect("bound");
        let mut stream = other.connect(served.address).await.expect("connected");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        // When the silent ones have gone, their places are free again.
        drop(silent);
        while connect(&served, "localhost").await.is_err() {}
    })
    .await;
}

#[tokio::test]
async fn a_renewed_certificate_is_served_to_the_next_connection() {
    while_serving(async |served| {
        let certificate = async |name: &str| {
            let stream = connect(&served, name).await.expect("a handshake");
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
            stream.get_ref().1.peer_certificates().expect("a certificate")[0].clone()
        };
        let before = certificate("localhost").await;
        assert!(connect(&served, "10.1.2.3").await.is_err());
        let wanted = Names::new(&[], ["10.1.2.3".parse::<IpAddr>().expect("an address")]);
        served.household.renew(&wanted, Clock::system().now(), random).expect("renewed").expect("a reason");
        assert_ne!(certificate("10.1.2.3").await, before);
    })
    .await;
}

#[tokio::test]
async fn a_newly_configured_name_gets_its_certificate_while_running() {
    while_serving(async |served| {
        let settings = |hosts: &str| {
            let text = format!("[web]\nhosts = [{hosts}]\n");
            Arc::new(hearthwatch::config::check(&text, |_| Ok(String::new())).expect("settings").settings)
        };
        let (configured, settings_of_daemon) = tokio::sync::watch::channel(settings("\"nvr.home.arpa\""));
        let stop = CancellationToken::new();
        let renewing =
            keep_renewed(served.household.clone(), settings_of_daemon, Clock::system(), stop.clone(), random);
        let story = async {
            assert!(connect(&served, "garage.lan").await.is_err());
            configured.send_replace(settings("\"garage.lan\", \"garage.example\""));
            while connect(&served, "garage.lan").await.is_err() {}
            assert_eq!(served.household.left_out(), ["garage.example"]);
            stop.cancel();
        };
        tokio::join!(renewing, story);
    })
    .await;
}

/// The whole answer to a plain request on the TLS port.
async fn plainly(served: &Served, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(served.address).await.expect("connected");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", served.address);
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("an answer");
    bytes
}

#[tokio::test]
async fn a_device_that_does_not_trust_it_yet_gets_the_authority_and_nothing_else() {
    while_serving(async |served| {
        let pem = served.household.authority_pem();
        let print = hearthwatch::web::fingerprint(pem).expect("a fingerprint");
        let page = String::from_utf8(plainly(&served, "/trust").await).expect("text");
        assert!(page.starts_with("HTTP/1.1 200 ") && page.contains(&print), "{page}");
        let file = plainly(&served, "/trust/hearthwatch.crt").await;
        let at = file.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        let taken = served.folder.path().join("taken.crt");
        std::fs::write(&taken, &file[at..]).expect("written");
        let taken = taken.to_str().expect("a path");
        let arguments = [
            "x509",
            "-inform",
            "DER",
            "-in",
            taken,
            "-noout",
            "-fingerprint",
            "-sha256",
            "-ext",
            "nameConstraints,basicConstraints",
        ];
        if let Some((ok, text)) = run("openssl", &arguments).await {
            assert!(ok && text.contains(&print) && text.contains("CA:TRUE") && text.contains("Permitted"), "{text}");
        }
        for other in ["/", "/api/me", "/api/health", "/sign-in", "/trust/authority.json"] {
            let answer = String::from_utf8(plainly(&served, other).await).expect("text");
            assert!(answer.starts_with("HTTP/1.1 308 "), "{other}: {answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_older_than_tls_1_2_is_spoken_nor_anything_weak() {
    while_serving(async |served| {
        let address = served.address.to_string();
        for old in [
            &["-tls1_1"][..],
            &["-tls1"],
            &["-tls1_2", "-cipher", "aNULL:eNULL:RC4:3DES:CBC:kRSA@SECLEVEL=0"],
            &["-tls1_2", "-cipher", "AES128-SHA@SECLEVEL=0"],
        ] {
            let arguments = [&["s_client", "-connect", &address], old].concat();
            let Some((ok, text)) = run("openssl", &arguments).await else { return };
            assert!(!ok && !text.contains("BEGIN CERTIFICATE"), "{old:?}: {text}");
        }
    })
    .await;
}
