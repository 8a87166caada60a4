//! Where things lie below the storage folder. Pure: ids and moments to paths, and back.

use std::path::{Component, Path, PathBuf};

use crate::disk::EventPicture;
use crate::units::{CameraId, EventId, UtcMicros};

pub(super) const FOOTAGE: &str = "footage";
pub(super) const THUMBNAILS: &str = "thumbnails";
pub(super) const BACKGROUNDS: &str = "backgrounds";
pub(super) const PREVIEWS: &str = "previews";
pub(super) const DATABASE: &str = "hearthwatch.db";
pub(super) const SEGMENT_SUFFIX: &str = ".mp4";
pub(super) const PART_SUFFIX: &str = ".mp4.part";

/// `9999-12-30T00:00:00Z`: what a calendar can still name, with room for a collision.
const LAST_NAMEABLE: UtcMicros = UtcMicros(253_402_128_000_000_000);

/// Where one segment of a camera lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// `footage/<camera>/<YYYY-MM-DD>`.
    pub(super) folder: PathBuf,
    /// `<HH-MM-SS.mmm>Z`, without a suffix.
    pub(super) stem: String,
}

impl Place {
    /// Of a segment that starts then, in UTC. A name is a help for people and no truth: a moment outside the years 1970 to
    /// 9999 gets the nearest name, and the file itself says when it was.
    pub(super) fn of(camera: &CameraId, start: UtcMicros) -> Self {
        let timestamp = start.clamp(UtcMicros::EPOCH, LAST_NAMEABLE).to_timestamp().unwrap_or_default();
        Self {
            folder: Path::new(FOOTAGE).join(camera.as_str()).join(timestamp.strftime("%Y-%m-%d").to_string()),
            stem: timestamp.strftime("%H-%M-%S.%3fZ").to_string(),
        }
    }

    /// The same place one millisecond on, within the same second; `None` at its end, or if the name is not one of ours.
    pub(super) fn next_millisecond(&self) -> Option<Self> {
        let (second, rest) = self.stem.split_once('.')?;
        let millisecond: u16 = rest.strip_suffix('Z').filter(|digits| digits.len() == 3)?.parse().ok()?;
        (millisecond < 999)
            .then(|| Self { folder: self.folder.clone(), stem: format!("{second}.{:03}Z", millisecond + 1) })
    }

    pub(super) fn segment_name(&self) -> String {
        format!("{}{SEGMENT_SUFFIX}", self.stem)
    }

    pub(super) fn part_name(&self) -> String {
        format!("{}{PART_SUFFIX}", self.stem)
    }
}

/// The names in `footage/<camera>/<day>/<file>`; `None` for any other path.
pub(super) fn parse_footage(relative: &Path) -> Option<(CameraId, &str, &str)> {
    let mut names = relative.components().map(|component| match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let [root, camera, day, file] = [names.next()??, names.next()??, names.next()??, names.next()??];
    (root == FOOTAGE && names.next().is_none()).then_some((camera.parse().ok()?, day, file))
}

/// Whose footage file that is, and the first moment of the UTC day whose folder it lies in; `None` for any other path. What
/// a name says is a help; the file itself says whose and when it is.
pub fn camera_and_day(relative: &Path) -> Option<(CameraId, UtcMicros)> {
    let (camera, day, _) = parse_footage(relative)?;
    let midnight = day.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some((camera, UtcMicros(midnight.timestamp().as_microsecond())))
}

/// `thumbnails/<camera>`.
pub(super) fn thumbnail_folder(camera: &CameraId) -> PathBuf {
    Path::new(THUMBNAILS).join(camera.as_str())
}

/// `<camera>.background`.
pub(super) fn background_name(camera: &CameraId) -> String {
    format!("{camera}.background")
}

/// `<event>.jpg` for its thumbnail, `<event>.preview.jpg` for its preview.
pub(super) fn picture_name(event: EventId, picture: EventPicture) -> String {
    match picture {
        EventPicture::Thumbnail => format!("{event}.jpg"),
        EventPicture::Preview => format!("{event}.preview.jpg"),
    }
}

/// Where a picture of an event lies, relative to the storage folder.
pub fn picture_path(camera: &CameraId, event: EventId, picture: EventPicture) -> PathBuf {
    thumbnail_folder(camera).join(picture_name(event, picture))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn camera() -> CameraId {
        "porch".parse().expect("an id")
    }

    #[test]
    fn a_segment_is_named_after_its_camera_and_its_moment() {
        let place = Place::of(&camera(), UtcMicros(1_700_000_000_123_999));
        assert_eq!(place.folder, Path::new("footage/porch/2023-11-14"));
        assert_eq!(place.segment_name(), "22-13-20.123Z.mp4");
        assert_eq!(place.part_name(), "22-13-20.123Z.mp4.part");
        assert_eq!(place.next_millisecond().map(|next| next.stem), Some("22-13-20.124Z".to_owned()));
    }

    #[test]
    fn only_four_names_make_a_footage_path() {
        let parsed = parse_footage(Path::new("footage/porch/2023-11-14/22-13-20.123Z.mp4"));
        assert_eq!(parsed, Some((camera(), "2023-11-14", "22-13-20.123Z.mp4")));
        for bad in [
            "footage/porch/x",
            "footage/Porch/day/file",
            "thumbnails/porch/day/file",
            "footage/porch/../file",
            "/footage/porch/d/f",
            "footage/porch/d/f/g",
        ] {
            assert_eq!(parse_footage(Path::new(bad)), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_moment_has_a_name_that_leads_back(start in any::<i64>()) {
            let place = Place::of(&camera(), UtcMicros(start));
            prop_assert_eq!(place.stem.len(), "HH-MM-SS.mmmZ".len());
            let path = place.folder.join(place.segment_name());
            prop_assert_eq!(parse_footage(&path).map(|(camera, ..)| camera), Some(camera()));
        }
    }
}
