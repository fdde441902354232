//! HTTP/1.1 and HTTP/2 over TLS.

use std::sync::Arc;

use continuity::prelude::*;
use continuity::test::door::{Door, Feature, Open};

use super::check;
use super::client::{BoxFuture, HttpClient, Version};
use crate::certified::Certified;

struct Sealed(Version);

impl Door for Sealed {
    fn name(&self) -> String {
        match self.0 {
            Version::Http1 => "TLS, 1.1".into(),
            Version::Http2 => "TLS, 2".into(),
        }
    }

    fn open(&self, server: Server) -> BoxFuture<'static, Result<Open, BoxError>> {
        let version = self.0;
        Box::pin(async move {
            let certified = Arc::new(Certified::new());
            let http = Http::on(0).tls(certified.chain(), certified.key());
            let bound = server.listen(http).bind().await?;
            let address = bound.addresses()[0].clone();
            Ok(Open::serving(bound, move || client(version, certified.clone(), address.clone())))
        })
    }

    fn lacks(&self) -> Vec<(Feature, &'static str)> {
        Vec::new()
    }
}

fn client(version: Version, certified: Arc<Certified>, address: String) -> HttpClient {
    let protocol = match version {
        Version::Http1 => "http/1.1",
        Version::Http2 => "h2",
    };
    HttpClient::new(version, move || {
        let (certified, address) = (certified.clone(), address.clone());
        async move { certified.dial(&address, &[protocol]).await }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http1_over_tls_keeps_what_doors_promise() {
    check(&Sealed(Version::Http1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_over_tls_keeps_what_doors_promise() {
    check(&Sealed(Version::Http2)).await;
}
