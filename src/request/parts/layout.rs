//! The future of a page with parts: runs them in turn, and waits with them.
//!
//! Our own `join` and `select`. The order in which parts go on is that of their declaration and of what is on the tape,
//! never that of wakers: a part runs until it waits for a hit or ends, then the next one that does not wait. So what the
//! verbs of one part meet is never between what those of another meet, and a replay is the same without asking who woke
//! whom.

use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use maud::Markup;

use super::super::asking::Asking;
use super::scope::{Given, Outcome, here, within};
use super::{Part, Parts, Slots};
use crate::error::{BoxError, Error};
use crate::hit::Hit;
use crate::journal::Taken;
use crate::reply::Preface;
use crate::session::Session;

/// A page with parts: see [`Parts::layout`]. Awaited, it gives the answers of all parts by their names.
#[must_use = "futures do nothing unless awaited"]
pub struct Layout<'a, T, F> {
    pub(super) asking: Asking<'a>,
    pub(super) place: &'static Location<'static>,
    pub(super) parts: Vec<Part<'a, T>>,
    pub(super) page: F,
    /// What was printed before: it stands on the page as long as that is there.
    pub(super) preface: Option<Box<Preface>>,
    /// The page was shown, or would have been.
    pub(super) shown: bool,
    phase: Phase,
    /// It was polled with nothing new so far: something else than a hit may have come to a part.
    woken: bool,
    /// It is over when one part is.
    first: bool,
    mistake: Option<Error>,
}

/// [`Layout::first`].
#[must_use = "futures do nothing unless awaited"]
pub struct First<'a, T, F>(Layout<'a, T, F>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Some part does not wait for a hit.
    Runs,
    /// All do.
    Asks,
    /// The session closes, and parts are told.
    Closes,
}

/// A hit that a part did not take, with its page where that tells what was wrong.
pub(super) type Refused = (Box<Hit>, Option<String>);

impl<T, F> Unpin for Layout<'_, T, F> {}

impl<'a, T, F> Layout<'a, T, F> {
    pub(super) fn new(parts: Parts<'a, T>, page: F, place: &'static Location<'static>) -> Self {
        let Parts { request, parts, mistake } = parts;
        let (asking, phase) = (Asking::new(request, place), Phase::Runs);
        let (preface, shown, woken, first) = (None, false, false, false);
        Layout { asking, place, parts, page, preface, shown, phase, woken, first, mistake }
    }

    /// Is over when the first part ends, and gives its name and its answer; the others are dropped where they wait.
    pub fn first(mut self) -> First<'a, T, F> {
        self.first = true;
        First(self)
    }

    pub(super) fn session(&self) -> &Arc<Session> {
        self.asking.session()
    }

    fn is_over(&self) -> bool {
        let ended = |part: &Part<'_, T>| part.running.is_none();
        if self.first { self.parts.iter().any(ended) } else { self.parts.iter().all(ended) }
    }

    /// The part whose token this is, or that has it inside.
    pub(super) fn find(&self, scope: u64) -> Option<usize> {
        let session = self.session();
        self.parts.iter().position(|part| part.running.is_some() && part.scope.holds(scope, session))
    }

    /// The part of this path, or that has it inside.
    fn find_path(&self, path: &str) -> Option<usize> {
        self.parts.iter().position(|part| part.running.is_some() && part.scope.holds_path(path))
    }
}

impl<T, F: Fn(&Slots<'_>) -> Markup> Future for Layout<'_, T, F> {
    type Output = Result<Vec<(String, T)>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(self.go(cx))?;
        let parts = self.parts.iter_mut();
        let answers = parts.filter_map(|part| Some((std::mem::take(&mut part.name), part.answer.take()?)));
        Poll::Ready(Ok(answers.collect()))
    }
}

impl<T, F: Fn(&Slots<'_>) -> Markup> Future for First<'_, T, F> {
    type Output = Result<(String, T), BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(self.0.go(cx))?;
        let ended = self.0.parts.iter_mut().find_map(|part| Some((part.name.clone(), part.answer.take()?)));
        Poll::Ready(ended.ok_or_else(|| Error::new("`first` of no parts: none of them can end").into()))
    }
}

impl<T, F: Fn(&Slots<'_>) -> Markup> Layout<'_, T, F> {
    /// Until it is over.
    fn go(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.asking.begins().is_some() {
            self.begin();
        }
        self.woken = self.phase == Phase::Asks;
        let gone = self.go_on(cx);
        if gone.is_ready() {
            self.asking.done();
        }
        gone
    }

    /// Once, before the parts start.
    fn begin(&mut self) {
        if let Some(scope) = here() {
            scope.holds_parts(self.parts.iter().map(|part| part.scope.clone()).collect());
        }
    }

    fn go_on(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if let Some(mistake) = self.mistake.take() {
            return Poll::Ready(Err(mistake.into()));
        }
        loop {
            match self.phase {
                Phase::Runs => {
                    ready!(self.run(cx))?;
                    if self.is_over() || self.parts.is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                    self.rest(cx)?;
                    self.phase = Phase::Asks;
                }
                Phase::Asks => match here() {
                    None => ready!(self.ask_visitor(cx))?,
                    Some(scope) => ready!(self.ask_page(&scope, cx))?,
                },
                Phase::Closes => return self.close(cx),
            }
        }
    }

    /// Runs the parts, one after the other, until all wait for a hit or have ended.
    fn run(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        for part in &mut self.parts {
            ready!(part.run(cx))?;
            if self.first && part.running.is_none() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Some part goes on.
    pub(super) fn goes_on(&mut self) -> Poll<Result<(), BoxError>> {
        self.phase = Phase::Runs;
        Poll::Ready(Ok(()))
    }

    pub(super) fn closes(&mut self) -> Poll<Result<(), BoxError>> {
        self.phase = Phase::Closes;
        Poll::Ready(Ok(()))
    }

    /// Whether something else than a hit has come to a part, since this was polled for no other reason.
    pub(super) fn has_moved(&mut self, cx: &mut Context<'_>) -> Result<bool, BoxError> {
        if !std::mem::take(&mut self.woken) {
            return Ok(false);
        }
        for part in &mut self.parts {
            part.poll(cx)?;
        }
        Ok(self.parts.iter().any(|part| !part.rests()))
    }

    /// Gives a part what is its own. A hit that it does not take comes back.
    pub(super) fn deliver(
        &mut self,
        at: usize,
        given: Given,
        cx: &mut Context<'_>,
    ) -> Result<Option<Refused>, BoxError> {
        self.woken = false;
        let part = &mut self.parts[at];
        part.scope.give(given, cx.waker());
        part.poll(cx)?;
        match part.scope.outcome() {
            Some(Outcome::Refused(hit, page)) => Ok(Some((hit, page))),
            Some(Outcome::Failed(error)) => Err(error),
            Some(Outcome::Drawn(_)) | None => Ok(None),
        }
    }

    /// Gives a hit once more to the part that took it then. Pending: none can have.
    pub(super) fn replay(
        &mut self,
        hit: Box<Hit>,
        taken: Box<Taken>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BoxError>> {
        let Some(at) = self.find_path(&taken.scope) else {
            let what = format!("there is no part {:?}, which took a hit then,", taken.scope);
            self.session().diverge(&what);
            return Poll::Pending;
        };
        self.deliver(at, Given::Before(hit, taken), cx)?;
        if self.session().tape(|tape| tape.diverged.is_some()) == Some(true) {
            return Poll::Pending;
        }
        self.goes_on()
    }

    /// Tells the parts in their order that the session closes, and lets each clean up.
    fn close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        for part in &mut self.parts {
            if part.running.is_some() && !std::mem::replace(&mut part.told, true) {
                part.scope.give(Given::Told, cx.waker());
            }
            if let Err(error) = ready!(part.run(cx))
                && !error.downcast_ref::<Error>().is_some_and(Error::is_closing)
            {
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Err(Error::closing().into()))
    }
}

impl<T> Part<'_, T> {
    /// Whether it needs no poll.
    fn rests(&self) -> bool {
        self.running.is_none() || self.scope.rests()
    }

    /// Until it waits for a hit or has ended.
    fn run(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if !self.rests() {
            self.poll(cx)?;
        }
        if self.rests() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Once. Fails as the part fails.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Result<(), BoxError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        if let Poll::Ready(ended) = within(&self.scope, || running.as_mut().poll(cx)) {
            self.running = None;
            self.answer = Some(ended?);
        }
        Ok(())
    }
}

/// What a part still waits for when its page is over was given up by us, and so the same way each time.
impl<T, F> Drop for Layout<'_, T, F> {
    fn drop(&mut self) {
        for part in &mut self.parts {
            part.scope.close();
            within(&part.scope, || drop(part.running.take()));
        }
        match here() {
            Some(scope) => scope.holds_parts(Vec::new()),
            // Links of the page that was given up are not links of the next one.
            None if self.asking.is_given_up() => self.session().skip_step(),
            None => {}
        }
    }
}

impl<T, F> std::fmt::Debug for Layout<'_, T, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Layout { parts, phase, .. } = self;
        f.debug_struct("Layout").field("parts", parts).field("phase", phase).finish_non_exhaustive()
    }
}

impl<T, F> std::fmt::Debug for First<'_, T, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("First").field(&self.0).finish()
    }
}
