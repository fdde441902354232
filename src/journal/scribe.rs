//! Who writes: what waits is written together, as far as there is room, and whoever submitted it is told.
//!
//! What panics in a store is caught here. Nothing of that write is known to have happened, so its sessions are undone and
//! rebuilt from what the store says; the next write goes on. A store that cannot go on says so by failing
//! ([`Fault::Stopped`]). The thread never ends before the server does: there would be nobody to write what ends sessions.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use super::room::{Bound, Nature};
use super::store::{Change, Fault, Store, StoreError};
use super::{Submission, Then};
use crate::error::Chain;
use crate::log::Line;
use crate::session::panic_text;

/// Submissions that are written together.
const GROUP: usize = 4_096;
/// For how long the store has time for itself when the server stops.
const LAST: Duration = Duration::from_secs(2);
/// How often the log is told that nothing can be written.
const SAY: Duration = Duration::from_secs(10);
/// How often a store that is full is asked to make room.
const MAKE_ROOM: Duration = Duration::from_secs(1);

const FULL: &str =
    "There is no room to write this down at the moment, so it did not happen. Please try again later.";

/// Who writes.
pub(super) struct Scribe {
    store: Arc<dyn Store>,
    /// What the journal may take.
    bound: Bound,
    waiting: Arc<AtomicUsize>,
    said: Option<Instant>,
    /// It was said that there is little room left.
    said_filling: bool,
    made_room: Option<Instant>,
}

impl Scribe {
    /// The store may take so many bytes.
    pub(super) fn new(store: Arc<dyn Store>, bytes: u64, waiting: Arc<AtomicUsize>) -> Self {
        let (said, said_filling, made_room) = Default::default();
        Scribe { store, bound: Bound(bytes), waiting, said, said_filling, made_room }
    }

    /// Writes until nobody can submit anything any more.
    pub(super) fn run(&mut self, line: &Receiver<Submission>) {
        while let Some(first) = self.next(line) {
            // Who has just been answered may have something to be written, too: let them.
            thread::yield_now();
            let mut group = vec![first];
            while group.len() < GROUP
                && let Ok(next) = line.try_recv()
            {
                group.push(next);
            }
            self.waiting.fetch_sub(group.len(), Ordering::Relaxed);
            if catch_unwind(AssertUnwindSafe(|| self.write(group))).is_err() {
                tracing::error!("the journal's writer panicked, and goes on with what is submitted next");
            }
        }
        let end = Instant::now() + LAST;
        while self.rest() && Instant::now() < end {}
    }

    /// What is to be written next. While there is nothing, the store has time for itself.
    fn next(&self, line: &Receiver<Submission>) -> Option<Submission> {
        loop {
            match line.try_recv() {
                Err(TryRecvError::Empty) if self.rest() => {}
                Err(TryRecvError::Empty) => return line.recv().ok(),
                other => return other.ok(),
            }
        }
    }

    /// Gives the store time for itself; whether it wants more. Where it is full that is to make room, and not to make
    /// copies.
    fn rest(&self) -> bool {
        let rests = || self.bound.has_room(self.store.bytes()) && self.store.rest();
        catch_unwind(AssertUnwindSafe(rests)).unwrap_or(false)
    }

    /// Writes one submission at once.
    pub(super) fn write_one(&mut self, submission: &mut Submission) -> Result<(), Fault> {
        if submission.is_of_a_broken_session() {
            return Err(Fault::Failed);
        }
        let mut used = self.used();
        if !self.admits(submission, &mut used) {
            return Err(self.refuse(submission));
        }
        self.store(&submission.changes)
    }

    fn write(&mut self, mut group: Vec<Submission>) {
        let mut changes = Vec::with_capacity(group.len());
        let mut ends = Vec::with_capacity(group.len());
        let mut refused = self.sift(&mut group);
        for submission in &mut group {
            if !submission.is_of_a_broken_session() {
                changes.append(&mut submission.changes);
            }
            ends.push(changes.len());
        }
        match self.store(&changes) {
            Ok(()) => group.into_iter().for_each(|submission| submission.settle(Ok(()))),
            // Perhaps one of them spoils it for all.
            Err(Fault::Failed | Fault::Damaged) if group.len() > 1 => {
                self.write_singly(group, &changes, &ends);
            }
            Err(fault) => group.into_iter().for_each(|submission| submission.settle(Err(fault))),
        }
        for mut submission in refused.drain(..) {
            let fault = self.refuse(&mut submission);
            submission.settle(Err(fault));
        }
    }

    fn write_singly(&mut self, group: Vec<Submission>, changes: &[Change], ends: &[usize]) {
        let mut start = 0;
        for (submission, end) in group.into_iter().zip(ends) {
            let written = self.store(&changes[start..*end]);
            submission.settle(written);
            start = *end;
        }
    }

    /// Takes out of a group what there is no room for; and what else is of those sessions, since it comes after that.
    fn sift(&mut self, group: &mut Vec<Submission>) -> Vec<Submission> {
        let mut used = self.used();
        if self.bound.has_plenty(used) {
            return Vec::new();
        }
        let mut without: Vec<u64> = Vec::new();
        group
            .extract_if(.., |submission| {
                let session = submission.session.as_ref().map(|session| session.serial);
                let follows = session.is_some_and(|session| without.contains(&session));
                let refused = follows || !self.admits(submission, &mut used);
                without.extend(session.filter(|_| refused));
                refused
            })
            .collect()
    }

    /// Whether there is room for it beside what is used. What ends a session, and nobody waits for, is written at least
    /// so far that the session is over.
    fn admits(&self, submission: &mut Submission, used: &mut u64) -> bool {
        let (nature, bytes) = Nature::of(&submission.changes);
        let takes = self.bound.takes(*used, nature);
        if takes {
            *used += bytes;
            return true;
        }
        let over = |change: &Change| matches!(change, Change::End { .. });
        let ends = submission.changes.iter().any(over) && matches!(submission.then, Then::Nothing);
        if ends {
            submission.changes.retain(|change| !matches!(change, Change::Append(_)));
        }
        ends
    }

    /// Bytes that are used. A store that has hardly any left makes room first, if it can.
    fn used(&mut self) -> u64 {
        let used = self.store.bytes();
        let lately = || self.made_room.is_some_and(|made| made.elapsed() < MAKE_ROOM);
        if self.bound.has_room(used) || lately() {
            return used;
        }
        self.made_room = Some(Instant::now());
        if catch_unwind(AssertUnwindSafe(|| self.store.make_room())).is_err() {
            tracing::error!("the journal's store panicked while it made room");
        }
        self.store.bytes()
    }

    fn refuse(&mut self, submission: &mut Submission) -> Fault {
        submission.refusal = Some(FULL);
        let bytes = self.bound.0;
        let what = format!("the journal has nearly the {bytes} bytes that `Limits::journal_bytes` allows");
        self.say(&StoreError::new(Fault::Full, what));
        Fault::Full
    }

    fn store(&mut self, changes: &[Change]) -> Result<(), Fault> {
        if changes.is_empty() {
            return Ok(());
        }
        match self.attempt(changes) {
            Ok(()) => {
                if self.said.take().is_some() {
                    tracing::info!("the journal can be written again");
                }
                self.watch();
                Ok(())
            }
            Err(error) => {
                self.say(&error);
                Err(error.fault())
            }
        }
    }

    fn attempt(&self, changes: &[Change]) -> Result<(), StoreError> {
        catch_unwind(AssertUnwindSafe(|| self.store.write(changes))).unwrap_or_else(|panic| {
            let what = format!("write to the journal: its store panicked: {}", panic_text(&*panic));
            Err(StoreError::new(Fault::Failed, what))
        })
    }

    /// Says in time that there is little room left, once until there is more.
    fn watch(&mut self) {
        let (used, most) = (self.store.bytes(), self.bound.0);
        if used < most / 4 * 3 {
            self.said_filling = false;
        } else if used >= most / 5 * 4 && !std::mem::replace(&mut self.said_filling, true) {
            tracing::warn!(
                used,
                most,
                "the journal has used 80 % of `Limits::journal_bytes`, and when it is full new steps are answered 503: \
                 raise that limit, lower `Limits::ended`, or stop the server and run `continuity journal prune`; \
                 `continuity journal room` says what takes the room"
            );
        }
    }

    /// Says it loudly, but not for each hit.
    fn say(&mut self, error: &StoreError) {
        if self.said.is_some_and(|said| said.elapsed() < SAY) {
            return;
        }
        self.said = Some(Instant::now());
        let error_text = Line(Chain(error));
        match error.fault() {
            Fault::Stopped => tracing::error!(
                error = %error_text,
                "the journal takes nothing more: what it said was on the disk may not be; hits are answered 503 until the server is started again"
            ),
            Fault::Full => tracing::error!(
                error = %error_text,
                "the journal has no room: new steps are answered 503, sessions can still end; make room on its disk, raise `Limits::journal_bytes`, or stop the server and run `continuity journal prune`"
            ),
            _ => tracing::error!(error = %error_text, "the journal cannot be written: hits are answered 503"),
        }
    }
}

#[cfg(test)]
mod tests;
