//! Line 6: everything has a limit. Caps refuse new visitors and spare those who are in the middle of something.

use std::time::Duration;

use continuity::prelude::*;
use continuity::test::Browser;

use crate::bare::{Bare, get};
use crate::flows::{Diary, counter, tally, with_diary};

fn limited(limits: impl FnOnce(&mut Limits)) -> Browser {
    Browser::of(Server::new(tally).limits(limits))
}

/// Refused for want of room, and told when to come again.
fn is_turned_away(browser: &mut Browser) {
    browser.status(503).shows_not("Hit");
    assert!(browser.header_value("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    assert_eq!(browser.header_value("set-cookie"), None, "who is not let in gets no id");
}

#[test]
fn line_06_every_limit_has_a_number_and_a_reason() {
    let table = Limits::table();
    assert!(table.len() >= 20);
    for (name, number, reason) in table {
        assert!(
            number.contains(|c: char| c.is_ascii_digit()) || number.contains("MIB") || number.contains("KIB"),
            "{name}: {number}"
        );
        assert!(reason.len() > 5, "{name}: {reason}");
    }
    let limits = Limits::default();
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    assert_eq!((limits.sessions, limits.newborns, limits.newborns_per_address), (1_000_000, 100_000, 1_000));
    assert_eq!((limits.sessions_per_visitor, limits.queue, limits.body), (32, 16, 1 << 20));
    assert_eq!((limits.idle, limits.lifetime, limits.newborn), (minutes(30), minutes(24 * 60), minutes(15)));
    assert_eq!((limits.grace, limits.linger), (Duration::from_secs(5), minutes(10)));
    assert_eq!((limits.token, limits.kept_page), (1024, 64 * 1024));
}

#[tokio::test]
async fn line_02_sessions_of_one_visitor_are_capped() {
    let flow = Flow::new(tally).map(Map::by_cookie().path());
    let mut ada = Browser::of(Server::new(flow).limits(|limits| limits.sessions_per_visitor = 3));
    for path in ["/1", "/2", "/3"] {
        ada.get(path).await.shows("Hit 1");
    }
    is_turned_away(ada.get("/4").await);
    ada.get("/2").await.shows("Hit 2");
    ada.other().get("/4").await.shows("Hit 1");
}

#[tokio::test]
async fn line_02_sessions_overall_are_capped_and_those_inside_go_on() {
    let mut ada = limited(|limits| limits.sessions = 2);
    ada.get("/").await.shows("Hit 1");
    ada.other().get("/").await.shows("Hit 1");
    is_turned_away(ada.other().get("/").await);
    ada.get("/").await.shows("Hit 2");
}

#[tokio::test]
async fn line_02_newborns_of_one_address_are_capped() {
    let first = limited(|limits| limits.newborns_per_address = 2);
    let come = async |address: &str| {
        let mut visitor = first.other();
        visitor.address(address).get("/").await;
        visitor
    };
    let mut ada = come("192.0.2.7").await;
    come("192.0.2.7").await.shows("Hit 1");
    is_turned_away(&mut come("192.0.2.7").await);
    is_turned_away(&mut come("::ffff:192.0.2.7").await);
    come("192.0.2.8").await.shows("Hit 1");
    // Whoever comes a second time is no newborn any more: there is room for one.
    ada.get("/").await.shows("Hit 2");
    come("192.0.2.7").await.shows("Hit 1");
    is_turned_away(&mut come("192.0.2.7").await);
}

#[tokio::test]
async fn line_02_an_ipv6_network_counts_as_one_address_and_loopback_is_exempt() {
    let first = limited(|limits| limits.newborns_per_address = 1);
    let come = async |address: &str| {
        first.other().address(address).get("/").await.header_value("retry-after").is_none()
    };
    assert!(come("2001:db8:1:2::1").await);
    assert!(!come("2001:db8:1:2:ffff::9").await, "the same /64");
    assert!(come("2001:db8:1:3::1").await, "another /64");
    for loopback in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        assert!(come(loopback).await && come(loopback).await, "{loopback}");
    }
}

#[tokio::test(start_paused = true)]
async fn line_02_a_place_is_free_again_when_its_newborn_is_gone() {
    async fn once(mut req: Request) -> Result<()> {
        match &*req.path() {
            "/fail" => Err("broken".into()),
            "/end" => Ok(()),
            _ => Ok(req.next().await.map(drop)?),
        }
    }
    let server = Server::new(once).limits(|limits| limits.newborns_per_address = 1);
    let first = Browser::of(server);
    let come = async |path: &str| {
        let mut visitor = first.other();
        visitor.address("192.0.2.7").get(path).await.header_value("retry-after").is_none()
    };
    for path in ["/fail", "/end", "/fail", "/end", "/stay"] {
        assert!(come(path).await, "{path}");
    }
    assert!(!come("/stay").await);
    tokio::time::sleep(Limits::default().newborn + Duration::from_secs(3)).await;
    assert!(come("/stay").await, "its short life is over");
}

#[tokio::test]
async fn line_06_the_oldest_newborn_is_shed_first_and_the_established_never() {
    let (first, diary) = with_diary(
        async |mut req: Request| {
            let diary = req.app::<Diary>();
            let name: String = req.param("name")?;
            let _gone = Gone(diary, name);
            for hit in 1.. {
                req.print(html! { "Hit " (hit) });
                req.next().await?;
            }
            Ok::<_, BoxError>(())
        },
        |limits| limits.newborns = 4,
    );
    let mut established = first.other();
    established.get("/?name=ada").await.get("/?name=ada").await.shows("Hit 2");
    let mut crowd = Vec::new();
    for name in 0..20 {
        let mut visitor = first.other();
        visitor.get(&format!("/?name={name}")).await.shows("Hit 1");
        crowd.push(visitor);
        let shed: Vec<_> = (0..(name - 3_i32).max(0)).map(|name| name.to_string()).collect();
        assert_eq!(diary.lines(), shed, "oldest first, and no more than has to go");
    }
    established.get("/").await.shows("Hit 3");
    crowd[19].get("/").await.shows("Hit 2");
    crowd[0].get("/?name=again").await.shows("Hit 1");
}

struct Gone(std::sync::Arc<Diary>, String);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.note(&self.1);
    }
}

#[tokio::test]
async fn line_06_a_hit_with_too_many_parameters_is_refused() {
    let mut browser = limited(|limits| limits.params = 5);
    let query = |count: usize| format!("/?{}", vec!["a=1"; count].join("&"));
    browser.get(&query(5)).await.shows("Hit 1");
    browser.get(&query(6)).await.status(400).shows("too many fields");
    browser.post(&query(3), &[("a", "1"), ("b", "2"), ("c", "3")]).await.status(400);
    browser.get("/").await.shows("Hit 2");
}

#[tokio::test]
async fn line_06_a_multipart_form_with_too_many_fields_is_refused() {
    async fn form(mut req: Request) -> Result<()> {
        loop {
            let names: Vec<String> = req.param("a")?;
            req.print(html! { "Got " (names.len()) form method="post" enctype="multipart/form-data" {
                @for _ in 0..names.len() + 2 { input name="a" value="x"; }
                button { "Send" }
            } });
            req.next().await?;
        }
    }
    let mut browser = Browser::of(Server::new(form).limits(|limits| limits.params = 5));
    browser.get("/").await.click("Send").await.shows("Got 2");
    browser.click("Send").await.shows("Got 4");
    browser.click("Send").await.status(400);
}

#[tokio::test]
async fn line_06_a_page_that_grows_without_end_is_an_error_that_asks_for_flush() {
    async fn long(mut req: Request) -> Result<()> {
        let flush = req.path() == "/flush";
        for _ in 0..100 {
            req.print("x".repeat(100));
            if flush {
                req.flush().await?;
            }
        }
        req.next().await?;
        Ok(())
    }
    let log = crate::log::Log::listen();
    let mut browser = Browser::of(Server::new(long).limits(|limits| limits.page = 2_000));
    browser.get("/").await.status(500).shows_not("xxx");
    assert!(log.errors()[0].says("error").contains("flush"), "{:?}", log.errors());
    let mut page = browser.other().open("/flush").await;
    assert!(page.rest().await.matches('x').count() >= 10_000);
}

#[tokio::test]
async fn line_06_ended_sessions_that_linger_are_capped() {
    async fn ends(mut req: Request) -> Result<()> {
        req.choose(|c| html! { (c.link("End", ())) }).await?;
        req.print("The end");
        Ok(())
    }
    let first = Browser::of(Server::new(ends).limits(|limits| limits.lingering = 3));
    let mut visitors: Vec<_> = (0..5).map(|_| first.other()).collect();
    for visitor in &mut visitors {
        visitor.get("/").await.follow("End").await.shows("The end");
    }
    let mut repeated = 0;
    for visitor in &mut visitors {
        repeated += usize::from(visitor.reload().await.text() == "The end");
    }
    assert_eq!(repeated, 3);
}

#[tokio::test]
async fn line_06_a_sessions_end_gives_its_place_back() {
    let bare =
        Bare::start(Server::new(async |_: Request| Ok::<_, BoxError>(())).mount("/stay", counter)).await;
    for _ in 0..50 {
        assert_eq!(bare.ask(get("/", &[])).await.status, 200);
    }
    assert_eq!(bare.engine.sessions(), 0);
    bare.ask(get("/stay", &[])).await;
    assert_eq!(bare.engine.sessions(), 1);
}
