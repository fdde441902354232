//! HTTP/1.1 and HTTP/2 as the library speaks them.

use continuity::prelude::*;
use continuity::test::door::{Door, Feature, Open};

use super::check;
use super::client::{BoxFuture, HttpClient, Version};

/// Without TLS, on a port of loopback.
struct Plain(Version);

impl Door for Plain {
    fn name(&self) -> String {
        match self.0 {
            Version::Http1 => "HTTP/1.1".into(),
            Version::Http2 => "HTTP/2".into(),
        }
    }

    fn open(&self, server: Server) -> BoxFuture<'static, Result<Open, BoxError>> {
        let version = self.0;
        Box::pin(async move {
            let bound = server.listen(Http::on(0)).bind().await?;
            let address = bound.addresses()[0].clone();
            Ok(Open::serving(bound, move || HttpClient::tcp(version, &address)))
        })
    }

    fn lacks(&self) -> Vec<(Feature, &'static str)> {
        vec![(Feature::Encryption, "nothing is encrypted")]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http1_keeps_what_doors_promise() {
    check(&Plain(Version::Http1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_keeps_what_doors_promise() {
    check(&Plain(Version::Http2)).await;
}
