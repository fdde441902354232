//! Chromium without a screen, led by chromedriver: as much of WebDriver as is needed here.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::PATIENCE;
use crate::client::Client;
use crate::folder::Folder;

const ARGUMENTS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1000,800",
];
const PACKAGES: &str = "the browser tests need the Debian packages `chromium` and `chromium-driver`";
/// The name of an element's id, by the standard.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window. Gone when dropped.
pub struct Chrome {
    driver: Child,
    /// Where the driver writes: it must not be closed before the driver is.
    _output: BufReader<ChildStdout>,
    address: String,
    session: String,
    _profile: Folder,
}

impl Chrome {
    pub async fn start() -> Chrome {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver cannot be started ({error}): {PACKAGES}"));
        let mut output = BufReader::new(driver.stdout.take().expect("it is piped"));
        let address = format!("127.0.0.1:{}", port(&mut output));
        let profile = Folder::new("chrome");
        let mut chrome =
            Chrome { driver, _output: output, address, session: String::new(), _profile: profile };
        chrome.begin().await;
        chrome
    }

    async fn begin(&mut self) {
        let profile = format!("--user-data-dir={}", self._profile.0.display());
        let arguments: Vec<_> = ARGUMENTS.into_iter().chain([&*profile]).collect();
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let begun = self.ask("POST", "/session", wanted).await;
        let begun = begun.unwrap_or_else(|error| panic!("Chromium cannot be started ({error}): {PACKAGES}"));
        self.session = begun["sessionId"].as_str().expect("a session has an id").to_owned();
    }

    pub async fn open(&self, url: &str) -> &Chrome {
        self.command("/url", json!({ "url": url })).await;
        self
    }

    /// Clicks on the link with this text.
    pub async fn follow(&self, text: &str) -> &Chrome {
        let link = self.find("link text", text).await;
        self.command(&format!("/element/{link}/click"), json!({})).await;
        self
    }

    /// Clicks twice on the link with this text, as a hand does.
    pub async fn double_click(&self, text: &str) -> &Chrome {
        let link = self.find("link text", text).await;
        let (down, up) =
            (json!({ "type": "pointerDown", "button": 0 }), json!({ "type": "pointerUp", "button": 0 }));
        let to = json!({ "type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": { ELEMENT: link } });
        let mouse = json!({ "type": "pointer", "id": "mouse", "actions": [to, down, up, down, up] });
        self.command("/actions", json!({ "actions": [mouse] })).await;
        self
    }

    /// Presses the button with this text.
    pub async fn press(&self, text: &str) -> &Chrome {
        let button = self.find("xpath", &format!("//button[normalize-space()='{text}']")).await;
        self.command(&format!("/element/{button}/click"), json!({})).await;
        self
    }

    /// Types into the field of this name, in place of what is there.
    pub async fn fill(&self, name: &str, text: &str) -> &Chrome {
        let field = self.find("css selector", &format!("[name='{name}']")).await;
        self.command(&format!("/element/{field}/clear"), json!({})).await;
        self.command(&format!("/element/{field}/value"), json!({ "text": text })).await;
        self
    }

    /// Sends the form by the Enter key, in the field of this name.
    pub async fn enter(&self, name: &str) -> &Chrome {
        let field = self.find("css selector", &format!("[name='{name}']")).await;
        self.command(&format!("/element/{field}/value"), json!({ "text": "\u{e007}" })).await;
        self
    }

    /// Clicks on what a selector finds.
    pub async fn click(&self, selector: &str) -> &Chrome {
        let element = self.find("css selector", selector).await;
        self.command(&format!("/element/{element}/click"), json!({})).await;
        self
    }

    pub async fn back(&self) -> &Chrome {
        self.command("/back", json!({})).await;
        self
    }

    pub async fn reload(&self) -> &Chrome {
        self.command("/refresh", json!({})).await;
        self
    }

    /// Opens a tab and goes to it.
    pub async fn open_tab(&self) -> String {
        let tab = self.command("/window/new", json!({ "type": "tab" })).await;
        let tab = tab["handle"].as_str().expect("a tab has a handle").to_owned();
        self.go_to_tab(&tab).await;
        tab
    }

    pub async fn tab(&self) -> String {
        let tab = self.ask("GET", &format!("/session/{}/window", self.session), Value::Null).await;
        tab.expect("there is a tab").as_str().expect("a handle is a text").to_owned()
    }

    pub async fn go_to_tab(&self, tab: &str) -> &Chrome {
        self.command("/window", json!({ "handle": tab })).await;
        self
    }

    /// Waits until this text stands on the page.
    pub async fn shows(&self, text: &str) -> &Chrome {
        let start = Instant::now();
        loop {
            let page = self.text().await;
            if page.contains(text) {
                return self;
            }
            assert!(start.elapsed() < PATIENCE, "{text:?} is not on the page:\n{page}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What a reader sees of the page.
    pub async fn text(&self) -> String {
        let text = self.run("return document.body ? document.body.innerText : ''").await;
        text.as_str().expect("a page's text is a text").to_owned()
    }

    /// Runs a script on the page; a promise that it returns is waited for.
    pub async fn run(&self, script: &str) -> Value {
        self.command("/execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// What the page has complained about since the last look.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.command("/se/log", json!({ "type": "browser" })).await;
        let lines = log.as_array().expect("a log has lines").iter();
        lines.filter(|line| line["level"] == "SEVERE").map(Value::to_string).collect()
    }

    async fn find(&self, by: &str, what: &str) -> String {
        let found = self.command("/element", json!({ "using": by, "value": what })).await;
        found[ELEMENT].as_str().expect("an element has an id").to_owned()
    }

    async fn command(&self, path: &str, body: Value) -> Value {
        let done = self.ask("POST", &format!("/session/{}{path}", self.session), body.clone()).await;
        match done {
            Ok(value) => value,
            Err(error) => panic!("{path} {body}: {error}\n{}", Box::pin(self.source()).await),
        }
    }

    /// The page as it is, for whoever reads why a test failed.
    async fn source(&self) -> Value {
        let source = self.ask("GET", &format!("/session/{}/source", self.session), Value::Null).await;
        source.unwrap_or_default()
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Result<Value, String> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut client = Client::connect(&self.address).await;
        let fields = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        client.ask(&format!("{method} {path}"), &fields).await;
        client.send(body).await;
        let reply = client.reply().await;
        let mut answer: Value = serde_json::from_slice(&reply.body).expect("the driver speaks JSON");
        let value = answer["value"].take();
        if reply.status == 200 { Ok(value) } else { Err(format!("{}: {}", value["error"], value["message"])) }
    }
}

fn port(output: &mut impl BufRead) -> u16 {
    loop {
        let mut line = String::new();
        let length = output.read_line(&mut line).expect("what it writes is text");
        assert!(length > 0, "chromedriver ended before it listened: {PACKAGES}");
        if let Some((_, port)) = line.trim_end().trim_end_matches('.').rsplit_once("successfully on port ") {
            return port.parse().expect("a port is a number");
        }
    }
}

impl Drop for Chrome {
    /// The driver ends the browser when it is told to, and not when it is killed. Then it may have gone wrong already.
    fn drop(&mut self) {
        let end = || -> std::io::Result<()> {
            let mut stream = std::net::TcpStream::connect(&self.address)?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            write!(
                stream,
                "DELETE /session/{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                self.session
            )?;
            // It answers when the browser has ended, and keeps the connection open.
            stream.read(&mut [0; 512]).map(drop)
        };
        if !self.session.is_empty() {
            drop(end());
        }
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}
