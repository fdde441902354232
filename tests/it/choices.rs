//! Lines 10 and 12: a choice's value is data, sealed into its link; only a hit that is taken makes a step.

use std::sync::atomic::{AtomicU32, Ordering};

use continuity::prelude::*;
use continuity::test::Browser;

use crate::flows::{counter, tally};
use crate::log::Log;

const OLDER: &str = "older page";

#[tokio::test]
async fn line_10_a_choices_value_is_data() {
    #[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
    enum Pick {
        Nothing,
        Item { name: String, sizes: Vec<u8>, price: Option<f64> },
        Pair(i64, char),
    }
    async fn shop(mut req: Request) -> Result<()> {
        let item = Pick::Item { name: "Söckchen & <Co>\0".into(), sizes: vec![0, 255], price: Some(-0.5) };
        let picks = [Pick::Nothing, item, Pick::Pair(i64::MIN, '𝄞')];
        loop {
            let picked = req.choose(|c| html! { @for (at, pick) in picks.iter().enumerate() { (c.link(at, pick.clone())) " " } }).await?;
            req.print(html! { "Picked " (format!("{picked:?}")) " " });
            assert!(picks.contains(&picked));
        }
    }
    let mut browser = Browser::new(shop);
    browser.get("/").await.follow("0").await.shows("Picked Nothing");
    browser.follow("1").await.shows("Söckchen & <Co>\\0").shows("sizes: [0, 255], price: Some(-0.5)");
    browser.follow("2").await.shows("Picked Pair(-9223372036854775808, '𝄞')");
}

#[tokio::test]
async fn line_10_a_changed_token_is_none() {
    let mut browser = Browser::new(counter);
    browser.get("/").await.follow("++").await.shows("Count: 1");
    let link = browser.href("++");
    let token = link.strip_prefix("?_t=").expect("the token is the query");
    for at in 0..token.len() {
        let digit = if token[at..].starts_with('0') { '1' } else { '0' };
        let forged = format!("/?_t={}{digit}{}", &token[..at], &token[at + 1..]);
        browser.get(&forged).await.shows("Count: 1").shows(OLDER);
    }
    for odd in [
        "",
        "0",
        "zz",
        &token[2..],
        &token[..token.len() - 2],
        &format!("{token}00"),
        &format!("00{token}"),
        &"0".repeat(9000),
    ] {
        browser.get(&format!("/?_t={odd}")).await.shows("Count: 1");
    }
    browser.get(&format!("/?_t={token}")).await.shows("Count: 2");
}

#[tokio::test]
async fn line_10_a_token_of_another_session_is_none() {
    let mut ada = Browser::of(Server::new(counter).mount("/other", counter));
    let mut bob = ada.other();
    bob.get("/").await;
    ada.get("/other").await;
    let of_other_flow = ada.href("++");
    ada.get("/").await;
    let of_bob = bob.href("++");
    ada.get(&of_bob).await.shows("Count: 0");
    ada.get(&format!("/{of_other_flow}")).await.shows("Count: 0");
    ada.follow("++").await.shows("Count: 1");
    bob.follow("++").await.shows("Count: 1");
}

#[tokio::test]
async fn line_10_a_value_over_1_kib_is_an_error_that_names_the_link() {
    async fn large(mut req: Request) -> Result<()> {
        let size: usize = req.param("size")?;
        let text: String = req.choose(|c| html! { (c.link("Small", String::new())) (c.link("Whole <b>novel</b>", "x".repeat(size))) }).await?;
        req.print(text.len());
        Ok(())
    }
    let log = Log::listen();
    let mut browser = Browser::new(large);
    // Three bytes say that it is a text, and how long.
    browser.get("/?size=1021").await.follow("novel").await.shows("1021");
    browser.get("/?size=1022").await.status(500).shows_not("novel");
    let error = log.errors()[0].says("error").to_owned();
    assert!(error.contains("novel") && error.contains("1025") && error.contains("1024"), "{error}");
}

#[tokio::test]
async fn line_10_pages_may_read_what_changes() {
    struct Price(AtomicU32);
    async fn shop(mut req: Request) -> Result<()> {
        let price = req.app::<Price>();
        let agreed: u32 = req
            .choose(|c| {
                let now = price.0.load(Ordering::Relaxed);
                html! { "Price: " (now) " " (c.link("Buy", now)) @if now > 10 { " " (c.link("Haggle", 10)) } }
            })
            .await?;
        req.print(html! { "Bought for " (agreed) });
        Ok(())
    }
    async fn raise(mut req: Request) -> Result<()> {
        let now = req.app::<Price>().0.fetch_add(5, Ordering::Relaxed);
        req.print(now);
        Ok(())
    }
    let mut browser = Browser::of(Server::new(shop).mount("/raise", raise).app(Price(AtomicU32::new(8))));
    browser.get("/").await.shows("Price: 8").shows_not("Haggle");
    let cheap = browser.href("Buy");
    browser.other().get("/raise").await;
    browser.reload().await.shows("Price: 13").shows("Haggle");
    browser.get(&cheap).await.shows("Bought for 8");
}

#[tokio::test]
async fn line_10_a_hit_without_a_choice_draws_the_page_again() {
    let mut browser = Browser::new(counter);
    browser.get("/").await.follow("++").await.shows("Count: 1");
    for url in ["/", "/elsewhere?x=1"] {
        browser.get(url).await.shows("Count: 1").shows_not(OLDER);
    }
    browser.post("/", &[("x", "1")]).await.shows("Count: 1").shows_not(OLDER);
    browser.follow("++").await.shows("Count: 2");
}

#[tokio::test]
async fn line_10_a_page_places_its_notice_or_has_it_on_top() {
    async fn placed(mut req: Request) -> Result<()> {
        loop {
            req.choose(
                |c| html! { "Before. " (c.notice()) "After. " (c.link("on", 1)) (c.link("other", 2)) },
            )
            .await?;
        }
    }
    let mut browser = Browser::new(placed);
    browser.get("/").await.follow("on").await.shows_not(OLDER);
    browser.back().await.follow("other").await;
    let text = browser.text();
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} in {text}"));
    assert!(at("Before.") < at(OLDER) && at(OLDER) < at("After."), "{text}");
    assert_eq!(text.matches(OLDER).count(), 1, "{text}");
}

#[tokio::test]
async fn line_10_buttons_forms_and_callbacks_are_choices_too() {
    #[derive(Serialize, Deserialize)]
    enum Op {
        Clear,
        Add(Many),
    }
    #[derive(Serialize, Deserialize)]
    struct Many {
        many: i64,
    }
    async fn flow(mut req: Request) -> Result<()> {
        let mut sum = 0;
        while sum < 100 {
            let page = |c: &Choices<'_, Op>| html! { "Sum: " (sum) (c.button("Clear", Op::Clear)) (c.form(Op::Add, |f| html! { (f.number("many")) button { "Add" } })) };
            match req.choose(page).await? {
                Op::Clear => sum = 0,
                Op::Add(Many { many }) => sum += many,
            }
        }
        while sum > 90 {
            req.callbacks(&mut sum, |c, sum| html! { "Sum: " (sum) (c.link("less", |sum| *sum -= 5)) (c.link("more", |sum| *sum += 1)) }).await?;
        }
        req.inform("That was all.").await?;
        Ok(())
    }
    let mut browser = Browser::new(flow);
    browser.get("/").await.fill("many", 7).click("Add").await.shows("Sum: 7");
    browser.click("Clear").await.shows("Sum: 0");
    browser.fill("many", 99).click("Add").await.fill("many", 1).click("Add").await.shows("Sum: 100");
    browser.follow("more").await.shows("Sum: 101");
    browser.follow("less").await.follow("less").await.follow("less").await.shows("That was all.");
}

#[tokio::test]
async fn line_10_programs_see_what_was_filled_in_and_no_token() {
    async fn form(mut req: Request) -> Result<()> {
        let Age { age } = req.ask(|f| html! { (f.number("age")) button { "Enter" } }).await?;
        req.print(html! { (age) " " (format!("{:?}", req.params())) });
        assert!(req.param::<Option<String>>("_t")?.is_none());
        Ok(())
    }
    let mut browser = Browser::new(form);
    browser.get("/").await.fill("age", 30).submit().await.shows("30 [(\"age\", \"30\")]");
}

#[derive(Deserialize)]
struct Age {
    age: u8,
}

/// Asks until it is right, then fails: the log tells the step.
async fn asks(mut req: Request) -> Result<()> {
    let Age { age } = req
        .ask(|f| {
            f.check(|a: &Age| a.age >= 18, "age", "come back later");
            html! { (f.errors()) (f.number("age")) button { "Enter" } }
        })
        .await?;
    req.choose(|c| html! { "Aged " (age) " " (c.link("Break", ())) }).await?;
    Err("broken".into())
}

#[tokio::test]
async fn line_12_invalid_tries_and_redraws_make_no_step() {
    let log = Log::listen();
    let mut browser = Browser::new(asks);
    browser.get("/").await;
    let first = browser.value("_t");
    for (tried, said) in [("x", "Age"), ("7", "come back later"), ("", "Age")] {
        browser.fill("age", tried).submit().await.status(422).shows(said);
        assert_eq!(browser.value("_t"), first, "it is the same page still");
    }
    browser.get("/").await.status(200).shows_not("come back later");
    browser.get("/?_t=00").await.shows(OLDER);
    let mut tab = browser.new_tab();
    tab.get("/").await;
    assert_eq!(tab.value("_t"), first);
    browser.fill("age", 30).submit().await.shows("Aged 30");
    browser.resubmitting().reload().await.resubmitting().reload().await.shows("Aged 30");
    browser.follow("Break").await.status(500);
    assert_eq!(log.errors()[0].says("step"), "3", "three hits were taken");
}

#[tokio::test]
async fn line_12_a_page_stays_current_until_a_hit_is_applied() {
    let mut browser = Browser::new(asks);
    browser.get("/").await;
    browser.fill("age", "7").submit().await.status(422);
    browser.fill("age", "x").unchecked().submit().await.status(422);
    browser.back().await;
    browser.back().await;
    browser.fill("age", "30").submit().await.shows("Aged 30");
}

#[tokio::test]
async fn line_12_the_first_hit_is_the_first_step_and_each_hit_of_next_is_one() {
    async fn fails_at(mut req: Request) -> Result<()> {
        loop {
            if req.param::<Option<String>>("fail")?.is_some() {
                return Err("broken".into());
            }
            req.next().await?;
        }
    }
    for hits in 0..3 {
        let log = Log::listen();
        let mut browser = Browser::of(Server::new(fails_at).mount("/tally", tally));
        for _ in 0..hits {
            browser.get("/").await.get("/tally").await;
        }
        browser.get("/?fail=1").await.status(500);
        assert_eq!(log.errors()[0].says("step"), (hits + 1).to_string());
    }
}

#[tokio::test]
async fn a_link_stands_for_what_it_borrows() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Seat {
        row: u8,
        name: String,
    }
    async fn book(mut req: Request) -> Result<()> {
        let seats = [1, 2].map(|row| Seat { row, name: format!("Seat {row}") });
        let seat: Seat =
            req.choose(|c| html! { @for seat in &seats { (c.link(&seat.name, seat)) " " } }).await?;
        assert_eq!(seat, seats[1]);
        let color: String =
            req.choose(|c| html! { (c.link("Green", "green")) (c.button("Red", "red")) }).await?;
        req.print(html! { (seat.name) ", painted " (color) });
        Ok(())
    }
    let mut browser = Browser::new(book);
    browser.get("/").await.follow("Seat 2").await.click("Red").await.shows("Seat 2, painted red");
    let mut browser = browser.other();
    browser.get("/").await.follow("Seat 2").await.click("Green").await.shows("Seat 2, painted green");
}
