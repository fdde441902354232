//! Line 11: forms that are printed get tokens by themselves, so that what they send is known when it comes again.

use std::time::Duration;

use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;

use crate::flows::{Diary, with_diary};

const OLDER: &str = "older page";

/// Adds what a printed form sends; notes each run.
async fn adder(mut req: Request) -> Result<()> {
    let diary = req.app::<Diary>();
    let mut sum = 0;
    loop {
        req.print(html! { p { "Sum " (sum) } form method="post" { input name="number"; button { "Add" } } });
        let number: i64 = req.next().await?.param("number")?;
        diary.note(number);
        sum += number;
    }
}

fn journaled(flow: impl Into<Flow>, store: &Memory, diary: &Diary) -> Server {
    Server::new(flow).app(diary.clone()).journal(store.clone())
}

/// What the form's own button would send now.
fn submit(browser: &Browser, number: i64) -> http::Request<bytes::Bytes> {
    let body = format!("_t={}&number={number}", browser.value("_t"));
    let request = http::Request::post("/").header("content-type", "application/x-www-form-urlencoded");
    let request = request.header("cookie", format!("sid={}", browser.cookie("sid").expect("an id")));
    request.body(body.into()).expect("a request")
}

#[tokio::test]
async fn line_11_a_reload_of_what_a_printed_form_led_to_runs_nothing() {
    let (mut browser, diary) = with_diary(adder, |_| {});
    browser.get("/").await.fill("number", 5).submit().await.shows("Sum 5");
    let page = browser.html().to_owned();
    browser.resubmitting().reload().await.resubmitting().reload().await.shows("Sum 5");
    assert_eq!(browser.html(), page, "the same page");
    browser.back().await.submit().await.shows("Sum 5").shows_not(OLDER);
    assert_eq!(diary.lines(), ["5"]);
    browser.fill("number", 6).submit().await.shows("Sum 11");
    browser.fill("number", 6).submit().await.shows("Sum 17");
    assert_eq!(diary.lines(), ["5", "6", "6"], "the same values on another page are another answer");
}

#[tokio::test]
async fn line_11_a_reload_of_what_a_printed_form_led_to_runs_nothing_after_a_restart() {
    let (store, diary) = (Memory::new(), Diary::default());
    let server = || journaled(adder, &store, &diary);
    let mut browser = Browser::of(server()).rehearsing();
    browser.get("/").await.fill("number", 5).submit().await.shows("Sum 5");
    let page = browser.html().to_owned();
    browser.resubmitting().reload().await.shows("Sum 5");
    let runs = diary.lines();
    browser.restart(server()).resubmitting().reload().await.shows("Sum 5").shows_not(OLDER);
    assert_eq!(browser.html(), page, "the same page, tokens and all");
    let once = diary.lines().len() - runs.len();
    browser.resubmitting().reload().await.shows("Sum 5");
    browser.back().await.submit().await.shows("Sum 5").shows_not(OLDER);
    browser.fill("number", 2).submit().await.shows("Sum 7");
    browser.restart(server()).fill("number", 3).submit().await.shows("Sum 10");
    assert!(once > 0, "a session is rebuilt by running its function again");
}

#[tokio::test]
async fn line_11_a_double_click_on_a_printed_form_counts_once() {
    async fn slow(mut req: Request) -> Result<()> {
        let mut sum = 0;
        loop {
            req.print(html! { p { "Sum " (sum) } form method="post" { input name="number"; } });
            sum += req.next().await?.param::<i64>("number")?;
            req.sleep(Duration::from_millis(10)).await;
        }
    }
    for mut browser in [Browser::new(slow), Browser::of(Server::new(slow).journal(Memory::new()))] {
        browser.get("/").await;
        let (once, twice) = (submit(&browser, 5), submit(&browser, 5));
        let (mut left, mut right) = (browser.new_tab(), browser.new_tab());
        let (left, right) = tokio::join!(left.send(once), right.send(twice));
        left.shows("Sum 5");
        right.shows("Sum 5");
        browser.get("/").await.status(400);
    }
}

#[tokio::test]
async fn line_11_another_answer_to_an_old_printed_page_is_not_applied() {
    let (mut browser, diary) = with_diary(adder, |_| {});
    browser.get("/").await.fill("number", 5).submit().await.shows("Sum 5");
    browser.back().await.fill("number", 6).submit().await.status(200).shows(OLDER).shows_not("Sum");
    browser.back().await.forward().await;
    browser.post("/", &[("number", "1")]).await.shows("Sum 6");
    browser.post("/", &[("number", "1")]).await.shows("Sum 7");
    assert_eq!(diary.lines(), ["5", "1", "1"], "hits without a token are taken, repeats or not");
}

#[tokio::test]
async fn line_11_two_forms_of_a_page_are_two_answers() {
    async fn pair(mut req: Request) -> Result<()> {
        for step in 1.. {
            req.print(html! {
                p { "Step " (step) " by " (req.path()) }
                form method="post" { button { "one" } }
                form method="post" { button { "two" } button formaction="/up" { "up" } }
            });
            req.next().await?;
        }
        Ok(())
    }
    let mut browser = Browser::new(pair);
    browser.get("/").await.click("one").await.shows("Step 2");
    browser.back().await.click("one").await.shows("Step 2").shows_not(OLDER);
    browser.back().await.click("two").await.shows(OLDER);
    browser.get("/").await.shows("Step 3");
    browser.click("two").await.shows("Step 4 by /");
    browser.back().await.click("up").await.shows(OLDER).shows_not("Step");
}

#[tokio::test]
async fn line_11_tokens_are_not_the_programs() {
    async fn echo(mut req: Request) -> Result<()> {
        loop {
            let (params, body) = (req.params(), req.body());
            req.print(html! {
                p { (req.uri()) " " (format!("{params:?}")) " " (String::from_utf8_lossy(&body)) }
                form { input name="a"; button { "Get" } }
                form method="post" action="/there?b=1" { input name="a"; button { "Post" } }
            });
            req.next().await?;
        }
    }
    let mut browser = Browser::journaled(echo);
    browser.get("/").await.fill("a", "1 2").click("Get").await.shows(r#"/?a=1+2 [("a", "1 2")]"#);
    browser.reload().await.shows("/?a=1+2");
    browser.form(1).fill("a", "ä").click("Post").await;
    browser.shows(r#"/there?b=1 [("a", "ä"), ("b", "1")] a=%C3%A4"#);
    browser.click("Get").await.shows(r#"/there?a= [("a", "")]"#);
}

#[tokio::test]
async fn line_11_a_form_that_leads_to_another_session_is_an_answer_there() {
    async fn shelf(mut req: Request) -> Result<()> {
        for step in 1.. {
            let form = html! { form method="post" action="/desk" { input name="a"; button { "Go" } } };
            req.print(html! { (req.path()) " " (step) " " (format!("{:?}", req.params())) (form) });
            req.next().await?;
        }
        Ok(())
    }
    let mut browser = Browser::of(Server::new(shelf).mount("/desk", shelf));
    browser.get("/").await.fill("a", 1).submit().await.shows(r#"/ 1 [("a", "1")]"#);
    browser.back().await.fill("a", 2).submit().await.shows(r#"/ 2 [("a", "2")]"#);
    let mut browser = Browser::of(Server::new(Flow::new(shelf).map(Map::by_cookie().path())));
    browser.get("/").await.fill("a", 1).submit().await.shows(r#"/desk 1 [("a", "1")]"#);
    browser.back().await.fill("a", 2).submit().await.shows(r#"/desk 2 [("a", "2")]"#);
    browser.fill("a", 3).submit().await.shows("/desk 3");
    browser.resubmitting().reload().await.shows("/desk 3");
}

/// Prints a form in parts, and sends them as they are.
async fn in_parts(mut req: Request) -> Result<()> {
    for step in 1.. {
        req.print(html! { p { "Step " (step) } (PreEscaped("<script>'<form>'</scr")) }).flush().await?;
        req.print(PreEscaped("ipt><!-- <form> --><fo")).flush().await?;
        req.print(PreEscaped("rm method='po")).print(PreEscaped("st'")).flush().await?;
        req.print(PreEscaped("><input name=a><button>Go</button></form>"));
        req.next().await?;
    }
    Ok(())
}

#[tokio::test]
async fn line_11_a_form_in_parts_gets_its_token_when_its_tag_is_whole() {
    let mut browser = Browser::new(in_parts);
    browser.get("/").await.shows("Step 1");
    browser.submit().await.shows("Step 2");
    assert_eq!(browser.html().matches("name=\"_t\"").count(), 1, "{}", browser.html());
    browser.resubmitting().reload().await.shows("already received");
    let store = Memory::new();
    let server = || Server::new(in_parts).journal(store.clone());
    let mut browser = Browser::of(server()).rehearsing();
    browser.get("/").await.submit().await.shows("Step 2");
    browser.restart(server()).resubmitting().reload().await.shows("Step 2");
    browser.submit().await.shows("Step 3");
}

#[tokio::test]
async fn line_11_only_pages_that_wait_for_an_answer_have_tokens() {
    const FORM: PreEscaped<&str> = PreEscaped("<form><input name=a><button>Go</button></form>");
    async fn page(mut req: Request) -> Result<()> {
        match &*req.path() {
            "/text" => drop(req.content_type("text/plain")?.print(FORM)),
            "/xhtml" => drop(req.content_type("application/xhtml+xml")?.print(FORM)),
            "/sent" => drop(req.send("text/html", FORM.0)?),
            "/typed" => drop(req.content_type("Text/HTML; charset=utf-8")?.print(FORM)),
            "/whole" => drop(req.print(PreEscaped("<!doctype html><html><body>")).print(FORM)),
            "/shown" => drop(req.print(FORM).show(html! { p { "Shown" } (FORM) })),
            "/chosen" => {
                req.print(FORM);
                req.choose(|c| html! { (c.link("on", ())) }).await?;
            }
            "/last" => {
                req.print(FORM);
                return Ok(());
            }
            _ => drop(req.print(FORM)),
        }
        req.next().await?;
        Ok(())
    }
    let tokens = async |path: &str, server: Server| {
        Browser::of(server).get(path).await.html().matches("name=\"_t\"").count()
    };
    for path in ["/", "/typed", "/whole", "/shown"] {
        assert_eq!(tokens(path, Server::new(page)).await, 1, "{path}");
        assert_eq!(tokens(path, Server::new(page).form_tokens(false)).await, 0, "{path}");
    }
    for path in ["/text", "/xhtml", "/sent", "/chosen", "/last"] {
        assert_eq!(tokens(path, Server::new(page)).await, 0, "{path}");
    }
    let flow = || Flow::new(page).form_tokens(true);
    assert_eq!(tokens("/", Server::new(flow()).form_tokens(false)).await, 1, "a flow has its own rule");
    let mut crawler = Browser::new(page);
    crawler.header("user-agent", "Googlebot/2.1");
    assert!(!crawler.get("/").await.html().contains("_t"), "nobody comes back to it");
}

#[tokio::test]
async fn line_11_without_tokens_a_printed_form_is_taken_as_often_as_it_comes() {
    let diary = Diary::default();
    let mut browser = Browser::of(Server::new(adder).app(diary.clone()).form_tokens(false));
    browser.get("/").await.fill("number", 5).submit().await.shows("Sum 5");
    browser.resubmitting().reload().await.shows("Sum 10");
    browser.back().await.fill("number", 1).submit().await.shows("Sum 11");
}

#[tokio::test]
async fn line_11_a_form_before_a_choice_is_no_answer_to_it() {
    async fn mixed(mut req: Request) -> Result<()> {
        req.print(html! { form { input name="a"; button { "Go" } } }).flush().await?;
        for step in 1.. {
            req.choose(
                |c| html! { p { "Step " (step) } (c.form(|(): ()| (), |_| html! { button { "on" } })) },
            )
            .await?;
        }
        Ok(())
    }
    let mut browser = Browser::new(mixed);
    browser.get("/").await.fill("a", 1).click("Go").await.status(200).shows("Step 1").shows(OLDER);
    browser.click("on").await.shows("Step 2");
}

#[tokio::test]
async fn line_11_a_choice_after_a_printed_form_is_shown_again_to_its_repeat() {
    async fn then(mut req: Request) -> Result<()> {
        req.print(html! { form method="post" { input name="a"; } });
        let a: i64 = req.next().await?.param("a")?;
        req.choose(|c| html! { "Chosen " (a) (c.link("on", ())) }).await?;
        Ok(())
    }
    let mut browser = Browser::new(then);
    browser.get("/").await.fill("a", 1).submit().await.shows("Chosen 1");
    browser.resubmitting().reload().await.shows("Chosen 1").shows_not(OLDER);
    browser.back().await.fill("a", 2).submit().await.shows("Chosen 1").shows(OLDER);
}

#[tokio::test]
async fn line_03_a_printed_form_of_a_session_that_is_over_is_expired() {
    async fn once(mut req: Request) -> Result<()> {
        req.print(html! { form method="post" { input name="a"; } });
        let a: i64 = req.next().await?.param("a")?;
        req.print(html! { p { "Done " (a) } form method="post" { input name="a"; } });
        Ok(())
    }
    let mut browser = Browser::new(once);
    browser.get("/").await.fill("a", 1).submit().await.shows("Done 1");
    browser.resubmitting().reload().await.shows("Done 1");
    browser.back().await.fill("a", 2).submit().await.status(410).shows("expired");
    browser.back().await.forward().await;
    browser.get("/").await.fill("a", 3).submit().await.shows("Done 3");
    browser.fill("a", 4).submit().await.shows_not("Done");
    browser.status(200);
}

#[tokio::test]
async fn line_03_a_form_that_was_sent_before_the_last_page_was_known_to_be_the_last_is_expired() {
    async fn search(mut req: Request) -> Result<()> {
        let what: Option<String> = req.param("what")?;
        req.print(html! { form { input name="what"; } }).flush().await?;
        req.print(html! { "Found " (what.unwrap_or_default()) });
        Ok(())
    }
    let mut browser = Browser::new(search);
    browser.get("/").await.fill("what", "tea").submit().await.status(410).shows("expired");
    let mut browser = Browser::new(Flow::new(search).form_tokens(false));
    browser.get("/").await.fill("what", "tea").submit().await.status(200).shows("Found tea");
    browser.fill("what", "cake").submit().await.shows("Found cake");
}

#[tokio::test(start_paused = true)]
async fn line_12_a_printed_page_stays_current_while_next_is_given_up() {
    async fn ticks(mut req: Request) -> Result<()> {
        let mut ticks = 0;
        req.print(html! { form method="post" { input name="a"; } });
        loop {
            let hit = tokio::select! {
                hit = req.next() => hit?.param::<i64>("a")?,
                () = tokio::time::sleep(Duration::from_secs(1)) => { ticks += 1; continue }
            };
            req.print(html! { p { "Got " (hit) " after " (ticks) } form method="post" { input name="a"; } });
        }
    }
    let mut browser = Browser::new(ticks);
    browser.get("/").await.wait(Duration::from_millis(2500)).await;
    browser.fill("a", 7).submit().await.shows("Got 7 after 2");
    browser.wait(Duration::from_millis(2000)).await;
    browser.resubmitting().reload().await.shows("Got 7 after 2");
    browser.fill("a", 8).submit().await.shows("Got 8 after 4");
}

#[tokio::test]
async fn line_07_a_printed_forms_token_from_another_site_is_no_answer() {
    let (mut browser, diary) = with_diary(adder, |_| {});
    browser.get("/").await;
    let url = format!("/?_t={}&number=5", browser.value("_t"));
    browser.from_site("https://elsewhere.test").get(&url).await.shows("another site").shows_not("Sum");
    assert!(diary.lines().is_empty());
    browser.get(&url).await.shows("Sum 5");
}

#[tokio::test]
async fn line_02_a_printed_forms_token_is_of_one_session() {
    let (mut ada, diary) = with_diary(adder, |_| {});
    let mut bob = ada.other();
    ada.get("/").await;
    bob.get("/").await;
    let token = ada.value("_t");
    bob.post("/", &[("_t", &token), ("number", "5")]).await.shows(OLDER).shows_not("Sum");
    ada.other().post("/", &[("_t", &token), ("number", "5")]).await.status(410);
    assert!(diary.lines().is_empty());
}

#[tokio::test]
async fn line_04_a_printed_form_can_be_sent_again_after_a_failed_step() {
    let (store, diary) = (Memory::new(), Diary::default());
    let mut browser = Browser::of(journaled(adder, &store, &diary));
    browser.get("/").await.fill("number", 1).submit().await.shows("Sum 1");
    browser.fill("number", "many").submit().await.status(400);
    browser.back().await.fill("number", 2).submit().await.shows("Sum 3");
    browser.resubmitting().reload().await.shows("Sum 3");
}

#[tokio::test]
async fn line_02_visitors_by_parameter_have_tokens_too() {
    async fn sums(mut req: Request) -> Result<()> {
        let (id, mut sum) = (req.session_id(), 0);
        loop {
            req.print(html! {
                p { "Sum " (sum) }
                form method="post" { input type="hidden" name="sid" value=(id); input name="number"; }
            });
            sum += req.next().await?.param::<i64>("number")?;
        }
    }
    let mut browser = Browser::of(Server::new(Flow::new(sums).map(Map::by_param("sid"))));
    browser.get("/").await.fill("number", 5).submit().await.shows("Sum 5");
    browser.resubmitting().reload().await.shows("Sum 5");
    browser.fill("number", 6).submit().await.shows("Sum 11");
}

#[cfg(feature = "multipart")]
#[tokio::test]
async fn line_11_a_printed_form_with_files_is_known_again() {
    async fn files(mut req: Request) -> Result<()> {
        for step in 1.. {
            req.print(html! {
                p { "Step " (step) }
                form method="post" enctype="multipart/form-data" { input type="file" name="f"; button { "Send" } }
            });
            req.next().await?.file("f")?;
        }
        Ok(())
    }
    let mut browser = Browser::new(files);
    browser.get("/").await.attach("f", "a.txt", "one").click("Send").await.shows("Step 2");
    browser.resubmitting().reload().await.shows("Step 2");
    browser.back().await.click("Send").await.shows("Step 2").shows_not(OLDER);
    browser.back().await.attach("f", "a.txt", "two").click("Send").await.shows(OLDER);
}
