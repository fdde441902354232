//! Parts with a journal: one tape for all of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use continuity::journal::{Divergence, Export, Memory, Store, records};
use continuity::prelude::*;
use continuity::test::{Browser, replay, replay_file};

use super::{count, in_order, two};
use crate::log::Log;

/// What is written of the only session, a line each.
fn written(store: &Memory) -> Vec<String> {
    let heads = store.list(0, 9).expect("memory is read");
    let chunks = store.load(heads[0].session).expect("it is there");
    let records = chunks.iter().flat_map(|chunk| records(chunk).expect("it is whole"));
    records.map(|record| record.to_string()).collect()
}

#[tokio::test]
async fn parts_go_on_after_a_restart_before_each_step() {
    let store = Memory::new();
    let server = || Server::new(two).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.follow("left+").await.shows("left at 1").shows("right at 0");
    browser.restart(server()).follow("right+").await.shows("left at 1").shows("right at 1");
    browser.restart(server()).reload().await.shows("left at 1").shows("right at 1").shows_not("older page");
    browser.restart(server()).follow("right+").await.shows("left at 1").shows("right at 2");
    browser.restart(server()).follow("end left").await.shows("left ended at 1").shows("right at 2");
    browser.restart(server()).get("/").await.shows("left ended at 1").shows("right at 2");
    browser.restart(server()).follow("end right").await.shows("left=1 right=2");
}

#[tokio::test]
async fn an_old_page_takes_all_parts_back_after_a_restart() {
    let store = Memory::new();
    let server = || Server::new(two).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.follow("left+").await.follow("right+").await;
    browser.restart(server()).back().await.follow("left+").await.shows("left at 2").shows("right at 0");
}

#[tokio::test(start_paused = true)]
async fn parts_are_parked_together() {
    let mut browser = Browser::of(Server::new(two).journal(Memory::new()));
    browser.get("/").await.follow("left+").await.follow("right+").await;
    assert_eq!(browser.sessions(), 1);
    browser.wait(Duration::from_secs(600)).await;
    assert_eq!(browser.sessions(), 0);
    browser.follow("left+").await.shows("left at 2").shows("right at 1");
}

#[tokio::test]
async fn a_hit_says_which_part_took_it_and_the_parts_are_asked_once_for_all() {
    let store = Memory::new();
    let mut browser = Browser::of(Server::new(two).journal(store.clone()));
    browser.get("/").await.follow("right+").await;
    let lines = written(&store);
    let waits: Vec<_> = lines.iter().filter(|line| line.starts_with("waits")).collect();
    assert!(waits[0].contains("Parts left: Choose i64, right: Choose i64 at"), "{lines:#?}");
    assert!(waits[1].contains("Parts right: Choose i64 at"), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("GET / for right → 1")), "{lines:#?}");
}

/// Prints, and has parts that print; what stands there is made again from what came in.
async fn printed(mut req: Request) -> Result<()> {
    req.inform("Begin?").await?;
    req.title("Sums").print(html! { h1 { "Sums" } });
    let adds = async |mut req: Request| -> Result<i64> {
        let mut sum = 0;
        loop {
            req.print(html! { "sum " (sum) form { input name="by"; } });
            sum += req.next().await?.param::<i64>("by")?;
        }
    };
    let parts = req.parts().part("sum", adds).part("left", |req| count(req, "left"));
    parts.layout(in_order).await?;
    Ok(())
}

#[tokio::test]
async fn what_was_printed_stands_there_again() {
    let store = Memory::new();
    let server = || Server::new(printed).journal(store.clone());
    let mut browser = Browser::of(server()).rehearsing();
    browser.get("/").await.follow("OK").await.fill("by", 3).submit().await;
    browser.follow("left+").await.follow("left+").await.shows("Sums sum 3").shows("left at 2");
    browser.restart(server()).get("/").await.shows("Sums sum 3").shows("left at 2");
    assert_eq!(browser.title(), "Sums");
    browser.restart(server()).fill("by", 4).submit().await.shows("Sums sum 7").shows("left at 2");
    browser.restart(server()).follow("left+").await.shows("Sums sum 7").shows("left at 3");
}

#[derive(Default)]
struct Desk {
    charges: Mutex<Vec<String>>,
    looks: AtomicUsize,
}

/// Charges and looks, in two parts that are one function.
async fn pays(mut req: Request) -> Result<()> {
    let desk = req.app::<Arc<Desk>>();
    for _ in 0..2 {
        let seen: usize =
            req.read("look", async || Ok::<_, Error>(desk.looks.fetch_add(1, Ordering::Relaxed))).await?;
        req.inform(format!("seen {seen}")).await?;
        let noted = |key: Key| desk.charges.lock().expect("not poisoned").push(key.to_string());
        let charge = async |key| {
            noted(key);
            Ok::<_, Error>(())
        };
        req.once("charge", &7, charge).await?;
    }
    req.print("paid");
    Ok(())
}

async fn two_desks(mut req: Request) -> Result<()> {
    req.parts().part("a", pays).part("b", pays).layout(in_order).await?;
    req.print("all paid");
    Ok(())
}

#[tokio::test]
async fn an_effect_is_of_its_part_and_happens_once() {
    let (store, desk) = (Memory::new(), Arc::new(Desk::default()));
    let server = || Server::new(two_desks).journal(store.clone()).app(desk.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.shows("seen 0 OK seen 1 OK");
    browser.follow("OK").await.shows("seen 2 OK seen 1 OK");
    browser.restart(server()).get("/").await.shows("seen 2 OK seen 1 OK");
    browser.restart(server()).follow("OK").await.shows("paid seen 1 OK");
    browser.restart(server()).follow("OK").await.shows("paid seen 3 OK");
    browser.restart(server()).follow("OK").await.shows("all paid");
    let charges = desk.charges.lock().expect("not poisoned").clone();
    let keys: std::collections::BTreeSet<_> = charges.iter().collect();
    // Twice in each of two parts: the same name, the same arguments, and four effects.
    assert_eq!((charges.len(), keys.len()), (4, 4), "{charges:?}");
    assert_eq!(desk.looks.load(Ordering::Relaxed), 4);
    // Each part counts its own.
    let done: Vec<_> = written(&store).into_iter().filter(|line| line.starts_with("did ")).collect();
    let of = |part: &str, nth: &str| done.iter().any(|line| line.contains(part) && line.contains(nth));
    assert!(["a: ", "b: "].iter().all(|part| of(part, "(1)") && of(part, "(2)")), "{done:#?}");
}

#[tokio::test]
async fn a_part_that_is_not_there_any_more_is_a_report() {
    async fn renamed(mut req: Request) -> Result<()> {
        let parts =
            req.parts().part("left", |req| count(req, "left")).part("other", |req| count(req, "right"));
        parts.layout(in_order).await?;
        Ok(())
    }
    let (store, log) = (Memory::new(), Log::listen());
    let mut browser = Browser::of(Server::new(two).journal(store.clone()));
    browser.get("/").await.follow("right+").await.shows("right at 1");
    let server = Server::new(renamed).journal(store.clone()).on_divergence(Divergence::Refuse);
    browser.restart(server);
    browser.get("/").await.shows("cannot be restored");
    assert!(log.text().contains("right: Choose"), "{}", log.text());
}

#[tokio::test]
async fn a_page_of_parts_is_exported_and_replayed() {
    let store = Memory::new();
    let mut browser = Browser::of(Server::new(two).journal(store.clone()));
    browser.get("/").await.follow("left+").await.follow("right-").await.follow("left+").await;
    let heads = store.list(0, 9).expect("memory is read");
    let (export, mut file) = (Export::of(&store, heads[0].session).expect("it is there"), Vec::new());
    export.write(&mut file).expect("memory takes all bytes");
    let mut browser = replay(&file, two).await;
    browser.shows("left at 2").shows("right at -1");
    browser.follow("left+").await.shows("left at 3").shows("right at -1");
}

/// The file was written when pages of parts were new, and stays readable.
#[tokio::test]
async fn a_file_of_parts_beside_the_tests_is_replayed() {
    let mut browser = replay_file!("tests/it/journals/parts.journal", two).await;
    browser.shows("left at 2").shows("right at -1");
    browser.follow("right-").await.shows("left at 2").shows("right at -2");
}

/// Both parts have something to wait for before they ask: one after the other, in their order.
async fn slow(mut req: Request) -> Result<()> {
    let part = async |mut req: Request, name: &'static str| -> Result<()> {
        loop {
            let chance: u64 = req.rng().random();
            req.sleep(Duration::from_millis(5)).await;
            let seen: String = req.read("name", async || Ok::<_, Error>(name.to_owned())).await?;
            req.inform(format!("{seen} {chance}")).await?;
        }
    };
    let parts = req.parts().part("a", |req| part(req, "a")).part("b", |req| part(req, "b"));
    parts.layout(in_order).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_parts_wait_for_comes_in_the_same_order_again() {
    let store = Memory::new();
    let server = || Server::new(slow).journal(store.clone());
    let mut browser = Browser::of(server()).rehearsing();
    let first = browser.get("/").await.follow("OK").await.text();
    assert_eq!(browser.restart(server()).reload().await.text(), first);
    let second = browser.follow("OK").await.text();
    assert_eq!(browser.restart(server()).reload().await.text(), second);
    let order: Vec<_> = written(&store).into_iter().filter(|line| line.contains("read")).collect();
    assert!(order[0].starts_with("a: read") && order[1].starts_with("b: read"), "{order:#?}");
}
