//! New code, old journals: what becomes of sessions that another version of the program has recorded.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use continuity::journal::{Divergence, Memory, ReplayCheck};
use continuity::prelude::*;
use continuity::test::Browser;

const CHANGED: &str = "This site was changed while you were away";

/// How an order is taken, version by version.
async fn order(mut req: Request, version: u32) -> Result<()> {
    let what: String = req.choose(|c| html! { "What?" (c.link("socks", "socks".to_owned())) }).await?;
    let many: u32 = req.choose(|c| html! { "How many " (what) "?" (c.link("two", 2u32)) }).await?;
    let mut colour = "any";
    if version == 2 || (version == 3 && req.patched("colour")) {
        colour = if req.confirm("In blue?").await? { "blue" } else { "red" };
    }
    if version == 4 {
        req.confirm("Are you of age?").await?;
    }
    let charges = req.app::<Arc<AtomicU32>>();
    let receipt: u32 = req
        .once("charge", &many, async |_| Ok::<_, Error>(charges.fetch_add(1, Ordering::SeqCst) + 1))
        .await?;
    loop {
        req.inform(html! { (many) " " (what) ", " (colour) ": receipt " (receipt) }).await?;
    }
}

macro_rules! versions {
    ($($name:ident $version:literal)*) => { $(async fn $name(req: Request) -> Result<()> { order(req, $version).await })* };
}
versions! { first 1 colours 2 patched 3 ages 4 }

/// An order service, as it is started again with other code.
struct Service {
    store: Memory,
    charges: Arc<AtomicU32>,
}

impl Service {
    fn new() -> Self {
        Service { store: Memory::new(), charges: Arc::default() }
    }

    fn with<F, Fut>(&self, flow: F) -> Server
    where
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        Server::new(flow).journal(self.store.clone()).app(self.charges.clone())
    }

    /// Somebody who has ordered two socks.
    async fn customer(&self) -> Browser {
        let mut browser = Browser::of(self.with(first));
        browser.get("/").await.follow("socks").await.follow("two").await.shows("2 socks, any: receipt 1");
        browser
    }

    async fn check(&self, server: Server) -> ReplayCheck {
        server.replay_check().await.expect("the journal can be read")
    }
}

#[tokio::test]
async fn line_19_who_the_new_code_does_not_know_goes_back_to_the_last_page_that_it_does() {
    let service = Service::new();
    let mut browser = service.customer().await;
    browser.restart(service.with(colours)).get("/").await.shows("How many socks?").shows(CHANGED);
    browser.follow("two").await.shows("In blue?").shows_not(CHANGED);
    browser.follow("Yes").await.shows("2 socks, blue: receipt 1");
    assert_eq!(service.charges.load(Ordering::SeqCst), 1, "what was done once is done");
    browser
        .restart(service.with(colours))
        .get("/")
        .await
        .shows("2 socks, blue: receipt 1")
        .shows_not(CHANGED);
}

#[tokio::test]
async fn line_19_a_click_on_the_page_that_is_gone_is_not_applied() {
    let service = Service::new();
    let mut browser = service.customer().await;
    browser.restart(service.with(ages)).follow("OK").await.shows("How many socks?").shows(CHANGED);
    browser.follow("two").await.shows("Are you of age?");
}

#[tokio::test]
async fn line_19_a_page_that_the_new_code_does_not_come_to_is_not_the_last_one() {
    let service = Service::new();
    let mut browser = Browser::of(service.with(colours));
    browser.get("/").await.follow("socks").await.follow("two").await.shows("In blue?");
    // Here it asks for something else already.
    browser.restart(service.with(first)).get("/").await.shows("How many socks?").shows(CHANGED);
}

#[tokio::test]
async fn line_19_restart_begins_anew_with_a_notice() {
    let service = Service::new();
    let mut browser = service.customer().await;
    let server = || service.with(colours).on_divergence(Divergence::Restart);
    browser.restart(server()).get("/").await.shows("What?").shows("This is the beginning");
    browser.follow("socks").await.shows("How many socks?");
    browser.restart(server()).get("/").await.shows("How many socks?");
}

#[tokio::test]
async fn line_19_refuse_keeps_the_session_and_says_so() {
    let service = Service::new();
    let mut browser = service.customer().await;
    let flow = Flow::new(colours).on_divergence(Divergence::Refuse);
    let server = Server::new(flow).journal(service.store.clone()).app(service.charges.clone());
    browser.restart(server).get("/").await.shows("cannot be restored");
    browser.follow("Go on").await.shows("What?");
}

#[tokio::test]
async fn line_19_where_not_even_the_first_page_is_there_the_flow_begins_anew() {
    async fn other(mut req: Request) -> Result<()> {
        req.print("Another program").next().await?;
        Ok(())
    }
    let service = Service::new();
    let mut browser = service.customer().await;
    browser
        .restart(service.with(other))
        .get("/")
        .await
        .shows("Another program")
        .shows("This is the beginning");
}

#[tokio::test]
async fn line_19_patched_code_finds_the_steps_that_each_session_did() {
    let service = Service::new();
    // One of them was there before the question, and one is when it goes.
    let mut old = service.customer().await.without_rehearsal();
    let mut new = old.other();
    old.restart(service.with(patched)).get("/").await.shows("2 socks, any: receipt 1").shows_not(CHANGED);
    new.get("/").await.follow("socks").await.follow("two").await.shows("In blue?");
    new.restart(service.with(patched)).follow("Yes").await.shows("2 socks, blue: receipt 2");
    new.restart(service.with(patched)).get("/").await.shows("2 socks, blue: receipt 2");
    old.follow("OK").await.shows("2 socks, any: receipt 1");
    // When nobody of the old days is left, the question goes, and the code stays.
    new.restart(service.with(colours)).get("/").await.shows("2 socks, blue: receipt 2").shows_not(CHANGED);
}

#[tokio::test]
async fn r59_a_look_ahead_says_which_sessions_replay_and_changes_nothing() {
    let service = Service::new();
    let mut browser = service.customer().await;
    let mut early = browser.other();
    early.get("/").await.follow("socks").await.shows("How many socks?");
    drop((browser.restart(service.with(first)), early));

    let same = service.check(service.with(first)).await;
    assert_eq!((same.sessions, same.clean), (2, 2), "{same}");
    let changed = service.check(service.with(colours)).await;
    assert_eq!((changed.sessions, changed.clean), (2, 1), "{changed}");
    let [found] = &changed.diverged[..] else { panic!("{changed}") };
    assert!(found.why.contains("asks by Choose") && found.why.contains("upgrading.rs:"), "{changed}");
    assert!(service.check(service.with(patched)).await.is_clean());
    assert_eq!(service.charges.load(Ordering::SeqCst), 1, "no effect was tried");
    browser.restart(service.with(first)).get("/").await.shows("2 socks, any: receipt 1").shows_not(CHANGED);
}

#[tokio::test]
async fn r59_a_look_ahead_sees_all_branches() {
    async fn way(mut req: Request, known: bool) -> Result<()> {
        let left = req.choose(|c| html! { "Where?" (c.link("left", true)) (c.link("right", false)) }).await?;
        if left || known {
            req.inform("There.").await?;
        }
        req.print("Nowhere.").next().await?;
        Ok(())
    }
    let store = Memory::new();
    let server = |known| Server::new(move |req| way(req, known)).journal(store.clone());
    let mut browser = Browser::of(server(true));
    browser.get("/").await.follow("right").await.shows("There.");
    browser.back().await.follow("left").await.shows("There.");
    let check = server(false).replay_check().await.expect("the journal can be read");
    assert_eq!((check.sessions, check.clean), (1, 0), "{check}");
}

#[tokio::test]
async fn r59_a_look_ahead_needs_a_journal() {
    let error = Server::new(colours).replay_check().await.expect_err("there is none").to_string();
    assert!(error.contains("no journal"), "{error}");
}
