//! Accepts connections, also when the system has no descriptors left: it neither spins nor gives up.
//!
//! One descriptor is kept in reserve. With it the connection that has waited longest is taken and told to come again,
//! instead of waiting for nobody knows how long.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::listener::Listener;
use super::stream::Stream;

/// How long to wait when the system gives no more connections (EMFILE and its like).
const PAUSE: Duration = Duration::from_millis(100);
/// How often the log says so.
const QUIET: Duration = Duration::from_secs(10);

/// A listener that survives the lack of descriptors.
pub(crate) struct Acceptor {
    listener: Listener,
    /// What is told to who is taken by the reserve. Small enough for any socket's buffer.
    busy: &'static [u8],
    reserve: Option<File>,
    /// When the log said last that there is a lack, and how often that was so since.
    said: Option<Instant>,
    unsaid: u32,
}

impl Acceptor {
    /// `busy` is what the protocol says when there is no place.
    pub(crate) fn new(listener: Listener, busy: &'static [u8]) -> Self {
        Acceptor { listener, busy, reserve: reserve(), said: None, unsaid: 0 }
    }

    /// The next connection, and who it is; on a Unix socket nobody has an address.
    pub(crate) async fn accept(&mut self) -> (Stream, Option<SocketAddr>) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                // That one client has gone again.
                Err(error) if is_of_one_client(&error) => {}
                Err(error) => {
                    self.say(&error);
                    self.turn_away().await;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Tells who has waited longest that there is no place.
    async fn turn_away(&mut self) {
        if self.reserve.take().is_some() {
            // The one that has failed is still the next one; if it has gone, nobody is waited for.
            let next = tokio::time::timeout(Duration::from_millis(1), self.listener.accept());
            if let Ok(Ok((mut stream, _))) = next.await {
                // Who cannot even be told sees the connection closed.
                drop(stream.try_write(self.busy));
            }
        }
        self.reserve = reserve();
    }

    fn say(&mut self, error: &io::Error) {
        self.unsaid = self.unsaid.saturating_add(1);
        if self.said.is_none_or(|said| said.elapsed() >= QUIET) {
            tracing::warn!(%error, times = self.unsaid, "connections cannot be accepted");
            self.said = Some(Instant::now());
            self.unsaid = 0;
        }
    }
}

fn reserve() -> Option<File> {
    File::open(if cfg!(windows) { "NUL" } else { "/dev/null" }).ok()
}

fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
