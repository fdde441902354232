//! Where a session meets its tape: a step is complete, a response may leave, something went wrong.

use std::panic::Location;
use std::sync::Arc;

use super::entry::{Ending, Entry, Taken, Verb};
use super::headers::Fields;
use super::hits::{self, Hidden};
use super::store::{Change, Fault, State};
use super::tape::Tape;
use super::turning::After;
use super::{Journal, Submission, Then, inside};
use crate::engine::Core;
use crate::error::Error;
use crate::hit::Hit;
use crate::mapper::key::VisitorId;
use crate::mapper::reap::seconds;
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

    fn journal(&self) -> &Journal {
        self.core.journal.as_ref().expect("a session with a tape has a journal")
    }

    /// The session's first hit is taken: from here on it is recorded.
    pub(crate) fn open_tape(&self) {
        let Some(journal) = &self.core.journal else { return };
        let mut tape = Box::new(Tape::blank(journal.build));
        tape.take(Box::new(Taken { at: self.core.clock.micros(), step: 1, ..Taken::default() }));
        self.queue.lock().extra().tape = Some(tape);
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
        if self.tape(|tape| tape.broken) == Some(true) {
            // What it shows did not happen.
            return self.core.undone(ready);
        }
        match self.hand_out(Vec::new()) {
            None => ready.send(),
            Some(changes) => self.submit(changes, Then::Answer(ready.deferred()), false),
        }
    }

    /// What has to be written before anything leaves; `None` if there is nothing to wait for.
    fn hand_out(&self, more: Vec<Change>) -> Option<Vec<Change>> {
        let (flow, core, at) = (self.talk(|talk| talk.flow), &self.core, self.core.clock.micros() / 1_000);
        self.tape(|tape| {
            if !tape.begun && !tape.grown {
                // A newborn's first page: nothing of it is kept yet.
                return None;
            }
            let mut changes = Vec::with_capacity(2 + more.len());
            if !tape.begun {
                tape.begun = true;
                changes.push(Change::Begin {
                    session: self.serial,
                    visitor: self.journal().visitor(self.visitor()),
                    label: self.label,
                    flow: core.flow(flow).mount().to_owned(),
                });
            }
            changes.extend(tape.hand_out(self.serial, at).map(Change::Append));
            changes.extend(std::mem::take(&mut tape.changes));
            changes.extend(more);
            // What one that is broken shows may never have been.
            let waits = !changes.is_empty() || tape.unwritten > 0 || tape.broken;
            tape.unwritten += u32::from(waits);
            waits.then_some(changes)
        })?
    }

    fn submit(self: &Arc<Self>, changes: Vec<Change>, then: Then, leaves: bool) {
        if let Some(Change::Begin { .. }) = changes.first() {
            self.journal().enter(self);
        }
        let session = Some(self.clone());
        let submission = Submission { session, changes, then, leaves, ..Submission::default() };
        self.journal().submit(submission, self.core.clock.now());
    }

    /// Waits until all that was recorded so far is durable. `false`: it could not be written, and the session will not
    /// go on.
    pub(crate) async fn make_durable(self: &Arc<Self>) -> bool {
        self.seal_hit();
        let Some(changes) = self.hand_out(Vec::new()) else { return true };
        let (then, written) = Then::wake();
        self.submit(changes, then, false);
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
        if let Some(changes) = self.hand_out(Vec::new()) {
            self.submit(changes, Then::Nothing, false);
        }
    }

    /// The session's visitor has another id: that is to be written before the visitor is told.
    pub(crate) fn was_renamed(&self, old: VisitorId, new: VisitorId) {
        let Some(journal) = &self.core.journal else { return };
        let (from, to) = (journal.visitor(old), journal.visitor(new));
        self.tape(|tape| {
            tape.grown = true;
            tape.renamed.get_or_insert(old);
            tape.changes.push(Change::Rename { from, to });
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
            && let Some(tape) = extra.tape.as_deref_mut()
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
                tape.changes.push(Change::Trim { session: self.serial, before });
            }
        }
        locked.talk.current = hit;
    }

    /// The session is told to end: that is what its verb met.
    pub(crate) fn was_told(&self) {
        self.tape(|tape| {
            tape.told = true;
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
        let young = self.tape(|tape| {
            let young = !tape.begun && !tape.grown && !tape.strayed;
            tape.grown |= young;
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

    /// The journal has taken what was submitted, or has not.
    pub(super) fn settle(self: &Arc<Self>, written: Result<(), Fault>, leaves: bool) -> Result<(), Fault> {
        let mut broken = false;
        self.tape(|tape| {
            tape.unwritten = tape.unwritten.saturating_sub(1);
            tape.broken |= written.is_err();
            if written.is_ok() && tape.unwritten == 0 && tape.changes.is_empty() {
                tape.renamed = None;
            }
            broken = tape.broken;
        });
        if leaves {
            self.journal().leave(self);
            // A tombstone needs none; who has left memory is asked for it by hits that come too late.
            let mut state = self.queue.lock();
            state.peek_extra().map(|extra| extra.tape.take_if(|tape| !tape.stays));
        }
        if broken { Err(written.err().unwrap_or(Fault::Failed)) } else { written }
    }

    /// A step of the session could not be written, so it did not happen: it is dropped, to be rebuilt.
    pub(super) fn undo(self: &Arc<Self>) {
        if self.queue.lock().has_ended() {
            return;
        }
        tracing::debug!(session = %self.name(), "a step was undone: it could not be written");
        if let Some(old) = self.tape(|tape| tape.renamed.take()).flatten() {
            // Nobody was told the new id.
            self.core.table.rename(self.visitor(), old);
        }
        self.leave_memory();
        self.journal().leave(self);
    }

    /// Drops the session where it stands. What was written of it stays.
    pub(crate) fn leave_memory(self: &Arc<Self>) {
        self.tape(|tape| tape.stays = true);
        self.core.table.remove(self);
        self.die_now();
    }

    /// Its function returned, or it was closed or killed: it is over, once that is written.
    pub(crate) fn end_tape(self: &Arc<Self>, how: Ending, ready: Option<Ready>) {
        let journaled = self.tape(|tape| {
            let stays = tape.stays || tape.broken;
            if !stays {
                tape.push(&Entry::End { how });
            }
            !stays && (tape.begun || tape.grown)
        });
        if journaled != Some(true) {
            if let Some(ready) = ready {
                self.release(ready);
            }
            return;
        }
        let due = self.core.clock.now().saturating_add(seconds(self.core.limits.ended));
        let over = vec![Change::End { session: self.serial, state: State::Ended, due }];
        let then = ready.map_or(Then::Nothing, |ready| Then::Answer(ready.deferred()));
        match self.hand_out(over) {
            Some(changes) => self.submit(changes, then, true),
            None => drop(then),
        }
    }

    /// It was over when it came back.
    pub(crate) fn end_late(self: &Arc<Self>) {
        let due = self.core.clock.now().saturating_add(seconds(self.core.limits.ended));
        let over = vec![Change::End { session: self.serial, state: State::Ended, due }];
        self.submit(over, Then::Nothing, true);
    }

    /// A step failed. If there is a past to go back to, the session leaves memory, and waits where it was; then this is
    /// `true`, and the failure's page is to be sent by [`release_last`](Self::release_last).
    pub(crate) fn go_back(self: &Arc<Self>, hit: Option<&Hit>, why: &str) -> bool {
        let core = &self.core;
        self.tape(|tape| {
            let back = tape.has_past() && !tape.is_replaying() && !tape.told && (tape.begun || tape.grown);
            if back {
                seal(tape, hit, core);
                if tape.turned.is_none() {
                    tape.cut(why);
                }
                tape.stays = true;
            }
            back
        }) == Some(true)
    }

    /// Sends the last response of a session that leaves memory.
    pub(crate) fn release_last(self: &Arc<Self>, ready: Option<Ready>) {
        match self.hand_out(Vec::new()) {
            Some(changes) => {
                let then = ready.map_or(Then::Nothing, |ready| Then::Answer(ready.deferred()));
                self.submit(changes, then, true);
            }
            None => {
                self.journal().leave(self);
                ready.into_iter().for_each(Ready::send);
            }
        }
    }

    /// The program has returned where other branches go on: this one is over, and the session leaves memory. `false`: there
    /// are none.
    pub(crate) fn leaves_branch(&self) -> bool {
        self.tape(|tape| {
            let leaves = !tape.ends.is_empty() && !tape.told && !tape.stays && !tape.broken;
            if leaves {
                tape.push(&Entry::End { how: Ending::Returned });
                tape.stays = true;
            }
            leaves
        }) == Some(true)
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
        let stray = self.tape(|tape| {
            // Or the session is being dropped: it leaves memory, it failed, it is over.
            let drops = over || tape.stays || tape.broken || tape.diverged.is_some() || tape.rehearses;
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
fn seal(tape: &mut Tape, hit: Option<&Hit>, core: &Core) {
    let (Some(hit), Some(journal)) = (hit, &core.journal) else { return };
    let cookies = [core.cookie.name(false), core.cookie.name(true)];
    tape.seal(|taken, values, fields| {
        hits::fill(taken, hit, &Hidden { cookies, names: &journal.secrets, values }, fields);
    });
}
