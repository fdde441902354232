//! Connections, one after the other: as long as there is room for them, and until the server stops.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::accept::Acceptor;
use super::listener::Listener;
use super::stream::Stream;
use crate::adapter::Stop;

/// Where connections come in. Dropped, it frees the place where it listens.
pub(crate) struct Entrance {
    acceptor: Acceptor,
    room: Arc<Semaphore>,
    stop: Stop,
}

/// A connection, who it is from, and its place: others wait until that is dropped.
pub(crate) type Entered = (Stream, Option<SocketAddr>, OwnedSemaphorePermit);

impl Entrance {
    /// For so many at once. `busy` is what the protocol says when the system has no place.
    pub(crate) fn new(listener: Listener, busy: &'static [u8], connections: usize, stop: Stop) -> Self {
        let room = Arc::new(Semaphore::new(connections));
        Entrance { acceptor: Acceptor::new(listener, busy), room, stop }
    }

    /// The next connection, when there is room for it; `None` when the server is to stop.
    pub(crate) async fn next(&mut self) -> Option<Entered> {
        let Entrance { acceptor, room, stop } = self;
        stop.until(async {
            let permit = room.clone().acquire_owned().await.expect("the semaphore is never closed");
            let (stream, peer) = acceptor.accept().await;
            (stream, peer, permit)
        })
        .await
    }
}
