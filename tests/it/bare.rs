//! A server without sockets whose engine a test holds: for what browsers do not send and visitors do not see.

use std::net::SocketAddr;
use std::pin::Pin;

use bytes::Bytes;
use continuity::prelude::*;
use continuity::{Adapter, Body, Engine, Listening, Stop};
use http::HeaderMap;
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A running server.
pub struct Bare {
    pub engine: Engine,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

/// A response as it came.
pub struct Seen {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Bare {
    /// Starts a server that can be reached at `host.test:8123`.
    pub async fn start(server: Server) -> Bare {
        let (give, engine) = oneshot::channel();
        let bound = server.listen(Door(give)).bind().await.expect("the server starts");
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(bound.run_until(async move { drop(stopped.await) }));
        Bare { engine: engine.await.expect("the adapter is served"), stop, served }
    }

    /// One request, from a loopback address.
    pub async fn ask(&self, request: http::Request<Bytes>) -> Seen {
        self.ask_from("127.0.0.1:4321", request).await
    }

    /// One request, from this address.
    pub async fn ask_from(&self, peer: &str, request: http::Request<Bytes>) -> Seen {
        let peer: SocketAddr = peer.parse().expect("an address");
        Seen::of(self.engine.answer(request, Some(peer)).await).await
    }

    /// Stops as after SIGTERM; returns when it has stopped.
    pub async fn stop(self) {
        drop(self.stop);
        self.served.await.expect("a server stops in peace");
    }
}

impl Seen {
    /// Reads a response to its end.
    pub async fn of(response: http::Response<Body>) -> Seen {
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Seen { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// The first header field of this name; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// All `Set-Cookie` fields.
    pub fn cookies(&self) -> Vec<&str> {
        self.headers.get_all("set-cookie").iter().map(|value| value.to_str().expect("text")).collect()
    }

    /// The first cookie as the next request says it: `name=value`.
    pub fn cookie(&self) -> Option<String> {
        Some(self.cookies().first()?.split(';').next()?.to_owned())
    }
}

/// A GET with these header fields.
pub fn get(url: &str, fields: &[(&str, &str)]) -> http::Request<Bytes> {
    request("GET", url, fields, "")
}

/// Any request.
pub fn request(method: &str, url: &str, fields: &[(&str, &str)], body: &str) -> http::Request<Bytes> {
    let mut request = http::Request::builder().method(method).uri(url);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(body.to_owned().into()).expect("a request")
}

/// An adapter that brings nothing but hands out the engine.
struct Door(oneshot::Sender<Engine>);

impl Adapter for Door {
    fn bind(self: Box<Self>) -> BoxFuture<Result<Box<dyn Listening>, Error>> {
        Box::pin(async move { Ok(self as Box<dyn Listening>) })
    }
}

impl Listening for Door {
    fn address(&self) -> String {
        "host.test:8123".into()
    }

    fn serve(self: Box<Self>, engine: Engine, stop: Stop) -> BoxFuture<()> {
        assert!(self.0.send(engine).is_ok(), "the test waits for the engine");
        Box::pin(stop)
    }
}
