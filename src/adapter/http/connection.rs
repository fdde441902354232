//! The life of one connection: it waits, it is served by hyper, it ends. One of HTTP/2 has its life in `http2`.
//!
//! A connection that nobody uses is not hyper's: it is a socket and a task, without buffers. One that ends before the
//! client has sent all is not just closed: what comes is read and thrown away for a while, or the system would reset
//! the connection and the client would lose its answer.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::server::conn::http1;
use tokio::io::AsyncWrite;
use tokio::sync::OwnedSemaphorePermit;

use super::deadlines::{Phase, Sweep, Watched, order};
use super::fault::{self, Fault};
use super::framing::Bounds;
use super::front::Front;
use super::greet::{Speaks, greet};
use super::http2;
use super::service::Door;
use super::wire::Wire;
use super::{LINGER, Stream, linger};
use crate::adapter::socket::tls::Terms;
use crate::body::Body;
use crate::engine::Engine;
use crate::hit::Via;

/// What all connections of a listener share.
pub(super) struct House {
    pub(super) engine: Engine,
    pub(super) protocol: http1::Builder,
    #[cfg_attr(not(feature = "http2"), expect(dead_code, reason = "the stand-in has nothing to set"))]
    pub(super) http2: http2::Settings,
    pub(super) bounds: Bounds,
    pub(super) sweep: Arc<Sweep>,
    /// Who says first from whom connections come.
    pub(super) front: Option<Front>,
    /// How connections are sealed then.
    pub(super) terms: Option<Terms>,
}

/// A connection, and what was read of it already.
pub(super) type Begun = (Stream, Vec<u8>);

/// How a time with hyper ends.
enum End {
    /// hyper is done, or the connection is broken.
    Done(hyper::Result<()>),
    /// Nobody uses it: it may be used again.
    Rest,
    /// A request is not answered but refused.
    Refuse(Option<Fault>),
    Close,
    /// The client does not read: what is not sent is thrown away.
    Abort,
}

/// All requests of one connection. It has its place until then.
pub(super) async fn converse(stream: Stream, via: Via, house: Arc<House>, _place: OwnedSemaphorePermit) {
    let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let watched = house.sweep.watch(waker);
    // What is moved straight into a box takes no room here: a connection that rests has none for one that is served.
    let (mut begun, via, speaks) = match (&house.front, &house.terms) {
        (None, None) => (Some((stream, Vec::new())), via, Speaks::Either),
        _ => Box::pin(greet(stream, via, &house, &watched)).await,
    };
    let mut is_new = true;
    while let Some((stream, read)) = &mut begun {
        watched.rest(true);
        let Some(first) = poll_fn(|cx| rest(stream, read, &watched, cx)).await else {
            return stream.say_goodbye();
        };
        watched.rest(false);
        // Only what begins so can be HTTP/2: all but some methods need not be asked.
        if is_new && (speaks == Speaks::Either && first == b'P' || speaks == Speaks::Http2) {
            begun = Box::pin(http2::receive(begun.take(), via, &house, &watched)).await;
            if speaks == Speaks::Http2 {
                return;
            }
        }
        is_new = false;
        let Some(again) = begun.take() else { return };
        let mut serving = Serving::new(again, via, &house, &watched);
        let end = (&mut serving).await;
        begun = Box::pin(serving.after(end, via, &house)).await.map(|idle| (idle, Vec::new()));
    }
}

/// Waits for the next request, of which this is the first byte; `None` if none will come, or it is not waited for any
/// longer. Where the byte had to be read it is in `read`.
fn rest(
    stream: &mut Stream,
    read: &mut Vec<u8>,
    watched: &Watched,
    cx: &mut Context<'_>,
) -> Poll<Option<u8>> {
    if watched.orders() & (order::LEAVE | order::CLOSE) != 0 {
        return Poll::Ready(None);
    }
    stream.poll_first(cx, read).map(|first| first.unwrap_or_default())
}

/// A time with hyper, which serves requests until nobody uses the connection.
struct Serving {
    connection: http1::Connection<Wire, Door>,
    watched: Arc<Watched>,
}

impl Serving {
    /// In a box: a connection that rests has no room for it.
    fn new((stream, read): Begun, via: Via, house: &House, watched: &Arc<Watched>) -> Box<Self> {
        let wire = Wire::new(stream, read, watched.clone(), house.bounds);
        let connection = house.protocol.serve_connection(wire, Door::new(house.engine.clone(), via));
        Box::new(Serving { connection, watched: watched.clone() })
    }

    /// Does what its end asks for; gives the connection back if it may be used again.
    async fn after(self: Box<Self>, end: End, via: Via, house: &House) -> Option<Stream> {
        let mut wire = self.connection.into_parts().io;
        match end {
            End::Rest => return Some(wire.into_stream()),
            End::Close => wire.into_stream().say_goodbye(),
            End::Abort => wire.into_stream().set_zero_linger(),
            End::Refuse(fault) => {
                let for_head = wire.is_for_head();
                if let Some(fault) = fault.or_else(|| wire.fault()) {
                    refuse(wire.into_stream(), &house.engine, fault, for_head).await;
                }
            }
            // hyper refuses by itself what we let through and it cannot read.
            End::Done(Err(error)) if !error.is_parse() => {
                tracing::debug!(peer = via.address().map(tracing::field::display), %error, "a connection ended early")
            }
            End::Done(_) if wire.is_unread() => linger(wire.into_stream()).await,
            End::Done(_) => wire.into_stream().say_goodbye(),
        }
        None
    }
}

impl Future for Serving {
    type Output = End;

    /// One poll of hyper's, between what the sweep and the checks say.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let Serving { connection, watched } = &mut *self;
        let orders = watched.orders();
        if orders != 0
            && let Some(end) = obey(orders, connection, watched)
        {
            return Poll::Ready(end);
        }
        match connection.poll_without_shutdown(cx) {
            Poll::Ready(done) => Poll::Ready(End::Done(done)),
            Poll::Pending if watched.is_faulty() => Poll::Ready(End::Refuse(None)),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Does what the sweep has ordered, unless it is so no longer.
#[cold]
fn obey(orders: u8, connection: &mut http1::Connection<Wire, Door>, watched: &Watched) -> Option<End> {
    let told = |order: u8| orders & order != 0;
    if told(order::ABORT) {
        return Some(End::Abort);
    }
    if told(order::LEAVE) {
        Pin::new(connection).graceful_shutdown();
    }
    if watched.phase() == Phase::Body && told(order::SLOW) {
        watched.give_up();
    }
    // What is not written yet goes first; the sweep comes again.
    match watched.phase() {
        _ if !watched.is_quiet() => None,
        Phase::Opened | Phase::Idle if told(order::CLOSE) => Some(End::Close),
        Phase::Opened | Phase::Idle if told(order::REST) => Some(End::Rest),
        Phase::Head if told(order::SLOW) => Some(End::Refuse(Some(fault::SLOW))),
        _ => None,
    }
}

/// Answers what no session gets to see, and closes.
pub(super) async fn refuse(mut stream: Stream, engine: &Engine, fault: Fault, for_head: bool) {
    let status = StatusCode::from_u16(fault.status).expect("a fault's status is one");
    let answer = written(engine.refusal(status, fault.says), for_head).await;
    let mut rest = &answer[..];
    let send = poll_fn(|cx| {
        while !rest.is_empty() {
            let sent = ready!(Pin::new(&mut stream).poll_write(cx, rest))?;
            rest = &rest[sent..];
        }
        Poll::Ready(io::Result::Ok(()))
    });
    if matches!(tokio::time::timeout(LINGER, send).await, Ok(Ok(()))) {
        linger(stream).await;
    }
}

/// A response as it is sent.
async fn written(response: Response<Body>, for_head: bool) -> Vec<u8> {
    let (head, body) = response.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let date = httpdate::HttpDate::from(std::time::SystemTime::now());
    let mut out = format!(
        "HTTP/1.1 {}\r\nconnection: close\r\ncontent-length: {}\r\ndate: {date}\r\n",
        head.status,
        body.len(),
    )
    .into_bytes();
    for (name, value) in &head.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b"\r\n");
    if !for_head {
        out.extend_from_slice(&body);
    }
    out
}
