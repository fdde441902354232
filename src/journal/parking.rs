//! Out of memory and back by themselves: sessions that rest, sessions whose time has come, the stop of the server.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::lookups::blocking;
use super::store::{Change, Fault, Head, State};
use super::{Submission, turning};
use crate::engine::Core;
use crate::error::Chain;
use crate::log::Line;
use crate::mapper::key::VisitorId;
use crate::mapper::reap::seconds;
use crate::session::Session;

/// Sessions that are seen to in one second, of those whose time has come.
const A_SECOND: usize = 64;

/// Sessions of earlier processes that are looked at in one second.
const A_LOOK: usize = 1_000;

impl Core {
    /// Once a second: parks who rests, and sees to those whose time has come.
    pub(crate) fn tend_journal(self: &Arc<Self>, now: u32) {
        let Some(journal) = &self.journal else { return };
        for session in self.table.resting(now, seconds(self.limits.park)) {
            if !self.park(&session) {
                session.settle_in();
            }
        }
        for session in self.table.resting(now, seconds(self.idle_unkept)) {
            // It could not come back as it is: what can be kept of it is written already.
            if session.tape(|tape| tape.strayed && tape.unwritten == 0) == Some(true) && !session.is_at_work()
            {
                session.leave_memory();
                journal.leave(&session);
            }
        }
        let surplus = self.table.alive().saturating_sub(self.limits.in_memory);
        if surplus > 0 {
            for session in self.table.least_recent(surplus) {
                self.park(&session);
            }
        }
        // Whose visitor has come is the table's, like all others.
        journal.woken().retain(|session| {
            session.visitor() == VisitorId::NOBODY && !session.queue.lock().has_ended() && !self.park(session)
        });
        if now.is_multiple_of(turning::WINDOW) {
            journal.forget_replays();
        }
        self.see_to_due(now);
    }

    /// Puts a session that rests out of memory. Not one that is at work, or that could not come back; and not while much is
    /// to be written: one of which nobody can note when its idle time is over would stay in the journal for ever.
    pub(crate) fn park(self: &Arc<Self>, session: &Arc<Session>) -> bool {
        let journal = self.journal();
        if journal.writer.is_crowded() {
            return false;
        }
        let task = session.queue.take_resting(|talk, extra| {
            let tape = extra.and_then(|extra| extra.tape.as_deref_mut());
            tape.filter(|tape| talk.current.is_none() && tape.rests()).map(|tape| tape.stays = true).is_some()
        });
        let Some(task) = task else { return false };
        let due = self.clock.now().saturating_add(seconds(self.limits.idle));
        let park = vec![Change::Park { session: session.serial, due }];
        journal.submit(
            Submission {
                session: Some(session.clone()),
                changes: park,
                leaves: true,
                ..Submission::default()
            },
            self.clock.now(),
        );
        self.table.remove(session);
        self.kept.remove(session.serial);
        session.bury_branches();
        session.bury(task);
        true
    }

    /// Asks, on its own time, who is to be told, woken or purged.
    fn see_to_due(self: &Arc<Self>, now: u32) {
        if self.journal().tending.swap(true, Ordering::Relaxed) {
            return;
        }
        let core = self.clone();
        self.runtime.spawn(async move {
            let store = core.journal().store.clone();
            let wall = core.clock.micros() / 1_000_000;
            match blocking(move || store.due(now, wall, A_SECOND)).await {
                Ok(heads) => core.see_to(heads, now).await,
                // It was said by who failed to write.
                Err(error) if error.fault() == Fault::Stopped => {}
                Err(error) => {
                    tracing::error!(error = %Line(Chain(&error)), "the journal cannot say what is due")
                }
            }
            core.park_orphans(now).await;
            core.journal().tending.store(false, Ordering::Relaxed);
            core.stir();
        });
    }

    /// Who was in memory when an earlier process died has no end of its idle time, and would stay for ever if nobody
    /// came back: it gets one, some at a time.
    async fn park_orphans(self: &Arc<Self>, now: u32) {
        let journal = self.journal();
        let (store, after) = (journal.store.clone(), journal.looked.load(Ordering::Relaxed));
        if after == u64::MAX {
            return;
        }
        let heads = blocking(move || store.list(after, A_LOOK)).await.unwrap_or_else(|error| {
            tracing::warn!(error = %Line(Chain(&error)), "sessions without an end of their idle time are not looked for");
            Vec::new()
        });
        let ours = u64::from(journal.start) << 32;
        let last = heads.last().map(|head| head.session).filter(|last| *last < ours);
        journal.looked.store(last.unwrap_or(u64::MAX), Ordering::Relaxed);
        let due = now.saturating_add(seconds(self.limits.idle));
        let orphans = heads.into_iter().filter(|head| {
            head.session < ours
                && head.state == State::Live
                && head.due.is_none()
                && !journal.has(head.session)
        });
        let changes: Vec<_> = orphans.map(|head| Change::Park { session: head.session, due }).collect();
        if !changes.is_empty() {
            journal.submit(Submission { changes, ..Submission::default() }, now);
        }
    }

    async fn see_to(self: &Arc<Self>, heads: Vec<Head>, now: u32) {
        let mut changes = Vec::new();
        for head in heads {
            let session = head.session;
            let over = head.due.is_some_and(|due| due <= now);
            match head.state {
                State::Ended | State::Quarantined => changes.push(Change::Forget { session }),
                State::Live if self.journal().has(session) => {
                    // It is here, and sees to itself.
                    let sleep = Change::Sleep { session, wake: None };
                    changes.push(if over { Change::Unpark { session } } else { sleep });
                }
                State::Live if !self.flows.iter().any(|flow| flow.mount() == head.flow) => {
                    changes.push(self.give_up(&head, now));
                }
                State::Live => {
                    let Some(session) = self.rebuild_unasked(head).await else { continue };
                    if over {
                        self.tell(vec![session]);
                    } else {
                        self.journal().woken().push(session);
                    }
                }
            }
        }
        if !changes.is_empty() {
            self.journal().submit(Submission { changes, ..Submission::default() }, now);
        }
    }

    /// A session whose flow is not there any more.
    fn give_up(&self, head: &Head, now: u32) -> Change {
        tracing::warn!(
            session = %format_args!("{:x}", head.session), flow = head.flow,
            "there is no such flow any more: the session cannot go on"
        );
        let due = now.saturating_add(seconds(self.limits.ended));
        Change::End { session: head.session, state: State::Quarantined, due }
    }

    /// The server stops: who can come back leaves memory, and is not told. Who is in the middle of something has until
    /// the grace is over, and does it again then.
    pub(crate) async fn park_all(self: &Arc<Self>) {
        let end = tokio::time::Instant::now() + self.limits.grace;
        let mut left = self.table.all();
        left.extend(self.journal().woken().drain(..));
        loop {
            left.retain(|session| {
                session.tape(|tape| tape.begun) == Some(true)
                    && !session.queue.lock().has_ended()
                    && !self.park(session)
            });
            if left.is_empty() || tokio::time::Instant::now() >= end {
                break;
            }
            tokio::time::sleep(crate::mapper::reap::TICK / 20).await;
        }
        for session in left {
            tracing::info!(session = %session.name(), "a session is stopped in the middle of a step; it does it again when it is rebuilt");
            session.leave_memory();
        }
        self.journal().barrier().await;
    }
}

impl super::Journal {
    pub(super) fn woken(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Session>>> {
        self.woken.lock().expect("no code panics while it holds the woken sessions")
    }

    /// Whether sessions are left that the next second is for.
    pub(crate) fn is_busy(&self) -> bool {
        self.looked.load(Ordering::Relaxed) != u64::MAX || !self.woken().is_empty()
    }

    /// Whether a session is in memory.
    pub(super) fn has(&self, session: u64) -> bool {
        self.present().get(&session).is_some_and(|there| there.strong_count() > 0)
    }
}
