//! A connection: bytes in both directions, whatever they go through.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::tls::Sealed;

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    #[allow(dead_code, reason = "where TLS is not built there is none")]
    Tls(Sealed),
}

impl Stream {
    /// Waits until something comes, without a buffer, and says which byte is the first; `None` at the end. Where it cannot
    /// be looked at it is taken, and left in `taken`.
    pub(crate) fn poll_first(
        &mut self,
        cx: &mut Context<'_>,
        taken: &mut Vec<u8>,
    ) -> Poll<io::Result<Option<u8>>> {
        let mut first = [0];
        let mut read = ReadBuf::new(&mut first);
        match self {
            // That it may be readable is not enough: of new sockets it is always said.
            Stream::Tcp(stream) => drop(ready!(stream.poll_peek(cx, &mut read))?),
            _ => {
                ready!(Pin::new(&mut *self).poll_read(cx, &mut read))?;
                taken.extend_from_slice(read.filled());
            }
        }
        Poll::Ready(Ok(read.filled().first().copied()))
    }

    /// Whether the first byte can be looked at without taking it.
    pub(crate) fn can_peek(&self) -> bool {
        matches!(self, Stream::Tcp(_))
    }

    /// Reads what is there; `WouldBlock` if nothing is. For the end of a connection: whoever waited for it is not woken.
    pub(crate) fn try_read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut read = ReadBuf::new(bytes);
        now(|cx| Pin::new(&mut *self).poll_read(cx, &mut read))?;
        Ok(read.filled().len())
    }

    /// Writes what is taken at once; `WouldBlock` if nothing is. For the end of a connection: whoever waited for it is not
    /// woken.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = now(|cx| Pin::new(&mut *self).poll_write(cx, bytes))?;
        now(|cx| Pin::new(&mut *self).poll_flush(cx))?;
        Ok(written)
    }

    /// When it is dropped, what was not sent is thrown away and the peer sees a reset, where there is such a thing.
    pub(crate) fn set_zero_linger(&self) {
        match self {
            // If it cannot be set the system goes on sending for a while.
            Stream::Tcp(stream) => drop(stream.set_zero_linger()),
            Stream::Unix(_) => {}
            Stream::Tls(stream) => stream.below().set_zero_linger(),
        }
    }

    /// The address of ours at which the peer has reached us, if it has one.
    #[allow(dead_code, reason = "only gopher says where it is")]
    pub(crate) fn reached(&self) -> Option<SocketAddr> {
        match self {
            Stream::Tcp(stream) => stream.local_addr().ok(),
            Stream::Unix(_) => None,
            Stream::Tls(stream) => stream.below().reached(),
        }
    }

    /// Bytes that the system has taken since this was asked, where more is taken than can be sent at once; else none.
    pub(crate) fn gone(&mut self) -> usize {
        match self {
            Stream::Tls(stream) => stream.gone(),
            _ => 0,
        }
    }

    /// Tells the peer that this is the end and nothing is missing, where that has to be said, and waits for nothing. It is
    /// for connections that end in order: not after an answer that is cut off.
    pub(crate) fn say_goodbye(&mut self) {
        if let Stream::Tls(stream) = self {
            stream.say_goodbye();
            // Who does not take it at once sees the connection closed.
            drop(now(|cx| Pin::new(stream).poll_flush(cx)));
        }
    }
}

/// What is ready at once.
fn now<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<T>>) -> io::Result<T> {
    match poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ready) => ready,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Stream::Tcp(stream)
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, to),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, to),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, to),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, from),
            Stream::Unix(stream) => Pin::new(stream).poll_write(cx, from),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, from),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
