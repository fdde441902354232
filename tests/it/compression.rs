//! Compression: for clients that ask, of pages that are whole, long, text, and no secret.

use std::io::Read;

use bytes::Bytes;
use continuity::prelude::*;
use http_body_util::BodyExt;

use crate::bare::{Bare, get};

/// What browsers send.
const ASKED: (&str, &str) = ("accept-encoding", "gzip, deflate, br, zstd");

struct Got {
    headers: http::HeaderMap,
    body: Bytes,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    fn is_plain(&self) -> bool {
        self.header("content-encoding").is_empty()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        match self.header("content-encoding") {
            "br" => {
                _ = brotli::Decompressor::new(&*self.body, 4096).read_to_string(&mut text).expect("brotli")
            }
            "zstd" => text = String::from_utf8(zstd::decode_all(&*self.body).expect("zstd")).expect("UTF-8"),
            "gzip" => _ = flate2::read::GzDecoder::new(&*self.body).read_to_string(&mut text).expect("gzip"),
            "" => text = String::from_utf8(self.body.to_vec()).expect("UTF-8"),
            other => panic!("{other} was not asked for"),
        }
        text
    }
}

async fn ask(bare: &Bare, url: &str, fields: &[(&str, &str)]) -> Got {
    let response = bare.engine.answer(get(url, fields), None).await;
    let (head, body) = response.into_parts();
    Got { headers: head.headers, body: body.collect().await.expect("a whole body").to_bytes() }
}

fn lines(bytes: usize) -> String {
    (0..)
        .map(|n| format!("Line {n}\n"))
        .scan(0, |sum, line| {
            *sum += line.len();
            (*sum < bytes).then_some(line)
        })
        .collect()
}

/// Pages of all kinds, by their path.
async fn kinds(mut req: Request) -> Result<()> {
    let long = lines(10_000);
    match &*req.path() {
        "/long" => drop(req.print(long)),
        "/short" => drop(req.print(lines(700))),
        "/large" => drop(req.print(lines(300_000))),
        "/late" => {
            req.sleep(std::time::Duration::from_millis(1)).await;
            req.print(lines(300_000));
        }
        "/stream" => req.print(long).flush().await?,
        "/sensitive" => drop(req.sensitive().print(long)),
        "/encoded" => drop(req.set_header("content-encoding", "x-mine")?.print(long)),
        "/as-it-is" => drop(req.set_header("cache-control", "private, No-Transform")?.print(long)),
        "/image" => drop(req.send("image/png", long)?),
        "/json" => drop(req.send("application/json", long)?),
        "/tag" => drop(req.set_header("etag", "\"strong\"")?.set_header("vary", "Cookie")?.print(long)),
        "/varies" => drop(req.set_header("vary", "Cookie, accept-encoding")?.print(long)),
        "/fail" => return Err(long.into()),
        other => panic!("{other}"),
    }
    Ok(())
}

#[tokio::test]
async fn pages_are_compressed_as_the_client_likes_best() {
    let bare = Bare::start(Server::new(kinds)).await;
    for path in ["/long", "/large", "/late", "/json", "/tag", "/varies"] {
        let plain = ask(&bare, path, &[]).await;
        assert!(plain.is_plain() && plain.text().contains("Line 500\n"), "{path}");
        assert!(
            plain
                .headers
                .get_all("vary")
                .iter()
                .any(|vary| vary.to_str().is_ok_and(|vary| vary.to_lowercase().contains("accept-encoding"))),
            "{path}: who did not ask is told too"
        );
        for (said, coding) in [
            ("gzip, deflate, br", "br"),
            ("gzip", "gzip"),
            ("gzip, zstd", "zstd"),
            ("br;q=0.1, gzip;q=0.2", "gzip"),
            ("identity", ""),
        ] {
            let got = ask(&bare, path, &[("accept-encoding", said)]).await;
            assert_eq!(got.header("content-encoding"), coding, "{path}: {said}");
            assert!(got.text() == plain.text(), "{path}: {said}");
            assert_eq!(
                got.headers.get_all("vary").iter().count(),
                plain.headers.get_all("vary").iter().count()
            );
            assert!(coding.is_empty() || got.body.len() * 2 < plain.body.len(), "{path}: {said}");
        }
    }
}

#[tokio::test]
async fn what_is_short_streamed_secret_encoded_or_no_text_is_left_as_it_is() {
    let bare = Bare::start(Server::new(kinds)).await;
    for path in ["/short", "/stream", "/sensitive", "/as-it-is", "/image", "/fail"] {
        let got = ask(&bare, path, &[ASKED]).await;
        assert!(got.is_plain() && !got.headers.contains_key("vary"), "{path}: {:?}", got.headers);
    }
    let encoded = ask(&bare, "/encoded", &[ASKED]).await;
    assert_eq!(encoded.header("content-encoding"), "x-mine");
    assert!(str::from_utf8(&encoded.body).is_ok_and(|text| text.contains("Line 500")));
    assert!(ask(&bare, "/healthz", &[ASKED]).await.is_plain());
}

#[tokio::test]
async fn a_tag_of_a_compressed_page_is_weak_and_what_varies_already_is_kept() {
    let bare = Bare::start(Server::new(kinds)).await;
    assert_eq!(ask(&bare, "/tag", &[]).await.header("etag"), "\"strong\"");
    let tagged = ask(&bare, "/tag", &[ASKED]).await;
    assert_eq!(tagged.header("etag"), "W/\"strong\"");
    let vary: Vec<_> = tagged.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["Cookie", "Accept-Encoding"]);
    assert_eq!(ask(&bare, "/varies", &[ASKED]).await.header("vary"), "Cookie, accept-encoding");
}

#[tokio::test]
async fn a_repeat_is_compressed_as_its_own_client_asks_and_a_sensitive_one_never() {
    async fn shop(mut req: Request) -> Result<()> {
        req.choose(|c| html! { (c.link("on", ())) }).await?;
        if req.path() == "/secret" {
            req.sensitive();
        }
        req.print(lines(10_000)).next().await?;
        Ok(())
    }
    for (path, first, second) in [("/", "br", "gzip"), ("/secret", "", "")] {
        let bare = Bare::start(Server::new(shop)).await;
        let page = ask(&bare, path, &[]).await;
        let cookie = page.header("set-cookie").split(';').next().expect("an id").to_owned();
        let link = page.text().split('"').find(|part| part.starts_with("?_t=")).expect("a link").to_owned();
        let url = format!("{path}{link}");
        for (said, coding) in [("br", first), ("gzip", second), ("identity", "")] {
            let got = ask(&bare, &url, &[("accept-encoding", said), ("cookie", &cookie)]).await;
            assert_eq!(got.header("content-encoding"), coding, "{path} {said}");
            assert!(got.text().contains("Line 500"), "{path} {said}");
        }
    }
}

#[tokio::test]
async fn compression_can_be_switched_off() {
    let bare = Bare::start(Server::new(kinds).compress(false)).await;
    let got = ask(&bare, "/long", &[ASKED]).await;
    assert!(got.is_plain() && !got.headers.contains_key("vary"));
}
