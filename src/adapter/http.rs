//! HTTP/1.1 by hyper, in an accept loop of our own. The only file that names hyper.
//!
//! hyper answers what it cannot parse (400, 431) by itself; heads and bodies that are too large or too slow are
//! answered here, all else by the engine.

use std::convert::Infallible;
use std::future::{poll_fn, ready};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::{Adapter, Listening, Stop};
use crate::body::Body;
use crate::engine::Engine;
use crate::error::Error;
use crate::limits::Limits;
use crate::reply::Answer;
use crate::server::BoxFuture;

/// How long to wait when the system gives no more connections (EMFILE and its like).
const PAUSE: Duration = Duration::from_millis(100);
/// Header fields that hyper reads without memory of its own; more are answered 431 by itself.
const HYPERS_HEADERS: usize = 100;
/// Connections the kernel holds before they are accepted.
const BACKLOG: u32 = 1024;

/// HTTP/1.1 on a TCP port.
#[derive(Debug)]
pub struct Http {
    address: String,
}

/// Where to listen: a port is one of loopback; an address opens it.
pub trait Address {
    #[doc(hidden)]
    fn to_text(self) -> String;
}

impl Address for u16 {
    fn to_text(self) -> String {
        format!("127.0.0.1:{self}")
    }
}

impl Address for &str {
    fn to_text(self) -> String {
        self.to_owned()
    }
}

impl Address for String {
    fn to_text(self) -> String {
        self
    }
}

impl Address for SocketAddr {
    fn to_text(self) -> String {
        self.to_string()
    }
}

impl Http {
    /// Listens on a port of loopback (`8080`; 0 is any free one), or on an address (`"0.0.0.0:8080"`, `"[::]:8080"`).
    pub fn on(address: impl Address) -> Self {
        Http { address: address.to_text() }
    }
}

impl Adapter for Http {
    fn bind(self: Box<Self>) -> BoxFuture<Result<Box<dyn Listening>, Error>> {
        Box::pin(async move {
            let text = &self.address;
            let address: SocketAddr = text.parse().map_err(|error| {
                Error::caused(format!("listen on {text:?}: not an address like \"0.0.0.0:8080\""), error)
            })?;
            let failed = |error| Error::caused(format!("listen on {address}"), error);
            let socket = match address {
                SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4(),
                SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6(),
            };
            let socket = socket.map_err(failed)?;
            socket.set_reuseaddr(true).map_err(failed)?;
            socket.bind(address).map_err(failed)?;
            let listener = socket.listen(BACKLOG).map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            Ok(Box::new(Open { listener, address }) as Box<dyn Listening>)
        })
    }
}

struct Open {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listening for Open {
    fn address(&self) -> String {
        self.address.to_string()
    }

    fn serve(self: Box<Self>, engine: Engine, stop: Stop) -> BoxFuture<()> {
        Box::pin(async move {
            let room = Arc::new(Semaphore::new(engine.limits().connections));
            let mut connections = JoinSet::new();
            let mut stopping = pin!(stop.clone());
            loop {
                let accepted = pin!(accept(&self.listener, &room));
                match until(stopping.as_mut(), accepted).await {
                    None => break,
                    Some((stream, peer, permit)) => {
                        let (engine, stop) = (engine.clone(), stop.clone());
                        connections.spawn(async move {
                            converse(stream, peer, engine, stop).await;
                            drop(permit);
                        });
                    }
                }
                while connections.try_join_next().is_some() {}
            }
            // Frees the port before the last answers are sent.
            drop(self.listener);
            while connections.join_next().await.is_some() {}
        })
    }
}

/// The next connection there is room for.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let permit = room.clone().acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// `work`, or `None` if `stop` is ready first.
async fn until<T>(mut stop: Pin<&mut Stop>, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    poll_fn(|cx| match stop.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    })
    .await
}

/// All requests of one connection.
async fn converse(stream: TcpStream, peer: SocketAddr, engine: Engine, stop: Stop) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let protocol = protocol(engine.limits());
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), Door { engine, peer }));
    let mut stop = pin!(stop);
    let mut stopping = false;
    let served = poll_fn(|cx| {
        if !stopping && stop.as_mut().poll(cx).is_ready() {
            stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    });
    if let Err(error) = served.await {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

fn protocol(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        // Small answers are faster in one buffer than in several.
        .writev(false)
        // Twice the limit: what is above it and below this gets a page that says so.
        .max_buf_size((2 * limits.head).max(8 * 1024));
    if limits.headers > HYPERS_HEADERS {
        builder.max_headers(limits.headers);
    }
    builder
}

/// Where the requests of one connection come in.
struct Door {
    engine: Engine,
    peer: SocketAddr,
}

impl Service<Request<Incoming>> for Door {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let (head, body) = request.into_parts();
        let uri = head.uri.path().len() + head.uri.query().map_or(0, str::len);
        if too_large(&head.headers, uri, self.engine.limits()) {
            let message = "The request's head is too large.";
            let refusal = self.engine.refusal(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message);
            return Answering(Answer::aside(ready(close(refusal))));
        }
        if body.is_end_stream() {
            return Answering(self.engine.answer_parts(head, Bytes::new(), Some(self.peer)));
        }
        let (engine, peer) = (self.engine.clone(), self.peer);
        Answering(Answer::aside(async move {
            match read(body, engine.limits()).await {
                Ok(body) => engine.answer_parts(head, body, Some(peer)).await,
                Err((status, message)) => close(engine.refusal(status, message)),
            }
        }))
    }
}

/// An answer as hyper wants it.
struct Answering(Answer);

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(Ok)
    }
}

fn too_large(headers: &HeaderMap, uri: usize, limits: &Limits) -> bool {
    let bytes =
        headers.iter().fold(uri, |bytes, (name, value)| bytes + name.as_str().len() + value.len() + 4);
    headers.len() > limits.headers || bytes > limits.head
}

/// The whole body, within its size and time.
async fn read(body: Incoming, limits: &Limits) -> Result<Bytes, (StatusCode, &'static str)> {
    const LARGE: (StatusCode, &str) = (StatusCode::PAYLOAD_TOO_LARGE, "What was sent is too large.");
    if body.size_hint().lower() > limits.body as u64 {
        return Err(LARGE);
    }
    match tokio::time::timeout(limits.body_time, Limited::new(body, limits.body).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(LARGE),
        Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "The request's body could not be read.")),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "The request took too long.")),
    }
}

/// The rest of such a request is not read: nothing after it can be understood.
fn close(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
