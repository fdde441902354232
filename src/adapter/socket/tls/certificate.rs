//! A certificate with its key: read from two PEM files, checked, replaced while connections go on.
//!
//! What was read of a key is zeroed as soon as rustls has made its own of it, and is shown nowhere.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use rustls::client::verify_server_cert_signed_by_trust_anchor as verify;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};
use tokio_rustls::rustls;
use zeroize::{Zeroize, Zeroizing};

use crate::error::Error;

/// Bytes of a file that is one: a chain of some certificates.
const LARGEST: u64 = 1024 * 1024;
/// How long before its end a certificate should have been renewed.
const SOON: Duration = Duration::from_secs(7 * 24 * 3600);

/// A certificate with its key, from two PEM files: for [`Http::tls_with`](crate::Http::tls_with), where a program renews
/// it itself. Clones are the same one.
///
/// ```no_run
/// use continuity::Certificate;
/// use continuity::prelude::*;
///
/// # async fn hello(_: Request) -> Result<()> { Ok(()) }
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let certificate = Certificate::open("fullchain.pem", "privkey.pem")?;
/// let renewed = certificate.clone();
/// tokio::spawn(async move {
///     // ... when new files are there:
///     renewed.reload()
/// });
/// Server::new(hello).listen(Http::on("0.0.0.0:443").tls_with(certificate)).run().await
/// # }
/// ```
#[derive(Clone)]
pub struct Certificate(Arc<Kept>);

struct Kept {
    chain: PathBuf,
    key: PathBuf,
    now: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads both files: the certificate with those between it and its authority, and its key. It is an error if one is
    /// missing, or no PEM, or if they do not belong together; that the certificate is over is a warning.
    pub fn open(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Certificate, Error> {
        let (chain, key) = (chain.into(), key.into());
        let now = RwLock::new(Arc::new(read(&chain, &key)?));
        Ok(Certificate(Arc::new(Kept { chain, key, now })))
    }

    /// Reads the files again; who connects from now on gets what they hold. If they are no good the old certificate stays,
    /// and the log says so too. SIGHUP does the same.
    pub fn reload(&self) -> Result<(), Error> {
        let Kept { chain, key, now } = &*self.0;
        match read(chain, key) {
            Ok(new) => {
                *now.write().expect("no code panics while it holds a certificate") = Arc::new(new);
                tracing::info!(certificate = %chain.display(), "the certificate was read again");
                Ok(())
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%error, cause, "the certificate stays what it was");
                Err(error)
            }
        }
    }

    pub(super) fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        self.0.clone()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kept { chain, key, .. } = &*self.0;
        f.debug_struct("Certificate").field("chain", chain).field("key", key).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Kept {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now.read().expect("no code panics while it holds a certificate").clone())
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("chain", &self.chain).finish_non_exhaustive()
    }
}

fn read(chain: &Path, key: &Path) -> Result<CertifiedKey, Error> {
    let certificates = read_chain(chain)?;
    let mut secret = read_key(key)?;
    let signer = ring::sign::any_supported_type(&secret);
    secret.zeroize();
    let unknown =
        |error| Error::caused(format!("key {}: of no kind that is known here", key.display()), error);
    let certified = CertifiedKey::new(certificates, signer.map_err(unknown)?);
    certified.keys_match().map_err(|error| {
        let both = format!("key {} does not belong to certificate {}", key.display(), chain.display());
        Error::caused(both, error)
    })?;
    warn_of_age(chain, &certified.cert);
    Ok(certified)
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = contents(path).map_err(|error| failed("read", path, error))?;
    let found = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| failed("understand", path, error))?;
    if found.is_empty() {
        let lacks = "there is none in it; it begins with -----BEGIN CERTIFICATE-----";
        return Err(Error::new(format!("certificate {}: {lacks}", path.display())));
    }
    Ok(found)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let bytes = contents(path).map_err(|error| failed("read", path, error))?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        let has = |text: &[u8]| bytes.windows(text.len()).any(|some| some == text);
        let why = if has(b"ENCRYPTED") {
            "it needs a passphrase; `openssl pkey -in KEY -out PLAIN` writes it without one"
        } else {
            "there is none in it; it begins with -----BEGIN PRIVATE KEY-----"
        };
        Error::caused(format!("key {}: {why}", path.display()), error)
    })
}

fn failed(verb: &str, path: &Path, error: impl Into<crate::BoxError>) -> Error {
    Error::caused(format!("{verb} {}", path.display()), error)
}

/// All of a file, in one piece of memory that is zeroed when it is dropped.
fn contents(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is far too large to be one"));
    }
    // With room for more than there is: what is moved to a larger piece of memory leaves a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1024));
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Says in the log if a certificate is over, or will be soon. It is served all the same: clients decide.
fn warn_of_age(path: &Path, chain: &[CertificateDer<'static>]) {
    let now = UnixTime::now();
    let soon = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + SOON);
    let certificate = path.display();
    match (age(chain, now), age(chain, soon)) {
        (Some(Age::Early), _) => tracing::warn!(%certificate, "the certificate is not valid yet"),
        (Some(Age::Over), _) => {
            tracing::warn!(%certificate, "the certificate has expired: clients will refuse it")
        }
        (None, Some(Age::Over)) => tracing::warn!(%certificate, "the certificate expires within a week"),
        _ => {}
    }
}

#[derive(Debug, PartialEq)]
enum Age {
    Early,
    Over,
}

/// Asks a verifier that trusts nobody: it looks at the time first.
fn age(chain: &[CertificateDer<'static>], at: UnixTime) -> Option<Age> {
    let (first, rest) = chain.split_first()?;
    let parsed = ParsedCertificate::try_from(first).ok()?;
    let known = ring::default_provider().signature_verification_algorithms.all;
    match verify(&parsed, &RootCertStore::empty(), rest, at, known).err()? {
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => Some(Age::Over),
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => Some(Age::Early),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

    #[test]
    fn a_certificate_is_too_young_good_or_too_old() {
        let chain = read_chain(&Path::new(EXAMPLES).join("localhost.pem")).expect("the example's");
        let years = |years: u64| UnixTime::since_unix_epoch(Duration::from_secs(years * 365 * 24 * 3600));
        assert_eq!(age(&chain, years(1)), Some(Age::Early));
        assert_eq!(age(&chain, UnixTime::now()), None);
        assert_eq!(age(&chain, years(300)), Some(Age::Over));
    }

    #[test]
    fn r16_a_key_is_not_shown() {
        let file = |name| Path::new(EXAMPLES).join(name);
        let certificate =
            Certificate::open(file("localhost.pem"), file("localhost.key.pem")).expect("they fit");
        let shown = format!("{certificate:?} {:?}", certificate.0);
        let key = std::fs::read_to_string(file("localhost.key.pem")).expect("it is there");
        assert!(key.lines().all(|line| !shown.contains(line)), "{shown}");
    }
}
