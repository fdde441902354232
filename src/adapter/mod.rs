//! Adapters speak protocols: bytes to hits and answers to bytes, and nothing else.

#[cfg(feature = "http")]
pub(crate) mod http;

use std::pin::Pin;
use std::task::{Context, Poll};

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

/// Ready when the server is to stop.
pub struct Stop {
    told: BoxFuture<()>,
    again: watch::Receiver<bool>,
}

impl Stop {
    pub(crate) fn new(told: watch::Receiver<bool>) -> Self {
        let mut waiting = told.clone();
        // A server that is gone has stopped too.
        let told_once = Box::pin(async move { drop(waiting.wait_for(|stop| *stop).await) });
        Stop { told: told_once, again: told }
    }
}

impl Clone for Stop {
    fn clone(&self) -> Self {
        Stop::new(self.again.clone())
    }
}

impl Future for Stop {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.told.as_mut().poll(cx)
    }
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stop").field("told", &*self.again.borrow()).finish()
    }
}
