//! Runs a hyper service the way all servers of the bench run: same runtime, same socket options, same settings.
//!
//! It leaves out shutdown: the bench ends servers by killing them.

use std::error::Error;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::time::Duration;

use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// An error that any service or body may have.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The settings of hyper that every server of the bench has; the library's HTTP adapter has the same.
pub fn settings() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(30))
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
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            stream.set_nodelay(true)?;
            let connection = http.serve_connection(TokioIo::new(stream), service.clone());
            tokio::spawn(async move {
                // A visitor who hangs up is no news.
                let _ = connection.await;
            });
        }
    })
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
