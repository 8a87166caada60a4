//! The daemon's whole life on one page: first what the others stand on; at the end, down the way of the data.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::access::Gate;
use crate::app::household::Household;
use crate::app::identities::{self, Identities};
use crate::app::index_feed::{self, Feed};
use crate::app::keeper::HouseKeeper;
use crate::app::{Failure, discovery, follow, random, retention, serve, task};
use crate::camera::identity::Pins;
use crate::config;
use crate::config::changes::Changes;
use crate::config::settings::{Settings, Tls};
use crate::disk::{self, Footage};
use crate::index::adoption::{self, RecordedUntil};
use crate::index::{self, Readers, Writer};
use crate::media::live::Rings;
use crate::record::OpenSegments;
use crate::record::recover::{self, Outcome};
use crate::units::{Clock, InstallationId};
use crate::web::{Board, SiteParts};

/// The index's file within the storage folder.
pub(crate) const INDEX: &str = "hearthwatch.db";

/// How far before a camera's newest row files are compared with the index at start: clocks step, and rows come a bit late.
const ADOPT_BACK: Duration = Duration::from_secs(48 * 3600);

/// What differs between the daemon and the demo.
pub(crate) struct Options {
    /// The configuration file.
    pub(crate) config: PathBuf,
    /// A socket that is bound already; otherwise the configuration says where.
    pub(crate) listener: Option<TcpListener>,
    /// Which announcements count.
    pub(crate) among: discovery::Among,
    /// Ready only once that many cameras are known, or after that long.
    pub(crate) wait_for_cameras: Option<(usize, Duration)>,
}

/// What the daemon tells when it serves.
pub(crate) struct Ready {
    /// Where the pages are, as `http://127.0.0.1:8080`.
    pub(crate) origin: String,
    /// What the pages are made from.
    pub(crate) site: SiteParts,
}

/// Runs until `stop`; everything that was recorded is closed and in the index when it returns. What `on_ready` returns goes
/// on beside it, until it ends.
pub(crate) async fn run<F>(
    options: Options,
    clock: Clock,
    stop: CancellationToken,
    on_ready: impl FnOnce(Ready) -> F,
) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let settings = config::load(&options.config).map_err(|error| Failure::Usage(error.to_string()))?;
    let listener = match options.listener {
        Some(listener) => listener,
        None => serve::listen(settings.web.listen).await?,
    };
    let address = listener.local_addr().context("the web's socket has no address")?;
    let origin = origin(address, settings.web.tls);

    let Opened { site, writer_thread, settings: settings_sender, identities, to_save } =
        open(settings, &options.config, &clock).await?;
    let authority = {
        let current = site.settings.borrow().clone();
        serve::authority(site.footage.path(), &current, &clock).await?
    };
    let (feed, reports) = Feed::new();
    let feed_task = task::spawn(index_feed::run(reports, site.clone()));
    let mut household = Household::new(site.clone(), feed, identities.clone())?;
    let mut settings = site.settings.clone();
    let current = settings.borrow_and_update().clone();
    household.apply(&current).await;

    // From here on, a task of these that ends by itself has failed.
    let mut tasks = JoinSet::new();
    let web_stop = CancellationToken::new();
    tasks.spawn(serve::run(site.clone(), listener, authority, web_stop.clone()));
    tasks.spawn(retention::run(site.clone(), stop.clone()));
    tasks.spawn(identities::save(to_save, site.writer.clone(), web_stop.clone()));
    let (config, among) = (options.config.clone(), options.among);
    tasks.spawn(discovery::run(config.clone(), among, identities.clone(), site.clone(), stop.clone()));
    tasks.spawn(follow::run(config, identities, site.clone(), stop.clone()));
    tasks.spawn(reload(options.config, settings_sender, stop.clone()));
    tasks.spawn(keep_watchdog_quiet(stop.clone()));

    if let Some((count, limit)) = options.wait_for_cameras {
        let known = async {
            while household.len() < count && settings.changed().await.is_ok() {
                let current = settings.borrow_and_update().clone();
                household.apply(&current).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            waited = tokio::time::timeout(limit, known) => if waited.is_err() {
                tracing::warn!("only {} of {count} cameras were found within {limit:?}", household.len());
            },
        }
    }
    if !stop.is_cancelled() {
        notify(&[sd_notify::NotifyState::Ready]);
        on_ready(Ready { origin, site: site.clone() }).await?;
    }

    let ended = loop {
        tokio::select! {
            () = stop.cancelled() => break Ok(()),
            Ok(()) = settings.changed() => {
                let current = settings.borrow_and_update().clone();
                household.apply(&current).await;
            }
            Some(ended) = tasks.join_next() => {
                if !stop.is_cancelled() {
                    break Err(anyhow!("a part of the daemon ended by itself: {ended:?}"));
                }
            }
        }
    };

    // Down the pipe: cameras stop, segments close, the index commits, then the web stops.
    stop.cancel();
    notify(&[sd_notify::NotifyState::Stopping]);
    household.stop().await; // with it the last feed is dropped, so its task ends
    feed_task.await.context("the index feed failed")?;
    web_stop.cancel();
    while let Some(ended) = tasks.join_next().await {
        ended.context("a part of the daemon failed")?;
    }
    drop((site, settings)); // with it the last writer
    tokio::task::spawn_blocking(move || writer_thread.join()).await?.map_err(|_| anyhow!("the index writer failed"))?;
    Ok(ended?)
}

/// What everything else stands on.
struct Opened {
    site: SiteParts,
    writer_thread: std::thread::JoinHandle<()>,
    settings: watch::Sender<Arc<Settings>>,
    identities: Arc<Identities>,
    to_save: identities::Saves,
}

/// Disk, then index, then what the last life left behind: each stands on the one before.
async fn open(settings: Settings, config: &Path, clock: &Clock) -> Result<Opened, Failure> {
    let footage = Footage::open(&settings.storage.path, InstallationId::from_random(random::bytes()))?;
    let (writer_thread, writer, readers) = index::open(&footage.path().join(INDEX))?;
    let writer_thread =
        std::thread::Builder::new().name("index".to_owned()).spawn(move || writer_thread.run()).context("no thread")?;
    let installation = footage.installation();
    if writer.write(move |tx| index::installation::bind(tx, installation)).await? != installation {
        return Err(Failure::Failed(anyhow!(
            "the index in {} belongs to another storage folder; move {INDEX} away, and `hearthwatch check --repair` makes a \
             new one from the footage",
            footage.path().display()
        )));
    }
    let now = clock.now();
    adopt(&footage, &writer, &readers).await?;
    // After that: an event that was open ends where its camera's footage does.
    writer.write(move |tx| index::events::end_open(tx, now)).await?;
    let over_tls = settings.web.tls == Tls::Auto;
    let (sender, settings) = watch::channel(Arc::new(settings));
    let pins = readers.read(index::pins::all).await.context("who the cameras are cannot be read")?;
    let board = Board::default();
    let (identities, to_save) = Identities::new(Pins::new(pins), settings.clone(), board.clone(), clock.clone());
    let exe = std::env::current_exe().context("this program's own file cannot be found")?;
    let keeper = HouseKeeper::new(identities.clone(), config.to_owned(), exe, clock.clone());
    let site = SiteParts {
        gate: Gate::new(Arc::new(readers.clone()), clock.clone()),
        writer,
        readers,
        footage,
        open: OpenSegments::default(),
        rings: Rings::default(),
        board,
        keeper: Arc::new(keeper),
        settings,
        clock: clock.clone(),
        over_tls,
    };
    Ok(Opened { site, writer_thread, settings: sender, identities, to_save })
}

/// Enters what the last life left on disk without a row: the newest minutes after a crash; everything, if the index was lost.
async fn adopt(footage: &Footage, writer: &Writer, readers: &Readers) -> Result<(), Failure> {
    let (footage, writer, readers) = (footage.clone(), writer.clone(), readers.clone());
    let adopting = move || -> Result<(), Failure> {
        let mut until = readers.read_blocking(RecordedUntil::read)?;
        let at_start = until.clone();
        // What is much older than the newest row was entered long ago; `check --repair` looks at all of it.
        let is_old = |path: &Path| {
            let (camera, day) = disk::camera_and_day(path)?;
            Some(day < at_start.of(&camera)?.minus(ADOPT_BACK))
        };
        // A file that waits to be removed must not get its row back. If the index does not answer, nothing is entered.
        let is_known = |path: &Path| {
            is_old(path) == Some(true)
                || readers
                    .read_blocking(|conn| {
                        Ok(index::segments::by_path(conn, path)?.is_some() || index::garbage::holds(conn, path)?)
                    })
                    .unwrap_or(true)
        };
        for outcome in recover::adopt(&footage, is_known) {
            match outcome {
                Outcome::Adopted(segment) => {
                    let path = segment.path.display().to_string();
                    tracing::info!(camera = %segment.camera, path, "footage without a row was found and entered");
                    let before = until.before(&segment);
                    writer.write_blocking(move |tx| adoption::enter(tx, &segment, before))?;
                }
                Outcome::Removed(path) => tracing::debug!(path = %path.display(), "an empty file was removed"),
                Outcome::Left { path, why } => tracing::warn!(path = %path.display(), why, "a file was left as it is"),
            }
        }
        Ok(())
    };
    tokio::task::spawn_blocking(adopting).await?
}

/// Where the pages are, for a person on this machine.
fn origin(address: SocketAddr, tls: Tls) -> String {
    let scheme = match tls {
        Tls::Auto => "https",
        Tls::Off => "http",
    };
    format!("{scheme}://{address}")
}

/// A household without an owner is told how to get one.
pub(crate) async fn tell_if_nobody_can_sign_in(ready: &Ready) -> anyhow::Result<()> {
    if ready.site.readers.read(index::users::owners).await?.is_empty() {
        tracing::warn!("nobody can sign in yet; add the first person with `hearthwatch user add NAME --role owner`");
    }
    Ok(())
}

/// Takes up each change of the configuration file; a bad file changes nothing.
async fn reload(path: PathBuf, settings: watch::Sender<Arc<Settings>>, stop: CancellationToken) {
    config::watch(&path, stop, |loaded| match loaded {
        Ok(new) => {
            let changes = Changes::between(&settings.borrow(), &new);
            if changes.is_empty() {
                return;
            }
            for key in changes.waiting_for_start() {
                tracing::warn!("the change of {key} counts from the next start on");
            }
            tracing::info!("the configuration changed");
            settings.send_replace(Arc::new(new));
        }
        Err(error) => tracing::error!("the changed configuration is not used, the settings of before stay: {error}"),
    })
    .await;
}

/// Tells systemd that the runtime still runs, at half the interval that it asks for.
async fn keep_watchdog_quiet(stop: CancellationToken) {
    let Some(interval) = sd_notify::watchdog_enabled() else {
        return stop.cancelled().await;
    };
    while stop.run_until_cancelled(tokio::time::sleep(interval / 2)).await.is_some() {
        notify(&[sd_notify::NotifyState::Watchdog]);
    }
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}
