//! How long clients may take: each wait has its end, and nothing else has.

use std::time::Duration;

use continuity::prelude::*;

use crate::running::Running;

/// Time that is over soon.
const SOON: Duration = Duration::from_millis(200);

async fn visits(mut req: Request) -> Result<()> {
    for visit in 1.. {
        req.print(format!("visit {visit}")).next().await?;
    }
    Ok(())
}

async fn sends_back(mut req: Request) -> Result<()> {
    let body = req.body();
    req.send("application/octet-stream", body)?;
    Ok(())
}

#[tokio::test]
async fn a_body_that_takes_too_long_is_408() {
    let server = Running::start(Server::new(visits).limits(|limits| limits.body_time = SOON)).await;
    let mut client = server.connect().await;
    client.ask("POST /", "Content-Length: 10\r\n").await;
    client.send("half").await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.is_last()), (408, true));
    assert_eq!(server.sessions(), 0);
}

#[tokio::test]
async fn r27_a_body_that_drips_is_408_too() {
    let server = Running::start(Server::new(visits).limits(|limits| limits.body_time = SOON)).await;
    let mut client = server.connect().await;
    client.ask("POST /", "Content-Length: 1000\r\n").await;
    while client.is_silent(SOON / 10).await {
        client.send("x").await;
    }
    assert_eq!(client.reply().await.status, 408);
}

#[tokio::test]
async fn r27_a_head_that_takes_too_long_ends_the_connection() {
    let server = Running::start(Server::new(visits).limits(|limits| limits.head_time = SOON)).await;
    for start in ["G", "\r\nGET / HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\nX: "] {
        let mut client = server.connect().await;
        client.send(start).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.is_last()), (408, true), "{start:?}");
        assert_eq!(client.rest().await, b"");
    }
    let mut second = server.connect().await;
    second.get("/").await;
    second.send("GET / HTT").await;
    assert_eq!(second.reply().await.status, 408);
    assert_eq!(server.sessions(), 1);
}

/// A head that drips has no more time than one that stops.
#[tokio::test]
async fn r27_a_head_that_drips_is_408_too() {
    let server = Running::start(Server::new(visits).limits(|limits| limits.head_time = SOON)).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\nX: ").await;
    while client.is_silent(SOON / 10).await {
        client.send("x").await;
    }
    assert_eq!(client.reply().await.status, 408);
}

#[tokio::test]
async fn r27_a_connection_that_says_nothing_is_closed() {
    let server = Running::start(Server::new(visits).limits(|limits| limits.first_byte = SOON)).await;
    assert_eq!(server.connect().await.rest().await, b"");
    let mut client = server.connect().await;
    // An empty line is no request.
    client.send("\r\n").await;
    assert_eq!(client.rest().await, b"");
}

/// Ten bytes a second are too few, however long the body may take in all.
#[tokio::test]
async fn r27_a_body_below_the_rate_is_408() {
    let change = |limits: &mut Limits| (limits.head_time, limits.rate) = (SOON, 1000);
    let server = Running::start(Server::new(sends_back).limits(change)).await;
    for fields in ["Content-Length: 1000\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut client = server.connect().await;
        client.ask("POST /", fields).await;
        client.send("3e8\r\n").await;
        while client.is_silent(SOON / 2).await {
            client.send("x").await;
        }
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.is_last()), (408, true), "{fields}");
    }
    // Who is fast enough may take longer.
    let mut client = server.connect().await;
    client.ask("POST /", "Content-Length: 4000\r\n").await;
    for _ in 0..8 {
        assert!(client.is_silent(SOON / 2).await);
        client.send([b'x'; 500]).await;
    }
    assert_eq!(client.reply().await.body.len(), 4000);
}

/// Whoever asks and does not read holds a place for a bounded time.
#[tokio::test]
async fn r27_a_client_that_does_not_read_is_cut_off() {
    async fn large(mut req: Request) -> Result<()> {
        req.send("application/octet-stream", vec![b'x'; 15_000_000])?;
        Ok(())
    }
    let change = |limits: &mut Limits| (limits.write_time, limits.connections) = (SOON, 1);
    let server = Running::start(Server::new(large).limits(change)).await;
    let mut client = server.connect().await;
    client.ask("GET /", "").await;
    assert_eq!(client.head().await.status, 200);
    // The only place is free again, though the client is still there.
    let mut next = server.connect().await;
    next.ask("GET /healthz", "").await;
    assert_eq!(next.reply().await.status, 200);
    assert!(client.rest().await.len() < 15_000_000);
}

#[tokio::test]
async fn r27_a_connection_nobody_uses_is_closed() {
    let server = Running::start(Server::new(visits).limits(|limits| limits.keep_alive = SOON)).await;
    let mut client = server.connect().await;
    let cookie = client.get("/").await.cookie().to_owned();
    assert_eq!(client.rest().await, b"");
    let again = server.connect().await.get_as(&cookie, "/").await;
    assert!(again.text().contains("visit 2"), "only the connection ended");
}
