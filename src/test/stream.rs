//! A response read piece by piece, as the session sends it.

use std::fmt;

use http::StatusCode;
use http::response::Parts;
use http_body_util::BodyExt;

use super::client::Client;
use crate::body::Body;

/// A response that is read while it is made: [`Browser::open`](super::Browser::open).
///
/// Dropping it is what closing the tab is: the client has gone away.
///
/// ```
/// use continuity::prelude::*;
/// use continuity::test::Browser;
///
/// async fn slow(mut req: Request) -> Result<()> {
///     req.content_type("text/plain")?.print("one");
///     req.flush().await?;
///     req.print("two");
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut stream = Browser::new(slow).open("/").await;
/// assert_eq!(stream.next_chunk().await.as_deref(), Some("one"));
/// assert_eq!(stream.next_chunk().await.as_deref(), Some("two"));
/// assert_eq!(stream.next_chunk().await, None);
/// # }
/// ```
pub struct Stream {
    head: Parts,
    body: Body,
    /// The server lives as long as someone reads from it.
    _client: Client,
}

impl Stream {
    pub(super) fn new(response: http::Response<Body>, client: Client) -> Self {
        let (head, body) = response.into_parts();
        Stream { head, body, _client: client }
    }

    /// The response's status.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// The first header field of this name, if it is text.
    pub fn header_value(&self, name: &str) -> Option<String> {
        self.head.headers.get(name)?.to_str().ok().map(str::to_owned)
    }

    /// The next piece as it was flushed, when it is there; `None` at the end.
    ///
    /// # Panics
    /// If the body breaks off.
    pub async fn next_chunk(&mut self) -> Option<String> {
        loop {
            let frame = self.body.frame().await?;
            match frame.map(|frame| frame.into_data()) {
                Ok(Ok(bytes)) => return Some(String::from_utf8_lossy(&bytes).into_owned()),
                // Trailers are not read.
                Ok(Err(_)) => {}
                Err(error) => panic!("the stream broke off: {error}"),
            }
        }
    }

    /// All that is left, when it has ended.
    pub async fn rest(&mut self) -> String {
        let mut rest = String::new();
        while let Some(chunk) = self.next_chunk().await {
            rest.push_str(&chunk);
        }
        rest
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("status", &self.head.status).finish_non_exhaustive()
    }
}
