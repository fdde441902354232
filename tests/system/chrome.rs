//! Chromium without a screen, led by chromedriver: what is its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;
use crate::folder::Folder;
use crate::web::Web;

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

/// A browser with one window. Gone when dropped.
pub struct Chrome {
    driver: Child,
    /// Where the driver writes: it must not be closed before the driver is.
    _output: BufReader<ChildStdout>,
    address: String,
    session: String,
    _profile: Arc<Folder>,
}

impl Chrome {
    pub async fn start() -> Chrome {
        Chrome::with(&Arc::new(Folder::new("chrome")), &[]).await
    }

    /// On a profile that may have been used before, with more arguments.
    pub async fn with(profile: &Arc<Folder>, more: &[&str]) -> Chrome {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver cannot be started ({error}): {PACKAGES}"));
        let mut output = BufReader::new(driver.stdout.take().expect("it is piped"));
        let address = format!("127.0.0.1:{}", port(&mut output));
        let (session, _profile) = (String::new(), profile.clone());
        let mut chrome = Chrome { driver, _output: output, address, session, _profile };
        chrome.begin(more).await;
        chrome
    }

    async fn begin(&mut self, more: &[&str]) {
        let profile = format!("--user-data-dir={}", self._profile.0.display());
        let arguments: Vec<_> = ARGUMENTS.iter().chain(more).copied().chain([&*profile]).collect();
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let begun = self.tell("POST /session", wanted).await;
        let begun = begun.unwrap_or_else(|error| panic!("Chromium cannot be started ({error}): {PACKAGES}"));
        self.session = begun["sessionId"].as_str().expect("a session has an id").to_owned();
    }

    /// What the page has complained about since the last look.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.command("/se/log", json!({ "type": "browser" })).await;
        let lines = log.as_array().expect("a log has lines").iter();
        lines.filter(|line| line["level"] == "SEVERE").map(Value::to_string).collect()
    }

    /// What the driver says.
    async fn tell(&self, line: &str, body: Value) -> Result<Value, String> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut client = Client::connect(&self.address).await;
        let fields = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        client.ask(line, &fields).await;
        client.send(body).await;
        let reply = client.reply().await;
        let mut answer: Value = serde_json::from_slice(&reply.body).expect("the driver speaks JSON");
        let value = answer["value"].take();
        if reply.status == 200 { Ok(value) } else { Err(format!("{}: {}", value["error"], value["message"])) }
    }
}

impl Web for Chrome {
    async fn ask(&self, method: &str, path: &str, body: Value) -> Result<Value, String> {
        self.tell(&format!("{method} /session/{}{path}", self.session), body).await
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
