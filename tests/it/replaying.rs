//! Sessions that were exported from a journal, replayed by the kit.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use continuity::journal::{Export, Memory, Store};
use continuity::prelude::*;
use continuity::test::{Browser, replay, replay_file, replay_on};

use crate::examples::gallery::shelf::{addtwo, counter};

/// The only session of a journal, as a file.
fn exported(store: &Memory) -> Vec<u8> {
    let heads = store.list(0, 9).expect("memory is read");
    assert_eq!(heads.len(), 1);
    let (export, mut file) = (Export::of(store, heads[0].session).expect("it is there"), Vec::new());
    export.write(&mut file).expect("memory takes all bytes");
    file
}

/// What a replay that fails says.
async fn complaint(replayed: impl Future<Output = Browser>) -> String {
    let mut replayed = Box::pin(replayed);
    let polled = std::future::poll_fn(|cx| {
        match std::panic::catch_unwind(AssertUnwindSafe(|| replayed.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => std::task::Poll::Ready(Err(panic)),
        }
    });
    let panic = polled.await.expect_err("it is not what was recorded");
    panic.downcast_ref::<String>().expect("a report").clone()
}

async fn counted() -> Vec<u8> {
    let store = Memory::new();
    let mut browser = Browser::of(Server::new(counter::counter).journal(store.clone()));
    browser.get("/").await.follow("++").await.follow("++").await.follow("++").await.shows("Count: 3");
    exported(&store)
}

#[tokio::test]
async fn a_replayed_session_stands_where_it_waits_and_goes_on() {
    let mut browser = replay(&counted().await, counter::counter).await;
    browser.shows("Count: 3");
    browser.follow("++").await.shows("Count: 4");
    browser.follow("--").await.reload().await.shows("Count: 3");
}

/// The file was written by the first version of the format, and stays readable.
#[tokio::test]
async fn a_file_beside_the_tests_is_replayed() {
    replay_file!("tests/it/journals/counter.journal", counter::counter).await.shows("Count: 3");
}

#[tokio::test]
async fn a_printed_page_is_there_again() {
    let store = Memory::new();
    let mut browser = Browser::of(Server::new(addtwo::addtwo).journal(store.clone()));
    browser.get("/").await.fill("num", 3).submit().await.shows("second number");
    let mut again = replay(&exported(&store), addtwo::addtwo).await;
    again.shows("second number");
    again.fill("num", 4).submit().await.shows("The sum of 3 and 4 is 7!");
    browser.fill("num", 5).submit().await.shows("is 8!");
    let mut ended = replay(&exported(&store), addtwo::addtwo).await;
    ended.shows("second number");
    ended.fill("num", 9).submit().await.shows("The sum of 3 and 9 is 12!");
}

#[tokio::test]
async fn a_program_that_does_something_else_is_told_what_and_where() {
    async fn counts(mut req: Request, said: &str) -> Result<()> {
        let mut count: i64 = 0;
        loop {
            if count == 2 {
                req.print(said);
            }
            count += req.choose(|c| html! { "Count: " (count) (c.link("++", 1)) (c.link("--", -1)) }).await?;
        }
    }
    async fn asks_otherwise(mut req: Request) -> Result<()> {
        req.next().await?;
        Ok(())
    }
    async fn returns(_: Request) -> Result<()> {
        Ok(())
    }
    async fn panics(_: Request) -> Result<()> {
        panic!("of its own");
    }
    async fn waits(_: Request) -> Result<()> {
        std::future::pending().await
    }
    let store = Memory::new();
    let mut browser = Browser::of(Server::new(|req| counts(req, "!")).journal(store.clone()));
    browser.get("/").await.follow("++").await.follow("++").await.follow("++").await.shows("Count: 3");
    let file = exported(&store);
    let said = complaint(replay(&file, |req| counts(req, "?"))).await;
    assert!(
        said.contains("the program printed something else before it asks at tests/it/replaying.rs"),
        "{said}"
    );
    assert!(said.contains("\n  >    6  waits: Choose"), "{said}");
    for (said, what) in [
        (complaint(replay(&file, asks_otherwise)).await, "the program asks by Next"),
        (complaint(replay(&file, returns)).await, "the program returns"),
        (complaint(replay(&file, panics)).await, "the program panics: of its own"),
        (complaint(replay(&file, waits)).await, "the program waits for something that is no verb"),
    ] {
        assert!(said.contains(what) && said.contains("from entry 2 on"), "{said}");
        assert!(said.contains("what was recorded: ") && said.contains("(replayed at "), "{said}");
    }
}

#[tokio::test]
async fn a_failed_step_is_before_the_visitor_and_effects_are_not_tried_again() {
    async fn pays(mut req: Request) -> Result<()> {
        let charged: Arc<Arc<AtomicUsize>> = req.app();
        req.choose(|c| html! { (c.link("Buy", ())) }).await?;
        let sum: usize = req
            .once("charge", &1, async |_| Ok::<_, Error>(charged.fetch_add(1, Ordering::Relaxed) + 1))
            .await?;
        loop {
            let ship = req.choose(|c| html! { "Paid " (sum) (c.link("Ship", true)) (c.link("Stay", false)) });
            if ship.await? {
                return Err("out of stock".into());
            }
        }
    }
    let (store, charged) = (Memory::new(), Arc::new(AtomicUsize::new(0)));
    let server = || Server::new(|_| async { Ok::<_, Error>(()) }).mount("/shop", pays).app(charged.clone());
    let mut browser = Browser::of(server().journal(store.clone()));
    browser.get("/shop").await.follow("Buy").await.follow("Stay").await.follow("Ship").await.status(500);
    let file = exported(&store);
    let mut again = replay_on(&file, server()).await;
    again.shows("Paid 1");
    again.follow("Ship").await.status(500);
    again.follow("Back to where you were").await.shows("Paid 1");
    assert_eq!(charged.load(Ordering::Relaxed), 1);
    let said = complaint(replay_on(&file, Server::new(pays).app(charged.clone()))).await;
    assert!(said.contains("its flow was at \"/shop\", and there is none here"), "{said}");
}

#[tokio::test]
async fn a_replayed_session_is_its_visitors_however_hits_are_mapped() {
    for map in [
        Map::by_cookie().path(),
        Map::by_cookie().param("room"),
        Map::by_param("who"),
        Map::by_header("x-who").header("x-room"),
        Map::by_address(),
    ] {
        let store = Memory::new();
        let flow = || Flow::new(counter::counter).map(map.clone());
        let mut browser = Browser::of(Server::new(flow()).journal(store.clone()));
        browser.address("192.0.2.7").header("x-who", "me").header("x-room", "1");
        browser.get("/deep/down?room=7").await.follow("++").await.follow("++").await.shows("Count: 2");
        let mut again = replay(&exported(&store), flow()).await;
        again.shows("Count: 2");
        again.follow("++").await.shows("Count: 3");
    }
}

#[tokio::test]
async fn what_is_no_export_is_refused() {
    let said = std::panic::catch_unwind(|| drop(replay(b"SQLite format 3\0", counter::counter)));
    let said = said.expect_err("it is refused");
    let said = said.downcast_ref::<String>().expect("a report");
    assert!(said.contains("cannot be replayed: it is no export of a journal"), "{said}");
}
