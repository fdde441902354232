//! What parts must not do, and what they are told: mistakes, and what our own combinators spare a program.

use std::time::Duration;

use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;

use super::{count, in_order, two};
use crate::bare::{Bare, get};
use crate::cancel::picky;
use crate::log::Log;

#[tokio::test]
async fn names_are_their_own_and_have_no_slash() {
    for (names, said) in [(["a", "a"], "\"a\""), (["", "b"], "\"\""), (["a", "b/c"], "\"b/c\"")] {
        let flow = move |mut req: Request| async move {
            let parts =
                req.parts().part(names[0], |req| count(req, "x")).part(names[1], |req| count(req, "y"));
            parts.layout(in_order).await?;
            Ok::<_, BoxError>(())
        };
        let log = Log::listen();
        Browser::new(flow).get("/").await.status(500);
        assert!(log.text().contains(said) && log.text().contains("without `/`"), "{}", log.text());
    }
}

#[tokio::test]
async fn a_page_that_places_a_part_that_is_none_fails_and_says_so() {
    async fn flow(mut req: Request) -> Result<()> {
        let parts = req.parts().part("left", |req| count(req, "left"));
        parts.layout(|page| html! { (page.part("middle")) }).await?;
        Ok(())
    }
    let log = Log::listen();
    Browser::new(flow).get("/").await.status(500);
    assert!(log.text().contains("places the part `middle`, and there is none"), "{}", log.text());
}

#[tokio::test]
async fn a_page_in_a_part_that_cannot_be_drawn_fails_and_says_so() {
    async fn flow(mut req: Request) -> Result<()> {
        let part = async |mut req: Request| -> Result<i64> {
            req.choose(|c| html! { (c.link("long", "x".repeat(5_000))) }).await?;
            Ok(0)
        };
        req.parts().part("left", |req| count(req, "left")).part("b", part).layout(in_order).await?;
        Ok(())
    }
    let log = Log::listen();
    Browser::new(flow).get("/").await.status(500);
    assert!(log.text().contains("the choice `long` cannot be made"), "{}", log.text());
}

#[tokio::test]
async fn what_is_of_the_whole_page_is_an_error_in_a_part() {
    async fn flow(mut req: Request) -> Result<()> {
        let part = async |mut req: Request| -> Result<()> {
            let errors = [
                req.checkpoint(&1).expect_err("not here").to_string(),
                req.restore_or(1).expect_err("not here").to_string(),
                req.flush().await.expect_err("not here").to_string(),
            ];
            for error in errors {
                assert!(error.contains(" in the part `a`: "), "{error}");
            }
            req.inform("all said").await?;
            Ok(())
        };
        req.parts().part("a", part).layout(in_order).await?;
        Ok(())
    }
    Browser::new(flow).get("/").await.shows("all said");
}

#[tokio::test]
async fn a_request_that_outlives_its_page_is_one_of_what_is_around_it() {
    async fn flow(mut req: Request) -> Result<()> {
        let keeps = async |mut req: Request| -> Result<Request> {
            req.inform("go").await?;
            Ok(req)
        };
        let (_, mut kept) = req.parts().part("a", keeps).layout(in_order).first().await?;
        kept.inform("still here").await?;
        req.inform("and here").await?;
        Ok(())
    }
    let mut browser = Browser::journaled(flow);
    browser.get("/").await.follow("OK").await.shows("still here");
    browser.follow("OK").await.shows("and here");
}

/// Without a journal a part may wait for anything beside its hit.
async fn ticks(mut req: Request) -> Result<()> {
    let clock = async |mut req: Request| -> Result<i64> {
        let mut seconds = 0;
        loop {
            tokio::select! {
                reset = req.choose(|c| html! { "clock at " (seconds) " " (c.link("reset", ())) }) => {
                    let () = reset?;
                    seconds = 0;
                }
                () = tokio::time::sleep(Duration::from_secs(1)) => seconds += 1,
            }
        }
    };
    let parts = req.parts().part("clock", clock).part("left", |req| count(req, "left"));
    parts.layout(in_order).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_part_may_be_woken_by_something_else_where_there_is_no_journal() {
    let mut browser = Browser::new(ticks);
    browser.get("/").await.shows("clock at 0");
    browser.wait(Duration::from_millis(3_500)).await;
    browser.get("/").await.shows("clock at 3").shows("left at 0");
    browser.follow("left+").await.shows("left at 1").shows("clock at 3");
    browser.follow("reset").await.shows("clock at 0").shows("left at 1");
}

/// Something else comes to the part, and then it is busy for a while.
async fn naps(mut req: Request) -> Result<()> {
    let clock = async |mut req: Request| -> Result<i64> {
        loop {
            tokio::select! {
                done = req.inform("awake") => done?,
                () = tokio::time::sleep(Duration::from_secs(60)) => {}
            }
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
    };
    req.parts().part("clock", clock).part("left", |req| count(req, "left")).layout(in_order).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_hit_waits_while_a_part_is_busy_with_something_else() {
    let mut browser = Browser::new(naps);
    browser.get("/").await.shows("awake");
    browser.wait(Duration::from_secs(70)).await;
    let asked = std::time::Duration::from_secs(25);
    let late = tokio::time::Instant::now();
    browser.get("/").await.shows("awake").shows("left at 0");
    assert!(late.elapsed() < asked, "it slept for {:?}", late.elapsed());
    browser.follow("left+").await.shows("left at 1").shows("awake");
}

/// Asks a session of its own server, which is run on the spot: by this part's poll.
async fn asks_another(mut req: Request) -> Result<()> {
    let part = async |mut req: Request| -> Result<i64> {
        let bare = req.app::<std::sync::OnceLock<Bare>>();
        loop {
            let said = bare.get().expect("it was started").ask(get("/other", &[])).await;
            req.print(said.body);
            req.inform("again").await?;
        }
    };
    req.parts().part("a", part).layout(in_order).await?;
    Ok(())
}

#[tokio::test]
async fn a_session_that_is_run_by_a_part_of_another_is_not_in_that_part() {
    async fn other(mut req: Request) -> Result<()> {
        req.print("from the other");
        req.inform("go on").await?;
        Ok(())
    }
    let bare = std::sync::OnceLock::<Bare>::new();
    assert!(bare.set(Bare::start(Server::new(other)).await).is_ok());
    let mut browser = Browser::of(Server::new(asks_another).app(bare));
    browser.get("/").await.shows("from the other<p>go on</p>").shows("again");
}

#[test]
fn a_request_is_one_pointer_with_parts_and_without() {
    assert_eq!(size_of::<Request>(), size_of::<usize>());
}

#[tokio::test(start_paused = true)]
async fn a_foreign_select_in_a_part_is_noticed_with_a_journal() {
    let log = Log::listen();
    let mut browser = Browser::of(Server::new(ticks).journal(Memory::new()));
    browser.get("/").await.follow("left+").await.shows("left at 1");
    browser.wait(Duration::from_secs(3)).await;
    assert!(log.text().contains("gave up the verb"), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_page_of_parts_may_be_given_up_where_there_is_no_journal() {
    async fn flow(mut req: Request) -> Result<()> {
        let parts =
            req.parts().part("left", |req| count(req, "left")).part("right", |req| count(req, "right"));
        let given_up = tokio::time::timeout(Duration::from_secs(60), parts.layout(in_order)).await;
        assert!(given_up.is_err());
        req.inform("too late").await?;
        Ok(())
    }
    let mut browser = Browser::new(flow);
    browser.get("/").await.follow("left+").await.wait(Duration::from_secs(61)).await;
    browser.follow("left+").await.shows("older page").shows("too late");
    browser.follow("OK").await.status(200);
}

#[tokio::test]
async fn a_part_polled_by_a_combinator_of_its_own_is_drawn_and_gets_its_hits() {
    async fn flow(mut req: Request) -> Result<()> {
        let part = async |mut req: Request| -> Result<i64> {
            let mut count = 0;
            loop {
                // It polls what it runs only when that was woken.
                let by = picky(req.choose(|c| html! { "here at " (count) " " (c.link("here+", 1)) }));
                count += by.await?;
            }
        };
        let parts = req.parts().part("a", part).part("left", |req| count(req, "left"));
        parts.layout(in_order).await?;
        Ok(())
    }
    let mut browser = Browser::journaled(flow);
    browser.get("/").await.follow("here+").await.shows("here at 1").shows("left at 0");
    browser.follow("left+").await.follow("here+").await.shows("here at 2").shows("left at 1");
}

#[tokio::test]
async fn a_hit_from_another_site_is_no_answer_to_a_part() {
    let mut browser = Browser::new(two);
    browser.get("/").await.follow("left+").await;
    let link = browser.href("left+");
    browser.from_site("https://evil.test").get(&link).await.shows("left at 1");
    browser.get("/").await.follow("left+").await.shows("left at 2");
}
