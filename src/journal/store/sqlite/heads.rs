//! How far sessions have come whose rows do not say so yet.
//!
//! A hit adds a chunk and leaves the session's row alone: a change at a random place for each hit costs three times
//! as much as adding at the end. What the rows lack is kept here, brought into them by and by, the oldest first, and
//! read off the newest chunks when the journal is opened.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::row::Tip;

/// Rows are written when they have been old for so long: it bounds what is to be read at the next start, and several
/// hits of a visitor become one change.
const AFTER: Duration = Duration::from_secs(10);

/// They are written before that when there are more.
const MANY: usize = 100_000;

/// The sessions whose rows are old.
#[derive(Default)]
pub(super) struct Heads {
    old: HashMap<u64, Old>,
    /// Where each became old, in order; what has been written since is still in it until its turn.
    queue: VecDeque<(i64, u64, Instant)>,
}

/// How far a session has come, and the first chunk that its row lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Old {
    pub(super) tip: Tip,
    pub(super) since: i64,
}

/// What a transaction makes of sessions: old by this, or their rows are written.
pub(super) type Changed = HashMap<u64, Option<Old>>;

impl Heads {
    pub(super) fn tip(&self, session: u64) -> Option<&Tip> {
        self.old.get(&session).map(|old| &old.tip)
    }

    pub(super) fn get(&self, session: u64) -> Option<Old> {
        self.old.get(&session).copied()
    }

    /// After a commit: what it changed.
    pub(super) fn apply(&mut self, changed: Changed) {
        let mut older = Vec::new();
        for (session, now) in changed {
            let Some(old) = now else {
                self.old.remove(&session);
                continue;
            };
            let before = self.old.insert(session, old);
            if before.is_none_or(|before| before.since != old.since) {
                older.push((old.since, session, Instant::now()));
            }
        }
        older.sort_unstable_by_key(|(since, ..)| *since);
        self.queue.extend(older);
        while self.queue.front().is_some_and(|(since, session, _)| !self.is_old_since(*session, *since)) {
            self.queue.pop_front();
        }
    }

    /// The chunk up to which all rows are right, if `newest` is the newest of all.
    pub(super) fn indexed(&self, newest: i64) -> i64 {
        self.queue.front().map_or(newest, |(since, ..)| since - 1)
    }

    /// At most so many sessions whose rows are to be written now.
    pub(super) fn overdue(&self, at_most: usize) -> Vec<u64> {
        let now = Instant::now();
        let above = self.old.len().saturating_sub(MANY);
        let old = self.queue.iter().filter(|(since, session, _)| self.is_old_since(*session, *since));
        let overdue = old.enumerate().take_while(|(place, (.., when))| {
            *place < above || now.saturating_duration_since(*when) >= AFTER
        });
        overdue.take(at_most).map(|(_, (_, session, _))| *session).collect()
    }

    /// All sessions whose rows are old, in the order of their numbers.
    pub(super) fn all(&self) -> Vec<u64> {
        let mut all: Vec<u64> = self.old.keys().copied().collect();
        all.sort_unstable();
        all
    }

    /// For tests: time goes by.
    #[cfg(test)]
    pub(super) fn age(&mut self) {
        self.queue.iter_mut().for_each(|(.., when)| *when -= AFTER);
    }

    fn is_old_since(&self, session: u64, since: i64) -> bool {
        self.old.get(&session).is_some_and(|old| old.since == since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old(last: i64, since: i64) -> Option<Old> {
        Some(Old { tip: Tip { last, chain: 0, entries: 0, bytes: 0, at: 0 }, since })
    }

    #[test]
    fn all_rows_are_right_up_to_the_first_chunk_that_one_lacks() {
        let mut heads = Heads::default();
        assert_eq!(heads.indexed(7), 7);
        heads.apply([(1, old(8, 8)), (2, old(9, 9))].into());
        heads.apply([(1, old(10, 8))].into());
        assert_eq!(heads.indexed(10), 7);
        heads.apply([(1, None)].into());
        assert_eq!(heads.indexed(10), 8);
        heads.apply([(1, old(11, 11)), (2, None)].into());
        assert_eq!(heads.indexed(11), 10);
        assert_eq!((heads.all(), heads.tip(1).map(|tip| tip.last)), (vec![1], Some(11)));
    }

    #[test]
    fn rows_wait_until_they_are_overdue_or_many() {
        let mut heads = Heads::default();
        let many = MANY as u64 + 3;
        heads.apply((1..=many).map(|n| (n, old(n.cast_signed(), n.cast_signed()))).collect());
        assert_eq!(heads.overdue(10), [1, 2, 3]);
        assert_eq!(heads.overdue(2), [1, 2]);
        heads.apply([(1, None), (2, None), (3, None)].into());
        assert!(heads.overdue(10).is_empty());
        heads.age();
        assert_eq!(heads.overdue(2), [4, 5]);
    }
}
