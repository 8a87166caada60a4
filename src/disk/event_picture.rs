//! An event's pictures: JPEGs, each with a comment in it that says whose picture it is, and which.

use std::io::{self, Read as _, Write as _};

use crate::disk::{Footage, layout};
use crate::units::{CameraId, EventId, InstallationId};

/// Which picture of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventPicture {
    /// The best moment.
    Thumbnail,
    /// A few small pictures of its course, one below the other, all of the same height.
    Preview,
}

impl EventPicture {
    /// Every one of them.
    pub const ALL: [Self; 2] = [Self::Thumbnail, Self::Preview];

    /// Its fixed name, as `thumbnail`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Thumbnail => "thumbnail",
            Self::Preview => "preview",
        }
    }
}

/// The largest picture that is read.
const MAX_LEN: u64 = 1 << 20;

/// Start of image.
const SOI: [u8; 2] = [0xff, 0xd8];
/// A comment follows (ITU-T T.81 § B.2.4.5): two bytes of length, themselves included, then text.
const COM: [u8; 2] = [0xff, 0xfe];

impl Footage {
    /// Keeps a picture of an event, marked with the camera it belongs to; replaces the one before.
    pub fn write_picture(
        &self,
        camera: &CameraId,
        event: EventId,
        picture: EventPicture,
        jpeg: &[u8],
    ) -> io::Result<()> {
        let comment = comment(camera, self.installation(), event, picture);
        let marked = with_comment(jpeg, &comment)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "an event's picture is not a JPEG"))?;
        let folder = self.folder().make(&layout::thumbnail_folder(camera), &mut Vec::new())?;
        let (name, temporary) = (layout::picture_name(event, picture), format!("{event}.{}.new", picture.name()));
        folder.remove(&temporary)?;
        let mut file = folder.create(&temporary)?;
        let written = file.write_all(&marked).and_then(|()| file.sync_data());
        // No folder sync: a picture that a power cut takes can be made again from the footage.
        match written.and_then(|()| folder.rename_over(&temporary, &name)) {
            Ok(()) => Ok(()),
            Err(error) => {
                // Best effort: the error that matters is the one at hand, and the next try removes it as well.
                let _ = folder.remove(&temporary);
                Err(error)
            }
        }
    }

    /// A picture of an event, if it says itself that it is this camera's, this event's and this installation's.
    pub fn read_picture(&self, camera: &CameraId, event: EventId, picture: EventPicture) -> io::Result<Vec<u8>> {
        let path = layout::picture_path(camera, event, picture);
        let mut jpeg = Vec::new();
        self.open_file(&path)?.take(MAX_LEN + 1).read_to_end(&mut jpeg)?;
        if jpeg.len() as u64 > MAX_LEN {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is too large", path.display())));
        }
        let expected = comment(camera, self.installation(), event, picture);
        if first_comment(&jpeg) != Some(&expected) {
            let text = format!("{} does not say that it is {expected:?}", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(jpeg)
    }

    /// Removes the pictures of an event; those that are not there are as good as removed.
    pub fn remove_pictures(&self, camera: &CameraId, event: EventId) -> io::Result<()> {
        match self.folder().folder(&layout::thumbnail_folder(camera)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            opened => {
                let folder = opened?;
                EventPicture::ALL
                    .into_iter()
                    .try_for_each(|picture| folder.remove(&layout::picture_name(event, picture)))
            }
        }
    }
}

/// The comment for that picture. A thumbnail's says nothing of what it is: there was nothing else once.
fn comment(camera: &CameraId, installation: InstallationId, event: EventId, picture: EventPicture) -> String {
    let which = match picture {
        EventPicture::Thumbnail => "",
        EventPicture::Preview => " preview",
    };
    format!("hearthwatch camera={camera} installation={installation} event={event}{which}")
}

/// The JPEG with the comment as its first segment; `None` if it is no JPEG or the comment is too long for one.
fn with_comment(jpeg: &[u8], comment: &str) -> Option<Vec<u8>> {
    let rest = jpeg.strip_prefix(&SOI)?;
    let len = u16::try_from(comment.len() + 2).ok()?;
    Some([&SOI, &COM, &len.to_be_bytes(), comment.as_bytes(), rest].concat())
}

/// The text of the comment that stands first in a JPEG.
fn first_comment(jpeg: &[u8]) -> Option<&str> {
    let rest = jpeg.strip_prefix(&SOI)?.strip_prefix(&COM)?;
    let (len, rest) = rest.split_first_chunk()?;
    let text = rest.get(..usize::from(u16::from_be_bytes(*len)).checked_sub(2)?)?;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn camera(name: &str) -> CameraId {
        name.parse().expect("an id")
    }

    #[test]
    fn a_comment_stands_first_and_leaves_the_picture_alone() {
        let jpeg = [0xff, 0xd8, 0xff, 0xe0, 1, 2, 3];
        let marked = with_comment(&jpeg, "hearthwatch camera=porch").expect("a JPEG");
        assert_eq!(first_comment(&marked), Some("hearthwatch camera=porch"));
        assert!(marked.ends_with(&jpeg[2..]));
        assert_eq!(first_comment(&jpeg), None);
        assert_eq!(with_comment(b"PNG", "x"), None);
    }

    #[test]
    fn a_thumbnail_is_only_read_as_its_own_cameras() {
        let folder = tempfile::tempdir().expect("a folder");
        let footage = Footage::open(folder.path(), InstallationId::from_random([1; 16])).expect("opened");
        let (event, jpeg) = (EventId::from_random([5; 8]), [0xff, 0xd8, 0xff, 0xd9]);
        footage.write_picture(&camera("porch"), event, EventPicture::Thumbnail, &jpeg).expect("written");
        footage.write_picture(&camera("porch"), event, EventPicture::Thumbnail, &jpeg).expect("written over");
        assert!(
            footage
                .read_picture(&camera("porch"), event, EventPicture::Thumbnail)
                .expect("reads")
                .ends_with(&jpeg[2..])
        );
        assert!(footage.read_picture(&camera("nursery"), event, EventPicture::Thumbnail).is_err());
        let file = format!("{event}.jpg");
        std::fs::create_dir(folder.path().join("thumbnails/nursery")).expect("made");
        std::fs::copy(
            folder.path().join("thumbnails/porch").join(&file),
            folder.path().join("thumbnails/nursery").join(&file),
        )
        .expect("copied");
        let error =
            footage.read_picture(&camera("nursery"), event, EventPicture::Thumbnail).expect_err("it is the porch");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        // One of the event's pictures is not another.
        let name = |picture| folder.path().join(layout::picture_path(&camera("porch"), event, picture));
        std::fs::copy(name(EventPicture::Thumbnail), name(EventPicture::Preview)).expect("copied");
        assert!(footage.read_picture(&camera("porch"), event, EventPicture::Preview).is_err());
        footage.write_picture(&camera("porch"), event, EventPicture::Preview, &jpeg).expect("written");
        assert!(footage.read_picture(&camera("porch"), event, EventPicture::Preview).is_ok());
        footage.remove_pictures(&camera("porch"), event).expect("removed");
        for picture in EventPicture::ALL {
            let gone = footage.read_picture(&camera("porch"), event, picture).expect_err("removed");
            assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        }
        footage.remove_pictures(&camera("porch"), event).expect("gone is gone");
        assert!(footage.write_picture(&camera("porch"), event, EventPicture::Thumbnail, b"not a JPEG").is_err());
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_no_comment_but_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = first_comment(&[&SOI[..], &COM, &bytes].concat());
        }
    }
}
