//! Line 4: a panic or an error ends one session; the log has it once, the visitor a page that gives nothing away.

use continuity::prelude::*;
use continuity::test::Browser;

use crate::flows::tally;
use crate::log::Log;

#[derive(Debug)]
struct Sealed;

impl std::fmt::Display for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the vault 4711 is open")
    }
}

impl std::error::Error for Sealed {}

/// Fails in its third step, in the way the visitor asks for.
async fn fragile(mut req: Request) -> Result<()> {
    req.choose(|c| html! { "One " (c.link("on", ())) }).await?;
    let how: u8 =
        req.choose(|c| html! { "Two " (c.link("panic", 0)) (c.link("fail", 1)) (c.link("page", 2)) }).await?;
    match how {
        0 => panic!("the vault 4711 is open"),
        1 => Err(Sealed.into()),
        _ => req
            .choose(|c| html! { ({ assert!(req_is_fine(), "the vault 4711 is open"); c.link("on", ()) }) })
            .await
            .map_err(Into::into),
    }
}

fn req_is_fine() -> bool {
    std::hint::black_box(false)
}

async fn fails(how: &str) {
    let log = Log::listen();
    let mut ada = Browser::of(Server::new(fragile).mount("/tally", tally));
    let mut bob = ada.other();
    ada.get("/tally").await;
    bob.get("/").await.follow("on").await;
    ada.get("/").await.follow("on").await.follow(how).await.status(500);

    for secret in ["vault", "4711", "Sealed", "panic", "failing.rs"] {
        assert!(!ada.html().contains(secret), "{}", ada.html());
    }
    let errors = log.errors();
    assert_eq!(errors.len(), 1, "logged once: {errors:?}");
    let entry = &errors[0];
    ada.shows(entry.says("id"));
    assert_eq!(entry.says("id").len(), 8);
    assert_eq!(entry.says("step"), "3");
    assert!(entry.says("place").contains("failing.rs:"), "{entry:?}");
    assert!(entry.says("error").contains("the vault 4711 is open"), "{entry:?}");

    ada.follow("Start again").await.shows("One");
    ada.get("/tally").await.shows("Hit 2");
    bob.follow("fail").await.status(500);
}

#[tokio::test]
async fn line_04_a_panic_touches_this_session_alone_and_is_logged_once_with_its_step() {
    fails("panic").await;
}

#[tokio::test]
async fn line_04_an_error_touches_this_session_alone_and_is_logged_once_with_its_step() {
    fails("fail").await;
}

#[tokio::test]
async fn line_04_a_page_that_panics_touches_this_session_alone_and_is_logged_once_with_its_step() {
    fails("page").await;
}

#[tokio::test]
async fn line_04_a_page_that_panics_when_it_is_drawn_again_answers_the_hit() {
    use std::sync::atomic::{AtomicU32, Ordering};
    async fn twice(mut req: Request) -> Result<()> {
        let drawn = AtomicU32::new(0);
        let page = |c: &Choices<'_, ()>| {
            assert_eq!(drawn.fetch_add(1, Ordering::Relaxed), 0, "drawn again");
            html! { "Page " (c.link("on", ())) }
        };
        Ok(req.choose(page).await?)
    }
    let mut browser = Browser::new(twice);
    browser.get("/").await.shows("Page");
    browser.reload().await.status(500).shows_not("drawn again");
    browser.get("/").await.shows("Page");
}

#[tokio::test]
async fn line_04_a_panic_before_the_first_page_and_in_a_destructor_are_the_sessions_own() {
    struct Rude;
    impl Drop for Rude {
        fn drop(&mut self) {
            panic!("on leaving");
        }
    }
    async fn rude(req: Request) -> Result<()> {
        let _rude = (req.path() == "/rude").then_some(Rude);
        match &*req.path() {
            "/rude" => std::future::pending().await,
            path => panic!("at {path}"),
        }
    }
    let mut browser =
        Browser::of(Server::new(rude).mount("/tally", tally).limits(|limits| limits.newborns = 1));
    browser.get("/now").await.status(500);
    let visit = tokio::spawn(browser.other().open("/rude"));
    tokio::task::yield_now().await;
    // One newborn more than there may be: the rude one is shed.
    browser.other().get("/tally").await.shows("Hit 1");
    assert_eq!(visit.await.expect("an answer all the same").status(), 503);
    browser.get("/tally").await.shows("Hit 1");
}

#[tokio::test]
async fn line_04_an_error_after_flush_ends_the_page_with_its_reference() {
    async fn half(mut req: Request) -> Result<()> {
        req.print("First half. ");
        req.flush().await?;
        Err(Sealed.into())
    }
    let log = Log::listen();
    let mut browser = Browser::new(half);
    browser.get("/").await.status(200).shows("First half.").shows_not("vault");
    browser.shows(log.errors()[0].says("id"));
    assert!(browser.html().ends_with("</html>"));
}

#[tokio::test]
async fn line_04_bad_input_is_a_400_that_names_the_field() {
    async fn double(mut req: Request) -> Result<()> {
        req.print(html! { form { input name="num"; } });
        let number: i64 = req.next().await?.param("num")?;
        req.print(html! { "Twice is " (number * 2) });
        Ok(())
    }
    let log = Log::listen();
    let mut browser = Browser::new(double);
    for (sent, said) in [
        ("abc", "`num` is not a whole number"),
        ("<b>", "<b>"),
        ("", "`num`"),
        ("99999999999999999999", "`num`"),
    ] {
        browser.get("/").await.fill("num", sent).submit().await.status(400).shows(said);
        assert!(!browser.html().contains("<b>"), "what was sent is shown as text");
    }
    browser.get("/").await;
    browser.get("/?other=1").await.status(400).shows("`num` is missing");
    browser.get("/").await.fill("num", 21).submit().await.shows("Twice is 42");
    assert_eq!(log.errors().len(), 0, "a visitor's mistake is no error of the program");
}

#[tokio::test]
async fn line_04_a_struct_that_does_not_fit_names_the_field() {
    #[derive(Deserialize)]
    struct Order {
        pieces: u32,
        #[serde(default)]
        colours: Vec<String>,
    }
    async fn order(mut req: Request) -> Result<()> {
        let order: Order = req.decode()?;
        req.print(html! { (order.pieces) " in " (order.colours.join("+")) });
        Ok(())
    }
    let mut browser = Browser::new(order);
    browser.get("/?pieces=many").await.status(400).shows("`pieces`");
    browser.get("/?piece=1").await.status(400).shows("`pieces` is missing");
    browser.get("/?pieces=2&colours=red&colours=blue").await.shows("2 in red+blue");
}

#[tokio::test]
async fn line_04_inside_ask_the_visitor_can_try_again() {
    #[derive(Deserialize)]
    struct Guess {
        number: u8,
    }
    async fn guess(mut req: Request) -> Result<()> {
        let Guess { number } = req.ask(|f| html! { (f.number("number")) button { "Guess" } }).await?;
        req.print(html! { "You said " (number) });
        Ok(())
    }
    let mut browser = Browser::new(guess);
    browser.get("/").await.fill("number", "<i>x").unchecked().submit().await.status(422).shows("Number");
    assert_eq!(browser.value("number"), "<i>x", "what they wrote is still there");
    browser.fill("number", "7").submit().await.status(200).shows("You said 7");
}
