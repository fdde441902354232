//! Gopher, driven by curl and lynx, with the same session functions on the web.

use std::cmp::Ordering;
use std::process::Command;
use std::time::Duration;

use continuity::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::client::Client;
use crate::folder::Folder;
use crate::gallery::shelf::{adventure::adventure, guess::guess};

/// A server with two doors, until it is dropped.
struct Doors {
    web: String,
    gopher: String,
    _stop: oneshot::Sender<()>,
}

impl Doors {
    async fn open(server: Server) -> Doors {
        Doors::with(server, Gopher::on(0)).await
    }

    async fn with(server: Server, gopher: Gopher) -> Doors {
        let bound = server.listen(Http::on(0)).listen(gopher).bind().await.expect("the server starts");
        let [web, gopher] = bound.addresses().try_into().expect("two doors");
        let (stop, told) = oneshot::channel();
        tokio::spawn(bound.run_until(async { drop(told.await) }));
        Doors { web, gopher, _stop: stop }
    }

    /// What is answered to these bytes.
    async fn say(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.gopher).await.expect("it listens");
        stream.write_all(bytes).await.expect("it reads");
        let mut answer = Vec::new();
        let read = tokio::time::timeout(crate::PATIENCE, stream.read_to_end(&mut answer));
        read.await.expect("it answers in time").expect("it answers");
        answer
    }

    async fn ask(&self, selector: &str) -> Menu {
        Menu::read(self.say(format!("{selector}\r\n").as_bytes()).await)
    }

    async fn curl(&self, selector: &str) -> Menu {
        let url = format!("gopher://{}/1{selector}", self.gopher);
        Menu::read(run("curl", &["--silent", "--show-error", "--max-time", "20", &url]).await)
    }

    async fn lynx(&self, rest: &str) -> String {
        let url = if rest.starts_with("gopher:") {
            rest.to_owned()
        } else {
            format!("gopher://{}/{rest}", self.gopher)
        };
        String::from_utf8(run("lynx", &["-dump", &url]).await).expect("text")
    }
}

async fn run(program: &'static str, args: &[&str]) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(args);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it is waited for");
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A menu as it came.
#[derive(Debug)]
struct Menu(Vec<[String; 4]>);

impl Menu {
    fn read(bytes: Vec<u8>) -> Menu {
        let text = String::from_utf8(bytes).expect("text");
        let lines = text.strip_suffix(".\r\n").unwrap_or_else(|| panic!("no end: {text:?}"));
        let fields = |line: &str| {
            let fields: Vec<_> = line.split('\t').map(str::to_owned).collect();
            fields.try_into().unwrap_or_else(|_| panic!("no four fields: {line:?}"))
        };
        Menu(lines.split_terminator("\r\n").map(fields).collect())
    }

    fn text(&self) -> String {
        self.0.iter().map(|[text, ..]| format!("{text}\n")).collect()
    }

    #[track_caller]
    fn shows(&self, text: &str) -> &Self {
        assert!(self.text().contains(text), "{text:?} is not in\n{}", self.text());
        self
    }

    /// The selector of the item with this type and text.
    #[track_caller]
    fn item(&self, text: &str) -> &str {
        let found = self.0.iter().find(|[shown, ..]| shown == text);
        &found.unwrap_or_else(|| panic!("no item {text:?} in\n{}", self.text()))[1]
    }
}

/// Halves what is left, by what the game says.
struct Guesser(u32, u32);

impl Guesser {
    fn guess(&self) -> u32 {
        self.0.midpoint(self.1)
    }

    /// Hears the answer to the last guess.
    fn hear(&mut self, said: &str) -> Ordering {
        let guess = self.guess();
        if said.contains(&format!("higher than {guess}")) {
            self.0 = guess + 1;
            Ordering::Less
        } else if said.contains(&format!("lower than {guess}")) {
            self.1 = guess - 1;
            Ordering::Greater
        } else {
            assert!(said.contains("You got it!"), "{said}");
            Ordering::Equal
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_function_is_played_to_the_end_by_curl_and_on_the_web() {
    let doors = Doors::open(Server::new(guess)).await;
    let (mut gopher, mut web) = (Guesser(1, 100), Guesser(1, 100));
    let mut menu = doors.curl("/").await;
    menu.shows("Can you guess it?");
    let first = Client::connect(&doors.web).await.get("/").await;
    let cookie = first.cookie().to_owned();
    let mut page = first.text().to_owned();
    let (mut by_gopher, mut on_the_web) = (false, false);
    while !(by_gopher && on_the_web) {
        if !by_gopher {
            menu = doors.curl(&format!("{}%09{}", menu.item("7Your guess"), gopher.guess())).await;
            by_gopher = gopher.hear(&menu.text()).is_eq();
        }
        if !on_the_web {
            let token = page.split("name=\"_t\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
            let target = format!("/?_t={}&guess={}", token.expect("a form"), web.guess());
            let reply = Client::connect(&doors.web).await.get_as(&cookie, &target).await;
            page = reply.text().to_owned();
            on_the_web = web.hear(&page).is_eq();
        }
    }
    let again = doors.curl(menu.item("1Play again")).await;
    again.shows("Can you guess it?");
}

#[tokio::test(flavor = "multi_thread")]
async fn lynx_plays_guess_to_the_end_by_the_links_it_shows() {
    let doors = Doors::open(Server::new(guess)).await;
    let mut guesser = Guesser(1, 100);
    let mut page = doors.lynx("").await;
    assert!(page.contains("(?)  [1]Your guess"), "{page}");
    loop {
        let link =
            page.lines().find_map(|line| line.trim().strip_prefix("1. ")).expect("its links are listed");
        page = doors.lynx(&format!("{link}?{}", guesser.guess())).await;
        if guesser.hear(&page).is_eq() {
            break;
        }
    }
    assert!(page.contains("(DIR) [1]Play again"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lynx_finds_the_way_through_the_adventure_key_by_key() {
    let doors = Doors::open(Server::new(adventure)).await;
    let folder = Folder::new("gopher");
    let script = folder.0.join("keys");
    let word = |word: &str| word.chars().map(|c| format!("key {c}\n")).collect::<String>();
    let follow = "key <return>\n";
    let keys = [
        // Take the lamp, go in, go on, wake the door; then what is typed is searched for.
        follow,
        follow,
        follow,
        follow,
        follow,
        &word("secret"),
        follow,
        "key p\n",
        "key q\nkey y\n",
    ];
    std::fs::write(&script, keys.concat()).expect("it can be written");
    let url = format!("gopher://{}/", doors.gopher);
    let mut command = Command::new("lynx");
    command.arg(format!("-cmd_script={}", script.display())).arg(&url).env("TERM", "vt100");
    let screen =
        tokio::task::spawn_blocking(move || command.output()).await.expect("waited for").expect("it runs");
    let screen = String::from_utf8_lossy(&screen.stdout).into_owned();
    assert!(screen.contains("You are rich, after 4 moves"), "{screen}");
}

#[tokio::test]
async fn r55_a_selector_is_a_bearer_token() {
    async fn count(mut req: Request) -> Result<()> {
        for count in 0.. {
            req.choose(|c| html! { h1 { "Count: " (count) } (c.link("++", ())) }).await?;
        }
        Ok(())
    }
    let doors = Doors::open(Server::new(count)).await;
    let first = doors.ask("/").await;
    let up = first.item("1++").to_owned();
    assert!(up.len() < 100, "{up}");
    doors.ask(&up).await.shows("iCount: 1");
    // Another connection, another client: who has the selector is the visitor. The same choice again is a repeat.
    doors.curl(&up).await.shows("iCount: 1");
    let id = up.split('/').next().expect("an id");
    doors.ask(&format!("{id}/")).await.shows("iCount: 1");
    doors.ask("/").await.shows("iCount: 0");
    let forged = id.replace(id.get(5..6).expect("an id"), if id.get(5..6) == Some("x") { "y" } else { "x" });
    let stranger = doors.ask(&format!("{forged}/")).await;
    assert_ne!(
        stranger.shows("iCount: 0").item("1++").split('/').next(),
        Some(&*forged),
        "an id of our own making"
    );
}

#[tokio::test]
async fn r55_what_is_no_selector_is_told_so_and_starts_nothing() {
    let doors = Doors::open(Server::new(guess)).await;
    for (line, says) in [
        (format!("/{}", "x".repeat(255)), "3A selector has at most 255 characters."),
        (format!("/{}", "x".repeat(9000)), "3This line is too long."),
        (format!("/\t{}", "x".repeat(2100)), "3These are too many words."),
        ("GET / HTTP/1.1".to_owned(), "3This is no selector"),
        ("URL:javascript:alert(1)".to_owned(), "3This leads to where gopher cannot go."),
    ] {
        doors.ask(&line).await.shows(says);
    }
    doors.ask(&format!("/{}", "x".repeat(254))).await.shows("Can you guess it?");
    let page = String::from_utf8(doors.say(b"URL:https://else.test/?a=\"1\"\r\n").await).expect("text");
    assert!(page.contains("0; url=https://else.test/?a=&quot;1&quot;"), "{page}");
}

#[tokio::test]
async fn r55_who_says_nothing_or_half_a_line_is_not_waited_for() {
    let server = Server::new(guess).limits(|limits| {
        (limits.first_byte, limits.head_time) = (Duration::from_millis(100), Duration::from_millis(200));
    });
    let doors = Doors::open(server).await;
    assert_eq!(doors.say(b"").await, b"");
    let late = String::from_utf8(doors.say(b"/half").await).expect("text");
    assert!(late.starts_with("3This took too long."), "{late}");
}

#[tokio::test]
async fn r55_files_are_texts_with_an_end_or_bytes_as_they_are() {
    let folder = Folder::new("shelf");
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    std::fs::write(folder.0.join("notes.txt"), ".\na\n..\nend").expect("it can be written");
    std::fs::write(folder.0.join("map.png"), &bytes).expect("it can be written");
    async fn shelf(mut req: Request) -> Result<()> {
        req.print(html! { a href="notes.txt" { "Notes" } " " img src="map.png" alt="Map"; });
        Ok(())
    }
    let doors = Doors::open(Server::new(shelf).files(&folder.0)).await;
    let menu = doors.ask("/").await;
    let notes = doors.say(format!("{}\r\n", menu.item("0Notes")).as_bytes()).await;
    assert_eq!(String::from_utf8_lossy(&notes), "..\r\na\r\n...\r\nend\r\n.\r\n");
    assert_eq!(doors.say(format!("{}\r\n", menu.item("IMap")).as_bytes()).await, bytes);
    let lynx = doors.lynx("0/notes.txt").await;
    assert!(lynx.contains("end"), "{lynx}");
    doors.ask("/missing.png").await;
}

#[tokio::test]
async fn redirects_are_followed_and_forms_posted() {
    async fn sign(mut req: Request) -> Result<()> {
        req.print(html! { form method="post" action="/sign?x=1" { label { "Name " input name="name"; } button { "Sign" } } });
        req.next().await?;
        let (method, name): (String, String) = (req.method().to_string(), req.param("name")?);
        req.redirect("/done")?;
        req.next().await?;
        req.print(html! { p { (method) " by " (name) " at " (req.path()) } a href="/bye" { "Bye" } });
        req.next().await?;
        req.leave_for("https://else.test/x")?;
        Ok(())
    }
    let doors = Doors::open(Server::new(sign)).await;
    let form = doors.ask("/").await.item("7Name").to_owned();
    let done = doors.ask(&format!("{form}\tAda & Ben")).await;
    let bye = done.shows("iPOST by Ada & Ben at /done").item("1Bye").to_owned();
    assert_eq!(doors.ask(&bye).await.item("hhttps://else.test/x"), "URL:https://else.test/x");
}

#[tokio::test]
async fn what_is_not_a_page_is_told_or_offered_as_what_it_is() {
    async fn odd(mut req: Request) -> Result<()> {
        match &*req.path() {
            "/plain" => drop(req.send("text/plain", "a\n  b\n.\n")?),
            "/data" => drop(req.send("application/zip", "PK")?),
            _ => return Err("it is broken".into()),
        }
        Ok(())
    }
    let doors = Doors::open(Server::new(odd)).await;
    assert_eq!(doors.ask("/plain").await.text(), "ia\ni  b\ni.\n");
    let offer = doors.ask("/data").await;
    assert_eq!(doors.say(format!("{}\r\n", offer.item("9Get it (application/zip)")).as_bytes()).await, b"PK");
    let broken = doors.ask("/fails").await;
    assert!(broken.text().starts_with('3') && !broken.text().contains("it is broken"), "{broken:?}");
}

#[tokio::test]
async fn menus_name_the_host_that_was_said() {
    let gopher = || Gopher::on(0);
    let doors = Doors::with(Server::new(guess), gopher().host("gopher.test")).await;
    let [_, _, host, port] = doors.ask("/").await.0.pop().expect("the search");
    assert_eq!((&*host, &*port), ("gopher.test", "70"));
    for wrong in ["", "a b", "x:y", "a\tb"] {
        let error =
            Server::new(guess).listen(gopher().host(wrong)).bind().await.expect_err(wrong).to_string();
        assert!(error.contains(&format!("{wrong:?}")) && error.contains("example.org:7070"), "{error}");
    }
}
