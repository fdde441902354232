//! HTTP/2 as clients see it: sessions, what is refused, how connections begin and end.

use std::time::{Duration, Instant};

use bytes::Bytes;
use continuity::prelude::*;
use h2::client::SendRequest;
use http::{HeaderMap, Method, StatusCode, Version};

use crate::frames::*;
use crate::program::Program;
use crate::running::Running;

/// Time that is over soon.
const SOON: Duration = Duration::from_millis(300);

async fn visits(mut req: Request) -> Result<()> {
    for visit in 1.. {
        let (version, uri) = (req.version(), req.uri().clone());
        req.print(format!("visit {visit} to {uri} by {version:?}")).next().await?;
    }
    Ok(())
}

async fn server() -> Running {
    Running::start(Server::new(visits)).await
}

/// A client that does all right.
async fn client(address: &str) -> SendRequest<Bytes> {
    let stream = tokio::net::TcpStream::connect(address).await.expect("somebody listens");
    let (client, connection) = h2::client::handshake(stream).await.expect("it speaks HTTP/2");
    tokio::spawn(async { drop(connection.await) });
    client.ready().await.expect("it takes requests")
}

async fn send(
    client: &mut SendRequest<Bytes>,
    method: Method,
    cookies: &[&str],
    body: Bytes,
) -> (StatusCode, HeaderMap, String) {
    let mut request = http::Request::builder().method(method).uri("http://localhost/path?query");
    for cookie in cookies {
        request = request.header("cookie", *cookie);
    }
    let request = request.version(Version::HTTP_2).body(()).expect("a request");
    let (response, mut sending) = client.send_request(request, body.is_empty()).expect("it is taken");
    if !body.is_empty() {
        // Who is refused before they have sent all stops.
        drop(sending.send_data(body, true));
    }
    let (head, mut body) = response.await.expect("an answer").into_parts();
    let mut text = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        text.extend_from_slice(&data);
    }
    (head.status, head.headers, String::from_utf8(text).expect("a text"))
}

#[tokio::test]
async fn r30_a_session_goes_on_over_http2_and_over_1_1() {
    let server = server().await;
    let mut client = client(&server.address).await;
    let (status, headers, text) = send(&mut client, Method::GET, &[], Bytes::new()).await;
    assert_eq!((status, headers.get("connection")), (StatusCode::OK, None));
    assert!(text.contains("visit 1 to /path?query by HTTP/2.0"), "{text}");
    let cookie = headers["set-cookie"].to_str().expect("text").split(';').next().expect("a cookie");
    let (_, headers, text) = send(&mut client, Method::GET, &[cookie], Bytes::new()).await;
    assert!(text.contains("visit 2") && !headers.contains_key("set-cookie"), "{text}");
    let reply = server.connect().await.get_as(cookie, "/").await;
    assert!(reply.text().contains("visit 3 to / by HTTP/1.1"), "{reply:?}");
    assert_eq!(server.sessions(), 1);
}

#[tokio::test]
async fn r32_cookies_in_crumbs_are_one_cookie() {
    async fn shows(mut req: Request) -> Result<()> {
        let cookie = req.header("cookie").expect("it is sent");
        req.print(cookie);
        Ok(())
    }
    let server = Running::start(Server::new(shows)).await;
    let mut client = client(&server.address).await;
    let (_, _, text) = send(&mut client, Method::GET, &["a=1", "b=2", "c=3; d=4"], Bytes::new()).await;
    assert!(text.contains("a=1; b=2; c=3; d=4"), "{text}");
}

#[tokio::test]
async fn r30_a_refused_body_ends_its_stream_only() {
    let server = Running::start(Server::new(visits).limits(|limits| limits.body = 10)).await;
    let mut client = client(&server.address).await;
    let (status, headers, _) = send(&mut client, Method::POST, &[], Bytes::from(vec![b'x'; 50_000])).await;
    assert_eq!((status, headers.get("connection")), (StatusCode::PAYLOAD_TOO_LARGE, None));
    let (status, ..) = send(&mut client, Method::POST, &[], Bytes::from_static(b"small")).await;
    assert_eq!(status, StatusCode::OK);
}

/// How a request is refused: a status, or a reset of its stream, or the end of the connection.
async fn refusal(server: &Running, frames: Vec<u8>) -> u16 {
    let mut raw = Raw::connect(&server.address).await;
    raw.send(frames).await;
    let frame = raw.until(&[HEADERS, RST_STREAM, GOAWAY]).await.expect("an answer");
    let status = if frame.kind == HEADERS { frame.status() } else { 0 };
    if frame.kind != GOAWAY {
        raw.send(get(99, &[])).await;
        while let Some(frame) = raw.until(&[HEADERS, GOAWAY]).await {
            assert_eq!(frame.kind, HEADERS, "the connection is still good");
            if frame.stream == 99 {
                break;
            }
        }
    }
    status
}

#[tokio::test]
async fn r30_fields_that_have_no_place_in_http2_are_refused() {
    let server = server().await;
    for (name, value, expected) in [
        ("connection", "close", 0),
        ("transfer-encoding", "chunked", 0),
        ("upgrade", "websocket", 0),
        ("keep-alive", "1", 0),
        ("proxy-connection", "close", 0),
        ("te", "gzip", 0),
        ("X-Upper", "a", 0),
        ("x", "a\r\nb", 0),
        ("x", "a\nb", 0),
        ("x", "a\0b", 0),
        ("x", " a", 400),
        ("x", "a ", 400),
        ("x", "\ta", 400),
        ("host", "other", 400),
        ("expect", "more", 417),
        ("content-length", "5", 0),
        (":path", "/again", 0),
        (":unknown", "a", 0),
        ("te", "trailers", 200),
        ("host", "localhost", 200),
        ("x", "", 200),
    ] {
        assert_eq!(refusal(&server, get(1, &[(name, value)])).await, expected, "{name}: {value:?}");
    }
    assert_eq!(refusal(&server, get(1, &[("host", "localhost"), ("host", "localhost")])).await, 400);
}

#[tokio::test]
async fn r30_requests_that_are_none_are_refused() {
    let server = server().await;
    let ask = |fields: &[(&str, &str)]| frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(fields));
    let with = |method: &'static str, host: &'static str, path: &'static str| {
        ask(&[(":method", method), (":scheme", "http"), (":authority", host), (":path", path)])
    };
    assert_eq!(refusal(&server, with("TRACE", "a", "/")).await, 405);
    assert_eq!(refusal(&server, ask(&[(":method", "CONNECT"), (":authority", "a:1")])).await, 405);
    let extended = [GET[1], GET[2], GET[3], (":method", "CONNECT"), (":protocol", "websocket")];
    assert_eq!(refusal(&server, ask(&extended)).await, 0);
    assert_eq!(refusal(&server, with("GET", "u@a", "/")).await, 400);
    assert_eq!(refusal(&server, with("GET", "", "/")).await, 0);
    assert_eq!(refusal(&server, with("GET", "a", "")).await, 0);
    assert_eq!(refusal(&server, with("GET", "a", "*")).await, 400);
    assert_eq!(refusal(&server, ask(&[GET[0], GET[1], GET[3]])).await, 400, "no host at all");
    assert_eq!(refusal(&server, ask(&[GET[0], GET[1], GET[3], ("host", "a")])).await, 200);
}

#[tokio::test]
async fn r30_a_body_is_as_long_as_it_says() {
    let server = server().await;
    for (length, body, expected) in
        [("5", "hello", 200), ("4", "hello", 0), ("6", "hello", 0), ("x", "hello", 0)]
    {
        let fields = [(":method", "POST"), GET[1], GET[2], GET[3], ("content-length", length)];
        let post = frame(HEADERS, END_HEADERS, 1, &block(&fields));
        let frames = [post, frame(DATA, END_STREAM, 1, body.as_bytes())].concat();
        let status = refusal(&server, frames).await;
        assert!(status == expected || expected == 0 && status == 400, "{length}: {status}");
    }
}

#[tokio::test]
async fn r32_heads_are_bounded_as_they_are_read() {
    let server = Running::start(Server::new(visits).limits(|limits| limits.headers = 20)).await;
    let many = |count: usize| get(1, &vec![("x", "y"); count]);
    assert_eq!(refusal(&server, many(20)).await, 200);
    assert_eq!(refusal(&server, many(21)).await, 431);
    assert_eq!(refusal(&server, get(1, &[("cookie", "a=b"); 21])).await, 431, "crumbs count");
    // A field that is remembered, named again and again: each is as large as it was.
    let large = "v".repeat(3000);
    let mut bomb = block(&GET);
    bomb.extend([0x40, 1, b'x', 127]);
    bomb.extend([(3000u32 - 127) as u8 & 127 | 128, ((3000 - 127) / 128) as u8]);
    bomb.extend(large.bytes());
    bomb.extend([0x80 | 62; 4000]);
    let status = refusal(&server, frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb)).await;
    assert!(status == 431 || status == 0, "{status}");
}

#[tokio::test]
async fn the_preface_decides_and_nothing_else() {
    let server = Running::start(Server::new(visits).limits(|limits| limits.head_time = SOON)).await;
    // In pieces.
    let mut raw = Raw::bare(&server.address).await;
    for byte in PREFACE {
        raw.send([*byte]).await;
    }
    raw.send([settings(&[]), get(1, &[])].concat()).await;
    assert_eq!(raw.until(&[HEADERS]).await.expect("an answer").status(), 200);
    // Methods that begin alike.
    for line in ["POST /", "PRI /", "PRI *"] {
        let mut client = server.connect().await;
        for piece in format!("{line} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").as_bytes().chunks(3)
        {
            drop(client.try_send(piece).await);
        }
        assert_eq!(client.reply().await.status, if line.ends_with('/') { 200 } else { 400 }, "{line}");
    }
    // What is nearly one, and what comes too late.
    let mut client = server.connect().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r").await;
    assert_eq!(client.reply().await.status, 400);
    let mut client = server.connect().await;
    client.get("/").await;
    client.send(PREFACE).await;
    assert_eq!(client.reply().await.status, 400);
    // One that does not come to its end.
    let mut client = server.connect().await;
    client.send(&PREFACE[..20]).await;
    assert_eq!(client.reply().await.status, 408);
}

#[tokio::test]
async fn r31_a_block_that_does_not_end_is_cut() {
    let server = Running::start(Server::new(visits).limits(|limits| limits.head_time = SOON)).await;
    for start in [&get(1, &[])[..20], &frame(HEADERS, END_STREAM, 1, &block(&GET))[..]] {
        let mut raw = Raw::connect(&server.address).await;
        raw.send(start).await;
        assert_eq!(raw.end().await, Some(ENHANCE_YOUR_CALM));
    }
    assert_eq!(server.sessions(), 0);
}

#[tokio::test]
async fn r35_a_connection_that_nobody_uses_is_told_and_closed() {
    let server = Running::start(Server::new(visits).limits(|limits| limits.keep_alive = SOON)).await;
    let mut raw = Raw::connect(&server.address).await;
    raw.send(get(1, &[])).await;
    assert_eq!(raw.until(&[HEADERS]).await.expect("an answer").status(), 200);
    let start = Instant::now();
    // Pings do not keep it.
    while raw.try_send(frame(PING, 0, 0, b"12345678")).await.is_ok() {
        if !raw.is_silent(SOON / 4).await && raw.until(&[GOAWAY]).await.is_some() {
            break;
        }
        assert!(start.elapsed() < crate::PATIENCE, "it is closed");
    }
    assert!(raw.end().await.is_none_or(|reason| reason == NO_ERROR));
}

/// slowprint, in the middle of an answer, is told to stop: two GOAWAYs, the last with the streams that are finished.
#[tokio::test]
async fn r35_sigterm_is_told_twice_and_what_is_in_flight_finishes() {
    let mut program = Program::start("slowprint", "0");
    let mut raw = Raw::connect(&program.address()).await;
    raw.send(get(1, &[])).await;
    assert_eq!(raw.until(&[HEADERS]).await.expect("an answer").status(), 200);
    program.signal("TERM");
    let first = raw.until(&[GOAWAY]).await.expect("it says that it goes");
    assert_eq!((&first.payload[..4], first.reason()), (&0x7fff_ffffu32.to_be_bytes()[..], NO_ERROR));
    // A request that was on its way is still taken.
    raw.send(get(3, &[])).await;
    let ping = raw.until(&[PING]).await.expect("it asks whether that is heard");
    raw.send(frame(PING, ACK, 0, &ping.payload)).await;
    let second = raw.until(&[GOAWAY]).await.expect("it says what it has taken");
    assert_eq!((&second.payload[..4], second.reason()), (&3u32.to_be_bytes()[..], NO_ERROR));
    assert!(program.is_running());
    let mut ended = 0;
    while let Some(frame) = raw.next().await {
        ended += u32::from(frame.kind == DATA && frame.flags & END_STREAM != 0);
    }
    assert_eq!(ended, 2);
    assert!(program.ended(crate::PATIENCE).status.success());
}

#[tokio::test]
async fn r35_who_does_not_answer_the_farewell_does_not_hold_the_drain() {
    let server = server().await;
    let mut raw = Raw::connect(&server.address).await;
    raw.send(get(1, &[])).await;
    raw.until(&[HEADERS]).await.expect("an answer");
    let start = Instant::now();
    let (end, ()) = tokio::join!(raw.end(), server.stop());
    assert_eq!(end, Some(NO_ERROR));
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
}

#[tokio::test]
async fn curl_speaks_http2() {
    let server = server().await;
    let url = server.url();
    let curl = tokio::task::spawn_blocking(move || {
        let mut curl = std::process::Command::new("curl");
        curl.args(["-s", "--http2-prior-knowledge", "-w", " %{http_version} %{http_code}", &url]).output()
    });
    let output = curl.await.expect("it does not panic").expect("curl is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.ends_with(" 2 200"), "{text}");
}
