//! Asking for a hit: what `next`, `choose` and `ask` have in common, and `next` itself.

use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::{Request, parts};
use crate::error::Error;
use crate::hit::{Hit, Site};
use crate::journal::Taken;
use crate::journal::rebuilding::Replayed;
use crate::page::Notice;
use crate::session::queue::Asked;
use crate::session::{Session, Talk};
use crate::step::{Answered, HERE};

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
    pub(super) fn replayed(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Before>, Error>> {
        if self.session().core.journal.is_none() {
            return Poll::Ready(Ok(None));
        }
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
        let look = |talk: &Talk| Standing { step: talk.step, applied: talk.applied, fleeting: talk.fleeting };
        let (asked, standing) = session.queue.ask((!own).then(|| cx.waker()), look);
        match asked {
            Asked::Hit(hit) => Poll::Ready(Ok((hit, standing))),
            Asked::Closing => {
                session.was_told();
                Poll::Ready(Err(Error::closing()))
            }
            Asked::Nothing => {
                session.tape(|tape| tape.at_verb = true);
                if standing.fleeting {
                    session.die_now();
                }
                Poll::Pending
            }
        }
    }

    /// The verb fails: it gives nothing up that the failure's report should still name.
    pub(super) fn failed<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err() {
            self.request = None;
        }
        result
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
    pub(super) fn to_write(&self, answer: Answered) -> Option<Box<Taken>> {
        let core = &self.session().core;
        core.journal.as_ref()?;
        Some(Box::new(Taken { at: core.clock.micros(), answer: answer.number(), ..Taken::default() }))
    }

    /// Answers a hit that was not taken with a notice as a page of its own.
    fn notify(&mut self, mut hit: Box<Hit>, notice: Notice) {
        let onward = (notice == Notice::FromElsewhere).then(|| hit.own_link());
        self.session().core.notify(&mut hit, notice, onward.as_deref());
        self.answer(hit);
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
    fleeting: bool,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(request) =
            self.request.take().filter(|_| self.place.is_none() && !std::thread::panicking())
        {
            match parts::here() {
                None => request.session.queue.unask(),
                // Given up with its page, which says so itself or is over.
                Some(scope) if scope.is_closed() => return,
                Some(scope) => scope.went_on(),
            }
            request.session.gave_up();
            // Links of the page that was given up are not links of the next one.
            request.session.talk(|talk| talk.step += 1);
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
            let session = self.asking.session();
            match on_printed(session, &hit, standing.applied) {
                Verdict::Take => {
                    let taken = self.asking.to_write(Answered::NONE);
                    return Poll::Ready(Ok(self.asking.taken(hit, Answered::NONE, taken)));
                }
                Verdict::Repeat => {
                    session.queue.answered();
                    session.core.repeat(session, hit);
                }
                Verdict::Notice(notice) => self.asking.notify(hit, notice),
            }
        }
    }
}

/// What a hit means to a page that was printed.
enum Verdict {
    Take,
    Repeat,
    Notice(Notice),
}

fn on_printed(session: &Session, hit: &Hit, applied: Answered) -> Verdict {
    if hit.token().is_none() {
        // Whatever a link on another site says, the visitor did not say it.
        let cross = hit.site() == Site::Cross;
        return if cross { Verdict::Notice(Notice::FromElsewhere) } else { Verdict::Take };
    }
    if hit.token() == Some(HERE) {
        return Verdict::Repeat;
    }
    match session.core.seal.answer_of(session.serial, hit) {
        Some(answer) if answer == applied => Verdict::Repeat,
        _ => Verdict::Notice(Notice::OutdatedPrinted),
    }
}

impl std::fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}
