//! The table of the guide to Back: a test for each row, with a check for each column.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;
use continuity::{OldPages, Server};

const OLDER: &str = "That came from an older page and was not applied.";
const DONE: &str = "going back does not change it";
const EXPIRED: &str = "This page has expired";
const ANEW: &str = "That page had expired, and nothing was applied. This is the beginning.";

/// A column: what the server has, and does with new answers to old pages.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Column {
    /// No journal; old pages are refused.
    None,
    Branch,
    Rewind,
    Refuse,
}

use Column::{Branch, Refuse, Rewind};

const ALL: [Column; 4] = [Column::None, Branch, Rewind, Refuse];

/// Where a visitor goes; the server can be started again.
struct Row<F> {
    column: Column,
    flow: F,
    store: Memory,
}

impl<T: Into<Flow>, F: Fn() -> T> Row<F> {
    fn server(&self) -> Server {
        let server = Server::new((self.flow)());
        match self.column {
            Column::None => server,
            Branch => server.journal(self.store.clone()),
            Rewind => server.journal(self.store.clone()).old_pages(OldPages::Rewind),
            Refuse => server.journal(self.store.clone()).old_pages(OldPages::Refuse),
        }
    }

    fn visit(&self) -> Browser {
        Browser::of(self.server())
    }
}

fn columns<T: Into<Flow>, F: Fn() -> T + Copy>(flow: F) -> impl Iterator<Item = Row<F>> {
    ALL.into_iter().map(move |column| Row { column, flow, store: Memory::new() })
}

/// The way so far, and ways on.
async fn walk(mut req: Request) -> Result<()> {
    let mut way = String::from("door");
    while !way.ends_with("end") {
        let step: String = req
            .choose(|c| {
                html! {
                    "At " (way) "."
                    @for name in ["left", "right", "commit", "end"] { " " (c.link(name, format!("-{name}"))) }
                }
            })
            .await?;
        way.push_str(&step);
        if step == "-commit" {
            req.commit();
        }
    }
    req.print(html! { "The end of " (way) "." });
    Ok(())
}

#[tokio::test]
async fn a_link_of_an_old_page() {
    for row in columns(|| walk) {
        let mut browser = row.visit();
        browser.get("/").await.follow("left").await.follow("left").await;
        let late = browser.href("right");
        browser.back().await.follow("right").await;
        match row.column {
            Column::None | Refuse => drop(browser.shows("At door-left-left.").shows(OLDER)),
            Branch => {
                browser.shows("At door-left-right.").shows_not(OLDER);
                browser.get(&late).await.shows("At door-left-left-right.");
            }
            Rewind => {
                browser.shows("At door-left-right.").shows_not(OLDER);
                browser.get(&late).await.shows("At door-left-right.").shows(OLDER);
            }
        }
    }
}

#[tokio::test]
async fn the_same_link_again() {
    for row in columns(|| walk) {
        let mut browser = row.visit();
        browser.get("/").await.follow("left").await.follow("right").await;
        browser.back().await.follow("right").await.shows("At door-left-right.").shows_not(OLDER);
        browser.back().await.back().await.follow("left").await;
        match row.column {
            Column::None => browser.shows("At door-left-right.").shows(OLDER),
            _ => browser.shows("At door-left.").shows_not(OLDER),
        };
        // Nothing ran.
        browser.get("/").await.shows("At door-left-right.");
    }
}

#[tokio::test]
async fn reload() {
    for row in columns(|| walk) {
        let mut browser = row.visit();
        browser.get("/").await.reload().await.shows("At door.");
        browser.follow("left").await.reload().await.reload().await.shows("At door-left.").shows_not(OLDER);
        browser.follow("left").await.back_reloading().await;
        match row.column {
            Column::None => browser.shows("At door-left-left.").shows(OLDER),
            _ => browser.shows("At door-left.").shows_not(OLDER),
        };
    }
}

#[tokio::test]
async fn a_double_click() {
    for row in columns(|| walk) {
        let mut browser = row.visit();
        browser.get("/").await;
        let left = browser.href("left");
        let (one, two) = (browser.open(&left), browser.open(&left));
        let (one, two) = tokio::join!(async { one.await.rest().await }, async { two.await.rest().await });
        assert!(one.contains("At door-left."), "{one}");
        assert!(two.contains("At door-left."), "{two}");
        browser.get("/").await.shows("At door-left.").shows_not("left-left.");
    }
}

/// Names, one form after another.
async fn names(mut req: Request) -> Result<()> {
    #[derive(Deserialize)]
    struct Guest {
        name: String,
    }
    let mut names = Vec::new();
    loop {
        let guest: Guest =
            req.ask(|f| html! { "Names: " (names.join(", ")) "." (f.text("name")) button { "Add" } }).await?;
        names.push(guest.name);
    }
}

#[tokio::test]
async fn a_form_sent_again() {
    for row in columns(|| names) {
        let mut browser = row.visit();
        browser.get("/").await.fill("name", "Ada").submit().await.fill("name", "Ben").submit().await;
        browser.resubmitting().reload().await.shows("Names: Ada, Ben.").shows_not(OLDER);
        browser.back().await.submit().await.shows("Names: Ada, Ben.").shows_not(OLDER);
        browser.back().await.fill("name", "Eve").submit().await;
        match row.column {
            Column::None | Refuse => browser.shows("Names: Ada, Ben.").shows(OLDER),
            Branch | Rewind => browser.shows("Names: Ada, Eve.").shows_not(OLDER),
        };
    }
}

#[tokio::test]
async fn two_tabs() {
    for row in columns(|| walk) {
        let mut one = row.visit();
        one.get("/").await.follow("left").await;
        let mut two = one.new_tab();
        two.get(&one.href("right")).await.shows("At door-left-right.");
        one.follow("left").await;
        match row.column {
            Column::None | Refuse => drop(one.shows("At door-left-right.").shows(OLDER)),
            Branch => {
                one.shows("At door-left-left.");
                two.follow("right").await.shows("At door-left-right-right.");
                one.follow("left").await.shows("At door-left-left-left.");
            }
            Rewind => {
                one.shows("At door-left-left.");
                two.follow("right").await.shows("At door-left-left.").shows(OLDER);
            }
        }
    }
}

#[tokio::test]
async fn after_commit() {
    for row in columns(|| walk) {
        let mut browser = row.visit();
        browser.get("/").await.follow("left").await.follow("commit").await.follow("left").await;
        let mut tab = browser.new_tab();
        let last = browser.href("right");
        browser.back().await.back().await.follow("right").await;
        match row.column {
            Column::None => drop(browser.shows("At door-left-commit-left.").shows(OLDER)),
            _ => {
                browser.status(410).shows(DONE);
                browser.follow("Go on").await.shows("At door-left-commit-left.");
            }
        }
        // Back to a page after it is no way back behind it.
        tab.get(&last).await.shows("At door-left-commit-left-right.");
    }
}

#[tokio::test]
async fn after_the_end() {
    for row in columns(|| walk) {
        let mut browser = row.visit();
        browser.get("/").await.follow("left").await.follow("end").await.shows("The end of door-left-end.");
        browser.reload().await.shows("The end of door-left-end.");
        let mut tab = browser.new_tab();
        browser.back().await.follow("left").await.status(410).shows(EXPIRED);
        if row.column != Column::None {
            let mut late = row.visit();
            late.get("/").await.follow("left").await.follow("end").await;
            late.restart(row.server()).reload().await.shows("The end of door-left-end.");
            late.back().await.follow("left").await.status(410).shows(EXPIRED);
        }
        tab.get("/").await.shows("At door.").shows_not(EXPIRED);
    }
}

#[tokio::test]
async fn after_the_end_of_one_branch() {
    for row in columns(|| walk).filter(|row| row.column == Branch) {
        let mut one = row.visit();
        one.get("/").await.follow("left").await;
        let mut two = one.new_tab();
        two.get(&one.href("right")).await;
        one.follow("end").await.shows("The end of door-left-end.");
        two.follow("left").await.shows("At door-left-right-left.");
        one.reload().await.shows("The end of door-left-end.");
    }
}

#[tokio::test]
async fn after_a_restart() {
    for row in columns(|| walk) {
        let mut browser = row.visit();
        browser.get("/").await.follow("left").await.follow("left").await;
        browser.restart(row.server()).follow("right").await;
        if row.column == Column::None {
            browser.status(410).shows(EXPIRED);
            browser.follow("Start again").await.shows("At door.");
            continue;
        }
        browser.shows("At door-left-left-right.");
        browser.restart(row.server()).back().await.back().await.follow("right").await;
        match row.column {
            Refuse => browser.shows("At door-left-left-right.").shows(OLDER),
            _ => browser.shows("At door-left-right.").shows_not(OLDER),
        };
    }
}

#[tokio::test]
async fn a_hit_without_a_token() {
    for row in columns(|| walk) {
        let mut one = row.visit();
        one.get("/").await.follow("left").await.follow("left").await;
        one.back().await.follow("right").await;
        let mut two = one.new_tab();
        two.get("/").await;
        match row.column {
            Column::None | Refuse => two.shows("At door-left-left."),
            Branch | Rewind => two.shows("At door-left-right."),
        };
        two.shows_not(OLDER);
    }
}

#[tokio::test]
async fn a_page_of_another_server() {
    for row in columns(|| walk) {
        let foreign = row.visit().get("/").await.href("left");
        let mut browser = Row { column: row.column, flow: || walk, store: Memory::new() }.visit();
        browser.get(&foreign).await.status(410).shows(EXPIRED);
        browser.follow("Start again").await.follow("left").await.shows("At door-left.");
        browser.get(&foreign).await.shows("At door-left.").shows(OLDER);
    }
}

#[tokio::test]
async fn a_page_of_a_newborn_that_is_gone() {
    for row in columns(|| walk) {
        let mut browser = row.visit();
        browser.get("/").await;
        browser.restart(row.server()).follow("left").await;
        match row.column {
            Column::None => browser.status(410).shows(EXPIRED),
            _ => browser.status(200).shows(ANEW).shows("At door."),
        };
    }
}

/// Numbers, one printed form after another.
async fn numbers(mut req: Request) -> Result<()> {
    let mut numbers = Vec::new();
    loop {
        req.print(html! { "Numbers: " (numbers.join(" ")) "." form method="post" { input name="number"; } });
        numbers.push(req.next().await?.param::<String>("number")?);
    }
}

#[tokio::test]
async fn a_form_of_an_old_printed_page() {
    for row in columns(|| numbers) {
        let mut browser = row.visit();
        browser.get("/").await.fill("number", 1).submit().await.fill("number", 2).submit().await;
        browser.resubmitting().reload().await.shows("Numbers: 1 2.").shows_not(OLDER);
        browser.back().await.fill("number", 3).submit().await;
        match row.column {
            Column::None | Refuse => browser.shows(OLDER).shows_not("Numbers"),
            Branch | Rewind => browser.shows("Numbers: 1 3."),
        };
    }
}

/// Two choices; then it prints, and takes whatever comes.
async fn printed(mut req: Request) -> Result<()> {
    let mut way = String::new();
    for _ in 0..2 {
        way += &req.choose(|c| html! { "Way " (way) ". " (c.link("a", "a".to_owned())) " " (c.link("b", "b".to_owned())) }).await?;
    }
    loop {
        req.print(html! { "Printed " (way) ". " a href="?word=x" { "x" } });
        way += &req.next().await?.param::<Option<String>>("word")?.unwrap_or_else(|| "-".into());
    }
}

#[tokio::test]
async fn a_printed_page_answered_without_a_token() {
    for row in columns(|| printed) {
        let mut browser = row.visit();
        browser.get("/").await.follow("a").await.follow("a").await.follow("x").await.shows("Printed aax.");
        browser.reload().await.shows("Printed aaxx.");
        browser.back().await.follow("x").await.shows("Printed aaxxx.");
    }
}

#[tokio::test]
async fn a_printed_page_that_a_token_led_to_reloaded() {
    for row in columns(|| printed) {
        let mut browser = row.visit();
        browser.get("/").await.follow("a").await.follow("a").await.reload().await.shows("Printed aa.");
        browser.follow("x").await.shows("Printed aax.").shows_not(OLDER);
        browser.back_reloading().await;
        match row.column {
            Column::None => browser.shows(OLDER).shows_not("Printed"),
            _ => browser.shows("Printed aa.").shows_not(OLDER),
        };
        browser.back().await.follow("b").await;
        match row.column {
            Column::None | Refuse => browser.shows(OLDER).shows_not("Printed"),
            Branch | Rewind => browser.shows("Printed ab."),
        };
    }
}

#[tokio::test]
async fn a_printed_page_that_takes_the_latest() {
    for row in columns(|| Flow::new(printed).old_pages(OldPages::Latest)) {
        let mut browser = row.visit();
        browser.get("/").await.follow("a").await.follow("a").await.follow("x").await.shows("Printed aax.");
        browser.back().await.back().await.follow("b").await.shows("Printed aax-.");
        // Choices refuse it.
        let mut browser = row.visit();
        browser.get("/").await.follow("a").await.back().await.follow("b").await.shows("Way a.").shows(OLDER);
    }
}

#[tokio::test]
async fn too_many_replays() {
    for row in columns(|| walk) {
        let server = row.server().limits(|limits| limits.replays = 2);
        let mut browser = Browser::of(server);
        browser.get("/").await.follow("left").await.follow("left").await.follow("left").await;
        let left = browser.back().await.back().await.href("left");
        for _ in 0..2 {
            browser.get(&left).await.status(200);
        }
        browser.get(&left).await;
        if row.column == Column::None {
            browser.status(200).shows(OLDER);
        } else {
            browser.status(503).shows("faster than we can follow");
        }
        browser.get("/").await.shows("At door-left-left-left.");
    }
}

#[tokio::test]
async fn a_replay_that_takes_too_long() {
    for row in columns(|| walk).filter(|row| matches!(row.column, Branch | Rewind)) {
        let mut browser = Browser::of(row.server().limits(|limits| limits.replay = Duration::ZERO));
        browser.get("/").await.follow("left").await.follow("left").await.follow("left").await;
        browser.back().await.follow("right").await.status(503).shows("cannot be found again in time");
        browser.get("/").await.shows("At door-left-left-left.");
    }
}

/// Prints what all share, outside `read`: it is something else when it is replayed.
async fn fickle(mut req: Request) -> Result<()> {
    let (count, mut way) = (req.app::<AtomicU32>(), String::from("door"));
    loop {
        req.print(html! { (count.fetch_add(1, Ordering::SeqCst)) " " });
        way += &req.choose(|c| html! { "At " (way) ". " (c.link("left", "-left".to_owned())) " " (c.link("right", "-right".to_owned())) }).await?;
    }
}

#[tokio::test]
async fn a_replay_that_cannot_be_done() {
    for row in columns(|| fickle) {
        let mut browser = Browser::of(row.server().app(AtomicU32::new(0))).without_rehearsal();
        browser.get("/").await.follow("left").await.follow("left").await.shows("At door-left-left.");
        browser.back().await.follow("right").await.shows("At door-left-left.").shows(OLDER);
        browser.follow("right").await.shows("At door-left-left-right.").shows_not(OLDER);
    }
}

#[test]
fn each_row_of_the_guide_has_its_test() {
    let (guide, tests) = (include_str!("../../docs/back-button.md"), include_str!("back_table.rs"));
    let rows = guide.split_once("| what comes |").expect("the guide has the table").1.lines().skip(2);
    let rows: Vec<_> = rows.map_while(|row| row.strip_prefix("| ")).collect();
    assert!(rows.len() > 15, "{rows:?}");
    for row in rows {
        let name = row.split(" |").next().unwrap_or_default().split(" (").next().unwrap_or_default();
        let name = name.replace(['`', ','], "").replace(' ', "_").to_lowercase();
        assert!(tests.contains(&format!("async fn {name}()")), "no test {name}");
    }
}
