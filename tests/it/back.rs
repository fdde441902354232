//! Back, other tabs and old pages, with a journal: what answers to them do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use continuity::journal::{Memory, Store};
use continuity::prelude::*;
use continuity::test::Browser;
use continuity::{OldPages, Server};

use crate::examples::gallery::shelf::counter;

const OLDER: &str = "older page";

/// A page with what was chosen so far, and two ways on.
async fn trail(mut req: Request) -> Result<()> {
    let mut trail = String::from("start");
    while !trail.ends_with("end") {
        let step: String = req
            .choose(|c| {
                html! {
                    "At " (trail) "."
                    (c.link("left", "-l".to_owned())) (c.link("right", "-r".to_owned())) (c.link("out", "-end".to_owned()))
                }
            })
            .await?;
        trail.push_str(&step);
    }
    req.print(html! { "Out by " (trail) "." });
    Ok(())
}

/// What a test needs of a server that can be started again.
fn journaled(flow: impl Into<Flow>, store: &Memory) -> Server {
    Server::new(flow).journal(store.clone())
}

/// How many entries a journal has.
fn recorded(store: &Memory) -> u64 {
    let heads = store.list(0, 100).expect("memory can be read");
    let chunks = heads.iter().flat_map(|head| store.load(head.session).expect("memory can be read"));
    chunks.map(|chunk| chunk.count).sum()
}

#[tokio::test]
async fn line_11_back_means_back() {
    let mut browser = Browser::journaled(counter::counter);
    browser.get("/").await.shows("Count: 0");
    browser.follow("++").await.shows("Count: 1");
    browser.follow("++").await.shows("Count: 2");
    browser.back().await;
    browser.follow("--").await.shows("Count: 0");
}

#[tokio::test]
async fn line_11_both_tabs_live_on() {
    let mut one = Browser::journaled(trail).rehearsing();
    one.get("/").await.follow("left").await.shows("At start-l.");
    let mut two = one.new_tab();
    two.get(&one.href("right")).await.shows("At start-l-r.");
    one.follow("left").await.shows("At start-l-l.");
    two.follow("right").await.shows("At start-l-r-r.");
    one.follow("right").await.shows("At start-l-l-r.");
    two.follow("left").await.shows("At start-l-r-r-l.");
    assert_eq!(one.sessions(), 1);
}

#[tokio::test]
async fn line_11_both_tabs_live_on_across_restarts() {
    let store = Memory::new();
    let mut one = Browser::of(journaled(trail, &store));
    one.get("/").await.follow("left").await.shows("At start-l.");
    let mut two = one.new_tab();
    two.get(&one.href("right")).await.shows("At start-l-r.");
    for _ in 0..3 {
        one.follow("left").await.shows("-l.").shows_not("-r");
        two.restart(journaled(trail, &store)).follow("right").await.shows("-r.").shows("At start-l-r");
    }
    one.shows("At start-l-l-l-l.");
    two.shows("At start-l-r-r-r-r.");
}

#[tokio::test]
async fn line_11_an_old_answer_given_again_gets_the_page_it_made_and_runs_nothing() {
    let store = Memory::new();
    let mut browser = Browser::of(journaled(trail, &store));
    browser.get("/").await.follow("left").await.follow("right").await.follow("left").await;
    browser.shows("At start-l-r-l.");
    let recorded = self::recorded(&store);
    browser.back().await.back().await.back().await.follow("left").await.shows("At start-l.").shows_not(OLDER);
    browser.follow("right").await.shows("At start-l-r.").shows_not(OLDER);
    browser.restart(journaled(trail, &store)).back().await.back().await;
    browser.follow("left").await.shows("At start-l.").shows_not(OLDER);
    assert_eq!(self::recorded(&store), recorded, "nothing was recorded");
    // Who comes by hand is where the session is.
    browser.get("/").await.shows("At start-l-r-l.");
}

#[tokio::test]
async fn line_11_a_hit_without_a_token_goes_to_the_branch_that_answered_last() {
    let mut browser = Browser::journaled(trail);
    browser.get("/").await.follow("left").await.follow("left").await;
    browser.back().await.follow("right").await.shows("At start-l-r.");
    browser.get("/").await.shows("At start-l-r.");
}

#[tokio::test]
async fn line_11_a_double_click_on_a_branch_runs_once() {
    let mut browser = Browser::journaled(trail);
    browser.get("/").await.follow("left").await.follow("left").await;
    browser.back().await;
    let right = browser.href("right");
    browser.get(&right).await.shows("At start-l-r.");
    browser.get(&right).await.shows("At start-l-r.").shows_not(OLDER);
    browser.follow("left").await.shows("At start-l-r-l.");
    browser.get(&right).await.shows("At start-l-r.").shows_not(OLDER);
}

#[tokio::test]
async fn line_11_rewind_goes_back_and_on() {
    let store = Memory::new();
    let server = || journaled(trail, &store).old_pages(OldPages::Rewind);
    let mut browser = Browser::of(server());
    browser.get("/").await.follow("left").await.follow("left").await.follow("left").await;
    let late = browser.href("left");
    browser.back().await.back().await.follow("right").await.shows("At start-l-r.");
    browser.get(&late).await.shows("At start-l-r.").shows(OLDER);
    browser.restart(server()).get("/").await.shows("At start-l-r.");
    browser.get(&late).await.shows("At start-l-r.").shows(OLDER);
    browser.follow("right").await.shows("At start-l-r-r.");
}

#[tokio::test]
async fn line_11_refuse_shows_the_current_page_with_a_notice() {
    let store = Memory::new();
    let mut browser = Browser::of(journaled(trail, &store).old_pages(OldPages::Refuse));
    browser.get("/").await.follow("left").await.follow("left").await.shows("At start-l-l.");
    browser.back().await.follow("right").await.shows("At start-l-l.").shows(OLDER);
    browser.back_reloading().await.shows("At start-l.").shows_not(OLDER);
    browser.back().await.follow("left").await.shows("At start-l.").shows_not(OLDER);
}

#[tokio::test]
async fn line_11_a_flow_and_a_page_have_policies_of_their_own() {
    async fn exam(mut req: Request) -> Result<()> {
        let mut said = String::new();
        for question in ["one", "two", "three"] {
            if question == "two" {
                req.old_pages(OldPages::Refuse);
            }
            said.push(if req.confirm(question).await? { 'y' } else { 'n' });
            req.print(html! { "Said " (said) ". " });
        }
        Ok(())
    }
    let store = Memory::new();
    let mut browser = Browser::of(journaled(exam, &store));
    browser.get("/").await.follow("Yes").await.shows("two");
    browser.follow("Yes").await.shows("three");
    browser.back().await.follow("No").await.shows("Said yy.").shows(OLDER);
    browser.back().await.back().await.follow("No").await.shows("Said n.").shows_not(OLDER);

    let flow = Flow::new(exam).old_pages(OldPages::Refuse);
    let mut browser = Browser::of(journaled(flow, &Memory::new()));
    browser.get("/").await.follow("Yes").await.shows("two");
    browser.back().await.follow("No").await.shows("Said y.").shows(OLDER);
}

#[tokio::test]
async fn line_11_what_needs_a_journal_says_so() {
    for policy in [OldPages::Branch, OldPages::Rewind] {
        let server = Server::new(trail).old_pages(policy).listen(Http::on(0));
        let error = server.bind().await.expect_err("there is no journal").to_string();
        assert!(error.contains("journal(Sqlite::open"), "{error}");
    }
}

#[tokio::test]
async fn line_12_only_so_many_branches_stay_in_memory_and_all_live_on() {
    let store = Memory::new();
    let server = journaled(trail, &store).limits(|limits| limits.branches = 2);
    let mut first = Browser::of(server);
    first.get("/").await.follow("left").await;
    let mut tabs = Vec::new();
    for at in 0..6 {
        let mut tab = first.new_tab();
        // Each begins where the one before has left.
        tab.get(&first.href(if at % 2 == 0 { "left" } else { "right" })).await;
        first = tab.new_tab();
        first.get(&tab.href("right")).await;
        tabs.push(tab);
    }
    for tab in &mut tabs {
        let before = tab.text();
        let before = before.split_once('.').expect("the trail ends with one").0;
        tab.follow("left").await.shows(&format!("{before}-l."));
    }
}

#[tokio::test]
async fn line_12_who_goes_back_and_forth_too_fast_is_asked_to_wait() {
    let store = Memory::new();
    let mut browser = Browser::of(journaled(trail, &store).limits(|limits| limits.replays = 3));
    browser.get("/").await.follow("left").await.follow("left").await.follow("left").await;
    let old = browser.back().await.back().await.href("left");
    for _ in 0..3 {
        browser.get(&old).await.status(200);
    }
    browser.get(&old).await.status(503).shows("faster than we can follow");
    browser.get("/").await.shows("At start-l-l-l.");
}

#[tokio::test]
async fn line_13_locals_belong_to_the_branch_and_shared_to_the_session() {
    #[derive(Default, Serialize, Deserialize)]
    struct Basket(Vec<String>);

    async fn shop(mut req: Request) -> Result<()> {
        let mut mine = Vec::new();
        loop {
            let basket = req.shared::<Basket>().get()?.0.join(",");
            let seen = mine.join(",");
            let item: String = req
                .choose(|c| {
                    html! {
                        "Basket " (basket) ". Seen " (seen) "."
                        (c.link("socks", "socks".to_owned())) (c.link("hats", "hats".to_owned()))
                    }
                })
                .await?;
            req.shared::<Basket>().update(|basket| basket.0.push(item.clone()))?;
            mine.push(item);
        }
    }
    let store = Memory::new();
    let mut one = Browser::of(journaled(shop, &store));
    one.get("/").await.follow("socks").await.shows("Basket socks. Seen socks.");
    let mut two = one.new_tab();
    two.get(&one.href("hats")).await.shows("Basket socks,hats. Seen socks,hats.");
    one.follow("socks").await.shows("Basket socks,hats,socks. Seen socks,socks.");
    two.restart(journaled(shop, &store)).follow("hats").await;
    two.shows("Basket socks,hats,socks,hats. Seen socks,hats,hats.");
    one.restart(journaled(shop, &store)).follow("hats").await;
    one.shows("Basket socks,hats,socks,hats,hats. Seen socks,socks,hats.");
}

#[tokio::test]
async fn line_13_nobody_goes_back_past_a_commit() {
    async fn pay(mut req: Request) -> Result<()> {
        let how = if req.confirm("By card?").await? { "card" } else { "cash" };
        if !req.confirm(html! { "Pay by " (how) "?" }).await? {
            return Ok(());
        }
        req.commit();
        req.inform(html! { "Paid by " (how) "." }).await?;
        req.inform("Goodbye.").await?;
        Ok(())
    }
    let store = Memory::new();
    let mut one = Browser::of(journaled(pay, &store));
    one.get("/").await;
    let mut two = one.new_tab();
    two.get(&one.href("No")).await.shows("Pay by cash?");
    one.follow("Yes").await.shows("Pay by card?");
    one.follow("Yes").await.shows("Paid by card.");
    // The repeat of what led here is one.
    one.reload().await.shows("Paid by card.");
    two.follow("Yes").await.status(410).shows("going back does not change it");
    two.follow("Go on").await;
    two.shows("Paid by card.");
    one.back().await.back().await.follow("No").await.status(410);
    one.follow("Go on").await.shows("Paid by card.");
    one.restart(journaled(pay, &store)).follow("OK").await.shows("Goodbye.");
    one.back()
        .await
        .back()
        .await
        .back()
        .await
        .follow("No")
        .await
        .status(410)
        .shows("going back does not change it");
    // Back to a page after it is no way back past it.
    one.get("/").await.shows("Goodbye.");
}

#[tokio::test]
async fn line_13_chance_is_another_in_a_branch_and_the_same_in_a_replay() {
    async fn dice(mut req: Request) -> Result<()> {
        let mut rolled = Vec::new();
        loop {
            let all = rolled.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
            req.choose(|c| html! { "Rolled [" (all) "]." (c.link("roll", true)) (c.link("throw", false)) })
                .await?;
            rolled.push(req.rng().random::<u64>());
        }
    }
    let store = Memory::new();
    let mut one = Browser::of(journaled(dice, &store));
    one.get("/").await.follow("roll").await;
    let rolled = one.text();
    one.back().await.follow("throw").await;
    let thrown = one.text();
    assert_ne!(rolled, thrown);
    one.back().await.follow("roll").await;
    assert_eq!(one.text(), rolled);
    one.restart(journaled(dice, &store)).back().await.follow("throw").await;
    assert_eq!(one.text(), thrown);
}

#[tokio::test]
async fn line_16_a_branch_that_reaches_an_effect_another_has_done_gets_its_result() {
    async fn pay(mut req: Request) -> Result<()> {
        let mut colour = "red".to_owned();
        loop {
            let choice: Option<String> = req
                .choose(
                    |c| html! { (colour) (c.link("blue", Some("blue".to_owned()))) (c.link("buy", None)) },
                )
                .await?;
            let Some(other) = choice else { break };
            colour = other;
        }
        let charges = req.app::<AtomicU32>();
        let receipt: u32 = req
            .once("charge", "4200", async |_| Ok::<_, Error>(charges.fetch_add(1, Ordering::SeqCst) + 1))
            .await?;
        req.inform(html! { "Receipt " (receipt) " for " (colour) }).await?;
        Ok(())
    }
    let (store, charges) = (Memory::new(), Arc::new(AtomicU32::new(0)));
    struct Charges;
    let _ = Charges;
    let server = || journaled(pay, &store).app(AtomicU32::new(charges.fetch_add(10, Ordering::SeqCst)));
    let mut browser = Browser::of(server());
    browser.get("/").await.follow("buy").await.shows("Receipt 1 for red");
    browser.back().await.follow("blue").await.follow("buy").await.shows("Receipt 1 for blue");
    browser.restart(server()).back().await.back().await.follow("buy").await.shows("Receipt 1 for red");
    browser.back().await.follow("blue").await.follow("buy").await.shows("Receipt 1 for blue");
}

#[tokio::test]
async fn line_03_a_branch_that_returns_leaves_the_others_and_its_last_page() {
    let store = Memory::new();
    let mut one = Browser::of(journaled(trail, &store));
    one.get("/").await.follow("left").await;
    let mut two = one.new_tab();
    two.get(&one.href("right")).await.shows("At start-l-r.");
    one.follow("out").await.shows("Out by start-l-end.");
    one.reload().await.shows("Out by start-l-end.");
    two.follow("left").await.shows("At start-l-r-l.");
    one.restart(journaled(trail, &store)).reload().await.shows("Out by start-l-end.");
    two.follow("out").await.shows("Out by start-l-r-l-end.");
    // Now all of it is over.
    one.back().await.follow("left").await.status(410).shows("expired");
    two.reload().await.shows("Out by start-l-r-l-end.");
    one.get("/").await.shows("At start.");
}

#[tokio::test]
async fn line_03_the_last_page_of_a_session_can_be_repeated_after_a_restart() {
    let store = Memory::new();
    let mut browser = Browser::of(journaled(trail, &store));
    browser.get("/").await.follow("left").await.follow("out").await.shows("Out by start-l-end.");
    browser.restart(journaled(trail, &store)).reload().await.shows("Out by start-l-end.");
    browser.back().await.follow("left").await.status(410).shows("expired");
    browser.get("/").await.shows("At start.");
}

#[tokio::test]
async fn line_04_a_failed_step_on_a_branch_goes_back_to_its_page() {
    async fn fails(mut req: Request) -> Result<()> {
        let mut count = 0;
        loop {
            count += req
                .choose(|c| html! { "Count: " (count) "." (c.link("one", 1)) (c.link("ten", 10)) (c.link("bad", 100)) })
                .await?;
            if count > 100 {
                return Err("too many".into());
            }
        }
    }
    let mut browser = Browser::journaled(fails);
    browser.get("/").await.follow("one").await.follow("one").await.follow("one").await.shows("Count: 3.");
    let three = browser.new_tab().get(&browser.href("one")).await.href("ten");
    browser.back().await.back().await.follow("bad").await.status(500);
    browser.follow("Back to where you were").await.shows("Count: 1.");
    browser.follow("one").await.shows("Count: 2.").shows_not(OLDER);
    browser.follow("ten").await.shows("Count: 12.");
    browser.get(&three).await.shows("Count: 14.");
}

#[tokio::test]
async fn line_04_an_old_page_that_cannot_be_drawn_costs_nothing_of_what_came_after() {
    async fn fragile(mut req: Request) -> Result<()> {
        let broken = req.app::<AtomicU32>();
        let mut count = 0;
        loop {
            count += req
                .choose(|c| {
                    assert!(broken.load(Ordering::SeqCst) == 0, "it cannot be drawn");
                    html! { "Count: " (count) "." (c.link("one", 1)) (c.link("two", 2)) }
                })
                .await?;
        }
    }
    for policy in [OldPages::Branch, OldPages::Rewind] {
        let store = Memory::new();
        let server = |broken| journaled(fragile, &store).app(AtomicU32::new(broken)).old_pages(policy);
        let mut browser = Browser::of(server(0));
        browser.get("/").await.follow("one").await.follow("one").await.follow("one").await.shows("Count: 3.");
        let (old, first) = (browser.back().await.back().await.href("one"), browser.href("two"));
        browser.restart(server(1)).get(&old).await.status(500);
        browser.restart(server(0)).get("/").await.shows("Count: 3.");
        browser.get(&old).await.shows("Count: 2.");
        browser.get(&first).await.shows("Count: 3.");
        browser.follow("one").await.shows("Count: 4.");
    }
}

/// Adds numbers, by printed forms.
async fn sum(mut req: Request) -> Result<()> {
    let mut sum = 0i64;
    for nth in 1.. {
        req.print(html! { "Sum " (sum) ". " form method="post" { "Number " (nth) input name="number"; button { "Add" } } });
        sum += req.next().await?.param::<i64>("number")?;
    }
    Ok(())
}

#[tokio::test]
async fn line_11_printed_forms_branch_and_their_pages_are_made_again() {
    let store = Memory::new();
    let mut one = Browser::of(journaled(sum, &store));
    one.get("/").await.fill("number", 1).submit().await.shows("Sum 1.");
    one.fill("number", 10).submit().await.shows("Sum 11.");
    one.fill("number", 100).submit().await.shows("Sum 111.");
    one.back().await.back().await.fill("number", 20).submit().await.shows("Sum 21.");
    // The same again, however long ago: the page that it made, and nothing is added.
    one.back().await.fill("number", 10).submit().await.shows("Sum 11.");
    one.restart(journaled(sum, &store)).back().await.fill("number", 20).submit().await.shows("Sum 21.");
    one.resubmitting().reload().await.shows("Sum 21.");
    one.fill("number", 5).submit().await.shows("Sum 26.");
}

#[tokio::test]
async fn line_11_a_printed_page_whose_kept_copy_is_gone_is_made_again() {
    let store = Memory::new();
    let server = || journaled(sum, &store).limits(|limits| limits.kept_pages = 100);
    let mut one = Browser::of(server());
    one.get("/").await.fill("number", 1).submit().await.shows("Sum 1.");
    let mut two = one.other();
    two.get("/").await.fill("number", 2).submit().await.shows("Sum 2.");
    one.resubmitting().reload().await.shows("Sum 1.");
    two.resubmitting().reload().await.shows("Sum 2.");
    one.fill("number", 1).submit().await.shows("Sum 2.");
}

#[tokio::test]
async fn line_11_latest_takes_an_old_answer_as_the_answer_to_the_current_page() {
    for store in [None, Some(Memory::new())] {
        let server = Server::new(sum).old_pages(OldPages::Latest);
        let server = match store {
            Some(store) => server.journal(store),
            None => server,
        };
        let mut browser = Browser::of(server);
        browser.get("/").await.fill("number", 1).submit().await.shows("Sum 1.");
        browser.back().await.fill("number", 10).submit().await.shows("Sum 11.");
        browser.resubmitting().reload().await.shows("Sum 11.");
    }
}
