//! Bodies that are compressed: nobody here undoes that, so nobody takes them for what they are not.

use continuity::prelude::*;

use crate::bare::{Bare, Seen, get, request};
use crate::flows::tally;

/// `a=1`, by gzip.
const GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\xb4\x35\x04\x00\x81\x30\x62\x8d\x03\x00\x00\x00";

/// Whether the body is whole when it comes to the server, or still on its way.
async fn ask(bare: &Bare, request: http::Request<bytes::Bytes>, whole: bool) -> Seen {
    if whole {
        return bare.ask(request).await;
    }
    let request = request.map(http_body_util::Full::new);
    Seen::of(bare.engine.receive(request, None).await).await
}

#[tokio::test]
async fn a_body_that_is_compressed_is_refused_and_advances_nothing() {
    let bare = Bare::start(Server::new(tally)).await;
    let cookie = bare.ask(get("/", &[])).await.cookie().expect("an id");
    let (form, files) = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=b");
    for whole in [true, false] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "GET"] {
            for kind in [form, files, "application/json", "text/plain"] {
                for coding in ["gzip", "br", "GZIP", "x-gzip", "identity, gzip", "unknown"] {
                    let fields = [("cookie", &*cookie), ("content-type", kind), ("content-encoding", coding)];
                    let request = request(method, "/", &fields, "").map(|_| GZIP.into());
                    let seen = ask(&bare, request, whole).await;
                    assert_eq!(seen.status, 415, "{method} {kind} {coding}: {}", seen.body);
                    assert_eq!(seen.header("accept-encoding"), "identity");
                    assert!(seen.body.contains("compressed"), "{}", seen.body);
                }
            }
        }
    }
    assert!(bare.ask(get("/", &[("cookie", &cookie)])).await.body.contains("Hit 2"));
}

#[tokio::test]
async fn a_body_that_is_not_compressed_is_taken_whatever_it_is_called() {
    let bare = Bare::start(Server::new(tally)).await;
    let cookie = bare.ask(get("/", &[])).await.cookie().expect("an id");
    let mut hits = 1;
    for whole in [true, false] {
        for coding in ["identity", "Identity", "", "identity, identity"] {
            let fields = [("cookie", &*cookie), ("content-encoding", coding)];
            let seen = ask(&bare, request("POST", "/", &fields, "a=1"), whole).await;
            hits += 1;
            assert!(seen.body.contains(&format!("Hit {hits}")), "{coding:?}: {}", seen.body);
        }
        // Where there is no body nothing is compressed.
        let fields = [("cookie", &*cookie), ("content-encoding", "gzip")];
        let seen = ask(&bare, get("/", &fields), whole).await;
        hits += 1;
        assert!(seen.body.contains(&format!("Hit {hits}")), "{}", seen.body);
    }
}
