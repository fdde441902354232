//! Behind a proxy: what it says of a client is believed if it is trusted, and of others nothing is.

use std::collections::HashSet;

use continuity::prelude::*;
use proptest::prelude::*;

use crate::bare::{Bare, Seen, get, request};
use crate::flows::tally;
use crate::log::Log;

const PROXY: &str = "10.0.0.1:999";
const STRANGER: &str = "192.0.2.9:999";

/// Says who the visitor seems to be.
async fn who(mut req: Request) -> Result<()> {
    loop {
        let peer = req.peer().map(|peer| peer.to_string()).unwrap_or_default();
        req.print(html! { "peer=" (peer) " https=" (req.is_https()) }).next().await?;
    }
}

fn behind(server: Server) -> Server {
    server.cookie("sid").trust_proxies(["10.0.0.0/8", "::1"])
}

fn says(seen: &Seen, peer: &str, https: bool) {
    assert!(seen.body.contains(&format!("peer={peer} https={https}")), "{peer} {https}: {}", seen.body);
}

#[tokio::test]
async fn r38_a_trusted_proxy_says_who_the_client_is() {
    let bare = Bare::start(behind(Server::new(who))).await;
    for (field, peer, https) in [
        (("forwarded", "for=\"[2001:db8::7]:81\";proto=https"), "[2001:db8::7]:81", true),
        (("forwarded", "for=198.51.100.1, for=198.51.100.2, for=10.1.1.1"), "198.51.100.2:0", false),
        (("x-forwarded-for", "198.51.100.1, 198.51.100.2"), "198.51.100.2:0", false),
        (("x-forwarded-for", "unknown"), PROXY, false),
        (("x-forwarded-proto", "https"), PROXY, true),
        (("x-real-ip", "198.51.100.1"), PROXY, false),
    ] {
        says(&bare.ask_from(PROXY, get("/", &[field])).await, peer, https);
    }
}

#[tokio::test]
async fn r38_what_strangers_say_of_themselves_is_shown_and_changes_nothing() {
    async fn shows(mut req: Request) -> Result<()> {
        let said = req.header("x-forwarded-for").unwrap_or_default();
        let peer = req.peer().map(|peer| peer.to_string()).unwrap_or_default();
        req.print(html! { "peer=" (peer) " https=" (req.is_https()) " said=" (said) });
        Ok(())
    }
    for server in [Server::new(shows).cookie("sid"), behind(Server::new(shows))] {
        let bare = Bare::start(server).await;
        let fields = [("x-forwarded-for", "10.0.0.1"), ("forwarded", "for=10.0.0.1;proto=https")];
        let seen = bare.ask_from(STRANGER, get("/", &fields)).await;
        says(&seen, STRANGER, false);
        assert!(seen.body.contains("said=10.0.0.1"), "{}", seen.body);
        assert!(seen.cookie().is_some_and(|cookie| cookie.starts_with("sid=")));
    }
}

#[tokio::test]
async fn r38_caps_count_the_client_and_spare_the_proxy() {
    let server = behind(Server::new(tally)).limits(|limits| limits.newborns_per_address = 2);
    let bare = Bare::start(server).await;
    let come = async |peer: &str, client: &str| {
        let fields: &[_] = if client.is_empty() { &[] } else { &[("x-forwarded-for", client)] };
        bare.ask_from(peer, get("/", fields)).await.status
    };
    for status in [200, 200, 503] {
        assert_eq!(come(PROXY, "198.51.100.1").await, status);
    }
    assert_eq!(come("10.0.0.2:1", "8.8.8.8, 198.51.100.1").await, 503, "through another proxy too");
    assert_eq!(come("198.51.100.1:1", "").await, 503, "and without one");
    assert_eq!(come(PROXY, "198.51.100.2").await, 200);
    for _ in 0..5 {
        assert_eq!(come(PROXY, "").await, 200, "a proxy that names nobody speaks for many");
    }
    for (number, status) in [200, 200, 503].into_iter().enumerate() {
        assert_eq!(come(STRANGER, &format!("203.0.113.{number}")).await, status, "a stranger is one");
    }
}

#[tokio::test]
async fn r38_maps_by_address_follow_the_client() {
    let bare = Bare::start(behind(Server::new(Flow::new(tally).map(Map::by_address())))).await;
    let hits = async |client: &str| bare.ask_from(PROXY, get("/", &[("x-forwarded-for", client)])).await.body;
    assert!(hits("198.51.100.1").await.contains("Hit 1"));
    assert!(hits("198.51.100.2").await.contains("Hit 1"));
    assert!(hits("198.51.100.1").await.contains("Hit 2"));
}

#[tokio::test]
async fn r38_the_forwarded_host_is_the_one_that_pages_come_from() {
    let bare = Bare::start(behind(Server::new(tally))).await;
    let post = async |peer: &str, fields: &[(&str, &str)]| {
        let fields = [&[("host", "inside:8080"), ("origin", "https://shop.test")], fields].concat();
        bare.ask_from(peer, request("POST", "/", &fields, "a=1")).await.status
    };
    assert_eq!(post(PROXY, &[]).await, 403);
    assert_eq!(post(PROXY, &[("x-forwarded-host", "shop.test")]).await, 200);
    assert_eq!(post(PROXY, &[("forwarded", "host=shop.test")]).await, 200);
    assert_eq!(post(PROXY, &[("x-forwarded-host", "other.test")]).await, 403);
    assert_eq!(post(STRANGER, &[("x-forwarded-host", "shop.test")]).await, 403);
}

#[tokio::test]
async fn r38_over_https_a_page_of_plain_http_is_another_site() {
    let bare = Bare::start(behind(Server::new(tally))).await;
    for (scheme, origin, status) in [
        ("https", "https://shop.test", 200),
        ("https", "http://shop.test", 403),
        ("http", "http://shop.test", 200),
        // Who does not trust the proxy that does TLS does not know better.
        ("", "https://shop.test", 200),
    ] {
        let fields = [("host", "shop.test"), ("origin", origin), ("x-forwarded-proto", scheme)];
        let seen = bare.ask_from(PROXY, request("POST", "/", &fields, "a=1")).await;
        assert_eq!(seen.status, status, "{origin} over {scheme:?}");
    }
}

#[tokio::test]
async fn r38_two_headers_that_disagree_are_refused_and_warned_of_once() {
    let log = Log::listen();
    let bare = Bare::start(behind(Server::new(who))).await;
    let agree = [("forwarded", "for=198.51.100.1"), ("x-forwarded-for", "198.51.100.1")];
    bare.ask_from(PROXY, get("/", &agree)).await;
    let warnings = || log.entries().iter().filter(|entry| entry.says("message").contains("disagree")).count();
    assert_eq!(warnings(), 0);
    let disagree = [("forwarded", "for=198.51.100.1"), ("x-forwarded-for", "198.51.100.2")];
    for _ in 0..3 {
        assert_eq!(bare.ask_from(PROXY, get("/", &disagree)).await.status, 400);
    }
    let form = [disagree[0], disagree[1], ("content-type", "multipart/form-data; boundary=x")];
    assert_eq!(bare.ask_from(PROXY, request("POST", "/", &form, "--x--\r\n")).await.status, 400);
    assert_eq!(warnings(), 1);
    assert!(!log.text().contains("198.51.100"), "no header is in the log");
}

#[tokio::test]
async fn r38_a_proxy_that_is_no_address_is_an_error_at_the_start() {
    for bad in ["proxy.internal", "10.0.0.0/33", "10.0.0.1/8", "", "127.0.0.1:8080"] {
        let server = Server::new(tally).trust_proxies([bad]).listen(Http::on(0));
        let error = server.bind().await.expect_err("an error").to_string();
        assert!(error.contains("trust_proxies") && error.contains(&format!("{bad:?}")), "{error}");
    }
}

#[tokio::test]
async fn r04_over_https_the_cookie_belongs_to_this_host_and_to_https() {
    async fn sets(mut req: Request) -> Result<()> {
        req.set_cookie("mine", "1")?.print("Hello");
        Ok(())
    }
    let https = [("x-forwarded-proto", "https")];
    let bare = Bare::start(behind(Server::new(tally)).mount("/sets", sets)).await;
    let first = bare.ask_from(PROXY, get("/", &https)).await;
    let [cookie] = first.cookies()[..] else { panic!("one cookie: {:?}", first.cookies()) };
    let mut parts = cookie.split("; ");
    assert!(parts.next().is_some_and(|pair| pair.starts_with("__Host-sid=")), "{cookie}");
    let attributes: HashSet<_> = parts.collect();
    assert_eq!(attributes, HashSet::from(["Path=/", "HttpOnly", "SameSite=Lax", "Secure"]));
    let own = bare.ask_from(PROXY, get("/sets", &https)).await;
    let mine = own.cookies().into_iter().find(|cookie| cookie.starts_with("mine=")).expect("it is set");
    assert!(mine.contains("; Secure"), "{mine}");
    let plain = bare.ask_from(PROXY, get("/sets", &[("x-forwarded-proto", "http")])).await;
    assert!(plain.cookies().iter().all(|cookie| !cookie.contains("Secure")), "{:?}", plain.cookies());
}

#[tokio::test]
async fn r04_a_cookie_of_plain_http_opens_nothing_over_https_nor_the_other_way() {
    let bare = Bare::start(behind(Server::new(tally))).await;
    let hit = async |scheme: &str, cookie: &str| {
        let fields = [("x-forwarded-proto", scheme), ("cookie", cookie)];
        bare.ask_from(PROXY, get("/", &fields)).await
    };
    let secure = hit("https", "").await.cookie().expect("an id");
    assert!(hit("https", &secure).await.body.contains("Hit 2"));
    let bare_name = secure.strip_prefix("__Host-").expect("the prefix").to_owned();
    let tossed = hit("https", &bare_name).await;
    assert!(tossed.body.contains("Hit 1") && tossed.cookie().is_some(), "the plain name is not looked at");
    assert!(hit("http", &secure).await.body.contains("Hit 1"), "the prefix counts over https only");
    // One who can write on an open line sets a cookie of theirs beside the visitor's.
    let evil = hit("http", "").await.cookie().expect("an id");
    for both in [format!("{evil}; {secure}"), format!("{secure}; {evil}")] {
        assert!(!hit("https", &both).await.body.contains("Hit 1"), "it is not even a candidate");
    }
    let dead = format!("__Host-sid={}; {evil}", "0".repeat(48));
    let answer = hit("https", &dead).await;
    assert!(answer.body.contains("Hit 1") && answer.cookie().is_some_and(|id| id.starts_with("__Host-sid=")));
}

#[tokio::test]
async fn r04_a_program_cannot_take_the_sessions_name_with_or_without_its_prefix() {
    async fn tries(mut req: Request) -> Result<()> {
        for name in ["sid", "__Host-sid", "__host-sid", "__HOST-sid"] {
            assert!(req.set_cookie(name, "1").is_err(), "{name}");
        }
        for name in ["Host-sid", "sid2", "__Secure-sid"] {
            assert!(req.set_cookie(name, "1").is_ok(), "{name}");
        }
        req.print("Tried");
        Ok(())
    }
    let bare = Bare::start(Server::new(tries).cookie("sid")).await;
    assert!(bare.ask(get("/", &[])).await.body.contains("Tried"));
    for name in ["__Host-sid", "__secure-sid", "", "a b"] {
        let bound = Server::new(tally).cookie(name).listen(Http::on(0)).bind().await;
        let error = bound.expect_err("an error").to_string();
        assert!(error.contains(&format!("cookie {name:?}")), "{error}");
    }
}

#[tokio::test]
async fn r06_a_rotated_id_is_told_under_the_name_of_its_scheme() {
    async fn login(mut req: Request) -> Result<()> {
        loop {
            req.print("Page").next().await?;
            req.rotate_id()?;
        }
    }
    let bare = Bare::start(behind(Server::new(login))).await;
    let https = ("x-forwarded-proto", "https");
    let first = bare.ask_from(PROXY, get("/", &[https])).await.cookie().expect("an id");
    let second = bare.ask_from(PROXY, get("/", &[https, ("cookie", &first)])).await;
    let [cookie] = second.cookies()[..] else { panic!("one cookie: {:?}", second.cookies()) };
    assert!(cookie.starts_with("__Host-sid=") && cookie.ends_with("; Secure") && !cookie.contains(&first));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn r38_an_untrusted_peers_headers_never_change_the_address(
        fields in proptest::collection::vec((0..6usize, "[!-~]{1,30}|(for=|proto=https|;|,|10\\.0\\.0\\.1){1,8}"), 0..5),
    ) {
        let names =
            ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "proxy", "x-real-ip"];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (names[*name], &**value)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let bare = Bare::start(behind(Server::new(who))).await;
            let seen = bare.ask_from(STRANGER, get("/", &fields)).await;
            says(&seen, STRANGER, false);
            assert!(seen.cookie().is_some_and(|cookie| cookie.starts_with("sid=")));
        });
    }
}
