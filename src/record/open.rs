//! The footage that has no row yet, for those who want to look at the newest.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::record::segment::{ClosedSegment, OpenSegment};
use crate::units::{CameraId, SegmentId};

/// What every camera is writing now, up to the last sync, and what was closed and waits for its row. Cheap to clone; all
/// clones are one.
#[derive(Debug, Clone, Default)]
pub struct OpenSegments(Arc<RwLock<HashMap<CameraId, Vec<OpenSegment>>>>);

impl OpenSegments {
    /// After a sync.
    pub fn set(&self, segment: OpenSegment) {
        let mut open = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let of_camera = open.entry(segment.camera.clone()).or_default();
        of_camera.retain(|other| other.id != segment.id);
        of_camera.push(segment);
    }

    /// When the file got its final name; it stays here until its row is written and [`OpenSegments::remove`] is called.
    pub fn close(&self, segment: &ClosedSegment) {
        self.set(OpenSegment {
            id: segment.id,
            camera: segment.camera.clone(),
            span: segment.span,
            path: segment.path.clone(),
            synced: segment.size,
            codecs: segment.codecs.clone(),
            width: segment.width,
            height: segment.height,
        });
    }

    /// When it is a row, or was given up. Other segments of the same camera stay.
    pub fn remove(&self, camera: &CameraId, id: SegmentId) {
        let mut open = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_camera) = open.get_mut(camera) {
            of_camera.retain(|segment| segment.id != id);
        }
    }

    /// That camera's segments without a row, oldest first; empty before the first sync.
    pub fn of(&self, camera: &CameraId) -> Vec<OpenSegment> {
        let mut segments =
            self.0.read().unwrap_or_else(PoisonError::into_inner).get(camera).cloned().unwrap_or_default();
        segments.sort_by_key(|segment| segment.span.start());
        segments
    }
}
