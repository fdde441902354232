//! Line 2 with a journal: an id is changed when that is written. Until then, and ever after, the old one opens nothing; if it
//! cannot be written it was not changed.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use continuity::journal::{Fault, Memory};
use continuity::prelude::*;
use continuity::test::Browser;
use continuity::test::store::Failing;

use crate::flows::tally;
use crate::held::Held;

/// Changes the visitor's id between two choices.
async fn login(mut req: Request) -> Result<()> {
    loop {
        req.choose(|c| html! { "Outside " (c.link("Log in", ())) }).await?;
        req.rotate_id()?;
        req.choose(|c| html! { "Inside " (c.link("Log out", ())) }).await?;
    }
}

fn server(store: &Held) -> Server {
    Server::new(login).mount("/other", tally).journal(store.clone())
}

/// A visitor who is about to log in, with a session elsewhere that is not in memory; and their id.
async fn ada(store: &Held) -> (Browser, String) {
    let mut ada = Browser::of(server(store)).without_rehearsal();
    ada.get("/other").await.get("/other").await.shows("Hit 2");
    ada.get("/").await.follow("Log in").await.follow("Log out").await.shows("Outside");
    ada.restart(server(store));
    ada.get("/").await.shows("Outside");
    let id = ada.cookie("sid").expect("a visitor has an id");
    (ada, id)
}

#[tokio::test]
async fn until_a_new_id_is_written_the_old_one_opens_nothing() {
    let store = Held::default();
    let (mut ada, old) = ada(&store).await;
    let (mut thief, mut another) = (ada.other(), ada.other());
    thief.set_cookie("sid", &old);
    another.set_cookie("sid", &old);
    store.hold();
    let steals = async {
        store.waits().await;
        // What is in memory, and what is parked.
        thief.get("/").await.shows("Outside").shows_not("Inside");
        another.get("/other").await.shows("Hit 1");
        store.go_on(0..0);
    };
    tokio::join!(ada.follow("Log in"), steals);
    ada.shows("Inside");
    assert!(thief.cookie("sid") != Some(old.clone()) && thief.cookie("sid") != ada.cookie("sid"));
    assert!(another.cookie("sid") != Some(old) && another.cookie("sid") != ada.cookie("sid"));
    ada.new_tab().get("/other").await.shows("Hit 3");
    ada.restart(server(&store)).reload().await.shows("Inside");
    ada.get("/other").await.shows("Hit 4");
}

#[tokio::test]
async fn a_new_id_that_could_not_be_written_leaves_the_old_one_valid_for_all_sessions() {
    let store = Held::default();
    let (mut ada, old) = ada(&store).await;
    store.hold();
    let fails = async {
        store.waits().await;
        store.go_on(0..1);
    };
    tokio::join!(ada.follow("Log in"), fails);
    ada.status(503);
    assert_eq!(ada.cookie("sid"), Some(old.clone()), "nobody was told another one");
    ada.get("/other").await.shows("Hit 3");
    ada.get("/").await.shows("Outside");
    ada.follow("Log in").await.shows("Inside");
    assert_ne!(ada.cookie("sid"), Some(old));
    ada.restart(server(&store)).get("/other").await.shows("Hit 4");
}

#[tokio::test]
async fn a_new_id_that_was_written_stays_and_is_told_when_a_later_write_fails() {
    struct Trap {
        store: Failing<Memory>,
        set: AtomicBool,
    }
    async fn pays_at_login(mut req: Request) -> Result<()> {
        req.choose(|c| html! { "Outside " (c.link("Log in", ())) }).await?;
        req.rotate_id()?;
        let _: u8 = req.once("open an account", &(), async |_| Ok::<_, Error>(1)).await?;
        let trap = req.app::<Arc<Trap>>();
        if trap.set.swap(false, SeqCst) {
            trap.store.fail(Some(Fault::Full));
        }
        req.choose(|c| html! { "Inside " (c.link("Log out", ())) }).await?;
        Ok(())
    }
    let store = Failing::new(Memory::new());
    let trap = Arc::new(Trap { store: store.clone(), set: AtomicBool::new(true) });
    let server =
        || Server::new(pays_at_login).mount("/other", tally).app(trap.clone()).journal(store.clone());
    let mut ada = Browser::of(server()).without_rehearsal();
    ada.get("/other").await.get("/other").await.shows("Hit 2");
    ada.get("/").await;
    let (old, submit) = (ada.cookie("sid"), ada.href("Log in"));
    ada.follow("Log in").await.status(503);
    assert_ne!(ada.cookie("sid"), old, "the old one is dead: it was written before");
    store.fail(None);
    ada.get(&submit).await.shows("Inside");
    ada.get("/other").await.shows("Hit 3");
    let mut thief = ada.other();
    thief.set_cookie("sid", &old.expect("an id")).get("/other").await.shows("Hit 1");
    ada.restart(server()).get("/other").await.shows("Hit 4");
}

/// Takes its second hit, from which on it is kept, for as long as the gate is shut.
async fn slow(mut req: Request) -> Result<()> {
    for hit in 1.. {
        req.print(html! { "Hit " (hit) });
        req.next().await?;
        let open = req.app::<Arc<AtomicBool>>();
        let opens = async || {
            while !open.load(SeqCst) {
                tokio::task::yield_now().await;
            }
            Ok::<_, Error>(())
        };
        req.read("the gate", opens).await?;
    }
    Ok(())
}

/// What comes next is in line for the journal.
async fn a_moment() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Ada logs in while a session of hers begins to be kept; these steps fail then. Both are written alone, or `together`, after
/// one of another visitor.
async fn begins_while_the_id_changes(together: bool, failing: Range<usize>) {
    let logged_in = failing.is_empty();
    let (store, open) = (Held::default(), Arc::new(AtomicBool::new(false)));
    let server = || Server::new(login).mount("/slow", slow).app(open.clone()).journal(store.clone());
    let mut ada = Browser::of(server()).without_rehearsal();
    ada.get("/").await.follow("Log in").await.follow("Log out").await;
    let (mut tab, mut bob) = (ada.new_tab(), ada.other());
    bob.get("/").await;
    tab.get("/slow").await.shows("Hit 1");
    store.hold();
    let bob_is_written_first = async {
        if together {
            bob.follow("Log in").await;
        }
    };
    let logs_in = async {
        if together {
            store.waits().await;
        }
        ada.follow("Log in").await;
    };
    let opens = async {
        store.waits().await;
        a_moment().await;
        open.store(true, SeqCst);
        a_moment().await;
        store.go_on(failing.clone());
    };
    tokio::join!(tab.get("/slow"), bob_is_written_first, logs_in, opens);
    ada.status(if logged_in { 200 } else { 503 });
    tab.status(200).shows("Hit 2");
    ada.get("/slow").await.shows("Hit 3");
    ada.restart(server()).get("/slow").await.shows("Hit 4");
}

#[tokio::test]
async fn a_session_that_begins_while_the_id_changes_is_the_visitors() {
    begins_while_the_id_changes(false, 0..0).await;
    begins_while_the_id_changes(true, 0..0).await;
}

#[tokio::test]
async fn a_session_that_begins_while_the_id_cannot_be_changed_is_the_visitors() {
    begins_while_the_id_changes(false, 0..1).await;
    begins_while_the_id_changes(true, 1..2).await;
}

/// A visitor whose login never comes to its end, and is cut off; what they have elsewhere.
async fn cut_off_at_login(server: Server, comes_back: bool) -> Browser {
    async fn hangs_at_login(mut req: Request) -> Result<()> {
        req.choose(|c| html! { "Outside " (c.link("Log in", ())) }).await?;
        req.rotate_id()?;
        std::future::pending().await
    }
    const MINUTE: Duration = Duration::from_secs(60);
    let server = server.mount("/login", hangs_at_login).mount("/other", tally).limits(|limits| {
        (limits.lifetime, limits.lifetime_journaled) = (10 * MINUTE, 10 * MINUTE);
    });
    let mut ada = Browser::of(server).without_rehearsal();
    ada.get("/login").await.get("/login").await.shows("Outside");
    ada.wait(8 * MINUTE).await;
    if comes_back {
        ada.get("/login").await.shows("Outside");
    }
    let mut other = ada.new_tab();
    other.get("/other").await.get("/other").await.shows("Hit 2");
    tokio::join!(ada.follow("Log in"), other.wait(4 * MINUTE));
    ada.status(503);
    other.get("/other").await.shows("Hit 3");
    ada
}

#[tokio::test(start_paused = true)]
async fn nobody_loses_their_other_sessions_by_a_login_that_is_cut_off() {
    for comes_back in [false, true] {
        cut_off_at_login(Server::new(tally), comes_back).await;
        cut_off_at_login(Server::new(tally).journal(Memory::new()), comes_back).await;
    }
}
