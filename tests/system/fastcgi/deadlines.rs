//! How long a web server may take: each limit of time, alone.

use std::time::{Duration, Instant};

use continuity::prelude::*;

use super::client::{BEGIN, STDIN, Web, any_port};
use crate::running::Running;

const SHORT: Duration = Duration::from_millis(150);

async fn hello(mut req: Request) -> Result<()> {
    req.print(format!("{} bytes", req.body().len()));
    Ok(())
}

async fn start(change: impl FnOnce(&mut Limits)) -> Running {
    Running::start_on(any_port(), Server::new(hello).limits(change)).await
}

#[tokio::test]
async fn a_connection_that_is_not_used_is_closed() {
    let server = start(|limits| limits.first_byte = SHORT).await;
    let begun = Instant::now();
    assert!(Web::connect(&server.address).await.is_closed().await);
    assert!(begun.elapsed() >= SHORT);
    server.stop().await;
    let server = start(|limits| limits.keep_alive = SHORT).await;
    let mut web = Web::connect(&server.address).await;
    assert_eq!(web.get("/").await.status, 200);
    let answered = Instant::now();
    assert!(web.is_closed().await && answered.elapsed() >= SHORT);
    server.stop().await;
}

#[tokio::test]
async fn r53_parameters_that_do_not_end_are_answered_408_and_others_go_on() {
    let server = start(|limits| limits.head_time = SHORT).await;
    let mut web = Web::connect(&server.address).await;
    web.record(BEGIN, 1, b"\0\x01\x01\0\0\0\0\0").await;
    web.record(4, 1, b"\x0eHTTP").await;
    assert_eq!(web.reply(1).await.status, 408);
    assert_eq!(web.get("/").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn r53_a_body_that_does_not_end_is_answered_408_and_others_go_on() {
    let server = start(|limits| limits.body_time = SHORT).await;
    let mut web = Web::connect(&server.address).await;
    web.begin(2, "POST /", &[("CONTENT_LENGTH", "10")]).await;
    web.record(STDIN, 2, b"x").await;
    assert_eq!(web.get("/").await.status, 200);
    assert_eq!(web.reply(2).await.status, 408);
    assert_eq!(web.get("/").await.status, 200);
    server.stop().await;
}

/// More than the system's buffers hold.
const LARGE: usize = 12 << 20;

async fn large(mut req: Request) -> Result<()> {
    req.print("x".repeat(LARGE)).next().await?;
    req.print("still here");
    Ok(())
}

#[tokio::test]
async fn r33_who_reads_nothing_is_cut_and_the_session_goes_on() {
    let server = Server::new(large).limits(|limits| limits.write_time = SHORT);
    let server = Running::start_on(any_port(), server).await;
    let mut web = Web::connect(&server.address).await;
    web.begin(1, "GET /", &[]).await;
    web.record(STDIN, 1, b"").await;
    let head = web.out(1, "\r\n\r\n").await;
    let (_, cookie) = head.split_once("set-cookie: ").expect("a cookie");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    tokio::time::sleep(4 * SHORT).await;
    assert!(web.is_closed().await);
    let reply = Web::connect(&server.address).await.get_as(&cookie, "/").await;
    assert!(reply.text().contains("still here"), "{reply:?}");
    server.stop().await;
}
