//! Line 7: only a visit counts, and whatever another site says, the visitor did not say it.

use std::time::Duration;

use continuity::prelude::*;
use continuity::test::Browser;

use crate::bare::{Bare, get, request};
use crate::flows::{counter, tally};

const ELSEWHERE: &str = "https://elsewhere.test";
const GOOGLE: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// Hits that are no visits: method, path, a header field, and the status of their answer.
const ASIDES: [(&str, &str, (&str, &str), u16); 17] = [
    ("HEAD", "/", ("accept", "*/*"), 200),
    ("OPTIONS", "/", ("accept", "*/*"), 204),
    ("GET", "/", ("sec-purpose", "prefetch"), 503),
    ("GET", "/", ("sec-purpose", "prefetch;prerender"), 503),
    ("GET", "/", ("purpose", "prefetch"), 503),
    ("GET", "/", ("x-moz", "prefetch"), 503),
    ("GET", "/a", ("sec-fetch-dest", "image"), 404),
    ("GET", "/a", ("sec-fetch-dest", "style"), 404),
    ("GET", "/a", ("sec-fetch-dest", "script"), 404),
    ("GET", "/a", ("sec-fetch-dest", "font"), 404),
    ("GET", "/a", ("sec-fetch-dest", "manifest"), 404),
    ("GET", "/favicon.ico", ("accept", "*/*"), 404),
    ("GET", "/robots.txt", ("accept", "*/*"), 404),
    ("GET", "/.well-known/security.txt", ("accept", "*/*"), 404),
    ("GET", "/healthz", ("accept", "*/*"), 200),
    ("TRACE", "/", ("accept", "*/*"), 405),
    ("CONNECT", "/", ("accept", "*/*"), 405),
];

#[tokio::test]
async fn line_07_what_is_no_visit_resumes_and_starts_nothing() {
    let bare = Bare::start(Server::new(tally)).await;
    let cookie = bare.ask(get("/", &[])).await.cookie().expect("a visitor has an id");
    for (method, path, field, status) in ASIDES {
        for fields in [&[field][..], &[field, ("cookie", &cookie)]] {
            let answer = bare.ask(request(method, path, fields, "")).await;
            assert_eq!(answer.status, status, "{method} {path} {field:?}");
            assert!(answer.cookies().is_empty() && !answer.body.contains("Hit"), "{method} {path} {field:?}");
        }
    }
    assert_eq!(bare.engine.sessions(), 1);
    assert!(bare.ask(get("/", &[("cookie", &cookie)])).await.body.contains("Hit 2"));
}

#[tokio::test(start_paused = true)]
async fn line_07_what_is_no_visit_prolongs_nothing() {
    let server = Server::new(tally).limits(|limits| limits.idle = Duration::from_secs(60));
    let bare = Bare::start(server).await;
    let cookie = bare.ask(get("/", &[])).await.cookie().expect("a visitor has an id");
    bare.ask(get("/", &[("cookie", &cookie)])).await;
    for _ in 0..7 {
        tokio::time::sleep(Duration::from_secs(9)).await;
        for (method, path, field, _) in ASIDES {
            bare.ask(request(method, path, &[field, ("cookie", &cookie)], "")).await;
        }
    }
    assert_eq!(bare.engine.sessions(), 0);
}

#[tokio::test]
async fn line_07_head_has_the_heads_of_a_page_and_options_says_what_there_is() {
    let bare = Bare::start(Server::new(tally)).await;
    let cookie = bare.ask(get("/", &[])).await.cookie().expect("an id");
    let page = bare.ask(get("/", &[("cookie", &cookie)])).await;
    let head = bare.ask(request("HEAD", "/", &[], "")).await;
    assert_eq!((head.status, &*head.body), (200, ""));
    for name in ["content-type", "cache-control", "x-content-type-options"] {
        assert_eq!(head.header(name), page.header(name), "{name}");
    }
    let options = bare.ask(request("OPTIONS", "/", &[], "")).await;
    assert_eq!((options.status, &*options.body), (204, ""));
    for method in ["GET", "HEAD", "POST", "OPTIONS"] {
        assert!(options.header("allow").contains(method), "{method}");
    }
    assert!(!bare.ask(get("/", &[("purpose", "prefetch")])).await.header("retry-after").contains('-'));
}

#[tokio::test]
async fn line_07_a_file_that_is_there_is_found() {
    let log = crate::log::Log::listen();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
    let bare = Bare::start(Server::new(tally).files(folder)).await;
    for field in [("sec-fetch-dest", "image"), ("sec-fetch-dest", "document"), ("user-agent", GOOGLE)] {
        let file = bare.ask(get("/main.rs", &[field])).await;
        assert!(file.status == 200 && file.body.contains("mod purpose;"), "{field:?}");
        assert_eq!(file.header("x-content-type-options"), "nosniff");
    }
    for missing in [
        "/favicon.ico",
        "/robots.txt",
        "/nothing.rs",
        "/../Cargo.toml",
        "/%2e%2e/%2e%2e/Cargo.toml",
        "/.gitignore",
    ] {
        assert_eq!(bare.ask(get(missing, &[])).await.status, 404, "{missing} {:?}", log.errors());
    }
    assert_eq!(bare.engine.sessions(), 0);
}

#[tokio::test]
async fn line_07_a_crawler_gets_a_first_page_from_a_session_that_is_not_kept() {
    let bare = Bare::start(Server::new(counter)).await;
    for agent in [
        GOOGLE,
        "Mozilla/5.0 (compatible; bingbot/2.0)",
        "DuckDuckBot/1.1",
        "Baiduspider",
        "facebookexternalhit/1.1",
    ] {
        let page = bare.ask(get("/", &[("user-agent", agent)])).await;
        assert!(page.status == 200 && page.body.contains("Count: 0"), "{agent}");
        assert!(page.cookies().is_empty(), "{agent}");
        assert_eq!(bare.engine.sessions(), 0, "{agent}");
    }
}

#[tokio::test]
async fn line_07_a_crawler_that_brings_a_made_up_cookie_resumes_nothing() {
    let bare = Bare::start(Server::new(tally)).await;
    let cookie = bare.ask(get("/", &[])).await.cookie().expect("a visitor has an id");
    let (name, id) = cookie.split_once('=').expect("a pair");
    let made_up = format!("{name}={}", id.chars().rev().collect::<String>());
    let crawled = bare.ask(get("/", &[("user-agent", GOOGLE), ("cookie", &made_up)])).await;
    assert!(crawled.body.contains("Hit 1") && crawled.cookies().is_empty(), "{}", crawled.body);
    assert!(bare.ask(get("/", &[("cookie", &cookie)])).await.body.contains("Hit 2"));
}

#[tokio::test]
async fn who_brings_an_id_of_ours_is_no_crawler_whatever_the_browser_is_called() {
    for map in [Map::by_cookie(), Map::by_param("who")] {
        let bare = Bare::start(Server::new(Flow::new(counter).map(map))).await;
        let first = bare.ask(get("/", &[])).await;
        let fields = [("user-agent", GOOGLE), ("cookie", &*first.cookie().unwrap_or_default())];
        let link = first.body.split("href=\"").nth(1).and_then(|rest| rest.split('"').next());
        let link = format!("/{}", link.expect("a link").replace("&amp;", "&"));
        let clicked = bare.ask(get(&link, &fields)).await;
        assert!(clicked.status == 200 && clicked.body.contains("Count: 1"), "{}", clicked.body);
        assert_eq!(bare.ask(get(&link, &fields[..1])).await.status == 200, link.contains("who="), "{link}");
        assert_eq!(bare.engine.sessions(), 1);
    }
}

#[tokio::test]
async fn where_a_header_names_the_visitors_a_crawler_is_still_one() {
    let bare = Bare::start(Server::new(Flow::new(tally).map(Map::by_header("x-machine")))).await;
    for _ in 0..2 {
        let page = bare.ask(get("/", &[("user-agent", GOOGLE), ("x-machine", "7")])).await;
        assert!(page.body.contains("Hit 1"), "{}", page.body);
    }
    assert_eq!(bare.engine.sessions(), 0);
}

#[tokio::test]
async fn a_phone_that_is_called_like_a_crawler_has_a_session() {
    let phone = "Mozilla/5.0 (Linux; Android 10; CUBOT_X30) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/110.0 \
                 Mobile Safari/537.36";
    let mut ada = Browser::new(counter);
    ada.header("user-agent", phone).get("/").await.follow("++").await.shows("Count: 1");
    assert_eq!(ada.sessions(), 1);
}

#[tokio::test(start_paused = true)]
async fn line_07_a_crawlers_session_runs_to_its_first_ask_and_ends() {
    let (browser, diary) = crate::flows::with_diary(
        async |mut req: Request| {
            let diary = req.app::<crate::flows::Diary>();
            let _gone = diary.at_the_end("gone");
            req.sleep(Duration::from_secs(1)).await;
            req.print("First page");
            req.next().await?;
            diary.note("resumed");
            Ok::<_, BoxError>(())
        },
        |_| {},
    );
    let mut robot = browser.other();
    robot.header("user-agent", GOOGLE).get("/").await.status(200).shows("First page");
    robot.wait(Duration::from_secs(1)).await;
    assert_eq!(diary.lines(), ["gone"]);
}

#[tokio::test]
async fn line_07_the_predicate_is_replaceable() {
    let flow = Flow::new(tally).purpose(|hit| match hit.path() {
        "/beat" => Purpose::Head,
        _ => Purpose::Visit,
    });
    let bare = Bare::start(Server::new(flow)).await;
    let cookie = bare.ask(get("/favicon.ico", &[])).await.cookie().expect("a visit by this predicate");
    assert_eq!(bare.ask(get("/beat", &[("cookie", &cookie)])).await.body, "");
    let robot = [("cookie", &*cookie), ("user-agent", GOOGLE), ("sec-fetch-site", "none")];
    assert!(bare.ask(get("/robots.txt", &robot)).await.body.contains("Hit 2"));
}

#[tokio::test]
async fn line_07_a_cross_site_get_redraws_the_current_page() {
    let mut ada = Browser::new(counter);
    ada.get("/").await.follow("++").await.shows("Count: 1");
    let plus = ada.href("++");
    ada.from_site(ELSEWHERE).get("/").await.shows("Count: 1");
    ada.from_site(ELSEWHERE).get(&plus).await.shows("Count: 1").shows_not("older page");
    ada.get(&plus).await.shows("Count: 2");
}

#[tokio::test]
async fn line_07_a_cross_site_get_to_a_printed_page_gets_one_link_to_go_on() {
    let mut ada = Browser::new(tally);
    ada.get("/").await.shows("Hit 1");
    ada.from_site(ELSEWHERE).get("/shop?pay=done").await.status(200).shows_not("Hit");
    assert_eq!(ada.links(), ["Go on"]);
    assert_eq!(ada.href("Go on"), "/shop");
    ada.follow("Go on").await.shows("Hit 2");
}

#[tokio::test]
async fn line_07_the_link_to_go_on_stays_here() {
    let bare = Bare::start(Server::new(tally)).await;
    let cookie = bare.ask(get("/", &[])).await.cookie().expect("a visitor has an id");
    let fields = [("cookie", &*cookie), ("sec-fetch-site", "cross-site")];
    for url in ["//evil.test/x", "///evil.test", "/\\evil.test"] {
        let Ok(uri) = url.parse::<http::Uri>() else { continue };
        let mut hit = get("/", &fields);
        *hit.uri_mut() = uri;
        let page = bare.ask(hit).await.body;
        let href = page.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
        assert!(href.starts_with('/') && !href.starts_with("//") && !href.starts_with("/\\"), "{href}");
    }
}

#[tokio::test]
async fn line_07_an_unsafe_cross_site_request_is_forbidden() {
    let bare = Bare::start(Server::new(tally)).await;
    let cookie = bare.ask(get("/", &[])).await.cookie().expect("a visitor has an id");
    let own = [("host", "shop.test"), ("cookie", &*cookie)];
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        for said in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", ELSEWHERE),
            ("origin", "null"),
        ] {
            for fields in [&[own[0], said][..], &[own[0], own[1], said]] {
                let answer = bare.ask(request(method, "/", fields, "a=1")).await;
                assert_eq!(answer.status, 403, "{method} {said:?}");
                assert!(answer.cookies().is_empty());
            }
        }
    }
    assert_eq!(bare.engine.sessions(), 1);
    let own_page = [own[0], own[1], ("origin", "http://shop.test"), ("sec-fetch-site", "same-origin")];
    assert!(bare.ask(request("POST", "/", &own_page, "a=1")).await.body.contains("Hit 2"));
}

#[tokio::test]
async fn line_07_a_cross_site_link_begins_a_session_for_who_has_none() {
    let mut ada = Browser::new(tally);
    ada.from_site(ELSEWHERE).get("/").await.shows("Hit 1");
    ada.get("/").await.shows("Hit 2");
}

#[tokio::test]
async fn line_07_a_cross_site_hit_is_no_answer_to_ask_or_confirm() {
    async fn transfer(mut req: Request) -> Result<()> {
        let amount: Amount =
            req.ask(|f| html! { "How much? " (f.number("amount")) button { "Send" } }).await?;
        let sure = req.confirm(html! { "Send " (amount.amount) "?" }).await?;
        req.print(html! { "Sent: " (sure) });
        Ok(())
    }
    #[derive(Deserialize)]
    struct Amount {
        amount: u32,
    }
    let mut ada = Browser::new(transfer);
    ada.get("/").await;
    let token = ada.value("_t");
    ada.from_site(ELSEWHERE).get(&format!("/?_t={token}&amount=1000")).await.shows("How much?");
    ada.fill("amount", 5).submit().await.shows("Send 5?");
    let yes = ada.href("Yes");
    ada.from_site(ELSEWHERE).get(&yes).await.shows("Send 5?");
    ada.follow("No").await.shows("Sent: false");
}
