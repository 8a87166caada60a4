//! The authority and the certificate in use, kept in their folder and renewed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rcgen::KeyPair;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, crypto::CryptoProvider};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::settings::Settings;
use crate::units::{Clock, UtcMicros, UtcSpan};
use crate::web::tls::authority::Facts;
use crate::web::tls::names::Names;
use crate::web::tls::renewal::{InUse, Why, needed};
use crate::web::tls::store::{self, StoredAuthority, StoredCertificate};

const AUTHORITY: &str = "authority.json";
const CERTIFICATE: &str = "certificate.json";
/// Where an authority goes that has ended, or that a wrong clock took for ended.
const OLD_AUTHORITY: &str = "authority.old.json";
/// How often [`keep_renewed`] looks at the clock and the machine's addresses.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The folder or a file in it.
    #[error(
        "the household's authority in {path} could not be {tried}: {source}; make it readable and writable for the user that runs hearthwatch"
    )]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried.
        tried: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// It is there but is no authority any more.
    #[error(
        "the household's authority in {path} is damaged; bring it back from a copy, or move it away: then a new one is made, which each device has to be told to trust"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
    /// The network cards could not be listed.
    #[error("the machine's addresses could not be listed: {0}")]
    Addresses(#[source] io::Error),
    /// It could not be made.
    #[error("a certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
    /// It was made but cannot be used.
    #[error("a certificate cannot be used: {0}")]
    Use(#[from] rustls::Error),
}

/// The household's authority and the recorder's certificate. Cheap to clone.
#[derive(Clone)]
pub struct Household(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    facts: Facts,
    key: KeyPair,
    certificate_pem: String,
    certificate_der: CertificateDer<'static>,
    in_use: RwLock<Serving>,
}

/// What is served now.
struct Serving {
    names: Names,
    left_out: Vec<String>,
    valid: UtcSpan,
    certified: Arc<CertifiedKey>,
}

impl Household {
    /// Opens the folder, or makes it with a new authority in it. Blocking.
    ///
    /// `wanted` is whom the recorder is now; `random` yields bytes that nobody can foretell.
    pub fn open(
        folder: &Path,
        wanted: &Names,
        now: UtcMicros,
        mut random: impl FnMut() -> [u8; 16],
    ) -> Result<Self, TlsError> {
        store::make_folder(folder).map_err(|source| TlsError::File {
            path: folder.to_owned(),
            tried: "made",
            source,
        })?;
        let path = folder.join(AUTHORITY);
        let authority = match read::<StoredAuthority>(&path)? {
            Some(stored) if now < stored.facts.not_after => stored,
            ended => {
                if ended.is_some() {
                    std::fs::rename(&path, folder.join(OLD_AUTHORITY)).map_err(|source| TlsError::File {
                        path: path.clone(),
                        tried: "renamed",
                        source,
                    })?;
                }
                let facts = Facts::new(wanted, now, random());
                let key = KeyPair::generate()?;
                let certificate_pem = facts.certificate(&key, random())?.pem();
                let stored = StoredAuthority { facts, certificate_pem, key_pem: key.serialize_pem() };
                write(&path, &stored)?;
                stored
            }
        };
        let damaged = || TlsError::Damaged { path: path.clone() };
        let key = KeyPair::from_pem(&authority.key_pem).map_err(|_| damaged())?;
        let certificate_der =
            CertificateDer::from_pem_slice(authority.certificate_pem.as_bytes()).map_err(|_| damaged())?;
        let opened = Opened { folder, facts: &authority.facts, key: &key, certificate: &certificate_der };
        // A damaged certificate, or one of an earlier authority, is no loss: another is made.
        let stored = read::<StoredCertificate>(&folder.join(CERTIFICATE)).ok().flatten();
        let stored = stored.filter(|stored| stored.authority == fingerprint(&certificate_der));
        let in_use = match stored.and_then(|stored| serving(stored).ok()) {
            Some(in_use) => in_use,
            None => opened.issue(wanted, now, &mut random)?,
        };
        let household = Self(Arc::new(Inner {
            folder: folder.to_owned(),
            facts: authority.facts,
            key,
            certificate_pem: authority.certificate_pem,
            certificate_der,
            in_use: RwLock::new(in_use),
        }));
        household.renew(wanted, now, random)?;
        Ok(household)
    }

    /// Makes another certificate if one is needed, and says why. Connections that are open go on. Blocking.
    pub fn renew(
        &self,
        wanted: &Names,
        now: UtcMicros,
        mut random: impl FnMut() -> [u8; 16],
    ) -> Result<Option<Why>, TlsError> {
        let inner = &*self.0;
        let (permitted, left_out) = wanted.clone().split(|name| inner.facts.permits(name));
        let why = {
            let in_use = inner.in_use.read().unwrap_or_else(PoisonError::into_inner);
            needed(Some(InUse { valid: in_use.valid, names: &in_use.names }), &permitted, now)
        };
        if why.is_some() {
            let opened = Opened {
                folder: &inner.folder,
                facts: &inner.facts,
                key: &inner.key,
                certificate: &inner.certificate_der,
            };
            let mut made = opened.issue(&permitted, now, &mut random)?;
            made.left_out = left_out;
            *inner.in_use.write().unwrap_or_else(PoisonError::into_inner) = made;
        } else {
            inner.in_use.write().unwrap_or_else(PoisonError::into_inner).left_out = left_out;
        }
        Ok(why)
    }

    /// For [`crate::web::tls::Listener`]: TLS 1.2 and 1.3, HTTP/1.1 only, always with the newest certificate.
    ///
    /// # Errors
    /// None that a household can cause.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Newest(self.clone())));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// The authority's certificate for devices to trust, as PEM. Not a secret.
    pub fn authority_pem(&self) -> &str {
        &self.0.certificate_pem
    }

    /// The same as DER, which phones like better.
    pub fn authority_der(&self) -> &[u8] {
        &self.0.certificate_der
    }

    /// What devices call the authority.
    pub fn authority_name(&self) -> &str {
        &self.0.facts.common_name
    }

    /// SHA-256 of the authority's certificate as `AB:CD:…`, to compare by eye with what a device shows.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.0.certificate_der)
    }

    /// Configured names that the authority may not sign for, because they were added after it was made: browsers will warn.
    pub fn left_out(&self) -> Vec<String> {
        self.0.in_use.read().unwrap_or_else(PoisonError::into_inner).left_out.clone()
    }

    /// Whether the certificate in use is for this host of a URL.
    pub(super) fn answers_to(&self, host: &str) -> bool {
        self.0.in_use.read().unwrap_or_else(PoisonError::into_inner).names.answers_to(host)
    }
}

/// Renews until `stop`: when the certificate nears its end, when the clock is set, when the machine gets another address, and
/// when the configured names change. A failure is logged once and tried again. May be dropped at any await.
pub async fn keep_renewed(
    household: Household,
    mut settings: watch::Receiver<Arc<Settings>>,
    clock: Clock,
    stop: CancellationToken,
    random: impl Fn() -> [u8; 16] + Clone + Send + 'static,
) {
    let mut last_failure = String::new();
    loop {
        let hosts = settings.borrow_and_update().web.hosts.clone();
        let (renewing, clock, random) = (household.clone(), clock.clone(), random.clone());
        let renewed = tokio::task::spawn_blocking(move || {
            let wanted = Names::of_machine(&hosts).map_err(TlsError::Addresses)?;
            renewing.renew(&wanted, clock.now(), random)
        });
        match renewed.await {
            Ok(Ok(why)) => {
                last_failure.clear();
                if let Some(why) = why {
                    tracing::info!(%why, "made another certificate");
                    for name in household.left_out() {
                        tracing::warn!(
                            name,
                            "the household's authority was made before this name was configured; browsers will warn there"
                        );
                    }
                }
            }
            Ok(Err(error)) => {
                let failure = error.to_string();
                if failure != last_failure {
                    tracing::error!(%error, "the old certificate stays in use");
                    last_failure = failure;
                }
            }
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down.
                Err(_) => return,
            },
        }
        tokio::select! {
            () = stop.cancelled() => return,
            Ok(()) = settings.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// An authority that can sign.
struct Opened<'a> {
    folder: &'a Path,
    facts: &'a Facts,
    key: &'a KeyPair,
    certificate: &'a CertificateDer<'static>,
}

impl Opened<'_> {
    fn issue(
        &self,
        wanted: &Names,
        now: UtcMicros,
        random: &mut impl FnMut() -> [u8; 16],
    ) -> Result<Serving, TlsError> {
        let (names, _) = wanted.clone().split(|name| self.facts.permits(name));
        let key = KeyPair::generate()?;
        let (certificate, valid) = self.facts.issue(self.key, &key, &names, now, random())?;
        let stored = StoredCertificate {
            authority: fingerprint(self.certificate),
            names,
            start_us: valid.start(),
            end_us: valid.end(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        };
        let path = self.folder.join(CERTIFICATE);
        write(&path, &stored)?;
        serving(stored).map_err(|_| TlsError::Damaged { path })
    }
}

fn serving(stored: StoredCertificate) -> Result<Serving, rustls::Error> {
    let unusable = || rustls::Error::General("the stored certificate is damaged".to_owned());
    let certificate = CertificateDer::from_pem_slice(stored.certificate_pem.as_bytes()).map_err(|_| unusable())?;
    let key = PrivateKeyDer::from_pem_slice(stored.key_pem.as_bytes()).map_err(|_| unusable())?;
    let certified = CertifiedKey::from_der(vec![certificate], key, &provider())?;
    let valid = UtcSpan::new(stored.start_us, stored.end_us).ok_or_else(unusable)?;
    Ok(Serving { names: stored.names, left_out: Vec::new(), valid, certified: Arc::new(certified) })
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    Sha256::digest(certificate).iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, TlsError> {
    store::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => TlsError::Damaged { path: path.to_owned() },
        _ => TlsError::File { path: path.to_owned(), tried: "read", source },
    })
}

fn write<T: serde::Serialize>(path: &Path, stored: &T) -> Result<(), TlsError> {
    store::write(path, stored).map_err(|source| TlsError::File { path: path.to_owned(), tried: "written", source })
}

/// Hands each new connection the newest certificate, whatever name it asks for.
struct Newest(Household);

impl std::fmt::Debug for Newest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Newest")
    }
}

impl ResolvesServerCert for Newest {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let in_use = self.0.0.in_use.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&in_use.certified))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::tls::authority::EARLIEST;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn counting() -> impl FnMut() -> [u8; 16] {
        let mut count = 0;
        move || {
            count += 1;
            [count; 16]
        }
    }

    fn names(hosts: &[&str]) -> Names {
        Names::new(&hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>(), [])
    }

    fn open(folder: &Path, hosts: &[&str], now: UtcMicros) -> Result<Household, TlsError> {
        Household::open(folder, &names(hosts), now, counting())
    }

    fn served(household: &Household) -> CertificateDer<'static> {
        household.0.in_use.read().expect("unpoisoned").certified.cert[0].clone()
    }

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn an_authority_and_its_certificate_outlive_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("tls");
        let first = open(&folder, &["nvr.lan"], EARLIEST).expect("opened");
        let second = open(&folder, &["nvr.lan"], EARLIEST.plus(DAY)).expect("opened again");
        assert_eq!(first.fingerprint(), second.fingerprint());
        assert_eq!(served(&first), served(&second));
        for (path, mode) in [(folder.join(AUTHORITY), 0o600), (folder.join(CERTIFICATE), 0o600), (folder, 0o700)] {
            let permissions = fs::metadata(&path).expect("it is there").permissions();
            assert_eq!(permissions.mode() & 0o777, mode, "{}", path.display());
        }
    }

    #[test]
    fn a_certificate_is_renewed_under_the_same_authority() {
        let folder = tempfile::tempdir().expect("a folder");
        let household = open(folder.path(), &[], EARLIEST).expect("opened");
        let first = served(&household);
        let renew = |hosts: &[&str], days| household.renew(&names(hosts), EARLIEST.plus(days * DAY), counting());
        assert_eq!(renew(&[], 300).expect("judged"), None);
        assert_eq!(served(&household), first);
        assert_eq!(renew(&[], 380).expect("judged"), Some(Why::Ends));
        assert_eq!(renew(&["new.lan"], 380).expect("judged"), Some(Why::Names));
        assert_ne!(served(&household), first);
        assert!(household.answers_to("new.lan"));
        let again = open(folder.path(), &["new.lan"], EARLIEST.plus(381 * DAY)).expect("opened again");
        assert_eq!((served(&again), again.fingerprint()), (served(&household), household.fingerprint()));
    }

    #[test]
    fn a_name_beyond_the_authority_is_left_out_and_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let household = open(folder.path(), &["nvr.example.org"], EARLIEST).expect("opened");
        assert!(household.answers_to("nvr.example.org") && household.left_out().is_empty());
        let wanted = names(&["nvr.example.org", "other.example.org"]);
        assert_eq!(household.renew(&wanted, EARLIEST, counting()).expect("judged"), None);
        assert_eq!(household.left_out(), ["other.example.org"]);
    }

    #[test]
    fn a_damaged_authority_is_refused_and_a_damaged_certificate_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = folder.path().join(AUTHORITY);
        let before = open(folder.path(), &[], EARLIEST).expect("opened").fingerprint();
        fs::write(folder.path().join(CERTIFICATE), "{").expect("written");
        assert_eq!(open(folder.path(), &[], EARLIEST).expect("opened").fingerprint(), before);
        fs::rename(&authority, folder.path().join("away")).expect("moved");
        let new = open(folder.path(), &[], EARLIEST).expect("opened");
        assert_ne!(new.fingerprint(), before);
        let of_new = served(&new);
        fs::rename(folder.path().join("away"), &authority).expect("moved");
        assert_ne!(served(&open(folder.path(), &[], EARLIEST).expect("opened")), of_new);
        fs::write(&authority, "{").expect("written");
        let error = open(folder.path(), &[], EARLIEST).err().expect("damaged").to_string();
        assert!(error.contains("authority.json is damaged"), "{error}");
    }

    #[test]
    fn an_authority_that_ended_is_kept_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = open(folder.path(), &[], EARLIEST).expect("opened").fingerprint();
        let later = open(folder.path(), &[], EARLIEST.plus(21 * 365 * DAY)).expect("opened");
        assert_ne!(later.fingerprint(), before);
        assert!(folder.path().join(OLD_AUTHORITY).exists());
    }
}
