//! The ceiling: a bare hyper hello with the settings, head checks, headers and body length of the library's counter.
//!
//! `BODY_LEN` gives the length of the body. It keeps no sessions: its page always has the same count and link, so that
//! the generator reads it like any other.

use std::convert::Infallible;
use std::future;
use std::io;

use bytes::Bytes;
use continuity_bench::rival::head::{Purpose, purpose};
use continuity_bench::rival::{page, serve};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};

fn main() -> io::Result<()> {
    let length = serve::number_from_env("BODY_LEN").unwrap_or(256);
    let body = Bytes::from(format!("{:.<length$}", "Count: 0<a href=\"?_t=x\">++</a>"));
    serve::run(service_fn(move |request| future::ready(Ok::<_, Infallible>(answer(&request, &body)))))
}

fn answer(request: &Request<Incoming>, body: &Bytes) -> Response<Full<Bytes>> {
    let (status, body) = match purpose(request) {
        Purpose::Visit | Purpose::Crawler => (StatusCode::OK, body.clone()),
        Purpose::Question => (StatusCode::NO_CONTENT, Bytes::new()),
        Purpose::Prefetch => (StatusCode::SERVICE_UNAVAILABLE, Bytes::new()),
        Purpose::Part => (StatusCode::NOT_FOUND, Bytes::new()),
        Purpose::CrossSite => (StatusCode::FORBIDDEN, Bytes::new()),
    };
    page::response().status(status).body(Full::new(body)).expect("all headers are constants")
}
