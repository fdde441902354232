//! Behind a proxy that takes the beginning of the path off: what it says of it stands in all that leads back.

use continuity::prelude::*;

use crate::bare::{Bare, Seen, get, request};
use crate::flows::counter;

const PROXY: &str = "10.0.0.1:999";
const APP: (&str, &str) = ("x-forwarded-prefix", "/app");

async fn tells(mut req: Request) -> Result<()> {
    loop {
        let (path, mount, uri, prefix) = (req.path(), req.mount(), req.uri(), req.prefix());
        req.print(html! { "path=" (path) " mount=" (mount) " uri=" (uri) " prefix=" (prefix) });
        req.next().await?;
    }
}

async fn goes(mut req: Request) -> Result<()> {
    let home = req.mount();
    req.redirect(&format!("{home}/there"))?;
    Ok(())
}

async fn leaves(mut req: Request) -> Result<()> {
    req.print(req.return_url()?);
    Ok(())
}

async fn start(server: Server) -> Bare {
    Bare::start(server.cookie("sid").trust_proxies(["10.0.0.0/8"])).await
}

async fn ask(bare: &Bare, url: &str, fields: &[(&str, &str)]) -> Seen {
    bare.ask_from(PROXY, get(url, &[&[("host", "shop.test")], fields].concat())).await
}

#[tokio::test]
async fn what_a_trusted_proxy_took_off_stands_before_the_path_again() {
    let bare = start(Server::new(tells).mount("/shop", tells)).await;
    for (url, fields, seen) in [
        ("/x?y=1", &[APP][..], "path=/x mount=/app uri=/app/x?y=1 prefix=/app"),
        ("/", &[APP], "path=/ mount=/app uri=/app/ prefix=/app"),
        ("/shop/x", &[APP], "path=/x mount=/app/shop uri=/app/shop/x prefix=/app"),
        (
            "/shop/x",
            &[("x-forwarded-prefix", "/a/b/")],
            "path=/x mount=/a/b/shop uri=/a/b/shop/x prefix=/a/b",
        ),
        ("/shop/x", &[("x-forwarded-prefix", "//evil.test")], "path=/x mount=/shop uri=/shop/x prefix="),
        ("/shop/x", &[], "path=/x mount=/shop uri=/shop/x prefix="),
    ] {
        let page = ask(&bare, url, fields).await;
        assert!(page.body.contains(seen), "{url} {fields:?}: {}", page.body);
    }
    let stranger = bare.ask_from("192.0.2.9:1", get("/x", &[APP])).await;
    assert!(stranger.body.contains("path=/x mount= uri=/x"), "{}", stranger.body);
}

#[tokio::test]
async fn all_that_leads_back_leads_through_the_proxy() {
    let server = Server::new(counter).mount("/goes", goes).mount("/leaves", leaves).mount("/tells", tells);
    let bare = start(server).await;
    let expired = ask(&bare, &format!("/x?_t={}", "0f".repeat(20)), &[APP]).await;
    assert!(expired.status == 410 && expired.body.contains("href=\"/app/x\""), "{}", expired.body);
    let gone = ask(&bare, "/goes", &[APP]).await;
    assert_eq!((gone.status, gone.header("location")), (303, "/app/goes/there"));
    let back = ask(&bare, "/leaves", &[APP]).await;
    assert!(back.body.contains("http://shop.test/app/leaves?_r="), "{}", back.body);
    // A page of another site's is told of by a link of ours.
    let first = ask(&bare, "/tells", &[APP]).await;
    let cookie = first.cookie().expect("an id");
    let led = ask(&bare, "/tells/x?y", &[APP, ("cookie", &cookie), ("sec-fetch-site", "cross-site")]).await;
    assert!(led.body.contains("href=\"/app/tells/x\""), "{}", led.body);
}

#[tokio::test]
async fn a_session_behind_a_prefix_goes_on_with_and_without_a_journal() {
    for journal in [false, true] {
        let server = Server::new(tells).mount("/count", counter);
        let bare =
            start(if journal { server.journal(continuity::journal::Memory::new()) } else { server }).await;
        let first = ask(&bare, "/count", &[APP]).await;
        let cookie = first.cookie().expect("an id");
        assert!(first.cookies()[0].contains("Path=/;"), "{:?}", first.cookies());
        let link =
            first.body.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
        let next = ask(&bare, &format!("/count{link}"), &[APP, ("cookie", &cookie)]).await;
        assert!(next.body.contains("Count: 1"), "{}", next.body);
    }
}

#[tokio::test]
async fn the_root_of_the_server_is_no_prefix_of_its_own() {
    let bare = start(Server::new(tells)).await;
    for (method, url) in [("HEAD", "/"), ("OPTIONS", "/x"), ("GET", "/healthz")] {
        let seen = bare.ask_from(PROXY, request(method, url, &[APP], "")).await;
        assert!([200, 204].contains(&seen.status), "{method} {url}: {}", seen.status);
    }
}

#[cfg(feature = "files")]
#[tokio::test]
async fn a_folder_behind_a_prefix_is_shown_behind_a_slash() {
    let folder = crate::folder::Folder::new("prefixed");
    std::fs::create_dir(folder.0.join("docs")).expect("it can be made");
    std::fs::write(folder.0.join("docs/index.html"), "<p>Index</p>").expect("it can be written");
    let bare = start(Server::new(tells).files(continuity::Files::of(&folder.0).only(|_| true))).await;
    for (url, to) in [("/docs", "/app/docs/"), ("/docs?x=1", "/app/docs/?x=1")] {
        let seen = ask(&bare, url, &[APP]).await;
        assert_eq!((seen.status, seen.header("location")), (308, to));
    }
    assert!(ask(&bare, "/docs/", &[APP]).await.body.contains("Index"));
}
