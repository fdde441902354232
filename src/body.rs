//! What adapters send: a response's body, whole or as it comes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use tokio::sync::mpsc;
#[cfg(feature = "files")]
use tower_http::services::fs::ServeFileSystemResponseBody as FileBody;

/// A response's body: all at once, as the session flushes it, or a file.
pub struct Body(Content);

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("size", &http_body::Body::size_hint(self)).finish_non_exhaustive()
    }
}

enum Content {
    Full(Option<Bytes>),
    Stream(mpsc::Receiver<Bytes>),
    #[cfg(feature = "files")]
    File(Box<FileBody>),
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Body(Content::Full(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }
}

impl From<mpsc::Receiver<Bytes>> for Body {
    fn from(chunks: mpsc::Receiver<Bytes>) -> Self {
        Body(Content::Stream(chunks))
    }
}

#[cfg(feature = "files")]
impl From<FileBody> for Body {
    fn from(file: FileBody) -> Self {
        Body(Content::File(Box::new(file)))
    }
}

impl Body {
    pub(crate) fn is_streamed(&self) -> bool {
        matches!(self.0, Content::Stream(_))
    }

    /// All of it, where it is there at once.
    #[cfg(feature = "compression")]
    pub(crate) fn whole(&self) -> Option<Bytes> {
        match &self.0 {
            Content::Full(bytes) => Some(bytes.clone().unwrap_or_default()),
            _ => None,
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.0 {
            Content::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Stream(chunks) => {
                chunks.poll_recv(cx).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
            }
            #[cfg(feature = "files")]
            Content::File(file) => Pin::new(&mut **file).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Full(bytes) => bytes.is_none(),
            Content::Stream(_) => false,
            #[cfg(feature = "files")]
            Content::File(file) => file.is_end_stream(),
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match &self.0 {
            Content::Full(bytes) => {
                http_body::SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Stream(_) => http_body::SizeHint::default(),
            #[cfg(feature = "files")]
            Content::File(file) => file.size_hint(),
        }
    }
}
