//! What every page has around its content: its name, where one can go, who is signed in, and what is wrong.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::access::{Right, Viewer};
use crate::index::looked;
use crate::web::assets;
use crate::web::links;
use crate::web::refusal::Refusal;
use crate::web::site::Site;
use crate::web::texts::{say, say_with};
use crate::web::words;

/// Events that are news, counted no further.
const MOST_NEWS: u32 = 100;

/// The frame of one page for one viewer.
pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) here: Place,
    pub(crate) assets: &'static str,
    pub(crate) viewer: Option<ViewerName>,
    pub(crate) alarms: Vec<Alarm>,
    /// Events that are news to the viewer, in words; empty if none is.
    pub(crate) news: String,
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
    Timeline,
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
    /// A word at its name, or nothing.
    pub(crate) badge: String,
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
            news: String::new(),
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
        let rights = site.rights(viewer).await?;
        let with_history = rights.iter().filter(|(_, rights)| rights.has(Right::History));
        let (cameras, user) = (with_history.map(|(camera, _)| camera.clone()).collect::<Vec<_>>(), viewer.user());
        let news = site.read(move |conn| looked::news(conn, user, &cameras, MOST_NEWS)).await?;
        for (camera, _) in rights {
            let Some(entry) = site.parts.board.get(&camera) else { continue };
            let status = entry.main.borrow();
            if words::is_alarming(&status, now) {
                let since = status.last_picture.map_or_else(
                    || say("There has been no picture yet.").into(),
                    |newest| {
                        say_with(
                            "The newest picture is {length} old.",
                            &[("length", &words::length(now.since(newest)))],
                        )
                    },
                );
                let why = words::trouble(&status).map_or_else(|| since.clone(), |trouble| format!("{trouble} {since}"));
                alarms.push(Alarm { what: say_with("{camera} shows nothing.", &[("camera", &entry.name)]), why });
            }
        }
        let news = match news {
            0 => String::new(),
            MOST_NEWS => format!("{}+", MOST_NEWS - 1),
            news => news.to_string(),
        };
        let viewer = Some(ViewerName { name: viewer.name().to_owned() });
        Ok(Self {
            title: title.into(),
            here,
            assets: assets::base(),
            viewer,
            alarms,
            news,
            over_tls: site.parts.over_tls,
        })
    }

    /// The navigation.
    pub(crate) fn places(&self) -> [PlaceLink; 5] {
        [
            (links::LIVE, say("Live"), "live", Place::Live),
            (links::TIMELINE, say("Timeline"), "history", Place::Timeline),
            (links::EVENTS, say("Events"), "events", Place::Events),
            (links::CAMERAS, say("Cameras"), "cameras", Place::Cameras),
            (links::ACTIVITY, say("Who looked"), "activity", Place::Activity),
        ]
        .map(|(url, name, icon, place)| {
            let badge = if place == Place::Events { self.news.clone() } else { String::new() };
            PlaceLink { url, name, icon, is_here: place == self.here, badge }
        })
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
