//! Line 3: a function returns and its session is over; a client that goes away ends nothing.

use std::time::Duration;

use continuity::prelude::*;
use continuity::test::Browser;

use crate::flows::{Diary, tally, with_diary};

/// Asks once, says goodbye, and notes how often it did.
async fn goodbye(mut req: Request) -> Result<()> {
    let name: &str = req
        .choose(|c| html! { "Who? " (c.link("Ada", 1)) " " (c.link("Bob", 2)) })
        .await
        .map(|who| if who == 1 { "Ada" } else { "Bob" })?;
    req.app::<Diary>().note(name);
    req.print(html! { "Goodbye, " (name) });
    Ok(())
}

fn goodbyes() -> (Browser, Diary) {
    with_diary(goodbye, |_| {})
}

#[tokio::test]
async fn line_03_a_function_that_returns_ends_its_session() {
    async fn one_page(mut req: Request) -> Result<()> {
        req.print("Only page");
        req.app::<Diary>().note("run");
        Ok(())
    }
    let (mut browser, diary) = with_diary(one_page, |_| {});
    for runs in 1..=3 {
        browser.get("/").await.shows("Only page");
        assert_eq!(diary.lines().len(), runs, "each hit starts anew");
    }
}

#[tokio::test]
async fn line_03_a_hit_without_a_token_starts_anew() {
    let (mut browser, _) = goodbyes();
    browser.get("/").await.follow("Ada").await.shows("Goodbye, Ada");
    let id = browser.cookie("sid");
    browser.get("/").await.shows("Who?");
    browser.follow("Bob").await.shows("Goodbye, Bob");
    assert_eq!(browser.cookie("sid"), id, "they are the same visitor");
}

#[tokio::test]
async fn line_03_the_repeat_of_the_last_submit_gets_the_last_page() {
    let (mut browser, diary) = goodbyes();
    browser.get("/").await.follow("Ada").await;
    let (page, kind) = (browser.html().to_owned(), browser.header_value("content-type"));
    for _ in 0..3 {
        browser.reload().await.status(200).shows("Goodbye, Ada");
        assert_eq!((browser.html(), browser.header_value("content-type")), (&*page, kind.clone()));
    }
    assert_eq!(diary.lines(), ["Ada"], "it ran once");
}

#[tokio::test]
async fn line_03_other_old_tokens_get_a_page_that_says_so_with_a_way_on() {
    let (mut browser, diary) = goodbyes();
    browser.get("/shop").await.follow("Ada").await;
    browser.back().await.follow("Bob").await.status(410).shows("expired");
    browser.follow("Start again").await.shows("Who?");
    assert_eq!(browser.url(), "/shop", "it starts where they were");
    assert_eq!(diary.lines(), ["Ada"]);
}

#[tokio::test(start_paused = true)]
async fn line_03_after_it_has_lingered_the_last_page_is_gone() {
    let (mut browser, diary) = goodbyes();
    let linger = Limits::default().linger;
    browser.wait(Duration::from_secs(5)).await;
    browser.get("/").await.follow("Ada").await;
    browser.wait(linger - Duration::from_secs(10)).await.reload().await.shows("Goodbye, Ada");
    browser.wait(Duration::from_secs(20)).await.reload().await.status(410).shows_not("Goodbye");
    assert_eq!(diary.lines(), ["Ada"]);
    let old = browser.cookie("sid");
    browser.get("/").await.shows("Who?");
    assert_ne!(browser.cookie("sid"), old);
}

#[tokio::test]
async fn line_03_a_repeated_form_gets_the_last_page() {
    #[derive(Deserialize)]
    struct Order {
        pieces: u32,
    }
    async fn order(mut req: Request) -> Result<()> {
        let order: Order = req.ask(|f| html! { (f.number("pieces")) button { "Order" } }).await?;
        req.app::<Diary>().note(order.pieces);
        req.print(html! { "Ordered " (order.pieces) });
        Ok(())
    }
    let (mut browser, diary) = with_diary(order, |_| {});
    browser.get("/").await.fill("pieces", 3).submit().await.shows("Ordered 3");
    browser.resubmitting().reload().await.shows("Ordered 3");
    browser.back().await.fill("pieces", 4).submit().await.status(410).shows_not("Ordered");
    assert_eq!(diary.lines(), ["3"]);
}

#[tokio::test(start_paused = true)]
async fn line_03_a_client_that_goes_away_never_cancels_a_session() {
    async fn baker(mut req: Request) -> Result<()> {
        let diary = req.app::<Diary>();
        req.next().await?;
        for slice in ["one", "two", "three"] {
            req.sleep(Duration::from_secs(1)).await;
            diary.note(slice);
        }
        req.print("For nobody");
        req.next().await?;
        req.print(html! { "Baked " (diary.lines().len()) });
        Ok(())
    }
    let (mut browser, diary) = with_diary(baker, |_| {});
    browser.get("/").await;
    let visit = tokio::spawn(browser.open("/"));
    browser.wait(Duration::from_millis(1500)).await;
    assert_eq!(diary.lines(), ["one"]);
    visit.abort();
    assert!(visit.await.expect_err("they went away").is_cancelled());
    browser.wait(Duration::from_secs(5)).await;
    assert_eq!(diary.lines(), ["one", "two", "three"]);
    browser.get("/").await.shows("Baked 3").shows_not("nobody");
}

#[tokio::test(start_paused = true)]
async fn line_03_a_client_that_stops_reading_a_stream_cancels_nothing() {
    async fn stream(mut req: Request) -> Result<()> {
        for line in 0..100 {
            req.print(html! { p { (line) } });
            req.flush().await?;
            req.sleep(Duration::from_secs(1)).await;
        }
        req.app::<Diary>().note("all said");
        Ok(())
    }
    let (mut browser, diary) = with_diary(stream, |_| {});
    let mut page = browser.open("/").await;
    assert!(page.next_chunk().await.is_some_and(|chunk| chunk.contains("<p>0</p>")));
    drop(page);
    browser.wait(Duration::from_secs(101)).await;
    assert_eq!(diary.lines(), ["all said"]);
}

#[tokio::test(start_paused = true)]
async fn line_03_hits_that_wait_when_a_session_ends_start_anew() {
    async fn slow_goodbye(mut req: Request) -> Result<()> {
        req.print("Hello");
        req.next().await?;
        req.sleep(Duration::from_secs(1)).await;
        req.print("Goodbye");
        Ok(())
    }
    let mut browser = Browser::new(slow_goodbye);
    browser.get("/").await.shows("Hello");
    let first = tokio::spawn(browser.open("/"));
    let second = tokio::spawn(browser.open("/"));
    assert!(first.await.expect("a response").rest().await.contains("Goodbye"));
    assert!(second.await.expect("a response").rest().await.contains("Hello"));
    browser.get("/").await.shows("Goodbye");
}

#[tokio::test]
async fn line_03_the_sessions_of_others_go_on() {
    let server = Server::new(tally).mount("/bye", goodbye).app(Diary::default());
    let mut ada = Browser::of(server);
    let mut bob = ada.other();
    bob.get("/bye").await;
    ada.get("/").await.get("/bye").await.follow("Ada").await.shows("Goodbye, Ada");
    ada.get("/").await.shows("Hit 2");
    bob.follow("Bob").await.shows("Goodbye, Bob");
}
