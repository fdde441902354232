//! The usual rival: axum with tower-sessions and its memory store, behind the same hyper settings as all others.

use std::io;

use axum::Router;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::response::IntoResponse;
use axum::routing::get;
use continuity_bench::rival::page::{self, Op};
use continuity_bench::rival::serve;
use hyper_util::service::TowerToHyperService;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

const HEADERS: [(HeaderName, &str); 3] = [
    (CONTENT_TYPE, "text/html; charset=utf-8"),
    (CACHE_CONTROL, "private, no-cache"),
    (HeaderName::from_static("x-content-type-options"), "nosniff"),
];

fn main() -> io::Result<()> {
    let sessions = SessionManagerLayer::new(MemoryStore::default()).with_name("sid").with_secure(false);
    let router = Router::new().route("/", get(counter)).layer(sessions);
    serve::run(TowerToHyperService::new(router))
}

async fn counter(session: Session, RawQuery(query): RawQuery) -> Result<impl IntoResponse, StatusCode> {
    let known: Option<i64> = session.get("count").await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let op = Op::from_query(query.as_deref());
    let count = known.map_or(0, |count| op.map_or(count, |op| op.apply(count)));
    session.insert("count", count).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok((HEADERS, page::text(count)))
}
