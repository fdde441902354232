//! What the journal keeps within bounds, and what it says of ids.

use std::time::Duration;

use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;

use crate::examples::gallery::shelf::{counter, login, query_session};

/// A browser that is logged in, and the id it had before.
async fn logged_in(store: &Memory) -> (Browser, String) {
    let mut ada = Browser::of(Server::new(login::login).journal(store.clone()));
    ada.get("/").await.fill("name", "ada").fill("password", "open").submit().await;
    let before = ada.cookie("sid").expect("a visitor has an ID");
    ada.fill("password", "sesame").submit().await.shows("Welcome, ada!");
    (ada, before)
}

#[tokio::test]
async fn line_02_who_is_logged_in_still_is_after_a_restart() {
    let store = Memory::new();
    let (mut ada, _) = logged_in(&store).await;
    ada.restart(Server::new(login::login).journal(store.clone()));
    ada.follow("Look around").await.shows("looked around 1 times");
}

#[tokio::test]
async fn line_02_a_rotated_id_is_dead_after_a_restart_too() {
    let store = Memory::new();
    let (mut thief, before) = logged_in(&store).await;
    thief.set_cookie("sid", &before).restart(Server::new(login::login).journal(store.clone()));
    thief.get("/").await.shows("Log in").shows_not("Welcome");
}

#[tokio::test(start_paused = true)]
async fn line_05_who_printed_the_id_is_told_to_end_while_parked() {
    use continuity::journal::{State, Store};
    let store = Memory::new();
    let server = Server::new(query_session::flow()).journal(store.clone());
    let mut ada = Browser::of(server.limits(|limits| {
        (limits.park, limits.idle_journaled) = (Duration::from_secs(10), Duration::from_secs(60));
    }));
    ada.get("/").await.follow("Click here to continue").await.shows("A form can do that too.");
    ada.wait(Duration::from_secs(100)).await;
    let heads = store.list(0, 10).expect("it can be read");
    assert!(heads.iter().all(|head| head.state != State::Quarantined), "{heads:?}");
}

#[tokio::test]
async fn line_06_a_session_has_its_share_of_the_journal() {
    let server = Server::new(counter::counter).journal(Memory::new());
    let mut ada = Browser::of(server.limits(|limits| limits.journal_session = 2_000));
    ada.get("/").await;
    for _ in 0..100 {
        if !ada.links().contains(&"++".to_owned()) {
            ada.status(500);
            return;
        }
        ada.follow("++").await;
    }
    panic!("it grows and grows");
}

#[tokio::test]
async fn line_06_the_journal_has_its_share_of_the_disk() {
    let server = Server::new(counter::counter).journal(Memory::new());
    let mut ada = Browser::of(server.limits(|limits| limits.journal_bytes = 2_000));
    ada.get("/").await;
    for _ in 0..100 {
        if !ada.links().contains(&"++".to_owned()) {
            ada.status(503);
            return;
        }
        ada.follow("++").await;
    }
    panic!("it grows and grows");
}

#[tokio::test]
async fn line_18_a_checkpoint_lets_go_of_what_was_before() {
    use continuity::journal::Store;
    async fn lives_long(mut req: Request) -> Result<()> {
        let mut count = req.restore_or(0u64)?;
        loop {
            req.checkpoint(&count)?;
            count += req.choose(|c| html! { (count) (c.link("more", 1u64)) }).await?;
        }
    }
    let store = Memory::new();
    let mut ada = Browser::of(Server::new(lives_long).journal(store.clone()));
    ada.get("/").await;
    for _ in 0..200 {
        ada.follow("more").await;
    }
    let head = &store.list(0, 1).expect("it can be read")[0];
    assert!(store.load(head.session).expect("it can be read")[0].first > 0);
}

#[cfg(feature = "sqlite")]
#[tokio::test(start_paused = true)]
async fn line_05_of_many_that_are_parked_at_once_each_has_an_end_of_its_idle_time() {
    use continuity::journal::Store;
    let folder = crate::folder::Folder::in_memory("parked");
    let journal = continuity::Sqlite::open(folder.0.join("journal")).expect("it opens");
    let first = Browser::of(Server::new(counter::counter).journal(journal).limits(|limits| {
        (limits.park, limits.journal_queue) = (Duration::from_secs(10), 2);
    }));
    let mut visitors: Vec<_> = (0..200).map(|_| first.other()).collect();
    for visitor in &mut visitors {
        visitor.get("/").await.follow("++").await.shows("Count: 1");
    }
    while first.sessions() > 0 {
        visitors[0].wait(Duration::from_secs(1)).await;
    }
    drop((first, visitors));
    let journal = continuity::Sqlite::open_to_read(folder.0.join("journal")).expect("it opens");
    let heads = journal.list(0, 1_000).expect("it can be read");
    assert_eq!((heads.len(), heads.iter().filter(|head| head.due.is_none()).count()), (200, 0));
}
