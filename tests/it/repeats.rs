//! Line 11: a token applies once. A repeat gets the page it made; another answer to an old page gets the current one.

use continuity::prelude::*;
use continuity::test::Browser;

use crate::flows::{Diary, at_once, counter, tally, with_diary};

const OLDER: &str = "older page";

#[tokio::test]
async fn line_11_a_double_click_gets_the_page_it_made() {
    let mut browser = Browser::new(counter);
    browser.get("/").await;
    let plus = browser.href("++");
    let answers = at_once(&mut browser, [format!("/{plus}"), format!("/{plus}"), format!("/{plus}")]).await;
    for mut answer in answers {
        let page = answer.rest().await;
        assert!(page.contains("Count: 1") && !page.contains(OLDER), "{page}");
    }
    browser.get("/").await.shows("Count: 1");
}

#[tokio::test]
async fn line_11_a_reload_gets_the_page_it_made() {
    let mut browser = Browser::new(counter);
    browser.get("/").await.follow("++").await.follow("++").await.shows("Count: 2");
    browser.reload().await.reload().await.shows("Count: 2").shows_not(OLDER);
    browser.follow("--").await.shows("Count: 1");
}

#[tokio::test(start_paused = true)]
async fn line_11_a_submit_whose_answer_was_lost_can_be_sent_again() {
    async fn slow(mut req: Request) -> Result<()> {
        let mut sum = 0;
        loop {
            sum += req.choose(|c| html! { "Sum " (sum) " " (c.link("Add", 1)) }).await?;
            req.sleep(std::time::Duration::from_secs(10)).await;
        }
    }
    let mut browser = Browser::new(slow);
    browser.get("/").await;
    let add = format!("/{}", browser.href("Add"));
    let lost = tokio::spawn(browser.open(&add));
    browser.wait(std::time::Duration::from_secs(5)).await;
    lost.abort();
    browser.get(&add).await.shows("Sum 1").shows_not(OLDER);
    browser.wait(std::time::Duration::from_secs(60)).await;
    browser.get(&add).await.shows("Sum 1").shows_not(OLDER);
}

#[tokio::test]
async fn line_11_a_different_answer_to_an_old_page_gets_the_current_one_with_a_notice() {
    let mut browser = Browser::new(counter);
    browser.get("/").await.follow("++").await.follow("++").await.shows("Count: 2");
    browser.back().await.shows("Count: 1");
    browser.follow("--").await.shows("Count: 2").shows(OLDER);
    browser.follow("--").await.shows("Count: 1").shows_not(OLDER);
}

#[tokio::test]
async fn line_11_an_answer_that_was_applied_earlier_is_not_applied_again() {
    let mut browser = Browser::new(counter);
    browser.get("/").await;
    let first = browser.href("++");
    browser.follow("++").await.follow("++").await;
    browser.get(&first).await.shows("Count: 2").shows(OLDER);
}

#[derive(Deserialize)]
struct Number {
    number: i64,
}

/// Adds what a form brings; prints the sum, or shows it by a closure.
async fn adder(mut req: Request) -> Result<()> {
    let diary = req.app::<Diary>();
    let mut sum = 0;
    loop {
        let Number { number } =
            req.ask(|f| html! { "Sum " (sum) (f.number("number")) button { "Add" } }).await?;
        diary.note(number);
        sum += number;
    }
}

#[tokio::test]
async fn line_11_the_same_form_with_the_same_values_is_a_repeat_and_with_others_is_not() {
    let (mut browser, diary) = with_diary(adder, |_| {});
    browser.get("/").await.fill("number", 5).submit().await.shows("Sum 5");
    browser.resubmitting().reload().await.shows("Sum 5").shows_not(OLDER);
    browser.back().await.submit().await.shows("Sum 5").shows_not(OLDER);
    browser.back().await.fill("number", 6).submit().await.shows("Sum 5").shows(OLDER);
    assert_eq!(diary.lines(), ["5"]);
    browser.fill("number", 6).submit().await.shows("Sum 11");
}

/// Chooses, then prints a page of this size; notes each run.
async fn prints(mut req: Request) -> Result<()> {
    let diary = req.app::<Diary>();
    loop {
        let size: usize =
            req.choose(|c| html! { "Menu " (c.link("short", 10)) " " (c.link("long", 1000)) }).await?;
        diary.note(size);
        req.set_status(203)?
            .set_header("x-size", &size.to_string())?
            .print(html! { "Printed " ("x".repeat(size)) });
        req.next().await?;
    }
}

#[tokio::test]
async fn line_11_a_printed_page_that_a_token_led_to_is_kept() {
    let (mut browser, diary) = with_diary(prints, |_| {});
    browser.get("/").await.follow("short").await.status(203).shows("Printed xxxxxxxxxx");
    let page = browser.html().to_owned();
    browser.reload().await.reload().await.status(203);
    assert_eq!(browser.html(), page, "the same bytes");
    assert_eq!(browser.header_value("x-size").as_deref(), Some("10"), "the same head");
    assert_eq!(diary.lines(), ["10"], "nothing ran");
    browser.back().await.follow("long").await.shows(OLDER).shows_not("Printed");
    browser.get("/").await.shows("Menu");
    browser.follow("long").await.shows("Printed");
    assert_eq!(diary.lines(), ["10", "1000"]);
}

#[tokio::test]
async fn line_11_a_page_that_is_too_large_or_was_evicted_is_a_notice() {
    let (mut ada, diary) = with_diary(prints, |limits| (limits.kept_page, limits.kept_pages) = (2000, 2000));
    let mut bob = ada.other();
    ada.get("/").await.follow("long").await.shows("Printed");
    ada.reload().await.shows("Printed");
    bob.get("/").await.follow("long").await.shows("Printed");
    ada.reload().await.shows("already received").shows_not("Printed");
    bob.reload().await.shows("Printed");

    let (mut cleo, _) = with_diary(prints, |limits| limits.kept_page = 1000);
    cleo.get("/").await.follow("short").await.reload().await.shows("Printed");
    cleo.get("/").await.follow("long").await.shows("Printed");
    cleo.reload().await.shows("already received").shows_not("Printed");
    assert_eq!(diary.lines(), ["1000", "1000"]);
}

#[tokio::test]
async fn line_11_a_page_of_64_kib_is_kept() {
    async fn large(mut req: Request) -> Result<()> {
        let size: usize =
            req.choose(|c| html! { (c.link("below", 65_000)) " " (c.link("above", 65_537)) }).await?;
        req.print("x".repeat(size));
        Ok(())
    }
    let mut browser = Browser::new(large);
    browser.get("/").await.follow("below").await.reload().await.shows(&"x".repeat(65_000));
    browser.get("/").await.follow("above").await.shows("xxx");
    browser.reload().await.shows_not("xxx").shows("already received");
}

#[tokio::test]
async fn line_11_what_was_printed_before_a_choice_belongs_to_its_page() {
    async fn menu(mut req: Request) -> Result<()> {
        for visit in 1.. {
            req.title("Menu").print(html! { "Preface " (visit) ". " });
            req.set_status(203)?;
            req.choose(|c| html! { "Body. " (c.link("on", visit)) (c.link("other", 0)) }).await?;
        }
        Ok(())
    }
    let mut browser = Browser::new(menu);
    browser.get("/").await.shows("Preface 1. Body.");
    for _ in 0..2 {
        browser.reload().await.status(203).shows("Preface 1. Body.");
        assert_eq!(browser.title(), "Menu");
    }
    browser.follow("on").await.shows("Preface 2. Body.").shows_not("Preface 1");
    browser.reload().await.shows("Preface 2. Body.").shows_not("Preface 1");
    browser.back().await.follow("other").await.shows("Preface 2. ").shows(OLDER).shows("Body.");
    assert_eq!(browser.text().matches("Preface").count(), 1);
}

#[tokio::test]
async fn line_11_hits_without_a_token_cannot_be_recognised_as_repeats() {
    let mut browser = Browser::new(tally);
    browser.post("/", &[("a", "1")]).await.shows("Hit 1");
    browser.resubmitting().reload().await.shows("Hit 2");
    browser.resubmitting().reload().await.shows("Hit 3");
}

#[tokio::test]
async fn line_11_an_old_link_is_no_answer_to_a_printed_page() {
    let (mut browser, diary) = with_diary(prints, |_| {});
    browser.get("/").await;
    let other = browser.href("long");
    browser.follow("short").await.shows("Printed");
    browser.get("/").await.shows("Menu");
    browser.follow("short").await.shows("Printed");
    browser.get(&other).await.status(200).shows(OLDER).shows_not("Printed");
    assert_eq!(diary.lines(), ["10", "10"]);
}

#[tokio::test]
async fn line_11_two_tabs_share_a_session_and_confuse_nobody() {
    let mut left = Browser::new(counter);
    left.get("/").await;
    let mut right = left.new_tab();
    right.get("/").await;
    left.follow("++").await.shows("Count: 1");
    right.follow("--").await.shows("Count: 1").shows(OLDER);
    right.follow("--").await.shows("Count: 0");
    left.follow("++").await.shows("Count: 0").shows(OLDER);
}
