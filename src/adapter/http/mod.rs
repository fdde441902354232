//! HTTP/1.1 and HTTP/2: hyper behind checks of our own. Only this folder names hyper.
//!
//! Every byte of a client's passes `wire`, which has `framing` check it; what is ambiguous never reaches hyper. How
//! long clients may take is kept by `deadlines`. One connection's life is in `connection`, what becomes of a request
//! in `service`. A connection that begins as HTTP/2 goes its own way, in `http2`.

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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::socket::{Acceptor, Address, Listener, Site, Stream};
use super::{Adapter, Listening, Stop};
use super::{bytes, fault, host};
use crate::engine::Engine;
use crate::error::Error;
use crate::hit::Via;
use crate::limits::Limits;
use crate::server::BoxFuture;
use connection::{House, converse};
use deadlines::{Sweep, Times};
use framing::Bounds;

/// Header fields that hyper reads without memory of its own.
const HYPERS_HEADERS: usize = 100;
/// What is told to whom the system gives no place.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\
    retry-after: 5\r\ncache-control: no-store\r\n\r\n";

/// HTTP/1.1 on a port or a Unix socket, and HTTP/2 with the feature `http2`, for clients that begin with it.
#[derive(Debug)]
pub struct Http {
    site: Site,
}

impl Http {
    /// Listens on a port of loopback (`8080`; 0 is any free one), on an address (`"0.0.0.0:8080"`, `"[::]:8080"`), or on a
    /// Unix socket (`"unix:/run/app.sock"`).
    ///
    /// A Unix socket that a killed server left behind is replaced; where another one listens the server does not start.
    pub fn on(address: impl Address) -> Self {
        Http { site: Site::on(address) }
    }

    /// Who may connect to a Unix socket: the mode of its file. Default: `0o600`, the user whom the server runs as alone;
    /// `0o660` lets in its group, too.
    pub fn socket_mode(mut self, mode: u32) -> Self {
        self.site = self.site.mode(mode);
        self
    }
}

impl Adapter for Http {
    fn bind(self: Box<Self>) -> BoxFuture<Result<Box<dyn Listening>, Error>> {
        Box::pin(async move {
            let listener = self.site.bind().await?;
            Ok(Box::new(Open { listener }) as Box<dyn Listening>)
        })
    }
}

struct Open {
    listener: Listener,
}

impl Listening for Open {
    fn address(&self) -> String {
        self.listener.address().to_owned()
    }

    fn serve(self: Box<Self>, engine: Engine, stop: Stop) -> BoxFuture<()> {
        Box::pin(async move {
            let room = Arc::new(Semaphore::new(engine.limits().connections));
            let house = Arc::new(house(engine));
            let mut sweep = JoinSet::new();
            sweep.spawn(house.sweep.clone().run());
            let mut connections = JoinSet::new();
            let mut acceptor = Acceptor::new(self.listener, BUSY);
            let mut stopping = pin!(stop);
            loop {
                let next = pin!(next(&mut acceptor, &room));
                let Some((stream, peer, permit)) = until(stopping.as_mut(), next).await else { break };
                let house = house.clone();
                connections.spawn(async move {
                    converse(stream, Via::peer(peer), house).await;
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
) -> (Stream, Option<SocketAddr>, OwnedSemaphorePermit) {
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
