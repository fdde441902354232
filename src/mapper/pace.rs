//! When the reaper looks: each second; and while a test lets time pass at once, only when something is due.
//!
//! What is due is known from what is there. What changes meanwhile, since a session went on by itself or a hit came,
//! rings.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::reap::seconds;
use crate::engine::Core;
use crate::journal::Journal;
use crate::journal::turning::WINDOW;

#[derive(Default)]
pub(crate) struct Pace {
    /// Tests that let time pass.
    leaping: AtomicUsize,
    bell: Notify,
}

impl Pace {
    fn is_leaping(&self) -> bool {
        self.leaping.load(Ordering::Relaxed) > 0
    }

    /// Waits until the reaper has to look, at `next`, or until that has to be found out again: `false`.
    pub(super) async fn comes(&self, next: Instant) -> bool {
        tokio::time::timeout_at(next, self.bell.notified()).await.is_err()
    }
}

impl Core {
    /// When the reaper looks again.
    pub(super) fn next_look(&self) -> Instant {
        let now = self.clock.second();
        let next = if self.pace.is_leaping() { self.next_due(now) } else { 0 };
        self.clock.at(next.max(now.saturating_add(1)))
    }

    /// Something goes on, or went on: while a test lets time pass, the clock may be late, and something due earlier.
    pub(crate) fn stir(&self) {
        if self.pace.is_leaping() {
            self.clock.tick();
            self.pace.bell.notify_one();
        }
    }

    /// The second at which the reaper has something to do, as things are.
    fn next_due(&self, now: u32) -> u32 {
        let dying = self.dying.next_due();
        let rotated = self.rotated.oldest().map(|second| second + seconds(self.limits.linger) + 1);
        let counted = self.gate.is_used().then_some(now + 1);
        let rests: &[u32] = match &self.journal {
            None => &[],
            Some(_) => &[seconds(self.limits.park), seconds(self.idle_unkept)],
        };
        let table = self.table.next_due(now, rests);
        let journal = self.journal.as_ref().map(|journal| self.next_of(journal, now));
        [dying, rotated, counted, journal].into_iter().flatten().fold(table, u32::min)
    }

    fn next_of(&self, journal: &Journal, now: u32) -> u32 {
        if journal.is_busy() || self.table.alive() > self.limits.in_memory {
            return now + 1;
        }
        let window = journal.counts_replays().then(|| now - now % WINDOW + WINDOW);
        let wall = self.clock.micros() / 1_000_000;
        // By either clock the first; a store that fails is asked again in a second.
        let due =
            journal.store.due(u32::MAX, i64::MIN, 1).map(|heads| heads.first().and_then(|head| head.due));
        let wake = journal.store.due(0, i64::MAX, 1).map(|heads| heads.first().and_then(|head| head.wake));
        let (Ok(due), Ok(wake)) = (due, wake) else { return now + 1 };
        let due = due.map(|due| again(due, now));
        let wake =
            wake.map(|wake| u32::try_from((wake - wall).max(1)).unwrap_or(u32::MAX).saturating_add(now));
        [window, due, wake].into_iter().flatten().fold(u32::MAX, u32::min)
    }
}

/// The second at which to look for what is due at `due`: what should be done by now and is not, after as long again.
pub(crate) fn again(due: u32, now: u32) -> u32 {
    if due > now { due } else { now.saturating_add((now - due).max(1)) }
}

/// A test lets time pass, until this is dropped.
#[cfg(feature = "test")]
pub(crate) struct Leap(std::sync::Arc<Core>);

#[cfg(feature = "test")]
impl Leap {
    pub(crate) fn begin(core: std::sync::Arc<Core>) -> Leap {
        core.pace.leaping.fetch_add(1, Ordering::Relaxed);
        core.stir();
        Leap(core)
    }
}

#[cfg(feature = "test")]
impl Drop for Leap {
    fn drop(&mut self) {
        self.0.clock.tick();
        self.0.pace.leaping.fetch_sub(1, Ordering::Relaxed);
        // From here on the reaper looks each second.
        self.0.pace.bell.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_overdue_is_looked_for_ever_more_rarely() {
        assert_eq!(again(7, 5), 7);
        assert_eq!(again(5, 5), 6);
        let (mut now, mut looks) = (5, 0);
        while now < 365 * 24 * 3600 {
            now = again(5, now);
            looks += 1;
        }
        assert!(looks < 30, "{looks} looks in a year");
    }
}
