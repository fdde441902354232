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

/// Requests with a fault, each of which must be refused with one of these statuses.
async fn all_refused(cases: impl IntoIterator<Item = impl Into<String>>, statuses: &[u16]) {
    let cases: Vec<String> = cases.into_iter().map(Into::into).collect();
    refused(&cases.iter().map(String::as_str).collect::<Vec<_>>(), statuses).await;
}

#[tokio::test]
async fn r17_a_request_without_one_right_host_is_400() {
    let hosts =
        ["", "a, b", "a,b", "me@a", "a/b", "a b", "a:b", "a:99999", "[::1", "[x]", "a%zz", "http://a/"];
    all_refused(hosts.map(|host| format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")), &[400]).await;
    let heads = ["GET / HTTP/1.1", "GET / HTTP/1.1\r\nHost: a\r\nHost: a", "GET http://a/ HTTP/1.1"];
    all_refused(heads.map(|head| format!("{head}\r\n\r\n")), &[400]).await;
    all_refused(["GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"], &[400]).await;
}

/// A target that is a whole URL counts, whatever the field says.
#[tokio::test]
async fn r17_a_url_as_target_says_which_host_is_meant() {
    async fn says_host(mut req: Request) -> Result<()> {
        let host = req.header("host").unwrap_or_default();
        req.print(format!("[{host}]"));
        Ok(())
    }
    let server = Running::start(Server::new(says_host)).await;
    let mut client = server.connect().await;
    client.send("GET http://meant.test:81/ HTTP/1.1\r\nHost: said.test\r\n\r\n").await;
    assert!(client.reply().await.text().contains("[meant.test:81]"));
}

#[tokio::test]
async fn r18_a_length_and_an_encoding_are_400() {
    let (length, coding) = ("Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n");
    let both =
        [format!("{length}{coding}"), format!("{coding}{length}"), format!("content-length:0\r\n{coding}")];
    let cases = both.map(|both| format!("POST / HTTP/1.1\r\nHost: a\r\n{both}\r\n0\r\n\r\n"));
    all_refused(cases, &[400]).await;
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
    all_refused(cases, &[400]).await;
}

#[tokio::test]
async fn r20_an_encoding_other_than_chunked_is_400_or_501() {
    let codings = [
        "gzip",
        "gzip, chunked",
        "chunked, chunked",
        "chunked\r\nTransfer-Encoding: chunked",
        "identity",
        "",
    ];
    let request = |version: &str, coding: &str| {
        format!("POST / HTTP/{version}\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n")
    };
    all_refused(codings.map(|coding| request("1.1", coding)), &[400, 501]).await;
    all_refused([request("1.0", "chunked"), request("1.0", "chunked\r\nConnection: keep-alive")], &[400])
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
        "2;x=\"unclosed\r\nhi\r\n0\r\n\r\n",
        "2;x\0y\r\nhi\r\n0\r\n\r\n",
        "2 \r\nhi\r\n0\r\n\r\n",
        "2\r\nhi\r\n0\r\n\n",
        "2\r\nhi\r\n0\r\nno colon\r\n\r\n",
        "2\r\nhi\r\n0\r\nT: a\0b\r\n\r\n",
        "2\r\nhi\r\n0\r\nT: t\n\r\n",
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

#[tokio::test]
async fn r23_lines_that_are_not_a_request_are_refused() {
    let lines = [
        "GET  / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET / http/1.1",
        "GET /#part HTTP/1.1",
        "GET /\u{e9} HTTP/1.1",
        "GET * HTTP/1.1",
        "GET a:80 HTTP/1.1",
        "GET a HTTP/1.1",
        "GET http://me@a/ HTTP/1.1",
        "CONNECT / HTTP/1.1",
        "GET /",
        "G\u{e9}T / HTTP/1.1",
        "GET / HTTP/2.0",
    ];
    all_refused(lines.map(|line| format!("{line}\r\nHost: a\r\n\r\n")), &[400, 505]).await;
    all_refused(["GET / HTTP/1.1\nHost: a\n\n", "\r\n\r\n", "\u{16}\u{3}\u{1}"], &[400]).await;
}

/// Whatever the program takes: TRACE would show a script its cookies, CONNECT would be a tunnel.
#[tokio::test]
async fn r23_trace_and_connect_reach_no_program() {
    all_refused(
        ["TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"],
        &[405],
    )
    .await;
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
