//! Whatever comes: cuts make no difference, and hyper reads what is let through as it was checked.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use proptest::prelude::*;

use super::*;

/// Right requests, to be made wrong.
const SEEDS: [&str; 8] = [
    "GET /a/b?c=d&e HTTP/1.1\r\nHost: localhost:8080\r\nCookie: a=b; c=d\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: [::1]:1\r\nAccept: */*\r\n\r\n",
    "GET http://a.b:80/c?d HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1;c=\"d\"\r\n!\r\n0\r\nT: t\r\n\r\n",
    "PUT /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    "\r\nHEAD / HTTP/1.1\r\nHost: a\r\nX: \u{fc}\ty\r\n\r\n",
];
/// Bytes that mean something somewhere.
const BYTES: &[u8] = b"\r\n :;,=\"\\0159aFx/?#*@[]%\t\0\x7f\xe9Tt";

/// Some requests, of which some bytes are changed, doubled, or gone.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let change = (0usize..400, 0..4u8, prop::sample::select(BYTES));
    (prop::collection::vec(prop::sample::select(&SEEDS[..]), 1..4), prop::collection::vec(change, 0..3))
        .prop_map(|(seeds, changes)| {
            let mut bytes = seeds.concat().into_bytes();
            for (at, how, byte) in changes {
                let at = at % bytes.len().max(1);
                match how {
                    0 if at < bytes.len() => bytes[at] = byte,
                    1 if at < bytes.len() => drop(bytes.remove(at)),
                    2 if at < bytes.len() => bytes.insert(at, bytes[at]),
                    _ => bytes.insert(at, byte),
                }
            }
            bytes
        })
}

/// A connection on which all has come already.
struct Memory {
    read: Vec<u8>,
    written: Vec<u8>,
}

impl hyper::rt::Read for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut to: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        let some = to.remaining().min(self.read.len());
        to.put_slice(&self.read[..some]);
        self.read.drain(..some);
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Memory {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.written.extend_from_slice(from);
        Poll::Ready(Ok(from.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn answer(
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<::bytes::Bytes>>, hyper::Error> {
    request.into_body().collect().await?;
    let mut response = http::Response::new(Full::default());
    response.headers_mut().insert("x-mark", http::HeaderValue::from_static("read"));
    Ok(response)
}

/// What hyper makes of a stream: a mark for each request whose body it could read, and what it refused by itself.
fn hyper_reads(bytes: &[u8]) -> (usize, usize) {
    let service = service_fn(|request: http::Request<Incoming>| Box::pin(answer(request)));
    let memory = Memory { read: bytes.to_vec(), written: Vec::new() };
    let mut builder = http1::Builder::new();
    let mut connection = builder.header_read_timeout(None).half_close(true).serve_connection(memory, service);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..1000 {
        if connection.poll_without_shutdown(&mut cx).is_ready() {
            break;
        }
    }
    let written = String::from_utf8_lossy(&connection.into_parts().io.written).into_owned();
    (written.matches("x-mark: read").count(), written.matches("HTTP/1.1 4").count())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_bytes_in_any_pieces_are_judged_alike(bytes in streams(), cuts in prop::collection::vec(0usize..400, 0..6)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.insert(0, 0);
        cuts.push(bytes.len());
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        let whole = judge(&[&bytes]);
        prop_assert_eq!(judge(&pieces), whole);
        prop_assert_eq!(judge(&single), whole);
    }

    #[test]
    fn hyper_reads_what_is_passed_on_and_finds_as_many_requests(bytes in streams()) {
        let (passed, requests, fault) = judge(&[&bytes]);
        let mut framing = Framing::new(BOUNDS);
        framing.admit(&bytes);
        // What is cut off in a body is no request to hyper, and what follows a `Connection: close` is none at all.
        if framing.is_in_body() || fault.is_some() {
            return Ok(());
        }
        let old = bytes.windows(8).any(|some| some == b"HTTP/1.0");
        let (read, refused) = hyper_reads(&bytes[..passed]);
        prop_assert_eq!(refused, 0, "{:?}", String::from_utf8_lossy(&bytes));
        if !old {
            prop_assert_eq!(read, requests as usize, "{:?}", String::from_utf8_lossy(&bytes));
        }
    }
}
