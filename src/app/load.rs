//! Divides what this machine can decode among the cameras: asks each second how each does, and tells each what it may have.
//!
//! Nothing but looking for motion is held back by it; recording asks nobody.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::camera::status::Link;
use crate::detect::counters::KeyFrames;
use crate::detect::load::{Demand, Load};
use crate::units::CameraId;
use crate::web::{OnBoard, SiteParts};

const EACH: Duration = Duration::from_secs(1);

/// Runs until `stop`.
pub(crate) async fn run(site: SiteParts, stop: CancellationToken) {
    let (mut load, mut was_told) = (Load::new(), false);
    while stop.run_until_cancelled(tokio::time::sleep(EACH)).await.is_some() {
        let cameras = site.board.all();
        let demands: BTreeMap<CameraId, Demand> =
            cameras.iter().filter_map(|(camera, entry)| Some((camera.clone(), demand(entry)?))).collect();
        let shed = load.share(site.clock.monotonic().0, &demands);
        for (camera, entry) in &cameras {
            entry.detection.is_shed.store(shed.contains(camera), Ordering::Relaxed);
        }
        if shed.is_empty() == was_told {
            was_told = !shed.is_empty();
            if was_told {
                tracing::warn!(
                    "this machine is too busy to look at every picture: cameras take turns at making do with key frames while \
                     nothing moves; recording goes on as ever"
                );
            } else {
                tracing::info!("every picture is looked at again");
            }
        }
    }
}

/// What a camera asks for; `None` if it asks for nothing that could be shed.
fn demand(entry: &OnBoard) -> Option<Demand> {
    let is_late = entry.detection.late.swap(0, Ordering::Relaxed) > 0;
    if !entry.detects_motion || entry.detection.key_frames() == Some(KeyFrames::Chosen) {
        return None;
    }
    let status = entry.sub.as_ref().unwrap_or(&entry.main).borrow();
    let video = status.parameters.as_ref().filter(|_| status.link == Link::Streaming).map(|known| &known.video);
    let pixels = video.map_or(0.0, |video| f64::from(video.width) * f64::from(video.height));
    Some(Demand { pixels_per_s: pixels * f64::from(status.pictures_per_second), is_late })
}
