//! Passwords, hashed and verified one at a time, off the async threads.

use std::sync::Arc;

use crate::access::password;
use crate::index::users::UserRow;
use crate::units::Secret;
use crate::web::refusal::{Refusal, unavailable};
use crate::web::site::Site;

/// Whether the password is the user's; as slow where there is no user. With it, where the stored hash was made with weaker
/// parameters than today's, a new one to store.
pub(crate) async fn verify(site: &Site, user: Option<&UserRow>, typed: Secret) -> Result<Option<Verified>, Refusal> {
    let phc = user.map(|user| user.password_hash.clone());
    let salt = random()?;
    let fits = one_at_a_time(site, move || {
        let fits = password::verify_or_pretend(&typed, phc.as_deref());
        fits.then(|| Verified {
            better_hash: phc.filter(|phc| password::is_outdated(phc)).map(|_| password::hash(&typed, salt)),
        })
    });
    fits.await
}

/// The password was right.
pub(crate) struct Verified {
    /// Of the same password.
    pub(crate) better_hash: Option<String>,
}

/// The hash of a new password; refused if it is too short or too long.
pub(crate) async fn hash(site: &Site, new: Secret) -> Result<String, Refusal> {
    password::check(&new).map_err(|error| match error {
        password::PasswordError::Short => {
            Refusal::Bad("a password has at least 8 characters; a few words in a row are easy to remember")
        }
        password::PasswordError::Long => Refusal::Bad("a password has at most 1024 bytes"),
    })?;
    let salt = random()?;
    one_at_a_time(site, move || password::hash(&new, salt)).await
}

/// Bytes that nobody can foretell.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| unavailable("the recorder has no random numbers; try again")(&error))?;
    Ok(bytes)
}

async fn one_at_a_time<T: Send + 'static>(
    site: &Site,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let turn = Arc::clone(&site.hashing).acquire_owned().await;
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    done.await.map_err(|error| unavailable("the recorder could not check the password; try again")(&error))
}
