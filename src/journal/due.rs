//! Sessions whose time has come: to be told, woken or purged; and those that have no such time yet.
//!
//! Some are seen to in each second, the longest overdue first. One that cannot be seen to steps back: it is put off for
//! longer each time, so that it keeps nobody else from their turn. Each is rebuilt on a task of its own, and waited for
//! only so long: its code may block.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::Submission;
use super::lookups::blocking;
use super::store::{Change, Fault, Head, State};
use crate::engine::Core;
use crate::error::Chain;
use crate::log::Line;
use crate::mapper::reap::seconds;

/// Sessions that are seen to in one second.
const A_SECOND: usize = 64;
/// For how long those of one second are waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// Seconds for which one is put off at most.
const LONGEST: u32 = 3_600;
/// Sessions of which it is known how often they were tried.
const REMEMBERED: usize = 10_000;
/// Sessions of earlier processes that are looked at in one second.
const A_LOOK: usize = 1_000;

/// How often sessions that are due were tried, and when last.
#[derive(Default)]
pub(super) struct Tries(HashMap<u64, (u32, u32)>);

impl Tries {
    /// Counts one more; how many there were before.
    fn count(&mut self, session: u64, now: u32) -> u32 {
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, (_, last)| now < last.saturating_add(2 * LONGEST));
        }
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        let (times, last) = self.0.entry(session).or_default();
        *last = now;
        std::mem::replace(times, times.saturating_add(1))
    }

    /// How often one was tried that is not seen to yet.
    fn of(&self, session: u64) -> Option<u32> {
        self.0.get(&session).map(|(times, _)| *times)
    }

    /// It is seen to.
    fn forget(&mut self, session: u64) {
        self.0.remove(&session);
    }
}

/// Seconds for which a session is put off that was tried so often before.
fn delay(times: u32) -> u32 {
    1_u32.checked_shl(times).unwrap_or(LONGEST).min(LONGEST)
}

impl Core {
    /// Asks, on its own time, who is to be told, woken or purged.
    pub(super) fn see_to_due(self: &Arc<Self>, now: u32) {
        if self.journal().tending.swap(true, Ordering::Relaxed) {
            return;
        }
        let core = self.clone();
        self.runtime.spawn(async move {
            let (store, wall) = (core.journal().store.clone(), core.wall());
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
        });
    }

    /// Seconds since 1970.
    fn wall(&self) -> i64 {
        self.clock.micros() / 1_000_000
    }

    async fn see_to(self: &Arc<Self>, heads: Vec<Head>, now: u32) {
        let mut rebuilt = Vec::new();
        for head in heads {
            let session = head.session;
            let over = head.due.is_some_and(|due| due <= now);
            match head.state {
                State::Ended | State::Quarantined => self.note(Change::Forget { session }, now),
                State::Live if self.journal().has(session) => self.leave_to_itself(&head, over, now),
                State::Live if !self.flows.iter().any(|flow| flow.mount() == head.flow) => {
                    self.wait_for_flow(&head, over, now);
                }
                State::Live => rebuilt.push(self.see_to_one(head, over, now)),
            }
        }
        let all = async {
            for one in rebuilt {
                drop(one.await);
            }
        };
        // Whoever takes longer goes on alone.
        drop(tokio::time::timeout(PATIENCE, all).await);
    }

    /// A session that is in memory sees to itself; but one that is on its way there, or to its end, may not arrive.
    fn leave_to_itself(&self, head: &Head, over: bool, now: u32) {
        let session = head.session;
        let tried = self.journal().tries().of(session);
        match tried {
            Some(times) => self.put_off(head, times, now),
            None if over => self.note(Change::Unpark { session }, now),
            None => self.note(Change::Sleep { session, wake: None }, now),
        }
    }

    /// Each change by itself: one that fails spoils no other.
    fn note(&self, change: Change, now: u32) {
        self.journal().submit(Submission { changes: vec![change], ..Submission::default() }, now);
    }

    /// Rebuilds a session that is over, to tell it, or that wants to go on.
    fn see_to_one(self: &Arc<Self>, head: Head, over: bool, now: u32) -> JoinHandle<()> {
        let times = self.journal().tries().count(head.session, now);
        let core = self.clone();
        self.runtime.spawn(async move {
            match core.rebuild_unasked(&head).await {
                None => {}
                Some(Err(_)) => core.put_off(&head, times + 1, now),
                Some(Ok(session)) if over => {
                    // It was told before, and its end could not be written.
                    if times > 0 {
                        core.put_off(&head, times, now);
                    }
                    core.tell(vec![session]);
                }
                Some(Ok(session)) => {
                    core.journal().tries().forget(head.session);
                    core.journal().woken().push(session);
                }
            }
        })
    }

    /// The session is tried again later.
    fn put_off(&self, head: &Head, times: u32, now: u32) {
        let (session, wall, delay) = (head.session, self.wall(), delay(times));
        if head.due.is_some_and(|due| due <= now) {
            self.note(Change::Park { session, due: now.saturating_add(delay) }, now);
        }
        if head.wake.is_some_and(|wake| wake <= wall) {
            let wake = Some(wall.saturating_add(i64::from(delay)));
            self.note(Change::Sleep { session, wake }, now);
        }
    }

    /// A session whose flow is not there: perhaps it is again after the next start, as when a deploy is rolled back. It is
    /// put aside when nobody has used it for as long as it may be idle, and as long again as what is over is kept.
    fn wait_for_flow(&self, head: &Head, over: bool, now: u32) {
        let times = self.journal().tries().count(head.session, now);
        if times == 0 {
            tracing::warn!(
                session = %format_args!("{:x}", head.session), flow = head.flow,
                "there is no such flow at the moment: a session whose time has come waits for it"
            );
        }
        let idle = u64::from(seconds(self.limits.idle)) + u64::from(seconds(self.limits.ended));
        let unused = self.wall().saturating_sub(head.at / 1_000);
        if over && u64::try_from(unused).is_ok_and(|unused| unused >= idle) {
            return self.give_up(head, now);
        }
        self.put_off(head, times + 1, now);
    }

    /// A session whose flow is not there any more.
    fn give_up(&self, head: &Head, now: u32) {
        let session = head.session;
        tracing::warn!(
            session = %format_args!("{session:x}"), flow = head.flow,
            "there has been no such flow for long: the session cannot go on"
        );
        let due = now.saturating_add(seconds(self.limits.ended));
        self.note(Change::End { session, state: State::Quarantined, due }, now);
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
        let due = now.saturating_add(journal.idle);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_tried_again_and_again_is_put_off_for_longer_and_longer() {
        let mut tries = Tries::default();
        let delays: Vec<_> = (0..20).map(|now| delay(tries.count(7, now) + 1)).collect();
        assert_eq!((&delays[..4], delays[19]), (&[2, 4, 8, 16][..], LONGEST));
        tries.forget(7);
        assert_eq!(tries.count(7, 20), 0);
    }

    #[test]
    fn not_more_tries_are_remembered_than_that() {
        let mut tries = Tries::default();
        for session in 0..3 * REMEMBERED as u64 {
            assert_eq!(tries.count(session, 1), 0);
        }
        assert!(tries.0.len() <= REMEMBERED);
    }
}
