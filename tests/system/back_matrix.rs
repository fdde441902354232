//! Back, Forward, reload and duplicated tabs on pages of all kinds, in both browsers, with their caches and without.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::back::{NOTHING_CACHED, WITHOUT_CACHE};
use crate::chrome::Chrome;
use crate::firefox::Firefox;
use crate::folder::Folder;
use crate::running::Running;
use crate::walks::{Place, Visit, server, walk_all};
use crate::web::Web;

/// How long a page may take to come: a walk that goes wrong waits for so long.
const SOON: Duration = Duration::from_secs(8);
/// Asked whether it wants to send a form again, nobody answers. What it has kept it looks for, however busy the machine is.
const ASKS: &str = "user_pref(\"dom.confirm_repost.testing.always_accept\", false);
user_pref(\"network.http.rcwn.enabled\", false);\n";

/// A browser whose tabs can be duplicated, as far as it lets its driver do that.
trait Duplicates: Web {
    async fn duplicate(&self);
}

impl Duplicates for Chrome {
    async fn duplicate(&self) {
        let address = self.run("return location.href").await;
        self.open_tab().await;
        self.open(address.as_str().expect("an address is a text")).await;
    }
}

impl Duplicates for Firefox {
    async fn duplicate(&self) {
        self.duplicate_tab().await;
    }
}

struct Tab<W> {
    web: W,
    /// The one that was duplicated.
    one: Option<String>,
    /// How often a page was left.
    left: u64,
}

impl<W: Duplicates> Tab<W> {
    /// What a script gives; nothing while there is no page, and where none may run.
    async fn look(&self, script: &str) -> Value {
        let script = json!({ "script": script, "args": [] });
        self.web.ask("POST", "/execute/sync", script).await.unwrap_or_default()
    }

    /// Does what leads to another page, and waits until that is there.
    async fn leave(&mut self, how: &str) {
        self.left += 1;
        let mark = format!("window.left = {}; return window.left", self.left);
        let start = Instant::now();
        while self.look(&mark).await != self.left && start.elapsed() < SOON {
            tokio::time::sleep(crate::GLANCE).await;
        }
        self.look(how).await;
        let there = format!("return window.left !== {} && document.readyState === 'complete'", self.left);
        while self.look(&there).await != true && start.elapsed() < SOON {
            tokio::time::sleep(crate::GLANCE).await;
        }
    }
}

impl<W: Duplicates> Visit for Tab<W> {
    async fn open(&mut self, path: &str) {
        self.web.open(path).await;
    }

    async fn follow(&mut self, text: &str) {
        let link = format!("[...document.links].find(link => link.innerText === '{text}').click()");
        self.leave(&link).await;
    }

    async fn press(&mut self, text: &str) {
        let button = "[...document.querySelectorAll('button')]";
        self.leave(&format!("{button}.find(button => button.innerText === '{text}').click()")).await;
    }

    async fn fill(&mut self, name: &str, text: &str) {
        self.look(&format!("document.querySelector('[name={name}]').value = '{text}'")).await;
    }

    async fn value(&mut self, name: &str) -> String {
        let value = self.look(&format!("return document.querySelector('[name={name}]').value")).await;
        value.as_str().unwrap_or_default().to_owned()
    }

    async fn go(&mut self, pages: i32) {
        self.leave(&format!("history.go({pages})")).await;
    }

    async fn reload(&mut self) {
        drop(self.web.ask("POST", "/refresh", json!({})).await);
    }

    async fn duplicate(&mut self) {
        self.one = Some(self.web.tab().await);
        self.web.duplicate().await;
    }

    async fn leave_duplicate(&mut self) {
        self.web.ask("DELETE", "/window", Value::Null).await.expect("there is one");
        self.web.go_to_tab(&self.one.take().expect("it was duplicated")).await;
    }

    async fn forget(&mut self) {
        drop(self.web.ask("DELETE", "/cookie", Value::Null).await);
        // A history of its own: from one that is full, browsers take entries that nobody has clicked on.
        let before = self.web.tab().await;
        let tab = self.web.open_tab().await;
        self.web.go_to_tab(&before).await;
        self.web.ask("DELETE", "/window", Value::Null).await.expect("there is one");
        self.web.go_to_tab(&tab).await;
    }

    async fn reads(&mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let whole = "return document.readyState === 'complete' ? document.body.innerText : null";
            let page = self.look(whole).await;
            let page = page.as_str().unwrap_or_default();
            if (page.contains(text) && !page.is_empty()) || start.elapsed() > SOON {
                return page.to_owned();
            }
            tokio::time::sleep(crate::GLANCE).await;
        }
    }
}

async fn walk(web: impl Duplicates) {
    let mut places = Vec::new();
    let mut running = Vec::new();
    for journaled in [true, false] {
        let (server, counts) = server(journaled);
        let server = Running::start(server).await;
        places.push(Place { root: format!("http://{}", server.address), journaled, counts });
        running.push(server);
    }
    let wrong = walk_all(&mut Tab { web, one: None, left: 0 }, &places).await;
    assert!(wrong.is_empty(), "{} walks went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn chromium_goes_back_to_the_page_that_was_seen() {
    walk(Chrome::start().await).await;
}

#[tokio::test]
async fn chromium_that_keeps_no_pages_goes_back_to_the_page_that_was_seen() {
    walk(Chrome::with(&Arc::new(Folder::new("chrome")), &[WITHOUT_CACHE]).await).await;
}

#[tokio::test]
async fn firefox_goes_back_to_the_page_that_was_seen() {
    walk(Firefox::with(&Arc::new(Folder::new("firefox")), ASKS).await).await;
}

#[tokio::test]
async fn firefox_that_keeps_no_pages_goes_back_to_the_page_that_was_seen() {
    let preferences = [ASKS, NOTHING_CACHED].concat();
    walk(Firefox::with(&Arc::new(Folder::new("firefox")), &preferences).await).await;
}
