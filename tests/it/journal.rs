//! The journal, as visitors see it: nobody loses their place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use std::time::Duration;

use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;

use crate::examples::gallery::shelf::{addtwo, counter};

fn server(store: &Memory) -> Server {
    Server::new(counter::counter).journal(store.clone())
}

#[tokio::test]
async fn line_14_a_counter_goes_on_after_a_restart() {
    let store = Memory::new();
    let mut browser = Browser::of(server(&store));
    browser.get("/").await.shows("Count: 0");
    browser.follow("++").await.shows("Count: 1");
    browser.follow("++").await.shows("Count: 2");
    browser.restart(server(&store));
    browser.follow("++").await.shows("Count: 3");
    browser.restart(server(&store)).reload().await.shows("Count: 3");
    browser.follow("--").await.follow("--").await.shows("Count: 1");
}

#[tokio::test]
async fn line_14_printed_pages_go_on_after_a_restart() {
    let store = Memory::new();
    let server = || Server::new(addtwo::addtwo).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.fill("num", 3).submit().await.shows("second number");
    browser.restart(server()).fill("num", 4).submit().await.shows("The sum of 3 and 4 is 7!");
    browser.restart(server()).get("/").await.shows("first number");
}

/// Buys something; counts what really happens.
struct Outside {
    observed: AtomicUsize,
    charged: AtomicUsize,
}

impl Outside {
    fn new() -> Arc<Outside> {
        Arc::new(Outside { observed: AtomicUsize::new(0), charged: AtomicUsize::new(0) })
    }

    fn counts(&self) -> (usize, usize) {
        (self.observed.load(Ordering::Relaxed), self.charged.load(Ordering::Relaxed))
    }
}

async fn shop(mut req: Request) -> Result<()> {
    let outside: Arc<Arc<Outside>> = req.app();
    req.choose(|c| html! { (c.link("Begin", ())) }).await?;
    let at = req.now();
    let dice: u64 = req.rng().random();
    let seen: usize =
        req.read("stock", async || Ok::<_, Error>(outside.observed.fetch_add(1, Ordering::Relaxed))).await?;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let key: String = req
            .once("charge", &42, async |key: Key| {
                outside.charged.fetch_add(1, Ordering::Relaxed);
                Ok::<_, Error>(key.to_string())
            })
            .await?;
        keys.push(key);
    }
    loop {
        req.choose(|c| {
            html! { p { (format!("{seen} {dice} {at:?} {keys:?}")) } (c.link("Again", ())) }
        })
        .await?;
    }
}

#[tokio::test]
async fn line_16_what_came_from_outside_is_the_same_after_a_restart() {
    let (store, outside) = (Memory::new(), Outside::new());
    let server = || Server::new(shop).app(outside.clone()).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.follow("Begin").await;
    let page = browser.text();
    assert_eq!(outside.counts(), (1, 2));
    for _ in 0..3 {
        browser.restart(server()).reload().await;
        assert_eq!(browser.text(), page);
        browser.follow("Again").await;
        assert_eq!(browser.text(), page);
    }
    assert_eq!(outside.counts(), (1, 2));
    let keys: Vec<&str> = page.split('"').filter(|part| part.len() == 32).collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1], "two effects of the same arguments are two");
}

async fn halves(mut req: Request) -> Result<()> {
    let mut sum = 100i64;
    loop {
        req.print(html! { "Sum: " (sum) form { input name="by"; } });
        let by: i64 = req.next().await?.param("by")?;
        sum /= by;
        if sum == 7 {
            return Err("seven".into());
        }
    }
}

#[tokio::test]
async fn line_04_a_failed_step_is_no_part_of_the_past() {
    let store = Memory::new();
    let server = || Server::new(halves).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.fill("by", 2).submit().await.shows("Sum: 50");
    browser.fill("by", "x").submit().await.status(400).shows("`by`");
    browser.follow("Back to where you were").await.shows("Sum: 50");
    browser.fill("by", 0).submit().await.status(500);
    browser.follow("Back").await.shows("Sum: 50");
    browser.fill("by", 7).submit().await.status(500);
    browser.restart(server()).follow("Back").await.shows("Sum: 50");
    browser.fill("by", 5).submit().await.shows("Sum: 10");
    browser.restart(server()).fill("by", 5).submit().await.shows("Sum: 2");
}

#[tokio::test(start_paused = true)]
async fn line_05_a_session_that_rests_is_parked_and_comes_back() {
    let store = Memory::new();
    let mut browser = Browser::of(server(&store).limits(|limits| limits.park = Duration::from_secs(10)));
    browser.get("/").await.follow("++").await.shows("Count: 1");
    for count in 2..5 {
        browser.wait(Duration::from_secs(15)).await;
        assert_eq!(browser.sessions(), 0, "parked");
        browser.follow("++").await.shows(&format!("Count: {count}"));
        assert_eq!(browser.sessions(), 1, "back");
    }
}

#[tokio::test]
async fn line_16_an_await_on_something_else_is_cut_at_the_restart() {
    async fn strays(mut req: Request) -> Result<()> {
        let mut count = 0;
        loop {
            count +=
                req.choose(|c| html! { "Count: " (count) (c.link("one", 1)) (c.link("five", 5)) }).await?;
            if count == 6 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    let store = Memory::new();
    let server = || Server::new(strays).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.follow("one").await.follow("five").await.shows("Count: 6");
    browser.follow("one").await.shows("Count: 7");
    browser.restart(server()).follow("one").await.shows("Count: 1").shows("older page");
    browser.follow("one").await.shows("Count: 2");
    browser.restart(server()).follow("one").await.shows("Count: 3");
}

#[tokio::test]
async fn line_17_a_page_of_a_newborn_that_is_gone_starts_anew_with_a_notice() {
    let store = Memory::new();
    let mut browser = Browser::of(server(&store));
    browser.get("/").await.shows("Count: 0");
    browser.restart(server(&store)).follow("++").await.shows("Count: 0").shows("This is the beginning");
    browser.follow("++").await.shows("Count: 1").shows_not("beginning");
}

#[tokio::test]
async fn line_18_a_checkpoint_is_enough() {
    async fn lives_long(mut req: Request) -> Result<()> {
        let mut count = req.restore_or(0u64)?;
        loop {
            req.checkpoint(&count)?;
            count += req.choose(|c| html! { "Count: " (count) (c.link("more", 1u64)) }).await?;
        }
    }
    let store = Memory::new();
    let server = || Server::new(lives_long).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await;
    for count in 1..50 {
        browser.follow("more").await.shows(&format!("Count: {count}"));
        if count % 7 == 0 {
            browser.restart(server());
        }
    }
}

#[tokio::test]
async fn the_kit_replays_every_session_after_every_page() {
    let mut browser = Browser::journaled(counter::counter);
    browser.get("/").await.follow("++").await.follow("--").await.follow("--").await.follow("Yes").await;
    browser.shows("Count: -1");
    let mut browser = Browser::journaled(addtwo::addtwo);
    browser.get("/").await.fill("num", 3).submit().await.fill("num", 4).submit().await.shows("is 7!");
}

static CALLS: AtomicUsize = AtomicUsize::new(0);

async fn depends_on_the_process(mut req: Request) -> Result<()> {
    loop {
        if CALLS.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            req.confirm("Really?").await?;
        }
        req.choose(|c| html! { (c.link("on", 1u8)) }).await?;
    }
}

async fn prints_what_it_should_not(mut req: Request) -> Result<()> {
    loop {
        req.print(html! { "Call " (CALLS.fetch_add(1, Ordering::Relaxed)) a href="?" { "on" } });
        req.next().await?;
    }
}

#[tokio::test]
#[should_panic(expected = "a session does not replay: the program asks by Choose")]
async fn r58_the_kit_finds_a_verb_that_depends_on_the_process() {
    let mut browser = Browser::journaled(depends_on_the_process);
    browser.get("/").await;
    for _ in 0..4 {
        let next = if browser.text().contains("Really") { "Yes" } else { "on" };
        browser.follow(next).await;
    }
}

#[tokio::test]
#[should_panic(expected = "printed something else")]
async fn r58_the_kit_finds_printed_text_that_depends_on_the_process() {
    Browser::journaled(prints_what_it_should_not).get("/").await.follow("on").await;
}
