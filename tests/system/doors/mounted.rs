//! Mounted in axum, which accepts the connections.

use std::net::SocketAddr;

use continuity::prelude::*;
use continuity::test::door::{Door, Feature, Open};
use tokio::sync::oneshot;

use super::check;
use super::client::{BoxFuture, HttpClient, Version};

struct Axum;

impl Door for Axum {
    fn name(&self) -> String {
        "axum".into()
    }

    fn open(&self, server: Server) -> BoxFuture<'static, Result<Open, BoxError>> {
        Box::pin(async move {
            let service = server.try_into_service()?;
            let app = axum::Router::new().fallback_service(service.clone());
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?.to_string();
            let (stop, stopped) = oneshot::channel::<()>();
            let served = tokio::spawn(async move {
                let app = app.into_make_service_with_connect_info::<SocketAddr>();
                let stopped = async move { drop(stopped.await) };
                drop(axum::serve(listener, app).with_graceful_shutdown(stopped).await);
                service.close().await;
            });
            Ok(Open::hosted(stop, served, move || HttpClient::tcp(Version::Http1, &address)))
        })
    }

    fn lacks(&self) -> Vec<(Feature, &'static str)> {
        vec![(Feature::Encryption, "`axum::serve` does not encrypt; a host that does says so by a `Via`")]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axum_keeps_what_doors_promise() {
    check(&Axum).await;
}
