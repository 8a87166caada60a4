//! `hearthwatch demo`: everything, without a camera or a configuration.
//!
//! The cameras are processes of their own, reached by RTSP and found by mDNS like any others; the daemon is the same daemon.
//! Only the owner's sign-in link and the choice of what discovery may add are particular to it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio_util::sync::CancellationToken;

use crate::access::{Role, Token, password};
use crate::app::daemon::{self, Ready};
use crate::app::discovery::Among;
use crate::app::{Failure, cli, random, serve};
use crate::index::{sign_in_links, users};
use crate::units::{Clock, Secret};

/// How long the cameras may take to be found before the pages are announced without them.
const FINDING: Duration = Duration::from_secs(10);

/// How long the sign-in link holds.
const LINK_HOLDS: Duration = Duration::from_secs(24 * 3600);

/// Who is signed in by it.
const OWNER: &str = "demo";

/// Names and scenes in their order; the third has nobody walking through. More cameras begin again, with a number.
const SCENES: [(&str, &str); 4] =
    [("Front door", "walker"), ("Garden", "walker"), ("Garage", "empty"), ("Back yard", "night")];

/// One simulated camera; ends with this value.
struct FakeCamera {
    process: Child,
    /// Kept open, so that it can go on printing.
    _said: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

/// Starts the cameras, the daemon, and prints the `ready:` line; runs until it is told to stop.
pub(crate) async fn run(options: cli::Demo, clock: Clock, stop: CancellationToken) -> Result<(), Failure> {
    let kept = options.dir.clone();
    let temporary = match kept {
        None => Some(TemporaryFolder::new()?),
        Some(_) => None,
    };
    let dir = kept.unwrap_or_else(|| temporary.as_ref().map(|folder| folder.0.clone()).unwrap_or_default());
    std::fs::create_dir_all(&dir).with_context(|| format!("the folder {} cannot be made", dir.display()))?;
    let dir = dir.canonicalize().with_context(|| format!("the folder {} cannot be used", dir.display()))?;

    let listener = listen(options.listen).await?;
    let config = dir.join("config.toml");
    write_config(&config, &dir, listener.local_addr()?)?;

    let mut cameras = Vec::new();
    for number in 1..=options.cameras {
        cameras.push(FakeCamera::start(number).await?);
    }
    let addresses: Vec<SocketAddr> = cameras.iter().map(|camera| camera.address).collect();
    let daemon = daemon::Options {
        config,
        listener: Some(listener),
        among: Among::Only(addresses),
        wait_for_cameras: Some((usize::from(options.cameras), FINDING)),
    };
    let ran = daemon::run(daemon, clock, stop, async |ready| {
        println!("ready: {}", sign_in_link(&ready).await?);
        eprintln!("Open that link in a browser on this machine; it signs in once. Ctrl-C ends the demo.");
        Ok(())
    })
    .await;
    futures_util::future::join_all(cameras.into_iter().map(FakeCamera::stop)).await;
    ran
}

/// A link that signs the demo's owner in, once.
async fn sign_in_link(ready: &Ready) -> anyhow::Result<String> {
    let token = Token::from_random(random::bytes());
    let expires = ready.site.clock.now().plus(LINK_HOLDS);
    // Nobody ever types this password.
    let password = Secret::new(Token::from_random(random::bytes()).expose());
    let hash = tokio::task::spawn_blocking(move || password::hash(&password, random::bytes())).await?;
    let token_hash = token.hash();
    ready
        .site
        .writer
        .write(move |tx| {
            // The first owner gets every right on every camera there is.
            let owner = if let Some(owner) = users::owners(tx)?.first() {
                *owner
            } else {
                let name = OWNER.parse().expect("a name without oddities");
                users::insert(tx, &name, Role::Owner, &hash)?
            };
            sign_in_links::insert(tx, &token_hash, owner, expires)
        })
        .await?;
    Ok(format!("{}/sign-in/{}", ready.origin, token.expose()))
}

/// The address that was asked for, or the usual one, or any free one.
async fn listen(asked: Option<SocketAddr>) -> Result<tokio::net::TcpListener, Failure> {
    if let Some(address) = asked {
        return serve::listen(address).await;
    }
    match tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 8080)).await {
        Ok(listener) => Ok(listener),
        Err(_) => serve::listen((Ipv4Addr::LOCALHOST, 0).into()).await,
    }
}

/// A configuration as an owner would write it; a demo folder that has one already keeps its cameras' settings but not
/// their addresses, so it begins anew.
fn write_config(config: &Path, dir: &Path, listen: SocketAddr) -> anyhow::Result<()> {
    let mut text = toml_edit::DocumentMut::new();
    text["storage"]["path"] = toml_edit::value(dir.join("storage").display().to_string());
    text["storage"]["keep_free"] = toml_edit::value("1%");
    text["web"]["listen"] = toml_edit::value(listen.to_string());
    text["web"]["tls"] = toml_edit::value("off");
    if !listen.ip().is_loopback() {
        text["web"]["insecure_http"] = toml_edit::value(true);
    }
    text["discovery"]["auto_add"] = toml_edit::value(true);
    std::fs::write(config, text.to_string()).with_context(|| format!("{} cannot be written", config.display()))
}

impl FakeCamera {
    async fn start(number: u8) -> anyhow::Result<Self> {
        let (name, scene) = SCENES[usize::from(number - 1) % SCENES.len()];
        let round = usize::from(number - 1) / SCENES.len();
        let name = if round == 0 { name.to_owned() } else { format!("{name} {}", round + 1) };
        // A loopback address of its own for each, as each real camera has; any free port.
        let address = Ipv4Addr::new(127, 0, 0, 10 + number);
        let exe = std::env::current_exe().context("this program's own file cannot be found")?;
        let mut process = Command::new(exe)
            .args([
                "fake-camera",
                "--mdns",
                "--with-parent",
                "--listen",
                &format!("{address}:0"),
                "--name",
                &name,
                "--scene",
                scene,
            ])
            .args(["--watermark", &(1000 + u16::from(number)).to_string()])
            // As in real households, some say themselves when something moves, and others do not.
            .args((!number.is_multiple_of(3)).then_some("--metadata"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .process_group(0) // Ctrl-C is for the demo, which stops recording before the cameras go
            .spawn()
            .context("a simulated camera cannot be started")?;
        let stdout = process.stdout.take().context("a simulated camera has no output")?;
        let mut said = BufReader::new(stdout).lines();
        let line = said.next_line().await?.with_context(|| format!("the simulated camera \"{name}\" ended at once"))?;
        let address = line
            .split_whitespace()
            .find_map(|word| word.strip_prefix("rtsp://")?.split('/').next()?.parse().ok())
            .with_context(|| format!("the simulated camera \"{name}\" said \"{line}\" instead of its address"))?;
        Ok(Self { process, _said: said, address })
    }

    /// Says goodbye by mDNS and ends; killed if it does not.
    async fn stop(mut self) {
        if let Some(pid) = self.process.id().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)) {
            // It may have ended by itself.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if tokio::time::timeout(Duration::from_secs(3), self.process.wait()).await.is_err() {
            tracing::warn!("a simulated camera did not end when asked; killing it");
            let _ = self.process.kill().await;
        }
    }
}

/// A folder that is removed with everything in it.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("hearthwatch-demo-{:016x}", u64::from_be_bytes(random::bytes())));
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).with_context(|| format!("the temporary folder {} cannot be made", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the demo's folder could not be removed");
        }
    }
}
