//! One segment's file, from its first byte to its closed row.

use std::sync::Arc;

use crate::camera::packet::StreamParameters;
use crate::disk::{Footage, PartError, PartFile};
use crate::record::fmp4::{self, Provenance};
use crate::record::fragmenter::Fragment;
use crate::record::segment::{ClosedSegment, GapCause, OpenSegment};
use crate::units::{CameraId, SegmentId, UtcMicros, UtcSpan};

/// A segment that is being written.
#[derive(Debug)]
pub(super) struct Recording {
    provenance: Provenance,
    parameters: Arc<StreamParameters>,
    part: PartFile,
    /// Of what was appended.
    end: UtcMicros,
    pictures: u32,
}

impl Recording {
    /// Makes the file, with everything before the first fragment in it.
    pub(super) fn begin(
        footage: &Footage,
        camera: &CameraId,
        segment: SegmentId,
        start: UtcMicros,
        parameters: Arc<StreamParameters>,
    ) -> Result<Self, PartError> {
        let provenance = Provenance { camera: camera.clone(), installation: footage.installation(), segment, start };
        let mut part = footage.create_part(camera, start)?;
        if let Err(error) = part.append(&fmp4::init_segment(&parameters, Some(&provenance))) {
            discard(footage, part);
            return Err(error);
        }
        Ok(Self { provenance, parameters, part, end: start, pictures: 0 })
    }

    pub(super) fn id(&self) -> SegmentId {
        self.provenance.segment
    }

    /// Appends a fragment that ends then.
    pub(super) fn append(&mut self, fragment: &Fragment, end: UtcMicros) -> Result<(), PartError> {
        let head = fragment.head();
        self.part.append_all([&head[..]].into_iter().chain(fragment.data()))?;
        self.end = end.max(self.end);
        self.pictures = self.pictures.saturating_add(u32::try_from(fragment.video.len()).unwrap_or(u32::MAX));
        Ok(())
    }

    /// What can be read after a power cut from now on.
    pub(super) fn sync(&mut self) -> Result<OpenSegment, PartError> {
        self.part.sync()?;
        Ok(OpenSegment {
            id: self.provenance.segment,
            camera: self.provenance.camera.clone(),
            span: self.span(),
            path: self.part.path(),
            synced: self.part.length(),
            codecs: codecs(&self.parameters),
            width: self.parameters.video.width,
            height: self.parameters.video.height,
        })
    }

    /// Synced, under its final name. A file that got no picture is removed, and is no segment.
    pub(super) fn close(self, footage: &Footage) -> Result<Option<ClosedSegment>, PartError> {
        if self.pictures == 0 {
            discard(footage, self.part);
            return Ok(None);
        }
        let span = self.span();
        let (path, size) = self.part.close()?;
        Ok(Some(ClosedSegment {
            id: self.provenance.segment,
            camera: self.provenance.camera,
            span,
            path,
            size,
            pictures: self.pictures,
            codecs: codecs(&self.parameters),
            width: self.parameters.video.width,
            height: self.parameters.video.height,
        }))
    }

    fn span(&self) -> UtcSpan {
        UtcSpan::new(self.provenance.start, self.end)
            .unwrap_or(UtcSpan::starting_at(self.end, std::time::Duration::ZERO))
    }
}

/// Removes a file without pictures. If that fails it stays for the next start, which removes it as well.
fn discard(footage: &Footage, part: PartFile) {
    let path = part.path();
    drop(part);
    if let Err(error) = footage.remove_part(&path) {
        tracing::debug!(%error, path = %path.display(), "an empty file stays behind");
    }
}

/// Why nothing is recorded after that.
pub(super) fn cause(error: &PartError) -> GapCause {
    match error {
        PartError::Full { .. } => GapCause::DiskFull,
        PartError::NoStorage { .. } => GapCause::StorageMissing,
        PartError::Io { .. } | PartError::GivenUp { .. } => GapCause::DiskError,
    }
}

/// RFC 6381, as in [`ClosedSegment::codecs`].
pub(super) fn codecs(parameters: &StreamParameters) -> String {
    match &parameters.audio {
        Some(audio) => format!("{},{}", parameters.video.rfc6381, audio.rfc6381),
        None => parameters.video.rfc6381.clone(),
    }
}
