//! Where the requests of one connection come in: what has to be refused before anybody sees it, bodies, answers.

use std::convert::Infallible;
use std::future::ready;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::Service;

use crate::adapter::answering::Answering;
use crate::body::Body;
use crate::engine::Engine;
use crate::hit::Via;
use crate::mapper::purpose::ALLOW;
use crate::reply::Answer;

/// Where the requests of one connection come in.
pub(super) struct Door {
    engine: Engine,
    via: Via,
}

impl Door {
    pub(super) fn new(engine: Engine, via: Via) -> Self {
        Door { engine, via }
    }

    /// TRACE would show a script what the browser hides from it, and CONNECT asks for a tunnel.
    #[cold]
    fn refuse_method(&self) -> Answering {
        let mut refusal =
            self.engine.refusal(StatusCode::METHOD_NOT_ALLOWED, "There is no such method here.");
        refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static(ALLOW));
        Answering::new(Answer::aside(ready(close(refusal))))
    }
}

impl Service<Request<Incoming>> for Door {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, mut request: Request<Incoming>) -> Answering {
        if matches!(*request.method(), Method::TRACE | Method::CONNECT) {
            return self.refuse_method();
        }
        if request.uri().authority().is_some() {
            name_host(&mut request);
        }
        let (head, body) = request.into_parts();
        Answering::new(self.engine.receive_parts(head, body, self.via))
    }
}

/// A target that is a whole URL says which host is meant, whatever `Host` says (RFC 9112 3.2.2).
#[cold]
fn name_host(request: &mut Request<Incoming>) {
    let host = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    if let Some(Ok(host)) = host {
        request.headers_mut().insert(header::HOST, host);
    }
}

/// The rest of such a request is not read: nothing after it can be understood.
fn close(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
