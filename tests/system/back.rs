//! Back, tabs, reload and double clicks in real browsers, on a gallery with a journal that is killed in between.

use std::sync::Arc;

use continuity::journal::Memory;
use continuity::prelude::*;

use crate::chrome::Chrome;
use crate::firefox::Firefox;
use crate::folder::Folder;
use crate::killed::Gallery;
use crate::running::Running;
use crate::web::Web;

const OLDER: &str = "That came from an older page";
const DONE: &str = "going back does not change it";

/// What switches the cache of whole pages off.
pub const WITHOUT_CACHE: &str = "--disable-features=BackForwardCache";
pub const NOTHING_CACHED: &str = "user_pref(\"fission.bfcacheInParent\", false);
user_pref(\"browser.sessionhistory.max_total_viewers\", 0);\n";

/// Goes to an example as one who has been to another before: the page is no newcomer's.
async fn begin<'w, W: Web>(web: &'w W, gallery: &Gallery, example: &str) -> &'w W {
    web.open(&gallery.url("/hello/")).await.shows("Hello").await;
    web.open(&gallery.url(&format!("/{example}/"))).await
}

/// Back, and another way on: from the page that is shown, however the browser came by it. Whether it had kept it whole.
async fn back_means_back(web: &impl Web) -> bool {
    let mut gallery = Gallery::start();
    begin(web, &gallery, "counter").await.shows("Count: 0").await;
    web.follow("++").await.shows("Count: 1").await;
    // By a script: a driver that clicks listens to the page's end, and such a page is not kept.
    web.run(
        "document.body.dataset.mark = 'still here';
         [...document.links].find(link => link.innerText === '++').click()",
    )
    .await;
    web.shows("Count: 2").await;
    web.back().await.shows("Count: 1").await;
    let whole = web.run("return document.body.dataset.mark === 'still here'").await == true;
    web.follow("--").await.shows("Count: 0").await;

    gallery.kill();
    web.reload().await.shows("Count: 0").await;
    // The same link as the first time: the page that it made.
    web.back().await.shows("Count: 1").await.follow("++").await.shows("Count: 2").await;
    gallery.kill();
    web.back().await.back().await.shows("Count: 0").await.follow("++").await.shows("Count: 1").await;
    assert!(!web.text().await.contains(OLDER), "nothing was refused");
    whole
}

#[tokio::test]
async fn line_11_back_means_back_in_chromium() {
    let chrome = Chrome::start().await;
    assert!(back_means_back(&chrome).await, "`private, no-cache` lets the browser keep pages whole");
}

#[tokio::test]
async fn line_11_back_means_back_in_chromium_that_keeps_no_pages() {
    let chrome = Chrome::with(&Arc::new(Folder::new("chrome")), &[WITHOUT_CACHE]).await;
    assert!(!back_means_back(&chrome).await, "it was told to keep none");
}

#[tokio::test]
async fn line_11_back_means_back_in_firefox() {
    let firefox = Firefox::start().await;
    assert!(back_means_back(&firefox).await, "`private, no-cache` lets the browser keep pages whole");
}

#[tokio::test]
async fn line_11_back_means_back_in_firefox_that_keeps_no_pages() {
    let firefox = Firefox::with(&Arc::new(Folder::new("firefox")), NOTHING_CACHED).await;
    assert!(!back_means_back(&firefox).await, "it was told to keep none");
}

/// The page that tells a newcomer who they are may be kept by their browser, which shows it without asking.
async fn back_to_a_newcomers_first_page(web: &impl Web) {
    let gallery = Gallery::start();
    web.open(&gallery.url("/counter/")).await.shows("Count: 0").await;
    web.follow("++").await.shows("Count: 1").await;
    web.back().await.shows("Count: 0").await.follow("--").await.shows("Count: -1").await;
    assert!(!web.text().await.contains(OLDER), "nothing was refused");
}

#[tokio::test]
async fn a_newcomers_first_page_is_gone_back_to_in_chromium() {
    back_to_a_newcomers_first_page(&Chrome::start().await).await;
}

#[tokio::test]
async fn a_newcomers_first_page_is_gone_back_to_in_firefox() {
    back_to_a_newcomers_first_page(&Firefox::start().await).await;
}

/// A page that nobody may store: Back asks for it again.
async fn back_to_a_page_that_is_not_stored(web: &impl Web) {
    async fn private(mut req: Request) -> Result<()> {
        let mut count = 0;
        loop {
            count += req
                .sensitive()
                .choose(|c| html! { "Secret " (count) ". " (c.link("one", 1)) " " (c.link("ten", 10)) })
                .await?;
        }
    }
    let server = Running::start(Server::new(private).journal(Memory::new())).await;
    web.open(&server.url()).await.shows("Secret 0.").await;
    web.follow("one").await.shows("Secret 1.").await;
    web.follow("one").await.shows("Secret 2.").await;
    web.back().await.shows("Secret 1.").await.follow("ten").await.shows("Secret 11.").await;
    web.back().await.shows("Secret 1.").await.follow("one").await.shows("Secret 2.").await;
    assert!(!web.text().await.contains(OLDER), "nothing was refused");
}

#[tokio::test]
async fn line_11_chromium_goes_back_to_a_page_that_is_not_stored() {
    back_to_a_page_that_is_not_stored(&Chrome::start().await).await;
    let chrome = Chrome::with(&Arc::new(Folder::new("chrome")), &[WITHOUT_CACHE]).await;
    back_to_a_page_that_is_not_stored(&chrome).await;
}

#[tokio::test]
async fn line_11_firefox_goes_back_to_a_page_that_is_not_stored() {
    back_to_a_page_that_is_not_stored(&Firefox::start().await).await;
}

/// Two hotels in two tabs, with their handles: Miramar's, Avenida's.
async fn two_hotels(web: &impl Web, gallery: &Gallery) -> (String, String) {
    web.open(&gallery.url("/hotel/")).await.shows("Where to?").await;
    web.press("Search").await.shows("Hotels in Lisbon").await;
    let list = web.tab().await;
    let one = web.open_in_tab("Miramar").await;
    web.shows("Miramar, Lisbon").await.go_to_tab(&list).await;
    let two = web.open_in_tab("Avenida").await;
    web.shows("Avenida, Lisbon").await;
    (one, two)
}

/// Two hotels in two tabs: the one on the page is booked, by a double click, and then no other.
async fn two_tabs_are_two_branches(web: &impl Web) {
    let mut gallery = Gallery::start();
    let (one, two) = two_hotels(web, &gallery).await;
    gallery.kill();
    web.go_to_tab(&one).await.double_press("Book").await.shows("You booked Miramar").await;
    let number = web.run("return document.querySelector('b').innerText").await;
    gallery.kill();
    // The result of a POST.
    web.reload().await.shows("You booked Miramar").await;
    assert_eq!(
        web.run("return document.querySelector('b').innerText").await,
        number,
        "a repeat books nothing"
    );
    web.go_to_tab(&two).await.press("Book").await.shows(DONE).await;
    web.follow("Go on").await.shows("You booked Miramar").await;
}

#[tokio::test]
async fn line_13_chromium_has_two_tabs_as_two_branches() {
    two_tabs_are_two_branches(&Chrome::start().await).await;
}

#[tokio::test]
async fn line_13_firefox_has_two_tabs_as_two_branches() {
    two_tabs_are_two_branches(&Firefox::start().await).await;
}

/// The answer to a form, reloaded and gone back behind.
async fn a_form_is_sent_again(web: &impl Web) {
    let mut gallery = Gallery::start();
    begin(web, &gallery, "wizard").await.shows("1. Who are you?").await;
    web.fill("name", "Ada").await.fill("email", "ada@example.org").await.press("Go on").await;
    web.shows("2. When, and how many?").await;
    gallery.kill();
    web.reload().await.shows("2. When, and how many?").await;
    web.fill("people", "4").await.press("Go on").await.shows("3. Any wishes?").await;
    gallery.kill();
    web.back().await.shows("2. When").await.back().await.shows("1. Who").await;
    web.fill("name", "Grace").await.fill("email", "grace@example.org").await.press("Go on").await;
    web.shows("2. When, and how many?").await.press("Go on").await.shows("3. Any wishes?").await;
    web.press("Go on").await.shows("Grace (grace@example.org) wants a table for 2").await;
    gallery.kill();
    web.double_press("Book").await.shows("Thank you, Grace!").await;
    let number = web.run("return document.querySelector('b').innerText").await;
    gallery.kill();
    web.reload().await.shows("Thank you, Grace!").await;
    assert_eq!(
        web.run("return document.querySelector('b').innerText").await,
        number,
        "a repeat books nothing"
    );
}

#[tokio::test]
async fn line_11_chromium_sends_a_form_again() {
    a_form_is_sent_again(&Chrome::start().await).await;
}

#[tokio::test]
async fn line_11_firefox_sends_a_form_again() {
    a_form_is_sent_again(&Firefox::start().await).await;
}

/// A tab and its duplicate go different ways.
async fn both_go_on(web: &impl Web, gallery: &mut Gallery, (one, other): (&str, &str)) {
    web.shows("Count: 2").await.follow("--").await.shows("Count: 1").await;
    gallery.kill();
    web.go_to_tab(one).await.shows("Count: 2").await.follow("++").await.shows("Count: 3").await;
    web.go_to_tab(other).await.follow("--").await.shows("Count: 0").await;
    web.go_to_tab(one).await.follow("++").await.shows("Count: 4").await;
}

async fn two(web: &impl Web, gallery: &Gallery) -> String {
    web.open(&gallery.url("/counter/")).await.shows("Count: 0").await;
    web.follow("++").await.shows("Count: 1").await.follow("++").await.shows("Count: 2").await;
    web.tab().await
}

#[tokio::test]
async fn line_11_a_tab_of_chromium_and_another_at_its_address_both_live_on() {
    let (chrome, mut gallery) = (Chrome::start().await, Gallery::start());
    let one = two(&chrome, &gallery).await;
    let address = chrome.run("return location.href").await;
    let other = chrome.open_tab().await;
    chrome.open(address.as_str().expect("an address is a text")).await;
    both_go_on(&chrome, &mut gallery, (&one, &other)).await;
}

#[tokio::test]
async fn line_11_a_tab_of_firefox_and_its_duplicate_both_live_on() {
    let (firefox, mut gallery) = (Firefox::start().await, Gallery::start());
    let one = two(&firefox, &gallery).await;
    let other = firefox.duplicate_tab().await;
    both_go_on(&firefox, &mut gallery, (&one, &other)).await;
}

/// Goes to the restored tab with this page.
async fn go_to_page(web: &impl Web, text: &str) {
    let start = std::time::Instant::now();
    loop {
        for tab in web.tabs().await {
            if web.go_to_tab(&tab).await.text().await.contains(text) {
                return;
            }
        }
        assert!(start.elapsed() < crate::PATIENCE, "no restored tab shows {text:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Both the server and the browser were started again.
async fn restored_tabs_go_on(web: &impl Web) {
    go_to_page(web, "Avenida, Lisbon").await;
    web.press("Book").await.shows("You booked Avenida").await;
    go_to_page(web, "Miramar, Lisbon").await;
    web.press("Book").await.shows(DONE).await;
}

#[tokio::test]
async fn line_11_tabs_that_chromium_restores_go_on() {
    let (profile, mut gallery) = (Arc::new(Folder::new("chrome")), Gallery::start());
    let chrome = Chrome::with(&profile, &[]).await;
    two_hotels(&chrome, &gallery).await;
    drop(chrome);
    gallery.kill();
    let chrome = Chrome::with(&profile, &["--restore-last-session"]).await;
    restored_tabs_go_on(&chrome).await;
}

#[tokio::test]
async fn line_11_tabs_that_firefox_restores_go_on() {
    let (firefox, mut gallery) = (Firefox::start().await, Gallery::start());
    two_hotels(&firefox, &gallery).await;
    let firefox = firefox.quit_and_start_again().await;
    gallery.kill();
    restored_tabs_go_on(&firefox).await;
}
