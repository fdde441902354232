//! A crowd comes and goes, and leaves nothing.

use std::time::{Duration, Instant};

use continuity::prelude::*;

use crate::client::Client;
use crate::running::Running;

const VISITORS: usize = 20_000;
const CONNECTIONS: usize = 8;
/// Requests that are on their way at once on one connection.
const BATCH: usize = 50;

async fn waits(mut req: Request) -> Result<()> {
    req.print("hello").next().await?;
    req.print("again").next().await?;
    Ok(())
}

async fn visitors(mut client: Client, count: usize) {
    for _ in 0..count / BATCH {
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(BATCH)).await;
        for _ in 0..BATCH {
            assert_eq!(client.reply().await.status, 200);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r68_sessions_that_nobody_comes_back_to_leave_nothing() {
    let server = Running::start(Server::new(waits).limits(|limits| {
        (limits.newborn, limits.idle) = (Duration::from_secs(15), Duration::from_secs(1));
        (limits.grace, limits.linger) = (Duration::from_secs(1), Duration::from_secs(1));
    }))
    .await;
    let mut second = server.connect().await;
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        crowd.spawn(visitors(server.connect().await, VISITORS / CONNECTIONS));
    }
    while let Some(done) = crowd.join_next().await {
        done.expect("all visitors were answered");
    }
    assert_eq!(server.sessions(), VISITORS, "one a visitor");
    let cookie = second.get("/").await.cookie().to_owned();
    assert!(second.get_as(&cookie, "/").await.text().contains("again"));

    // The one that had a second hit is idle before the others are no newborns any more.
    let start = Instant::now();
    while server.sessions() > 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "{} sessions are left", server.sessions());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let late = second.get_as(&cookie, "/").await;
    assert!(late.text().contains("hello"), "what is over begins anew: {late:?}");
    assert_eq!(server.sessions(), 1);
    server.stop().await;
}
