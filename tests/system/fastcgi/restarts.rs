//! Web servers that are killed and come back while visitors are at it: nobody's session is lost, nothing counts twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use continuity::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::any_port;
use super::fronts::{Front, Kind};
use crate::running::Running;

const VISITORS: usize = 12;
const KILLS: usize = 3;

async fn counts(mut req: Request) -> Result<()> {
    for visit in 1.. {
        req.print(format!("[{visit}]")).next().await?;
    }
    Ok(())
}

/// A visit on a connection of its own: its number, if it was answered.
async fn visit(address: &str, cookie: &str) -> Option<u32> {
    let request =
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n");
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let text = answer.strip_prefix("HTTP/1.1 200").map(|_| &answer)?;
    text.split_once('[')?.1.split_once(']')?.0.parse().ok()
}

/// Visits until it is told to stop: how many visits were begun, and the number of the last that was answered.
async fn visits(address: String, cookie: String, stop: Arc<AtomicBool>) -> (u32, u32) {
    let (mut begun, mut last) = (1, 1);
    while !stop.load(Ordering::Relaxed) {
        begun += 1;
        if let Some(number) = visit(&address, &cookie).await {
            assert!(number > last && number <= begun, "{number} after {last}, {begun} begun");
            last = number;
        } else {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    (begun, last)
}

async fn no_session_is_lost(kind: Kind) {
    let program = Running::start_on(any_port(), Server::new(counts)).await;
    let mut front = Front::before(kind, &program.address);
    let (mut visitors, stop) = (Vec::new(), Arc::new(AtomicBool::new(false)));
    for _ in 0..VISITORS {
        let cookie = front.connect().await.get("/").await.cookie().to_owned();
        visitors.push((cookie.clone(), tokio::spawn(visits(front.address.clone(), cookie, stop.clone()))));
    }
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(150)).await;
        tokio::task::block_in_place(|| front.kill_and_restart());
    }
    tokio::time::sleep(Duration::from_millis(150)).await;
    stop.store(true, Ordering::Relaxed);
    for (cookie, visitor) in visitors {
        let (begun, last) = visitor.await.expect("a visitor sees the right numbers");
        assert!(last > 3, "{kind:?} let {last} visits of {begun} through");
        let next = visit(&front.address, &cookie).await.expect("the web server is back");
        assert!(next > last && next <= begun + 1, "{next} after {last}, {begun} begun");
    }
    assert_eq!(program.sessions(), VISITORS, "nobody began anew");
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_nginx_under_load_loses_no_session() {
    no_session_is_lost(Kind::Nginx).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_apache_under_load_loses_no_session() {
    no_session_is_lost(Kind::Apache).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_lighttpd_under_load_loses_no_session() {
    no_session_is_lost(Kind::Lighttpd).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_haproxy_under_load_loses_no_session() {
    no_session_is_lost(Kind::Haproxy).await;
}
