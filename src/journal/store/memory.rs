//! A journal in memory: lives as long as the process. For tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Change, Chunk, Fault, Found, Head, Opened, State, Store, StoreError, Visitor};
use crate::mapper::key::random;

/// A journal in memory. Clones share it: a test can start a second server on what the first one has left.
///
#[derive(Clone)]
pub struct Memory(Arc<Mutex<Kept>>);

struct Kept {
    journal: [u8; 16],
    secret: [u8; 32],
    epoch: u32,
    clock: u32,
    sessions: BTreeMap<u64, (Head, Vec<Chunk>)>,
    marks: [Option<u64>; super::SLOTS],
}

impl Memory {
    /// An empty one.
    pub fn new() -> Self {
        let (mut journal, mut secret) = ([0; 16], [0; 32]);
        random(&mut journal);
        random(&mut secret);
        let sessions = BTreeMap::new();
        Memory(Arc::new(Mutex::new(Kept { journal, secret, epoch: 0, clock: 0, sessions, marks: [None; 8] })))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("no code panics while it holds the journal")
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for Memory {
    fn opened(&self) -> Opened {
        let mut kept = self.kept();
        kept.epoch += 1;
        let newest = kept.sessions.keys().last().map_or(0, |session| session >> 32);
        kept.clock = kept.clock.max(u32::try_from(newest).expect("32 bits are left")) + 1;
        let marked = std::mem::take(&mut kept.marks).into_iter().flatten().collect();
        let Kept { journal, epoch, clock, secret, .. } = *kept;
        Opened { secret: Some(secret), marked, ..Opened::new(journal, epoch, clock) }
    }

    fn write(&self, changes: &[Change]) -> Result<(), StoreError> {
        let mut kept = self.kept();
        // All or none: look first.
        kept.check(changes)?;
        for change in changes {
            kept.apply(change);
        }
        Ok(())
    }

    fn find(&self, visitor: &Visitor, label: u64) -> Result<Found, StoreError> {
        let kept = self.kept();
        let of = kept.sessions.values().map(|(head, _)| head).filter(|head| head.visitor == *visitor);
        let mut found = Found::default();
        for head in of {
            found.known |= head.state == State::Live;
            if head.label == label {
                found.session = Some(head.clone());
            }
        }
        Ok(found)
    }

    fn head(&self, session: u64) -> Result<Option<Head>, StoreError> {
        Ok(self.kept().sessions.get(&session).map(|(head, _)| head.clone()))
    }

    fn load(&self, session: u64) -> Result<Vec<Chunk>, StoreError> {
        let kept = self.kept();
        let there = kept.sessions.get(&session);
        there
            .map(|(_, chunks)| chunks.clone())
            .ok_or_else(|| StoreError::new(Fault::Damaged, format!("session {session:x} is not there")))
    }

    fn due(&self, now: u32, wall: i64, limit: usize) -> Result<Vec<Head>, StoreError> {
        let kept = self.kept();
        let is_due = |head: &&Head| {
            head.due.is_some_and(|due| due <= now) || head.wake.is_some_and(|wake| wake <= wall)
        };
        let mut due: Vec<Head> =
            kept.sessions.values().map(|(head, _)| head).filter(is_due).cloned().collect();
        due.sort_by_key(|head| (head.due.unwrap_or(u32::MAX), head.wake));
        due.truncate(limit);
        Ok(due)
    }

    fn list(&self, after: u64, limit: usize) -> Result<Vec<Head>, StoreError> {
        let kept = self.kept();
        let above = kept.sessions.range((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded));
        Ok(above.take(limit).map(|(_, (head, _))| head.clone()).collect())
    }

    fn waits(&self) -> bool {
        false
    }

    fn bytes(&self) -> u64 {
        self.kept().sessions.values().map(|(head, _)| head.bytes).sum()
    }

    fn mark(&self, slot: usize, session: Option<u64>) {
        self.kept().marks[slot] = session;
    }
}

impl Kept {
    /// Whether all of it can be applied.
    fn check(&self, changes: &[Change]) -> Result<(), StoreError> {
        let mut next = BTreeMap::new();
        for change in changes {
            match change {
                Change::Begin { session, .. } if self.sessions.contains_key(session) => {
                    return Err(StoreError::new(Fault::Failed, "begin a session that is there"));
                }
                Change::Begin { session, .. } => drop(next.insert(*session, Some(0))),
                Change::Forget { session } => drop(next.insert(*session, None)),
                Change::Append(chunk) => {
                    let there = self.sessions.get(&chunk.session).map(|(head, _)| head.entries);
                    let Some(entries) = next.get(&chunk.session).copied().unwrap_or(there) else {
                        return Err(StoreError::new(Fault::Failed, "append to a session that is not there"));
                    };
                    if entries != chunk.first {
                        return Err(StoreError::new(
                            Fault::Failed,
                            "append an entry that is not the next one",
                        ));
                    }
                    next.insert(chunk.session, Some(entries + chunk.count));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn apply(&mut self, change: &Change) {
        let session = match change {
            Change::Begin { session, visitor, label, flow } => {
                let head = Head::new(*session, *visitor, *label, flow);
                self.sessions.insert(*session, (head, Vec::new()));
                return;
            }
            Change::Rename { from, to } => {
                for (head, _) in self.sessions.values_mut().filter(|(head, _)| head.visitor == *from) {
                    head.visitor = *to;
                }
                return;
            }
            Change::Clock(second) => {
                self.clock = self.clock.max(*second);
                return;
            }
            Change::Forget { session } => return drop(self.sessions.remove(session)),
            Change::Append(chunk) => chunk.session,
            Change::Park { session, .. }
            | Change::Unpark { session }
            | Change::Sleep { session, .. }
            | Change::End { session, .. }
            | Change::Trim { session, .. }
            | Change::Deaths { session, .. } => *session,
        };
        if let Some((head, chunks)) = self.sessions.get_mut(&session) {
            change_session(head, chunks, change);
        }
    }
}

fn change_session(head: &mut Head, chunks: &mut Vec<Chunk>, change: &Change) {
    match change {
        Change::Append(chunk) => {
            head.entries += chunk.count;
            head.bytes += chunk.entries.len() as u64;
            head.at = chunk.at;
            chunks.push(chunk.clone());
        }
        // What is over has its end, and no other clock.
        Change::Park { .. } | Change::Unpark { .. } | Change::Sleep { .. } if head.state != State::Live => {}
        Change::Park { due, .. } => head.due = Some(*due),
        Change::Unpark { .. } => head.due = None,
        Change::Sleep { wake, .. } => head.wake = *wake,
        Change::End { state, due, .. } => {
            (head.state, head.due, head.wake) = (*state, Some(*due), None);
        }
        Change::Trim { before, .. } => {
            chunks.retain(|chunk| chunk.first + chunk.count > *before);
            head.bytes = chunks.iter().map(|chunk| chunk.entries.len() as u64).sum();
        }
        Change::Deaths { count, .. } => head.deaths = *count,
        Change::Begin { .. } | Change::Rename { .. } | Change::Clock(_) | Change::Forget { .. } => {}
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("sessions", &self.kept().sessions.len()).finish_non_exhaustive()
    }
}
