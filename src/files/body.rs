//! The body of a file: read piece by piece off the runtime's threads, one piece at a time.
//!
//! A piece is read when the last one was taken: a client that does not read costs one. A file that got shorter breaks
//! the body off, so that nobody takes it for whole.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::open;

/// Bytes that are read at once: what a transfer holds in memory.
pub(super) const PIECE: u64 = 64 * 1024;

/// What a body is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Bytes(Bytes),
    /// These bytes of the file.
    File(Range<u64>),
}

impl Part {
    pub(super) fn length(&self) -> u64 {
        match self {
            Part::Bytes(bytes) => bytes.len() as u64,
            Part::File(range) => range.end - range.start,
        }
    }
}

/// A file on its way to a client.
#[derive(Debug)]
pub(crate) struct FileBody {
    file: Arc<File>,
    parts: VecDeque<Part>,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    /// Bytes that were not handed out yet.
    left: u64,
}

impl FileBody {
    pub(super) fn new(file: Arc<File>, parts: impl Into<VecDeque<Part>>) -> Self {
        let parts = parts.into();
        let left = parts.iter().map(Part::length).sum();
        FileBody { file, parts, reading: None, left }
    }

    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// The next bytes; an error ends it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            if let Some(reading) = &mut self.reading {
                let read = ready!(Pin::new(reading).poll(cx));
                self.reading = None;
                return Poll::Ready(Some(
                    self.hand_out(read.unwrap_or_else(|error| Err(io::Error::other(error)))),
                ));
            }
            match self.parts.pop_front() {
                None => return Poll::Ready(None),
                Some(Part::Bytes(bytes)) => return Poll::Ready(Some(self.hand_out(Ok(bytes)))),
                Some(Part::File(range)) => self.read(range),
            }
        }
    }

    /// Begins to read the first piece of a range.
    fn read(&mut self, range: Range<u64>) {
        let end = range.end.min(range.start + PIECE);
        if end < range.end {
            self.parts.push_front(Part::File(end..range.end));
        }
        let file = self.file.clone();
        let bytes = usize::try_from(end - range.start).expect("a piece is small");
        self.reading = Some(tokio::task::spawn_blocking(move || open::read(&file, range.start, bytes)));
    }

    fn hand_out(&mut self, read: io::Result<Bytes>) -> io::Result<Bytes> {
        match &read {
            Ok(bytes) => self.left -= bytes.len() as u64,
            Err(error) => {
                tracing::warn!(%error, left = self.left, "a file got shorter, or could not be read on, while it was sent");
                self.parts.clear();
            }
        }
        read
    }
}
