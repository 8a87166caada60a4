//! Where and how motion is looked for at a camera: drawn on its picture, written into the configuration.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::access::{Right, Viewer};
use crate::config::settings::{Motion, Polygon, Zone};
use crate::index::audit::Entry;
use crate::units::CameraId;
use crate::web::form::Form;
use crate::web::frame::{Frame, Place, page as answer};
use crate::web::gatekeeper::OwnCamera;
use crate::web::refusal::Refusal;
use crate::web::site::{Peer, Site};
use crate::web::texts::{filters, key, say, say_with};

#[derive(Template)]
#[template(path = "motion.html")]
pub(crate) struct MotionPage {
    pub(crate) frame: Frame,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) enabled: bool,
    /// In hundredths.
    pub(crate) sensitivity: u8,
    /// The shortest length, in seconds.
    pub(crate) least: f64,
    /// Whether the viewer may see footage to try settings on.
    pub(crate) may_try: bool,
    /// What is drawn, as JSON of [`Drawn`].
    pub(crate) drawn: String,
    pub(crate) error: Option<String>,
    pub(crate) said: Option<&'static str>,
}

/// The greatest shortest length, in seconds, as the configuration has it.
const LONGEST_LEAST: f64 = 60.0;

/// What is drawn on the picture; places are parts of its width and height.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Drawn {
    masks: Vec<Vec<[f32; 2]>>,
    zones: Vec<DrawnZone>,
}

/// One zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DrawnZone {
    name: String,
    area: Vec<[f32; 2]>,
    sensitivity: Option<f32>,
}

impl Drawn {
    fn of(motion: &Motion) -> Self {
        let zones = motion.zones.iter().map(|(name, zone)| DrawnZone {
            name: name.clone(),
            area: zone.area.0.clone(),
            sensitivity: zone.sensitivity,
        });
        Self { masks: motion.masks.iter().map(|mask| mask.0.clone()).collect(), zones: zones.collect() }
    }

    /// Why it cannot be used, in a sentence. The configuration's rules, in the words of somebody who draws.
    fn complaint(&self) -> Option<&'static str> {
        let areas = || self.masks.iter().chain(self.zones.iter().map(|zone| &zone.area));
        let names: std::collections::BTreeSet<_> = self.zones.iter().map(|zone| &zone.name).collect();
        let is_part = |part: &f32| (0.0..=1.0).contains(part);
        if self.masks.len() > Motion::MOST_MASKS || self.zones.len() > Motion::MOST_ZONES {
            Some(key("that is too much: at most 32 masks and 32 zones"))
        } else if areas().any(|area| !(3..=Polygon::MOST_CORNERS).contains(&area.len())) {
            Some(key("an area has three corners at least, and 64 at most"))
        } else if !areas().flatten().flatten().all(is_part) {
            Some(key("an area lies in the picture, with all its corners"))
        } else if areas().any(|area| Polygon(area.clone()).encloses_nothing()) {
            Some(key("one of the areas has nothing in it: give its corners in order around the place"))
        } else if !self.zones.iter().all(|zone| Zone::is_name(&zone.name)) {
            Some(key("a zone's name is 1 to 40 of the characters a-z, 0-9, - and _"))
        } else if names.len() < self.zones.len() {
            Some(key("two zones have the same name"))
        } else if !self.zones.iter().filter_map(|zone| zone.sensitivity.as_ref()).all(is_part) {
            Some(key("a sensitivity is between 0 and 1"))
        } else {
            None
        }
    }

    /// The settings with what is drawn.
    fn applied_to(self, motion: &Motion) -> Motion {
        let zones = self.zones.into_iter().map(|DrawnZone { name, area, sensitivity }| {
            let zone = Zone { area: Polygon(area), sensitivity };
            (name, zone)
        });
        let zones: BTreeMap<_, _> = zones.collect();
        Motion { masks: self.masks.into_iter().map(Polygon).collect(), zones, ..motion.clone() }
    }
}

/// `GET /cameras/{id}/motion`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Extension(OwnCamera(camera)): Extension<OwnCamera>,
    Extension(viewer): Extension<Viewer>,
) -> Result<Response, Refusal> {
    let motion = settings_of(&site, &camera).ok_or(Refusal::NotFound)?;
    show(&site, &viewer, &camera, &motion, Ok(None)).await
}

/// The settings that a form asks for, and why they cannot be, if they cannot.
pub(crate) fn wanted(form: &Form, before: &Motion) -> Result<(Motion, Option<&'static str>), Refusal> {
    let drawn: Drawn =
        serde_json::from_str(form.get("drawn")).map_err(|_| Refusal::Bad("what was drawn cannot be read"))?;
    let sensitivity: u8 = form.get("sensitivity").parse().map_err(|_| Refusal::Bad("a sensitivity is 0 to 100"))?;
    let least = match form.get("least") {
        "" => before.least,
        text => {
            let seconds = text.parse().ok().filter(|seconds| (0.0..=LONGEST_LEAST).contains(seconds));
            Duration::from_secs_f64(seconds.ok_or(Refusal::Bad("the shortest length is 0 to 60 seconds"))?)
        }
    };
    let complaint = drawn.complaint();
    let wanted = Motion {
        enabled: form.has("enabled"),
        sensitivity: f32::from(sensitivity.min(100)) / 100.0,
        least,
        ..drawn.applied_to(before)
    };
    Ok((wanted, complaint))
}

pub(crate) fn settings_of(site: &Site, camera: &CameraId) -> Option<Motion> {
    site.parts.settings.borrow().cameras.get(camera).map(|camera| camera.motion.clone())
}

/// `POST /cameras/{id}/motion`.
pub(crate) async fn save(
    State(site): State<Arc<Site>>,
    Extension(OwnCamera(camera)): Extension<OwnCamera>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    form: Form,
) -> Result<Response, Refusal> {
    let before = settings_of(&site, &camera).ok_or(Refusal::NotFound)?;
    let (wanted, complaint) = wanted(&form, &before)?;
    let saved = match complaint {
        Some(complaint) => Err(crate::web::sentence(complaint)),
        None => site.parts.keeper.set_motion(camera.clone(), wanted.clone()).await,
    };
    if saved.is_ok() {
        let entry = site.entry(&viewer, peer, "camera-changed", String::new());
        site.append(Entry { camera: Some(camera.clone()), ..entry }).await?;
    }
    show(&site, &viewer, &camera, &wanted, saved.map(|()| Some(say("Saved. It counts within a few seconds.")))).await
}

/// The page, with what was said last: the configuration is taken up a moment after it is written.
async fn show(
    site: &Site,
    viewer: &Viewer,
    camera: &CameraId,
    motion: &Motion,
    said: Result<Option<&'static str>, String>,
) -> Result<Response, Refusal> {
    let name = site.parts.board.name(camera);
    let title = say_with("Motion at {camera}", &[("camera", &name)]);
    let status = if said.is_ok() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1, in hundredths")]
    let sensitivity = (motion.sensitivity * 100.0).round() as u8;
    let rights = site.rights(viewer).await?;
    let page = MotionPage {
        frame: Frame::inside(site, viewer, Place::Cameras, &title).await?,
        id: camera.to_string(),
        name,
        enabled: motion.enabled,
        sensitivity,
        least: motion.least.as_secs_f64(),
        may_try: rights.iter().any(|(id, rights)| id == camera && rights.has(Right::History)),
        drawn: serde_json::to_string(&Drawn::of(motion)).unwrap_or_default(),
        said: said.clone().ok().flatten(),
        error: said.err(),
    };
    Ok(answer(status, &page))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> DrawnZone {
        DrawnZone { name: name.into(), area: vec![[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]], sensitivity: None }
    }

    #[test]
    fn only_what_the_configuration_can_hold_is_taken() {
        let drawn = |zones: Vec<DrawnZone>| Drawn { masks: Vec::new(), zones };
        assert_eq!(drawn(vec![zone("path"), zone("gate-2")]).complaint(), None);
        let outside = DrawnZone { area: vec![[0.0, 0.0], [1.1, 0.0], [0.5, 1.0]], ..zone("path") };
        let line = DrawnZone { area: vec![[0.0, 0.0], [1.0, 0.0]], ..zone("path") };
        let none = DrawnZone { area: vec![[f32::NAN, 0.0], [1.0, 0.0], [0.5, 1.0]], ..zone("path") };
        let flat = DrawnZone { area: vec![[0.1, 0.1], [0.5, 0.5], [0.9, 0.9]], ..zone("path") };
        let wrong: [Vec<DrawnZone>; 7] = [
            vec![outside],
            vec![line],
            vec![none],
            vec![flat],
            vec![zone("")],
            vec![zone("Front path")],
            vec![zone("a"), zone("a")],
        ];
        for zones in wrong {
            assert!(drawn(zones.clone()).complaint().is_some(), "{zones:?}");
        }
        assert!(drawn((0..33).map(|n| zone(&format!("z{n}"))).collect()).complaint().is_some());
    }

    #[test]
    fn what_is_drawn_comes_back_as_it_was() {
        let drawn = Drawn { masks: vec![vec![[0.0, 0.0], [0.25, 0.0], [0.0, 0.5]]], zones: vec![zone("path")] };
        assert_eq!(Drawn::of(&drawn.clone().applied_to(&Motion::default())), drawn);
    }
}
