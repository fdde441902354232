//! Runs a hyper service the way all servers of the bench run: same runtime, same socket options, same settings, and the
//! library's own checks and deadlines between the socket and hyper.
//!
//! It leaves out shutdown, for the bench ends servers by killing them, and the pages of refusals: who is refused here is
//! cut off.

#[path = "../../../src/adapter/bytes.rs"]
mod bytes;
#[expect(dead_code, reason = "stopping and resting are the library's")]
#[path = "../../../src/adapter/http/deadlines.rs"]
mod deadlines;
#[expect(dead_code, reason = "refusals are the library's")]
#[path = "../../../src/adapter/fault.rs"]
mod fault;
#[path = "../../../src/adapter/http/framing/mod.rs"]
mod framing;
#[path = "../../../src/adapter/host.rs"]
mod host;
#[expect(dead_code, reason = "Unix sockets, and how connections rest and end, are the library's")]
#[path = "../../../src/adapter/socket/stream.rs"]
mod stream;
#[path = "../../../src/adapter/socket/no_tls/sealed.rs"]
mod tls;
#[expect(dead_code, reason = "refusals are the library's")]
#[path = "../../../src/adapter/http/wire.rs"]
mod wire;

use std::error::Error;
use std::future::poll_fn;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use deadlines::{Phase, Sweep, Times, order};
use framing::Bounds;
use stream::Stream;
use wire::Wire;

/// The library's limits.
const BOUNDS: Bounds = Bounds { head: 64 * 1024, fields: 100 };
const TIMES: Times = Times {
    handshake: Duration::from_secs(10),
    first_byte: Duration::from_secs(15),
    head: Duration::from_secs(30),
    keep_alive: Duration::from_secs(30),
    write: Duration::from_secs(60),
    rate: 1024,
};

/// An error that any service or body may have.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The settings of hyper that every server of the bench has; the library's HTTP adapter has the same.
pub fn settings() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.header_read_timeout(None)
        .half_close(true)
        .writev(false)
        .max_buf_size(128 * 1024)
        .keep_alive(true)
        .pipeline_flush(false);
    http
}

/// The runtime every server of the bench has: the one of `#[tokio::main]`, with a worker for each core it may use;
/// or as many as `WORKERS` says, 0 for the current thread alone.
///
/// # Errors
/// Returns what the operating system says when it gives no event queue or no thread.
pub fn runtime() -> io::Result<Runtime> {
    match number_from_env("WORKERS") {
        None => Builder::new_multi_thread().enable_all().build(),
        Some(0) => Builder::new_current_thread().enable_all().build(),
        Some(workers) => Builder::new_multi_thread().worker_threads(workers).enable_all().build(),
    }
}

/// The port from `PORT`; 0, any free one, when it is not set.
pub fn port() -> u16 {
    number_from_env("PORT").unwrap_or(0)
}

/// A number from the environment, if there is one under this name.
pub fn number_from_env<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// Serves `service` on loopback until the process is killed; the first line printed says where.
///
/// # Errors
/// Returns what the operating system says when the runtime or the socket cannot be had.
pub fn run<S, B>(service: S) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    runtime()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port())).await?;
        announce(&listener.local_addr()?.to_string())?;
        let http = settings();
        let sweep = Sweep::new(TIMES);
        tokio::spawn(sweep.clone().run());
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            stream.set_nodelay(true)?;
            tokio::spawn(converse(stream, http.clone(), service.clone(), sweep.clone()));
        }
    })
}

/// All requests of one connection, as the library drives it.
async fn converse<S, B>(stream: TcpStream, http: http1::Builder, service: S, sweep: Arc<Sweep>)
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let watched = sweep.watch(waker);
    let wire = Wire::new(Stream::from(stream), Vec::new(), watched.clone(), BOUNDS);
    let mut connection = pin!(http.serve_connection(wire, service));
    let end = poll_fn(|cx| {
        let orders = watched.orders();
        if orders & order::ABORT != 0
            || orders & order::CLOSE != 0 && matches!(watched.phase(), Phase::Opened | Phase::Idle)
            || orders & order::SLOW != 0
        {
            return Poll::Ready(());
        }
        match Pin::new(&mut connection).poll(cx) {
            Poll::Pending if !watched.is_faulty() => Poll::Pending,
            // A visitor who hangs up is no news.
            _ => Poll::Ready(()),
        }
    });
    end.await;
}

/// Prints the first line, which tells the orchestrator where the server is.
///
/// # Errors
/// Returns what the operating system says when nothing can be printed.
pub fn announce(address: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "Please contact me at: http://{address}/")?;
    out.flush()
}
