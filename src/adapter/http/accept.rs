//! Accepts connections, also when the system has no descriptors left: it neither spins nor gives up.
//!
//! One descriptor is kept in reserve. With it the connection that has waited longest is taken and told to come again,
//! instead of waiting for nobody knows how long.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// How long to wait when the system gives no more connections (EMFILE and its like).
const PAUSE: Duration = Duration::from_millis(100);
/// How often the log says so.
const QUIET: Duration = Duration::from_secs(10);
/// What is told to who is taken by the reserve. Small enough for any socket's buffer.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\
    retry-after: 5\r\ncache-control: no-store\r\n\r\n";

/// A listener that survives the lack of descriptors.
pub(super) struct Acceptor {
    listener: TcpListener,
    reserve: Option<File>,
    /// When the log said last that there is a lack, and how often that was so since.
    said: Option<Instant>,
    unsaid: u32,
}

impl Acceptor {
    pub(super) fn new(listener: TcpListener) -> Self {
        Acceptor { listener, reserve: reserve(), said: None, unsaid: 0 }
    }

    /// The next connection.
    pub(super) async fn accept(&mut self) -> (TcpStream, SocketAddr) {
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
            if let Ok(Ok((stream, _))) = next.await {
                // Who cannot even be told sees the connection closed.
                drop(stream.try_write(BUSY));
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
