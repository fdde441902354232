//! A browser without a screen, led by WebDriver: as much of that as is needed here.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::PATIENCE;

/// The name of an element's id, by the standard.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window. A command is answered when what it did is done, as far as the browser knows.
pub trait Web: Sized {
    /// What the browser says to a command of WebDriver, named by its path behind that of the session.
    async fn ask(&self, method: &str, path: &str, body: Value) -> Result<Value, String>;

    async fn open(&self, url: &str) -> &Self {
        self.command("/url", json!({ "url": url })).await;
        self
    }

    /// Clicks on the link with this text.
    async fn follow(&self, text: &str) -> &Self {
        let link = self.find("link text", text).await;
        self.command(&format!("/element/{link}/click"), json!({})).await;
        self
    }

    /// Clicks twice on the link with this text, as a hand does.
    async fn double_click(&self, text: &str) -> &Self {
        let link = self.find("link text", text).await;
        self.click_twice(&link).await;
        self
    }

    /// Presses the button with this text.
    async fn press(&self, text: &str) -> &Self {
        let button = self.find("xpath", &format!("//button[normalize-space()='{text}']")).await;
        self.command(&format!("/element/{button}/click"), json!({})).await;
        self
    }

    /// Types into the field of this name, in place of what is there.
    async fn fill(&self, name: &str, text: &str) -> &Self {
        let field = self.find("css selector", &format!("[name='{name}']")).await;
        self.command(&format!("/element/{field}/clear"), json!({})).await;
        self.command(&format!("/element/{field}/value"), json!({ "text": text })).await;
        self
    }

    /// Sends the form by the Enter key, in the field of this name.
    async fn enter(&self, name: &str) -> &Self {
        let field = self.find("css selector", &format!("[name='{name}']")).await;
        self.command(&format!("/element/{field}/value"), json!({ "text": "\u{e007}" })).await;
        self
    }

    /// Clicks on what a selector finds.
    async fn click(&self, selector: &str) -> &Self {
        let element = self.find("css selector", selector).await;
        self.command(&format!("/element/{element}/click"), json!({})).await;
        self
    }

    /// Presses the button with this text twice, as a hand does.
    async fn double_press(&self, text: &str) -> &Self {
        let button = self.find("xpath", &format!("//button[normalize-space()='{text}']")).await;
        self.click_twice(&button).await;
        self
    }

    async fn click_twice(&self, element: &str) {
        let (down, up) =
            (json!({ "type": "pointerDown", "button": 0 }), json!({ "type": "pointerUp", "button": 0 }));
        let to =
            json!({ "type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": { ELEMENT: element } });
        let mouse = json!({ "type": "pointer", "id": "mouse", "actions": [to, down, up, down, up] });
        self.command("/actions", json!({ "actions": [mouse] })).await;
    }

    async fn back(&self) -> &Self {
        self.command("/back", json!({})).await;
        self
    }

    async fn reload(&self) -> &Self {
        self.command("/refresh", json!({})).await;
        self
    }

    /// Opens a tab and goes to it.
    async fn open_tab(&self) -> String {
        let tab = self.command("/window/new", json!({ "type": "tab" })).await;
        let tab = tab["handle"].as_str().expect("a tab has a handle").to_owned();
        self.go_to_tab(&tab).await;
        tab
    }

    async fn tab(&self) -> String {
        let tab = self.ask("GET", "/window", Value::Null).await;
        tab.expect("there is a tab").as_str().expect("a handle is a text").to_owned()
    }

    async fn tabs(&self) -> Vec<String> {
        let tabs = self.ask("GET", "/window/handles", Value::Null).await.expect("there are tabs");
        serde_json::from_value(tabs).expect("handles are texts")
    }

    async fn go_to_tab(&self, tab: &str) -> &Self {
        self.command("/window", json!({ "handle": tab })).await;
        self
    }

    /// Where a link with this text leads.
    async fn href(&self, text: &str) -> String {
        let link = self.find("link text", text).await;
        let script = json!({ "script": "return arguments[0].href", "args": [{ ELEMENT: link }] });
        self.command("/execute/sync", script).await.as_str().expect("a link leads somewhere").to_owned()
    }

    /// Opens where a link with this text leads in a tab of its own, and goes to it.
    async fn open_in_tab(&self, text: &str) -> String {
        let href = self.href(text).await;
        let tab = self.open_tab().await;
        self.open(&href).await;
        tab
    }

    /// Waits until this text stands on the page.
    async fn shows(&self, text: &str) -> &Self {
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

    /// What a reader sees of the page; nothing while it makes room for another.
    async fn text(&self) -> String {
        let text = self.run("return document.body ? document.body.innerText : ''").await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Runs a script on the page; a promise that it returns is waited for.
    async fn run(&self, script: &str) -> Value {
        self.command("/execute/sync", json!({ "script": script, "args": [] })).await
    }

    async fn find(&self, by: &str, what: &str) -> String {
        let found = self.command("/element", json!({ "using": by, "value": what })).await;
        found[ELEMENT].as_str().expect("an element has an id").to_owned()
    }

    async fn command(&self, path: &str, body: Value) -> Value {
        let done = self.ask("POST", path, body.clone()).await;
        match done {
            Ok(value) => value,
            Err(error) => panic!("{path} {body}: {error}\n{}", Box::pin(self.source()).await),
        }
    }

    /// The page as it is, for whoever reads why a test failed.
    async fn source(&self) -> Value {
        self.ask("GET", "/source", Value::Null).await.unwrap_or_default()
    }
}
