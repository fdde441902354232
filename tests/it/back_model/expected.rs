//! What a page must say, as a check and as code of a test.

use continuity::test::Browser;

use super::model::{Kind, Model, Shown};

const OLDER: &str = "older page";

/// What a page must say.
pub struct Expected {
    status: u16,
    shows: Vec<String>,
    shows_not: Vec<&'static str>,
}

impl Expected {
    pub fn of(model: &Model, shown: Shown) -> Expected {
        let page =
            |status, text: &str| Expected { status, shows: vec![text.to_owned()], shows_not: Vec::new() };
        match shown {
            Shown::Page { session, node, notice, wrong } => {
                let node = model.node(session, node);
                let mut expected = page(if wrong { 422 } else { 200 }, "");
                let trail = &node.trail;
                expected.shows = match node.kind {
                    Kind::Choose => vec![format!("At {trail}."), format!("Basket {}.", node.basket)],
                    Kind::Ask => vec![format!("Name for {trail}?")],
                    Kind::Slip => vec![format!("Slip {trail}.")],
                    Kind::End => vec![format!("Bye {trail}.")],
                };
                expected.say(notice, OLDER);
                expected.say(wrong, "too long");
                match node.receipt {
                    // What was printed before a checkpoint is not there when it is rebuilt from that.
                    Some(_) if model.checkpoints => {}
                    Some(receipt) => expected.shows.push(format!("Receipt {receipt}.")),
                    None => expected.shows_not.push("Receipt"),
                }
                expected
            }
            Shown::Outdated => page(200, OLDER),
            Shown::Expired => page(410, "expired"),
            Shown::Committed => page(410, "going back does not change it"),
            Shown::Failed => page(500, "Something went wrong"),
        }
    }

    fn say(&mut self, said: bool, text: &'static str) {
        if said { self.shows.push(text.to_owned()) } else { self.shows_not.push(text) }
    }

    /// Whether the page says all of it; it may be another one.
    pub fn fits(&self, browser: &Browser) -> bool {
        let text = browser.text().split_whitespace().collect::<Vec<_>>().join(" ");
        self.shows.iter().all(|shows| text.contains(shows.as_str()))
            && self.shows_not.iter().all(|not| !text.contains(not))
    }

    pub fn holds(&self, browser: &mut Browser) {
        browser.status(self.status);
        self.shows.iter().for_each(|text| _ = browser.shows(text));
        self.shows_not.iter().for_each(|text| _ = browser.shows_not(text));
    }

    pub fn as_code(&self) -> String {
        let shows: String = self.shows.iter().map(|text| format!(".shows({text:?})")).collect();
        let not: String = self.shows_not.iter().map(|text| format!(".shows_not({text:?})")).collect();
        format!(".status({}){shows}{not}", self.status)
    }
}
