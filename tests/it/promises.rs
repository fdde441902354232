//! What a journal promises, by number: what was answered stays, effects happen once, and what cannot be rebuilt is said.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use continuity::Sqlite;
use continuity::journal::Divergence;
use continuity::prelude::*;
use continuity::test::Browser;

use crate::folder::Folder;
use crate::log::Log;

/// What the page of a session that cannot be rebuilt says.
const LOST: &str = "Where you were cannot be restored.";

async fn journal(folder: &Folder) -> Sqlite {
    // The server before it lets go of its journal on a thread of its own.
    let path: &Path = &folder.0.join("journal");
    for _ in 0..1_000 {
        match Sqlite::open(path) {
            Err(error) if error.to_string().contains("open in another server") => {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            other => return other.expect("the journal opens"),
        }
    }
    panic!("the server before it never let go of its journal");
}

/// A tab whose server was stopped, and another one on the same journal after it.
async fn restarted(browser: &mut Browser, folder: &Folder, make: impl Fn(Sqlite) -> Server) {
    // A browser always has a server: one without a journal lets go of the other.
    async fn nothing(_: Request) -> Result<()> {
        Ok(())
    }
    browser.restart(Server::new(nothing));
    browser.restart(make(journal(folder).await));
}

async fn adds(mut req: Request) -> Result<()> {
    let mut list = Vec::new();
    loop {
        let word: String = req
            .choose(|c| {
                let form = html! { input name="word"; button { "Add" } };
                html! { "List: " (list.join(" ")) (c.form(|word: Word| word.word, |_| form)) }
            })
            .await?;
        if word == "end" {
            break;
        }
        list.push(word);
    }
    req.print("Bye");
    Ok(())
}

#[derive(Deserialize)]
struct Word {
    word: String,
}

#[tokio::test]
async fn r56_what_was_answered_is_there_after_each_restart() {
    let folder = Folder::new("r56");
    let server = |journal| Server::new(adds).journal(journal);
    let mut browser = Browser::of(server(journal(&folder).await));
    browser.get("/").await;
    let mut list = String::from("List:");
    for word in ["a", "b", "c", "d"] {
        list.push_str(&format!(" {word}"));
        browser.fill("word", word).submit().await.shows(&list);
        restarted(&mut browser, &folder, server).await;
        browser.get("/").await.shows(&list);
    }
}

#[tokio::test]
async fn r07_after_its_end_the_id_gets_a_new_session_and_after_a_restart_too() {
    let folder = Folder::new("r07");
    let server = |journal| Server::new(adds).journal(journal);
    let mut browser = Browser::of(server(journal(&folder).await));
    browser.get("/").await.fill("word", "a").submit().await.shows("List: a");
    browser.fill("word", "end").submit().await.shows("Bye");
    restarted(&mut browser, &folder, server).await;
    browser.get("/").await.shows("List:").shows_not("List: a");
    browser.fill("word", "b").submit().await.shows("List: b");
    restarted(&mut browser, &folder, server).await;
    browser.get("/").await.shows("List: b");
}

/// What no journal can know: it is another one after each start.
static START: AtomicUsize = AtomicUsize::new(0);

/// Depends on it by what it prints.
async fn prints_chance(mut req: Request) -> Result<()> {
    loop {
        req.print(START.load(Ordering::Relaxed)).next().await?;
    }
}

/// Depends on it by what it asks.
async fn asks_chance(mut req: Request) -> Result<()> {
    loop {
        if START.load(Ordering::Relaxed).is_multiple_of(2) {
            req.choose(|c| html! { "even " (c.link("on", 1)) }).await?;
        } else {
            req.print("odd").next().await?;
        }
    }
}

async fn quarantines(server: impl Fn(Sqlite) -> Server, report: &str) {
    let log = Log::listen();
    let folder = Folder::new("r58");
    let mut browser = Browser::of(server(journal(&folder).await)).without_rehearsal();
    for _ in 0..3 {
        browser.get("/").await;
    }
    START.fetch_add(1, Ordering::Relaxed);
    restarted(&mut browser, &folder, &server).await;
    browser.get("/").await.shows(LOST);
    let said = log.text();
    assert!(said.contains("quarantined") && said.contains(report), "{said}");
    // The page may not have arrived: it comes again, until the visitor goes on.
    browser.get("/?word=lost").await.shows(LOST);
    restarted(&mut browser, &folder, &server).await;
    browser.get("/").await.shows(LOST);
    browser.follow("Go on").await.shows_not(LOST);
    browser.get("/").await.shows_not(LOST);
    restarted(&mut browser, &folder, &server).await;
    browser.get("/").await.shows_not(LOST);
}

#[tokio::test]
#[should_panic(expected = "does not replay")]
async fn r58_a_program_that_is_not_the_same_again_is_found_out_at_the_end_of_its_test() {
    async fn drifts(mut req: Request) -> Result<()> {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        loop {
            req.print(run).next().await?;
        }
    }
    let mut browser = Browser::of(Server::new(drifts).journal(continuity::journal::Memory::new()));
    browser.get("/").await.get("/").await.get("/").await.shows("0");
}

#[tokio::test]
async fn r58_a_program_that_is_not_the_same_again_is_found_out() {
    let refuse = Divergence::Refuse;
    let prints = |journal| Server::new(prints_chance).journal(journal).on_divergence(refuse);
    quarantines(prints, "printed something else").await;
    let asks = |journal| Server::new(asks_chance).journal(journal).on_divergence(refuse);
    quarantines(asks, "asks by").await;
}

/// Pays as often as it is asked to, and fails in between.
async fn pays(mut req: Request) -> Result<()> {
    let paid = req.app::<Arc<AtomicUsize>>();
    loop {
        let word: Option<String> = req.print("Pay").next().await?.param("word")?;
        let Some(word) = word else { continue };
        let pay = async |_| Ok::<_, Error>(paid.fetch_add(1, Ordering::Relaxed));
        let _: usize = req.once("pay", &word, pay).await?;
        if word == "fails" {
            return Err("after it was paid".into());
        }
    }
}

#[tokio::test]
async fn r57_an_effect_that_was_done_is_not_done_again() {
    let (folder, paid) = (Folder::new("r57"), Arc::new(AtomicUsize::new(0)));
    let server = |journal| Server::new(pays).app(paid.clone()).journal(journal);
    let mut browser = Browser::of(server(journal(&folder).await));
    browser.get("/").await;
    browser.get("/?word=a").await.shows("Pay");
    browser.get("/?word=fails").await.status(500);
    assert_eq!(paid.load(Ordering::Relaxed), 2);
    for _ in 0..3 {
        restarted(&mut browser, &folder, server).await;
        browser.get("/").await.shows("Pay");
        browser.get("/?word=fails").await.status(500);
    }
    assert_eq!(paid.load(Ordering::Relaxed), 2, "also the step that failed");
}

#[tokio::test]
async fn r61_damage_is_one_sessions_own() {
    let folder = Folder::new("r61");
    let server = |journal| Server::new(adds).journal(journal);
    let mut browser = Browser::of(server(journal(&folder).await));
    let mut other = browser.other();
    for (browser, word) in [(&mut browser, "damaged-word"), (&mut other, "whole-word")] {
        browser.get("/").await.fill("word", word).submit().await.shows(&format!("List: {word}"));
    }
    let spare = Folder::new("r61-spare");
    let cookies = [&browser, &other].map(|browser| browser.cookie("sid").expect("a visitor has a cookie"));
    drop((browser, other));
    drop(journal(&folder).await);
    let path = folder.0.join("journal");
    let mut bytes = std::fs::read(&path).expect("it is there");
    let at = bytes.windows(12).position(|bytes| bytes == b"damaged-word").expect("it is in there");
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).expect("it is written");
    let mut browser = Browser::of(server(journal(&folder).await));
    let mut other = Browser::of(Server::new(adds).journal(journal(&spare).await));
    browser.set_cookie("sid", &cookies[0]).get("/").await.shows(LOST);
    browser.clear_cookies().set_cookie("sid", &cookies[1]).get("/").await.shows("List: whole-word");
    other.get("/").await.shows("List:");
    assert!(!Sqlite::check(&path).expect("it can be read").is_whole());
}
