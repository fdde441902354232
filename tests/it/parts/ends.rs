//! How a page of parts comes to its end: all have ended, the first has, one failed, the session closes.

use std::time::Duration;

use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;

use super::{count, in_order};
use crate::flows::{Diary, with_diary};
use crate::log::Log;

/// Until the first of two has ended; the other one is asked for nothing any more.
async fn race(mut req: Request) -> Result<()> {
    loop {
        let parts =
            req.parts().part("left", |req| count(req, "left")).part("right", |req| count(req, "right"));
        let (name, count) = parts.layout(in_order).first().await?;
        req.inform(format!("{name} was first with {count}")).await?;
    }
}

#[tokio::test]
async fn the_first_that_ends_takes_the_others_along() {
    let (store, log) = (Memory::new(), Log::listen());
    let server = || Server::new(race).journal(store.clone());
    let mut browser = Browser::of(server()).rehearsing();
    browser.get("/").await.follow("right+").await.follow("left+").await.follow("end right").await;
    browser.shows("right was first with 1").shows_not("left at");
    browser.follow("OK").await.shows("left at 0").shows("right at 0");
    browser.follow("left+").await.follow("end left").await.shows("left was first with 1");
    // What was dropped was dropped by us: the session can be rebuilt past it.
    assert!(!log.text().contains("cannot be rebuilt"), "{}", log.text());
    browser.restart(server()).get("/").await.shows("left was first with 1");
    browser.follow("OK").await.shows("left at 0");
}

/// A part that fails on the left.
async fn fails(mut req: Request) -> Result<()> {
    let fails = async |mut req: Request| -> Result<i64> {
        loop {
            if req.choose(|c| html! { (c.link("fail", true)) " " (c.link("go on", false)) }).await? {
                return Err("it cannot be".into());
            }
        }
    };
    let parts = req.parts().part("left", fails).part("right", |req| count(req, "right"));
    parts.layout(in_order).await?;
    Ok(())
}

#[tokio::test]
async fn a_step_that_fails_in_one_part_is_undone_for_all() {
    let mut browser = Browser::journaled(fails);
    browser.get("/").await.follow("right+").await.follow("go on").await.shows("right at 1");
    browser.follow("fail").await.status(500).shows_not("right at");
    browser.follow("Back to where you were").await.shows("right at 1").shows("go on");
    browser.follow("right+").await.shows("right at 2");
}

#[tokio::test]
async fn without_a_journal_a_part_that_fails_ends_the_session() {
    let mut browser = Browser::new(fails);
    browser.get("/").await.follow("right+").await.follow("fail").await.status(500);
    browser.get("/").await.shows("right at 0");
}

#[tokio::test]
async fn bad_input_in_a_part_is_a_400_that_leads_back() {
    async fn flow(mut req: Request) -> Result<()> {
        let adds = async |mut req: Request| -> Result<i64> {
            req.print(html! { form { input name="by"; } });
            Ok(req.next().await?.param::<i64>("by")?)
        };
        let parts = req.parts().part("sum", adds).part("right", |req| count(req, "right"));
        parts.layout(in_order).await?;
        Ok(())
    }
    let mut browser = Browser::journaled(flow);
    browser.get("/").await.follow("right+").await.fill("by", "x").submit().await.status(400).shows("by");
    browser.follow("Back to where you were").await.shows("right at 1");
    browser.fill("by", 3).submit().await.shows("right at 1");
}

/// Notes that it was told.
async fn cleans_up(mut req: Request, name: &'static str) -> Result<()> {
    loop {
        if let Err(error) = req.inform(name).await {
            assert!(error.is_closing());
            req.once("clean up", name, async |_| Ok::<_, Error>(())).await?;
            req.app::<Diary>().note(name);
            return Err(error.into());
        }
    }
}

async fn closes(mut req: Request) -> Result<()> {
    let parts = req.parts().part("a", |req| cleans_up(req, "a")).part("b", |req| cleans_up(req, "b"));
    let ended = parts.layout(in_order).await;
    let closing = ended.as_ref().err().and_then(|error| error.downcast_ref::<Error>());
    assert!(closing.is_some_and(Error::is_closing));
    req.app::<Diary>().note("page");
    ended.map(|_| ())
}

#[tokio::test(start_paused = true)]
async fn each_part_is_told_that_the_session_closes_and_cleans_up() {
    let (mut browser, diary) = with_diary(closes, |limits| limits.idle = Duration::from_secs(60));
    browser.get("/").await.follow("OK").await;
    browser.wait(Duration::from_secs(120)).await;
    assert_eq!(diary.lines(), ["a", "b", "page"]);
}
