//! What becomes of a connection: who is answered on it, in which order, and how it ends.

use std::time::Duration;

use continuity::prelude::*;

use crate::client::Client;
use crate::program::Program;
use crate::running::Running;

async fn sends_back(mut req: Request) -> Result<()> {
    let (path, body) = (req.path(), req.body());
    req.print(format!("[{path}] [{}]", String::from_utf8_lossy(&body)));
    Ok(())
}

async fn server() -> Running {
    Running::start(Server::new(sends_back)).await
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

const FAULTY: &str = "GET /faulty HTTP/1.1\r\nHost : a\r\n\r\n";

/// Those before it are answered, it is refused, those after it are not read.
#[tokio::test]
async fn r22_requests_before_a_faulty_one_are_answered_first() {
    let server = server().await;
    let chunked = "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let all = get("/1") + chunked + &get("/3") + FAULTY + &get("/5");
    for size in [all.len(), 7, 1] {
        let mut client = server.connect().await;
        for piece in all.as_bytes().chunks(size) {
            // Who is refused may find the door closed for the rest.
            drop(client.try_send(piece).await);
        }
        for answer in ["[/1] []", "[/2] [hi]", "[/3] []"] {
            let reply = client.reply().await;
            assert!(reply.status == 200 && reply.text().contains(answer), "{size}: {reply:?}");
        }
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.is_last()), (400, true), "{size}");
        assert_eq!(client.rest().await, b"", "{size}");
    }
}

/// An answer that takes its time is not cut short by what comes after its request.
#[tokio::test]
async fn r22_a_slow_answer_goes_before_a_refusal() {
    async fn slow(mut req: Request) -> Result<()> {
        req.print("first, ").flush().await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        req.print("then the rest");
        Ok(())
    }
    let server = Running::start(Server::new(slow)).await;
    let mut client = server.connect().await;
    client.send(get("/") + FAULTY).await;
    let reply = client.reply().await;
    assert!(reply.status == 200 && reply.text().contains("then the rest"), "{reply:?}");
    assert_eq!(client.reply().await.status, 400);
}

/// A body with a fault is its own request's; the answer before it stands.
#[tokio::test]
async fn r21_a_fault_in_a_body_is_answered_in_its_turn() {
    let server = server().await;
    let mut client = server.connect().await;
    let bad = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nx";
    client.send(get("/1") + bad).await;
    assert_eq!(client.reply().await.status, 200);
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.is_last()), (400, true));
    assert_eq!(client.rest().await, b"");
    assert_eq!(server.sessions(), 0);
}

#[tokio::test]
async fn r22_a_refusal_is_a_page_like_any_other() {
    let server = server().await;
    for (request, status) in [
        (FAULTY, 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", 417),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n", 501),
        ("GET / HTTP/3.0\r\n\r\n", 505),
    ] {
        let mut client = server.connect().await;
        client.send(request).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.is_last()), (status, true));
        assert!(reply.text().starts_with("<!DOCTYPE html>"), "{reply:?}");
        assert!(reply.field("date").is_some_and(|date| date.ends_with(" GMT")), "{reply:?}");
        assert_eq!(reply.field("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(reply.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.field("cache-control"), Some("no-store"));
        assert_eq!(client.rest().await, b"");
    }
    let mut client = server.connect().await;
    client.send("HEAD / HTTP/1.1\r\nHost: a b\r\n\r\n").await;
    let head = client.head().await;
    assert!(head.status == 400 && head.field("content-length").is_some(), "{head:?}");
    assert_eq!(client.rest().await, b"", "an answer to HEAD has no body");
}

/// Browsers send on before they read: what is closed on unread bytes is reset, and the answer with it.
#[tokio::test]
async fn r24_who_is_refused_early_reads_the_refusal() {
    let server = server().await;
    for start in
        [FAULTY, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"]
    {
        for _ in 0..10 {
            let mut client = server.connect().await;
            client.send(start).await;
            client.send(vec![b'x'; 2_000_000]).await;
            assert_eq!(client.reply().await.status, 400, "{start:?}");
            assert!(!client.is_reset().await, "{start:?}");
        }
    }
}

#[tokio::test]
async fn r24_nothing_is_read_after_connection_close() {
    let server = server().await;
    let mut client = server.connect().await;
    let last = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n";
    client.send(get("/first") + last + &get("/smuggled")).await;
    let rest = String::from_utf8_lossy(&client.rest().await).into_owned();
    assert!(rest.contains("[/first]") && rest.contains("[/last]") && !rest.contains("smuggled"), "{rest}");
}

/// Whoever has sent all and says so is answered, also when the answer takes its time.
#[tokio::test]
async fn a_client_that_has_sent_all_is_answered() {
    async fn slow(mut req: Request) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(300)).await;
        req.print("answered");
        Ok(())
    }
    let server = Running::start(Server::new(slow)).await;
    for requests in [1, 3] {
        let mut client = server.connect().await;
        client.send(get("/").repeat(requests)).await;
        client.end().await;
        let rest = String::from_utf8_lossy(&client.rest().await).into_owned();
        assert_eq!(rest.matches("answered").count(), requests, "{rest}");
    }
}

/// What is cut off in the middle is no request.
#[tokio::test]
async fn r24_a_body_that_is_cut_off_is_not_taken_for_whole() {
    let server = server().await;
    for body in ["Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"] {
        let mut client = server.connect().await;
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{body}")).await;
        client.end().await;
        let rest = client.rest().await;
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&rest));
    }
    assert_eq!(server.sessions(), 0);
}

#[tokio::test]
async fn r25_http_1_0_is_told_nothing_before_its_answer() {
    let server = server().await;
    let mut client = server.connect().await;
    client.send("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi").await;
    let reply = client.reply().await;
    assert!(reply.status == 200 && reply.text().contains("[hi]"), "{reply:?}");
}

/// Also one that is longer than what is read at once, and one that comes in small pieces.
#[tokio::test]
async fn r26_large_heads_and_bodies_arrive_whole() {
    let server = server().await;
    let query = "q".repeat(50_000);
    let request =
        format!("POST /?{query} HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n{}", "b".repeat(40_000));
    for size in [request.len() * 2, 1000] {
        let mut client = server.connect().await;
        for piece in request.repeat(2).as_bytes().chunks(size) {
            client.send(piece).await;
        }
        for _ in 0..2 {
            let reply = client.reply().await;
            assert_eq!(reply.status, 200);
            assert_eq!(
                reply.text().matches('b').count(),
                40_000 + reply.text().replace(&"b".repeat(40_000), "").matches('b').count()
            );
        }
    }
}

/// A connection that has rested is as good as a new one.
#[tokio::test]
async fn a_connection_that_rested_serves_on() {
    let server = server().await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        assert!(client.get("/x").await.text().contains("[/x]"));
        assert!(client.is_silent(Duration::from_millis(3200)).await);
    }
    client.send(get("/1") + FAULTY).await;
    assert_eq!(client.reply().await.status, 200);
    assert_eq!(client.reply().await.status, 400);
}

/// Uses so many connections once, leaves them unused, and returns them when they rest.
async fn crowd(address: &str, count: usize) -> Vec<Client> {
    let mut crowd = Vec::new();
    for _ in 0..count {
        let mut client = Client::connect(address).await;
        assert_eq!(client.get("/healthz").await.status, 200);
        crowd.push(client);
    }
    tokio::time::sleep(Duration::from_millis(3500)).await;
    crowd
}

/// Crowd after crowd: what was needed to serve the first serves the next ones, and only what each leaves adds up.
#[tokio::test]
async fn r27_a_connection_nobody_uses_costs_less_than_4_kib() {
    const CONNECTIONS: usize = 200;
    let program = Program::start("counter", "0");
    let address = program.address();
    let _first = crowd(&address, CONNECTIONS).await;
    let before = program.resident();
    let _second = crowd(&address, CONNECTIONS).await;
    let _third = crowd(&address, CONNECTIONS).await;
    let each = program.resident().saturating_sub(before) / (2 * CONNECTIONS);
    assert!(each < 4096, "{each} bytes each");
}

#[tokio::test]
async fn a_server_that_stops_lets_connections_go_that_rest() {
    let server = server().await;
    let mut clients = Vec::new();
    for served in [false, true, true] {
        let mut client = server.connect().await;
        if served {
            client.get("/").await;
        }
        clients.push(client);
    }
    // The second one has begun a request that will not be whole.
    clients[1].send("GET / HT").await;
    tokio::time::sleep(Duration::from_millis(3000)).await;
    let start = std::time::Instant::now();
    server.stop().await;
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    for client in &mut clients {
        assert_eq!(client.rest().await, b"");
    }
}
