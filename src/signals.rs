//! Running until the operating system says otherwise: SIGTERM and SIGINT, and what a second one means.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use tokio::signal::unix::{SignalKind, signal};

use crate::error::{Error, Result};
use crate::server::{Bound, Server};

impl Server {
    /// Listens, then serves until SIGTERM or SIGINT. Then: accepts no more, answers what is in flight, tells the
    /// sessions to end, and returns; a second signal returns at once.
    pub async fn run(self) -> Result<()> {
        self.bind().await?.run().await
    }
}

impl Bound {
    /// Serves until SIGTERM or SIGINT: see [`Server::run`].
    pub async fn run(self) -> Result<()> {
        let failed = |error| Error::caused("signals cannot be handled", error);
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut signalled = async move || {
            race(async { terminate.recv().await }, async { interrupt.recv().await }).await;
        };
        let (first, told) = tokio::sync::oneshot::channel();
        let second = async move {
            signalled().await;
            // The receiver lives as long as this future is polled.
            _ = first.send(());
            signalled().await;
        };
        race(self.run_until(async { drop(told.await) }), second).await;
        Ok(())
    }
}

/// Runs two futures until one of them is ready; the other is dropped.
async fn race<A, B>(first: impl Future<Output = A>, second: impl Future<Output = B>) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| {
        let ready = first.as_mut().poll(cx).is_ready() || second.as_mut().poll(cx).is_ready();
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
