//! What stands in for a connection of TLS when that is not built: there is none.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Stream;

/// There is none.
#[derive(Debug)]
pub(crate) enum Sealed {}

impl Sealed {
    pub(crate) fn below(&self) -> &Stream {
        match *self {}
    }

    pub(crate) fn gone(&mut self) -> usize {
        match *self {}
    }

    pub(crate) fn say_goodbye(&mut self) {
        match *self {}
    }
}

impl AsyncRead for Sealed {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}

impl AsyncWrite for Sealed {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        match *self {}
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}
