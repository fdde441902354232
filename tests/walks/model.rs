//! What a visitor expects to see: the pages that they saw, in the order of their browser's history.

use super::flows::{Kind, Place};
use super::{Visit, Walked};

const OLDER: &str = "That came from an older page";
const NOT_KEPT: &str = "is not kept";
const WRONG: &str = "one letter, please";

/// A visitor, and what they should see next.
pub struct Walker<'v, V> {
    pub visitor: &'v mut V,
    place: &'v Place,
    pub kind: Kind,
    pub sensitive: bool,
    pub journaled: bool,
    /// The letters that led to each page of the history, and which of them is seen.
    seen: Vec<String>,
    at: usize,
    /// The letters that led to where the session is.
    current: String,
    /// Those of the tab that was duplicated.
    left: Option<(Vec<String>, usize)>,
    posts: usize,
    before: usize,
    /// What was typed last.
    typed: String,
    steps: Vec<String>,
}

impl<'v, V: Visit> Walker<'v, V> {
    pub fn new(visitor: &'v mut V, place: &'v Place, kind: Kind, sensitive: bool) -> Self {
        Walker {
            visitor,
            place,
            kind,
            sensitive,
            journaled: place.journaled,
            seen: vec![String::new()],
            at: 0,
            current: String::new(),
            left: None,
            posts: 0,
            before: place.counts.posts(),
            typed: String::new(),
            steps: Vec::new(),
        }
    }

    pub fn path_of(&self, name: &str) -> String {
        format!("{}/{name}", self.place.root)
    }

    /// Opens the first page, as a newcomer or as one who has been to another flow before.
    pub async fn begin(&mut self, known: bool) {
        self.visitor.forget().await;
        if known {
            self.visitor.open(&self.path_of("")).await;
        }
        self.step(format!("open (known: {known})"));
        self.visitor.open(&self.path_of(&self.kind.path(self.sensitive))).await;
    }

    /// Answers the page that is seen with a letter.
    pub async fn answer(&mut self, letter: &str) -> Walked {
        let trail = self.seen[self.at].clone();
        self.step(format!("answer {letter}"));
        match self.kind.at(trail.len()) {
            Kind::Linked | Kind::Followed => self.visitor.follow(letter).await,
            Kind::Pressed => self.visitor.press(letter).await,
            _ => {
                letter.clone_into(&mut self.typed);
                self.visitor.fill("letter", letter).await;
                self.visitor.press("Go").await;
            }
        }
        self.posts += usize::from(!matches!(self.kind.at(trail.len()), Kind::Linked | Kind::Followed));
        self.arrive([&trail, letter].concat());
        self.sees_page().await
    }

    fn arrive(&mut self, trail: String) {
        self.current.clone_from(&trail);
        self.seen.truncate(self.at + 1);
        self.seen.push(trail);
        self.at += 1;
    }

    pub async fn go(&mut self, pages: i32) -> Walked {
        self.move_by(pages).await;
        if self.is_lost() { self.sees_notice().await } else { self.sees_page().await }
    }

    async fn move_by(&mut self, pages: i32) {
        self.step(format!("go {pages}"));
        self.at = self.at.checked_add_signed(pages as isize).expect("a page of the history");
        self.visitor.go(pages).await;
    }

    /// Nobody has kept the page, and it cannot be made again.
    fn is_lost(&self) -> bool {
        !self.journaled && self.sensitive && self.seen[self.at] != self.current
    }

    async fn sees_notice(&mut self) -> Walked {
        // What a link led to has the address of that answer: nothing tells Back from another click. Some browsers keep a
        // page in memory that nobody may store.
        let seen = format!("Trail: {}.", self.seen[self.at]);
        if self.sees_one_of(&[NOT_KEPT, OLDER, &seen]).await? == seen {
            return Ok(());
        }
        if self.kind.at(self.current.len()).is_printed() {
            return Ok(());
        }
        self.sees(&format!("Trail: {}.", self.current)).await
    }

    pub async fn reload(&mut self) -> Walked {
        self.step("reload".to_owned());
        self.visitor.reload().await;
        self.sees_page().await
    }

    /// Reloads the page where the session is.
    pub async fn reload_current(&mut self) -> Walked {
        // What carries no token cannot be told from a new answer, unless it was led to an address.
        if self.has_an_address() { self.reload().await } else { Ok(()) }
    }

    fn has_an_address(&self) -> bool {
        self.kind != Kind::Followed || self.sensitive
    }

    pub async fn duplicate(&mut self) -> Walked {
        if !self.has_an_address() {
            return Ok(());
        }
        self.step("duplicate the tab".to_owned());
        self.left = Some((self.seen.clone(), self.at));
        self.visitor.duplicate().await;
        self.sees_page().await
    }

    pub async fn leave_duplicate(&mut self) -> Walked {
        let Some(left) = self.left.take() else { return Ok(()) };
        self.step("go back to the other tab".to_owned());
        (self.seen, self.at) = left;
        self.visitor.leave_duplicate().await;
        self.sees_page().await
    }

    /// Sends a form with something wrong in it.
    pub async fn tries(&mut self, wrong: &str) -> Walked {
        self.step(format!("try {wrong}"));
        self.visitor.fill("letter", wrong).await;
        self.visitor.press("Go").await;
        self.posts += 1;
        let trail = self.current.clone();
        self.arrive(trail);
        self.sees_try(wrong).await
    }

    pub async fn reload_try(&mut self, wrong: &str) -> Walked {
        self.step("reload".to_owned());
        self.visitor.reload().await;
        self.sees_try(wrong).await
    }

    pub async fn go_to_try(&mut self, pages: i32, wrong: &str) -> Walked {
        self.move_by(pages).await;
        self.sees_try(wrong).await
    }

    /// Goes to the form as it was before something wrong was sent.
    pub async fn go_to_form(&mut self, pages: i32) -> Walked {
        self.go(pages).await?;
        self.sees_nothing_of(WRONG).await
    }

    async fn sees_try(&mut self, wrong: &str) -> Walked {
        self.sees(WRONG).await?;
        self.sees(&format!("Trail: {}.", self.seen[self.at])).await?;
        let value = self.visitor.value("letter").await;
        // Browsers that have kept the page have kept what was typed since.
        if value == wrong || value == self.typed {
            Ok(())
        } else {
            Err(self.report(&format!("{wrong:?} in the field"), &value))
        }
    }

    async fn sees_page(&mut self) -> Walked {
        self.sees(&format!("Trail: {}.", self.seen[self.at])).await?;
        self.sees_nothing_of(OLDER).await?;
        self.sees_nothing_of(NOT_KEPT).await
    }

    pub async fn sees(&mut self, text: &str) -> Walked {
        let page = self.visitor.reads(text).await;
        if page.contains(text) { Ok(()) } else { Err(self.report(&format!("{text:?}"), &page)) }
    }

    async fn sees_one_of<'t>(&mut self, texts: &[&'t str]) -> Result<&'t str, String> {
        let page = self.visitor.reads("").await;
        let found = texts.iter().find(|text| page.contains(**text)).copied();
        found.ok_or_else(|| self.report(&format!("one of {texts:?}"), &page))
    }

    async fn sees_nothing_of(&mut self, text: &str) -> Walked {
        let page = self.visitor.reads("").await;
        if page.contains(text) { Err(self.report(&format!("nothing of {text:?}"), &page)) } else { Ok(()) }
    }

    pub async fn sees_no_secret(&mut self) -> Walked {
        let page = self.visitor.reads("").await;
        if page.contains("Secret") { Err(self.report("nothing private", &page)) } else { Ok(()) }
    }

    /// No form was sent but by its button.
    pub fn sent_what_was_sent(&self) -> Walked {
        let came = self.place.counts.posts() - self.before;
        if came == self.posts {
            return Ok(());
        }
        Err(self.report(&format!("{} forms sent", self.posts), &format!("{came} came")))
    }

    fn step(&mut self, step: String) {
        self.steps.push(step);
    }

    fn report(&self, expected: &str, found: &str) -> String {
        format!(
            "{:?}, sensitive: {}, journal: {}: I expected {expected}, but found {found:?}, after {}",
            self.kind,
            self.sensitive,
            self.journaled,
            self.steps.join(" → ")
        )
    }
}
