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
#[cfg(feature = "proxy_protocol")]
mod front;
#[cfg(not(feature = "proxy_protocol"))]
#[path = "no_front.rs"]
mod front;
#[cfg(any(test, continuity_fuzz))]
pub(crate) mod fuzz;
mod greet;
#[cfg(feature = "http2")]
mod http2;
#[cfg(not(feature = "http2"))]
#[path = "http1_only.rs"]
mod http2;
mod service;
#[cfg(feature = "tls")]
mod tls;
mod wire;

use std::sync::Arc;

use hyper::server::conn::http1;
use tokio::task::JoinSet;

use super::socket::tls::{Terms, Wanted};
use super::socket::{Address, Entrance, LINGER, Listener, Site, Stream, linger};
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
use front::Front;

/// Header fields that hyper reads without memory of its own.
const HYPERS_HEADERS: usize = 100;
/// What is told to whom the system gives no place.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\
    retry-after: 5\r\ncache-control: no-store\r\n\r\n";

/// HTTP/1.1 on a port or a Unix socket, and HTTP/2 with the feature `http2`, for clients that begin with it.
#[derive(Debug)]
pub struct Http {
    site: Site,
    seal: Option<Wanted>,
    front: Option<Result<Front, Error>>,
}

impl Http {
    /// Listens on a port of loopback (`8080`; 0 is any free one), on an address (`"0.0.0.0:8080"`, `"[::]:8080"`), on a Unix
    /// socket (`"unix:/run/app.sock"`), or on a socket of systemd's (`"systemd:web"`): see [`Address`].
    ///
    /// A Unix socket that a killed server left behind is replaced; where another one listens the server does not start.
    pub fn on(address: impl Address) -> Self {
        Http { site: Site::on(address), seal: None, front: None }
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
            let Http { site, seal, front } = *self;
            let front = front.transpose()?;
            let terms = seal.map(|seal| seal.terms(http2::PROTOCOLS)).transpose()?;
            let listener = site.bind().await?;
            Ok(Box::new(Open { listener, front, terms }) as Box<dyn Listening>)
        })
    }
}

struct Open {
    listener: Listener,
    front: Option<Front>,
    terms: Option<Terms>,
}

impl Listening for Open {
    fn address(&self) -> String {
        self.listener.address().to_owned()
    }

    fn serve(self: Box<Self>, engine: Engine, stop: Stop) -> BoxFuture<()> {
        Box::pin(async move {
            let places = engine.limits().connections;
            let house = Arc::new(house(engine, self.front, self.terms));
            let mut tending = JoinSet::new();
            tending.spawn(house.sweep.clone().run());
            tending.spawn(tend(house.clone()));
            let mut connections = JoinSet::new();
            let mut entrance = Entrance::new(self.listener, BUSY, places, stop);
            while let Some((stream, peer, permit)) = entrance.next().await {
                let (via, house) = (peer.map_or_else(Via::unix, Via::from), house.clone());
                connections.spawn(converse(stream, via, house, permit));
                while connections.try_join_next().is_some() {}
            }
            // Frees the port before the last answers are sent.
            drop(entrance);
            house.sweep.dismiss();
            while connections.join_next().await.is_some() {}
        })
    }
}

/// Keeps the certificate new.
async fn tend(house: Arc<House>) {
    if let Some(terms) = &house.terms {
        terms.watch().await;
    }
}

fn house(engine: Engine, front: Option<Front>, terms: Option<Terms>) -> House {
    let limits = engine.limits();
    let times = Times {
        handshake: limits.handshake,
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
        front,
        terms,
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
