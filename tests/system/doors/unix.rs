//! HTTP/1.1 on a Unix socket.

use std::sync::Arc;

use continuity::prelude::*;
use continuity::test::door::{Door, Feature, Open};

use super::check;
use super::client::{BoxFuture, HttpClient, Version};
use crate::folder::Folder;

struct Local;

impl Door for Local {
    fn name(&self) -> String {
        "Unix socket".into()
    }

    fn open(&self, server: Server) -> BoxFuture<'static, Result<Open, BoxError>> {
        Box::pin(async move {
            let folder = Arc::new(Folder::new("door"));
            let path = folder.0.join("app.sock");
            let bound = server.listen(Http::on(format!("unix:{}", path.display()))).bind().await?;
            Ok(Open::serving(bound, move || {
                let folder = folder.clone();
                HttpClient::new(Version::Http1, move || {
                    tokio::net::UnixStream::connect(folder.0.join("app.sock"))
                })
            }))
        })
    }

    fn lacks(&self) -> Vec<(Feature, &'static str)> {
        vec![
            (
                Feature::Address,
                "who connects has none; a proxy that is trusted (`\"unix\"`) says whose it is",
            ),
            (Feature::Encryption, "nothing is encrypted; such a proxy says so if it was on its way there"),
        ]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unix_socket_keeps_what_doors_promise() {
    check(&Local).await;
}
