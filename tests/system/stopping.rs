//! A server that stops: how long it waits, and for whom.

use std::time::{Duration, Instant};

use continuity::prelude::*;

use crate::running::Running;

const DRAIN: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_server_that_stops_waits_for_answers_no_longer_than_its_drain() {
    async fn takes_its_time(mut req: Request) -> Result<()> {
        let time = Duration::from_millis(req.param("time")?);
        tokio::time::sleep(time).await;
        req.print("Done");
        Ok(())
    }
    let change = |limits: &mut Limits| (limits.drain, limits.grace) = (DRAIN, DRAIN);
    let server = Running::start(Server::new(takes_its_time).limits(change)).await;
    let (mut soon, mut never) = (server.connect().await, server.connect().await);
    never.ask("GET /?time=600000", "").await;
    soon.ask("GET /?time=200", "").await;
    crate::until("both are at work", || server.sessions() == 2).await;
    let begun = Instant::now();
    server.stop().await;
    let took = begun.elapsed();
    assert!(took >= DRAIN && took < 10 * DRAIN, "{took:?}");
    assert!(soon.reply().await.text().contains("Done"), "who is ready in time is answered");
    assert!(!String::from_utf8_lossy(&never.rest().await).contains("Done"));
}
