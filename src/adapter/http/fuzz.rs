//! Streams of bytes, whatever comes: how they are cut makes no difference, and hyper reads what is let through as it was
//! checked.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;

use super::framing::{Bounds, Framing};
use crate::fuzz::pieces;

pub(super) const BOUNDS: Bounds = Bounds { head: 4096, fields: 20 };

/// What a stream of bytes comes to: how many are passed on, requests whose heads were whole, the fault's status.
pub(super) type Verdict = (usize, u32, Option<u16>);

/// Reads a stream as it comes in pieces.
pub(super) fn judge<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> Verdict {
    let mut framing = Framing::new(BOUNDS);
    let (mut held, mut passed) = (Vec::new(), 0);
    for piece in pieces {
        held.extend_from_slice(piece);
        let some = framing.admit(&held);
        assert!(some <= held.len());
        held.drain(..some);
        passed += some;
        assert!(framing.fault().is_some() || held.len() < BOUNDS.head, "more is held than a head");
    }
    (passed, framing.heads(), framing.fault().map(|fault| fault.status))
}

/// All that a client sends on a connection.
pub(crate) fn stream(bytes: &[u8]) {
    let whole = judge([bytes]);
    assert_eq!(judge(pieces(bytes)), whole, "in pieces");
    assert_eq!(judge(bytes.chunks(1)), whole, "byte by byte");
    let (passed, requests, fault) = whole;
    assert!(passed <= bytes.len());
    // What was passed on is right, and all of it: nothing of a fault, nothing that waits.
    assert_eq!(judge([&bytes[..passed]]), (passed, requests, None));
    if let Some(status) = fault {
        assert!([400, 414, 417, 431, 501, 505].contains(&status), "{status}");
    }
    agrees_with_hyper(&bytes[..passed], requests as usize);
}

/// What follows the head of a request whose body comes in chunks.
pub(crate) fn chunks(bytes: &[u8]) {
    const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream(&[HEAD, bytes].concat());
}

/// hyper refuses nothing of what was passed on, and finds as many requests in it.
fn agrees_with_hyper(passed: &[u8], requests: usize) {
    let mut framing = Framing::new(BOUNDS);
    framing.admit(passed);
    let (read, refused) = hyper_reads(passed);
    assert_eq!(refused, 0, "hyper refuses {:?}", String::from_utf8_lossy(passed));
    // What is cut off in a body is no request to hyper.
    let whole = requests - usize::from(framing.is_in_body());
    assert!(read <= whole, "hyper finds {read} requests, not {whole}");
    // After these it reads no other.
    let last: [&[u8]; 4] = [b"close", b"http/1.0", b"connect ", b"upgrade"];
    let lower = passed.to_ascii_lowercase();
    let ends = last.iter().any(|word| lower.windows(word.len()).any(|at| at == *word));
    if !ends && whole == requests {
        assert_eq!(read, whole, "hyper finds fewer requests");
    }
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

async fn answer(request: http::Request<Incoming>) -> Result<http::Response<Full<Bytes>>, hyper::Error> {
    request.into_body().collect().await?;
    let mut response = http::Response::new(Full::default());
    response.headers_mut().insert("x-mark", http::HeaderValue::from_static("read"));
    Ok(response)
}

/// What hyper makes of a stream: a mark for each request whose body it could read, and what it refused by itself.
pub(super) fn hyper_reads(bytes: &[u8]) -> (usize, usize) {
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
