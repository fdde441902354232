//! HTTP over sockets: order, limits, time, and the fields every answer has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use continuity::prelude::*;
use tokio::sync::Semaphore;

use crate::client::{Client, Reply};
use crate::running::Running;
use crate::until;

/// Time that is over soon.
const SOON: Duration = Duration::from_millis(200);
/// Time in which nothing may happen.
const QUIET: Duration = Duration::from_millis(300);

/// Says how often this visitor was here, and which path they asked for.
async fn visits(mut req: Request) -> Result<()> {
    for visit in 1.. {
        let path = req.path();
        req.print(format!("visit {visit} of {path}")).next().await?;
    }
    Ok(())
}

async fn sends_back(mut req: Request) -> Result<()> {
    let body = req.body();
    req.send("application/octet-stream", body)?;
    Ok(())
}

/// Holds a hit until it is let go.
struct Gate {
    came: AtomicUsize,
    go: Semaphore,
}

impl Gate {
    fn new() -> Gate {
        Gate { came: AtomicUsize::new(0), go: Semaphore::new(0) }
    }

    async fn pass(&self) {
        self.came.fetch_add(1, Ordering::SeqCst);
        self.go.acquire().await.expect("the gate stays").forget();
    }

    fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }
}

/// The second hit and all later ones wait at the gate.
async fn gated(mut req: Request) -> Result<()> {
    let gate = req.app::<Arc<Gate>>();
    req.print("welcome");
    for visit in 2.. {
        req.next().await?;
        gate.pass().await;
        req.print(format!("visit {visit}"));
    }
    Ok(())
}

async fn gated_server(change: impl FnOnce(&mut Limits)) -> (Running, Arc<Gate>) {
    let gate = Arc::new(Gate::new());
    (Running::start(Server::new(gated).app(gate.clone()).limits(change)).await, gate)
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = Running::start(Server::new(visits)).await;
    let mut client = server.connect().await;
    let first = client.get("/").await;
    assert!(first.text().contains("visit 1 of /"), "{first:?}");
    for visit in 2..=20 {
        let reply = client.get_as(first.cookie(), "/").await;
        assert!(reply.text().contains(&format!("visit {visit} of /<")), "{reply:?}");
        assert!(!reply.is_last());
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Running::start(Server::new(visits)).await;
    let mut client = server.connect().await;
    let cookie = client.get("/").await.cookie().to_owned();
    let requests: String = (2..=9)
        .map(|visit| format!("GET /{visit} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n"))
        .collect();
    client.send(requests).await;
    for visit in 2..=9 {
        let reply = client.reply().await;
        assert!(reply.text().contains(&format!("visit {visit} of /{visit}<")), "{reply:?}");
    }
}

#[tokio::test]
async fn pipelined_bodies_do_not_run_into_each_other() {
    let server = Running::start(Server::new(sends_back)).await;
    let mut client = server.connect().await;
    client
        .send(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfirst\
             POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsec\r\n3\r\nond\r\n0\r\n\r\n\
             GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        )
        .await;
    assert_eq!(client.reply().await.text(), "first");
    assert_eq!(client.reply().await.text(), "second");
    assert_eq!(client.reply().await.text(), "");
}

#[tokio::test]
async fn a_request_that_comes_byte_by_byte_is_one_request() {
    let server = Running::start(Server::new(sends_back)).await;
    let mut client = server.connect().await;
    for byte in b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nslow" {
        client.send([*byte]).await;
    }
    assert_eq!(client.reply().await.text(), "slow");
}

#[tokio::test]
async fn head_has_no_body_and_visits_nobody() {
    let server = Running::start(Server::new(visits)).await;
    let mut client = server.connect().await;
    let cookie = client.get("/").await.cookie().to_owned();
    client.ask("HEAD /", &format!("Cookie: {cookie}\r\n")).await;
    client.ask("GET /", &format!("Cookie: {cookie}\r\n")).await;
    let head = client.head().await;
    assert_eq!((head.status, head.field("content-type")), (200, Some("text/html; charset=utf-8")));
    let next = client.reply().await;
    assert!(next.text().contains("visit 2 of"), "{next:?}");
}

#[tokio::test]
async fn what_browsers_fetch_by_themselves_is_not_found() {
    let server = Running::start(Server::new(visits)).await;
    for path in ["/favicon.ico", "/robots.txt", "/.well-known/security.txt"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
    assert_eq!(server.sessions(), 0);
}

#[tokio::test]
async fn any_other_path_is_the_sessions() {
    let server = Running::start(Server::new(visits)).await;
    let reply = server.get("/no/such/path?with=query").await;
    assert_eq!(reply.status, 200);
    assert!(reply.text().contains("visit 1 of /no/such/path<"), "{reply:?}");
}

#[tokio::test]
async fn methods_no_session_takes_are_405_with_allow() {
    let server = Running::start(Server::new(visits)).await;
    for line in ["TRACE /", "CONNECT localhost:80"] {
        let mut client = server.connect().await;
        client.ask(line, "").await;
        let reply = client.reply().await;
        assert_eq!(reply.status, 405, "{line}");
        let allow = reply.field("allow").expect("405 says what is allowed");
        assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
        assert!(!allow.contains("TRACE") && !allow.contains("CONNECT"), "{allow}");
    }
    assert_eq!(server.sessions(), 0);
}

#[tokio::test]
async fn options_are_204_with_allow() {
    let server = Running::start(Server::new(visits)).await;
    let mut client = server.connect().await;
    client.ask("OPTIONS /", "").await;
    let reply = client.reply().await;
    assert_eq!(reply.status, 204);
    assert!(reply.field("allow").is_some_and(|allow| allow.contains("POST")), "{reply:?}");
    assert!(client.get("/").await.text().contains("visit 1"), "nothing came after the head");
}

#[tokio::test]
async fn the_health_endpoint_starts_no_session() {
    let server = Running::start(Server::new(visits).health("/alive")).await;
    let mut client = server.connect().await;
    let reply = client.get("/alive").await;
    assert_eq!((reply.status, reply.text()), (200, "ok\n"));
    assert_eq!(reply.field("set-cookie"), None);
    assert_eq!(server.sessions(), 0);
    assert!(client.get("/healthz").await.text().contains("visit 1 of /healthz"));
    assert_eq!(server.sessions(), 1);
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_413() {
    let server = Running::start(Server::new(sends_back).limits(|limits| limits.body = 1000)).await;
    let mut client = server.connect().await;
    client.ask("POST /", "Content-Length: 1001\r\n").await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.is_last()), (413, true));
    assert_eq!(client.rest().await, b"");
    let mut client = server.connect().await;
    client.ask("POST /", "Content-Length: 1000\r\n").await;
    client.send([b'x'; 1000]).await;
    assert_eq!(client.reply().await.body.len(), 1000);
}

#[tokio::test]
async fn a_chunked_body_that_grows_too_large_is_413() {
    let server = Running::start(Server::new(sends_back).limits(|limits| limits.body = 1000)).await;
    let mut client = server.connect().await;
    client.ask("POST /", "Transfer-Encoding: chunked\r\n").await;
    for _ in 0..2 {
        client.send(format!("1f4\r\n{}\r\n", "x".repeat(500))).await;
    }
    assert!(client.is_silent(QUIET).await, "1000 bytes are not too large");
    client.send("1\r\nx\r\n").await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.is_last()), (413, true));
    assert_eq!(server.sessions(), 0);
}

/// Browsers send all of a form before they read: what closes on unread bytes resets the answer away.
#[tokio::test]
async fn r24_a_client_that_sends_all_of_a_large_body_first_reads_the_413() {
    let server = Running::start(Server::new(sends_back).limits(|limits| limits.body = 1000)).await;
    let mut lost = 0;
    for _ in 0..20 {
        let mut client = server.connect().await;
        client.ask("POST /", "Content-Length: 4000000\r\n").await;
        // It may stop reading, but not before the answer is there to be read.
        drop(client.try_send(vec![b'x'; 4_000_000]).await);
        lost += usize::from(!client.rest().await.starts_with(b"HTTP/1.1 413 "));
    }
    assert_eq!(lost, 0, "of 20 answers");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431() {
    let server = Running::start(Server::new(visits).limits(|limits| limits.head = 2000)).await;
    // The first is above our limit, the second is above what is read at all.
    for bytes in [2100, 60_000] {
        let mut client = server.connect().await;
        client.ask("GET /", &format!("X: {}\r\n", "x".repeat(bytes))).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.is_last()), (431, true), "{bytes} bytes");
    }
    let mut client = server.connect().await;
    client.ask("GET /", &format!("X: {}\r\n", "x".repeat(1900))).await;
    assert_eq!(client.reply().await.status, 200);
}

#[tokio::test]
async fn r26_too_many_fields_are_431_duplicates_counted() {
    let few = Running::start(Server::new(visits).limits(|limits| limits.headers = 10)).await;
    let usual = Running::start(Server::new(visits)).await;
    let many = Running::start(Server::new(visits).limits(|limits| limits.headers = 200)).await;
    for (server, most) in [(few, 10), (usual, 100), (many, 200)] {
        // One of them is Host.
        for (fields, status) in [(most - 1, 200), (most, 431), (3 * most, 431)] {
            let mut client = server.connect().await;
            client.ask("GET /", &"X: y\r\n".repeat(fields)).await;
            let reply = client.reply().await;
            assert_eq!((reply.status, reply.is_last()), (status, status == 431), "{fields} of {most}");
        }
    }
}

#[tokio::test]
async fn r26_a_request_line_of_8000_bytes_is_read() {
    let server = Running::start(Server::new(visits)).await;
    let reply = server.get(&format!("/?q={}", "x".repeat(8000))).await;
    assert_eq!(reply.status, 200);
    let reply = server.get(&format!("/?q={}", "x".repeat(70_000))).await;
    assert!(matches!(reply.status, 414 | 431), "{}", reply.status);
}

/// The time for a head is no time for an answer.
#[tokio::test]
async fn a_session_may_take_longer_than_a_head() {
    let (server, gate) = gated_server(|limits| limits.head_time = SOON).await;
    let cookie = server.get("/").await.cookie().to_owned();
    let mut client = server.connect().await;
    client.ask("GET /", &format!("Cookie: {cookie}\r\n")).await;
    assert!(client.is_silent(2 * SOON).await);
    gate.go.add_permits(1);
    assert!(client.reply().await.text().contains("visit 2"));
}

#[tokio::test]
async fn connections_above_their_cap_wait_until_one_closes() {
    let server = Running::start(Server::new(visits).limits(|limits| limits.connections = 2)).await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    let cookie = first.get("/").await.cookie().to_owned();
    second.get("/").await;
    let mut third = server.connect().await;
    third.ask("GET /third", "").await;
    assert!(third.is_silent(QUIET).await);
    assert!(first.get_as(&cookie, "/").await.text().contains("visit 2"));
    drop(second);
    assert!(third.reply().await.text().contains("visit 1 of /third"));
}

#[tokio::test]
async fn v1_hits_above_the_queue_are_503_with_retry_after() {
    let (server, gate) = gated_server(|limits| limits.queue = 2).await;
    let cookie = server.get("/").await.cookie().to_owned();
    let mut busy = server.connect().await;
    busy.ask("GET /", &format!("Cookie: {cookie}\r\n")).await;
    until("the session is busy", || gate.came() == 1).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = server.connect().await;
        client.ask("GET /", &format!("Cookie: {cookie}\r\n")).await;
        clients.push(client);
    }
    // Two wait; those that found the queue full are answered now.
    let mut refused = 0;
    let mut waiting = Vec::new();
    for mut client in clients {
        if client.is_silent(QUIET).await {
            waiting.push(client);
        } else {
            let reply = client.reply().await;
            assert_eq!(reply.status, 503);
            let after = reply.field("retry-after").expect("503 says when to come again");
            assert!(after.parse::<u32>().is_ok_and(|seconds| seconds > 0), "{after}");
            refused += 1;
        }
    }
    assert_eq!((waiting.len(), refused), (2, 3));
    gate.go.add_permits(3);
    assert!(busy.reply().await.text().contains("visit 2"));
    assert!(waiting[0].reply().await.text().contains("visit 3"));
    assert!(waiting[1].reply().await.text().contains("visit 4"));
}

#[tokio::test]
async fn v3_a_client_that_goes_away_in_a_hit_does_not_end_the_session() {
    let (server, gate) = gated_server(|_| {}).await;
    let cookie = server.get("/").await.cookie().to_owned();
    let mut client = server.connect().await;
    client.ask("GET /", &format!("Cookie: {cookie}\r\n")).await;
    until("the session is in the hit", || gate.came() == 1).await;
    drop(client);
    gate.go.add_permits(2);
    let reply = server.connect().await.get_as(&cookie, "/").await;
    assert!(reply.text().contains("visit 3"), "{reply:?}");
    assert_eq!(server.sessions(), 1);
}

/// A body that never comes is no hit.
#[tokio::test]
async fn a_client_that_goes_away_in_a_body_starts_nothing() {
    let server = Running::start(Server::new(visits).limits(|limits| limits.connections = 1)).await;
    let mut client = server.connect().await;
    client.ask("POST /", "Content-Length: 10\r\n").await;
    client.send("half").await;
    drop(client);
    // The only connection there is room for: served when the first one is over.
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.sessions(), 0);
}

#[tokio::test]
async fn r25_who_expects_to_be_told_to_go_on_is_told() {
    let server = Running::start(Server::new(sends_back).limits(|limits| limits.body = 1000)).await;
    let mut client = server.connect().await;
    client.ask("POST /", "Content-Length: 5\r\nExpect: 100-continue\r\n").await;
    assert_eq!(client.reply().await.status, 100);
    client.send("go on").await;
    assert_eq!(client.reply().await.text(), "go on");
    client.ask("POST /", "Content-Length: 1001\r\nExpect: 100-continue\r\n").await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.is_last()), (413, true), "not told to send what is not read");
}

/// Pages of all kinds, by path.
async fn all_kinds(mut req: Request) -> Result<()> {
    match &*req.path() {
        "/page" => drop(req.print("page")),
        "/empty" => {}
        "/bytes" => drop(req.send("image/png", vec![1, 2, 3])?),
        "/nothing" => drop(req.set_status(204)?),
        "/redirect" => drop(req.redirect("/page")?),
        "/bad" => drop(req.param::<i64>("number")?),
        "/panic" => panic!("as asked for"),
        _ => req.print("stream").flush().await?,
    }
    Ok(())
}

async fn fetch_all_kinds() -> Vec<(&'static str, Reply)> {
    let server = Running::start(Server::new(all_kinds)).await;
    let mut replies = Vec::new();
    let paths =
        ["/page", "/empty", "/bytes", "/nothing", "/redirect", "/bad", "/panic", "/stream", "/healthz"];
    for path in paths {
        replies.push((path, server.get(path).await));
    }
    replies
}

#[tokio::test]
async fn r29_every_answer_has_a_date_no_banner_and_nosniff() {
    for (path, reply) in fetch_all_kinds().await {
        assert!(reply.field("date").is_some_and(|date| date.ends_with(" GMT")), "{path}: {reply:?}");
        for banner in ["server", "x-powered-by", "via"] {
            assert_eq!(reply.field(banner), None, "{path}");
        }
        assert_eq!(reply.field("x-content-type-options"), Some("nosniff"), "{path}");
        let version = env!("CARGO_PKG_VERSION");
        assert!(!reply.text().to_lowercase().contains(&format!("continuity/{version}")), "{path}");
    }
}

#[tokio::test]
async fn r29_texts_have_a_charset() {
    for (path, reply) in fetch_all_kinds().await {
        let kind = reply.field("content-type");
        let wanted = match path {
            "/bytes" => Some("image/png"),
            "/healthz" => Some("text/plain; charset=utf-8"),
            "/nothing" => continue,
            _ => Some("text/html; charset=utf-8"),
        };
        assert_eq!(kind, wanted, "{path}");
    }
}

#[tokio::test]
async fn r29_lengths_are_right_and_not_there_where_they_may_not_be() {
    for (path, reply) in fetch_all_kinds().await {
        let statuses = match path {
            "/nothing" => 204,
            "/redirect" => 303,
            "/bad" => 400,
            "/panic" => 500,
            _ => 200,
        };
        assert_eq!(reply.status, statuses, "{path}");
        match reply.status {
            204 => assert_eq!((reply.field("content-length"), reply.is_chunked()), (None, false)),
            _ if path == "/stream" => assert!(reply.is_chunked()),
            _ => {
                let length = reply.body.len().to_string();
                assert_eq!(reply.field("content-length"), Some(&*length), "{path}");
            }
        }
    }
}

/// After 204 and 304 the next answer begins at once: there is no body, whatever was printed.
#[tokio::test]
async fn r29_no_body_follows_where_there_is_none() {
    async fn prints_all_the_same(mut req: Request) -> Result<()> {
        let status: Option<u16> = req.param("status")?;
        req.set_status(status.unwrap_or(200))?.print("printed all the same");
        Ok(())
    }
    let server = Running::start(Server::new(prints_all_the_same)).await;
    for status in [204, 304] {
        let mut client = server.connect().await;
        client.ask(&format!("GET /?status={status}"), "").await;
        client.ask("GET /", "").await;
        assert_eq!(client.reply().await.status, status);
        assert!(client.reply().await.text().contains("printed all the same"), "after {status}");
    }
}

#[tokio::test]
async fn r29_what_cannot_stand_in_a_head_is_an_error_at_the_api() {
    async fn tries(mut req: Request) -> Result<()> {
        let mut refused = Vec::new();
        for (name, value) in [("x", "a\r\nevil: yes"), ("x", "a\0"), ("x y", "a"), ("x:", "a"), ("", "a")] {
            refused.push(req.set_header(name, value).is_err());
        }
        for to in ["/a\r\nevil: yes", "//evil.test/", "https://evil.test/", "/\\evil.test", "javascript:x"] {
            refused.push(req.redirect(to).is_err());
        }
        req.print(format!("{refused:?}"));
        Ok(())
    }
    let server = Running::start(Server::new(tries)).await;
    let reply = server.get("/").await;
    assert_eq!((reply.field("evil"), reply.status), (None, 200));
    assert!(reply.text().contains("true") && !reply.text().contains("false"), "{}", reply.text());
}

#[tokio::test]
async fn a_server_that_stops_answers_what_is_in_flight_and_closes_the_rest() {
    let (server, gate) = gated_server(|_| {}).await;
    let mut idle = server.connect().await;
    let cookie = idle.get("/").await.cookie().to_owned();
    let mut busy = server.connect().await;
    busy.ask("GET /", &format!("Cookie: {cookie}\r\n")).await;
    until("the session is in the hit", || gate.came() == 1).await;
    let address = server.address.clone();
    let stopping = tokio::spawn(server.stop());
    assert_eq!(idle.rest().await, b"", "an idle connection is closed at once");
    assert!(tokio::net::TcpStream::connect(&address).await.is_err(), "nobody listens any more");
    gate.go.add_permits(1);
    let reply = busy.reply().await;
    assert!(reply.text().contains("visit 2") && reply.is_last(), "{reply:?}");
    stopping.await.expect("the server stopped");
}

/// Of two servers on one port the second one says so.
#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_the_address() {
    let server = Running::start(Server::new(visits)).await;
    let second = Server::new(visits).listen(Http::on(server.address.clone())).bind().await;
    let error = second.expect_err("the port is in use").to_string();
    assert!(error.contains(&server.address), "{error}");
    let nowhere = Server::new(visits).listen(Http::on("localhost")).bind().await;
    let error = nowhere.expect_err("that is no address").to_string();
    assert!(error.contains("\"localhost\"") && error.contains("0.0.0.0:8080"), "{error}");
}

#[tokio::test]
async fn a_port_is_one_of_loopback() {
    let bound = Server::new(visits).listen(Http::on(0)).bind().await.expect("it listens");
    assert!(bound.addresses()[0].starts_with("127.0.0.1:"), "{:?}", bound.addresses());
}

/// Waits in the kernel's queue while nobody accepts yet.
#[tokio::test]
async fn a_bound_server_keeps_clients_until_it_runs() {
    let bound = Server::new(visits).listen(Http::on(0)).bind().await.expect("it listens");
    let mut client = Client::connect(&bound.addresses()[0]).await;
    client.ask("GET /", "").await;
    tokio::spawn(bound.run_until(std::future::pending()));
    assert!(client.reply().await.text().contains("visit 1"));
}
