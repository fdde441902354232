//! An answer as services give it: a future of a result that is never an error.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;

use crate::body::Body;
use crate::reply::Answer;

/// What a request to a service is answered with: the future that a [`Mounted`](crate::Mounted) server returns.
#[derive(Debug)]
#[cfg_attr(not(feature = "tower"), expect(unreachable_pub, reason = "hyper alone has it then"))]
#[must_use = "a request is answered where this is awaited"]
pub struct Answering(Answer);

impl Answering {
    pub(crate) fn new(answer: Answer) -> Self {
        Answering(answer)
    }
}

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(Ok)
    }
}
