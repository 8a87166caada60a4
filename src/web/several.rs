//! Several events at once: seen, kept, deleted; and what is news to somebody.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::access::{Right, Viewable, Viewer};
use crate::index::audit;
use crate::index::events::{self, EventRow};
use crate::index::looked;
use crate::units::{EventId, UtcMicros};
use crate::web::event::{entry, remove_pictures};
use crate::web::form::Form;
use crate::web::links;
use crate::web::refusal::{Refusal, unavailable};
use crate::web::site::{Peer, Site};

/// Events that are changed at once, at most: a page of the list holds fewer.
const MOST: usize = 200;

/// What is to become of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Seen,
    Keep,
    LetGo,
    Delete,
}

impl Wish {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "seen" => Self::Seen,
            "keep" => Self::Keep,
            "let-go" => Self::LetGo,
            "delete" => Self::Delete,
            _ => return None,
        })
    }

    /// What one must be allowed on each event's camera.
    fn right(self) -> Right {
        if self == Self::Seen { Right::History } else { Right::Delete }
    }
}

/// `POST /events`: `do` says what with each `event`; with `until` alone, everything up to that moment was seen.
pub(crate) async fn change(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(peer): Extension<Peer>,
    form: Form,
) -> Result<Response, Refusal> {
    let user = viewer.user();
    if form.has("until") {
        let until = form.get("until").parse().map(UtcMicros).map_err(|_| Refusal::Bad("seen until when?"))?;
        let until = until.min(site.parts.clock.now());
        let written = site.parts.writer.write(move |tx| looked::see_until(tx, user, until)).await;
        written.map_err(|error| unavailable("this could not be saved; try again")(&error))?;
        return Ok(back(form.get("back")));
    }
    let wish = Wish::parse(form.get("do")).ok_or(Refusal::Bad("what is to become of these events?"))?;
    let ids: Vec<EventId> =
        form.all("event").map(str::parse).collect::<Result<_, _>>().map_err(|_| Refusal::NotFound)?;
    if ids.len() > MOST {
        return Err(Refusal::Bad("choose at most 200 events at once"));
    }
    let chosen = proven(&site, &viewer, ids, wish.right()).await;
    if chosen.as_ref().err() == Some(&Refusal::NotFound) {
        site.note_refusal(&viewer, peer, None, links::EVENTS).await?;
    }
    let chosen = chosen?;
    let entries: Vec<_> = chosen
        .iter()
        .map(|event| {
            let action = if wish == Wish::Delete { "event-deleted" } else { "event-changed" };
            (event.get().id, entry(&site, event, peer, action))
        })
        .collect();
    let written = site.parts.writer.write(move |tx| {
        for (id, entry) in entries {
            match wish {
                Wish::Seen => {
                    looked::see(tx, user, id)?;
                    continue;
                }
                Wish::Keep => events::set(tx, id, Some(true), None)?,
                Wish::LetGo => events::set(tx, id, Some(false), None)?,
                Wish::Delete => events::remove(tx, id)?,
            };
            audit::append(tx, &entry)?;
        }
        Ok(())
    });
    written.await.map_err(|error| unavailable("the change could not be saved; try again")(&error))?;
    if wish == Wish::Delete {
        for event in &chosen {
            remove_pictures(&site, event).await;
        }
    }
    Ok(back(form.get("back")))
}

/// Each of these events with the proof that the viewer has the right on its camera. One that the viewer may not touch is as
/// one that does not exist, and then none is.
async fn proven(
    site: &Site,
    viewer: &Viewer,
    ids: Vec<EventId>,
    right: Right,
) -> Result<Vec<Viewable<EventRow>>, Refusal> {
    let (gate, asking) = (site.parts.gate.clone(), viewer.clone());
    let proofs = site.blocking(move || gate.cameras(&asking, right)).await?;
    let rows = site.read(move |conn| ids.into_iter().map(|id| events::by_id(conn, id)).collect::<Result<Vec<_>, _>>());
    let mut proven = Vec::new();
    for row in rows.await? {
        let row = row.ok_or(Refusal::NotFound)?;
        let proof = proofs.iter().find(|proof| *proof.camera() == row.camera).ok_or(Refusal::NotFound)?;
        proven.push(proof.narrow(row)?);
    }
    Ok(proven)
}

/// To the list as it was.
fn back(to: &str) -> Response {
    let is_list = to == links::EVENTS || to.strip_prefix(links::EVENTS).is_some_and(|rest| rest.starts_with('?'));
    let to = if is_list { links::own_or_live(to) } else { links::EVENTS };
    (StatusCode::SEE_OTHER, [(header::LOCATION, to.to_owned())]).into_response()
}

/// `PUT /api/events/{event}/seen`: it is no news any more to who asks.
pub(crate) async fn seen(
    State(site): State<Arc<Site>>,
    Extension(event): Extension<Viewable<EventRow>>,
) -> Result<StatusCode, Refusal> {
    let (user, id) = (event.viewer().user(), event.get().id);
    let written = site.parts.writer.write(move |tx| looked::see(tx, user, id)).await;
    written.map_err(|error| unavailable("this could not be saved; try again")(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_to_the_list_only() {
        let to = |text| back(text).headers()[header::LOCATION].to_str().expect("ASCII").to_owned();
        assert_eq!(to("/events?camera=porch"), "/events?camera=porch");
        for elsewhere in ["", "/", "/eventsx", "//evil.example", "https://evil.example", "/events/1", "/account"] {
            assert_eq!(to(elsewhere), "/events", "{elsewhere}");
        }
        assert_eq!(to("/events?a=b\nc"), "/", "what would be two lines is no address");
    }
}
