//! The walks that real browsers go in `tests/system`, by the kit's browser.

use continuity::test::Browser;

use crate::all_walks::{Place, Visit, server, walk_all};

struct Tab {
    browser: Browser,
    one: Option<Browser>,
}

impl Visit for Tab {
    async fn open(&mut self, path: &str) {
        self.browser.get(path).await;
    }

    async fn follow(&mut self, text: &str) {
        self.browser.follow(text).await;
    }

    async fn press(&mut self, text: &str) {
        self.browser.click(text).await;
    }

    async fn fill(&mut self, name: &str, text: &str) {
        self.browser.fill(name, text);
    }

    async fn value(&mut self, name: &str) -> String {
        self.browser.value(name)
    }

    async fn go(&mut self, pages: i32) {
        for _ in 0..pages.unsigned_abs() {
            if pages < 0 {
                self.browser.back()
            } else {
                self.browser.forward()
            };
        }
        let stored = self.browser.header_value("cache-control");
        if stored.is_some_and(|stored| stored.contains("no-store")) {
            self.browser.reload().await;
        }
    }

    async fn reload(&mut self) {
        self.browser.reload().await;
    }

    async fn duplicate(&mut self) {
        let mut other = self.browser.new_tab();
        other.get(&self.browser.url()).await;
        self.one = Some(std::mem::replace(&mut self.browser, other));
    }

    async fn leave_duplicate(&mut self) {
        self.browser = self.one.take().expect("it was duplicated");
    }

    async fn forget(&mut self) {
        self.browser = self.browser.other();
    }

    async fn reads(&mut self, _: &str) -> String {
        self.browser.text()
    }
}

async fn walk(journaled: bool) {
    let (server, counts) = server(journaled);
    let mut tab = Tab { browser: Browser::of(server).without_rehearsal(), one: None };
    let places = [Place { root: String::new(), journaled, counts }];
    let wrong = walk_all(&mut tab, &places).await;
    assert!(wrong.is_empty(), "{} walks went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn with_a_journal_back_leads_to_the_page_that_was_seen() {
    walk(true).await;
}

#[tokio::test]
async fn without_a_journal_back_leads_to_the_page_that_was_seen_or_says_that_it_is_not_kept() {
    walk(false).await;
}
