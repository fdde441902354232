//! How a session leaves memory: it is over, or it stays in the journal, and what could not be written of it is undone.

use std::sync::Arc;

use super::entry::{Ending, Entry};
use super::recording::seal;
use super::store::{Change, Fault, State};
use super::{Submission, Then};
use crate::hit::Hit;
use crate::mapper::reap::seconds;
use crate::reply::Ready;
use crate::session::Session;

impl Session {
    /// Whether the session leaves memory and stays in the journal: what comes to it now finds it there.
    pub(crate) fn is_leaving(&self) -> bool {
        self.ledger(|ledger| ledger.is_leaving()) == Some(true)
    }

    /// The journal has taken what was submitted, or has not.
    pub(super) fn settle(self: &Arc<Self>, written: Result<(), Fault>, leaves: bool) -> Result<(), Fault> {
        let goes_on = self.ledger(|ledger| ledger.settle(written.is_ok())) != Some(false);
        if leaves {
            self.journal().leave(self);
            let mut state = self.queue.lock();
            if let Some(extra) = state.peek_extra() {
                extra.tape = None;
                // A tombstone needs none; who has left memory is asked for it by hits that come too late.
                extra.ledger.take_if(|ledger| !ledger.is_leaving());
            }
        }
        if goes_on { written } else { Err(written.err().unwrap_or(Fault::Failed)) }
    }

    /// A step of the session could not be written, so it did not happen: the session is dropped, to be rebuilt.
    pub(super) fn undo(self: &Arc<Self>) {
        self.give_up_renames();
        if self.queue.lock().has_ended() {
            // Its end did not happen either: nobody is shown its last page.
            self.core.table.remove(self);
            self.core.kept.remove(self.serial);
            return;
        }
        tracing::debug!(session = %self.name(), "a step was undone: it could not be written");
        self.leave_memory();
        self.journal().leave(self);
    }

    /// Answers for a step that could not be written. A new id that was written before it is told all the same: there is no
    /// other any more.
    #[cold]
    pub(super) fn undone(&self, ready: Ready) {
        let durable = self.journal().renames.durable(self.visitor());
        self.core.undone(ready, |by| by != durable);
    }

    /// Drops the session where it stands. What was written of it stays.
    pub(crate) fn leave_memory(self: &Arc<Self>) {
        self.ledger(|ledger| ledger.leave());
        self.core.table.remove(self);
        self.die_now();
    }

    /// Its function returned, or it was closed or killed: it is over, once that is written.
    pub(crate) fn end_tape(self: &Arc<Self>, how: Ending, ready: Option<Ready>) {
        let ends = self.recorded(|tape, ledger| {
            let ends = ledger.may_end();
            if ends {
                tape.push(&Entry::End { how });
            }
            ends
        });
        if ends != Some(true) {
            if let Some(ready) = ready {
                self.release(ready);
            }
            return;
        }
        let then = ready.map_or(Then::Nothing, |ready| Then::Answer(ready.deferred()));
        match self.hand_out(vec![self.over()]) {
            Some(handed) => self.submit(handed, then, true),
            None => drop(then),
        }
    }

    /// It was over when it came back.
    pub(crate) fn end_late(self: &Arc<Self>) {
        if self.ledger(|ledger| ledger.may_end()) == Some(true) {
            let handed = Submission { changes: vec![self.over()], ..Submission::default() };
            self.submit(handed, Then::Nothing, true);
        }
    }

    fn over(&self) -> Change {
        let due = self.core.clock.now().saturating_add(seconds(self.core.limits.ended));
        Change::End { session: self.serial, state: State::Ended, due }
    }

    /// A step failed. If there is a past to go back to, the session leaves memory, and waits where it was; then this is
    /// `true`, and the failure's page is to be sent by [`release_last`](Self::release_last).
    pub(crate) fn go_back(self: &Arc<Self>, hit: Option<&Hit>, why: &str) -> bool {
        let core = &self.core;
        self.recorded(|tape, ledger| {
            let back = tape.has_past() && !tape.is_replaying() && !ledger.told && ledger.is_kept();
            if back {
                seal(tape, hit, core);
                if tape.turned.is_none() {
                    tape.cut(why);
                }
                ledger.leave();
            }
            back
        }) == Some(true)
    }

    /// Sends the last response of a session that leaves memory.
    pub(crate) fn release_last(self: &Arc<Self>, ready: Option<Ready>) {
        match self.hand_out(Vec::new()) {
            Some(handed) => {
                let then = ready.map_or(Then::Nothing, |ready| Then::Answer(ready.deferred()));
                self.submit(handed, then, true);
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
        self.recorded(|tape, ledger| {
            let leaves = !tape.ends.is_empty() && !ledger.told && !ledger.is_leaving();
            if leaves {
                tape.push(&Entry::End { how: Ending::Returned });
                ledger.leave();
            }
            leaves
        }) == Some(true)
    }
}
