//! Over plain http on a name that is not this machine's, where browsers do not say `Sec-Fetch-Site`: forms of ours work,
//! and what another site leads to answers nothing.

use std::sync::Arc;

use continuity::prelude::*;

use crate::chrome::Chrome;
#[cfg(feature = "sqlite")]
use crate::firefox::Firefox;
use crate::folder::Folder;
use crate::running::Running;
use crate::web::Web;

#[derive(Deserialize)]
struct Named {
    name: String,
}

async fn asks(mut req: Request) -> Result<()> {
    let Named { name } = req.ask(|f| html! { (f.text("name")) button { "Send" } }).await?;
    let said = req.header("sec-fetch-site").unwrap_or("nothing".into());
    let origin = req.header("origin").unwrap_or_default();
    req.print(html! { "Hello, " (name) ". The browser says " (said) " and " (origin) });
    Ok(())
}

/// The same on a page that forbids browsers to tell where its forms come from.
async fn hides(mut req: Request) -> Result<()> {
    req.set_header("referrer-policy", "no-referrer")?;
    asks(req).await
}

/// The same after a return, whose URL is told to nobody.
async fn returns(mut req: Request) -> Result<()> {
    let back = req.return_url()?;
    req.returned(html! { a href=(back) { "Back" } }).await?;
    asks(req).await
}

async fn tally(mut req: Request) -> Result<()> {
    for hit in 1.. {
        req.print(html! { "Hit " (hit) " " a href="?mine=1" { "Again" } }).next().await?;
    }
    Ok(())
}

fn shop() -> Server {
    let by_param = Flow::new(asks).map(Map::by_param("who"));
    Server::new(tally).mount("/asks", by_param).mount("/hides", hides).mount("/returns", returns)
}

/// A page of another site, with ways to the shop.
async fn elsewhere(mut req: Request) -> Result<()> {
    let shop: String = req.param("shop")?;
    req.print(html! {
        a href={ (shop) "?pay=all" } { "Told" } " "
        a rel="noreferrer" href={ (shop) "?pay=all" } { "Hidden" } " "
        form method="post" action=(shop) { input name="pay" value="all"; button { "Post" } }
    });
    Ok(())
}

/// What visitors of the shop meet, in any browser.
async fn visits(browser: &impl Web, shop: &str, other: &str) {
    for page in ["asks", "hides", "returns"] {
        browser.open(&format!("{shop}{page}")).await;
        if page == "returns" {
            browser.follow("Back").await;
        }
        browser.fill("name", "Ada").await.press("Send").await.shows("Hello, Ada").await;
        browser.shows("The browser says nothing and").await;
    }
    browser.open(&format!("{shop}hits")).await.shows("Hit 1").await;
    browser.follow("Again").await.shows("Hit 2").await;
    for (link, hit) in [("Told", "Hit 3"), ("Hidden", "Hit 4")] {
        browser.open(&format!("{other}?shop={shop}")).await.follow(link).await.shows("another site").await;
        browser.follow("Go on").await.shows(hit).await;
    }
    browser.open(&format!("{other}?shop={shop}")).await.press("Post").await.shows("another site").await;
    browser.open(shop).await.shows("another site").await;
    browser.follow("Go on").await.shows("Hit 5").await;
}

/// The shop and the other site, with their addresses by name.
async fn start() -> [(Running, String); 2] {
    let named = |server: &Running, name: &str| {
        let (_, port) = server.address.rsplit_once(':').expect("a port");
        format!("http://{name}:{port}/")
    };
    let shop = Running::start(shop()).await;
    let other = Running::start(Server::new(elsewhere)).await;
    let (here, there) = (named(&shop, "shop.test"), named(&other, "evil.test"));
    [(shop, here), (other, there)]
}

#[tokio::test]
async fn in_chromium_forms_work_over_plain_http_and_other_sites_answer_nothing() {
    let [(_shop, shop), (_other, other)] = start().await;
    let names = ["--host-resolver-rules=MAP *.test 127.0.0.1", "--disable-features=HttpsUpgrades"];
    let chrome = Chrome::with(&Arc::new(Folder::new("chrome")), &names).await;
    visits(&chrome, &shop, &other).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn in_firefox_forms_work_over_plain_http_and_other_sites_answer_nothing() {
    let [(_shop, shop), (_other, other)] = start().await;
    let names = "user_pref(\"network.dns.localDomains\", \"shop.test,evil.test\");\n";
    let firefox = Firefox::with(&Arc::new(Folder::new("firefox")), names).await;
    visits(&firefox, &shop, &other).await;
}
