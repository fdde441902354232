//! FastCGI, spoken by the tests themselves, and by web servers in front.

use bytes::Bytes;
use continuity::FastCgi;
use continuity::prelude::*;
use continuity::test::door::{Client, Door, Feature, Open, Reading};
use http::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::mpsc;

use super::check;
use super::client::{BoxFuture, HttpClient, Version};
use crate::fastcgi::client::{END, STDOUT, head_of, whole_request};
use crate::fastcgi::fronts::{Front, Kind};

/// Without a web server; the tests say what one would.
struct Direct;

impl Door for Direct {
    fn name(&self) -> String {
        "FastCGI".into()
    }

    fn open(&self, server: Server) -> BoxFuture<'static, Result<Open, BoxError>> {
        Box::pin(async move {
            let bound = server.listen(FastCgi::on(0)).bind().await?;
            let address = bound.addresses()[0].clone();
            Ok(Open::serving(bound, move || Web { address: address.clone() }))
        })
    }
}

/// Asks each time on a connection of its own.
struct Web {
    address: String,
}

impl Client for Web {
    fn ask(&mut self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Reading>, BoxError>> {
        Box::pin(async move {
            let stream = TcpStream::connect(&self.address).await?;
            let (mut read, mut write) = stream.into_split();
            let bytes = whole_request(&request);
            // What is refused is not read to its end.
            let sending = tokio::spawn(async move {
                drop(write.write_all(&bytes).await);
                write
            });
            let mut out = Vec::new();
            let end = loop {
                match out.windows(4).position(|four| four == b"\r\n\r\n") {
                    Some(end) => break end,
                    None => out.extend(next(&mut read).await?.ok_or("an answer without a head")?),
                }
            };
            let (status, fields) = head_of(&out[..end]);
            let mut response = Response::builder().status(status);
            for (name, value) in fields {
                response = response.header(name, value);
            }
            let (sender, chunks) = mpsc::channel(1);
            let first = Bytes::copy_from_slice(&out[end + 4..]);
            tokio::spawn(async move {
                let mut chunk = Some(Ok(first));
                while let Some(some) = chunk {
                    if sender.send(some).await.is_err() {
                        break;
                    }
                    chunk = next(&mut read).await.transpose();
                }
                drop(sending);
            });
            Ok(response.body(Reading::coming(chunks))?)
        })
    }
}

/// The next part of STDOUT; `None` when the request is over.
async fn next(read: &mut OwnedReadHalf) -> Result<Option<Bytes>, BoxError> {
    loop {
        let mut header = [0; 8];
        read.read_exact(&mut header).await?;
        let mut content = vec![0; usize::from(u16::from_be_bytes([header[4], header[5]]))];
        read.read_exact(&mut content).await?;
        read.read_exact(&mut vec![0; usize::from(header[6])]).await?;
        match header[1] {
            STDOUT if content.is_empty() => {}
            STDOUT => return Ok(Some(content.into())),
            END => return Ok(None),
            kind => return Err(format!("a record of kind {kind}").into()),
        }
    }
}

/// Behind a web server with the guide's configuration, which speaks HTTP to visitors.
struct Behind(Kind);

impl Door for Behind {
    fn name(&self) -> String {
        let name = match self.0 {
            Kind::Nginx => "nginx",
            Kind::Apache => "Apache",
            Kind::Lighttpd => "lighttpd",
            Kind::Haproxy => "haproxy",
        };
        name.into()
    }

    fn open(&self, server: Server) -> BoxFuture<'static, Result<Open, BoxError>> {
        let kind = self.0;
        Box::pin(async move {
            let bound = server.listen(FastCgi::on(0)).bind().await?;
            let front = Front::before(kind, &bound.addresses()[0]);
            let address = front.address.clone();
            Ok(Open::serving(bound, move || HttpClient::tcp(Version::Http1, &address)).keeping(front))
        })
    }

    fn lacks(&self) -> Vec<(Feature, &'static str)> {
        let mut lacks = vec![(Feature::Encryption, "the tests give it no certificate")];
        if self.0 == Kind::Lighttpd {
            lacks.push((Feature::Methods, "it refuses a POST that says no length (411)"));
            lacks.push((Feature::Targets, "it refuses escaped control characters (400)"));
        }
        lacks
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fastcgi_keeps_what_doors_promise() {
    check(&Direct).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_keeps_what_doors_promise() {
    check(&Behind(Kind::Nginx)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apache_keeps_what_doors_promise() {
    check(&Behind(Kind::Apache)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lighttpd_keeps_what_doors_promise() {
    check(&Behind(Kind::Lighttpd)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn haproxy_keeps_what_doors_promise() {
    check(&Behind(Kind::Haproxy)).await;
}
