//! The examples in a real browser: Back, reload, double clicks, tabs, and what browsers do by themselves.

use std::sync::{Arc, Mutex};

use continuity::prelude::*;
use continuity::{Hit, Purpose};

use crate::chrome::Chrome;
use crate::gallery::{self, shelf};
use crate::running::Running;
use crate::until;
use crate::web::Web;

const OLDER: &str = "That came from an older page";

/// What came to a server, in order.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(String, Purpose)>>>);

impl Seen {
    /// The flow, with all its hits seen.
    fn on(&self, flow: Flow) -> Flow {
        let seen = self.clone();
        flow.purpose(move |hit: &Hit| {
            let purpose = Purpose::of(hit);
            let line = format!("{} {}?{}", hit.method(), hit.path(), hit.query());
            seen.0.lock().expect("nobody panics here").push((line, purpose));
            purpose
        })
    }

    /// How many visits there were.
    fn visits(&self) -> usize {
        self.count(Purpose::Visit, "")
    }

    fn count(&self, purpose: Purpose, start: &str) -> usize {
        let seen = self.0.lock().expect("nobody panics here");
        seen.iter().filter(|(line, one)| *one == purpose && line.starts_with(start)).count()
    }
}

/// The counter, and a browser that looks at it.
async fn counter() -> (Chrome, Running, Seen) {
    let seen = Seen::default();
    let server = Running::start(Server::new(seen.on(Flow::new(shelf::counter::counter)))).await;
    let chrome = Chrome::start().await;
    chrome.open(&server.url()).await.shows("Count: 0").await;
    (chrome, server, seen)
}

#[tokio::test]
async fn v11_back_shows_the_old_page_and_its_links_are_too_old() {
    let (chrome, _server, seen) = counter().await;
    chrome.follow("++").await.shows("Count: 1").await;
    chrome.follow("++").await.shows("Count: 2").await;
    let before = seen.visits();
    chrome.back().await.shows("Count: 1").await;
    assert_eq!(seen.visits(), before, "the browser has the old page");
    chrome.follow("--").await.shows("Count: 2").await.shows(OLDER).await;
    chrome.reload().await.shows("Count: 2").await;
    chrome.follow("++").await.shows("Count: 3").await;
    assert!(!chrome.text().await.contains(OLDER), "a notice is shown once");
}

#[tokio::test]
async fn v11_reload_shows_the_same_page_and_applies_nothing() {
    let (chrome, _server, seen) = counter().await;
    chrome.reload().await.shows("Count: 0").await;
    chrome.follow("++").await.shows("Count: 1").await;
    let before = seen.visits();
    for _ in 0..3 {
        chrome.reload().await.shows("Count: 1").await;
    }
    assert_eq!(seen.visits(), before + 3, "the browser asked again");
    assert!(!chrome.text().await.contains(OLDER), "a repeat is no answer from an older page");
    chrome.follow("--").await.shows("Count: 0").await;
}

#[tokio::test]
async fn v11_a_double_click_counts_once() {
    let (chrome, _server, seen) = counter().await;
    for count in 1..=5 {
        chrome.double_click("++").await.shows(&format!("Count: {count}")).await;
    }
    // The browser may give up the first of two requests before it is sent. These are sent both.
    let before = seen.visits();
    chrome
        .run(
            "const link = [...document.links].find(link => link.innerText === '++');
             return Promise.all([fetch(link.href), fetch(link.href)]).then(() => 0)",
        )
        .await;
    assert_eq!(seen.visits(), before + 2);
    chrome.reload().await;
    chrome.follow("++").await.shows("Count: 7").await;
}

#[tokio::test]
async fn tabs_of_one_visitor_share_the_session() {
    let (chrome, server, _seen) = counter().await;
    let first = chrome.tab().await;
    let second = chrome.open_tab().await;
    chrome.open(&server.url()).await.shows("Count: 0").await;
    chrome.follow("++").await.shows("Count: 1").await;
    chrome.go_to_tab(&first).await.shows("Count: 0").await;
    chrome.follow("++").await.shows("Count: 1").await;
    // The very same link: a repeat of what the other tab did.
    chrome.follow("++").await.shows("Count: 2").await;
    chrome.go_to_tab(&second).await.follow("--").await.shows("Count: 2").await.shows(OLDER).await;
    assert_eq!(server.sessions(), 1);
}

#[tokio::test]
async fn the_counter_asks_before_it_goes_negative() {
    let (chrome, _server, _seen) = counter().await;
    chrome.follow("--").await.shows("Do you really want to GO NEGATIVE?").await;
    chrome.reload().await.shows("GO NEGATIVE").await;
    chrome.follow("No").await.shows("Count: 0").await;
    chrome.follow("--").await.shows("GO NEGATIVE").await;
    chrome.follow("Yes").await.shows("Count: -1").await;
    chrome.follow("--").await.shows("Count: -2").await;
}

#[tokio::test]
async fn two_browsers_are_two_visitors() {
    let (ada, server, _seen) = counter().await;
    ada.follow("++").await.shows("Count: 1").await;
    let ben = Chrome::start().await;
    ben.open(&server.url()).await.shows("Count: 0").await;
    ada.reload().await.shows("Count: 1").await;
    assert_eq!(server.sessions(), 2);
}

#[tokio::test]
async fn the_wizard_keeps_what_was_filled_in() {
    let seen = Seen::default();
    let server = Running::start(Server::new(seen.on(Flow::new(shelf::wizard::wizard)))).await;
    let chrome = Chrome::start().await;
    chrome.open(&server.url()).await.shows("1. Who are you?").await;
    chrome.fill("name", " ").await.fill("email", "ada@example.org").await.press("Go on").await;
    chrome.shows("tell us who you are, please").await;
    let email = chrome.run("return document.querySelector('[name=email]').value").await;
    assert_eq!(email, "ada@example.org", "what was right is still there");
    chrome.fill("name", "Ada").await.press("Go on").await.shows("2. When, and how many?").await;

    // The page has an address: nothing is sent again.
    let posts = seen.count(Purpose::Visit, "POST");
    chrome.reload().await.shows("2. When, and how many?").await;
    assert_eq!(seen.count(Purpose::Visit, "POST"), posts, "its address is asked for");
    assert!(!chrome.text().await.contains(OLDER), "a repeat is no answer from an older page");
    chrome.fill("people", "13").await.press("Go on").await.shows("we have tables for 1 to 12").await;
    chrome.fill("people", "4").await.click("option[value='21:00']").await.press("Go on").await;
    chrome.shows("3. Any wishes?").await;

    // Back to the first form, and another answer to it: it is too late for that.
    chrome.back().await.shows("2. When, and how many?").await;
    chrome.fill("people", "5").await.press("Go on").await.shows("3. Any wishes?").await.shows(OLDER).await;
    chrome.click("[name='by_the_window']").await.fill("remarks", "no <b>salt</b>").await.press("Go on").await;
    chrome.shows("Ada (ada@example.org) wants a table for 4 at 21:00.").await;
    chrome.shows("By the window.").await.shows("no <b>salt</b>").await;

    // Once more around: all that was filled in is there.
    chrome.follow("Change something").await.shows("1. Who are you?").await.press("Go on").await;
    chrome.shows("2. When").await.press("Go on").await.shows("3. Any").await.press("Go on").await;
    chrome.shows("Ada (ada@example.org) wants a table for 4 at 21:00.").await;
    chrome.press("Book").await.shows("Thank you, Ada!").await;
    let number = chrome.run("return document.querySelector('b').innerText").await;
    chrome.reload().await.shows("Thank you, Ada!").await;
    let again = chrome.run("return document.querySelector('b').innerText").await;
    assert_eq!(number, again, "a reload books nothing");
    chrome.follow("Book another one").await.shows("1. Who are you?").await;
}

#[tokio::test]
async fn v7_what_browsers_do_by_themselves_does_not_advance_a_session() {
    let seen = Seen::default();
    let server = Running::start(Server::new(seen.on(Flow::new(shelf::addtwo::addtwo)))).await;
    let chrome = Chrome::start().await;
    chrome.open(&server.url()).await.shows("Enter first number").await;
    by_itself(&chrome, &seen).await;
    chrome.fill("num", "3").await.enter("num").await.shows("Enter second number").await;
    by_itself(&chrome, &seen).await;
    chrome.fill("num", "4").await.enter("num").await.shows("The sum of 3 and 4 is 7!").await;
}

/// Makes the browser fetch an icon, an image, a style, a script, and pages ahead in two ways.
async fn by_itself(chrome: &Chrome, seen: &Seen) {
    let asides = || (seen.count(Purpose::Asset, "GET /"), seen.count(Purpose::Prefetch, "GET /"));
    let (assets, ahead) = asides();
    let add = "const add = (tag, fields) => document.head.append(Object.assign(document.createElement(tag), fields));";
    chrome
        .run(&format!(
            "{add}
             add('link', {{ rel: 'prefetch', href: '/?num=98' }});
             add('script', {{ type: 'speculationrules', textContent: JSON.stringify({{
                 prefetch: [{{ urls: ['/?num=99'], eagerness: 'immediate' }}] }}) }});
             add('link', {{ rel: 'stylesheet', href: '/style?num=97' }});
             add('script', {{ src: '/script?num=96' }});
             add('img', {{ src: '/image?num=95' }});
             return fetch('/favicon.ico').then(answer => answer.status)"
        ))
        .await;
    until("the browser has fetched its parts", || asides().0 >= assets + 4).await;
    until("the browser has fetched ahead", || asides().1 >= ahead + 2).await;
}

#[tokio::test]
async fn chatters_see_each_others_lines() {
    let server = Server::new(shelf::chat::flow()).app(shelf::chat::Room::default());
    let server = Running::start(server).await;
    let (ada, ben) = (Chrome::start().await, Chrome::start().await);
    ada.open(&server.url()).await;
    ben.open(&server.url()).await;
    ada.fill("name", "Ada").await.fill("text", "Hello, <i>Ben</i>!").await.press("Send").await;
    ben.shows("Ada: Hello, <i>Ben</i>!").await;
    ben.fill("name", "Ben").await.fill("text", "Hello, Ada!").await.press("Send").await;
    ada.shows("Ben: Hello, Ada!").await.shows("Ada: Hello, <i>Ben</i>!").await;
}

#[tokio::test]
async fn the_gallery_shows_all_examples_and_each_one_opens() {
    let server = Running::start(gallery::server()).await;
    let chrome = Chrome::start().await;
    chrome.open(&server.url()).await;
    let links = chrome
        .run("return [...document.querySelectorAll('.card')].map(card => [...card.querySelectorAll('a')].map(a => a.href))")
        .await;
    let cards = links.as_array().expect("cards").clone();
    let examples: Vec<_> = shelf::SHELVES.iter().flat_map(|(_, examples)| *examples).collect();
    assert_eq!(cards.len(), examples.len(), "a card for each");
    let mut wrong = Vec::new();
    for (card, example) in cards.iter().zip(examples) {
        chrome.open(&server.url()).await.shows(example.name).await;
        for link in card.as_array().expect("links") {
            let link = link.as_str().expect("a link leads somewhere");
            chrome.open(link).await;
            let status =
                chrome.run("return performance.getEntriesByType('navigation')[0].responseStatus").await;
            // params shows what a bad parameter is answered with only when it is sent one.
            if status != 200 {
                wrong.push(format!("{link}: {status}"));
            }
            for line in chrome.complaints().await {
                // Nobody drew an icon; browsers ask for it all the same.
                if !line.contains("/favicon.ico") {
                    wrong.push(format!("{link}: {line}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
