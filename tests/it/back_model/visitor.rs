//! A visitor with some tabs who does what a script says, and compares each page with what the model says must come.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;
use continuity::{OldPages, Sqlite};

use super::desk::{Op, Till, desk};
use super::expected::Expected;
use super::model::{Answer, Asked, Kind, Model, Shown};
use crate::folder::Folder;

const PARK: Duration = Duration::from_secs(10);
const TABS: usize = 6;
/// Steps that stay reachable before a checkpoint, less than what one more act may take.
const REACHABLE: usize = 17;

/// What visitors do; numbers choose among what there is.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// Follows a link of the page, or sends its form.
    Use(usize),
    /// The same, twice.
    Twice(usize),
    Back,
    BackReloading,
    Forward,
    Reload,
    /// Opens a link of the page in a new tab.
    Open(usize),
    Switch(usize),
    /// The browser was closed: its page is asked for again, in a new tab.
    Restore,
    /// Two links of the page, or one twice, are opened in new tabs at the same time.
    AtOnce(usize, usize),
    /// An answer of long ago is sent again.
    Again(usize),
    Address,
    Restart,
    Park,
}

#[derive(Debug, Clone)]
pub struct Script {
    pub policy: OldPages,
    pub branches: usize,
    pub on_disk: bool,
    /// All sessions are replayed after each page, beside themselves.
    pub rehearses: bool,
    /// The desk makes checkpoints.
    pub checkpoints: bool,
    pub acts: Vec<Act>,
}

enum Store {
    Memory(Memory),
    Disk(Folder),
}

impl Store {
    /// A server on this journal, once the one before it has let go of it.
    async fn server(&self, script: &Script, till: &Arc<Till>) -> Server {
        let server = Server::new(desk);
        let server = match self {
            Store::Memory(memory) => server.journal(memory.clone()),
            Store::Disk(folder) => server.journal(opened(folder).await),
        };
        let branches = script.branches;
        server.old_pages(script.policy).app(till.clone()).limits(|limits| {
            (limits.branches, limits.replays, limits.park) = (branches, usize::MAX, PARK);
        })
    }
}

async fn opened(folder: &Folder) -> Sqlite {
    for _ in 0..2_000 {
        match Sqlite::open(folder.0.join("journal")) {
            // The server before it lets go on a thread of its own; tokio's time stands still here.
            Err(error) if error.to_string().contains("open in another server") => {
                tokio::task::yield_now().await;
                std::thread::sleep(Duration::from_millis(1));
            }
            other => return other.expect("the journal opens"),
        }
    }
    panic!("the server before it never let go of its journal");
}

/// A page that a tab has been to.
#[derive(Debug, Clone)]
struct Visit {
    asked: Asked,
    shown: Shown,
    posted: bool,
}

struct Tab {
    browser: Browser,
    visits: Vec<Visit>,
    at: usize,
}

/// What a page has to offer.
#[derive(Debug, Clone)]
enum Offer {
    Link(&'static str, Asked),
    Form(Asked, &'static str),
}

/// What was done, as code of a test.
pub type Log = Arc<Mutex<Vec<String>>>;

pub struct Visitor<'s> {
    script: &'s Script,
    /// They go before the journal: what it has is replayed then.
    tabs: Vec<Tab>,
    store: Store,
    till: Arc<Till>,
    model: Model,
    here: usize,
    /// Links that were followed, by their addresses.
    followed: Vec<(String, Asked)>,
    /// What chance gave, by the step that drew it.
    luck: HashMap<(usize, usize), u64>,
    log: Log,
}

/// Plays a script; what does not come as it must is a panic.
pub async fn play(script: &Script, log: Log) {
    let store = if script.on_disk {
        Store::Disk(Folder::in_memory("back-model"))
    } else {
        Store::Memory(Memory::new())
    };
    let till = Arc::new(Till { checkpoints: script.checkpoints, ..Till::default() });
    let mut browser = Browser::of(store.server(script, &till).await);
    if script.rehearses {
        browser = browser.rehearsing();
    }
    let (tabs, model) = (vec![Tab::new(browser)], Model::new(script.policy, script.checkpoints));
    let (followed, luck) = Default::default();
    let mut visitor = Visitor { script, store, till, model, tabs, here: 0, followed, luck, log };
    visitor.say(format!("let mut tab0 = {};", visitor.fresh_browser()));
    visitor.address().await;
    visitor.settle_in().await;
    for act in &script.acts {
        if script.checkpoints && visitor.model.taken() >= REACHABLE {
            break;
        }
        visitor.act(*act).await;
    }
}

impl Tab {
    fn new(browser: Browser) -> Tab {
        Tab { browser, visits: Vec::new(), at: 0 }
    }

    fn visit(&self) -> Option<&Visit> {
        self.visits.get(self.at)
    }
}

impl Visitor<'_> {
    fn say(&self, line: String) {
        self.log.lock().expect("nobody panics here").push(line);
    }

    fn fresh_browser(&self) -> String {
        let Script { policy, branches, .. } = self.script;
        format!("browser(OldPages::{policy:?}, {branches})")
    }

    fn tab(&mut self) -> &mut Tab {
        &mut self.tabs[self.here]
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Use(choice) => self.use_page(choice).await,
            Act::Twice(choice) => {
                self.use_page(choice).await;
                self.reload().await
            }
            Act::Back => self.walk(false).await,
            Act::Forward => self.walk(true).await,
            Act::BackReloading => {
                self.walk(false).await;
                self.reload().await
            }
            Act::Reload => self.reload().await,
            Act::Open(choice) => self.open(choice).await,
            Act::Switch(tab) => self.here = tab % self.tabs.len(),
            Act::AtOnce(one, other) => self.open_at_once(one, other).await,
            Act::Restore => self.restore().await,
            Act::Again(which) => self.again(which).await,
            Act::Address => self.address().await,
            Act::Restart => self.restart().await,
            Act::Park => self.park().await,
        }
    }

    /// What can be done on the page of this tab.
    fn offers(&mut self) -> Vec<Offer> {
        let Some(visit) = self.tab().visit() else { return Vec::new() };
        let answer = |session, page, answer| Asked::Answer { session, page, answer };
        match visit.shown {
            Shown::Page { session, node, .. } => match self.model.node(session, node).kind {
                Kind::Choose => {
                    let link = |op: &Op| Offer::Link(op.link(), answer(session, node, Answer::Link(*op)));
                    Op::ALL.iter().map(link).collect()
                }
                Kind::Ask => {
                    let form = |word| Offer::Form(answer(session, node, Answer::Word(word)), word);
                    ["ann", "bob", "toolong"].map(form).to_vec()
                }
                Kind::Slip => vec![Offer::Link("on", Asked::Plain)],
                Kind::End => Vec::new(),
            },
            Shown::Outdated => Vec::new(),
            Shown::Expired => vec![Offer::Link("Start again", Asked::Plain)],
            Shown::Committed => vec![Offer::Link("Go on", Asked::Here)],
            Shown::Failed => vec![Offer::Link("Back to where you were", Asked::Here)],
        }
    }

    fn offer(&mut self, choice: usize) -> Option<Offer> {
        let offers = self.offers();
        (!offers.is_empty()).then(|| offers[choice % offers.len()].clone())
    }

    async fn use_page(&mut self, choice: usize) {
        let at = self.here;
        match self.offer(choice) {
            None => self.address().await,
            Some(Offer::Link(text, asked)) => {
                self.say(format!("tab{at}.follow({text:?}).await;"));
                let before = self.tab().browser.url();
                self.tab().browser.follow(text).await;
                self.arrive(asked, &before, false).await
            }
            Some(Offer::Form(asked, word)) => {
                self.say(format!("tab{at}.fill(\"word\", {word:?}).submit().await;"));
                let before = self.tab().browser.url();
                self.tab().browser.fill("word", word).submit().await;
                self.arrive(asked, &before, true).await
            }
        }
    }

    /// The tab has got an answer to what was asked for.
    async fn arrive(&mut self, asked: Asked, before: &str, posted: bool) {
        let sessions = self.model.lines.len();
        let shown = self.model.hit(&asked);
        let visit = Visit { asked, shown, posted };
        let tab = self.tab();
        let url = tab.browser.url();
        let in_place = !posted && url == before;
        if !in_place && !tab.visits.is_empty() {
            tab.at += 1;
        }
        tab.visits.truncate(tab.at);
        tab.visits.push(visit.clone());
        if !posted && matches!(visit.asked, Asked::Answer { .. }) {
            self.followed.push((url, visit.asked));
        }
        self.check();
        if self.model.lines.len() > sessions {
            Box::pin(self.settle_in()).await;
        }
    }

    async fn park(&mut self) {
        self.say(format!("tab{}.wait(Duration::from_secs(15)).await;", self.here));
        self.tab().browser.wait(PARK + PARK / 2).await;
    }

    /// A newborn is not kept; one that was visited twice is, once it was parked.
    async fn settle_in(&mut self) {
        self.address().await;
        self.park().await;
    }

    async fn address(&mut self) {
        self.go("/".to_owned(), Asked::Plain).await
    }

    async fn go(&mut self, url: String, asked: Asked) {
        if asked == Asked::Plain {
            self.say(format!("tab{}.get({url:?}).await;", self.here));
        }
        let shown = self.tab().visit().is_some();
        let before = if shown { self.tab().browser.url() } else { String::new() };
        self.tab().browser.get(&url).await;
        self.arrive(asked, &before, false).await
    }

    async fn reload(&mut self) {
        self.say(format!("tab{}.resubmitting().reload().await;", self.here));
        self.tab().browser.resubmitting().reload().await;
        self.asked_again().await;
    }

    /// The page of this tab was asked for again.
    async fn asked_again(&mut self) {
        let tab = self.tab();
        let asked = tab.visits[tab.at].asked.clone();
        let sessions = self.model.lines.len();
        let shown = self.model.hit(&asked);
        let tab = self.tab();
        tab.visits[tab.at].shown = shown;
        self.check();
        if self.model.lines.len() > sessions {
            self.settle_in().await;
        }
    }

    async fn walk(&mut self, forward: bool) {
        let (at, tab) = (self.here, self.tab());
        if forward && tab.at + 1 < tab.visits.len() {
            tab.at += 1;
            tab.browser.resubmitting().forward().await;
            self.say(format!("tab{at}.resubmitting().forward().await;"));
        } else if !forward && tab.at > 0 {
            tab.at -= 1;
            tab.browser.resubmitting().back().await;
            self.say(format!("tab{at}.resubmitting().back().await;"));
        } else {
            return;
        }
        // Browsers store none of these.
        let shown = self.tab().visit().map(|visit| visit.shown);
        if matches!(shown, Some(Shown::Expired | Shown::Committed | Shown::Failed)) {
            self.asked_again().await;
        }
    }

    /// A new tab, or one of those that are there.
    fn new_tab(&mut self) -> (usize, String) {
        let browser = self.tab().browser.new_tab();
        if self.tabs.len() == TABS {
            self.tabs[TABS - 1] = Tab::new(browser);
            return (TABS - 1, format!("tab{}", TABS - 1));
        }
        self.tabs.push(Tab::new(browser));
        let new = self.tabs.len() - 1;
        (new, format!("let mut tab{new}"))
    }

    async fn open(&mut self, choice: usize) {
        let Some(Offer::Link(text, asked)) = self.offer(choice) else { return };
        let (from, url) = (self.here, self.tab().browser.href(text));
        let (new, named) = self.new_tab();
        self.say(format!("let url = tab{from}.href({text:?});"));
        self.say(format!("{named} = tab{from}.new_tab();"));
        self.say(format!("tab{new}.get(&url).await;"));
        self.here = new;
        self.go(url, asked).await
    }

    /// Two tabs at once: what comes must be what comes of one after the other, whichever is first.
    async fn open_at_once(&mut self, one: usize, other: usize) {
        let offers = [one, other].map(|choice| self.offer(choice));
        let [Some(Offer::Link(one, asked_one)), Some(Offer::Link(other, asked_other))] = offers else {
            return;
        };
        if !matches!(asked_one, Asked::Answer { .. }) {
            return;
        }
        let [mut first, mut second] = [0; 2].map(|_| self.tab().browser.new_tab());
        let urls = [one, other].map(|text| self.tab().browser.href(text));
        self.say(format!("// {one:?} and {other:?} of tab{}, in two new tabs at once", self.here));
        tokio::join!(first.get(&urls[0]), second.get(&urls[1]));
        // Which one was first shows in what they got, or in where the session is now.
        let mut here = self.tab().browser.new_tab();
        here.get("/?_t=here").await;
        let orders = [[0, 1], [1, 0]].map(|order| {
            let (mut model, mut shown) = (self.model.clone(), [Shown::Expired; 2]);
            for at in order {
                shown[at] = model.hit([&asked_one, &asked_other][at]);
            }
            let fits =
                Expected::of(&model, shown[0]).fits(&first) && Expected::of(&model, shown[1]).fits(&second);
            let is_here = Expected::of(&model, model.clone().hit(&Asked::Here)).fits(&here);
            (fits && (is_here || here.text().contains("already received")), model, shown)
        });
        let [straight, crossed] = orders;
        let (_, model, shown) = if crossed.0 && !straight.0 { crossed } else { straight };
        self.model = model;
        for (browser, (shown, asked)) in
            [first, second].into_iter().zip(shown.into_iter().zip([asked_one, asked_other]))
        {
            self.followed.push((browser.url(), asked.clone()));
            self.here = self.tabs.len().min(TABS - 1);
            self.tabs.truncate(TABS - 1);
            self.tabs.push(Tab { browser, visits: vec![Visit { asked, shown, posted: false }], at: 0 });
            self.check();
        }
    }

    async fn restore(&mut self) {
        let Some(visit) = self.tab().visit().filter(|visit| !visit.posted).cloned() else { return };
        let (from, url) = (self.here, self.tab().browser.url());
        let (new, named) = self.new_tab();
        self.say(format!("let url = tab{from}.url();"));
        self.say(format!("{named} = tab{from}.new_tab();"));
        self.say(format!("tab{new}.get(&url).await;"));
        self.here = new;
        self.go(url, visit.asked).await
    }

    async fn again(&mut self, which: usize) {
        if self.followed.is_empty() {
            return;
        }
        let (url, asked) = self.followed[which % self.followed.len()].clone();
        let at = self.here;
        self.say(format!(
            "tab{at}.get(&followed[{}]).await; // the address of that link",
            which % self.followed.len()
        ));
        self.go(url, asked).await
    }

    async fn restart(&mut self) {
        self.say(format!("tab{}.restart(server());", self.here));
        if let Store::Disk(_) = self.store {
            // A browser always has a server: one without a journal lets go of the other.
            let other = Server::new(desk).app(self.till.clone());
            self.tab().browser.restart(other);
        }
        let server = self.store.server(self.script, &self.till).await;
        self.tab().browser.restart(server);
    }

    /// Compares the page of this tab with what must be there.
    fn check(&mut self) {
        let shown = self.tab().visit().expect("it has just arrived").shown;
        let expected = Expected::of(&self.model, shown);
        self.say(format!("tab{}{};", self.here, expected.as_code()));
        let browser = &mut self.tabs[self.here].browser;
        expected.holds(browser);
        if let Shown::Page { session, node, .. } = shown
            && self.model.node(session, node).kind == Kind::Choose
        {
            let text = browser.text();
            self.check_luck(session, self.model.node(session, node).luck, &text);
        }
        assert_eq!(self.till.paid.load(Ordering::SeqCst), self.model.till, "how often something was paid");
    }

    /// What chance gave is the same ever after, and another one for each step that asks.
    fn check_luck(&mut self, session: usize, drawn: usize, text: &str) {
        let luck =
            text.split_once("Luck ").and_then(|(_, rest)| rest.split_once('.')).expect("it is on the page").0;
        let luck: u64 = luck.parse().expect("a number");
        if drawn == 0 {
            return assert_eq!(luck, 0, "nobody drew");
        }
        assert_eq!(*self.luck.entry((session, drawn)).or_insert(luck), luck, "what chance gave then");
        assert_eq!(
            self.luck.values().filter(|other| **other == luck).count(),
            1,
            "chance is another one each time"
        );
    }
}
