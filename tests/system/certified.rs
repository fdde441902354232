//! Certificates for `localhost`, made when they are needed; and clients that trust them and nobody else.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::client::Client;
use crate::folder::Folder;

/// A certificate and its key, in a folder of their own.
pub struct Certified {
    folder: Folder,
}

impl Certified {
    pub fn new() -> Certified {
        let certified = Certified { folder: Folder::new("certified") };
        certified.renew();
        certified
    }

    /// Puts another certificate and key there.
    pub fn renew(&self) {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"])
            .args(["-subj", "/CN=localhost", "-days", "2"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout"])
            .arg(self.key())
            .arg("-out")
            .arg(self.chain())
            .output()
            .expect("these tests need the Debian package `openssl`");
        assert!(made.status.success(), "{made:?}");
    }

    pub fn chain(&self) -> PathBuf {
        self.folder.0.join("chain.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.0.join("key.pem")
    }

    /// What is in the file now.
    pub fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.chain()).expect("openssl writes PEM")
    }

    /// A connection of a client that offers these protocols; an error if there is no handshake with this certificate.
    pub async fn dial(&self, address: &str, protocols: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der()).expect("it is a certificate");
        let config = ClientConfig::builder_with_provider(ring::default_provider().into());
        let config = config.with_safe_default_protocol_versions().expect("ring has them");
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await
    }

    /// The same, for requests of HTTP/1.1.
    pub async fn connect(&self, address: &str) -> Client {
        Client::over(self.dial(address, &["http/1.1"]).await.expect("a handshake"))
    }

    /// curl, with these arguments: what it wrote.
    pub fn curl(&self, arguments: &[&str]) -> String {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "20", "--cacert"])
            .arg(self.chain())
            .args(arguments);
        let done = curl.output().expect("these tests need the Debian package `curl`");
        assert!(done.status.success(), "{arguments:?}: {done:?}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }
}
