//! A server as a tower service within another one: axum, or whatever calls services.
//!
//! The host accepts connections, ends them and keeps their limits; bodies, parameters and sessions are bounded here as
//! behind any adapter. Links and redirects lead back through the path that the host has taken off.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, Uri};
use tower_service::Service;

use super::answering::Answering;
use super::head::{admit, refuse};
use crate::body::Body;
use crate::error::{BoxError, Error};
use crate::hit::Via;
use crate::reply::Answer;
use crate::server::{Owned, Server};

/// A server mounted in another one: a `tower::Service`. Made by [`Server::into_service`]. Clones are the same server; with
/// the last of them its sessions end.
#[derive(Clone)]
pub struct Mounted {
    owned: Arc<Owned>,
    below: Option<Arc<str>>,
}

impl Server {
    /// The server as a tower service: for `nest_service` and `fallback_service` of axum, for any layer, for hyper.
    ///
    /// The host's limits hold for connections and heads, and its shutdown for requests in flight; after it
    /// [`Mounted::close`] parks or ends the sessions. The cookie needs a name, since the host may have other servers.
    ///
    /// With the feature `axum` the path that a router takes off and the client's address
    /// (`into_make_service_with_connect_info`) are known. Other hosts say so by [`Mounted::below`], and by a [`Via`] among
    /// the request's extensions.
    ///
    /// ```
    /// # #[cfg(feature = "axum")] mod mounted {
    /// use continuity::prelude::*;
    ///
    /// async fn checkout(mut req: Request) -> Result<()> {
    ///     req.print("Your cart is empty.");
    ///     Ok(())
    /// }
    ///
    /// pub fn app() -> axum::Router {
    ///     let shop = Server::new(checkout).cookie("shop_sid").into_service();
    ///     axum::Router::new().nest_service("/shop", shop)
    /// }
    /// # }
    /// # #[cfg(feature = "axum")] #[tokio::main(flavor = "current_thread")] async fn main() { mounted::app(); }
    /// # #[cfg(not(feature = "axum"))] fn main() {}
    /// ```
    ///
    /// # Panics
    /// Where [`try_into_service`](Self::try_into_service) returns an error.
    #[track_caller]
    pub fn into_service(self) -> Mounted {
        self.try_into_service().unwrap_or_else(|error| panic!("{error}"))
    }

    /// [`into_service`](Self::into_service), with an error where the server cannot start: without a cookie's name, with
    /// adapters of its own, outside a tokio runtime, and for all that is an error of [`bind`](Self::bind).
    pub fn try_into_service(self) -> Result<Mounted, Error> {
        self.check_mountable()?;
        let owned = self.into_engine()?;
        owned.tidy_uploads();
        Ok(Mounted { owned: Arc::new(owned), below: None })
    }
}

impl Mounted {
    /// Where it is mounted, in a host that takes this path off and does not say so: `"/shop"`.
    pub fn below(mut self, path: &str) -> Mounted {
        let path = path.trim_end_matches('/');
        self.below = (!path.is_empty()).then(|| ["/", path.trim_start_matches('/')].concat().into());
        self
    }

    /// Parks all sessions where there is a journal, else tells them that they end and waits for their clean-up, as long as
    /// [`Limits::grace`](crate::Limits::grace) lets it. To be called when the host has answered its last request.
    pub async fn close(&self) {
        self.owned.close().await;
    }

    /// Gives the request the whole path that the client asked, and says how much of it leads here.
    fn place(&self, head: &mut Parts) -> Result<Via, http::Error> {
        let via = via(head);
        if let Some(below) = &self.below {
            let whole = [&**below, head.uri.path_and_query().map_or("/", |path| path.as_str())].concat();
            head.uri = Uri::builder().path_and_query(whole).build()?;
            return Ok(via.below(below.len()));
        }
        Ok(match original(head) {
            None => via,
            Some(original) => {
                let bytes = taken_off(original.path(), head.uri.path());
                head.uri = original;
                via.below(bytes)
            }
        })
    }
}

/// How it came to the host, as far as that is known.
fn via(head: &Parts) -> Via {
    head.extensions.get::<Via>().copied().unwrap_or_else(|| connected(head))
}

#[cfg(feature = "axum")]
fn connected(head: &Parts) -> Via {
    let peer = head.extensions.get::<axum::extract::ConnectInfo<std::net::SocketAddr>>();
    Via::peer(peer.map(|peer| peer.0))
}

#[cfg(not(feature = "axum"))]
fn connected(_: &Parts) -> Via {
    Via::default()
}

/// The target as it came to the outermost router.
#[cfg(feature = "axum")]
fn original(head: &Parts) -> Option<Uri> {
    head.extensions.get::<axum::extract::OriginalUri>().map(|original| original.0.clone())
}

#[cfg(not(feature = "axum"))]
fn original(_: &Parts) -> Option<Uri> {
    None
}

/// The bytes that a router has taken off this path.
fn taken_off(whole: &str, left: &str) -> usize {
    match whole.strip_suffix(left) {
        Some(before) => before.len(),
        // What was mounted is asked for itself: a router leaves a slash where nothing is left.
        None if left == "/" => whole.len(),
        None => 0,
    }
}

impl<B> Service<Request<B>> for Mounted
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        let engine = self.owned.engine();
        let (mut head, body) = request.into_parts();
        let placed = self.place(&mut head).map_err(|_| super::fault::TARGET);
        let admitted = placed.and_then(|via| admit(&mut head, engine.limits()).map(|()| via));
        Answering::new(match admitted {
            Ok(via) => engine.receive_parts(head, body, via),
            Err(fault) => Answer::aside(ready(refuse(engine, fault))),
        })
    }
}

impl std::fmt::Debug for Mounted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mounted").field("engine", self.owned.engine()).field("below", &self.below).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_router_takes_off_is_what_stands_before_the_rest() {
        for (whole, left, bytes) in [
            ("/shop/cart", "/cart", 5),
            ("/shop/", "/", 5),
            ("/shop", "/", 5),
            ("/cart", "/cart", 0),
            ("/", "/", 0),
            ("/shop/cart", "/elsewhere", 0),
        ] {
            assert_eq!(taken_off(whole, left), bytes, "{whole} {left}");
        }
    }
}
