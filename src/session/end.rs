//! The end of a session: it returned, failed, panicked or was killed.
//!
//! In this order: close the queue, hand what waited to the mapper, answer. The browser must not see its answer while
//! the queue still takes hits.

use std::any::Any;
use std::panic::Location;
use std::sync::Arc;

use http::StatusCode;

use super::{Session, Way};
use crate::error::{BoxError, Chain, Error};
use crate::hit::Hit;
use crate::journal;
use crate::log::Line;
use crate::reply::Ready;

/// How a session came to its end.
pub(super) enum Ending {
    Returned(Result<(), BoxError>),
    Panicked(Box<dyn Any + Send>),
    Killed,
}

impl Session {
    #[inline(never)]
    pub(super) fn end(self: &Arc<Self>, ending: Ending) {
        self.core.release_address(self);
        if !matches!(ending, Ending::Killed) && self.is_replaying() {
            if matches!(ending, Ending::Returned(Ok(())))
                && self.tape(|tape| tape.has_come_to_its_end()) == Some(true)
            {
                return self.show_end();
            }
            // It did not come to its end when this was recorded.
            self.diverge("the program came to its end");
            return self.quarantine();
        }
        self.hand_back(self.queue.close_running());
        self.bury_branches();
        let current = self.talk(|talk| talk.current.take());
        let place = self.talk(|talk| talk.place);
        match ending {
            Ending::Returned(Ok(())) => self.lay_to_rest(current),
            Ending::Returned(Err(error)) => self.fail(current, place, &error),
            Ending::Panicked(panic) => {
                let error = Error::new(format!("panicked: {}", panic_text(&*panic)));
                self.fail(current, place, &error.into());
            }
            Ending::Killed => {
                self.forget();
                self.end_tape(journal::Ending::Killed, None);
                drop(current);
            }
        }
    }

    /// The function returned: its last page can be repeated for a while.
    fn lay_to_rest(self: &Arc<Self>, current: Option<Box<Hit>>) {
        let (applied, fleeting) = self.talk(|talk| (talk.applied, talk.way == Way::Fleeting));
        let (mut ready, mut address) = (None, None);
        if let Some(mut hit) = current {
            self.withdraw_private(&mut hit);
            self.seal(&hit);
            address = if hit.may_need_address() { self.address_of_step(&hit) } else { None };
            ready = Some(self.finish(hit, applied.is_some() || address.is_some()));
        }
        let turns = self.tape(|tape| tape.turns()) == Some(true);
        if self.leaves_branch() {
            self.forget();
            return self.release_last(lead_on(ready, address.filter(|_| turns)));
        }
        // A tombstone stands before anyone can ask for it.
        self.queue.end();
        self.core.kept.remove_try(self.serial);
        if fleeting || !self.core.table.linger(self, &self.core) {
            self.forget();
        }
        let is_kept = self.core.kept.has(self.serial);
        self.end_tape(journal::Ending::Returned, lead_on(ready, address.filter(|_| is_kept)));
    }

    /// The function failed: what that is to the visitor and to the log depends on the error.
    fn fail(self: &Arc<Self>, current: Option<Box<Hit>>, place: &Location<'static>, error: &BoxError) {
        let own = error.downcast_ref::<Error>();
        let (status, message, id) = if own.is_some_and(Error::is_closing) {
            (StatusCode::SERVICE_UNAVAILABLE, "This was just closed.".to_owned(), None)
        } else if own.is_some_and(Error::is_bad_input) {
            tracing::debug!(session = %self.name(), place = %place, error = %Line(error), "bad input ended a session");
            (StatusCode::BAD_REQUEST, format!("The {error}."), None)
        } else {
            let message = "Something went wrong here, and it was noted.".to_owned();
            (StatusCode::INTERNAL_SERVER_ERROR, message, Some(self.report(place, error)))
        };
        let back = self.go_back(current.as_deref(), &Chain(error.as_ref()).to_string());
        self.queue.end();
        self.core.kept.forget(self.serial);
        let ready = current.map(|hit| self.core.fail(hit, status, &message, id.as_deref(), back));
        if back {
            // Who looks for it meanwhile finds it there, or what is about to be written.
            self.release_last(ready);
            self.core.table.remove(self);
        } else {
            self.core.table.remove(self);
            let closed = own.is_some_and(Error::is_closing);
            self.end_tape(if closed { journal::Ending::Closed } else { journal::Ending::Failed }, ready);
        }
    }

    /// It cannot be rebuilt: what is known of it stays in the journal.
    pub(super) fn quarantine(self: &Arc<Self>) {
        if self.tape(|tape| tape.rehearses) == Some(true) {
            return self.queue.end();
        }
        let why = self.tape(|tape| tape.diverged.take()).flatten();
        let why = why.as_deref().unwrap_or("it does not do what it did");
        if !self.turn_failed(why) {
            self.core.diverged(self, why);
        }
    }

    /// Writes a failure to the log; returns the id it has there.
    fn report(&self, place: &Location<'static>, error: &BoxError) -> String {
        let id = self.core.error_id();
        let (step, flow) = self.talk(|talk| (talk.step, talk.flow));
        if self.core.gate.open() {
            tracing::error!(
                id, session = %self.name(), flow = self.core.flow(flow).mount(), step, place = %place,
                error = %Line(Chain(error.as_ref())), "a session failed"
            );
        }
        id
    }

    /// Browsers that keep a page in memory although nobody may store it let go of it when a cookie of the site changes:
    /// what was private is not to be gone back to.
    fn withdraw_private(&self, hit: &mut Hit) {
        if self.queue.lock().peek_extra().is_some_and(|extra| extra.private) {
            self.core.tell_again(self, hit);
        }
    }

    /// Removes what the server holds of the session.
    fn forget(self: &Arc<Self>) {
        self.queue.end();
        self.core.table.remove(self);
        self.core.kept.forget(self.serial);
    }

    /// Hits that a closed queue held go back to the mapper.
    #[cold]
    pub(crate) fn hand_back(self: &Arc<Self>, left: impl IntoIterator<Item = Box<Hit>>) {
        for mut hit in left {
            hit.reply.defer();
            let core = self.core.clone();
            self.core.runtime.spawn(async move { core.map(hit) });
        }
    }
}

/// The last page, at its address if it has one.
fn lead_on(ready: Option<Ready>, address: Option<String>) -> Option<Ready> {
    match (ready, address) {
        (Some(ready), Some(address)) => Some(ready.lead_to(&address)),
        (ready, _) => ready,
    }
}

pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    match panic.downcast_ref::<&'static str>() {
        Some(text) => text,
        None => panic.downcast_ref::<String>().map_or("(no message)", |text| text),
    }
}
