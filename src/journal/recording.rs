//! Where a session meets its tape: a step is complete, a response may leave, something went wrong.

use std::panic::Location;
use std::sync::Arc;

use super::entry::{Entry, Taken, Verb};
use super::headers::Fields;
use super::hits::{self, Hidden};
use super::ledger::Ledger;
use super::renames::Rename;
use super::store::Change;
use super::tape::Tape;
use super::turning::After;
use super::{Journal, Submission, Then, inside};
use crate::engine::Core;
use crate::error::Error;
use crate::hit::Hit;
use crate::reply::Ready;
use crate::session::{Session, Way};

/// Where in its life a step was completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completed {
    /// It happens now: its response is awaited.
    Now,
    /// It is replayed, and so is the next one.
    Then,
    /// It was the last one that was replayed: the session is where it was.
    Arrived,
}

impl Session {
    /// Looks at or changes the session's tape, if it has one. Runs under the session's lock: no code of others.
    pub(crate) fn tape<R>(&self, look: impl FnOnce(&mut Tape) -> R) -> Option<R> {
        self.core.journal.as_ref()?;
        self.look_at_tape(look)
    }

    /// Out of line, so that a hit without a journal does not go around it.
    #[inline(never)]
    fn look_at_tape<R>(&self, look: impl FnOnce(&mut Tape) -> R) -> Option<R> {
        let mut state = self.queue.lock();
        state.peek_extra()?.tape.as_deref_mut().map(look)
    }

    /// Looks at or changes how the session stands with its journal, if it is recorded. Runs under the session's lock, as above.
    pub(crate) fn ledger<R>(&self, look: impl FnOnce(&mut Ledger) -> R) -> Option<R> {
        self.core.journal.as_ref()?;
        self.look_at_ledger(look)
    }

    #[inline(never)]
    fn look_at_ledger<R>(&self, look: impl FnOnce(&mut Ledger) -> R) -> Option<R> {
        let mut state = self.queue.lock();
        state.peek_extra()?.ledger.as_deref_mut().map(look)
    }

    /// Looks at or changes what is recorded on the branch that the session is on, and how it stands with its journal.
    pub(crate) fn recorded<R>(&self, look: impl FnOnce(&mut Tape, &mut Ledger) -> R) -> Option<R> {
        let mut state = self.queue.lock();
        let (tape, ledger) = state.peek_extra()?.recorded()?;
        Some(look(tape, ledger))
    }

    pub(super) fn journal(&self) -> &Journal {
        self.core.journal.as_ref().expect("a session with a tape has a journal")
    }

    /// The session's first hit is taken: from here on it is recorded.
    pub(crate) fn open_tape(&self) {
        let Some(journal) = &self.core.journal else { return };
        let mut tape = Box::new(Tape::blank(journal.build));
        tape.take(Box::new(Taken { at: self.core.clock.micros(), step: 1, ..Taken::default() }));
        let mut state = self.queue.lock();
        let extra = state.extra();
        (extra.tape, extra.ledger) = (Some(tape), Some(Box::default()));
    }

    /// A verb asks for a hit: the step of `hit` is complete.
    pub(crate) fn complete_step(
        &self,
        hit: Option<&Hit>,
        verb: Verb,
        of: &str,
        place: &'static Location<'static>,
    ) -> Completed {
        let core = &self.core;
        let completed = self.tape(|tape| {
            let replayed = tape.is_replaying();
            seal(tape, hit, core);
            // Who has diverged does not get any further.
            let asked = tape.ask(verb, of, place);
            match (replayed, tape.is_replaying()) {
                _ if asked.is_err() => Completed::Then,
                (false, _) => Completed::Now,
                (true, true) => Completed::Then,
                (true, false) => Completed::Arrived,
            }
        });
        if completed == Some(Completed::Arrived) {
            self.arrived();
        }
        completed.unwrap_or(Completed::Now)
    }

    /// What is rebuilt is where it was.
    fn arrived(&self) {
        inside::unhush();
        let mut state = self.queue.lock();
        if let Some(extra) = state.peek_extra()
            && let Some(tape) = &mut extra.tape
        {
            extra.shared = std::mem::take(&mut tape.latest);
            if !tape.answered.is_empty() {
                state.talk.way = Way::Answered;
            }
        }
        drop(state);
        if let Some(step) = self.tape(|tape| tape.resume.take()).flatten() {
            self.talk(|talk| talk.step = step);
        }
    }

    /// Sends a response, once what led to it is written.
    pub(crate) fn release(self: &Arc<Self>, ready: Ready) {
        if self.ledger(|ledger| ledger.is_broken()) == Some(true) {
            // What it shows did not happen.
            return self.undone(ready);
        }
        match self.hand_out(Vec::new()) {
            None => ready.send(),
            Some(handed) => self.submit(handed, Then::Answer(ready.deferred()), false),
        }
    }

    /// What has to be written before anything leaves; `None` if there is nothing to wait for.
    pub(super) fn hand_out(&self, more: Vec<Change>) -> Option<Submission> {
        let core = &self.core;
        core.journal.as_ref()?;
        let at = core.clock.micros() / 1_000;
        let mut state = self.queue.lock();
        let flow = state.talk.flow;
        let extra = state.peek_extra()?;
        // A newborn's first page: nothing of it is kept yet.
        let ledger = extra.ledger.as_deref_mut().filter(|ledger| ledger.is_kept())?;
        let mut changes = Vec::with_capacity(2 + more.len());
        if !std::mem::replace(&mut ledger.begun, true) {
            let flow = core.flow(flow).mount().to_owned();
            // Whose it is, is said when it is written: see `Submission::name_visitor`.
            changes.push(Change::Begin { session: self.serial, visitor: [0; 16], label: self.label, flow });
        }
        let fresh = extra.tape.as_deref_mut().and_then(|tape| tape.hand_out(self.serial, at));
        changes.extend(fresh.map(Change::Append));
        changes.append(&mut ledger.changes);
        changes.extend(more);
        let renames = std::mem::take(&mut ledger.renames);
        ledger.hands_out(!changes.is_empty()).then(|| Submission {
            changes,
            renames,
            ..Submission::default()
        })
    }

    pub(super) fn submit(self: &Arc<Self>, handed: Submission, then: Then, leaves: bool) {
        if let Some(Change::Begin { .. }) = handed.changes.first() {
            self.journal().enter(self);
        }
        let session = Some(self.clone());
        self.journal().submit(Submission { session, then, leaves, ..handed }, self.core.clock.now());
    }

    /// Waits until all that was recorded so far is durable. `false`: it could not be written, and the session will not
    /// go on.
    pub(crate) async fn make_durable(self: &Arc<Self>) -> bool {
        self.seal_hit();
        let Some(handed) = self.hand_out(Vec::new()) else { return true };
        let (then, written) = Then::wake();
        self.submit(handed, then, false);
        inside::Inside::new(self.clone(), written).await.is_ok_and(|written| written.is_ok())
    }

    /// Whether what was printed may be sent now: what led to it is durable. Not while it is replayed.
    pub(crate) async fn may_flush(self: &Arc<Self>) -> bool {
        if self.is_replaying() {
            return false;
        }
        self.make_durable().await || std::future::pending().await
    }

    /// Has what was recorded written, and does not wait.
    pub(crate) fn write_on(self: &Arc<Self>) {
        self.seal_hit();
        if let Some(handed) = self.hand_out(Vec::new()) {
            self.submit(handed, Then::Nothing, false);
        }
    }

    /// The session's visitor has another id: that is to be written before the visitor is told.
    pub(crate) fn was_renamed(&self, rename: Rename) {
        let journal = self.journal();
        let (from, to) = (journal.visitor(rename.old), journal.visitor(rename.new));
        self.ledger(|ledger| {
            ledger.grown = true;
            ledger.renames.push(rename);
            ledger.changes.push(Change::Rename { from, to });
        });
    }

    /// Nobody goes back behind this.
    pub(crate) fn commit(self: &Arc<Self>) {
        self.seal_hit();
        // What is replayed was done long ago: there may be a branch to go back to.
        if self.tape(Tape::commit) == Some(true) {
            self.bury_branches();
        }
    }

    /// The session can be rebuilt from here, with this state and the hit in hand.
    pub(crate) fn checkpoint(&self, state: Vec<u8>, place: &'static Location<'static>) {
        let Some(journal) = &self.core.journal else { return };
        self.seal_hit();
        let (core, mut locked) = (&self.core, self.queue.lock());
        let (hit, step) = (locked.talk.current.take(), locked.talk.step);
        let applied = locked.talk.applied.number();
        if let Some(extra) = locked.peek_extra()
            && let (Some(tape), Some(ledger)) = (extra.tape.as_deref_mut(), extra.ledger.as_deref_mut())
        {
            let (at, shared, secrets) = (tape.now(), &extra.shared, tape.secrets.clone());
            let whole = |fields: &mut Fields| {
                let mut taken = Box::new(Taken { at, step, answer: applied, ..Taken::default() });
                let cookies = [core.cookie.name(false), core.cookie.name(true)];
                *fields = Fields::default();
                if let Some(hit) = &hit {
                    let hidden = Hidden { cookies, names: &journal.secrets, values: &secrets };
                    hits::fill(&mut taken, hit, &hidden, fields);
                }
                taken
            };
            let replayed = tape.is_replaying();
            // Who has diverged gets no further.
            if let Ok(number) = tape.checkpoint(state, shared, whole, place)
                && let Some(before) = tape.let_go(number, step).filter(|_| !replayed)
            {
                ledger.changes.push(Change::Trim { session: self.serial, before });
            }
        }
        locked.talk.current = hit;
    }

    /// The session is told to end: that is what its verb met.
    pub(crate) fn was_told(&self) {
        self.recorded(|tape, ledger| {
            ledger.told = true;
            tape.push(&Entry::Told);
        });
    }

    /// An error, with the hit in hand again, if its response or the session's record has grown too large.
    pub(crate) fn within_limits(&self, hit: Option<Box<Hit>>) -> Result<Option<Box<Hit>>, Error> {
        let hit = self.within_page(hit)?;
        let limit = self.core.limits.journal_session;
        let (beyond, near) = self.tape(|tape| tape.grows_beyond(limit)).unwrap_or_default();
        if near {
            tracing::warn!(
                session = %self.name(), bytes = limit / 4,
                "a session has grown large in the journal: `checkpoint` at a loop's head lets older steps go"
            );
        }
        if !beyond {
            return Ok(hit);
        }
        self.talk(|talk| talk.current = hit);
        Err(Error::new(format!(
            "the session has more than {limit} bytes in the journal: `checkpoint` lets older steps go"
        )))
    }

    /// Whether what happens now has happened before.
    pub(crate) fn is_replaying(&self) -> bool {
        self.tape(|tape| tape.is_replaying()) == Some(true)
    }

    /// Writes a hit that was in hand to the tape, if it is not there yet.
    pub(crate) fn seal(&self, hit: &Hit) {
        let core = &self.core;
        self.tape(|tape| seal(tape, Some(hit), core));
    }

    /// A session that has been visited again, and took nothing yet: from here on it is kept.
    pub(crate) fn settle_in(self: &Arc<Self>) {
        let young = self.recorded(|tape, ledger| {
            let young = !ledger.is_kept() && !tape.strayed;
            ledger.grown |= young;
            young
        });
        if young == Some(true) {
            self.write_on();
        }
    }

    /// Writes the hit in hand to the tape, if it is not there yet.
    pub(crate) fn seal_hit(&self) {
        let core = &self.core;
        let mut state = self.queue.lock();
        // Put back under the same lock.
        let hit = state.talk.current.take();
        if let Some(tape) = state.peek_extra().and_then(|extra| extra.tape.as_deref_mut()) {
            seal(tape, hit.as_deref(), core);
        }
        state.talk.current = hit;
    }

    /// What a poll has shown, where the program did not return.
    pub(crate) fn look_after(self: &Arc<Self>) -> After {
        if self.is_turning() {
            return After::Turns;
        }
        let place = self.talk(|talk| talk.place);
        let stray = self.tape(|tape| {
            if tape.diverged.is_some() {
                return Stray::Diverged;
            }
            if std::mem::take(&mut tape.at_verb) {
                return Stray::No;
            }
            if tape.is_replaying() {
                tape.diverged = Some(format!(
                    "the program waits for something that is no verb, after {place}; it did not then"
                ));
                return Stray::Diverged;
            }
            Stray::of(tape, place)
        });
        if matches!(stray, Some(Stray::First)) {
            tracing::warn!(
                session = %self.name(), place = %place,
                "a session waits for something that is no verb, after the verb at `place`: it cannot be rebuilt past this step; wait for the outside in `read` or `once`"
            );
        }
        if matches!(stray, Some(Stray::Diverged)) { After::Diverged } else { After::Rests }
    }

    /// The page that was shown is given up: its number is used up.
    pub(crate) fn skip_step(&self) {
        let mut state = self.queue.lock();
        let step = state.talk.step + 1;
        let tape = state.peek_extra().and_then(|extra| extra.tape.as_deref_mut());
        let step = tape.map_or(step, |tape| {
            tape.top += 1;
            tape.top
        });
        state.talk.step = step;
    }

    /// A verb was given up: what made the program do so is not in the journal.
    pub(crate) fn gave_up(&self) {
        if self.core.journal.is_none() {
            return;
        }
        let (place, over) = {
            let state = self.queue.lock();
            (state.talk.place, state.is_dying())
        };
        let stray = self.recorded(|tape, ledger| {
            // Or the session is being dropped: it leaves memory, it failed, it is over.
            let copy = ledger.stands_for.is_some();
            let drops = over || ledger.is_leaving() || tape.diverged.is_some() || copy;
            if drops || tape.is_replaying() { Stray::No } else { Stray::of(tape, place) }
        });
        if matches!(stray, Some(Stray::First)) {
            tracing::warn!(
                session = %self.name(), place = %place,
                "a session gave up the verb at `place` for something that is no verb: it cannot be rebuilt past this step"
            );
        }
    }
}

enum Stray {
    No,
    First,
    Diverged,
}

impl Stray {
    fn of(tape: &mut Tape, place: &Location<'_>) -> Stray {
        if std::mem::replace(&mut tape.strayed, true) {
            return Stray::No;
        }
        tape.push(&Entry::Strayed { place: place.to_string() });
        Stray::First
    }
}

/// Writes the hit in hand to the tape.
pub(super) fn seal(tape: &mut Tape, hit: Option<&Hit>, core: &Core) {
    let (Some(hit), Some(journal)) = (hit, &core.journal) else { return };
    let cookies = [core.cookie.name(false), core.cookie.name(true)];
    tape.seal(|taken, values, fields| {
        hits::fill(taken, hit, &Hidden { cookies, names: &journal.secrets, values }, fields);
    });
}
