//! FastCGI 1.0, as a responder: for web servers that speak it to the programs behind them.
//!
//! A connection's bytes become records (`record`), these what happens to its requests (`reader`). Parameters become the
//! head of a request of HTTP (`params`), which is held to what any other is; its body streams (`stdin`). `requests` has
//! what is open on a connection, `exchange` one request with its answer, `response` that answer's head. `connection` reads,
//! writes and keeps the time.
//!
//! Left out are the roles Authorizer and Filter, and standard input that listens, from a web server that starts programs.

mod connection;
mod exchange;
#[cfg(all(any(test, continuity_fuzz), feature = "http", feature = "files", feature = "multipart"))]
pub(crate) mod fuzz;
mod pairs;
mod params;
mod peers;
mod reader;
mod record;
mod requests;
mod response;
mod stdin;

use tokio::task::JoinSet;

use super::socket::{Address, Entrance, Listener, Site};
use super::{Adapter, Listening, Stop};
use crate::engine::Engine;
use crate::error::Error;
use crate::server::BoxFuture;
use connection::converse;
use peers::Peers;

/// FastCGI on a port or a Unix socket, for a web server in front: nginx, Apache, lighttpd, haproxy.
///
/// ```no_run
/// use continuity::prelude::*;
///
/// # async fn guess(_: Request) -> Result<()> { Ok(()) }
/// #[tokio::main]
/// async fn main() -> Result<()> {
///     Server::new(guess).listen(FastCgi::on("127.0.0.1:9000")).run().await
/// }
/// ```
///
/// Who may connect is believed: the client's address is the one in `REMOTE_ADDR`, and it came over https if `HTTPS` says
/// `on`. So only web servers may: of this machine, unless [`web_servers`](Self::web_servers) or the environment's
/// `FCGI_WEB_SERVER_ADDRS` names others. Their configuration is in `docs/doors.md`.
#[derive(Debug)]
pub struct FastCgi {
    site: Site,
    web_servers: Vec<String>,
}

impl FastCgi {
    /// Listens on a port of loopback (`9000`; 0 is any free one), on an address (`"10.0.0.7:9000"`), or on a Unix socket
    /// (`"unix:/run/app.sock"`).
    ///
    /// A Unix socket that a killed server left behind is replaced; where another one listens the server does not start.
    pub fn on(address: impl Address) -> Self {
        FastCgi { site: Site::on(address), web_servers: Vec::new() }
    }

    /// Who may connect to a Unix socket: the mode of its file. Default: `0o600`, the user whom the server runs as alone;
    /// `0o660` lets in its group, too.
    pub fn socket_mode(mut self, mode: u32) -> Self {
        self.site = self.site.mode(mode);
        self
    }

    /// Web servers that may connect, by address or network (`"10.0.0.5"`, `"fd00::/8"`), beside those that
    /// `FCGI_WEB_SERVER_ADDRS` names. Others are refused. Default: those of this machine, if neither names any.
    ///
    /// Text that is no address and no network is an error when the server starts.
    pub fn web_servers<T: Into<String>>(mut self, addresses: impl IntoIterator<Item = T>) -> Self {
        self.web_servers.extend(addresses.into_iter().map(Into::into));
        self
    }
}

impl Adapter for FastCgi {
    fn bind(self: Box<Self>) -> BoxFuture<Result<Box<dyn Listening>, Error>> {
        Box::pin(async move {
            let peers = Peers::new(&self.web_servers, std::env::var_os(peers::VARIABLE).as_deref())?;
            let listener = self.site.bind().await?;
            Ok(Box::new(Open { listener, peers }) as Box<dyn Listening>)
        })
    }
}

struct Open {
    listener: Listener,
    peers: Peers,
}

impl Listening for Open {
    fn address(&self) -> String {
        self.listener.address().to_owned()
    }

    fn serve(self: Box<Self>, engine: Engine, stop: Stop) -> BoxFuture<()> {
        Box::pin(async move {
            let Open { listener, mut peers } = *self;
            let mut connections = JoinSet::new();
            // There is nothing to say to a connection without a request.
            let mut entrance = Entrance::new(listener, b"", engine.limits().connections, stop.clone());
            while let Some((stream, peer, place)) = entrance.next().await {
                if !peers.admit(peer) {
                    continue;
                }
                let (engine, stop) = (engine.clone(), stop.clone());
                connections.spawn(async move {
                    converse(stream, engine, stop).await;
                    drop(place);
                });
                while connections.try_join_next().is_some() {}
            }
            // Frees the place before the last answers are sent.
            drop(entrance);
            while connections.join_next().await.is_some() {}
        })
    }
}
