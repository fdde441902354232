//! Sessions that leave memory and come back: who rests, and the place of who returns.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hashbrown::hash_table::Entry as TableEntry;

use super::{Entry, Full, Life, Seen, Table, hash, tag};
use crate::engine::Core;
use crate::mapper::key::VisitorId;
use crate::mapper::reap::seconds;
use crate::session::Session;

impl Table {
    /// Lets a session in that comes back, for this visitor. It takes the place of what lingers there.
    pub(crate) fn adopt(&self, session: &Arc<Session>, visitor: VisitorId, core: &Core) -> Result<(), Full> {
        let take = |alive| (alive < core.limits.sessions).then_some(alive + 1);
        if self.alive.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            return Err(Full::Server);
        }
        let adopted = self.adopt_to_shard(session, visitor, core);
        if adopted.is_err() {
            self.alive.fetch_sub(1, Ordering::Relaxed);
        }
        adopted
    }

    fn adopt_to_shard(&self, session: &Arc<Session>, visitor: VisitorId, core: &Core) -> Result<(), Full> {
        let (now, tag) = (core.clock.now(), tag(visitor));
        let mut shard = self.shard(visitor);
        // Whoever changes an id says so before they come for its sessions here.
        if core.journal().renames.is_dead(visitor) {
            return Err(Full::Renamed);
        }
        session.set_visitor(visitor);
        shard.due = shard.due.min(now + seconds(core.limits.idle));
        shard.life_due = shard.life_due.min(session.made().saturating_add(seconds(core.limits.lifetime)));
        let entry = Entry { session: session.clone(), tag, seen: Seen::new(Life::Grown, now) };
        let slot =
            shard.entries.entry(hash(tag), |entry| entry.is(visitor, session.label), |entry| hash(entry.tag));
        let before = match slot {
            TableEntry::Occupied(mut slot) => Some(std::mem::replace(slot.get_mut(), entry)),
            TableEntry::Vacant(slot) => {
                slot.insert(entry);
                None
            }
        };
        drop(shard);
        // Nobody else is there but tombstones, and sessions that are just leaving.
        before.inspect(|before| self.uncount(before.seen.life()));
        Ok(())
    }

    /// Marks a session used that was not found by its visitor. `true`: this was its second hit.
    pub(crate) fn use_again(&self, session: &Arc<Session>, now: u32) -> bool {
        self.with_entry(session, now + self.idle, |table, entry| {
            let TableEntry::Occupied(mut entry) = entry else { return false };
            let life = entry.get().seen.life();
            if life != Life::Lingering {
                entry.get_mut().seen = Seen::new(Life::Grown, now);
            }
            if life == Life::Newborn {
                table.newborns.fetch_sub(1, Ordering::Relaxed);
            }
            life == Life::Newborn
        })
    }

    /// Sessions that were not used for `park` seconds.
    pub(crate) fn resting(&self, now: u32, park: u32) -> Vec<Arc<Session>> {
        self.grown(|seen| seen.second() + park <= now)
    }

    /// About `count` of the sessions that were not used for longest.
    pub(crate) fn least_recent(&self, count: usize) -> Vec<Arc<Session>> {
        let mut seconds = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let grown = shard.entries.iter().filter(|entry| entry.seen.life() == Life::Grown);
            seconds.extend(grown.map(|entry| entry.seen.second()));
        }
        if seconds.is_empty() {
            return Vec::new();
        }
        let at = count.min(seconds.len()) - 1;
        let (_, &mut last, _) = seconds.select_nth_unstable(at);
        let mut sessions = self.grown(|seen| seen.second() <= last);
        sessions.truncate(count);
        sessions
    }

    /// All sessions that have not ended.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.filtered(|seen| seen.life() != Life::Lingering)
    }

    fn grown(&self, which: impl Fn(Seen) -> bool) -> Vec<Arc<Session>> {
        self.filtered(|seen| seen.life() == Life::Grown && which(seen))
    }

    fn filtered(&self, which: impl Fn(Seen) -> bool) -> Vec<Arc<Session>> {
        let mut sessions = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let some = shard.entries.iter().filter(|entry| which(entry.seen));
            sessions.extend(some.map(|entry| entry.session.clone()));
        }
        sessions
    }
}
