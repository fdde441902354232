//! https by our own TLS: what is agreed on, cookies, deadlines, ends, and certificates that change under load.

use std::time::{Duration, Instant};

use continuity::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::certified::Certified;
use crate::client::Client;
use crate::program::Program;
use crate::running::Running;

async fn two_steps(mut req: Request) -> Result<()> {
    req.print(format!("first, https: {}", req.is_https()));
    req.next().await?;
    req.print("second");
    Ok(())
}

async fn sealed(certified: &Certified, server: Server) -> Running {
    let http = Http::on(0).tls(certified.chain(), certified.key());
    Running::start_on(http, server).await
}

fn port(server: &Running) -> &str {
    server.address.rsplit(':').next().expect("it ends with the port")
}

#[tokio::test(flavor = "multi_thread")]
async fn r04_over_our_own_tls_the_cookie_is_host_bound_and_secure() {
    let certified = Certified::new();
    let server = sealed(&certified, Server::new(two_steps)).await;
    let mut client = certified.connect(&server.address).await;
    let first = client.get("/").await;
    assert!(first.text().contains("first, https: true"), "{first:?}");
    let cookie = first.field("set-cookie").expect("a new visitor gets one").to_owned();
    assert!(cookie.starts_with(&format!("__Host-sid_{}=", port(&server))), "{cookie}");
    for attribute in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let second = client.get_as(first.cookie(), "/").await;
    assert!(second.text().contains("second"), "{second:?}");
}

/// curl offers both or one, and gets what it offers; without the feature `http2` only one is offered to it.
#[tokio::test(flavor = "multi_thread")]
async fn clients_agree_on_http2_or_http_1_1() {
    let certified = Certified::new();
    let server = sealed(&certified, Server::new(two_steps)).await;
    let url = format!("https://localhost:{}/", port(&server));
    for (offer, version) in [("--http2", "2"), ("--http1.1", "1.1"), ("--no-alpn", "1.1")] {
        let told = certified.curl(&[offer, "--write-out", " %{http_version} %{ssl_verify_result}", &url]);
        assert!(told.ends_with(&format!(" {version} 0")) && told.contains("https: true"), "{offer}: {told}");
    }
    for version in ["1.2", "1.3"] {
        let tls = [&format!("--tlsv{version}"), "--tls-max", version, &url];
        assert!(certified.curl(&tls).contains("first"), "{version}");
    }
    let dialled = certified.dial(&server.address, &["gopher"]).await;
    assert!(dialled.is_err(), "there is nothing to agree on");
}

/// Who agreed on one and speaks the other is not served.
#[tokio::test]
async fn what_is_spoken_is_what_was_agreed_on() {
    let certified = Certified::new();
    let server = sealed(&certified, Server::new(two_steps)).await;
    for (agreed, spoken) in [
        (&["h2"][..], "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (&["http/1.1"], "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        (&[], "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ] {
        let mut stream = certified.dial(&server.address, agreed).await.expect("a handshake");
        stream.write_all(spoken.as_bytes()).await.expect("it is read");
        let mut answer = Vec::new();
        drop(tokio::time::timeout(crate::PATIENCE, stream.read_to_end(&mut answer)).await.expect("it ends"));
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{agreed:?}: {answer}");
    }
    assert_eq!(server.sessions(), 0);
}

#[tokio::test]
async fn smuggling_is_refused_over_tls_too() {
    let certified = Certified::new();
    let server = sealed(&certified, Server::new(two_steps)).await;
    let both =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    for size in [both.len(), 1] {
        let mut client = certified.connect(&server.address).await;
        for piece in both.as_bytes().chunks(size) {
            drop(client.try_send(piece).await);
        }
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.is_last()), (400, true), "{size}");
        assert!(!client.is_reset().await, "it ends with a goodbye");
    }
}

#[tokio::test]
async fn r27_a_handshake_has_its_time_and_holds_up_nobody() {
    let certified = Certified::new();
    let server = Server::new(two_steps).limits(|limits| limits.handshake = Duration::from_millis(400));
    let server = sealed(&certified, server).await;
    let mut slow = Vec::new();
    for hello in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let mut stream = TcpStream::connect(&server.address).await.expect("somebody listens");
        stream.write_all(hello).await.expect("it is taken");
        slow.push(stream);
    }
    let start = Instant::now();
    assert_eq!(certified.connect(&server.address).await.get("/").await.status, 200);
    for mut stream in slow {
        let mut rest = Vec::new();
        let end = tokio::time::timeout(crate::PATIENCE, stream.read_to_end(&mut rest)).await;
        drop(end.expect("it is closed in time"));
    }
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[tokio::test]
async fn who_speaks_plain_http_is_told_so() {
    let certified = Certified::new();
    let server = sealed(&certified, Server::new(two_steps)).await;
    let reply = Client::connect(&server.address).await.get("/").await;
    assert!(reply.status == 400 && reply.text().contains("speaks https"), "{reply:?}");
    assert_eq!(server.sessions(), 0);
}

#[tokio::test]
async fn connections_end_with_a_goodbye() {
    let certified = Certified::new();
    let server = Server::new(two_steps).limits(|limits| limits.keep_alive = Duration::from_millis(300));
    let server = sealed(&certified, server).await;
    let mut last = certified.connect(&server.address).await;
    last.ask("GET /", "Connection: close\r\n").await;
    assert_eq!(last.reply().await.status, 200);
    assert!(!last.is_reset().await, "after the last answer");
    let mut unused = certified.connect(&server.address).await;
    assert_eq!(unused.get("/").await.status, 200);
    assert!(!unused.is_reset().await, "when nobody uses it");
    let mut asked = certified.connect(&server.address).await;
    assert_eq!(asked.get("/").await.status, 200);
    server.stop().await;
    assert!(!asked.is_reset().await, "when the server stops");
}

/// What TLS has taken and not sent counts as not read.
#[tokio::test]
async fn r27_who_reads_nothing_over_tls_is_cut_off() {
    async fn large(mut req: Request) -> Result<()> {
        req.print("x".repeat(12 << 20));
        Ok(())
    }
    let certified = Certified::new();
    let server = Server::new(large).limits(|limits| limits.write_time = Duration::from_millis(1500));
    let server = sealed(&certified, server).await;
    let mut client = certified.connect(&server.address).await;
    client.ask("GET /", "").await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(client.is_reset().await);
    let mut reader = certified.connect(&server.address).await;
    assert!(reader.get("/").await.body.len() > 12 << 20, "who reads gets all of it");
}

#[tokio::test]
async fn a_connection_over_tls_rests_and_serves_on() {
    let certified = Certified::new();
    let server = sealed(&certified, Server::new(two_steps)).await;
    let mut client = certified.connect(&server.address).await;
    let first = client.get("/").await;
    tokio::time::sleep(Duration::from_millis(3200)).await;
    assert!(client.get_as(first.cookie(), "/").await.text().contains("second"));
}

#[tokio::test]
async fn r16_a_certificate_and_key_that_are_no_good_are_errors_that_say_why() {
    let (one, other) = (Certified::new(), Certified::new());
    let told = async |chain: std::path::PathBuf, key: std::path::PathBuf| {
        let bound = Server::new(two_steps).listen(Http::on(0).tls(chain, key)).bind().await;
        bound.expect_err("they are no good").to_string()
    };
    let missing = told("/nowhere/chain.pem".into(), one.key()).await;
    assert!(missing.contains("read /nowhere/chain.pem"), "{missing}");
    let foreign = told(one.chain(), other.key()).await;
    assert!(foreign.contains("does not belong to"), "{foreign}");
    let swapped = told(one.key(), one.key()).await;
    assert!(swapped.contains("BEGIN CERTIFICATE"), "{swapped}");
    let keyless = told(one.chain(), one.chain()).await;
    assert!(keyless.contains("BEGIN PRIVATE KEY"), "{keyless}");
    let secret = std::fs::read_to_string(one.key()).expect("a key");
    std::fs::write(one.key(), secret.replace("PRIVATE", "ENCRYPTED PRIVATE")).expect("it can be written");
    let encrypted = told(one.chain(), one.key()).await;
    assert!(encrypted.contains("passphrase"), "{encrypted}");
    for text in [missing, foreign, swapped, keyless, encrypted] {
        let body = secret.lines().nth(1).expect("a key has lines");
        assert!(!text.contains(body), "no key is told");
    }
}

#[tokio::test]
async fn a_program_can_renew_its_certificate_itself() {
    let certified = Certified::new();
    let certificate = continuity::Certificate::open(certified.chain(), certified.key()).expect("good ones");
    assert!(!format!("{certificate:?}").contains("PRIVATE"));
    let http = Http::on(0).tls_with(certificate.clone());
    let server = Running::start_on(http, Server::new(two_steps)).await;
    let mut before = certified.connect(&server.address).await;
    assert_eq!(before.get("/").await.status, 200);
    std::fs::write(certified.chain(), "no certificate").expect("it can be written");
    assert!(certificate.reload().is_err());
    certified.renew();
    assert!(certified.dial(&server.address, &[]).await.is_err(), "the old one is still served");
    certificate.reload().expect("good ones");
    assert_eq!(certified.connect(&server.address).await.get("/").await.status, 200);
    assert_eq!(before.get("/").await.status, 200, "who was there stays");
}

/// Connections that are in use while the certificate changes, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn sighup_brings_a_new_certificate_and_drops_no_connection() {
    let certified = Certified::new();
    let program = Program::start_sealed(&certified.chain(), &certified.key());
    let address = program.address();
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(certified.connect(&address).await);
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let load: Vec<_> =
        clients.into_iter().map(|client| tokio::spawn(use_until(client, stopped.clone()))).collect();
    for _ in 0..3 {
        certified.renew();
        program.signal("HUP");
        let start = Instant::now();
        while certified.dial(&address, &[]).await.is_err() {
            assert!(start.elapsed() < crate::PATIENCE, "the new certificate is not served");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    std::fs::write(certified.key(), "nonsense").expect("it can be written");
    program.signal("HUP");
    assert!(certified.dial(&address, &[]).await.is_ok(), "a bad key changes nothing");
    stop.send_replace(true);
    for one in load {
        assert!(one.await.expect("no request failed") > 0);
    }
}

async fn use_until(mut client: Client, stopped: tokio::sync::watch::Receiver<bool>) -> usize {
    let mut answered = 0;
    while !*stopped.borrow() {
        assert_eq!(client.get("/").await.status, 200);
        answered += 1;
    }
    answered
}
