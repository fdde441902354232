//! Gopher (RFC 1436): the adapter is a small browser, and what it reads becomes menus.
//!
//! A selector is turned into a request, its session's page into a menu: text into information lines, links and buttons
//! into items, fields into searches. The visitor's id travels in the selectors of the menu, so that whoever has a selector
//! is its visitor. Sessions know nothing of it. What becomes of a page is told in `docs/gopher.md`.

mod answer;
mod connection;
#[cfg(any(test, continuity_fuzz))]
pub(crate) mod fuzz;
mod kind;
mod menu;
mod selector;
mod text;
mod visit;

use std::time::Duration;

use tokio::task::JoinSet;

use super::socket::{Address, Entrance, Listener, Site, Stream};
use super::{Adapter, Listening, Stop};
use crate::engine::Engine;
use crate::error::Error;
use crate::server::BoxFuture;
use menu::Place;

/// Bytes of the words of a search: what anybody types on a line.
const WORDS: usize = 2048;
/// Bytes of a page that becomes a menu: one that nobody scrolls to the end of. The parser's work grows with the square of
/// how deep elements stand in each other.
const PAGE: usize = 256 * 1024;
/// How long a page may take to be whole.
const WHOLE: Duration = Duration::from_secs(60);
/// What is told to who finds no place.
const BUSY: &[u8] = b"3Too many are here. Please try again in a moment.\t\terror.host\t1\r\n.\r\n";
/// The port of a gopher URL that names none.
const PORT: u16 = 70;

/// Gopher on a socket: pages become menus, text fields searches. See `docs/gopher.md`.
///
/// ```no_run
/// use continuity::prelude::*;
///
/// # async fn guess(_: Request) -> Result<()> { Ok(()) }
/// #[tokio::main]
/// async fn main() -> Result<()> {
///     Server::new(guess).listen(Http::on(8080)).listen(Gopher::on(7070)).run().await
/// }
/// ```
#[derive(Debug)]
pub struct Gopher {
    site: Site,
    host: Option<String>,
}

impl Gopher {
    /// Listens on a port of loopback (`7070`; 0 is any free one), on an address (`"0.0.0.0:70"`), or on a Unix socket
    /// (`"unix:/run/app.gopher"`).
    pub fn on(address: impl Address) -> Self {
        Gopher { site: Site::on(address), host: None }
    }

    /// Who may connect to a Unix socket: the mode of its file. Default: `0o600`.
    pub fn socket_mode(mut self, mode: u32) -> Self {
        self.site = self.site.mode(mode);
        self
    }

    /// What menus call this server: a name, and a port if it is not 70 (`"gopher.example.org"`, `"example.org:7070"`). By
    /// the protocol clients connect again for each item, to the host that the item names. Default: the address at which
    /// the client has reached it.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }
}

/// The host that a program gave, taken apart.
fn place(text: &str) -> Result<Place, Error> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => (host, port.parse().ok()),
        _ => (text, Some(PORT)),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match port {
        Some(port) if !host.is_empty() && host.chars().all(is_name) => {
            Ok(Place { host: host.to_owned(), port })
        }
        _ => Err(Error::new(format!(
            "gopher host {text:?}: not a name like \"gopher.example.org\" or \"example.org:7070\""
        ))),
    }
}

impl Adapter for Gopher {
    fn bind(self: Box<Self>) -> BoxFuture<Result<Box<dyn Listening>, Error>> {
        Box::pin(async move {
            let place = self.host.as_deref().map(place).transpose()?;
            let listener = self.site.bind().await?;
            Ok(Box::new(Open { listener, place }) as Box<dyn Listening>)
        })
    }
}

struct Open {
    listener: Listener,
    /// What menus call it, if that was said.
    place: Option<Place>,
}

impl Listening for Open {
    fn address(&self) -> String {
        self.listener.address().to_owned()
    }

    fn serve(self: Box<Self>, engine: Engine, stop: Stop) -> BoxFuture<()> {
        Box::pin(async move {
            let places = engine.limits().connections;
            let mut connections = JoinSet::new();
            let mut entrance = Entrance::new(self.listener, BUSY, places, stop.clone());
            while let Some((stream, peer, permit)) = entrance.next().await {
                let place = self.place.clone().unwrap_or_else(|| reached(&stream));
                let (engine, stop) = (engine.clone(), stop.clone());
                connections.spawn(async move {
                    connection::converse(stream, peer, engine, place, stop).await;
                    drop(permit);
                });
                while connections.try_join_next().is_some() {}
            }
            // Frees the port before the last answers are sent.
            drop(entrance);
            while connections.join_next().await.is_some() {}
        })
    }
}

/// Where a client has reached us.
fn reached(stream: &Stream) -> Place {
    match stream.reached() {
        Some(address) => Place { host: address.ip().to_string(), port: address.port() },
        None => Place { host: "localhost".to_owned(), port: PORT },
    }
}
