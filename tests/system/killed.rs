//! The gallery, killed at any time: nobody loses their place, and nobody pays twice.

use crate::client::{Client, Reply};
use crate::folder::Folder;
use crate::program::Program;
use crate::until;

/// The gallery on a journal.
pub struct Gallery {
    folder: Folder,
    /// Outlives the gallery.
    gateway: Program,
    program: Program,
}

impl Gallery {
    pub fn start() -> Gallery {
        let (folder, gateway) = (Folder::new("killed"), Program::start_gateway());
        let program = Program::start_gallery("0", &folder.0.join("gallery.db"), gateway.greeting.trim_end());
        Gallery { folder, gateway, program }
    }

    /// `kill -9`, and the same once more: at the same address, for the cookie's name goes by the port.
    pub fn kill(&mut self) {
        self.only_kill();
        self.start_again();
    }

    fn only_kill(&mut self) {
        self.program.signal("KILL");
        until_dead(&mut self.program);
    }

    fn start_again(&mut self) {
        let address = self.program.address();
        let port = address.rsplit(':').next().expect("an address has a port");
        let gateway = self.gateway.greeting.trim_end();
        self.program = Program::start_gallery(port, &self.folder.0.join("gallery.db"), gateway);
    }

    /// Where an example is.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.program.address())
    }
}

/// A visitor of the gallery who keeps cookies.
struct Visit {
    gallery: Gallery,
    cookie: String,
    /// What the visitor looks at, and where it is.
    page: String,
    path: String,
}

impl Visit {
    async fn begin() -> Visit {
        let (cookie, page, path) = Default::default();
        Visit { gallery: Gallery::start(), cookie, page, path }
    }

    fn kill(&mut self) {
        self.gallery.kill();
    }

    /// Sends a request on a connection of its own, and does not wait for what comes back.
    async fn send(&self, method: &str, target: &str, form: &str) -> Client {
        let mut client = Client::connect(&self.gallery.program.address()).await;
        let cookie = &self.cookie;
        let mut fields = if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
        if method == "POST" {
            let length = form.len();
            fields +=
                &format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n");
        }
        client.ask(&format!("{method} {target}"), &fields).await;
        client.send(form).await;
        client
    }

    async fn look(&mut self, reply: Reply, path: &str) {
        if reply.field("set-cookie").is_some() {
            reply.cookie().clone_into(&mut self.cookie);
        }
        reply.text().clone_into(&mut self.page);
        path.clone_into(&mut self.path);
    }

    async fn get(&mut self, path: &str) -> &Visit {
        let reply = self.send("GET", path, "").await.reply().await;
        self.look(reply, path).await;
        self
    }

    /// Where a link leads.
    fn link(&self, text: &str) -> String {
        let page = self.page.split_once(&format!("\">{text}</a>"));
        let before = page.unwrap_or_else(|| panic!("no link {text}: {}", self.page)).0;
        let href = before.rsplit("href=\"").next().expect("a link leads somewhere");
        format!("{}{}", self.path, href.replace("&amp;", "&"))
    }

    async fn follow(&mut self, text: &str) -> &Visit {
        let (target, path) = (self.link(text), self.path.clone());
        let reply = self.send("GET", &target, "").await.reply().await;
        self.look(reply, &path).await;
        self
    }

    /// The only form of the page, filled in.
    fn form(&self, fields: &str) -> String {
        let token = self.page.split_once("name=\"_t\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
        format!("_t={}&{fields}", token.unwrap_or_else(|| panic!("no form: {}", self.page)).0)
    }

    async fn submit(&mut self, fields: &str) -> &Visit {
        let path = self.path.clone();
        let reply = self.send("POST", &path, &self.form(fields)).await.reply().await;
        let reply = self.at_its_address(reply).await;
        self.look(reply, &path).await;
        self
    }

    /// The page that a form made, where that has an address.
    async fn at_its_address(&self, reply: Reply) -> Reply {
        match reply.field("location").filter(|address| address.starts_with('?')) {
            Some(address) => self.send("GET", &format!("{}{address}", self.path), "").await.reply().await,
            None => reply,
        }
    }

    /// Presses the last button of the page; where that sends the browser, if it does.
    async fn press(&mut self) -> Option<String> {
        let token = self.page.rsplit("name=\"_t\" value=\"").next().and_then(|rest| rest.split_once('"'));
        let (form, path) = (format!("_t={}", token.expect("there is a button").0), self.path.clone());
        let reply = self.send("POST", &path, &form).await.reply().await;
        let reply = self.at_its_address(reply).await;
        let away = reply.field("location").map(str::to_owned);
        self.look(reply, &path).await;
        away
    }

    fn shows(&self, text: &str) {
        assert!(self.page.contains(text), "no {text:?}: {}", self.page);
    }
}

fn until_dead(program: &mut Program) {
    let start = std::time::Instant::now();
    while program.is_running() {
        assert!(start.elapsed() < crate::PATIENCE, "it was killed and still runs");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// How many charges the gateway has booked.
async fn charges(gateway: &str) -> String {
    Client::connect(gateway).await.get("/charges").await.text().to_owned()
}

/// Pays on the gateway's page at this URL; where that sends the browser.
async fn pay(url: &str, card: &str) -> String {
    let (gateway, path) = url.strip_prefix("http://").and_then(|url| url.split_once('/')).expect("a URL");
    let desk = Client::connect(gateway).await.get(&format!("/{path}")).await;
    let token = desk.text().split_once("name=\"_t\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
    let form = format!("_t={}&card={card}", token.expect("a form").0);
    let mut client = Client::connect(gateway).await;
    let fields = format!(
        "Cookie: {}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
        desk.cookie(),
        form.len()
    );
    client.ask(&format!("POST /{path}"), &fields).await;
    client.send(&form).await;
    client.reply().await.field("location").expect("it sends the browser back").to_owned()
}

#[tokio::test]
async fn a_gallery_killed_at_any_time_goes_on() {
    let mut ada = Visit::begin().await;
    ada.get("/counter").await.shows("Count: 0");
    ada.follow("++").await.shows("Count: 1");
    ada.get("/wizard").await.shows("1. Who are you?");
    ada.submit("name=Ada&email=ada@example.org").await.shows("2. When");

    ada.kill();
    ada.get("/counter").await.shows("Count: 1");
    ada.follow("++").await.shows("Count: 2");
    ada.get("/wizard").await.shows("2. When");
    ada.kill();
    ada.submit("people=4&time=19:30").await.shows("3. Any wishes?");
    ada.kill();
    ada.submit("remarks=none").await.shows("Is this right?");
    ada.shows("Ada (ada@example.org) wants a table for 4 at 19:30.");
}

/// Killed while it works on a click: when the visitor clicks again, it counts once.
#[tokio::test]
async fn a_click_that_a_gallery_was_killed_at_counts_once() {
    let mut ada = Visit::begin().await;
    ada.get("/counter").await;
    ada.follow("++").await.shows("Count: 1");
    for round in 0..6u64 {
        let clicked = ada.send("GET", &ada.link("++"), "").await;
        tokio::time::sleep(std::time::Duration::from_micros(300 * round)).await;
        ada.kill();
        drop(clicked);
        ada.follow("++").await.shows(&format!("Count: {}", round + 2));
    }
}

#[tokio::test]
async fn a_shop_killed_while_it_charges_charges_once() {
    let mut ada = Visit::begin().await;
    let gateway = ada.gallery.gateway.greeting.trim_end().to_owned();
    ada.get("/shop").await;
    ada.follow("Add a teapot").await.shows("In your cart: 1, 42.00");
    ada.kill();
    ada.press().await;
    ada.submit("name=Ada&street=Mill+Road+1").await.shows("To pay: 42.00");
    let away = ada.press().await.expect("to the gateway");

    // She pays there while nobody is here. This card is charged at once, and its holder is told three seconds later.
    ada.kill();
    let back = pay(&away, "2222").await;
    assert!(back.starts_with("http://localhost/shop"), "{back}");
    let target = back.split_once("/shop").map(|(_, rest)| format!("/shop{rest}")).expect("the way back");
    let coming = ada.send("GET", &target, "").await;
    while charges(&gateway).await != "1" {
        tokio::time::sleep(crate::GLANCE).await;
    }
    ada.kill();
    drop(coming);
    // Once more by the browser, and then by the gateway itself, which has no cookie.
    ada.get(&target).await.shows("Thank you, Ada!");
    ada.shows("booked so far: 1");
    let again = Client::connect(&ada.gallery.program.address()).await.get(&target).await.text().to_owned();
    assert!(again.contains("received before") && !again.contains("Ada"), "{again}");
    assert_eq!(charges(&gateway).await, "1");
    ada.kill();
    ada.get("/shop").await.shows("You paid 42.00, receipt");
}

#[tokio::test]
async fn the_shops_gateway_goes_with_who_started_it() {
    let mut gateway = Program::start_gateway();
    assert_eq!(charges(gateway.greeting.trim_end()).await, "0");
    gateway.hang_up();
    until("the gateway is gone", || !gateway.is_running()).await;
}

#[tokio::test]
async fn r59_a_gallery_says_which_sessions_it_replays() {
    let mut ada = Visit::begin().await;
    ada.get("/counter").await;
    ada.follow("++").await.shows("Count: 1");
    ada.get("/wizard").await;
    ada.submit("name=Ada&email=ada@example.org").await.shows("2. When");
    ada.gallery.only_kill();
    let (clean, said) = Program::check_replay(&ada.gallery.folder.0.join("gallery.db"));
    assert!(clean && said.contains("2 sessions: 2 replay clean, 0 diverge"), "{said}");
    ada.gallery.start_again();
    ada.get("/wizard").await.shows("2. When");
}

#[tokio::test]
async fn a_second_gallery_on_a_journal_is_told_so() {
    let ada = Visit::begin().await;
    let ended = Program::run_gallery(&ada.gallery.folder.0.join("gallery.db"));
    assert!(!ended.status.success(), "{ended:?}");
    assert!(ended.errors.contains("is open in another server"), "{ended:?}");
    assert!(ended.errors.contains("JOURNAL="), "{ended:?}");
}
