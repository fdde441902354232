//! What could not be written did not happen, and the session waits where it was, whatever else is going on in it: an answer
//! to an old page, its last step, the stop of the server.

use std::time::Duration;

use continuity::journal::{Fault, Memory};
use continuity::prelude::*;
use continuity::test::Browser;
use continuity::test::store::Failing;

use crate::bare::{Bare, get};
use crate::flows::counter;
use crate::held::Held;

/// A visitor at "Count: 2", and the address of "++" on the page before.
async fn ada(store: &Held) -> (Browser, String) {
    let mut ada = Browser::of(Server::new(counter).journal(store.clone())).without_rehearsal();
    ada.get("/").await.follow("++").await.shows("Count: 1");
    let old = ada.href("--");
    ada.follow("++").await.shows("Count: 2");
    (ada, old)
}

#[tokio::test]
async fn a_step_that_could_not_be_written_costs_no_session_whose_old_page_is_answered_meanwhile() {
    for round in 0..20 {
        let store = Held::default();
        let (mut ada, old) = ada(&store).await;
        let mut other = ada.new_tab();
        store.hold();
        let fails_once = async {
            store.waits().await;
            // Now and then the answer to the old page comes a moment later.
            for _ in 0..round % 5 {
                tokio::task::yield_now().await;
            }
            store.go_on(0..1);
        };
        tokio::join!(ada.follow("++"), other.get(&old), fails_once);
        ada.status(503);
        // The old page's answer is taken by the session that was rebuilt, on a branch of its own.
        other.status(200).shows("Count: 0");
        assert_eq!(store.live(), 1, "it is not over");
        ada.back().follow("++").await.shows("Count: 3");
    }
}

#[tokio::test]
async fn a_step_that_cannot_be_written_for_a_while_costs_no_session_either() {
    let store = Held::default();
    let (mut ada, old) = ada(&store).await;
    let mut other = ada.new_tab();
    store.hold();
    let fails = async {
        store.waits().await;
        store.go_on(0..usize::MAX);
    };
    tokio::join!(ada.follow("++"), other.get(&old), fails);
    ada.status(503);
    other.status(503);
    store.go_on(0..0);
    assert_eq!(store.live(), 1, "it is not over");
    other.reload().await.shows("Count: 0");
    ada.back().follow("++").await.shows("Count: 3");
}

#[tokio::test]
async fn a_last_step_that_could_not_be_written_is_none_and_nobody_sees_its_page() {
    async fn votes(mut req: Request) -> Result<()> {
        req.choose(|c| html! { "Ballot " (c.link("on", ())) }).await?;
        req.choose(|c| html! { "Sure? " (c.link("vote", ())) }).await?;
        req.print("Thank you");
        Ok(())
    }
    let store = Failing::new(Memory::new());
    let mut ada = Browser::of(Server::new(votes).journal(store.clone())).without_rehearsal();
    ada.get("/").await.follow("on").await.shows("Sure?");
    store.fail(Some(Fault::Full));
    ada.follow("vote").await.status(503);
    ada.reload().await.status(503).shows_not("Thank you");
    store.fail(None);
    ada.new_tab().get("/").await.shows("Sure?");
    ada.reload().await.shows("Thank you");
}

/// The address of a link on a page.
fn link(page: &str, text: &str) -> String {
    let before = page.split(&format!(">{text}</a>")).next().expect("there is such a link");
    let address = before.rsplit("href=\"").next().and_then(|rest| rest.split('"').next());
    ["/", address.expect("it has an address")].concat().replace("&amp;", "&")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_while_an_answer_to_an_old_page_waits_ends_no_session() {
    for round in 0..10 {
        let store = Held::default();
        let server = || Server::new(counter).cookie("sid").journal(store.clone());
        let bare = Bare::start(server().limits(|limits| limits.grace = Duration::from_millis(20))).await;
        let first = bare.ask(get("/", &[])).await;
        let cookie = first.cookie().expect("an id");
        let follow = |page: &str, text: &str| get(&link(page, text), &[("cookie", &cookie)]);
        let second = bare.ask(follow(&first.body, "++")).await;
        let third = bare.ask(follow(&second.body, "++")).await;
        assert!(third.body.contains("Count: 2"), "{}", third.body);
        store.hold();
        let (engine, other) = (bare.engine.clone(), bare.engine.clone());
        let (step, old) = (follow(&third.body, "++"), follow(&second.body, "--"));
        let step = tokio::spawn(async move { engine.answer(step, None).await });
        store.waits().await;
        let old = tokio::spawn(async move { other.answer(old, None).await });
        let gate = store.clone();
        let opens = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(30 + 3 * round)).await;
            gate.go_on(0..0);
        });
        bare.stop().await;
        opens.await.expect("the gate is opened");
        let (step, _) = (step.await.expect("answered"), old.await.expect("answered"));
        assert_eq!(store.live(), 1, "it is not over");
        let again = Bare::start(server()).await;
        let here = again.ask(get("/", &[("cookie", &cookie)])).await;
        let counts = if step.status() == 200 { ["Count: 3", "Count: 0"] } else { ["Count: 2", "Count: 0"] };
        assert!(counts.iter().any(|count| here.body.contains(count)), "{}", here.body);
    }
}

#[tokio::test]
async fn what_all_branches_have_written_counts_against_the_sessions_share() {
    const SHARE: usize = 6_000;
    async fn steps(tabs: usize) -> usize {
        let server = Server::new(counter).journal(Memory::new());
        let first = Browser::of(server.limits(|limits| {
            (limits.journal_session, limits.branches, limits.replays) = (SHARE, 3, usize::MAX);
        }));
        let mut first = first.without_rehearsal();
        first.get("/").await.follow("++").await;
        let (page, mut browsers) = (first.url(), Vec::new());
        for _ in 0..tabs {
            let mut tab = first.new_tab();
            tab.get(&page).await;
            browsers.push(tab);
        }
        for step in 0..1_000 {
            let tab = &mut browsers[step % tabs];
            tab.follow(if step < tabs { ["++", "--", "++"][step % tabs] } else { "++" }).await;
            if !tab.links().contains(&"++".to_owned()) {
                return step;
            }
        }
        panic!("it grows and grows");
    }
    let (straight, branching) = (steps(1).await, steps(2).await);
    // An entry that says which branch is meant comes with each step there.
    assert!(branching <= straight, "{branching} steps on two branches, {straight} on one");
}
