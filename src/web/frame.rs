//! What every page has around its content: its name, where one can go, who is signed in, and what is wrong.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::access::Viewer;
use crate::web::assets;
use crate::web::links;
use crate::web::refusal::Refusal;
use crate::web::site::Site;
use crate::web::words;

/// The frame of one page for one viewer.
pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) here: Place,
    pub(crate) assets: &'static str,
    pub(crate) viewer: Option<ViewerName>,
    pub(crate) alarms: Vec<Alarm>,
    /// Whether a browser may have warned of this page.
    pub(crate) over_tls: bool,
}

/// Who is signed in, as the top of a page says it.
pub(crate) struct ViewerName {
    pub(crate) name: String,
}

/// A camera that is dead, said loudly.
pub(crate) struct Alarm {
    pub(crate) what: String,
    pub(crate) why: String,
}

/// The places in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Live,
    Events,
    Cameras,
    Activity,
    Account,
    Nowhere,
}

/// One entry of the navigation.
pub(crate) struct PlaceLink {
    pub(crate) url: &'static str,
    pub(crate) name: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) is_here: bool,
}

impl Frame {
    /// For somebody who is not signed in.
    pub(crate) fn outside(title: &str) -> Self {
        Self {
            title: title.into(),
            here: Place::Nowhere,
            assets: assets::base(),
            viewer: None,
            alarms: Vec::new(),
            over_tls: false,
        }
    }

    /// The same for the page that one meets first.
    pub(crate) fn at_the_door(site: &Site, title: &str) -> Self {
        Self { over_tls: site.authority.is_some(), ..Self::outside(title) }
    }

    /// For a viewer, with what is wrong with the cameras that this viewer may see.
    pub(crate) async fn inside(site: &Site, viewer: &Viewer, here: Place, title: &str) -> Result<Self, Refusal> {
        let now = site.parts.clock.now();
        let mut alarms = Vec::new();
        for (camera, _) in site.rights(viewer).await? {
            let Some(entry) = site.parts.board.get(&camera) else { continue };
            let status = entry.main.borrow();
            if words::is_alarming(&status, now) {
                let since = status.last_picture.map_or_else(
                    || "There has been no picture yet.".into(),
                    |newest| format!("The newest picture is {} old.", words::length(now.since(newest))),
                );
                let why = words::trouble(&status).map_or_else(|| since.clone(), |trouble| format!("{trouble} {since}"));
                alarms.push(Alarm { what: format!("{} shows nothing.", entry.name), why });
            }
        }
        let viewer = Some(ViewerName { name: viewer.name().to_owned() });
        Ok(Self { title: title.into(), here, assets: assets::base(), viewer, alarms, over_tls: site.parts.over_tls })
    }

    /// The navigation.
    pub(crate) fn places(&self) -> [PlaceLink; 4] {
        [
            (links::LIVE, "Live", "live", Place::Live),
            (links::EVENTS, "Events", "events", Place::Events),
            (links::CAMERAS, "Cameras", "cameras", Place::Cameras),
            (links::ACTIVITY, "Who looked", "activity", Place::Activity),
        ]
        .map(|(url, name, icon, place)| PlaceLink { url, name, icon, is_here: place == self.here })
    }
}

/// A page as an answer.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Err(error) => {
            tracing::error!(%error, "could not render a page");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
