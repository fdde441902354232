//! Asking for a hit: what `next`, `choose` and `ask` have in common, and `next` itself.

use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::at_address::{Wanted, wanted};
use super::{Request, parts};
use crate::error::Error;
use crate::hit::{Hit, Site};
use crate::journal::rebuilding::Replayed;
use crate::journal::{Taken, inside};
use crate::page::Notice;
use crate::reply::Kept;
use crate::session::queue::Asked;
use crate::session::{Session, Talk, Way};
use crate::step::{Answered, HERE, OldPages, Token};

/// A hit that was taken before, with what was written of it.
pub(super) type Before = (Box<Hit>, Box<Taken>);

/// A verb's place in the queue. Dropping it before it got its hit gives the place up and loses no hit.
pub(super) struct Asking<'a> {
    request: Option<&'a mut Request>,
    /// Where in the program's code the verb stands, until it is polled.
    place: Option<&'static Location<'static>>,
}

impl<'a> Asking<'a> {
    pub(super) fn new(request: &'a mut Request, place: &'static Location<'static>) -> Self {
        Asking { request: Some(request), place: Some(place) }
    }

    pub(super) fn request(&mut self) -> &mut Request {
        self.request.as_mut().expect("a verb is not polled after it returned")
    }

    pub(super) fn session(&self) -> &Arc<Session> {
        &self.request.as_ref().expect("a verb is not polled after it returned").session
    }

    /// Once, before the first poll: where the session will stand.
    pub(super) fn begins(&mut self) -> Option<&'static Location<'static>> {
        self.place.take()
    }

    /// While the session is rebuilt: the hit that was taken here then, with what was written of it.
    #[inline]
    pub(super) fn replayed(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Before>, Error>> {
        if self.session().core.journal.is_none() {
            return Poll::Ready(Ok(None));
        }
        self.replay(cx)
    }

    #[inline(never)]
    fn replay(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Before>, Error>> {
        match self.session().meet(cx) {
            Replayed::Present => Poll::Ready(Ok(None)),
            Replayed::Hit(hit, taken) => Poll::Ready(Ok(Some((hit, taken)))),
            Replayed::Told => {
                self.session().queue.told();
                Poll::Ready(Err(Error::closing()))
            }
            Replayed::Pending => Poll::Pending,
        }
    }

    /// The hit was taken then: the verb is done.
    pub(super) fn taken_then(&mut self, hit: Box<Hit>, taken: &Taken) -> &'a mut Request {
        let request = self.request.take().expect("a verb is not polled after it returned");
        request.take_again(hit, taken);
        request
    }

    /// The next hit in line, not taken yet, and where the session stands.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(Box<Hit>, Standing), Error>> {
        let session = self.session();
        // The session's own waker points to the session; any other is one of a combinator inside the program.
        let own = std::ptr::eq(cx.waker().data().cast(), Arc::as_ptr(session));
        let look = |talk: &Talk| Standing { step: talk.step, applied: talk.applied, way: talk.way };
        let (asked, standing) = session.queue.ask((!own).then(|| cx.waker()), look);
        match asked {
            Asked::Hit(hit) => Poll::Ready(Ok((hit, standing))),
            Asked::Closing => {
                session.was_told();
                Poll::Ready(Err(Error::closing()))
            }
            Asked::Nothing => {
                session.tape(|tape| tape.at_verb = true);
                if standing.way == Way::Fleeting {
                    session.die_now();
                }
                Poll::Pending
            }
        }
    }

    /// Whether it is dropped while it asks.
    pub(super) fn is_given_up(&self) -> bool {
        self.request.is_some() && self.place.is_none() && !std::thread::panicking() && !inside::is_burying()
    }

    /// The verb fails: it gives nothing up that the failure's report should still name.
    pub(super) fn failed<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err() {
            self.request = None;
        }
        result
    }

    /// Takes a hit that says all by itself: the verb is done.
    fn take(&mut self, hit: Box<Hit>, answer: Answered) -> &'a mut Request {
        let taken = self.to_write(answer);
        self.taken(hit, answer, taken)
    }

    /// The verb is done, and took no hit itself.
    pub(super) fn done(&mut self) {
        self.request = None;
    }

    /// The hit was taken: the verb is done.
    pub(super) fn taken(
        &mut self,
        hit: Box<Hit>,
        answer: Answered,
        taken: Option<Box<Taken>>,
    ) -> &'a mut Request {
        let request = self.request.take().expect("a verb is not polled after it returned");
        request.take(hit, answer, taken);
        request
    }

    /// What is to be written of a hit that is taken now, where there is a journal.
    #[inline(never)]
    pub(super) fn to_write(&self, answer: Answered) -> Option<Box<Taken>> {
        let core = &self.session().core;
        core.journal.as_ref()?;
        Some(Box::new(Taken { at: core.clock.micros(), answer: answer.number(), ..Taken::default() }))
    }

    /// Answers a hit that was not taken. A connection that runs the session is let go before the next hit.
    pub(super) fn answer(&mut self, hit: Box<Hit>) {
        let session = self.session();
        session.queue.answered();
        let ready = session.finish(hit, false);
        session.release(ready);
    }
}

/// Where a session stands while it asks.
pub(super) struct Standing {
    /// The step its page belongs to.
    pub(super) step: u32,
    /// The answer that led to its page: see [`Talk::applied`].
    pub(super) applied: Answered,
    pub(super) way: Way,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if self.is_given_up()
            && let Some(request) = self.request.take()
        {
            match parts::here() {
                None => request.session.queue.unask(),
                // Given up with its page, which says so itself or is over.
                Some(scope) if scope.is_closed() => return,
                Some(scope) => scope.went_on(),
            }
            request.session.gave_up();
        }
    }
}

/// The future of [`Request::next`].
#[must_use = "futures do nothing unless awaited"]
pub struct Next<'a> {
    pub(super) asking: Asking<'a>,
}

impl<'a> Next<'a> {
    pub(super) fn new(request: &'a mut Request, place: &'static Location<'static>) -> Self {
        Next { asking: Asking::new(request, place) }
    }
}

impl<'a> Future for Next<'a> {
    type Output = Result<&'a mut Request, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(scope) = parts::here() {
            return self.poll_in_part(&scope, cx);
        }
        if let Some(place) = self.asking.begins() {
            let completed = self.asking.request().complete(place);
            self.asking.failed(completed)?;
        }
        let replayed = ready!(self.asking.replayed(cx));
        if let Some((hit, taken)) = self.asking.failed(replayed)? {
            return Poll::Ready(Ok(self.asking.taken_then(hit, &taken)));
        }
        loop {
            let asked = ready!(self.asking.poll(cx));
            let (hit, standing) = self.asking.failed(asked)?;
            let Some((hit, answer)) = ready!(self.asking.admit(hit, &standing)) else { continue };
            if let Some(request) = ready!(self.consider(hit, answer, &standing)) {
                return Poll::Ready(Ok(request));
            }
        }
    }
}

impl<'a> Next<'a> {
    /// Takes a hit, or answers it. Pending: it belongs to another page, and the session is brought there.
    fn consider(
        &mut self,
        hit: Box<Hit>,
        answer: Option<Answered>,
        standing: &Standing,
    ) -> Poll<Option<&'a mut Request>> {
        let session = self.asking.session().clone();
        match answer.map_or_else(|| on_printed(&session, &hit, standing), Verdict::Take) {
            Verdict::Aside(kept) => return Poll::Ready(self.asking.answer_aside(hit, kept)),
            Verdict::Take(answer) => return Poll::Ready(Some(self.asking.take(hit, answer))),
            Verdict::Repeat => self.repeat(hit),
            Verdict::Old(token, answer) => {
                match session.turn_to(hit, token.step, session.policy_of(&token), answer) {
                    Ok(()) => return Poll::Pending,
                    Err(hit) if answer.is_some() && answer == standing.applied => self.repeat(hit),
                    Err(hit) if answer.is_some() => self.notify(hit, standing, Notice::OutdatedPrinted),
                    Err(hit) => self.notify(hit, standing, Notice::NotKept),
                }
            }
            Verdict::Notice(notice) => self.notify(hit, standing, notice),
        }
        Poll::Ready(None)
    }

    fn repeat(&self, hit: Box<Hit>) {
        let session = self.asking.session();
        session.queue.answered();
        session.core.repeat(session, hit);
    }

    fn notify(&mut self, mut hit: Box<Hit>, standing: &Standing, notice: Notice) {
        let onward = match notice {
            Notice::FromElsewhere => Some(hit.own_link()),
            Notice::NotKept => Some(hit.own_link_to(HERE)),
            _ => None,
        };
        self.asking.session().core.notify(&mut hit, notice, onward.as_deref());
        match notice {
            Notice::OutdatedPrinted => self.asking.answer_here(hit, standing.step, Some(notice)),
            _ => self.asking.answer(hit),
        }
    }
}

/// What a hit means to a page that was printed.
enum Verdict {
    Take(Answered),
    Repeat,
    /// It is no answer to the current page.
    Old(Token, Answered),
    /// It asks for a page that is not this one: see [`Wanted::Aside`].
    Aside(Option<Arc<Kept>>),
    Notice(Notice),
}

fn on_printed(session: &Session, hit: &Hit, standing: &Standing) -> Verdict {
    // Whatever a link on another site says, the visitor did not say it.
    let here = hit.site() == Site::Same;
    let take = |answer| if here { Verdict::Take(answer) } else { Verdict::Notice(Notice::FromElsewhere) };
    let Some(wire) = hit.token() else { return take(Answered::NONE) };
    if let Some(wanted) = wanted(session, Some(wire), standing.step) {
        return at_address(session, hit, wanted);
    }
    if wire == HERE {
        return Verdict::Repeat;
    }
    let seal = &session.core.seal;
    let Some(token) = seal.open(session.serial, wire) else {
        return Verdict::Notice(Notice::OutdatedPrinted);
    };
    let answer = seal.answer(hit, &token);
    if answer == standing.applied {
        // With a journal a page that is not kept any more can be made again.
        let gone = session.core.journal.is_some() && !hit.told && !session.core.kept.has(session.serial);
        return if gone { Verdict::Old(token, answer) } else { Verdict::Repeat };
    }
    let current = token.is_printed() && token.step == standing.step;
    let known = current && standing.way == Way::Answered && session.was_answered(answer);
    if (current && !known) || !here || session.policy_of(&token) == OldPages::Latest {
        return take(answer);
    }
    Verdict::Old(token, answer)
}

fn at_address(session: &Session, hit: &Hit, wanted: Wanted) -> Verdict {
    match wanted {
        Wanted::Here(None) if hit.told || session.core.kept.has(session.serial) => Verdict::Repeat,
        // With a journal a page that is not kept any more can be made again.
        Wanted::Here(None) => match hit.token().and_then(|wire| session.core.seal.open(session.serial, wire))
        {
            Some(token) if session.core.journal.is_some() => Verdict::Old(token, Answered::NONE),
            _ => Verdict::Repeat,
        },
        Wanted::Here(Some(_)) => Verdict::Notice(Notice::OutdatedPrinted),
        Wanted::Elsewhere(token) => Verdict::Old(token, Answered::NONE),
        Wanted::Aside(kept) => Verdict::Aside(kept),
    }
}

impl std::fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}
