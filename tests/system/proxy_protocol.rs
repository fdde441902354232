//! PROXY protocol: who is believed, what is closed, and a real haproxy that speaks it.

use std::time::{Duration, Instant};

use continuity::prelude::*;

use crate::client::Client;
use crate::haproxy::Haproxy;
use crate::running::Running;

async fn who(mut req: Request) -> Result<()> {
    let (peer, https) = (req.peer(), req.is_https());
    req.print(format!("from {peer:?}, https: {https}"));
    Ok(())
}

async fn behind(proxies: &[&str], server: Server) -> Running {
    Running::start_on(Http::on(0).proxy_protocol(proxies.iter().copied()), server).await
}

const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 10.0.0.9 4711 443\r\n";
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A header of version 2 with this command, for 192.0.2.1 and TLS that ended at the proxy.
fn bytes(command: u8) -> Vec<u8> {
    let counted = [192, 0, 2, 1, 10, 0, 0, 9, 0x12, 0x67, 1, 0xbb, 0x20, 0, 5, 1, 0, 0, 0, 0];
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[0x20 | command, 0x11, 0, 20], &counted].concat()
}

#[tokio::test]
async fn r38_a_named_proxy_says_who_the_client_is() {
    let server = behind(&["127.0.0.0/8"], Server::new(who)).await;
    for (header, seen) in [
        (LINE.to_vec(), "from Some(192.0.2.1:4711), https: false"),
        (bytes(1), "from Some(192.0.2.1:4711), https: true"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "from Some(127.0.0.1:"),
        (bytes(0), "from Some(127.0.0.1:"),
    ] {
        for size in [usize::MAX, 1] {
            let mut client = server.connect().await;
            let all = [&header[..], GET].concat();
            for piece in all.chunks(size.min(all.len())) {
                client.send(piece).await;
            }
            let reply = client.reply().await;
            assert!(reply.text().contains(seen), "{header:?}: {reply:?}");
            assert!(client.get("/").await.text().contains(seen), "for the whole connection");
        }
    }
}

#[tokio::test]
async fn r38_who_is_no_named_proxy_is_not_let_in_and_says_nothing_that_counts() {
    let server = behind(&["10.0.0.0/8"], Server::new(who)).await;
    for header in [LINE, b""] {
        let mut client = server.connect().await;
        drop(client.try_send([header, GET].concat()).await);
        assert_eq!(client.rest().await, b"");
    }
    assert_eq!(server.sessions(), 0);
    let trusting = Running::start(Server::new(who)).await;
    let mut client = trusting.connect().await;
    client.send([LINE, GET].concat()).await;
    assert_eq!(client.reply().await.status, 400, "where nothing was said of proxies");
}

#[tokio::test]
async fn a_named_proxy_has_to_say_something_in_time() {
    let server = Server::new(who).limits(|limits| limits.handshake = Duration::from_millis(300));
    let server = behind(&["127.0.0.1"], server).await;
    let long = [&b"PROXY TCP4 "[..], &[b'1'; 200]].concat();
    let huge = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"[..], &[0; 8192]].concat();
    for header in [GET, b"PROXY TCP4 192.0.2.1", b"", &long, &huge, b"PROXY TCP4 a b c d\r\n"] {
        let (mut client, start) = (server.connect().await, Instant::now());
        drop(client.try_send(header).await);
        assert_eq!(client.rest().await, b"");
        assert!(start.elapsed() < Duration::from_secs(5), "{header:?}");
    }
    assert_eq!(server.sessions(), 0);
}

/// The address that haproxy passes on is the client's own, which is not haproxy's.
#[tokio::test(flavor = "multi_thread")]
async fn haproxy_says_who_the_client_is() {
    for words in ["send-proxy", "send-proxy-v2", "send-proxy-v2 check-send-proxy check inter 50ms"] {
        let server = behind(&["127.0.0.1"], Server::new(who)).await;
        let haproxy = Haproxy::start(&server.address, words);
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 2], 0).into()).expect("an address of loopback");
        let address = haproxy.address.parse().expect("an address");
        let mut client = Client::over(socket.connect(address).await.expect("haproxy listens"));
        let reply = client.get("/").await;
        assert!(reply.text().contains("from Some(127.0.0.2:"), "{words}: {reply:?}");
    }
}
