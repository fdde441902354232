//! Line 5: sessions end in time. They are told, may clean up for a while, and are dropped then.

use std::time::Duration;

use continuity::prelude::*;
use continuity::test::Browser;

use crate::bare::{Bare, get};
use crate::flows::{Diary, with_diary};

const SECOND: Duration = Duration::from_secs(1);
/// The grain of all clocks, and what rounding may add.
const SLACK: Duration = Duration::from_secs(3);

fn short(limits: &mut Limits) {
    limits.newborn = 20 * SECOND;
    limits.idle = 60 * SECOND;
    limits.lifetime = 600 * SECOND;
    limits.grace = 5 * SECOND;
}

/// A visitor of a server that has run for a while, and the diary that the flow finds as its app state.
async fn visitor(flow: impl Into<Flow>) -> (Browser, Diary) {
    let (mut browser, diary) = with_diary(flow, short);
    browser.wait(5 * SECOND).await;
    (browser, diary)
}

/// Serves until it is told to end, then cleans up for as long as the first hit's path says.
async fn tidy(mut req: Request) -> Result<()> {
    let diary = req.app::<Diary>();
    let seconds: u32 = req.path()[1..].parse().unwrap_or(2);
    let _left = diary.at_the_end("left");
    req.print("Here");
    loop {
        match req.next().await {
            Ok(req) => req.print("Still here"),
            Err(error) => {
                assert!(error.is_closing() && !error.is_bad_input());
                diary.note("told");
                req.sleep(seconds * SECOND).await;
                diary.note("cleaned up");
                return Err(error.into());
            }
        };
    }
}

#[tokio::test(start_paused = true)]
async fn line_05_an_idle_session_is_told_and_may_await_while_it_cleans_up() {
    let (mut browser, diary) = visitor(tidy).await;
    browser.get("/").await.get("/").await.shows("Still here");
    browser.wait(59 * SECOND).await;
    assert!(diary.lines().is_empty());
    browser.wait(SLACK - SECOND).await;
    assert_eq!(diary.lines(), ["told"]);
    browser.wait(SLACK).await;
    assert_eq!(diary.lines(), ["told", "cleaned up", "left"]);
    browser.get("/").await.shows("Here").shows_not("Still");
}

#[tokio::test(start_paused = true)]
async fn line_05_a_session_that_takes_longer_than_its_grace_is_dropped() {
    let (mut browser, diary) = visitor(tidy).await;
    browser.get("/3600").await.get("/").await;
    browser.wait(60 * SECOND + SLACK).await;
    assert_eq!(diary.lines(), ["told"]);
    browser.wait(5 * SECOND + SLACK).await;
    assert_eq!(diary.lines(), ["told", "left"]);
}

#[tokio::test(start_paused = true)]
async fn line_05_idle_time_runs_from_the_last_hit() {
    let (mut browser, diary) = visitor(tidy).await;
    browser.get("/").await;
    browser.get("/").await;
    for _ in 0..5 {
        browser.wait(50 * SECOND).await.get("/").await.shows("Still here");
    }
    assert!(diary.lines().is_empty());
}

#[tokio::test(start_paused = true)]
async fn line_05_lifetime_ends_even_the_busiest() {
    let (mut browser, diary) = visitor(tidy).await;
    browser.get("/").await;
    for _ in 0..59 {
        browser.get("/").await.shows("Still here");
        browser.wait(10 * SECOND).await;
    }
    assert!(diary.lines().is_empty());
    browser.wait(10 * SECOND + SLACK + SLACK).await;
    assert_eq!(diary.lines(), ["told", "cleaned up", "left"]);
}

#[tokio::test(start_paused = true)]
async fn line_05_a_newborn_has_a_short_life() {
    let (mut browser, diary) = visitor(tidy).await;
    browser.get("/").await;
    browser.wait(19 * SECOND).await;
    assert!(diary.lines().is_empty());
    browser.wait(SLACK).await;
    assert_eq!(diary.lines().first().map(String::as_str), Some("told"));
    browser.get("/").await.shows("Here").shows_not("Still");
}

#[tokio::test(start_paused = true)]
async fn line_05_a_session_that_works_on_a_hit_is_not_idle() {
    async fn thorough(mut req: Request) -> Result<()> {
        let diary = req.app::<Diary>();
        let _left = diary.at_the_end("left");
        req.next().await?;
        req.sleep(110 * SECOND).await;
        req.print("Done");
        Ok(req.next().await.map(drop)?)
    }
    let (mut browser, diary) = visitor(thorough).await;
    browser.get("/").await;
    browser.get("/").await.shows("Done");
    assert!(diary.lines().is_empty());
    browser.wait(50 * SECOND).await;
    assert!(diary.lines().is_empty(), "time runs from the answer");
    browser.wait(10 * SECOND + SLACK).await;
    assert_eq!(diary.lines(), ["left"]);
}

#[tokio::test(start_paused = true)]
async fn line_05_after_it_was_told_a_verb_that_asks_for_a_hit_never_returns() {
    async fn deaf(mut req: Request) -> Result<()> {
        let diary = req.app::<Diary>();
        let how = req.path();
        let _left = diary.at_the_end("left");
        while req.next().await.is_ok() {}
        diary.note("told");
        match &*how {
            "/next" => drop(req.next().await),
            "/choose" => drop(req.choose(|c| html! { (c.link("on", ())) }).await),
            _ => drop::<Result<(), Error>>(req.ask(|f| html! { (f.text("x")) }).await),
        }
        diary.note("asked again");
        Ok(())
    }
    for how in ["/next", "/choose", "/ask"] {
        let (mut browser, diary) = visitor(deaf).await;
        browser.get(how).await.get("/").await;
        browser.wait(61 * SECOND + SLACK).await;
        assert_eq!(diary.lines(), ["told"], "{how}");
        browser.get("/").await;
        assert_eq!(diary.lines(), ["told"], "no hit reaches it any more");
        browser.wait(5 * SECOND + SLACK).await;
        assert_eq!(diary.lines(), ["told", "left"], "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn line_05_once_read_now_rng_and_sleep_work_until_grace_is_over() {
    async fn thorough(mut req: Request) -> Result<()> {
        let diary = req.app::<Diary>();
        while req.next().await.is_ok() {}
        let before = req.now();
        let after_a_second = async |value: u8| {
            tokio::time::sleep(SECOND).await;
            Ok::<_, Error>(value)
        };
        let read: u8 = req.read("a", async || after_a_second(1).await).await?;
        let done: u8 = req.once("b", &7, async |_key| after_a_second(2).await).await?;
        req.sleep(SECOND).await;
        let throw: u8 = req.rng().random_range(1..=6);
        diary.note(format!("{read} {done} {} {}", req.now() >= before, (1..=6).contains(&throw)));
        Ok(())
    }
    let (mut browser, diary) = visitor(thorough).await;
    browser.get("/").await.get("/").await;
    browser.wait(64 * SECOND + SLACK).await;
    assert_eq!(diary.lines(), ["1 2 true true"]);
}

#[tokio::test(start_paused = true)]
async fn line_05_a_session_is_told_at_its_next_ask_if_it_is_busy_elsewhere() {
    async fn dreamer(mut req: Request) -> Result<()> {
        let diary = req.app::<Diary>();
        req.next().await?;
        tokio::select! {
            hit = req.next() => drop(hit?),
            () = tokio::time::sleep(SECOND) => {}
        }
        // No hit in hand, and none asked for.
        tokio::time::sleep(62 * SECOND).await;
        diary.note("awake");
        let told = req.next().await.is_err_and(|error| error.is_closing());
        diary.note(told);
        Ok(())
    }
    let (mut browser, diary) = visitor(dreamer).await;
    browser.get("/").await.get("/").await;
    browser.wait(70 * SECOND).await;
    assert_eq!(diary.lines(), ["awake", "true"]);
}

#[tokio::test(start_paused = true)]
async fn line_05_what_comes_while_a_session_cleans_up_starts_anew_or_is_told_that_it_has_expired() {
    async fn keeper(mut req: Request) -> Result<()> {
        let error = loop {
            if let Err(error) = req.choose(|c| html! { "Shop " (c.link("Buy", ())) }).await {
                break error;
            }
        };
        req.sleep(4 * SECOND).await;
        Err(error.into())
    }
    let (mut browser, _) = visitor(keeper).await;
    browser.get("/").await.follow("Buy").await;
    browser.wait(60 * SECOND + SLACK).await;
    browser.follow("Buy").await.status(410).shows("expired");
    browser.follow("Start again").await.shows("Shop");
    browser.follow("Buy").await.status(200).shows("Shop");
}

#[tokio::test(start_paused = true)]
async fn line_05_closing_is_no_error_of_the_program() {
    let log = crate::log::Log::listen();
    let (mut browser, diary) = visitor(tidy).await;
    browser.get("/").await;
    browser.get("/").await;
    browser.wait(70 * SECOND).await;
    assert_eq!(diary.lines(), ["told", "cleaned up", "left"]);
    assert!(log.errors().is_empty(), "{:?}", log.errors());
}

#[tokio::test(start_paused = true)]
async fn line_05_a_server_that_stops_tells_its_sessions_and_waits_for_them() {
    let diary = Diary::default();
    let bare = Bare::start(Server::new(tidy).app(diary.clone()).limits(short)).await;
    assert_eq!(bare.ask(get("/2", &[])).await.status, 200);
    assert_eq!(bare.ask(get("/3600", &[])).await.status, 200);
    let start = tokio::time::Instant::now();
    bare.stop().await;
    assert_eq!(diary.lines(), ["told", "told", "cleaned up", "left", "left"]);
    assert!(start.elapsed() <= 5 * SECOND + SLACK);
}

#[tokio::test]
async fn line_05_drop_frees_a_session_where_it_stands() {
    let diary = Diary::default();
    let mut browser = Browser::of(Server::new(tidy).app(diary.clone()));
    browser.get("/").await.get("/").await;
    drop(browser);
    assert_eq!(diary.lines(), ["left"]);
}
