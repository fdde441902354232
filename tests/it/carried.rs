//! The token among the parameters of a hit: found in whatever way clients write it, and told from what only has its name.

use bytes::Bytes;
use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;

use crate::bare::{Bare, Seen, get, request};
use crate::journal::{bytes_of, has};

/// Counts what a printed form sends, and tells what came.
async fn prints(mut req: Request) -> Result<()> {
    for hit in 1.. {
        let name: String = req.param::<Option<_>>("name")?.unwrap_or_default();
        let others: Vec<_> = req.params().into_iter().filter(|(key, _)| key != "name").collect();
        req.print(html! {
            "Hit " (hit) " name=" (name) " others=" (format!("{others:?}")) " body=" (req.body().len())
            form method="post" { input name="name"; }
        });
        req.next().await?;
    }
    Ok(())
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

async fn asks(mut req: Request) -> Result<()> {
    loop {
        let Named { name } = req.ask(|f| html! { (f.text("name")) button { "Send" } }).await?;
        req.inform(html! { "Hello, " (name) }).await?;
    }
}

/// The token that the page's form carries.
fn token(page: &Seen) -> String {
    let (_, rest) = page.body.split_once("name=\"_t\" value=\"").unwrap_or_else(|| panic!("{}", page.body));
    rest.split('"').next().expect("it ends").to_owned()
}

/// A form with these bytes, of the visitor with this cookie.
async fn send(bare: &Bare, cookie: &str, form: &[u8]) -> Seen {
    let fields = [("cookie", cookie), ("content-type", "application/x-www-form-urlencoded")];
    bare.ask(request("POST", "/", &fields, "").map(|_| Bytes::copy_from_slice(form))).await
}

async fn first(flow: impl Into<Flow>) -> (Bare, String, String) {
    let bare = Bare::start(Server::new(flow)).await;
    let page = bare.ask(get("/", &[])).await;
    (bare, page.cookie().expect("an id"), token(&page))
}

#[tokio::test]
async fn a_printed_form_that_is_sent_twice_counts_once_whatever_bytes_are_in_it() {
    for form in [
        &b"_t=TOKEN&name=J\xf6rg"[..],
        b"name=J\xf6rg&_t=TOKEN",
        b"name=J\xf6rg&%5Ft=TOKEN",
        b"name=\xff&_%74=TOKEN&name=\xfe",
    ] {
        let (bare, cookie, token) = first(prints).await;
        let at = form.windows(5).position(|at| at == b"TOKEN").expect("one");
        let form = [&form[..at], token.as_bytes(), &form[at + 5..]].concat();
        for _ in 0..2 {
            let page = send(&bare, &cookie, &form).await;
            assert!(page.body.contains("Hit 2"), "{}: {}", form.escape_ascii(), page.body);
            assert!(page.body.contains("others=[] "), "the token is no parameter: {}", page.body);
        }
    }
}

#[tokio::test]
async fn what_is_asked_for_comes_whatever_bytes_are_in_it() {
    let (bare, cookie, token) = first(asks).await;
    let page = send(&bare, &cookie, &[b"name=J\xf6rg&_t=", token.as_bytes()].concat()).await;
    assert!(page.body.contains("Hello, J\u{fffd}rg"), "{}", page.body);
}

#[tokio::test]
async fn a_parameter_that_only_has_the_name_of_a_token_is_the_programs() {
    for url in ["/?_t=1700000000", "/?_t=", "/?_t=x&_t=y", "/?a=1&_t=here+", "/?%5Ft=1"] {
        let mut ada = Browser::new(prints);
        ada.get(url).await.status(200).shows("Hit 1").shows("_t");
        ada.get(url).await.status(200).shows("Hit 2").shows("_t");
        ada.fill("name", "Ada").submit().await.shows("Hit 3 name=Ada");
    }
    let mut ada = Browser::new(prints);
    ada.get("/?_t=1700000000").await.shows(r#"others=[("_t", "1700000000")]"#);
    ada.post("/", &[("_t", "1"), ("_t", "2")]).await.shows(r#"[("_t", "1"), ("_t", "2")]"#).shows("body=9");
}

#[tokio::test]
async fn a_cache_buster_beside_a_token_changes_nothing() {
    let (bare, cookie, token) = first(prints).await;
    let form = format!("_t=1700000000&_t={token}&name=Ada");
    for _ in 0..2 {
        let page = send(&bare, &cookie, form.as_bytes()).await;
        assert!(
            page.body.contains("Hit 2 name=Ada others=[(&quot;_t&quot;, &quot;1700000000&quot;)]"),
            "{}",
            page.body
        );
    }
}

#[tokio::test]
async fn a_token_of_a_session_that_is_over_is_still_one() {
    let (bare, ..) = first(prints).await;
    assert_eq!(bare.ask(get(&format!("/?_t={}", "0f".repeat(20)), &[])).await.status, 410);
    assert_eq!(bare.ask(get("/?_t=here", &[])).await.status, 410);
}

#[tokio::test]
async fn a_secret_beside_a_byte_that_is_no_text_is_in_no_journal() {
    async fn logs_in(mut req: Request) -> Result<()> {
        req.print(html! { form method="post" { input name="name"; input name="password"; } });
        req.next().await?;
        req.print(html! { "Known: " (req.param::<String>("name")?) });
        req.next().await?;
        Ok(())
    }
    let store = Memory::new();
    let server = Server::new(logs_in).secrets(["password"]).journal(store.clone());
    let bare = Bare::start(server).await;
    let page = bare.ask(get("/", &[])).await;
    let cookie = page.cookie().expect("an id");
    let form = [b"name=J\xf6rg&password=sesame-open&_t=", token(&page).as_bytes()].concat();
    let known = send(&bare, &cookie, &form).await;
    assert!(known.body.contains("Known: J"), "{}", known.body);
    bare.stop().await;
    let written = bytes_of(&store);
    assert!(has(&written, "J%EF%BF%BDrg") && !has(&written, "sesame"), "{}", written.escape_ascii());
}
