//! Sessions that are being read from the journal for a hit, while other hits may bring them into memory and out again.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::engine::Core;

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
