//! What lies between a socket and hyper: it gives hyper whole heads and bodies that are in order, and nothing else.
//!
//! Bytes are read into a buffer of the thread's, checked there, and copied on. Only a head that comes in pieces is held
//! here. After a fault nothing more is given: requests before it are answered first. A fault in a body is an error of
//! the body's reader; of one in a head hyper never learns, whoever drives the connection answers it.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Stream;
use super::deadlines::{Phase, Watched};
use super::fault::Fault;
use super::framing::{Bounds, Framing};

/// Bytes that are read at once.
const BUFFER: usize = 16 * 1024;

thread_local! {
    static BYTES: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER].into_boxed_slice());
}

/// Runs with the thread's buffer.
pub(super) fn with_buffer<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    BYTES.with_borrow_mut(|bytes| read(bytes))
}

/// One connection's socket with what is known of its requests.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Stream,
    watched: Arc<Watched>,
    framing: Framing,
    /// What was read and not passed on.
    held: Vec<u8>,
    /// How much of it may be.
    admitted: usize,
    /// The client sends no more.
    ended: bool,
    /// hyper waits for more than there is.
    asked: bool,
    /// What hyper has written may not be all that it wants to.
    unflushed: bool,
    /// Bytes that were taken since it was last seen that some go.
    taken: usize,
}

impl Wire {
    /// `read` is what was read of the stream already.
    pub(crate) fn new(stream: Stream, read: Vec<u8>, watched: Arc<Watched>, bounds: Bounds) -> Self {
        let mut wire = Wire {
            stream,
            watched,
            framing: Framing::new(bounds),
            held: Vec::new(),
            admitted: 0,
            ended: false,
            asked: true,
            unflushed: false,
            taken: 0,
        };
        if !read.is_empty() {
            wire.hold(&read);
        }
        wire
    }

    /// The fault of a head, which nobody has answered yet.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.framing.fault().filter(|_| !self.framing.is_in_body())
    }

    /// Whether the request at fault is a HEAD, of which answers have no body.
    pub(crate) fn is_for_head(&self) -> bool {
        self.framing.is_for_head()
    }

    /// Whether something came, or may still come, that nobody has read: to just close would reset the connection, and
    /// the client could lose the answer.
    pub(crate) fn is_unread(&mut self) -> bool {
        let mid = self.framing.is_in_body() || self.framing.fault().is_some();
        let nothing = |read: io::Result<usize>| match read {
            Ok(bytes) => bytes == 0,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        !self.ended && (mid || !nothing(self.stream.try_read(&mut [0])))
    }

    pub(crate) fn into_stream(self) -> Stream {
        self.stream
    }

    /// Whether the reader of a body is to be told that it will not come, and why.
    fn broken(&self) -> Option<io::Error> {
        if !self.framing.is_in_body() {
            return None;
        }
        let fault = self.framing.fault().map(|fault| io::Error::new(io::ErrorKind::InvalidData, fault.says));
        fault.or_else(|| self.watched.is_late().then(|| io::ErrorKind::TimedOut.into()))
    }

    /// There is nothing to give.
    fn wait(&mut self) {
        if self.framing.fault().is_none() {
            if self.framing.is_in_body() {
                self.watched.wait_for(Phase::Body);
            } else if self.framing.is_in_head() {
                self.watched.wait_for(Phase::Head);
            } else if self.watched.phase() != Phase::Opened {
                self.watched.wait_for(Phase::Idle);
            }
        }
        self.asked = true;
        self.settle();
    }

    /// Tells who drives the connection where it stands.
    fn settle(&self) {
        // Otherwise it was told so when there was something to read.
        if self.asked {
            let quiet = !self.unflushed && !self.framing.is_in_body();
            self.watched.settle(quiet, quiet && self.framing.fault().is_some());
        }
    }

    /// The client reads what is sent.
    fn note_gone(&mut self) {
        self.watched.went(std::mem::take(&mut self.taken));
    }

    /// Checks what came and passes on what may be; whether that is anything.
    fn take(&mut self, bytes: &[u8], to: &mut ReadBufCursor<'_>) -> bool {
        if !self.held.is_empty() {
            self.hold(bytes);
            return self.give(to);
        }
        let heads = self.framing.heads();
        let passed = self.framing.admit(bytes);
        self.note(heads, passed);
        if passed < bytes.len() && self.framing.fault().is_none() {
            self.held.extend_from_slice(&bytes[passed..]);
        }
        to.put_slice(&bytes[..passed]);
        passed > 0
    }

    /// Checks what came behind what is held.
    fn hold(&mut self, bytes: &[u8]) {
        let heads = self.framing.heads();
        self.held.extend_from_slice(bytes);
        self.admitted = self.framing.admit(&self.held);
        self.note(heads, bytes.len());
        if self.framing.fault().is_some() {
            self.held.truncate(self.admitted);
        }
    }

    /// Keeps the time: a request has begun, or more of one came.
    fn note(&self, heads: u32, bytes: usize) {
        if self.framing.heads() != heads {
            self.watched.begin();
        } else if self.framing.is_in_body() {
            self.watched.came(bytes);
        }
    }

    /// Passes on what was held and may be.
    fn give(&mut self, to: &mut ReadBufCursor<'_>) -> bool {
        let some = self.admitted.min(to.remaining());
        to.put_slice(&self.held[..some]);
        self.admitted -= some;
        if some == self.held.len() {
            self.held = Vec::new();
        } else {
            self.held.drain(..some);
        }
        some > 0
    }

    /// Reads from the socket; whether there is something for hyper, if only the end.
    fn read(&mut self, cx: &mut Context<'_>, to: &mut ReadBufCursor<'_>) -> Poll<io::Result<bool>> {
        with_buffer(|bytes| {
            let room = bytes.len().min(to.remaining());
            let mut read = ReadBuf::new(&mut bytes[..room]);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                self.ended = true;
                return Poll::Ready(Ok(true));
            }
            Poll::Ready(Ok(self.take(read.filled(), to)))
        })
    }
}

impl Read for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut to: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let mut given = wire.admitted > 0 && wire.give(&mut to);
        while !given {
            if let Some(error) = wire.broken() {
                return Poll::Ready(Err(error));
            }
            let read = match wire.framing.fault() {
                Some(_) => Poll::Pending,
                None => wire.read(cx, &mut to),
            };
            match read {
                Poll::Ready(read) => given = read?,
                Poll::Pending => {
                    wire.wait();
                    return Poll::Pending;
                }
            }
        }
        if wire.asked {
            wire.asked = false;
            wire.watched.settle(false, false);
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        self.unflushed = true;
        let written = Pin::new(&mut self.stream).poll_write(cx, from);
        match &written {
            Poll::Pending => self.watched.stall(),
            Poll::Ready(written) => {
                self.taken += *written.as_ref().unwrap_or(&0);
                if self.watched.is_stalled() {
                    self.note_gone();
                }
            }
        }
        self.settle();
        written
    }

    /// hyper asks for it when it has written all that it wants to.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS takes more than it can send at once.
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.unflushed = flushed.is_pending();
        if self.unflushed {
            // Who reads some of it does not read nothing.
            if let gone @ 1.. = self.stream.gone() {
                self.watched.went(gone);
            }
            self.watched.stall();
        } else {
            self.note_gone();
        }
        self.settle();
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
