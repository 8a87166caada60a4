//! What the tests of this module share: a site without cameras.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::access::Gate;
use crate::app::identities::Identities;
use crate::app::keeper::HouseKeeper;
use crate::camera::identity::Pins;
use crate::camera::status::StreamStatus;
use crate::config;
use crate::config::settings::Settings;
use crate::disk::Footage;
use crate::index;
use crate::media::live::Rings;
use crate::record::OpenSegments;
use crate::units::{CameraId, Clock, InstallationId};
use crate::web::{Board, CameraCounters, LanOnly, OnBoard, PauseSwitch, SiteParts};

/// A new storage folder, its index with a running writer, and nothing else. The configuration is that text.
pub(crate) fn site(folder: &Path, config: &str, clock: Clock) -> SiteParts {
    let checked = config::check(config, |_| Err(std::io::ErrorKind::NotFound.into())).expect("a valid configuration");
    let settings: Settings = checked.settings;
    let footage = Footage::open(folder, InstallationId::from_random([1; 16])).expect("opens");
    let (thread, writer, readers) = index::open(&folder.join("hearthwatch.db")).expect("opens");
    std::thread::Builder::new().spawn(move || thread.run()).expect("a thread");
    let (board, settings) = (Board::default(), watch::channel(Arc::new(settings)).1);
    let (identities, _) = Identities::new(Pins::new([].into()), settings.clone(), board.clone(), clock.clone());
    let keeper = HouseKeeper::new(identities, folder.join("config.toml"), "/nonexistent".into(), clock.clone());
    SiteParts {
        gate: Gate::new(Arc::new(readers.clone()), clock.clone()),
        writer,
        readers,
        footage,
        open: OpenSegments::default(),
        rings: Rings::default(),
        board,
        settings,
        clock,
        over_tls: false,
        lan_only: LanOnly::Unknown,
        pauses: PauseSwitch::default(),
        keeper: Arc::new(keeper),
    }
}

/// Puts a camera on the board that counts there.
pub(crate) fn on_board(site: &SiteParts, camera: &CameraId, counters: Arc<CameraCounters>) {
    let entry = OnBoard {
        name: camera.to_string(),
        main: watch::channel(StreamStatus::new(site.clock.now())).1,
        sub: None,
        snapshots: mpsc::channel(1).0,
        record: "continuous",
        detects_motion: true,
        detection: Arc::default(),
        counters,
    };
    site.board.set(camera.clone(), entry);
}
