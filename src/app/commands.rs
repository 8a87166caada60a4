//! The commands: each starts what it needs, and no more.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::app::cli::{self, Command};
use crate::app::discovery::Among;
use crate::app::{Failure, check, claim, daemon, demo, doctor, lifecycle, limits, manual, owner, user};
use crate::camera::discovery::{self, DiscoveryEvent, Found, How, Scope, Ways};
use crate::config::settings::CameraUrl;
use crate::units::{CameraId, Clock};
use crate::{config, detect, fake_camera};

/// Runs one command to its end.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    let clock = Clock::system();
    if matches!(command, Command::Run(_) | Command::Demo(_)) {
        limits::set();
    }
    match command {
        Command::Run(options) => until_stopped(&clock.clone(), |stop| {
            let among = if options.loopback { Among::Loopback } else { Among::Lan };
            let config = options.config.config;
            let options = daemon::Options { config, listener: None, among, wait_for_cameras: None };
            daemon::run(options, clock, stop, async |ready| {
                tracing::info!("serving on {}", ready.origin);
                Ok(claim::offer(&ready).await?)
            })
        }),
        Command::Demo(options) => until_stopped(&clock.clone(), |stop| demo::run(options, clock, stop)),
        Command::FakeCamera(options) => until_stopped(&clock.clone(), |stop| fake_camera(*options, clock, stop)),
        Command::Discover(options) => until_stopped(&clock.clone(), |stop| discover(options, stop)),
        Command::Motion(options) => motion(&options),
        Command::CheckConfig(options) => check_config(&options.file),
        Command::Check(options) => {
            owner::become_owner(&options.config.config)?;
            check::run(&options, &clock)
        }
        Command::User(command) => {
            owner::become_owner(&command.config().config)?;
            user::run(command, &clock)
        }
        Command::ClaimCode(options) => {
            owner::become_owner(&options.config)?;
            claim::print(&options)
        }
        Command::Doctor(options) => doctor::run(&options.config, &clock),
        Command::Manual { folder } => manual::write(&folder),
        Command::Decoder(_) => Ok(()), // taken before anything was started, in `app::main`
    }
}

/// Runs a future on as many threads as there are cores, with a token that SIGINT and SIGTERM cancel.
fn until_stopped<F>(clock: &Clock, start: impl FnOnce(CancellationToken) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot start")?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::select! {
            ended = start(stop.clone()) => ended,
            failed = lifecycle::stop_on_signal(stop, clock.clone()) => match failed {
                Ok(never) => match never {},
                Err(error) => Err(error.into()),
            },
        }
    })
}

async fn fake_camera(options: cli::FakeCamera, clock: Clock, stop: CancellationToken) -> Result<(), Failure> {
    if options.with_parent {
        // As if the parent had asked: with a goodbye to the network.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    }
    // The line is the promise that it listens.
    let on_ready = |ready: fake_camera::ReadyInfo| println!("ready: {} {}", ready.main_url, ready.sub_url);
    Ok(fake_camera::run(options.into(), clock, stop, on_ready).await?)
}

/// One camera a line, as soon as it is known.
async fn discover(options: cli::Discover, stop: CancellationToken) -> Result<(), Failure> {
    let scope = if options.loopback { Scope::Loopback } else { Scope::Lan };
    let limit = Duration::from_secs(options.seconds.into());
    let ways = Ways { mdns: true, onvif: true, again: Arc::default() };
    let browsing = discovery::browse(scope, ways, stop, |event| {
        if let DiscoveryEvent::Found(found) = event {
            println!("{}", if options.json { found_as_json(&found) } else { found_as_line(&found) });
        }
    });
    match tokio::time::timeout(limit, browsing).await {
        Ok(ended) => Ok(ended?),
        Err(_) => Ok(()), // the time is over, and nothing went wrong
    }
}

fn found_as_line(found: &Found) -> String {
    let urls: Vec<String> =
        [found.url(), found.detect_url()].into_iter().flatten().map(|url| url.to_string()).collect();
    let evidence: Vec<String> = found.txt.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let urls = if urls.is_empty() { "stream not announced".to_owned() } else { urls.join(" ") };
    let how = match found.how {
        How::Mdns => "mDNS",
        How::Onvif => "ONVIF",
    };
    format!("{}\t{}:{}\t{urls}\t{}\t{how}", found.name, found.address, found.port, evidence.join(" "))
}

fn found_as_json(found: &Found) -> String {
    let url = |url: Option<CameraUrl>| url.map(|url| url.to_string());
    serde_json::json!({
        "name": found.name,
        "address": found.address,
        "port": found.port,
        "url": url(found.url()),
        "detect_url": url(found.detect_url()),
        "instance": found.instance,
        "txt": found.txt,
        "how": match found.how { How::Mdns => "mdns", How::Onvif => "onvif" },
    })
    .to_string()
}

fn motion(options: &cli::Motion) -> Result<(), Failure> {
    let mut settings = match (&options.config, &options.camera) {
        (Some(file), Some(camera)) => camera_motion(file, camera)?,
        _ => config::settings::Motion::default(),
    };
    if options.key_frames {
        settings.decode = config::settings::Decode::KeyFrames;
    }
    let exe = std::env::current_exe().context("this program's own file cannot be found")?;
    let job =
        detect::file::Job { path: &options.file, settings: &settings, exe: &exe, explain: options.explain.clone() };
    // On this thread alone, which stays as long as the decoder process.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime cannot start")?;
    let report = runtime.block_on(detect::file::motion(job))?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        for interval in &report.intervals {
            println!("{:.1} s to {:.1} s, peak {:.3}", interval.start_s, interval.end_s, interval.peak);
        }
    }
    Ok(())
}

fn camera_motion(file: &Path, camera: &str) -> Result<config::settings::Motion, Failure> {
    let settings = config::load(file).map_err(|error| Failure::Usage(error.to_string()))?;
    let known = settings.cameras.keys().map(CameraId::as_str).collect::<Vec<_>>().join(", ");
    let named = settings.cameras.into_iter().find(|(id, settings)| id.as_str() == camera || settings.name == camera);
    match named {
        Some((_, settings)) => Ok(settings.motion),
        None => Err(Failure::Usage(format!("there is no camera \"{camera}\" in {}; it has: {known}", file.display()))),
    }
}

fn check_config(file: &Path) -> Result<(), Failure> {
    let settings = config::load(file).map_err(|error| Failure::Usage(error.to_string()))?;
    println!("{} is in order: {} cameras", file.display(), settings.cameras.len());
    Ok(())
}
