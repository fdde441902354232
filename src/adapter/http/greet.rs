//! What comes before HTTP, in its time: what a proxy says of the client, the handshake of TLS.

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
pub(super) async fn greet(stream: Stream, via: Via, house: &House, watched: &Watched) -> Greeted {
    watched.wait_for(Phase::Greeting);
    let mut begun = pin!(begin(stream, via, house));
    let greeted = poll_fn(|cx| match watched.orders() & (order::LEAVE | order::CLOSE) {
        0 => begun.as_mut().poll(cx),
        _ => Poll::Ready(None),
    });
    let greeted = greeted.await;
    watched.wait_for(Phase::Opened);
    greeted.unwrap_or((None, via, Speaks::Either))
}

/// First who it is, then that nobody listens.
async fn begin(mut stream: Stream, mut via: Via, house: &House) -> Option<Greeted> {
    if let Some(front) = &house.front {
        via = front.hear(&mut stream, via).await.inspect_err(|error| note(&via, error)).ok()?;
    }
    let Some(terms) = &house.terms else { return Some((Some((stream, Vec::new())), via, Speaks::Either)) };
    let Agreed { stream, protocol } = agree(terms, stream, via, &house.engine).await?;
    let speaks = match protocol.as_deref() {
        Some(b"h2") => Speaks::Http2,
        // HTTP/2 has to be agreed on (RFC 9113 3.2).
        _ => Speaks::Http1,
    };
    Some((Some((stream, Vec::new())), via.over_https(), speaks))
}

fn note(via: &Via, error: &std::io::Error) {
    let peer = via.address().map(tracing::field::display);
    tracing::debug!(peer, %error, "a connection did not come to speak HTTP");
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
    terms.agree(stream).await.inspect_err(|error| note(&via, error)).ok()
}
