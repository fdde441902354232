//! Pages that a form has made, and those that nobody may keep, have an address: whatever asks for them again finds them.

use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;

use crate::bare::{Bare, get, request};
use crate::flows::{Diary, with_diary};

const OLDER: &str = "older page";
const NOT_KEPT: &str = "is not kept";

/// Counts by buttons; drawn.
async fn drawn(mut req: Request) -> Result<()> {
    let mut sum = 0;
    loop {
        sum += req.choose(|c| html! { "Sum " (sum) "." (c.button("one", 1)) (c.button("ten", 10)) }).await?;
    }
}

/// Counts by a form; printed.
async fn printed(mut req: Request) -> Result<()> {
    let mut sum = 0;
    loop {
        req.print(html! { "Sum " (sum) "." form method="post" { button name="n" value="1" { "one" } button name="n" value="10" { "ten" } } });
        sum += req.next().await?.param::<i32>("n")?;
    }
}

/// The last page before which the kit's browser was led to an address.
fn address(browser: &Browser) -> String {
    let url = browser.url();
    assert!(url.contains("_t="), "{url} says which page it is of");
    url
}

#[tokio::test]
async fn a_form_leads_to_the_address_of_the_page_that_it_made() {
    for mut browser in
        [Browser::new(drawn), Browser::new(printed), Browser::journaled(drawn), Browser::journaled(printed)]
    {
        browser.get("/").await.click("one").await.shows("Sum 1.");
        let one = address(&browser);
        browser.reload().await.shows("Sum 1.").shows_not(OLDER);
        browser.new_tab().get(&one).await.shows("Sum 1.");
        browser.click("one").await.shows("Sum 2.");
        assert_ne!(address(&browser), one);
    }
}

#[tokio::test]
async fn an_address_is_no_answer_whatever_comes_with_it() {
    for mut browser in
        [Browser::new(drawn), Browser::new(printed), Browser::journaled(drawn), Browser::journaled(printed)]
    {
        browser.get("/").await.click("one").await.shows("Sum 1.");
        let one = address(&browser);
        browser.get(&format!("{one}&n=10")).await.shows("Sum 1.");
        browser.click("one").await.shows("Sum 2.");
        browser.get(&format!("{one}&n=10")).await;
        browser.get("/?_t=here").await.shows("Sum 2.");
    }
}

#[tokio::test]
async fn an_old_address_is_its_page_with_a_journal_and_the_session_stays_where_it_is() {
    for flow in [|| Flow::new(drawn), || Flow::new(printed)] {
        let store = Memory::new();
        let server = || Server::new(flow()).journal(store.clone());
        let mut browser = Browser::of(server());
        browser.get("/").await.click("one").await.shows("Sum 1.");
        let one = address(&browser);
        browser.click("one").await.click("one").await.shows("Sum 3.");
        let three = address(&browser);
        let mut other = browser.new_tab();
        other.get(&one).await.shows("Sum 1.").shows_not(OLDER).shows_not(NOT_KEPT);
        browser.reload().await.shows("Sum 3.");
        browser.restart(server());
        other.reload().await.shows("Sum 1.");
        other.get(&three).await.shows("Sum 3.");
        other.get(&one).await.click("ten").await.shows("Sum 11.");
        browser.click("ten").await.shows("Sum 13.");
    }
}

#[tokio::test]
async fn an_old_address_without_a_journal_is_the_current_page_and_says_so() {
    let mut browser = Browser::new(drawn);
    browser.get("/").await.click("one").await;
    let one = address(&browser);
    browser.click("one").await.shows("Sum 2.");
    browser.get(&one).await.shows("Sum 2.").shows(NOT_KEPT).shows_not(OLDER);
    browser.click("one").await.shows("Sum 3.");
    let mut browser = Browser::new(printed);
    browser.get("/").await.click("one").await;
    let one = address(&browser);
    browser.click("one").await.shows("Sum 2.");
    browser.get(&one).await.shows(NOT_KEPT).shows_not("Sum");
    browser.follow("Go on").await.shows("Sum 2.");
    browser.click("one").await.shows("Sum 3.");
}

#[tokio::test]
async fn an_answer_that_is_refused_leads_to_the_page_that_says_so() {
    let mut browser = Browser::new(drawn);
    browser
        .get("/")
        .await
        .click("one")
        .await
        .click("one")
        .await
        .back()
        .click("ten")
        .await
        .shows("Sum 2.")
        .shows(OLDER);
    address(&browser);
    browser.reload().await.shows("Sum 2.").shows(OLDER);
    let mut browser = Browser::new(printed);
    browser.get("/").await.click("one").await.click("one").await.back().click("ten").await.shows(OLDER);
    address(&browser);
    browser.reload().await.shows(OLDER);
}

/// Prints a form, and what its buttons say in a way of its own.
async fn answers(mut req: Request) -> Result<()> {
    loop {
        req.print(html! { form method="post" {
            @for way in WAYS { button name="as" value=(way) { (way) } }
        } });
        match req.next().await?.param::<Option<String>>("as")?.as_deref() {
            Some("status") => drop(req.set_status(203)?),
            Some("text") => drop(req.content_type("text/plain")?),
            Some("bytes") => drop(req.send("application/json", "1")?),
            Some("file") => drop(req.set_header("content-disposition", "attachment")?),
            Some("parts") => req.print("First. ").flush().await?,
            Some("away") => drop(req.redirect("/done")?),
            _ => {}
        }
    }
}

const WAYS: [&str; 7] = ["page", "status", "text", "bytes", "file", "parts", "away"];

#[tokio::test]
async fn what_is_no_page_like_most_is_the_answer_itself() {
    let server = Bare::start(Server::new(answers).cookie("sid")).await;
    let cookie = server.ask(get("/", &[])).await.cookie().expect("an id");
    for way in WAYS {
        let page = server.ask(get("/", &[("cookie", &cookie)])).await.body;
        let form = [("cookie", &*cookie), ("content-type", "application/x-www-form-urlencoded")];
        let body = format!("_t={}&as={way}", token_on(&page));
        let seen = server.ask(request("POST", "/", &form, &body)).await;
        let is_led = seen.status == 303 && seen.header("location").starts_with("?_t=");
        assert_eq!(is_led, way == "page", "{way}: {} {}", seen.status, seen.header("location"));
    }
}

/// The token of the form that was printed there.
fn token_on(page: &str) -> &str {
    let token = page.split("name=\"_t\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    token.expect("a form with a token")
}

/// Prints a page of this size; the form says of what size the next one is.
async fn large(mut req: Request) -> Result<()> {
    let mut size = 0;
    loop {
        req.print(html! { form method="post" { input name="size"; button { "Go" } } ("x".repeat(size)) });
        size = req.next().await?.param("size")?;
    }
}

#[tokio::test]
async fn a_page_that_could_not_be_found_again_is_the_answer_itself() {
    let server = || Server::new(large).limits(|limits| limits.kept_page = 1000);
    let mut browser = Browser::of(server());
    browser.get("/").await.fill("size", 10).submit().await.shows("xxx");
    address(&browser);
    browser.fill("size", 2000).submit().await.shows("xxx");
    assert_eq!(browser.url(), "/?_t=here", "it stands where its form was sent to");
    // With a journal it is made once more.
    let mut browser = Browser::of(server().journal(Memory::new()));
    browser.get("/").await.fill("size", 10).submit().await.fill("size", 2000).submit().await.shows("xxx");
    address(&browser);
    browser.reload().await.shows("xxx");
    browser.fill("size", 10).submit().await.shows("xxx");
}

/// A form with a check.
async fn asks(mut req: Request) -> Result<()> {
    #[derive(Deserialize)]
    struct Said {
        word: String,
    }
    let diary = req.app::<Diary>();
    for step in 1.. {
        if req.path() == "/sensitive" {
            req.sensitive();
        }
        let said: Said = req
            .ask(|f| {
                f.check(|said: &Said| said.word.len() < 5, "word", "too long");
                html! { "Step " (step) "." (f.errors()) (f.text("word")) button { "Go" } }
            })
            .await?;
        diary.note(said.word);
        if step == 3 {
            req.commit();
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_form_with_something_wrong_in_it_has_an_address_with_what_was_typed() {
    let (mut browser, diary) = with_diary(asks, |_| {});
    browser.get("/").await.fill("word", "lengthy").submit().await.status(422).shows("too long");
    let tried = address(&browser);
    browser.reload().await.status(422).shows("too long");
    assert_eq!(browser.value("word"), "lengthy");
    browser.fill("word", "lengthier").submit().await.status(422).shows("too long");
    assert_ne!(address(&browser), tried, "another try");
    // What was tried before the last time is the form as it was first.
    browser.new_tab().get(&tried).await.status(200).shows("Step 1.").shows_not("too long");
    let tried = address(&browser);
    browser.fill("word", "fine").submit().await.shows("Step 2.");
    let mut other = browser.new_tab();
    other.get(&tried).await.shows("too long").shows("Step 1.");
    assert_eq!(other.value("word"), "lengthier");
    assert_eq!(diary.lines(), ["fine"]);
}

#[tokio::test]
async fn what_was_tried_is_forgotten_after_a_restart_and_where_nobody_goes_back_behind() {
    let (store, diary) = (Memory::new(), Diary::default());
    let server = || Server::new(asks).app(diary.clone()).journal(store.clone());
    let mut browser = Browser::of(server());
    browser
        .get("/")
        .await
        .fill("word", "a")
        .submit()
        .await
        .fill("word", "lengthy")
        .submit()
        .await
        .shows("too long");
    browser.restart(server()).reload().await.status(200).shows("Step 2.").shows_not("too long");
    browser
        .fill("word", "b")
        .submit()
        .await
        .fill("word", "lengthy")
        .submit()
        .await
        .shows("too long")
        .shows("Step 3.");
    let tried = address(&browser);
    browser.fill("word", "c").submit().await.shows("Step 4.");
    browser
        .new_tab()
        .get(&tried)
        .await
        .status(410)
        .shows_not("lengthy")
        .shows("going back does not change it");
}

#[tokio::test]
async fn what_was_tried_takes_its_place_among_the_pages_that_are_kept() {
    let (mut browser, _) = with_diary(asks, |limits| limits.kept_page = 100);
    browser.get("/").await.fill("word", "lengthy").submit().await.status(422).shows("too long");
    assert!(!browser.url().contains("_t="), "it is too large to be kept, so it is the answer");
}

/// A page that nobody may keep, and one that leads back to it by hand.
async fn private(mut req: Request) -> Result<()> {
    for step in 1.. {
        let what: Option<String> = req.param("what")?;
        req.sensitive()
            .choose(|c| html! { "Step " (step) (what.as_deref().unwrap_or("")) (c.link("on", ())) })
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_sensitive_page_that_was_typed_has_an_address() {
    let mut browser = Browser::of(Server::new(private).mount("/other", private).journal(Memory::new()));
    browser.get("/").await.shows("Step 1").status(200);
    let first = address(&browser);
    browser.follow("on").await.follow("on").await.shows("Step 3");
    browser.get("/").await.shows("Step 3");
    assert_ne!(address(&browser), first);
    browser.get(&first).await.shows("Step 1");
    browser.get("/other").await.shows("Step 1");
    let other = address(&browser);
    browser.follow("on").await.shows("Step 2");
    browser.get(&other).await.shows("Step 1");
    browser.get("/?_t=here").await.shows("Step 3");
    browser.follow("on").await.shows("Step 4");
}

#[tokio::test]
async fn a_newcomer_without_cookies_is_not_led_in_circles_and_begins_with_what_they_asked_for() {
    let server = Bare::start(Server::new(private)).await;
    let first = server.ask(get("/reset?what=:x", &[])).await;
    assert_eq!((first.status, first.header("cache-control")), (303, "no-store"));
    let (cookie, address) = (first.cookie().expect("an id"), format!("/reset{}", first.header("location")));
    let second = server.ask(get(&address, &[])).await;
    assert_eq!((second.status, second.body.contains("Step 1:x")), (200, true), "{}", second.body);
    assert!(second.cookie().is_some_and(|other| other != cookie));
    let kept = server.ask(get(&address, &[("cookie", &cookie)])).await;
    assert_eq!((kept.status, kept.body.contains("Step 1:x"), kept.cookie()), (200, true, None));
    let crawler = server.ask(get("/", &[("user-agent", "Googlebot/2.1")])).await;
    assert_eq!(crawler.status, 200, "nobody comes back for it");
}

#[tokio::test]
async fn cookies_that_came_with_an_answer_are_not_told_again_at_its_address() {
    async fn themes(mut req: Request) -> Result<()> {
        for step in 1.. {
            req.set_header("set-cookie", &format!("theme={step}"))?;
            req.print(html! { "Step " (step) form method="post" { button { "on" } } });
            req.next().await?;
        }
        Ok(())
    }
    let server = Bare::start(Server::new(themes).cookie("sid").journal(Memory::new())).await;
    let first = server.ask(get("/", &[])).await;
    let cookie = first
        .cookies()
        .into_iter()
        .find(|cookie| cookie.starts_with("sid="))
        .and_then(|cookie| cookie.split(';').next());
    let cookie = cookie.expect("an id").to_owned();
    let token = token_on(&first.body);
    let (body, form) = (
        format!("_t={token}"),
        [("cookie", &*cookie), ("content-type", "application/x-www-form-urlencoded")],
    );
    let made = server.ask(request("POST", "/", &form, &body)).await;
    let again = server.ask(request("POST", "/", &form, &body)).await;
    assert_eq!((made.status, made.cookies(), again.cookies()), (303, vec!["theme=2"], vec!["theme=2"]));
    assert_eq!(again.header("location"), made.header("location"));
    let page = server.ask(get(&format!("/{}", made.header("location")), &[("cookie", &cookie)])).await;
    assert!(page.body.contains("Step 2") && page.cookies().is_empty(), "{:?}", page.cookies());
}

#[tokio::test]
async fn the_last_page_of_a_session_is_found_at_its_address_after_a_restart_too() {
    async fn once(mut req: Request) -> Result<()> {
        req.choose(|c| html! { "First" (c.button("on", ())) }).await?;
        req.print("Last");
        Ok(())
    }
    let store = Memory::new();
    let server = || Server::new(once).journal(store.clone());
    let mut browser = Browser::of(server());
    browser.get("/").await.click("on").await.shows("Last");
    let last = address(&browser);
    browser.reload().await.shows("Last");
    browser.restart(server()).reload().await.shows("Last");
    browser.get("/").await.shows("First");
    browser.get(&last).await.status(410).shows("has expired");
}

#[tokio::test]
async fn a_form_without_a_token_at_an_address_is_one_without_a_token() {
    async fn says(mut req: Request) -> Result<()> {
        loop {
            let said: Option<String> = req.param("said")?;
            req.sensitive().print(
                html! { "Said " (said.unwrap_or_default()) "." form method="post" { input name="said"; } },
            );
            req.next().await?;
        }
    }
    let mut browser = Browser::new(Flow::new(says).form_tokens(false));
    browser.get("/").await.shows("Said .");
    address(&browser);
    browser.fill("said", "a").submit().await.shows("Said a.");
    browser.fill("said", "b").submit().await.shows("Said b.");
}

/// Shows something that is private, or is not, and is over; can be ended from another site.
async fn ends(mut req: Request) -> Result<()> {
    if req.path() == "/private" {
        req.sensitive();
    }
    let back = req.return_url()?;
    req.choose(|c| html! { a href=(back) { "Away" } (c.link("End", ())) (c.on_return(())) }).await?;
    req.print("Over");
    Ok(())
}

#[tokio::test]
async fn the_end_of_what_was_private_tells_the_visitor_once_more_who_they_are_and_nobody_else() {
    for (path, told) in [("/private", true), ("/public", false)] {
        let mut browser = Browser::of(Server::new(ends).cookie("sid"));
        browser.get(path).await;
        let (id, mut stranger) = (browser.cookie("sid"), browser.other());
        let back = browser.href("Away");
        browser.follow("End").await.shows("Over");
        assert_eq!(browser.header_value("set-cookie").is_some(), told, "{path}");
        assert_eq!(browser.cookie("sid"), id, "the same id");
        browser.get(path).await;
        let back_again = browser.href("Away");
        assert_ne!(back, back_again);
        stranger.from_site("https://pay.test").get(&back_again).await.shows("Over");
        assert_eq!((stranger.header_value("set-cookie"), stranger.cookie("sid")), (None, None));
    }
}
