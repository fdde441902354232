//! Pages that are sent while they are made: piece by piece, and not faster than they are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use continuity::prelude::*;
use tokio::sync::Semaphore;

use crate::running::Running;
use crate::{standstill, until};

/// Prints a line and sends it, each time it is let go.
async fn lines(mut req: Request) -> Result<()> {
    let go = req.app::<Arc<Semaphore>>();
    for line in 1..=3 {
        req.print(format!("line {line}.")).flush().await?;
        go.acquire().await?.forget();
    }
    req.print("the end.");
    Ok(())
}

#[tokio::test]
async fn v9_each_flush_arrives_before_the_session_goes_on() {
    let go = Arc::new(Semaphore::new(0));
    let server = Running::start(Server::new(lines).app(go.clone())).await;
    let mut client = server.connect().await;
    client.ask("GET /", "").await;
    assert!(client.head().await.is_chunked());
    for line in 1..=3 {
        let chunk = client.chunk().await.expect("a line");
        let text = String::from_utf8_lossy(&chunk);
        assert!(text.ends_with(&format!("line {line}.")), "{text}");
        assert_eq!(text.starts_with("<!DOCTYPE html>"), line == 1, "{text}");
        go.add_permits(1);
    }
    let tail = client.chunk().await.expect("the end");
    assert_eq!(String::from_utf8_lossy(&tail), "the end.</body></html>");
    assert_eq!(client.chunk().await, None);
}

/// Bytes of one piece.
const PIECE: usize = 64 * 1024;
/// Pieces of the whole.
const PIECES: usize = 1_000;
/// More than what two kernel buffers hold of a connection, and less than the whole.
const MOST: usize = 32 * 1024 * 1024;

/// Pieces that were flushed.
struct Progress(AtomicUsize);

async fn pours(mut req: Request) -> Result<()> {
    let progress = req.app::<Arc<Progress>>();
    let piece = "x".repeat(PIECE);
    for _ in 0..PIECES {
        req.print(&*piece).flush().await?;
        progress.0.fetch_add(1, Ordering::SeqCst);
    }
    req.next().await?;
    req.print("still here");
    Ok(())
}

#[tokio::test]
async fn r33_a_session_waits_for_a_client_that_does_not_read() {
    let progress = Arc::new(Progress(AtomicUsize::new(0)));
    let sent = || progress.0.load(Ordering::SeqCst);
    let server = Running::start(Server::new(pours).app(progress.clone())).await;
    let mut client = server.connect().await;
    client.ask("GET /", "").await;
    let cookie = client.head().await.cookie().to_owned();
    let stalled = standstill("the session", Duration::from_millis(500), sent).await;
    assert!(stalled * PIECE < MOST, "{stalled} pieces were made for nobody");
    for _ in 0..MOST / PIECE / 2 {
        client.chunk().await.expect("there is more");
    }
    until("it goes on when it is read", || sent() > stalled).await;
    let stalled = standstill("the session", Duration::from_millis(500), sent).await;
    assert!(stalled < PIECES, "{stalled} pieces were made for nobody");

    // A client that goes away is not waited for, and is no error.
    drop(client);
    until("the session has made the whole", || sent() == PIECES).await;
    let reply = server.connect().await.get_as(&cookie, "/").await;
    assert!(reply.text().contains("still here"), "{reply:?}");
}

#[tokio::test]
async fn a_client_that_reads_gets_the_whole() {
    let progress = Arc::new(Progress(AtomicUsize::new(0)));
    let server = Running::start(Server::new(pours).app(progress.clone())).await;
    let reply = server.get("/").await;
    let poured = reply.body.iter().filter(|byte| **byte == b'x').count();
    // The document around it has no x but that of the viewport's "text/html" and its like.
    assert!((PIECE * PIECES..PIECE * PIECES + 10).contains(&poured), "{poured}");
    assert!(reply.body.ends_with(b"</html>"));
}
