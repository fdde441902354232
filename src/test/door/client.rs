//! What a door's tests bring: a client of its protocol.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use crate::document::{Leads, parse};
use crate::error::BoxError;

/// One client of a door: a browser's connections, or what stands for them. Dropped, it hangs up.
pub trait Client: Send + Sync + 'static {
    /// Sends a request and returns the response with its head; the body is read as it comes.
    ///
    /// The target is a path with its query; `Host` and cookies are among the fields. Where the future or the response is
    /// dropped, the client goes away.
    fn ask(&mut self, request: Request<Bytes>) -> Pinned<'_, Result<Response<Reading>, BoxError>>;

    /// The links of a page, with their text: of HTML, unless the protocol has another form.
    fn links(&self, page: &str) -> Vec<(String, String)> {
        let page = parse::parse(page);
        let links = page.targets.into_iter().filter_map(|target| match target.leads {
            Leads::Link(href) => Some((target.text, href)),
            Leads::Button(_) => None,
        });
        links.collect()
    }
}

/// A future that borrows its client.
type Pinned<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A response's body as a client reads it: what is not read is not sent for long.
#[derive(Debug)]
pub struct Reading {
    chunks: mpsc::Receiver<Result<Bytes, BoxError>>,
}

impl Reading {
    /// A body that is there.
    pub fn whole(bytes: impl Into<Bytes>) -> Reading {
        let (sender, chunks) = mpsc::channel(1);
        drop(sender.try_send(Ok(bytes.into())));
        Reading { chunks }
    }

    /// A body that comes; a read that failed is its end. A channel with little room keeps the back-pressure.
    pub fn coming(chunks: mpsc::Receiver<Result<Bytes, BoxError>>) -> Reading {
        Reading { chunks }
    }

    /// A body as libraries have it. It is read by a task, one chunk ahead.
    pub fn of<B>(mut body: B) -> Reading
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let (sender, chunks) = mpsc::channel(1);
        tokio::spawn(async move {
            // Mapped at once: an error of any kind need not be one that can be sent.
            let mut next = async || body.frame().await.map(|frame| frame.map_err(Into::into));
            while let Some(frame) = next().await {
                let chunk = frame.map(|frame| frame.into_data().unwrap_or_default());
                if sender.send(chunk).await.is_err() {
                    return;
                }
            }
        });
        Reading { chunks }
    }

    /// The next chunk; `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BoxError> {
        self.chunks.recv().await.transpose()
    }

    /// All that is left.
    pub async fn rest(&mut self) -> Result<Bytes, BoxError> {
        let mut rest = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            rest.extend_from_slice(&chunk);
        }
        Ok(rest.into())
    }
}
