//! A request's body on its way from the connection to who reads it.
//!
//! What nobody has read yet is bounded: a connection whose reader is slow reads no further, and the web server waits. Of
//! a body with a length that many bytes are one, and the rest is nothing.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Bytes that wait to be read before no more are taken; a record may go beyond.
pub(super) const ROOM: usize = 64 * 1024;
/// Bytes that the smallest piece counts for: it has a place of its own.
const LEAST: usize = 64;

/// The connection's end of a body.
#[derive(Debug)]
pub(super) struct Source {
    pipe: Arc<Mutex<Pipe>>,
    /// What is still to come, if that was said.
    left: Option<u64>,
}

/// The reader's end: what is given to the engine.
#[derive(Debug)]
pub(super) struct Stdin {
    pipe: Arc<Mutex<Pipe>>,
    /// What is still to be read, if that was said.
    left: Option<u64>,
}

#[derive(Debug, Default)]
struct Pipe {
    pieces: VecDeque<Bytes>,
    /// Bytes they count for.
    held: usize,
    end: End,
    /// Nobody reads any more.
    unwanted: bool,
    reader: Option<Waker>,
    source: Option<Waker>,
}

#[derive(Debug, Default, PartialEq)]
enum End {
    #[default]
    Open,
    Whole,
    /// There is less than was said, or the request was given up.
    Short,
}

/// A body of this length, or of one that its end will tell.
pub(super) fn stdin(length: Option<u64>) -> (Source, Stdin) {
    let end = if length == Some(0) { End::Whole } else { End::Open };
    let pipe = Arc::new(Mutex::new(Pipe { end, ..Pipe::default() }));
    (Source { pipe: pipe.clone(), left: length }, Stdin { pipe, left: length })
}

impl Source {
    /// More of it came.
    pub(super) fn push(&mut self, mut piece: Bytes) {
        if let Some(left) = &mut self.left {
            piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= piece.len() as u64;
        }
        let over = self.left == Some(0);
        let mut pipe = lock(&self.pipe);
        if pipe.end == End::Open && !pipe.unwanted && !piece.is_empty() {
            pipe.held += piece.len().max(LEAST);
            pipe.pieces.push_back(piece);
        }
        pipe.close_if(over, End::Whole);
    }

    /// The web server has sent all.
    pub(super) fn close(&mut self) {
        let end = if self.left.is_none_or(|left| left == 0) { End::Whole } else { End::Short };
        lock(&self.pipe).close_if(true, end);
    }

    /// Whether so much waits to be read that no more is to be taken. If so, who asks is woken when it changes.
    pub(super) fn is_full(&self, cx: &Context<'_>) -> bool {
        let mut pipe = lock(&self.pipe);
        let full = pipe.held >= ROOM && !pipe.unwanted;
        if full {
            pipe.source = Some(cx.waker().clone());
        }
        full
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        lock(&self.pipe).close_if(true, End::Short);
    }
}

impl Pipe {
    /// Ends it, unless it has ended, and tells the reader that something happened.
    fn close_if(&mut self, over: bool, end: End) {
        if over && self.end == End::Open {
            self.end = end;
        }
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn take(&mut self) -> Option<Bytes> {
        let piece = self.pieces.pop_front()?;
        self.held -= piece.len().max(LEAST);
        self.wake_source();
        Some(piece)
    }

    fn wake_source(&mut self) {
        if self.held < ROOM
            && let Some(source) = self.source.take()
        {
            source.wake();
        }
    }
}

impl Body for Stdin {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let mut pipe = lock(&self.pipe);
        let Some(piece) = pipe.take() else {
            return match pipe.end {
                End::Whole => Poll::Ready(None),
                End::Short => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                End::Open => {
                    pipe.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        };
        drop(pipe);
        self.left = self.left.map(|left| left - piece.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        let pipe = lock(&self.pipe);
        pipe.pieces.is_empty() && pipe.end == End::Whole
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Stdin {
    fn drop(&mut self) {
        let mut pipe = lock(&self.pipe);
        pipe.unwanted = true;
        (pipe.pieces, pipe.held) = (VecDeque::new(), 0);
        pipe.wake_source();
    }
}

fn lock(pipe: &Mutex<Pipe>) -> MutexGuard<'_, Pipe> {
    pipe.lock().expect("no code panics while it holds a body")
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    const CX: Context<'static> = Context::from_waker(Waker::noop());

    async fn read(stdin: Stdin) -> Result<Bytes, io::ErrorKind> {
        stdin.collect().await.map(|body| body.to_bytes()).map_err(|error| error.kind())
    }

    fn some(bytes: usize) -> Bytes {
        vec![b'x'; bytes].into()
    }

    #[tokio::test]
    async fn a_body_ends_with_its_length_or_with_its_stream() {
        for (length, sent, closed, read_as) in [
            (Some(5), 5, false, Ok(5)),
            (Some(5), 9, false, Ok(5)),
            (Some(5), 4, true, Err(io::ErrorKind::UnexpectedEof)),
            (Some(5), 4, false, Err(io::ErrorKind::UnexpectedEof)),
            (Some(0), 3, false, Ok(0)),
            (None, 4, true, Ok(4)),
            (None, 4, false, Err(io::ErrorKind::UnexpectedEof)),
        ] {
            let (mut source, stdin) = stdin(length);
            source.push(some(sent));
            if closed {
                source.close();
            }
            drop(source);
            assert_eq!(read(stdin).await.map(|body| body.len()), read_as, "{length:?} {sent} {closed}");
        }
    }

    #[test]
    fn what_is_there_at_once_is_known_to_be_all() {
        let (mut source, empty) = stdin(None);
        assert!(!empty.is_end_stream());
        source.close();
        assert!(empty.is_end_stream() && stdin(Some(0)).1.is_end_stream());
        assert_eq!(stdin(Some(7)).1.size_hint().exact(), Some(7));
    }

    #[tokio::test]
    async fn a_slow_reader_is_waited_for_and_one_that_has_gone_is_not() {
        let (mut source, mut slow) = stdin(None);
        source.push(some(ROOM - 1));
        assert!(!source.is_full(&CX));
        source.push(some(9));
        assert!(source.is_full(&CX));
        assert_eq!(
            slow.frame().await.expect("one").expect("read").into_data().expect("data").len(),
            ROOM - 1
        );
        assert!(!source.is_full(&CX));
        source.push(some(ROOM));
        assert!(source.is_full(&CX));
        drop(slow);
        assert!(!source.is_full(&CX));
        source.push(some(ROOM));
        assert!(!source.is_full(&CX), "what nobody reads is not kept");
    }
}
