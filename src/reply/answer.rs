//! The way of a response from the session to who waits for it.
//!
//! A session that answers at once leaves its response on a desk, for the call that brought the hit and is still on
//! this thread's stack: no memory is allocated and no other thread is told. Any other answer goes through a channel.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use tokio::sync::{mpsc, oneshot};

use crate::body::Body;
use crate::hit::Hit;
use crate::page::allow_nothing;
use crate::server::BoxFuture;

/// How a response gets back to who waits for it. Dropped unused, it answers 503.
pub(crate) struct Back(Way);

enum Way {
    Desk(u64),
    Channel(oneshot::Sender<Outcome>),
    /// Nobody waits, or it was sent.
    Nowhere,
}

/// One call at a time has it; a call within a session's run has it meanwhile.
struct Desk {
    /// How many calls there were.
    calls: Cell<u64>,
    /// Whose it is.
    call: Cell<u64>,
    left: Cell<Left>,
}

#[derive(Default)]
enum Left {
    #[default]
    Nothing,
    Here(Outcome),
    /// The session is still at it.
    Channel(oneshot::Receiver<Outcome>),
}

thread_local! {
    static DESK: Desk = const { Desk { calls: Cell::new(0), call: Cell::new(0), left: Cell::new(Left::Nothing) } };
}

/// What was on the desk before a call, given back also if the call panics.
struct Before {
    call: u64,
    left: Left,
}

impl Before {
    /// Takes the desk for a call.
    fn take() -> (u64, Before) {
        DESK.with(|desk| {
            let call = desk.calls.get() + 1;
            desk.calls.set(call);
            (call, Before { call: desk.call.replace(call), left: desk.left.take() })
        })
    }

    /// Gives the desk back and returns what the call left on it.
    fn give_back(mut self) -> Left {
        let left = self.swap();
        // It holds nothing any more, and must not give back twice.
        std::mem::forget(self);
        left
    }

    fn swap(&mut self) -> Left {
        DESK.with(|desk| {
            desk.call.set(self.call);
            desk.left.replace(std::mem::take(&mut self.left))
        })
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        drop(self.swap());
    }
}

impl Back {
    pub(crate) fn nowhere() -> Self {
        Back(Way::Nowhere)
    }

    pub(crate) fn answer(mut self, outcome: Outcome) {
        self.give(outcome);
    }

    /// The call that brought the hit is about to return: from here on the answer goes through a channel.
    pub(crate) fn defer(&mut self) {
        let Way::Desk(call) = self.0 else { return };
        let (sender, receiver) = oneshot::channel();
        self.0 = Way::Channel(sender);
        leave(call, Left::Channel(receiver));
    }

    fn give(&mut self, outcome: Outcome) {
        match std::mem::replace(&mut self.0, Way::Nowhere) {
            Way::Desk(call) => leave(call, Left::Here(outcome)),
            Way::Channel(sender) => send_through(sender, outcome),
            Way::Nowhere => {}
        }
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        if !matches!(self.0, Way::Nowhere) {
            self.give(Outcome::response(unavailable()));
        }
    }
}

#[inline(never)]
fn send_through(sender: oneshot::Sender<Outcome>, outcome: Outcome) {
    // A client that has gone away is no concern of the session's.
    drop(sender.send(outcome));
}

/// Leaves something on the desk of the call that is on this thread's stack.
fn leave(call: u64, left: Left) {
    DESK.with(|desk| {
        // Another call's desk: a response would go to another client.
        assert_eq!(
            desk.call.get(),
            call,
            "a reply is deferred before its hit leaves the call that brought it"
        );
        desk.left.set(left);
    });
}

fn unavailable() -> Response<Body> {
    let mut response = Response::new(Bytes::from_static(b"Please try again in a moment.\n").into());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    allow_nothing(headers);
    response
}

/// What gets back to who waits: a pointer, since it is moved often.
pub(crate) enum Outcome {
    /// The hit, with its reply complete.
    Hit(Box<Hit>),
    Response(Box<Response<Body>>),
}

impl Outcome {
    pub(super) fn response(response: Response<Body>) -> Self {
        Outcome::Response(Box::new(response))
    }

    fn into_response(self) -> Response<Body> {
        match self {
            Outcome::Hit(hit) => hit.into_response(),
            Outcome::Response(response) => *response,
        }
    }
}

/// A complete response on its way: nothing can happen to it any more but being sent.
pub(crate) enum Ready {
    Whole(Box<Hit>),
    Tail(mpsc::OwnedPermit<Bytes>, Bytes),
    /// A page that was kept.
    Again(Back, Outcome),
}

impl Ready {
    /// The same, for another thread to send.
    pub(crate) fn deferred(mut self) -> Self {
        match &mut self {
            Ready::Whole(hit) => hit.reply.defer(),
            Ready::Again(back, _) => back.defer(),
            Ready::Tail(..) => {}
        }
        self
    }

    pub(crate) fn send(self) {
        match self {
            Ready::Whole(mut hit) => hit.reply.take_back().answer(Outcome::Hit(hit)),
            Ready::Tail(last, chunk) => drop(last.send(chunk)),
            Ready::Again(back, outcome) => back.answer(outcome),
        }
    }
}

/// What a request is answered with, once: the future an adapter awaits.
pub struct Answer(When);

enum When {
    /// The session has answered. A pointer: the response is made where it is awaited.
    Now(Option<Outcome>),
    /// The session will.
    Later(oneshot::Receiver<Outcome>),
    /// Something else does: a file, or an adapter that reads the body first.
    Aside(BoxFuture<Response<Body>>),
}

impl Answer {
    /// An answer that is there.
    #[cfg(feature = "compression")]
    pub(crate) fn now(response: Response<Body>) -> Self {
        Answer(When::Now(Some(Outcome::response(response))))
    }

    /// Takes the response, if it is there.
    #[cfg(feature = "compression")]
    pub(crate) fn at_once(&mut self) -> Option<Response<Body>> {
        match &mut self.0 {
            When::Now(outcome) => outcome.take().map(Outcome::into_response),
            _ => None,
        }
    }

    /// Bytes in memory that are there to be sent.
    #[cfg(feature = "http2")]
    pub(crate) fn size(&self) -> usize {
        match &self.0 {
            When::Now(Some(Outcome::Hit(hit))) => hit.reply.size(),
            When::Now(Some(Outcome::Response(response))) => {
                response.body().whole().map_or(0, |whole| whole.len())
            }
            _ => 0,
        }
    }

    pub(crate) fn aside(answer: impl Future<Output = Response<Body>> + Send + 'static) -> Self {
        Answer(When::Aside(Box::pin(answer)))
    }
}

/// A call that brings a hit: from the way back that the hit is given, to what is answered.
pub(crate) struct Call(Before);

impl Call {
    pub(crate) fn begin() -> (Call, Back) {
        let (call, before) = Before::take();
        (Call(before), Back(Way::Desk(call)))
    }

    /// Takes what is answered at once.
    pub(crate) fn end(self) -> Answer {
        Answer(match self.0.give_back() {
            Left::Here(outcome) => When::Now(Some(outcome)),
            Left::Channel(receiver) => When::Later(receiver),
            Left::Nothing => unreachable!("a reply answers, is deferred, or is dropped and answers"),
        })
    }
}

impl Future for Answer {
    type Output = Response<Body>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            When::Now(outcome) => {
                let outcome = outcome.take().expect("an answer is not polled after it was ready");
                Poll::Ready(outcome.into_response())
            }
            When::Later(answer) => {
                let outcome = ready!(Pin::new(answer).poll(cx));
                Poll::Ready(outcome.expect("a reply answers when it is dropped").into_response())
            }
            When::Aside(answer) => answer.as_mut().poll(cx),
        }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}
