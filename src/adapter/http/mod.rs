//! HTTP/1.1 and HTTP/2: hyper behind checks of our own. Only this folder names hyper.
//!
//! Every byte of a client's passes `wire`, which has `framing` check it; what is ambiguous never reaches hyper. How
//! long clients may take is kept by `deadlines`. One connection's life is in `connection`, what becomes of a request
//! in `service`. A connection that begins as HTTP/2 goes its own way, in `http2`.

mod accept;
mod connection;
mod deadlines;
#[cfg(test)]
#[path = "deadlines/tests.rs"]
mod deadlines_tests;
mod framing;
#[cfg(test)]
#[path = "framing/tests/mod.rs"]
mod framing_tests;
#[cfg(any(test, continuity_fuzz))]
pub(crate) mod fuzz;
#[cfg(feature = "http2")]
mod http2;
#[cfg(not(feature = "http2"))]
#[path = "http1_only.rs"]
mod http2;
mod service;
mod wire;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use hyper::server::conn::http1;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::{Adapter, Listening, Stop};
use super::{bytes, fault, host};
use crate::engine::Engine;
use crate::error::Error;
use crate::limits::Limits;
use crate::server::BoxFuture;
use accept::Acceptor;
use connection::{House, converse};
use deadlines::{Sweep, Times};
use framing::Bounds;

/// Header fields that hyper reads without memory of its own.
const HYPERS_HEADERS: usize = 100;
/// Connections the kernel holds before they are accepted.
const BACKLOG: u32 = 1024;

/// HTTP/1.1 on a TCP port, and HTTP/2 with the feature `http2`, for clients that begin with it.
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
            let house = Arc::new(house(engine));
            let mut sweep = JoinSet::new();
            sweep.spawn(house.sweep.clone().run());
            let mut connections = JoinSet::new();
            let mut acceptor = Acceptor::new(self.listener);
            let mut stopping = pin!(stop);
            loop {
                let next = pin!(next(&mut acceptor, &room));
                let Some((stream, peer, permit)) = until(stopping.as_mut(), next).await else { break };
                let house = house.clone();
                connections.spawn(async move {
                    converse(stream, peer, house).await;
                    drop(permit);
                });
                while connections.try_join_next().is_some() {}
            }
            // Frees the port before the last answers are sent.
            drop(acceptor);
            house.sweep.dismiss();
            while connections.join_next().await.is_some() {}
        })
    }
}

/// The next connection, when there is room for it.
async fn next(
    acceptor: &mut Acceptor,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let permit = room.clone().acquire_owned().await.expect("the semaphore is never closed");
    let (stream, peer) = acceptor.accept().await;
    (stream, peer, permit)
}

/// `work`, or `None` if `stop` is ready first.
async fn until<T>(mut stop: Pin<&mut Stop>, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    poll_fn(|cx| match stop.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    })
    .await
}

fn house(engine: Engine) -> House {
    let limits = engine.limits();
    let times = Times {
        first_byte: limits.first_byte,
        head: limits.head_time,
        keep_alive: limits.keep_alive,
        write: limits.write_time,
        rate: limits.rate,
    };
    House {
        protocol: protocol(limits),
        http2: http2::Settings::new(limits),
        bounds: Bounds { head: limits.head, fields: limits.headers },
        sweep: Sweep::new(times),
        engine,
    }
}

fn protocol(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // The sweep keeps the time.
        .header_read_timeout(None)
        // Who has sent all and says so is answered all the same.
        .half_close(true)
        // Small answers are faster in one buffer than in several.
        .writev(false)
        // Larger than any head that gets here.
        .max_buf_size((2 * limits.head).max(8 * 1024));
    if limits.headers > HYPERS_HEADERS {
        builder.max_headers(limits.headers);
    }
    builder
}
