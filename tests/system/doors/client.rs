//! A client of HTTP/1.1 or HTTP/2 over any stream, as the suite of doors wants it: hyper's.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use continuity::BoxError;
use continuity::test::door::{Client, Reading};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a connection is made of.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

type Connect = Arc<dyn Fn() -> BoxFuture<'static, io::Result<Box<dyn Stream>>> + Send + Sync>;

/// Which HTTP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Http1,
    Http2,
}

/// One connection at a time, kept while it lasts. Dropped, it hangs up.
pub struct HttpClient {
    connect: Connect,
    version: Version,
    line: Option<Line>,
}

struct Line {
    sender: Sender,
    driver: AbortHandle,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl HttpClient {
    pub fn new<F, Fut, S>(version: Version, connect: F) -> HttpClient
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<S>> + Send + 'static,
        S: Stream + 'static,
    {
        let connect: Connect = Arc::new(move || {
            let connecting = connect();
            Box::pin(async move { Ok(Box::new(connecting.await?) as Box<dyn Stream>) })
        });
        HttpClient { connect, version, line: None }
    }

    /// A client of a TCP address.
    pub fn tcp(version: Version, address: &str) -> HttpClient {
        let address = address.to_owned();
        HttpClient::new(version, move || {
            let address = address.clone();
            async move {
                let stream = tokio::net::TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(stream)
            }
        })
    }

    async fn answer(&mut self, mut request: Request<Bytes>) -> Result<Response<Incoming>, BoxError> {
        if !self.line.as_mut().is_some_and(Line::is_open) {
            self.line = Some(Line::open((self.connect)().await?, self.version).await?);
        }
        let line = self.line.as_mut().expect("it was opened above");
        match &mut line.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                Ok(sender.send_request(request.map(Full::new)).await?)
            }
            Sender::Http2(sender) => {
                let host = request.headers_mut().remove("host").expect("the suite names one");
                let target = format!("http://{}{}", host.to_str()?, request.uri());
                *request.uri_mut() = target.parse()?;
                sender.ready().await?;
                Ok(sender.send_request(request.map(Full::new)).await?)
            }
        }
    }
}

impl Line {
    async fn open(stream: Box<dyn Stream>, version: Version) -> Result<Line, BoxError> {
        let stream = TokioIo::new(stream);
        match version {
            Version::Http1 => {
                let (sender, connection) = http1::handshake(stream).await?;
                let driver = tokio::spawn(async move { drop(connection.await) }).abort_handle();
                Ok(Line { sender: Sender::Http1(sender), driver })
            }
            Version::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
                let driver = tokio::spawn(async move { drop(connection.await) }).abort_handle();
                Ok(Line { sender: Sender::Http2(sender), driver })
            }
        }
    }

    fn is_open(&mut self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => !sender.is_closed(),
            Sender::Http2(sender) => !sender.is_closed(),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Client for HttpClient {
    fn ask(&mut self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Reading>, BoxError>> {
        Box::pin(async move { Ok(self.answer(request).await?.map(Reading::of)) })
    }
}
