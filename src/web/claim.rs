//! A new recorder gets its first owner: whoever can read the code that it printed.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::access::{TokenHash, UserName};
use crate::index::audit::{self, Entry};
use crate::index::claim;
use crate::units::UserId;
use crate::web::form::Form;
use crate::web::frame::{Frame, page as answer};
use crate::web::refusal::{Refusal, unavailable};
use crate::web::sign_in::{self, Caller};
use crate::web::site::{Peer, Site};
use crate::web::texts::{filters, key, say};
use crate::web::{hashing, links, words};

/// The letters and digits of a code: none that is taken for another.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Characters of a code: 60 bits, and whoever guesses has to wait between attempts.
const LENGTH: usize = 12;
/// Who has to wait, instead of a user.
const ACCOUNT: &str = "\u{0}claim";

#[derive(Template)]
#[template(path = "claim.html")]
pub(crate) struct ClaimPage {
    pub(crate) frame: Frame,
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) error: Option<String>,
}

/// A code as it is printed, `ABCD-EFGH-JKLM`, and what is stored of it.
pub fn code(random: [u8; LENGTH]) -> (String, TokenHash) {
    let mut text = String::new();
    for (at, byte) in random.iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push('-');
        }
        text.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    let hash = hash(&text);
    (text, hash)
}

/// Of what was typed, however it was spaced.
fn hash(typed: &str) -> TokenHash {
    let plain: Vec<u8> =
        typed.bytes().filter(u8::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).take(64).collect();
    TokenHash::of(&plain)
}

/// `GET /claim`: 404 once there is an owner.
pub(crate) async fn page(State(site): State<Arc<Site>>) -> Result<Response, Refusal> {
    if !is_open(&site).await? {
        return Err(Refusal::NotFound);
    }
    let frame = Frame::outside(say("Welcome"));
    Ok(answer(StatusCode::OK, &ClaimPage { frame, code: String::new(), name: String::new(), error: None }))
}

/// Whether there is no owner yet.
pub(crate) async fn is_open(site: &Site) -> Result<bool, Refusal> {
    let open = site.parts.readers.read(claim::is_open).await;
    open.map_err(|error| unavailable("the recorder's database does not answer; try again in a moment")(&error))
}

/// `POST /claim`.
pub(crate) async fn by_form(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Refusal> {
    if !is_open(&site).await? {
        return Err(Refusal::NotFound);
    }
    match become_owner(&site, peer, &form).await {
        Ok((user, name)) => {
            let caller = Caller { peer, device: crate::web::device::label(&headers), fitted: None };
            let token = sign_in::open_session(&site, &caller, user, name.as_str(), "as the first owner").await?;
            Ok(sign_in::welcome(&site, &token, links::LIVE))
        }
        Err(Refusal::NotFound) => Err(Refusal::NotFound),
        Err(refusal) => {
            let page = ClaimPage {
                frame: Frame::outside(say("Welcome")),
                code: form.get("code").to_owned(),
                name: form.get("name").to_owned(),
                error: Some(words::sentence(&refusal.sentence())),
            };
            Ok(answer(refusal.status(), &page))
        }
    }
}

async fn become_owner(site: &Site, peer: Peer, form: &Form) -> Result<(UserId, UserName), Refusal> {
    let code = hash(form.get("code"));
    let name: UserName = form.get("name").parse().map_err(|_| Refusal::Bad(NAME))?;
    // The code before the password: nobody makes the recorder hash without it.
    site.throttles.begin(ACCOUNT, peer, &site.parts.clock)?;
    let wrong = Refusal::Forbidden("that is not the code; the recorder printed a new one when it was started last");
    let fits = site.parts.readers.read(move |conn| claim::fits(conn, &code)).await;
    if !fits.map_err(|error| unavailable("the recorder's database does not answer; try again")(&error))? {
        tracing::warn!(address = %peer.0, "somebody tried to claim this recorder with a wrong code");
        return Err(wrong);
    }
    site.throttles.succeeded(ACCOUNT, peer);
    let _turn = site.claiming.lock().await;
    if !is_open(site).await? {
        return Err(Refusal::NotFound);
    }
    let hash = hashing::hash(site, form.secret("password")).await?;
    let entry = Entry {
        at: site.parts.clock.now(),
        user: None,
        user_name: name.as_str().to_owned(),
        action: "claim".into(),
        camera: None,
        span: None,
        address: Some(peer.0),
        detail: String::new(),
    };
    let taken = name.clone();
    let claimed = site.parts.writer.write(move |tx| {
        let owner = claim::take(tx, &code, &taken, &hash)?;
        if let Some(owner) = owner {
            audit::append(tx, &Entry { user: Some(owner), ..entry })?;
        }
        Ok(owner)
    });
    match claimed.await {
        Ok(Some(owner)) => {
            tracing::info!(address = %peer.0, "this recorder has its first owner");
            Ok((owner, name))
        }
        // Somebody was faster, and the page is gone.
        Ok(None) => Err(Refusal::NotFound),
        Err(error) if error.is_conflict() => Err(Refusal::Bad("somebody has this name already; choose another")),
        Err(error) => Err(unavailable("the recorder could not save this; try again")(&error)),
    }
}

/// What a name may be, for a page.
pub(crate) const NAME: &str = key("a name has 1 to 64 characters that can be seen, and no space at either end");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_typed_as_one_likes() {
        let (text, stored) = code([0, 1, 2, 3, 31, 32, 33, 250, 9, 10, 11, 12]);
        assert_eq!(text, "ABCD-9AB4-KLMN");
        for typed in ["ABCD-9AB4-KLMN", "abcd9ab4klmn", " abcd 9ab4 klmn "] {
            assert_eq!(hash(typed), stored, "{typed}");
        }
        assert_ne!(hash("ABCD-9AB4-KLMM"), stored);
    }
}
