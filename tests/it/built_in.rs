//! Pages that are not the program's: errors, refusals, notices, the expired page, the one to go on. All of them, and what
//! their heads say.

use continuity::prelude::*;
use http::StatusCode;

use crate::bare::{Bare, Seen, get, request};
use crate::flows::tally;

/// A page that was asked for: what it is, its status, and how it came.
type Got = (&'static str, u16, Seen);

const CROSS: (&str, &str) = ("sec-fetch-site", "cross-site");

/// A page that is chosen on, and a printed one after it.
async fn printed(mut req: Request) -> Result<()> {
    req.choose(|c| html! { (c.link("one", 1)) (c.link("two", 2)) }).await?;
    req.print("Printed").next().await?;
    Ok(())
}

async fn waits(_: Request) -> Result<()> {
    std::future::pending().await
}

fn flows() -> Server {
    Server::new(printed)
        .mount("/fail", async |_: Request| Err::<(), BoxError>("broken".into()))
        .mount("/input", async |req: Request| req.param::<i64>("n").map(drop))
        .mount("/wait", waits)
        .files(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it"))
}

/// Every page of ours.
async fn every_page(server: fn() -> Server) -> Vec<Got> {
    let mut pages = errors(server()).await;
    pages.extend(notices(server().limits(|limits| limits.kept_page = 0)).await);
    pages.extend(
        refusals(server().limits(|limits| (limits.newborns_per_address, limits.params) = (1, 5))).await,
    );
    pages.push(left_behind(server().limits(|limits| limits.newborns = 1)).await);
    pages
}

async fn errors(server: Server) -> Vec<Got> {
    let bare = Bare::start(server).await;
    vec![
        ("failed", 500, bare.ask(get("/fail", &[])).await),
        ("bad input", 400, bare.ask(get("/input?n=x", &[])).await),
        ("expired", 410, bare.ask(get("/?_t=00000000000000000000000000000000", &[])).await),
        ("nothing there", 404, bare.ask(get("/favicon.ico", &[("sec-fetch-dest", "image")])).await),
        ("no file", 404, bare.ask(get("/none.txt", &[])).await),
    ]
}

async fn notices(server: Server) -> Vec<Got> {
    let bare = Bare::start(server).await;
    let first = bare.ask(get("/", &[])).await;
    let cookie = first.cookie().expect("an id");
    let links: Vec<_> = first.body.split('"').filter(|part| part.starts_with("?_t=")).collect();
    let [one, two] = [links[0], links[1]].map(|link| format!("/{link}"));
    let own = ("cookie", &*cookie);
    assert!(bare.ask(get(&one, &[own])).await.body.contains("Printed"));
    vec![
        ("received", 200, bare.ask(get(&one, &[own])).await),
        ("outdated", 200, bare.ask(get(&two, &[own])).await),
        ("from elsewhere", 200, bare.ask(get("/", &[own, CROSS])).await),
    ]
}

async fn refusals(server: Server) -> Vec<Got> {
    let bare = Bare::start(server).await;
    let far = "192.0.2.1:1";
    assert_eq!(bare.ask_from(far, get("/", &[])).await.status, 200);
    let adapters = bare.engine.refusal(StatusCode::PAYLOAD_TOO_LARGE, "What was sent is too large.");
    vec![
        ("above a cap", 503, bare.ask_from(far, get("/", &[])).await),
        ("too many fields", 400, bare.ask(get("/?a=1&a=1&a=1&a=1&a=1&a=1", &[])).await),
        ("another site's form", 403, bare.ask(request("POST", "/", &[CROSS], "")).await),
        ("made ahead", 503, bare.ask(get("/", &[("purpose", "prefetch")])).await),
        ("no such method", 405, bare.ask(request("TRACE", "/", &[], "")).await),
        ("by the adapter", 413, Seen::of(adapters).await),
        ("health", 200, bare.ask(get("/healthz", &[])).await),
    ]
}

/// A hit whose session is gone before it answered: a newborn that was shed.
async fn left_behind(server: Server) -> Got {
    let bare = Bare::start(server).await;
    let first = bare.engine.answer(get("/wait", &[]), None);
    let second = bare.engine.answer(get("/wait", &[]), None);
    let seen = Seen::of(first.await).await;
    drop(second);
    ("left behind", 503, seen)
}

#[tokio::test]
async fn r49_every_page_of_ours_allows_nothing_and_frames_nowhere() {
    for (name, status, page) in every_page(flows).await {
        assert_eq!(page.status, status, "{name}: {}", page.body);
        let policy = page.header("content-security-policy");
        for wanted in
            ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]
        {
            assert!(policy.contains(wanted), "{name}: {policy:?}");
        }
        assert!(!policy.contains("unsafe-inline"), "{name}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{name}");
        assert_eq!(page.header("referrer-policy"), "same-origin", "{name}");
        assert_eq!(page.header("cross-origin-opener-policy"), "same-origin", "{name}");
        assert!(page.header("content-type").ends_with("; charset=utf-8"), "{name}");
        let stored = if status < 400 && name != "health" { "private, no-cache" } else { "no-store" };
        assert_eq!(page.header("cache-control"), stored, "{name}");
        assert!(!page.body.contains("<script") && !page.body.contains("style"), "{name}: {}", page.body);
        assert!(!page.body.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn r49_pages_that_are_replaced_have_the_programs_policy() {
    let layout = || flows().layout(|page| html! { style { "b{}" } (page.body()) });
    let pages = || flows().pages(Pages::default().notice(|_| html! { style { "b{}" } "Well" }));
    for (server, whose) in [(layout as fn() -> Server, "layout"), (pages, "pages")] {
        for (name, _, page) in every_page(server).await {
            // Two that are plain text are always ours.
            let ours = matches!(name, "health" | "left behind");
            assert_eq!(page.headers.contains_key("content-security-policy"), ours, "{whose}: {name}");
            assert_eq!(page.header("x-content-type-options"), "nosniff", "{whose}: {name}");
        }
    }
    let bare = Bare::start(Server::new(tally)).await;
    let page = bare.ask(get("/", &[])).await;
    assert!(!page.headers.contains_key("content-security-policy"), "a page of the program's is its own");
}
