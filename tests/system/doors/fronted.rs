//! HTTP/1.1 behind haproxy, which says by PROXY protocol whose connections it passes on.

use std::sync::Arc;

use continuity::prelude::*;
use continuity::test::door::{Door, Feature, Open};

use super::check;
use super::client::{BoxFuture, HttpClient, Version};
use crate::haproxy::Haproxy;

struct Fronted;

impl Door for Fronted {
    fn name(&self) -> String {
        "behind haproxy".into()
    }

    fn open(&self, server: Server) -> BoxFuture<'static, Result<Open, BoxError>> {
        Box::pin(async move {
            let bound = server.listen(Http::on(0).proxy_protocol(["127.0.0.1"])).bind().await?;
            let haproxy = Arc::new(Haproxy::start(&bound.addresses()[0], "send-proxy-v2"));
            Ok(Open::serving(bound, move || {
                let haproxy = haproxy.clone();
                HttpClient::new(Version::Http1, move || {
                    tokio::net::TcpStream::connect(haproxy.address.clone())
                })
            }))
        })
    }

    fn lacks(&self) -> Vec<(Feature, &'static str)> {
        vec![(
            Feature::Encryption,
            "nothing is encrypted; with `send-proxy-v2-ssl` it says so of TLS that ends there",
        )]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn haproxy_in_front_keeps_what_doors_promise() {
    check(&Fronted).await;
}
