//! What a connection of HTTP/2 has the server do: requests at work, given up or not, and answers that wait to be read.
//!
//! hyper forgets a stream that is reset; the session goes on with its hit. It counts here until it has answered, or a
//! client could have any amount of work done by resetting what it asks for.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};

use crate::body::Body;
use crate::reply::Answer;

/// Bytes of an answer that are given to hyper at once: what it has it keeps until the client takes it.
const PIECE: usize = 16 * 1024;

/// The counts of one connection.
#[derive(Debug, Default)]
pub(super) struct Work {
    running: AtomicUsize,
    /// Bytes in memory of answers that are not sent.
    unsent: AtomicUsize,
}

/// One request that counts until this is dropped.
#[derive(Debug)]
struct Place {
    work: Arc<Work>,
    unsent: usize,
}

impl Work {
    pub(super) fn running(&self) -> usize {
        self.running.load(Relaxed)
    }

    pub(super) fn unsent(&self) -> usize {
        self.unsent.load(Relaxed)
    }

    /// Counts an answer from now on. If it is given up it is awaited there.
    pub(super) fn count(self: &Arc<Self>, answer: Answer, runtime: &tokio::runtime::Handle) -> Answering {
        self.running.fetch_add(1, Relaxed);
        let mut place = Place { work: self.clone(), unsent: 0 };
        place.note(answer.size());
        Answering(Some(Pending { answer, place, runtime: runtime.clone() }))
    }
}

impl Place {
    /// So much is there to be sent.
    fn note(&mut self, unsent: usize) {
        self.work.unsent.fetch_add(unsent, Relaxed);
        self.work.unsent.fetch_sub(self.unsent, Relaxed);
        self.unsent = unsent;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.work.running.fetch_sub(1, Relaxed);
        self.work.unsent.fetch_sub(self.unsent, Relaxed);
    }
}

/// An answer as hyper wants it.
pub(super) struct Answering(Option<Pending>);

struct Pending {
    answer: Answer,
    place: Place,
    runtime: tokio::runtime::Handle,
}

impl Future for Answering {
    type Output = Result<Response<Sending>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let pending = self.0.as_mut().expect("an answer is not polled after it was ready");
        let response = ready!(Pin::new(&mut pending.answer).poll(cx));
        let pending = self.0.take().expect("it is there");
        Poll::Ready(Ok(response.map(|body| Sending::new(body, pending.place))))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(Pending { answer, place, runtime }) = self.0.take() {
            runtime.spawn(async move {
                drop(answer.await);
                drop(place);
            });
        }
    }
}

/// A response's body, in pieces.
pub(super) struct Sending {
    body: Body,
    /// What was taken out of it and not given on.
    rest: Bytes,
    _place: Place,
}

impl Sending {
    fn new(body: Body, mut place: Place) -> Self {
        place.note(body.whole().map_or(0, |whole| whole.len()));
        Sending { body, rest: Bytes::new(), _place: place }
    }
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)).transpose()? {
                None => return Poll::Ready(None),
                Some(frame) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
            }
        }
        let some = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(some)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let mut hint = SizeHint::new();
        if let Some(upper) = self.body.size_hint().upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(self.body.size_hint().lower() + rest);
        hint
    }
}
