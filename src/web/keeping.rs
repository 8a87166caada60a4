//! How long footage stays: what the household wants, and for how long there is room.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::access::Viewer;
use crate::config::settings::Retention;
use crate::web::form::Form;
use crate::web::frame::{Frame, Place, page as answer};
use crate::web::health;
use crate::web::refusal::Refusal;
use crate::web::site::{Peer, Site};
use crate::web::texts::{filters, say};

/// Ten years: whoever wants more keeps single events.
const MOST_DAYS: f64 = 3650.0;
const DAY: u64 = 24 * 3600;

#[derive(Template)]
#[template(path = "keeping.html")]
pub(crate) struct KeepingPage {
    pub(crate) frame: Frame,
    pub(crate) storage: String,
    pub(crate) continuous_days: String,
    pub(crate) motion_days: String,
    pub(crate) error: Option<String>,
    pub(crate) said: Option<&'static str>,
}

/// `GET /storage`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
) -> Result<Response, Refusal> {
    let retention = site.parts.settings.borrow().retention;
    show(&site, &viewer, retention, Ok(None)).await
}

/// `POST /storage`.
pub(crate) async fn save(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    form: Form,
) -> Result<Response, Refusal> {
    let days = |name: &str| {
        let days = form.get(name).trim().parse::<f64>().ok().filter(|days| (0.1..=MOST_DAYS).contains(days));
        days.map(|days| Duration::from_secs_f64(days * 86_400.0)).ok_or(Refusal::Bad("choose 0.1 to 3650 days"))
    };
    let wanted = Retention { continuous: days("continuous_days")?, motion: days("motion_days")? };
    if wanted.motion < wanted.continuous {
        let error = say("What is around motion would go before the rest: let it stay at least as long.");
        return show(&site, &viewer, wanted, Err(error.to_owned())).await;
    }
    let saved = site.parts.keeper.set_retention(wanted).await;
    if saved.is_ok() {
        let words = format!("{} days, around motion {} days", in_days(wanted.continuous), in_days(wanted.motion));
        site.append(site.entry(&viewer, peer, "retention-changed", words)).await?;
    }
    show(&site, &viewer, wanted, saved.map(|()| Some(say("Saved. It counts within a few seconds.")))).await
}

/// The page, with what was said last: the configuration is taken up a moment after it is written.
async fn show(
    site: &Site,
    viewer: &Viewer,
    retention: Retention,
    said: Result<Option<&'static str>, String>,
) -> Result<Response, Refusal> {
    let status = if said.is_ok() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let page = KeepingPage {
        frame: Frame::inside(site, viewer, Place::Cameras, say("How long footage stays")).await?,
        storage: health::storage_in_words(site).await,
        continuous_days: in_days(retention.continuous),
        motion_days: in_days(retention.motion),
        said: said.clone().ok().flatten(),
        error: said.err(),
    };
    Ok(answer(status, &page))
}

/// Whole days, or with a part of one.
fn in_days(length: Duration) -> String {
    if length.as_secs().is_multiple_of(DAY) {
        (length.as_secs() / DAY).to_string()
    } else {
        format!("{:.2}", length.as_secs_f64() / 86_400.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_said_whole_where_they_are() {
        assert_eq!(in_days(Duration::from_secs(7 * DAY)), "7");
        assert_eq!(in_days(Duration::from_secs(DAY / 2)), "0.50");
    }
}
