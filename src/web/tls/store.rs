//! The folder with the authority and the certificate: one file for each with everything in it, so that no pair is ever torn.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::replace_file;
use crate::units::UtcMicros;
use crate::web::tls::authority::Facts;
use crate::web::tls::names::Names;

/// Larger than either file ever is.
const LARGEST: u64 = 1 << 20;

/// `authority.json`.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredAuthority {
    pub(super) facts: Facts,
    pub(super) certificate_pem: String,
    pub(super) key_pem: String,
}

/// `certificate.json`.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredCertificate {
    /// Fingerprint of the authority that signed it.
    pub(super) authority: String,
    pub(super) names: Names,
    pub(super) start_us: UtcMicros,
    pub(super) end_us: UtcMicros,
    pub(super) certificate_pem: String,
    pub(super) key_pem: String,
}

/// Makes the folder, for this user alone, if it is not there.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// `None` if there is no such file; an error of the kind `InvalidData` if it is not what was written.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let mut bytes = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "the keys' own folder, which no request names")]
    match File::open(path) {
        Ok(file) => file.take(LARGEST).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // The error's own words could repeat a part of the key.
    let damaged = |_| io::Error::new(io::ErrorKind::InvalidData, "it is damaged");
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}

/// Replaces the file at once; readable for this user alone.
pub(super) fn write<T: Serialize>(path: &Path, stored: &T) -> io::Result<()> {
    let text = serde_json::to_string_pretty(stored).map_err(io::Error::other)?;
    replace_file(path, &text)?;
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
}
