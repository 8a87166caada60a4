//! The segments that are being written, for those who want to look at the newest footage.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::record::segment::OpenSegment;
use crate::units::{CameraId, SegmentId};

/// What every camera is writing now, up to the last sync. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct OpenSegments(Arc<RwLock<HashMap<CameraId, OpenSegment>>>);

impl OpenSegments {
    /// After a sync, or when the file got its final name.
    pub fn set(&self, segment: OpenSegment) {
        let mut open = self.0.write().unwrap_or_else(PoisonError::into_inner);
        open.insert(segment.camera.clone(), segment);
    }

    /// When it is a row, or was given up. Another segment of the same camera stays.
    pub fn remove(&self, camera: &CameraId, id: SegmentId) {
        let mut open = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if open.get(camera).is_some_and(|segment| segment.id == id) {
            open.remove(camera);
        }
    }

    /// What that camera is writing; `None` before the first sync of a segment.
    pub fn of(&self, camera: &CameraId) -> Option<OpenSegment> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(camera).cloned()
    }
}
