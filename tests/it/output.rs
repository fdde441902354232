//! Lines 8 and 9: output is safe by default, pages have what pages need, and a response is built piece by piece.

use std::time::Duration;

use continuity::prelude::*;
use continuity::test::Browser;
use continuity::{Href, Json};

use crate::bare::{Bare, get};
use crate::flows::{Diary, counter, tally, with_diary};

const NASTY: &str = "<script>alert('x')</script> \"&\"";

#[tokio::test]
async fn line_08_text_is_escaped_wherever_it_stands() {
    async fn nasty(mut req: Request) -> Result<()> {
        let what: String = req.param("what")?;
        req.title(&what).print(&what).print(html! { p title=(what) { (what) } });
        req.choose(|c| html! { (c.link(&what, 1)) (c.button(&what, 2)) (c.form(|()| 3, |f| f.text(&what))) })
            .await?;
        Ok(())
    }
    let mut browser = Browser::new(nasty);
    browser.post("/", &[("what", NASTY)]).await.shows(NASTY);
    assert_eq!(browser.title(), NASTY);
    assert!(browser.links().iter().any(|link| link == NASTY));
    assert!(!browser.html().contains("<script"), "{}", browser.html());
    assert!(!browser.html().contains("title=\"<"), "{}", browser.html());
}

#[tokio::test]
async fn line_08_markup_is_what_is_marked_as_markup() {
    struct Star;
    impl Render for Star {
        fn render_to(&self, buffer: &mut String) {
            buffer.push_str("<em>*</em>");
        }
    }
    async fn raw(mut req: Request) -> Result<()> {
        req.print("<b>1</b>").print(PreEscaped("<b>2</b>")).print(html! { b { (3) } }).print(Star).print(4);
        Ok(())
    }
    let mut browser = Browser::new(raw);
    browser.get("/").await.shows("<b>1</b>23*4");
    assert!(browser.html().contains("&lt;b&gt;1&lt;/b&gt;<b>2</b><b>3</b><em>*</em>4"));
}

#[tokio::test]
async fn line_08_urls_and_script_data_of_others_are_harmless() {
    async fn links(mut req: Request) -> Result<()> {
        let (url, name): (String, String) = (req.param("url")?, req.param("name")?);
        req.print(html! { a href=(Href(&url)) { "there" } script { "let name = " (Json(&name)) ";" } });
        Ok(())
    }
    let mut browser = Browser::new(links);
    browser.post("/", &[("url", " java\tscript:alert(1)"), ("name", "</script><script>x")]).await;
    assert_eq!(browser.href("there"), "about:invalid");
    assert_eq!(browser.html().matches("</script>").count(), 1);
    browser.post("/", &[("url", "/ok?a=1&b=2"), ("name", "x")]).await;
    assert_eq!(browser.href("there"), "/ok?a=1&b=2");
}

#[tokio::test]
async fn line_08_pages_get_doctype_charset_and_viewport() {
    let mut browser = Browser::new(tally);
    browser.get("/").await;
    let page = browser.html().to_lowercase();
    assert!(page.starts_with("<!doctype html>"), "{page}");
    assert!(page.contains("<meta charset=\"utf-8\">") && page.contains("name=\"viewport\""), "{page}");
    assert!(page.ends_with("</body></html>"), "{page}");
    assert_eq!(browser.header_value("content-type").as_deref(), Some("text/html; charset=utf-8"));
    assert_eq!(browser.header_value("x-content-type-options").as_deref(), Some("nosniff"));
}

#[tokio::test]
async fn line_08_the_layout_is_the_servers() {
    async fn titled(mut req: Request) -> Result<()> {
        match &*req.path() {
            "/whole" => req.print(PreEscaped("<!DOCTYPE html><html><body>All mine</body></html>")),
            "/untitled" => req.print("Text"),
            _ => req.title("A & B").print("Text"),
        };
        Ok(())
    }
    let server = Server::new(titled).mount("/shop", titled).layout(|page| {
        html! { title { (page.title().unwrap_or("No title")) } header { "House" (page.mount()) } main { (page.body()) } footer { "Feet" } }
    });
    let mut browser = Browser::of(server);
    browser.get("/").await.shows("House\nText\nFeet");
    assert_eq!(browser.title(), "A & B");
    browser.get("/shop/untitled").await.shows("House/shop\nText\nFeet");
    assert_eq!(browser.title(), "No title");
    browser.get("/whole").await.shows("All mine").shows_not("House");
}

#[tokio::test]
async fn line_08_pages_are_private_and_asked_for_again() {
    let mut browser = Browser::new(counter);
    browser.get("/").await;
    for _ in 0..2 {
        browser.get("/").await;
        assert_eq!(browser.header_value("cache-control").as_deref(), Some("private, no-cache"));
    }
}

#[tokio::test]
async fn line_08_a_sensitive_page_is_stored_nowhere() {
    async fn account(mut req: Request) -> Result<()> {
        req.sensitive().print("Balance: 1000 ");
        req.choose(|c| html! { "Account " (c.link("Leave", ())) }).await?;
        req.choose(|c| html! { "Outside " (c.link("Look", ())) }).await?;
        req.sensitive().print("Last look");
        req.next().await?;
        req.print("Bye");
        Ok(())
    }
    let mut browser = Browser::new(account);
    let stored = |browser: &Browser| browser.header_value("cache-control").expect("it is always said");
    browser.get("/").await.shows("Balance: 1000 Account");
    assert_eq!(stored(&browser), "no-store");
    browser.reload().await.shows("Balance: 1000 Account");
    assert_eq!(stored(&browser), "no-store", "drawn again it is the same page");
    browser.follow("Leave").await.shows("Outside").shows_not("Balance");
    assert_eq!(stored(&browser), "private, no-cache");
    browser.follow("Look").await.shows("Last look");
    assert_eq!(stored(&browser), "no-store");
    browser.reload().await.shows("Last look");
    assert_eq!(stored(&browser), "no-store", "a repeat is the same page");
}

#[tokio::test]
async fn line_08_error_expired_and_notice_pages_are_replaceable() {
    async fn flow(mut req: Request) -> Result<()> {
        for page in 1..3 {
            req.choose(|c| html! { "Page " (page) " " (c.link("on", 1)) " " (c.link("other", 2)) }).await?;
        }
        let number: u8 = req.param("number")?;
        req.print(number);
        Ok(())
    }
    let pages = Pages::default()
        .error(|problem| html! { "Oh dear, " (problem.status.as_u16()) ": " (problem.message) })
        .expired(|start| html! { "Long gone. " a href=(start) { "Afresh" } })
        .notice(|_| html! { "You were here before. " });
    let mut browser = Browser::of(Server::new(flow).pages(pages));
    browser.get("/").await.follow("on").await;
    browser.back().await.follow("other").await.shows("Page 2");
    browser.reload().await.shows("You were here before. Page 2");
    browser.follow("on").await.status(400).shows("Oh dear, 400:");
    browser.back().await.follow("other").await.status(410).shows("Long gone.");
    browser.follow("Afresh").await.shows("Page 1");
}

#[tokio::test]
async fn line_08_a_replaced_page_that_panics_costs_nobody_an_answer() {
    let pages =
        Pages::default().error(|_| panic!("in the error page")).expired(|_| panic!("in the expired page"));
    let server = Server::new(async |_: Request| Err::<(), BoxError>("broken".into()))
        .pages(pages)
        .layout(|_| panic!("in the layout"));
    let mut browser = Browser::of(server);
    browser.get("/").await.status(500).shows("500").shows_not("broken");
    browser.get("/?_t=00").await.status(410);
    assert_eq!(browser.links(), ["Start again"]);
}

#[tokio::test]
async fn line_09_print_adds_and_show_replaces() {
    async fn draft(mut req: Request) -> Result<()> {
        req.print("one ").print("two ");
        req.next().await?;
        req.print("three ").show("four ").print("five");
        req.next().await?;
        req.show("six ").show("seven");
        Ok(())
    }
    let mut browser = Browser::new(draft);
    browser.get("/").await;
    assert_eq!(browser.text(), "one two");
    browser.get("/").await;
    assert_eq!(browser.text(), "four five");
    browser.get("/").await;
    assert_eq!(browser.text(), "seven");
}

#[tokio::test]
async fn line_09_status_headers_and_redirects_belong_to_this_response() {
    async fn states(mut req: Request) -> Result<()> {
        req.set_status(201)?.set_header("x-mine", "1")?.print("made");
        req.next().await?;
        req.print("forgotten").redirect("/there?x=1")?;
        req.next().await?;
        req.print(html! { "At " (req.uri()) });
        req.next().await?;
        req.send("application/json", "{}")?;
        Ok(())
    }
    let mut browser = Browser::new(states);
    browser.get("/").await.status(201).shows("made");
    assert_eq!(browser.header_value("x-mine").as_deref(), Some("1"));
    browser.get("/").await.status(200).shows("At /there?x=1").shows_not("forgotten");
    assert_eq!((browser.url().as_str(), browser.header_value("x-mine")), ("/there?x=1", None));
    browser.get("/").await;
    assert_eq!(
        (browser.html(), browser.header_value("content-type").as_deref()),
        ("{}", Some("application/json"))
    );
}

#[tokio::test]
async fn line_09_a_redirect_is_a_303_that_keeps_its_cookies() {
    let bare = Bare::start(Server::new(async |mut req: Request| {
        req.set_cookie("colour", "red")?.redirect("/done")?;
        Ok::<_, BoxError>(())
    }))
    .await;
    let answer = bare.ask(get("/", &[])).await;
    assert_eq!((answer.status, answer.header("location"), &*answer.body), (303, "/done", ""));
    assert!(
        answer.cookies().iter().any(|cookie| cookie.starts_with("colour=red;")),
        "{:?}",
        answer.cookies()
    );
}

/// Tries what belongs to a response when there is none, and when its head is gone.
async fn out_of_time(mut req: Request) -> Result<()> {
    req.print("first");
    tokio::select! {
        hit = req.next() => drop(hit?),
        () = tokio::time::sleep(Duration::from_secs(1)) => {}
    }
    let between = errors(&mut req);
    req.print("kept for the next ");
    req.next().await?;
    req.set_status(203)?.print(html! { @for error in between { p { (error) } } });
    req.flush().await?;
    for error in errors(&mut req) {
        req.print(html! { p { (error) } });
    }
    Ok(())
}

fn errors(req: &mut Request) -> Vec<String> {
    let tried = [
        req.set_status(200).err(),
        req.redirect("/").err(),
        req.set_header("x-a", "1").err(),
        req.set_cookie("a", "1").err(),
        req.send("text/plain", "x").err(),
    ];
    tried
        .into_iter()
        .map(|error| error.map_or_else(|| "no error".into(), |error| error.to_string()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn line_09_status_and_redirect_are_errors_between_hits_and_after_flush() {
    let mut browser = Browser::new(out_of_time);
    browser.get("/").await.shows("first");
    browser.wait(Duration::from_secs(2)).await;
    browser.get("/").await.status(203).shows("kept for the next").shows_not("no error");
    let text = browser.text();
    assert!(text.contains("set_status: there is no response between two hits"), "{text}");
    assert_eq!(text.matches("between two hits").count(), 5, "{text}");
    assert_eq!(text.matches("was sent by `flush`").count(), 5, "{text}");
}

#[tokio::test(start_paused = true)]
async fn line_09_flush_waits_for_a_client_that_is_slow_to_take_it() {
    async fn fountain(mut req: Request) -> Result<()> {
        let diary = req.app::<Diary>();
        for drop in 0..100 {
            req.print(html! { p { (drop) } });
            req.flush().await?;
            diary.note(drop);
        }
        Ok(())
    }
    let (mut browser, diary) = with_diary(fountain, |_| {});
    let mut stream = browser.open("/").await;
    browser.wait(Duration::from_secs(60)).await;
    let ahead = diary.lines().len();
    assert!((1..20).contains(&ahead), "{ahead} flushed and nothing taken");
    let rest = stream.rest().await;
    assert!(rest.contains("<p>0</p>") && rest.contains("<p>99</p>") && rest.ends_with("</html>"));
    assert_eq!(diary.lines().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn line_09_what_is_printed_between_hits_belongs_to_the_next_response() {
    async fn thinks(mut req: Request) -> Result<()> {
        for thought in 1.. {
            tokio::select! {
                hit = req.next() => drop(hit?.print("now ")),
                () = tokio::time::sleep(Duration::from_secs(10)) => {
                    req.print(html! { "thought " (thought) " " });
                    if thought == 3 {
                        req.show("forget it ").print("really ");
                    }
                }
            }
        }
        Ok(())
    }
    let mut browser = Browser::new(thinks);
    browser.get("/").await;
    browser.wait(Duration::from_secs(25)).await.get("/").await.shows("thought 1 thought 2 now");
    browser.wait(Duration::from_secs(1)).await.get("/").await.shows_not("thought").shows("now");

    let mut browser = Browser::new(thinks);
    browser.get("/").await;
    browser
        .wait(Duration::from_secs(35))
        .await
        .get("/")
        .await
        .shows("forget it really now")
        .shows_not("thought");
}
