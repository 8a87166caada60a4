//! What the index of a recorder lists of a camera.

use std::path::Path;

use hearthwatch::index::{Readers, gaps, segments};
use hearthwatch::record::segment::{ClosedSegment, Gap};
use hearthwatch::units::{CameraId, UtcMicros, UtcSpan};

/// All that was recorded and all that is missing; `None` where no index answers (yet).
pub(crate) fn listed(storage: &Path, camera: &str) -> Option<(Vec<ClosedSegment>, Vec<Gap>)> {
    let camera: CameraId = camera.parse().expect("an id");
    let ever = UtcSpan::new(UtcMicros(0), UtcMicros(i64::MAX)).expect("in order");
    let readers = Readers::open(&storage.join("hearthwatch.db")).ok()?;
    readers
        .read_blocking(|conn| Ok((segments::between(conn, &camera, ever)?, gaps::between(conn, &camera, ever)?)))
        .ok()
}
