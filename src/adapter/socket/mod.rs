//! Sockets, the same for all adapters that listen on them; no protocol is known here.
//!
//! An adapter keeps a [`Site`], where the program told it to listen. [`Site::bind`] opens it: that is a [`Listener`], of
//! TCP or a Unix socket. An [`Acceptor`] takes connections from it, also when the system runs out of descriptors. Each is a
//! [`Stream`] with the address of its peer, if it has one.
//!
//! ```text
//! let listener = Site::on("unix:/run/app.sock").bind().await?;         // in `Adapter::bind`
//! let address = listener.address();                                    // `Listening::address`
//! let mut entrance = Entrance::new(listener, b"", connections, stop);  // in `Listening::serve`
//! while let Some((stream, peer, place)) = entrance.next().await {
//!     connections.spawn(converse(stream, Via::peer(peer), place));
//! }
//! ```

mod accept;
mod entrance;
#[cfg(feature = "systemd")]
mod inherited;
#[cfg(not(feature = "systemd"))]
#[path = "not_inherited.rs"]
mod inherited;
mod linger;
mod listener;
mod site;
mod stream;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls/mod.rs"]
pub(crate) mod tls;
mod unix;

pub(crate) use entrance::Entrance;
pub(crate) use linger::{LINGER, linger};
pub(crate) use listener::Listener;
pub use site::Address;
pub(crate) use site::Site;
pub(crate) use stream::Stream;
