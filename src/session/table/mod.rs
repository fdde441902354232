//! Where sessions are found: shards of mutexed hash tables with 16 bytes an entry.
//!
//! All sessions of a visitor are in one shard, under one hash, so that they can be counted and renamed together. An
//! entry holds 32 bits of the visitor's id and the second it was last used: expiry and growth scan entries and touch
//! no session. Nothing is dropped and no other code runs under a shard's lock; what is removed is handed out.

mod returning;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;

use super::Session;
use crate::engine::Core;
use crate::limits::Limits;
use crate::mapper::key::VisitorId;
use crate::mapper::pace::again;
use crate::mapper::reap::seconds;

const SHARDS: usize = 256;

struct Entry {
    session: Arc<Session>,
    tag: u32,
    seen: Seen,
}

/// The second of the last use, and which of three lives the session is in, in 32 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen(u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Before its second hit.
    Newborn,
    Grown,
    /// Ended; repeats of its last submit get its last page.
    Lingering,
}

impl Seen {
    fn new(life: Life, second: u32) -> Self {
        Seen(second << 2 | life as u32)
    }

    fn second(self) -> u32 {
        self.0 >> 2
    }

    fn life(self) -> Life {
        match self.0 & 3 {
            0 => Life::Newborn,
            1 => Life::Grown,
            _ => Life::Lingering,
        }
    }
}

#[derive(Default)]
struct Shard {
    entries: HashTable<Entry>,
    /// No entry of this shard is over before this second.
    due: u32,
    /// No session of this shard reaches its lifetime before this second.
    life_due: u32,
}

/// What a look-up found.
pub(crate) enum Found {
    /// This session; with `true` this was its second hit.
    Session(Arc<Session>, bool),
    /// The visitor, but no session under this label.
    Visitor,
    Nobody,
}

/// Why a new session was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    Visitor,
    Server,
}

/// A lock and what it guards in one cache line.
#[derive(Default)]
#[repr(align(64))]
struct Line(Mutex<Shard>);

impl Line {
    fn lock(&self) -> MutexGuard<'_, Shard> {
        self.0.lock().expect("no code panics while it holds a shard")
    }
}

pub(crate) struct Table {
    shards: Box<[Line]>,
    /// Seconds a grown session may be idle: mostly less than a newborn's.
    idle: u32,
    alive: AtomicUsize,
    newborns: AtomicUsize,
    lingering: AtomicUsize,
}

impl Table {
    pub(crate) fn new(limits: &Limits) -> Self {
        Table {
            idle: seconds(limits.idle),
            shards: (0..SHARDS).map(|_| Line::default()).collect(),
            alive: AtomicUsize::new(0),
            newborns: AtomicUsize::new(0),
            lingering: AtomicUsize::new(0),
        }
    }

    /// Sessions that have not ended.
    pub(crate) fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    /// Finds a visitor's session and marks it used.
    pub(crate) fn find(&self, visitor: VisitorId, label: u64, now: u32) -> Found {
        let mut shard = self.shard(visitor);
        let entry = shard.entries.find_mut(hash(tag(visitor)), |entry| entry.is(visitor, label));
        if let Some(entry) = entry {
            let life = entry.seen.life();
            if life == Life::Lingering {
                return Found::Session(entry.session.clone(), false);
            }
            entry.seen = Seen::new(Life::Grown, now);
            let (session, grew) = (entry.session.clone(), life == Life::Newborn);
            if grew {
                self.newborns.fetch_sub(1, Ordering::Relaxed);
                shard.due = shard.due.min(now + self.idle);
            }
            return Found::Session(session, grew);
        }
        if shard.knows(visitor) { Found::Visitor } else { Found::Nobody }
    }

    /// A visitor's session that has ended and lingers.
    pub(crate) fn lingering(&self, visitor: VisitorId, label: u64) -> Option<Arc<Session>> {
        let shard = self.shard(visitor);
        let entry = shard.entries.find(hash(tag(visitor)), |entry| entry.is(visitor, label))?;
        (entry.seen.life() == Life::Lingering).then(|| entry.session.clone())
    }

    /// Whether the visitor has any session, running or lingering.
    pub(crate) fn knows(&self, visitor: VisitorId) -> bool {
        self.shard(visitor).knows(visitor)
    }

    /// Lets a new session in, unless another hit has just made the same one: returns that one then.
    pub(crate) fn admit(
        &self,
        session: &Arc<Session>,
        limits: &Limits,
    ) -> Result<Option<Arc<Session>>, Full> {
        // The place is taken before anyone looks for it, and given back where it is not needed.
        let take = |alive| (alive < limits.sessions).then_some(alive + 1);
        if self.alive.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            return Err(Full::Server);
        }
        let other = self.admit_to_shard(session, limits);
        if !matches!(other, Ok(None)) {
            self.alive.fetch_sub(1, Ordering::Relaxed);
        }
        other
    }

    fn admit_to_shard(&self, session: &Arc<Session>, limits: &Limits) -> Result<Option<Arc<Session>>, Full> {
        let (visitor, now) = (session.visitor(), session.made());
        let mut shard = self.shard(visitor);
        let tag = tag(visitor);
        let mine = shard.entries.iter_hash(hash(tag)).filter(|entry| entry.is_of(visitor));
        if mine.filter(|entry| entry.seen.life() != Life::Lingering).count() >= limits.sessions_per_visitor {
            return Err(Full::Visitor);
        }
        shard.due = shard.due.min(now + seconds(limits.newborn));
        shard.life_due = shard.life_due.min(now + seconds(limits.lifetime));
        let slot =
            shard.entries.entry(hash(tag), |entry| entry.is(visitor, session.label), |entry| hash(entry.tag));
        match slot {
            TableEntry::Occupied(other) => Ok(Some(other.get().session.clone())),
            TableEntry::Vacant(slot) => {
                let seen = Seen::new(Life::Newborn, now);
                slot.insert(Entry { session: session.clone(), tag, seen });
                self.newborns.fetch_add(1, Ordering::Relaxed);
                Ok(None)
            }
        }
    }

    /// Removes a session's entry.
    pub(crate) fn remove(&self, session: &Arc<Session>) {
        self.with_entry(session, u32::MAX, |table, entry| {
            if let TableEntry::Occupied(entry) = entry {
                let (removed, _) = entry.remove();
                table.uncount(removed.seen.life());
            }
        });
    }

    /// Turns a session that has ended into its tombstone. Not if it never had a second hit, nor above the cap.
    pub(crate) fn linger(&self, session: &Arc<Session>, core: &Core) -> bool {
        let now = core.clock.now();
        let room = self.lingering.load(Ordering::Relaxed) < core.limits.lingering;
        let due = now + seconds(core.limits.linger);
        self.with_entry(session, due, |table, entry| match entry {
            TableEntry::Occupied(mut entry) if room && entry.get().seen.life() == Life::Grown => {
                table.uncount(Life::Grown);
                table.lingering.fetch_add(1, Ordering::Relaxed);
                entry.get_mut().seen = Seen::new(Life::Lingering, now);
                true
            }
            _ => false,
        })
    }

    /// Marks a session used that has worked on a hit for longer than it may be idle.
    pub(crate) fn touch(&self, session: &Arc<Session>, now: u32) {
        self.with_entry(session, u32::MAX, |_, entry| {
            if let TableEntry::Occupied(mut entry) = entry {
                let seen = &mut entry.get_mut().seen;
                *seen = Seen::new(seen.life(), now);
            }
        });
    }

    /// Gives all sessions of a visitor another id, at once.
    pub(crate) fn rename(&self, from: VisitorId, to: VisitorId) {
        let mut moved: Vec<Entry> = Vec::new();
        let (mut old, mut new) = self.two_shards(from, to);
        while let Ok(entry) = old.entries.find_entry(hash(tag(from)), |entry| entry.is_of(from)) {
            moved.push(entry.remove().0);
        }
        let (due, life_due) = (old.due, old.life_due);
        let shard = new.as_mut().unwrap_or(&mut old);
        shard.due = shard.due.min(due);
        shard.life_due = shard.life_due.min(life_due);
        for mut entry in moved {
            entry.session.set_visitor(to);
            entry.tag = tag(to);
            shard.entries.insert_unique(hash(entry.tag), entry, |entry| hash(entry.tag));
        }
    }

    /// Removes what is over at second `now` and returns it: the sessions to tell. Tombstones just go.
    pub(crate) fn expire(&self, at: usize, now: u32, limits: &Limits) -> Vec<Arc<Session>> {
        let mut shard = self.shards[at].lock();
        if now < shard.due && now < shard.life_due {
            return Vec::new();
        }
        let lives = [limits.newborn, limits.idle, limits.linger].map(seconds);
        let (mut due, mut life_due) = (u32::MAX, u32::MAX);
        let by_life = now >= shard.life_due;
        let over = shard.entries.extract_if(|entry| {
            let life = entry.seen.life();
            let idle_end = entry.seen.second() + lives[life as usize];
            // Only here a session is touched: when the oldest of the shard may have reached its lifetime.
            let life_end = if by_life { entry.session.made() + seconds(limits.lifetime) } else { u32::MAX };
            let old = life_end <= now && life != Life::Lingering;
            let over = old || (idle_end <= now && !entry.renewed(now));
            if !over {
                due = due.min(entry.seen.second() + lives[life as usize]);
                life_due = life_due.min(life_end);
            }
            over
        });
        let over: Vec<Entry> = over.collect();
        shard.due = due;
        if by_life {
            shard.life_due = life_due;
        }
        shard.shrink();
        drop(shard);
        self.sort_out(over)
    }

    /// The second before which nothing is over; and no grown session unused for one of `rests`.
    pub(crate) fn next_due(&self, now: u32, rests: &[u32]) -> u32 {
        let shards = self.shards.iter().map(|shard| {
            let shard = shard.lock();
            let grown = shard.entries.iter().filter(|entry| entry.seen.life() == Life::Grown);
            let rests = grown.flat_map(|entry| rests.iter().map(move |rest| entry.seen.second() + rest));
            rests.map(|due| again(due, now)).fold(shard.due.min(shard.life_due), u32::min)
        });
        shards.fold(u32::MAX, u32::min)
    }

    /// Removes the oldest newborns until they are a sixteenth below the cap, and returns them.
    pub(crate) fn shed(&self, cap: usize) -> Vec<Arc<Session>> {
        let newborns = self.newborns.load(Ordering::Relaxed);
        if newborns <= cap {
            return Vec::new();
        }
        let mut serials = Vec::with_capacity(newborns);
        for shard in &self.shards {
            let shard = shard.lock();
            let young = shard.entries.iter().filter(|entry| entry.seen.life() == Life::Newborn);
            serials.extend(young.map(|entry| entry.session.serial));
        }
        let surplus = (newborns - cap + cap / 16).clamp(1, serials.len().max(1));
        if serials.is_empty() {
            return Vec::new();
        }
        let (_, youngest, _) = serials.select_nth_unstable(surplus - 1);
        self.shed_until(*youngest)
    }

    fn shed_until(&self, serial: u64) -> Vec<Arc<Session>> {
        let mut shed = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            shed.extend(
                shard
                    .entries
                    .extract_if(|entry| entry.seen.life() == Life::Newborn && entry.session.serial <= serial),
            );
        }
        self.sort_out(shed)
    }

    /// Removes and returns all sessions.
    pub(crate) fn drain(&self) -> Vec<Arc<Session>> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            all.extend(shard.entries.drain());
        }
        self.sort_out(all)
    }

    /// Looks through everything: for the rare case that somebody wants a name.
    pub(crate) fn by_serial(&self, serial: u64) -> Option<Arc<Session>> {
        self.shards.iter().find_map(|shard| {
            let shard = shard.lock();
            shard
                .entries
                .iter()
                .find(|entry| entry.session.serial == serial)
                .map(|entry| entry.session.clone())
        })
    }

    pub(crate) const fn shards(&self) -> usize {
        SHARDS
    }

    fn sort_out(&self, entries: Vec<Entry>) -> Vec<Arc<Session>> {
        let mut sessions = Vec::with_capacity(entries.len());
        for entry in entries {
            self.uncount(entry.seen.life());
            if entry.seen.life() != Life::Lingering {
                sessions.push(entry.session);
            }
        }
        sessions
    }

    fn uncount(&self, life: Life) {
        match life {
            Life::Newborn => {
                self.newborns.fetch_sub(1, Ordering::Relaxed);
                self.alive.fetch_sub(1, Ordering::Relaxed);
            }
            Life::Grown => {
                self.alive.fetch_sub(1, Ordering::Relaxed);
            }
            Life::Lingering => {
                self.lingering.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    fn shard(&self, visitor: VisitorId) -> MutexGuard<'_, Shard> {
        self.shards[shard_of(visitor)].lock()
    }

    /// The session's entry, wherever a renaming has just put it. It may be over at second `due`, not before.
    fn with_entry<R>(
        &self,
        session: &Arc<Session>,
        due: u32,
        act: impl FnOnce(&Self, TableEntry<'_, Entry>) -> R,
    ) -> R {
        loop {
            let visitor = session.visitor();
            let mut shard = self.shard(visitor);
            // Renamed between the look and the lock: look again.
            if session.visitor() != visitor {
                continue;
            }
            shard.due = shard.due.min(due);
            let same = |entry: &Entry| Arc::ptr_eq(&entry.session, session);
            let entry = shard.entries.entry(hash(tag(visitor)), same, |entry| hash(entry.tag));
            return act(self, entry);
        }
    }

    fn two_shards(
        &self,
        from: VisitorId,
        to: VisitorId,
    ) -> (MutexGuard<'_, Shard>, Option<MutexGuard<'_, Shard>>) {
        let (from_at, to_at) = (shard_of(from), shard_of(to));
        if from_at == to_at {
            return (self.shard(from), None);
        }
        // Always in the order of the shards: two renamings cannot wait for each other.
        if from_at < to_at {
            let old = self.shard(from);
            (old, Some(self.shard(to)))
        } else {
            let new = self.shard(to);
            (self.shard(from), Some(new))
        }
    }
}

impl Entry {
    /// A session that works on a hit is not idle: its time runs from the answer, see [`Table::touch`].
    fn renewed(&mut self, now: u32) -> bool {
        let at_work = self.session.is_at_work();
        if at_work {
            self.seen = Seen::new(self.seen.life(), now);
        }
        at_work
    }

    fn is(&self, visitor: VisitorId, label: u64) -> bool {
        self.is_of(visitor) && self.session.label == label
    }

    /// Looks into the entry first: to touch another's session costs more than all else.
    fn is_of(&self, visitor: VisitorId) -> bool {
        self.tag == tag(visitor) && self.session.visitor() == visitor
    }
}

impl Shard {
    fn knows(&self, visitor: VisitorId) -> bool {
        self.entries.iter_hash(hash(tag(visitor))).any(|entry| entry.is_of(visitor))
    }

    /// Gives memory back after a crowd has left.
    fn shrink(&mut self) {
        if self.entries.capacity() > 64 && self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to_fit(|entry| hash(entry.tag));
        }
    }
}

fn shard_of(visitor: VisitorId) -> usize {
    usize::try_from(visitor.0[0] % SHARDS as u64).expect("below the number of shards")
}

fn tag(visitor: VisitorId) -> u32 {
    u32::try_from(visitor.0[1] >> 32).expect("32 bits are left")
}

/// Ids are random: spreading their bits is enough.
fn hash(tag: u32) -> u64 {
    u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
