//! The kit against real flows: each test drives a session function as its visitors would.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::Browser;
use crate::prelude::*;

#[derive(Serialize, Deserialize)]
enum Op {
    Inc,
    Dec,
}

async fn counter(mut req: Request) -> Result<()> {
    let mut count = 0i64;
    loop {
        let op = req
            .choose(|c| {
                html! { h1 { "Count: " (count) } (c.link("++", Op::Inc)) " " (c.link("--", Op::Dec)) }
            })
            .await?;
        count += match op {
            Op::Inc => 1,
            Op::Dec if count == 0 && !req.confirm("Do you really want to GO NEGATIVE?").await? => 0,
            Op::Dec => -1,
        };
    }
}

async fn addtwo(mut req: Request) -> Result<()> {
    req.print(html! { form { "Enter first number " input name="num"; } });
    let a: i64 = req.next().await?.param("num")?;
    req.print(html! { form { "Enter second number " input name="num"; } });
    let b: i64 = req.next().await?.param("num")?;
    req.print(html! { "The sum of " (a) " and " (b) " is " (a + b) "!" });
    Ok(())
}

/// Says what came with the request, and counts.
async fn mirror(mut req: Request) -> Result<()> {
    for hit in 1.. {
        let said = |name: &str| req.header(name).unwrap_or_default();
        let from = req.peer().map(|peer| peer.ip().to_string()).unwrap_or_default();
        let page = html! {
            p { (hit) ": " (req.method()) " " (req.uri()) " " (String::from_utf8_lossy(&req.body())) }
            p { "site " (said("sec-fetch-site")) " origin " (said("origin")) " host " (said("host")) }
            p { "from " (from) " as " (said("x-who")) " cookies " (said("cookie").split("sid=").next().unwrap_or("")) }
            form { input name="a"; }
        };
        req.print(page).next().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_counter_counts_and_asks() {
    let mut browser = Browser::new(counter);
    browser.get("/").await.shows("Count: 0").status(200);
    assert_eq!(browser.links(), ["++", "--"]);
    browser.follow("--").await.shows("GO NEGATIVE?");
    browser.click("No").await.shows("Count: 0");
    browser.follow("--").await.click("Yes").await.shows("Count: -1").shows_not("GO NEGATIVE");
    browser.follow("++").await.shows("Count: 0");
}

#[tokio::test]
async fn two_numbers_are_added() {
    let mut browser = Browser::new(addtwo);
    browser.get("/").await.fill("num", 3).submit().await.fill("num", 4).submit().await;
    browser.shows("The sum of 3 and 4 is 7!");
    assert!(browser.url().starts_with("/?_t=") && browser.url().ends_with("&num=4"), "{}", browser.url());
    browser.get("/").await.fill("num", "three").submit().await.status(400).shows("`num`");
}

#[tokio::test]
async fn ask_asks_until_it_is_right() {
    #[derive(Deserialize)]
    struct Address {
        street: String,
        zip: String,
    }
    async fn ship(mut req: Request) -> Result<()> {
        let page = |f: &Form<'_, Address>| {
            f.check(|a: &Address| a.zip.len() == 5, "zip", "five digits, please");
            html! { (f.errors()) (f.text("street")) (f.text("zip")) button { "Go on" } }
        };
        let to = req.ask(page).await?;
        req.print(html! { "To " (to.street) ", " (to.zip) });
        Ok(())
    }
    let mut browser = Browser::new(ship);
    browser.get("/").await.has_field("zip").shows("Go on");
    browser.fill("street", "Elm").fill("zip", "123").submit().await.status(422).shows("five digits");
    assert_eq!((browser.value("street"), browser.value("zip")), ("Elm".into(), "123".into()));
    browser.fill("zip", "12345").click("Go on").await.shows("To Elm, 12345");
}

#[tokio::test]
async fn navigations_say_where_they_come_from() {
    let mut browser = Browser::new(mirror);
    browser.get("/x?y=1").await.shows("1: GET /x?y=1").shows("site none origin host localhost");
    browser.fill("a", "ä b").submit().await.shows("2: GET /x?a=%C3%A4+b site same-origin origin host");
    browser.post("z", &[("b", "1")]).await.shows("3: POST /z b=1 site same-origin origin http://localhost");
    browser.from_site("https://elsewhere.test").post("/", &[]).await.status(403);
    browser.from_site("https://elsewhere.test").get("/").await.shows("from another site");
    browser.get("../w").await.shows("GET /w").shows("site none");
}

#[tokio::test]
async fn a_browser_has_headers_an_address_and_cookies() {
    let mut browser = Browser::new(mirror);
    browser.header("x-who", "me").address("192.0.2.7").set_cookie("a", "1");
    browser.get("/").await.shows("from 192.0.2.7 as me cookies a=1");
    browser.address("[2001:db8::1]:80").header("x-who", "you");
    browser.new_tab().get("/").await.shows("from 2001:db8::1 as you cookies a=1; ");
    browser.other().get("/").await.shows("1: GET / ").shows("from 127.0.0.1 as cookies");
    assert!(browser.cookie("sid").is_some());
    browser.clear_cookies().get("/").await.shows("1: GET / ");
}

#[tokio::test]
async fn redirects_are_followed_and_cookies_kept_on_the_way() {
    async fn login(mut req: Request) -> Result<()> {
        req.next().await?;
        let name: String = req.param("name")?;
        req.set_cookie("name", &name)?.redirect("/home?x=1")?;
        req.next().await?;
        let (method, cookie) = (req.method(), req.cookie("name").unwrap_or_default());
        req.print(html! { (method) " " (req.uri()) " as " (cookie) });
        Ok(())
    }
    let mut browser = Browser::new(login);
    browser.get("/").await.post("/login", &[("name", "Ada")]).await.shows("GET /home?x=1 as Ada");
    assert_eq!((browser.url().as_str(), browser.cookie("name").as_deref()), ("/home?x=1", Some("Ada")));

    let request = http::Request::post("/").header("content-type", "application/x-www-form-urlencoded");
    browser.clear_cookies().get("/").await;
    browser.send(request.body(Bytes::from_static(b"name=Bo")).expect("a request")).await.status(303);
    assert_eq!(browser.header_value("location").as_deref(), Some("/home?x=1"));
}

#[tokio::test]
#[should_panic(expected = "more than 10 redirects, the last one to /round")]
async fn a_circle_of_redirects_is_left() {
    async fn round(mut req: Request) -> Result<()> {
        loop {
            req.redirect("/round")?.next().await?;
        }
    }
    Browser::new(round).get("/").await;
}

#[tokio::test]
async fn a_redirect_to_elsewhere_is_the_page() {
    async fn pay(mut req: Request) -> Result<()> {
        req.set_status(303)?.set_header("location", "https://pay.test/")?;
        Ok(())
    }
    Browser::new(pay).get("/").await.status(303);
}

#[tokio::test]
async fn back_shows_what_was_there_and_asks_for_nothing() {
    let mut browser = Browser::new(mirror);
    browser.get("/1").await.fill("a", "typed");
    browser.get("/2").await.shows("2: GET /2");
    browser.back().await.shows("1: GET /1");
    assert_eq!(browser.value("a"), "typed");
    browser.forward().await.shows("2: GET /2");
    browser.back_reloading().await.shows("3: GET /1");
    browser.forward().await.shows("2: GET /2");
    browser.reload().await.shows("4: GET /2");
    browser.get("/2").await.back().await.shows("3: GET /1");
}

#[tokio::test]
async fn a_form_is_sent_again_only_when_the_visitor_says_yes() {
    let mut browser = Browser::new(mirror);
    browser.get("/").await.post("/", &[("a", "1")]).await.shows("2: POST / a=1");
    browser.resubmitting().reload().await.shows("3: POST / a=1");
    browser.back().await.shows("1: GET /");
    browser.forward().await.shows("3: POST / a=1");
    browser.get("/2").await.shows("4: GET /2");
    browser.resubmitting().back_reloading().await.shows("5: POST / a=1");
}

#[tokio::test]
#[should_panic(expected = "browsers ask here: to show POST / they have to send the form again")]
async fn to_reload_what_a_form_made_is_told() {
    let mut browser = Browser::new(mirror);
    browser.get("/").await.post("/", &[("a", "1")]).await.shows("2: POST / a=1");
    browser.reload().await;
}

/// Each page says how it may be kept.
async fn keeping(mut req: Request) -> Result<()> {
    for hit in 1.. {
        if req.path() == "/secret" {
            req.sensitive();
        }
        let form = html! { (hit) form method="post" { input name="a"; } };
        req.print(form).next().await?;
    }
    Ok(())
}

#[tokio::test]
async fn back_asks_again_for_what_is_not_stored_and_shows_the_rest_as_it_was() {
    let mut browser = Browser::new(keeping);
    browser.get("/secret").await.shows("1").fill("a", "typed");
    browser.get("/open").await.shows("2").fill("a", "typed");
    assert_eq!(browser.header_value("cache-control").as_deref(), Some("private, no-cache"));
    browser.get("/secret?2").await.shows("3");
    browser.jump(-1).await.shows("2");
    assert_eq!(browser.value("a"), "typed");
    browser.back().await.shows("4");
    assert_eq!(
        (browser.value("a"), browser.header_value("cache-control")),
        ("".into(), Some("no-store".into()))
    );
    browser.forward().await.shows("2").forward().await.shows("5");
    browser.jump(-2).await.shows("6");
}

#[tokio::test]
#[should_panic(expected = "browsers ask here: to show POST /secret")]
async fn back_to_what_a_form_made_and_nobody_stored_is_told() {
    let mut browser = Browser::new(keeping);
    browser.get("/secret").await.fill("a", "x").submit().await.get("/open").await;
    browser.back().await;
}

#[tokio::test]
#[should_panic(
    expected = "browsers do not send this form: the field `n` holds \"1.5\", and it goes by steps of 1 from 0"
)]
async fn a_form_that_browsers_do_not_send_is_told() {
    async fn form(mut req: Request) -> Result<()> {
        req.print(html! { form { input type="number" name="n"; } }).next().await?;
        Ok(())
    }
    let mut browser = Browser::new(form);
    browser.get("/").await.fill("n", 1.5).unchecked().submit().await.back().await.fill("n", 1.5);
    browser.submit().await;
}

#[tokio::test]
async fn over_plain_http_less_is_said_and_cookies_are_not_secure() {
    async fn form(mut req: Request) -> Result<()> {
        for hit in 1.. {
            let said = |name: &str| req.header(name).unwrap_or("-".to_owned());
            let page = html! {
                (hit) " site " (said("sec-fetch-site")) " origin " (said("origin")) " from " (said("referer"))
                form method="post" { button { "Go" } }
            };
            req.set_header("referrer-policy", "no-referrer")?.print(page).next().await?;
        }
        Ok(())
    }
    let mut browser = Browser::new(form);
    browser.get("/").await.click("Go").await.shows("site same-origin origin null from -");
    let mut browser = browser.other();
    browser.at("http://shop.example").get("/").await.shows("1 site - origin - from -");
    assert!(browser.cookie("sid").is_some());
    let mut browser = browser.other();
    browser.at("https://shop.example").get("/").await.shows("1 site none");
    assert!(browser.cookie("__Host-sid").is_some(), "the server knows that it came over https");
}

#[tokio::test]
async fn an_answer_to_an_old_page_is_not_applied() {
    let mut browser = Browser::new(counter);
    browser.get("/").await.follow("++").await.follow("++").await.shows("Count: 2");
    browser.back().await;
    browser.follow("--").await.shows("Count: 2").shows("older page");
}

#[tokio::test]
async fn a_place_on_the_same_page_is_no_request() {
    async fn page(mut req: Request) -> Result<()> {
        for hit in 1.. {
            req.print(html! { (hit) a href="#end" { "Down" } }).next().await?;
        }
        Ok(())
    }
    Browser::new(page).get("/").await.follow("Down").await.follow("Down").await.shows("1");
}

#[tokio::test]
async fn uploads_arrive() {
    async fn upload(mut req: Request) -> Result<()> {
        req.print(html! {
            form method="post" enctype="multipart/form-data" { input name="title"; input type="file" name="photo"; }
        });
        req.next().await?;
        let (title, photo): (String, String) = (req.param("title")?, req.param("photo")?);
        let file = req.file("photo")?.ok_or("no file came")?;
        req.print(html! { (title) ": " (photo) " " (file.bytes().await? == "bytes") });
        Ok(())
    }
    let mut browser = Browser::new(upload);
    browser.get("/").await.fill("title", "Tom").attach("photo", "cat.png", "bytes");
    browser.submit().await.shows("Tom: cat.png true");
}

#[tokio::test]
async fn two_tabs_go_at_once() {
    let mut first = Browser::new(counter);
    let mut second = first.new_tab();
    first.get("/").await;
    tokio::join!(first.reload(), second.get(&format!("/?{}", 1)));
    second.shows("Count: 0");
    tokio::join!(first.follow("++"), second.follow("++"));
    // One link of one step: applied once.
    first.shows("Count: 1");
    second.shows("Count: 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn visitors_can_be_tasks() {
    let browser = Browser::new(counter);
    let visits = (0..20).map(|_| {
        let mut browser = browser.other();
        tokio::spawn(async move {
            browser.get("/").await;
            for count in 1..10 {
                browser.follow("++").await.shows(&format!("Count: {count}"));
            }
        })
    });
    for visit in visits.collect::<Vec<_>>() {
        visit.await.expect("no visitor saw another's count");
    }
}

#[tokio::test]
async fn a_panic_is_a_500_for_this_visitor_alone() {
    async fn fragile(mut req: Request) -> Result<()> {
        req.print("Fine");
        req.next().await?;
        panic!("as the test wants");
    }
    let mut browser = Browser::new(fragile);
    let mut other = browser.other();
    other.get("/").await.shows("Fine");
    browser.get("/").await.shows("Fine").status(200);
    browser.reload().await.status(500).shows_not("as the test wants");
    browser.reload().await.shows("Fine");
}

#[tokio::test]
async fn a_stream_is_read_as_it_comes() {
    async fn slow(mut req: Request) -> Result<()> {
        let go = req.app::<Arc<tokio::sync::Notify>>();
        req.content_type("text/plain")?.print("one");
        req.flush().await?;
        go.notified().await;
        req.print("two");
        Ok(())
    }
    let go = Arc::new(tokio::sync::Notify::new());
    let mut browser = Browser::of(Server::new(slow).app(go.clone()));
    let mut stream = tokio::spawn(browser.open("/")).await.expect("it borrows nothing");
    assert_eq!(stream.status(), 200);
    assert_eq!(stream.header_value("content-type").as_deref(), Some("text/plain"));
    assert_eq!(stream.next_chunk().await.as_deref(), Some("one"));
    let early = tokio::time::timeout(Duration::from_millis(10), stream.next_chunk()).await;
    assert!(early.is_err(), "{early:?}");
    go.notify_one();
    assert_eq!(stream.rest().await, "two");
}

#[tokio::test(start_paused = true)]
async fn paused_time_passes_at_once() {
    async fn nap(mut req: Request) -> Result<()> {
        tokio::time::sleep(Duration::from_secs(600)).await;
        req.print("Awake");
        Ok(())
    }
    Browser::new(nap).get("/").await.shows("Awake");
    let mut browser = Browser::new(counter);
    browser.get("/").await.follow("++").await;
    browser.wait(Duration::from_secs(29 * 60)).await.get("/").await.shows("Count: 1");
    browser.wait(Duration::from_secs(32 * 60)).await.get("/").await.shows("Count: 0");
}

#[tokio::test]
async fn sessions_live_as_long_as_a_browser_of_their_server() {
    struct Guard(Arc<AtomicUsize>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let ended = Arc::new(AtomicUsize::new(0));
    let count = ended.clone();
    let mut browser = Browser::new(move |mut req: Request| {
        let guard = Guard(count.clone());
        async move {
            let _guard = guard;
            req.next().await.map(drop)
        }
    });
    browser.get("/").await;
    let tab = browser.new_tab();
    drop(browser);
    assert_eq!(ended.load(Ordering::SeqCst), 0);
    drop(tab);
    assert_eq!(ended.load(Ordering::SeqCst), 1);
}

#[test]
#[should_panic(expected = "a Browser needs a tokio runtime")]
fn a_browser_needs_a_runtime() {
    Browser::new(counter);
}

#[tokio::test]
#[should_panic(expected = "the server cannot start: mount \"shop\"")]
async fn a_bad_server_is_told() {
    Browser::of(Server::new(counter).mount("shop", counter));
}
