//! Over plain http, and on a name that is not this machine's: browsers send no `Sec-Fetch-Site` there, so that `Origin` and
//! `Referer` have to tell a page of ours from one of another site.

use continuity::prelude::*;

use crate::bare::{Bare, Seen, get, request};
use crate::flows::tally;

const HOST: (&str, &str) = ("host", "shop.test:8080");
const OWN_PAGE: (&str, &str) = ("referer", "http://shop.test:8080/somewhere?x=1");
const FOREIGN_PAGE: (&str, &str) = ("referer", "http://evil.test/");
const HIDDEN: (&str, &str) = ("origin", "null");
const FIREFOX: (&str, &str) =
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A visitor's browser.
struct Visitor<'b> {
    bare: &'b Bare,
    cookie: String,
}

impl<'b> Visitor<'b> {
    /// Comes for the first time.
    async fn of(bare: &'b Bare) -> (Visitor<'b>, Seen) {
        let first = bare.ask(get("/", &[HOST, FIREFOX])).await;
        (Visitor { bare, cookie: first.cookie().unwrap_or_default() }, first)
    }

    async fn get(&self, url: &str, said: &[(&str, &str)]) -> Seen {
        self.ask("GET", url, said, "").await
    }

    async fn post(&self, url: &str, said: &[(&str, &str)], body: &str) -> Seen {
        self.ask("POST", url, &[&[FORM], said].concat(), body).await
    }

    async fn ask(&self, method: &str, url: &str, said: &[(&str, &str)], body: &str) -> Seen {
        let fields = [&[HOST, FIREFOX, ("cookie", &*self.cookie)], said].concat();
        self.bare.ask(request(method, url, &fields, body)).await
    }
}

/// The value of the page's first attribute of this kind.
fn attribute(page: &Seen, name: &str) -> String {
    let start = format!("{name}=\"");
    let (_, rest) = page.body.split_once(&start).unwrap_or_else(|| panic!("no {name}: {}", page.body));
    rest.split('"').next().expect("it ends").replace("&amp;", "&")
}

/// The token that the page's form carries.
fn token(page: &Seen) -> String {
    let (_, rest) = page.body.split_once("name=\"_t\" value=\"").unwrap_or_else(|| panic!("{}", page.body));
    rest.split('"').next().expect("it ends").to_owned()
}

#[derive(Deserialize)]
struct Amount {
    amount: u32,
}

async fn transfers(mut req: Request) -> Result<()> {
    let mut sum = 0;
    loop {
        let Amount { amount } =
            req.ask(|f| html! { "Sum " (sum) (f.number("amount")) button { "Send" } }).await?;
        sum += amount;
    }
}

#[tokio::test]
async fn a_form_whose_page_hides_its_origin_is_known_by_its_token() {
    let bare = Bare::start(Server::new(transfers)).await;
    let (ada, first) = Visitor::of(&bare).await;
    let sent = ada.post("/", &[HIDDEN], &format!("_t={}&amount=5", token(&first))).await;
    assert!(sent.status == 200 && sent.body.contains("Sum 5"), "{}", sent.body);
    // The token may stand in the URL as well.
    let again = ada.post(&format!("/?_t={}", token(&sent)), &[HIDDEN], "amount=2").await;
    assert!(again.body.contains("Sum 7"), "{}", again.body);
}

#[tokio::test]
async fn a_form_with_a_hidden_origin_and_no_token_of_this_session_is_refused() {
    let bare = Bare::start(Server::new(transfers)).await;
    let (ada, first) = Visitor::of(&bare).await;
    let (_eve, eves) = Visitor::of(&bare).await;
    let mut forged = token(&first);
    forged.replace_range(0..1, if forged.starts_with('0') { "1" } else { "0" });
    for token in ["", "1700000000", "here", "anew", &*token(&eves), &*forged] {
        let sent = ada.post("/", &[HIDDEN], &format!("_t={token}&amount=5")).await;
        assert_eq!(sent.status, 403, "{token}: {}", sent.body);
        assert!(sent.body.contains("another site"), "{}", sent.body);
    }
    assert_eq!(ada.post("/", &[HIDDEN], "amount=5").await.status, 403);
    // Where the origin is told, or the browser says that it is another site, a token proves nothing.
    let stolen = format!("_t={}&amount=5", token(&first));
    for said in [&[("origin", "http://evil.test")][..], &[HIDDEN, ("sec-fetch-site", "cross-site")]] {
        assert_eq!(ada.post("/", said, &stolen).await.status, 403, "{said:?}");
    }
    let shown = ada.get("/", &[OWN_PAGE]).await;
    assert!(shown.body.contains("Sum 0"), "{}", shown.body);
}

#[tokio::test]
async fn a_form_with_a_hidden_origin_starts_no_session() {
    let bare = Bare::start(Server::new(tally)).await;
    let (ada, _) = Visitor::of(&bare).await;
    let stranger = Visitor { bare: &bare, cookie: String::new() };
    assert_eq!(stranger.post("/", &[HIDDEN], "a=1").await.status, 403);
    // The token of a form that a session of another label has printed counts as none.
    let of_another = format!("00000000{}{}{}", "00000080", "1a12345678", "0".repeat(16));
    let sent = stranger.post("/", &[HIDDEN], &format!("_t={of_another}")).await;
    assert!(sent.status == 403 && sent.cookies().is_empty(), "{}", sent.body);
    assert_eq!(bare.engine.sessions(), 1);
    assert!(ada.get("/", &[OWN_PAGE]).await.body.contains("Hit 2"));
}

#[cfg(feature = "multipart")]
#[tokio::test]
async fn a_form_with_files_and_a_hidden_origin_is_known_by_its_token() {
    let bare = Bare::start(Server::new(transfers)).await;
    let (ada, first) = Visitor::of(&bare).await;
    let kind = ("content-type", "multipart/form-data; boundary=b");
    let form = |token: &str| {
        let part = |name: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        [part("_t", token), part("amount", "5"), "--b--\r\n".into()].concat()
    };
    for wrong in ["", "here"] {
        assert_eq!(ada.ask("POST", "/", &[kind, HIDDEN], &form(wrong)).await.status, 403);
    }
    let foreign = [kind, ("origin", "http://evil.test")];
    assert_eq!(ada.ask("POST", "/", &foreign, &form(&token(&first))).await.status, 403);
    let sent = ada.ask("POST", "/", &[kind, HIDDEN], &form(&token(&first))).await;
    assert!(sent.body.contains("Sum 5"), "{}", sent.body);
}

#[tokio::test]
async fn a_printed_form_whose_page_hides_its_origin_is_known_by_its_token() {
    async fn prints(mut req: Request) -> Result<()> {
        for hit in 1.. {
            let name: Option<String> = req.param("name")?;
            req.print(html! { "Hit " (hit) " " (name.unwrap_or_default()) form method="post" { input name="name"; } });
            req.next().await?;
        }
        Ok(())
    }
    let bare = Bare::start(Server::new(prints)).await;
    let (ada, first) = Visitor::of(&bare).await;
    assert_eq!(ada.post("/", &[HIDDEN], "name=Eve").await.status, 403);
    let sent = ada.post("/", &[HIDDEN], &format!("_t={}&name=Ada", token(&first))).await;
    assert!(sent.body.contains("Hit 2 Ada"), "{}", sent.body);
}

#[tokio::test]
async fn pages_whose_url_is_nobodys_business_let_browsers_say_whose_their_forms_are() {
    async fn pays(mut req: Request) -> Result<()> {
        let back = req.return_url()?;
        req.returned(html! { a href=(back) { "Back" } }).await?;
        transfers(req).await
    }
    let by_param = Flow::new(transfers).map(Map::by_param("who"));
    let bare = Bare::start(Server::new(pays).mount("/who", by_param)).await;
    let (ada, first) = Visitor::of(&bare).await;
    let back = attribute(&first, "href").replace("http://shop.test:8080", "");
    let returned = ada.get(&back, &[("referer", "https://pay.test/")]).await;
    assert!(returned.body.contains("Sum 0"), "{}", returned.body);
    let named = ada.get("/who", &[]).await;
    let refused = ada.post("/", &[("origin", "http://evil.test")], "").await;
    for page in [&returned, &named, &refused] {
        assert_eq!(page.header("referrer-policy"), "same-origin", "{}", page.body);
    }
}

#[tokio::test]
async fn a_link_on_another_site_answers_no_next() {
    let bare = Bare::start(Server::new(tally)).await;
    let (ada, _) = Visitor::of(&bare).await;
    for page in [
        "http://evil.test/",
        "http://shop.test/",
        "http://shop.test:80800/",
        "http://shop.test:8080.evil.test/",
    ] {
        let led = ada.get("/?pay=all", &[("referer", page)]).await;
        assert!(!led.body.contains("Hit") && led.body.contains("another site"), "{page}: {}", led.body);
        assert_eq!(attribute(&led, "href"), "/", "{page}");
    }
    // The page that says so is ours, and so is its link.
    assert!(ada.get("/", &[OWN_PAGE]).await.body.contains("Hit 2"));
}

#[tokio::test]
async fn a_link_that_hides_where_it_stands_answers_no_next_and_the_visitor_goes_on() {
    let bare = Bare::start(Server::new(tally)).await;
    let (ada, _) = Visitor::of(&bare).await;
    let led = ada.get("/shop?pay=all", &[]).await;
    assert!(led.status == 200 && !led.body.contains("Hit"), "{}", led.body);
    let on = attribute(&led, "href");
    assert!(on.starts_with("/shop?_t=") && !on.contains("pay"), "{on}");
    // Whatever the browser says of it.
    assert!(ada.get(&on, &[]).await.body.contains("Hit 2"));
    assert!(ada.get(&on, &[]).await.body.contains("Hit 2"), "to reload it is to see the page again");
    // Nobody else can make such a link.
    for made_up in ["/?_t=here", &on.replace("_t=", "_t=00"), "/?_t=1"] {
        assert!(!ada.get(made_up, &[]).await.body.contains("Hit 3"), "{made_up}");
    }
    assert!(ada.get("/", &[OWN_PAGE]).await.body.contains("Hit 3"));
}

#[tokio::test]
async fn links_of_choose_need_no_referer_and_a_foreign_page_uses_none() {
    let bare = Bare::start(Server::new(crate::flows::counter)).await;
    let (ada, first) = Visitor::of(&bare).await;
    let plus = attribute(&first, "href");
    assert!(ada.get(&format!("/{plus}"), &[FOREIGN_PAGE]).await.body.contains("Count: 0"));
    assert!(ada.get(&format!("/{plus}"), &[]).await.body.contains("Count: 1"));
    assert!(ada.get("/", &[]).await.body.contains("Count: 1"), "an address that was typed shows the page");
}

#[tokio::test]
async fn clients_that_are_no_browsers_need_to_say_nothing() {
    let bare = Bare::start(Server::new(tally)).await;
    let cookie = bare.ask(get("/", &[HOST])).await.cookie().expect("an id");
    for (hit, agent) in [(2, ""), (3, "curl/8.5.0"), (4, "Lynx/2.9.0")] {
        let fields = [HOST, ("cookie", &cookie), ("user-agent", agent)];
        assert!(bare.ask(get("/", &fields)).await.body.contains(&format!("Hit {hit}")), "{agent}");
    }
}
