//! Requests that two readers could read in two ways: refused, and nothing after them is read.

use continuity::prelude::*;

use crate::running::Running;

/// What is smuggled in would be seen in the answers.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

async fn says_path(mut req: Request) -> Result<()> {
    let (path, body) = (req.path(), req.body());
    req.print(format!("[{path}] [{}]", String::from_utf8_lossy(&body)));
    Ok(())
}

/// Sends a request, with another one behind it, and checks that there is one answer, of one of these statuses, and
/// that the connection ends.
async fn refused(cases: &[&str], statuses: &[u16]) {
    let server = Running::start(Server::new(says_path).limits(|limits| {
        limits.head_time = std::time::Duration::from_millis(500);
        limits.body_time = std::time::Duration::from_millis(500);
    }))
    .await;
    let mut wrong = Vec::new();
    for case in cases {
        let mut client = server.connect().await;
        // Who is refused early may find the door closed.
        drop(client.try_send(format!("{case}{SMUGGLED}")).await);
        let rest = String::from_utf8_lossy(&client.rest().await).into_owned();
        let answers: Vec<u16> = rest
            .split("HTTP/1.1 ")
            .skip(1)
            .map(|answer| answer[..3].parse().expect("a status is a number"))
            .collect();
        if answers.len() != 1 || !statuses.contains(&answers[0]) || rest.contains("smuggled") {
            wrong.push(format!("{case:?} got {answers:?}"));
        }
    }
    assert!(wrong.is_empty(), "should be {statuses:?} and the end:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_is_refused_here_is_refused_for_its_fault_alone() {
    let server = Running::start(Server::new(says_path)).await;
    for (request, answer) in [
        ("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n", "[/a] []"),
        ("GET /a HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", "[/a] []"),
        ("GET /a HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "[/a] []"),
        ("GET http://localhost/a HTTP/1.1\r\nHost: localhost\r\n\r\n", "[/a] []"),
        ("POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi", "[/a] [hi]"),
        (
            "POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhi\r\n0\r\nT: t\r\n\r\n",
            "[/a] [hi]",
        ),
    ] {
        let mut client = server.connect().await;
        client.send(request).await;
        client.send(SMUGGLED).await;
        let reply = client.reply().await;
        assert!(reply.status == 200 && reply.text().contains(answer), "{request:?}: {reply:?}");
        assert!(client.reply().await.text().contains("[/smuggled]"), "{request:?}: the next one is read");
    }
}

/// HTTP/1.0 had no Host yet, and one request a connection.
#[tokio::test]
async fn http_1_0_needs_no_host_and_closes() {
    let server = Running::start(Server::new(says_path)).await;
    let mut client = server.connect().await;
    client.send("GET /a HTTP/1.0\r\n\r\n").await;
    let reply = client.reply().await;
    assert!(reply.status == 200 && reply.text().contains("[/a]"), "{reply:?}");
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn r19_a_length_that_is_not_one_number_is_400() {
    let lengths = [
        "+5",
        "-5",
        "0x5",
        "5 5",
        "5, 6",
        "",
        "five",
        "5;",
        "99999999999999999999999999",
        "5\r\nContent-Length: 6",
    ];
    let cases =
        lengths.map(|length| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\nhello"));
    refused(&cases.each_ref().map(String::as_str), &[400]).await;
}

#[tokio::test]
async fn r20_an_encoding_in_http_1_0_is_400() {
    refused(&["POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"], &[400, 501])
        .await;
}

#[tokio::test]
async fn r21_bad_chunks_are_400() {
    let bodies = [
        "x\r\nhi\r\n0\r\n\r\n",
        "-2\r\nhi\r\n0\r\n\r\n",
        "0x2\r\nhi\r\n0\r\n\r\n",
        "\r\nhi\r\n0\r\n\r\n",
        "2\nhi\n0\n\n",
        "2\r\nhi\n0\r\n\r\n",
        "2\r\nhi!\r\n0\r\n\r\n",
        "2\rhi\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhi\r\n0\r\n\r\n",
        "2;\nhi\r\n0\r\n\r\n",
        "2;x\rx\r\nhi\r\n0\r\n\r\n",
        "2;\"unclosed\nhi\r\n0\r\n\r\n",
    ];
    let cases =
        bodies.map(|body| format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}"));
    refused(&cases.each_ref().map(String::as_str), &[400]).await;
}

#[tokio::test]
async fn r21_extensions_and_trailers_without_end_are_not_read() {
    let extension = format!("2;{}\r\nhi\r\n0\r\n\r\n", "x".repeat(20_000));
    let trailer = format!("2\r\nhi\r\n0\r\nT: {}\r\n\r\n", "x".repeat(20_000));
    let trailers = format!("2\r\nhi\r\n0\r\n{}\r\n", "T: x\r\n".repeat(101));
    let cases = [extension, trailer, trailers]
        .map(|body| format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}"));
    refused(&cases.each_ref().map(String::as_str), &[400, 413, 431]).await;
}

#[tokio::test]
async fn r22_fields_with_what_cannot_be_in_them_are_400() {
    let fields = [
        "X: a\rb",
        "X: a\0b",
        "X: a\x01b",
        "X: a\x7fb",
        "X: a\r\n folded",
        "X : a",
        " X: a",
        "X(): a",
        "X y: a",
        ": a",
        "no colon",
    ];
    let cases = fields.map(|field| format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n"));
    refused(&cases.each_ref().map(String::as_str), &[400]).await;
}

/// A method that mostly has no body may have one: it is read, and not taken for the next request.
#[tokio::test]
async fn r24_bodies_of_any_method_are_read() {
    let server = Running::start(Server::new(says_path)).await;
    for method in ["GET", "DELETE", "OPTIONS", "HEAD", "TRACE", "PUT", "BREW"] {
        let mut client = server.connect().await;
        let length = SMUGGLED.len();
        client
            .send(format!(
                "{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}\
                 GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            ))
            .await;
        let rest = String::from_utf8_lossy(&client.rest().await).into_owned();
        assert!(!rest.contains("[/smuggled]"), "{method}: {rest}");
        let answers = rest.matches("HTTP/1.1 ").count();
        let next = usize::from(rest.contains("[/next]"));
        assert_eq!(answers, 1 + next, "{method}: {rest}");
    }
}
