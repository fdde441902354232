//! What is let through and what is not; that cuts make no difference; that hyper reads what is let through.

mod properties;

use super::framing::Framing;
use super::fuzz::{BOUNDS, judge};

/// Checks that each of these is wrong in this way, and would be right without it.
fn refused(status: u16, cases: impl IntoIterator<Item = impl AsRef<[u8]>>) {
    for case in cases {
        let case = case.as_ref();
        let found = judge([case]).2;
        assert_eq!(found, Some(status), "{:?}", String::from_utf8_lossy(case));
    }
}

/// Checks that each of these is one whole request.
fn passed(cases: impl IntoIterator<Item = impl AsRef<[u8]>>) {
    for case in cases {
        let case = case.as_ref();
        assert_eq!(judge([case]), (case.len(), 1, None), "{:?}", String::from_utf8_lossy(case));
    }
}

fn get(line: &str, fields: &str) -> String {
    format!("{line}\r\nHost: a\r\n{fields}\r\n")
}

fn with_host(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

fn chunked(body: &str) -> String {
    get("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n") + body
}

#[test]
fn r17_one_host_and_a_right_one() {
    passed(
        ["a", "a:80", "a:", "127.0.0.1:8080", "[::1]", "[::1]:8080", "a-b.c_d", "a%20b", "x!$&'()*+;=~"]
            .map(with_host),
    );
    refused(
        400,
        ["", "a, b", "a,b", "u@a", "u:p@a", "a/b", "a?b", "a#b", "a b", "a\tb", "a:b", "a:-1"].map(with_host),
    );
    refused(
        400,
        ["a:1:2", "a:65536", "a:000080", "[::1", "[::1]x", "[x]", "[]", "::1", "a\\b", "\"a\"", "<a>"]
            .map(with_host),
    );
    refused(400, ["a%zz", "a%2", "é", "http://a/", ":80", "[::1]:x", "[v1.a]", "[fe80::1%1]"].map(with_host));
    refused(
        400,
        ["GET / HTTP/1.1\r\n\r\n", "GET http://a/ HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHos: a\r\n\r\n"],
    );
    refused(400, [get("GET / HTTP/1.1", "Host: a\r\n"), get("GET / HTTP/1.0", "Host: b\r\n")]);
    passed([
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nhOST:a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: \t a \t\r\n\r\n",
    ]);
}

#[test]
fn r18_a_length_and_an_encoding() {
    let (length, coding) = ("Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n");
    refused(
        400,
        [length.to_owned() + coding, coding.to_owned() + length].map(|both| get("POST / HTTP/1.1", &both)),
    );
}

#[test]
fn r19_a_length_is_one_number() {
    let with = |length: &str| get("POST / HTTP/1.1", &format!("Content-Length: {length}\r\n"));
    passed(["0", "00", "000"].map(with));
    let most = with("9223372036854775807");
    assert_eq!(judge([most.as_bytes()]), (most.len(), 1, None));
    refused(
        400,
        ["", "x", "+5", "-5", "0x5", "5.0", "5e0", "5 5", "5;", "5_0", "5,6", "5, 5", ",5", "\"5\"", "٥"]
            .map(with),
    );
    refused(
        400,
        ["9223372036854775808", "18446744073709551616", "18446744073709551621", &"9".repeat(50)].map(with),
    );
    refused(
        400,
        ["5\r\nContent-Length: 6", "5\r\nContent-Length: 5", "5\r\nX: y\r\ncontent-length: 5"].map(with),
    );
}

#[test]
fn r20_an_encoding_is_chunked_and_nothing_else() {
    let with = |coding: &str| get("POST / HTTP/1.1", &format!("Transfer-Encoding: {coding}\r\n"));
    let body = "0\r\n\r\n";
    passed(["chunked", "CHUNKED", " chunked\t"].map(|coding| with(coding) + body));
    refused(501, ["identity", "gzip", "deflate, gzip", "x"].map(with));
    refused(
        400,
        ["", "chunked, chunked", "gzip, chunked", "chunked, gzip", ",chunked", "chunked,", "xchunked"]
            .map(with),
    );
    refused(400, ["chunked;q=1", "\"chunked\"", "chunked chunked"].map(with));
    refused(
        400,
        ["chunked\r\nTransfer-Encoding: chunked", "chunked\r\nTransfer-Encoding: identity"].map(with),
    );
    refused(501, ["identity\r\nTransfer-Encoding: chunked"].map(with));
    refused(400, [get("POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n")]);
    refused(400, [get("POST / HTTP/1.0", "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n")]);
}

#[test]
fn r21_chunks_are_read_strictly() {
    passed(
        ["0\r\n\r\n", "2\r\nhi\r\n0\r\n\r\n", "002\r\nhi\r\n00\r\n\r\n", "A\r\n0123456789\r\n0\r\n\r\n"]
            .map(chunked),
    );
    passed(
        [
            "2;x\r\nhi\r\n0;y\r\n\r\n",
            "2;x=y;z=\"a \\\" b\"\r\nhi\r\n0\r\n\r\n",
            "2 ; x = y\r\nhi\r\n0\r\n\r\n",
        ]
        .map(chunked),
    );
    passed(["0\r\nT: t\r\n\r\n", "0\r\nT:\r\nT: t\tt\r\n\r\n"].map(chunked));
    for size in [
        "",
        " ",
        "g",
        "0x2",
        "+2",
        "-2",
        "2 ",
        "2\t",
        " 2",
        "2,",
        "2\0",
        "2_",
        "1000000000000002",
        "fffffffffffffffff",
    ] {
        refused(400, [chunked(&format!("{size}\r\nhi\r\n0\r\n\r\n"))]);
    }
    for extension in [
        ";",
        ";;",
        ";=",
        ";x=",
        "; ",
        ";x y",
        ";x\0",
        ";x\x01",
        ";\"x\"",
        ";x=\"y",
        ";x=\"y\r\n",
        ";x=\"y\"z",
        "x",
    ] {
        refused(400, [chunked(&format!("2{extension}\r\nhi\r\n0\r\n\r\n"))]);
    }
    let ends = [
        "2\nhi\r\n",
        "2\rhi\r\n",
        "2\r\r\nhi\r\n",
        "2\r\nhi\n",
        "2\r\nhi\r",
        "2\r\nhi\r\r\n",
        "2\r\nhi!\r\n",
        "2\r\nhi",
        "2;x\nhi\r\n",
        "2;x\rhi\r\n",
    ];
    refused(400, ends.map(|chunk| chunked(&format!("{chunk}0\r\n\r\n"))));
    refused(
        400,
        ["0\n\r\n", "0\r\n\n", "0\r\n\rX", "0\r\nT\r\n\r\n", "0\r\nT : t\r\n\r\n", "0\r\n: t\r\n\r\n"]
            .map(chunked),
    );
    refused(
        400,
        ["0\r\nT: t\r\n t\r\n\r\n", "0\r\nT: \0\r\n\r\n", "0\r\nT: t\n\r\n", "0\r\nT: t\rt\r\n\r\n"]
            .map(chunked),
    );
}

#[test]
fn r21_what_is_read_over_in_chunks_is_bounded() {
    let many = "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n".repeat(400);
    refused(400, [chunked(&format!("1;{}\r\nx\r\n0\r\n\r\n", "x".repeat(17_000))), chunked(&many)]);
    refused(
        400,
        [
            chunked(&format!("0\r\nT: {}\r\n\r\n", "x".repeat(17_000))),
            chunked(&format!("0\r\n{}\r\n", "T: t\r\n".repeat(21))),
        ],
    );
    passed([chunked(&format!("0\r\n{}\r\n", "T: t\r\n".repeat(20)))]);
}

#[test]
fn r22_fields_are_names_and_values() {
    let with = |field: &str| get("GET / HTTP/1.1", &format!("{field}\r\n"));
    passed(["X: y", "X:", "X:y", "X: ü\ty", "!#$%&'*+-.^_`|~09: y", "X: \"(),/:;<=>?@[\\]{}"].map(with));
    refused(
        400,
        ["X: a\rb", "X: a\r", "X: a\nb", "X: a\0b", "X: a\x01b", "X: a\x0bb", "X: a\x1bb", "X: a\x7fb"]
            .map(with),
    );
    refused(400, ["X: a\r\n b", "X: a\r\n\tb", " X: a", "X : a", "X\t: a", "X y: a", "X", ": a"].map(with));
    for byte in b"\"(),/;<=>?@[\\]{}\x00\x1f\x7f\x80\xff" {
        let name = [b"GET / HTTP/1.1\r\nHost: a\r\nX", &[*byte][..], b"Y: z\r\n\r\n"].concat();
        refused(400, [name]);
    }
    refused(
        400,
        ["GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\n"],
    );
    refused(400, ["GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"]);
}

#[test]
fn r23_lines_are_a_method_a_target_and_a_version() {
    passed(
        [
            "GET /",
            "GET /a?b=c&d=[e]|`{}^",
            "GET /%zz{}|^",
            "BREW /",
            "OPTIONS *",
            "GET http://a/b?c",
            "GET HTTPS://a:1",
            "CONNECT a:80",
        ]
        .map(|line| get(&format!("{line} HTTP/1.1"), "")),
    );
    let lines = [
        "GET  /",
        "GET / ",
        " GET /",
        "GET\t/",
        "GET /a b",
        "GET /#a",
        "GET /é",
        "GET /\0",
        "GET /\x7f",
        "GET /\"",
        "GET /<",
        "GET /`",
    ];
    refused(400, lines.map(|line| get(&format!("{line} HTTP/1.1"), "")));
    let targets = [
        "*",
        "a",
        "!",
        "a:80",
        "",
        "http://",
        "http:///",
        "http://u@a/",
        "http://a b/",
        "ftp://a/",
        "http:/a",
        "a/b",
    ];
    refused(400, targets.map(|target| get(&format!("GET {target} HTTP/1.1"), "")));
    refused(
        400,
        ["CONNECT /", "CONNECT a", "CONNECT *", "POST *", "G@T /", "/", ""]
            .map(|line| get(&format!("{line} HTTP/1.1"), "")),
    );
    refused(
        400,
        ["http/1.1", "HTTP/1", "HTTP/1.10", "HTTPS/1.1", "HTTP/1.1 ", "HTTP/1,1", "HTTP/x.1", "HTTP 1.1"]
            .map(|version| get(&format!("GET / {version}"), "")),
    );
    refused(
        505,
        ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/01.1"].map(|version| get(&format!("GET / {version}"), "")),
    );
    refused(
        400,
        [
            "GET /\r\nHost: a\r\n\r\n",
            "GET\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\n",
            "\nGET / HTTP/1.1\r\n",
            "\rG",
            "\x16\x03\x01",
        ],
    );
    refused(
        505,
        ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"].iter().map(|preface| preface.replace("PRI *", "PRI /")),
    );
    passed([format!("\r\n{}", get("GET / HTTP/1.1", ""))]);
}

#[test]
fn r25_only_100_continue_can_be_expected() {
    passed(
        ["100-continue", "100-Continue"].map(|value| get("GET / HTTP/1.1", &format!("Expect: {value}\r\n"))),
    );
    refused(
        417,
        ["", "x", "100-continue, x", "100-continue\r\nExpect: 100-continue"]
            .map(|value| get("GET / HTTP/1.1", &format!("Expect: {value}\r\n"))),
    );
}

#[test]
fn r26_limits_are_exact() {
    let fields = |count: usize| get("GET / HTTP/1.1", &"X: y\r\n".repeat(count - 1));
    passed([fields(BOUNDS.fields)]);
    refused(431, [fields(BOUNDS.fields + 1)]);
    let filled = |bytes: usize| {
        get(
            "GET / HTTP/1.1",
            &format!("X: {}\r\n", "x".repeat(bytes - get("GET / HTTP/1.1", "X: \r\n").len())),
        )
    };
    passed([filled(BOUNDS.head)]);
    refused(431, [filled(BOUNDS.head + 1)]);
    let target = |bytes: usize| get(&format!("GET /{} HTTP/1.1", "x".repeat(bytes)), "");
    passed([target(BOUNDS.head - get("GET / HTTP/1.1", "").len())]);
    refused(414, [target(BOUNDS.head)]);
    // Nothing is waited for that cannot become right.
    refused(414, ["GET /".to_owned() + &"x".repeat(BOUNDS.head)]);
    refused(431, [get("GET / HTTP/1.1", "").trim_end().to_owned() + &"x".repeat(BOUNDS.head)]);
}

#[test]
fn r24_each_request_ends_where_it_says() {
    let sized = get("GET / HTTP/1.1", "Content-Length: 3\r\n") + "abc";
    let all =
        sized.clone() + &chunked("3\r\nabc\r\n0\r\nT: t\r\n\r\n") + &get("DELETE / HTTP/1.1", "") + &sized;
    assert_eq!(judge([all.as_bytes()]), (all.len(), 4, None));
    let wrong = all.clone() + "GET / HTTP/1.1\r\nHost : a\r\n\r\n" + &sized;
    assert_eq!(judge([wrong.as_bytes()]), (all.len(), 4, Some(400)), "what is before a fault is passed on");
    let smuggled = get("POST / HTTP/1.1", "Content-Length: 3\r\n") + "abc\r\n\r\n\r\n";
    assert_eq!(judge([smuggled.as_bytes()]).1, 1);
}
