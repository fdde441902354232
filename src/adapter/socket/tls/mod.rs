//! TLS: rustls, with the certificate that is current when a client comes.
//!
//! 1.3 and 1.2, nothing older. Nothing is taken before the handshake is over (no early data), since that could be sent
//! twice. Who comes again resumes by a ticket, whose keys change by themselves every six hours. What the certificate is,
//! and how it is replaced, is in `certificate`.

mod certificate;
mod counted;
mod reload;

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::rustls::{self, ServerConfig, crypto::ring};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::Stream;
use crate::error::Error;
pub use certificate::Certificate;
use counted::Counted;

/// A connection that nobody can read or change on its way. In a box: most of it is not needed at once.
#[derive(Debug)]
pub(crate) struct Sealed(Box<TlsStream<Counted>>);

/// What a program wants: the certificate in these files, or this one.
#[derive(Debug)]
pub(crate) enum Wanted {
    Files(PathBuf, PathBuf),
    Certificate(Certificate),
}

impl Wanted {
    /// For clients that speak one of these protocols, or do not say what they speak.
    pub(crate) fn terms(self, protocols: &[&[u8]]) -> Result<Terms, Error> {
        let certificate = match self {
            Wanted::Files(chain, key) => Certificate::open(chain, key)?,
            Wanted::Certificate(certificate) => certificate,
        };
        Terms::new(certificate, protocols)
    }
}

/// How connections of a listener are sealed.
pub(crate) struct Terms {
    acceptor: TlsAcceptor,
    certificate: Certificate,
}

/// A connection that is sealed, and what was agreed to speak on it.
pub(crate) struct Agreed {
    pub(crate) stream: Stream,
    pub(crate) protocol: Option<Vec<u8>>,
}

impl Terms {
    fn new(certificate: Certificate, protocols: &[&[u8]]) -> Result<Terms, Error> {
        let failed = |error: rustls::Error| Error::caused("TLS cannot be set up", error);
        let mut config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_no_client_auth()
            .with_cert_resolver(certificate.resolver());
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        config.ticketer = ring::Ticketer::new().map_err(failed)?;
        Ok(Terms { acceptor: TlsAcceptor::from(Arc::new(config)), certificate })
    }

    /// The handshake. Whoever calls it keeps the time.
    pub(crate) async fn agree(&self, stream: Stream) -> io::Result<Agreed> {
        let stream = self.acceptor.accept(Counted { stream, gone: 0 }).await?;
        let protocol = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        Ok(Agreed { stream: Stream::Tls(Sealed(Box::new(stream))), protocol })
    }

    /// Reads the certificate again whenever the process gets SIGHUP; never returns.
    pub(crate) async fn watch(&self) {
        reload::on_hangup(&self.certificate).await;
    }
}

impl std::fmt::Debug for Terms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terms").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Sealed {
    /// What it goes through.
    pub(super) fn below(&self) -> &Stream {
        &self.0.get_ref().0.stream
    }

    /// Bytes that the system has taken since this was asked.
    pub(super) fn gone(&mut self) -> usize {
        std::mem::take(&mut self.0.get_mut().0.gone)
    }

    /// Tells the peer that nothing more comes, with what is flushed next.
    pub(super) fn say_goodbye(&mut self) {
        self.0.get_mut().1.send_close_notify();
    }
}

impl AsyncRead for Sealed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, to)
    }
}

impl AsyncWrite for Sealed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}
