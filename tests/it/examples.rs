//! Every example as a visitor meets it: alone, and in the gallery.

use std::time::Duration;

use continuity::prelude::*;
use continuity::test::Browser;

#[path = "../../examples/gallery/src/gallery/mod.rs"]
pub(crate) mod gallery;

use gallery::shelf::{self, *};

#[tokio::test]
async fn hello_remembers_that_it_said_so() {
    let mut browser = Browser::new(hello::hello);
    browser.get("/").await.shows("Hello, world!");
    browser.follow("Hello!").await.shows("Hello to you too!");
    browser.follow("Again").await.shows("Hello, world!");
}

#[tokio::test]
async fn counter_counts_and_asks_before_it_goes_negative() {
    let mut browser = Browser::new(counter::counter);
    browser.get("/").await.shows("Count: 0");
    browser.follow("++").await.shows("Count: 1");
    browser.follow("--").await.shows("Count: 0");
    browser.follow("--").await.shows("GO NEGATIVE");
    browser.follow("No").await.shows("Count: 0");
    browser.follow("--").await.follow("Yes").await.shows("Count: -1");
    browser.reload().await.shows("Count: -1");
    browser.follow("--").await.shows("Count: -2");
    browser.other().get("/").await.shows("Count: 0");
}

#[tokio::test]
async fn counter_simple_counts_by_plain_links() {
    let mut browser = Browser::new(counter_simple::counter_simple);
    browser.get("/").await.shows("Count: 0");
    browser.follow("++").await.shows("Count: 1");
    browser.get("/?op=inc").await.shows("Count: 2");
    browser.follow("--").await.shows("Count: 1");
    browser.get("/").await.shows("Count: 1");
}

#[tokio::test]
async fn addtwo_adds_two_numbers() {
    let mut browser = Browser::new(addtwo::addtwo);
    browser.get("/").await.shows("Enter first number");
    browser.fill("num", 3).submit().await.shows("Enter second number");
    browser.fill("num", 4).submit().await.shows("The sum of 3 and 4 is 7!");
    browser.get("/").await.fill("num", "three").submit().await.status(400).shows("num");
}

#[tokio::test]
async fn adventure_ends_in_the_vault_for_who_has_a_lamp_and_an_answer() {
    let mut browser = Browser::new(adventure::adventure);
    browser.get("/").await.shows("The beach");
    browser.follow("Go into the cave").await.shows("It is dark");
    browser.follow("Go back to the beach").await;
    browser.follow("Take the lamp").await.shows_not("Take the lamp");
    browser.follow("Go into the cave").await.follow("Go on").await.follow("Wake the door").await;
    browser.fill("answer", " ").submit().await.shows("say something");
    browser.fill("answer", "Gold").submit().await.shows("Wrong");
    browser.follow("OK").await.shows("It snores");
    browser.follow("Wake the door").await.fill("answer", "A secret").submit().await;
    browser.shows("You are rich, after 7 moves.");
    browser.follow("Play again").await.shows("a lamp in it");
}

#[tokio::test]
async fn guess_says_higher_or_lower_and_counts_tries() {
    let mut browser = Browser::new(guess::guess);
    browser.get("/").await.shows("number from 1 to 100");
    browser.fill("guess", "many").submit().await.shows("A whole number, please.");
    let (mut low, mut high, mut tries) = (1, 100, 0);
    let number = loop {
        let middle = (low + high) / 2;
        tries += 1;
        let said = browser.fill("guess", middle).submit().await.text();
        if said.contains("higher") {
            low = middle + 1;
        } else if said.contains("lower") {
            high = middle - 1;
        } else {
            break middle;
        }
    };
    assert!(tries <= 7, "halving finds it");
    let tries = if tries == 1 { "1 try".to_owned() } else { format!("{tries} tries") };
    browser
        .shows("You got it!")
        .shows(&format!("My number was {number}."))
        .shows(&format!("It took you {tries}"));
    browser.follow("Play again").await.shows("number from 1 to 100");
}

#[tokio::test]
async fn animals_learns_from_one_visitor_for_all() {
    let mut ada = Browser::of(Server::new(animals::animals).app(animals::Tree::default()));
    ada.get("/").await.follow("OK").await.shows("Is it a dog?");
    let mut bob = ada.other();
    bob.get("/").await.follow("OK").await.shows("Is it a dog?");

    ada.follow("No").await.shows("tells it from a dog");
    ada.fill("animal", "").fill("question", "Does it trumpet?").submit().await.shows("1 to 100 letters");
    ada.fill("animal", "elephant").tick("answer_is_yes").submit().await.shows("Play again?");
    ada.follow("Yes").await.follow("OK").await.shows("Does it trumpet?");
    ada.follow("Yes").await.shows("Is it an elephant?");
    ada.follow("Yes").await.shows("I got it!");
    ada.follow("OK").await.follow("No").await.shows("Bye!");

    // Bob was at the dog while Ada put her question there: both are kept.
    bob.follow("No").await.fill("animal", "cat").fill("question", "Does it bark?").submit().await;
    bob.follow("Yes").await.follow("OK").await.shows("Does it bark?");
    bob.follow("No").await.shows("Is it a cat?");
    ada.get("/").await.follow("OK").await.follow("Yes").await.shows("Does it trumpet?");
    ada.follow("No").await.shows("Is it a dog?");
}

#[tokio::test]
async fn multi_counter_counts_in_each_alone() {
    let mut browser = Browser::journaled(multi_counter::multi_counter);
    browser.get("/").await.follow("3").await.shows("counter 1 Count: 0").shows("counter 3 Count: 0");
    browser.follow("++").await.shows("counter 1 Count: 1 ++ -- done counter 2 Count: 0");
    browser.follow("--").await.follow("--").await.shows("counter 1 Do you really want to GO NEGATIVE?");
    browser.shows("counter 2 Count: 0");
    browser.follow("++").await.shows("GO NEGATIVE").shows("counter 2 Count: 1");
    browser.follow("Yes").await.shows("counter 1 Count: -1").shows("counter 2 Count: 1");
    browser.follow("done").await.shows("counter 1 Done at -1.").shows("counter 2 Count: 1");
    browser.follow("done").await.shows("counter 2 Done at 1.").shows("counter 3 Count: 0");
    browser.follow("++").await.follow("done").await.shows("Together they have counted to 1.");
    browser.follow("OK").await.shows("How many counters?");
}

#[tokio::test]
async fn dashboard_searches_lists_and_orders() {
    let mut browser = Browser::journaled(dashboard::dashboard);
    browser.get("/").await.shows("Reading room").shows_not("remove");
    browser.fill("title", "ma").submit().await.shows("2 found for “ma”");
    browser.follow("Emma").await.shows("Emma remove");
    browser.fill("title", "a").submit().await.follow("Faust").await;
    browser.shows("Emma remove Faust remove");
    browser.follow("remove").await.shows("Take “Emma” off the list?");
    browser.fill("title", "wal").submit().await.shows("1 found").shows("Take “Emma” off the list?");
    browser.follow("Yes").await.shows("1 found").shows("Faust remove").shows_not("Emma");
    browser.click("Order").await.shows("Your order has the number");
}

#[tokio::test]
async fn params_shows_one_all_of_a_name_and_all() {
    let mut browser = Browser::new(params::params);
    browser.get("/").await.shows("Parameter Passing Example");
    browser.fill("name", "Ada").fill("favorite", "<tea>").submit().await;
    browser.shows("Name Ada").shows("First favorite <tea>").shows("name = Ada").shows("favorite = <tea>");
    browser.follow("Once more").await.shows("Parameter Passing Example");
    browser.get("/?name=Bob&favorite=tea&favorite=cake&x=1").await;
    browser
        .shows("First favorite tea")
        .shows("All favorites tea, cake")
        .shows("favorite = cake")
        .shows("x = 1");
}

#[tokio::test]
async fn cookies_sets_reads_and_sets_again() {
    const NAME: &str = "continuity-cookie-demo";
    let mut browser = Browser::new(cookies::cookies);
    browser.get("/").await.shows("Setting 'continuity-cookie-demo' to 10");
    assert_eq!(browser.cookie(NAME).as_deref(), Some("10"));
    browser.follow("Go on").await.shows("Got 'continuity-cookie-demo' == 10");
    browser.follow("Go on").await.shows("... still got 'continuity-cookie-demo' == 10");
    browser.shows("Setting 'continuity-cookie-demo' to 20");
    assert_eq!(browser.cookie(NAME).as_deref(), Some("20"));
    let field = browser.header_value("set-cookie").expect("it sets a cookie");
    assert!(field.split("; ").any(|part| part == "Path=/"), "{field}");
    browser.follow("Go on").await.shows("Got 'continuity-cookie-demo' == 20");
    browser.shows("All done with cookie demo!");
}

#[tokio::test]
async fn query_session_goes_by_link_and_form_without_a_cookie() {
    let mut browser = Browser::new(query_session::flow());
    browser.get("/").await.shows("Your session ID is:");
    let href = browser.href("Click here to continue");
    let id = href.strip_prefix("?sid=").expect("the link carries the ID");
    browser.shows(id);
    browser.follow("Click here to continue").await.shows(id).shows("A form can do that too.");
    let button = r#"<input type="submit" value="Click here to continue">"#;
    assert!(browser.html().contains(button), "programs that press buttons find it by its value");
    browser.click("Click here to continue").await.shows(id).shows("your session is over");
    browser.follow("Click here to get a new one").await.shows("Your session ID is:").shows_not(id);
    assert_eq!(browser.cookie("sid"), None);
}

#[tokio::test]
async fn callback_counter_runs_what_stands_beside_a_link() {
    let mut browser = Browser::new(callback_counter::callback_counter);
    browser.get("/").await.shows("Count: 0");
    browser.follow("--").await.shows("Count: -1").shows_not("The Answer");
    for _ in 0..43 {
        browser.follow("++").await;
    }
    browser.shows("Count: 42").shows("The Answer to Life, The Universe, and Everything");
}

#[tokio::test]
async fn post_redirect_makes_reloading_harmless() {
    let mut browser = Browser::new(post_redirect::post_redirect);
    browser.get("/").await.shows("Numbers: 0, sum: 0");
    browser.fill("number", "2.5").submit().await.shows("Numbers: 1, sum: 2.5");
    browser.reload().await.shows("Numbers: 1, sum: 2.5");
    browser.fill("number", 4).submit().await.shows("Numbers: 2, sum: 6.5");
    browser.reload().await.shows("Numbers: 2, sum: 6.5");
    browser.fill("number", "four").submit().await.shows("Numbers: 2, sum: 6.5");
}

#[tokio::test(start_paused = true)]
async fn slowprint_sends_each_line_when_it_is_there() {
    let mut browser = Browser::new(slowprint::slowprint);
    let start = tokio::time::Instant::now();
    let mut stream = browser.open("/").await;
    for line in 1..=8 {
        let chunk = stream.next_chunk().await.expect("a chunk for each line");
        assert!(chunk.contains(&format!("Line {line}")), "{chunk}");
        assert!(start.elapsed() < Duration::from_millis(700) * line, "line {line} waited");
    }
    assert!(stream.rest().await.contains("Done."));
    browser.get("/").await.shows("Line 1").shows("Line 8").shows("Done.");
}

fn chat_room() -> Browser {
    Browser::of(Server::new(chat::flow()).app(chat::Room::default()))
}

#[tokio::test(start_paused = true)]
async fn chat_pushes_a_line_to_all_who_wait() {
    let mut ada = chat_room();
    ada.get("/").await.has_field("text");
    let waiting = tokio::spawn(ada.open("push?seen=0"));
    let tab = tokio::spawn(ada.new_tab().open("/push?seen=0"));

    let mut bob = ada.other();
    bob.get("/").await.fill("name", "Bob").fill("text", "<b>hi").submit().await;
    assert_eq!(bob.shows("Bob: <b>hi").url(), "/");
    for heard in [waiting, tab] {
        let line = heard.await.expect("a response").rest().await;
        assert_eq!(line, r#"<li data-number="1"><b>Bob</b>: &lt;b&gt;hi</li>"#);
    }
    ada.reload().await.shows("Bob: <b>hi");
}

#[tokio::test(start_paused = true)]
async fn chat_polls_end_when_nobody_says_anything() {
    let mut browser = chat_room();
    browser.get("/").await.fill("text", "  ").submit().await.shows_not("Anonymous:");
    let start = tokio::time::Instant::now();
    assert_eq!(browser.open("/push?seen=0").await.rest().await, "");
    assert!(start.elapsed() < Limits::default().drain, "a stopping server can wait for it");
}

#[tokio::test]
async fn wizard_asks_checks_and_confirms() {
    let mut browser = Browser::new(wizard::wizard);
    browser.get("/").await.shows("1. Who are you?");
    browser.fill("name", "Ada").fill("email", "nowhere").submit().await.shows("that is no address of e-mail");
    assert_eq!(browser.value("name"), "Ada");
    browser.fill("email", "ada@example.org").submit().await.shows("2. When, and how many?");
    browser.fill("people", 40).submit().await.shows("we have tables for 1 to 12");
    browser.fill("people", 4).fill("time", "19:30").submit().await.shows("3. Any wishes?");
    browser.tick("by_the_window").submit().await.shows("Is this right?").shows("a table for 4 at 19:30");

    browser.click("Change something").await.shows("1. Who are you?");
    assert_eq!(browser.value("email"), "ada@example.org");
    browser.fill("name", "Grace").submit().await.submit().await.submit().await;
    browser.shows("Grace (ada@example.org) wants a table for 4").shows("By the window.");
    browser.click("Book").await.shows("Thank you, Grace!").shows("The number of your booking is");
    let booked = browser.text();
    browser.resubmitting().reload().await;
    assert_eq!(browser.text(), booked, "a repeat books nothing");
}

#[tokio::test]
async fn wizard_applies_nothing_that_comes_from_an_older_page() {
    let mut browser = Browser::new(wizard::wizard);
    browser
        .get("/")
        .await
        .fill("name", "Ada")
        .fill("email", "ada@example.org")
        .submit()
        .await
        .shows("2. When");
    browser.back().await.fill("name", "Grace").submit().await.shows("older page").shows("2. When");
    browser.submit().await.submit().await.shows("Ada (ada@example.org)");
}

#[tokio::test]
async fn login_lets_in_who_knows_the_password_and_changes_the_id() {
    let mut browser = Browser::new(login::login);
    browser.get("/").await.fill("name", "ada").fill("password", "open").submit().await;
    browser.shows("wrong name or password").shows_not("Welcome");
    let before = browser.cookie("sid").expect("a visitor has an ID");
    browser.fill("password", "sesame").submit().await.shows("Welcome, ada!");
    assert_eq!(browser.header_value("cache-control").as_deref(), Some("no-store"));
    assert_ne!(browser.cookie("sid").as_ref(), Some(&before));
    browser.follow("Look around").await.shows("looked around 1 times");

    let mut thief = browser.other();
    thief.set_cookie("sid", &before).get("/").await.shows("Log in").shows_not("Welcome");

    browser.click("Log out").await.shows("You are logged out.");
    browser.get("/").await.shows("Log in").shows_not("Welcome");
}

/// The provider of `sign_in`, on a port of its own in this process, and what a visitor does there.
struct Accounts(String);

impl Accounts {
    async fn open() -> Accounts {
        let bound =
            sign_in::provider::server().listen(Http::on(0)).bind().await.expect("there is a free port");
        let address = bound.addresses().remove(0);
        tokio::spawn(bound.run_until(std::future::pending()));
        Accounts(address)
    }

    fn server(&self) -> Server {
        Server::new(sign_in::sign_in).app(sign_in::provider::Provider::at(self.0.clone()))
    }

    /// The visitor who is sent to its page presses this button; where that sends them.
    async fn press(&self, sent_to: &str, button: &str) -> String {
        let target = sent_to.strip_prefix(&format!("http://{}", self.0)).expect("the provider's page");
        let page = self.ask(&format!("GET {target}"), "").await;
        let cookie = page.split_once("set-cookie: ").and_then(|(_, rest)| rest.split_once(';'));
        let token = page.split_once(&format!("\">{button}<")).expect("the button").0;
        let token = token.rsplit("value=\"").next().expect("a button has a token");
        let form = format!("_t={token}");
        let fields = format!(
            "cookie: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            cookie.expect("a new visitor").0,
            form.len()
        );
        let reply = self.ask("POST /", &fields).await;
        let to = reply.split_once("location: ").and_then(|(_, rest)| rest.split_once("\r\n"));
        to.unwrap_or_else(|| panic!("it sends nobody back: {reply}")).0.to_owned()
    }

    async fn ask(&self, line: &str, rest: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let rest = if rest.is_empty() { "\r\n" } else { rest };
        let request = format!("{line} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{rest}", self.0);
        let mut stream = tokio::net::TcpStream::connect(&self.0).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.expect("text");
        reply
    }
}

const PROVIDER: &str = "https://provider.test";

#[tokio::test]
async fn sign_in_lets_in_whom_the_provider_names_and_changes_the_id() {
    let accounts = Accounts::open().await;
    let mut ada = Browser::of(accounts.server());
    ada.get("/").await.shows("Who are you?").status(200);
    ada.click("Sign in").await;
    let before = ada.cookie("sid");
    let back = accounts.press(&ada.sent_to(), "It need not know").await;
    ada.from_site(PROVIDER).get(&back).await.shows("The provider did not say.");
    ada.click("Sign in").await;
    let back = accounts.press(&ada.sent_to(), "I am ada").await;
    ada.from_site(PROVIDER).get(&back.replace("code=", "code=f")).await.shows("The provider did not say.");
    ada.from_site(PROVIDER).get(&back).await.shows("Nothing was changed");
    ada.follow("Go on").await.click("Sign in").await;
    let back = accounts.press(&ada.sent_to(), "I am ada").await;
    ada.from_site(PROVIDER).get(&back).await.shows("Welcome, ada!");
    assert_ne!(ada.cookie("sid"), before);
    ada.reload().await.shows("Welcome, ada!").shows("looked around 0 times");
    ada.follow("Look around").await.shows("looked around 1 times");
    ada.from_site(PROVIDER).get(&back).await.shows_not("Welcome");
    ada.get("/").await.click("Sign out").await.shows("You are signed out.");
}

/// She begins, and has somebody else prove who they are: in her place they would be.
#[tokio::test]
async fn sign_in_takes_nobodys_account_for_somebody_else() {
    let accounts = Accounts::open().await;
    let mut eve = Browser::of(accounts.server());
    let mut ada = eve.other();
    eve.get("/").await.click("Sign in").await;
    let back = accounts.press(&eve.sent_to(), "I am ada").await;
    ada.get("/").await.shows("Who are you?");
    ada.from_site(PROVIDER).get(&back).await.shows_not("Welcome");
    eve.get("/").await.shows_not("Welcome");
    eve.get(&back).await.shows_not("Welcome");
    ada.get("/").await.shows("Who are you?");
}

#[tokio::test]
async fn echo_returns_what_it_got_by_any_method() {
    let mut browser = Browser::new(echo::flow());
    for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
        let request =
            http::Request::builder().method(method).uri("/").body("hello\0".into()).expect("a request");
        browser.send(request).await.status(200);
        assert_eq!(browser.body_bytes(), "hello\0", "{method}");
    }
}

#[tokio::test]
async fn echo_tells_all_that_it_received() {
    let mut browser = Browser::new(echo::flow());
    let request = http::Request::put("/json?a=1&b=%20")
        .header("x-one", "1")
        .header("x-one", http::HeaderValue::from_bytes(b"\xe9").expect("a value"))
        .body(b"\x00\xff"[..].into())
        .expect("a request");
    browser.send(request).await.status(200);
    assert_eq!(browser.header_value("content-type").as_deref(), Some("application/json"));
    let received: serde_json::Value = serde_json::from_slice(&browser.body_bytes()).expect("JSON");
    assert_eq!(received["method"], "PUT");
    assert_eq!(received["uri"], "/json?a=1&b=%20");
    assert_eq!(received["version"], "HTTP/1.1");
    assert_eq!(received["body"], "AP8=");
    let headers = received["headers"].as_array().expect("a list");
    let ones: Vec<_> = headers.iter().filter(|pair| pair[0] == "x-one").map(|pair| &pair[1]).collect();
    assert_eq!(ones, ["1", "é"]);
}

#[tokio::test]
async fn upload_lists_the_files_that_came() {
    let mut browser = Browser::of(Server::new(upload::flow()));
    browser.get("/").await.shows("Files: 0");
    browser.submit().await.follow("OK").await.shows("Files: 0");
    browser.attach("files", "cat.png", "meow").attach("files", "dog.png", "woof!").fill("note", "pets");
    browser.submit().await.shows("Thank you: pets");
    browser.follow("OK").await.shows("Files: 2").shows("cat.png, application/octet-stream, 4 bytes");
    browser.shows("dog.png, application/octet-stream, 5 bytes");
    let mut frame = browser.new_tab();
    frame.get("/progress").await.reload().await.status(200).shows_not("KiB");
    browser.reload().await.shows("Files: 2");
}

/// The shop's gateway, on a port of its own in this process.
pub(crate) struct Desk {
    address: String,
    books: shop::gateway::Books,
}

impl Desk {
    pub(crate) async fn open() -> Desk {
        let books = shop::gateway::Books::default();
        let server = shop::gateway::server(books.clone()).listen(Http::on(0));
        let bound = server.bind().await.expect("there is a free port");
        let address = bound.addresses().remove(0);
        tokio::spawn(bound.run_until(std::future::pending()));
        Desk { address, books }
    }

    /// A shop that sends its visitors there.
    pub(crate) fn shop(&self) -> Server {
        Server::new(shop::shop).app(shop::gateway::Gateway::at(self.address.clone()))
    }

    /// Uses the gateway's page that the browser is sent to, by this card or to cancel; the way back.
    pub(crate) fn decide(&self, sent_to: &str, card: Option<&str>) -> String {
        let id = sent_to.rsplit('/').next().expect("a payment has a number");
        self.books.decide(id, card).expect("it was begun")
    }

    pub(crate) fn charges(&self) -> usize {
        self.books.charges().expect("books")
    }
}

const GATEWAY: &str = "https://gateway.test";

#[tokio::test]
async fn shop_charges_what_was_approved_at_the_gateway() {
    let desk = Desk::open().await;
    let mut browser = Browser::of(desk.shop());
    browser.get("/").await.shows("In your cart: 0, 0.00").shows_not("Check out");
    browser.follow("Add a cup of tea").await.follow("Add a teapot").await.shows("In your cart: 2, 44.50");
    browser.click("Check out").await.fill("name", "Ada").submit().await.shows("where shall it go?");
    browser.fill("street", "Mill Road 1").submit().await.shows("To pay: 44.50");
    browser.click("Pay").await.status(303);
    let back = desk.decide(&browser.sent_to(), Some("99"));
    browser.from_site(GATEWAY).get(&back).await.shows("That was not paid.").shows("To pay: 44.50");
    browser.click("Pay").await;
    let back = desk.decide(&browser.sent_to(), None);
    browser.from_site(GATEWAY).get(&back).await.shows("That was not paid.");
    browser.click("Pay").await.get("/").await.shows("We wait for your payment");
    browser.follow("I have paid").await.shows("That was not paid.");
    browser.click("Pay").await;
    let back = desk.decide(&browser.sent_to(), Some("1111"));
    // What is said of the payment is not believed, and what is said twice counts once.
    browser.from_site(GATEWAY).get(&back).await.shows("Thank you, Ada!").shows("You paid 44.50, receipt R-");
    browser.from_site(GATEWAY).get(&back).await.shows("booked so far: 1");
    browser.other().notify(&back, &[]).await.shows("received before").shows_not("Ada");
    assert_eq!(desk.charges(), 1);
}

#[tokio::test]
async fn shop_charges_nobody_who_cancels_here_and_pays_there() {
    let desk = Desk::open().await;
    let mut browser = Browser::of(desk.shop());
    browser.get("/").await.follow("Add a cup").await.click("Check out").await;
    browser.fill("name", "Ada").fill("street", "Mill Road 1").submit().await.click("Pay").await;
    let back = desk.decide(&browser.sent_to(), Some("1111"));
    browser.get("/").await.follow("Do not pay").await.shows("That was not paid.");
    browser.from_site(GATEWAY).get(&back).await.shows("too late");
    browser.follow("Go on").await.shows("To pay: 2.50");
    assert_eq!(desk.charges(), 0);
}

#[tokio::test]
async fn shop_charges_what_came_back_to_no_browser() {
    let desk = Desk::open().await;
    let mut browser = Browser::of(desk.shop());
    browser.get("/").await.follow("Add a cup").await.click("Check out").await;
    browser.fill("name", "Ada").fill("street", "Mill Road 1").submit().await.click("Pay").await;
    let back = desk.decide(&browser.sent_to(), Some("1111"));
    browser.other().notify(&back, &[]).await.status(200);
    browser.get("/").await.shows("Thank you, Ada!").shows("booked so far: 1");
}

#[tokio::test]
async fn shop_tries_a_charge_again_that_nobody_knows_the_end_of() {
    let (desk, store) = (Desk::open().await, continuity::journal::Memory::new());
    let mut browser = Browser::of(desk.shop().journal(store));
    browser.get("/").await.follow("Add a pot").await.click("Check out").await;
    browser.fill("name", "Ada").fill("street", "Mill Road 1").submit().await.click("Pay").await;
    let back = desk.decide(&browser.sent_to(), Some("3333"));
    browser.from_site(GATEWAY).get(&back).await.status(500).shows_not("Ada");
    assert_eq!(desk.charges(), 1);
    browser.follow("Back to where you were").await.shows("We wait for your payment");
    browser.from_site(GATEWAY).get(&back).await.shows("Thank you, Ada!").shows("You paid 7.00, receipt R-");
    browser.shows("booked so far: 1");
    browser.reload().await.shows("booked so far: 1");
    browser.follow("Shop again").await.shows("In your cart: 0");
}

#[tokio::test]
async fn survey_asks_one_question_a_day() {
    let mut browser = Browser::new(survey::survey);
    browser.get("/").await.shows("Day 1: How did you sleep?");
    browser.follow("4").await.shows("Days so far: 1").shows("How did you sleep? 4");
    browser.follow("I cannot wait").await.shows("Day 2: How was the tea?");
    browser.follow("5").await.follow("I cannot wait").await.follow("1").await.follow("I cannot wait").await;
    browser.follow("2").await.shows("Days so far: 4").shows("How did you sleep? 4 2");
    browser.shows("How was the tea? 5").shows("How was your day? 1");
}

#[tokio::test]
async fn tabs_draws_all_branches_and_marks_where_one_stands() {
    let mut one = Browser::journaled(tabs::tabs);
    one.get("/").await.shows("Page 1").shows("1 the door ← you are here");
    one.follow("left").await.follow("left").await.shows("1 the door 2 left 3 left ← you are here");
    one.back().await.shows("2 left ← you are here");
    let mut two = one.new_tab();
    two.get(&one.href("right"))
        .await
        .shows("Page 4")
        .shows("1 the door 2 left 3 left 4 right ← you are here");
    one.forward().await.follow("straight on").await;
    one.shows("1 the door 2 left 3 left 5 straight on ← you are here 4 right");
    two.shows_not("5 straight on");
    two.follow("Look again").await.shows("1 the door 2 left 3 left 5 straight on 4 right ← you are here");
    two.reload().await.shows("4 right ← you are here");
}

#[tokio::test]
async fn tabs_ends_when_its_tree_is_large() {
    let mut browser = Browser::new(tabs::tabs);
    browser.get("/").await;
    for _ in 0..98 {
        browser.follow("left").await.shows("you are here");
    }
    browser.follow("left").await.shows("That is a large tree.");
    browser.follow("Plant another one").await.shows("1 the door ← you are here").shows_not("2 left");
}

#[tokio::test]
async fn hotel_books_what_stands_on_the_page_and_then_no_more() {
    let mut list = Browser::journaled(hotel::hotel);
    list.get("/").await.fill("nights", 40).submit().await.shows("1 to 14 nights, please");
    list.fill("town", "Porto").fill("nights", 3).submit().await.shows("Hotels in Porto");
    list.follow("Search again").await.fill("town", "Lisbon").submit().await.shows("Hotels in Lisbon");
    let (mut one, mut two) = (list.new_tab(), list.new_tab());
    one.get(&list.href("Miramar")).await.shows("3 nights cost 285.");
    two.get(&list.href("Avenida")).await.shows("3 nights cost 360.");
    one.click("Book").await.shows("You booked Miramar").shows("3 nights in Lisbon").shows_not("Avenida");
    let booked = one.text();
    one.resubmitting().reload().await;
    assert_eq!(one.text(), booked, "a repeat books nothing");
    two.click("Book").await.status(410).shows("going back does not change it");
    two.follow("Go on").await.shows("You booked Miramar");
    list.follow("Avenida").await.status(410);
    two.follow("Another trip")
        .await
        .fill("town", "Porto")
        .submit()
        .await
        .follow("Ribeira")
        .await
        .click("Book")
        .await;
    two.shows("You booked Ribeira").shows("3 nights in Porto");
}

#[tokio::test]
async fn hotel_without_a_journal_books_nothing_that_is_not_on_the_page() {
    let mut list = Browser::new(hotel::hotel);
    list.get("/").await.submit().await;
    let (mut one, mut two) = (list.new_tab(), list.new_tab());
    one.get(&list.href("Miramar")).await.shows("Miramar, Lisbon");
    two.get(&list.href("Avenida")).await.shows("older page").shows("Miramar, Lisbon");
    two.click("Book").await.shows("You booked Miramar");
}

#[tokio::test(start_paused = true)]
async fn gallery_leads_to_each_example_and_its_source() {
    let mut browser = Browser::of(gallery::server());
    for example in shelf::SHELVES.iter().flat_map(|(_, examples)| *examples) {
        browser.get("/").await.follow(example.name).await.status(200);
        assert_eq!(browser.url(), example.door());
        browser.get(&example.source_page()).await.shows(example.about()).shows("#[tokio::main]");
        assert_eq!(browser.href("Try it"), example.door());
    }
    browser.get("/nothing").await.status(404).shows("Not found");
    browser.follow("All examples").await.shows("Continuity");
    browser.get("/source/nothing").await.status(404);
}

#[tokio::test]
async fn gallery_keeps_a_place_in_each_example() {
    let mut browser = Browser::of(gallery::server());
    browser.get("/counter/").await.follow("++").await.shows("Count: 1");
    browser.get("/counter_simple").await.shows("Count: 0");
    browser.follow("All examples").await.follow("counter").await.shows("Count: 1");
    browser.get("/chat").await.fill("text", "hi").submit().await.shows("Anonymous: hi");
    assert_eq!(browser.url(), "/chat/");
}
