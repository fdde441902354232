//! Over sockets, without a web server: who may connect, many requests on one connection, the pace of both sides.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use continuity::FastCgi;
use continuity::prelude::*;
use tokio::sync::Semaphore;

use super::client::{ABORT, BEGIN, PARAMS, STDIN, Web, any_port, params, record};
use crate::folder::Folder;
use crate::running::Running;
use crate::standstill;

#[path = "../../../examples/guess_fastcgi.rs"]
#[allow(dead_code, clippy::duplicate_mod, reason = "an example has a `main` and a `port` of its own")]
mod guess_fastcgi;

async fn visits(mut req: Request) -> Result<()> {
    for visit in 1.. {
        let peer = req.peer().map(|peer| peer.to_string()).unwrap_or_default();
        req.print(format!("visit {visit} from {peer} https={}", req.is_https())).next().await?;
    }
    Ok(())
}

#[tokio::test]
async fn r53_a_unix_socket_is_for_its_owner_and_goes_with_the_server() {
    let folder = Folder::new("fastcgi");
    let path = folder.0.join("app.sock");
    let site = || FastCgi::on(format!("unix:{}", path.display()));
    for (door, mode) in [(site(), 0o600), (site().socket_mode(0o660), 0o660)] {
        let server = Running::start_on(door, Server::new(visits)).await;
        let made = std::fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!((made & 0o777, server.address.as_str()), (mode, &*format!("unix:{}", path.display())));
        let mut web = Web::connect(&server.address).await;
        let client = [("REMOTE_ADDR", "192.0.2.7"), ("REMOTE_PORT", "4711"), ("HTTPS", "on")];
        let reply = web.ask("GET /", &client, b"").await;
        assert!(reply.text().contains("visit 1 from 192.0.2.7:4711 https=true"), "{reply:?}");
        assert!(reply.cookie().starts_with("__Host-"), "{reply:?}");
        server.stop().await;
        assert!(!path.exists());
    }
}

#[tokio::test]
async fn r53_only_web_servers_that_are_named_may_connect() {
    let door = any_port().web_servers(["127.0.0.3", "10.0.0.0/8"]);
    let server = Running::start_on(door, Server::new(visits)).await;
    assert!(Web::connect(&server.address).await.is_closed().await);
    let mut named = Web::connect_from("127.0.0.3", &server.address).await;
    assert!(named.get("/").await.text().contains("visit 1 from  https=false"));
    server.stop().await;
}

#[tokio::test]
async fn r53_the_environment_names_web_servers() {
    const VARIABLE: &str = "FCGI_WEB_SERVER_ADDRS";
    if std::env::var_os(VARIABLE).is_none() {
        // This very test, in a process with another environment.
        let this = std::env::current_exe().expect("a test knows where it is");
        let name = "fastcgi::direct::r53_the_environment_names_web_servers";
        let ran = Command::new(this).args([name, "--exact"]).env(VARIABLE, "127.0.0.9, 127.0.0.3").output();
        let ran = ran.expect("it can be started");
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let server = Running::start_on(any_port(), Server::new(visits)).await;
    assert!(Web::connect(&server.address).await.is_closed().await);
    assert!(Web::connect_from("127.0.0.3", &server.address).await.get("/").await.text().contains("visit 1"));
    server.stop().await;
}

#[tokio::test]
async fn a_list_of_web_servers_that_is_none_is_an_error_at_the_start() {
    let server = Server::new(visits).listen(any_port().web_servers(["localhost"]));
    let error = server.bind().await.expect_err("no address").to_string();
    assert!(error.contains("web_servers: \"localhost\" is no address and no network"), "{error}");
}

#[tokio::test]
async fn r53_who_speaks_something_else_is_shown_out_and_the_others_go_on() {
    let server = Running::start_on(any_port(), Server::new(visits)).await;
    let mut web = Web::connect(&server.address).await;
    let cookie = web.get("/").await.cookie().to_owned();
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        &[record(BEGIN, 1, b"\0\x01\0\0\0\0\0\0"), record(BEGIN, 1, b"\0\x01\0\0\0\0\0\0")].concat(),
    ] {
        let mut wrong = Web::connect(&server.address).await;
        wrong.send(bytes).await;
        assert!(wrong.is_closed().await);
    }
    assert!(web.get_as(&cookie, "/").await.text().contains("visit 2"));
    server.stop().await;
}

/// Says what was sent to it, when it is let go.
async fn echo(mut req: Request) -> Result<()> {
    let go = req.app::<Arc<Semaphore>>();
    go.acquire().await?.forget();
    req.print(format!("{} [{}]", req.path(), String::from_utf8_lossy(&req.body())));
    Ok(())
}

#[tokio::test]
async fn r53_many_requests_of_one_connection_do_not_mix() {
    let go = Arc::new(Semaphore::new(0));
    let server = Running::start_on(any_port(), Server::new(echo).app(go.clone())).await;
    let mut web = Web::connect(&server.address).await;
    let ids: Vec<u16> = (0..100).map(|number| number * 600 + 7).collect();
    let mut wanting: Vec<(u16, Vec<Vec<u8>>)> = ids.iter().map(|id| (*id, records_of(*id))).collect();
    // Record by record, of a request picked by a rule that goes through all orders.
    let (mut state, mut bytes) = (12_345u32, Vec::new());
    while !wanting.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let at = (state >> 8) as usize % wanting.len();
        bytes.extend(wanting[at].1.remove(0));
        if wanting[at].1.is_empty() {
            wanting.remove(at);
        }
    }
    for piece in bytes.chunks(777) {
        web.send(piece).await;
    }
    go.add_permits(ids.len());
    for id in ids {
        let reply = web.reply(id).await;
        assert!(reply.text().contains(&format!("/{id} [body of {id}]")), "{reply:?}");
    }
    server.stop().await;
}

fn records_of(id: u16) -> Vec<Vec<u8>> {
    let params = params(&format!("POST /{id}"), &[]);
    let (first, second) = params.split_at(params.len() / 2);
    let body = format!("body of {id}");
    let mut records = vec![record(BEGIN, id, b"\0\x01\x01\0\0\0\0\0")];
    records.extend([first, second, b""].iter().map(|piece| record(PARAMS, id, piece)));
    records.extend(body.as_bytes().chunks(5).chain([&b""[..]]).map(|piece| record(STDIN, id, piece)));
    records
}

#[tokio::test]
async fn r54_of_two_requests_one_is_given_up_and_the_other_is_answered() {
    let go = Arc::new(Semaphore::new(0));
    let server = Running::start_on(any_port(), Server::new(echo).app(go.clone())).await;
    let mut web = Web::connect(&server.address).await;
    for id in [1, 2] {
        web.begin(id, &format!("POST /{id}"), &[]).await;
        web.record(STDIN, id, b"x").await;
    }
    web.record(ABORT, 1, b"").await;
    assert_eq!(web.outcome(1).await, (Vec::new(), vec![0; 8]));
    web.record(STDIN, 2, b"y").await;
    web.record(STDIN, 2, b"").await;
    go.add_permits(2);
    assert!(web.reply(2).await.text().contains("/2 [xy]"));
    assert_eq!(web.get("/again").await.status, 200, "the number is free again");
    server.stop().await;
}

/// Pieces that were flushed.
struct Progress(AtomicUsize);

const PIECE: usize = 64 * 1024;
const PIECES: usize = 600;

async fn pours(mut req: Request) -> Result<()> {
    let piece = "x".repeat(PIECE);
    for _ in 0..PIECES {
        req.print(&*piece).flush().await?;
        req.app::<Arc<Progress>>().0.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

#[tokio::test]
async fn r42_a_web_server_that_does_not_read_is_waited_for() {
    let progress = Arc::new(Progress(AtomicUsize::new(0)));
    let server = Running::start_on(any_port(), Server::new(pours).app(progress.clone())).await;
    let mut web = Web::connect(&server.address).await;
    web.begin(1, "GET /", &[]).await;
    web.record(STDIN, 1, b"").await;
    let flushed = || progress.0.load(Ordering::SeqCst);
    let stands = standstill("the session waits", Duration::from_millis(300), flushed).await;
    assert!(stands < PIECES / 2, "{stands} pieces were sent to nobody");
    let reply = web.reply(1).await;
    assert_eq!(reply.body.iter().filter(|byte| **byte == b'x').count() / PIECE, PIECES);
    server.stop().await;
}

#[tokio::test]
async fn a_stopping_server_answers_what_it_has_and_closes() {
    let go = Arc::new(Semaphore::new(0));
    let server = Running::start_on(any_port(), Server::new(echo).app(go.clone())).await;
    let (mut web, mut idle) = (Web::connect(&server.address).await, Web::connect(&server.address).await);
    web.begin(1, "GET /", &[]).await;
    web.record(STDIN, 1, b"").await;
    web.record(9, 0, b"").await;
    let stopping = tokio::spawn(server.stop());
    assert!(idle.is_closed().await);
    go.add_permits(1);
    stopping.await.expect("it stops");
}

#[tokio::test]
async fn the_example_has_two_ways_to_the_same_sessions() {
    let server = guess_fastcgi::server("127.0.0.1:0");
    let server = Running::start(server).await;
    let http = server.get("/").await;
    assert!(http.text().contains("number from 1 to 100"));
    let mut web = Web::connect(&server.addresses[0]).await;
    let reply = web.get_as(http.cookie(), "/?guess=many").await;
    assert!(reply.text().contains("A whole number, please."), "{reply:?}");
    server.stop().await;
}
