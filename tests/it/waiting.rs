//! A test that lets time pass waits for none of it, and misses nothing that happens on the way.

use std::time::Duration;

use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;

use crate::flows::{Diary, counter, with_diary};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// Real time that a year may cost, on a machine that has other work: at a look a second it is minutes.
const MOMENT: Duration = Duration::from_secs(20);

fn journaled(flow: impl Into<Flow>) -> Server {
    Server::new(flow).journal(Memory::new()).limits(|limits| limits.idle_journaled = 400 * DAY)
}

#[tokio::test(start_paused = true)]
async fn a_year_passes_in_a_moment() {
    let begun = std::time::Instant::now();
    let mut browser = Browser::new(counter);
    browser.get("/").await.follow("++").await.wait(YEAR).await.get("/").await.shows("Count: 0");
    assert!(begun.elapsed() < MOMENT, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_year_passes_in_a_moment_with_a_journal_too_and_the_session_is_where_it_was() {
    let begun = std::time::Instant::now();
    let mut browser = Browser::of(journaled(counter));
    browser.get("/").await.follow("++").await.follow("++").await;
    assert_eq!(browser.sessions(), 1);
    browser.wait(YEAR).await;
    assert_eq!(browser.sessions(), 0, "it was parked on the way");
    browser.follow("++").await.shows("Count: 3");
    browser.wait(DAY * 401).await.get("/").await.shows("Count: 0");
    assert!(begun.elapsed() < MOMENT, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn on_the_way_sessions_end_in_their_order_and_at_their_time() {
    async fn timed(mut req: Request) -> Result<()> {
        let diary = req.app::<Diary>();
        let begun = tokio::time::Instant::now();
        let name: String = req.param("name")?;
        req.print("Here").next().await?;
        let ended = req.print("Still here").next().await.map(drop);
        diary.note(format!("{name} told after {} min", begun.elapsed().as_secs() / 60));
        tokio::time::sleep(Duration::from_secs(60)).await;
        diary.note(format!("{name} never gets here: its grace is 5 s"));
        Ok(ended?)
    }
    let (first, diary) = with_diary(timed, |_| {});
    let mut ada = first.other();
    let mut bob = first.other();
    ada.get("/?name=ada").await.get("/?name=ada").await;
    ada.wait(10 * MINUTE).await;
    bob.get("/?name=bob").await.get("/?name=bob").await;
    assert_eq!(first.sessions(), 2);
    ada.wait(21 * MINUTE).await;
    assert_eq!((diary.lines(), first.sessions()), (vec!["ada told after 30 min".to_owned()], 1));
    ada.wait(DAY).await;
    assert_eq!(diary.lines(), ["ada told after 30 min", "bob told after 30 min"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_session_does_by_itself_happens_on_the_way() {
    async fn alarm(mut req: Request) -> Result<()> {
        let begun = tokio::time::Instant::now();
        req.print("Set").next().await?;
        req.print("Good night").flush().await?;
        for _ in 0..40 {
            req.sleep(9 * DAY).await;
            req.app::<Diary>().note(format!("day {}", begun.elapsed().as_secs() / 86_400));
        }
        req.next().await?;
        Ok(())
    }
    for kept in [false, true] {
        let (begun, diary) = (std::time::Instant::now(), Diary::default());
        let server = if kept { journaled(alarm) } else { Server::new(alarm) };
        let server = server.app(diary.clone()).limits(|limits| limits.lifetime = 400 * DAY);
        let mut browser = Browser::of(server).without_rehearsal();
        browser.get("/").await;
        let night = browser.open("/").await;
        browser.wait(YEAR).await;
        let days: Vec<_> = (1..=40).map(|night| format!("day {}", 9 * night)).collect();
        assert_eq!(diary.lines(), days, "with a journal: {kept}");
        assert!(begun.elapsed() < MOMENT, "{:?} with a journal: {kept}", begun.elapsed());
        drop(night);
    }
}

#[tokio::test(start_paused = true)]
async fn others_go_on_while_one_waits() {
    let mut ada = Browser::of(Server::new(counter).limits(|limits| limits.newborn = 30 * MINUTE));
    let mut bob = ada.other();
    ada.get("/").await.follow("++").await;
    let clicks = async {
        bob.get("/").await;
        // Each click within half an hour of the one before: the session lives on.
        for count in 1..=40 {
            tokio::time::sleep(29 * MINUTE).await;
            bob.follow("++").await.shows(&format!("Count: {count}"));
        }
    };
    tokio::join!(ada.wait(100 * DAY), clicks);
    ada.get("/").await.shows("Count: 0");
}
