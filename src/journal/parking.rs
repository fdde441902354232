//! Out of memory: sessions that rest, and the stop of the server.

use std::sync::Arc;

use super::Submission;
use super::store::Change;
use crate::engine::Core;
use crate::mapper::key::VisitorId;
use crate::mapper::reap::seconds;
use crate::session::Session;

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
                journal.strand(session.serial);
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
        journal.lookups.help(&self.runtime);
        journal.budgets.renew(now);
        journal.shares.renew(now);
        journal.park_stranded(now);
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

    /// Those who left memory with nothing written of it get an end of their idle time. Not while much is to be written.
    fn park_stranded(&self, now: u32) {
        if self.writer.is_crowded() {
            return;
        }
        let mut stranded = self.stranded.lock().expect("no code panics while it holds the stranded sessions");
        let due = now.saturating_add(self.idle);
        let left = std::mem::take(&mut *stranded).into_iter().filter(|session| !self.has(*session));
        let changes: Vec<_> = left.map(|session| Change::Park { session, due }).collect();
        drop(stranded);
        if !changes.is_empty() {
            self.submit(Submission { changes, ..Submission::default() }, now);
        }
    }

    /// Whether a session is in memory.
    pub(super) fn has(&self, session: u64) -> bool {
        self.present().get(&session).is_some_and(|there| there.strong_count() > 0)
    }
}
