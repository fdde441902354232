//! The library from outside: real sockets, real processes, a real browser. Only loopback, only ports the system picks.
//!
//! Nothing here sleeps to let something happen: it waits for a sign, until a deadline.

#[cfg(feature = "sqlite")]
mod back;
mod browser;
#[cfg(feature = "tls")]
mod certified;
mod chrome;
mod client;
mod connections;
#[cfg(feature = "sqlite")]
mod crash;
mod deadlines;
mod deploying;
#[cfg(all(feature = "axum", feature = "http2"))]
mod doors;
#[cfg(feature = "fastcgi")]
mod fastcgi;
#[cfg(feature = "sqlite")]
mod firefox;
#[cfg(feature = "http2")]
mod floods;
mod folder;
#[cfg(feature = "http2")]
mod frames;
mod framing;
#[cfg(feature = "gopher")]
mod gopher;
#[cfg(feature = "proxy_protocol")]
mod haproxy;
mod http;
#[cfg(feature = "http2")]
mod http2;
#[cfg(feature = "sqlite")]
mod killed;
mod log;
mod memory;
mod program;
#[cfg(feature = "sqlite")]
mod progress;
#[cfg(feature = "proxy_protocol")]
mod proxy_protocol;
mod running;
mod sending;
mod signals;
mod slow_crowd;
mod sockets;
mod static_files;
mod stopping;
mod streaming;
#[cfg(feature = "tls")]
mod tls;
mod uploads;
mod web;

#[path = "../../examples/gallery/src/gallery/mod.rs"]
mod gallery;

use std::time::{Duration, Instant};

/// How long something may take that mostly takes no time at all.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked for.
const GLANCE: Duration = Duration::from_millis(5);

/// Waits until `seen` is true.
pub async fn until(what: &str, mut seen: impl FnMut() -> bool) {
    let start = Instant::now();
    while !seen() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(GLANCE).await;
    }
}

/// Waits until a number has not changed for so long, and returns it.
pub async fn standstill(what: &str, quiet: Duration, mut number: impl FnMut() -> usize) -> usize {
    let start = Instant::now();
    let (mut last, mut since) = (number(), Instant::now());
    while since.elapsed() < quiet {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what} stands still");
        tokio::time::sleep(GLANCE).await;
        let now = number();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    last
}
