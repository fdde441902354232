//! Parts: several components on one page, each with a flow of its own, on one tape.

mod ends;
mod inside;
mod journal;
mod rules;

use continuity::prelude::*;
use continuity::test::Browser;

/// Counts by links that are named after it.
async fn count(mut req: Request, name: &str) -> Result<i64> {
    let mut count = 0;
    loop {
        let by = req.choose(|c| {
            html! {
                (name) " at " (count) " " (c.link(format!("{name}+"), 1)) " " (c.link(format!("{name}-"), -1)) " "
                (c.link(format!("end {name}"), 0))
            }
        });
        match by.await? {
            0 => break,
            by => count += by,
        }
    }
    req.print(html! { (name) " ended at " (count) });
    Ok(count)
}

fn in_order(page: &Slots<'_>) -> Markup {
    html! { @for (_, part) in page.all() { p { (part) } } }
}

/// A counter on the left and one on the right.
async fn two(mut req: Request) -> Result<()> {
    let parts = req.parts().part("left", |req| count(req, "left")).part("right", |req| count(req, "right"));
    let counts = parts.layout(in_order).await?;
    let told = counts.iter().map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(" ");
    req.print(told);
    Ok(())
}

#[tokio::test]
async fn a_click_in_one_part_advances_it_alone() {
    let mut browser = Browser::journaled(two);
    browser.get("/").await.shows("left at 0").shows("right at 0");
    browser.follow("left+").await.shows("left at 1").shows("right at 0");
    browser.follow("right+").await.shows("left at 1").shows("right at 1");
    browser.follow("right+").await.follow("left-").await.shows("left at 0").shows("right at 2");
}

#[tokio::test]
async fn a_reload_shows_the_page_and_runs_nothing() {
    let mut browser = Browser::journaled(two);
    browser.get("/").await.follow("left+").await.shows("left at 1");
    browser.reload().await.shows("left at 1").shows("right at 0").shows_not("older page");
    browser.get("/").await.shows("left at 1").shows_not("older page");
}

#[tokio::test]
async fn an_old_page_of_one_part_is_one_of_all() {
    let mut browser = Browser::new(two);
    browser.get("/").await.follow("left+").await.shows("left at 1");
    browser.follow("right+").await.shows("right at 1");
    browser.back().await.shows("right at 0").shows("left at 1");
    // The left part still stands where that page says; the page as a whole does not.
    browser.follow("left+").await.shows("older page").shows("left at 1").shows("right at 1");
    browser.follow("left+").await.shows("left at 2").shows_not("older page");
}

#[tokio::test]
async fn back_takes_all_parts_back_together() {
    let mut browser = Browser::journaled(two).rehearsing();
    browser
        .get("/")
        .await
        .follow("left+")
        .await
        .follow("right+")
        .await
        .shows("left at 1")
        .shows("right at 1");
    let mut tab = browser.new_tab();
    tab.get(&browser.href("right+")).await.shows("left at 1").shows("right at 2");
    browser.back().await.follow("left+").await.shows("left at 2").shows("right at 0").shows_not("older page");
    tab.follow("left-").await.shows("left at 0").shows("right at 2");
    browser.follow("right+").await.shows("left at 2").shows("right at 1");
    browser
        .back()
        .await
        .back()
        .await
        .back()
        .await
        .follow("right-")
        .await
        .shows("left at 0")
        .shows("right at -1");
}

#[tokio::test]
async fn all_answers_come_when_all_parts_have_ended() {
    let mut browser = Browser::journaled(two);
    browser.get("/").await.follow("right+").await.follow("end right").await;
    browser.shows("left at 0").shows("right ended at 1");
    browser.follow("left-").await.shows("left at -1").shows("right ended at 1");
    browser.follow("end left").await.shows("left=-1 right=1");
}

#[tokio::test]
async fn a_page_of_parts_is_sent_between_threads() {
    fn sent<T: Send>(_: &T) {}
    async fn whole(mut req: Request) -> Result<()> {
        let list = std::sync::Mutex::new(0);
        let add = async |mut req: Request, list: &std::sync::Mutex<i32>| -> Result<()> {
            req.inform("more").await?;
            *list.lock().expect("not poisoned") += 1;
            Ok(())
        };
        let parts = req.parts().part("a", |req| add(req, &list)).part("b", |req| add(req, &list));
        let layout = parts.layout(|page| html! { (page.part("a")) (page.part("b")) });
        sent(&layout);
        layout.await?;
        Ok(())
    }
    let flow: fn(Request) -> _ = whole;
    drop(Server::new(flow));
}
