//! What comes before HTTP: the handshake of TLS, in its time.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::Stream;
use super::connection::{Begun, House, refuse};
use super::deadlines::{Phase, Watched, order};
use super::fault;
use crate::adapter::socket::tls::{Agreed, Terms};
use crate::engine::Engine;
use crate::hit::Via;

/// Which HTTP a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// What it begins with says which.
    Either,
    /// This was agreed, or nothing was.
    Http1,
    Http2,
}

/// A connection that can speak HTTP: none if it cannot.
pub(super) type Greeted = (Option<Begun>, Via, Speaks);

/// Does what has to be done first.
pub(super) async fn greet(
    terms: &Terms,
    stream: Stream,
    via: Via,
    house: &House,
    watched: &Watched,
) -> Greeted {
    watched.wait_for(Phase::Greeting);
    let mut agreeing = pin!(agree(terms, stream, via, &house.engine));
    let agreed = poll_fn(|cx| match watched.orders() & (order::LEAVE | order::CLOSE) {
        0 => agreeing.as_mut().poll(cx),
        _ => Poll::Ready(None),
    });
    let agreed = agreed.await;
    watched.wait_for(Phase::Opened);
    let speaks = match agreed.as_ref().and_then(|agreed| agreed.protocol.as_deref()) {
        Some(b"h2") => Speaks::Http2,
        // HTTP/2 has to be agreed on (RFC 9113 3.2).
        _ => Speaks::Http1,
    };
    (agreed.map(|agreed| (agreed.stream, Vec::new())), via.over_https(), speaks)
}

async fn agree(terms: &Terms, mut stream: Stream, via: Via, engine: &Engine) -> Option<Agreed> {
    if stream.can_peek() {
        let mut none = Vec::new();
        let first = poll_fn(|cx| stream.poll_first(cx, &mut none)).await.ok()??;
        // A method; what a handshake begins with is no letter.
        if first.is_ascii_uppercase() {
            refuse(stream, engine, fault::PLAIN, false).await;
            return None;
        }
    }
    let agreed = terms.agree(stream).await;
    agreed
        .inspect_err(|error| {
            tracing::debug!(peer = via.address().map(tracing::field::display), %error, "no handshake")
        })
        .ok()
}
