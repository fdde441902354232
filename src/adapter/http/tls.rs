//! https: what programs say of it.

use std::path::PathBuf;

use super::Http;
use crate::adapter::socket::tls::{Certificate, Wanted};

impl Http {
    /// Speaks https with this certificate (with those between it and its authority) and its key, from PEM files. Cookies are
    /// `Secure` then, and the session's has the prefix `__Host-`.
    ///
    /// When the process gets SIGHUP the files are read again, and no connection is dropped. Needs the feature `tls`.
    ///
    /// ```no_run
    /// use continuity::prelude::*;
    ///
    /// # async fn hello(_: Request) -> Result<()> { Ok(()) }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let https = Http::on("0.0.0.0:443").tls("/etc/shop/fullchain.pem", "/etc/shop/privkey.pem");
    /// Server::new(hello).listen(https).run().await
    /// # }
    /// ```
    pub fn tls(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.seal = Some(Wanted::Files(certificate.into(), key.into()));
        self
    }

    /// Speaks https with a certificate that the program keeps, to renew it itself: [`Certificate::reload`].
    pub fn tls_with(mut self, certificate: Certificate) -> Self {
        self.seal = Some(Wanted::Certificate(certificate));
        self
    }
}
