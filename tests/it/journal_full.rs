//! A journal that is full, or of which somebody has had their share: who goes on, who does not, and how it passes.

use std::time::Duration;

use continuity::journal::{Memory, State, Store};
use continuity::prelude::*;
use continuity::test::Browser;

const SECOND: Duration = Duration::from_secs(1);
/// A journal that is full after some hundred clicks.
const SMALL: usize = 40_000;
/// The page for whoever cannot be helped at the moment.
const NO_ROOM: &str = "There is no room to write this down";
const NO_ROOM_FOR_YOU: &str = "All the room that one visitor has here is used up";
const NO_ROOM_FOR_YOUR_NETWORK: &str = "More is sent from your network than can be kept";

/// Grows with each click, until it is over.
async fn diary(mut req: Request) -> Result<()> {
    let mut pages = 0;
    while req
        .choose(|c| html! { "Page " (pages) ". " (c.link("more", true)) " " (c.link("enough", false)) })
        .await?
    {
        pages += 1;
    }
    req.print("The end.");
    Ok(())
}

/// A server with a diary for each path.
fn server(store: impl Store, limits: impl FnOnce(&mut Limits)) -> Server {
    let flow = Flow::new(diary).map(Map::by_cookie().path());
    Server::new(flow).journal(store).limits(|all| {
        (all.ended, all.linger) = (10 * SECOND, SECOND);
        limits(all);
    })
}

/// Clicks until something else comes than the next page; how often that did.
async fn clicks_until_refused(browser: &mut Browser, text: &str) -> usize {
    for clicks in 0..5_000 {
        if !browser.links().contains(&"more".to_owned()) {
            browser.status(503).shows(text).shows("did not happen");
            return clicks;
        }
        browser.follow("more").await;
        // As people do, who let others have their turn.
        browser.wait(SECOND / 100).await;
    }
    panic!("it grows and grows");
}

/// Whoever was refused has the page before again.
async fn goes_back(browser: &mut Browser) -> &mut Browser {
    browser.get("/").await;
    browser.status(200);
    browser
}

async fn is_full_for_a_while<S: Store + Clone>(store: S, bytes: usize) {
    let server = || server(store.clone(), |limits| limits.journal_bytes = bytes);
    let mut ada = Browser::of(server()).without_rehearsal();
    let mut bob = ada.other();
    bob.get("/").await;
    for _ in 0..60 {
        bob.follow("more").await;
    }
    ada.get("/").await;
    clicks_until_refused(&mut ada, NO_ROOM).await;
    assert!(store.bytes() <= bytes as u64, "{} bytes are a promise", store.bytes());
    ada.restart(server());
    goes_back(&mut ada).await.follow("more").await.status(503).shows(NO_ROOM);
    bob.follow("more").await.status(503).shows(NO_ROOM);
    goes_back(&mut bob).await.follow("enough").await.status(200).shows("The end.");
    ada.wait(5 * SECOND).await;
    goes_back(&mut ada).await.follow("more").await.status(503);
    // What Bob had is purged, and what that gives back is for others.
    ada.wait(10 * SECOND).await;
    goes_back(&mut ada).await.follow("more").await.status(200).shows("Page");
}

#[tokio::test(start_paused = true)]
async fn a_full_journal_lets_sessions_end_and_what_they_give_back_is_used_again() {
    is_full_for_a_while(Memory::new(), SMALL).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_full_file_lets_sessions_end_and_what_they_give_back_is_used_again() {
    let folder = crate::folder::Folder::in_memory("full");
    let journal = continuity::Sqlite::open(folder.0.join("journal")).expect("it opens");
    let server = server(journal, |limits| (limits.journal_bytes, limits.ended) = (1 << 20, SECOND));
    let mut ada = Browser::of(server).without_rehearsal();
    let mut bob = ada.other();
    bob.get("/").await.follow("more").await;
    for _ in 0..6 {
        // A chunk that fills pages of its own.
        let note = "x".repeat(60_000);
        bob.post("/", &[("note", &note)]).await;
    }
    bob.get("/").await;
    ada.get("/").await;
    let note = "x".repeat(50_000);
    while ada.links().contains(&"more".to_owned()) {
        let more = ada.href("more");
        ada.post(&more, &[("note", &note)]).await;
    }
    ada.status(503).shows(NO_ROOM);
    bob.follow("enough").await.status(200).shows("The end.");
    for _ in 0..100 {
        goes_back(&mut ada).await.follow("more").await;
        if ada.links().contains(&"more".to_owned()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it stays full");
}

#[tokio::test(start_paused = true)]
async fn in_a_full_journal_sessions_that_are_idle_are_over_in_the_end() {
    let store = Memory::new();
    let server = server(store.clone(), |limits| {
        (limits.journal_bytes, limits.idle_journaled) = (SMALL, 60 * SECOND);
    });
    let mut ada = Browser::of(server).without_rehearsal();
    ada.get("/").await;
    clicks_until_refused(&mut ada, NO_ROOM).await;
    goes_back(&mut ada).await.wait(90 * SECOND).await;
    let heads = store.list(0, 9).expect("memory can be read");
    assert!(heads.iter().all(|head| head.state != State::Live), "{heads:?}");
    ada.get("/").await.follow("more").await.shows("Page 1.");
}

#[tokio::test(start_paused = true)]
async fn the_log_says_in_time_that_the_journal_fills() {
    let log = crate::log::Log::listen();
    let server = server(Memory::new(), |limits| limits.journal_bytes = SMALL);
    let mut ada = Browser::of(server).without_rehearsal();
    ada.get("/").await;
    clicks_until_refused(&mut ada, NO_ROOM).await;
    let text = log.text();
    for said in ["has used 80 % of `Limits::journal_bytes`", "the journal has no room"] {
        assert_eq!(text.matches(said).count(), 1, "{said}: {text}");
    }
    assert_eq!(text.matches("continuity journal prune").count(), 2, "both say what to do: {text}");
}

#[tokio::test(start_paused = true)]
async fn a_visitor_has_a_share_of_the_journal_and_others_go_on() {
    let store = Memory::new();
    let server = server(store.clone(), |limits| limits.journal_per_visitor = SMALL);
    let mut ada = Browser::of(server).without_rehearsal();
    let mut bob = ada.other();
    bob.get("/").await.follow("more").await;
    ada.get("/").await;
    clicks_until_refused(&mut ada, NO_ROOM_FOR_YOU).await;
    assert!(store.bytes() < SMALL as u64 + 2_000);
    for _ in 0..20 {
        goes_back(&mut ada).await.follow("more").await.status(503).shows(NO_ROOM_FOR_YOU);
    }
    ada.get("/other").await.status(503).shows(NO_ROOM_FOR_YOU);
    bob.follow("more").await.shows("Page 2.");
    goes_back(&mut ada).await.follow("enough").await.status(200).shows("The end.");
    // What has ended is hers until it is purged.
    ada.get("/other").await;
    assert!(clicks_until_refused(&mut ada, NO_ROOM_FOR_YOU).await < 5);
    ada.wait(20 * SECOND).await.get("/other").await.status(200);
    ada.follow("more").await.status(200).shows("Page");
}

#[tokio::test(start_paused = true)]
async fn all_sessions_of_a_visitor_share_what_they_have_also_those_that_are_parked() {
    let store = Memory::new();
    let server = || {
        server(store.clone(), |limits| {
            (limits.journal_per_visitor, limits.park) = (SMALL, 2 * SECOND);
        })
    };
    let mut ada = Browser::of(server()).without_rehearsal();
    for path in ["/1", "/2", "/3"] {
        ada.get(path).await;
        for _ in 0..60 {
            ada.follow("more").await;
        }
        ada.wait(5 * SECOND).await;
        ada.restart(server());
    }
    let before = store.bytes();
    ada.get("/4").await;
    let clicks = clicks_until_refused(&mut ada, NO_ROOM_FOR_YOU).await;
    assert!(clicks > 10 && store.bytes() < SMALL as u64 + 2_000, "{clicks} {before} {}", store.bytes());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_lets_go_of_what_was_before_never_uses_its_visitors_share_up() {
    async fn lives_long(mut req: Request) -> Result<()> {
        let mut count = req.restore_or(0u64)?;
        loop {
            req.checkpoint(&count)?;
            count += req.choose(|c| html! { "Count " (count) (c.link("more", 1u64)) }).await?;
        }
    }
    let server = Server::new(lives_long).journal(Memory::new());
    let mut ada =
        Browser::of(server.limits(|limits| limits.journal_per_visitor = 200_000)).without_rehearsal();
    ada.get("/").await;
    for count in 1..2_000 {
        ada.follow("more").await.status(200).shows(&format!("Count {count}"));
        ada.wait(SECOND / 100).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_network_has_a_share_of_each_hour_and_others_go_on() {
    let store = Memory::new();
    let server = server(store.clone(), |limits| limits.journal_per_address = SMALL);
    let first = Browser::of(server).without_rehearsal();
    let come = async |address: &str| {
        let mut visitor = first.other();
        visitor.address(address).get("/").await;
        visitor
    };
    // Many visitors of one network, each with little.
    let mut refused = 0;
    for visitor in 0..100 {
        let mut visitor = come(&format!("2001:db8:1:2::{visitor:x}")).await;
        for _ in 0..10 {
            if visitor.links().contains(&"more".to_owned()) {
                visitor.follow("more").await;
            }
        }
        if !visitor.links().contains(&"more".to_owned()) {
            visitor.status(503).shows(NO_ROOM_FOR_YOUR_NETWORK);
            refused += 1;
        }
    }
    assert!(refused > 20 && store.bytes() <= SMALL as u64, "{refused} {}", store.bytes());
    for address in ["2001:db8:1:3::1", "192.0.2.7", "127.0.0.1", "::1"] {
        come(address).await.follow("more").await.shows("Page 1.");
    }
    let mut late = come("2001:db8:1:2::ffff").await;
    late.follow("more").await.status(503);
    late.wait(3_601 * SECOND).await;
    come("2001:db8:1:2::ffff").await.follow("more").await.shows("Page 1.");
}

#[tokio::test(start_paused = true)]
async fn loopback_has_no_share_since_it_may_speak_for_many() {
    let server = server(Memory::new(), |limits| limits.journal_per_address = SMALL);
    let mut ada = Browser::of(server).without_rehearsal();
    ada.address("127.0.0.1").get("/").await;
    for _ in 0..500 {
        ada.follow("more").await.status(200);
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_of_a_visitor_are_capped_also_where_they_are_parked() {
    let store = Memory::new();
    let server = || {
        server(store.clone(), |limits| {
            (limits.sessions_per_visitor, limits.park) = (4, 2 * SECOND);
        })
    };
    let mut ada = Browser::of(server());
    for path in 0..16 {
        ada.get(&format!("/{path}")).await;
        if path < 4 {
            ada.follow("more").await.shows("Page 1.");
        } else {
            ada.status(503).shows("Finish some, or come again later.");
        }
        ada.wait(5 * SECOND).await;
        assert_eq!(ada.sessions(), 0, "parked");
    }
    ada.restart(server()).get("/7").await.status(503);
    assert_eq!(store.list(0, 99).expect("memory can be read").len(), 4);
    // Whoever ends one has room for another, under its label and under others.
    ada.get("/2").await.follow("enough").await.shows("The end.");
    ada.get("/2").await.follow("more").await.shows("Page 1.");
    ada.get("/7").await.status(503);
    ada.get("/1").await.follow("enough").await.shows("The end.");
    ada.get("/7").await.follow("more").await.shows("Page 1.");
    ada.get("/1").await.status(503);
    ada.other().get("/7").await.follow("more").await.shows("Page 1.");
}

#[tokio::test(start_paused = true)]
async fn what_old_pages_cost_is_bounded_by_the_length_of_their_sessions() {
    let server = server(Memory::new(), |limits| {
        (limits.replay_bytes, limits.replay_bytes_per_address, limits.branches) = (30_000, 60_000, 1);
    });
    let first = Browser::of(server).without_rehearsal();
    let come = async |address: &str| {
        let mut visitor = first.other();
        visitor.address(address).get("/").await;
        for _ in 0..80 {
            visitor.follow("more").await;
        }
        visitor
    };
    /// Old pages that are found, one after the other.
    async fn found(visitor: &mut Browser) -> usize {
        let mut found = 0;
        while visitor.back().back().follow("more").await.links().contains(&"more".to_owned()) {
            found += 1;
            assert!(found < 30, "it has no end");
        }
        visitor.status(503).shows("faster than we can follow");
        visitor.get("/").await;
        found
    }
    let mut ada = come("192.0.2.7").await;
    let hers = found(&mut ada).await;
    assert!((1..10).contains(&hers), "{hers}");
    let mut all = hers;
    for _ in 0..5 {
        all += found(&mut come("192.0.2.7").await).await;
    }
    assert!(all <= 2 * hers + 2, "the network has its bound: {all}, {hers} of them for one");
    assert!(found(&mut come("192.0.2.8").await).await > 0, "others go on");
    ada.wait(11 * SECOND).await;
    assert!(found(&mut ada).await > 0, "and so does she when it is over");
}
