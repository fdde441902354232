//! What lies between a socket and hyper: frames are counted as they pass, in both directions, and the time is kept.
//!
//! Bytes are not changed. When a connection costs too much nothing more is given to hyper: whoever drives it ends it.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::Frames;
use super::preface::PREFACE;
use crate::adapter::http::deadlines::{Phase, Watched};
use crate::adapter::http::wire::with_buffer;
use crate::adapter::socket::Stream;

/// What has to be known of a connection to end it when hyper is gone.
#[derive(Debug)]
pub(super) struct Line {
    /// What hyper had, when it is gone.
    left: Mutex<Option<Stream>>,
    /// The stream that was opened last.
    pub(super) last: AtomicU32,
    /// Whether a frame can be written.
    pub(super) between: AtomicBool,
    /// The client sends no more.
    pub(super) ended: AtomicBool,
}

/// One connection's socket with what is known of its frames.
#[derive(Debug)]
pub(super) struct Wire {
    /// There until this is dropped.
    stream: Option<Stream>,
    line: Arc<Line>,
    watched: Arc<Watched>,
    frames: Frames,
    /// What hyper has still to see of the preface, which is read already.
    preface: &'static [u8],
    /// The system takes no more for now.
    full: bool,
    /// Bytes that TLS has taken since the system took some.
    taken: usize,
}

impl Line {
    fn left(&self) -> std::sync::MutexGuard<'_, Option<Stream>> {
        self.left.lock().expect("no code panics while it holds a stream")
    }

    /// The connection, once hyper is gone.
    pub(super) fn stream(&self) -> Option<Stream> {
        self.left().take()
    }
}

impl Default for Line {
    fn default() -> Self {
        let (between, ended) = (AtomicBool::new(true), AtomicBool::new(false));
        Line { left: Mutex::default(), last: AtomicU32::new(0), between, ended }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        *self.line.left() = self.stream.take();
    }
}

impl Wire {
    pub(super) fn new(stream: Stream, line: Arc<Line>, watched: Arc<Watched>, streams: usize) -> Self {
        watched.wait_for(Phase::Idle);
        let frames = Frames::new(streams, watched.now());
        Wire { stream: Some(stream), line, watched, frames, preface: PREFACE, full: false, taken: 0 }
    }

    /// Tells who drives the connection where it stands.
    fn settle(&self) {
        self.watched.wait_for(match () {
            () if self.frames.is_in_block() => Phase::Head,
            () if self.frames.is_open() => Phase::Answer,
            () => Phase::Idle,
        });
        if self.full || self.frames.is_blocked() {
            self.watched.stall();
        } else {
            self.watched.went(0);
        }
        self.watched.settle(!self.frames.is_open(), self.frames.is_over());
        self.line.last.store(self.frames.last(), Relaxed);
        self.line.between.store(self.frames.is_between(), Relaxed);
    }

    fn stream(&mut self) -> Pin<&mut Stream> {
        Pin::new(self.stream.as_mut().expect("it is left behind only when this is dropped"))
    }

    fn read(&mut self, cx: &mut Context<'_>, to: &mut ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let read = with_buffer(|bytes| {
            let room = bytes.len().min(to.remaining());
            let mut read = ReadBuf::new(&mut bytes[..room]);
            ready!(self.stream().poll_read(cx, &mut read))?;
            let read = read.filled();
            self.frames.receive(read, self.watched.now());
            if !self.frames.is_over() {
                to.put_slice(read);
            }
            Poll::Ready(io::Result::Ok(read.len()))
        });
        match ready!(read)? {
            0 => self.line.ended.store(true, Relaxed),
            _ => self.settle(),
        }
        if self.frames.is_over() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// So many bytes went. Only those of answers show that the client reads, unless it was the system that took none.
    fn note(&mut self, bytes: &[u8]) {
        let before = self.frames.bytes_sent();
        self.frames.send(bytes, self.watched.now());
        let answers = usize::try_from(self.frames.bytes_sent() - before).unwrap_or(usize::MAX);
        match (self.full, answers) {
            (true, _) => self.watched.went(std::mem::take(&mut self.taken)),
            (false, 0) => {}
            (false, _) => self.watched.went(answers),
        }
        self.full = false;
    }
}

impl Read for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut to: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if !wire.preface.is_empty() {
            let some = wire.preface.len().min(to.remaining());
            let (now, later) = wire.preface.split_at(some);
            to.put_slice(now);
            wire.preface = later;
            return Poll::Ready(Ok(()));
        }
        if wire.frames.is_over() { Poll::Pending } else { wire.read(cx, &mut to) }
    }
}

impl Write for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let written = wire.stream().poll_write(cx, from);
        match &written {
            Poll::Pending => wire.full = true,
            Poll::Ready(Ok(bytes)) => {
                wire.taken += *bytes;
                wire.note(&from[..*bytes]);
            }
            Poll::Ready(Err(_)) => {}
        }
        wire.settle();
        written
    }

    /// TLS takes more than it can send at once.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let flushed = wire.stream().poll_flush(cx);
        match (flushed.is_pending(), wire.full) {
            // Who reads some of it does not read nothing.
            (true, _) => {
                if let gone @ 1.. = wire.stream().gone() {
                    wire.watched.went(gone);
                }
                wire.full = true;
            }
            (false, true) => {
                wire.full = false;
                wire.watched.went(wire.taken);
            }
            _ => {}
        }
        if !wire.full {
            wire.taken = 0;
        }
        wire.settle();
        flushed
    }

    /// Whoever drives the connection closes it.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
