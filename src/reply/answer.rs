//! The way of a response from the session to who waits for it.
//!
//! A session that answers at once leaves its response on a desk, for the call that brought the hit and is still on
//! this thread's stack: no memory is allocated and no other thread is told. Any other answer goes through a channel.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use tokio::sync::oneshot;

use super::body::Body;
use crate::server::BoxFuture;

/// How a response gets back to who waits for it. Dropped unused, it answers 503.
pub(crate) struct Back(Way);

enum Way {
    Desk(u64),
    Channel(oneshot::Sender<Response<Body>>),
    /// Nobody waits, or it was sent.
    Nowhere,
}

/// One call at a time has it; a call within a session's run has it meanwhile.
struct Desk {
    /// How many calls there were.
    calls: u64,
    /// Whose it is.
    call: u64,
    left: Place,
}

/// Where a response is.
enum Place {
    /// Not here.
    Nowhere,
    /// The session has answered.
    Here(Response<Body>),
    /// The session will.
    Channel(oneshot::Receiver<Response<Body>>),
    /// Something else does: a file, or an adapter that reads the body first.
    Aside(BoxFuture<Response<Body>>),
}

thread_local! {
    static DESK: RefCell<Desk> = const { RefCell::new(Desk { calls: 0, call: 0, left: Place::Nowhere }) };
}

/// Gives the desk back to the call before, also if this one panics.
struct Before {
    call: u64,
    left: Place,
}

impl Before {
    /// Takes the desk for a call.
    fn take() -> (u64, Before) {
        DESK.with_borrow_mut(|desk| {
            desk.calls += 1;
            let before = Before { call: desk.call, left: desk.left.take() };
            desk.call = desk.calls;
            (desk.call, before)
        })
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        let abandoned = DESK.with_borrow_mut(|desk| {
            desk.call = self.call;
            let abandoned = desk.left.take();
            if !matches!(self.left, Place::Nowhere) {
                desk.left = self.left.take();
            }
            abandoned
        });
        drop(abandoned);
    }
}

impl Place {
    fn take(&mut self) -> Place {
        match self {
            Place::Nowhere => Place::Nowhere,
            left => std::mem::replace(left, Place::Nowhere),
        }
    }
}

impl Back {
    pub(crate) fn nowhere() -> Self {
        Back(Way::Nowhere)
    }

    pub(crate) fn answer(mut self, response: Response<Body>) {
        self.give(response);
    }

    /// The call that brought the hit is about to return: from here on the answer goes through a channel.
    pub(crate) fn defer(&mut self) {
        let Way::Desk(call) = self.0 else { return };
        let (sender, receiver) = oneshot::channel();
        self.0 = Way::Channel(sender);
        leave(call, Place::Channel(receiver));
    }

    fn give(&mut self, response: Response<Body>) {
        match std::mem::replace(&mut self.0, Way::Nowhere) {
            Way::Desk(call) => leave(call, Place::Here(response)),
            // A client that has gone away is no concern of the session's.
            Way::Channel(sender) => drop(sender.send(response)),
            Way::Nowhere => {}
        }
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        if !matches!(self.0, Way::Nowhere) {
            self.give(unavailable());
        }
    }
}

/// Leaves something on the desk of the call that is on this thread's stack.
fn leave(call: u64, left: Place) {
    DESK.with_borrow_mut(|desk| {
        // Another call's desk: a response would go to another client.
        assert_eq!(desk.call, call, "a reply is deferred before its hit leaves the call that brought it");
        desk.left = left;
    });
}

fn unavailable() -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from_static(b"Please try again in a moment.\n")));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// What a request is answered with, once: the future an adapter awaits.
pub struct Answer(Place);

impl Answer {
    /// Brings a hit with its way back, and takes what is answered at once.
    pub(crate) fn to(bring: impl FnOnce(Back)) -> Self {
        let (call, _before) = Before::take();
        bring(Back(Way::Desk(call)));
        Answer(DESK.with_borrow_mut(|desk| desk.left.take()))
    }

    pub(crate) fn aside(answer: impl Future<Output = Response<Body>> + Send + 'static) -> Self {
        Answer(Place::Aside(Box::pin(answer)))
    }
}

impl Future for Answer {
    type Output = Response<Body>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Place::Channel(answer) => {
                let answer = ready!(Pin::new(answer).poll(cx));
                Poll::Ready(answer.expect("a reply answers when it is dropped"))
            }
            Place::Aside(answer) => answer.as_mut().poll(cx),
            here => match here.take() {
                Place::Here(response) => Poll::Ready(response),
                _ => unreachable!(
                    "a reply answers, is deferred, or is dropped and answers; and it is taken once"
                ),
            },
        }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}
