//! A plain read: each request reads all rows of one session of the journal that `JOURNAL` names, and gets the hello's page.
//!
//! A rebuild is compared to this. The rows are the same, in the same file, read by the library's own store on a thread that
//! may block; nothing is played again, and nothing is written. Each request reads another session, in random order.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use continuity::Sqlite;
use continuity::journal::Store;
use continuity_bench::rival::{page, serve};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};

/// Sessions that are listed at once.
const PAGE: usize = 10_000;

fn main() -> continuity::Result<()> {
    let length = serve::number_from_env("BODY_LEN").unwrap_or(256);
    let body = Bytes::from(format!("{:.<length$}", "Count: 0<a href=\"?_t=x\">++</a>"));
    let path = std::env::var_os("JOURNAL").ok_or("`JOURNAL` names no journal")?;
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(path)?);
    let sessions = Arc::new(shuffled(&*store)?);
    let turn = Arc::new(AtomicUsize::new(0));
    serve::run(service_fn(move |_| {
        let (store, body) = (store.clone(), body.clone());
        let session = sessions[turn.fetch_add(1, Ordering::Relaxed) % sessions.len()];
        async move { Ok::<_, Infallible>(answer(store, session, body).await) }
    }))?;
    Ok(())
}

async fn answer(store: Arc<dyn Store>, session: u64, body: Bytes) -> Response<Full<Bytes>> {
    let read = tokio::task::spawn_blocking(move || store.recall(session)).await;
    let found = matches!(read, Ok(Ok(chunks)) if !chunks.is_empty());
    let status = if found { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    page::response().status(status).body(Full::new(body)).expect("all headers are constants")
}

/// The numbers of all sessions, in an order that no cache expects.
fn shuffled(store: &dyn Store) -> continuity::Result<Vec<u64>> {
    let mut sessions = Vec::new();
    loop {
        let after = sessions.last().copied().unwrap_or(0);
        let more = store.list(after, PAGE)?;
        if more.is_empty() {
            break;
        }
        sessions.extend(more.iter().map(|head| head.session));
    }
    if sessions.is_empty() {
        return Err("the journal has no sessions".into());
    }
    // Multiplying by an odd number is a permutation of all numbers.
    sessions.sort_unstable_by_key(|session| session.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    Ok(sessions)
}
