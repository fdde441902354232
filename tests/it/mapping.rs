//! Line 2: the cookie names the visitor; labels divide; ids are ours, and what we did not issue is none.

use std::time::Duration;

use continuity::prelude::*;
use continuity::test::Browser;
use continuity::{Hit, Identity, Mapper};

use crate::bare::{Bare, get};
use crate::flows::{counter, tally};

#[tokio::test]
async fn line_02_the_cookie_names_the_visitor() {
    let mut ada = Browser::new(tally);
    ada.get("/").await.shows("Hit 1");
    ada.new_tab().get("/anywhere?else=1").await.shows("Hit 2");
    ada.other().get("/").await.shows("Hit 1");
    ada.clear_cookies().get("/").await.shows("Hit 1");
}

#[tokio::test]
async fn line_02_each_flow_has_a_session_of_its_own() {
    let server = Server::new(tally).mount("/shop", counter).mount("/shop/till", tally);
    let mut browser = Browser::of(server);
    browser.get("/").await.shows("Hit 1");
    browser.get("/shop").await.follow("++").await.shows("Count: 1");
    browser.get("/shop/till/x").await.shows("Hit 1");
    browser.get("/shopping").await.shows("Hit 2");
    browser.get("/shop/socks").await.shows("Count: 1");
    browser.get("/shop/till").await.shows("Hit 2");
}

/// Goes to `here`, and looks whether `there` is another session: of the same visitor, kept beside the first.
async fn divides(map: Map, here: &str, there: &str) {
    let mut browser = Browser::new(Flow::new(tally).map(map));
    browser.get(here).await.shows("Hit 1");
    browser.get(there).await.shows("Hit 1");
    browser.get(here).await.shows("Hit 2");
    browser.get(there).await.shows("Hit 2");
    assert!(browser.cookie("sid").is_some());
}

#[tokio::test]
async fn line_02_labels_divide_by_path() {
    divides(Map::by_cookie().path(), "/a", "/b").await;
}

#[tokio::test]
async fn line_02_labels_divide_by_query_parameter() {
    divides(Map::by_cookie().param("room"), "/?room=red&x=1", "/?room=blue&x=1").await;
}

#[tokio::test]
async fn line_02_labels_divide_by_form_parameter() {
    let mut browser = Browser::new(Flow::new(tally).map(Map::by_cookie().param("room")));
    browser.post("/", &[("room", "red")]).await.shows("Hit 1");
    browser.post("/", &[("room", "blue")]).await.shows("Hit 1");
    browser.post("/", &[("room", "red")]).await.shows("Hit 2");
    browser.get("/?room=blue").await.shows("Hit 2");
}

#[tokio::test]
async fn line_02_labels_divide_by_header() {
    let mut browser = Browser::new(Flow::new(tally).map(Map::by_cookie().header("x-tenant")));
    browser.header("x-tenant", "red").get("/").await.shows("Hit 1");
    browser.header("x-tenant", "blue").get("/").await.shows("Hit 1");
    browser.header("x-tenant", "red").get("/").await.shows("Hit 2");
}

#[tokio::test]
async fn line_02_labels_divide_by_address_whatever_the_port() {
    let mut browser = Browser::new(Flow::new(tally).map(Map::by_cookie().address()));
    browser.address("192.0.2.1:1000").get("/").await.shows("Hit 1");
    browser.address("192.0.2.2:1000").get("/").await.shows("Hit 1");
    browser.address("192.0.2.1:2000").get("/").await.shows("Hit 2");
}

#[tokio::test]
async fn line_02_labels_identify_nobody() {
    let map = Map::by_cookie().path().param("room").header("x-tenant").address();
    let mut ada = Browser::new(Flow::new(tally).map(map));
    for visitor in [&mut ada.other(), &mut ada] {
        visitor.header("x-tenant", "red").address("192.0.2.1");
        visitor.get("/a?room=red").await.shows("Hit 1");
    }
}

#[tokio::test]
async fn line_02_links_carry_the_label_on() {
    let mut browser = Browser::new(Flow::new(counter).map(Map::by_cookie().param("room")));
    browser.get("/?room=red+%26+blue").await.follow("++").await.follow("++").await.shows("Count: 2");
    browser.get("/?room=red").await.shows("Count: 0");
    browser.get("/?room=red+%26+blue").await.shows("Count: 2");
}

#[tokio::test]
async fn line_02_a_header_or_an_address_names_the_visitor_where_it_is_told_to() {
    let first = Browser::new(Flow::new(tally).map(Map::by_header("x-machine")));
    for hit in ["Hit 1", "Hit 2"] {
        let mut machine = first.other();
        machine.header("x-machine", "press 7").get("/").await.shows(hit);
        assert_eq!(machine.header_value("set-cookie"), None, "it needs no cookie");
    }
    first.other().header("x-machine", "press 8").get("/").await.shows("Hit 1");

    let first = Browser::new(Flow::new(tally).map(Map::by_address()));
    first.other().address("192.0.2.1").get("/").await.shows("Hit 1");
    first.other().address("192.0.2.1").get("/").await.shows("Hit 2");
    first.other().address("192.0.2.2").get("/").await.shows("Hit 1");
}

#[tokio::test]
async fn line_02_a_parameter_names_the_visitor_where_it_is_told_to() {
    async fn show_id(mut req: Request) -> Result<()> {
        for hit in 1.. {
            req.print(html! { "Hit " (hit) ": " a href={ "?who=" (req.session_id()) } { "on" } });
            req.next().await?;
        }
        Ok(())
    }
    let mut browser = Browser::new(Flow::new(show_id).map(Map::by_param("who")));
    browser.get("/").await.shows("Hit 1");
    browser.follow("on").await.shows("Hit 2");
    assert_eq!(browser.cookie("sid"), None);
    browser.get("/").await.shows("Hit 1");
    browser.get("/?who=made+up").await.shows("Hit 1");
    assert_ne!(browser.href("on"), "?who=made+up");
}

#[tokio::test]
async fn line_02_a_mapper_of_your_own_decides() {
    struct Shops;
    impl Mapper for Shops {
        fn identify<'h>(&self, hit: &'h Hit, identity: &mut Identity<'h>) {
            identity.cookie(hit);
            identity.label("shop", hit.path().split('/').nth(1).unwrap_or_default());
        }
    }
    let mut browser = Browser::new(Flow::new(tally).map_with(Shops));
    browser.get("/socks/red").await.shows("Hit 1");
    browser.get("/hats/red").await.shows("Hit 1");
    browser.get("/socks/blue").await.shows("Hit 2");
}

/// An id of this server, its session running; and one of another server.
async fn two_ids() -> (Browser, String, String) {
    let mut ada = Browser::new(tally);
    ada.get("/").await;
    let mut stranger = Browser::new(tally);
    stranger.get("/").await;
    let id = |browser: &Browser| browser.cookie("sid").expect("a visitor has an id");
    let ids = (id(&ada), id(&stranger));
    (ada, ids.0, ids.1)
}

#[tokio::test]
async fn line_02_an_id_we_did_not_issue_is_none() {
    let (mut ada, id, foreign) = two_ids().await;
    let digit = if id.starts_with('0') { "1" } else { "0" };
    let forged = [
        foreign,
        format!("{digit}{}", &id[1..]),
        format!("\"{id}\""),
        format!("{id}0"),
        id[1..].to_owned(),
        format!(" {id} {id}"),
        "x".repeat(5000),
        String::new(),
        "0".repeat(48),
        "../../etc/passwd".to_owned(),
    ];
    for forged in forged {
        let mut thief = ada.other();
        thief.header("cookie", &format!("sid={forged}")).get("/").await.shows("Hit 1");
        let fresh = thief.cookie("sid").expect("they get an id of their own");
        assert!(fresh != forged && fresh != id, "{forged}");
    }
    ada.get("/").await.shows("Hit 2");
}

#[tokio::test(start_paused = true)]
async fn line_02_an_id_whose_sessions_are_gone_is_none() {
    let mut ada = Browser::of(Server::new(tally).limits(|limits| limits.idle = Duration::from_secs(60)));
    ada.wait(Duration::from_secs(5)).await;
    ada.get("/").await.get("/").await.shows("Hit 2");
    let old = ada.cookie("sid");
    ada.wait(Duration::from_secs(70)).await;
    ada.get("/").await.shows("Hit 1");
    assert_ne!(ada.cookie("sid"), old, "a fresh one is issued");
}

#[tokio::test]
async fn line_02_a_visitor_with_another_session_keeps_their_id() {
    let mut ada = Browser::of(Server::new(tally).mount("/other", tally));
    ada.get("/").await;
    let id = ada.cookie("sid");
    ada.get("/other").await.shows("Hit 1");
    assert_eq!(ada.header_value("set-cookie"), None);
    assert_eq!(ada.cookie("sid"), id);
}

#[tokio::test]
async fn line_02_of_two_cookies_of_the_name_the_valid_one_counts() {
    let (ada, id, foreign) = two_ids().await;
    let pairs = [
        format!("sid={id}; sid={foreign}"),
        format!("sid={foreign}; sid={id}"),
        format!("sid=; sid=\"{id}\"; sid={id}"),
        format!("xsid={foreign}; sid={id}; sidx={foreign}"),
    ];
    for (hit, cookies) in pairs.iter().enumerate() {
        let expected = format!("Hit {}", hit + 2);
        ada.other().header("cookie", cookies).get("/").await.shows(&expected);
    }
}

#[tokio::test]
async fn line_02_each_server_has_its_own_cookie_name() {
    let by_port = Bare::start(Server::new(tally)).await;
    let cookie = by_port.ask(get("/", &[])).await.cookie().expect("a first hit gets a cookie");
    assert!(cookie.starts_with("sid_8123="), "{cookie}");

    let named = Bare::start(Server::new(tally).cookie("shop_sid")).await;
    let cookie = named.ask(get("/", &[])).await.cookie().expect("a first hit gets a cookie");
    assert!(cookie.starts_with("shop_sid="), "{cookie}");
}

#[tokio::test]
async fn line_02_keys_are_long_and_may_be_several() {
    let bind = async |server: Server| server.listen(Http::on(0)).bind().await;
    let short = bind(Server::new(tally).key([1; 32]).key("sesame")).await.expect_err("too short");
    assert!(short.to_string().contains("key 2") && short.to_string().contains("32"), "{short}");
    assert!(!short.to_string().contains("sesame"), "{short}");

    let mut ada = Browser::of(Server::new(tally).key([1; 32]).key([2; 32]));
    ada.get("/").await.get("/").await.shows("Hit 2");
}
