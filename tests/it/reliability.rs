//! What safe and reliable means here, as far as one server without a journal can promise it.

use std::collections::HashSet;
use std::time::Duration;

use continuity::prelude::*;
use continuity::test::Browser;
use http::StatusCode;

use crate::bare::{Bare, get, request};
use crate::flows::{Diary, at_once, counter, tally, with_diary};
use crate::log::Log;

#[tokio::test]
async fn r01_ids_have_at_least_128_bits_of_chance() {
    let bare = Bare::start(Server::new(tally).cookie("sid")).await;
    let mut ids = HashSet::new();
    // How often each of the 128 bits was set.
    let mut set = [0_u32; 128];
    for _ in 0..1000 {
        let cookie = bare.ask(get("/", &[])).await.cookie().expect("a first hit mints an id");
        let id = cookie.strip_prefix("sid=").expect("under the server's name").to_owned();
        let chance = u128::from_str_radix(&id[..32], 16).expect("hexadecimal digits");
        for (bit, count) in set.iter_mut().enumerate() {
            *count += u32::from(chance >> bit & 1 == 1);
        }
        assert!(ids.insert(id), "no id twice");
    }
    assert!(set.iter().all(|count| (400..600).contains(count)), "{set:?}");
}

#[tokio::test]
async fn r02_no_session_starts_under_an_id_that_a_client_chose() {
    let bare = Bare::start(Server::new(tally).cookie("sid")).await;
    let known = bare.ask(get("/", &[])).await.cookie().expect("an id");
    let id = &known["sid=".len()..];
    let upper = id.to_uppercase();
    for chosen in
        ["", "admin", &"a".repeat(48), &"a".repeat(4000), &format!("\"{id}\""), &id[..47], &upper[..40]]
    {
        let field = format!("sid={chosen}");
        let first = bare.ask(get("/", &[("cookie", &field)])).await;
        let fresh = first.cookie().unwrap_or_else(|| panic!("{chosen}: they get an id of ours"));
        assert!(first.body.contains("Hit 1") && fresh != field, "{chosen}");
        assert!(bare.ask(get("/", &[("cookie", &fresh)])).await.body.contains("Hit 2"), "{chosen}");
    }
}

#[tokio::test]
async fn r03_a_tossed_cookie_does_not_win_by_its_place() {
    let bare = Bare::start(Server::new(tally).cookie("sid")).await;
    let other = Bare::start(Server::new(tally).cookie("sid")).await;
    let mine = bare.ask(get("/", &[])).await.cookie().expect("an id");
    let tossed = other.ask(get("/", &[])).await.cookie().expect("an id");
    for (hit, cookies) in
        [format!("{tossed}; {mine}"), format!("{mine}; {tossed}"), format!("{tossed}; x=1; {tossed}; {mine}")]
            .iter()
            .enumerate()
    {
        let page = bare.ask(get("/", &[("cookie", cookies)])).await;
        assert!(page.body.contains(&format!("Hit {}", hit + 2)), "{}", page.body);
    }
    let two_fields = bare.ask(get("/", &[("cookie", &tossed), ("cookie", &mine)])).await;
    assert!(two_fields.body.contains("Hit 5"));
}

#[tokio::test]
async fn r04_the_cookie_has_the_right_attributes() {
    let bare = Bare::start(Server::new(tally)).await;
    let first = bare.ask(get("/", &[])).await;
    let [cookie] = first.cookies()[..] else { panic!("one cookie: {:?}", first.cookies()) };
    let mut parts = cookie.split("; ");
    let pair = parts.next().expect("name and value");
    let attributes: HashSet<_> = parts.collect();
    // Over plain HTTP; `Secure` and `__Host-` come with TLS. No `Domain`, and gone with the browser.
    assert_eq!(attributes, HashSet::from(["Path=/", "HttpOnly", "SameSite=Lax"]));
    assert!(pair.len() <= 4096 && !pair.to_lowercase().starts_with("__host-"));
    let own = [("host", "x.test"), ("cookie", pair)];
    assert!(bare.ask(get("/", &own)).await.cookies().is_empty(), "it is told once");
}

#[tokio::test]
async fn r05_a_response_with_a_new_id_is_kept_by_the_visitors_browser_alone() {
    async fn public(mut req: Request) -> Result<()> {
        loop {
            if req.param::<Option<String>>("rotate")?.is_some() {
                req.rotate_id()?;
            }
            req.set_header("cache-control", "public, max-age=60")?.print("Hello");
            if req.path() == "/stream" {
                req.flush().await?;
            }
            req.next().await?;
        }
    }
    let bare = Bare::start(Server::new(public)).await;
    let first = bare.ask(get("/", &[])).await;
    assert_eq!(first.header("cache-control"), "private, no-cache", "whatever the program says");
    let cookie = first.cookie().expect("an id");
    let again = bare.ask(get("/", &[("cookie", &cookie)])).await;
    assert_eq!((again.cookie(), again.header("cache-control")), (None, "public, max-age=60"));
    let rotated = bare.ask(get("/?rotate=1", &[("cookie", &cookie)])).await;
    assert!(rotated.cookie().is_some_and(|fresh| fresh != cookie));
    assert_eq!(rotated.header("cache-control"), "private, no-cache");
    let streamed = bare.ask(get("/stream", &[])).await;
    assert!(streamed.cookie().is_some());
    assert_eq!(streamed.header("cache-control"), "private, no-cache");
}

#[tokio::test]
async fn r06_after_a_rotation_the_old_id_is_dead_for_hits_on_their_way() {
    async fn login(mut req: Request) -> Result<()> {
        for page in 0.. {
            req.print(html! { "Page " (page) });
            let rotate = req.next().await?.param::<Option<String>>("rotate")?.is_some();
            if rotate {
                req.rotate_id()?;
            }
        }
        Ok(())
    }
    let bare = Bare::start(Server::new(login).cookie("sid")).await;
    let old = bare.ask(get("/", &[])).await.cookie().expect("an id");
    let mut ids = HashSet::from([old.clone()]);
    let mut id = old;
    for page in 1..50 {
        let answer = bare.ask(get("/?rotate=1", &[("cookie", &id)])).await;
        assert!(answer.body.contains(&format!("Page {page}")));
        let late = bare.ask(get("/", &[("cookie", &id)])).await;
        assert!(late.body.contains("Page 0") && late.cookie().is_some_and(|fresh| fresh != id));
        id = answer.cookie().expect("a new id");
        assert!(ids.insert(id.clone()), "no id twice");
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn r08_an_idle_session_ends_by_the_servers_clock() {
    let mut browser = Browser::new(tally);
    browser.wait(MINUTE).await.get("/").await.get("/").await.shows("Hit 2");
    browser.wait(29 * MINUTE).await.get("/").await.shows("Hit 3");
    browser.wait(31 * MINUTE).await.get("/").await.shows("Hit 1");
}

#[tokio::test(start_paused = true)]
async fn r08_a_busy_session_ends_after_its_lifetime() {
    let mut browser = Browser::new(tally);
    browser.wait(MINUTE).await.get("/").await;
    // Every 10 minutes for all but the last of 24 hours.
    for hit in 2..=24 * 6 {
        browser.wait(10 * MINUTE).await.get("/").await.shows(&format!("Hit {hit}"));
    }
    browser.wait(11 * MINUTE).await.get("/").await.shows("Hit 1");
}

#[tokio::test(start_paused = true)]
async fn r09_a_session_is_told_first_and_stopped_then() {
    async fn clings(mut req: Request) -> Result<()> {
        let diary = req.app::<Diary>();
        let _end = diary.at_the_end("stopped");
        while req.next().await.is_ok() {}
        diary.note("told");
        std::future::pending().await
    }
    let (mut browser, diary) = with_diary(clings, |limits| limits.grace = Duration::from_secs(7));
    browser.wait(Duration::from_secs(5)).await;
    browser.get("/").await.get("/").await;
    browser.wait(Limits::default().idle + Duration::from_secs(2)).await;
    assert_eq!(diary.lines(), ["told"]);
    browser.wait(Duration::from_secs(8)).await;
    assert_eq!(diary.lines(), ["told", "stopped"]);
}

#[tokio::test(start_paused = true)]
async fn r10_of_many_hits_at_once_each_is_delivered_once_in_order() {
    async fn ledger(mut req: Request) -> Result<()> {
        loop {
            let number: String = req.next().await?.param("n")?;
            req.app::<Diary>().note(&number);
            if number.ends_with('7') {
                req.sleep(Duration::from_millis(3)).await;
            }
            req.content_type("text/plain")?.print(number);
        }
    }
    let (mut browser, diary) = with_diary(ledger, |limits| limits.queue = 1000);
    browser.get("/").await;
    let answers = at_once(&mut browser, (0..1000).map(|n| format!("/?n={n}"))).await;
    for (n, mut answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.rest().await, n.to_string());
    }
    assert_eq!(diary.lines(), (0..1000).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn r11_a_panic_or_an_error_ends_one_session_and_says_nothing() {
    async fn brittle(mut req: Request) -> Result<()> {
        for hit in 1.. {
            match req.param::<Option<String>>("break")?.as_deref() {
                Some("panic") => panic!("secret 4711"),
                Some("error") => return Err("secret 4711".into()),
                _ => req.print(html! { "Hit " (hit) }),
            };
            req.next().await?;
        }
        Ok(())
    }
    let mut ada = Browser::new(brittle);
    ada.get("/").await;
    let mut others: Vec<_> = (0..10).map(|_| ada.other()).collect();
    for (round, how) in ["panic", "error"].into_iter().enumerate() {
        for other in &mut others {
            other.get("/").await.shows(&format!("Hit {}", round + 1));
        }
        ada.get(&format!("/?break={how}")).await.status(500).shows_not("4711").shows_not(how);
        ada.get("/").await.status(200).shows("Hit 1");
    }
}

#[tokio::test]
async fn r12_a_flood_of_newcomers_stays_within_its_cap_and_leaves_the_established_alone() {
    let server = Server::new(counter).limits(|limits| limits.newborns = 200);
    let bare = Bare::start(server).await;
    let cookie = bare.ask(get("/", &[])).await.cookie().expect("an id");
    let own = [("cookie", &*cookie)];
    let page = bare.ask(get("/", &own)).await.body;
    let plus = page.split('"').find(|part| part.starts_with("?_t=")).expect("a link").to_owned();
    assert!(bare.ask(get(&format!("/{plus}"), &own)).await.body.contains("Count: 1"));
    let mut most = 0;
    for newcomer in 0..20_000 {
        let answer = bare.ask(get("/", &[])).await;
        assert!(answer.status == 200 || answer.status == 503 && !answer.header("retry-after").is_empty());
        most = most.max(bare.engine.sessions());
        if newcomer % 1000 == 0 {
            assert!(bare.ask(get("/", &own)).await.body.contains("Count: 1"));
        }
    }
    assert!(most <= 201, "{most} sessions at once");
    assert!(bare.ask(get("/", &own)).await.body.contains("Count: 1"));
}

#[tokio::test]
async fn r13_what_is_above_a_cap_is_refused_with_503() {
    let server = Server::new(Flow::new(tally).map(Map::by_cookie().path()));
    let server = server.limits(|limits| (limits.sessions_per_visitor, limits.newborns_per_address) = (2, 3));
    let bare = Bare::start(server).await;
    let far = "198.51.100.1:5000";
    let cookie = bare.ask_from(far, get("/1", &[])).await.cookie().expect("an id");
    let own = [("cookie", &*cookie)];
    let status =
        async |url: &'static str, fields: &[(&str, &str)]| bare.ask_from(far, get(url, fields)).await.status;
    assert_eq!(status("/2", &own).await, 200);
    assert_eq!(status("/3", &own).await, 503, "a third of one visitor");
    assert_eq!(status("/1", &[]).await, 200);
    assert_eq!(status("/1", &[]).await, 503, "a fourth newborn of one address");
    assert_eq!(status("/1", &own).await, 200, "who is inside stays inside");
}

#[tokio::test]
async fn r14_the_id_is_in_no_url_no_log_and_on_no_page() {
    async fn talkative(mut req: Request) -> Result<()> {
        req.choose(|c| html! { (c.link("on", ())) (c.button("press", ())) }).await?;
        if req.path() == "/fail" {
            return Err("broken".into());
        }
        req.print("Printed");
        req.next().await?;
        Ok(())
    }
    let log = Log::listen();
    let mut browser = Browser::new(talkative);
    browser.get("/").await;
    let id = browser.cookie("sid").expect("an id");
    let secret = &id[..16];
    let link = browser.href("on");
    let mut pages = vec![browser.html().to_owned()];
    for url in ["/x", &*format!("/{link}"), "/y"] {
        browser.get(url).await;
        pages.push(format!("{} {}", browser.url(), browser.html()));
    }
    browser.get("/z?_t=00").await;
    pages.push(browser.html().to_owned());
    browser.get("/z").await;
    let link = browser.href("on");
    browser.get(&format!("/fail{link}")).await.status(500);
    pages.push(browser.html().to_owned());
    assert!(pages.iter().all(|page| !page.contains(secret)), "{pages:?}");
    assert!(log.entries().len() >= 6, "there is a log to look at");
    assert!(!log.text().contains(secret), "{}", log.text());
    assert!(!log.text().contains(&link["?_t=".len()..]), "nor is a token");
}

#[tokio::test]
async fn r14_where_the_id_stands_in_the_url_the_server_warns_and_tells_no_other_site() {
    let log = Log::listen();
    let mut browser = Browser::new(Flow::new(counter).map(Map::by_param("who")));
    let warned = log.entries().iter().any(|entry| entry.says("message").contains("take the session over"));
    assert!(warned, "{:?}", log.entries());
    browser.get("/").await.follow("++").await.shows("Count: 1");
    assert_eq!(browser.header_value("referrer-policy").as_deref(), Some("no-referrer"));
}

#[tokio::test]
async fn r29_what_cannot_stand_in_a_head_is_an_error_at_the_call() {
    async fn injects(mut req: Request) -> Result<()> {
        let bad = "x\r\nset-cookie: a=1";
        let tried = [
            req.set_header("x-a", bad).is_err(),
            req.set_header(bad, "x").is_err(),
            req.set_header("x a", "x").is_err(),
            req.set_header("", "x").is_err(),
            req.set_header("x-a", "nul\0").is_err(),
            req.set_header("content-length", "3").is_err(),
            req.set_header("Transfer-Encoding", "chunked").is_err(),
            req.content_type(bad).is_err(),
            req.send("text/\nplain", "x").is_err(),
            req.redirect("/x\r\nset-cookie: a=1").is_err(),
            req.redirect("/x\0").is_err(),
            req.set_cookie("a", "1; Domain=evil.test").is_err(),
            req.set_cookie("a", "1\r\n").is_err(),
            req.set_cookie("a=b", "1").is_err(),
            req.set_cookie("", "1").is_err(),
            req.set_cookie("a", &"x".repeat(5000)).is_err(),
            req.set_cookie("sid", "mine").is_err(),
            req.add_cookie(Cookie::build(("a", "1")).path("/;x=1").build()).is_err(),
            req.set_status(99).is_err(),
            req.set_status(100).is_err(),
            req.set_status(1000).is_err(),
        ];
        assert!(tried.iter().all(|refused| *refused), "{tried:?}");
        req.set_header("x-good", "yes")?.set_cookie("good", "1")?.print("Clean");
        Ok(())
    }
    let bare = Bare::start(Server::new(injects).cookie("sid")).await;
    let answer = bare.ask(get("/", &[])).await;
    assert_eq!((answer.status, answer.header("x-good")), (200, "yes"), "{}", answer.body);
    assert_eq!(answer.cookies().iter().filter(|cookie| !cookie.starts_with("sid=")).count(), 1);
    assert!(!answer.headers.contains_key("x-a"));
}

#[tokio::test]
async fn r29_every_page_says_its_type_and_none_says_who_we_are() {
    let server = Server::new(tally).mount("/fail", async |_: Request| Err::<(), BoxError>("broken".into()));
    let bare = Bare::start(server).await;
    let hits = [
        get("/", &[]),
        get("/fail", &[]),
        get("/?_t=00", &[]),
        get("/favicon.ico", &[]),
        get("/", &[("purpose", "prefetch")]),
        request("POST", "/", &[("sec-fetch-site", "cross-site")], ""),
        get("/healthz", &[]),
    ];
    for hit in hits {
        let url = hit.uri().clone();
        let answer = bare.ask(hit).await;
        assert!(answer.header("content-type").ends_with("; charset=utf-8"), "{url}");
        assert!(url.path() == "/healthz" || answer.header("x-content-type-options") == "nosniff", "{url}");
        for name in ["server", "x-powered-by"] {
            assert!(!answer.headers.contains_key(name), "{url}: {name}");
        }
    }
    let options = bare.ask(request("OPTIONS", "/", &[], "")).await;
    assert_eq!(options.status, StatusCode::NO_CONTENT);
    assert!(!options.headers.contains_key("content-length"));
}

#[tokio::test]
async fn r44_a_post_from_another_site_is_refused_by_what_the_browser_says() {
    let mut ada = Browser::new(tally);
    ada.get("/").await.shows("Hit 1");
    ada.from_site("https://elsewhere.test").post("/", &[("a", "1")]).await.status(403).shows_not("Hit");
    // An old browser that says no more than `Origin`.
    let cookie = format!("sid={}", ada.cookie("sid").expect("an id"));
    for origin in
        ["https://elsewhere.test", "null", "http://test.invalid.elsewhere.test", "http://test.invalid:81"]
    {
        let fields = [("origin", origin), ("cookie", &*cookie), ("host", "test.invalid")];
        ada.send(request("POST", "/", &fields, "a=1")).await.status(403).shows_not("Hit");
    }
    ada.post("/", &[("a", "1")]).await.shows("Hit 2");
}

#[tokio::test]
async fn r49_redirects_stay_here() {
    async fn goes(mut req: Request) -> Result<()> {
        let to: String = req.param("to")?;
        match req.redirect(&to) {
            Ok(_) => {}
            Err(error) => drop(req.print(html! { "Refused: " (error) })),
        }
        Ok(())
    }
    let bare = Bare::start(Server::new(goes)).await;
    let go = async |to: &str| {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
        bare.ask(get(&format!("/?{query}"), &[])).await
    };
    for away in [
        "https://evil.test/",
        "//evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "javascript:alert(1)",
        "evil.test",
        "",
        " /x",
        "/\t/evil.test",
        "/x\\y",
    ] {
        let answer = go(away).await;
        assert!(answer.body.contains("Refused") && !answer.headers.contains_key("location"), "{away}");
    }
    for here in ["/", "/a/b?c=d#e", "?x=1"] {
        let answer = go(here).await;
        assert_eq!((answer.status, answer.header("location")), (303, here));
    }
}

#[tokio::test]
async fn r50_links_are_unguessable_and_a_double_submit_has_one_effect() {
    let first = Browser::new(counter);
    let mut links = HashSet::new();
    for _ in 0..100 {
        let mut visitor = first.other();
        visitor.get("/").await;
        assert!(links.insert(visitor.href("++")), "the same step of another session has another link");
    }
    let mut ada = first.other();
    ada.get("/").await;
    for link in &links {
        ada.get(link).await.shows("Count: 0");
    }
    let plus = format!("/{}", ada.href("++"));
    for mut answer in at_once(&mut ada, [plus.clone(), plus.clone(), plus]).await {
        assert!(answer.rest().await.contains("Count: 1"));
    }
    ada.get("/").await.shows("Count: 1");
}

#[tokio::test]
async fn r51_what_visitors_send_cannot_forge_a_line_of_the_log() {
    async fn repeats(req: Request) -> Result<()> {
        let what: String = req.param("what")?;
        match &*req.path() {
            "/panic" => panic!("{what}"),
            _ => Err(what.into()),
        }
    }
    let log = Log::listen();
    let mut browser = Browser::new(repeats);
    let nasty = "x\n2026-01-01 ERROR all is lost\r\x1b[31mred\u{9b}2J\u{7}\u{202e}";
    for path in ["/panic", "/error"] {
        browser.post(path, &[("what", nasty)]).await.status(500);
    }
    let errors = log.errors();
    assert_eq!(errors.len(), 2, "one line for each");
    for entry in errors {
        assert!(entry.says("error").contains("all is lost"));
        for (field, text) in &entry.fields {
            assert!(!text.chars().any(char::is_control), "{field}: {text:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r51_a_flood_of_failures_is_no_flood_of_lines() {
    let log = Log::listen();
    let mut browser = Browser::new(async |_: Request| Err::<(), BoxError>("broken".into()));
    browser.wait(Duration::from_millis(2500)).await;
    for _ in 0..1000 {
        browser.get("/").await.status(500);
    }
    browser.wait(Duration::from_secs(2)).await;
    let lines = log.errors().iter().filter(|entry| !entry.says("id").is_empty()).count();
    assert!((10..=200).contains(&lines), "{lines} lines");
    let counted: usize =
        log.errors().iter().filter_map(|entry| entry.says("count").parse::<usize>().ok()).sum();
    assert_eq!(lines + counted, 1000, "the rest is counted");
}
