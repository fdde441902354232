//! Where the requests of one connection come in: what has to be refused before anybody sees it, bodies, answers.

use std::convert::Infallible;
use std::error::Error as _;
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::Service;

use crate::engine::Engine;
use crate::limits::Limits;
use crate::reply::{Answer, Body};

/// What there is instead of the methods that are refused.
const ALLOW: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Where the requests of one connection come in.
pub(super) struct Door {
    engine: Engine,
    peer: SocketAddr,
}

impl Door {
    pub(super) fn new(engine: Engine, peer: SocketAddr) -> Self {
        Door { engine, peer }
    }

    /// TRACE would show a script what the browser hides from it, and CONNECT asks for a tunnel.
    #[cold]
    fn refuse_method(&self) -> Answering {
        let mut refusal =
            self.engine.refusal(StatusCode::METHOD_NOT_ALLOWED, "There is no such method here.");
        refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static(ALLOW));
        Answering(Answer::aside(ready(close(refusal))))
    }
}

impl Service<Request<Incoming>> for Door {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let (mut head, body) = request.into_parts();
        if matches!(head.method, Method::TRACE | Method::CONNECT) {
            return self.refuse_method();
        }
        if head.uri.authority().is_some() {
            name_host(&mut head);
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

/// A target that is a whole URL says which host is meant, whatever `Host` says (RFC 9112 3.2.2).
#[cold]
fn name_host(head: &mut Parts) {
    let host = head.uri.authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    if let Some(Ok(host)) = host {
        head.headers.insert(header::HOST, host);
    }
}

/// An answer as hyper wants it.
pub(super) struct Answering(Answer);

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(Ok)
    }
}

/// The whole body, within its size and time.
async fn read(body: Incoming, limits: &Limits) -> Result<Bytes, (StatusCode, &'static str)> {
    const LARGE: (StatusCode, &str) = (StatusCode::PAYLOAD_TOO_LARGE, "What was sent is too large.");
    const SLOW: (StatusCode, &str) = (StatusCode::REQUEST_TIMEOUT, "The request took too long.");
    if body.size_hint().lower() > limits.body as u64 {
        return Err(LARGE);
    }
    match tokio::time::timeout(limits.body_time, Limited::new(body, limits.body).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(LARGE),
        Ok(Err(error)) if is_late(error.as_ref()) => Err(SLOW),
        Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "The request's body could not be read.")),
        Err(_) => Err(SLOW),
    }
}

/// Whether a body was given up since it came too slowly.
fn is_late(error: &(dyn std::error::Error + 'static)) -> bool {
    let cause = error.downcast_ref::<hyper::Error>().and_then(|error| error.source());
    let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut)
}

/// The rest of such a request is not read: nothing after it can be understood.
fn close(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
