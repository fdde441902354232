//! `parts`: several components on one page, each with a flow of its own.
//!
//! A part is an `async fn(Request)`. While it is polled, what its request prints and asks goes to its place on the page. One part runs at a time; when all of them wait for a hit, the page is drawn around them. `scope` is where
//! a part meets its page, `verbs` what its verbs do there, `layout` runs the parts, `page` draws them and finds out
//! whose a hit is.

mod layout;
mod page;
mod scope;
mod verbs;

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;

use maud::{Markup, PreEscaped};

use super::Request;
use crate::error::{BoxError, Error};
use crate::page::Notice;
use crate::session::Session;
pub use layout::{First, Layout};
pub(crate) use scope::apart;
use scope::{Scope, within};
pub(super) use scope::{here, outside, path};

impl Request {
    /// Several components on one page, each an `async fn(Request)` with a flow of its own. Give each a name by
    /// [`part`](Parts::part), and say by [`layout`](Parts::layout) where they stand.
    ///
    /// A link, button or form in a part advances that part alone; the others stay where they are and are drawn again.
    /// What a part prints goes to its place on the page. Names are compared and recorded: they are part of what an
    /// effect is known by. The guide is `docs/parts.md`.
    ///
    /// ```
    /// use continuity::prelude::*;
    ///
    /// async fn counter(mut req: Request) -> Result<()> {
    ///     let mut count = 0;
    ///     loop {
    ///         count += req.choose(|c| html! { (count) " " (c.link("++", 1)) " " (c.link("--", -1)) }).await?;
    ///     }
    /// }
    ///
    /// async fn two(mut req: Request) -> Result<()> {
    ///     let parts = req.parts().part("left", counter).part("right", counter);
    ///     parts.layout(|page| html! { div { (page.part("left")) } div { (page.part("right")) } }).await?;
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # #[cfg(feature = "test")] {
    /// # use continuity::test::Browser;
    /// # let mut browser = Browser::journaled(two);
    /// # browser.get("/").await.follow("++").await.shows("1 ++ -- 0 ++ --");
    /// # } }
    /// ```
    pub fn parts<T>(&mut self) -> Parts<'_, T> {
        Parts { request: self, parts: Vec::new(), mistake: None }
    }
}

/// The parts of a page, before they start: see [`Request::parts`].
#[must_use = "parts do nothing until `.layout(…).await`"]
pub struct Parts<'a, T = ()> {
    request: &'a mut Request,
    parts: Vec<Part<'a, T>>,
    mistake: Option<Error>,
}

type Running<'a, T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send + 'a>>;

/// One of them.
struct Part<'a, T> {
    name: String,
    scope: Arc<Scope>,
    /// `None`: it has ended.
    running: Option<Running<'a, T>>,
    answer: Option<T>,
    /// It was told that the session closes.
    told: bool,
}

impl<'a, T> Parts<'a, T> {
    /// Adds a part: its name on this page, and what runs there. It may borrow from what stands around it.
    ///
    /// Parts start in this order, each when the one before waits for a hit. A name that is empty, has a `/` or is there
    /// already fails the [layout](Self::layout).
    pub fn part<F, Fut, E>(mut self, name: impl Into<String>, function: F) -> Self
    where
        F: FnOnce(Request) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'a,
        E: Into<BoxError>,
    {
        let name = name.into();
        if name.is_empty() || name.contains('/') || self.parts.iter().any(|part| part.name == name) {
            let mistake = "a part's name is its own on its page, not empty and without `/`";
            self.mistake.get_or_insert_with(|| Error::new(format!("the part {name:?}: {mistake}")));
        }
        let scope = Scope::new(here().as_deref(), &name);
        let request = Request::new(self.request.session.clone());
        let running = within(&scope, || function(request));
        let running = Some(Box::pin(async move { running.await.map_err(Into::into) }) as Running<'a, T>);
        self.parts.push(Part { name, scope, running, answer: None, told: false });
        self
    }

    /// Says where the parts stand on the page. Await it: it shows the page and runs the parts.
    ///
    /// The page is drawn when all parts wait for a hit, and as often as needed. What was printed before belongs to it.
    /// A part that has ended shows what it printed last. Gives the parts' answers, by name in their order, when all
    /// have ended; [`first`](Layout::first) when one has. Fails as the first part that fails, when the session is
    /// closing, and with the page.
    #[track_caller]
    pub fn layout<F: Fn(&Slots<'_>) -> Markup>(self, page: F) -> Layout<'a, T, F> {
        Layout::new(self, page, Location::caller())
    }
}

/// What a page of [`Parts::layout`] is drawn with: places its parts.
pub struct Slots<'a> {
    fragments: Vec<(&'a str, String)>,
    session: &'a Session,
    notice: Option<Notice>,
    placed: Cell<bool>,
    failed: RefCell<Option<Error>>,
}

impl<'a> Slots<'a> {
    fn new(fragments: Vec<(&'a str, String)>, session: &'a Session, notice: Option<Notice>) -> Self {
        Slots { fragments, session, notice, placed: Cell::new(false), failed: RefCell::new(None) }
    }

    /// The part of this name. One that is not placed is not seen, and waits. A name that no part has fails the page.
    pub fn part(&self, name: &str) -> PreEscaped<&str> {
        let found = self.fragments.iter().find(|(known, _)| *known == name);
        if found.is_none() {
            let error = Error::new(format!("the page places the part `{name}`, and there is none"));
            self.failed.borrow_mut().get_or_insert(error);
        }
        PreEscaped(found.map_or("", |(_, fragment)| fragment))
    }

    /// All parts with their names, in their order.
    pub fn all(&self) -> impl Iterator<Item = (&str, PreEscaped<&str>)> {
        self.fragments.iter().map(|(name, fragment)| (*name, PreEscaped(&**fragment)))
    }

    /// What the visitor is told if they come from an older page. If a page does not place it, it stands on top.
    pub fn notice(&self) -> Markup {
        self.placed.set(true);
        match self.notice {
            Some(notice) => self.session.core.pages.draw_notice(notice),
            None => PreEscaped(String::new()),
        }
    }
}

impl<T> std::fmt::Debug for Parts<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("parts", &self.parts).finish_non_exhaustive()
    }
}

impl<T> std::fmt::Debug for Part<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.scope.path())
    }
}

impl std::fmt::Debug for Slots<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slots").field("parts", &self.fragments.len()).finish_non_exhaustive()
    }
}
