//! Adapters speak protocols: bytes to hits and answers to bytes, and nothing else.

#[cfg(any(feature = "http", feature = "tower"))]
pub(crate) mod answering;
#[cfg(any(feature = "fastcgi", feature = "http", feature = "tower"))]
#[cfg_attr(not(feature = "http"), expect(dead_code, reason = "HTTP/1.1 alone is read byte by byte"))]
pub(crate) mod bytes;
#[cfg(feature = "fastcgi")]
pub(crate) mod fastcgi;
#[cfg(any(feature = "fastcgi", feature = "http", feature = "tower"))]
#[cfg_attr(not(feature = "http"), expect(dead_code, reason = "HTTP/1.1 alone is read byte by byte"))]
pub(crate) mod fault;
#[cfg(feature = "gopher")]
pub(crate) mod gopher;
#[cfg(any(feature = "fastcgi", feature = "http2", feature = "tower"))]
pub(crate) mod head;
#[cfg(any(feature = "fastcgi", feature = "http", feature = "tower"))]
#[cfg_attr(
    not(any(feature = "fastcgi", feature = "http")),
    expect(dead_code, reason = "HTTP/1.1 alone is read byte by byte")
)]
pub(crate) mod host;
#[cfg(feature = "http")]
pub(crate) mod http;
#[cfg(feature = "socket")]
#[cfg_attr(
    not(feature = "http"),
    allow(dead_code, unused_imports, reason = "not every protocol needs all of it")
)]
pub(crate) mod socket;
#[cfg(feature = "tower")]
pub(crate) mod tower;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::sync::watch;

use crate::engine::Engine;
use crate::error::Error;
use crate::server::BoxFuture;

/// A way in. Given to [`Server::listen`](crate::Server::listen).
pub trait Adapter: Send + 'static {
    /// Opens it: its address is known then, and clients wait in line.
    fn bind(self: Box<Self>) -> BoxFuture<Result<Box<dyn Listening>, Error>>;
}

/// An adapter that is open.
pub trait Listening: Send {
    /// Where it can be reached.
    fn address(&self) -> String;

    /// Brings hits to the engine until told to stop; then accepts no more, answers what is in flight, and returns.
    fn serve(self: Box<Self>, engine: Engine, stop: Stop) -> BoxFuture<()>;
}

/// Ready when the server is to stop. Cheap to poll again and again.
pub struct Stop {
    told: watch::Receiver<bool>,
    wait: Option<(Waker, BoxFuture<()>)>,
}

impl Stop {
    pub(crate) fn new(told: watch::Receiver<bool>) -> Self {
        Stop { told, wait: None }
    }

    /// What `work` brings, or `None` if the server is to stop first.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "not every build has a protocol"))]
    pub(crate) async fn until<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|cx| match Pin::new(&mut *self).poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => work.as_mut().poll(cx).map(Some),
        })
        .await
    }
}

impl Clone for Stop {
    fn clone(&self) -> Self {
        Stop::new(self.told.clone())
    }
}

impl Future for Stop {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // A server that is gone has stopped too.
        if self.told.has_changed().unwrap_or(true) {
            return Poll::Ready(());
        }
        if self.wait.as_ref().is_some_and(|(waker, _)| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        let mut told = self.told.clone();
        let mut wait: BoxFuture<()> = Box::pin(async move { drop(told.changed().await) });
        let polled = wait.as_mut().poll(cx);
        self.wait = Some((cx.waker().clone(), wait));
        polled
    }
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stop").field("told", &*self.told.borrow()).finish()
    }
}
