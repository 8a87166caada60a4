//! Passwords: what is accepted, how it is hashed, how it is verified.
//!
//! Argon2id with 19 MiB, two passes, one lane (OWASP's minimum, which a Pi bears). Hashing is slow on purpose and blocks: the
//! caller keeps it off the async threads and lets one run at a time.

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::units::Secret;

/// The shortest new password, in characters.
pub const MIN_CHARS: usize = 8;

/// The longest password, in bytes; longer ones are refused unhashed, so that nobody can make the recorder hash megabytes.
pub const MAX_BYTES: usize = 1024;

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Verified against where there is no such user, so that an unknown name takes as long as a wrong password. It is the hash of
/// random bytes that were thrown away.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$sTWx1PUnY3MyYw7rDYWJ8w$S2Vpbi1QYXNzd29ydC1oYXQtZGllc2VuLUhhc2gtMDE";

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too short.
    #[error("a password has at least 8 characters; a few words in a row are easy to remember")]
    Short,
    /// Too long.
    #[error("a password has at most 1024 bytes")]
    Long,
}

/// Whether a new password may be taken. No rules about its characters: they make people choose worse ones.
pub fn check(password: &Secret) -> Result<(), PasswordError> {
    if password.expose().len() > MAX_BYTES {
        return Err(PasswordError::Long);
    }
    if password.expose().chars().take(MIN_CHARS).count() < MIN_CHARS {
        return Err(PasswordError::Short);
    }
    Ok(())
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("constants within Argon2's ranges");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The PHC string to store. `salt` is random and the caller's; takes about a tenth of a second and 19 MiB.
#[expect(clippy::missing_panics_doc, reason = "neither expectation can fail")]
pub fn hash(password: &Secret, salt: [u8; 16]) -> String {
    let salt = SaltString::encode_b64(&salt).expect("16 bytes are a valid salt");
    argon2()
        .hash_password(password.expose().as_bytes(), &salt)
        .expect("a password held in memory is shorter than Argon2's limit of 4 GiB")
        .to_string()
}

/// Whether the password is the one behind the PHC string; the comparison takes the same time wherever they differ.
///
/// A string that is no Argon2id hash fits no password.
pub fn verify(password: &Secret, phc: &str) -> bool {
    if password.expose().len() > MAX_BYTES {
        return false;
    }
    let Ok(stored) = PasswordHash::new(phc) else { return false };
    stored.algorithm == Algorithm::Argon2id.ident()
        && argon2().verify_password(password.expose().as_bytes(), &stored).is_ok()
}

/// [`verify`] where the user may not exist: without a hash it works as long and then says no.
pub fn verify_or_pretend(password: &Secret, phc: Option<&str>) -> bool {
    let fits = verify(password, phc.unwrap_or(NOBODY));
    fits && phc.is_some()
}

/// Whether a stored hash was made with other parameters than today's, so that the next sign-in should replace it.
pub fn is_outdated(phc: &str) -> bool {
    let Ok(stored) = PasswordHash::new(phc) else { return true };
    let same = Params::try_from(&stored)
        .is_ok_and(|params| (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES));
    !(same && stored.algorithm == Algorithm::Argon2id.ident() && stored.version == Some(Version::V0x13.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_own_hash_and_no_other() {
        let password = Secret::new("correct horse");
        let phc = hash(&password, [7; 16]);
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(verify(&password, &phc) && verify_or_pretend(&password, Some(&phc)));
        assert!(!verify(&Secret::new("correct horsf"), &phc));
        assert_ne!(phc, hash(&password, [8; 16]), "the salt counts");
        assert!(!is_outdated(&phc));
    }

    #[test]
    fn what_is_no_hash_fits_no_password() {
        let password = Secret::new("correct horse");
        let argon2i = hash(&password, [7; 16]).replace("argon2id", "argon2i");
        for phc in ["", "x", "$argon2id$", "correct horse", "$1$abc$def", &argon2i] {
            assert!(!verify(&password, phc), "{phc:?}");
            assert!(is_outdated(phc), "{phc:?}");
        }
    }

    #[test]
    fn an_unknown_user_costs_a_whole_verification_and_never_fits() {
        let nobody = PasswordHash::new(NOBODY).expect("a well-formed PHC string");
        assert_eq!(nobody.hash.map(|output| output.len()), Some(32));
        assert!(!is_outdated(NOBODY), "as slow as a real one");
        assert!(!verify_or_pretend(&Secret::new("correct horse"), None));
    }

    #[test]
    fn a_new_password_has_a_decent_length() {
        assert_eq!(check(&Secret::new("1234567")), Err(PasswordError::Short));
        assert_eq!(check(&Secret::new("ééééééé")), Err(PasswordError::Short));
        assert_eq!(check(&Secret::new("12345678")), Ok(()));
        assert_eq!(check(&Secret::new("x".repeat(1024))), Ok(()));
        assert_eq!(check(&Secret::new("x".repeat(1025))), Err(PasswordError::Long));
        assert!(!verify(&Secret::new("x".repeat(1025)), NOBODY));
    }
}
