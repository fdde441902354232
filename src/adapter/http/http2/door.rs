//! Where the requests of a connection of HTTP/2 come in: what hyper lets through and sessions must not see.

use std::future::ready;
use std::sync::Arc;

use http::request::Parts;
use http::{Request, Response, header};
use hyper::body::Incoming;
use hyper::service::Service;

use super::work::{Answering, Sending, Work};
use crate::adapter::fault::{self, Fault};
use crate::adapter::head::{admit, refuse};
use crate::engine::Engine;
use crate::hit::Via;
use crate::reply::Answer;

const BUSY: Fault = Fault { status: 503, says: "This connection asks for more than it takes." };

/// Where the requests of one connection come in.
pub(super) struct Door {
    engine: Engine,
    via: Via,
    work: Arc<Work>,
}

impl Door {
    pub(super) fn new(engine: Engine, via: Via) -> Self {
        Door { engine, via, work: Arc::default() }
    }

    /// What is wrong with a request, or with when it comes.
    fn check(&self, head: &mut Parts) -> Result<(), Fault> {
        let limits = self.engine.limits();
        if self.work.running() >= limits.streams || self.work.unsent() > limits.page {
            return Err(BUSY);
        }
        // They are HTTP/1.1's (RFC 9113 8.2.2).
        let connection = [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE];
        if connection.iter().any(|name| head.headers.contains_key(name)) {
            return Err(fault::FIELD);
        }
        admit(head, limits)?;
        head.headers.contains_key(header::HOST).then_some(()).ok_or(fault::HOST)
    }
}

impl Service<Request<Incoming>> for Door {
    type Response = Response<Sending>;
    type Error = std::convert::Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let (mut head, body) = request.into_parts();
        let answer = match self.check(&mut head) {
            Ok(()) => self.engine.receive_parts(head, body, self.via),
            Err(fault) => Answer::aside(ready(refuse(&self.engine, fault))),
        };
        self.work.count(answer, &self.engine.0.runtime)
    }
}
