//! Sessions that are being read from the journal for a hit, while other hits may bring them into memory and out again.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::rebuilding::Recall;
use crate::engine::Core;
use crate::session::{Session, table};

/// That a session which is not in memory is read. Another hit may bring it there meanwhile, and it may leave again.
pub(super) struct Reading {
    core: Arc<Core>,
    session: u64,
}

impl Reading {
    pub(super) fn begin(core: &Arc<Core>, session: u64) -> Reading {
        core.journal().reading().entry(session).or_default().0 += 1;
        Reading { core: core.clone(), session }
    }

    /// Whether what was read may not be all any more.
    pub(super) fn is_outdated(&self) -> bool {
        self.core.journal().reading().get(&self.session).is_some_and(|(_, left)| *left)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Entry::Occupied(mut reading) = self.core.journal().reading().entry(self.session) {
            reading.get_mut().0 -= 1;
            if reading.get().0 == 0 {
                reading.remove();
            }
        }
    }
}

impl Core {
    /// The session of a hit, if it is in memory after all: it came meanwhile, or has not quite left.
    pub(super) fn in_table(&self, recall: &Recall) -> Option<(Arc<Session>, bool)> {
        let now = self.clock.now();
        let there = recall.ids.iter().filter(|_| recall.hit.pass().is_none()).find_map(|id| {
            match self.table.find(*id, recall.label, now) {
                table::Found::Session(session, grew) => Some((session, grew)),
                table::Found::Visitor | table::Found::Nobody => None,
            }
        });
        // Not a tombstone: what is written of that is looked for.
        there.filter(|(session, _)| {
            session.tape(|tape| tape.stays) == Some(true) || !session.queue.lock().has_ended()
        })
    }
}
