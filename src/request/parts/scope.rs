//! Where a part of a page meets the page: what it asks for, what it is given, what it has printed.
//!
//! A part never asks the session's queue. It says here that it waits, and the page that it is on polls it with what it
//! is given: a hit, or the request to draw itself.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use super::super::asking::Asking;
use crate::error::{BoxError, Error};
use crate::hit::Hit;
use crate::journal::{Taken, Verb, hash_before};
use crate::mapper::Cut;
use crate::session::Session;
use crate::step::Token;

thread_local! {
    static HERE: RefCell<Option<Arc<Scope>>> = const { RefCell::new(None) };
}

/// The part that is polled now, if one is. A request does not know its part: it would take memory in all sessions.
pub(crate) fn here() -> Option<Arc<Scope>> {
    HERE.with(|here| here.borrow().clone())
}

/// The path of the part that is polled now; empty outside of parts.
pub(crate) fn path() -> String {
    HERE.with(|here| here.borrow().as_ref().map(|scope| scope.path.clone())).unwrap_or_default()
}

/// An error in a part: what is of the whole page is not for it to say.
pub(crate) fn outside(verb: &str, why: &str) -> Result<(), Error> {
    match here() {
        None => Ok(()),
        Some(scope) => Err(Error::new(format!("{verb} in the part `{}`: {why}", scope.path))),
    }
}

/// Runs a part's code.
pub(super) fn within<R>(scope: &Arc<Scope>, code: impl FnOnce() -> R) -> R {
    let _before = Before(HERE.replace(Some(scope.clone())));
    code()
}

/// While it is there, no part is polled: a session that is run by the code of another one's part is not in that part.
pub(crate) fn apart() -> Option<impl Drop> {
    HERE.take().map(|part| Before(Some(part)))
}

/// What was, given back also if what runs meanwhile panics.
struct Before(Option<Arc<Scope>>);

impl Drop for Before {
    fn drop(&mut self) {
        HERE.set(self.0.take());
    }
}

/// One part of a page, as its verbs and its page know it.
pub(crate) struct Scope {
    /// Names from the outermost part on, with `/` between them.
    path: String,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    /// It stands at a verb that asks for a hit.
    asks: Option<Asks>,
    given: Option<Given>,
    outcome: Option<Outcome>,
    /// What it has printed since its last verb.
    printed: String,
    /// What polls the verb, where that is a combinator of its own.
    waker: Option<Waker>,
    /// The parts of the page that this part shows.
    inner: Vec<Arc<Scope>>,
    /// Nobody gives it anything any more.
    closed: bool,
}

struct Asks {
    /// By which verbs for what: for the journal.
    what: String,
    /// Since the step began.
    new: bool,
}

/// What a part is given when it waits.
pub(crate) enum Given {
    /// It is to draw itself.
    Draw(Arc<Drawing>),
    /// A hit of its own, not taken yet.
    Hit(Box<Hit>, Token),
    /// A hit that it took then.
    Before(Box<Hit>, Box<Taken>),
    /// The session closes.
    Told,
}

/// What a part says to what it was given, if it does not go on.
pub(crate) enum Outcome {
    Drawn(String),
    /// The hit was not taken; with its page where that tells what was wrong.
    Refused(Box<Hit>, Option<String>),
    /// Its page cannot be drawn.
    Failed(BoxError),
}

/// For which response a page is drawn.
pub(crate) struct Drawing {
    pub(crate) step: u32,
    pub(crate) cut: Cut,
}

impl Scope {
    /// The part of this name on a page that is the part `outer`, or on a page of its own.
    pub(super) fn new(outer: Option<&Scope>, name: &str) -> Arc<Scope> {
        let path = outer.map_or_else(|| name.to_owned(), |outer| [&outer.path, "/", name].concat());
        Arc::new(Scope { path, slot: Mutex::default() })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// What tells it from others in tokens of this session; never 0.
    pub(crate) fn id(&self, session: &Session) -> u64 {
        session.core.seal.scope(session.serial, &self.path)
    }

    /// Whether a token of this session is of this part. Pages that were shown before there was a key call it otherwise.
    fn is(&self, id: u64, session: &Session) -> bool {
        self.id(session) == id || hash_before(self.path.as_bytes()).max(1) == id
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().expect("no code panics while it holds a part's slot")
    }
}

/// What the part does.
impl Scope {
    pub(crate) fn print(&self, text: &str, limit: usize) {
        let printed = &mut self.slot().printed;
        if printed.len() + text.len() <= limit {
            printed.push_str(text);
        } else {
            tracing::warn!(part = self.path, "a part printed more than a page holds: the rest is lost");
        }
    }

    pub(crate) fn unprint(&self) {
        self.slot().printed.clear();
    }

    /// What it printed, with the page that follows.
    pub(crate) fn with_printed(&self, page: &str) -> String {
        [&self.slot().printed, page].concat()
    }

    /// It waits for a hit.
    pub(crate) fn ask(&self, what: String) {
        self.slot().asks = Some(Asks { what, new: true });
    }

    pub(super) fn given(&self, cx: &Context<'_>) -> Option<Given> {
        let mut slot = self.slot();
        let given = slot.given.take();
        if given.is_none() {
            slot.waker = Some(cx.waker().clone());
        }
        given
    }

    pub(crate) fn say(&self, outcome: Outcome) {
        self.slot().outcome = Some(outcome);
    }

    /// It goes on, and what it printed belongs to the past.
    pub(crate) fn went_on(&self) {
        let mut slot = self.slot();
        slot.printed.clear();
        (slot.asks, slot.waker) = (None, None);
    }

    /// The page inside it goes on; what was printed before that stays.
    pub(super) fn goes_on(&self) {
        self.slot().asks = None;
    }

    pub(super) fn holds_parts(&self, inner: Vec<Arc<Scope>>) {
        self.slot().inner = inner;
    }
}

/// What its page does.
impl Scope {
    /// Whether it waits for a hit, and has got what it was given.
    pub(super) fn rests(&self) -> bool {
        let slot = self.slot();
        slot.asks.is_some() && slot.given.is_none()
    }

    /// Gives it something, to be polled with `waker`.
    pub(super) fn give(&self, given: Given, waker: &Waker) {
        let other = {
            let mut slot = self.slot();
            (slot.given, slot.outcome) = (Some(given), None);
            slot.waker.take().filter(|own| !own.will_wake(waker))
        };
        // A combinator inside the part polls it only when it was woken.
        if let Some(other) = other {
            other.wake();
        }
    }

    /// What it says to what it was given. A page that was asked for and not drawn is not asked for any more.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        let mut slot = self.slot();
        slot.given.take_if(|given| matches!(given, Given::Draw(_)));
        slot.outcome.take()
    }

    /// What it asks for, where it does since the step began.
    pub(super) fn asks_newly(&self) -> Option<String> {
        let mut slot = self.slot();
        let asks = slot.asks.as_mut().filter(|asks| asks.new)?;
        asks.new = false;
        Some(std::mem::take(&mut asks.what)).filter(|what| !what.is_empty())
    }

    /// Whether this is the part of a token of the session, or has it inside.
    pub(super) fn holds(&self, id: u64, session: &Session) -> bool {
        self.is(id, session) || self.slot().inner.iter().any(|inner| inner.holds(id, session))
    }

    /// Whether this is the part of this path, or has it inside.
    pub(super) fn holds_path(&self, path: &str) -> bool {
        self.path == path || self.slot().inner.iter().any(|inner| inner.holds_path(path))
    }

    /// Its page is over: what it still waits for is given up by us.
    pub(super) fn close(&self) {
        let mut slot = self.slot();
        slot.closed = true;
        slot.inner.iter().for_each(|inner| inner.close());
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.slot().closed
    }
}

impl Asking<'_> {
    /// In a part: what its page gives it.
    pub(crate) fn poll_in_part(
        &mut self,
        scope: &Scope,
        verb: Verb,
        of: &str,
        cx: &Context<'_>,
    ) -> Poll<Result<Given, Error>> {
        if let Some(place) = self.begins() {
            self.session().talk(|talk| talk.place = place);
            let journaled = self.session().core.journal.is_some();
            let what = if journaled { format!("{}: {verb:?} {of}", scope.path) } else { String::new() };
            scope.ask(what);
        }
        match scope.given(cx) {
            None => Poll::Pending,
            Some(Given::Told) => {
                scope.went_on();
                let told = self.failed(Err(Error::closing()));
                Poll::Ready(told)
            }
            Some(given) => Poll::Ready(Ok(given)),
        }
    }
}
