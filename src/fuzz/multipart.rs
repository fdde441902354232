//! Forms with files, whole way: from the request through a session to its page, and back to nothing.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::runtime::{Builder, Runtime};

use super::{line_and_rest, pieces};
use crate::server::Owned;
use crate::{Error, Flow, Limits, Request, Server};

const FIELDS: usize = 12;
const FILES: usize = 3;
const TEXT: usize = 200;
const MEMORY: usize = 40;
const UPLOAD: usize = 3_000;
/// Milliseconds after which temporary files are gone: another thread removes them, and may have to wait.
const PATIENCE: usize = 5_000;
/// Before a millisecond is waited for, as often as this others are let run: mostly it is enough.
const TURNS: usize = 1_000;

/// A boundary, and on the next lines a body.
pub fn multipart(bytes: &[u8]) {
    thread_local! {
        static HOUSE: House = House::new();
    }
    let (boundary, body) = line_and_rest(bytes);
    let kind = [b"multipart/form-data; boundary=", boundary].concat();
    let Ok(kind) = HeaderValue::from_bytes(&kind) else { return };
    HOUSE.with(|house| {
        let whole = house.send(&kind, std::iter::once(body));
        assert_eq!(house.send(&kind, pieces(body)), whole, "in pieces");
    });
}

/// A server with narrow limits, and what runs it.
struct House {
    runtime: Runtime,
    server: Owned,
}

impl House {
    fn new() -> House {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let narrow = |limits: &mut Limits| {
            (limits.params, limits.files_per_hit, limits.body) = (FIELDS, FILES, TEXT);
            (limits.upload, limits.upload_memory) = (UPLOAD, MEMORY);
        };
        let server = Server::new(Flow::new(count)).limits(narrow);
        let server = runtime.block_on(async { server.into_engine() }).expect("a server");
        House { runtime, server }
    }

    /// The status of a form that comes in these pieces, and the page.
    fn send<'b>(&self, kind: &HeaderValue, pieces: impl Iterator<Item = &'b [u8]>) -> (u16, Bytes) {
        let body = Coming(pieces.map(Bytes::copy_from_slice).collect());
        let mut request = http::Request::post("/").body(body).expect("a request");
        request.headers_mut().insert(CONTENT_TYPE, kind.clone());
        self.runtime.block_on(async {
            let (head, page) = self.server.0.receive(request, None).await.into_parts();
            let page = page.collect().await.expect("a page is whole").to_bytes();
            let status = head.status.as_u16();
            assert!([200, 400, 413].contains(&status), "{status}: {}", String::from_utf8_lossy(&page));
            self.nothing_is_left().await;
            // Pages of refusals name no two requests alike.
            (status, if status == 200 { page } else { Bytes::new() })
        })
    }

    async fn nothing_is_left(&self) {
        for turn in 0..TURNS + PATIENCE {
            if self.server.0.0.spool.load() == (0, 0) {
                return;
            }
            match turn {
                0..TURNS => tokio::task::yield_now().await,
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        panic!("files and bytes that are left: {:?}", self.server.0.0.spool.load());
    }
}

/// A session that looks at all of a form once.
async fn count(mut req: Request) -> Result<(), Error> {
    let (params, files) = (req.params(), req.files());
    assert!(params.len() <= FIELDS, "{} fields", params.len());
    assert!(files.len() <= FILES, "{} files", files.len());
    let of_files = |(name, value): &&(String, String)| {
        files.iter().any(|file| file.field() == name && file.name() == value)
    };
    let text: usize = params.iter().filter(|param| !of_files(param)).map(|(_, value)| value.len()).sum();
    // What is no UTF-8 grows when it is replaced.
    assert!(text <= 3 * TEXT + params.len() * 1024, "{text} bytes of text");
    let mut sum = 0;
    for file in &files {
        let bytes = file.bytes().await?;
        assert_eq!(file.len(), bytes.len() as u64);
        sum += bytes.len();
    }
    assert!(sum <= UPLOAD, "{sum} bytes of files");
    let files: Vec<_> =
        files.iter().map(|file| (file.field().to_owned(), file.name().to_owned(), file.len())).collect();
    req.send("text/plain", format!("{params:?} {files:?}"))?;
    Ok(())
}

/// A body that comes in pieces.
struct Coming(VecDeque<Bytes>);

impl http_body::Body for Coming {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}
