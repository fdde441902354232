//! Line 7: who is sent to another site comes back by `return_url`, once, with or without a cookie; and nobody gets more
//! by it than that one hit.

use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;

use crate::bare::{Bare, get, request};
use crate::flows::{Diary, tally};

const GATEWAY: &str = "https://pay.test";

#[derive(Serialize, Deserialize)]
enum Way {
    Back,
    Cancel,
}

/// Sends the visitor away to pay. Notes each payment that came back.
async fn pays(mut req: Request) -> Result<()> {
    let diary = req.app::<Diary>();
    let back = req.return_url()?;
    req.leave_for(&format!("{GATEWAY}/7?{}", pair("back", &back)))?;
    let page =
        |c: &Choices<'_, Way>| html! { "Waiting " (c.link("Cancel", Way::Cancel)) (c.on_return(Way::Back)) };
    let said = match req.choose(page).await? {
        Way::Back => format!("Paid {}", req.param::<String>("code")?),
        Way::Cancel => "Cancelled".to_owned(),
    };
    let note = async |_| {
        diary.note(&said);
        Ok::<_, Error>(())
    };
    req.once("note", &said, note).await?;
    for look in 0.. {
        req.choose(|c| html! { (said) " " (look) " " (c.link("Look", ())) }).await?;
    }
    Ok(())
}

fn pair(name: &str, value: &str) -> String {
    let escaped: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("{name}={escaped}")
}

fn server(diary: &Diary) -> Server {
    Server::new(pays).app(diary.clone())
}

/// A visitor on the way to the gateway, and the URL that leads back, with what the gateway adds.
async fn gone(server: Server) -> (Browser, String) {
    let mut ada = Browser::of(server);
    ada.get("/").await.status(303);
    assert!(ada.sent_to().starts_with("https://pay.test/7?back="));
    let back = ada.sent_with("back");
    assert!(back.starts_with("http://localhost/?_r="), "{back}");
    (ada, format!("{back}&code=ok"))
}

#[tokio::test]
async fn line_07_a_return_from_another_site_resumes_the_step_that_waits() {
    let diary = Diary::default();
    let (mut ada, back) = gone(server(&diary)).await;
    ada.get("/").await.status(200).shows("Waiting");
    ada.from_site(GATEWAY).get(&back).await.shows("Paid ok 0");
    assert_eq!(ada.header_value("cache-control").as_deref(), Some("no-store"));
    assert_eq!(ada.header_value("referrer-policy").as_deref(), Some("no-referrer"));
    ada.follow("Look").await.shows("Paid ok 1");
    assert_eq!(ada.header_value("cache-control").as_deref(), Some("private, no-cache"));
    assert_eq!(diary.lines(), ["Paid ok"]);
}

#[tokio::test]
async fn line_07_a_post_from_another_site_brings_no_cookie_and_its_pages_links_do() {
    let diary = Diary::default();
    let (mut ada, back) = gone(server(&diary)).await;
    let sid = ada.cookie("sid");
    ada.from_site(GATEWAY)
        .post(&back, &[("code", "late"), ("sum", "7")])
        .await
        .status(200)
        .shows("Paid late 0");
    assert_eq!(ada.header_value("set-cookie"), None);
    assert_eq!(ada.cookie("sid"), sid);
    ada.follow("Look").await.shows("Paid late 1");
}

#[tokio::test]
async fn line_07_a_server_without_a_cookie_resumes_the_step() {
    let diary = Diary::default();
    let (mut ada, back) = gone(server(&diary)).await;
    let mut gateway = ada.other();
    gateway.notify(&back, &[("sum", "7")]).await.status(200).shows("Paid ok 0");
    assert_eq!(gateway.cookie("sid"), None);
    ada.get("/").await.shows("Paid ok 0");
    ada.follow("Look").await.shows("Paid ok 1");
    assert_eq!(ada.sessions(), 1);
}

#[tokio::test]
async fn line_07_the_same_return_again_runs_nothing() {
    let diary = Diary::default();
    let (mut ada, back) = gone(server(&diary)).await;
    ada.from_site(GATEWAY).get(&back).await.shows("Paid ok 0");
    ada.reload().await.shows("Paid ok 0").shows_not("before");
    ada.from_site(GATEWAY).get(&back).await.shows("Paid ok 0");
    let mut gateway = ada.other();
    for _ in 0..2 {
        gateway.notify(&back, &[]).await.status(200).shows("received before").shows_not("Paid");
    }
    ada.follow("Look").await.shows("Paid ok 1");
    assert_eq!(diary.lines(), ["Paid ok"]);
}

#[tokio::test]
async fn line_07_another_return_or_a_late_one_changes_nothing_and_leads_on() {
    let diary = Diary::default();
    let (mut ada, back) = gone(server(&diary)).await;
    ada.from_site(GATEWAY).get(&back).await.shows("Paid ok 0");
    ada.from_site(GATEWAY)
        .get(&back.replace("ok", "twice"))
        .await
        .shows("Nothing was changed")
        .shows_not("Paid");
    assert_eq!(ada.links(), ["Go on"]);
    ada.follow("Go on").await.shows("Paid ok 0");
    ada.follow("Look").await.shows("Paid ok 1");
    ada.from_site(GATEWAY).get(&back).await.shows("Nothing was changed");
    ada.follow("Go on").await.shows("Paid ok 1");
    assert_eq!(diary.lines(), ["Paid ok"]);
}

#[tokio::test]
async fn line_07_a_return_after_another_click_is_too_late() {
    let diary = Diary::default();
    let (mut ada, back) = gone(server(&diary)).await;
    ada.get("/").await.follow("Cancel").await.shows("Cancelled 0");
    ada.from_site(GATEWAY).get(&back).await.shows("too late");
    assert_eq!(diary.lines(), ["Cancelled"]);
}

#[tokio::test]
async fn line_07_who_comes_back_without_the_cookie_gets_that_page_and_no_more() {
    let diary = Diary::default();
    let (mut ada, back) = gone(server(&diary)).await;
    let mut eve = ada.other();
    eve.from_site(GATEWAY).get(&back).await.shows("Paid ok 0");
    assert_eq!(eve.cookie("sid"), None);
    let look = eve.href("Look");
    eve.follow("Look").await.status(410);
    eve.get(&back).await.shows("received before").shows_not("Paid");
    eve.follow("Go on").await.status(410);
    // Nor with a cookie of their own.
    eve.get("/").await.status(303);
    eve.get(&back).await.shows("received before");
    eve.follow("Go on").await.shows("Waiting");
    eve.get(&look).await.shows("Waiting");
    ada.get("/").await.shows("Paid ok 0");
}

#[tokio::test]
async fn line_07_a_page_that_waits_for_no_return_is_shown_to_nobody_else() {
    async fn asks(mut req: Request) -> Result<()> {
        req.print(html! { a href=(req.return_url()?) { "Back" } });
        req.choose(|c| html! { "Secret " (c.link("Go", ())) }).await?;
        req.print("Gone");
        Ok(())
    }
    let mut ada = Browser::new(asks);
    let back = ada.get("/").await.href("Back");
    ada.other().get(&back).await.shows_not("Secret").shows_not("Gone");
    ada.from_site(GATEWAY).get(&back).await.shows("Secret");
    ada.follow("Go").await.shows("Gone");
}

#[tokio::test]
async fn line_07_a_forged_capability_opens_and_starts_nothing() {
    let diary = Diary::default();
    let (mut ada, back) = gone(server(&diary)).await;
    let (_other, foreign) = gone(server(&diary)).await;
    let at = back.find("_r=").expect("it carries one") + 3;
    let mut forged = vec![foreign, "/?_r=".into(), "/?_r=x&code=ok".into()];
    for place in (at..at + 56).step_by(5) {
        let digit = if &back[place..=place] == "0" { "1" } else { "0" };
        forged.push([&back[..place], digit, &back[place + 1..]].concat());
    }
    for url in forged {
        let mut eve = ada.other();
        eve.from_site(GATEWAY).get(&url).await.status(410).shows("expired");
        eve.from_site(GATEWAY).post(&url, &[]).await.status(410);
        eve.notify(&url, &[]).await.status(410);
        assert_eq!(eve.cookie("sid"), None);
        ada.get(&url).await.status(410);
    }
    assert_eq!((ada.sessions(), diary.lines().len()), (1, 0));
    ada.get(&back).await.shows("Paid ok 0");
}

#[tokio::test]
async fn line_07_a_capability_is_no_token_and_a_token_no_capability() {
    let diary = Diary::default();
    let (mut ada, back) = gone(server(&diary)).await;
    let capability =
        back.split_once("_r=").and_then(|(_, rest)| rest.split_once('&')).expect("one").0.to_owned();
    ada.get(&format!("/?_t={capability}")).await.shows("Waiting").shows("older page");
    let token = ada.href("Cancel").split_once("_t=").expect("a token").1.to_owned();
    ada.get(&format!("/?_r={token}")).await.status(410);
    ada.other().get(&format!("/?_r={token}")).await.status(410);
    // What another site puts beside it does not count.
    ada.from_site(GATEWAY).get(&format!("{back}&_t={token}")).await.shows("Paid ok 0");
}

#[tokio::test]
async fn line_07_what_is_no_visit_returns_to_nothing() {
    let diary = Diary::default();
    let bare = Bare::start(server(&diary).cookie("sid")).await;
    let first = bare.ask(get("/", &[("host", "shop.test")])).await;
    let (cookie, away) = (first.cookie().expect("an id"), first.header("location").to_owned());
    let (_, back) = form_urlencoded(&away).expect("the way back");
    let url = back.strip_prefix("http://shop.test").expect("here").to_owned() + "&code=ok";
    let google = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    for (method, field, status) in [
        ("HEAD", ("accept", "*/*"), 200),
        ("OPTIONS", ("accept", "*/*"), 204),
        ("GET", ("sec-purpose", "prefetch;prerender"), 503),
        ("GET", ("sec-fetch-dest", "image"), 404),
        ("GET", ("user-agent", google), 410),
    ] {
        for fields in [&[field][..], &[field, ("cookie", &cookie)]] {
            let answer = bare.ask(request(method, &url, fields, "")).await;
            assert_eq!((answer.status, answer.cookies().len()), (status, 0), "{method} {field:?}");
        }
    }
    assert!(diary.lines().is_empty());
    assert!(bare.ask(get(&url, &[])).await.body.contains("Paid ok 0"));
}

/// The one parameter of a URL.
fn form_urlencoded(url: &str) -> Option<(String, String)> {
    let (name, value) = url.split_once('?')?.1.split_once('=')?;
    let bytes = value.split('%').skip(1).map(|digits| u8::from_str_radix(digits, 16));
    Some((name.to_owned(), String::from_utf8(bytes.collect::<Result<_, _>>().ok()?).ok()?))
}

#[tokio::test]
async fn line_07_plain_next_takes_a_return_and_its_page_is_repeated() {
    async fn flow(mut req: Request) -> Result<()> {
        let back = req.return_url()?;
        assert_eq!(req.return_url()?, back, "in one step it is the same");
        req.print(html! { a href=(back) { "Back" } });
        for hit in 1.. {
            req.next().await?;
            req.print(html! { "Hit " (hit) " " (req.uri()) " " (req.is_from_visitor()) });
        }
        Ok(())
    }
    let mut ada = Browser::new(flow);
    let back = ada.get("/").await.href("Back") + "&code=ok";
    ada.from_site(GATEWAY).get(&back).await.shows("Hit 1 /?code=ok true");
    ada.reload().await.shows("Hit 1 /?code=ok true");
    assert_eq!(ada.header_value("referrer-policy").as_deref(), Some("no-referrer"));
    ada.other().get(&back).await.shows("received before");
    ada.from_site(GATEWAY).get(&format!("{back}&x=1")).await.shows("Nothing was changed");
    ada.follow("Go on").await.shows("Hit 2 / true");
    ada.get(&back).await.shows("Nothing was changed");
}

#[tokio::test]
async fn line_07_state_carries_it_where_the_url_is_always_the_same() {
    async fn flow(mut req: Request) -> Result<()> {
        let state = req.return_state()?;
        req.print(html! { (state) });
        req.returned(html! { "Waiting" }).await?;
        let (code, state): (String, Option<String>) = (req.param("code")?, req.param("state")?);
        req.print(html! { "Code " (code) " " (req.is_from_visitor()) " " (state.is_none()) });
        Ok(())
    }
    for by_post in [false, true] {
        let mut ada = Browser::of(Server::new(tally).mount("/login", flow));
        let state = ada.get("/login").await.text();
        let state = state.trim_end_matches("Waiting").trim();
        ada.from_site(GATEWAY).get(&format!("/?code=1&state={state}")).await.status(410);
        if by_post {
            let fields = [("code", "1"), ("state", state)];
            ada.from_site(GATEWAY).post("/login/done", &fields).await.shows("Code 1 false true");
        } else {
            // As some sites write it.
            let state: String = state.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let url = format!("/login/done?code=1&state={state}");
            ada.from_site(GATEWAY).get(&url).await.shows("Code 1 true true");
        }
    }
}

#[tokio::test]
async fn line_07_any_other_state_is_the_programs() {
    async fn flow(mut req: Request) -> Result<()> {
        loop {
            req.print(html! { "State " (req.param::<Option<String>>("state")?.unwrap_or_default().len()) });
            req.next().await?;
        }
    }
    let mut ada = Browser::new(flow);
    ada.get("/?state=open").await.shows("State 4");
    ada.get(&format!("/?state={}", "a".repeat(56))).await.shows("State 56");
    ada.from_site(GATEWAY).post("/", &[("state", "open")]).await.status(403);
}

#[tokio::test]
async fn line_07_a_return_is_of_its_own_flow_and_label() {
    let diary = Diary::default();
    let flow = || Flow::new(pays).map(Map::by_cookie().path().param("shop"));
    let mut ada = Browser::of(Server::new(tally).mount("/pay", flow()).app(diary.clone()));
    ada.get("/pay/tea?shop=1").await;
    let back = ada.sent_with("back");
    assert!(back.starts_with("http://localhost/pay/tea?_r=") && back.ends_with("&shop=1"), "{back}");
    ada.get(&back.replace("/pay/tea", "/")).await.status(410);
    // On another path the same cookie names another session: who comes there is not known to be the visitor.
    ada.from_site(GATEWAY).get(&format!("{back}&code=ok")).await.shows("Paid ok 0");
    ada.follow("Look").await.shows("Paid ok 1");
    ada.get("/pay/tea?shop=1").await.shows("Paid ok 1");
}

#[tokio::test]
async fn line_07_a_newborn_that_was_sent_away_is_no_newborn_when_it_comes_back() {
    let diary = Diary::default();
    let (mut ada, back) = gone(server(&diary).limits(|limits| limits.newborns = 1)).await;
    ada.other().notify(&back, &[]).await.shows("Paid ok 0");
    for _ in 0..3 {
        ada.other().get("/").await;
    }
    ada.get("/").await.shows("Paid ok 0");
}

#[tokio::test]
async fn line_07_a_return_to_a_session_that_is_over_is_repeated_or_expired() {
    async fn flow(mut req: Request) -> Result<()> {
        let back = req.return_url()?;
        req.print(html! { a href=(back) { "Back" } });
        req.next().await?;
        req.print("Thank you");
        Ok(())
    }
    let mut ada = Browser::new(flow);
    let back = ada.get("/").await.href("Back");
    ada.get("/").await;
    let mut bob = ada.other();
    let again = bob.get("/").await.href("Back");
    bob.from_site(GATEWAY).get(&again).await.shows("Thank you");
    bob.from_site(GATEWAY).get(&again).await.shows("Thank you");
    ada.other().get(&again).await.shows("received before").shows_not("Thank");
    bob.get(&format!("{again}&x=1")).await.status(410);
    ada.get(&back).await.status(410);
    assert_eq!(ada.sessions(), 0);
}

/// Logs in who comes back with a code: the door of an account elsewhere.
async fn signs_in(mut req: Request) -> Result<()> {
    let state = req.return_state()?;
    req.leave_for(&format!("{GATEWAY}/authorize?state={state}"))?;
    req.returned("Waiting").await?;
    req.rotate_id()?;
    let name: String = req.param("code")?;
    for look in 0.. {
        req.choose(|c| html! { "Welcome " (name) " " (look) " " (c.link("Look", ())) }).await?;
    }
    Ok(())
}

#[tokio::test]
async fn line_02_a_login_by_return_changes_the_id_and_its_repeat_is_told_it() {
    let mut ada = Browser::new(signs_in);
    ada.get("/").await;
    let (old, url) =
        (ada.cookie("sid").expect("an id"), format!("/?code=ada&state={}", ada.sent_with("state")));
    ada.from_site(GATEWAY).get(&url).await.shows("Welcome ada 0");
    assert_ne!(ada.cookie("sid").as_ref(), Some(&old));
    // The answer was lost on the way.
    let mut retry = ada.other();
    retry.set_cookie("sid", &old).from_site(GATEWAY).get(&url).await.shows("Welcome ada 0");
    assert_eq!(retry.cookie("sid"), ada.cookie("sid"));
    let mut thief = ada.other();
    thief.set_cookie("sid", &old).get(&url.replace("code=ada", "code=eve")).await.shows_not("Welcome");
    assert_eq!(thief.cookie("sid"), Some(old));
    ada.follow("Look").await.shows("Welcome ada 1");
}

/// Whoever is made to follow somebody else's return is not logged in there, and logs nobody in.
#[tokio::test]
async fn line_02_nobody_is_logged_in_by_the_return_of_somebody_else() {
    for journaled in [false, true] {
        let server = Server::new(signs_in);
        let mut eve = Browser::of(if journaled { server.journal(Memory::new()) } else { server });
        let mut ada = eve.other();
        eve.get("/").await;
        let url = format!("/?code=ada&state={}", eve.sent_with("state"));
        // Her browser has a place of its own here, or none.
        ada.from_site(GATEWAY).get(&url).await.status(500).shows_not("Welcome");
        assert_eq!(ada.cookie("sid"), None);
        ada.get("/").await;
        let own = ada.cookie("sid");
        ada.from_site(GATEWAY).get(&url).await.shows_not("Welcome");
        assert_eq!(ada.cookie("sid"), own);
        eve.get("/").await.shows_not("Welcome");
    }
}

#[tokio::test]
async fn line_07_what_cannot_lead_back_says_why() {
    async fn tries(mut req: Request) -> Result<()> {
        let told = |result: Result<String, Error>| {
            result.map_or_else(|error| error.to_string(), |_| "fine".to_owned())
        };
        let (url, state) = (told(req.return_url()), told(req.return_state()));
        req.print(html! { (url) "; " (state) });
        Ok(())
    }
    let bare = Bare::start(Server::new(tries).mount("/in", Flow::new(tries).map(Map::by_param("who")))).await;
    for host in ["", "a b", "a/b", "a@b", "ä"] {
        let body = bare.ask(get("/", &[("host", host)])).await.body;
        assert!(body.contains("names no host") && body.contains("; fine"), "{host:?}: {body}");
    }
    assert!(bare.ask(get("/", &[("host", "[::1]:80")])).await.body.contains("fine; fine"));
    let body = bare.ask(get("/in", &[("host", "shop.test")])).await.body;
    assert_eq!(body.matches("known by a parameter").count(), 2, "{body}");
}

#[tokio::test]
async fn line_08_leaving_is_said_and_stays_within_the_web() {
    async fn tries(mut req: Request) -> Result<()> {
        let to: String = req.param("to")?;
        if let Err(error) = req.leave_for(&to) {
            req.print(html! { (error) });
        }
        Ok(())
    }
    let mut ada = Browser::new(tries);
    for fine in ["https://pay.test", "http://pay.test:8080/a?b=c#d", "HTTPS://pay.test/%20"] {
        ada.get(&format!("/?{}", pair("to", fine))).await.status(303);
        assert_eq!(ada.sent_to(), fine);
    }
    for wrong in [
        "/done",
        "//pay.test",
        "javascript:alert(1)",
        "ftp://pay.test/",
        "https://",
        "https:///x",
        "https://a@b/",
        "https://a\\b/",
        "https://a/\r\nx: y",
        "https://a b/",
        "",
    ] {
        ada.get(&format!("/?{}", pair("to", wrong))).await.status(200).shows("leave_for").shows("redirect");
    }
    async fn stays(mut req: Request) -> Result<()> {
        let error = req.redirect("https://pay.test/").expect_err("it leads away").to_string();
        req.print(html! { (error) });
        Ok(())
    }
    Browser::new(stays).get("/").await.shows("`leave_for` leads to other sites");
}

#[tokio::test]
async fn line_10_a_page_behind_a_redirect_is_shown_to_who_comes_by_hand() {
    async fn moves(mut req: Request) -> Result<()> {
        req.redirect("/there")?;
        req.choose(|c| html! { "Here we are " (c.link("Go", ())) }).await?;
        req.print("Gone");
        Ok(())
    }
    let mut ada = Browser::new(moves);
    ada.get("/").await.shows("Here we are");
    ada.follow("Go").await.shows("Gone");
}
