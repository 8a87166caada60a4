//! The pictures of an event.

use std::io::ErrorKind;
use std::path::PathBuf;

use bytes::Bytes;

use crate::access::{Right, Viewable};
use crate::disk::{EventPicture, Footage};
use crate::index::events::EventRow;
use crate::media::{MediaError, needs};

/// A JPEG, if it says itself that it is this camera's and this event's; takes a proof of [`Right::History`].
pub async fn read(event: &Viewable<EventRow>, picture: EventPicture, footage: &Footage) -> Result<Bytes, MediaError> {
    needs(event, &[Right::History])?;
    let (camera, id, footage) = (event.camera().clone(), event.get().id, footage.clone());
    let path = || PathBuf::from(format!("the {} of event {id}", picture.name()));
    let io = |source| MediaError::Io { path: path(), source };
    let read = tokio::task::spawn_blocking(move || footage.read_picture(&camera, id, picture)).await;
    match read.map_err(|broken| io(broken.into()))? {
        Ok(jpeg) => Ok(jpeg.into()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(MediaError::Gone),
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            tracing::error!(camera = event.camera().as_str(), event = %id, picture = picture.name(), %error, "a picture is not shown");
            Err(MediaError::WrongCamera)
        }
        Err(error) => Err(io(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Viewable;
    use crate::media::testing::{Storage, id};
    use crate::units::{CameraId, EventId, UtcMicros};

    const JPEG: [u8; 6] = [0xff, 0xd8, 0xff, 0xda, 0xff, 0xd9];

    fn event(proof: &Viewable<CameraId>) -> Viewable<EventRow> {
        let row = EventRow {
            id: EventId::from_random([5; 8]),
            camera: proof.get().clone(),
            start: UtcMicros(0),
            end: None,
            peak: 0.5,
            zones: Vec::new(),
            kept: false,
            note: String::new(),
            has_thumbnail: true,
            has_preview: false,
            why: None,
        };
        proof.narrow(row).expect("the same camera")
    }

    #[tokio::test]
    async fn a_thumbnail_is_shown_for_its_own_event_only() {
        let storage = Storage::new();
        let proof = storage.household.proof("porch", Right::History);
        assert!(matches!(read(&event(&proof), EventPicture::Thumbnail, &storage.footage).await, Err(MediaError::Gone)));
        let number = event(&proof).get().id;
        storage.footage.write_picture(&id("porch"), number, EventPicture::Thumbnail, &JPEG).expect("written");
        let shown = read(&event(&proof), EventPicture::Thumbnail, &storage.footage).await.expect("a picture");
        assert!(shown.starts_with(&JPEG[..2]) && shown.ends_with(&JPEG[2..]));
        let live = storage.household.proof("porch", Right::Live);
        assert!(matches!(
            read(&event(&live), EventPicture::Thumbnail, &storage.footage).await,
            Err(MediaError::WrongRight(_))
        ));

        // Another camera's picture in its place.
        storage.footage.write_picture(&id("nursery"), number, EventPicture::Thumbnail, &JPEG).expect("written");
        let path = |camera: &str| storage.folder.path().join(format!("thumbnails/{camera}/{number}.jpg"));
        std::fs::copy(path("nursery"), path("porch")).expect("swapped");
        assert!(matches!(
            read(&event(&proof), EventPicture::Thumbnail, &storage.footage).await,
            Err(MediaError::WrongCamera)
        ));
    }
}
