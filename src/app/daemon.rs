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
use crate::app::{
    Failure, announce, clock_set, discovery, follow, guessed_time, lan_only, load, pauses, retention, serve, storage,
    task,
};
use crate::camera::identity::Pins;
use crate::config;
use crate::config::changes::Changes;
use crate::config::settings::{Settings, Tls};
use crate::disk::{self, Footage, Gone, Seen};
use crate::index::adoption::{self, RecordedUntil};
use crate::index::{self, Readers, Writer};
use crate::media::live::Rings;
use crate::record::OpenSegments;
use crate::record::recover::{self, Outcome};
use crate::record::segment::GapCause;
use crate::units::Clock;
use crate::web::{Board, PauseSwitch, SiteParts};

/// The index's file within the storage folder.
pub(crate) const INDEX: &str = "hearthwatch.db";

/// How far before a camera's newest row files are compared with the index at start: clocks step, and rows come a bit late.
const ADOPT_BACK: Duration = Duration::from_secs(48 * 3600);

/// How long the index may take for the last rows. What it does not take, the files tell the next start.
const LAST_ROWS: Duration = Duration::from_secs(1);

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
///
/// All of it stands on the storage folder. When its disk goes away, all of it ends, and begins again when the disk is back.
pub(crate) async fn run<F>(
    mut options: Options,
    clock: Clock,
    stop: CancellationToken,
    on_ready: impl FnOnce(Ready) -> F,
) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut settings = config::load(&options.config).map_err(|error| Failure::Usage(error.to_string()))?;
    // Bound first, so that a port that is taken is told before anything is touched.
    let mut listener = match options.listener.take() {
        Some(listener) => Some(listener),
        None => Some(serve::listen(settings.web.listen).await?),
    };
    let seen = Seen::beside(&options.config);
    let (mut on_ready, mut was_lost) = (Some(on_ready), false);
    loop {
        let Some(opened) = storage::wait(&settings.storage.path, &seen, &stop).await? else { return Ok(()) };
        let listener = match listener.take() {
            Some(listener) => listener,
            None => serve::listen(settings.web.listen).await?,
        };
        let life = Life { options: &options, settings: settings.clone(), listener, clock: &clock };
        let gone = live(life, opened.footage, was_lost || opened.was_away, &stop, on_ready.take()).await?;
        let Some(gone) = gone else { return Ok(()) };
        tracing::error!("recording stopped until the disk is back: {gone}");
        was_lost = true;
        // A file that is wrong by now says so when it is watched again; the settings of before stay.
        settings = config::load(&options.config).unwrap_or(settings);
    }
}

/// What a life of the daemon on one storage folder begins with.
struct Life<'a> {
    options: &'a Options,
    settings: Settings,
    listener: TcpListener,
    clock: &'a Clock,
}

/// Runs until `stop`, or until the disk is gone: then says how.
async fn live<F>(
    life: Life<'_>,
    footage: Footage,
    was_away: bool,
    stop: &CancellationToken,
    on_ready: Option<impl FnOnce(Ready) -> F>,
) -> Result<Option<Gone>, Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let Life { options, settings, listener, clock } = life;
    let address = listener.local_addr().context("the web's socket has no address")?;
    let origin = origin(address, settings.web.tls);

    let Opened { site, writer_thread, settings_sender, identities, to_save, why_not } =
        open(settings, &options.config, footage, clock).await?;
    let why_not = if was_away { GapCause::StorageMissing } else { why_not };
    let authority = {
        let current = site.settings.borrow().clone();
        serve::authority(site.footage.path(), &current, clock).await?
    };
    let (feed, reports) = Feed::new();
    let last_try = CancellationToken::new();
    let feed_task = task::spawn(index_feed::run(reports, site.clone(), last_try.clone()));
    let mut household = Household::new(site.clone(), feed, identities.clone(), why_not)?;
    let mut settings = site.settings.clone();
    let current = settings.borrow_and_update().clone();
    let (pauses_sender, mut paused) = watch::channel(pauses::read(&site).await?);
    household.apply(&current, &paused.borrow_and_update().clone()).await;

    // From here on, a task of these that ends by itself has failed.
    let (mut tasks, ending) = (JoinSet::new(), stop.child_token());
    let web_stop = CancellationToken::new();
    tasks.spawn(serve::run(site.clone(), listener, authority, web_stop.clone()));
    tasks.spawn(retention::run(site.clone(), ending.clone()));
    tasks.spawn(load::run(site.clone(), ending.clone()));
    tasks.spawn(identities::save(to_save, site.writer.clone(), web_stop.clone()));
    let (config, among) = (options.config.clone(), options.among.clone());
    tasks.spawn(discovery::run(config.clone(), among, identities.clone(), site.clone(), ending.clone()));
    tasks.spawn(follow::run(config, identities, site.clone(), ending.clone()));
    tasks.spawn(reload(options.config.clone(), settings_sender, ending.clone()));
    tasks.spawn(pauses::run(site.clone(), pauses_sender, ending.clone()));
    tasks.spawn(keep_watchdog_quiet(ending.clone()));
    tasks.spawn(announce::run(site.settings.clone(), address, ending.clone()));

    if let Some((count, limit)) = options.wait_for_cameras.filter(|_| on_ready.is_some()) {
        let known = async {
            while household.len() < count && settings.changed().await.is_ok() {
                let current = settings.borrow_and_update().clone();
                household.apply(&current, &paused.borrow().clone()).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            waited = tokio::time::timeout(limit, known) => if waited.is_err() {
                tracing::warn!("only {} of {count} cameras were found within {limit:?}", household.len());
            },
        }
    }
    // Whatever fails from here on, what is being recorded is closed in order.
    let mut ended = Ok(None);
    if !stop.is_cancelled() {
        let status = format!("Recording. {}", site.lan_only.in_words());
        tracing::info!("{}", site.lan_only.in_words());
        notify(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status(&status)]);
        if let Some(on_ready) = on_ready {
            ended = on_ready(Ready { origin, site: site.clone() }).await.map(|()| None);
        }
    }
    let mut gone = std::pin::pin!(storage::watch(site.footage.clone()));
    while matches!(ended, Ok(None)) {
        tokio::select! {
            () = stop.cancelled() => break,
            Ok(()) = settings.changed() => {
                let current = settings.borrow_and_update().clone();
                household.apply(&current, &paused.borrow().clone()).await;
            }
            Ok(()) = paused.changed() => {
                let current = settings.borrow().clone();
                household.apply(&current, &paused.borrow_and_update().clone()).await;
            }
            gone = &mut gone => ended = Ok(Some(gone)),
            Some(task) = tasks.join_next() => {
                if !stop.is_cancelled() {
                    ended = Err(anyhow!("a part of the daemon ended by itself: {task:?}").into());
                }
            }
        }
    }

    // Down the pipe: cameras stop, segments close, the index commits, then the web stops.
    ending.cancel();
    if !matches!(ended, Ok(Some(_))) {
        notify(&[sd_notify::NotifyState::Stopping]);
    }
    household.stop().await; // with it the last feed is dropped, so its task ends
    let overdue = async {
        tokio::time::sleep(LAST_ROWS).await;
        last_try.cancel();
    };
    let mut feed_task = std::pin::pin!(feed_task);
    let fed = tokio::select! {
        fed = &mut feed_task => fed,
        () = overdue => feed_task.await,
    };
    fed.context("the index feed failed")?;
    web_stop.cancel();
    while let Some(task) = tasks.join_next().await {
        task.context("a part of the daemon failed")?;
    }
    if matches!(ended, Ok(None)) {
        // Not in the way of the end: without it the next start takes this one for a crash, and no more.
        let in_order = tokio::time::timeout(LAST_ROWS, site.writer.write(index::running::end)).await;
        if !matches!(in_order, Ok(Ok(()))) {
            tracing::warn!(
                "the index does not take a last row; the next start looks through everything as after a crash"
            );
        }
    }
    drop((site, settings)); // with it the last writer
    tokio::task::spawn_blocking(move || writer_thread.join()).await?.map_err(|_| anyhow!("the index writer failed"))?;
    ended
}

/// What stands when the storage folder is open.
struct Opened {
    site: SiteParts,
    writer_thread: std::thread::JoinHandle<()>,
    settings_sender: watch::Sender<Arc<Settings>>,
    identities: Arc<Identities>,
    to_save: identities::Saves,
    /// Why nothing was recorded since the life before.
    why_not: GapCause,
}

/// Index on disk, then what the last life left behind: each stands on the one before.
async fn open(settings: Settings, config: &Path, footage: Footage, clock: &Clock) -> Result<Opened, Failure> {
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
    let why_not = writer.write(|tx| index::running::begin(tx, &disk::boot_id())).await?;
    adopt(&footage, &writer, &readers).await?;
    if let Some(newest) = readers.read(index::segments::newest_end).await? {
        clock.is_after(newest);
    }
    let now = clock.now();
    // After that: an event that was open ends where its camera's footage does, and so does what the camera said itself.
    writer.write(move |tx| index::events::end_open(tx, now)).await?;
    writer.write(move |tx| index::camera_motion::end_open(tx, now)).await?;
    let over_tls = settings.web.tls == Tls::Auto;
    let (settings_sender, settings) = watch::channel(Arc::new(settings));
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
        lan_only: lan_only::probe(),
        pauses: PauseSwitch::default(),
    };
    guessed_time::begin(&site).await?;
    Ok(Opened { site, writer_thread, settings_sender, identities, to_save, why_not })
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
                    let row = readers.read_blocking(|conn| index::segments::by_id(conn, segment.id))?;
                    let open = |path: &Path| footage.open_file(path).map(drop);
                    if row.is_some_and(|row| clock_set::was_moved(&row, &segment, open)) {
                        writer.write_blocking(move |tx| {
                            index::clock_set::move_segment(tx, &segment, segment.span, &segment.path)
                        })?;
                        continue;
                    }
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
    format!("{}://{address}", tls.scheme())
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

pub(crate) fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}
