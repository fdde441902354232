//! Firefox without a screen, led by Marionette: what geckodriver speaks to it, as much of that as is needed here.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::PATIENCE;
use crate::folder::Folder;
use crate::web::Web;

const PACKAGE: &str = "the browser tests need the Debian package `firefox-esr`";
/// It finds a port of its own, asks nothing, calls nobody, and has the tabs that it had. Forms are sent again on reload, as
/// its user allows it to, and pages are kept whole, which Marionette would switch off.
const PREFERENCES: &str = r#"
user_pref("marionette.port", 0);
user_pref("browser.startup.page", 3);
user_pref("browser.sessionstore.resume_from_crash", true);
user_pref("remote.prefs.recommended", false);
user_pref("dom.confirm_repost.testing.always_accept", true);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.warnOnQuit", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
"#;

/// A browser with one window. Gone when dropped.
pub struct Firefox {
    browser: Child,
    line: Mutex<Line>,
    profile: Arc<Folder>,
}

/// The connection, on which messages are numbered.
struct Line {
    stream: TcpStream,
    number: u64,
}

impl Firefox {
    pub async fn start() -> Firefox {
        Firefox::with(&Arc::new(Folder::new("firefox")), "").await
    }

    /// On a profile that may have been used before, with more preferences.
    pub async fn with(profile: &Arc<Folder>, more: &str) -> Firefox {
        let port = profile.0.join("MarionetteActivePort");
        drop(std::fs::remove_file(&port));
        let preferences = [PREFERENCES, more].concat();
        std::fs::write(profile.0.join("user.js"), preferences).expect("a file can be written");
        let browser = Command::new("firefox-esr")
            .args(["--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile"])
            .arg(&profile.0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("Firefox cannot be started ({error}): {PACKAGE}"));
        let start = Instant::now();
        let stream = loop {
            let port = std::fs::read_to_string(&port).ok().and_then(|port| port.trim().parse::<u16>().ok());
            if let Some(port) = port
                && let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await
            {
                break stream;
            }
            assert!(start.elapsed() < 3 * PATIENCE, "Firefox does not listen: {PACKAGE}");
            tokio::time::sleep(crate::GLANCE).await;
        };
        let mut line = Line { stream, number: 0 };
        let greeting = line.read().await;
        assert_eq!(greeting["marionetteProtocol"], 3, "{greeting}");
        let firefox = Firefox { browser, line: Mutex::new(line), profile: profile.clone() };
        firefox.say("WebDriver:NewSession", json!({})).await.expect("a session begins");
        firefox
    }

    /// Ends as when its user closes it, and starts again: with the tabs that it had.
    pub async fn quit_and_start_again(mut self) -> Firefox {
        self.say("Marionette:Quit", json!({ "flags": ["eAttemptQuit"] })).await.expect("it quits");
        let start = Instant::now();
        while self.browser.try_wait().expect("it is our child").is_none() {
            assert!(start.elapsed() < PATIENCE, "it was told to quit and still runs");
            tokio::time::sleep(crate::GLANCE).await;
        }
        Firefox::with(&self.profile.clone(), "").await
    }

    /// What "Duplicate Tab" in its menu does; goes to the new tab.
    pub async fn duplicate_tab(&self) -> String {
        let before = self.tabs().await;
        self.say("Marionette:SetContext", json!({ "value": "chrome" })).await.expect("there is one");
        self.run("gBrowser.selectedTab = gBrowser.duplicateTab(gBrowser.selectedTab)").await;
        self.say("Marionette:SetContext", json!({ "value": "content" })).await.expect("there is one");
        let start = Instant::now();
        loop {
            if let Some(tab) = self.tabs().await.into_iter().find(|tab| !before.contains(tab)) {
                self.go_to_tab(&tab).await;
                return tab;
            }
            assert!(start.elapsed() < PATIENCE, "there is no new tab");
            tokio::time::sleep(crate::GLANCE).await;
        }
    }

    async fn say(&self, command: &str, body: Value) -> Result<Value, String> {
        let mut line = self.line.lock().await;
        line.number += 1;
        let message = json!([0, line.number, command, body]).to_string();
        line.stream.write_all(format!("{}:{message}", message.len()).as_bytes()).await.expect("it reads");
        let mut answer = timeout(3 * PATIENCE, line.read()).await.expect("answered in time");
        match answer[2].take() {
            Value::Null => Ok(answer[3].take()),
            error => Err(format!("{}: {}", error["error"], error["message"])),
        }
    }
}

impl Line {
    /// A message: how many bytes it has, a colon, and JSON.
    async fn read(&mut self) -> Value {
        let mut length = 0;
        loop {
            match self.stream.read_u8().await.expect("it is there") {
                b':' => break,
                digit => length = 10 * length + usize::from(digit - b'0'),
            }
        }
        let mut message = vec![0; length];
        self.stream.read_exact(&mut message).await.expect("it is there");
        serde_json::from_slice(&message).expect("it speaks JSON")
    }
}

impl Web for Firefox {
    async fn ask(&self, method: &str, path: &str, mut body: Value) -> Result<Value, String> {
        let mut parts = path.trim_start_matches('/').split('/');
        let command = match (method, parts.next().unwrap_or_default(), parts.next(), parts.next()) {
            ("POST", "url", ..) => "Navigate",
            ("POST", "back", ..) => "Back",
            ("POST", "refresh", ..) => "Refresh",
            ("POST", "actions", ..) => "PerformActions",
            ("POST", "execute", ..) => "ExecuteScript",
            ("POST", "window", Some("new"), _) => "NewWindow",
            ("POST", "window", None, _) => "SwitchToWindow",
            ("GET", "window", Some(_), _) => "GetWindowHandles",
            ("GET", "window", None, _) => "GetWindowHandle",
            ("GET", "source", ..) => "GetPageSource",
            ("DELETE", "cookie", ..) => "DeleteAllCookies",
            ("DELETE", "window", ..) => "CloseWindow",
            ("POST", "element", None, _) => "FindElement",
            ("POST", "element", Some(id), Some(act)) => {
                body["id"] = id.into();
                match act {
                    "click" => "ElementClick",
                    "clear" => "ElementClear",
                    _ => "ElementSendKeys",
                }
            }
            _ => panic!("{method} {path} is not needed here"),
        };
        let body = if body.is_null() { json!({}) } else { body };
        let mut value = self.say(&format!("WebDriver:{command}"), body).await?;
        // Whatever is one value stands in a map; maps and lists stand for themselves.
        Ok(if value.get("value").is_some() { value["value"].take() } else { value })
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.browser.kill());
        drop(self.browser.wait());
    }
}
