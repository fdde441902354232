//! Every example that has more than one step, with a journal: its server is started again before each step, and its
//! visitors notice nothing.
//!
//! Before the second hit of a session nothing is kept of it, so each script goes two steps before its first restart.

use std::time::Duration;

use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;

use crate::examples::Desk;
use crate::examples::gallery::{self, shelf::*};

/// A visitor whose server can be started again at any time.
struct Visitor<F> {
    browser: Browser,
    server: F,
}

impl<F: Fn() -> Server> Visitor<F> {
    fn of(server: F) -> Self {
        Visitor { browser: Browser::of(server()), server }
    }

    /// The browser, with a server that has just been started.
    fn again(&mut self) -> &mut Browser {
        self.browser.restart((self.server)())
    }
}

/// A visitor of a flow, with a journal that outlives its servers.
fn visit<S: Into<Flow>>(flow: impl Fn() -> S) -> Visitor<impl Fn() -> Server> {
    let store = Memory::new();
    Visitor::of(move || Server::new(flow()).journal(store.clone()))
}

#[tokio::test]
async fn line_14_hello_goes_on() {
    let mut ada = visit(|| hello::hello);
    ada.browser.get("/").await.follow("Hello!").await.shows("Hello to you too!");
    ada.again().follow("Again").await.shows("Hello, world!");
}

#[tokio::test]
async fn line_14_addtwo_goes_on() {
    let mut ada = visit(|| addtwo::addtwo);
    ada.browser.get("/").await.fill("num", 3).submit().await.shows("Enter second number");
    ada.again().fill("num", "four").submit().await.status(400).shows("num");
    ada.again().follow("Back to where you were").await.shows("Enter second number");
    ada.again().fill("num", 4).submit().await.shows("The sum of 3 and 4 is 7!");
}

#[tokio::test]
async fn line_14_guess_thinks_of_the_same_number() {
    let mut ada = visit(|| guess::guess);
    ada.browser.get("/").await.fill("guess", "many").submit().await.shows("A whole number, please.");
    let (mut low, mut high, mut tries) = (1, 100, 0);
    while low <= high {
        let middle = (low + high) / 2;
        tries += 1;
        let said = ada.again().fill("guess", middle).submit().await.text();
        if said.contains("higher") {
            low = middle + 1;
        } else if said.contains("lower") {
            high = middle - 1;
        } else {
            break;
        }
    }
    ada.browser.shows("You got it!").shows(&format!("It took you {tries}"));
    ada.again().follow("Play again").await.shows("number from 1 to 100");
}

#[tokio::test]
async fn line_14_counter_simple_goes_on() {
    let mut ada = visit(|| counter_simple::counter_simple);
    ada.browser.get("/").await.follow("++").await.shows("Count: 1");
    ada.again().get("/?op=inc").await.shows("Count: 2");
    ada.again().follow("--").await.shows("Count: 1");
    ada.again().get("/").await.shows("Count: 1");
}

#[tokio::test]
async fn line_14_counter_goes_on() {
    let mut ada = visit(|| counter::counter);
    ada.browser.get("/").await.follow("++").await.shows("Count: 1");
    ada.again().follow("--").await.shows("Count: 0");
    ada.again().follow("--").await.shows("GO NEGATIVE");
    ada.again().follow("No").await.shows("Count: 0");
    ada.again().follow("--").await;
    ada.again().follow("Yes").await.shows("Count: -1");
    ada.again().reload().await.shows("Count: -1");
    ada.again().follow("--").await.shows("Count: -2");
}

#[tokio::test]
async fn line_14_callback_counter_goes_on() {
    let mut ada = visit(|| callback_counter::callback_counter);
    ada.browser.get("/").await.follow("--").await.shows("Count: -1");
    for _ in 0..43 {
        ada.again().follow("++").await;
    }
    ada.browser.shows("Count: 42").shows("The Answer to Life, The Universe, and Everything");
}

#[tokio::test]
async fn line_14_multi_counter_goes_on() {
    let mut ada = visit(|| multi_counter::multi_counter);
    ada.browser.get("/").await.follow("2").await.shows("counter 2 Count: 0");
    ada.again().follow("++").await.shows("counter 1 Count: 1");
    ada.again().follow("++").await.follow("--").await.shows("counter 1 Count: 1");
    ada.again().follow("--").await;
    ada.again().follow("--").await.shows("GO NEGATIVE").shows("counter 2 Count: 0");
    ada.again().follow("++").await.shows("GO NEGATIVE").shows("counter 2 Count: 1");
    ada.again().follow("No").await.shows("counter 1 Count: 0").shows("counter 2 Count: 1");
    ada.again().follow("done").await.shows("counter 1 Done at 0.");
    ada.again().get("/").await.shows("counter 1 Done at 0.").shows("counter 2 Count: 1");
    ada.again().follow("done").await.shows("Together they have counted to 1.");
}

#[tokio::test]
async fn line_14_dashboard_goes_on() {
    let mut ada = visit(|| dashboard::dashboard);
    ada.browser.get("/").await.fill("title", "a").submit().await.shows("6 found");
    ada.again().follow("Dracula").await.shows("Dracula remove");
    ada.again().follow("remove").await.shows("Take “Dracula” off the list?");
    ada.again().reload().await.shows("Take “Dracula”").has_field("title");
    ada.again().fill("title", "emma").submit().await.shows("1 found").shows("Take “Dracula”");
    ada.again().follow("Emma").await.shows("Take “Dracula” off the list?");
    ada.again().follow("No").await.shows("Dracula remove Emma remove");
    ada.again().click("Order").await.shows("Your order has the number");
}

#[tokio::test]
async fn line_14_wizard_goes_on() {
    let mut ada = visit(|| wizard::wizard);
    ada.browser.get("/").await.fill("name", "Ada").fill("email", "ada@example.org").submit().await;
    ada.again().fill("people", 40).submit().await.shows("we have tables for 1 to 12");
    ada.again().fill("people", 4).fill("time", "19:30").submit().await.shows("3. Any wishes?");
    ada.again().tick("by_the_window").submit().await.shows("a table for 4 at 19:30");
    ada.again().click("Change something").await.shows("1. Who are you?");
    assert_eq!(ada.browser.value("email"), "ada@example.org");
    ada.again().fill("name", "Grace").submit().await;
    ada.again().submit().await;
    ada.again().submit().await.shows("Grace (ada@example.org) wants").shows("By the window.");
    ada.again().click("Book").await.shows("Thank you, Grace!").shows("The number of your booking is");
    ada.again().back().await.click("Book").await.shows("Thank you, Grace!");
}

#[tokio::test]
async fn line_14_login_goes_on_and_keeps_no_password() {
    let store = Memory::new();
    let server = || Server::new(login::login).journal(store.clone());
    let mut ada = Visitor::of(server);
    ada.browser.get("/").await.fill("name", "ada").fill("password", "open").submit().await;
    ada.browser.shows("wrong name or password").shows_not("Welcome");
    ada.again().fill("password", "swordfish").submit().await.shows("wrong name or password");
    assert_eq!(ada.browser.value("name"), "ada");
    // Where it goes on after that, `journal_found` says.
    ada.again().fill("password", "sesame").submit().await.shows("Welcome, ada!");
    let kept = entries(&store);
    assert!(
        has(&kept, b"ada") && !has(&kept, b"sesame") && !has(&kept, b"swordfish"),
        "no password is written"
    );
}

/// All that is kept of all sessions.
fn entries(store: &Memory) -> Vec<u8> {
    use continuity::journal::Store;
    let heads = store.list(0, 100).expect("it can be read");
    let load = |head: &continuity::journal::Head| store.load(head.session).expect("it can be read");
    heads.iter().flat_map(load).flat_map(|chunk| chunk.entries).collect()
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn line_14_cookies_goes_on() {
    let mut ada = visit(|| cookies::cookies);
    ada.browser.get("/").await.follow("Go on").await.shows("Got 'continuity-cookie-demo' == 10");
    ada.again().follow("Go on").await.shows("... still got 'continuity-cookie-demo' == 10");
    ada.again().follow("Go on").await.shows("Got 'continuity-cookie-demo' == 20");
}

#[tokio::test]
async fn line_14_query_session_goes_on() {
    let mut ada = visit(query_session::flow);
    ada.browser.get("/").await.shows("Your session ID is:");
    let href = ada.browser.href("Click here to continue");
    let id = href.strip_prefix("?sid=").expect("the link carries the ID").to_owned();
    ada.browser.follow("Click here to continue").await.shows(&id).shows("A form can do that too.");
    ada.again().click("Click here to continue").await.shows(&id).shows("your session is over");
    ada.again().follow("get a new one").await.shows("Your session ID is:").shows_not(&id);
}

#[tokio::test]
async fn line_14_post_redirect_goes_on() {
    let mut ada = visit(|| post_redirect::post_redirect);
    ada.browser.get("/").await.fill("number", "2.5").submit().await.shows("Numbers: 1, sum: 2.5");
    ada.again().reload().await.shows("Numbers: 1, sum: 2.5");
    ada.again().fill("number", 4).submit().await.shows("Numbers: 2, sum: 6.5");
    ada.again().fill("number", "four").submit().await.shows("Numbers: 2, sum: 6.5");
}

#[tokio::test]
async fn line_14_params_goes_on() {
    let mut ada = visit(|| params::params);
    ada.browser.get("/").await.get("/").await.shows("Parameter Passing Example");
    ada.again().fill("name", "Ada").fill("favorite", "<tea>").submit().await;
    ada.browser.shows("Name Ada").shows("First favorite <tea>").shows("favorite = <tea>");
    ada.again().follow("Once more").await.shows("Parameter Passing Example");
}

#[tokio::test]
async fn line_14_animals_goes_on() {
    let (store, tree) = (Memory::new(), animals::Tree::default());
    let server = || Server::new(animals::animals).app(tree.clone()).journal(store.clone());
    let mut ada = Visitor::of(server);
    ada.browser.get("/").await.follow("OK").await.shows("Is it a dog?");
    ada.again().follow("No").await.shows("tells it from a dog");
    ada.again()
        .fill("animal", "")
        .fill("question", "Does it trumpet?")
        .submit()
        .await
        .shows("1 to 100 letters");
    ada.again().fill("animal", "elephant").tick("answer_is_yes").submit().await.shows("Play again?");
    ada.again().follow("Yes").await;
    ada.again().follow("OK").await.shows("Does it trumpet?");
    ada.again().follow("Yes").await.shows("Is it an elephant?");
    ada.again().follow("Yes").await.shows("I got it!");
    ada.again().follow("OK").await;
    ada.again().follow("No").await.shows("Bye!");
    ada.again().get("/").await.follow("OK").await.shows("Does it trumpet?");
}

/// What was taught goes with the process; who is in the middle of it is asked from the beginning.
#[tokio::test]
async fn line_14_animals_goes_on_when_the_tree_is_gone() {
    let store = Memory::new();
    let server = || Server::new(animals::animals).app(animals::Tree::default()).journal(store.clone());
    let mut ada = Visitor::of(server);
    ada.browser.get("/").await.follow("OK").await.follow("No").await;
    ada.browser.fill("animal", "cat").fill("question", "Does it purr?").tick("answer_is_yes").submit().await;
    ada.browser.follow("Yes").await.follow("OK").await.shows("Does it purr?");
    ada.again().follow("Yes").await.shows("Is it a dog?");
    ada.again().follow("No").await.fill("animal", "cat").fill("question", "Does it purr?").submit().await;
    ada.browser.follow("Yes").await.follow("OK").await.shows("Does it purr?");
}

#[tokio::test(start_paused = true)]
async fn line_14_chat_goes_on() {
    let (store, room) = (Memory::new(), chat::Room::default());
    let server = || Server::new(chat::flow()).app(room.clone()).journal(store.clone());
    let mut ada = Visitor::of(server);
    ada.browser.get("/").await.fill("name", "Ada").fill("text", "hi").submit().await.shows("Ada: hi");
    ada.again().fill("text", "<b>tea?").submit().await.shows("Anonymous: <b>tea?");
    ada.again().reload().await.shows("Ada: hi").shows("Anonymous: <b>tea?");
    let heard = ada.again().open("/push?seen=1").await.rest().await;
    assert!(heard.contains("tea?") && !heard.contains("hi"), "{heard}");
}

#[tokio::test(start_paused = true)]
async fn line_14_slowprint_can_be_seen_again() {
    let mut ada = visit(|| slowprint::slowprint);
    ada.browser.get("/").await.shows("Line 1").shows("Line 8").shows("Done.");
    ada.again().get("/").await.shows("Line 8").shows("Done.");
}

#[tokio::test]
async fn line_14_upload_goes_on() {
    let mut ada = visit(upload::flow);
    ada.browser.get("/").await.submit().await.follow("OK").await.shows("Files: 0");
    ada.again()
        .attach("files", "cat.png", "meow")
        .fill("note", "pets")
        .submit()
        .await
        .shows("Thank you: pets");
    ada.again().follow("OK").await.shows("Files: 1").shows("cat.png, application/octet-stream, 4 bytes");
    ada.again().attach("files", "dog.png", "woof!").submit().await.follow("OK").await.shows("Files: 2");
    ada.again().get("/progress").await.reload().await.status(200).shows_not("KiB");
}

#[tokio::test]
async fn line_16_shop_charges_once() {
    let (store, desk) = (Memory::new(), Desk::open().await);
    let mut ada = Visitor::of(|| desk.shop().journal(store.clone()));
    ada.browser.get("/").await.follow("Add a cup").await;
    ada.again().follow("Add a teapot").await.shows("In your cart: 2, 44.50");
    ada.again().click("Check out").await;
    ada.again().fill("name", "Ada").submit().await.shows("where shall it go?");
    ada.again().fill("street", "Mill Road 1").submit().await.shows("To pay: 44.50");
    ada.again().click("Pay").await;
    let back = desk.decide(&ada.browser.sent_to(), Some("99"));
    ada.again().from_site("https://gateway.test").get(&back).await.shows("That was not paid.");
    ada.again().click("Pay").await;
    let back = desk.decide(&ada.browser.sent_to(), Some("3333"));
    ada.again().from_site("https://gateway.test").get(&back).await.status(500);
    ada.again().follow("Back to where you were").await.shows("We wait for your payment");
    ada.again().other().notify(&back, &[]).await.shows("Thank you, Ada!");
    ada.again().get("/").await.shows("Thank you, Ada!").shows("booked so far: 1");
    ada.again().reload().await.shows("booked so far: 1");
    assert_eq!(desk.charges(), 1);
    ada.again().follow("Shop again").await.shows("In your cart: 0");
    ada.again().from_site("https://gateway.test").get(&back).await.shows("Thank you, Ada!");
    assert_eq!(desk.charges(), 1);
    let capability = back.split_once("_r=").and_then(|(_, rest)| rest.get(..56)).expect("the way back");
    let kept = entries(&store);
    assert!(has(&kept, b"Mill") && has(&kept, b"outcome=approved") && !has(&kept, capability.as_bytes()));
}

#[tokio::test]
async fn line_18_survey_goes_on() {
    let mut ada = visit(|| survey::survey);
    ada.browser.get("/").await.follow("4").await.shows("How did you sleep? 4");
    for days in 1..20 {
        ada.browser.shows(&format!("Days so far: {days}"));
        ada.again().follow("I cannot wait").await;
        ada.again().follow("5").await;
    }
    ada.again().follow("Is it there?").await.shows("Days so far: 20").shows("How did you sleep? 4 5");
}

#[tokio::test]
async fn line_13_tabs_goes_on() {
    let mut ada = visit(|| tabs::tabs);
    ada.browser.get("/").await.follow("left").await.shows("2 left ← you are here");
    ada.again().follow("right").await.shows("1 the door 2 left 3 right ← you are here");
    ada.again().back().await.follow("straight on").await.shows("2 left 3 right 4 straight on ← you are here");
    ada.again().back().await.back().await.follow("right").await;
    ada.browser.shows("1 the door 2 left 3 right 4 straight on 5 right ← you are here");
    ada.again().reload().await.shows("5 right ← you are here");
}

#[tokio::test]
async fn line_13_hotel_goes_on() {
    let mut ada = visit(|| hotel::hotel);
    ada.browser.get("/").await.submit().await.shows("Hotels in Lisbon");
    let mut tab = ada.browser.new_tab();
    tab.get(&ada.browser.href("Avenida")).await.shows("Avenida, Lisbon");
    ada.again().follow("Miramar").await.shows("Miramar, Lisbon");
    tab.resubmitting().reload().await.shows("Avenida, Lisbon");
    ada.again().click("Book").await.shows("You booked Miramar");
    let booked = ada.browser.text();
    ada.again().resubmitting().reload().await;
    assert_eq!(ada.browser.text(), booked);
    ada.again();
    tab.click("Book").await.status(410);
    tab.follow("Go on").await.shows("You booked Miramar");
}

/// The gallery as it is run: all examples on one journal, each where it was.
#[tokio::test(start_paused = true)]
async fn line_14_the_gallery_goes_on() {
    let store = Memory::new();
    let mut ada = Visitor::of(|| gallery::server().journal(store.clone()));
    ada.browser.get("/counter").await.follow("++").await.shows("Count: 1");
    ada.browser.get("/wizard").await.fill("name", "Ada").fill("email", "a@b").submit().await.shows("2. When");
    ada.again().get("/counter").await.shows("Count: 1");
    ada.browser.follow("++").await.shows("Count: 2");
    ada.again().get("/wizard").await.shows("2. When");
    ada.browser.submit().await.shows("3. Any wishes?");
    ada.browser.wait(Duration::from_secs(3600)).await;
    assert_eq!(ada.browser.sessions(), 0, "all are parked");
    ada.browser.get("/counter").await.shows("Count: 2");
    ada.browser.get("/wizard").await.shows("3. Any wishes?");
}
